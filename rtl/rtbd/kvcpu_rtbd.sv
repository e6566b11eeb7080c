// RTBD, the directory: one operation a cycle through T0..T3 (find the entry) and S0..S5 (change it),
// one scan step a cycle and bank beside it. docs/microarchitecture.md 2 has the stages.

module kvcpu_rtbd #(
  /// Entries (device.md 1). Power of two, 1,024 to 65,536.
  parameter int unsigned ENTRIES = 65536,
  /// Lanes and banks (device.md 1). Legal: 4, 8, 16.
  parameter int unsigned LANES = 16,
  /// Lookup ports (device.md 1). Legal: 1 to 8.
  parameter int unsigned PORTS = 3,
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16,
  /// DMA moves in flight. Power of two, 2 to 128.
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
  /// The directory has been cleared; launches are welcome.
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
  /// It may push one: its channel and its item stand. Known early in the cycle.
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
  /// Slot pools: number of that offer.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::OfferW-1:0] offer_i,
  /// Slot pools: give back (one tier at a time).
  output logic [kvcpu_pkg::TierCount-1:0]     put_o,
  /// Slot pools: held until the fence.
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
  localparam int unsigned TakeGap = 4;  // the slot pools refill their heads meanwhile

  if (ENTRIES < 1024 || ENTRIES > MaxEntries || (ENTRIES & (ENTRIES - 1)) != 0) begin : gen_entries
    $error("ENTRIES must be a power of two from 1,024 to 65,536");
  end
  if (LANES != 4 && LANES != 8 && LANES != 16) begin : gen_lanes
    $error("LANES must be 4, 8 or 16");
  end
  if (PORTS < 1 || PORTS > MaxPorts) begin : gen_ports
    $error("PORTS must be 1 to 8");
  end
  if (BLOCK_TOKENS < 1 || BLOCK_TOKENS > 256 || (BLOCK_TOKENS & (BLOCK_TOKENS - 1)) != 0)
  begin : gen_block_tokens
    $error("BLOCK_TOKENS must be a power of two from 1 to 256");
  end

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
  // Two operations fit before T2: what is accepted while T1 holds its operation waits beside it. So
  // that nobody's ready depends on the interlock.
  logic t1_spare_valid_q, t1_free, t1_leave, t_advance, freeze;
  logic shut_q;  // nothing enters; a cycle late, for which the soft reset has a state
  logic takes_hold_q;
  logic enter_valid;
  op_t enter_op, t1_spare_op_q;
  logic [PORTS-1:0] credit;
  logic probe_valid, probe_ready;
  op_t probe_op;

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
    .open_i          (!t1_spare_valid_q),
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
  logic t1_valid_q, t2_valid_q, t3_valid_q, s0_valid_q;
  op_t t1_op_q, t2_op_q, t3_op_q;
  logic [LANES-1:0][RowW-1:0] t1_hash_row, t1_row, t2_row_q, t3_row_q;
  logic t2_hold_q;


  kvcpu_hash #(
    .LANES(LANES),
    .ROWS (ROWS)
  ) u_hash (
    .request_id_i(t1_op_q.kv_addr.request_id),
    .layer_head_i({t1_op_q.kv_addr.layer, t1_op_q.kv_addr.head}),
    .block_i     (t1_op_q.kv_addr.token >> OffBits),
    .row_o       (t1_hash_row)
  );

  always_comb begin
    t1_row = t1_hash_row;
    if (t1_op_q.op == OpRead) begin
      for (int unsigned b = 0; b < LANES; b++) t1_row[b] = RowW'(t1_op_q.index >> BankBits);
    end
  end

  // Same-key interlock: an operation waits in T2 until no older one that may write the tag of its
  // key is under way, and reads its tags anew meanwhile. Whether it waits is compared a cycle before, in
  // the cycle of the read. Keys are told apart by a signature; a false alarm only costs time.
  typedef struct packed {
    logic        writes;
    logic [15:0] sig;
  } lock_t;

  function automatic logic [15:0] signature(kv_addr_t a);
    logic [31:0] block;
    block = a.token >> OffBits;
    return a.request_id ^ {a.head, a.layer} ^ block[15:0] ^ block[31:16];
  endfunction

  function automatic logic may_write_tag(op_t o);
    return (o.op == OpLookup && o.write && !o.denied) || o.op == OpInsert || o.op == OpRemove ||
           o.op == OpEnd;
  endfunction

  // The operation at the head of the pipeline, with what T3 found.
  typedef struct packed {
    op_t                          op;
    banks_t                       target;      // bank of the entry, one-hot; 0: no entry
    logic                         match;       // a tag of its key
    banks_t                       first_free;  // lowest bank with a free place for its key
    logic                         place;       // there is one
    logic                         read_tag;    // it reads the tag, through port B
    logic                         takes;       // it may take a slot
    logic                         eng_read;    // accesses of the insert search
    logic                         eng_write;
    logic                         eng_final;
    logic [LANES-1:0][RowW-1:0]   row;
    logic [LANES-1:0][7:0]        token_end;
    logic [LANES-1:0][1:0]        tier;
    logic [LANES-1:0][SlotW-1:0]  slot;
    logic [OfferW-1:0]            ins_offer;   // OpInsert: the offer that it may take, the slot, its place
    logic [SlotW-1:0]             ins_slot;
    logic [31:0]                  ins_offset;
    lock_t                        lock;
  } head_t;

  head_t t3_head, eng_head, s0_spare_q, s0_next, s0_q;
  logic  s0_spare_valid_q;

  assign t1_leave = t1_valid_q && !s0_spare_valid_q && !t2_hold_q;
  assign t1_free = !t1_valid_q || t1_leave;

  function automatic logic takes(logic valid, op_e op);
    return valid && (op == OpStart || op == OpInsert);
  endfunction

  localparam int unsigned Locks = 9;  // an operation in T1 may meet that many older ones
  typedef logic [Locks-1:0] locks_t;

  lock_t t2_lock_q, t3_lock_q, s1_lock_q, s2_lock_q, s3_lock_q, s4_lock_q, s5_lock_q;
  lock_t t1_lock;
  locks_t t1_meets, t2_meets;
  logic t1_named;
  logic [15:0] t1_sig_q;

  always_ff @(posedge clk_i) begin
    if (t1_free) t1_sig_q <= t1_spare_valid_q ? signature(t1_spare_op_q.kv_addr) : signature(enter_op.kv_addr);
  end

  assign t1_lock = '{writes: t1_valid_q && may_write_tag(t1_op_q), sig: t1_sig_q};
  assign t1_named = t1_valid_q && (t1_op_q.op != OpRead) && (t1_op_q.op != OpProbe);

  function automatic logic locked(lock_t l, logic [15:0] sig);
    return l.writes && (l.sig == sig);
  endfunction

  lock_t spare_lock, head_lock;
  assign spare_lock = '{writes: s0_spare_valid_q && s0_spare_q.lock.writes, sig: s0_spare_q.lock.sig};
  assign head_lock  = '{writes: s0_valid_q && s0_q.lock.writes, sig: s0_q.lock.sig};

  // Older than what is in T2, and with that, older than what is in T1. A lock that has left its stage is
  // only a false alarm: s0_q and s0_spare_q keep theirs.
  lock_t [Locks-1:0] older;
  assign older = {t2_lock_q, t3_lock_q, spare_lock, head_lock, s1_lock_q, s2_lock_q, s3_lock_q, s4_lock_q,
                  s5_lock_q};
  always_comb begin
    for (int unsigned l = 0; l < Locks; l++) begin
      t1_meets[l] = locked(older[l], t1_sig_q);
      t2_meets[l] = (l < Locks - 1) && locked(older[l], t2_lock_q.sig);
    end
  end

  // Port A of the banks: what waits in T2 reads again. The hash comes late, so it is chosen last.
  logic t1_hashed;
  logic [LANES-1:0][RowW-1:0] t_other_row;
  assign t1_hashed = t1_valid_q && !t2_hold_q && t1_op_q.op != OpRead;
  always_comb begin
    t_other_row = t2_row_q;
    if (!t2_hold_q) for (int unsigned b = 0; b < LANES; b++) t_other_row[b] = RowW'(t1_op_q.index >> BankBits);
  end

  // T3
  tag_t [LANES-1:0] t3_tag;
  banks_t t3_valid, t3_tag_ok, t3_same_key, t3_match, t3_free, t3_first_free, t3_bad, t3_target;
  // Its key counts; it may take a slot; it is an OpInsert, an OpRead, a probe, a probe that loads.
  logic t3_named_q, t3_takes_q, t3_insert_q, t3_read_q, t3_probe_q, t3_load_q;
  logic [7:0] t1_least, t2_least_q;

  // The least TOKEN_END with which an entry matches. Lookups ask for a token, write lookups for the one
  // after the last too (device.md 3); all other operations take any token of the block (device.md 8).
  always_comb begin
    t1_least = 8'(t1_op_q.kv_addr.token & 32'(BLOCK_TOKENS - 1));
    if (t1_op_q.write && t1_least != '0) t1_least = t1_least - 8'd1;
    if (t1_op_q.op != OpLookup && t1_op_q.op != OpPeek) t1_least = '0;
  end

  for (genvar b = 0; b < LANES; b++) begin : gen_match
    assign t3_match[b] = t3_same_key[b] && t3_valid[b] && t3_tag_ok[b] && t3_named_q;
    assign t3_free[b] = !t3_valid[b] && t3_tag_ok[b];
    assign t3_bad[b] = !t3_tag_ok[b] && t3_named_q;
  end
  assign t3_first_free = banks_t'(lowest(16'(t3_free)));

  always_comb begin
    t3_target = t3_match;
    if (t3_insert_q && t3_match == '0) t3_target = t3_first_free;
    if (t3_read_q) t3_target[t3_op_q.index[BankBits-1:0]] = 1'b1;
    if (t3_probe_q) t3_target = '0;
  end

  // OpInsert: the slot at the head of its tier's pool, and its address, followed from T2 on.
  logic [SlotW-1:0] t3_ins_slot_q;
  logic [OfferW-1:0] t3_ins_offer_no_q;

  always_comb begin
    t3_head = '{
      op:         t3_op_q,
      target:     t3_target,
      match:      |t3_match,
      first_free: t3_first_free,
      place:      |t3_free,
      read_tag:   t3_read_q,
      takes:      t3_takes_q,
      row:        t3_row_q,
      ins_offer:  t3_ins_offer_no_q,
      ins_slot:   t3_ins_slot_q,
      ins_offset: 32'(t3_ins_slot_q) << cfg_i.stride_shift,
      lock:       t3_lock_q,
      default:    '0
    };
    for (int unsigned b = 0; b < LANES; b++) begin
      t3_head.token_end[b] = t3_tag[b].token_end;
      t3_head.tier[b] = t3_tag[b].tier;
      t3_head.slot[b] = t3_tag[b].slot;
    end
  end

  // S0
  banks_t bank_s0_valid, bank_s0_ready;
  logic s0_free, s0_go;
  logic [TakeGap-1:1] take_gap_q;  // an operation that takes a slot left S0 one, two ... cycles ago

  logic eng_valid, eng_write, eng_final, eng_ready, eng_meta_bad;
  banks_t eng_bank;
  logic [RowW-1:0] eng_row;
  tag_t eng_tag;
  meta_t eng_meta;
  op_t eng_op;
  logic [SlotW-1:0] eng_slot;

  // The search's own accesses come with the pipeline empty, through the place before S0.
  always_comb begin
    eng_head = '{
      op:        eng_op,
      target:    eng_bank,
      read_tag:  1'b1,
      eng_read:  !eng_write && !eng_final,
      eng_write: eng_write,
      eng_final: eng_final,
      place:     eng_final,
      ins_slot:  eng_slot,
      default:   '0
    };
    for (int unsigned b = 0; b < LANES; b++) eng_head.row[b] = eng_row;
  end
  assign eng_ready = eng_valid && !s0_spare_valid_q;

  // Operations that take slots reach the pools 4 cycles apart: their heads are refilled meanwhile.
  logic take_gap_left, s0_next_valid, s0_next_wait, s0_next_probe, s0_spare_probe_q;
  logic s0_real_q;  // an operation, not a probe, is at the head
  logic s0_pass_q;  // what is there, if anything, waits for no bank
  assign take_gap_left = take_gap_q[TakeGap-2:1] != '0;
  assign s0_next_valid = s0_spare_valid_q || t3_valid_q;
  assign s0_next_wait  = s0_next.takes && (take_gap_left || (s0_valid_q && s0_q.takes));
  assign s0_free = s0_pass_q || (bank_s0_valid & bank_s0_ready) != '0;
  assign s0_go = s0_real_q && s0_free;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s0_real_q     <= 1'b0;
      s0_pass_q     <= 1'b1;
      bank_s0_valid <= '0;
    end else if (s0_free) begin
      s0_real_q     <= s0_next_valid && !s0_next_probe;
      s0_pass_q     <= !s0_next_valid || (s0_next.target == '0 && !s0_next_wait);
      bank_s0_valid <= (s0_next_valid && !s0_next_wait) ? s0_next.target : '0;
    end else begin
      s0_pass_q     <= s0_q.target == '0 && !(s0_q.takes && take_gap_left);
      bank_s0_valid <= (s0_q.takes && take_gap_left) ? '0 : s0_q.target;
    end
  end

  // T1..T3 advance unless the place before S0 is taken: nobody there waits for a bank's decision. So
  // t_advance is !s0_spare_valid_q, in a register of its own: they have much to drive.
  logic s0_spare_valid;
  always_comb begin
    s0_next = t_advance ? t3_head : s0_spare_q;
    s0_next.target = s0_spare_valid_q ? s0_spare_q.target : t3_target;
    s0_next.takes = s0_spare_valid_q ? s0_spare_q.takes : t3_takes_q;
  end
  assign s0_next_probe = s0_spare_valid_q ? s0_spare_probe_q : t3_probe_q;
  assign s0_spare_valid = eng_ready || (!s0_free && (s0_spare_valid_q || t3_valid_q));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      t1_valid_q       <= 1'b0;
      t1_spare_valid_q <= 1'b0;
      t2_valid_q       <= 1'b0;
      t3_valid_q       <= 1'b0;
      s0_spare_valid_q <= 1'b0;
      t_advance        <= 1'b1;
      s0_valid_q       <= 1'b0;
      t2_lock_q        <= '0;
      t2_hold_q        <= 1'b0;
      t3_lock_q        <= '0;
      take_gap_q       <= '0;
    end else begin
      if (t1_free) t1_valid_q <= t1_spare_valid_q || enter_valid;
      t1_spare_valid_q <= !t1_free && (t1_spare_valid_q || enter_valid);
      if (t_advance) begin
        t3_valid_q <= t2_valid_q && !t2_hold_q;
        t3_lock_q  <= t2_hold_q ? '0 : t2_lock_q;
        t2_hold_q  <= t2_hold_q ? t2_meets != '0 : t1_named && t1_meets != '0;
        if (!t2_hold_q) begin
          t2_valid_q <= t1_valid_q;
          t2_lock_q  <= t1_lock;
        end
      end
      if (s0_free) s0_valid_q <= s0_next_valid;
      s0_spare_valid_q <= s0_spare_valid;
      t_advance        <= !s0_spare_valid;
      take_gap_q       <= {take_gap_q[TakeGap-2:1], s0_go && s0_q.takes};
    end
  end

  // With a reset, so that synthesis does not move the register behind the hash's tables: T0 has no time.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) t1_op_q <= '0;
    else if (t1_free) t1_op_q <= t1_spare_valid_q ? t1_spare_op_q : enter_op;
  end

  always_ff @(posedge clk_i) begin
    if (!t1_spare_valid_q) t1_spare_op_q <= enter_op;
    if (t_advance) begin
      if (!t2_hold_q) begin
        t2_op_q    <= t1_op_q;
        t2_row_q   <= t1_row;
        t2_least_q <= t1_least;
      end
      t3_op_q         <= t2_op_q;
      t3_named_q      <= (t2_op_q.op != OpRead) && !t2_op_q.denied;
      t3_insert_q     <= t2_op_q.op == OpInsert;
      t3_read_q       <= t2_op_q.op == OpRead;
      t3_probe_q      <= t2_op_q.op == OpProbe;
      t3_load_q       <= t2_op_q.op == OpProbe && t2_op_q.write;
      t3_takes_q      <= takes(1'b1, t2_op_q.op);
      t3_row_q        <= t2_row_q;
      t3_ins_slot_q   <= slot_i[t2_op_q.tier];
      t3_ins_offer_no_q <= offer_i[t2_op_q.tier];
      s0_spare_q      <= eng_valid ? eng_head : t3_head;
      s0_spare_probe_q <= !eng_valid && t3_probe_q;
    end
    if (s0_free) s0_q <= s0_next;
  end

  // ------------------------------------------------------------------ S1..S3
  typedef struct packed {
    op_t             op;
    banks_t          bank;    // of the entry, one-hot; 0: no entry
    logic [3:0]      bank_no;
    logic [RowW-1:0] row;
    logic            match;
    logic            place;
    logic [7:0]      token_end;
    logic [1:0]      tier;
    logic [SlotW-1:0] slot;
    logic            kept;    // OpInsert: it has its slot, in `slot`
    logic            eng_read;
    logic            eng_write;
    logic            eng_final;
  } s_stage_t;

  s_stage_t s0, s1_q, s2_q, s3_q;
  logic s1_valid_q, s2_valid_q, s3_valid_q;
  logic [PORTS-1:0] s2_to_port_q;  // a lookup of that port

  always_comb begin
    s0 = '0;
    s0.op = s0_q.op;
    s0.bank = s0_q.target;
    s0.match = s0_q.match;
    s0.place = s0_q.place;
    s0.kept = s0_q.eng_final;
    s0.eng_read = s0_q.eng_read;
    s0.eng_write = s0_q.eng_write;
    s0.eng_final = s0_q.eng_final;
    for (int unsigned b = 0; b < LANES; b++) begin
      if (s0_q.target[b]) begin
        s0.bank_no |= 4'(b);
        s0.row |= s0_q.row[b];
        s0.token_end |= s0_q.token_end[b];
        s0.tier |= s0_q.tier[b];
        s0.slot |= s0_q.slot[b];
      end
    end
    if (s0_q.op.op == OpInsert && !s0_q.match) begin
      s0.tier = s0_q.op.tier;
      s0.slot = s0_q.ins_slot;
    end
  end

  lock_t s0_lock;
  assign s0_lock = '{writes: s0_q.lock.writes && s0_go, sig: s0_q.lock.sig};

  // ------------------------------------------------------------------ S1: INSERT takes its slot
  // A new key has its result here: with a place and a slot nothing can happen to it any more before its
  // commit point, and nothing that enters after the result overtakes it. Without a place the search
  // begins a cycle later. Where the pool's head has changed since T2, or is not there, the commit point takes the
  // slot, answers and begins the search.
  logic s0_fresh, s1_fresh_q, s2_fresh_q, s3_fresh_q;  // an OpInsert, but not of the search
  logic s1_insert, s1_keeps, s2_search_q;
  logic [63:0] s1_ins_phys_q;
  logic [OfferW-1:0] s1_ins_offer_q;
  tiers_t s1_try_q, s1_takes;  // the tier whose slot a new key may take, and takes; one-hot

  assign s0_fresh = (s0_q.op.op == OpInsert) && !s0_q.eng_read && !s0_q.eng_write && !s0_q.eng_final;
  always_comb begin
    for (int unsigned t = 0; t < TierCount; t++) begin
      s1_takes[t] = s1_valid_q && s1_try_q[t] && slot_avail_i[t] && (offer_i[t] == s1_ins_offer_q);
    end
  end
  assign s1_keeps = s1_takes != '0;
  assign s1_insert = s1_valid_q && s1_fresh_q;
  assign cmd_insert_o = s1_insert;
  assign cmd_inserted_o = s1_keeps && s1_q.place;
  assign cmd_phys_addr_o = s1_ins_phys_q;
  assign cmd_index_o = IndexW'({s1_q.row[RowBits-1:0], s1_q.bank_no[BankBits-1:0]});

  // PHYS_ADDR = BASE + slot * stride. The stride has much to drive: a register of its own for a part of that.
  logic [4:0] stride_shift_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) stride_shift_q <= '0;
    else stride_shift_q <= cfg_next_i.stride_shift;
  end

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

  // S2 itself looks at the word in a hurry: with selections of its own, which have less to drive.
  meta_t s2_now;
  banks_t s2_bank_q;
  // The bank where the operation found its key and where VALID is set. The meta word has the last word on that:
  // FREE_REQUEST may have removed the entry since T3.
  banks_t bank_s1_valid, s1_live, s2_live_q;
  banks_t s2_judge_live_q;  // the same for the judgement, which is in a hurry: answers have much to drive
  banks_t bank_s2_same_life, bank_s2_this_move;

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
  assign s1_live = s1_q.match ? s1_q.bank & bank_s1_valid : '0;
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

  kvcpu_rtbd_judge u_judge (
    .valid_i       (s2_commits),
    .op_i          (s2_q.op),
    .hit_i         ((s2_judge_live_q & bank_s2_meta_ok) != '0),
    .exists_i      (s2_q.match),
    .place_i       (s2_q.place),
    .kept_i        (s2_q.kept),
    .meta_i        (s2_now),
    .same_life_i   ((s2_bank_q & bank_s2_same_life) != '0),
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
    // No move starts with ENABLE = 0 (device.md 10): one that was on its way comes again. Later tries go on.
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
      s1_lock_q  <= '0;
      s2_lock_q  <= '0;
      s3_lock_q  <= '0;
      s4_lock_q  <= '0;
      s5_lock_q  <= '0;
    end else begin
      s1_valid_q <= s0_go;
      s2_valid_q <= s1_valid_q;
      s3_valid_q <= s2_valid_q;
      s3_commits_q <= s2_commits;
      s2_bank_q  <= s1_q.bank;
      s2_live_q  <= s1_live;
      for (int unsigned p = 0; p < PORTS; p++) begin
        s2_to_port_q[p] <= s1_valid_q && s1_q.op.op == OpLookup && s1_q.op.client == ClPort && s1_q.op.port == 3'(p);
      end
      s1_lock_q  <= s0_lock;
      s2_lock_q  <= s1_lock_q;
      s3_lock_q  <= s2_lock_q;
      s4_lock_q  <= s3_lock_q;
      s5_lock_q  <= s4_lock_q;
    end
  end

  always_ff @(posedge clk_i) begin
    s1_q          <= s0;
    s1_fresh_q    <= s0_fresh;
    s1_try_q      <= (s0_fresh && !s0_q.match) ? only(s0_q.op.tier) : '0;
    s1_ins_phys_q <= cfg_i.base[s0_q.op.tier] + 64'(s0_q.ins_offset);
    s1_ins_offer_q <= s0_q.ins_offer;
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
  logic [LifeW-1:0] life_q;
  logic alu_tag_we, alu_meta_we, s3_tag_we, s3_meta_we, push_ok;
  tiers_t take;
  logic put_valid, put_held, orphan;
  tier_e take_tier;
  logic [SlotW-1:0] put_slot;
  status_e s3_status;
  move_e s3_move;

  kvcpu_rtbd_alu u_alu (
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
  // An entry with an item goes: the life count advances.
  assign orphan = s3_judged.removes && s3_meta_q.in_flight;

  assign s3_tag_we = alu_tag_we || (s3_valid_q && s3_q.eng_write);
  assign s3_meta_we = alu_meta_we || (s3_valid_q && s3_q.eng_write);

  // ------------------------------------------------------------------ S4: the words
  banks_t s5_bank_q;
  logic s4_tag_we_q, s4_meta_we_q, s5_meta_we_q, s4_push_ok_q, s4_epoch_q, s5_bad_q;
  logic [LifeW-1:0] s4_life_q;
  logic [31:0] s4_step_q;
  logic [SlotW-1:0] s3_slot, s4_slot_q;
  move_e s4_move_q;
  judged_t s4_judged_q;
  s_stage_t s4_q;
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

  kvcpu_rtbd_word u_word (
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
    .life_i        (s4_life_q),
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
    s4_life_q     <= life_q;
    s5_bank_q     <= s4_q.bank;
    s5_tag_q      <= s4_q.eng_write ? eng_tag : s4_tag;
    s5_meta_q     <= s4_q.eng_write ? eng_meta : s4_meta;
    s5_bad_q      <= s4_q.eng_write && eng_meta_bad;
  end

  // ------------------------------------------------------------------ counters, miss queue, life
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
    if (!rst_ni) life_q <= '0;
    else if (orphan || free_orphan_any) life_q <= life_q + 1'b1;
  end

  // ------------------------------------------------------------------ S4: results
  logic result_valid, result_ok, search_put_valid, search_put_ready;
  logic [3:0] result_bank;
  logic [RowW-1:0] result_row;
  logic s3_insert, s3_again, s3_search;
  rsp_t s3_rsp, search_rsp;

  assign s3_insert = s3_valid_q && s3_fresh_q && !s3_q.kept;
  assign s3_again = s3_judged_q.inserts && (s3_unsure || (s3_pick_q != '0 && !s3_avail_q));
  assign s3_search = s3_judged_q.inserts && !s3_unsure && s3_avail_q && !s3_q.place;
  // The slot of this operation, taken here or kept from S1 on.
  assign s3_slot = s3_q.kept ? s3_q.slot : slot_i[take_tier];

  always_comb begin
    s3_rsp = '0;
    s3_rsp.op = s3_q.op.op;
    s3_rsp.client = s3_q.op.client;
    s3_rsp.move_id = s3_q.op.move_id;
    s3_rsp.hit = s3_hit_q;
    s3_rsp.status = s3_status;
    s3_rsp.move = s3_move;
    s3_rsp.underflow = s3_judged_q.underflow;
    s3_rsp.saturated = s3_judged_q.saturated;
    if (s3_hit_q) begin
      s3_rsp.tier = s3_meta_q.tier;
      s3_rsp.phys_addr = s3_phys_q;
      s3_rsp.index = s3_index;
    end
    if (s3_q.op.op == OpInsert && !s3_hit_q) begin  // means something if the status is StOk, which comes last
      s3_rsp.tier = s3_q.op.tier;
      s3_rsp.index = s3_index;
    end
    s3_rsp.dst_tier = take_tier;
    s3_rsp.dst_slot = s3_slot;
    if (s3_q.op.op == OpRead) begin
      s3_rsp.entry = '{
        valid:       s3_meta_q.valid,
        hint:        s3_meta_q.hint,
        evictable:   s3_meta_q.evictable,
        hot:         s3_meta_q.hot,
        dirty:       s3_meta_q.dirty,
        prefix:      s3_meta_q.prefix,
        f:           s3_meta_q.f,
        r:           s3_meta_q.r,
        ref_count:   s3_meta_q.ref_count,
        access_step: s3_meta_q.access_step,
        prio:        s3_meta_q.prio,
        phys_addr:   '0,
        tier:        s3_tag_b_q.tier,
        token_end:   s3_meta_q.valid ? (s3_tag_b_q.block << OffBits) |
                     32'(s3_tag_b_q.token_end) : '0,
        token_start: s3_tag_b_q.block << OffBits,
        layer_head:  s3_tag_b_q.layer_head,
        request_id:  s3_tag_b_q.request_id
      };
    end
  end

  // Addresses of slots are added up in S4: of the slot taken, and of an entry that is read.
  typedef struct packed {
    logic [63:0] base;
    logic [31:0] offset;
  } place_t;

  function automatic place_t place_of(cfg_t cfg, logic [1:0] tier, logic [SlotW-1:0] slot);
    return '{base: cfg.base[tier], offset: 32'(slot) << stride_shift_q};
  endfunction

  function automatic logic [63:0] address(place_t p);
    return p.base + 64'(p.offset);
  endfunction

  // Each tier's place before the tier is known: a slot that can be taken at S3 was there at S2.
  place_t [TierCount-1:0] s3_places_q;
  place_t s3_take;
  always_ff @(posedge clk_i) begin
    for (int unsigned t = 0; t < TierCount; t++) s3_places_q[t] <= place_of(cfg_i, 2'(t), slot_i[t]);
  end
  always_comb begin
    s3_take = '0;
    for (int unsigned t = 0; t < TierCount; t++) if (s3_pick_q[t]) s3_take |= s3_places_q[t];
  end

  // The search answers as the OpInsert that began it, whose slot has long been known.
  place_t search_place_q;
  logic [63:0] search_phys_q;
  always_ff @(posedge clk_i) begin
    search_place_q <= place_of(cfg_i, eng_op.tier, eng_slot);
    search_phys_q  <= address(search_place_q);
  end

  always_comb begin
    search_rsp = '0;
    search_rsp.op = OpInsert;
    search_rsp.client = ClCmd;
    search_rsp.status = result_ok ? StOk : StFull;
    if (result_ok) begin
      search_rsp.tier = eng_op.tier;
      search_rsp.phys_addr = search_phys_q;
      search_rsp.index = IndexW'({result_row[RowBits-1:0], result_bank[BankBits-1:0]});
    end
  end

  logic s3_answers, cmd_rsp_valid_q;
  assign s3_answers = s3_commits_q && !s3_silent_q && !s3_again && !s3_search;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cmd_rsp_valid_q  <= 1'b0;
      slot_ahead_o     <= 1'b0;
      s2_search_q      <= 1'b0;
      dma_rsp_valid_o  <= 1'b0;
      bar2_rsp_valid_o <= 1'b0;
    end else begin
      slot_ahead_o     <= s1_keeps;
      s2_search_q      <= s1_keeps && !s1_q.place;
      cmd_rsp_valid_q  <= (s3_answers && s3_q.op.client == ClCmd) || result_valid;
      dma_rsp_valid_o  <= s3_answers && s3_q.op.client == ClDma;
      bar2_rsp_valid_o <= s3_answers && s3_q.op.client == ClBar2;
    end
  end
  // A search's result and another client's S3 may fall into one cycle.
  rsp_t s4_rsp_q, search_rsp_q;
  place_t s4_take_q, s4_entry_q;
  logic s4_search_q, s4_inserted_q;
  always_ff @(posedge clk_i) begin
    s4_rsp_q      <= s3_rsp;
    s4_take_q     <= s3_take;
    s4_entry_q    <= place_of(cfg_i, s3_tag_b_q.tier, s3_tag_b_q.slot);
    s4_inserted_q <= (s3_q.op.op == OpInsert) && (s3_status == StOk);
    search_rsp_q  <= search_rsp;
    s4_search_q   <= result_valid;
  end
  assign cmd_rsp_valid_o = cmd_rsp_valid_q;
  always_comb begin
    rsp_o = s4_rsp_q;
    rsp_o.dst_phys = address(s4_take_q);
    if (s4_inserted_q) rsp_o.phys_addr = address(s4_take_q);
    if (s4_rsp_q.entry.valid) rsp_o.entry.phys_addr = address(s4_entry_q);
  end
  always_comb begin
    cmd_rsp_o = rsp_o;
    if (s4_search_q) cmd_rsp_o = search_rsp_q;
  end

  // ------------------------------------------------------------------ slot pools
  // Puts, one a cycle: of the operation at S3, then the search's, then FREE_REQUEST's.
  banks_t freed_valid, freed_pop;
  logic [LANES-1:0][1:0] freed_tier;
  logic [LANES-1:0][SlotW-1:0] freed_slot;
  banks_t freed_moving;
  logic [LANES-1:0][MoveIdW-1:0] freed_move_id;
  logic [1:0] freed_pick_tier;
  logic [SlotW-1:0] freed_pick_slot;
  logic freed_pick_moving;
  logic [MoveIdW-1:0] freed_pick_move_id;

  assign search_put_ready = !put_valid;

  // Banks take turns: one that waits too long would finish its walk alone, at a fraction of the pace. The
  // turn of a cycle is chosen in the cycle before.
  banks_t freed_turn_q, freed_others, freed_later;
  assign freed_others = freed_valid & ~freed_turn_q;
  always_comb begin
    logic passed;
    passed = 1'b0;
    for (int unsigned b = 0; b < LANES; b++) begin
      freed_later[b] = freed_others[b] && passed;
      passed |= freed_turn_q[b];
    end
  end
  assign freed_pop = (put_valid || search_put_valid) ? '0 : freed_turn_q & freed_valid;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) freed_turn_q <= '0;
    else if (freed_later != '0) freed_turn_q <= banks_t'(lowest(16'(freed_later)));
    else if (freed_others != '0) freed_turn_q <= banks_t'(lowest(16'(freed_others)));
  end

  always_comb begin
    freed_pick_tier = '0;
    freed_pick_slot = '0;
    freed_pick_moving = 1'b0;
    freed_pick_move_id = '0;
    for (int unsigned b = 0; b < LANES; b++) begin
      if (freed_turn_q[b]) begin
        freed_pick_tier |= freed_tier[b];
        freed_pick_slot |= freed_slot[b];
        freed_pick_moving |= freed_moving[b] && freed_pop[b];
        freed_pick_move_id |= freed_move_id[b];
      end
    end
  end

  // What another one would put, whether or not the operation puts: that chooses last.
  tiers_t s3_puts_q, other_puts;
  always_comb begin
    other_puts = '0;
    if ((freed_turn_q & freed_valid) != '0) other_puts = only(freed_pick_tier);
    if (search_put_valid) other_puts = only(eng_op.tier);
    take_o = take | s1_takes;  // never in one cycle: operations that take keep their distance
    put_o = put_valid ? s3_puts_q : other_puts;
    put_held_o = put_valid && put_held;
    put_slot_o = put_valid ? put_slot : search_put_valid ? eng_slot : freed_pick_slot;
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
      free_aborts_q <= freed_pick_moving;
    end
  end
  always_ff @(posedge clk_i) begin
    op_abort_id_q   <= s3_meta_q.move_id;
    free_abort_id_q <= freed_pick_move_id;
  end
  always_comb begin
    for (int unsigned m = 0; m < MOVES; m++) begin
      abort_o[m] = (op_aborts_q && op_abort_id_q == MoveIdW'(m)) ||
                   (free_aborts_q && free_abort_id_q == MoveIdW'(m));
    end
  end

  // ------------------------------------------------------------------ FREE_REQUEST
  banks_t free_bank_done, free_removed, free_stayed;
  logic free_run_q, free_started_q;
  logic [CountW-1:0] free_removed_q, free_stayed_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      free_run_q     <= 1'b0;
      free_started_q <= 1'b0;
      free_removed_q <= '0;
      free_stayed_q  <= '0;
    end else if (clear_i) begin
      free_run_q     <= 1'b0;
      free_started_q <= 1'b0;
    end else if (free_start_i) begin
      free_run_q     <= 1'b1;
      free_started_q <= 1'b0;
      free_removed_q <= '0;
      free_stayed_q  <= '0;
    end else begin
      free_started_q <= free_run_q;  // the banks' walks show from the second cycle on
      free_removed_q <= free_removed_q + CountW'($countones(free_removed));
      free_stayed_q  <= free_stayed_q + CountW'($countones(free_stayed));
      if (free_done_o) free_run_q <= 1'b0;
    end
  end
  assign free_done_o = free_run_q && free_started_q && (&free_bank_done);
  assign free_removed_o = free_removed_q;
  assign free_stayed_o = free_stayed_q;

  // ------------------------------------------------------------------ insert search
  banks_t forced_scan, forced_taken, forced_done, forced_again, scan_in_pipe;
  logic [RowW-1:0] forced_row;
  logic probe_leaves;
  logic s4_busy_q, s5_busy_q;

  // A probe has no bank to wait for.
  assign probe_leaves = s0_valid_q && (s0_q.op.op == OpProbe);
  assign quiet_o = !t1_valid_q && !t1_spare_valid_q && !t2_valid_q && !t3_valid_q &&
                   !s0_spare_valid_q && !s0_valid_q && !s1_valid_q && !s2_valid_q && !s3_valid_q &&
                   !s4_busy_q && !s5_busy_q;

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
      takes_quiet_o <= takes_hold_q && !takes(t1_valid_q, t1_op_q.op) &&
                       !takes(t1_spare_valid_q, t1_spare_op_q.op) &&
                       !takes(t2_valid_q, t2_op_q.op) && !takes(t3_valid_q, t3_op_q.op) &&
                       !takes(s0_spare_valid_q, s0_spare_q.op.op) &&
                       !takes(s0_valid_q, s0_q.op.op) && !takes(s1_valid_q, s1_q.op.op) &&
                       !takes(s2_valid_q, s2_q.op.op) && !takes(s3_valid_q, s3_q.op.op);
    end
  end

  logic [RowW-1:0] s0_free_row;
  always_comb begin
    s0_free_row = '0;
    for (int unsigned b = 0; b < LANES; b++) begin
      if (s0_q.first_free[b]) s0_free_row |= s0_q.row[b];
    end
  end

  kvcpu_rtbd_insert #(
    .LANES       (LANES),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_insert (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .clear_i          (clear_i),
    .t3_insert_i      (t3_valid_q && t3_insert_q),
    .t3_load_i        (t3_valid_q && t3_load_q),
    .t3_tag_i         (t3_tag),
    .t3_tag_ok_i      (t3_tag_ok),
    .t3_row_i         (t3_row_q),
    .probe_done_i     (probe_leaves),
    .probe_bank_i     (s0_q.op.index[3:0]),
    .probe_free_i     (s0_q.place),
    .probe_free_bank_i(s0_q.first_free),
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
      .t1_read_i        (t1_valid_q || t2_valid_q),
      .port_a_idle_i    (!s0_spare_valid_q && !t1_valid_q && !t2_valid_q),
      .t1_hashed_i      (t1_hashed),
      .t1_hash_row_i    (t1_hash_row[b]),
      .t1_other_row_i   (t_other_row[b]),
      .advance_i        (t_advance),
      .t2_kv_addr_i     (t2_op_q.kv_addr),
      .t2_least_i       (t2_least_q),
      .t3_tag_o         (t3_tag[b]),
      .t3_valid_o       (t3_valid[b]),
      .t3_tag_ok_o      (t3_tag_ok[b]),
      .t3_same_key_o    (t3_same_key[b]),
      .s0_load_i        (s0_free),
      .s0_from_spare_i  (s0_spare_valid_q),
      .s0_spare_row_i   (s0_spare_q.row[b]),
      .s0_t3_row_i      (t3_row_q[b]),
      .s0_valid_i       (bank_s0_valid[b]),
      .s0_row_i         (s0_q.row[b]),
      .s0_read_tag_i    (s0_q.read_tag),
      .s0_spare_read_tag_i (s0_spare_q.read_tag),
      .s0_t3_read_tag_i (t3_read_q),
      .s0_ready_o       (bank_s0_ready[b]),
      .s1_life_i        (s1_q.op.item.life),
      .s1_move_id_i     (s1_q.op.move_id),
      .s1_valid_o       (bank_s1_valid[b]),
      .s2_same_life_o   (bank_s2_same_life[b]),
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
  // Counted and named a cycle after they are seen.
  banks_t t3_bad_q, s2_bad_q;
  logic [LANES-1:0][RowW-1:0] t3_bad_row_q, s2_bad_row_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      t3_bad_q       <= '0;
      s2_bad_q       <= '0;
      count_parity_o <= '0;
    end else begin
      t3_bad_q       <= (t3_valid_q && t_advance && !sweep_q) ? t3_bad : '0;
      s2_bad_q       <= sweep_q ? '0 : bank_s2_bad;
      count_parity_o <= 6'($countones(t3_bad_q)) + 6'($countones(s2_bad_q));
    end
  end
  always_ff @(posedge clk_i) begin
    t3_bad_row_q <= t3_row_q;
    s2_bad_row_q <= bank_s2_row;
    for (int b = LANES - 1; b >= 0; b--) begin
      if (t3_bad_q[b]) parity_index_o <= IndexW'({t3_bad_row_q[b][RowBits-1:0], BankBits'(b)});
    end
    for (int b = LANES - 1; b >= 0; b--) begin
      if (s2_bad_q[b]) parity_index_o <= IndexW'({s2_bad_row_q[b][RowBits-1:0], BankBits'(b)});
    end
  end

endmodule
