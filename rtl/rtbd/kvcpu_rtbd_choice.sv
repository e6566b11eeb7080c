// Tier choice: which tier gives the slot that an operation allocates at its commit point.
//
// The tier is picked in S2, where the pools' counts are those of the commit points before. S3 does not pick again: it
// asks only whether a slot that was freed meanwhile, a fence, a new limit or ENABLE may have changed the choice
// (`s3_unsure_o`), and then the operation is retried. A pick at S3 itself would put the pools' counts, the choice and
// the commit point into one cycle.

module kvcpu_rtbd_choice (
  /// Clock.
  input  logic                            clk_i,
  /// S2: the operation.
  input  kvcpu_pkg::op_t                  s2_op_i,
  /// S2: tier of its entry.
  input  kvcpu_pkg::tier_e                s2_tier_i,
  /// Configuration registers.
  input  kvcpu_pkg::cfg_t                 cfg_i,
  /// The same, as they are from the next cycle on.
  input  kvcpu_pkg::cfg_t                 cfg_next_i,
  /// Slot pools: a slot can be taken.
  input  logic [kvcpu_pkg::TierCount-1:0] slot_avail_i,
  /// Slot pools: a slot is free.
  input  logic [kvcpu_pkg::TierCount-1:0] slot_some_i,
  /// Slot pools: more slots are free than RESERVE keeps.
  input  logic [kvcpu_pkg::TierCount-1:0] slot_above_i,
  /// Slot pools: a slot is freed in this cycle.
  input  logic [kvcpu_pkg::TierCount-1:0] put_i,
  /// S3: the step was written in the cycle before.
  input  logic                            s3_stepped_i,
  /// S3: the tier picked, one-hot; 0 without any.
  output logic [kvcpu_pkg::TierCount-1:0] s3_pick_o,
  /// S3: it had a slot to take.
  output logic                            s3_avail_o,
  /// S3: the choice may have changed since.
  output logic                            s3_unsure_o
);
  import kvcpu_pkg::*;

  typedef logic [TierCount-1:0] tiers_t;

  function automatic tiers_t only(logic [1:0] tier);
    only = '0;
    only[tier] = 1'b1;
  endfunction

  // `sooner`: tiers that would come before the pick, if they had enough.
  typedef struct packed {
    tiers_t pick;
    tiers_t sooner;
  } choice_t;

  function automatic choice_t first_of(tiers_t targets, tiers_t enough);
    first_of = '{pick: '0, sooner: targets};
    for (int unsigned t = 0; t < TierCount; t++) begin
      first_of.pick[t] = targets[t] && enough[t] && first_of.pick == '0;
      if (first_of.pick != '0) first_of.sooner[t] = 1'b0;
    end
  endfunction

  // OpInsert: its tier. OpStart: the item's own target, or the nearest tier slower than the entry's, which
  // is known last.
  choice_t s2_choice;
  choice_t [TierCount-1:0] s2_slower;
  tiers_t s3_sooner_q, s3_put_q;
  logic s3_limit_q, s3_disabled_q;

  always_comb begin
    for (int unsigned t = 0; t < TierCount; t++) s2_slower[t] = first_of(~(tiers_t'(2 << t) - 1'b1), slot_above_i);
    if (s2_op_i.op == OpInsert) s2_choice = first_of(only(s2_op_i.tier), slot_some_i);
    else if (s2_op_i.item.fixed) s2_choice = first_of(only(s2_op_i.item.target), slot_above_i);
    else s2_choice = s2_slower[s2_tier_i];
  end
  assign s3_unsure_o = s3_stepped_i || s3_limit_q || s3_disabled_q || (s3_put_q & s3_sooner_q) != '0;

  always_ff @(posedge clk_i) begin
    s3_pick_o   <= s2_choice.pick;
    s3_avail_o  <= (s2_choice.pick & slot_avail_i) != '0;
    s3_sooner_q <= s2_choice.sooner;
    s3_put_q    <= put_i;
    s3_limit_q  <= cfg_next_i.reserve != cfg_i.reserve;
    // No move starts with ENABLE = 0 (device.md 10): one that was on its way is retried. Later tries continue.
    s3_disabled_q <= !cfg_next_i.enable && s2_op_i.op == OpStart && s2_op_i.tries == 8'd1;
  end

endmodule
