// The evict and the prefetch queue, and the places where the lanes' decisions wait before them.

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

  /// An operation at its commit point (S3) pushes an item.
  input  logic                             op_valid_i,
  /// Its queue: ChEvict or ChPrefetch.
  input  logic                             op_channel_i,
  /// Its item.
  input  item_t                            op_item_i,
  /// The queue of op_channel_i has a place: with op_valid_i, the item is taken (else it is dropped
  /// and counted). Depends on op_channel_i and registers only.
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

  /// Items for the evict queue dropped in this cycle, 0 to LANES + 1.
  output logic [4:0]                       evict_dropped_o,
  /// Items for the prefetch queue dropped in this cycle, 0 to LANES + 1.
  output logic [4:0]                       prefetch_dropped_o
);
endmodule
