// One bank of the directory: one way, ROWS entries, in a tag memory and a meta memory, with the entry
// pipeline S0..S5 and the scoring lane of the bank.
//
// What enters S0 in a cycle is one of: an operation of the RTBD pipeline, a step of a scan, a step of
// FREE_REQUEST. Nothing enters whose row is already in S1..S5, so a read-modify-write is atomic on its
// entry (device.md 2, "Order"). The rows are compared one cycle ahead, and parity is folded in two
// stages, of which the first comes right behind the memories.

module kvcpu_rtbd_bank #(
  /// Rows, ENTRIES / LANES. Power of two, 64 to 16,384.
  parameter int unsigned ROWS = 4096,
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                              clk_i,
  /// Reset, active low.
  input  logic                              rst_ni,
  /// Soft reset: drops everything in the pipeline and every walk.
  input  logic                              clear_i,

  /// Reset sweep: write an empty entry at `sweep_row_i` (in the next cycle).
  input  logic                              sweep_i,
  /// Row of the sweep.
  input  logic [kvcpu_pkg::RowW-1:0]        sweep_row_i,

  /// T1 or T2 holds an operation: port A reads its tag.
  input  logic                              t1_read_i,
  /// Port A has no operation's tag to read.
  input  logic                              port_a_idle_i,
  /// T1: it reads at the hash's row.
  input  logic                              t1_hashed_i,
  /// T1: row of the operation's key in this bank.
  input  logic [kvcpu_pkg::RowW-1:0]        t1_hash_row_i,
  /// T1: row of an operation by index, or T2's row while that waits.
  input  logic [kvcpu_pkg::RowW-1:0]        t1_other_row_i,
  /// T1..T3 advance.
  input  logic                              advance_i,
  /// T2: key of the operation.
  input  kvcpu_pkg::kv_addr_t               t2_kv_addr_i,
  /// T2: least TOKEN_END, offset inside the block, of an entry that it matches.
  input  logic [7:0]                        t2_least_i,
  /// T3: tag of the row.
  output kvcpu_pkg::tag_t                   t3_tag_o,
  /// T3: its VALID, earlier than there.
  output logic                              t3_valid_o,
  /// T3: the tag's parity is good.
  output logic                              t3_tag_ok_o,
  /// T3: the tag's key is the operation's, and TOKEN_END is far enough (valid or not, whatever its parity).
  output logic                              t3_same_key_o,

  /// An operation enters the head of the pipeline: it is in S0 from the next cycle on.
  input  logic                              s0_load_i,
  /// It comes from the place before S0, else from T3.
  input  logic                              s0_from_spare_i,
  /// Its row, if it comes from there.
  input  logic [kvcpu_pkg::RowW-1:0]        s0_spare_row_i,
  /// Its row, if it comes from T3.
  input  logic [kvcpu_pkg::RowW-1:0]        s0_t3_row_i,
  /// S0: the operation at the head of the pipeline targets this bank and may go.
  input  logic                              s0_valid_i,
  /// S0: its row.
  input  logic [kvcpu_pkg::RowW-1:0]        s0_row_i,
  /// S0: it also reads the tag, through port B.
  input  logic                              s0_read_tag_i,
  /// The same of the operation in the place before S0.
  input  logic                              s0_spare_read_tag_i,
  /// The same of the operation in T3.
  input  logic                              s0_t3_read_tag_i,
  /// S0: this bank takes an operation in this cycle.
  output logic                              s0_ready_o,

  /// S1: generation of the operation's item.
  input  logic [kvcpu_pkg::GenerationW-1:0]       s1_generation_i,
  /// S1: move of the operation.
  input  logic [kvcpu_pkg::MoveIdW-1:0]     s1_move_id_i,
  /// S1: VALID of the meta word, whatever its parity.
  output logic                              s1_valid_o,
  /// S2: meta word of the operation or step.
  output kvcpu_pkg::meta_t                  s2_meta_o,
  /// S2: tag word (only when it was read through port B).
  output kvcpu_pkg::tag_t                   s2_tag_o,
  /// S2: the meta word has the generation of S1's item before.
  output logic                              s2_same_generation_o,
  /// S2: the copy of the meta word's block is the move of S1 before, of that generation.
  output logic                              s2_this_move_o,
  /// S2: parity of the meta word is good.
  output logic                              s2_meta_ok_o,

  /// S4: an operation will write this bank's tag in the next cycle, at the row of S5.
  input  logic                              s4_tag_we_i,
  /// S5: tag to write.
  input  kvcpu_pkg::tag_t                   s5_tag_i,
  /// S5: an operation writes this bank's meta word.
  input  logic                              s5_meta_we_i,
  /// S5: meta word to write.
  input  kvcpu_pkg::meta_t                  s5_meta_i,
  /// S5: keep the word marked as bad (a relocation moves it as it is).
  input  logic                              s5_meta_bad_i,

  /// Scan: stop the walk that started in the cycle before.
  input  logic                              scan_stop_i,
  /// Scan: start a walk at `scan_row_i` (pulse).
  input  logic                              scan_start_i,
  /// Scan: first row.
  input  logic [kvcpu_pkg::RowW-1:0]        scan_row_i,
  /// Scan: enter no step while high (relocations).
  input  logic                              scan_pause_i,
  /// Scan: configuration, as it was at the start of the scan.
  input  kvcpu_pkg::scan_cfg_t              scan_cfg_i,
  /// Scan: score one row out of turn (relocation); held until taken.
  input  logic                              forced_scan_i,
  /// Scan: that row.
  input  logic [kvcpu_pkg::RowW-1:0]        forced_row_i,
  /// Scan: the row out of turn enters S0.
  output logic                              forced_taken_o,
  /// Scan: the row out of turn has left the pipeline (pulse in S5).
  output logic                              forced_done_o,
  /// Scan: it found no waiting place and must be retried (valid with `forced_done_o`).
  output logic                              forced_again_o,
  /// Scan: all rows walked, no step in the pipeline.
  output logic                              scan_done_o,
  /// Scan: a step is in S1..S5.
  output logic                              scan_in_pipe_o,

  /// Scan decision in S5, to kvcpu_moveq.
  output logic                              dec_valid_o,
  /// Scan decision: evict (1) or prefetch (0).
  output logic                              dec_evict_o,
  /// Scan decision: the item.
  output kvcpu_pkg::item_t                  dec_item_o,
  /// Scan decision: taken into a waiting place.
  input  logic                              dec_accept_i,
  /// Scan decision: dropped (and counted).
  input  logic                              dec_drop_i,

  /// Histogram: this S5 step met every eviction condition but the threshold.
  output logic                              hist_valid_o,
  /// Histogram: tier of the entry.
  output kvcpu_pkg::tier_e                  hist_tier_o,
  /// Histogram: the new P[15:8].
  output logic [7:0]                        hist_bin_o,

  /// FREE_REQUEST: start a walk over all rows (pulse).
  input  logic                              free_start_i,
  /// FREE_REQUEST: request to remove.
  input  logic [15:0]                       free_request_id_i,
  /// FREE_REQUEST: all rows walked and all slots handed over.
  output logic                              free_done_o,
  /// FREE_REQUEST: an entry goes in this cycle (S3).
  output logic                              free_removed_o,
  /// FREE_REQUEST: an entry stays because it is referenced (S3).
  output logic                              free_stayed_o,
  /// FREE_REQUEST: the entry that goes had an item (S3).
  output logic                              free_orphan_o,
  /// FREE_REQUEST: a freed slot waits.
  output logic                              freed_valid_o,
  /// FREE_REQUEST: tier of the freed slot.
  output kvcpu_pkg::tier_e                  freed_tier_o,
  /// FREE_REQUEST: the freed slot.
  output logic [kvcpu_pkg::SlotW-1:0]       freed_slot_o,
  /// FREE_REQUEST: a copy of the entry ran.
  output logic                              freed_moving_o,
  /// FREE_REQUEST: that copy's move.
  output logic [kvcpu_pkg::MoveIdW-1:0]     freed_move_id_o,
  /// FREE_REQUEST: the freed slot is taken over.
  input  logic                              freed_pop_i,

  /// Parity: the meta word or port B tag of the S2 step is bad (a forced step's is not looked at: the
  /// relocation that follows it reads the entry).
  output logic                              s2_bad_o,
  /// Parity: row of the S2 step.
  output logic [kvcpu_pkg::RowW-1:0]        s2_row_o
);
  import kvcpu_pkg::*;

  localparam int unsigned RowBits = $clog2(ROWS);
  localparam int unsigned OffW = (BLOCK_TOKENS > 1) ? $clog2(BLOCK_TOKENS) : 1;
  localparam int unsigned BlkW = 32 - $clog2(BLOCK_TOKENS);
  localparam int unsigned TagBits = 1 + 16 + 16 + BlkW + OffW + 2 + SlotW + 1;
  localparam int unsigned MetaBits = $bits(meta_t) + 1;
  localparam int unsigned ScanDenyMax = 3;
  localparam int unsigned FreeDenyMax = 48;
  localparam int unsigned FreedDepth = 64;
  localparam int unsigned FreeStages = 3;  // S1..S3: steps whose slot is not in the FIFO yet

  // ------------------------------------------------------------------ memory words
  function automatic logic [TagBits-1:0] pack_tag(tag_t t);
    logic [TagBits-2:0] w;
    w = {t.valid, t.request_id, t.layer_head, t.block[BlkW-1:0], t.token_end[OffW-1:0], t.tier,
         t.slot};
    return {^w, w};
  endfunction

  function automatic tag_t unpack_tag(logic [TagBits-1:0] word);
    tag_t t;
    logic unused_parity;
    logic [BlkW-1:0] block;
    logic [OffW-1:0] token_end;
    logic [1:0] tier;
    {unused_parity, t.valid, t.request_id, t.layer_head, block, token_end, tier, t.slot} = word;
    t.tier = tier_e'(tier);
    t.block = 32'(block);
    t.token_end = 8'(token_end);
    return t;
  endfunction

  function automatic logic [MetaBits-1:0] pack_meta(meta_t m);
    return {^m, m};
  endfunction

  // ------------------------------------------------------------------ pipeline state
  typedef enum logic [1:0] {
    StepNone,
    StepOp,
    StepScan,
    StepFree
  } step_e;

  typedef struct packed {
    step_e           kind;
    logic            forced;
    logic            reads_tag;  // not the operations that have read it in T1
    logic            via_a;      // StepFree: the tag is read through port A
    logic [RowW-1:0] row;
  } stage_t;

  stage_t s0, s1_q, s2_q, s3_q, s4_q, s5_q;

  logic replay;    // the S5 scan step found no waiting place: younger steps of the walk are void
  logic replay_q;  // and the one that entered in the same cycle; none enters now, the walk goes back
  logic [RowW-1:0] replay_row_q;

  // ------------------------------------------------------------------ S0: who enters
  logic            scan_walking, scan_ready, free_walking, free_ready;
  logic [RowW-1:0] scan_walk_row, scan_row, free_row;
  logic [1:0]      scan_denied_q;
  logic [5:0]      free_denied_q;
  logic            first_q;      // a step was denied often enough: before operations
  logic            free_turn_q;  // FREE_REQUEST's turn, chosen a cycle before: scans go first but for that
  logic            freed_room_q;
  logic            tag_we;  // a register: the tag memory is written in this cycle (S5)
  logic            op_free_way;
  logic            scan_want, free_want, scan_first, free_first;
  logic            scan_may, free_may;  // the walk's next step could go (speculative)
  logic            op_go, scan_go, free_go;

  // FREE_REQUEST reads the tag for its parity alone: through port A when T1 leaves it free, since its
  // own removals keep port B busy.
  // A forced step finds the pipeline empty and the walk paused.
  assign scan_row    = forced_scan_i ? forced_row_i : scan_walk_row;
  assign scan_want   = forced_scan_i || (scan_walking && !scan_pause_i);
  assign scan_may    = scan_walking && !scan_pause_i && scan_ready && !replay_q;
  assign free_may    = free_turn_q && free_walking && free_ready && freed_room_q;
  assign free_want   = free_may && (port_a_idle_i || !tag_we);

  assign s0_ready_o     = op_free_way && !first_q;
  assign op_go          = s0_valid_i && s0_ready_o;
  assign free_go        = free_want && !op_go;
  assign scan_go        = !free_turn_q && (forced_scan_i || scan_may) && !tag_we && !op_go;
  assign forced_taken_o = scan_go && forced_scan_i;

  always_comb begin
    s0 = '0;
    s0.kind = op_go ? StepOp : free_go ? StepFree : scan_go ? StepScan : StepNone;
    s0.row = op_go ? s0_row_i : free_turn_q ? free_row : scan_row;
    s0.forced = forced_scan_i;
    s0.reads_tag = !op_go || s0_read_tag_i;
    s0.via_a = !op_go && free_want && port_a_idle_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      scan_denied_q <= '0;
      free_denied_q <= '0;
      free_turn_q   <= 1'b0;
      first_q       <= 1'b0;
    end else begin
      if (!scan_want || scan_go) scan_denied_q <= '0;
      else if (scan_denied_q != 2'(ScanDenyMax)) scan_denied_q <= scan_denied_q + 1'b1;
      if (!free_walking || free_go) free_denied_q <= '0;
      else if (free_denied_q != 6'(FreeDenyMax)) free_denied_q <= free_denied_q + 1'b1;
      free_turn_q  <= free_walking && (free_first || !scan_want);
      first_q      <= scan_first || free_first;
    end
  end

  assign scan_first = scan_want && !scan_go && scan_denied_q >= 2'(ScanDenyMax - 1);
  assign free_first = free_walking && !free_go && free_denied_q >= 6'(FreeDenyMax - 1);

  // ------------------------------------------------------------------ rows that are under way
  // The operation in S0 against S1..S5. A step that may go counts as if it went: it will soon. The
  // search's accesses and forced steps run with no other operation in parallel.
  logic [5:1] clash_q, clash_d;
  logic       blocked_q;  // or it would read the tag, which is written
  logic       tag_we_d, read_tag_d;
  logic       s4_removed_q;  // FREE_REQUEST removes the entry of S4

  // What enters S1 in this cycle or is in S1..S4 at `row`.
  function automatic logic [5:1] clashes(logic [RowW-1:0] row, logic op, logic [RowW-1:0] op_row, logic scan,
                                         logic [RowW-1:0] scan_at, logic free, logic [RowW-1:0] free_at,
                                         stage_t a, stage_t b, stage_t c, stage_t d);
    return {d.kind != StepNone && d.row == row, c.kind != StepNone && c.row == row,
            b.kind != StepNone && b.row == row, a.kind != StepNone && a.row == row,
            (op && op_row == row) || (scan && scan_at == row) || (free && free_at == row)};
  endfunction

  always_comb begin
    if (!s0_load_i) begin
      clash_d = {clash_q[4:1], (scan_may && scan_walk_row == s0_row_i) || (free_may && free_row == s0_row_i)};
    end else if (s0_from_spare_i) begin
      clash_d = clashes(s0_spare_row_i, s0_valid_i, s0_row_i, scan_may, scan_walk_row, free_may, free_row, s1_q, s2_q,
                        s3_q, s4_q);
    end else begin
      clash_d = clashes(s0_t3_row_i, s0_valid_i, s0_row_i, scan_may, scan_walk_row, free_may, free_row, s1_q, s2_q,
                        s3_q, s4_q);
    end
  end

  assign read_tag_d = !s0_load_i ? s0_read_tag_i : s0_from_spare_i ? s0_spare_read_tag_i : s0_t3_read_tag_i;

  always_ff @(posedge clk_i) begin
    clash_q   <= clash_d;
    // A removal that clear_i calls off blocks all the same: clear_i comes late, and nothing enters then.
    blocked_q <= clash_d != '0 || (read_tag_d && (tag_we_d || s4_removed_q));
  end

  assign op_free_way = !blocked_q;

  // ------------------------------------------------------------------ the walks
  logic [4:1]           stage_valid;
  logic [4:1][RowW-1:0] stage_row;

  assign stage_valid = {s4_q.kind != StepNone, s3_q.kind != StepNone, s2_q.kind != StepNone,
                        s1_q.kind != StepNone};
  assign stage_row   = {s4_q.row, s3_q.row, s2_q.row, s1_q.row};

  kvcpu_rtbd_walk #(
    .ROWS(ROWS)
  ) u_scan (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clear_i      (clear_i || scan_stop_i),
    .start_i      (scan_start_i),
    .start_row_i  (scan_row_i),
    .back_i       (replay_q),
    .back_row_i   (replay_row_q),
    .step_i       (scan_go && !forced_scan_i),
    .stage_valid_i(stage_valid),
    .stage_row_i  (stage_row),
    .enter_valid_i({free_go, op_go}),
    .enter_row_i  ({free_row, s0_row_i}),
    .walking_o    (scan_walking),
    .row_o        (scan_walk_row),
    .ready_o      (scan_ready)
  );

  kvcpu_rtbd_walk #(
    .ROWS(ROWS)
  ) u_free (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clear_i      (clear_i),
    .start_i      (free_start_i),
    .start_row_i  ('0),
    .back_i       (1'b0),
    .back_row_i   ('0),
    .step_i       (free_go),
    .stage_valid_i(stage_valid),
    .stage_row_i  (stage_row),
    .enter_valid_i({scan_may && !free_turn_q, op_go}),  // in its turn it waits for no step that waits for it
    .enter_row_i  ({scan_walk_row, s0_row_i}),
    .walking_o    (free_walking),
    .row_o        (free_row),
    .ready_o      (free_ready)
  );

  // ------------------------------------------------------------------ S1..S5
  function automatic stage_t unless_void(stage_t s, logic is_void);
    unless_void = s;
    if (is_void && s.kind == StepScan && !s.forced) unless_void.kind = StepNone;
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      replay_q <= 1'b0;
      s1_q <= '0;
      s2_q <= '0;
      s3_q <= '0;
      s4_q <= '0;
      s5_q <= '0;
    end else if (clear_i) begin
      replay_q <= 1'b0;
      s1_q <= '0;
      s2_q <= '0;
      s3_q <= '0;
      s4_q <= '0;
      s5_q <= '0;
    end else begin
      replay_q <= replay && !s5_q.forced;
      s1_q <= s0;
      s2_q <= unless_void(s1_q, replay || replay_q);
      s3_q <= unless_void(s2_q, replay);
      s4_q <= unless_void(s3_q, replay);
      s5_q <= unless_void(s4_q, replay);
      if (sweep_i) s5_q.row <= sweep_row_i;
    end
  end

  always_ff @(posedge clk_i) replay_row_q <= s5_q.row;

  // ------------------------------------------------------------------ memories
  logic [TagBits-1:0] tag_a_word, tag_b_rdata, tag_b_q, t3_word_q;
  logic [RowBits-1:0] tag_a_row;
  logic [MetaBits-1:0] meta_rdata, meta_q, meta_wdata;
  logic meta_we;
  logic [RowW-1:0] tag_b_row;
  logic [TagBits-1:0] tag_wdata;

  // A word that is written while T1 reads it is bypassed around the memory (below).
  kvcpu_ram_2p #(
    .Width(TagBits),
    .Depth(ROWS),
    .Apart(1'b1)
  ) u_tag (
    .clk_i    (clk_i),
    .a_re_i   (advance_i),
    .a_addr_i (tag_a_row),
    .a_rdata_o(tag_a_word),
    .b_re_i   (!tag_we),
    .b_we_i   (tag_we),
    .b_addr_i (tag_b_row[RowBits-1:0]),
    .b_wdata_i(tag_wdata),
    .b_rdata_o(tag_b_rdata)
  );

  // Nothing that means anything is read here in the cycle of its write: no row in S1..S5 enters S0.
  kvcpu_ram_1r1w #(
    .Width(MetaBits),
    .Depth(ROWS),
    .Apart(1'b1)
  ) u_meta (
    .clk_i  (clk_i),
    .we_i   (meta_we),
    .waddr_i(s5_q.row[RowBits-1:0]),
    .wdata_i(meta_wdata),
    .re_i   (1'b1),
    .raddr_i(s0.row[RowBits-1:0]),
    .rdata_o(meta_rdata)
  );

  assign tag_a_row = t1_hashed_i ? t1_hash_row_i[RowBits-1:0] :
                     t1_read_i ? t1_other_row_i[RowBits-1:0] : free_row[RowBits-1:0];
  assign tag_b_row = tag_we ? s5_q.row : s0.row;

  // What port B wrote while port A read: the rows are compared a cycle later, and the words change places
  // a cycle after that, when there is time.
  logic               t2_written_q;
  logic               t3_bypass_q;       // for the tag itself
  logic               t3_bypass_sure_q;  // low-fan-out duplicate, for what is decided from it
  logic [RowBits-1:0] t2_read_row_q, t2_written_row_q;
  logic [TagBits-1:0] t2_written_word_q;

  always_ff @(posedge clk_i) begin
    if (advance_i) begin
      t2_written_q      <= tag_we;
      t2_written_row_q  <= s5_q.row[RowBits-1:0];
      t2_written_word_q <= tag_wdata;
      t2_read_row_q     <= tag_a_row;
    end
  end
  logic t2_bypass;
  assign t2_bypass = t2_written_q && t2_written_row_q == t2_read_row_q;

  // ------------------------------------------------------------------ behind the memories
  // Parity: twenty bits of a word become one here, four of them first; the rest follows a stage later, where that of
  // a meta word is wanted early. `keep`, or mapping makes a chain of it: it does not know how late a memory is.
  localparam int unsigned Four = 4;
  localparam int unsigned Fold = 5;  // fours
  localparam int unsigned Widest = MetaBits > TagBits ? MetaBits : TagBits;
  localparam int unsigned Folds = (Widest + Four * Fold - 1) / (Four * Fold);

  typedef logic [Folds*Fold*Four-1:0] padded_t;
  typedef logic [Folds*Fold-1:0]      fours_t;
  typedef logic [Folds-1:0]           folds_t;

  function automatic fours_t fours_of(padded_t word);
    for (int unsigned i = 0; i < $bits(fours_t); i++) fours_of[i] = ^word[i*Four+:Four];
  endfunction

  function automatic folds_t folds_of(fours_t fours);
    for (int unsigned i = 0; i < Folds; i++) folds_of[i] = ^fours[i*Fold+:Fold];
  endfunction

  (* keep *) fours_t t2_fours_a, s1_fours_b, s1_fours_meta;
  assign t2_fours_a    = fours_of(padded_t'(tag_a_word));
  assign s1_fours_b    = fours_of(padded_t'(tag_b_rdata));
  assign s1_fours_meta = fours_of(padded_t'(meta_rdata));

  // Key and generation: eight bits of the word against eight of the operation's.
  localparam int unsigned KeyBits = 64;
  localparam int unsigned Group = 8;

  function automatic logic [KeyBits/Group-1:0] groups_equal(logic [KeyBits-1:0] a, logic [KeyBits-1:0] b);
    for (int unsigned i = 0; i < KeyBits / Group; i++) begin
      groups_equal[i] = a[i*Group+:Group] == b[i*Group+:Group];
    end
  endfunction

  typedef logic [KeyBits/Group-1:0] key_groups_t;

  folds_t               t3_parity_q, t3_parity_bypass_q;
  folds_t               s2_parity_a_q, s2_parity_bypass_q, s2_parity_b_q;
  logic                 s2_bypass_q;
  folds_t               s2_parity_meta_q;
  key_groups_t          t3_key_q, t3_key_bypass_q;
  logic                 t3_token_q, t3_token_bypass_q;
  logic [GenerationW/Group-1:0] s2_same_generation_q;
  logic                 s2_same_move_q;
  meta_t                s1_meta;
  logic [TagBits-1:0]   t3_word_bypass_q;

  function automatic key_groups_t key_groups(logic [TagBits-1:0] word, kv_addr_t key);
    tag_t tag;
    tag = unpack_tag(word);
    return groups_equal({tag.request_id, tag.layer_head, tag.block},
                        {key.request_id, key.layer, key.head, key.token >> $clog2(BLOCK_TOKENS)});
  endfunction

  function automatic logic reaches(logic [TagBits-1:0] word, logic [7:0] least);
    tag_t tag;
    tag = unpack_tag(word);
    return !(tag.token_end < least);
  endfunction

  always_ff @(posedge clk_i) begin
    if (advance_i) begin
      t3_bypass_q        <= t2_bypass;
      t3_word_q          <= tag_a_word;
      t3_word_bypass_q   <= t2_written_word_q;
      t3_parity_q        <= folds_of(t2_fours_a);
      t3_parity_bypass_q <= folds_of(fours_of(padded_t'(t2_written_word_q)));
      t3_key_q           <= key_groups(tag_a_word, t2_kv_addr_i);
      t3_key_bypass_q    <= key_groups(t2_written_word_q, t2_kv_addr_i);
      t3_token_q         <= reaches(tag_a_word, t2_least_i);
      t3_token_bypass_q  <= reaches(t2_written_word_q, t2_least_i);
    end
    meta_q           <= meta_rdata;
    s2_parity_meta_q <= folds_of(s1_fours_meta);
    for (int unsigned i = 0; i < GenerationW / Group; i++) begin
      s2_same_generation_q[i] <= s1_meta.generation[i*Group+:Group] == s1_generation_i[i*Group+:Group];
    end
    s2_same_move_q   <= s1_meta.move_id == s1_move_id_i;
    tag_b_q          <= tag_b_rdata;
    s2_parity_b_q    <= folds_of(s1_fours_b);
    // As T3's, for a step of FREE_REQUEST, which T3 does not hold up.
    s2_bypass_q        <= t2_bypass;
    s2_parity_a_q      <= folds_of(t2_fours_a);
    s2_parity_bypass_q <= folds_of(fours_of(padded_t'(t2_written_word_q)));
  end

  assign t3_tag_o      = unpack_tag(t3_bypass_q ? t3_word_bypass_q : t3_word_q);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) t3_bypass_sure_q <= 1'b0;
    else if (advance_i) t3_bypass_sure_q <= t2_bypass;
  end

  // What the search for the entry asks has the register of its own.
  localparam int unsigned ValidBit = TagBits - 2;
  assign t3_valid_o    = t3_bypass_sure_q ? t3_word_bypass_q[ValidBit] : t3_word_q[ValidBit];
  assign t3_tag_ok_o   = t3_bypass_sure_q ? !(^t3_parity_bypass_q) : !(^t3_parity_q);
  assign t3_same_key_o = t3_bypass_sure_q ? &{t3_key_bypass_q, t3_token_bypass_q} : &{t3_key_q, t3_token_q};

  // ------------------------------------------------------------------ S1, S2
  logic s2_tag_ok;
  assign s1_meta = meta_t'(meta_rdata[MetaBits-2:0]);
  assign s1_valid_o = s1_meta.valid;
  assign s2_same_generation_o = &s2_same_generation_q;
  assign s2_this_move_o = s2_same_generation_o && s2_same_move_q && s2_meta_o.in_flight && s2_meta_o.moving;
  assign s2_meta_o = meta_t'(meta_q[MetaBits-2:0]);
  assign s2_meta_ok_o = !(^s2_parity_meta_q);
  assign s2_tag_o = unpack_tag(tag_b_q);
  assign s2_tag_ok = !(^(!s2_q.via_a ? s2_parity_b_q : s2_bypass_q ? s2_parity_bypass_q : s2_parity_a_q));
  assign s2_row_o = s2_q.row;
  assign s2_bad_o = s2_q.kind != StepNone && !(s2_q.kind == StepScan && s2_q.forced) &&
                    (!s2_meta_ok_o || (s2_q.reads_tag && !s2_tag_ok));

  // ------------------------------------------------------------------ scan lane, S2..S5
  logic lane_score, lane_evict, lane_prefetch, lane_hist;
  meta_t lane_meta;
  // The key of the entry follows the step, for the item.
  logic [15:0] s3_lh_q, s4_lh_q, s5_lh_q;
  logic [31:0] s3_block_q, s4_block_q, s5_block_q;

  kvcpu_hepc_lane u_lane (
    .clk_i          (clk_i),
    .rst_ni         (rst_ni),
    .cfg_i          (scan_cfg_i),
    .s2_valid_i     (s2_q.kind == StepScan),
    .s2_meta_i      (s2_meta_o),
    .s2_parity_ok_i (s2_meta_ok_o && s2_tag_ok),
    .s5_score_o     (lane_score),
    .s5_meta_o      (lane_meta),
    .s5_evict_o     (lane_evict),
    .s5_prefetch_o  (lane_prefetch),
    .s5_hist_o      (lane_hist)
  );

  always_ff @(posedge clk_i) begin
    s3_lh_q    <= s2_tag_o.layer_head;
    s4_lh_q    <= s3_lh_q;
    s5_lh_q    <= s4_lh_q;
    s3_block_q <= s2_tag_o.block;
    s4_block_q <= s3_block_q;
    s5_block_q <= s4_block_q;
  end

  logic s5_scored;
  logic s5_scan_q;  // of s5_q.kind, for the decision, which has a long way
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) s5_scan_q <= 1'b0;
    else s5_scan_q <= s4_q.kind == StepScan && !(replay && !s4_q.forced) && !clear_i;
  end

  assign s5_scored = (s5_q.kind == StepScan) && lane_score;
  assign dec_valid_o = s5_scan_q && lane_score && (lane_evict || lane_prefetch);
  assign dec_evict_o = lane_evict;
  assign dec_item_o = '{
    request_id: lane_meta.request_id,
    layer_head: s5_lh_q,
    block:      s5_block_q,
    from:       lane_meta.tier,
    fixed:      lane_prefetch,
    target:     scan_cfg_i.promote_tier,
    by_migrate: 1'b0,
    generation:       lane_meta.generation
  };
  assign replay = dec_valid_o && !dec_accept_i && !dec_drop_i;

  assign hist_valid_o = s5_scored && lane_hist && !replay;
  assign hist_tier_o = lane_meta.tier;
  assign hist_bin_o = lane_meta.prio[15:8];

  assign forced_done_o = (s5_q.kind == StepScan) && s5_q.forced;
  assign forced_again_o = replay;

  assign scan_in_pipe_o = (s1_q.kind == StepScan) || (s2_q.kind == StepScan) ||
                          (s3_q.kind == StepScan) || (s4_q.kind == StepScan) ||
                          (s5_q.kind == StepScan);
  assign scan_done_o = !scan_walking && !scan_in_pipe_o && !replay_q;

  // ------------------------------------------------------------------ FREE_REQUEST, S2..S5
  logic free_match, free_remove;
  logic s3_removed_q, s5_removed_q, s3_stayed_q;
  meta_t s3_free_meta_q;

  assign free_match = (s2_q.kind == StepFree) && s2_meta_ok_o && s2_tag_ok && s2_meta_o.valid &&
                      (s2_meta_o.request_id == free_request_id_i);
  assign free_remove = free_match && (s2_meta_o.ref_count == '0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s3_removed_q <= 1'b0;
      s4_removed_q <= 1'b0;
      s5_removed_q <= 1'b0;
      s3_stayed_q  <= 1'b0;
    end else if (clear_i) begin
      s3_removed_q <= 1'b0;
      s4_removed_q <= 1'b0;
      s5_removed_q <= 1'b0;
      s3_stayed_q  <= 1'b0;
    end else begin
      s3_removed_q <= free_remove;
      s4_removed_q <= s3_removed_q;
      s5_removed_q <= s4_removed_q;
      s3_stayed_q  <= free_match && !free_remove;
    end
  end
  always_ff @(posedge clk_i) s3_free_meta_q <= s2_meta_o;

  assign free_removed_o = s3_removed_q;
  assign free_stayed_o = s3_stayed_q;
  assign free_orphan_o = s3_removed_q && s3_free_meta_q.in_flight;

  logic [$clog2(FreedDepth+1)-1:0] freed_level;
  logic unused_freed_full;
  kvcpu_fifo #(
    .Width(2 + SlotW + 1 + MoveIdW),
    .Depth(FreedDepth)
  ) u_freed (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (s3_removed_q),
    .data_i ({s3_free_meta_q.tier, s3_free_meta_q.slot, s3_free_meta_q.moving,
              s3_free_meta_q.move_id}),
    .full_o (unused_freed_full),
    .valid_o(freed_valid_o),
    .data_o ({freed_tier_o, freed_slot_o, freed_moving_o, freed_move_id_o}),
    .pop_i  (freed_pop_i),
    .level_o(freed_level)
  );
  // What enters S0 in this cycle and in the next has not been counted when the level is looked at.
  always_ff @(posedge clk_i) begin
    freed_room_q <= freed_level < $bits(freed_level)'(FreedDepth - FreeStages - 3);
  end

  logic free_in_pipe;
  assign free_in_pipe = (s1_q.kind == StepFree) || (s2_q.kind == StepFree) ||
                        (s3_q.kind == StepFree) || (s4_q.kind == StepFree) ||
                        (s5_q.kind == StepFree);
  assign free_done_o = !free_walking && !free_in_pipe && !freed_valid_o;

  // ------------------------------------------------------------------ S5: write back
  meta_t scan_wmeta;
  always_comb begin
    scan_wmeta = lane_meta;
    if (dec_valid_o) scan_wmeta.in_flight = dec_accept_i;
  end

  // The sweep writes empty entries, all zero, with the rows of S5.
  logic op_tag_we_q, sweep_q, op_meta_we;
  assign op_meta_we = (s5_q.kind == StepOp) && s5_meta_we_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      op_tag_we_q <= 1'b0;
      sweep_q     <= 1'b0;
      tag_we      <= 1'b0;
    end else begin
      op_tag_we_q <= s4_tag_we_i;
      sweep_q     <= sweep_i;
      tag_we      <= tag_we_d;
    end
  end

  assign tag_we_d = s4_tag_we_i || (s4_removed_q && !clear_i) || sweep_i;
  assign meta_we = sweep_q || op_meta_we || s5_removed_q || (s5_scored && !replay);

  always_comb begin
    tag_wdata = '0;  // an empty entry: all zero, parity too
    meta_wdata = '0;
    if (op_tag_we_q) tag_wdata = pack_tag(s5_tag_i);
    if (op_meta_we) meta_wdata = pack_meta(s5_meta_i) ^ {s5_meta_bad_i, {(MetaBits - 1) {1'b0}}};
    else if (s5_scored) meta_wdata = pack_meta(scan_wmeta);
  end

endmodule
