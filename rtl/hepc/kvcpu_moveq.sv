// The evict and the prefetch queue (64 items each) and the places where the lanes' decisions wait
// before them (device.md 4: up to 4 per lane and queue).

`include "kvcpu_assert.svh"

module kvcpu_moveq
  import kvcpu_pkg::*;
#(
  /// Scoring lanes: 4, 8 or 16 (device.md 1).
  parameter int unsigned LANES = 16
) (
  /// Clock.
  input  logic                             clk_i,
  /// Reset, active low.
  input  logic                             rst_ni,
  /// Synchronous clear: forgets every item and count.
  input  logic                             clear_i,

  /// Per lane: its scan step at S5 has a decision.
  input  logic [LANES-1:0]                 lane_valid_i,
  /// Per lane: the decision is to evict (1) or to prefetch (0).
  input  logic [LANES-1:0]                 lane_evict_i,
  /// Per lane: the decision's item.
  input  item_t [LANES-1:0]                lane_item_i,
  /// Per lane, same cycle: the decision is taken. Neither accept nor drop: the step must be
  /// repeated and has had no effect.
  output logic [LANES-1:0]                 lane_accept_o,
  /// Per lane, same cycle: the decision is dropped and counted.
  output logic [LANES-1:0]                 lane_drop_o,

  /// An operation at its commit point (S3) pushes an item. Comes late in the cycle.
  input  logic                             op_valid_i,
  /// An operation at its commit point may push: op_channel_i and op_item_i are valid, no decision that
  /// waits enters a queue. Comes early; always high with op_valid_i.
  input  logic                             op_may_i,
  /// Its queue: ChEvict or ChPrefetch.
  input  logic                             op_channel_i,
  /// Its item.
  input  item_t                            op_item_i,
  /// The queue of op_channel_i has a place: with op_valid_i, the item is taken (else it is dropped, and counted
  /// unless it is MIGRATE's, whose status is BUSY). Depends on op_channel_i and registers only.
  output logic                             op_ok_o,

  /// Per queue (index ChEvict, ChPrefetch): there is a head.
  output logic [1:0]                       q_valid_o,
  /// Per queue: the head.
  output item_t [1:0]                      q_item_o,
  /// Per queue: takes the head away.
  input  logic [1:0]                       q_pop_i,
  /// Per queue: items in it, 0 to 64; not 0 exactly while q_valid_o.
  output logic [1:0][6:0]                  q_level_o,
  /// The evict queue is full.
  output logic                             evict_full_o,
  /// The prefetch queue is full.
  output logic                             prefetch_full_o,
  /// A decision waits in a lane's places.
  output logic                             waiting_o,

  /// An item has ended (every item that entered a queue ends once).
  input  logic                             compl_valid_i,
  /// The tier that it came from (item_t.from).
  input  tier_e                            compl_from_i,
  /// Per tier: items from it that are in a queue or moving, 0 to ENTRIES.
  output logic [TierCount-1:0][CountW-1:0] departures_o,
  /// Per tier: departures_o is 0.
  output logic [TierCount-1:0]             none_departs_o,

  /// Items for the evict queue dropped two cycles ago, 0 to LANES + 1.
  output logic [4:0]                       evict_dropped_o,
  /// Items for the prefetch queue dropped two cycles ago, 0 to LANES + 1.
  output logic [4:0]                       prefetch_dropped_o
);

  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")

  localparam int unsigned LaneW = $clog2(LANES);

  // ------------------------------------------------------------------ one instance per queue
  logic [1:0][LANES-1:0] accept, drop, drop_q;
  logic [1:0]            full, wait_any, op_push, op_push_q, op_drop_q, push_valid, push_any;
  item_t [1:0]           push_item;
  logic [1:0][4:0]       dropped_q;

  // Decisions that enter their queue in this cycle, and from which lane: for bound monitors.
  logic [1:0]            merge_valid;
  item_t [1:0]           merge_item;
  logic [1:0][LaneW-1:0] merge_lane;
  logic                  unused_merge_lane;
  assign unused_merge_lane = ^merge_lane;

  for (genvar q = 0; q < 2; q++) begin : g_queue
    logic [LANES-1:0] lane_valid;

    assign lane_valid = lane_valid_i & (q == ChEvict ? lane_evict_i : ~lane_evict_i);
    assign op_push[q] = op_valid_i && (op_channel_i == 1'(q)) && !full[q];

    kvcpu_moveq_wait #(
      .LANES(LANES)
    ) u_wait (
      .clk_i        (clk_i),
      .rst_ni       (rst_ni),
      .clear_i      (clear_i),
      .lane_valid_i (lane_valid),
      .lane_item_i  (lane_item_i),
      .lane_accept_o(accept[q]),
      .lane_drop_o  (drop[q]),
      .full_i       (full[q]),
      .hold_i       (full[q] || op_may_i),
      .pushed_i     (push_valid[q]),
      .merge_valid_o(merge_valid[q]),
      .merge_lane_o (merge_lane[q]),
      .merge_item_o (merge_item[q]),
      .waiting_o    (wait_any[q])
    );

    assign push_valid[q] = op_push[q] || merge_valid[q];
    // What a full queue does not take; else it is push_valid.
    assign push_any[q] = (op_valid_i && (op_channel_i == 1'(q))) || (wait_any[q] && !op_may_i);
    assign push_item[q]  = op_may_i ? op_item_i : merge_item[q];

    kvcpu_fifo #(
      .Width($bits(item_t)),
      .Depth(QueueDepth),
      .DropsWhenFull(1'b1)
    ) u_queue (
      .clk_i  (clk_i),
      .rst_ni (rst_ni),
      .clear_i(clear_i),
      .push_i (push_any[q]),
      .data_i (push_item[q]),
      .full_o (full[q]),
      .valid_o(q_valid_o[q]),
      .data_o (q_item_o[q]),
      .pop_i  (q_pop_i[q]),
      .level_o(q_level_o[q])
    );

    // Counted one cycle after they are dropped, reported in the next.
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        drop_q[q]    <= '0;
        op_drop_q[q] <= 1'b0;
        dropped_q[q] <= '0;
      end else if (clear_i) begin
        drop_q[q]    <= '0;
        op_drop_q[q] <= 1'b0;
        dropped_q[q] <= '0;
      end else begin
        drop_q[q]    <= drop[q];
        op_drop_q[q] <= op_valid_i && (op_channel_i == 1'(q)) && full[q] && !op_item_i.by_migrate;
        dropped_q[q] <= 5'($countones(drop_q[q])) + 5'(op_drop_q[q]);
      end
    end
  end

  assign lane_accept_o      = accept[ChEvict] | accept[ChPrefetch];
  assign lane_drop_o        = drop[ChEvict] | drop[ChPrefetch];
  assign op_ok_o            = !full[op_channel_i];
  assign evict_full_o       = full[ChEvict];
  assign prefetch_full_o    = full[ChPrefetch];
  assign waiting_o          = |wait_any;
  assign evict_dropped_o    = dropped_q[ChEvict];
  assign prefetch_dropped_o = dropped_q[ChPrefetch];

  `KVCPU_ASSERT(push_is_announced, op_valid_i |-> op_may_i, "an operation that pushes has announced it")
  `KVCPU_ASSERT(one_writer, !(op_may_i && merge_valid != '0),
                "an operation and a waiting decision never enter a queue in the same cycle")
  `KVCPU_ASSERT(accepted_or_dropped, (lane_accept_o & lane_drop_o) == '0,
                "a decision is never both accepted and dropped")

  // ------------------------------------------------------------------ departures
  // What changes is kept for a cycle and added to the sum as it is read. An operation's push comes late:
  // its tier is looked at afterwards.
  logic [TierCount-1:0][CountW-1:0] departures_q;
  logic [TierCount-1:0][2:0]        change;  // signed, -1 to 3
  logic [1:0][TierCount-1:0]        merge_from_q;  // per queue: one enters it, one-hot
  logic [TierCount-1:0]             compl_from_q, op_from_q;  // one-hot

  always_comb begin
    for (int t = 0; t < TierCount; t++) begin
      change[t] = 3'(merge_from_q[ChEvict][t]) + 3'(merge_from_q[ChPrefetch][t]) +
                  3'(|op_push_q && op_from_q[t]) - 3'(compl_from_q[t]);
      departures_o[t] = departures_q[t] + CountW'($signed(change[t]));
      // Without the sum's carries.
      none_departs_o[t] = departures_q[t] == CountW'(change[t] == 3'b111) && change[t] inside {3'b000, 3'b111};
    end
  end

  for (genvar t = 0; t < TierCount; t++) begin : g_departures
    `KVCPU_ASSERT(departures_not_negative, departures_o[t] <= CountW'(MaxEntries),
                  "no more items of a tier end than entered a queue")
  end

  always_ff @(posedge clk_i) op_from_q <= TierCount'(1) << op_item_i.from;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      departures_q <= '0;
      merge_from_q <= '0;
      compl_from_q <= '0;
      op_push_q    <= '0;
    end else if (clear_i) begin
      departures_q <= '0;
      merge_from_q <= '0;
      compl_from_q <= '0;
      op_push_q    <= '0;
    end else begin
      departures_q <= departures_o;
      for (int q = 0; q < 2; q++) begin
        merge_from_q[q] <= merge_valid[q] ? TierCount'(1) << merge_item[q].from : '0;
      end
      compl_from_q <= compl_valid_i ? TierCount'(1) << compl_from_i : '0;
      op_push_q    <= op_push;
    end
  end

endmodule
