// The slot pool: what is free, allocated and quarantined is counted here anew, and any one slot is followed: it is
// allocated only while it is free.

`include "kvcpu_formal.svh"

module kvcpu_fv_slot_pool
  import kvcpu_pkg::CountW, kvcpu_pkg::SlotW;
(
  input logic              clk_i,
  input logic              rst_ni,
  input logic [CountW-1:0] slots_i,
  input logic              config_we_i,
  input logic              fence_i,
  input logic              take_i,
  input logic              put_i,
  input logic              put_held_i,
  input logic [SlotW-1:0]  put_slot_i,
  input logic              avail_o,
  input logic [SlotW-1:0]  slot_o,
  input logic [CountW-1:0] free_o,
  input logic [CountW-1:0] held_o,
  input logic              restart
);

  `FV_RESET

  // The slot that is followed is chosen once.
  logic [SlotW-1:0] any, mine_q;
  kvcpu_any #(.Width(SlotW)) u_any (.value_o(any));

  typedef enum logic [1:0] {Free, Taken, Held} place_e;
  place_e            place_q;
  logic              restarted_q;
  logic [CountW-1:0] taken_q, held_q, slots_q;
  logic              takes_mine, puts_mine;
  logic [2:0]        quiet_q;  // cycles in which nothing happened

  assign takes_mine = take_i && slot_o == mine_q;
  assign puts_mine  = put_i && put_slot_i == mine_q;

  always_ff @(posedge clk_i) begin
    if (!fv_begun_q) mine_q <= any;
    slots_q <= slots_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      place_q     <= Free;
      taken_q     <= '0;
      held_q      <= '0;
      restarted_q <= 1'b1;
      quiet_q     <= '0;
    end else if (restart) begin
      place_q     <= Free;
      taken_q     <= '0;
      held_q      <= '0;
      restarted_q <= 1'b1;
      quiet_q     <= '0;
    end else begin
      if (take_i || put_i || fence_i) quiet_q <= '0;
      else if (quiet_q != 3'd5) quiet_q <= quiet_q + 1'b1;
      restarted_q <= 1'b0;
      taken_q <= taken_q + CountW'(take_i) - CountW'(put_i);
      held_q  <= fence_i ? '0 : held_q + CountW'(put_i && put_held_i);
      if (takes_mine) place_q <= Taken;
      else if (puts_mine) place_q <= (put_held_i && !fence_i) ? Held : Free;
      else if (fence_i && place_q == Held) place_q <= Free;
    end
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(few_slots, fv_begun_q, slots_i <= CountW'(4))
      `FV_ASSUME(slots_change_by_their_write, slots_i != slots_q && fv_begun_q, config_we_i)
      `FV_ASSUME(take_finds_a_slot, take_i, avail_o && !restart)
      `FV_ASSUME(put_was_taken, put_i, taken_q != '0 && CountW'(put_slot_i) < slots_i && !restart)
      `FV_ASSUME(put_of_mine_was_taken, puts_mine, place_q == Taken)
      `FV_ASSUME(no_put_past_the_others, put_i && !puts_mine, taken_q > CountW'(place_q == Taken))

      `FV_ASSERT(never_handed_out_twice, avail_o && slot_o == mine_q && !restart, place_q == Free)
      `FV_ASSERT(handed_out_is_a_slot, avail_o && !restart, CountW'(slot_o) < slots_i)
      `FV_ASSERT(free_is_what_is_left, !restart && !restarted_q, free_o == slots_i - taken_q - held_q)
      `FV_ASSERT(held_is_counted, !restart && !restarted_q, held_o == held_q)
      `FV_ASSERT(free_slot_is_offered, quiet_q == 3'd5 && free_o != '0, avail_o)
      `FV_ASSERT(none_when_none_is_free, !restart && !restarted_q && taken_q + held_q == slots_i, !avail_o)
    end
  end

endmodule

bind kvcpu_slot_pool kvcpu_fv_slot_pool u_fv (.*);
