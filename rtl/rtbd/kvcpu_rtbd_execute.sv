// An operation and its entry, S1 to S5: S1 and S2 read the entry and decide (kvcpu_rtbd_decide), S3 is the commit point
// (kvcpu_rtbd_commit), S4 works out the words that go back (kvcpu_rtbd_writeback), S5 writes them.
//
// One operation a cycle, and none waits here: whatever it needs (its bank, a place for its answer) it has when it
// enters S1. What can still be missing at S3, a slot of a tier, makes it be retried (`s3_again_o`), not wait. Answers
// of lookups leave from S2 (kvcpu_rtbd_answers), results for commands, DMA and BAR2 from S4 (kvcpu_rtbd_result).
// Parts that feed S3 from outside the entry are modules of their own: the choice of the tier that gives a slot
// (kvcpu_rtbd_choice) and the selection of one bank's words (kvcpu_rtbd_select).

`include "kvcpu_assert.svh"

module kvcpu_rtbd_execute #(
  /// Rows of a bank, ENTRIES / LANES. Power of two, 64 to 16,384.
  parameter int unsigned ROWS = 4096,
  /// Lanes and banks (device.md 1). Legal: 4, 8, 16.
  parameter int unsigned LANES = 16,
  /// Lookup ports (device.md 1). Legal: 1 to 8.
  parameter int unsigned PORTS = 3,
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                              clk_i,
  /// Reset, active low.
  input  logic                              rst_ni,
  /// T1 to S0 are empty.
  input  logic                              find_quiet_i,
  /// An operation in T1 to S0 may take a slot.
  input  logic                              find_takes_i,
  /// No operation that takes a slot may enter.
  input  logic                              takes_hold_i,
  /// The pipeline is empty.
  output logic                              quiet_o,
  /// No operation that takes a slot is in the pipeline, and none may enter.
  output logic                              takes_quiet_o,
  /// A slot has been taken for an INSERT that commits in the next cycle: free slots must not be judged.
  output logic                              slot_ahead_o,
  /// Configuration registers.
  input  kvcpu_pkg::cfg_t                   cfg_i,
  /// The same, as they are from the next cycle on.
  input  kvcpu_pkg::cfg_t                   cfg_next_i,
  /// Current step.
  input  logic [31:0]                       step_i,
  /// The step is written: it is `step_new_i` from the next cycle on.
  input  logic                              step_we_i,
  /// The new step; means nothing while `step_we_i` is low.
  input  logic [31:0]                       step_new_i,
  /// Epoch of the scan, for new entries.
  input  logic                              epoch_i,
  /// S0: an operation enters S1.
  input  logic                              s0_go_i,
  /// S0: the operation, with its entry.
  input  kvcpu_pkg::found_t                 s0_i,
  /// S0: OpInsert: place of the slot that it may take inside its tier, bytes.
  input  logic [31:0]                       s0_ins_offset_i,
  /// Lookup ports: a lookup of the port enters at T0.
  input  logic [PORTS-1:0]                  lookup_enters_i,
  /// Lookup ports: there is a place for one more answer.
  output logic [PORTS-1:0]                  lookup_credit_o,
  /// Answers, in order per port.
  output logic [PORTS-1:0]                  answer_valid_o,
  /// Answers: taken.
  input  logic [PORTS-1:0]                  answer_ready_i,
  /// Answers: hit.
  output logic [PORTS-1:0]                  answer_hit_o,
  /// Answers: outside the tenant window.
  output logic [PORTS-1:0]                  answer_denied_o,
  /// Answers: tier.
  output logic [PORTS-1:0][1:0]             answer_tier_o,
  /// Answers: PHYS_ADDR, bytes.
  output logic [PORTS-1:0][63:0]            answer_phys_addr_o,
  /// Answers: index of the entry.
  output logic [PORTS-1:0][15:0]            answer_index_o,
  /// No lookup is on its way and no answer waits.
  output logic                              ports_idle_o,
  /// Result, one cycle after the commit point: for commands.
  output logic                              cmd_rsp_valid_o,
  /// Result: for the DMA.
  output logic                              dma_rsp_valid_o,
  /// Result: for BAR2.
  output logic                              bar2_rsp_valid_o,
  /// Result for the DMA and BAR2.
  output kvcpu_pkg::rsp_t                   rsp_o,
  /// Result for commands.
  output kvcpu_pkg::rsp_t                   cmd_rsp_o,
  /// An INSERT is at S1: `cmd_phys_addr_o` and `cmd_index_o` are those of its new entry, if it gets one here.
  output logic                              cmd_insert_o,
  /// It does: this is its result (OK), and no other follows.
  output logic                              cmd_inserted_o,
  /// PHYS_ADDR of the new entry, bytes.
  output logic [63:0]                       cmd_phys_addr_o,
  /// Index of the new entry.
  output logic [kvcpu_pkg::IndexW-1:0]      cmd_index_o,
  /// Item of an operation (S3); not taken when its queue is full.
  output logic                              push_valid_o,
  /// It may push one: its channel and its item are valid. Known early in the cycle.
  output logic                              push_may_o,
  /// Its channel.
  output logic                              push_channel_o,
  /// The item.
  output kvcpu_pkg::item_t                  push_item_o,
  /// The evict queue has no place.
  input  logic                              evict_full_i,
  /// The prefetch queue has no place.
  input  logic                              prefetch_full_i,
  /// Slot pools: take (S3).
  output logic [kvcpu_pkg::TierCount-1:0]   take_o,
  /// Slot pools: a slot can be taken.
  input  logic [kvcpu_pkg::TierCount-1:0]   slot_avail_i,
  /// Slot pools: a slot is free.
  input  logic [kvcpu_pkg::TierCount-1:0]   slot_some_i,
  /// Slot pools: more slots are free than RESERVE keeps.
  input  logic [kvcpu_pkg::TierCount-1:0]   slot_above_i,
  /// Slot pools: the slot that would be taken.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::SlotW-1:0] slot_i,
  /// Slot pools: number of that head slot.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::OfferW-1:0] offer_i,
  /// Slot pools: a slot is freed in this cycle, whichever client frees it.
  input  logic [kvcpu_pkg::TierCount-1:0]   put_i,
  /// S2: tier of the slot that the operation may free.
  output logic [1:0]                        s2_put_tier_o,
  /// S3: the operation frees a slot.
  output logic                              put_valid_o,
  /// S3: quarantined until the fence.
  output logic                              put_held_o,
  /// S3: the slot.
  output logic [kvcpu_pkg::SlotW-1:0]       put_slot_o,
  /// S3: the operation stops the move of its entry.
  output logic                              aborts_o,
  /// S3: that move.
  output logic [kvcpu_pkg::MoveIdW-1:0]     abort_id_o,
  /// FREE_REQUEST removes an entry that had an item.
  input  logic                              free_orphan_i,
  /// Miss queue: push.
  output logic                              miss_valid_o,
  /// Miss queue: KV address.
  output kvcpu_pkg::kv_addr_t               miss_kv_addr_o,
  /// Counter event: a hit.
  output logic                              count_hit_o,
  /// Counter event: a miss.
  output logic                              count_miss_o,
  /// Counter event: a denial.
  output logic                              count_denied_o,
  /// Insert search: what it sees of the operations in S1 to S3.
  output kvcpu_pkg::search_view_t           search_view_o,
  /// Insert search: tag of the entry that it relocates.
  input  kvcpu_pkg::tag_t                   eng_tag_i,
  /// Insert search: meta word of that entry.
  input  kvcpu_pkg::meta_t                  eng_meta_i,
  /// Insert search: that meta word stays marked as bad.
  input  logic                              eng_meta_bad_i,
  /// Insert search: the INSERT that began it.
  input  kvcpu_pkg::op_t                    eng_op_i,
  /// Insert search: its slot.
  input  logic [kvcpu_pkg::SlotW-1:0]       eng_slot_i,
  /// Insert search: it ends.
  input  logic                              result_valid_i,
  /// Insert search: it has found a place.
  input  logic                              result_ok_i,
  /// Insert search: bank of the place.
  input  logic [3:0]                        result_bank_i,
  /// Insert search: row of the place.
  input  logic [kvcpu_pkg::RowW-1:0]        result_row_i,
  /// Banks, S1: generation of the operation's item.
  output logic [kvcpu_pkg::GenerationW-1:0] s1_generation_o,
  /// Banks, S1: move of the operation.
  output logic [kvcpu_pkg::MoveIdW-1:0]     s1_move_id_o,
  /// Banks, S1: VALID of the meta words, whatever their parity.
  input  logic [LANES-1:0]                  bank_s1_valid_i,
  /// Banks, S2: the meta words have the generation of S1's item before.
  input  logic [LANES-1:0]                  bank_s2_same_generation_i,
  /// Banks, S2: the copies of the meta words' blocks are the move of S1 before, of that generation.
  input  logic [LANES-1:0]                  bank_s2_this_move_i,
  /// Banks, S2: meta words.
  input  kvcpu_pkg::meta_t [LANES-1:0]      bank_s2_meta_i,
  /// Banks, S2: tag words, as port B read them.
  input  kvcpu_pkg::tag_t [LANES-1:0]       bank_s2_tag_i,
  /// Banks, S2: parity of the meta words is good.
  input  logic [LANES-1:0]                  bank_s2_meta_ok_i,
  /// Banks, S2: a write of the insert search is there, which reads nothing.
  output logic [LANES-1:0]                  s2_overwrites_o,
  /// Banks, S4: the tag of S5 will be written in the next cycle.
  output logic [LANES-1:0]                  s4_tag_we_o,
  /// Banks, S5: tag to write.
  output kvcpu_pkg::tag_t                   s5_tag_o,
  /// Banks, S5: the meta word is written.
  output logic [LANES-1:0]                  s5_meta_we_o,
  /// Banks, S5: meta word to write.
  output kvcpu_pkg::meta_t                  s5_meta_o,
  /// Banks, S5: keep the word marked as bad.
  output logic                              s5_meta_bad_o
);
  import kvcpu_pkg::*;

  localparam int unsigned RowBits = $clog2(ROWS);
  localparam int unsigned BankBits = $clog2(LANES);
  localparam int unsigned OffBits = $clog2(BLOCK_TOKENS);

  `KVCPU_CHECK_PARAM(rows, ROWS >= 64 && ROWS <= 16384 && $onehot(ROWS),
                     "ROWS must be a power of two from 64 to 16,384")
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

  found_t s1_q, s2_q, s3_q;
  logic s1_valid_q, s2_valid_q, s3_valid_q;
  logic [PORTS-1:0] s2_to_port_q;  // a lookup of that port

  // ------------------------------------------------------------------ S1: INSERT takes its slot
  // A new key has its result here: with a place and a slot nothing can happen to it any more before its
  // commit point, and nothing that enters after the result overtakes it. Without a place the search
  // begins a cycle later. Where the pool's head has changed since T2, or is not there, the commit point takes the
  // slot, answers and begins the search.
  logic s0_fresh, s1_fresh_q, s2_fresh_q, s3_fresh_q;  // an OpInsert, but not of the search
  logic s1_insert, s1_keeps, s2_search_q;
  logic [63:0] s1_ins_phys_q;
  tiers_t s1_try_q, s1_takes;  // the tier whose slot a new key may take, and takes; one-hot

  assign s0_fresh = (s0_i.op.op == OpInsert) && !s0_i.eng_read && !s0_i.eng_write && !s0_i.eng_final;
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
  meta_t s2_meta, s3_meta_q;
  tag_t s2_tag, s3_tag_b_q;
  logic s2_meta_ok, s2_hit, s3_hit_q, s3_meta_bad_q;

  // S2 itself reads the word on the critical path: through selections of its own, low-fan-out duplicates.
  meta_t s2_now;
  banks_t s2_bank_q;
  // The bank where the operation found its key and where VALID is set. The meta word has the last word on that:
  // FREE_REQUEST may have removed the entry since T3.
  banks_t s1_live, s2_live_q;
  banks_t s2_judge_live_q;  // low-fan-out duplicate for the judgement (critical path)
  banks_t bank_s2_written;

  kvcpu_rtbd_select #(
    .LANES(LANES)
  ) u_select (
    .bank_i    (banks_t'(s2_q.bank)),
    .now_bank_i(s2_bank_q),
    .meta_i    (bank_s2_meta_i),
    .tag_i     (bank_s2_tag_i),
    .meta_ok_i (bank_s2_meta_ok_i),
    .step_i    (step_i),
    .meta_o    (s2_meta),
    .tag_o     (s2_tag),
    .now_o     (s2_now),
    .meta_ok_o (s2_meta_ok),
    .written_o (bank_s2_written)
  );

  assign s1_live = s1_q.match ? banks_t'(s1_q.bank) & bank_s1_valid_i : '0;
  assign s2_hit = (s2_live_q & bank_s2_meta_ok_i) != '0;

  judged_t s2_judged, s3_judged_q, s3_judged;
  logic s2_commits, s3_commits_q;
  logic s3_silent_q;  // an OpInsert that has its answer, or gets it from the search

  assign s2_commits = s2_valid_q && !s2_q.eng_read && !s2_q.eng_write;

  kvcpu_rtbd_decide u_decide (
    .valid_i       (s2_commits),
    .op_i          (s2_q.op),
    .hit_i         ((s2_judge_live_q & bank_s2_meta_ok_i) != '0),
    .exists_i      (s2_q.match),
    .place_i       (s2_q.place),
    .kept_i        (s2_q.kept),
    .meta_i        (s2_now),
    .same_generation_i   ((s2_bank_q & bank_s2_same_generation_i) != '0),
    .ends_i        ((s2_judge_live_q & bank_s2_meta_ok_i & bank_s2_this_move_i) != '0),
    .token_end_i   (s2_q.token_end),
    .token_offset_i(8'(s2_q.op.kv_addr.token & 32'(BLOCK_TOKENS - 1))),
    .cfg_i         (cfg_next_i),
    .judged_o      (s2_judged)
  );

  logic s3_stepped, s3_near, s3_may_q, s3_written_q;

  kvcpu_rtbd_near u_near (
    .clk_i       (clk_i),
    .s2_step_i   (s2_q.op.step),
    .step_i      (step_i),
    .step_we_i   (step_we_i),
    .step_new_i  (step_new_i),
    .lookahead_i (cfg_next_i.lookahead),
    .s3_stepped_o(s3_stepped),
    .s3_near_o   (s3_near)
  );

  always_comb begin
    s3_judged = s3_judged_q;
    if (s3_judged_q.hints && s3_near) s3_judged.pushes = 1'b1;
  end

  tiers_t s3_pick_q;
  logic s3_avail_q, s3_unsure;

  kvcpu_rtbd_choice u_choice (
    .clk_i       (clk_i),
    .s2_op_i     (s2_q.op),
    .s2_tier_i   (s2_now.tier),
    .cfg_i       (cfg_i),
    .cfg_next_i  (cfg_next_i),
    .slot_avail_i(slot_avail_i),
    .slot_some_i (slot_some_i),
    .slot_above_i(slot_above_i),
    .put_i       (put_i),
    .s3_stepped_i(s3_stepped),
    .s3_pick_o   (s3_pick_q),
    .s3_avail_o  (s3_avail_q),
    .s3_unsure_o (s3_unsure)
  );

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
      s1_valid_q <= s0_go_i;
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
    s1_q          <= s0_i;
    s1_fresh_q    <= s0_fresh;
    s1_try_q      <= (s0_fresh && !s0_i.match) ? only(s0_i.op.tier) : '0;
    s1_ins_phys_q <= cfg_i.base[s0_i.op.tier] + 64'(s0_ins_offset_i);
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
  end

  // ------------------------------------------------------------------ S2: answers
  logic [IndexW-1:0] s2_index, s3_index;
  assign s2_index = IndexW'({s2_q.row[RowBits-1:0], s2_q.bank_no[BankBits-1:0]});
  assign s3_index = IndexW'({s3_q.row[RowBits-1:0], s3_q.bank_no[BankBits-1:0]});

  kvcpu_rtbd_answers #(
    .PORTS(PORTS)
  ) u_answers (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .accept_i          (lookup_enters_i),
    .credit_o          (lookup_credit_o),
    .s2_to_port_i      (s2_to_port_q),
    .s2_hit_i          (s2_hit),
    .s2_denied_i       (s2_q.op.denied),
    .s2_tier_i         (s2_q.tier),
    .s2_phys_addr_i    (s2_phys),
    .s2_index_i        (s2_index),
    .answer_valid_o    (answer_valid_o),
    .answer_ready_i    (answer_ready_i),
    .answer_hit_o      (answer_hit_o),
    .answer_denied_o   (answer_denied_o),
    .answer_tier_o     (answer_tier_o),
    .answer_phys_addr_o(answer_phys_addr_o),
    .answer_index_o    (answer_index_o),
    .idle_o            (ports_idle_o)
  );

  // ------------------------------------------------------------------ S3: commit
  logic [GenerationW-1:0] generation_q;
  logic alu_tag_we, alu_meta_we, s3_tag_we, s3_meta_we, push_ok;
  tiers_t take;
  logic orphan;
  tier_e take_tier;
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

  assign put_valid_o = s3_judged.puts;
  assign put_held_o = s3_judged.put_held;
  assign put_slot_o = s3_judged.put_slot;
  // An entry with an item goes: the generation counter advances.
  assign orphan = s3_judged.removes && s3_meta_q.in_flight;

  assign s3_tag_we = alu_tag_we || (s3_valid_q && s3_q.eng_write);
  assign s3_meta_we = alu_meta_we || (s3_valid_q && s3_q.eng_write);

  // ------------------------------------------------------------------ S4, S5: the words
  logic s4_or_s5_busy;
  logic [SlotW-1:0] s3_slot;

  kvcpu_rtbd_write #(
    .LANES       (LANES),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_write (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .busy_o        (s4_or_s5_busy),
    .s3_valid_i    (s3_valid_q),
    .s3_i          (s3_q),
    .s3_tag_we_i   (s3_tag_we),
    .s3_meta_we_i  (s3_meta_we),
    .s3_meta_i     (s3_meta_q),
    .s3_judged_i   (s3_judged),
    .s3_push_ok_i  (push_ok),
    .s3_move_i     (s3_move),
    .s3_slot_i     (s3_slot),
    .step_i        (step_i),
    .epoch_i       (epoch_i),
    .generation_i  (generation_q),
    .eng_tag_i     (eng_tag_i),
    .eng_meta_i    (eng_meta_i),
    .eng_meta_bad_i(eng_meta_bad_i),
    .s4_tag_we_o   (s4_tag_we_o),
    .s5_tag_o      (s5_tag_o),
    .s5_meta_we_o  (s5_meta_we_o),
    .s5_meta_o     (s5_meta_o),
    .s5_meta_bad_o (s5_meta_bad_o)
  );

  // ------------------------------------------------------------------ counters, miss queue, generation
  logic s3_lookup;
  assign s3_lookup = s3_commits_q && (s3_q.op.op == OpLookup);
  assign count_hit_o = s3_lookup && s3_hit_q;
  assign count_denied_o = s3_lookup && s3_q.op.denied;
  assign count_miss_o = s3_lookup && !s3_hit_q && !s3_q.op.denied;
  assign miss_valid_o = count_miss_o;
  assign miss_kv_addr_o = s3_q.op.kv_addr;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) generation_q <= '0;
    else if (orphan || free_orphan_i) generation_q <= generation_q + 1'b1;
  end

  // ------------------------------------------------------------------ S4: results
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
    .search_valid_i(result_valid_i),
    .search_ok_i   (result_ok_i),
    .search_index_i(IndexW'({result_row_i[RowBits-1:0], result_bank_i[BankBits-1:0]})),
    .search_tier_i (eng_op_i.tier),
    .search_slot_i (eng_slot_i),
    .cmd_valid_o   (cmd_rsp_valid_o),
    .dma_valid_o   (dma_rsp_valid_o),
    .bar2_valid_o  (bar2_rsp_valid_o),
    .rsp_o         (rsp_o),
    .cmd_rsp_o     (cmd_rsp_o)
  );

  // ------------------------------------------------------------------ empty
  assign quiet_o = find_quiet_i && !s1_valid_q && !s2_valid_q && !s3_valid_q && !s4_or_s5_busy;

  // A cycle late, which is no loss: nothing that takes a slot enters any more.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) takes_quiet_o <= 1'b0;
    else begin
      takes_quiet_o <= takes_hold_i && !find_takes_i && !(s1_valid_q && takes(s1_q.op.op)) &&
                       !(s2_valid_q && takes(s2_q.op.op)) && !(s3_valid_q && takes(s3_q.op.op));
    end
  end

  // ------------------------------------------------------------------ to the pools, the search and the banks
  assign take_o = take | s1_takes;  // never in one cycle: operations that allocate are at least 4 cycles apart
  assign s2_put_tier_o = s2_judged.put_tier;
  assign aborts_o = s3_judged_q.aborts;
  assign abort_id_o = s3_meta_q.move_id;

  assign search_view_o = '{
    s1_insert:   s1_insert,
    s1_op:       s1_q.op,
    s1_slot:     s1_q.slot,
    s2_search:   s2_search_q,
    s3_insert:   s3_insert,
    s3_search:   s3_search,
    s3_again:    s3_again,
    s3_slot:     slot_i[take_tier],
    s3_read:     s3_valid_q && s3_q.eng_read,
    s3_tag:      s3_tag_b_q,
    s3_meta:     s3_meta_q,
    s3_meta_bad: s3_meta_bad_q
  };

  assign s1_generation_o = s1_q.op.item.generation;
  assign s1_move_id_o = s1_q.op.move_id;
  assign s2_overwrites_o = (s2_valid_q && (s2_q.eng_write || s2_q.eng_final)) ? s2_bank_q : '0;

endmodule
