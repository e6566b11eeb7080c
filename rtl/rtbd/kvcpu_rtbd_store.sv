// The two memories of one bank, and what is made of a word right behind them.
//
// A tag word is read through port A in T1, for all banks at once, and used in T3; port B reads it in S0, together with
// the meta word, and writes it in S5. A memory's output comes late in its cycle, so little is done there: parity is
// folded in two stages, and key, TOKEN_END, generation and move are compared with the operation's in groups, which are
// joined in the next cycle. A word that port B writes while port A reads it is bypassed around the memory: the rows are
// compared a cycle later, and the words are exchanged a cycle after that.
//
// This is a module of its own because it is all of the bank that knows how a word is laid out (width, parity, order of
// the fields). The bank around it decides who reads and writes which row, and sees tags and meta words only.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_store #(
  /// Rows, ENTRIES / LANES. Power of two, 64 to 16,384.
  parameter int unsigned ROWS = 4096,
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                              clk_i,
  /// Reset, active low.
  input  logic                              rst_ni,

  /// Port A: T1 or T2 holds an operation, whose tag is read.
  input  logic                              t1_read_i,
  /// Port A: it reads at the hash's row.
  input  logic                              t1_hashed_i,
  /// Port A: row of the operation's key in this bank.
  input  logic [kvcpu_pkg::RowW-1:0]        t1_hash_row_i,
  /// Port A: row of an operation by index, or T2's row while that waits.
  input  logic [kvcpu_pkg::RowW-1:0]        t1_other_row_i,
  /// Port A: row of FREE_REQUEST, read when no operation reads.
  input  logic [kvcpu_pkg::RowW-1:0]        free_row_i,
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

  /// S0: row that port B and the meta memory read.
  input  logic [kvcpu_pkg::RowW-1:0]        s0_row_i,
  /// S1: generation of the operation's item.
  input  logic [kvcpu_pkg::GenerationW-1:0] s1_generation_i,
  /// S1: move of the operation.
  input  logic [kvcpu_pkg::MoveIdW-1:0]     s1_move_id_i,
  /// S1: VALID of the meta word, whatever its parity.
  output logic                              s1_valid_o,
  /// S2: the tag of this step was read through port A.
  input  logic                              s2_via_a_i,
  /// S2: meta word.
  output kvcpu_pkg::meta_t                  s2_meta_o,
  /// S2: tag word, as port B read it.
  output kvcpu_pkg::tag_t                   s2_tag_o,
  /// S2: the meta word has the generation of S1's item before.
  output logic                              s2_same_generation_o,
  /// S2: the copy of the meta word's block is the move of S1 before, of that generation.
  output logic                              s2_this_move_o,
  /// S2: parity of the meta word is good.
  output logic                              s2_meta_ok_o,
  /// S2: parity of the tag is good, whichever port read it.
  output logic                              s2_tag_ok_o,

  /// S5: row to write.
  input  logic [kvcpu_pkg::RowW-1:0]        s5_row_i,
  /// S5: the tag is written; an empty one, unless an operation writes.
  input  logic                              tag_we_i,
  /// S5: an operation writes the tag.
  input  logic                              op_tag_we_i,
  /// S5: its tag.
  input  kvcpu_pkg::tag_t                   s5_tag_i,
  /// S5: the meta word is written; an empty one, unless an operation or a scan step writes.
  input  logic                              meta_we_i,
  /// S5: an operation writes the meta word.
  input  logic                              op_meta_we_i,
  /// S5: its meta word.
  input  kvcpu_pkg::meta_t                  s5_meta_i,
  /// S5: keep the word marked as bad (a relocation moves it as it is).
  input  logic                              s5_meta_bad_i,
  /// S5: a scan step has scored its entry.
  input  logic                              s5_scored_i,
  /// S5: meta word of the scan step.
  input  kvcpu_pkg::meta_t                  scan_meta_i
);
  import kvcpu_pkg::*;

  localparam int unsigned RowBits = $clog2(ROWS);
  localparam int unsigned OffW = (BLOCK_TOKENS > 1) ? $clog2(BLOCK_TOKENS) : 1;
  localparam int unsigned BlkW = 32 - $clog2(BLOCK_TOKENS);
  localparam int unsigned TagBits = 1 + 16 + 16 + BlkW + OffW + 2 + SlotW + 1;
  localparam int unsigned MetaBits = $bits(meta_t) + 1;

  `KVCPU_CHECK_PARAM(rows, ROWS >= 64 && ROWS <= 16384 && $onehot(ROWS),
                     "ROWS must be a power of two from 64 to 16,384")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")

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

  // ------------------------------------------------------------------ memories
  logic [TagBits-1:0] tag_a_word, tag_b_rdata, tag_b_q, t3_word_q;
  logic [RowBits-1:0] tag_a_row;
  logic [MetaBits-1:0] meta_rdata, meta_q, meta_wdata;
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
    .b_re_i   (!tag_we_i),
    .b_we_i   (tag_we_i),
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
    .we_i   (meta_we_i),
    .waddr_i(s5_row_i[RowBits-1:0]),
    .wdata_i(meta_wdata),
    .re_i   (1'b1),
    .raddr_i(s0_row_i[RowBits-1:0]),
    .rdata_o(meta_rdata)
  );

  assign tag_a_row = t1_hashed_i ? t1_hash_row_i[RowBits-1:0] :
                     t1_read_i ? t1_other_row_i[RowBits-1:0] : free_row_i[RowBits-1:0];
  assign tag_b_row = tag_we_i ? s5_row_i : s0_row_i;

  // What port B wrote while port A read: the rows are compared a cycle later, and the words change places
  // a cycle after that, when there is time.
  logic               t2_written_q;
  logic               t3_bypass_q;       // for the tag itself
  logic               t3_bypass_sure_q;  // low-fan-out duplicate, for what is decided from it
  logic [RowBits-1:0] t2_read_row_q, t2_written_row_q;
  logic [TagBits-1:0] t2_written_word_q;

  always_ff @(posedge clk_i) begin
    if (advance_i) begin
      t2_written_q      <= tag_we_i;
      t2_written_row_q  <= s5_row_i[RowBits-1:0];
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
  assign s1_meta = meta_t'(meta_rdata[MetaBits-2:0]);
  assign s1_valid_o = s1_meta.valid;
  assign s2_same_generation_o = &s2_same_generation_q;
  assign s2_this_move_o = s2_same_generation_o && s2_same_move_q && s2_meta_o.in_flight && s2_meta_o.moving;
  assign s2_meta_o = meta_t'(meta_q[MetaBits-2:0]);
  assign s2_meta_ok_o = !(^s2_parity_meta_q);
  assign s2_tag_o = unpack_tag(tag_b_q);
  assign s2_tag_ok_o = !(^(!s2_via_a_i ? s2_parity_b_q : s2_bypass_q ? s2_parity_bypass_q : s2_parity_a_q));

  // ------------------------------------------------------------------ S5: write back
  always_comb begin
    tag_wdata = '0;  // an empty entry: all zero, parity too
    meta_wdata = '0;
    if (op_tag_we_i) tag_wdata = pack_tag(s5_tag_i);
    if (op_meta_we_i) meta_wdata = pack_meta(s5_meta_i) ^ {s5_meta_bad_i, {(MetaBits - 1) {1'b0}}};
    else if (s5_scored_i) meta_wdata = pack_meta(scan_meta_i);
  end

endmodule
