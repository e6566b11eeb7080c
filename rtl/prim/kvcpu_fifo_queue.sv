// A queue that never makes its writer wait: an item pushed while the queue is full is dropped and
// said so on `drop_o`. Used for the miss and the completion queue (contract 3 and 6). Pushes may come
// late in their cycle: an item is kept in a register for one cycle, and counts as stored there only for
// `drop_o`.

`include "kvcpu_assert.svh"

module kvcpu_fifo_queue #(
  /// Bits of an item, 1 and up.
  parameter int unsigned Width = 32,
  /// Items it holds, a power of two, 2 and up; the contract's queues hold 64.
  parameter int unsigned Depth = 64,
  localparam int unsigned LevelW = $clog2(Depth) + 1
) (
  /// Clock.
  input  logic              clk_i,
  /// Reset, active low, released synchronously.
  input  logic              rst_ni,
  /// Empties the queue; wins over a push in the same cycle, which is not a drop.
  input  logic              clear_i,
  /// Puts `data_i` at the end.
  input  logic              push_i,
  /// Item to push.
  input  logic [Width-1:0]  data_i,
  /// The item pushed in this cycle is dropped: the queue was full when the cycle began.
  output logic              drop_o,
  /// `data_o` is the oldest item; an item is seen two cycles after its push.
  output logic              valid_o,
  /// Oldest item; not defined while `valid_o` is low.
  output logic [Width-1:0]  data_o,
  /// Removes the oldest item; has no effect while `valid_o` is low.
  input  logic              pop_i,
  /// Items stored, 0 to Depth.
  output logic [LevelW-1:0] level_o
);

  logic             fifo_full, full;
  logic             push_q;
  logic [Width-1:0] data_q;

  assign full = fifo_full || (push_q && (level_o == LevelW'(Depth - 1)));
  assign drop_o = push_i && full && !clear_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) push_q <= 1'b0;
    else push_q <= push_i && !full && !clear_i;
  end

  always_ff @(posedge clk_i) data_q <= data_i;

  kvcpu_fifo #(
    .Width(Width),
    .Depth(Depth)
  ) u_fifo (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (push_q),
    .data_i (data_q),
    .full_o (fifo_full),
    .valid_o(valid_o),
    .data_o (data_o),
    .pop_i  (pop_i),
    .level_o(level_o)
  );


  `KVCPU_ASSERT(accepted_item_fits, !(push_q && fifo_full), "an item that was not dropped finds a place")

endmodule
