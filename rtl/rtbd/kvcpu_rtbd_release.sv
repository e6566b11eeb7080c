// What is given back: slots to the pools, one a cycle, and moves that the DMA stops.
//
// Of the three clients that free a slot the operation at the commit point (S3) goes first, because it cannot wait; then
// the insert search, then FREE_REQUEST (kvcpu_rtbd_free). Aborts of moves follow a cycle later, out of registers.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_release #(
  /// DMA moves in flight. Power of two, 16 to 64.
  parameter int unsigned MOVES = 64
) (
  /// Clock.
  input  logic                            clk_i,
  /// Reset, active low.
  input  logic                            rst_ni,
  /// S2: tier of the slot that the operation may free.
  input  logic [1:0]                      s2_put_tier_i,
  /// S3: the operation frees a slot.
  input  logic                            s3_put_valid_i,
  /// S3: quarantined until the fence.
  input  logic                            s3_put_held_i,
  /// S3: the slot.
  input  logic [kvcpu_pkg::SlotW-1:0]     s3_put_slot_i,
  /// S3: the operation stops a move.
  input  logic                            s3_aborts_i,
  /// S3: that move.
  input  logic [kvcpu_pkg::MoveIdW-1:0]   s3_abort_id_i,
  /// Insert search: it frees its slot; held until ready.
  input  logic                            search_put_valid_i,
  /// Insert search: the slot is freed in this cycle.
  output logic                            search_put_ready_o,
  /// Insert search: tier of the slot.
  input  logic [1:0]                      search_put_tier_i,
  /// Insert search: the slot.
  input  logic [kvcpu_pkg::SlotW-1:0]     search_put_slot_i,
  /// FREE_REQUEST must wait in this cycle.
  output logic                            free_wait_o,
  /// FREE_REQUEST frees a slot; not while `free_wait_o`.
  input  logic                            free_put_valid_i,
  /// FREE_REQUEST: tier of the slot.
  input  logic [1:0]                      free_put_tier_i,
  /// FREE_REQUEST: the slot.
  input  logic [kvcpu_pkg::SlotW-1:0]     free_put_slot_i,
  /// FREE_REQUEST stops a move.
  input  logic                            free_aborts_i,
  /// FREE_REQUEST: that move.
  input  logic [kvcpu_pkg::MoveIdW-1:0]   free_abort_id_i,
  /// Slot pools: give back (one tier at a time).
  output logic [kvcpu_pkg::TierCount-1:0] put_o,
  /// Slot pools: quarantined until the fence.
  output logic                            put_held_o,
  /// Slot pools: the slot given back.
  output logic [kvcpu_pkg::SlotW-1:0]     put_slot_o,
  /// DMA: stop these moves; a cycle after the commit point.
  output logic [MOVES-1:0]                abort_o
);
  import kvcpu_pkg::*;

  `KVCPU_CHECK_PARAM(moves, MOVES >= 16 && MOVES <= 64 && $onehot(MOVES), "MOVES must be a power of two from 16 to 64")

  typedef logic [TierCount-1:0] tiers_t;

  function automatic tiers_t only(logic [1:0] tier);
    only = '0;
    only[tier] = 1'b1;
  endfunction

  // Puts, one a cycle: of the operation at S3, then the search's, then FREE_REQUEST's.
  assign search_put_ready_o = !s3_put_valid_i;
  assign free_wait_o = s3_put_valid_i || search_put_valid_i;

  // What another client would free, whether or not the operation frees a slot: that selects last.
  tiers_t s3_puts_q, other_puts;
  always_comb begin
    other_puts = '0;
    if (free_put_valid_i) other_puts = only(free_put_tier_i);
    if (search_put_valid_i) other_puts = only(search_put_tier_i);
    put_o = s3_put_valid_i ? s3_puts_q : other_puts;
    put_held_o = s3_put_valid_i && s3_put_held_i;
    put_slot_o = s3_put_valid_i ? s3_put_slot_i : search_put_valid_i ? search_put_slot_i : free_put_slot_i;
  end
  always_ff @(posedge clk_i) s3_puts_q <= only(s2_put_tier_i);

  logic op_aborts_q, free_aborts_q;
  logic [MoveIdW-1:0] op_abort_id_q, free_abort_id_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      op_aborts_q   <= 1'b0;
      free_aborts_q <= 1'b0;
    end else begin
      op_aborts_q   <= s3_aborts_i;
      free_aborts_q <= free_aborts_i;
    end
  end
  always_ff @(posedge clk_i) begin
    op_abort_id_q   <= s3_abort_id_i;
    free_abort_id_q <= free_abort_id_i;
  end
  always_comb begin
    for (int unsigned m = 0; m < MOVES; m++) begin
      abort_o[m] = (op_aborts_q && op_abort_id_q == MoveIdW'(m)) ||
                   (free_aborts_q && free_abort_id_q == MoveIdW'(m));
    end
  end

endmodule
