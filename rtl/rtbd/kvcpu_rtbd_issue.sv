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

  /// T1 can take an operation in this cycle.
  input  logic                         open_i,
  /// T1..S0 advance.
  input  logic                         advance_i,
  /// T1 holds an operation that takes a slot.
  input  logic                         t1_takes_i,
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

  /// The operation that enters T1.
  output logic                         valid_o,
  /// That operation.
  output kvcpu_pkg::op_t               op_o
);
  import kvcpu_pkg::*;

  localparam int unsigned TakeGap = 4;  // the slot pools refill their heads meanwhile

  // ------------------------------------------------------------------ distances
  logic dma_gap_q, cmd_gap_q;
  logic [2:0] take_gap_q;
  logic take_ok;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dma_gap_q  <= 1'b0;
      cmd_gap_q  <= 1'b0;
      take_gap_q <= '0;
    end else begin
      dma_gap_q <= dma_ready_o && dma_valid_i;
      cmd_gap_q <= cmd_ready_o && cmd_valid_i;
      if (t1_takes_i) take_gap_q <= 3'(TakeGap - 1);
      else if (advance_i && take_gap_q != '0) take_gap_q <= take_gap_q - 1'b1;
    end
  end
  assign take_ok = !t1_takes_i && !takes_hold_i && (take_gap_q <= 3'd1);

  // ------------------------------------------------------------------ ports
  logic [PORTS-1:0] port_want, port_grant;
  logic [2:0] port_last_q, port_pick;
  logic port_any;

  assign port_want = lookup_valid_i & lookup_credit_i & {PORTS{cfg_i.enable}};

  // Fixed priority from port 0, or from the one after the last served.
  always_comb begin
    port_pick = '0;
    port_any = 1'b0;
    for (int unsigned k = 0; k < 2 * PORTS; k++) begin
      if (!port_any && port_want[k % PORTS] &&
          (k >= PORTS || cfg_i.contend_policy != '0 || k > 32'(port_last_q))) begin
        port_any = 1'b1;
        port_pick = 3'(k % PORTS);
      end
    end
  end

  always_comb begin
    port_grant = '0;
    for (int unsigned p = 0; p < PORTS; p++) port_grant[p] = port_any && (port_pick == 3'(p));
  end

  // ------------------------------------------------------------------ choice
  logic go_probe, go_dma, go_cmd, go_bar2, go_port, open_outside;

  assign open_outside = open_i && !freeze_i && !halt_i;
  assign go_probe = open_i && !halt_i && probe_valid_i &&
                    (probe_op_i.op != OpInsert || take_ok);
  assign go_dma = open_outside && !probe_valid_i && dma_valid_i && !dma_gap_q &&
                  (dma_op_i.op != OpStart || take_ok);
  assign go_cmd = open_outside && !probe_valid_i && !go_dma && cmd_valid_i && !cmd_gap_q &&
                  (cmd_op_i.op != OpInsert || take_ok);
  assign go_bar2 = open_outside && !probe_valid_i && !go_dma && !go_cmd && bar2_valid_i;
  assign go_port = open_outside && !probe_valid_i && !go_dma && !go_cmd && !go_bar2 && port_any;

  assign probe_ready_o = go_probe;
  assign dma_ready_o = go_dma;
  assign cmd_ready_o = go_cmd;
  assign bar2_ready_o = go_bar2;
  assign lookup_ready_o = go_port ? port_grant : '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) port_last_q <= 3'(PORTS - 1);
    else if (go_port) port_last_q <= port_pick;
  end

  // ------------------------------------------------------------------ tenant window (device.md 3)
  kv_addr_t    port_kv_addr;
  logic        port_write, port_denied;
  logic [15:0] port_lo, port_hi;

  always_comb begin
    port_kv_addr = '0;
    port_write = 1'b0;
    port_lo = '0;
    port_hi = '0;
    for (int unsigned p = 0; p < PORTS; p++) begin
      if (port_pick == 3'(p)) begin
        port_kv_addr = lookup_kv_addr_i[p];
        port_write = lookup_write_i[p];
        port_lo = cfg_i.req_lo[p];
        port_hi = cfg_i.req_hi[p];
      end
    end
  end

  always_comb begin
    if (port_kv_addr.request_id == '0) port_denied = port_write && (port_lo != '0);
    else port_denied = (port_kv_addr.request_id < port_lo) || (port_kv_addr.request_id > port_hi);
  end

  always_comb begin
    valid_o = go_probe || go_dma || go_cmd || go_bar2 || go_port;
    op_o = '0;
    unique case (1'b1)
      go_probe: op_o = probe_op_i;
      go_dma:   op_o = dma_op_i;
      go_cmd:   op_o = cmd_op_i;
      go_bar2:  op_o = bar2_op_i;
      default: begin
        op_o.op = OpLookup;
        op_o.client = ClPort;
        op_o.port = port_pick;
        op_o.kv_addr = port_kv_addr;
        op_o.write = port_write;
        op_o.denied = port_denied;
      end
    endcase
  end

endmodule
