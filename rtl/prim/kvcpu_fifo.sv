// First-word-fall-through FIFO in distributed RAM with a registered head: an item is visible in the
// cycle after its push, and `valid_o` and `data_o` come straight from registers.

`include "kvcpu_assert.svh"

module kvcpu_fifo #(
  /// Bits of an item, 1 and up.
  parameter int unsigned Width = 32,
  /// Items it holds, a power of two, 2 and up.
  parameter int unsigned Depth = 4,
  /// A push while the FIFO is full is legal and has no effect; otherwise it is a defect of the writer.
  parameter bit DropsWhenFull = 1'b0,
  localparam int unsigned LevelW = $clog2(Depth) + 1
) (
  /// Clock.
  input  logic              clk_i,
  /// Reset, active low, released synchronously.
  input  logic              rst_ni,
  /// Empties the FIFO; wins over a push in the same cycle.
  input  logic              clear_i,
  /// Puts `data_i` at the end; has no effect while `full_o`.
  input  logic              push_i,
  /// Item to push.
  input  logic [Width-1:0]  data_i,
  /// Depth items are stored.
  output logic              full_o,
  /// `data_o` is the oldest item.
  output logic              valid_o,
  /// Oldest item; not defined while `valid_o` is low.
  output logic [Width-1:0]  data_o,
  /// Removes the oldest item; has no effect while `valid_o` is low.
  input  logic              pop_i,
  /// Items stored, 0 to Depth.
  output logic [LevelW-1:0] level_o
);

  `KVCPU_CHECK_PARAM(width, Width >= 1, "Width must be at least 1")
  `KVCPU_CHECK_PARAM(depth, Depth >= 2 && $onehot(Depth),
                     "Depth must be a power of two and at least 2")

  localparam int unsigned AddrW = $clog2(Depth);

  logic [Width-1:0]  mem[Depth];
  logic [AddrW-1:0]  wptr_q, rptr_q;
  logic [LevelW-1:0] level_q;
  logic              valid_q, full_q, behind_q;  // behind_q: items wait in `mem`, level 2 and up
  logic              more_q, last_q;             // level 3 and up, level Depth - 1
  logic [Width-1:0]  head_q;
  logic              push, pop, from_mem, to_mem;

  // What level the FIFO is at is known of every step before: a push or a pop that comes late only chooses.
  assign push     = push_i && !full_q;
  assign pop      = pop_i && valid_q;
  assign from_mem = pop_i && behind_q;
  assign to_mem   = push && (behind_q || (valid_q && !pop_i));  // else it becomes the head

  // The head takes one of the places that `level_o` counts, so the one at `wptr_q` is always free. It
  // and a free head take what is on `data_i` every cycle: only the pointers wait for `push_i`.
  always_ff @(posedge clk_i) begin
    mem[wptr_q] <= data_i;
    if (pop_i || !valid_q) head_q <= behind_q ? mem[rptr_q] : data_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wptr_q   <= '0;
      rptr_q   <= '0;
      level_q  <= '0;
      valid_q  <= 1'b0;
      full_q   <= 1'b0;
      behind_q <= 1'b0;
      more_q   <= 1'b0;
      last_q   <= 1'b0;
    end else if (clear_i) begin
      wptr_q   <= '0;
      rptr_q   <= '0;
      level_q  <= '0;
      valid_q  <= 1'b0;
      full_q   <= 1'b0;
      behind_q <= 1'b0;
      more_q   <= 1'b0;
      last_q   <= 1'b0;
    end else begin
      if (to_mem) wptr_q <= wptr_q + 1'b1;
      if (from_mem) rptr_q <= rptr_q + 1'b1;
      valid_q  <= push_i || (valid_q && (!pop_i || behind_q));
      full_q   <= !pop_i && (full_q || (push_i && last_q));
      behind_q <= pop_i ? (push ? behind_q : more_q) : (push ? valid_q : behind_q);
      if (push != pop) begin
        level_q <= pop ? level_q - 1'b1 : level_q + 1'b1;
        more_q  <= pop ? 32'(level_q) > 3 : behind_q;
        last_q  <= pop ? full_q : level_q == LevelW'(Depth - 2);
      end
    end
  end

  assign full_o  = full_q;
  assign valid_o = valid_q;
  assign data_o  = head_q;
  assign level_o = level_q;


  `KVCPU_ASSERT(level_in_range, level_q <= LevelW'(Depth), "a FIFO holds at most Depth items")
  `KVCPU_ASSERT(flags_follow_level,
                valid_q == (level_q != '0) && full_q == (level_q == LevelW'(Depth)) && behind_q == (32'(level_q) >= 2),
                "valid, full and behind say what the level says")
  `KVCPU_ASSERT(head_is_stable, valid_q && !pop_i && !clear_i |=> valid_q && $stable(head_q),
                "the head of a FIFO stays until it is popped")
  if (!DropsWhenFull) begin : g_no_overflow
    `KVCPU_ASSERT(no_push_when_full, !(push_i && full_q && !clear_i), "no item is pushed into a full FIFO")
  end

endmodule
