// Memory with one write port and one synchronous read port. Not reset. A read of the address that
// is written in the same cycle gives the old word, but for `Apart`.

`include "kvcpu_assert.svh"

module kvcpu_ram_1r1w #(
  /// Bits of a word, 1 and up.
  parameter int unsigned Width = 32,
  /// Words, 2 and up.
  parameter int unsigned Depth = 64,
  /// Whoever reads a word in the cycle of its write does not use what is read: then nothing is spent on
  /// the old word. In simulation it is read nevertheless.
  parameter bit Apart = 1'b0,
  localparam int unsigned AddrW = $clog2(Depth)
) (
  /// Clock.
  input  logic             clk_i,
  /// Write enable.
  input  logic             we_i,
  /// Write address, below Depth.
  input  logic [AddrW-1:0] waddr_i,
  /// Word to write.
  input  logic [Width-1:0] wdata_i,
  /// Read enable; `rdata_o` holds while it is low.
  input  logic             re_i,
  /// Read address, below Depth.
  input  logic [AddrW-1:0] raddr_i,
  /// Word read, one cycle after `re_i`.
  output logic [Width-1:0] rdata_o
);

  `KVCPU_CHECK_PARAM(width, Width >= 1, "Width must be at least 1")
  `KVCPU_CHECK_PARAM(depth, Depth >= 2, "Depth must be at least 2")

  if (Apart) begin : g_mem
    (* no_rw_check *) logic [Width-1:0] mem[Depth];
  end else begin : g_mem
    logic [Width-1:0] mem[Depth];
  end

  always_ff @(posedge clk_i) begin
    if (we_i) g_mem.mem[waddr_i] <= wdata_i;
    if (re_i) rdata_o <= g_mem.mem[raddr_i];
  end

endmodule
