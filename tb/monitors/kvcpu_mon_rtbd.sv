// Monitor of the directory, bound into kvcpu_rtbd: one record for each operation at its commit point, with the entry
// after it, and what it did to pools, queues and copies.

module kvcpu_mon_rtbd #(
  /// Tokens per block.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input logic                                                   clk_i,
  /// Reset, active low.
  input logic                                                   rst_ni,
  /// Soft reset: clear.
  input logic                                                   clear_i,
  /// An operation is at its commit point (S3).
  input logic                                                   valid_i,
  /// The operation.
  input kvcpu_pkg::op_t                                         op_i,
  /// It writes the new entry at the end of INSERT's search.
  input logic                                                   final_i,
  /// A relocation writes an entry.
  input logic                                                   reloc_i,
  /// The entry that the relocation writes.
  input kvcpu_pkg::tag_t                                        reloc_tag_i,
  /// The operation found its entry.
  input logic                                                   hit_i,
  /// Index of the entry.
  input logic [kvcpu_pkg::IndexW-1:0]                           index_i,
  /// Entry before.
  input kvcpu_pkg::meta_t                                       meta_i,
  /// Tag before: TOKEN_END, offset inside the block.
  input logic [7:0]                                             token_end_i,
  /// Tag before: tier.
  input logic [1:0]                                             tier_i,
  /// Tag before: slot.
  input logic [kvcpu_pkg::SlotW-1:0]                            tag_slot_i,
  /// Tag is written.
  input logic                                                   tag_we_i,
  /// Meta word is written.
  input logic                                                   meta_we_i,
  /// What the words after the operation follow from, too: the decision.
  input kvcpu_pkg::judged_t                                     judged_i,
  /// The queue of the item has a place.
  input logic                                                   push_ok_i,
  /// Current step.
  input logic [31:0]                                            step_i,
  /// Epoch of the running or last scan.
  input logic                                                   epoch_i,
  /// Generation of a new entry.
  input logic [kvcpu_pkg::GenerationW-1:0]                      generation_i,
  /// Tag after, as the device works it out a cycle later (S4).
  input kvcpu_pkg::tag_t                                        s4_tag_i,
  /// Meta word after, as the device works it out a cycle later (S4).
  input kvcpu_pkg::meta_t                                       s4_meta_i,
  /// Result, without the addresses that the device adds up later.
  input kvcpu_pkg::rsp_t                                        found_i,
  /// Tag of the entry that OpRead reads.
  input kvcpu_pkg::tag_t                                        read_tag_i,
  /// Push.
  input logic                                                   push_valid_i,
  /// Push: channel.
  input logic                                                   push_channel_i,
  /// Push: item.
  input kvcpu_pkg::item_t                                       push_item_i,
  /// Evict queue is full.
  input logic                                                   evict_full_i,
  /// Prefetch queue is full.
  input logic                                                   prefetch_full_i,
  /// A slot is allocated, at the commit point or (INSERT) before it.
  input logic                                                   take_valid_i,
  /// Its tier.
  input kvcpu_pkg::tier_e                                       take_tier_i,
  /// The slot.
  input logic [kvcpu_pkg::SlotW-1:0]                            slot_i,
  /// Slots freed, by tier.
  input logic [kvcpu_pkg::TierCount-1:0]                        put_i,
  /// A slot is freed by the operation.
  input logic                                                   put_valid_i,
  /// It is quarantined until the next STEP_ADVANCE.
  input logic                                                   put_held_i,
  /// The slot.
  input logic [kvcpu_pkg::SlotW-1:0]                            put_slot_i,
  /// A probe of INSERT's search has read its tags (S0).
  input logic                                                   probe_i,
  /// The probe.
  input kvcpu_pkg::op_t                                         probe_op_i,
  /// INSERT's search ends.
  input logic                                                   result_valid_i,
  /// It has found a place.
  input logic                                                   result_ok_i,
  /// The INSERT of the search.
  input kvcpu_pkg::op_t                                         search_op_i,
  /// Its slot.
  input logic [kvcpu_pkg::SlotW-1:0]                            search_slot_i,
  /// It is freed: the search has found no place.
  input logic                                                   search_put_i,
  /// Configuration.
  input kvcpu_pkg::cfg_t                                        cfg_i
);
  import kvcpu_pkg::*;
  import kvcpu_tb_pkg::*;
  import kvcpu_events_pkg::*;
  import kvcpu_mon_pkg::*;

  localparam int unsigned OffBits = $clog2(BLOCK_TOKENS);

  function automatic longint kv_addr_of(item_t item);
    return {item.request_id, item.layer_head, 32'(item.block << OffBits)};
  endfunction

  // The words after the operation: the device has them in the next cycle, the record is of this one.
  tag_t  tag_before, tag_n;
  meta_t meta_n;

  always_comb begin
    tag_before = '0;
    tag_before.token_end = token_end_i;
    tag_before.tier = tier_e'(tier_i);
    tag_before.slot = tag_slot_i;
  end

  kvcpu_rtbd_writeback u_writeback (
    .is_i          (writer_of(op_i.op)),
    .op_i          (op_i),
    .tag_i         (tag_before),
    .meta_i        (meta_i),
    .judged_i      (judged_i),
    .push_ok_i     (push_ok_i),
    .move_i        (found_i.move),
    .slot_i        (slot_i),
    .token_offset_i(8'(op_i.kv_addr.token & 32'(BLOCK_TOKENS - 1))),
    .block_i       (op_i.kv_addr.token >> OffBits),
    .step_i        (step_i),
    .epoch_i       (epoch_i),
    .generation_i  (generation_i),
    .tag_o         (tag_n),
    .meta_o        (meta_n)
  );

  tag_after_commit: assert property (@(posedge clk_i) disable iff (!rst_ni)
    valid_i && tag_we_i |=> s4_tag_i == $past(tag_n))
    else $error("kvcpu_rtbd: the tag of S4 is not what follows from the commit point");
  meta_after_commit: assert property (@(posedge clk_i) disable iff (!rst_ni)
    valid_i && meta_we_i |=> s4_meta_i == $past(meta_n))
    else $error("kvcpu_rtbd: the meta word of S4 is not what follows from the commit point");

  // The tag as the operation leaves it; tag_n means nothing where it is not written.
  tag_t tag_after;
  always_comb begin
    tag_after = tag_n;
    if (!tag_we_i) begin
      tag_after = tag_before;
      tag_after.valid = 1'b1;
      tag_after.request_id = op_i.kv_addr.request_id;
      tag_after.layer_head = {op_i.kv_addr.layer, op_i.kv_addr.head};
      tag_after.block = op_i.kv_addr.token >> OffBits;
    end
  end

  function automatic logic [63:0] place(logic [1:0] tier, logic [SlotW-1:0] slot);
    return cfg_i.base[tier] + (64'(slot) << cfg_i.stride_shift);
  endfunction

  rsp_t rsp;
  always_comb begin
    rsp = found_i;
    rsp.dst_phys = place(take_tier_i, slot_i);
    if (op_i.op == OpInsert && rsp.status == StOk) rsp.phys_addr = rsp.dst_phys;
    else if (op_i.op == OpInsert && !rsp.hit) begin
      rsp.tier = TierHbm;
      rsp.index = '0;
    end
    if (rsp.entry.valid) rsp.entry.phys_addr = place(read_tag_i.tier, read_tag_i.slot);
  end

  function automatic logic [1:0] put_tier(logic [TierCount-1:0] put);
    logic [1:0] tier;
    tier = '0;
    for (int t = 0; t < int'(TierCount); t++) if (put[t]) tier = 2'(t);
    return tier;
  endfunction

  /// The item of a move, else the one for a queue.
  item_t named;
  assign named = (op_i.op == OpStart || op_i.op == OpEnd) ? op_i.item : push_item_i;

  function automatic void record_operation();
    record_op('{
      op: op_i.op,
      client: op_i.client,
      port_no: op_i.port,
      kv_addr: op_i.kv_addr,
      step: op_i.step,
      hit: hit_i,
      index: index_i,
      status: rsp.status,
      result: rsp.move,
      tag_written: tag_we_i,
      meta_written: meta_we_i,
      search_end: final_i,
      write: op_i.write,
      denied: op_i.denied,
      retry: op_i.retry,
      error: op_i.error,
      move_id: op_i.move_id,
      found_tier: rsp.tier,
      found_index: rsp.index,
      phys_addr: rsp.phys_addr,
      to_tier: rsp.dst_tier,
      to_phys_addr: rsp.dst_phys,
      arg_tier: op_i.tier,
      arg_token_offset: op_i.token_end,
      arg_prefix: op_i.prefix,
      arg_hot: op_i.hot,
      pushes: push_valid_i,
      queued: push_valid_i && !(push_channel_i ? prefetch_full_i : evict_full_i),
      channel: push_channel_i,
      takes_slot: take_valid_i,
      taken_tier: take_tier_i,
      taken_slot: slot_i,
      returns_slot: put_valid_i,
      returned_tier: put_tier(put_i),
      returned_slot: put_slot_i,
      held: put_held_i && put_valid_i,
      before_tier: tier_i,
      before_slot: tag_slot_i,
      entry: entry_of(tag_after, meta_we_i ? meta_n : meta_i),
      item: item_of(named)
    });
  endfunction

  function automatic void record_entry_as_read(entry_t entry);
    record_entry_read('{
      index: op_i.index,
      request_id: entry.request_id,
      layer_head: entry.layer_head,
      token_start: entry.token_start,
      token_end: entry.token_end,
      phys_addr: entry.phys_addr,
      access_step: entry.access_step,
      prio: entry.prio,
      ref_count: entry.ref_count,
      r: entry.r,
      f: entry.f,
      tier: entry.tier,
      prefix: entry.prefix,
      dirty: entry.dirty,
      hot: entry.hot,
      evictable: entry.evictable,
      hint: entry.hint,
      valid: entry.valid
    });
  endfunction

  function automatic void act_on_memories();
    unique case (op_i.op)
      OpStart: begin
        if (rsp.move == MvOk) begin
          kv_move_start(int'(op_i.move_id), kv_addr_of(op_i.item), int'(rsp.tier),
                        rsp.phys_addr, int'(rsp.dst_tier), rsp.dst_phys,
                        int'(cfg_i.block_bytes));
        end
      end
      OpEnd: kv_move_end(int'(op_i.move_id), int'(rsp.move == MvOk));
      OpInsert: begin
        // When the slot is taken: software may write it from the result on.
        if (take_valid_i) begin
          kv_fill(int'(op_i.tier), rsp.dst_phys, op_i.kv_addr, int'(cfg_i.block_bytes));
        end
      end
      default: ;
    endcase
  endfunction

  logic was_reset_q;
  initial was_reset_q = 1'b1;

  always @(posedge clk_i) begin
    was_reset_q <= !rst_ni;
    if (!rst_ni) begin
      if (!was_reset_q) kv_moves_clear();
    end else begin
      if (was_reset_q) record_reset('{hard: 1'b1});
      if (clear_i) begin
        kv_moves_clear();
        record_reset('{hard: 1'b0});
      end
      if (valid_i && op_i.op != OpProbe) begin
        act_on_memories();
        record_operation();
      end
      if (valid_i && op_i.op == OpRead && op_i.client == ClBar2) record_entry_as_read(rsp.entry);
      if (reloc_i) begin
        record_reloc('{
          index: index_i,
          key: {reloc_tag_i.request_id, reloc_tag_i.layer_head, reloc_tag_i.block}
        });
      end
      if (probe_i) record_probe('{kv_addr: probe_op_i.kv_addr, load: probe_op_i.write});
      if (result_valid_i && !result_ok_i) begin
        record_insert_full('{kv_addr: search_op_i.kv_addr, tier: search_op_i.tier, slot: search_slot_i});
      end
      if (search_put_i) record_freed('{tier: search_op_i.tier, slot: search_slot_i});
    end
  end
endmodule
