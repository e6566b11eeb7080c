// The bridge's own registers: what the board is, the interrupt level, and one lookup at a time
// through a lookup port of the device, in place of an accelerator (docs/fpga.md has the map).

module kvcpu_board_regs
  import kvcpu_board_pkg::*;
#(
  /// Lookup ports of the device, 1 to 8.
  parameter int unsigned PORTS = 3,
  /// Bytes of a tier.
  parameter int unsigned TierBytes = 32768
) (
  /// Clock.
  input  logic                   clk_i,
  /// Reset, active low.
  input  logic                   rst_ni,

  /// An access (one cycle; it ends in the same cycle).
  input  logic                   valid_i,
  /// It writes.
  input  logic                   write_i,
  /// Its address inside the region, bytes.
  input  logic [27:0]            addr_i,
  /// Data of a write.
  input  logic [63:0]            wdata_i,
  /// How it ends.
  output resp_e                  resp_o,
  /// Data of a read.
  output logic [63:0]            rdata_o,

  /// Interrupt output of the device.
  input  logic                   irq_i,

  /// Lookup request valid, per port.
  output logic [PORTS-1:0]       lookup_valid_o,
  /// Lookup request taken, per port.
  input  logic [PORTS-1:0]       lookup_ready_i,
  /// KV address, per port.
  output logic [PORTS-1:0][63:0] lookup_kv_addr_o,
  /// Write lookup, per port.
  output logic [PORTS-1:0]       lookup_write_o,
  /// Answer valid, per port.
  input  logic [PORTS-1:0]       answer_valid_i,
  /// Answer taken, per port.
  output logic [PORTS-1:0]       answer_ready_o,
  /// Answer: hit.
  input  logic [PORTS-1:0]       answer_hit_i,
  /// Answer: denied.
  input  logic [PORTS-1:0]       answer_denied_i,
  /// Answer: tier.
  input  logic [PORTS-1:0][1:0]  answer_tier_i,
  /// Answer: PHYS_ADDR, bytes.
  input  logic [PORTS-1:0][63:0] answer_phys_addr_i,
  /// Answer: index.
  input  logic [PORTS-1:0][15:0] answer_index_i
);

  localparam logic [63:0] Id = 64'h3144_5242_5550_434B;  // "KCPUBRD1" in memory order

  localparam logic [27:0] AddrId = 28'h00;
  localparam logic [27:0] AddrStatus = 28'h08;       // bit 0: interrupt level
  localparam logic [27:0] AddrTierBytes = 28'h10;
  localparam logic [27:0] AddrLookupAddr = 28'h18;   // KV address of the next lookup
  localparam logic [27:0] AddrLookup = 28'h20;       // write: port in 2:0, write lookup in 8; starts it
  localparam logic [27:0] AddrLookupPhys = 28'h28;   // PHYS_ADDR of the last answer

  // A read of LOOKUP: the last lookup and its answer.
  typedef struct packed {
    logic        busy;    // 63: it waits for the port or for its answer
    logic [26:0] zero;
    logic        hit;     // 35
    logic        denied;  // 34
    logic [1:0]  tier;    // 33:32
    logic [15:0] index;   // 31:16
    logic [6:0]  zero1;
    logic        write;   // 8
    logic [4:0]  zero2;
    logic [2:0]  port;    // 2:0
  } lookup_t;

  logic [63:0] kv_addr_q, phys_q;
  lookup_t     lookup_q;
  logic        asking_q;  // the port has not taken it yet
  logic        start, port_ok, answered;

  // ------------------------------------------------------------------ accesses
  assign port_ok = 32'(wdata_i[2:0]) < PORTS;
  assign start   = valid_i && write_i && addr_i == AddrLookup && port_ok && !lookup_q.busy;

  always_comb begin
    resp_o  = RespOkay;
    rdata_o = '0;
    if (write_i) begin
      unique case (addr_i)
        AddrLookupAddr: resp_o = lookup_q.busy ? RespSlverr : RespOkay;
        AddrLookup:     resp_o = start ? RespOkay : RespSlverr;
        AddrId, AddrStatus, AddrTierBytes, AddrLookupPhys: resp_o = RespSlverr;
        default:        resp_o = RespDecerr;
      endcase
    end else begin
      unique case (addr_i)
        AddrId:         rdata_o = Id;
        AddrStatus:     rdata_o = 64'(irq_i);
        AddrTierBytes:  rdata_o = 64'(TierBytes);
        AddrLookupAddr: rdata_o = kv_addr_q;
        AddrLookup:     rdata_o = lookup_q;
        AddrLookupPhys: rdata_o = phys_q;
        default:        resp_o = RespDecerr;
      endcase
    end
  end

  // ------------------------------------------------------------------ the lookup
  lookup_t     answer;
  logic [63:0] answer_phys;

  assign answered = (answer_valid_i & answer_ready_o) != '0;

  always_comb begin
    answer = '{write: lookup_q.write, port: lookup_q.port, default: '0};
    answer_phys = '0;
    for (int unsigned p = 0; p < PORTS; p++) begin
      if (lookup_q.port == 3'(p)) begin
        answer.hit    = answer_hit_i[p];
        answer.denied = answer_denied_i[p];
        answer.tier   = answer_tier_i[p];
        answer.index  = answer_index_i[p];
        answer_phys   = answer_phys_addr_i[p];
      end
      lookup_valid_o[p]   = asking_q && lookup_q.port == 3'(p);
      lookup_kv_addr_o[p] = kv_addr_q;
      lookup_write_o[p]   = lookup_q.write;
      answer_ready_o[p]   = lookup_q.busy && !asking_q && lookup_q.port == 3'(p);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      asking_q  <= 1'b0;
      kv_addr_q <= '0;
      phys_q    <= '0;
      lookup_q  <= '0;
    end else begin
      if (valid_i && write_i && addr_i == AddrLookupAddr && !lookup_q.busy) kv_addr_q <= wdata_i;
      if (start) begin
        asking_q <= 1'b1;
        lookup_q <= '{busy: 1'b1, write: wdata_i[8], port: wdata_i[2:0], default: '0};
      end else if ((lookup_valid_o & lookup_ready_i) != '0) begin
        asking_q <= 1'b0;
      end else if (answered) begin
        lookup_q <= answer;
        phys_q   <= answer_phys;
      end
    end
  end

endmodule
