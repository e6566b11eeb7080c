// The places where decisions wait before a queue, kvcpu_moveq_wait, with 4 lanes: every decision that is taken goes to the
// queue once, as it was, in scoring order: those of older cycles first, those of one cycle by ascending lane. Any one
// decision is followed from the cycle in which it is taken.

`include "kvcpu_formal.svh"

module kvcpu_fv_moveq_wait
  import kvcpu_pkg::*;
#(
  parameter int unsigned LANES = 4,
  localparam int unsigned LaneW = $clog2(LANES),
  localparam int unsigned Turns = LANES * LaneWaitDepth,
  localparam int unsigned TurnW = $clog2(Turns),
  localparam int unsigned ItemW = $bits(item_t)
) (
  input logic              clk_i,
  input logic              rst_ni,
  input logic              clear_i,
  input logic [LANES-1:0]  lane_valid_i,
  input item_t [LANES-1:0] lane_item_i,
  input logic [LANES-1:0]  lane_accept_o,
  input logic [LANES-1:0]  lane_drop_o,
  input logic              full_i,
  input logic              hold_i,
  input logic              merge_valid_o,
  input logic [LaneW-1:0]  merge_lane_o,
  input item_t             merge_item_o,
  input logic              waiting_o,

  input logic [LANES-1:0]  pick,
  input logic [LANES-1:0]  rest,
  input logic              waits_q,
  input logic              filling_q,
  input logic [TurnW-1:0]  twptr_q,
  input logic [TurnW-1:0]  trptr_q,
  input logic [Turns-1:0][LANES-1:0] turns,
  input logic [LANES-1:0][2:0] lane_count,
  input logic [LANES-1:0][1:0] lane_rptr,
  input logic [LANES-1:0][1:0] lane_wptr,
  input logic [LANES-1:0][LaneWaitDepth-1:0][ItemW-1:0] lane_places
);

  `FV_RESET

  typedef logic [5:0] count_t;

  function automatic count_t ones(logic [LANES-1:0] lanes);
    ones = '0;
    for (int unsigned l = 0; l < LANES; l++) ones += count_t'(lanes[l]);
  endfunction

  // ---------------------------------------------------------------- the decision that is followed
  logic             choose, follows_q, begins;
  logic [LaneW-1:0] any_lane, lane_q;
  item_t            item_q;
  count_t           level_q, ahead_q;  // decisions that wait; those before it
  count_t [LANES-1:0] lane_level_q;    // of each lane
  logic [LANES-1:0] below_any, below;

  kvcpu_any u_choose (.value_o(choose));
  kvcpu_any #(.Width(LaneW)) u_lane (.value_o(any_lane));

  assign begins    = choose && lane_accept_o[any_lane] && !follows_q;
  assign below_any = (LANES'(1) << any_lane) - 1'b1;
  assign below     = (LANES'(1) << lane_q) - 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      follows_q    <= 1'b0;
      level_q      <= '0;
      lane_level_q <= '0;
    end else if (clear_i) begin
      follows_q    <= 1'b0;
      level_q      <= '0;
      lane_level_q <= '0;
    end else begin
      level_q <= level_q + ones(lane_accept_o) - count_t'(merge_valid_o);
      for (int unsigned l = 0; l < LANES; l++) begin
        lane_level_q[l] <= lane_level_q[l] + count_t'(lane_accept_o[l]) -
                           count_t'(merge_valid_o && merge_lane_o == LaneW'(l));
      end
      if (begins) follows_q <= 1'b1;
      else if (merge_valid_o && ahead_q == '0) follows_q <= 1'b0;
    end
  end

  // Its cycle's place among those that wait: in the oldest one, or in the ring behind it.
  logic             in_turn_q, ends, load_turn;
  logic [TurnW-1:0] turn_q, turns_now;
  assign ends      = rest == '0;
  assign turns_now = twptr_q - trptr_q;
  assign load_turn = turns_now != '0 && ends && !hold_i;

  always_ff @(posedge clk_i) begin
    if (begins) begin
      lane_q    <= any_lane;
      item_q    <= lane_item_i[any_lane];
      ahead_q   <= level_q + ones(lane_accept_o & below_any) - count_t'(merge_valid_o);
      in_turn_q <= !((waits_q && (hold_i || !ends)) || turns_now != '0);
      turn_q    <= turns_now - TurnW'(load_turn);
    end else begin
      if (merge_valid_o) ahead_q <= ahead_q - 1'b1;
      if (load_turn && !in_turn_q) begin
        in_turn_q <= turn_q == '0;
        turn_q    <= turn_q - 1'b1;
      end
    end
  end

  // ---------------------------------------------------------------- the same, as the registers have it
  logic [LANES-1:0]   oldest;
  count_t             total, earlier;
  count_t [LANES-1:0] of_lane;
  count_t             lane_before;  // decisions of its lane before it
  logic               turns_full, followed_in_turn;

  assign oldest = waits_q ? pick | rest : '0;

  always_comb begin
    total       = ones(oldest);
    earlier      = in_turn_q ? ones(oldest & below) : ones(oldest);
    lane_before = in_turn_q ? '0 : count_t'(oldest[lane_q]);
    turns_full  = 1'b1;
    for (int unsigned l = 0; l < LANES; l++) of_lane[l] = count_t'(oldest[l]);
    for (int unsigned i = 0; i < Turns; i++) begin
      if (TurnW'(i) < turns_now) begin
        total += ones(turns[TurnW'(trptr_q+TurnW'(i))]);
        turns_full &= turns[TurnW'(trptr_q+TurnW'(i))] != '0;
        for (int unsigned l = 0; l < LANES; l++) of_lane[l] += count_t'(turns[TurnW'(trptr_q+TurnW'(i))][l]);
        if (!in_turn_q && TurnW'(i) < turn_q) begin
          earlier      += ones(turns[TurnW'(trptr_q+TurnW'(i))]);
          lane_before += count_t'(turns[TurnW'(trptr_q+TurnW'(i))][lane_q]);
        end
      end
    end
    if (!in_turn_q) earlier += ones(turns[TurnW'(trptr_q+turn_q)] & below);
    followed_in_turn = in_turn_q ? oldest[lane_q] : turn_q < turns_now && turns[TurnW'(trptr_q+turn_q)][lane_q];
  end

  logic lanes_count;
  always_comb begin
    lanes_count = 1'b1;
    for (int unsigned l = 0; l < LANES; l++) begin
      lanes_count &= of_lane[l] == count_t'(lane_count[l]) && lane_level_q[l] == of_lane[l] && lane_count[l] <= 3'd4 &&
                     2'(lane_wptr[l] - lane_rptr[l]) == lane_count[l][1:0];
    end
  end

  logic some_room;  // a lane has a decision and a place
  logic both_full;
  always_comb begin
    some_room = 1'b0;
    both_full = 1'b1;
    for (int unsigned l = 0; l < LANES; l++) begin
      some_room |= lane_valid_i[l] && lane_level_q[l] < count_t'(LaneWaitDepth) && !lane_accept_o[l];
      if (lane_drop_o[l]) both_full &= lane_level_q[l] == count_t'(LaneWaitDepth) && (full_i || filling_q);
    end
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSERT(in_order, merge_valid_o && follows_q && ahead_q == '0, merge_lane_o == lane_q && merge_item_o == item_q)
      `FV_ASSERT(none_from_nothing, merge_valid_o, level_q != '0)
      `FV_ASSERT(goes_on, level_q != '0 && !hold_i, merge_valid_o)
      `FV_ASSERT(waiting, level_q != '0, waiting_o)
      `FV_ASSERT(taken_while_there_is_a_place, lane_valid_i != '0, !some_room)
      `FV_ASSERT(dropped_when_both_are_full, lane_drop_o != '0, both_full && (lane_drop_o & lane_accept_o) == '0)

      `FV_LEMMA(total, level_q == total && waits_q == (total != '0) && (waits_q || turns_now == '0) && turns_full)
      `FV_LEMMA(pick, !waits_q || ($onehot(pick) && (rest & pick) == '0 && (rest & (pick - 1'b1)) == '0))
      `FV_LEMMA(lanes, lanes_count)
      `FV_LEMMA(followed, !follows_q ||
                          (ahead_q == earlier && followed_in_turn && ahead_q < level_q &&
                           lane_places[lane_q][2'(lane_rptr[lane_q]+2'(lane_before))] == item_q))
    end
  end

endmodule

bind kvcpu_moveq_wait kvcpu_fv_moveq_wait #(.LANES(LANES)) u_fv (
  .*,
  .pick(turn_q.pick),
  .rest(turn_q.rest),
  .turns({turns[15], turns[14], turns[13], turns[12], turns[11], turns[10], turns[9], turns[8],
          turns[7], turns[6], turns[5], turns[4], turns[3], turns[2], turns[1], turns[0]}),
  .lane_count({g_lane[3].count_q, g_lane[2].count_q, g_lane[1].count_q, g_lane[0].count_q}),
  .lane_rptr({g_lane[3].rptr_q, g_lane[2].rptr_q, g_lane[1].rptr_q, g_lane[0].rptr_q}),
  .lane_wptr({g_lane[3].wptr_q, g_lane[2].wptr_q, g_lane[1].wptr_q, g_lane[0].wptr_q}),
  .lane_places({g_lane[3].places[3], g_lane[3].places[2], g_lane[3].places[1], g_lane[3].places[0],
                g_lane[2].places[3], g_lane[2].places[2], g_lane[2].places[1], g_lane[2].places[0],
                g_lane[1].places[3], g_lane[1].places[2], g_lane[1].places[1], g_lane[1].places[0],
                g_lane[0].places[3], g_lane[0].places[2], g_lane[0].places[1], g_lane[0].places[0]})
);
