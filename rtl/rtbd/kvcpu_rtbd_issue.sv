// T0 of the RTBD pipeline: who enters next. Inside first (the insert search's probes), then the DMA,
// commands, BAR2, and the lookup ports by CONTEND_POLICY; but each of the former once only until a port that
// asks has been served, so that no client is starved (device.md 10: at most 64 cycles).
//
// The grant of a cycle is chosen in the cycle before, from the requests of then: every client's ready comes
// from registers. Without a request the commands hold the grant, so that an idle device loses no cycle.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_issue #(
  /// Lookup ports (device.md 1). Legal: 1 to 8.
  parameter int unsigned PORTS = 3
) (
  /// Clock.
  input  logic                         clk_i,
  /// Reset, active low.
  input  logic                         rst_ni,
  /// Configuration registers.
  input  kvcpu_pkg::cfg_t              cfg_i,

  /// An operation can be taken in this cycle.
  input  logic                         open_i,
  /// Nothing that takes a slot may enter (slots are being configured).
  input  logic                         takes_hold_i,
  /// Nothing but probes may enter (relocation under way).
  input  logic                         freeze_i,
  /// Nothing may enter (directory being cleared, soft reset).
  input  logic                         halt_i,

  /// Lookup ports: request valid.
  input  logic [PORTS-1:0]             lookup_valid_i,
  /// Lookup ports: request taken.
  output logic [PORTS-1:0]             lookup_ready_o,
  /// Lookup ports: KV address.
  input  logic [PORTS-1:0][63:0]       lookup_kv_addr_i,
  /// Lookup ports: write lookup.
  input  logic [PORTS-1:0]             lookup_write_i,
  /// Lookup ports: there is a place for one more answer.
  input  logic [PORTS-1:0]             lookup_credit_i,

  /// Insert search: an operation waits.
  input  logic                         probe_valid_i,
  /// Insert search: taken.
  output logic                         probe_ready_o,
  /// Insert search: the operation.
  input  kvcpu_pkg::op_t               probe_op_i,

  /// DMA: an operation waits.
  input  logic                         dma_valid_i,
  /// DMA: taken.
  output logic                         dma_ready_o,
  /// DMA: the operation.
  input  kvcpu_pkg::op_t               dma_op_i,

  /// Commands: an operation waits.
  input  logic                         cmd_valid_i,
  /// Commands: taken.
  output logic                         cmd_ready_o,
  /// Commands: the operation.
  input  kvcpu_pkg::op_t               cmd_op_i,
  /// Commands: it takes a slot.
  input  logic                         cmd_takes_i,

  /// BAR2: an operation waits.
  input  logic                         bar2_valid_i,
  /// BAR2: taken.
  output logic                         bar2_ready_o,
  /// BAR2: the operation.
  input  kvcpu_pkg::op_t               bar2_op_i,

  /// An operation is taken.
  output logic                         valid_o,
  /// It; means nothing while `valid_o` is low.
  output kvcpu_pkg::op_t               op_o
);
  import kvcpu_pkg::*;

  typedef logic [PORTS-1:0] ports_t;

  // ------------------------------------------------------------------ the grant of this cycle
  logic   turn_probe_q, turn_dma_q, turn_cmd_q, turn_bar2_q;
  ports_t turn_port_q;
  logic   go, outside_go, go_probe, go_dma, go_cmd, go_bar2, go_port;

  assign go         = open_i && !halt_i;
  assign outside_go = go && !freeze_i;

  assign probe_ready_o  = turn_probe_q && go && (probe_op_i.op != OpInsert || !takes_hold_i);
  assign dma_ready_o    = turn_dma_q && outside_go && (dma_op_i.op != OpStart || !takes_hold_i);
  assign cmd_ready_o    = turn_cmd_q && outside_go && (!cmd_takes_i || !takes_hold_i);
  assign bar2_ready_o   = turn_bar2_q && outside_go;
  assign lookup_ready_o = (outside_go && cfg_i.enable) ? turn_port_q : '0;

  assign go_probe = probe_ready_o && probe_valid_i;
  assign go_dma   = dma_ready_o && dma_valid_i;
  assign go_cmd   = cmd_ready_o && cmd_valid_i;
  assign go_bar2  = bar2_ready_o && bar2_valid_i;
  assign go_port  = (lookup_ready_o & lookup_valid_i) != '0;

  // ------------------------------------------------------------------ the grant of the next cycle
  // An unusable grant (T1 accepted nothing in its cycle) does not count: it might fall again and again on the
  // same point of a pipeline that stalls periodically.
  // DMA, commands and BAR2 go before the ports, but each only once until a port has been served; and before each
  // other in that order, but once until all that ask have been served.
  typedef struct packed {
    logic bar2;
    logic cmd;
    logic dma;
  } inner_t;  // the first in bit 0

  inner_t asks, served_q, served, fresh, inner;
  logic   next_probe, next_cmd;
  inner_t next_inner;
  ports_t port_want, port_used, port_others, port_after, port_later, port_first, next_port;
  ports_t port_after_q;  // round-robin: the ports after the last one served
  logic   port_fixed_q, port_asks;

  // The client that holds the grant now may have no further request.
  assign asks = '{
    dma:  dma_valid_i && !(turn_dma_q && outside_go),
    cmd:  cmd_valid_i && !(turn_cmd_q && outside_go),
    bar2: bar2_valid_i && !(turn_bar2_q && outside_go)
  };
  assign served = served_q | ({turn_bar2_q, turn_cmd_q, turn_dma_q} & {3{outside_go}});
  assign fresh = asks & ~((port_used != '0) ? '0 : served);
  assign inner = (fresh != '0 || port_asks) ? fresh : asks;

  assign port_want   = lookup_valid_i & lookup_credit_i & {PORTS{cfg_i.enable}};
  assign port_asks   = port_want != '0;
  assign port_used   = outside_go ? turn_port_q : '0;
  // A port whose request is accepted now may have no further one: the other ports go first.
  assign port_others = port_want & ~port_used;
  always_comb begin
    logic passed;
    passed = 1'b0;
    for (int unsigned p = 0; p < PORTS; p++) begin
      port_after[p] = (port_used != '0) ? passed : port_after_q[p];
      passed |= turn_port_q[p];
    end
  end
  assign port_later  = port_others & port_after;

  // Fixed priority from port 0, or from the one after the last served.
  always_comb begin
    port_first = port_want;
    if (!port_fixed_q && port_others != '0) port_first = port_others;
    if (!port_fixed_q && port_later != '0) port_first = port_later;
  end

  assign next_probe = probe_valid_i;
  assign next_inner = next_probe ? '0 : inner_t'(lowest(16'(inner)));
  assign next_port  = (next_probe || fresh != '0) ? '0 : ports_t'(lowest(16'(port_first)));
  // The commands hold the grant also while there is no request.
  assign next_cmd = next_inner.cmd ||
                    (!next_probe && asks == '0 && !port_asks && !(turn_cmd_q && cmd_valid_i));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      turn_probe_q <= 1'b0;
      turn_dma_q   <= 1'b0;
      turn_cmd_q   <= 1'b0;
      turn_bar2_q  <= 1'b0;
      turn_port_q  <= '0;
      served_q     <= '0;
      port_after_q <= '0;
      port_fixed_q <= 1'b0;
    end else begin
      turn_probe_q <= next_probe;
      turn_dma_q   <= next_inner.dma;
      turn_cmd_q   <= next_cmd;
      turn_bar2_q  <= next_inner.bar2;
      turn_port_q  <= next_port;
      served_q     <= (port_used != '0 || (fresh == '0 && !port_asks)) ? '0 : served;
      port_after_q <= port_after;
      port_fixed_q <= cfg_i.contend_policy != '0;
    end
  end

  `KVCPU_ASSERT(one_grant, $onehot0({turn_probe_q, turn_dma_q, turn_cmd_q, turn_bar2_q, turn_port_q}),
                "at most one client has the grant of a cycle")
  `KVCPU_ASSERT(nothing_while_halted, halt_i |-> !valid_o, "no operation enters while the directory is halted")
  `KVCPU_ASSERT(only_probes_while_frozen, freeze_i && valid_o |-> go_probe,
                "only probes enter while an entry is relocated")

  // ------------------------------------------------------------------ lookups
  op_t [PORTS-1:0] port_op;

  // Tenant window (device.md 3).
  function automatic logic denied(kv_addr_t kv_addr, logic write, logic [15:0] lo, logic [15:0] hi);
    if (kv_addr.request_id == '0) return write && (lo != '0);
    return (kv_addr.request_id < lo) || (kv_addr.request_id > hi);
  endfunction

  always_comb begin
    for (int unsigned p = 0; p < PORTS; p++) begin
      port_op[p] = '0;
      port_op[p].op = OpLookup;
      port_op[p].client = ClPort;
      port_op[p].port = 3'(p);
      port_op[p].kv_addr = lookup_kv_addr_i[p];
      port_op[p].write = lookup_write_i[p];
      port_op[p].denied = denied(port_op[p].kv_addr, lookup_write_i[p], cfg_i.req_lo[p],
                                 cfg_i.req_hi[p]);
    end
  end

  // ------------------------------------------------------------------ the operation
  // At most one of them holds the grant: an OR of what each would give.
  function automatic op_t only(logic chosen, op_t op);
    return chosen ? op : '0;
  endfunction

  assign valid_o = go_probe || go_dma || go_cmd || go_bar2 || go_port;

  always_comb begin
    op_o = only(turn_probe_q, probe_op_i) | only(turn_dma_q, dma_op_i) | only(turn_cmd_q, cmd_op_i) |
           only(turn_bar2_q, bar2_op_i);
    for (int unsigned p = 0; p < PORTS; p++) op_o |= only(turn_port_q[p], port_op[p]);
  end

endmodule
