// T0 of the RTBD pipeline: who enters next. Inside first (the insert search's probes), then the DMA,
// commands, BAR2, and the lookup ports by CONTEND_POLICY. DMA and commands keep a distance, so ports
// are never shut out; ports never delay them (device.md 10: at most 64 cycles).

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

  /// BAR2: an operation waits.
  input  logic                         bar2_valid_i,
  /// BAR2: taken.
  output logic                         bar2_ready_o,
  /// BAR2: the operation.
  input  kvcpu_pkg::op_t               bar2_op_i,

  /// An operation waits beside T1; it is the next there, and `open_i` is low.
  input  logic                         spare_valid_i,
  /// That operation.
  input  kvcpu_pkg::op_t               spare_op_i,

  /// An operation is taken.
  output logic                         valid_o,
  /// The next operation for T1: the one that waits beside it, else the one taken.
  output kvcpu_pkg::op_t               op_o
);
  import kvcpu_pkg::*;

  logic go_probe, go_dma, go_cmd, go_bar2, go_port;

  // ------------------------------------------------------------------ distances
  logic dma_gap_q, cmd_gap_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dma_gap_q <= 1'b0;
      cmd_gap_q <= 1'b0;
    end else begin
      dma_gap_q <= dma_ready_o && dma_valid_i;
      cmd_gap_q <= cmd_ready_o && cmd_valid_i;
    end
  end

  // ------------------------------------------------------------------ ports
  typedef logic [PORTS-1:0] ports_t;

  ports_t port_want, port_later, port_grant;
  ports_t port_turn_q;  // round-robin: the ports after the last served
  logic   port_fixed_q;

  assign port_want  = lookup_valid_i & lookup_credit_i & {PORTS{cfg_i.enable}};
  assign port_later = port_want & port_turn_q;

  // Fixed priority from port 0, or from the one after the last served.
  assign port_grant = (!port_fixed_q && port_later != '0) ? port_later & (~port_later + 1'b1)
                                                          : port_want & (~port_want + 1'b1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      port_turn_q  <= '0;
      port_fixed_q <= 1'b0;
    end else begin
      port_fixed_q <= cfg_i.contend_policy != '0;
      if (go_port) port_turn_q <= ~(port_grant | (port_grant - 1'b1));
    end
  end

  // ------------------------------------------------------------------ choice
  logic open_outside;

  assign open_outside = open_i && !freeze_i && !halt_i && !probe_valid_i;
  assign go_probe = open_i && !halt_i && probe_valid_i &&
                    (probe_op_i.op != OpInsert || !takes_hold_i);
  assign go_dma = open_outside && dma_valid_i && !dma_gap_q &&
                  (dma_op_i.op != OpStart || !takes_hold_i);
  assign go_cmd = open_outside && !go_dma && cmd_valid_i && !cmd_gap_q &&
                  (cmd_op_i.op != OpInsert || !takes_hold_i);
  assign go_bar2 = open_outside && !go_dma && !go_cmd && bar2_valid_i;
  assign go_port = open_outside && !go_dma && !go_cmd && !bar2_valid_i && port_want != '0;

  assign probe_ready_o = go_probe;
  assign dma_ready_o = go_dma;
  assign cmd_ready_o = go_cmd;
  assign bar2_ready_o = go_bar2;
  assign lookup_ready_o = go_port ? port_grant : '0;

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
  // One of them at most is chosen: an OR of what each would give.
  function automatic op_t only(logic chosen, op_t op);
    return chosen ? op : '0;
  endfunction

  assign valid_o = go_probe || go_dma || go_cmd || go_bar2 || go_port;

  always_comb begin
    op_o = only(spare_valid_i, spare_op_i) | only(go_probe, probe_op_i) | only(go_dma, dma_op_i) |
           only(go_cmd, cmd_op_i) | only(go_bar2, bar2_op_i);
    for (int unsigned p = 0; p < PORTS; p++) op_o |= only(go_port && port_grant[p], port_op[p]);
  end

endmodule
