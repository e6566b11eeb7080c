// Whether a stream of items comes out as it went in. Any one item at a time is followed, chosen by the solver at its
// push: how many items are ahead of it, and whether it is at the head with its data when none is. What holds for an
// item that may be any holds for all: order, nothing lost, nothing twice. The level is counted anew.

module kvcpu_fv_stream #(
  /// Bits of an item.
  parameter int unsigned Width = 8,
  /// Items that it holds.
  parameter int unsigned Depth = 4,
  localparam int unsigned LevelW = $clog2(Depth + 1)
) (
  /// Clock.
  input  logic              clk_i,
  /// Reset, active low.
  input  logic              rst_ni,
  /// Forgets every item.
  input  logic              clear_i,
  /// An item enters.
  input  logic              push_i,
  /// The item.
  input  logic [Width-1:0]  data_i,
  /// The oldest item leaves.
  input  logic              pop_i,
  /// Items that are inside.
  output logic [LevelW-1:0] level_o,
  /// An item that is inside is followed.
  output logic              follows_o,
  /// Items ahead of it.
  output logic [LevelW-1:0] ahead_o,
  /// Its data.
  output logic [Width-1:0]  item_o
);

  logic choose, begins;

  kvcpu_any u_choose (.value_o(choose));

  assign begins = push_i && choose && !follows_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      level_o   <= '0;
      follows_o <= 1'b0;
      ahead_o   <= '0;
      item_o    <= '0;
    end else if (clear_i) begin
      level_o   <= '0;
      follows_o <= 1'b0;
    end else begin
      level_o <= level_o + LevelW'(push_i) - LevelW'(pop_i);
      if (begins) begin
        follows_o <= 1'b1;
        item_o    <= data_i;
        ahead_o   <= level_o - LevelW'(pop_i);
      end else if (follows_o && pop_i) begin
        follows_o <= ahead_o != '0;
        ahead_o   <= ahead_o - 1'b1;
      end
    end
  end

endmodule
