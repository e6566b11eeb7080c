// A walk of one bank over all its rows, one a step, from any row on: a scan's or a FREE_REQUEST's.
//
// Whether the next row is in the entry pipeline is known from a register: each step's row was compared
// with the pipeline one cycle before, so the bank's choice has no comparators in its way.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_walk #(
  /// Rows of the bank. Power of two, 64 to 16,384.
  parameter int unsigned ROWS = 4096,
  /// Stages whose rows may not be entered again: S1 to this one.
  parameter int unsigned Stages = 5
) (
  /// Clock.
  input  logic                                       clk_i,
  /// Reset, active low.
  input  logic                                       rst_ni,
  /// Ends the walk.
  input  logic                                       clear_i,
  /// Starts a walk (pulse); not while one is under way.
  input  logic                                       start_i,
  /// Its first row.
  input  logic [kvcpu_pkg::RowW-1:0]                 start_row_i,
  /// Goes back to an earlier row of the walk (pulse); the walk goes on from there.
  input  logic                                       back_i,
  /// That row.
  input  logic [kvcpu_pkg::RowW-1:0]                 back_row_i,
  /// The step at `row_o` is taken; not while `ready_o` is low.
  input  logic                                       step_i,
  /// S1 to the last stage but one hold a step or an operation.
  input  logic [Stages-1:1]                          stage_valid_i,
  /// Their rows.
  input  logic [Stages-1:1][kvcpu_pkg::RowW-1:0]     stage_row_i,
  /// Others that enter S1 in this cycle; one that does not after all costs this walk some cycles.
  input  logic [1:0]                                 enter_valid_i,
  /// Their rows.
  input  logic [1:0][kvcpu_pkg::RowW-1:0]            enter_row_i,
  /// The walk is under way.
  output logic                                       walking_o,
  /// Row of the next step.
  output logic [kvcpu_pkg::RowW-1:0]                 row_o,
  /// That row is in no stage.
  output logic                                       ready_o
);
  import kvcpu_pkg::*;

  localparam int unsigned RowBits = $clog2(ROWS);
  typedef logic [RowBits-1:0] row_t;

  logic              walking_q, walked_q, back_q, last_q, fresh_q, ready_q, started;
  row_t              row_q, next_q, end_q, compared;
  logic [Stages:1]   clash_q, clash_d;
  logic [Stages-1:1] in_stage;
  logic              enters, load;

  // The start comes late in its cycle, and from far: of all registers it reaches `walking_q` alone. The others
  // hold between walks what they are to hold in the first cycle of one.
  assign load     = back_i || !walking_q;
  assign started  = walking_q && !walked_q && !back_q;  // a walk that ended and goes back keeps its end
  // A row that has just been loaded is compared first, then the one after it, a cycle ahead.
  assign compared = fresh_q ? row_q : next_q;

  always_comb begin
    for (int unsigned s = 1; s < Stages; s++) begin
      in_stage[s] = stage_valid_i[s] && row_t'(stage_row_i[s]) == compared;
    end
    enters = 1'b0;
    for (int unsigned e = 0; e < 2; e++) begin
      if (enter_valid_i[e] && row_t'(enter_row_i[e]) == row_q) enters = 1'b1;
    end
    if (fresh_q) clash_d = {in_stage, enters};
    else if (step_i) clash_d = {in_stage, 1'b0};
    else clash_d = {clash_q[Stages-1:1], enters};
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) walking_q <= 1'b0;
    else if (clear_i) walking_q <= 1'b0;
    else if (start_i || back_i) walking_q <= 1'b1;
    else if (step_i && last_q) walking_q <= 1'b0;
  end

  always_ff @(posedge clk_i) begin
    fresh_q <= load;
    ready_q <= !load && clash_d == '0;
    clash_q <= clash_d;
    last_q  <= !started && (step_i ? next_q == end_q : row_q == end_q);  // the end of this walk comes with it
    // The first row waits here for the start, the rest follows a cycle later.
    if (back_i) row_q <= row_t'(back_row_i);
    else if (!walking_q) row_q <= row_t'(start_row_i);
    else if (step_i) row_q <= next_q;
    if (fresh_q) next_q <= row_q + 1'b1;
    else if (step_i) next_q <= next_q + 1'b1;
    walked_q <= walking_q;
    back_q   <= back_i;
    if (started) end_q <= row_q - 1'b1;
  end

  assign walking_o = walking_q;
  assign row_o     = RowW'(row_q);
  assign ready_o   = ready_q;


  `KVCPU_ASSERT(step_of_a_walk, step_i |-> walking_q, "only a walk that is under way steps")

endmodule
