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

  int bank;
  initial bank = kv_bank_number($sformatf("%m"));

  function automatic int index_of(logic [RowW-1:0] row);
    return int'(row) * kv_bank_count() + bank;
  endfunction

  always @(posedge clk_i) begin
    if (rst_ni) begin
      if (scored_i) begin
        kv_record4(StreamScan,
                   {16'({11'd0, hist_i, drop_i, accept_i, prefetch_i, evict_i}), meta_i.f, meta_i.r,
                    meta_i.prio, 16'(index_of(s5_row_i))},
                   {meta_flags(meta_i), 8'(meta_i.tier), meta_i.ref_count, meta_i.access_step},
                   {16'd0, meta_i.generation, meta_i.slot, meta_i.request_id});
      end
      if (removed_i || stayed_i) begin
        kv_record16(StreamMain, head(EvFree, 0, 0, 0, index_of(s3_row_i)),
                    64'({16'(removed_i), request_id_i}), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
      end
      if (freed_pop_i) begin
        kv_record16(StreamMain, head(EvFreed, 0, 0, 0, 0), 64'({freed_tier_i, freed_slot_i}), 0, 0, 0,
                    0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
      end
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
      tag = kvcpu_rtbd_bank.unpack_tag(u_tag.g_mem.mem[row]);
      meta = meta_t'(u_meta.g_mem.mem[row][$bits(meta_t)-1:0]);
      if (tag.valid || meta.valid) begin
        kv_record16(StreamMain,
                    head(EvDump, int'(tag.valid), int'(meta.valid),
                         int'({^u_meta.g_mem.mem[row], ^u_tag.g_mem.mem[row]}), row * kv_bank_count() + bank),
                    entry_word0(tag), entry_word1(meta), entry_word2(tag, meta), entry_word3(meta), 0,
                    0, 0, 0, 0, 0, 0, 0, 0, 0);
      end
    end
  endfunction

  // A fault: between two clock edges one bit of one word turns over.
  always @(negedge clk_i) begin
    int row, tag, bit_no;
    if (rst_ni && kv_poke(bank, row, tag, bit_no) != 0) begin
      if (tag != 0) u_tag.g_mem.mem[row][bit_no] = !u_tag.g_mem.mem[row][bit_no];
      else u_meta.g_mem.mem[row][bit_no] = !u_meta.g_mem.mem[row][bit_no];
    end
  end
endmodule
