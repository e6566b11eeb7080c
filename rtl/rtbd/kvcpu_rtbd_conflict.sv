// Row conflicts of one bank: may the operation that S0 holds for this bank enter the entry pipeline?
//
// Nothing enters whose row is in S1..S5 already, so a read-modify-write is atomic on its entry (device.md 2, "Order").
// The rows are compared one cycle ahead, for the operation that will be in S0, and the answer is a register, because
// the path that decides who enters begins there. The steps of the two walks have comparators of their own, in
// kvcpu_rtbd_walk.

module kvcpu_rtbd_conflict (
  /// Clock.
  input  logic                             clk_i,
  /// An operation enters the head of the pipeline: it is in S0 from the next cycle on.
  input  logic                             s0_load_i,
  /// It comes from the S0 skid register, else from T3.
  input  logic                             s0_from_spare_i,
  /// Its row, if it comes from there.
  input  logic [kvcpu_pkg::RowW-1:0]       s0_spare_row_i,
  /// Its row, if it comes from T3.
  input  logic [kvcpu_pkg::RowW-1:0]       s0_t3_row_i,
  /// S0: the operation at the head of the pipeline targets this bank and may go.
  input  logic                             s0_valid_i,
  /// S0: its row.
  input  logic [kvcpu_pkg::RowW-1:0]       s0_row_i,
  /// S0: it also reads the tag, through port B.
  input  logic                             s0_read_tag_i,
  /// The same of the operation in the S0 skid register.
  input  logic                             s0_spare_read_tag_i,
  /// The same of the operation in T3.
  input  logic                             s0_t3_read_tag_i,
  /// The scan's next step could enter S0 in this cycle (speculative).
  input  logic                             scan_may_i,
  /// Its row.
  input  logic [kvcpu_pkg::RowW-1:0]       scan_row_i,
  /// FREE_REQUEST's next step could enter S0 in this cycle (speculative).
  input  logic                             free_may_i,
  /// Its row.
  input  logic [kvcpu_pkg::RowW-1:0]       free_row_i,
  /// S1..S4 hold a step.
  input  logic [4:1]                       stage_valid_i,
  /// Rows of S1..S4.
  input  logic [4:1][kvcpu_pkg::RowW-1:0]  stage_row_i,
  /// The tag memory is written in the next cycle.
  input  logic                             tag_we_next_i,
  /// FREE_REQUEST removes the entry of S4.
  input  logic                             s4_removed_i,
  /// S0: nothing is in the operation's way.
  output logic                             free_way_o
);
  import kvcpu_pkg::*;

  // The operation in S0 against S1..S5. A step that may go counts as if it went: it will soon. The
  // search's accesses and forced steps run with no other operation in parallel.
  logic [5:1] clash_q, clash_d;
  logic       blocked_q;  // or it would read the tag, which is written
  logic       read_tag_d;

  // What enters S1 in this cycle or is in S1..S4 at `row`.
  function automatic logic [5:1] clashes(logic [RowW-1:0] row, logic op, logic [RowW-1:0] op_row, logic scan,
                                         logic [RowW-1:0] scan_at, logic free, logic [RowW-1:0] free_at,
                                         logic [4:1] valid, logic [4:1][RowW-1:0] rows);
    for (int unsigned s = 1; s <= 4; s++) clashes[s+1] = valid[s] && rows[s] == row;
    clashes[1] = (op && op_row == row) || (scan && scan_at == row) || (free && free_at == row);
  endfunction

  always_comb begin
    if (!s0_load_i) begin
      clash_d = {clash_q[4:1], (scan_may_i && scan_row_i == s0_row_i) || (free_may_i && free_row_i == s0_row_i)};
    end else if (s0_from_spare_i) begin
      clash_d = clashes(s0_spare_row_i, s0_valid_i, s0_row_i, scan_may_i, scan_row_i, free_may_i, free_row_i,
                        stage_valid_i, stage_row_i);
    end else begin
      clash_d = clashes(s0_t3_row_i, s0_valid_i, s0_row_i, scan_may_i, scan_row_i, free_may_i, free_row_i,
                        stage_valid_i, stage_row_i);
    end
  end

  assign read_tag_d = !s0_load_i ? s0_read_tag_i : s0_from_spare_i ? s0_spare_read_tag_i : s0_t3_read_tag_i;

  always_ff @(posedge clk_i) begin
    clash_q   <= clash_d;
    // A removal that a soft reset calls off blocks all the same: the reset comes late, and nothing enters then.
    blocked_q <= clash_d != '0 || (read_tag_d && (tag_we_next_i || s4_removed_i));
  end

  assign free_way_o = !blocked_q;

endmodule
