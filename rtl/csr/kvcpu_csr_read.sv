// A read of BAR0, in four cycles: address to the register block, which has a register behind its address decoder, where
// it samples what is read, and one in the middle of its multiplexer.
//
// What is readable is judged here. A read that is refused goes through the register block without effect, so that all
// reads take the same time. The pop of a queue is in the cycle in which the register block samples the queue's head.

`include "kvcpu_assert.svh"

module kvcpu_csr_read #(
  /// Lookup ports (device.md 1): 1 to 8.
  parameter int unsigned PORTS = 3
) (
  /// Clock.
  input  logic        clk_i,
  /// Reset, active low.
  input  logic        rst_ni,
  /// A read waits.
  input  logic        rd_valid_i,
  /// Its address, bytes.
  input  logic [15:0] rd_addr_i,
  /// No write is asked for in the cycle after this one.
  input  logic        reads_ok_i,
  /// Address of the write that is asked for otherwise, bytes.
  input  logic [15:0] wr_addr_i,
  /// The read is done.
  output logic        rd_done_o,
  /// It is refused: SLVERR.
  output logic        rd_error_o,
  /// What it reads; 0 from what is not there.
  output logic [63:0] rd_data_o,
  /// Register block: a read is asked for.
  output logic        regs_ask_o,
  /// Register block: word to read or write.
  output logic [kvcpu_regs_pkg::KVCPU_REGS_MIN_ADDR_WIDTH-1:3] regs_addr_o,
  /// Register block: what it reads.
  input  logic [63:0] regs_rd_data_i,
  /// The head of the miss queue is read (pulse).
  output logic        miss_take_o,
  /// The head of the completion queue is read (pulse).
  output logic        compl_take_o
);
  import kvcpu_pkg::*;
  import kvcpu_regs_map_pkg::*;

  localparam int unsigned RegsAddrW = kvcpu_regs_pkg::KVCPU_REGS_MIN_ADDR_WIDTH;

  `KVCPU_CHECK_PARAM(ports, PORTS >= 1 && PORTS <= MaxPorts, "PORTS must be 1 to 8")

  typedef enum logic [2:0] {
    RdWait,    // until the register block may be asked
    RdAsk,
    RdSample,
    RdPick,
    RdAnswer
  } rd_state_e;

  rd_state_e            rd_state_q, rd_state_d;
  logic                 rd_absent;
  logic                 rd_bad_q;
  logic                 rd_none_q;  // it reads 0
  logic                 rd_miss_q, rd_compl_q;
  logic [63:0]          rd_data_q;

  always_comb begin
    rd_absent = 1'b0;
    for (int unsigned i = PORTS; i < MaxPorts; i++) begin
      rd_absent |= (rd_addr_i == AddrPortReqLo[i]) || (rd_addr_i == AddrPortReqHi[i]);
    end
  end

  always_comb begin
    rd_state_d = rd_state_q;
    unique case (rd_state_q)
      RdWait:   if (rd_valid_i && reads_ok_i) rd_state_d = RdAsk;
      RdAsk:    rd_state_d = RdSample;
      RdSample: rd_state_d = RdPick;
      RdPick:   rd_state_d = RdAnswer;
      RdAnswer: rd_state_d = RdWait;
      default:  rd_state_d = RdWait;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rd_state_q   <= RdWait;
      rd_bad_q     <= 1'b0;
      rd_none_q    <= 1'b0;
      rd_miss_q    <= 1'b0;
      rd_compl_q   <= 1'b0;
      miss_take_o  <= 1'b0;
      compl_take_o <= 1'b0;
      regs_addr_o  <= '0;
      rd_data_q    <= '0;
    end else begin
      rd_state_q   <= rd_state_d;
      // What is mapped fits 13 address bits. A read that is refused goes through the register block
      // without effect.
      rd_bad_q     <= (rd_addr_i[2:0] != '0) || (rd_addr_i[15:RegsAddrW] != '0) ||
          !Readable[rd_addr_i[RegsAddrW-1:3]];
      rd_none_q    <= rd_absent;
      rd_miss_q    <= rd_addr_i == AddrMissAddr;
      rd_compl_q   <= rd_addr_i == AddrCompletionAddr;
      miss_take_o  <= (rd_state_q == RdAsk) && rd_miss_q;
      compl_take_o <= (rd_state_q == RdAsk) && rd_compl_q;
      regs_addr_o  <= reads_ok_i ? rd_addr_i[RegsAddrW-1:3] : wr_addr_i[RegsAddrW-1:3];
      rd_data_q    <= regs_rd_data_i;
    end
  end

  assign rd_done_o = rd_state_q == RdAnswer;
  assign rd_error_o = rd_bad_q;
  assign rd_data_o = rd_none_q ? '0 : rd_data_q;
  assign regs_ask_o = rd_state_q == RdAsk;

endmodule
