// The words that an operation writes back, a cycle behind its commit point (S4); whether it writes them is
// known there. Combinational. The rules are device.md 3 (lookup), 5 (slots), 6 (moves), 7 (hints), 8 (commands).

module kvcpu_rtbd_writeback (
  /// Kind of the operation.
  input  kvcpu_pkg::writer_t                       is_i,
  /// The operation.
  input  kvcpu_pkg::op_t                           op_i,
  /// The entry's tag before, its answer part; the key is the operation's.
  input  kvcpu_pkg::tag_t                          tag_i,
  /// The entry's meta word before.
  input  kvcpu_pkg::meta_t                         meta_i,
  /// What S2 had found; `pushes` with PREFETCH's step.
  input  kvcpu_pkg::judged_t                       judged_i,
  /// The queue of its item had a place.
  input  logic                                     push_ok_i,
  /// Outcome of OpStart and OpEnd.
  input  kvcpu_pkg::move_e                         move_i,
  /// OpInsert: slot of the new entry.
  input  logic [kvcpu_pkg::SlotW-1:0]              slot_i,
  /// OpLookup: offset of the token inside its block.
  input  logic [7:0]                               token_offset_i,
  /// Block number of the operation's token.
  input  logic [31:0]                              block_i,
  /// Step of the commit point (device.md 4).
  input  logic [31:0]                              step_i,
  /// Epoch of the running or last scan at the commit point; new entries are born in it.
  input  logic                                     epoch_i,
  /// Generation of a new entry.
  input  logic [kvcpu_pkg::GenerationW-1:0]              generation_i,

  /// Tag to write.
  output kvcpu_pkg::tag_t                          tag_o,
  /// Meta word to write.
  output kvcpu_pkg::meta_t                         meta_o
);
  import kvcpu_pkg::*;

  // Field by field. An entry that goes is all zero, a new one nearly so.
  logic commits;  // OpEnd: the entry has moved

  assign commits = is_i.ends && judged_i.end_move == MvOk;

  always_comb begin
    tag_o = '0;
    if (!is_i.remove) begin
      tag_o.valid = 1'b1;
      tag_o.request_id = op_i.kv_addr.request_id;
      tag_o.layer_head = {op_i.kv_addr.layer, op_i.kv_addr.head};
      tag_o.block = block_i;
    end
    if (is_i.kept) begin
      tag_o.token_end = (is_i.lookup && op_i.write) ? token_offset_i : tag_i.token_end;
      tag_o.tier = commits ? op_i.dst_tier : tag_i.tier;
      tag_o.slot = commits ? op_i.dst_slot : tag_i.slot;
    end
    if (is_i.insert) begin
      tag_o.token_end = op_i.token_end;
      tag_o.tier = op_i.tier;
      tag_o.slot = slot_i;
    end
  end

  always_comb begin
    meta_o = '0;
    if (is_i.kept) begin
      meta_o = meta_i;
      if (commits) begin
        meta_o.tier = op_i.dst_tier;
        meta_o.slot = op_i.dst_slot;
      end
      if (is_i.lookup) meta_o.access_step = step_i;
      if (is_i.prefetch) meta_o.access_step = op_i.step;
      if (is_i.lookup && meta_i.f != 8'hFF) meta_o.f = meta_i.f + 8'd1;
      if (is_i.lookup) meta_o.r = 8'hFF;
      if (is_i.share && meta_i.ref_count != 8'hFF) meta_o.ref_count = meta_i.ref_count + 8'd1;
      if (is_i.releases && meta_i.ref_count != '0) meta_o.ref_count = meta_i.ref_count - 8'd1;
      meta_o.prefix = meta_i.prefix || is_i.share;
      meta_o.dirty = (meta_i.dirty && !commits) || (is_i.lookup && op_i.write);
      meta_o.hot = (meta_i.hot && !is_i.imevict && !is_i.cool) || is_i.boost;
      meta_o.evictable = (meta_i.evictable && !is_i.lookup && !is_i.boost && !is_i.cool && !is_i.prefetch) ||
                         is_i.imevict;
      meta_o.hint = (meta_i.hint && !is_i.lookup && !is_i.imevict) || is_i.prefetch;
      if (judged_i.pushes) meta_o.in_flight = push_ok_i;
      if (is_i.ends) meta_o.in_flight = judged_i.end_move == MvRetry;
      // An item that is retried keeps its entry in flight.
      if (is_i.starts) meta_o.in_flight = move_i == MvOk || move_i == MvRetry;
      meta_o.moving = is_i.starts ? move_i == MvOk : meta_i.moving && !is_i.ends;
      meta_o.voided = (is_i.lookup && op_i.write) ? meta_i.moving : meta_i.voided && !is_i.starts && !is_i.ends;
      if (is_i.starts) meta_o.move_id = op_i.move_id;
    end
    if (is_i.insert) begin
      meta_o.valid = 1'b1;
      meta_o.request_id = op_i.kv_addr.request_id;
      meta_o.tier = op_i.tier;
      meta_o.slot = slot_i;
      meta_o.access_step = step_i;
      meta_o.r = 8'hFF;
      meta_o.f = 8'd1;
      meta_o.prefix = op_i.prefix;
      meta_o.hot = op_i.hot;
      meta_o.epoch = epoch_i;
      meta_o.generation = generation_i;
    end
  end

endmodule
