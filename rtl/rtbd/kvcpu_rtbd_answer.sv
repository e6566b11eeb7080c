// A port's answers, in order: what the pipeline gives at S2 goes to the port in the same cycle, or in
// the next one from a register, or waits in a FIFO. `credit_o` keeps the pipeline from ever holding more answers than there are places: it may
// be acted on a cycle later, with one lookup accepted in between.

module kvcpu_rtbd_answer #(
  /// Bits of one answer.
  parameter int unsigned Width = 84,
  /// Answers that may be on their way or wait. At least 9 for one lookup a cycle.
  parameter int unsigned Depth = 16
) (
  /// Clock.
  input  logic             clk_i,
  /// Reset, active low.
  input  logic             rst_ni,
  /// A lookup of this port is accepted.
  input  logic             accept_i,
  /// Another lookup may be accepted.
  output logic             credit_o,
  /// The pipeline's answer (S2).
  input  logic             valid_i,
  /// The answer.
  input  logic [Width-1:0] data_i,
  /// Stream to the port.
  output logic             valid_o,
  /// The port takes the answer.
  input  logic             ready_i,
  /// The answer; holds while valid and not ready.
  output logic [Width-1:0] data_o,
  /// No answer is on its way or waits.
  output logic             idle_o
);

  logic             fifo_valid, late_valid_q, pop, push;
  logic [Width-1:0] fifo_data, late_data_q;
  logic             unused_full;
  logic [$clog2(Depth+1)-1:0] unused_level, owed_q;

  kvcpu_fifo #(
    .Width(Width),
    .Depth(Depth)
  ) u_fifo (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(1'b0),
    .push_i (push),
    .data_i (late_data_q),
    .full_o (unused_full),
    .valid_o(fifo_valid),
    .data_o (fifo_data),
    .pop_i  (pop),
    .level_o(unused_level)
  );

  assign valid_o = fifo_valid || late_valid_q || valid_i;
  assign data_o = fifo_valid ? fifo_data : late_valid_q ? late_data_q : data_i;
  assign pop = fifo_valid && ready_i;
  assign push = late_valid_q && (fifo_valid || !ready_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) late_valid_q <= 1'b0;
    else late_valid_q <= valid_i && (fifo_valid || late_valid_q || !ready_i);
  end
  always_ff @(posedge clk_i) late_data_q <= data_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) owed_q <= '0;
    else owed_q <= owed_q + $bits(owed_q)'(accept_i) - $bits(owed_q)'(valid_o && ready_i);
  end
  assign credit_o = owed_q < $bits(owed_q)'(Depth - 1);
  assign idle_o = (owed_q == '0);

endmodule
