// Monitor of one bank, bound into kvcpu_rtbd_bank: each scan step that scored, each entry that FREE_REQUEST met, and
// the backdoor into the bank's memories (parity faults, a dump at the end of a test).

module kvcpu_mon_bank #(
  /// Rows of the bank.
  parameter int unsigned ROWS = 4096
) (
  /// Clock.
  input logic                        clk_i,
  /// Reset, active low.
  input logic                        rst_ni,
  /// A scan step at S5 scored its entry, and is not repeated.
  input logic                        scored_i,
  /// Row of S5.
  input logic [kvcpu_pkg::RowW-1:0]  s5_row_i,
  /// The entry after.
  input kvcpu_pkg::meta_t            meta_i,
  /// Decision.
  input logic                        evict_i,
  /// Decision.
  input logic                        prefetch_i,
  /// The decision found a waiting place.
  input logic                        accept_i,
  /// The decision is dropped.
  input logic                        drop_i,
  /// The entry counts in the histogram.
  input logic                        hist_i,
  /// FREE_REQUEST removes the entry of S3.
  input logic                        removed_i,
  /// FREE_REQUEST leaves the entry of S3.
  input logic                        stayed_i,
  /// Row of S3.
  input logic [kvcpu_pkg::RowW-1:0]  s3_row_i,
  /// A slot that FREE_REQUEST freed goes to its pool.
  input logic                        freed_pop_i,
  /// Its tier.
  input logic [1:0]                  freed_tier_i,
  /// The slot.
  input logic [kvcpu_pkg::SlotW-1:0] freed_slot_i,
  /// FREE_REQUEST's request.
  input logic [15:0]                 request_id_i
);
  import kvcpu_pkg::*;
  import kvcpu_tb_pkg::*;
  import kvcpu_events_pkg::*;
  import kvcpu_mon_pkg::*;

  int bank;
  initial bank = kv_bank_number($sformatf("%m"));

  function automatic logic [IndexW-1:0] index_of(logic [RowW-1:0] row);
    return IndexW'(int'(row) * kv_bank_count() + bank);
  endfunction

  always @(posedge clk_i) begin
    if (rst_ni) begin
      if (scored_i) begin
        record_score('{
          index: index_of(s5_row_i),
          prio: meta_i.prio,
          r: meta_i.r,
          f: meta_i.f,
          decision: evict_i ? DecisionEvict : prefetch_i ? DecisionPrefetch : DecisionNone,
          accepted: accept_i,
          dropped: drop_i,
          counted: hist_i,
          access_step: meta_i.access_step,
          ref_count: meta_i.ref_count,
          tier: meta_i.tier,
          prefix: meta_i.prefix,
          dirty: meta_i.dirty,
          hot: meta_i.hot,
          evictable: meta_i.evictable,
          hint: meta_i.hint,
          in_flight: meta_i.in_flight,
          request_id: meta_i.request_id
        });
      end
      if (removed_i || stayed_i) begin
        record_free('{index: index_of(s3_row_i), request_id: request_id_i, removed: removed_i});
      end
      if (freed_pop_i) record_freed('{tier: freed_tier_i, slot: freed_slot_i});
      if (kv_dump_wanted(bank) != 0) dump();
    end
  end

  // ------------------------------------------------------------------ backdoor
  // Names below are found upwards, in the bank that this monitor is bound into.

  /// Every valid entry, as the memories hold it.
  function automatic void dump();
    for (int row = 0; row < int'(ROWS); row++) begin
      tag_t tag;
      meta_t meta;
      tag = u_store.unpack_tag(u_store.u_tag.g_mem.mem[row]);
      meta = meta_t'(u_store.u_meta.g_mem.mem[row][$bits(meta_t)-1:0]);
      if (tag.valid || meta.valid) begin
        record_dump('{
          index: index_of(RowW'(row)),
          tag_valid: tag.valid,
          meta_valid: meta.valid,
          tag_parity: ^u_store.u_tag.g_mem.mem[row],
          meta_parity: ^u_store.u_meta.g_mem.mem[row],
          move_id: meta.move_id,
          generation: meta.generation,
          entry: entry_of(tag, meta)
        });
      end
    end
  endfunction

  // A fault: between two clock edges one bit of one word is inverted.
  always @(negedge clk_i) begin
    int row, tag, bit_no;
    if (rst_ni && kv_poke(bank, row, tag, bit_no) != 0) begin
      if (tag != 0) u_store.u_tag.g_mem.mem[row][bit_no] = !u_store.u_tag.g_mem.mem[row][bit_no];
      else u_store.u_meta.g_mem.mem[row][bit_no] = !u_store.u_meta.g_mem.mem[row][bit_no];
    end
  end
endmodule
