// T1 to S0: an operation finds its entry. T1 hashes its key, T2 reads the tags, T3 names the bank, S0 waits for that
// bank and enters it. docs/microarchitecture.md 2 has the stages.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_find #(
  /// Rows of a bank, ENTRIES / LANES. Power of two, 64 to 16,384.
  parameter int unsigned ROWS = 4096,
  /// Lanes and banks (device.md 1). Legal: 4, 8, 16.
  parameter int unsigned LANES = 16,
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                                     clk_i,
  /// Reset, active low.
  input  logic                                     rst_ni,
  /// Nothing is in T1 to S0.
  output logic                                     quiet_o,
  /// An operation there may take a slot.
  output logic                                     takes_o,

  /// T0: an operation may enter.
  output logic                                     open_o,
  /// T0: one enters; not while `open_o` is low.
  input  logic                                     enter_valid_i,
  /// T0: the operation.
  input  kvcpu_pkg::op_t                           enter_op_i,

  /// Slot pools: the slot that would be taken.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::SlotW-1:0]  slot_i,
  /// Slot pools: number of that head slot.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::OfferW-1:0] offer_i,
  /// log2 of the bytes from slot to slot (device.md 5).
  input  logic [4:0]                               stride_shift_i,

  /// Insert search: an access of its own; comes with the pipeline empty.
  input  logic                                     eng_valid_i,
  /// Insert search: taken.
  output logic                                     eng_ready_o,
  /// Insert search: it writes the words of a relocation.
  input  logic                                     eng_write_i,
  /// Insert search: it is the INSERT itself, at the place found.
  input  logic                                     eng_final_i,
  /// Insert search: bank, one-hot.
  input  logic [LANES-1:0]                         eng_bank_i,
  /// Insert search: row.
  input  logic [kvcpu_pkg::RowW-1:0]               eng_row_i,
  /// Insert search: the INSERT that began it.
  input  kvcpu_pkg::op_t                           eng_op_i,
  /// Insert search: its slot.
  input  logic [kvcpu_pkg::SlotW-1:0]              eng_slot_i,
  /// Insert search: an OpInsert is in T3.
  output logic                                     t3_insert_o,
  /// Insert search: a probe that loads is in T3.
  output logic                                     t3_load_o,
  /// Insert search: a probe is at S0, in `s0_o`. It leaves there.
  output logic                                     probe_done_o,
  /// Insert search: lowest bank with a free place for the key at S0, one-hot.
  output logic [LANES-1:0]                         s0_first_free_o,
  /// Insert search: row of that place.
  output logic [kvcpu_pkg::RowW-1:0]               s0_free_row_o,

  /// Banks: T1 or T2 reads the tags, through port A.
  output logic                                     t1_read_o,
  /// Banks: no operation here may need port A in this cycle.
  output logic                                     port_a_idle_o,
  /// Banks: the rows are those of the hash.
  output logic                                     t1_hashed_o,
  /// Banks: those rows.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0]    t1_hash_row_o,
  /// Banks: the rows otherwise.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0]    t1_other_row_o,
  /// Banks: T1..T3 advance. From a register: high-fan-out net.
  output logic                                     advance_o,
  /// Banks: KV address in T2.
  output kvcpu_pkg::kv_addr_t                      t2_kv_addr_o,
  /// Banks: the least TOKEN_END with which an entry matches, in T2.
  output logic [7:0]                               t2_least_o,
  /// Banks: rows in T3.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0]    t3_row_o,
  /// Banks: an OpRead is in T3.
  output logic                                     t3_read_o,
  /// Banks: tags read, in T3.
  input  kvcpu_pkg::tag_t [LANES-1:0]              t3_tag_i,
  /// Banks: they are of entries.
  input  logic [LANES-1:0]                         t3_valid_i,
  /// Banks: their parity is good.
  input  logic [LANES-1:0]                         t3_tag_ok_i,
  /// Banks: they are of the key in T3.
  input  logic [LANES-1:0]                         t3_same_key_i,
  /// Banks: tags read with bad parity, counted once.
  output logic [LANES-1:0]                         t3_bad_o,
  /// Banks: S0 loads the next operation.
  output logic                                     s0_load_o,
  /// Banks: from the S0 skid register; from T3 otherwise.
  output logic                                     s0_from_spare_o,
  /// Banks: rows of the operation in the S0 skid register.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0]    s0_spare_row_o,
  /// Banks: the operation in the S0 skid register reads the tag, through port B.
  output logic                                     s0_spare_read_tag_o,
  /// Banks: the bank that the operation in S0 asks for, one-hot.
  output logic [LANES-1:0]                         s0_valid_o,
  /// Banks: rows in S0.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0]    s0_row_o,
  /// Banks: the operation in S0 reads the tag, through port B.
  output logic                                     s0_read_tag_o,
  /// Banks: they take it.
  input  logic [LANES-1:0]                         s0_ready_i,

  /// An operation enters S1.
  output logic                                     s0_go_o,
  /// The operation in S0, with its entry.
  output kvcpu_pkg::found_t                        s0_o,
  /// OpInsert: place of the slot that it may take inside its tier, bytes.
  output logic [31:0]                              s0_ins_offset_o
);
  import kvcpu_pkg::*;

  localparam int unsigned BankBits = $clog2(LANES);
  localparam int unsigned OffBits = $clog2(BLOCK_TOKENS);
  localparam int unsigned TakeGap = 4;  // the slot pools refill their heads meanwhile

  `KVCPU_CHECK_PARAM(rows, ROWS >= 64 && ROWS <= 16384 && $onehot(ROWS),
                     "ROWS must be a power of two from 64 to 16,384")
  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")

  typedef logic [LANES-1:0] banks_t;
  typedef logic [LANES-1:0][RowW-1:0] rows_t;

  // ------------------------------------------------------------------ T1: hash
  // Two operations fit before T2: what is accepted while T1 holds its operation waits in the T1 skid register.
  // So no client's ready depends on the interlock.
  logic t1_valid_q, t1_spare_valid_q, t1_free, t1_leave, t2_valid_q, t2_hold, t3_valid_q;
  logic s0_spare_valid_q, s0_valid_q, s0_free;
  op_t t1_op_q, t1_spare_op_q, t2_op_q, t3_op_q;
  rows_t t1_row, t2_row_q, t3_row_q;
  logic [7:0] t1_least, t2_least_q;

  assign t1_leave = t1_valid_q && !s0_spare_valid_q && !t2_hold;
  assign t1_free = !t1_valid_q || t1_leave;
  assign open_o = !t1_spare_valid_q;

  kvcpu_hash #(
    .LANES(LANES),
    .ROWS (ROWS)
  ) u_hash (
    .request_id_i(t1_op_q.kv_addr.request_id),
    .layer_head_i({t1_op_q.kv_addr.layer, t1_op_q.kv_addr.head}),
    .block_i     (t1_op_q.kv_addr.token >> OffBits),
    .row_o       (t1_hash_row_o)
  );

  kvcpu_rtbd_interlock #(
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_interlock (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .t1_load_i         (t1_free),
    .t1_from_spare_i   (t1_spare_valid_q),
    .t1_spare_kv_addr_i(t1_spare_op_q.kv_addr),
    .enter_kv_addr_i   (enter_op_i.kv_addr),
    .t1_valid_i        (t1_valid_q),
    .t1_op_i           (t1_op_q),
    .advance_i         (advance_o),
    .eng_valid_i       (eng_valid_i),
    .s0_spare_valid_i  (s0_spare_valid_q),
    .s0_load_i         (s0_free),
    .s0_valid_i        (s0_valid_q),
    .s0_go_i           (s0_go_o),
    .hold_o            (t2_hold)
  );

  always_comb begin
    t1_row = t1_hash_row_o;
    if (t1_op_q.op == OpRead) begin
      for (int unsigned b = 0; b < LANES; b++) t1_row[b] = RowW'(t1_op_q.index >> BankBits);
    end
  end

  // Port A of the banks: what waits in T2 reads again. The hash comes late, so it is chosen last.
  assign t1_read_o = t1_valid_q || t2_valid_q;
  assign port_a_idle_o = !s0_spare_valid_q && !t1_valid_q && !t2_valid_q;
  assign t1_hashed_o = t1_valid_q && !t2_hold && t1_op_q.op != OpRead;
  always_comb begin
    t1_other_row_o = t2_row_q;
    if (!t2_hold) for (int unsigned b = 0; b < LANES; b++) t1_other_row_o[b] = RowW'(t1_op_q.index >> BankBits);
  end

  // The least TOKEN_END with which an entry matches. Lookups ask for a token, write lookups for the one
  // after the last too (device.md 3); all other operations take any token of the block (device.md 8).
  always_comb begin
    t1_least = 8'(t1_op_q.kv_addr.token & 32'(BLOCK_TOKENS - 1));
    if (t1_op_q.write && t1_least != '0) t1_least = t1_least - 8'd1;
    if (t1_op_q.op != OpLookup && t1_op_q.op != OpPeek) t1_least = '0;
  end

  // ------------------------------------------------------------------ T2, T3: match
  banks_t t3_match, t3_free, t3_first_free, t3_bad, t3_target;
  // Its key counts; it may take a slot; it is an OpInsert, an OpRead, a probe, a probe that loads.
  logic t3_named_q, t3_takes_q, t3_insert_q, t3_read_q, t3_probe_q, t3_load_q;

  for (genvar b = 0; b < LANES; b++) begin : gen_match
    assign t3_match[b] = t3_same_key_i[b] && t3_valid_i[b] && t3_tag_ok_i[b] && t3_named_q;
    assign t3_free[b] = !t3_valid_i[b] && t3_tag_ok_i[b];
    assign t3_bad[b] = !t3_tag_ok_i[b] && t3_named_q;
  end
  assign t3_first_free = banks_t'(lowest(16'(t3_free)));
  assign t3_bad_o = (t3_valid_q && advance_o) ? t3_bad : '0;

  always_comb begin
    t3_target = t3_match;
    if (t3_insert_q && t3_match == '0) t3_target = t3_first_free;
    if (t3_read_q) t3_target[t3_op_q.index[BankBits-1:0]] = 1'b1;
    if (t3_probe_q) t3_target = '0;
  end

  assign t2_kv_addr_o = t2_op_q.kv_addr;
  assign t2_least_o = t2_least_q;
  assign t3_row_o = t3_row_q;
  assign t3_read_o = t3_read_q;
  assign t3_insert_o = t3_valid_q && t3_insert_q;
  assign t3_load_o = t3_valid_q && t3_load_q;

  // ------------------------------------------------------------------ S0: the head of the pipeline
  // The operation there, with what T3 found.
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
    rows_t                        row;
    logic [LANES-1:0][7:0]        token_end;
    logic [LANES-1:0][1:0]        tier;
    logic [LANES-1:0][SlotW-1:0]  slot;
    logic [OfferW-1:0]            ins_offer;   // OpInsert: the head slot that it may allocate: number, slot, address
    logic [SlotW-1:0]             ins_slot;
    logic [31:0]                  ins_offset;
  } head_t;

  head_t t3_head, eng_head, s0_spare_q, s0_next, s0_q;

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
      ins_offset: 32'(t3_ins_slot_q) << stride_shift_i,
      default:    '0
    };
    for (int unsigned b = 0; b < LANES; b++) begin
      t3_head.token_end[b] = t3_tag_i[b].token_end;
      t3_head.tier[b] = t3_tag_i[b].tier;
      t3_head.slot[b] = t3_tag_i[b].slot;
    end
  end

  // The search's own accesses come with the pipeline empty, through the place before S0.
  always_comb begin
    eng_head = '{
      op:        eng_op_i,
      target:    eng_bank_i,
      read_tag:  1'b1,
      eng_read:  !eng_write_i && !eng_final_i,
      eng_write: eng_write_i,
      eng_final: eng_final_i,
      place:     eng_final_i,
      ins_slot:  eng_slot_i,
      default:   '0
    };
    for (int unsigned b = 0; b < LANES; b++) eng_head.row[b] = eng_row_i;
  end
  assign eng_ready_o = eng_valid_i && !s0_spare_valid_q;

  // Operations that take slots reach the pools 4 cycles apart: their heads are refilled meanwhile.
  logic [TakeGap-1:1] take_gap_q;  // an operation that takes a slot left S0 one, two ... cycles ago
  logic take_gap_left, s0_next_valid, s0_next_wait, s0_next_probe, s0_spare_probe_q;
  logic s0_real_q;  // an operation, not a probe, is at the head
  logic s0_pass_q;  // what is there, if anything, waits for no bank
  assign take_gap_left = take_gap_q[TakeGap-2:1] != '0;
  assign s0_next_valid = s0_spare_valid_q || t3_valid_q;
  assign s0_next_wait  = s0_next.takes && (take_gap_left || (s0_valid_q && s0_q.takes));
  assign s0_free = s0_pass_q || (s0_valid_o & s0_ready_i) != '0;
  assign s0_go_o = s0_real_q && s0_free;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s0_real_q  <= 1'b0;
      s0_pass_q  <= 1'b1;
      s0_valid_o <= '0;
    end else if (s0_free) begin
      s0_real_q  <= s0_next_valid && !s0_next_probe;
      s0_pass_q  <= !s0_next_valid || (s0_next.target == '0 && !s0_next_wait);
      s0_valid_o <= (s0_next_valid && !s0_next_wait) ? s0_next.target : '0;
    end else begin
      s0_pass_q  <= s0_q.target == '0 && !(s0_q.takes && take_gap_left);
      s0_valid_o <= (s0_q.takes && take_gap_left) ? '0 : s0_q.target;
    end
  end

  // T1..T3 advance unless the S0 skid register is occupied: no stage there waits for a bank's decision. So
  // advance_o is !s0_spare_valid_q, in a register of its own.
  logic s0_spare_valid;
  always_comb begin
    s0_next = advance_o ? t3_head : s0_spare_q;
    s0_next.target = s0_spare_valid_q ? s0_spare_q.target : t3_target;
    s0_next.takes = s0_spare_valid_q ? s0_spare_q.takes : t3_takes_q;
  end
  assign s0_next_probe = s0_spare_valid_q ? s0_spare_probe_q : t3_probe_q;
  assign s0_spare_valid = eng_ready_o || (!s0_free && (s0_spare_valid_q || t3_valid_q));

  assign s0_load_o = s0_free;
  assign s0_from_spare_o = s0_spare_valid_q;
  assign s0_spare_row_o = s0_spare_q.row;
  assign s0_spare_read_tag_o = s0_spare_q.read_tag;
  assign s0_row_o = s0_q.row;
  assign s0_read_tag_o = s0_q.read_tag;

  // ------------------------------------------------------------------ T1 to S0: the registers
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      t1_valid_q       <= 1'b0;
      t1_spare_valid_q <= 1'b0;
      t2_valid_q       <= 1'b0;
      t3_valid_q       <= 1'b0;
      s0_spare_valid_q <= 1'b0;
      advance_o        <= 1'b1;
      s0_valid_q       <= 1'b0;
      take_gap_q       <= '0;
    end else begin
      if (t1_free) t1_valid_q <= t1_spare_valid_q || enter_valid_i;
      t1_spare_valid_q <= !t1_free && (t1_spare_valid_q || enter_valid_i);
      if (advance_o) begin
        t3_valid_q <= t2_valid_q && !t2_hold;
        if (!t2_hold) t2_valid_q <= t1_valid_q;
      end
      if (s0_free) s0_valid_q <= s0_next_valid;
      s0_spare_valid_q <= s0_spare_valid;
      advance_o        <= !s0_spare_valid;
      take_gap_q       <= {take_gap_q[TakeGap-2:1], s0_go_o && s0_q.takes};
    end
  end

  // With a reset, so that synthesis does not move the register behind the hash's tables: T0 has no time.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) t1_op_q <= '0;
    else if (t1_free) t1_op_q <= t1_spare_valid_q ? t1_spare_op_q : enter_op_i;
  end

  always_ff @(posedge clk_i) begin
    if (!t1_spare_valid_q) t1_spare_op_q <= enter_op_i;
    if (advance_o) begin
      if (!t2_hold) begin
        t2_op_q    <= t1_op_q;
        t2_row_q   <= t1_row;
        t2_least_q <= t1_least;
      end
      t3_op_q           <= t2_op_q;
      t3_named_q        <= (t2_op_q.op != OpRead) && !t2_op_q.denied;
      t3_insert_q       <= t2_op_q.op == OpInsert;
      t3_read_q         <= t2_op_q.op == OpRead;
      t3_probe_q        <= t2_op_q.op == OpProbe;
      t3_load_q         <= t2_op_q.op == OpProbe && t2_op_q.write;
      t3_takes_q        <= takes(t2_op_q.op);
      t3_row_q          <= t2_row_q;
      t3_ins_slot_q     <= slot_i[t2_op_q.tier];
      t3_ins_offer_no_q <= offer_i[t2_op_q.tier];
      s0_spare_q        <= eng_valid_i ? eng_head : t3_head;
      s0_spare_probe_q  <= !eng_valid_i && t3_probe_q;
    end
    if (s0_free) s0_q <= s0_next;
  end

  // ------------------------------------------------------------------ what S1 takes over
  assign s0_ins_offset_o = s0_q.ins_offset;

  always_comb begin
    s0_o = '0;
    s0_o.op = s0_q.op;
    s0_o.bank = 16'(s0_q.target);
    s0_o.match = s0_q.match;
    s0_o.place = s0_q.place;
    s0_o.ins_offer = s0_q.ins_offer;
    s0_o.kept = s0_q.eng_final;
    s0_o.eng_read = s0_q.eng_read;
    s0_o.eng_write = s0_q.eng_write;
    s0_o.eng_final = s0_q.eng_final;
    for (int unsigned b = 0; b < LANES; b++) begin
      if (s0_q.target[b]) begin
        s0_o.bank_no |= 4'(b);
        s0_o.row |= s0_q.row[b];
        s0_o.token_end |= s0_q.token_end[b];
        s0_o.tier |= s0_q.tier[b];
        s0_o.slot |= s0_q.slot[b];
      end
    end
    if (s0_q.op.op == OpInsert && !s0_q.match) begin
      s0_o.tier = s0_q.op.tier;
      s0_o.slot = s0_q.ins_slot;
    end
  end

  // A probe has no bank to wait for.
  assign probe_done_o = s0_valid_q && (s0_q.op.op == OpProbe);
  assign s0_first_free_o = s0_q.first_free;
  always_comb begin
    s0_free_row_o = '0;
    for (int unsigned b = 0; b < LANES; b++) begin
      if (s0_q.first_free[b]) s0_free_row_o |= s0_q.row[b];
    end
  end

  assign quiet_o = !t1_valid_q && !t1_spare_valid_q && !t2_valid_q && !t3_valid_q && !s0_spare_valid_q && !s0_valid_q;
  assign takes_o = (t1_valid_q && takes(t1_op_q.op)) || (t1_spare_valid_q && takes(t1_spare_op_q.op)) ||
                   (t2_valid_q && takes(t2_op_q.op)) || (t3_valid_q && takes(t3_op_q.op)) ||
                   (s0_spare_valid_q && takes(s0_spare_q.op.op)) || (s0_valid_q && takes(s0_q.op.op));


  // ------------------------------------------------------------------ invariants
  `KVCPU_ASSERT(one_bank, $onehot0(s0_q.target) || !s0_valid_q, "an operation has at most one entry")
  `KVCPU_ASSERT(no_operation_lost, enter_valid_i |-> open_o, "an operation enters only while there is a place")
  `KVCPU_ASSERT(advance_is_no_skid, advance_o == !s0_spare_valid_q, "T1 to T3 advance unless the skid register is full")

endmodule
