// Properties of kvcpu_fifo_queue: it drops exactly what does not fit, and the rest comes out as it went in. Those of the
// FIFO inside, which is bound to its own properties, help as lemmas.

`include "kvcpu_formal.svh"

module kvcpu_fv_fifo_queue #(
  parameter int unsigned Width = 32,
  parameter int unsigned Depth = 64,
  localparam int unsigned LevelW = $clog2(Depth) + 1,
  localparam int unsigned AddrW = $clog2(Depth)
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              clear_i,
  input  logic              push_i,
  input  logic [Width-1:0]  data_i,
  input  logic              drop_o,
  input  logic              valid_o,
  input  logic [Width-1:0]  data_o,
  input  logic              pop_i,
  input  logic [LevelW-1:0] level_o,

  input  logic              push_q,
  input  logic [Width-1:0]  data_q,
  input  logic [AddrW-1:0]  rptr_q,
  output logic [AddrW-1:0]  place_o,  // where the item that is followed is stored in the FIFO
  input  logic [Width-1:0]  place_i
);

  `FV_RESET

  localparam logic [LevelW-1:0] Full = LevelW'(Depth);

  logic              follows, behind_q;
  logic [LevelW-1:0] level, ahead;
  logic [Width-1:0]  item;

  kvcpu_fv_stream #(
    .Width(Width),
    .Depth(Depth)
  ) u_stream (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .clear_i  (clear_i),
    .push_i   (push_i && level != Full),
    .data_i   (data_i),
    .pop_i    (pop_i && valid_o),
    .level_o  (level),
    .follows_o(follows),
    .ahead_o  (ahead),
    .item_o   (item)
  );

  // An item is seen two cycles after its push: before, only those that came earlier are.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) behind_q <= 1'b0;
    else behind_q <= push_i && level != Full && !clear_i;
  end

  assign place_o = rptr_q + AddrW'(ahead - 1'b1);

  always_comb begin
    if (rst_ni) begin
      `FV_ASSERT(drops_when_full, push_i && level == Full && !clear_i, drop_o)
      `FV_ASSERT(keeps_when_not_full, push_i && level != Full, !drop_o)
      `FV_ASSERT(no_drop_without_push, !push_i, !drop_o)
      `FV_ASSERT(level, 1'b1, level_o == level - LevelW'(behind_q))
      `FV_ASSERT(valid, level > LevelW'(behind_q), valid_o)
      `FV_ASSERT(nothing_twice, level == LevelW'(behind_q), !valid_o)
      `FV_ASSERT(order, follows && ahead == '0 && valid_o, data_o == item)

      `FV_LEMMA(last_push, push_q == behind_q && level <= Full && level >= LevelW'(behind_q) &&
                           (!follows || ahead < level))
      `FV_LEMMA(followed, !follows || (behind_q && ahead == level - 1'b1 ? data_q == item :
                                       ahead == '0 || place_i == item))
    end
  end

endmodule

bind kvcpu_fifo_queue kvcpu_fv_fifo_queue #(
  .Width(Width),
  .Depth(Depth)
) u_fv (
  .*,
  .rptr_q(u_fifo.rptr_q),
  .place_o(),
  .place_i(u_fifo.mem[u_fv.place_o])
);
