// RTBD, the directory: one operation a cycle through T0..T3 (find the entry) and S0..S5 (change it),
// in parallel one scan step per cycle and bank. docs/microarchitecture.md 2 has the stages.

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
  localparam int unsigned RowBits = $clog2(ROWS);
  localparam int unsigned BankBits = $clog2(LANES);
  localparam int unsigned OffBits = $clog2(BLOCK_TOKENS);

  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= MaxEntries && $onehot(ENTRIES),
                     "ENTRIES must be a power of two from 1,024 to 65,536")
  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(ports, PORTS >= 1 && PORTS <= MaxPorts, "PORTS must be 1 to 8")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")

  typedef logic [LANES-1:0] banks_t;
  typedef logic [TierCount-1:0] tiers_t;

  function automatic tiers_t only(logic [1:0] tier);
    only = '0;
    only[tier] = 1'b1;
  endfunction

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

  // ------------------------------------------------------------------ T0
  logic shut_q;  // nothing enters; a cycle late, for which the soft reset has a state
  logic takes_hold_q, freeze, open, enter_valid, probe_valid, probe_ready;
  op_t enter_op, probe_op;
  logic [PORTS-1:0] credit;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      shut_q       <= 1'b1;
      takes_hold_q <= 1'b0;
    end else begin
      shut_q       <= halt_i || sweep_q || clear_i;
      takes_hold_q <= takes_hold_i;
    end
  end

  kvcpu_rtbd_issue #(
    .PORTS(PORTS)
  ) u_issue (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .cfg_i           (cfg_i),
    .open_i          (open),
    .takes_hold_i    (takes_hold_q),
    .freeze_i        (freeze),
    .halt_i          (shut_q),
    .lookup_valid_i  (lookup_valid_i),
    .lookup_ready_o  (lookup_ready_o),
    .lookup_kv_addr_i(lookup_kv_addr_i),
    .lookup_write_i  (lookup_write_i),
    .lookup_credit_i (credit),
    .probe_valid_i   (probe_valid),
    .probe_ready_o   (probe_ready),
    .probe_op_i      (probe_op),
    .dma_valid_i     (dma_valid_i),
    .dma_ready_o     (dma_ready_o),
    .dma_op_i        (dma_op_i),
    .cmd_valid_i     (cmd_valid_i),
    .cmd_ready_o     (cmd_ready_o),
    .cmd_op_i        (cmd_op_i),
    .cmd_takes_i     (cmd_takes_i),
    .bar2_valid_i    (bar2_valid_i),
    .bar2_ready_o    (bar2_ready_o),
    .bar2_op_i       (bar2_op_i),
    .valid_o         (enter_valid),
    .op_o            (enter_op)
  );

  // ------------------------------------------------------------------ T1..S0: find the entry
  logic find_quiet, find_takes, t1_read, port_a_idle, t1_hashed, advance, t3_insert, t3_load, t3_read;
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

  // The stages from S0 on.
  found_t s0, s1_q, s2_q, s3_q;
  logic s1_valid_q, s2_valid_q, s3_valid_q;
  logic [PORTS-1:0] s2_to_port_q;  // a lookup of that port

  kvcpu_rtbd_find #(
    .ROWS        (ROWS),
    .LANES       (LANES),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_find (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .quiet_o            (find_quiet),
    .takes_o            (find_takes),
    .open_o             (open),
    .enter_valid_i      (enter_valid),
    .enter_op_i         (enter_op),
    .slot_i             (slot_i),
    .offer_i            (offer_i),
    .stride_shift_i     (cfg_i.stride_shift),
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

  // ------------------------------------------------------------------ S1: INSERT takes its slot
  // A new key has its result here: with a place and a slot nothing can happen to it any more before its
  // commit point, and nothing that enters after the result overtakes it. Without a place the search
  // begins a cycle later. Where the pool's head has changed since T2, or is not there, the commit point takes the
  // slot, answers and begins the search.
  logic s0_fresh, s1_fresh_q, s2_fresh_q, s3_fresh_q;  // an OpInsert, but not of the search
  logic s1_insert, s1_keeps, s2_search_q;
  logic [63:0] s1_ins_phys_q;
  tiers_t s1_try_q, s1_takes;  // the tier whose slot a new key may take, and takes; one-hot

  assign s0_fresh = (s0.op.op == OpInsert) && !s0.eng_read && !s0.eng_write && !s0.eng_final;
  always_comb begin
    for (int unsigned t = 0; t < TierCount; t++) begin
      s1_takes[t] = s1_valid_q && s1_try_q[t] && slot_avail_i[t] && (offer_i[t] == s1_q.ins_offer);
    end
  end
  assign s1_keeps = s1_takes != '0;
  assign s1_insert = s1_valid_q && s1_fresh_q;
  assign cmd_insert_o = s1_insert;
  assign cmd_inserted_o = s1_keeps && s1_q.place;
  assign cmd_phys_addr_o = s1_ins_phys_q;
  assign cmd_index_o = IndexW'({s1_q.row[RowBits-1:0], s1_q.bank_no[BankBits-1:0]});

  // PHYS_ADDR = BASE + slot * stride.
  logic [63:0] s2_base_q, s2_phys, s3_phys_q;
  logic [31:0] s2_offset_q;
  assign s2_phys = s2_base_q + 64'(s2_offset_q);

  // Entry values of the one bank that the operation is in.
  meta_t [LANES-1:0] bank_s2_meta;
  tag_t [LANES-1:0] bank_s2_tag;
  banks_t bank_s2_meta_ok;
  meta_t s2_meta, s3_meta_q;
  tag_t s2_tag, s3_tag_b_q;
  logic s2_meta_ok, s2_hit, s3_hit_q, s3_meta_bad_q;

  // S2 itself reads the word on the critical path: through selections of its own, low-fan-out duplicates.
  meta_t s2_now;
  banks_t s2_bank_q;
  // The bank where the operation found its key and where VALID is set. The meta word has the last word on that:
  // FREE_REQUEST may have removed the entry since T3.
  banks_t bank_s1_valid, s1_live, s2_live_q;
  banks_t s2_judge_live_q;  // low-fan-out duplicate for the judgement (critical path)
  banks_t bank_s2_same_generation, bank_s2_this_move;

  always_comb begin
    s2_meta = '0;
    s2_tag = '0;
    s2_now = '0;
    s2_meta_ok = 1'b0;
    for (int unsigned b = 0; b < LANES; b++) begin
      if (s2_q.bank[b]) begin
        s2_meta |= bank_s2_meta[b];
        s2_tag |= bank_s2_tag[b];
      end
      if (s2_bank_q[b]) begin
        s2_now |= bank_s2_meta[b];
        s2_meta_ok |= bank_s2_meta_ok[b];
      end
    end
  end
  assign s1_live = s1_q.match ? banks_t'(s1_q.bank) & bank_s1_valid : '0;
  assign s2_hit = (s2_live_q & bank_s2_meta_ok) != '0;

  // Written in the current step.
  banks_t bank_s2_written;
  always_comb begin
    for (int unsigned b = 0; b < LANES; b++) begin
      bank_s2_written[b] = bank_s2_meta[b].dirty && !bank_s2_meta[b].hint && bank_s2_meta[b].access_step == step_i;
    end
  end

  judged_t s2_judged, s3_judged_q, s3_judged;
  logic s2_commits, s3_commits_q;
  logic s3_silent_q;  // an OpInsert that has its answer, or gets it from the search

  assign s2_commits = s2_valid_q && !s2_q.eng_read && !s2_q.eng_write;

  kvcpu_rtbd_decide u_decide (
    .valid_i       (s2_commits),
    .op_i          (s2_q.op),
    .hit_i         ((s2_judge_live_q & bank_s2_meta_ok) != '0),
    .exists_i      (s2_q.match),
    .place_i       (s2_q.place),
    .kept_i        (s2_q.kept),
    .meta_i        (s2_now),
    .same_generation_i   ((s2_bank_q & bank_s2_same_generation) != '0),
    .ends_i        ((s2_judge_live_q & bank_s2_meta_ok & bank_s2_this_move) != '0),
    .token_end_i   (s2_q.token_end),
    .token_offset_i(8'(s2_q.op.kv_addr.token & 32'(BLOCK_TOKENS - 1))),
    .cfg_i         (cfg_next_i),
    .judged_o      (s2_judged)
  );

  // PREFETCH: 0 <= step - current <= LOOKAHEAD, signed; for the step as it is and for the one that may be
  // written in this cycle, since the write is late.
  function automatic logic near(logic [31:0] step, logic [31:0] current, logic [30:0] lookahead);
    logic [31:0] left, sum, carry, beyond;
    left   = step - current;
    // current + lookahead - step, the three added up at once.
    sum    = current ^ 32'(lookahead) ^ ~step;
    carry  = (current & 32'(lookahead)) | ((current ^ 32'(lookahead)) & ~step);
    beyond = sum + {carry[30:0], 1'b1};
    return !left[31] && !beyond[31];
  endfunction

  logic s3_stepped_q, s3_near_q, s3_near_new_q, s3_may_q, s3_written_q;

  always_comb begin
    s3_judged = s3_judged_q;
    if (s3_judged_q.hints && (s3_stepped_q ? s3_near_new_q : s3_near_q)) s3_judged.pushes = 1'b1;
  end

  // The tier that gives a slot is picked here, where the pools' counts are those of the commit points
  // before; S3 asks again later if a slot that came meanwhile, the fence or a new limit may have changed the
  // choice. `sooner`: tiers that would come before the pick, if they had enough.
  typedef struct packed {
    tiers_t pick;
    tiers_t sooner;
  } choice_t;

  function automatic choice_t first_of(tiers_t targets, tiers_t enough);
    first_of = '{pick: '0, sooner: targets};
    for (int unsigned t = 0; t < TierCount; t++) begin
      first_of.pick[t] = targets[t] && enough[t] && first_of.pick == '0;
      if (first_of.pick != '0) first_of.sooner[t] = 1'b0;
    end
  endfunction

  // OpInsert: its tier. OpStart: the item's own target, or the nearest tier slower than the entry's, which
  // is known last.
  choice_t s2_choice;
  choice_t [TierCount-1:0] s2_slower;
  tiers_t s3_pick_q, s3_sooner_q, s3_put_q;
  logic s3_avail_q, s3_limit_q, s3_disabled_q, s3_unsure;

  always_comb begin
    for (int unsigned t = 0; t < TierCount; t++) s2_slower[t] = first_of(~(tiers_t'(2 << t) - 1'b1), slot_above_i);
    if (s2_q.op.op == OpInsert) s2_choice = first_of(only(s2_q.op.tier), slot_some_i);
    else if (s2_q.op.item.fixed) s2_choice = first_of(only(s2_q.op.item.target), slot_above_i);
    else s2_choice = s2_slower[s2_now.tier];
  end
  assign s3_unsure = s3_stepped_q || s3_limit_q || s3_disabled_q || (s3_put_q & s3_sooner_q) != '0;

  always_ff @(posedge clk_i) begin
    s3_pick_q   <= s2_choice.pick;
    s3_avail_q  <= (s2_choice.pick & slot_avail_i) != '0;
    s3_sooner_q <= s2_choice.sooner;
    s3_put_q    <= put_o;
    s3_limit_q  <= cfg_next_i.reserve != cfg_i.reserve;
    // No move starts with ENABLE = 0 (device.md 10): one that was on its way is retried. Later tries continue.
    s3_disabled_q <= !cfg_next_i.enable && s2_q.op.op == OpStart && s2_q.op.tries == 8'd1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s1_valid_q <= 1'b0;
      s2_valid_q <= 1'b0;
      s3_valid_q <= 1'b0;
      s3_commits_q <= 1'b0;
      s2_bank_q  <= '0;
      s2_live_q  <= '0;
      s2_to_port_q <= '0;
    end else begin
      s1_valid_q <= s0_go;
      s2_valid_q <= s1_valid_q;
      s3_valid_q <= s2_valid_q;
      s3_commits_q <= s2_commits;
      s2_bank_q  <= banks_t'(s1_q.bank);
      s2_live_q  <= s1_live;
      for (int unsigned p = 0; p < PORTS; p++) begin
        s2_to_port_q[p] <= s1_valid_q && s1_q.op.op == OpLookup && s1_q.op.client == ClPort && s1_q.op.port == 3'(p);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    s1_q          <= s0;
    s1_fresh_q    <= s0_fresh;
    s1_try_q      <= (s0_fresh && !s0.match) ? only(s0.op.tier) : '0;
    s1_ins_phys_q <= cfg_i.base[s0.op.tier] + 64'(s0_ins_offset);
    s2_fresh_q    <= s1_fresh_q;
    s2_judge_live_q <= s1_live;  // without a reset, or synthesis would make one register of both
    s3_fresh_q    <= s2_fresh_q;
    s2_q          <= s1_q;
    s2_q.kept     <= s1_q.kept || s1_keeps;
    s3_q          <= s2_q;
    s2_base_q     <= cfg_i.base[s1_q.tier];
    s2_offset_q   <= 32'(s1_q.slot) << cfg_i.stride_shift;
    s3_phys_q     <= s2_phys;
    s3_meta_q     <= s2_meta;
    s3_tag_b_q    <= s2_tag;
    s3_hit_q      <= s2_hit;
    s3_meta_bad_q <= !s2_meta_ok;
    s3_judged_q   <= s2_judged;
    s3_may_q      <= s2_judged.pushes || s2_judged.hints;
    s3_written_q  <= (s2_bank_q & bank_s2_written) != '0;
    s3_silent_q   <= s2_q.op.op == OpInsert && s2_q.kept;
    s3_stepped_q  <= step_we_i;
    s3_near_q     <= near(s2_q.op.step, step_i, cfg_next_i.lookahead);
    s3_near_new_q <= near(s2_q.op.step, step_new_i, cfg_next_i.lookahead);
  end

  // ------------------------------------------------------------------ S2: answers
  logic [IndexW-1:0] s2_index, s3_index;
  assign s2_index = IndexW'({s2_q.row[RowBits-1:0], s2_q.bank_no[BankBits-1:0]});
  assign s3_index = IndexW'({s3_q.row[RowBits-1:0], s3_q.bank_no[BankBits-1:0]});

  typedef struct packed {
    logic [1:0]  tier;
    logic [63:0] phys_addr;
    logic [15:0] index;
  } answer_t;

  answer_t s2_answer;
  logic [PORTS-1:0] answers_idle;

  assign s2_answer = '{tier: s2_q.tier, phys_addr: s2_phys, index: s2_index};

  for (genvar p = 0; p < PORTS; p++) begin : gen_answer
    answer_t answer;
    kvcpu_rtbd_answer #(
      .Width($bits(answer_t)),
      .Depth(16)
    ) u_answer (
      .clk_i   (clk_i),
      .rst_ni  (rst_ni),
      .accept_i(lookup_valid_i[p] && lookup_ready_o[p]),
      .credit_o(credit[p]),
      .valid_i (s2_to_port_q[p]),
      .hit_i   (s2_hit),
      .denied_i(s2_q.op.denied),
      .data_i  (s2_answer),
      .valid_o (answer_valid_o[p]),
      .ready_i (answer_ready_i[p]),
      .hit_o   (answer_hit_o[p]),
      .denied_o(answer_denied_o[p]),
      .data_o  (answer),
      .idle_o  (answers_idle[p])
    );
    assign answer_tier_o[p] = answer.tier;
    assign answer_phys_addr_o[p] = answer.phys_addr;
    assign answer_index_o[p] = answer.index;
  end
  assign ports_idle_o = &answers_idle;

  // ------------------------------------------------------------------ S3: commit
  logic [GenerationW-1:0] generation_q;
  logic alu_tag_we, alu_meta_we, s3_tag_we, s3_meta_we, push_ok;
  tiers_t take;
  logic put_valid, put_held, orphan;
  tier_e take_tier;
  logic [SlotW-1:0] put_slot;
  status_e s3_status;
  move_e s3_move;

  kvcpu_rtbd_commit u_commit (
    .op_i           (s3_q.op),
    .block_i        (s3_q.op.kv_addr.token >> OffBits),
    .place_i        (s3_q.place),
    .meta_i         (s3_meta_q),
    .judged_i       (s3_judged),
    .written_i      (s3_written_q),
    .pick_i         (s3_pick_q),
    .avail_i        (s3_avail_q),
    .unsure_i       (s3_unsure),
    .evict_full_i   (evict_full_i),
    .prefetch_full_i(prefetch_full_i),
    .tag_we_o       (alu_tag_we),
    .meta_we_o      (alu_meta_we),
    .push_valid_o   (push_valid_o),
    .push_ok_o      (push_ok),
    .push_channel_o (push_channel_o),
    .push_item_o    (push_item_o),
    .take_o         (take),
    .take_tier_o    (take_tier),
    .status_o       (s3_status),
    .move_o         (s3_move)
  );

  assign push_may_o = s3_may_q;

  assign put_valid = s3_judged.puts;
  assign put_held = s3_judged.put_held;
  assign put_slot = s3_judged.put_slot;
  // An entry with an item goes: the generation counter advances.
  assign orphan = s3_judged.removes && s3_meta_q.in_flight;

  assign s3_tag_we = alu_tag_we || (s3_valid_q && s3_q.eng_write);
  assign s3_meta_we = alu_meta_we || (s3_valid_q && s3_q.eng_write);

  // ------------------------------------------------------------------ S4: the words
  banks_t s5_bank_q;
  logic s4_tag_we_q, s4_meta_we_q, s5_meta_we_q, s4_push_ok_q, s4_epoch_q, s5_bad_q;
  logic [GenerationW-1:0] s4_generation_q;
  logic [31:0] s4_step_q;
  logic [SlotW-1:0] s3_slot, s4_slot_q;
  move_e s4_move_q;
  judged_t s4_judged_q;
  found_t s4_q;
  writer_t s4_is_q;
  tag_t s4_answer, s4_tag, s5_tag_q;
  meta_t s4_old_meta_q, s4_meta, s5_meta_q;

  // The tag's answer part came through port A; its key is the operation's.
  always_comb begin
    s4_answer = '0;
    s4_answer.token_end = s4_q.token_end;
    s4_answer.tier = tier_e'(s4_q.tier);
    s4_answer.slot = s4_q.slot;
  end

  kvcpu_rtbd_writeback u_writeback (
    .is_i          (s4_is_q),
    .op_i          (s4_q.op),
    .tag_i         (s4_answer),
    .meta_i        (s4_old_meta_q),
    .judged_i      (s4_judged_q),
    .push_ok_i     (s4_push_ok_q),
    .move_i        (s4_move_q),
    .slot_i        (s4_slot_q),
    .token_offset_i(8'(s4_q.op.kv_addr.token & 32'(BLOCK_TOKENS - 1))),
    .block_i       (s4_q.op.kv_addr.token >> OffBits),
    .step_i        (s4_step_q),
    .epoch_i       (s4_epoch_q),
    .generation_i        (s4_generation_q),
    .tag_o         (s4_tag),
    .meta_o        (s4_meta)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s4_tag_we_q  <= 1'b0;
      s4_meta_we_q <= 1'b0;
      s5_meta_we_q <= 1'b0;
    end else begin
      s4_tag_we_q  <= s3_tag_we;
      s4_meta_we_q <= s3_meta_we;
      s5_meta_we_q <= s4_meta_we_q;
    end
  end
  always_ff @(posedge clk_i) begin
    s4_q          <= s3_q;
    s4_is_q       <= writer_of(s3_q.op.op);
    s4_judged_q   <= s3_judged;
    s4_old_meta_q <= s3_meta_q;
    s4_push_ok_q  <= push_ok;
    s4_move_q     <= s3_move;
    s4_slot_q     <= s3_slot;
    s4_step_q     <= step_i;
    s4_epoch_q    <= scan_cfg_i.epoch;
    s4_generation_q     <= generation_q;
    s5_bank_q     <= banks_t'(s4_q.bank);
    s5_tag_q      <= s4_q.eng_write ? eng_tag : s4_tag;
    s5_meta_q     <= s4_q.eng_write ? eng_meta : s4_meta;
    s5_bad_q      <= s4_q.eng_write && eng_meta_bad;
  end

  // ------------------------------------------------------------------ counters, miss queue, generation
  logic s3_lookup, free_orphan_any;
  banks_t free_orphan;
  assign s3_lookup = s3_commits_q && (s3_q.op.op == OpLookup);
  assign count_hit_o = s3_lookup && s3_hit_q;
  assign count_denied_o = s3_lookup && s3_q.op.denied;
  assign count_miss_o = s3_lookup && !s3_hit_q && !s3_q.op.denied;
  assign miss_valid_o = count_miss_o;
  assign miss_kv_addr_o = s3_q.op.kv_addr;
  assign free_orphan_any = |free_orphan;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) generation_q <= '0;
    else if (orphan || free_orphan_any) generation_q <= generation_q + 1'b1;
  end

  // ------------------------------------------------------------------ S4: results
  logic result_valid, result_ok, search_put_valid, search_put_ready;
  logic [3:0] result_bank;
  logic [RowW-1:0] result_row;
  logic s3_insert, s3_again, s3_search, s3_answers;

  assign s3_insert = s3_valid_q && s3_fresh_q && !s3_q.kept;
  assign s3_again = s3_judged_q.inserts && (s3_unsure || (s3_pick_q != '0 && !s3_avail_q));
  assign s3_search = s3_judged_q.inserts && !s3_unsure && s3_avail_q && !s3_q.place;
  assign s3_answers = s3_commits_q && !s3_silent_q && !s3_again && !s3_search;
  // The slot of this operation, taken here or kept from S1 on.
  assign s3_slot = s3_q.kept ? s3_q.slot : slot_i[take_tier];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      slot_ahead_o <= 1'b0;
      s2_search_q  <= 1'b0;
    end else begin
      slot_ahead_o <= s1_keeps;
      s2_search_q  <= s1_keeps && !s1_q.place;
    end
  end

  kvcpu_rtbd_result #(
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_result (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .cfg_i         (cfg_i),
    .cfg_next_i    (cfg_next_i),
    .slot_i        (slot_i),
    .s3_answers_i  (s3_answers),
    .s3_i          (s3_q),
    .s3_hit_i      (s3_hit_q),
    .s3_index_i    (s3_index),
    .s3_phys_addr_i(s3_phys_q),
    .s3_meta_i     (s3_meta_q),
    .s3_tag_i      (s3_tag_b_q),
    .s3_underflow_i(s3_judged_q.underflow),
    .s3_saturated_i(s3_judged_q.saturated),
    .s3_status_i   (s3_status),
    .s3_move_i     (s3_move),
    .s3_pick_i     (s3_pick_q),
    .s3_take_tier_i(take_tier),
    .s3_slot_i     (s3_slot),
    .search_valid_i(result_valid),
    .search_ok_i   (result_ok),
    .search_index_i(IndexW'({result_row[RowBits-1:0], result_bank[BankBits-1:0]})),
    .search_tier_i (eng_op.tier),
    .search_slot_i (eng_slot),
    .cmd_valid_o   (cmd_rsp_valid_o),
    .dma_valid_o   (dma_rsp_valid_o),
    .bar2_valid_o  (bar2_rsp_valid_o),
    .rsp_o         (rsp_o),
    .cmd_rsp_o     (cmd_rsp_o)
  );

  // ------------------------------------------------------------------ FREE_REQUEST, slot pools
  banks_t free_bank_done, free_removed, free_stayed, freed_valid, freed_pop, freed_moving;
  logic [LANES-1:0][1:0] freed_tier;
  logic [LANES-1:0][SlotW-1:0] freed_slot;
  logic [LANES-1:0][MoveIdW-1:0] freed_move_id;
  logic free_put_valid, free_aborts;
  logic [1:0] free_put_tier;
  logic [SlotW-1:0] free_put_slot;
  logic [MoveIdW-1:0] free_abort_id;

  kvcpu_rtbd_free #(
    .LANES(LANES)
  ) u_free (
    .clk_i          (clk_i),
    .rst_ni         (rst_ni),
    .clear_i        (clear_i),
    .start_i        (free_start_i),
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
    .wait_i         (put_valid || search_put_valid),
    .put_valid_o    (free_put_valid),
    .put_tier_o     (free_put_tier),
    .put_slot_o     (free_put_slot),
    .abort_o        (free_aborts),
    .abort_move_id_o(free_abort_id)
  );

  // Puts, one a cycle: of the operation at S3, then the search's, then FREE_REQUEST's.
  assign search_put_ready = !put_valid;

  // What another client would free, whether or not the operation frees a slot: that selects last.
  tiers_t s3_puts_q, other_puts;
  always_comb begin
    other_puts = '0;
    if (free_put_valid) other_puts = only(free_put_tier);
    if (search_put_valid) other_puts = only(eng_op.tier);
    take_o = take | s1_takes;  // never in one cycle: operations that allocate are at least 4 cycles apart
    put_o = put_valid ? s3_puts_q : other_puts;
    put_held_o = put_valid && put_held;
    put_slot_o = put_valid ? put_slot : search_put_valid ? eng_slot : free_put_slot;
  end
  always_ff @(posedge clk_i) s3_puts_q <= only(s2_judged.put_tier);

  logic op_aborts_q, free_aborts_q;
  logic [MoveIdW-1:0] op_abort_id_q, free_abort_id_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      op_aborts_q   <= 1'b0;
      free_aborts_q <= 1'b0;
    end else begin
      op_aborts_q   <= s3_judged_q.aborts;
      free_aborts_q <= free_aborts;
    end
  end
  always_ff @(posedge clk_i) begin
    op_abort_id_q   <= s3_meta_q.move_id;
    free_abort_id_q <= free_abort_id;
  end
  always_comb begin
    for (int unsigned m = 0; m < MOVES; m++) begin
      abort_o[m] = (op_aborts_q && op_abort_id_q == MoveIdW'(m)) ||
                   (free_aborts_q && free_abort_id_q == MoveIdW'(m));
    end
  end

  // ------------------------------------------------------------------ insert search
  banks_t forced_scan, forced_taken, forced_done, forced_again, scan_in_pipe;
  logic [RowW-1:0] forced_row;
  logic s4_busy_q, s5_busy_q;

  assign quiet_o = find_quiet && !s1_valid_q && !s2_valid_q && !s3_valid_q && !s4_busy_q && !s5_busy_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s4_busy_q <= 1'b0;
      s5_busy_q <= 1'b0;
    end else begin
      s4_busy_q <= s3_valid_q;
      s5_busy_q <= s4_busy_q;
    end
  end

  // A cycle late, which is no loss: nothing that takes a slot enters any more.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) takes_quiet_o <= 1'b0;
    else begin
      takes_quiet_o <= takes_hold_q && !find_takes && !(s1_valid_q && takes(s1_q.op.op)) &&
                       !(s2_valid_q && takes(s2_q.op.op)) && !(s3_valid_q && takes(s3_q.op.op));
    end
  end

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
    .s1_insert_i      (s1_insert),
    .s2_search_i      (s2_search_q),
    .s1_op_i          (s1_q.op),
    .s1_slot_i        (s1_q.slot),
    .s3_insert_i      (s3_insert),
    .s3_search_i      (s3_search),
    .s3_again_i       (s3_again),
    .s3_slot_i        (slot_i[take_tier]),
    .s3_read_i        (s3_valid_q && s3_q.eng_read),
    .s3_tag_i         (s3_tag_b_q),
    .s3_meta_i        (s3_meta_q),
    .s3_meta_bad_i    (s3_meta_bad_q),
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
  banks_t bank_s2_bad;
  logic [LANES-1:0][RowW-1:0] bank_s2_row;

  for (genvar b = 0; b < LANES; b++) begin : gen_bank
    kvcpu_rtbd_bank #(
      .ROWS        (ROWS),
      .BLOCK_TOKENS(BLOCK_TOKENS)
    ) u_bank (
      .clk_i            (clk_i),
      .rst_ni           (rst_ni),
      .clear_i          (clear_i),
      .sweep_i          (sweep_q),
      .sweep_row_i      (sweep_row_q),
      .t1_read_i        (t1_read),
      .port_a_idle_i    (port_a_idle),
      .t1_hashed_i      (t1_hashed),
      .t1_hash_row_i    (t1_hash_row[b]),
      .t1_other_row_i   (t1_other_row[b]),
      .advance_i        (advance),
      .t2_kv_addr_i     (t2_kv_addr),
      .t2_least_i       (t2_least),
      .t3_tag_o         (t3_tag[b]),
      .t3_valid_o       (t3_valid[b]),
      .t3_tag_ok_o      (t3_tag_ok[b]),
      .t3_same_key_o    (t3_same_key[b]),
      .s0_load_i        (s0_load),
      .s0_from_spare_i  (s0_from_spare),
      .s0_spare_row_i   (s0_spare_row[b]),
      .s0_t3_row_i      (t3_row[b]),
      .s0_valid_i       (s0_valid[b]),
      .s0_row_i         (s0_row[b]),
      .s0_read_tag_i    (s0_read_tag),
      .s0_spare_read_tag_i (s0_spare_read_tag),
      .s0_t3_read_tag_i (t3_read),
      .s0_ready_o       (s0_ready[b]),
      .s1_generation_i        (s1_q.op.item.generation),
      .s1_move_id_i     (s1_q.op.move_id),
      .s1_valid_o       (bank_s1_valid[b]),
      .s2_same_generation_o   (bank_s2_same_generation[b]),
      .s2_this_move_o   (bank_s2_this_move[b]),
      .s2_meta_o        (bank_s2_meta[b]),
      .s2_tag_o         (bank_s2_tag[b]),
      .s2_meta_ok_o     (bank_s2_meta_ok[b]),
      .s4_tag_we_i      (s4_tag_we_q && s4_q.bank[b]),
      .s5_tag_i         (s5_tag_q),
      .s5_meta_we_i     (s5_meta_we_q && s5_bank_q[b]),
      .s5_meta_i        (s5_meta_q),
      .s5_meta_bad_i    (s5_bad_q),
      .scan_stop_i      (scan_stop_i),
      .scan_start_i     (scan_start_i),
      .scan_row_i       (scan_row_i),
      .scan_pause_i     (freeze),
      .scan_cfg_i       (scan_cfg_i),
      .forced_scan_i    (forced_scan[b]),
      .forced_row_i     (forced_row),
      .forced_taken_o   (forced_taken[b]),
      .forced_done_o    (forced_done[b]),
      .forced_again_o   (forced_again[b]),
      .scan_done_o      (lane_done_o[b]),
      .scan_in_pipe_o   (scan_in_pipe[b]),
      .dec_valid_o      (dec_valid_o[b]),
      .dec_evict_o      (dec_evict_o[b]),
      .dec_item_o       (dec_item_o[b]),
      .dec_accept_i     (dec_accept_i[b]),
      .dec_drop_i       (dec_drop_i[b]),
      .hist_valid_o     (hist_valid_o[b]),
      .hist_tier_o      (hist_tier_o[b]),
      .hist_bin_o       (hist_bin_o[b]),
      .free_start_i     (free_start_i),
      .free_request_id_i(free_request_id_i),
      .free_done_o      (free_bank_done[b]),
      .free_removed_o   (free_removed[b]),
      .free_stayed_o    (free_stayed[b]),
      .free_orphan_o    (free_orphan[b]),
      .freed_valid_o    (freed_valid[b]),
      .freed_tier_o     (freed_tier[b]),
      .freed_slot_o     (freed_slot[b]),
      .freed_moving_o   (freed_moving[b]),
      .freed_move_id_o  (freed_move_id[b]),
      .freed_pop_i      (freed_pop[b]),
      .s2_bad_o         (bank_s2_bad[b]),
      .s2_row_o         (bank_s2_row[b])
    );
  end

  // ------------------------------------------------------------------ parity
  // Counted and named a cycle after they are seen. The search's writes read nothing: a relocated entry
  // with bad parity counts where it is read, not where another one is written over the place it left.
  banks_t t3_bad_q, s2_bad_q, s2_overwrites;
  assign s2_overwrites = (s2_valid_q && (s2_q.eng_write || s2_q.eng_final)) ? s2_bank_q : '0;

  logic [LANES-1:0][RowW-1:0] t3_bad_row_q, s2_bad_row_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      t3_bad_q       <= '0;
      s2_bad_q       <= '0;
      count_parity_o <= '0;
    end else begin
      t3_bad_q       <= sweep_q ? '0 : t3_bad;
      s2_bad_q       <= sweep_q ? '0 : bank_s2_bad & ~s2_overwrites;
      count_parity_o <= 6'($countones(t3_bad_q)) + 6'($countones(s2_bad_q));
    end
  end
  always_ff @(posedge clk_i) begin
    t3_bad_row_q <= t3_row;
    s2_bad_row_q <= bank_s2_row;
    for (int b = LANES - 1; b >= 0; b--) begin
      if (t3_bad_q[b]) parity_index_o <= IndexW'({t3_bad_row_q[b][RowBits-1:0], BankBits'(b)});
    end
    for (int b = LANES - 1; b >= 0; b--) begin
      if (s2_bad_q[b]) parity_index_o <= IndexW'({s2_bad_row_q[b][RowBits-1:0], BankBits'(b)});
    end
  end

endmodule
