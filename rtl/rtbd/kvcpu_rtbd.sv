// RTBD, the directory: one operation a cycle through T0..T3 (find the entry) and S0..S5 (change it),
// in parallel one scan step per cycle and bank. docs/microarchitecture.md 2 has the stages.
//
// Here the parts are connected: kvcpu_rtbd_enter (T0 to S0, where an operation may wait), kvcpu_rtbd_execute (S1 to S5,
// where none waits), kvcpu_rtbd_insert_search (relocations, when no bank has a free place for a key), kvcpu_rtbd_banks
// (memories, scans, FREE_REQUEST) and kvcpu_rtbd_release (slots and moves that are given back).

`include "kvcpu_assert.svh"

module kvcpu_rtbd #(
  /// Entries (device.md 1). Power of two, 1,024 to 65,536.
  parameter int unsigned ENTRIES = 65536,
  /// Lanes and banks (device.md 1). Legal: 4, 8, 16.
  parameter int unsigned LANES = 16,
  /// Lookup ports (device.md 1). Legal: 1 to 8.
  parameter int unsigned PORTS = 3,
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16,
  /// DMA moves in flight. Power of two, 16 to 64.
  parameter int unsigned MOVES = 64
) (
  /// Clock.
  input  logic                                clk_i,
  /// Reset, active low.
  input  logic                                rst_ni,
  /// Soft reset: nothing new enters the pipeline.
  input  logic                                halt_i,
  /// Soft reset: clear (one cycle, with the pipeline empty).
  input  logic                                clear_i,
  /// The pipeline is empty.
  output logic                                quiet_o,
  /// Slots are being configured: no operation that takes a slot may enter.
  input  logic                                takes_hold_i,
  /// No operation that takes a slot is in the pipeline, and none may enter.
  output logic                                takes_quiet_o,
  /// A slot has been taken for an INSERT that commits in the next cycle: free slots must not be judged.
  output logic                                slot_ahead_o,
  /// The directory has been cleared; commands are accepted.
  output logic                                ready_o,
  /// No lookup is on its way and no answer waits.
  output logic                                ports_idle_o,

  /// Configuration registers.
  input  kvcpu_pkg::cfg_t                     cfg_i,
  /// The same, as they are from the next cycle on.
  input  kvcpu_pkg::cfg_t                     cfg_next_i,
  /// Current step.
  input  logic [31:0]                         step_i,
  /// The step is written: it is `step_new_i` from the next cycle on.
  input  logic                                step_we_i,
  /// The new step; means nothing while `step_we_i` is low.
  input  logic [31:0]                         step_new_i,

  /// Lookup ports: request valid (device.md 3).
  input  logic [PORTS-1:0]                    lookup_valid_i,
  /// Lookup ports: request taken.
  output logic [PORTS-1:0]                    lookup_ready_o,
  /// Lookup ports: KV address.
  input  logic [PORTS-1:0][63:0]              lookup_kv_addr_i,
  /// Lookup ports: write lookup.
  input  logic [PORTS-1:0]                    lookup_write_i,
  /// Answers, in order per port.
  output logic [PORTS-1:0]                    answer_valid_o,
  /// Answers: taken.
  input  logic [PORTS-1:0]                    answer_ready_i,
  /// Answers: hit.
  output logic [PORTS-1:0]                    answer_hit_o,
  /// Answers: outside the tenant window.
  output logic [PORTS-1:0]                    answer_denied_o,
  /// Answers: tier.
  output logic [PORTS-1:0][1:0]               answer_tier_o,
  /// Answers: PHYS_ADDR, bytes.
  output logic [PORTS-1:0][63:0]              answer_phys_addr_o,
  /// Answers: index of the entry.
  output logic [PORTS-1:0][15:0]              answer_index_o,

  /// Commands: operation.
  input  logic                                cmd_valid_i,
  /// Commands: taken.
  output logic                                cmd_ready_o,
  /// Commands: the operation.
  input  kvcpu_pkg::op_t                      cmd_op_i,
  /// Commands: it takes a slot.
  input  logic                                cmd_takes_i,
  /// DMA: operation.
  input  logic                                dma_valid_i,
  /// DMA: taken.
  output logic                                dma_ready_o,
  /// DMA: the operation.
  input  kvcpu_pkg::op_t                      dma_op_i,
  /// BAR2: operation.
  input  logic                                bar2_valid_i,
  /// BAR2: taken.
  output logic                                bar2_ready_o,
  /// BAR2: the operation.
  input  kvcpu_pkg::op_t                      bar2_op_i,
  /// Result, one cycle after the commit point: for commands.
  output logic                                cmd_rsp_valid_o,
  /// Result: for the DMA.
  output logic                                dma_rsp_valid_o,
  /// Result: for BAR2.
  output logic                                bar2_rsp_valid_o,
  /// Result for the DMA and BAR2.
  output kvcpu_pkg::rsp_t                     rsp_o,
  /// Result for commands.
  output kvcpu_pkg::rsp_t                     cmd_rsp_o,
  /// An INSERT is at S1: `cmd_phys_addr_o` and `cmd_index_o` are those of its new entry, if it gets one here.
  output logic                                cmd_insert_o,
  /// It does: this is its result (OK), and no other follows.
  output logic                                cmd_inserted_o,
  /// PHYS_ADDR of the new entry, bytes.
  output logic [63:0]                         cmd_phys_addr_o,
  /// Index of the new entry.
  output logic [kvcpu_pkg::IndexW-1:0]        cmd_index_o,

  /// FREE_REQUEST: start (pulse).
  input  logic                                free_start_i,
  /// FREE_REQUEST: request.
  input  logic [15:0]                         free_request_id_i,
  /// FREE_REQUEST: done (pulse).
  output logic                                free_done_o,
  /// FREE_REQUEST: entries that went; valid with `free_done_o`.
  output logic [kvcpu_pkg::CountW-1:0]        free_removed_o,
  /// FREE_REQUEST: entries that stayed; valid with `free_done_o`.
  output logic [kvcpu_pkg::CountW-1:0]        free_stayed_o,

  /// Scan: stop the walks that started in the cycle before.
  input  logic                                scan_stop_i,
  /// Scan: start (pulse).
  input  logic                                scan_start_i,
  /// Scan: start row.
  input  logic [kvcpu_pkg::RowW-1:0]          scan_row_i,
  /// Scan: runs.
  input  logic                                scan_busy_i,
  /// Scan: configuration.
  input  kvcpu_pkg::scan_cfg_t                scan_cfg_i,
  /// Scan: the bank has walked all its rows.
  output logic [LANES-1:0]                    lane_done_o,
  /// Scan decisions (S5), to kvcpu_moveq.
  output logic [LANES-1:0]                    dec_valid_o,
  /// Scan decisions: evict (1) or prefetch (0).
  output logic [LANES-1:0]                    dec_evict_o,
  /// Scan decisions: items.
  output kvcpu_pkg::item_t [LANES-1:0]        dec_item_o,
  /// Scan decisions: taken.
  input  logic [LANES-1:0]                    dec_accept_i,
  /// Scan decisions: dropped.
  input  logic [LANES-1:0]                    dec_drop_i,
  /// Histogram: valid (S5).
  output logic [LANES-1:0]                    hist_valid_o,
  /// Histogram: tier.
  output logic [LANES-1:0][1:0]               hist_tier_o,
  /// Histogram: P[15:8].
  output logic [LANES-1:0][7:0]               hist_bin_o,

  /// Item of an operation (S3); not taken when its queue is full.
  output logic                                push_valid_o,
  /// It may push one: its channel and its item are valid. Known early in the cycle.
  output logic                                push_may_o,
  /// Its channel.
  output logic                                push_channel_o,
  /// The item.
  output kvcpu_pkg::item_t                    push_item_o,
  /// The evict queue has no place.
  input  logic                                evict_full_i,
  /// The prefetch queue has no place.
  input  logic                                prefetch_full_i,

  /// Slot pools: take (S3).
  output logic [kvcpu_pkg::TierCount-1:0]     take_o,
  /// Slot pools: a slot can be taken.
  input  logic [kvcpu_pkg::TierCount-1:0]     slot_avail_i,
  /// Slot pools: a slot is free.
  input  logic [kvcpu_pkg::TierCount-1:0]     slot_some_i,
  /// Slot pools: more slots are free than RESERVE keeps.
  input  logic [kvcpu_pkg::TierCount-1:0]     slot_above_i,
  /// Slot pools: the slot that would be taken.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::SlotW-1:0]  slot_i,
  /// Slot pools: number of that head slot.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::OfferW-1:0] offer_i,
  /// Slot pools: give back (one tier at a time).
  output logic [kvcpu_pkg::TierCount-1:0]     put_o,
  /// Slot pools: quarantined until the fence.
  output logic                                put_held_o,
  /// Slot pools: the slot given back.
  output logic [kvcpu_pkg::SlotW-1:0]         put_slot_o,

  /// DMA: stop these moves; a cycle after the commit point.
  output logic [MOVES-1:0]                    abort_o,

  /// Miss queue: push.
  output logic                                miss_valid_o,
  /// Miss queue: KV address.
  output kvcpu_pkg::kv_addr_t                 miss_kv_addr_o,
  /// Counter event: a hit.
  output logic                                count_hit_o,
  /// Counter event: a miss.
  output logic                                count_miss_o,
  /// Counter event: a denial.
  output logic                                count_denied_o,
  /// Counter event: entries read with bad parity in this cycle.
  output logic [5:0]                          count_parity_o,
  /// Index of one of them.
  output logic [15:0]                         parity_index_o
);
  import kvcpu_pkg::*;

  localparam int unsigned ROWS = ENTRIES / LANES;

  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= MaxEntries && $onehot(ENTRIES),
                     "ENTRIES must be a power of two from 1,024 to 65,536")
  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(ports, PORTS >= 1 && PORTS <= MaxPorts, "PORTS must be 1 to 8")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")

  typedef logic [LANES-1:0] banks_t;

  // ------------------------------------------------------------------ T0..S0: find the entry
  logic sweep, freeze, probe_valid, probe_ready, find_quiet, find_takes, takes_held;
  op_t probe_op;
  logic [PORTS-1:0] credit;
  logic t1_read, port_a_idle, t1_hashed, advance, t3_insert, t3_load, t3_read;
  logic [LANES-1:0][RowW-1:0] t1_hash_row, t1_other_row, t3_row, s0_spare_row, s0_row;
  kv_addr_t t2_kv_addr;
  logic [7:0] t2_least;
  tag_t [LANES-1:0] t3_tag;
  banks_t t3_valid, t3_tag_ok, t3_same_key, t3_bad, s0_valid, s0_ready, s0_first_free;
  logic s0_load, s0_from_spare, s0_spare_read_tag, s0_read_tag, s0_go, probe_done;
  logic [RowW-1:0] s0_free_row;
  logic [31:0] s0_ins_offset;

  // Accesses of the insert search.
  logic eng_valid, eng_write, eng_final, eng_ready, eng_meta_bad;
  banks_t eng_bank;
  logic [RowW-1:0] eng_row;
  tag_t eng_tag;
  meta_t eng_meta;
  op_t eng_op;
  logic [SlotW-1:0] eng_slot;
  found_t s0;

  kvcpu_rtbd_enter #(
    .ROWS        (ROWS),
    .LANES       (LANES),
    .PORTS       (PORTS),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_enter (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .halt_i             (halt_i || sweep || clear_i),
    .takes_hold_i       (takes_hold_i),
    .takes_hold_o       (takes_held),
    .quiet_o            (find_quiet),
    .takes_o            (find_takes),
    .cfg_i              (cfg_i),
    .lookup_valid_i     (lookup_valid_i),
    .lookup_ready_o     (lookup_ready_o),
    .lookup_kv_addr_i   (lookup_kv_addr_i),
    .lookup_write_i     (lookup_write_i),
    .lookup_credit_i    (credit),
    .cmd_valid_i        (cmd_valid_i),
    .cmd_ready_o        (cmd_ready_o),
    .cmd_op_i           (cmd_op_i),
    .cmd_takes_i        (cmd_takes_i),
    .dma_valid_i        (dma_valid_i),
    .dma_ready_o        (dma_ready_o),
    .dma_op_i           (dma_op_i),
    .bar2_valid_i       (bar2_valid_i),
    .bar2_ready_o       (bar2_ready_o),
    .bar2_op_i          (bar2_op_i),
    .probe_valid_i      (probe_valid),
    .probe_ready_o      (probe_ready),
    .probe_op_i         (probe_op),
    .freeze_i           (freeze),
    .slot_i             (slot_i),
    .offer_i            (offer_i),
    .eng_valid_i        (eng_valid),
    .eng_ready_o        (eng_ready),
    .eng_write_i        (eng_write),
    .eng_final_i        (eng_final),
    .eng_bank_i         (eng_bank),
    .eng_row_i          (eng_row),
    .eng_op_i           (eng_op),
    .eng_slot_i         (eng_slot),
    .t3_insert_o        (t3_insert),
    .t3_load_o          (t3_load),
    .probe_done_o       (probe_done),
    .s0_first_free_o    (s0_first_free),
    .s0_free_row_o      (s0_free_row),
    .t1_read_o          (t1_read),
    .port_a_idle_o      (port_a_idle),
    .t1_hashed_o        (t1_hashed),
    .t1_hash_row_o      (t1_hash_row),
    .t1_other_row_o     (t1_other_row),
    .advance_o          (advance),
    .t2_kv_addr_o       (t2_kv_addr),
    .t2_least_o         (t2_least),
    .t3_row_o           (t3_row),
    .t3_read_o          (t3_read),
    .t3_tag_i           (t3_tag),
    .t3_valid_i         (t3_valid),
    .t3_tag_ok_i        (t3_tag_ok),
    .t3_same_key_i      (t3_same_key),
    .t3_bad_o           (t3_bad),
    .s0_load_o          (s0_load),
    .s0_from_spare_o    (s0_from_spare),
    .s0_spare_row_o     (s0_spare_row),
    .s0_spare_read_tag_o(s0_spare_read_tag),
    .s0_valid_o         (s0_valid),
    .s0_row_o           (s0_row),
    .s0_read_tag_o      (s0_read_tag),
    .s0_ready_i         (s0_ready),
    .s0_go_o            (s0_go),
    .s0_o               (s0),
    .s0_ins_offset_o    (s0_ins_offset)
  );

  // ------------------------------------------------------------------ S1..S5: change it
  logic put_valid, put_held, s3_aborts, free_orphan, result_valid, result_ok, s5_meta_bad;
  logic [1:0] s2_put_tier;
  logic [3:0] result_bank;
  logic [RowW-1:0] result_row;
  logic [SlotW-1:0] put_slot;
  logic [GenerationW-1:0] s1_generation;
  logic [MoveIdW-1:0] s1_move_id, s3_abort_id;
  search_view_t search_view;
  tag_t s5_tag;
  meta_t s5_meta;
  banks_t bank_s1_valid, bank_s2_same_generation, bank_s2_this_move, bank_s2_meta_ok, s2_overwrites, s4_tag_we;
  banks_t s5_meta_we;
  meta_t [LANES-1:0] bank_s2_meta;
  tag_t [LANES-1:0] bank_s2_tag;

  kvcpu_rtbd_execute #(
    .ROWS        (ROWS),
    .LANES       (LANES),
    .PORTS       (PORTS),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_execute (
    .clk_i                    (clk_i),
    .rst_ni                   (rst_ni),
    .find_quiet_i             (find_quiet),
    .find_takes_i             (find_takes),
    .takes_hold_i             (takes_held),
    .quiet_o                  (quiet_o),
    .takes_quiet_o            (takes_quiet_o),
    .slot_ahead_o             (slot_ahead_o),
    .cfg_i                    (cfg_i),
    .cfg_next_i               (cfg_next_i),
    .step_i                   (step_i),
    .step_we_i                (step_we_i),
    .step_new_i               (step_new_i),
    .epoch_i                  (scan_cfg_i.epoch),
    .s0_go_i                  (s0_go),
    .s0_i                     (s0),
    .s0_ins_offset_i          (s0_ins_offset),
    .lookup_enters_i          (lookup_valid_i & lookup_ready_o),
    .lookup_credit_o          (credit),
    .answer_valid_o           (answer_valid_o),
    .answer_ready_i           (answer_ready_i),
    .answer_hit_o             (answer_hit_o),
    .answer_denied_o          (answer_denied_o),
    .answer_tier_o            (answer_tier_o),
    .answer_phys_addr_o       (answer_phys_addr_o),
    .answer_index_o           (answer_index_o),
    .ports_idle_o             (ports_idle_o),
    .cmd_rsp_valid_o          (cmd_rsp_valid_o),
    .dma_rsp_valid_o          (dma_rsp_valid_o),
    .bar2_rsp_valid_o         (bar2_rsp_valid_o),
    .rsp_o                    (rsp_o),
    .cmd_rsp_o                (cmd_rsp_o),
    .cmd_insert_o             (cmd_insert_o),
    .cmd_inserted_o           (cmd_inserted_o),
    .cmd_phys_addr_o          (cmd_phys_addr_o),
    .cmd_index_o              (cmd_index_o),
    .push_valid_o             (push_valid_o),
    .push_may_o               (push_may_o),
    .push_channel_o           (push_channel_o),
    .push_item_o              (push_item_o),
    .evict_full_i             (evict_full_i),
    .prefetch_full_i          (prefetch_full_i),
    .take_o                   (take_o),
    .slot_avail_i             (slot_avail_i),
    .slot_some_i              (slot_some_i),
    .slot_above_i             (slot_above_i),
    .slot_i                   (slot_i),
    .offer_i                  (offer_i),
    .put_i                    (put_o),
    .s2_put_tier_o            (s2_put_tier),
    .put_valid_o              (put_valid),
    .put_held_o               (put_held),
    .put_slot_o               (put_slot),
    .aborts_o                 (s3_aborts),
    .abort_id_o               (s3_abort_id),
    .free_orphan_i            (free_orphan),
    .miss_valid_o             (miss_valid_o),
    .miss_kv_addr_o           (miss_kv_addr_o),
    .count_hit_o              (count_hit_o),
    .count_miss_o             (count_miss_o),
    .count_denied_o           (count_denied_o),
    .search_view_o            (search_view),
    .eng_tag_i                (eng_tag),
    .eng_meta_i               (eng_meta),
    .eng_meta_bad_i           (eng_meta_bad),
    .eng_op_i                 (eng_op),
    .eng_slot_i               (eng_slot),
    .result_valid_i           (result_valid),
    .result_ok_i              (result_ok),
    .result_bank_i            (result_bank),
    .result_row_i             (result_row),
    .s1_generation_o          (s1_generation),
    .s1_move_id_o             (s1_move_id),
    .bank_s1_valid_i          (bank_s1_valid),
    .bank_s2_same_generation_i(bank_s2_same_generation),
    .bank_s2_this_move_i      (bank_s2_this_move),
    .bank_s2_meta_i           (bank_s2_meta),
    .bank_s2_tag_i            (bank_s2_tag),
    .bank_s2_meta_ok_i        (bank_s2_meta_ok),
    .s2_overwrites_o          (s2_overwrites),
    .s4_tag_we_o              (s4_tag_we),
    .s5_tag_o                 (s5_tag),
    .s5_meta_we_o             (s5_meta_we),
    .s5_meta_o                (s5_meta),
    .s5_meta_bad_o            (s5_meta_bad)
  );

  // ------------------------------------------------------------------ insert search
  banks_t forced_scan, forced_taken, forced_done, forced_again, scan_in_pipe;
  logic [RowW-1:0] forced_row;
  logic search_put_valid, search_put_ready;

  kvcpu_rtbd_insert_search #(
    .LANES       (LANES),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_insert_search (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .clear_i          (clear_i),
    .t3_insert_i      (t3_insert),
    .t3_load_i        (t3_load),
    .t3_tag_i         (t3_tag),
    .t3_tag_ok_i      (t3_tag_ok),
    .t3_row_i         (t3_row),
    .probe_done_i     (probe_done),
    .probe_bank_i     (s0.op.index[3:0]),
    .probe_free_i     (s0.place),
    .probe_free_bank_i(s0_first_free),
    .probe_free_row_i (s0_free_row),
    .view_i           (search_view),
    .op_valid_o       (probe_valid),
    .op_ready_i       (probe_ready),
    .op_o             (probe_op),
    .freeze_o         (freeze),
    .quiet_i          (quiet_o && (scan_in_pipe == '0)),
    .scan_busy_i      (scan_busy_i),
    .eng_valid_o      (eng_valid),
    .eng_bank_o       (eng_bank),
    .eng_row_o        (eng_row),
    .eng_write_o      (eng_write),
    .eng_final_o      (eng_final),
    .eng_ready_i      (eng_ready),
    .eng_tag_o        (eng_tag),
    .eng_meta_o       (eng_meta),
    .eng_meta_bad_o   (eng_meta_bad),
    .eng_op_o         (eng_op),
    .eng_slot_o       (eng_slot),
    .forced_scan_o    (forced_scan),
    .forced_row_o     (forced_row),
    .forced_done_i    (forced_done),
    .forced_again_i   (forced_again),
    .forced_taken_i   (forced_taken),
    .result_valid_o   (result_valid),
    .result_ok_o      (result_ok),
    .result_bank_o    (result_bank),
    .result_row_o     (result_row),
    .put_valid_o      (search_put_valid),
    .put_ready_i      (search_put_ready)
  );

  // ------------------------------------------------------------------ banks
  logic free_wait, free_put_valid, free_aborts;
  logic [1:0] free_put_tier;
  logic [SlotW-1:0] free_put_slot;
  logic [MoveIdW-1:0] free_abort_id;

  kvcpu_rtbd_banks #(
    .ROWS        (ROWS),
    .LANES       (LANES),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_banks (
    .clk_i               (clk_i),
    .rst_ni              (rst_ni),
    .clear_i             (clear_i),
    .sweep_o             (sweep),
    .ready_o             (ready_o),
    .t1_read_i           (t1_read),
    .port_a_idle_i       (port_a_idle),
    .t1_hashed_i         (t1_hashed),
    .t1_hash_row_i       (t1_hash_row),
    .t1_other_row_i      (t1_other_row),
    .advance_i           (advance),
    .t2_kv_addr_i        (t2_kv_addr),
    .t2_least_i          (t2_least),
    .t3_tag_o            (t3_tag),
    .t3_valid_o          (t3_valid),
    .t3_tag_ok_o         (t3_tag_ok),
    .t3_same_key_o       (t3_same_key),
    .s0_load_i           (s0_load),
    .s0_from_spare_i     (s0_from_spare),
    .s0_spare_row_i      (s0_spare_row),
    .t3_row_i            (t3_row),
    .s0_valid_i          (s0_valid),
    .s0_row_i            (s0_row),
    .s0_read_tag_i       (s0_read_tag),
    .s0_spare_read_tag_i (s0_spare_read_tag),
    .t3_read_i           (t3_read),
    .s0_ready_o          (s0_ready),
    .s1_generation_i     (s1_generation),
    .s1_move_id_i        (s1_move_id),
    .s1_valid_o          (bank_s1_valid),
    .s2_same_generation_o(bank_s2_same_generation),
    .s2_this_move_o      (bank_s2_this_move),
    .s2_meta_o           (bank_s2_meta),
    .s2_tag_o            (bank_s2_tag),
    .s2_meta_ok_o        (bank_s2_meta_ok),
    .s4_tag_we_i         (s4_tag_we),
    .s5_tag_i            (s5_tag),
    .s5_meta_we_i        (s5_meta_we),
    .s5_meta_i           (s5_meta),
    .s5_meta_bad_i       (s5_meta_bad),
    .scan_stop_i         (scan_stop_i),
    .scan_start_i        (scan_start_i),
    .scan_row_i          (scan_row_i),
    .freeze_i            (freeze),
    .scan_cfg_i          (scan_cfg_i),
    .forced_scan_i       (forced_scan),
    .forced_row_i        (forced_row),
    .forced_taken_o      (forced_taken),
    .forced_done_o       (forced_done),
    .forced_again_o      (forced_again),
    .scan_done_o         (lane_done_o),
    .scan_in_pipe_o      (scan_in_pipe),
    .dec_valid_o         (dec_valid_o),
    .dec_evict_o         (dec_evict_o),
    .dec_item_o          (dec_item_o),
    .dec_accept_i        (dec_accept_i),
    .dec_drop_i          (dec_drop_i),
    .hist_valid_o        (hist_valid_o),
    .hist_tier_o         (hist_tier_o),
    .hist_bin_o          (hist_bin_o),
    .free_start_i        (free_start_i),
    .free_request_id_i   (free_request_id_i),
    .free_done_o         (free_done_o),
    .free_removed_o      (free_removed_o),
    .free_stayed_o       (free_stayed_o),
    .free_orphan_o       (free_orphan),
    .free_wait_i         (free_wait),
    .free_put_valid_o    (free_put_valid),
    .free_put_tier_o     (free_put_tier),
    .free_put_slot_o     (free_put_slot),
    .free_aborts_o       (free_aborts),
    .free_abort_id_o     (free_abort_id),
    .t3_bad_i            (t3_bad),
    .s2_overwrites_i     (s2_overwrites),
    .count_parity_o      (count_parity_o),
    .parity_index_o      (parity_index_o)
  );

  // ------------------------------------------------------------------ slots and moves given back
  kvcpu_rtbd_release #(
    .MOVES(MOVES)
  ) u_release (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .s2_put_tier_i     (s2_put_tier),
    .s3_put_valid_i    (put_valid),
    .s3_put_held_i     (put_held),
    .s3_put_slot_i     (put_slot),
    .s3_aborts_i       (s3_aborts),
    .s3_abort_id_i     (s3_abort_id),
    .search_put_valid_i(search_put_valid),
    .search_put_ready_o(search_put_ready),
    .search_put_tier_i (eng_op.tier),
    .search_put_slot_i (eng_slot),
    .free_wait_o       (free_wait),
    .free_put_valid_i  (free_put_valid),
    .free_put_tier_i   (free_put_tier),
    .free_put_slot_i   (free_put_slot),
    .free_aborts_i     (free_aborts),
    .free_abort_id_i   (free_abort_id),
    .put_o             (put_o),
    .put_held_o        (put_held_o),
    .put_slot_o        (put_slot_o),
    .abort_o           (abort_o)
  );
  // Answered at S1, written at S5: T1 of the next INSERT must not come before (kvcpu_csr and kvcpu_cmd take 4 cycles).
  `KVCPU_ASSERT(inserts_apart, cmd_valid_i && cmd_ready_o && cmd_takes_i |-> !(cmd_inserted_o || $past(cmd_inserted_o) ||
                $past(cmd_inserted_o, 2)), "an INSERT enters 3 cycles after the answer of the one before at the earliest")
endmodule
