// S4 and S5 of an operation: the words that it leaves. S4 works them out from the entry as S3 has read it and from what
// S3 has decided (kvcpu_rtbd_writeback); S5 writes them. A write of the insert search brings its words along.
//
// The registers between S3 and S4 are here. The commit point ends in them, and nothing but the bank sees what follows.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_write #(
  /// Lanes and banks (device.md 1). Legal: 4, 8, 16.
  parameter int unsigned LANES = 16,
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                              clk_i,
  /// Reset, active low.
  input  logic                              rst_ni,
  /// S4 or S5 holds an operation.
  output logic                              busy_o,
  /// S3 holds an operation.
  input  logic                              s3_valid_i,
  /// S3: the operation, with its entry.
  input  kvcpu_pkg::found_t                 s3_i,
  /// S3: it writes the tag.
  input  logic                              s3_tag_we_i,
  /// S3: it writes the meta word.
  input  logic                              s3_meta_we_i,
  /// S3: meta word before.
  input  kvcpu_pkg::meta_t                  s3_meta_i,
  /// S3: what it does.
  input  kvcpu_pkg::judged_t                s3_judged_i,
  /// S3: its item enters a queue.
  input  logic                              s3_push_ok_i,
  /// S3: result of OpStart and OpEnd.
  input  kvcpu_pkg::move_e                  s3_move_i,
  /// S3: the slot that it allocates.
  input  logic [kvcpu_pkg::SlotW-1:0]       s3_slot_i,
  /// S3: current step.
  input  logic [31:0]                       step_i,
  /// S3: epoch of the scan.
  input  logic                              epoch_i,
  /// S3: generation of a new item.
  input  logic [kvcpu_pkg::GenerationW-1:0] generation_i,
  /// Insert search: tag of the entry that it relocates.
  input  kvcpu_pkg::tag_t                   eng_tag_i,
  /// Insert search: meta word of that entry.
  input  kvcpu_pkg::meta_t                  eng_meta_i,
  /// Insert search: that meta word stays marked as bad.
  input  logic                              eng_meta_bad_i,
  /// S4: banks whose tag is written in the next cycle.
  output logic [LANES-1:0]                  s4_tag_we_o,
  /// S5: tag to write.
  output kvcpu_pkg::tag_t                   s5_tag_o,
  /// S5: banks whose meta word is written.
  output logic [LANES-1:0]                  s5_meta_we_o,
  /// S5: meta word to write.
  output kvcpu_pkg::meta_t                  s5_meta_o,
  /// S5: keep the word marked as bad.
  output logic                              s5_meta_bad_o
);
  import kvcpu_pkg::*;

  localparam int unsigned OffBits = $clog2(BLOCK_TOKENS);

  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")

  typedef logic [LANES-1:0] banks_t;

  banks_t s5_bank_q;
  logic s4_tag_we_q, s4_meta_we_q, s5_meta_we_q, s4_push_ok_q, s4_epoch_q;
  logic [GenerationW-1:0] s4_generation_q;
  logic [31:0] s4_step_q;
  logic [SlotW-1:0] s4_slot_q;
  move_e s4_move_q;
  judged_t s4_judged_q;
  found_t s4_q;
  writer_t s4_is_q;
  tag_t s4_answer, s4_tag;
  meta_t s4_old_meta_q, s4_meta;

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
      s4_tag_we_q  <= s3_tag_we_i;
      s4_meta_we_q <= s3_meta_we_i;
      s5_meta_we_q <= s4_meta_we_q;
    end
  end
  always_ff @(posedge clk_i) begin
    s4_q          <= s3_i;
    s4_is_q       <= writer_of(s3_i.op.op);
    s4_judged_q   <= s3_judged_i;
    s4_old_meta_q <= s3_meta_i;
    s4_push_ok_q  <= s3_push_ok_i;
    s4_move_q     <= s3_move_i;
    s4_slot_q     <= s3_slot_i;
    s4_step_q     <= step_i;
    s4_epoch_q    <= epoch_i;
    s4_generation_q     <= generation_i;
    s5_bank_q     <= banks_t'(s4_q.bank);
    s5_tag_o      <= s4_q.eng_write ? eng_tag_i : s4_tag;
    s5_meta_o     <= s4_q.eng_write ? eng_meta_i : s4_meta;
    s5_meta_bad_o <= s4_q.eng_write && eng_meta_bad_i;
  end

  assign s4_tag_we_o = s4_tag_we_q ? banks_t'(s4_q.bank) : '0;
  assign s5_meta_we_o = s5_meta_we_q ? s5_bank_q : '0;

  logic s4_busy_q, s5_busy_q;
  assign busy_o = s4_busy_q || s5_busy_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s4_busy_q <= 1'b0;
      s5_busy_q <= 1'b0;
    end else begin
      s4_busy_q <= s3_valid_i;
      s5_busy_q <= s4_busy_q;
    end
  end

endmodule
