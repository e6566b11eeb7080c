// The places where the lanes' decisions wait before one queue, and their merge into it: one a
// cycle, older cycles first, those of one cycle by ascending lane.
//
// Each lane has a ring of items. What order they have among the lanes is kept apart: for each cycle
// in which decisions were taken, a mask of the lanes they came from.

`include "kvcpu_assert.svh"

module kvcpu_moveq_wait
  import kvcpu_pkg::*;
#(
  /// Scoring lanes: 4, 8 or 16 (device.md 1).
  parameter int unsigned LANES = 16,
  localparam int unsigned LaneW = $clog2(LANES)
) (
  /// Clock.
  input  logic              clk_i,
  /// Reset, active low.
  input  logic              rst_ni,
  /// Synchronous clear: nothing waits.
  input  logic              clear_i,

  /// Per lane: a decision for this queue.
  input  logic [LANES-1:0]  lane_valid_i,
  /// Per lane: its item.
  input  item_t [LANES-1:0] lane_item_i,
  /// Per lane: the decision is taken. Depends on lane_valid_i and registers only.
  output logic [LANES-1:0]  lane_accept_o,
  /// Per lane: the decision is dropped. Depends on lane_valid_i and registers only.
  output logic [LANES-1:0]  lane_drop_o,

  /// The queue holds 64 items.
  input  logic              full_i,
  /// No merge in this cycle.
  input  logic              hold_i,
  /// An item enters the queue in this cycle, merged or not. Comes late in the cycle.
  input  logic              pushed_i,
  /// An item goes to the queue.
  output logic              merge_valid_o,
  /// The lane that it comes from.
  output logic [LaneW-1:0]  merge_lane_o,
  /// The item.
  output item_t             merge_item_o,
  /// An item waits.
  output logic              waiting_o
);

  localparam int unsigned PlaceW = $clog2(LaneWaitDepth);
  localparam int unsigned Turns = LANES * LaneWaitDepth;  // each turn holds one item at least

  logic [LANES-1:0]             room;
  item_t [LANES-1:0]            lane_head;
  // The lanes of the oldest cycle still to merge: the lowest of them, one-hot, and the others.
  typedef struct packed {
    logic [LANES-1:0] pick;
    logic [LANES-1:0] rest;
  } turn_t;

  turn_t                        turn_q, turn_next;
  logic                         waits_q;
  logic [LANES-1:0]             lane_pop;

  function automatic turn_t turn_of(logic [LANES-1:0] lanes);
    logic [LANES-1:0] pick;
    pick = lanes & (~lanes + 1'b1);
    return '{pick: pick, rest: lanes & ~pick};
  endfunction

  // ------------------------------------------------------------------ taken, dropped or neither
  // A drop needs both full: the lane's places and the queue. A queue that was full stays so while
  // the place that a pop has freed is being filled by a decision that waits.
  logic filling_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) filling_q <= 1'b0;
    else if (clear_i) filling_q <= 1'b0;
    else filling_q <= full_i || (filling_q && waits_q && pushed_i);
  end

  assign lane_accept_o = lane_valid_i & room;
  assign lane_drop_o   = lane_valid_i & ~room & {LANES{full_i || filling_q}};

  // ------------------------------------------------------------------ waiting places
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    item_t             places[LaneWaitDepth];
    logic [PlaceW-1:0] wptr_q, rptr_q;
    logic [PlaceW:0]   count_q;

    assign room[l]      = !count_q[PlaceW];  // the count goes to LaneWaitDepth
    assign lane_head[l] = places[rptr_q];

    `KVCPU_ASSERT(places_in_range, count_q <= (PlaceW + 1)'(LaneWaitDepth), "a lane has four places")
    `KVCPU_ASSERT(pop_finds_item, lane_pop[l] |-> count_q != '0, "a lane that is merged has a decision")

    always_ff @(posedge clk_i) begin
      if (room[l]) places[wptr_q] <= lane_item_i[l];  // counts where it is accepted
    end

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        wptr_q  <= '0;
        rptr_q  <= '0;
        count_q <= '0;
      end else if (clear_i) begin
        wptr_q  <= '0;
        rptr_q  <= '0;
        count_q <= '0;
      end else begin
        if (lane_accept_o[l]) wptr_q <= wptr_q + 1'b1;
        if (lane_pop[l]) rptr_q <= rptr_q + 1'b1;
        unique case ({lane_accept_o[l], lane_pop[l]})
          2'b10:   count_q <= count_q + 1'b1;
          2'b01:   count_q <= count_q - 1'b1;
          default: ;
        endcase
      end
    end
  end

  // ------------------------------------------------------------------ merge
  assign waiting_o     = waits_q;
  assign merge_valid_o = waits_q && !hold_i;
  assign lane_pop      = merge_valid_o ? turn_q.pick : '0;

  always_comb begin
    merge_lane_o = '0;
    merge_item_o = '0;
    for (int l = 0; l < LANES; l++) begin
      if (turn_q.pick[l]) begin
        merge_lane_o |= LaneW'(l);
        merge_item_o |= lane_head[l];
      end
    end
  end

  // ------------------------------------------------------------------ turns
  // turn_q is the oldest one; the others follow in a ring.
  logic [LANES-1:0]         turns[Turns];
  logic [$clog2(Turns)-1:0] twptr_q, trptr_q;
  logic                     more, push_turn, ends, stays, load_turn;

  // None follows one that does not wait. What a hold and the lanes' decisions, which come late, do to
  // each other is kept apart: a hold keeps turn_q, a decision is among what it takes else.
  assign more      = twptr_q != trptr_q;  // never all of them: turn_q holds one more
  assign push_turn = lane_accept_o != '0;
  assign ends      = turn_q.rest == '0;
  assign stays     = waits_q && (hold_i || !ends);
  assign load_turn = more && ends && !hold_i;

  always_comb begin
    if (waits_q && !ends) turn_next = turn_of(turn_q.rest);
    else if (more) turn_next = turn_of(turns[trptr_q]);
    else turn_next = turn_of(lane_accept_o);
  end

  // The place at twptr_q is free: what is there counts once the pointer has gone past it.
  always_ff @(posedge clk_i) turns[twptr_q] <= lane_accept_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      turn_q  <= '0;
      waits_q <= 1'b0;
      twptr_q <= '0;
      trptr_q <= '0;
    end else if (clear_i) begin
      turn_q  <= '0;
      waits_q <= 1'b0;
      twptr_q <= '0;
      trptr_q <= '0;
    end else begin
      if (!waits_q || !hold_i) turn_q <= turn_next;
      waits_q <= stays || more || push_turn;
      if (push_turn && (stays || more)) twptr_q <= twptr_q + 1'b1;
      if (load_turn) trptr_q <= trptr_q + 1'b1;
    end
  end


  `KVCPU_ASSERT(one_lane_merges, waits_q |-> $onehot(turn_q.pick), "exactly one lane is the next to merge")

endmodule
