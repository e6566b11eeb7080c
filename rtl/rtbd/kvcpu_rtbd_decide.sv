// What an operation will do to its entry, as far as the entry and the registers tell (S2). The rules are
// device.md 3 (lookup), 5 (slots), 6 (moves), 7 (hints), 8 (commands). Combinational. kvcpu_rtbd_commit (S3)
// adds what others change from cycle to cycle.

module kvcpu_rtbd_decide (
  /// An operation that has a commit point is at S2.
  input  logic                 valid_i,
  /// The operation.
  input  kvcpu_pkg::op_t       op_i,
  /// The directory holds a valid, readable entry for it.
  input  logic                 hit_i,
  /// OpInsert: a tag of the key was found.
  input  logic                 exists_i,
  /// OpInsert: a free place was found in the key's banks, or by the search.
  input  logic                 place_i,
  /// OpInsert: it has its slot already, from S1 or from the first pass of its search.
  input  logic                 kept_i,
  /// The entry's meta word.
  input  kvcpu_pkg::meta_t     meta_i,
  /// It has the generation of the operation's item.
  input  logic                 same_generation_i,
  /// The entry is there, and its copy is the operation's move, of that generation.
  input  logic                 ends_i,
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
  logic grows, commits, end_referenced, free_to_move, promotable, generation_ok, target_slower, kept_hot, keeps_ref;

  // The token after the last. Nine bits: with 256 tokens the last offset is 255, and no token follows it.
  assign grows         = op_i.write && ({1'b0, token_offset_i} == {1'b0, token_end_i} + 9'd1);
  assign free_to_move  = !meta_i.in_flight;
  assign promotable    = free_to_move && meta_i.tier > cfg_i.promote_tier;
  assign generation_ok       = same_generation_i && meta_i.in_flight;
  assign end_referenced = op_i.dst_tier > meta_i.tier && keeps_ref;
  // That end_move is MvOk, without the way through MAX_RETRY.
  assign commits       = ends_i && !meta_i.voided && !op_i.error && !end_referenced;
  assign target_slower = !op_i.item.fixed || (op_i.item.target > meta_i.tier);
  assign keeps_ref     = meta_i.ref_count != '0;
  assign kept_hot = !op_i.item.by_migrate &&
                    (meta_i.hot || (meta_i.r == 8'hFF && !meta_i.evictable));

  // ------------------------------------------------------------------ the operation
  always_comb begin
    judged_o = '0;
    judged_o.put_tier = meta_i.tier;
    judged_o.put_slot = meta_i.slot;
    judged_o.push_channel = 1'(ChPrefetch);
    judged_o.push_fixed = 1'b1;
    judged_o.push_target = cfg_i.promote_tier;
    judged_o.status = hit_i ? StOk : StMiss;
    judged_o.move = MvCancelled;

    judged_o.end_move = MvOk;
    if (meta_i.voided) judged_o.end_move = MvVoid;
    else if (op_i.error) judged_o.end_move = (op_i.tries >= cfg_i.max_retry) ? MvError : MvRetry;
    else if (end_referenced) judged_o.end_move = MvCancelled;

    unique case (op_i.op)
      OpLookup: begin
        judged_o.aborts = hit_i && op_i.write && meta_i.moving;
        judged_o.pushes = hit_i && cfg_i.demand && promotable;
        judged_o.writes_tag = hit_i && grows;
        judged_o.writes_meta = hit_i;
      end

      OpBoost, OpCool: judged_o.writes_meta = hit_i;

      OpImevict: begin
        judged_o.push_channel = 1'(ChEvict);
        judged_o.push_fixed = 1'b0;
        judged_o.push_target = TierNvme;
        judged_o.pushes = hit_i && free_to_move && !keeps_ref && meta_i.tier != TierNvme;
        judged_o.writes_meta = hit_i;
      end

      OpPrefetch: begin
        judged_o.hints = hit_i && promotable;
        judged_o.writes_meta = hit_i;
      end

      OpShare: begin
        judged_o.saturated = hit_i && meta_i.ref_count == 8'hFF;
        judged_o.writes_meta = hit_i;
      end

      OpRelease: begin
        judged_o.underflow = hit_i && !keeps_ref;
        judged_o.writes_meta = hit_i;
      end

      OpInsert: begin
        judged_o.inserts = !kept_i && !exists_i;
        judged_o.status = (!kept_i && exists_i) ? StExists : place_i ? StOk : StFull;
        judged_o.writes_tag = kept_i && place_i;
        judged_o.writes_meta = kept_i && place_i;
      end

      OpRemove: begin
        judged_o.removes = hit_i && !keeps_ref;
        judged_o.puts = judged_o.removes;
        judged_o.aborts = judged_o.removes && meta_i.moving;
        judged_o.writes_tag = judged_o.removes;
        judged_o.writes_meta = judged_o.removes;
        if (hit_i && keeps_ref) judged_o.status = StReferenced;
      end

      OpMigrate: begin
        judged_o.push_channel = (op_i.tier > meta_i.tier) ? 1'(ChEvict) : 1'(ChPrefetch);
        judged_o.push_target = op_i.tier;
        if (hit_i) begin
          if (op_i.tier == meta_i.tier) judged_o.status = StBadArg;
          else if (op_i.tier > meta_i.tier && keeps_ref) judged_o.status = StReferenced;
          else if (meta_i.in_flight) judged_o.status = StBusy;
        end
        judged_o.pushes = hit_i && op_i.tier != meta_i.tier && !(op_i.tier > meta_i.tier && keeps_ref) && free_to_move;
        judged_o.migrates = judged_o.pushes;
      end

      OpStart: begin
        judged_o.starts = hit_i && generation_ok && meta_i.tier == op_i.item.from &&
                          !(target_slower && (keeps_ref || kept_hot));
        judged_o.writes_meta = hit_i && generation_ok;
      end

      OpEnd: begin
        // The target slot goes back unless the move commits.
        judged_o.puts = 1'b1;
        judged_o.put_held = commits;
        if (!commits) begin
          judged_o.put_tier = op_i.dst_tier;
          judged_o.put_slot = op_i.dst_slot;
        end
        if (ends_i) judged_o.move = judged_o.end_move;
        judged_o.writes_tag = commits;
        judged_o.writes_meta = ends_i;
      end

      default: ;  // OpPeek, OpProbe, OpRead, OpNone change nothing
    endcase

    if (!valid_i) begin
      judged_o.starts = 1'b0;
      judged_o.inserts = 1'b0;
      judged_o.removes = 1'b0;
      judged_o.puts = 1'b0;
      judged_o.aborts = 1'b0;
      judged_o.pushes = 1'b0;
      judged_o.hints = 1'b0;
      judged_o.migrates = 1'b0;
      judged_o.underflow = 1'b0;
      judged_o.saturated = 1'b0;
      judged_o.writes_tag = 1'b0;
      judged_o.writes_meta = 1'b0;
    end
  end

endmodule
