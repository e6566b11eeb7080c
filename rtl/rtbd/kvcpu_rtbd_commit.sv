// The commit point (S3) of every operation on the directory: what kvcpu_rtbd_decide (S2) has found, and
// what others change from cycle to cycle: slots, queues, the step. Combinational. What the entry becomes
// is worked out behind it (kvcpu_rtbd_writeback, S4). The rules are device.md 5 (slots), 6 (moves), 8 (commands).

module kvcpu_rtbd_commit (
  /// The operation.
  input  kvcpu_pkg::op_t                           op_i,
  /// Block number of the operation's token.
  input  logic [31:0]                              block_i,
  /// OpInsert: a free place was found in the key's banks, or by the search.
  input  logic                                     place_i,
  /// The entry's meta word before.
  input  kvcpu_pkg::meta_t                         meta_i,
  /// What S2 has found; `pushes` with PREFETCH's step.
  input  kvcpu_pkg::judged_t                       judged_i,
  /// OpStart: the block was written in the current step: the copy would be void (device.md 6). With
  /// `unsure_i` it means nothing.
  input  logic                                     written_i,

  /// OpStart, OpInsert: tier whose slot it takes, one-hot; 0: none has enough.
  input  logic [kvcpu_pkg::TierCount-1:0]          pick_i,
  /// A slot of that tier can be taken now.
  input  logic                                     avail_i,
  /// Slots came, or the step or limits moved, since the tier was picked: the operation is retried.
  input  logic                                     unsure_i,
  /// The evict queue has no place.
  input  logic                                     evict_full_i,
  /// The prefetch queue has no place.
  input  logic                                     prefetch_full_i,

  /// Write back the tag.
  output logic                                     tag_we_o,
  /// Write back the meta word.
  output logic                                     meta_we_o,

  /// Push an item into the queue of `push_channel_o` (taken exactly when that queue is not full).
  output logic                                     push_valid_o,
  /// That queue has a place.
  output logic                                     push_ok_o,
  /// Channel of the item: 0 evict, 1 prefetch.
  output logic                                     push_channel_o,
  /// The item.
  output kvcpu_pkg::item_t                         push_item_o,

  /// Take a slot of this tier, one-hot; 0: of none.
  output logic [kvcpu_pkg::TierCount-1:0]          take_o,
  /// Tier of the slot that the operation takes or would take.
  output kvcpu_pkg::tier_e                         take_tier_o,

  /// Status of a directory command.
  output kvcpu_pkg::status_e                       status_o,
  /// Outcome of OpStart and OpEnd.
  output kvcpu_pkg::move_e                         move_o
);
  import kvcpu_pkg::*;

  // ------------------------------------------------------------------ slots
  logic found, avail, start_go, insert_go;

  assign found = (pick_i != '0) || unsure_i;
  assign avail = avail_i && !unsure_i;

  assign start_go  = judged_i.starts && !written_i && avail;
  assign insert_go = judged_i.inserts && avail;
  assign take_o    = (start_go || insert_go) ? pick_i : '0;

  always_comb begin
    take_tier_o = TierHbm;
    for (int unsigned t = 0; t < TierCount; t++) if (pick_i[t]) take_tier_o = tier_e'(t);
  end

  // ------------------------------------------------------------------ items
  assign push_ok_o = judged_i.push_channel ? !prefetch_full_i : !evict_full_i;

  // MIGRATE with a full queue is BUSY; everything else that finds no place is dropped and counted (kvcpu_moveq).
  assign push_valid_o   = judged_i.pushes;
  assign push_channel_o = judged_i.push_channel;
  assign push_item_o = '{
    request_id: op_i.kv_addr.request_id,
    layer_head: {op_i.kv_addr.layer, op_i.kv_addr.head},
    block:      block_i,
    from:       meta_i.tier,
    fixed:      judged_i.push_fixed,
    target:     judged_i.push_target,
    by_migrate: judged_i.migrates,
    generation:       meta_i.generation
  };

  // ------------------------------------------------------------------ outcome
  assign tag_we_o  = judged_i.writes_tag || (insert_go && place_i);
  assign meta_we_o = judged_i.writes_meta || (insert_go && place_i) || (judged_i.migrates && push_ok_o);

  always_comb begin
    status_o = judged_i.status;
    if (judged_i.inserts && !found) status_o = StNoSlot;
    else if (judged_i.inserts && !avail) status_o = StBusy;  // the operation is retried
    if (judged_i.migrates && !push_ok_o) status_o = StBusy;
  end

  always_comb begin
    move_o = judged_i.move;
    if (judged_i.starts && unsure_i) begin
      move_o = MvRetry;  // the operation is retried
    end else if (judged_i.starts && !written_i) begin
      move_o = MvOk;
      if (!found) move_o = MvNoSlot;
      else if (!avail) move_o = MvRetry;
    end
  end

endmodule
