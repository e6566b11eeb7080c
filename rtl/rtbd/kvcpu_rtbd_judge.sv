// What an operation will do to its entry, as far as the entry and the registers tell (S2). The rules are
// device.md 3 (lookup), 5 (slots), 6 (moves), 7 (hints), 8 (commands). Combinational.

module kvcpu_rtbd_judge (
  /// An operation that has a commit point is at S2.
  input  logic                 valid_i,
  /// The operation.
  input  kvcpu_pkg::op_t       op_i,
  /// The directory holds a valid, readable entry for it.
  input  logic                 hit_i,
  /// OpInsert: a tag of the key was found.
  input  logic                 exists_i,
  /// OpInsert: the search ends; it has its slot already.
  input  logic                 kept_i,
  /// The entry's meta word.
  input  kvcpu_pkg::meta_t     meta_i,
  /// The entry's TOKEN_END, offset inside the block.
  input  logic [7:0]           token_end_i,
  /// Offset of the operation's token inside its block.
  input  logic [7:0]           token_offset_i,
  /// Configuration registers of the commit point.
  input  kvcpu_pkg::cfg_t      cfg_i,
  /// The judgement.
  output kvcpu_pkg::judged_t   judged_o
);
  import kvcpu_pkg::*;

  // ------------------------------------------------------------------ conditions
  logic free_to_move, promotable, life_ok, target_slower, kept_hot, keeps_ref;

  assign free_to_move  = !meta_i.in_flight;
  assign promotable    = free_to_move && meta_i.tier > cfg_i.promote_tier;
  assign life_ok       = (meta_i.life == op_i.item.life) && meta_i.in_flight;
  assign target_slower = !op_i.item.fixed || (op_i.item.target > meta_i.tier);
  assign keeps_ref     = meta_i.ref_count != '0;
  assign kept_hot = !op_i.item.by_migrate &&
                    (meta_i.hot || (meta_i.r == 8'hFF && !meta_i.evictable));

  function automatic logic [TierCount-1:0] only(tier_e tier);
    return TierCount'(1) << tier;
  endfunction

  // ------------------------------------------------------------------ the operation
  always_comb begin
    judged_o = '0;
    judged_o.hit = hit_i;
    judged_o.grows = op_i.write && (token_offset_i == token_end_i + 8'd1);
    judged_o.item_lives = life_ok;
    judged_o.put_tier = meta_i.tier;
    judged_o.put_slot = meta_i.slot;
    judged_o.push_channel = 1'(ChPrefetch);
    judged_o.push_fixed = 1'b1;
    judged_o.push_target = cfg_i.promote_tier;

    judged_o.end_move = MvOk;
    if (meta_i.voided) judged_o.end_move = MvVoid;
    else if (op_i.error) judged_o.end_move = op_i.tries >= cfg_i.max_retry ? MvError : MvRetry;
    else if (op_i.dst_tier > meta_i.tier && keeps_ref) judged_o.end_move = MvCancelled;

    judged_o.migrate = StOk;
    if (op_i.tier == meta_i.tier) judged_o.migrate = StBadArg;
    else if (op_i.tier > meta_i.tier && keeps_ref) judged_o.migrate = StReferenced;
    else if (meta_i.in_flight) judged_o.migrate = StBusy;

    unique case (op_i.op)
      OpLookup: begin
        judged_o.aborts = hit_i && op_i.write && meta_i.moving;
        judged_o.pushes = hit_i && cfg_i.demand && promotable;
      end

      OpImevict: begin
        judged_o.push_channel = 1'(ChEvict);
        judged_o.push_fixed = 1'b0;
        judged_o.push_target = TierNvme;
        judged_o.pushes = hit_i && free_to_move && !keeps_ref && meta_i.tier != TierNvme;
      end

      OpPrefetch: judged_o.hints = hit_i && promotable;

      OpInsert: begin
        judged_o.inserts = !kept_i && !exists_i;
        judged_o.targets = only(op_i.tier);
      end

      OpRemove: begin
        judged_o.removes = hit_i && !keeps_ref;
        judged_o.puts = judged_o.removes;
        judged_o.aborts = judged_o.removes && meta_i.moving;
      end

      OpMigrate: begin
        judged_o.push_channel = (op_i.tier > meta_i.tier) ? 1'(ChEvict) : 1'(ChPrefetch);
        judged_o.push_target = op_i.tier;
        judged_o.pushes = hit_i && judged_o.migrate == StOk;
      end

      OpStart: begin
        judged_o.starts = hit_i && life_ok && meta_i.tier == op_i.item.from &&
                          !(target_slower && (keeps_ref || kept_hot));
        // The nearest slower tier with a free slot, or the item's own target.
        for (int unsigned t = 0; t < TierCount; t++) begin
          judged_o.targets[t] = op_i.item.fixed ? op_i.item.target == tier_e'(t)
                                                : meta_i.tier < tier_e'(t);
        end
      end

      OpEnd: begin
        // The target slot goes back unless the move commits.
        judged_o.ends = hit_i && life_ok && meta_i.moving && meta_i.move_id == op_i.move_id;
        judged_o.puts = 1'b1;
        judged_o.put_held = judged_o.ends && judged_o.end_move == MvOk;
        if (!judged_o.put_held) begin
          judged_o.put_tier = op_i.dst_tier;
          judged_o.put_slot = op_i.dst_slot;
        end
      end

      default: ;
    endcase

    if (!valid_i) begin
      judged_o.starts = 1'b0;
      judged_o.inserts = 1'b0;
      judged_o.removes = 1'b0;
      judged_o.puts = 1'b0;
      judged_o.aborts = 1'b0;
      judged_o.pushes = 1'b0;
      judged_o.hints = 1'b0;
    end
  end

endmodule
