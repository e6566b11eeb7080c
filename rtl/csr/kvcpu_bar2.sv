// BAR2: the directory window. A read-only AXI4-Lite port that reads entries by index.

`include "kvcpu_assert.svh"

module kvcpu_bar2
  import kvcpu_pkg::*;
#(
  /// Directory entries (device.md 1): power of two, 1,024 to 65,536.
  parameter int unsigned ENTRIES = 65536
) (
  /// Clock.
  input logic clk_i,
  /// Reset, active low, asynchronous, released synchronously.
  input logic rst_ni,
  /// Synchronous clear of a soft reset: an operation that waits for its answer reads 0.
  input logic clear_i,
  /// The directory is initialised; before, every entry reads 0.
  input logic initialised_i,

  /// AXI4-Lite write address (ignored: every write gets SLVERR).
  input  logic [21:0] s_axil_awaddr_i,
  /// AXI4-Lite.
  input  logic        s_axil_awvalid_i,
  /// AXI4-Lite.
  output logic        s_axil_awready_o,
  /// AXI4-Lite write data (ignored).
  input  logic [63:0] s_axil_wdata_i,
  /// AXI4-Lite write strobes (ignored).
  input  logic [ 7:0] s_axil_wstrb_i,
  /// AXI4-Lite.
  input  logic        s_axil_wvalid_i,
  /// AXI4-Lite.
  output logic        s_axil_wready_o,
  /// AXI4-Lite write response: always 2, SLVERR.
  output logic [ 1:0] s_axil_bresp_o,
  /// AXI4-Lite.
  output logic        s_axil_bvalid_o,
  /// AXI4-Lite.
  input  logic        s_axil_bready_i,
  /// AXI4-Lite read address: index * 32 + word * 8.
  input  logic [21:0] s_axil_araddr_i,
  /// AXI4-Lite.
  input  logic        s_axil_arvalid_i,
  /// AXI4-Lite.
  output logic        s_axil_arready_o,
  /// AXI4-Lite read data; 0 with SLVERR.
  output logic [63:0] s_axil_rdata_o,
  /// AXI4-Lite read response: 0 OKAY, 2 SLVERR (unaligned, past the last entry).
  output logic [ 1:0] s_axil_rresp_o,
  /// AXI4-Lite.
  output logic        s_axil_rvalid_o,
  /// AXI4-Lite.
  input  logic        s_axil_rready_i,

  /// An OpRead is asked for; holds until op_ready_i.
  output logic op_valid_o,
  /// The directory accepts it.
  input  logic op_ready_i,
  /// The operation: OpRead, ClBar2, index.
  output op_t  op_o,
  /// The answer to the accepted OpRead (one cycle).
  input  logic rsp_valid_i,
  /// Its entry field is the entry.
  input  rsp_t rsp_i
);

  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= MaxEntries && $onehot(ENTRIES),
                     "ENTRIES must be a power of two from 1,024 to 65,536")

  localparam int unsigned EntriesW = $clog2(ENTRIES);
  // Bytes of a slot: 32.
  localparam int unsigned SlotShift = 5;

  logic        wr_valid;
  logic        rd_valid;
  logic [21:0] rd_addr;
  logic        rd_done;
  logic        rd_error;
  logic [63:0] rd_data;
  logic [21:0] unused_wr_addr;
  logic [63:0] unused_wr_data;
  logic        unused_wr_full;

  kvcpu_csr_axil #(
    .AddrW(22)
  ) u_axil (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .awaddr_i  (s_axil_awaddr_i),
    .awvalid_i (s_axil_awvalid_i),
    .awready_o (s_axil_awready_o),
    .wdata_i   (s_axil_wdata_i),
    .wstrb_i   (s_axil_wstrb_i),
    .wvalid_i  (s_axil_wvalid_i),
    .wready_o  (s_axil_wready_o),
    .bresp_o   (s_axil_bresp_o),
    .bvalid_o  (s_axil_bvalid_o),
    .bready_i  (s_axil_bready_i),
    .araddr_i  (s_axil_araddr_i),
    .arvalid_i (s_axil_arvalid_i),
    .arready_o (s_axil_arready_o),
    .rdata_o   (s_axil_rdata_o),
    .rresp_o   (s_axil_rresp_o),
    .rvalid_o  (s_axil_rvalid_o),
    .rready_i  (s_axil_rready_i),
    .wr_next_o (),
    .wr_valid_o(wr_valid),
    .wr_addr_o (unused_wr_addr),
    .wr_data_o (unused_wr_data),
    .wr_full_o (unused_wr_full),
    .wr_done_i (wr_valid),
    .wr_error_i(1'b1),
    .rd_valid_o(rd_valid),
    .rd_addr_o (rd_addr),
    .rd_done_i (rd_done),
    .rd_error_i(rd_error),
    .rd_data_i (rd_data)
  );

  typedef enum logic [2:0] {
    StIdle,   // judge the read
    StJudged, // answer it from the latch, or fetch the entry
    StAsk,    // OpRead waits for the directory
    StWait,   // OpRead is in the directory
    StAnswer  // the latch has the entry
  } state_e;

  state_e              state_q, state_d;
  logic                latch_valid_q;
  logic [EntriesW-1:0] latch_index_q;
  logic [255:0]        latch_q;
  logic [EntriesW-1:0] index;
  logic [1:0]          word;
  logic                bad, bad_q;
  logic                fresh;    // the latch answers this read
  logic                fetch_q;  // StJudged: the read needs an entry
  logic                gone;     // the directory is empty: so is the entry
  logic                clear_q;  // clear_i goes everywhere: the latch, which is wide, sees it a cycle later

  assign index = rd_addr[SlotShift+:EntriesW];
  assign word = rd_addr[4:3];
  assign gone = clear_i || !initialised_i;
  assign bad = (rd_addr[2:0] != '0) || ((rd_addr >> (SlotShift + EntriesW)) != '0);
  // A word other than the first of an index that is not latched reads, and latches, that entry.
  assign fresh = latch_valid_q && !clear_i && (latch_index_q == index) && (word != '0);

  assign op_valid_o = state_q == StAsk;
  always_comb begin
    op_o = '0;
    op_o.op = OpRead;
    op_o.client = ClBar2;
    op_o.index = IndexW'(index);
  end

  `KVCPU_ASSERT(request_holds, op_valid_o && !op_ready_i && !clear_i |=> op_valid_o && $stable(op_o.index),
                "a read of the directory is asked for until it is accepted")

  assign rd_done = (state_q == StAnswer) || ((state_q == StJudged) && !fetch_q);
  assign rd_error = bad_q;
  assign rd_data = latch_q[word*64+:64];

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:   if (rd_valid) state_d = StJudged;
      StJudged: state_d = !fetch_q ? StIdle : gone ? StAnswer : StAsk;
      StAsk:    if (clear_i) state_d = StAnswer;
                else if (op_ready_i) state_d = StWait;
      StWait:   if (clear_q || rsp_valid_i) state_d = StAnswer;
      StAnswer: state_d = StIdle;
      default:  state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q       <= StIdle;
      clear_q       <= 1'b0;
      bad_q         <= 1'b0;
      fetch_q       <= 1'b0;
      latch_valid_q <= 1'b0;
      latch_index_q <= '0;
      latch_q       <= '0;
    end else begin
      state_q <= state_d;
      clear_q <= clear_i;
      bad_q   <= bad;
      fetch_q <= (state_q == StIdle) && rd_valid && !bad && !fresh;
      if (fetch_q) begin
        latch_valid_q <= 1'b1;
        latch_index_q <= index;
      end else if (clear_i && (state_q != StAsk) && (state_q != StWait)) begin
        latch_valid_q <= 1'b0;
      end
      // The entry, once it comes: what is here before is overwritten. Otherwise 0, that of an empty
      // directory.
      if (state_q == StWait) latch_q <= clear_q ? '0 : {16'b0, rsp_i.entry};
      else if (fetch_q || (state_q == StAsk)) latch_q <= '0;
    end
  end

endmodule
