// What an operation does to its entry: the commit point (S3) of every operation on the directory, after
// kvcpu_rtbd_judge (S2) has looked at the entry. Combinational. The rules are device.md 3 (lookup),
// 5 (slots), 6 (moves), 7 (hints), 8 (commands).

module kvcpu_rtbd_alu (
  /// An operation is at its commit point.
  input  logic                                     valid_i,
  /// The operation.
  input  kvcpu_pkg::op_t                           op_i,
  /// OpInsert: a tag of the key was found.
  input  logic                                     exists_i,
  /// OpInsert: a free place was found in the key's banks.
  input  logic                                     place_i,
  /// OpInsert: it has its slot already, from S1 or from the first pass of its search.
  input  logic                                     kept_i,
  /// That slot.
  input  logic [kvcpu_pkg::SlotW-1:0]              kept_slot_i,
  /// The entry's tag before.
  input  kvcpu_pkg::tag_t                          tag_i,
  /// The entry's meta word before.
  input  kvcpu_pkg::meta_t                         meta_i,
  /// What S2 has found; `pushes` with PREFETCH's step.
  input  kvcpu_pkg::judged_t                       judged_i,
  /// OpLookup: offset of the token inside its block.
  input  logic [7:0]                               token_offset_i,
  /// Block number of the operation's token.
  input  logic [31:0]                              block_i,

  /// Current step (device.md 4).
  input  logic [31:0]                              step_i,
  /// Epoch of the running or last scan; new entries are born in it.
  input  logic                                     epoch_i,
  /// Life count of new entries.
  input  logic [kvcpu_pkg::LifeW-1:0]              life_i,

  /// OpStart, OpInsert: tier whose slot it takes, one-hot; 0: none has enough.
  input  logic [kvcpu_pkg::TierCount-1:0]          pick_i,
  /// A slot of that tier can be taken now.
  input  logic                                     avail_i,
  /// Slots came or limits moved since the tier was picked: the operation comes again.
  input  logic                                     unsure_i,
  /// Per tier: the slot that would be taken.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::SlotW-1:0]  slot_i,
  /// The evict queue has no place.
  input  logic                                     evict_full_i,
  /// The prefetch queue has no place.
  input  logic                                     prefetch_full_i,

  /// Write back the tag.
  output logic                                     tag_we_o,
  /// Tag to write.
  output kvcpu_pkg::tag_t                          tag_o,
  /// Write back the meta word.
  output logic                                     meta_we_o,
  /// Meta word to write.
  output kvcpu_pkg::meta_t                         meta_o,

  /// Push an item into the queue of `push_channel_o` (taken exactly when that queue is not full).
  output logic                                     push_valid_o,
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
  output kvcpu_pkg::move_e                         move_o,
  /// OpRelease met REF_COUNT 0.
  output logic                                     underflow_o,
  /// OpShare met REF_COUNT 255.
  output logic                                     saturated_o
);
  import kvcpu_pkg::*;

  // ------------------------------------------------------------------ slots
  logic found, avail, written, start_go, insert_go;

  assign found = (pick_i != '0) || unsure_i;
  assign avail = avail_i && !unsure_i;
  // Written in the current step: the copy would be void (device.md 6).
  assign written = meta_i.dirty && !meta_i.hint && (meta_i.access_step == step_i);

  assign start_go  = judged_i.starts && !written && avail;
  assign insert_go = judged_i.inserts && avail;
  assign take_o    = (start_go || insert_go) ? pick_i : '0;

  always_comb begin
    take_tier_o = TierHbm;
    for (int unsigned t = 0; t < TierCount; t++) if (pick_i[t]) take_tier_o = tier_e'(t);
  end

  // ------------------------------------------------------------------ items
  logic [15:0] op_layer_head;
  assign op_layer_head = {op_i.kv_addr.layer, op_i.kv_addr.head};

  logic hit, push_ok;
  assign hit     = judged_i.hit;
  assign push_ok = judged_i.push_channel ? !prefetch_full_i : !evict_full_i;

  // MIGRATE with a full queue is BUSY; everything else that finds no place is dropped and counted.
  assign push_valid_o   = judged_i.pushes && (op_i.op != OpMigrate || push_ok);
  assign push_channel_o = judged_i.push_channel;
  assign push_item_o = '{
    request_id: op_i.kv_addr.request_id,
    layer_head: op_layer_head,
    block:      block_i,
    from:       meta_i.tier,
    fixed:      judged_i.push_fixed,
    target:     judged_i.push_target,
    by_migrate: op_i.op == OpMigrate,
    life:       meta_i.life
  };

  // ------------------------------------------------------------------ the operation
  always_comb begin
    tag_we_o = 1'b0;
    tag_o = tag_i;
    tag_o.valid = 1'b1;
    tag_o.request_id = op_i.kv_addr.request_id;
    tag_o.layer_head = op_layer_head;
    tag_o.block = block_i;
    meta_we_o = 1'b0;
    meta_o = meta_i;
    status_o = hit ? StOk : StMiss;
    move_o = MvCancelled;
    underflow_o = 1'b0;
    saturated_o = 1'b0;

    unique case (op_i.op)
      OpLookup: begin
        meta_we_o = hit;
        meta_o.access_step = step_i;
        meta_o.r = 8'hFF;
        if (meta_i.f != 8'hFF) meta_o.f = meta_i.f + 8'd1;
        meta_o.hint = 1'b0;
        meta_o.evictable = 1'b0;
        if (op_i.write) begin
          meta_o.dirty = 1'b1;
          meta_o.voided = meta_i.moving;
          tag_we_o = hit && judged_i.grows;
          tag_o.token_end = token_offset_i;
        end
        if (judged_i.pushes) meta_o.in_flight = push_ok;
      end

      OpBoost: begin
        meta_we_o = hit;
        meta_o.hot = 1'b1;
        meta_o.evictable = 1'b0;
      end

      OpImevict: begin
        meta_we_o = hit;
        meta_o.evictable = 1'b1;
        meta_o.hot = 1'b0;
        meta_o.hint = 1'b0;
        if (judged_i.pushes) meta_o.in_flight = push_ok;
      end

      OpCool: begin
        meta_we_o = hit;
        meta_o.hot = 1'b0;
        meta_o.evictable = 1'b0;
      end

      OpPrefetch: begin
        meta_we_o = hit;
        meta_o.hint = 1'b1;
        meta_o.evictable = 1'b0;
        meta_o.access_step = op_i.step;
        if (judged_i.pushes) meta_o.in_flight = push_ok;
      end

      OpShare: begin
        meta_we_o = hit;
        meta_o.prefix = 1'b1;
        if (meta_i.ref_count != 8'hFF) meta_o.ref_count = meta_i.ref_count + 8'd1;
        else saturated_o = hit;
      end

      OpRelease: begin
        meta_we_o = hit;
        if (meta_i.ref_count != '0) meta_o.ref_count = meta_i.ref_count - 8'd1;
        else underflow_o = hit;
      end

      OpInsert: begin
        status_o = StOk;
        if (kept_i) begin
          status_o = place_i ? StOk : StFull;
          tag_we_o = place_i;
          meta_we_o = place_i;
        end else if (exists_i) begin
          status_o = StExists;
        end else if (!found) begin
          status_o = StNoSlot;
        end else if (!avail) begin
          status_o = StBusy;  // the pool refills its head: the operation comes again
        end else begin
          status_o = place_i ? StOk : StFull;
          tag_we_o = place_i;
          meta_we_o = place_i;
        end
        tag_o.token_end = op_i.token_end;
        tag_o.tier = op_i.tier;
        tag_o.slot = kept_i ? kept_slot_i : slot_i[op_i.tier];
        meta_o = '0;
        meta_o.valid = 1'b1;
        meta_o.request_id = op_i.kv_addr.request_id;
        meta_o.tier = op_i.tier;
        meta_o.slot = tag_o.slot;
        meta_o.access_step = step_i;
        meta_o.r = 8'hFF;
        meta_o.f = 8'd1;
        meta_o.prefix = op_i.prefix;
        meta_o.hot = op_i.hot;
        meta_o.epoch = epoch_i;
        meta_o.life = life_i;
      end

      OpRemove: begin
        if (hit && !judged_i.removes) status_o = StReferenced;
        tag_we_o = judged_i.removes;
        meta_we_o = judged_i.removes;
        tag_o = '0;
        meta_o = '0;
      end

      OpMigrate: begin
        meta_o.in_flight = 1'b1;
        meta_we_o = push_valid_o;
        if (hit) status_o = judged_i.migrate;
        if (judged_i.pushes && !push_ok) status_o = StBusy;
      end

      OpStart: begin
        meta_we_o = hit && judged_i.item_lives;
        meta_o.moving = 1'b0;
        meta_o.voided = 1'b0;
        meta_o.move_id = op_i.move_id;
        if (!judged_i.starts || written) begin
          meta_o.in_flight = 1'b0;
        end else if (!found) begin
          move_o = MvNoSlot;
          meta_o.in_flight = 1'b0;
        end else if (!avail) begin
          move_o = MvRetry;  // the pool refills its head: the operation comes again
        end else begin
          move_o = MvOk;
          meta_o.moving = 1'b1;
        end
      end

      OpEnd: begin
        meta_we_o = judged_i.ends;
        meta_o.moving = 1'b0;
        meta_o.voided = 1'b0;
        meta_o.in_flight = (judged_i.end_move == MvRetry);
        if (judged_i.ends) move_o = judged_i.end_move;
        if (judged_i.end_move == MvOk) begin
          tag_we_o = judged_i.ends;
          tag_o.tier = op_i.dst_tier;
          tag_o.slot = op_i.dst_slot;
          meta_o.tier = op_i.dst_tier;
          meta_o.slot = op_i.dst_slot;
          meta_o.dirty = 1'b0;
        end
      end

      default: ;  // OpPeek, OpProbe, OpRead, OpNone change nothing
    endcase

    if (!valid_i) begin
      tag_we_o = 1'b0;
      meta_we_o = 1'b0;
      underflow_o = 1'b0;
      saturated_o = 1'b0;
    end
  end

endmodule
