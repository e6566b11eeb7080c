// The bridge's own registers: what the board is, the interrupt level, and one lookup at a time
// through a lookup port of the device, in place of an accelerator (docs/fpga.md has the map).

module kvcpu_board_regs
  import kvcpu_board_pkg::*;
#(
  /// Lookup ports of the device, 1 to 8.
  parameter int unsigned PORTS = 3,
  /// Bytes of a tier.
  parameter int unsigned TierBytes = 16384
) (
  /// Clock.
  input  logic                   clk_i,
  /// Reset, active low.
  input  logic                   rst_ni,

  /// An access; it and its fields hold until `done_o`.
  input  logic                   valid_i,
  /// It writes.
  input  logic                   write_i,
  /// Its address inside the region, bytes.
  input  logic [27:0]            addr_i,
  /// Data of a write.
  input  logic [63:0]            wdata_i,
  /// The access has ended: in its third cycle.
  output logic                   done_o,
  /// How.
  output resp_e                  resp_o,
  /// Data of a read; means nothing for a write.
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
  logic        start;

  // ------------------------------------------------------------------ accesses
  typedef struct packed {
    logic none;
    logic id;
    logic status;
    logic tier_bytes;
    logic lookup_addr;
    logic lookup;
    logic lookup_phys;
  } sel_t;

  sel_t  sel, sel_q;
  resp_e resp;
  logic  found_q;  // second cycle of the access
  logic  port_ok_q;

  // The first cycle finds the register, the second one reads or writes it, the third one answers.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      found_q <= 1'b0;
      done_o  <= 1'b0;
    end else begin
      found_q <= valid_i && !found_q && !done_o;
      done_o  <= found_q;
    end
  end

  // Which register by the low bits; whether it is one, by all.
  logic [27:0] rest;
  logic        far_q;
  assign rest = {addr_i[27:6], 6'd0};

  always_comb begin
    sel = '0;
    unique case ({22'd0, addr_i[5:0]})
      AddrId:         sel.id = 1'b1;
      AddrStatus:     sel.status = 1'b1;
      AddrTierBytes:  sel.tier_bytes = 1'b1;
      AddrLookupAddr: sel.lookup_addr = 1'b1;
      AddrLookup:     sel.lookup = 1'b1;
      AddrLookupPhys: sel.lookup_phys = 1'b1;
      default:        sel.none = 1'b1;
    endcase
  end

  always_ff @(posedge clk_i) begin
    sel_q     <= sel;
    far_q     <= rest != '0;
    port_ok_q <= 32'(wdata_i[2:0]) < PORTS;
  end

  assign start = found_q && write_i && sel_q.lookup && !far_q && port_ok_q && !lookup_q.busy;

  always_comb begin
    resp = RespOkay;
    if (sel_q.none || far_q) begin
      resp = RespDecerr;
    end else if (write_i) begin
      if (sel_q.lookup_addr) resp = lookup_q.busy ? RespSlverr : RespOkay;
      else if (sel_q.lookup) resp = (port_ok_q && !lookup_q.busy) ? RespOkay : RespSlverr;
      else resp = RespSlverr;
    end
  end

  always_ff @(posedge clk_i) begin
    resp_o  <= resp;
    rdata_o <= (sel_q.id ? Id : '0) | (sel_q.status ? 64'(irq_i) : '0) |
               (sel_q.tier_bytes ? 64'(TierBytes) : '0) | (sel_q.lookup_addr ? kv_addr_q : '0) |
               (sel_q.lookup ? lookup_q : '0) | (sel_q.lookup_phys ? phys_q : '0);
    if (far_q) rdata_o <= '0;
  end

  // ------------------------------------------------------------------ the lookup
  lookup_t                answer;
  logic [63:0]            answer_phys;
  logic [PORTS-1:0]       hit_q, denied_q;
  logic [PORTS-1:0][1:0]  tier_q;
  logic [PORTS-1:0][63:0] phys_addr_q;
  logic [PORTS-1:0][15:0] index_q;
  logic [PORTS-1:0]       answered_q;
  logic [PORTS-1:0]       asking_q;   // the port that has not taken the lookup yet
  logic [PORTS-1:0]       waiting_q;  // the port that has, and has not answered

  // An answer leaves the directory late in its cycle: the port is chosen in the next one.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) answered_q <= '0;
    else answered_q <= answer_valid_i & answer_ready_o;
  end

  always_ff @(posedge clk_i) begin
    hit_q       <= answer_hit_i;
    denied_q    <= answer_denied_i;
    tier_q      <= answer_tier_i;
    phys_addr_q <= answer_phys_addr_i;
    index_q     <= answer_index_i;
  end

  always_comb begin
    answer = '{write: lookup_q.write, port: lookup_q.port, default: '0};
    answer_phys = '0;
    for (int unsigned p = 0; p < PORTS; p++) begin
      if (lookup_q.port == 3'(p)) begin
        answer.hit    = hit_q[p];
        answer.denied = denied_q[p];
        answer.tier   = tier_q[p];
        answer.index  = index_q[p];
        answer_phys   = phys_addr_q[p];
      end
      lookup_kv_addr_o[p] = kv_addr_q;
      lookup_write_o[p]   = lookup_q.write;
    end
  end

  assign lookup_valid_o = asking_q;
  assign answer_ready_o = waiting_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      asking_q  <= '0;
      waiting_q <= '0;
      kv_addr_q <= '0;
      phys_q    <= '0;
      lookup_q  <= '0;
    end else begin
      if (found_q && write_i && sel_q.lookup_addr && !far_q && !lookup_q.busy) kv_addr_q <= wdata_i;
      for (int unsigned p = 0; p < PORTS; p++) begin
        asking_q[p]  <= (asking_q[p] && !lookup_ready_i[p]) || (start && wdata_i[2:0] == 3'(p));
        waiting_q[p] <= (waiting_q[p] && !answer_valid_i[p]) || (asking_q[p] && lookup_ready_i[p]);
      end
      if (start) begin
        lookup_q <= '{busy: 1'b1, write: wdata_i[8], port: wdata_i[2:0], default: '0};
      end else if (answered_q != '0) begin
        lookup_q <= answer;
        phys_q   <= answer_phys;
      end
    end
  end

endmodule
