// The words that an operation writes back, a cycle behind its commit point (S4); whether it writes them is
// known there. Combinational. The rules are device.md 3 (lookup), 5 (slots), 6 (moves), 7 (hints), 8 (commands).

module kvcpu_rtbd_word (
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
  /// Life count of a new entry.
  input  logic [kvcpu_pkg::LifeW-1:0]              life_i,

  /// Tag to write.
  output kvcpu_pkg::tag_t                          tag_o,
  /// Meta word to write.
  output kvcpu_pkg::meta_t                         meta_o
);
  import kvcpu_pkg::*;

  always_comb begin
    tag_o = tag_i;
    tag_o.valid = 1'b1;
    tag_o.request_id = op_i.kv_addr.request_id;
    tag_o.layer_head = {op_i.kv_addr.layer, op_i.kv_addr.head};
    tag_o.block = block_i;
    meta_o = meta_i;

    unique case (op_i.op)
      OpLookup: begin
        meta_o.access_step = step_i;
        meta_o.r = 8'hFF;
        if (meta_i.f != 8'hFF) meta_o.f = meta_i.f + 8'd1;
        meta_o.hint = 1'b0;
        meta_o.evictable = 1'b0;
        if (op_i.write) begin
          meta_o.dirty = 1'b1;
          meta_o.voided = meta_i.moving;
          tag_o.token_end = token_offset_i;
        end
        if (judged_i.pushes) meta_o.in_flight = push_ok_i;
      end

      OpBoost: begin
        meta_o.hot = 1'b1;
        meta_o.evictable = 1'b0;
      end

      OpImevict: begin
        meta_o.evictable = 1'b1;
        meta_o.hot = 1'b0;
        meta_o.hint = 1'b0;
        if (judged_i.pushes) meta_o.in_flight = push_ok_i;
      end

      OpCool: begin
        meta_o.hot = 1'b0;
        meta_o.evictable = 1'b0;
      end

      OpPrefetch: begin
        meta_o.hint = 1'b1;
        meta_o.evictable = 1'b0;
        meta_o.access_step = op_i.step;
        if (judged_i.pushes) meta_o.in_flight = push_ok_i;
      end

      OpShare: begin
        meta_o.prefix = 1'b1;
        if (meta_i.ref_count != 8'hFF) meta_o.ref_count = meta_i.ref_count + 8'd1;
      end

      OpRelease: if (meta_i.ref_count != '0) meta_o.ref_count = meta_i.ref_count - 8'd1;

      OpInsert: begin
        tag_o.token_end = op_i.token_end;
        tag_o.tier = op_i.tier;
        tag_o.slot = slot_i;
        meta_o = '0;
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
        meta_o.life = life_i;
      end

      OpRemove: begin
        tag_o = '0;
        meta_o = '0;
      end

      OpMigrate: meta_o.in_flight = 1'b1;

      OpStart: begin
        // An item that comes again keeps its entry in flight.
        meta_o.in_flight = move_i == MvOk || move_i == MvRetry;
        meta_o.moving = move_i == MvOk;
        meta_o.voided = 1'b0;
        meta_o.move_id = op_i.move_id;
      end

      OpEnd: begin
        meta_o.moving = 1'b0;
        meta_o.voided = 1'b0;
        meta_o.in_flight = (judged_i.end_move == MvRetry);
        if (judged_i.end_move == MvOk) begin
          tag_o.tier = op_i.dst_tier;
          tag_o.slot = op_i.dst_slot;
          meta_o.tier = op_i.dst_tier;
          meta_o.slot = op_i.dst_slot;
          meta_o.dirty = 1'b0;
        end
      end

      default: ;  // OpPeek, OpProbe, OpRead, OpNone change nothing
    endcase
  end

endmodule
