// FREE_REQUEST over all banks: each walks its rows by itself; here their entries are counted and the slots that come
// free go to the pools, one a cycle. docs/microarchitecture.md 3.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_free #(
  /// Lanes and banks (device.md 1). Legal: 4, 8, 16.
  parameter int unsigned LANES = 16
) (
  /// Clock.
  input  logic                                         clk_i,
  /// Reset, active low.
  input  logic                                         rst_ni,
  /// Soft reset: clear.
  input  logic                                         clear_i,
  /// Start (pulse).
  input  logic                                         start_i,
  /// Done (pulse).
  output logic                                         done_o,
  /// Entries that went; valid with `done_o`.
  output logic [kvcpu_pkg::CountW-1:0]                 removed_o,
  /// Entries that stayed; valid with `done_o`.
  output logic [kvcpu_pkg::CountW-1:0]                 stayed_o,

  /// Banks: the walk is over.
  input  logic [LANES-1:0]                             bank_done_i,
  /// Banks: an entry goes.
  input  logic [LANES-1:0]                             bank_removed_i,
  /// Banks: an entry stays.
  input  logic [LANES-1:0]                             bank_stayed_i,
  /// Banks: a slot waits for its pool.
  input  logic [LANES-1:0]                             freed_valid_i,
  /// Banks: its tier.
  input  logic [LANES-1:0][1:0]                        freed_tier_i,
  /// Banks: the slot.
  input  logic [LANES-1:0][kvcpu_pkg::SlotW-1:0]       freed_slot_i,
  /// Banks: its entry was being moved.
  input  logic [LANES-1:0]                             freed_moving_i,
  /// Banks: that move.
  input  logic [LANES-1:0][kvcpu_pkg::MoveIdW-1:0]     freed_move_id_i,
  /// Banks: the slot goes to its pool.
  output logic [LANES-1:0]                             freed_pop_o,

  /// Another slot is given back in this cycle: none goes from here.
  input  logic                                         wait_i,
  /// A slot would go to its pool, if `wait_i` were low.
  output logic                                         put_valid_o,
  /// Its tier.
  output logic [1:0]                                   put_tier_o,
  /// The slot.
  output logic [kvcpu_pkg::SlotW-1:0]                  put_slot_o,
  /// It goes, and its entry was being moved: that move is to stop.
  output logic                                         abort_o,
  /// That move.
  output logic [kvcpu_pkg::MoveIdW-1:0]                abort_move_id_o
);
  import kvcpu_pkg::*;

  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")

  typedef logic [LANES-1:0] banks_t;

  logic run_q, started_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q     <= 1'b0;
      started_q <= 1'b0;
      removed_o <= '0;
      stayed_o  <= '0;
    end else if (clear_i) begin
      run_q     <= 1'b0;
      started_q <= 1'b0;
    end else if (start_i) begin
      run_q     <= 1'b1;
      started_q <= 1'b0;
      removed_o <= '0;
      stayed_o  <= '0;
    end else begin
      started_q <= run_q;  // the banks' walks show from the second cycle on
      removed_o <= removed_o + CountW'($countones(bank_removed_i));
      stayed_o  <= stayed_o + CountW'($countones(bank_stayed_i));
      if (done_o) run_q <= 1'b0;
    end
  end
  assign done_o = run_q && started_q && (&bank_done_i);

  // Round-robin over the banks: one that waits too long would finish its walk alone, at a fraction of the pace.
  // The grant of a cycle is chosen in the cycle before.
  banks_t turn_q, others, later;
  assign others = freed_valid_i & ~turn_q;
  always_comb begin
    logic passed;
    passed = 1'b0;
    for (int unsigned b = 0; b < LANES; b++) begin
      later[b] = others[b] && passed;
      passed |= turn_q[b];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) turn_q <= '0;
    else if (later != '0) turn_q <= banks_t'(lowest(16'(later)));
    else if (others != '0) turn_q <= banks_t'(lowest(16'(others)));
  end

  assign put_valid_o = (turn_q & freed_valid_i) != '0;
  assign freed_pop_o = wait_i ? '0 : turn_q & freed_valid_i;

  always_comb begin
    put_tier_o = '0;
    put_slot_o = '0;
    abort_o = 1'b0;
    abort_move_id_o = '0;
    for (int unsigned b = 0; b < LANES; b++) begin
      if (turn_q[b]) begin
        put_tier_o |= freed_tier_i[b];
        put_slot_o |= freed_slot_i[b];
        abort_o |= freed_moving_i[b] && freed_pop_o[b];
        abort_move_id_o |= freed_move_id_i[b];
      end
    end
  end

endmodule
