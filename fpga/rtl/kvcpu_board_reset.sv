// Reset synchroniser: the reset begins at once and ends with the clock.

`include "kvcpu_assert.svh"

module kvcpu_board_reset #(
  /// Cycles of the clock by which the end of the reset is delayed, 2 and up.
  parameter int unsigned Stages = 4
) (
  /// Clock of the domain.
  input  logic clk_i,
  /// Reset, active low, asynchronous.
  input  logic async_rst_ni,
  /// Reset of the domain, active low, released synchronously.
  output logic rst_no
);

  `KVCPU_CHECK_PARAM(stages, Stages >= 2, "Stages must be at least 2")

  logic [Stages-1:0] stage_q;

  always_ff @(posedge clk_i or negedge async_rst_ni) begin
    if (!async_rst_ni) stage_q <= '0;
    else stage_q <= {stage_q[Stages-2:0], 1'b1};
  end

  assign rst_no = stage_q[Stages-1];

endmodule
