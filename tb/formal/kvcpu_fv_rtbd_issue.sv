// Who enters the RTBD pipeline next, kvcpu_rtbd_issue: one at a time, no client starved. Waiting is counted in cycles in
// which an operation can be taken, since how long the pipeline stalls is not decided here.

`include "kvcpu_formal.svh"

module kvcpu_fv_rtbd_issue
  import kvcpu_pkg::*;
#(
  parameter int unsigned PORTS = 3
) (
  input logic             clk_i,
  input logic             rst_ni,
  input cfg_t             cfg_i,
  input logic             open_i,
  input logic             takes_hold_i,
  input logic             freeze_i,
  input logic             halt_i,
  input logic [PORTS-1:0] lookup_valid_i,
  input logic [PORTS-1:0] lookup_ready_o,
  input logic [PORTS-1:0] lookup_credit_i,
  input logic             probe_valid_i,
  input logic             probe_ready_o,
  input logic             dma_valid_i,
  input logic             dma_ready_o,
  input logic             cmd_valid_i,
  input logic             cmd_ready_o,
  input logic             bar2_valid_i,
  input logic             bar2_ready_o,
  input logic             valid_o
);

  `FV_RESET

  localparam int unsigned InnerWait = 12;
  localparam int unsigned PortWait = 8 * PORTS;
  localparam int unsigned InnerW = $clog2(InnerWait + 2);
  localparam int unsigned PortW = $clog2(PortWait + 2);

  logic             usable;
  logic [PORTS-1:0] port_takes, ports_q;
  logic [2:0]       asks, takes, asks_q;  // DMA, commands, BAR2
  logic [2:0][InnerW-1:0] waits_q;
  logic [PORTS-1:0][PortW-1:0] port_waits_q;
  logic [PORTS+3:0] all_takes;

  assign usable     = open_i && !halt_i && !freeze_i;
  assign asks       = {bar2_valid_i, cmd_valid_i, dma_valid_i};
  assign takes      = asks & {bar2_ready_o, cmd_ready_o, dma_ready_o};
  assign port_takes = lookup_valid_i & lookup_ready_o;
  assign all_takes  = {probe_valid_i && probe_ready_o, takes, port_takes};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      waits_q      <= '0;
      port_waits_q <= '0;
      asks_q       <= '0;
      ports_q      <= '0;
    end else begin
      asks_q  <= asks & ~takes;
      ports_q <= lookup_valid_i & ~port_takes;
      for (int c = 0; c < 3; c++) begin
        if (!asks[c] || takes[c]) waits_q[c] <= '0;
        else if (usable) waits_q[c] <= waits_q[c] + 1'b1;
      end
      for (int p = 0; p < PORTS; p++) begin
        if (!lookup_valid_i[p] || port_takes[p]) port_waits_q[p] <= '0;
        else if (usable) port_waits_q[p] <= port_waits_q[p] + 1'b1;
      end
    end
  end

  logic ports_in_time;
  always_comb begin
    ports_in_time = 1'b1;
    for (int p = 0; p < PORTS; p++) begin
      if (port_waits_q[p] >= PortW'(PortWait)) ports_in_time = 1'b0;
    end
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(requests_hold, asks_q != '0, (asks & asks_q) == asks_q)
      `FV_ASSUME(lookups_hold, ports_q != '0, (lookup_valid_i & ports_q) == ports_q)
      `FV_ASSUME(ports_have_credit, lookup_valid_i != '0, &lookup_credit_i && cfg_i.enable)
      `FV_ASSUME(round_robin, 1'b1, cfg_i.contend_policy == '0)
      `FV_ASSUME(no_search, 1'b1, !probe_valid_i)
      `FV_ASSUME(no_slots_configured, 1'b1, !takes_hold_i)

      `FV_ASSERT(one_at_a_time, valid_o, $onehot(all_takes))
      `FV_ASSERT(none_is_lost, all_takes != '0, valid_o)
      `FV_ASSERT(nothing_while_halted, halt_i, all_takes == '0 && !valid_o)
      `FV_ASSERT(dma_is_served, asks[0], waits_q[0] < InnerW'(InnerWait))
      `FV_ASSERT(commands_are_served, asks[1], waits_q[1] < InnerW'(InnerWait))
      `FV_ASSERT(bar2_is_served, asks[2], waits_q[2] < InnerW'(InnerWait))
      `FV_ASSERT(ports_are_served, &lookup_valid_i, ports_in_time)
    end
  end

endmodule

bind kvcpu_rtbd_issue kvcpu_fv_rtbd_issue #(.PORTS(PORTS)) u_fv (.*);
