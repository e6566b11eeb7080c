// A port's answers, in order: what the pipeline gives at S2 goes to the port in the same cycle, or in the next one from
// a register, or waits in a FIFO. `credit_o` keeps the pipeline from ever holding more answers than there are places:
// it may be acted on a cycle later, with one lookup accepted in between.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_answer #(
  /// Bits of one answer, without HIT and DENIED.
  parameter int unsigned Width = 82,
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
  /// Its HIT, known last.
  input  logic             hit_i,
  /// Its DENIED.
  input  logic             denied_i,
  /// The rest of the answer to a hit.
  input  logic [Width-1:0] data_i,
  /// Stream to the port.
  output logic             valid_o,
  /// The port takes the answer.
  input  logic             ready_i,
  /// HIT; this and the next two hold while valid and not ready.
  output logic             hit_o,
  /// DENIED.
  output logic             denied_o,
  /// The rest of the answer; 0 without a hit.
  output logic [Width-1:0] data_o,
  /// No answer is on its way or waits.
  output logic             idle_o
);

  typedef struct packed {
    logic             hit;
    logic             denied;
    logic [Width-1:0] data;
  } answer_t;

  logic             fifo_valid, late_valid_q, waiting, pop, push;
  answer_t          fifo, late, first;
  logic             late_hit_q, late_denied_q;
  logic [Width-1:0] late_data_q;
  logic             unused_full;
  logic [$clog2(Depth+1)-1:0] unused_level, owed_q;

  kvcpu_fifo #(
    .Width($bits(answer_t)),
    .Depth(Depth)
  ) u_fifo (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(1'b0),
    .push_i (push),
    .data_i (late),
    .full_o (unused_full),
    .valid_o(fifo_valid),
    .data_o (fifo),
    .pop_i  (pop),
    .level_o(unused_level)
  );

  // The pipeline's HIT comes last: it meets the rest of the answer only in the last step.
  assign late     = '{hit: late_hit_q, denied: late_denied_q, data: late_hit_q ? late_data_q : '0};
  assign first    = fifo_valid ? fifo : late;
  assign waiting  = fifo_valid || late_valid_q;
  assign valid_o  = waiting || valid_i;
  assign hit_o    = waiting ? first.hit : hit_i;
  assign denied_o = waiting ? first.denied : denied_i;
  assign data_o   = waiting ? first.data : hit_i ? data_i : '0;
  assign pop      = fifo_valid && ready_i;
  assign push     = late_valid_q && (fifo_valid || !ready_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) late_valid_q <= 1'b0;
    else late_valid_q <= valid_i && (waiting || !ready_i);
  end
  always_ff @(posedge clk_i) begin
    late_hit_q    <= hit_i;
    late_denied_q <= denied_i;
    late_data_q   <= data_i;
  end

  `KVCPU_ASSERT(answer_is_owed, valid_o && ready_i |-> owed_q != '0, "an answer belongs to a request that was accepted")
  `KVCPU_ASSERT(answer_holds, valid_o && !ready_i |=> valid_o && $stable({hit_o, denied_o, data_o}),
                "a lookup's answer holds until it is accepted")

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) owed_q <= '0;
    else owed_q <= owed_q + $bits(owed_q)'(accept_i) - $bits(owed_q)'(valid_o && ready_i);
  end
  assign credit_o = owed_q < $bits(owed_q)'(Depth - 1);
  assign idle_o = (owed_q == '0);

endmodule
