// Is the step of a PREFETCH near enough for an item now? Its three operands are compared at once, for the step as it is
// and for the one that may be written in this cycle, since that write is late; S3 selects.

module kvcpu_rtbd_near (
  /// Clock.
  input  logic        clk_i,
  /// S2: step of the operation.
  input  logic [31:0] s2_step_i,
  /// Current step.
  input  logic [31:0] step_i,
  /// The step is written: it is `step_new_i` from the next cycle on.
  input  logic        step_we_i,
  /// The new step; means nothing while `step_we_i` is low.
  input  logic [31:0] step_new_i,
  /// LOOKAHEAD, as it is from the next cycle on.
  input  logic [30:0] lookahead_i,
  /// S3: the step was written in the cycle before.
  output logic        s3_stepped_o,
  /// S3: the operation's step is near enough.
  output logic        s3_near_o
);
  import kvcpu_pkg::*;

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

  logic s3_near_q, s3_near_new_q;

  always_ff @(posedge clk_i) begin
    s3_stepped_o  <= step_we_i;
    s3_near_q     <= near(s2_step_i, step_i, lookahead_i);
    s3_near_new_q <= near(s2_step_i, step_new_i, lookahead_i);
  end

  assign s3_near_o = s3_stepped_o ? s3_near_new_q : s3_near_q;

endmodule
