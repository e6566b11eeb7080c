// Monitor of the queues, bound into kvcpu_moveq: decisions that enter a queue, items that the DMA takes.

module kvcpu_mon_moveq (
  /// Clock.
  input logic                   clk_i,
  /// Reset, active low.
  input logic                   rst_ni,
  /// Synchronous clear.
  input logic                   clear_i,
  /// Per queue: a waiting decision enters.
  input logic [1:0]             merge_valid_i,
  /// Per queue: it.
  input kvcpu_pkg::item_t [1:0] merge_item_i,
  /// Per queue: there is a head.
  input logic [1:0]             q_valid_i,
  /// Per queue: the head is taken.
  input logic [1:0]             q_pop_i,
  /// Per queue: the head.
  input kvcpu_pkg::item_t [1:0] q_item_i,
  /// Per queue: level.
  input logic [1:0][6:0]        q_level_i
);
  import kvcpu_events_pkg::*;
  import kvcpu_mon_pkg::*;

  always @(posedge clk_i) begin
    if (rst_ni && !clear_i) begin
      for (int q = 0; q < 2; q++) begin
        if (merge_valid_i[q]) begin
          record_push('{channel: 1'(q), level: q_level_i[q], item: item_of(merge_item_i[q])});
        end
        if (q_pop_i[q] && q_valid_i[q]) begin
          record_pop('{channel: 1'(q), level: q_level_i[q], item: item_of(q_item_i[q])});
        end
      end
    end
  end
endmodule
