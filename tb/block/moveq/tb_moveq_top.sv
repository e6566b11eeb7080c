/// Testbench top of the move queues: every port is a signal.
module tb_moveq_top
  import kvcpu_pkg::*;
#(
  /// As of kvcpu_moveq.
  parameter int unsigned LANES = 16
);
  localparam int unsigned ItemW = $bits(item_t);

  logic        clk;
  logic        rst_n;
  logic [63:0] cycle;

  logic                             clear;
  logic [LANES-1:0]                 lane_valid, lane_evict, lane_accept, lane_drop;
  logic [LANES*ItemW-1:0]           lane_item;
  logic                             op_valid, op_may, op_channel, op_ok;
  logic [ItemW-1:0]                 op_item;
  logic [1:0]                       q_valid, q_pop;
  logic [ItemW-1:0]                 evict_item, prefetch_item;
  logic [6:0]                       evict_level, prefetch_level;
  logic                             evict_full, prefetch_full, waiting;
  logic                             compl_valid;
  logic [1:0]                       compl_from;
  logic [TierCount*CountW-1:0]      departures;
  logic [TierCount-1:0]             none_departs;
  logic [4:0]                       evict_dropped, prefetch_dropped;

  tb_clock u_clock (
    .clk_o  (clk),
    .rst_no (rst_n),
    .cycle_o(cycle)
  );

  kvcpu_moveq #(
    .LANES(LANES)
  ) u_moveq (
    .clk_i             (clk),
    .rst_ni            (rst_n),
    .clear_i           (clear),
    .lane_valid_i      (lane_valid),
    .lane_evict_i      (lane_evict),
    .lane_item_i       (lane_item),
    .lane_accept_o     (lane_accept),
    .lane_drop_o       (lane_drop),
    .op_valid_i        (op_valid),
    .op_may_i          (op_may),
    .op_channel_i      (op_channel),
    .op_item_i         (op_item),
    .op_ok_o           (op_ok),
    .q_valid_o         (q_valid),
    .q_item_o          ({prefetch_item, evict_item}),
    .q_pop_i           (q_pop),
    .q_level_o         ({prefetch_level, evict_level}),
    .evict_full_o      (evict_full),
    .prefetch_full_o   (prefetch_full),
    .waiting_o         (waiting),
    .compl_valid_i     (compl_valid),
    .compl_from_i      (tier_e'(compl_from)),
    .departures_o      (departures),
    .none_departs_o    (none_departs),
    .evict_dropped_o   (evict_dropped),
    .prefetch_dropped_o(prefetch_dropped)
  );

  initial begin
    clear       = 1'b0;
    lane_valid  = '0;
    lane_evict  = '0;
    lane_item   = '0;
    op_valid    = 1'b0;
    op_may      = 1'b0;
    op_channel  = 1'b0;
    op_item     = '0;
    q_pop       = '0;
    compl_valid = 1'b0;
    compl_from  = '0;
  end
endmodule
