// One bank of the directory: one way, ROWS entries, with the entry pipeline S0..S5 and the scoring lane of the bank.
//
// What enters S0 in a cycle is one of: an operation of the RTBD pipeline, a step of a scan, a step of
// FREE_REQUEST. Nothing enters whose row is already in S1..S5, so a read-modify-write is atomic on its
// entry (device.md 2, "Order"). The bank arbitrates these three, carries the step from stage to stage and says what S5
// writes. Three parts that share no state with that are modules of their own: the memories and what is made of their
// words (kvcpu_rtbd_store), the row conflicts of operations (kvcpu_rtbd_conflict), and what becomes of a step of
// FREE_REQUEST (kvcpu_rtbd_free_step).

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
  /// It comes from the S0 skid register, else from T3.
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
  /// The same of the operation in the S0 skid register.
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

  localparam int unsigned ScanDenyMax = 3;
  localparam int unsigned FreeDenyMax = 48;

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
  logic                 tag_we_d;
  logic                 s4_removed_q;  // FREE_REQUEST removes the entry of S4
  logic [4:1]           stage_valid;
  logic [4:1][RowW-1:0] stage_row;

  assign stage_valid = {s4_q.kind != StepNone, s3_q.kind != StepNone, s2_q.kind != StepNone,
                        s1_q.kind != StepNone};
  assign stage_row   = {s4_q.row, s3_q.row, s2_q.row, s1_q.row};

  kvcpu_rtbd_conflict u_conflict (
    .clk_i              (clk_i),
    .s0_load_i          (s0_load_i),
    .s0_from_spare_i    (s0_from_spare_i),
    .s0_spare_row_i     (s0_spare_row_i),
    .s0_t3_row_i        (s0_t3_row_i),
    .s0_valid_i         (s0_valid_i),
    .s0_row_i           (s0_row_i),
    .s0_read_tag_i      (s0_read_tag_i),
    .s0_spare_read_tag_i(s0_spare_read_tag_i),
    .s0_t3_read_tag_i   (s0_t3_read_tag_i),
    .scan_may_i         (scan_may),
    .scan_row_i         (scan_walk_row),
    .free_may_i         (free_may),
    .free_row_i         (free_row),
    .stage_valid_i      (stage_valid),
    .stage_row_i        (stage_row),
    .tag_we_next_i      (tag_we_d),
    .s4_removed_i       (s4_removed_q),
    .free_way_o         (op_free_way)
  );

  // ------------------------------------------------------------------ the walks
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
  logic s2_tag_ok, op_tag_we_q, op_meta_we, meta_we, s5_scored;
  meta_t scan_wmeta;

  kvcpu_rtbd_store #(
    .ROWS        (ROWS),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_store (
    .clk_i               (clk_i),
    .rst_ni              (rst_ni),
    .t1_read_i           (t1_read_i),
    .t1_hashed_i         (t1_hashed_i),
    .t1_hash_row_i       (t1_hash_row_i),
    .t1_other_row_i      (t1_other_row_i),
    .free_row_i          (free_row),
    .advance_i           (advance_i),
    .t2_kv_addr_i        (t2_kv_addr_i),
    .t2_least_i          (t2_least_i),
    .t3_tag_o            (t3_tag_o),
    .t3_valid_o          (t3_valid_o),
    .t3_tag_ok_o         (t3_tag_ok_o),
    .t3_same_key_o       (t3_same_key_o),
    .s0_row_i            (s0.row),
    .s1_generation_i     (s1_generation_i),
    .s1_move_id_i        (s1_move_id_i),
    .s1_valid_o          (s1_valid_o),
    .s2_via_a_i          (s2_q.via_a),
    .s2_meta_o           (s2_meta_o),
    .s2_tag_o            (s2_tag_o),
    .s2_same_generation_o(s2_same_generation_o),
    .s2_this_move_o      (s2_this_move_o),
    .s2_meta_ok_o        (s2_meta_ok_o),
    .s2_tag_ok_o         (s2_tag_ok),
    .s5_row_i            (s5_q.row),
    .tag_we_i            (tag_we),
    .op_tag_we_i         (op_tag_we_q),
    .s5_tag_i            (s5_tag_i),
    .meta_we_i           (meta_we),
    .op_meta_we_i        (op_meta_we),
    .s5_meta_i           (s5_meta_i),
    .s5_meta_bad_i       (s5_meta_bad_i),
    .s5_scored_i         (s5_scored),
    .scan_meta_i         (scan_wmeta)
  );

  assign s2_row_o = s2_q.row;
  logic s2_again;
  assign s2_bad_o = s2_q.kind != StepNone && !(s2_q.kind == StepScan && s2_q.forced) && !s2_again &&
                    (!s2_meta_ok_o || (s2_q.reads_tag && !s2_tag_ok));

  // A scan reads a row again where the walk goes back: what was at S2 before has been counted, if it is bad.
  localparam int unsigned AgainMax = 4;  // the row of the decision that had to wait, and those at S4, S3, S2
  logic [$clog2(AgainMax+1)-1:0] again_q, again_d;  // steps of the walk to come that were at S2 before

  function automatic logic walks(stage_t s);
    return s.kind == StepScan && !s.forced;
  endfunction

  assign s2_again = walks(s2_q) && again_q != '0;

  always_comb begin
    again_d = again_q - $bits(again_q)'(s2_again);
    if (replay && !s5_q.forced) begin
      again_d = again_d + $bits(again_q)'(walks(s2_q)) + $bits(again_q)'(walks(s3_q)) +
                $bits(again_q)'(walks(s4_q)) + 1'b1;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) again_q <= '0;
    else if (clear_i) again_q <= '0;
    else again_q <= again_d;
  end

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
  logic s3_removed_q, s5_removed_q, s3_stayed_q;

  kvcpu_rtbd_free_step u_free_step (
    .clk_i          (clk_i),
    .rst_ni         (rst_ni),
    .clear_i        (clear_i),
    .request_id_i   (free_request_id_i),
    .s2_step_i      (s2_q.kind == StepFree),
    .s2_meta_ok_i   (s2_meta_ok_o),
    .s2_tag_ok_i    (s2_tag_ok),
    .s2_meta_i      (s2_meta_o),
    .s3_removed_o   (s3_removed_q),
    .s3_stayed_o    (s3_stayed_q),
    .s3_orphan_o    (free_orphan_o),
    .s4_removed_o   (s4_removed_q),
    .s5_removed_o   (s5_removed_q),
    .room_o         (freed_room_q),
    .freed_valid_o  (freed_valid_o),
    .freed_tier_o   (freed_tier_o),
    .freed_slot_o   (freed_slot_o),
    .freed_moving_o (freed_moving_o),
    .freed_move_id_o(freed_move_id_o),
    .freed_pop_i    (freed_pop_i)
  );

  assign free_removed_o = s3_removed_q;
  assign free_stayed_o = s3_stayed_q;

  logic free_in_pipe;
  assign free_in_pipe = (s1_q.kind == StepFree) || (s2_q.kind == StepFree) ||
                        (s3_q.kind == StepFree) || (s4_q.kind == StepFree) ||
                        (s5_q.kind == StepFree);
  assign free_done_o = !free_walking && !free_in_pipe && !freed_valid_o;

  // ------------------------------------------------------------------ S5: write back
  always_comb begin
    scan_wmeta = lane_meta;
    if (dec_valid_o) scan_wmeta.in_flight = dec_accept_i;
  end

  // The sweep writes empty entries, all zero, with the rows of S5.
  logic sweep_q;
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

endmodule
