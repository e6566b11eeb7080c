// What an operation does to its entry: the commit point (S3) of every operation on the directory.
// Combinational. The rules are device.md 3 (lookup), 5 (slots), 6 (moves), 7 (hints), 8 (commands).

module kvcpu_rtbd_alu (
  /// An operation is at its commit point.
  input  logic                                     valid_i,
  /// The operation.
  input  kvcpu_pkg::op_t                           op_i,
  /// The directory holds a valid, readable entry for it.
  input  logic                                     hit_i,
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
  /// OpLookup: offset of the token inside its block.
  input  logic [7:0]                               token_offset_i,
  /// Block number of the operation's token.
  input  logic [31:0]                              block_i,

  /// Current step (device.md 4).
  input  logic [31:0]                              step_i,
  /// Configuration registers.
  input  kvcpu_pkg::cfg_t                          cfg_i,
  /// Epoch of the running or last scan; new entries are born in it.
  input  logic                                     epoch_i,
  /// Life count of new entries.
  input  logic [kvcpu_pkg::LifeW-1:0]              life_i,

  /// Per tier: a slot can be taken now.
  input  logic [kvcpu_pkg::TierCount-1:0]          slot_avail_i,
  /// Per tier: free slots.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::CountW-1:0] slot_free_i,
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

  /// Take a slot of `take_tier_o`.
  output logic                                     take_valid_o,
  /// Tier of the slot taken.
  output kvcpu_pkg::tier_e                         take_tier_o,
  /// Give a slot back.
  output logic                                     put_valid_o,
  /// It is held until the fence (a migration left it).
  output logic                                     put_held_o,
  /// Tier of the slot given back.
  output kvcpu_pkg::tier_e                         put_tier_o,
  /// The slot given back.
  output logic [kvcpu_pkg::SlotW-1:0]              put_slot_o,

  /// A copy of this entry must stop.
  output logic                                     abort_valid_o,
  /// Its move.
  output logic [kvcpu_pkg::MoveIdW-1:0]            abort_move_id_o,
  /// An entry with an item was removed: the life count advances.
  output logic                                     orphan_o,

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

  // ------------------------------------------------------------------ conditions
  logic [31:0] step_left;
  logic hint_near, life_ok, in_flight_free;
  tier_e target;
  logic target_found, target_slower, target_free, target_avail;
  logic written_in_step, kept_hot;

  assign in_flight_free = !meta_i.in_flight;
  assign life_ok = (meta_i.life == op_i.item.life) && meta_i.in_flight;

  // PREFETCH: 0 <= step - current <= LOOKAHEAD, signed.
  assign step_left = op_i.step - step_i;
  assign hint_near = !step_left[31] && (step_left[30:0] <= cfg_i.lookahead);

  logic [TierCount-1:0] above_reserve;
  for (genvar t = 0; t < TierCount; t++) begin : gen_reserve
    assign above_reserve[t] = slot_free_i[t] > cfg_i.reserve[t];
  end

  // The nearest slower tier with a free slot, or the item's own target.
  always_comb begin
    target = op_i.item.target;
    target_found = 1'b1;
    if (!op_i.item.fixed) begin
      target = TierNvme;
      target_found = (meta_i.tier != TierNvme) && above_reserve[3];
      if (meta_i.tier < TierHost && above_reserve[2]) begin
        target = TierHost;
        target_found = 1'b1;
      end
      if (meta_i.tier < TierT1 && above_reserve[1]) begin
        target = TierT1;
        target_found = 1'b1;
      end
    end
  end
  assign target_slower = !op_i.item.fixed || (op_i.item.target > meta_i.tier);
  assign target_free = target_found && above_reserve[target];
  assign target_avail = slot_avail_i[target];

  assign written_in_step = meta_i.dirty && !meta_i.hint && (meta_i.access_step == step_i);
  assign kept_hot = !op_i.item.by_migrate &&
                    (meta_i.hot || (meta_i.r == 8'hFF && !meta_i.evictable));

  // ------------------------------------------------------------------ items
  function automatic item_t item_of(logic [15:0] request_id, logic [15:0] layer_head,
                                    logic [31:0] block, meta_t m, logic fixed, tier_e to,
                                    logic by_migrate);
    item_of = '{
      request_id: request_id,
      layer_head: layer_head,
      block:      block,
      from:       m.tier,
      fixed:      fixed,
      target:     to,
      by_migrate: by_migrate,
      life:       m.life
    };
  endfunction

  logic [15:0] op_layer_head;
  assign op_layer_head = {op_i.kv_addr.layer, op_i.kv_addr.head};

  logic grows, push_ok;
  assign grows = op_i.write && (token_offset_i == tag_i.token_end + 8'd1);
  assign push_ok = push_channel_o ? !prefetch_full_i : !evict_full_i;

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
    push_valid_o = 1'b0;
    push_channel_o = 1'(ChEvict);
    push_item_o = item_of(op_i.kv_addr.request_id, op_layer_head, block_i, meta_i, 1'b0,
                          TierNvme, 1'b0);
    take_valid_o = 1'b0;
    take_tier_o = target;
    put_valid_o = 1'b0;
    put_held_o = 1'b0;
    put_tier_o = meta_i.tier;
    put_slot_o = meta_i.slot;
    abort_valid_o = 1'b0;
    abort_move_id_o = meta_i.move_id;
    orphan_o = 1'b0;
    status_o = hit_i ? StOk : StMiss;
    move_o = MvCancelled;
    underflow_o = 1'b0;
    saturated_o = 1'b0;

    unique case (op_i.op)
      OpLookup: begin
        if (hit_i) begin
          meta_we_o = 1'b1;
          meta_o.access_step = step_i;
          meta_o.r = 8'hFF;
          if (meta_i.f != 8'hFF) meta_o.f = meta_i.f + 8'd1;
          meta_o.hint = 1'b0;
          meta_o.evictable = 1'b0;
          if (op_i.write) begin
            meta_o.dirty = 1'b1;
            meta_o.voided = meta_i.moving;
            abort_valid_o = meta_i.moving;
            if (grows) begin
              tag_we_o = 1'b1;
              tag_o.token_end = token_offset_i;
            end
          end
          if (cfg_i.demand && in_flight_free && meta_i.tier > cfg_i.promote_tier) begin
            push_valid_o = 1'b1;
            push_channel_o = 1'(ChPrefetch);
            push_item_o.fixed = 1'b1;
            push_item_o.target = cfg_i.promote_tier;
            meta_o.in_flight = push_ok;
          end
        end
      end

      OpBoost: begin
        meta_we_o = hit_i;
        meta_o.hot = 1'b1;
        meta_o.evictable = 1'b0;
      end

      OpImevict: begin
        meta_we_o = hit_i;
        meta_o.evictable = 1'b1;
        meta_o.hot = 1'b0;
        meta_o.hint = 1'b0;
        if (hit_i && in_flight_free && meta_i.ref_count == '0 && meta_i.tier != TierNvme) begin
          push_valid_o = 1'b1;
          meta_o.in_flight = push_ok;
        end
      end

      OpCool: begin
        meta_we_o = hit_i;
        meta_o.hot = 1'b0;
        meta_o.evictable = 1'b0;
      end

      OpPrefetch: begin
        meta_we_o = hit_i;
        meta_o.hint = 1'b1;
        meta_o.evictable = 1'b0;
        meta_o.access_step = op_i.step;
        if (hit_i && in_flight_free && meta_i.tier > cfg_i.promote_tier && hint_near) begin
          push_valid_o = 1'b1;
          push_channel_o = 1'(ChPrefetch);
          push_item_o.fixed = 1'b1;
          push_item_o.target = cfg_i.promote_tier;
          meta_o.in_flight = push_ok;
        end
      end

      OpShare: begin
        meta_we_o = hit_i;
        meta_o.prefix = 1'b1;
        if (meta_i.ref_count != 8'hFF) meta_o.ref_count = meta_i.ref_count + 8'd1;
        else saturated_o = hit_i;
      end

      OpRelease: begin
        meta_we_o = hit_i;
        if (meta_i.ref_count != '0) meta_o.ref_count = meta_i.ref_count - 8'd1;
        else underflow_o = hit_i;
      end

      OpInsert: begin
        take_tier_o = op_i.tier;
        status_o = StOk;
        if (kept_i) begin
          status_o = place_i ? StOk : StFull;
          tag_we_o = place_i;
          meta_we_o = place_i;
        end else if (exists_i) begin
          status_o = StExists;
        end else if (slot_free_i[op_i.tier] == '0) begin
          status_o = StNoSlot;
        end else if (!slot_avail_i[op_i.tier]) begin
          status_o = StBusy;  // the pool refills its head: the operation comes again
        end else begin
          take_valid_o = 1'b1;
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
        if (hit_i) begin
          if (meta_i.ref_count != '0) begin
            status_o = StReferenced;
          end else begin
            tag_we_o = 1'b1;
            tag_o = '0;
            meta_we_o = 1'b1;
            meta_o = '0;
            put_valid_o = 1'b1;
            abort_valid_o = meta_i.moving;
            orphan_o = meta_i.in_flight;
          end
        end
      end

      OpMigrate: begin
        push_channel_o = (op_i.tier > meta_i.tier) ? 1'(ChEvict) : 1'(ChPrefetch);
        push_item_o.fixed = 1'b1;
        push_item_o.target = op_i.tier;
        push_item_o.by_migrate = 1'b1;
        meta_o.in_flight = 1'b1;
        if (hit_i) begin
          if (op_i.tier == meta_i.tier) status_o = StBadArg;
          else if (op_i.tier > meta_i.tier && meta_i.ref_count != '0) status_o = StReferenced;
          else if (meta_i.in_flight || !push_ok) status_o = StBusy;
          else begin
            push_valid_o = 1'b1;
            meta_we_o = 1'b1;
          end
        end
      end

      OpStart: begin
        meta_o.moving = 1'b0;
        meta_o.voided = 1'b0;
        meta_o.move_id = op_i.move_id;
        if (hit_i && life_ok) begin
          meta_we_o = 1'b1;
          if (meta_i.tier != op_i.item.from || written_in_step ||
              (target_slower && (meta_i.ref_count != '0 || kept_hot))) begin
            meta_o.in_flight = 1'b0;
          end else if (!target_free) begin
            move_o = MvNoSlot;
            meta_o.in_flight = 1'b0;
          end else if (!target_avail) begin
            move_o = MvRetry;  // the pool refills its head: the operation comes again
          end else begin
            move_o = MvOk;
            take_valid_o = 1'b1;
            meta_o.moving = 1'b1;
          end
        end
      end

      OpEnd: begin
        // The target slot goes back unless the move commits.
        put_valid_o = 1'b1;
        put_tier_o = op_i.dst_tier;
        put_slot_o = op_i.dst_slot;
        meta_o.moving = 1'b0;
        meta_o.voided = 1'b0;
        if (hit_i && life_ok && meta_i.moving && meta_i.move_id == op_i.move_id) begin
          meta_we_o = 1'b1;
          meta_o.in_flight = 1'b0;
          if (meta_i.voided) begin
            move_o = MvVoid;
          end else if (op_i.error) begin
            move_o = op_i.last_try ? MvError : MvRetry;
            meta_o.in_flight = !op_i.last_try;
          end else if (op_i.dst_tier > meta_i.tier && meta_i.ref_count != '0) begin
            move_o = MvCancelled;
          end else begin
            move_o = MvOk;
            put_held_o = 1'b1;
            put_tier_o = meta_i.tier;
            put_slot_o = meta_i.slot;
            tag_we_o = 1'b1;
            tag_o.tier = op_i.dst_tier;
            tag_o.slot = op_i.dst_slot;
            meta_o.tier = op_i.dst_tier;
            meta_o.slot = op_i.dst_slot;
            meta_o.dirty = 1'b0;
          end
        end
      end

      default: ;  // OpPeek, OpProbe, OpRead, OpNone change nothing
    endcase

    if (!valid_i) begin
      tag_we_o = 1'b0;
      meta_we_o = 1'b0;
      push_valid_o = 1'b0;
      take_valid_o = 1'b0;
      put_valid_o = 1'b0;
      abort_valid_o = 1'b0;
      orphan_o = 1'b0;
      underflow_o = 1'b0;
      saturated_o = 1'b0;
    end
  end

endmodule
