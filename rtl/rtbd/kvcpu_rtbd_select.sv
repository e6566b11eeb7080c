// The entry of the one bank that the operation in S2 is in, out of the words of all banks.
//
// There are two selections of the same words: one for the registers of S3, one of the meta word for what S2 itself
// decides, which is on the critical path and so has one-hot selects that feed nothing else.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_select #(
  /// Lanes and banks (device.md 1). Legal: 4, 8, 16.
  parameter int unsigned LANES = 16
) (
  /// Bank of the operation, one-hot.
  input  logic [LANES-1:0]             bank_i,
  /// The same from a register of its own, for what S2 decides.
  input  logic [LANES-1:0]             now_bank_i,
  /// Banks: meta words.
  input  kvcpu_pkg::meta_t [LANES-1:0] meta_i,
  /// Banks: tag words, as port B read them.
  input  kvcpu_pkg::tag_t [LANES-1:0]  tag_i,
  /// Banks: parity of the meta words is good.
  input  logic [LANES-1:0]             meta_ok_i,
  /// Current step.
  input  logic [31:0]                  step_i,
  /// The operation's meta word, for S3.
  output kvcpu_pkg::meta_t             meta_o,
  /// The operation's tag word, for S3.
  output kvcpu_pkg::tag_t              tag_o,
  /// The operation's meta word, for S2.
  output kvcpu_pkg::meta_t             now_o,
  /// Its parity is good.
  output logic                         meta_ok_o,
  /// Banks: the entry was written by a lookup in the current step.
  output logic [LANES-1:0]             written_o
);
  import kvcpu_pkg::*;

  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")

  always_comb begin
    meta_o = '0;
    tag_o = '0;
    now_o = '0;
    meta_ok_o = 1'b0;
    for (int unsigned b = 0; b < LANES; b++) begin
      if (bank_i[b]) begin
        meta_o |= meta_i[b];
        tag_o |= tag_i[b];
      end
      if (now_bank_i[b]) begin
        now_o |= meta_i[b];
        meta_ok_o |= meta_ok_i[b];
      end
    end
  end

  // Written in the current step.
  always_comb begin
    for (int unsigned b = 0; b < LANES; b++) begin
      written_o[b] = meta_i[b].dirty && !meta_i[b].hint && meta_i[b].access_step == step_i;
    end
  end

endmodule
