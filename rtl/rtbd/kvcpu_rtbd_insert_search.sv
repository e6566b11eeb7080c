// The search for a place when all places of a new key are taken: one relocation, then two, at most
// 16 + 3 * 16 probes (device.md 8: FULL is given only when the bounded search has failed).
//
// Order (model/placement.py follows it): depth 1 tries the occupants of the key's places by bank;
// depth 2 tries, for the first three of them by bank, the occupants of their places by bank; each
// probe takes the lowest free bank. The search runs in parallel with lookups; the moves are made with the
// pipeline empty and scans paused, so that no client sees an entry twice or not at all.

module kvcpu_rtbd_insert_search #(
  /// Banks. Legal: 4, 8, 16.
  parameter int unsigned LANES = 16,
  /// Tokens per block. Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                                        clk_i,
  /// Reset, active low.
  input  logic                                        rst_ni,
  /// Soft reset.
  input  logic                                        clear_i,

  /// T3: the places of an OpInsert's key.
  input  logic                                        t3_insert_i,
  /// T3: the places of the key of a probe that loads them.
  input  logic                                        t3_load_i,
  /// T3: tags.
  input  kvcpu_pkg::tag_t [LANES-1:0]                 t3_tag_i,
  /// T3: parity good.
  input  logic [LANES-1:0]                            t3_tag_ok_i,
  /// T3: rows.
  input  logic [LANES-1:0][kvcpu_pkg::RowW-1:0]       t3_row_i,

  /// S0: a probe's result leaves.
  input  logic                                        probe_done_i,
  /// S0: bank of the occupant probed (the probe's `index`).
  input  logic [3:0]                                  probe_bank_i,
  /// S0: a free place was found.
  input  logic                                        probe_free_i,
  /// S0: lowest free bank, one-hot.
  input  logic [LANES-1:0]                            probe_free_bank_i,
  /// S0: row of that place.
  input  logic [kvcpu_pkg::RowW-1:0]                  probe_free_row_i,

  /// The operations in S1 to S3.
  input  kvcpu_pkg::search_view_t                     view_i,

  /// T0: operation (OpProbe, or OpInsert again).
  output logic                                        op_valid_o,
  /// T0: taken.
  input  logic                                        op_ready_i,
  /// T0: the operation.
  output kvcpu_pkg::op_t                              op_o,

  /// Nothing else may enter T0.
  output logic                                        freeze_o,
  /// T1..S5 are empty and no scan step is in a bank. Nothing else enters in a cycle with `freeze_o`.
  input  logic                                        quiet_i,
  /// A scan runs.
  input  logic                                        scan_busy_i,

  /// S0: engine access to a bank.
  output logic                                        eng_valid_o,
  /// S0: bank, one-hot.
  output logic [LANES-1:0]                            eng_bank_o,
  /// S0: row.
  output logic [kvcpu_pkg::RowW-1:0]                  eng_row_o,
  /// S0: write `eng_tag_o`, `eng_meta_o` (else read).
  output logic                                        eng_write_o,
  /// S0: write the new entry (OpInsert with the kept slot).
  output logic                                        eng_final_o,
  /// S0: taken by the bank.
  input  logic                                        eng_ready_i,
  /// Entry to write.
  output kvcpu_pkg::tag_t                             eng_tag_o,
  /// Entry to write.
  output kvcpu_pkg::meta_t                            eng_meta_o,
  /// Entry to write: keep it marked as bad.
  output logic                                        eng_meta_bad_o,
  /// OpInsert under way.
  output kvcpu_pkg::op_t                              eng_op_o,
  /// Its slot.
  output logic [kvcpu_pkg::SlotW-1:0]                 eng_slot_o,

  /// Score this row of these banks first.
  output logic [LANES-1:0]                            forced_scan_o,
  /// Row to score.
  output logic [kvcpu_pkg::RowW-1:0]                  forced_row_o,
  /// The forced step is done.
  input  logic [LANES-1:0]                            forced_done_i,
  /// It must be retried.
  input  logic [LANES-1:0]                            forced_again_i,
  /// A step has been taken by its bank.
  input  logic [LANES-1:0]                            forced_taken_i,

  /// Result of a search: valid for one cycle.
  output logic                                        result_valid_o,
  /// A place was found (else FULL).
  output logic                                        result_ok_o,
  /// Bank of the new entry.
  output logic [3:0]                                  result_bank_o,
  /// Row of the new entry.
  output logic [kvcpu_pkg::RowW-1:0]                  result_row_o,
  /// The slot goes back (FULL); held until taken.
  output logic                                        put_valid_o,
  /// The slot is taken back.
  input  logic                                        put_ready_i
);
  import kvcpu_pkg::*;

  localparam int unsigned Depth2Roots = 3;

  typedef enum logic [3:0] {
    Idle,
    Again,    // OpInsert enters once more
    Probe1,   // depth 1
    Load2,    // places of a depth 1 occupant
    Probe2,   // depth 2
    Quiet,    // wait for the pipeline to run dry
    Score,    // score the entry before it moves
    Read,
    ReadEnd,
    Write,
    Final,
    Drain,
    Full
  } state_e;

  typedef struct packed {
    logic            valid;
    logic [15:0]     request_id;
    logic [15:0]     layer_head;
    logic [31:0]     block;
    logic [RowW-1:0] row;
  } occupant_t;

  state_e state_q, state_d;
  op_t op_q;
  logic [SlotW-1:0] slot_q;
  occupant_t [LANES-1:0] first_q, second_q;

  // ------------------------------------------------------------------ captured places
  function automatic occupant_t occupant(tag_t t, logic ok, logic [RowW-1:0] row);
    return '{
      valid:      t.valid && ok,
      request_id: t.request_id,
      layer_head: t.layer_head,
      block:      t.block,
      row:        row
    };
  endfunction

  always_ff @(posedge clk_i) begin
    for (int unsigned b = 0; b < LANES; b++) begin
      if (t3_insert_i) begin
        first_q[b] <= occupant(t3_tag_i[b], t3_tag_ok_i[b], t3_row_i[b]);
      end
      if (t3_load_i) begin
        second_q[b] <= occupant(t3_tag_i[b], t3_tag_ok_i[b], t3_row_i[b]);
      end
    end
  end

  // ------------------------------------------------------------------ search
  typedef logic [LANES-1:0] banks_t;

  // The occupant that is probed next, one-hot, among the first or the second ones; and those after it.
  banks_t sel_first_q, sel_first_d, sel_second_q, sel_second_d, rest_q, rest_d;
  logic [4:0] open_q, open_d;      // probes sent and not answered
  banks_t roots_q, roots_d;        // depth 2: occupants of the key's places that have not been tried
  logic [3:0] root_q, root_d;      // depth 2: the one that is being tried
  logic [1:0] tried_q, tried_d;    // depth 2: how many
  logic two_q, two_d;              // two relocations

  // Path: [0] moves first. `to` is where the entry goes.
  logic [LANES-1:0] src_bank_q, src_bank_d, dst_bank_q, dst_bank_d;
  logic [RowW-1:0] src_row_q, src_row_d, dst_row_q, dst_row_d;
  logic moved_q, moved_d;          // the first of two relocations is done

  // The next probe is put together before it is asked for.
  typedef struct packed {
    kv_addr_t   kv_addr;
    logic       load;   // loads the places of its key
    logic [3:0] bank;   // of the occupant
  } probe_t;

  logic probe_valid_q, probe_valid_d, probe_next, depth2;
  logic freeze_q, quiet_q, again_q, full_q, score, read, write, final_write, eng_valid_q, eng_taken;
  banks_t score_q;
  probe_t probe_q;

  // What S3 said, a cycle later.
  logic s4_again_q, s4_search_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s4_again_q  <= 1'b0;
      s4_search_q <= 1'b0;
    end else begin
      s4_again_q  <= view_i.s3_insert && view_i.s3_again && !clear_i;
      s4_search_q <= view_i.s3_insert && view_i.s3_search && !clear_i;
    end
  end

  // A probe's result, a cycle after it has left.
  logic            done_q, free_q;
  logic [3:0]      bank_q;
  banks_t          free_bank_q;
  logic [RowW-1:0] free_row_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) done_q <= 1'b0;
    else done_q <= probe_done_i && !clear_i;
  end
  always_ff @(posedge clk_i) begin
    free_q      <= probe_free_i;
    bank_q      <= probe_bank_i;
    free_bank_q <= probe_free_bank_i;
    free_row_q  <= probe_free_row_i;
  end

  assign depth2      = (state_q == Probe2);
  assign read        = (state_q == Read);
  assign write       = (state_q == Write);
  assign final_write = (state_q == Final);
  assign eng_taken   = eng_valid_q && eng_ready_i;

  function automatic logic [3:0] number(banks_t bank);
    number = '0;
    for (int unsigned b = 0; b < LANES; b++) if (bank[b]) number |= 4'(b);
  endfunction

  banks_t first_valid, second_valid, root_next;
  occupant_t pick;
  logic last_answer;

  always_comb begin
    pick = '0;
    for (int unsigned b = 0; b < LANES; b++) begin
      first_valid[b] = first_q[b].valid;
      // Depth 2 leaves out the root itself, which sits in its own bank.
      second_valid[b] = second_q[b].valid && root_q != 4'(b);
      if (sel_first_q[b]) pick |= first_q[b];
      if (sel_second_q[b]) pick |= second_q[b];
    end
  end
  assign root_next   = banks_t'(lowest(16'(roots_q)));
  assign last_answer = sel_first_q == '0 && sel_second_q == '0 && open_q == '0;

  function automatic logic [LANES-1:0] one_hot(logic [3:0] b);
    logic [LANES-1:0] v;
    v = '0;
    v[b[$clog2(LANES)-1:0]] = 1'b1;
    return v;
  endfunction

  // A cycle late.
  logic forced_any_done, forced_any_again;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) forced_any_done <= 1'b0;
    else forced_any_done <= |(forced_done_i & src_bank_q) && !clear_i;
  end
  always_ff @(posedge clk_i) forced_any_again <= |(forced_again_i & src_bank_q);

  always_comb begin
    state_d = state_q;
    sel_first_d = sel_first_q;
    sel_second_d = sel_second_q;
    rest_d = rest_q;
    open_d = open_q;
    roots_d = roots_q;
    root_d = root_q;
    tried_d = tried_q;
    two_d = two_q;
    src_bank_d = src_bank_q;
    dst_bank_d = dst_bank_q;
    src_row_d = src_row_q;
    dst_row_d = dst_row_q;
    moved_d = moved_q;
    probe_valid_d = probe_valid_q && !op_ready_i;
    probe_next = 1'b0;
    score = 1'b0;
    result_valid_o = 1'b0;
    result_ok_o = 1'b0;

    unique case (state_q)
      Idle: begin
        if (s4_again_q) state_d = Again;
        if (view_i.s2_search || s4_search_q) state_d = Probe1;
        sel_first_d = banks_t'(lowest(16'(first_valid)));
        sel_second_d = '0;
        rest_d = first_valid & ~banks_t'(lowest(16'(first_valid)));
        open_d = '0;
        roots_d = first_valid;
        root_d = '0;
        tried_d = '0;
        two_d = 1'b0;
        moved_d = 1'b0;
      end

      Again: if (again_q && op_ready_i) state_d = Idle;

      // A probe is put together while none waits.
      Probe1, Probe2: begin
        probe_next = !probe_valid_q && (sel_first_q != '0 || sel_second_q != '0);
        if (probe_next) begin
          probe_valid_d = 1'b1;
          sel_first_d = depth2 ? '0 : banks_t'(lowest(16'(rest_q)));
          sel_second_d = depth2 ? banks_t'(lowest(16'(rest_q))) : '0;
          rest_d = rest_q & ~banks_t'(lowest(16'(rest_q)));
        end
        open_d = open_q + 5'(probe_next) - 5'(done_q);
        if (done_q && free_q) begin
          state_d = Quiet;
          probe_valid_d = 1'b0;
          result_valid_o = 1'b1;
          result_ok_o = 1'b1;
          two_d = depth2;
          src_bank_d = one_hot(bank_q);
          src_row_d = depth2 ? second_q[bank_q[$clog2(LANES)-1:0]].row : first_q[bank_q[$clog2(LANES)-1:0]].row;
          dst_bank_d = free_bank_q;
          dst_row_d = free_row_q;
          if (!depth2) root_d = bank_q;
        end else if (last_answer) begin
          if (tried_q == 2'(Depth2Roots) || roots_q == '0) begin
            state_d = Full;
            result_valid_o = 1'b1;
          end else begin
            state_d = Load2;
            sel_first_d = root_next;
            root_d = number(root_next);
            roots_d = roots_q & ~root_next;
            tried_d = tried_q + 1'b1;
          end
        end
      end

      Load2: begin
        probe_next = !probe_valid_q && sel_first_q != '0;
        if (probe_next) begin
          probe_valid_d = 1'b1;
          sel_first_d = '0;
        end
        if (done_q) begin
          state_d = Probe2;
          sel_second_d = banks_t'(lowest(16'(second_valid)));
          rest_d = second_valid & ~banks_t'(lowest(16'(second_valid)));
        end
      end

      Quiet: begin
        score = quiet_q && scan_busy_i;
        if (quiet_q) state_d = scan_busy_i ? Score : Read;
      end

      Score: begin
        score = forced_any_done && forced_any_again;
        if (forced_any_done && !forced_any_again) state_d = Read;
      end

      Read: if (eng_taken) state_d = ReadEnd;
      ReadEnd: if (view_i.s3_read) state_d = Write;

      Write: begin
        if (eng_taken) begin
          if (two_q && !moved_q) begin
            // The depth 1 occupant goes where the depth 2 occupant was.
            moved_d = 1'b1;
            dst_bank_d = src_bank_q;
            dst_row_d = src_row_q;
            src_bank_d = one_hot(root_q);
            src_row_d = first_q[root_q[$clog2(LANES)-1:0]].row;
            state_d = Quiet;
          end else begin
            state_d = Final;
          end
        end
      end

      Final: if (eng_taken) state_d = Drain;
      Drain: if (quiet_q) state_d = Idle;
      Full: if (full_q && put_ready_i) state_d = Idle;
      default: state_d = Idle;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q    <= Idle;
      probe_valid_q <= 1'b0;
      freeze_q   <= 1'b0;
      quiet_q    <= 1'b0;
      again_q    <= 1'b0;
      eng_valid_q <= 1'b0;
      full_q     <= 1'b0;
      score_q    <= '0;
      sel_first_q  <= '0;
      sel_second_q <= '0;
      rest_q     <= '0;
      open_q     <= '0;
      roots_q    <= '0;
      root_q     <= '0;
      tried_q    <= '0;
      two_q      <= 1'b0;
      moved_q    <= 1'b0;
      src_bank_q <= '0;
      dst_bank_q <= '0;
      src_row_q  <= '0;
      dst_row_q  <= '0;
    end else begin
      state_q    <= clear_i ? Idle : state_d;
      probe_valid_q <= probe_valid_d && !clear_i;
      freeze_q   <= state_q inside {Quiet, Score, Read, ReadEnd, Write, Final, Drain};
      quiet_q    <= quiet_i && freeze_q && !eng_valid_q;
      eng_valid_q <= (read || write || final_write) && !eng_taken && !clear_i;
      again_q    <= state_q == Again && !(again_q && op_ready_i) && !clear_i;
      full_q     <= state_q == Full && !(full_q && put_ready_i) && !clear_i;
      score_q    <= (score ? src_bank_q : score_q & ~forced_taken_i) & {LANES{!clear_i}};
      sel_first_q  <= sel_first_d;
      sel_second_q <= sel_second_d;
      rest_q     <= rest_d;
      open_q     <= open_d;
      roots_q    <= roots_d;
      root_q     <= root_d;
      tried_q    <= tried_d;
      two_q      <= two_d;
      moved_q    <= moved_d;
      src_bank_q <= src_bank_d;
      dst_bank_q <= dst_bank_d;
      src_row_q  <= src_row_d;
      dst_row_q  <= dst_row_d;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!probe_valid_q) begin
      probe_q.kv_addr.request_id <= pick.request_id;
      {probe_q.kv_addr.layer, probe_q.kv_addr.head} <= pick.layer_head;
      probe_q.kv_addr.token <= pick.block << $clog2(BLOCK_TOKENS);
      probe_q.load <= (state_q == Load2);
      probe_q.bank <= number(sel_first_q | sel_second_q);
    end
    // There is one OpInsert at a time: whatever becomes of it, its search has nothing else to know.
    if (view_i.s1_insert) begin
      op_q   <= view_i.s1_op;
      slot_q <= view_i.s1_slot;
    end else if (view_i.s3_insert) begin
      slot_q <= view_i.s3_slot;
    end
    if (view_i.s3_read) begin
      eng_tag_o      <= view_i.s3_tag;
      eng_meta_o     <= view_i.s3_meta;
      eng_meta_bad_o <= view_i.s3_meta_bad;
    end
  end

  // ------------------------------------------------------------------ outputs
  assign op_valid_o = again_q || probe_valid_q;
  always_comb begin
    op_o = op_q;
    if (!again_q) begin
      op_o = '0;
      op_o.op = OpProbe;
      op_o.client = ClCmd;
      op_o.kv_addr = probe_q.kv_addr;
      op_o.write = probe_q.load;
      op_o.index = IndexW'(probe_q.bank);
    end
  end

  assign freeze_o = freeze_q;

  assign eng_valid_o = eng_valid_q;
  assign eng_write_o = write;
  assign eng_final_o = final_write;
  always_comb begin
    eng_bank_o = one_hot(root_q);
    eng_row_o = first_q[root_q[$clog2(LANES)-1:0]].row;
    if (read) begin
      eng_bank_o = src_bank_q;
      eng_row_o = src_row_q;
    end else if (write) begin
      eng_bank_o = dst_bank_q;
      eng_row_o = dst_row_q;
    end
  end
  assign eng_op_o = op_q;
  assign eng_slot_o = slot_q;

  assign forced_scan_o = score_q;
  assign forced_row_o = src_row_q;

  assign result_bank_o = depth2 ? root_q : bank_q;
  assign result_row_o = first_q[result_bank_o[$clog2(LANES)-1:0]].row;
  assign put_valid_o = full_q;

endmodule
