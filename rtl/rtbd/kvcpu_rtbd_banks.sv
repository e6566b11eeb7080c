// The banks of the directory, and what goes over all of them: the sweep that clears them after a reset, FREE_REQUEST
// (kvcpu_rtbd_free collects what the banks free), and the count of entries read with bad parity.
//
// Each bank is one way (kvcpu_rtbd_bank). T1 reads the tags of all banks at once; from S0 on an operation is in one of
// them, which its `[LANES-1:0]` inputs select.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_banks #(
  /// Rows of a bank, ENTRIES / LANES. Power of two, 64 to 16,384.
  parameter int unsigned ROWS = 4096,
  /// Lanes and banks (device.md 1). Legal: 4, 8, 16.
  parameter int unsigned LANES = 16,
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                                  clk_i,
  /// Reset, active low.
  input  logic                                  rst_ni,
  /// Soft reset: clear (one cycle, with the pipeline empty).
  input  logic                                  clear_i,
  /// The directory is being cleared, row by row.
  output logic                                  sweep_o,
  /// The directory has been cleared; commands are accepted.
  output logic                                  ready_o,
  /// T1 or T2 holds an operation: port A reads its tag.
  input  logic                                  t1_read_i,
  /// Port A has no operation's tag to read.
  input  logic                                  port_a_idle_i,
  /// T1: it reads at the hash's row.
  input  logic                                  t1_hashed_i,
  /// T1: row of the operation's key in this bank.
  input  logic [LANES-1:0][kvcpu_pkg::RowW-1:0] t1_hash_row_i,
  /// T1: row of an operation by index, or T2's row while that waits.
  input  logic [LANES-1:0][kvcpu_pkg::RowW-1:0] t1_other_row_i,
  /// T1..T3 advance.
  input  logic                                  advance_i,
  /// T2: key of the operation.
  input  kvcpu_pkg::kv_addr_t                   t2_kv_addr_i,
  /// T2: least TOKEN_END, offset inside the block, of an entry that it matches.
  input  logic [7:0]                            t2_least_i,
  /// T3: tag of the row.
  output kvcpu_pkg::tag_t [LANES-1:0]           t3_tag_o,
  /// T3: its VALID, earlier than there.
  output logic [LANES-1:0]                      t3_valid_o,
  /// T3: the tag's parity is good.
  output logic [LANES-1:0]                      t3_tag_ok_o,
  /// T3: the tag's key is the operation's, and TOKEN_END is far enough (valid or not, whatever its parity).
  output logic [LANES-1:0]                      t3_same_key_o,
  /// An operation enters the head of the pipeline: it is in S0 from the next cycle on.
  input  logic                                  s0_load_i,
  /// It comes from the S0 skid register, else from T3.
  input  logic                                  s0_from_spare_i,
  /// Its row, if it comes from there.
  input  logic [LANES-1:0][kvcpu_pkg::RowW-1:0] s0_spare_row_i,
  /// Its row, if it comes from T3.
  input  logic [LANES-1:0][kvcpu_pkg::RowW-1:0] t3_row_i,
  /// S0: the operation at the head of the pipeline targets this bank and may go.
  input  logic [LANES-1:0]                      s0_valid_i,
  /// S0: its row.
  input  logic [LANES-1:0][kvcpu_pkg::RowW-1:0] s0_row_i,
  /// S0: it also reads the tag, through port B.
  input  logic                                  s0_read_tag_i,
  /// The same of the operation in the S0 skid register.
  input  logic                                  s0_spare_read_tag_i,
  /// The same of the operation in T3.
  input  logic                                  t3_read_i,
  /// S0: this bank takes an operation in this cycle.
  output logic [LANES-1:0]                      s0_ready_o,
  /// S1: generation of the operation's item.
  input  logic [kvcpu_pkg::GenerationW-1:0]     s1_generation_i,
  /// S1: move of the operation.
  input  logic [kvcpu_pkg::MoveIdW-1:0]         s1_move_id_i,
  /// S1: VALID of the meta word, whatever its parity.
  output logic [LANES-1:0]                      s1_valid_o,
  /// S2: the meta word has the generation of S1's item before.
  output logic [LANES-1:0]                      s2_same_generation_o,
  /// S2: the copy of the meta word's block is the move of S1 before, of that generation.
  output logic [LANES-1:0]                      s2_this_move_o,
  /// S2: meta word of the operation or step.
  output kvcpu_pkg::meta_t [LANES-1:0]          s2_meta_o,
  /// S2: tag word (only when it was read through port B).
  output kvcpu_pkg::tag_t [LANES-1:0]           s2_tag_o,
  /// S2: parity of the meta word is good.
  output logic [LANES-1:0]                      s2_meta_ok_o,
  /// S4: an operation will write this bank's tag in the next cycle, at the row of S5.
  input  logic [LANES-1:0]                      s4_tag_we_i,
  /// S5: tag to write.
  input  kvcpu_pkg::tag_t                       s5_tag_i,
  /// S5: an operation writes this bank's meta word.
  input  logic [LANES-1:0]                      s5_meta_we_i,
  /// S5: meta word to write.
  input  kvcpu_pkg::meta_t                      s5_meta_i,
  /// S5: keep the word marked as bad (a relocation moves it as it is).
  input  logic                                  s5_meta_bad_i,
  /// Scan: stop the walk that started in the cycle before.
  input  logic                                  scan_stop_i,
  /// Scan: start a walk at `scan_row_i` (pulse).
  input  logic                                  scan_start_i,
  /// Scan: first row.
  input  logic [kvcpu_pkg::RowW-1:0]            scan_row_i,
  /// Relocations: scans enter no step and FREE_REQUEST does not start while high.
  input  logic                                  freeze_i,
  /// Scan: configuration, as it was at the start of the scan.
  input  kvcpu_pkg::scan_cfg_t                  scan_cfg_i,
  /// Scan: score one row out of turn (relocation); held until taken.
  input  logic [LANES-1:0]                      forced_scan_i,
  /// Scan: that row.
  input  logic [kvcpu_pkg::RowW-1:0]            forced_row_i,
  /// Scan: the row out of turn enters S0.
  output logic [LANES-1:0]                      forced_taken_o,
  /// Scan: the row out of turn has left the pipeline (pulse in S5).
  output logic [LANES-1:0]                      forced_done_o,
  /// Scan: it found no waiting place and must be retried (valid with `forced_done_o`).
  output logic [LANES-1:0]                      forced_again_o,
  /// Scan: all rows walked, no step in the pipeline.
  output logic [LANES-1:0]                      scan_done_o,
  /// Scan: a step is in S1..S5.
  output logic [LANES-1:0]                      scan_in_pipe_o,
  /// Scan decision in S5, to kvcpu_moveq.
  output logic [LANES-1:0]                      dec_valid_o,
  /// Scan decision: evict (1) or prefetch (0).
  output logic [LANES-1:0]                      dec_evict_o,
  /// Scan decision: the item.
  output kvcpu_pkg::item_t [LANES-1:0]          dec_item_o,
  /// Scan decision: taken into a waiting place.
  input  logic [LANES-1:0]                      dec_accept_i,
  /// Scan decision: dropped (and counted).
  input  logic [LANES-1:0]                      dec_drop_i,
  /// Histogram: this S5 step met every eviction condition but the threshold.
  output logic [LANES-1:0]                      hist_valid_o,
  /// Histogram: tier of the entry.
  output logic [LANES-1:0][1:0]                 hist_tier_o,
  /// Histogram: the new P[15:8].
  output logic [LANES-1:0][7:0]                 hist_bin_o,
  /// FREE_REQUEST: start a walk over all rows (pulse); it waits while `freeze_i` is high.
  input  logic                                  free_start_i,
  /// FREE_REQUEST: request to remove.
  input  logic [15:0]                           free_request_id_i,
  /// FREE_REQUEST: done (pulse).
  output logic                                  free_done_o,
  /// FREE_REQUEST: entries that went; valid with `free_done_o`.
  output logic [kvcpu_pkg::CountW-1:0]          free_removed_o,
  /// FREE_REQUEST: entries that stayed; valid with `free_done_o`.
  output logic [kvcpu_pkg::CountW-1:0]          free_stayed_o,
  /// FREE_REQUEST: an entry that had an item goes in this cycle (S3).
  output logic                                  free_orphan_o,
  /// FREE_REQUEST: it must not free a slot in this cycle.
  input  logic                                  free_wait_i,
  /// FREE_REQUEST: it frees a slot.
  output logic                                  free_put_valid_o,
  /// FREE_REQUEST: tier of the slot.
  output logic [1:0]                            free_put_tier_o,
  /// FREE_REQUEST: the slot.
  output logic [kvcpu_pkg::SlotW-1:0]           free_put_slot_o,
  /// FREE_REQUEST: it stops a move.
  output logic                                  free_aborts_o,
  /// FREE_REQUEST: that move.
  output logic [kvcpu_pkg::MoveIdW-1:0]         free_abort_id_o,
  /// Parity: tags that T3 has read are bad.
  input  logic [LANES-1:0]                      t3_bad_i,
  /// Parity: banks whose S2 step is a write of the search.
  input  logic [LANES-1:0]                      s2_overwrites_i,
  /// Counter event: entries read with bad parity in this cycle.
  output logic [5:0]                            count_parity_o,
  /// Index of one of them.
  output logic [15:0]                           parity_index_o
);
  import kvcpu_pkg::*;

  localparam int unsigned RowBits = $clog2(ROWS);
  localparam int unsigned BankBits = $clog2(LANES);

  `KVCPU_CHECK_PARAM(rows, ROWS >= 64 && ROWS <= 16384 && $onehot(ROWS),
                     "ROWS must be a power of two from 64 to 16,384")
  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")

  typedef logic [LANES-1:0] banks_t;

  // ------------------------------------------------------------------ clearing
  logic            sweep_q;
  logic [RowW-1:0] sweep_row_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sweep_q     <= 1'b1;
      sweep_row_q <= '0;
    end else if (clear_i) begin
      sweep_q     <= 1'b1;
      sweep_row_q <= '0;
    end else if (sweep_q) begin
      sweep_row_q <= sweep_row_q + 1'b1;
      if (sweep_row_q == RowW'(ROWS - 1)) sweep_q <= 1'b0;
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) ready_o <= 1'b0;
    else ready_o <= !sweep_q && !clear_i;
  end
  assign sweep_o = sweep_q;

  // An INSERT has its answer before its search has moved entries and written the new one, and FREE_REQUEST may follow
  // at once: the walk starts when the last of these writes has been made, or it would pass rows that they fill later.
  // No INSERT enters during the walk, since directory commands run one after another.
  logic free_start, free_held_q;
  assign free_start = (free_start_i || free_held_q) && !freeze_i;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) free_held_q <= 1'b0;
    else free_held_q <= (free_start_i || free_held_q) && freeze_i && !clear_i;
  end

  // ------------------------------------------------------------------ banks
  banks_t bank_s2_bad, free_bank_done, free_removed, free_stayed, free_orphan, freed_valid, freed_pop, freed_moving;
  logic [LANES-1:0][RowW-1:0] bank_s2_row;
  logic [LANES-1:0][1:0] freed_tier;
  logic [LANES-1:0][SlotW-1:0] freed_slot;
  logic [LANES-1:0][MoveIdW-1:0] freed_move_id;

  for (genvar b = 0; b < LANES; b++) begin : gen_bank
    kvcpu_rtbd_bank #(
      .ROWS        (ROWS),
      .BLOCK_TOKENS(BLOCK_TOKENS)
    ) u_bank (
      .clk_i               (clk_i),
      .rst_ni              (rst_ni),
      .clear_i             (clear_i),
      .sweep_i             (sweep_q),
      .sweep_row_i         (sweep_row_q),
      .t1_read_i           (t1_read_i),
      .port_a_idle_i       (port_a_idle_i),
      .t1_hashed_i         (t1_hashed_i),
      .t1_hash_row_i       (t1_hash_row_i[b]),
      .t1_other_row_i      (t1_other_row_i[b]),
      .advance_i           (advance_i),
      .t2_kv_addr_i        (t2_kv_addr_i),
      .t2_least_i          (t2_least_i),
      .t3_tag_o            (t3_tag_o[b]),
      .t3_valid_o          (t3_valid_o[b]),
      .t3_tag_ok_o         (t3_tag_ok_o[b]),
      .t3_same_key_o       (t3_same_key_o[b]),
      .s0_load_i           (s0_load_i),
      .s0_from_spare_i     (s0_from_spare_i),
      .s0_spare_row_i      (s0_spare_row_i[b]),
      .s0_t3_row_i         (t3_row_i[b]),
      .s0_valid_i          (s0_valid_i[b]),
      .s0_row_i            (s0_row_i[b]),
      .s0_read_tag_i       (s0_read_tag_i),
      .s0_spare_read_tag_i (s0_spare_read_tag_i),
      .s0_t3_read_tag_i    (t3_read_i),
      .s0_ready_o          (s0_ready_o[b]),
      .s1_generation_i     (s1_generation_i),
      .s1_move_id_i        (s1_move_id_i),
      .s1_valid_o          (s1_valid_o[b]),
      .s2_same_generation_o(s2_same_generation_o[b]),
      .s2_this_move_o      (s2_this_move_o[b]),
      .s2_meta_o           (s2_meta_o[b]),
      .s2_tag_o            (s2_tag_o[b]),
      .s2_meta_ok_o        (s2_meta_ok_o[b]),
      .s4_tag_we_i         (s4_tag_we_i[b]),
      .s5_tag_i            (s5_tag_i),
      .s5_meta_we_i        (s5_meta_we_i[b]),
      .s5_meta_i           (s5_meta_i),
      .s5_meta_bad_i       (s5_meta_bad_i),
      .scan_stop_i         (scan_stop_i),
      .scan_start_i        (scan_start_i),
      .scan_row_i          (scan_row_i),
      .scan_pause_i        (freeze_i),
      .scan_cfg_i          (scan_cfg_i),
      .forced_scan_i       (forced_scan_i[b]),
      .forced_row_i        (forced_row_i),
      .forced_taken_o      (forced_taken_o[b]),
      .forced_done_o       (forced_done_o[b]),
      .forced_again_o      (forced_again_o[b]),
      .scan_done_o         (scan_done_o[b]),
      .scan_in_pipe_o      (scan_in_pipe_o[b]),
      .dec_valid_o         (dec_valid_o[b]),
      .dec_evict_o         (dec_evict_o[b]),
      .dec_item_o          (dec_item_o[b]),
      .dec_accept_i        (dec_accept_i[b]),
      .dec_drop_i          (dec_drop_i[b]),
      .hist_valid_o        (hist_valid_o[b]),
      .hist_tier_o         (hist_tier_o[b]),
      .hist_bin_o          (hist_bin_o[b]),
      .free_start_i        (free_start),
      .free_request_id_i   (free_request_id_i),
      .free_done_o         (free_bank_done[b]),
      .free_removed_o      (free_removed[b]),
      .free_stayed_o       (free_stayed[b]),
      .free_orphan_o       (free_orphan[b]),
      .freed_valid_o       (freed_valid[b]),
      .freed_tier_o        (freed_tier[b]),
      .freed_slot_o        (freed_slot[b]),
      .freed_moving_o      (freed_moving[b]),
      .freed_move_id_o     (freed_move_id[b]),
      .freed_pop_i         (freed_pop[b]),
      .s2_bad_o            (bank_s2_bad[b]),
      .s2_row_o            (bank_s2_row[b])
    );
  end

  // ------------------------------------------------------------------ FREE_REQUEST
  assign free_orphan_o = |free_orphan;

  kvcpu_rtbd_free #(
    .LANES(LANES)
  ) u_free (
    .clk_i          (clk_i),
    .rst_ni         (rst_ni),
    .clear_i        (clear_i),
    .start_i        (free_start),
    .done_o         (free_done_o),
    .removed_o      (free_removed_o),
    .stayed_o       (free_stayed_o),
    .bank_done_i    (free_bank_done),
    .bank_removed_i (free_removed),
    .bank_stayed_i  (free_stayed),
    .freed_valid_i  (freed_valid),
    .freed_tier_i   (freed_tier),
    .freed_slot_i   (freed_slot),
    .freed_moving_i (freed_moving),
    .freed_move_id_i(freed_move_id),
    .freed_pop_o    (freed_pop),
    .wait_i         (free_wait_i),
    .put_valid_o    (free_put_valid_o),
    .put_tier_o     (free_put_tier_o),
    .put_slot_o     (free_put_slot_o),
    .abort_o        (free_aborts_o),
    .abort_move_id_o(free_abort_id_o)
  );

  // ------------------------------------------------------------------ parity
  // Counted and named a cycle after they are seen. The search's writes read nothing: a relocated entry
  // with bad parity counts where it is read, not where another one is written over the place it left.
  banks_t t3_bad_q, s2_bad_q;
  logic [LANES-1:0][RowW-1:0] t3_bad_row_q, s2_bad_row_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      t3_bad_q       <= '0;
      s2_bad_q       <= '0;
      count_parity_o <= '0;
    end else begin
      t3_bad_q       <= sweep_q ? '0 : t3_bad_i;
      s2_bad_q       <= sweep_q ? '0 : bank_s2_bad & ~s2_overwrites_i;
      count_parity_o <= 6'($countones(t3_bad_q)) + 6'($countones(s2_bad_q));
    end
  end
  always_ff @(posedge clk_i) begin
    t3_bad_row_q <= t3_row_i;
    s2_bad_row_q <= bank_s2_row;
    for (int b = LANES - 1; b >= 0; b--) begin
      if (t3_bad_q[b]) parity_index_o <= IndexW'({t3_bad_row_q[b][RowBits-1:0], BankBits'(b)});
    end
    for (int b = LANES - 1; b >= 0; b--) begin
      if (s2_bad_q[b]) parity_index_o <= IndexW'({s2_bad_row_q[b][RowBits-1:0], BankBits'(b)});
    end
  end


  // ------------------------------------------------------------------ invariants
  `KVCPU_ASSERT(no_walk_while_relocating, freeze_i |-> &free_bank_done,
                "FREE_REQUEST walks no row while an entry is relocated")

endmodule
