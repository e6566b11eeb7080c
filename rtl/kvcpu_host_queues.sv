// The two queues that software reads through BAR0: misses of lookups and completions of items.
//
// Both drop what comes while they are full (device.md 3, 6); the drop is counted and reported as an overflow. They are
// one module because nothing else in the device waits for software.

module kvcpu_host_queues (
  /// Clock.
  input  logic                   clk_i,
  /// Reset, active low.
  input  logic                   rst_ni,
  /// Soft reset.
  input  logic                   clear_i,
  /// A lookup has missed.
  input  logic                   miss_valid_i,
  /// Its KV address.
  input  kvcpu_pkg::kv_addr_t    miss_kv_addr_i,
  /// Items in the miss queue, 0 to 64.
  output logic [6:0]             miss_level_o,
  /// The miss queue has a head.
  output logic                   miss_head_valid_o,
  /// Its head.
  output kvcpu_pkg::kv_addr_t    miss_head_o,
  /// Pop of that head.
  input  logic                   miss_pop_i,
  /// A miss entered the queue in the cycle before.
  output logic                   miss_event_o,
  /// A miss was dropped in the cycle before.
  output logic                   miss_dropped_o,
  /// An item has ended.
  input  logic                   compl_valid_i,
  /// Its completion.
  input  kvcpu_pkg::completion_t compl_item_i,
  /// Items in the completion queue, 0 to 64.
  output logic [6:0]             compl_level_o,
  /// The completion queue has a head.
  output logic                   compl_head_valid_o,
  /// Its head.
  output kvcpu_pkg::completion_t compl_head_o,
  /// Pop of that head.
  input  logic                   compl_pop_i,
  /// The completion queue is full: the completion of this cycle is dropped.
  output logic                   compl_drop_o
);
  import kvcpu_pkg::*;

  // A miss comes late in its cycle: it counts as an event in the next one.
  logic miss_q, miss_drop, miss_drop_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      miss_q      <= 1'b0;
      miss_drop_q <= 1'b0;
    end else begin
      miss_q      <= miss_valid_i;
      miss_drop_q <= miss_drop;
    end
  end

  assign miss_event_o = miss_q && !miss_drop_q;
  assign miss_dropped_o = miss_drop_q;

  kvcpu_fifo_queue #(
    .Width($bits(kv_addr_t)),
    .Depth(QueueDepth)
  ) u_miss_queue (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (miss_valid_i),
    .data_i (miss_kv_addr_i),
    .drop_o (miss_drop),
    .valid_o(miss_head_valid_o),
    .data_o (miss_head_o),
    .pop_i  (miss_pop_i),
    .level_o(miss_level_o)
  );

  kvcpu_fifo_queue #(
    .Width($bits(completion_t)),
    .Depth(QueueDepth)
  ) u_completion_queue (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (compl_valid_i),
    .data_i (compl_item_i),
    .drop_o (compl_drop_o),
    .valid_o(compl_head_valid_o),
    .data_o (compl_head_o),
    .pop_i  (compl_pop_i),
    .level_o(compl_level_o)
  );

endmodule
