// Properties of kvcpu_fifo, against a stream that is counted and followed anew.

`include "kvcpu_formal.svh"

module kvcpu_fv_fifo #(
  parameter int unsigned Width = 32,
  parameter int unsigned Depth = 4,
  localparam int unsigned LevelW = $clog2(Depth) + 1,
  localparam int unsigned AddrW = $clog2(Depth)
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              clear_i,
  input  logic              push_i,
  input  logic [Width-1:0]  data_i,
  input  logic              full_o,
  input  logic              valid_o,
  input  logic [Width-1:0]  data_o,
  input  logic              pop_i,
  input  logic [LevelW-1:0] level_o,

  input  logic [AddrW-1:0]  wptr_q,
  input  logic [AddrW-1:0]  rptr_q,
  input  logic              behind_q,
  input  logic              more_q,
  input  logic              last_q,
  output logic [AddrW-1:0]  place_o,  // where the item that is followed is stored, unless it is the head
  input  logic [Width-1:0]  place_i   // what is stored there
);

  `FV_RESET

  localparam logic [LevelW-1:0] Full = LevelW'(Depth);

  logic              follows, held_q;
  logic [LevelW-1:0] level, ahead;
  logic [Width-1:0]  item, data_q;

  kvcpu_fv_stream #(
    .Width(Width),
    .Depth(Depth)
  ) u_stream (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .clear_i  (clear_i),
    .push_i   (push_i && level != Full),
    .data_i   (data_i),
    .pop_i    (pop_i && level != '0),
    .level_o  (level),
    .follows_o(follows),
    .ahead_o  (ahead),
    .item_o   (item)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) held_q <= 1'b0;
    else held_q <= level != '0 && !pop_i && !clear_i;
  end
  always_ff @(posedge clk_i) data_q <= data_o;

  assign place_o = rptr_q + AddrW'(ahead - 1'b1);

  always_comb begin
    if (rst_ni) begin
      `FV_ASSERT(level, 1'b1, level_o == level)
      `FV_ASSERT(full, level == Full, full_o)
      `FV_ASSERT(not_full, level != Full, !full_o)
      `FV_ASSERT(valid, level != '0, valid_o)
      `FV_ASSERT(nothing_twice, level == '0, !valid_o)
      `FV_ASSERT(order, follows && ahead == '0, data_o == item)
      `FV_ASSERT(head_holds, held_q, valid_o && data_o == data_q)

      `FV_LEMMA(flags, behind_q == (level >= 2) && more_q == (level >= 3) && last_q == (level == Full - 1'b1))
      `FV_LEMMA(pointers, AddrW'(wptr_q - rptr_q) == (level == '0 ? '0 : AddrW'(level - 1'b1)))
      `FV_LEMMA(level_in_range, level <= Full && (!follows || ahead < level))
      `FV_LEMMA(stored, !follows || ahead == '0 || place_i == item)
    end
  end

endmodule

bind kvcpu_fifo kvcpu_fv_fifo #(
  .Width(Width),
  .Depth(Depth)
) u_fv (
  .*,
  .place_o(),
  .place_i(mem[u_fv.place_o])
);
