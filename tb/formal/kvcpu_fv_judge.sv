// The judge: what an operation does to its entry, from the decision (S2) over the commit point (S3) to the words
// written back (S4), for every operation, entry and configuration. The chain has no state, so one cycle is all of it.

`include "kvcpu_formal.svh"

module kvcpu_fv_judge
  import kvcpu_pkg::*;
(
  /// Clock.
  input logic                 clk_i,
  /// Reset, active low.
  input logic                 rst_ni,
  /// An operation that has a commit point.
  input logic                 valid_i,
  /// It.
  input op_t                  op_i,
  /// The directory holds an entry for it.
  input logic                 hit_i,
  /// That entry's meta word.
  input meta_t                meta_i,
  /// That entry's tag.
  input tag_t                 tag_i,
  /// Configuration.
  input cfg_t                 cfg_i,
  /// OpInsert: a tag of the key was found.
  input logic                 exists_i,
  /// OpInsert: a free place was found.
  input logic                 place_i,
  /// OpInsert: it has its slot.
  input logic                 kept_i,
  /// The entry has the item's generation.
  input logic                 same_generation_i,
  /// The entry's copy is the operation's move.
  input logic                 ends_i,
  /// Offset of the operation's token.
  input logic [7:0]           token_offset_i,
  /// The block was written in this step.
  input logic                 written_i,
  /// Tier whose slot is taken, one-hot.
  input logic [TierCount-1:0] pick_i,
  /// A slot of it can be taken.
  input logic                 avail_i,
  /// The pick does not count.
  input logic                 unsure_i,
  /// The evict queue is full.
  input logic                 evict_full_i,
  /// The prefetch queue is full.
  input logic                 prefetch_full_i,
  /// Current step.
  input logic [31:0]          step_i,
  /// The slot that is taken.
  input logic [SlotW-1:0]     slot_i
);

  judged_t              judged;
  logic                 tag_we, meta_we, push, push_ok, push_channel;
  item_t                push_item;
  logic [TierCount-1:0] take;
  tier_e                take_tier;
  status_e              status;
  move_e                move;
  tag_t                 tag;
  meta_t                meta;

  kvcpu_rtbd_decide u_decide (
    .valid_i          (valid_i),
    .op_i             (op_i),
    .hit_i            (hit_i),
    .exists_i         (exists_i),
    .place_i          (place_i),
    .kept_i           (kept_i),
    .meta_i           (meta_i),
    .same_generation_i(same_generation_i),
    .ends_i           (ends_i),
    .token_end_i      (tag_i.token_end),
    .token_offset_i   (token_offset_i),
    .cfg_i            (cfg_i),
    .judged_o         (judged)
  );

  kvcpu_rtbd_commit u_commit (
    .op_i           (op_i),
    .block_i        (tag_i.block),
    .place_i        (place_i),
    .meta_i         (meta_i),
    .judged_i       (judged),
    .written_i      (written_i),
    .pick_i         (pick_i),
    .avail_i        (avail_i),
    .unsure_i       (unsure_i),
    .evict_full_i   (evict_full_i),
    .prefetch_full_i(prefetch_full_i),
    .tag_we_o       (tag_we),
    .meta_we_o      (meta_we),
    .push_valid_o   (push),
    .push_ok_o      (push_ok),
    .push_channel_o (push_channel),
    .push_item_o    (push_item),
    .take_o         (take),
    .take_tier_o    (take_tier),
    .status_o       (status),
    .move_o         (move)
  );

  kvcpu_rtbd_writeback u_writeback (
    .is_i          (writer_of(op_i.op)),
    .op_i          (op_i),
    .tag_i         (tag_i),
    .meta_i        (meta_i),
    .judged_i      (judged),
    .push_ok_i     (push_ok),
    .move_i        (move),
    .slot_i        (slot_i),
    .token_offset_i(token_offset_i),
    .block_i       (tag_i.block),
    .step_i        (step_i),
    .epoch_i       (meta_i.epoch),
    .generation_i  (meta_i.generation),
    .tag_o         (tag),
    .meta_o        (meta)
  );

  kvcpu_fv_judge_rules u_fv (.*);

endmodule

// The rules of device.md, on what goes into the chain and what comes out of it.
module kvcpu_fv_judge_rules
  import kvcpu_pkg::*;
(
  input logic                 clk_i,
  input logic                 rst_ni,
  input logic                 valid_i,
  input op_t                  op_i,
  input logic                 hit_i,
  input meta_t                meta_i,
  input tag_t                 tag_i,
  input cfg_t                 cfg_i,
  input logic                 written_i,
  input logic [31:0]          step_i,
  input judged_t              judged,
  input logic                 tag_we,
  input logic                 meta_we,
  input logic                 push,
  input logic                 push_channel,
  input logic [TierCount-1:0] take,
  input status_e              status,
  input move_e                move,
  input tag_t                 tag,
  input meta_t                meta
);

  `FV_RESET

  logic       acts, keeps, referenced, to_slower;
  logic [7:0] references;

  assign acts       = valid_i && meta_we;
  assign keeps      = acts && op_i.op != OpInsert && op_i.op != OpRemove;
  assign referenced = meta_i.ref_count != '0;
  assign to_slower  = !op_i.item.fixed || op_i.item.target > meta_i.tier;

  always_comb begin
    references = meta_i.ref_count;
    if (op_i.op == OpShare) references = (meta_i.ref_count == 8'd255) ? 8'd255 : meta_i.ref_count + 8'd1;
    if (op_i.op == OpRelease) references = (meta_i.ref_count == 8'd0) ? 8'd0 : meta_i.ref_count - 8'd1;
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSERT(references_never_wrap, keeps, meta.ref_count == references)
      `FV_ASSERT(referenced_moves_to_no_slower_tier, keeps && referenced, meta.tier <= meta_i.tier)
      `FV_ASSERT(referenced_is_not_removed, valid_i && op_i.op == OpRemove && referenced && hit_i,
                 !tag_we && !meta_we && !judged.puts && status == StReferenced)
      `FV_ASSERT(referenced_does_not_start_to_a_slower_tier, valid_i && op_i.op == OpStart && referenced && to_slower,
                 take == '0 && move != MvOk)
      `FV_ASSERT(referenced_is_not_queued_to_a_slower_tier, valid_i && referenced && push, push_channel == 1'(ChPrefetch))
      `FV_ASSERT(hot_does_not_start_to_a_slower_tier,
                 valid_i && op_i.op == OpStart && meta_i.hot && to_slower && !op_i.item.by_migrate,
                 take == '0 && move != MvOk)
      `FV_ASSERT(written_block_does_not_start, valid_i && op_i.op == OpStart && written_i, take == '0 && move != MvOk)
      `FV_ASSERT(tier_changes_by_a_commit, keeps && meta.tier != meta_i.tier,
                 op_i.op == OpEnd && judged.end_move == MvOk && tag_we && tag.tier == meta.tier && tag.slot == meta.slot)
      `FV_ASSERT(write_voids_the_move, keeps && op_i.op == OpLookup && op_i.write && meta_i.moving,
                 meta.voided && judged.aborts)
      `FV_ASSERT(void_move_does_not_commit, valid_i && op_i.op == OpEnd && meta_i.voided,
                 move inside {MvVoid, MvCancelled} && !tag_we && judged.put_tier == op_i.dst_tier)
      `FV_ASSERT(failed_try_does_not_commit, valid_i && op_i.op == OpEnd && op_i.error, move != MvOk && !tag_we)
      `FV_ASSERT(hot_or_evictable, keeps && !(meta_i.hot && meta_i.evictable), !(meta.hot && meta.evictable))
      `FV_ASSERT(lookup_touches, keeps && op_i.op == OpLookup,
                 meta.access_step == step_i && meta.r == 8'd255 && !meta.hint && !meta.evictable &&
                 meta.f == ((meta_i.f == 8'd255) ? 8'd255 : meta_i.f + 8'd1) &&
                 meta.dirty == (meta_i.dirty || op_i.write))
      `FV_ASSERT(miss_changes_nothing, valid_i && !hit_i && op_i.op inside {OpLookup, OpBoost, OpImevict, OpCool,
                 OpPrefetch, OpShare, OpRelease, OpRemove, OpMigrate, OpStart}, !tag_we && !meta_we && take == '0 && !push)
      `FV_ASSERT(one_in_flight, valid_i && push, !meta_i.in_flight)
    end
  end

endmodule
