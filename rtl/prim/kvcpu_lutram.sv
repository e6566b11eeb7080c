// Small memory with one write port and one asynchronous read port, for distributed RAM. Not reset.

`include "kvcpu_assert.svh"

module kvcpu_lutram #(
  /// Bits of a word, 1 and up.
  parameter int unsigned Width = 8,
  /// Words, 2 and up; above 64 a block RAM (kvcpu_ram_1r1w) is the better choice.
  parameter int unsigned Depth = 64,
  localparam int unsigned AddrW = $clog2(Depth)
) (
  /// Clock.
  input  logic             clk_i,
  /// Write enable.
  input  logic             we_i,
  /// Write address, below Depth.
  input  logic [AddrW-1:0] waddr_i,
  /// Word to write; readable from the next cycle on.
  input  logic [Width-1:0] wdata_i,
  /// Read address, below Depth.
  input  logic [AddrW-1:0] raddr_i,
  /// Word at `raddr_i`, in the same cycle.
  output logic [Width-1:0] rdata_o
);

  `KVCPU_CHECK_PARAM(width, Width >= 1, "Width must be at least 1")
  `KVCPU_CHECK_PARAM(depth, Depth >= 2, "Depth must be at least 2")

  logic [Width-1:0] mem[Depth];

  always_ff @(posedge clk_i) begin
    if (we_i) mem[waddr_i] <= wdata_i;
  end

  assign rdata_o = mem[raddr_i];

endmodule
