// True dual-port memory: port A reads, port B reads or writes. Not reset. A read on port A of the
// address that port B writes in the same cycle gives the old word, but
// for `Apart`.

`include "kvcpu_assert.svh"

module kvcpu_ram_2p #(
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
  /// Read enable of port A; `a_rdata_o` holds while it is low.
  input  logic             a_re_i,
  /// Address of port A, below Depth.
  input  logic [AddrW-1:0] a_addr_i,
  /// Word read on port A, one cycle after `a_re_i`.
  output logic [Width-1:0] a_rdata_o,
  /// Read enable of port B; not together with `b_we_i`. `b_rdata_o` holds while it is low.
  input  logic             b_re_i,
  /// Write enable of port B.
  input  logic             b_we_i,
  /// Address of port B, below Depth.
  input  logic [AddrW-1:0] b_addr_i,
  /// Word to write on port B.
  input  logic [Width-1:0] b_wdata_i,
  /// Word read on port B, one cycle after `b_re_i`.
  output logic [Width-1:0] b_rdata_o
);

  `KVCPU_CHECK_PARAM(width, Width >= 1, "Width must be at least 1")
  `KVCPU_CHECK_PARAM(depth, Depth >= 2, "Depth must be at least 2")

  if (Apart) begin : g_mem
    (* no_rw_check *) logic [Width-1:0] mem[Depth];
  end else begin : g_mem
    logic [Width-1:0] mem[Depth];
  end

  always_ff @(posedge clk_i) begin
    if (a_re_i) a_rdata_o <= g_mem.mem[a_addr_i];
  end

  // Write or read in one branch each: the port's output does not change in a write cycle, which
  // every block RAM has.
  always_ff @(posedge clk_i) begin
    if (b_we_i) g_mem.mem[b_addr_i] <= b_wdata_i;
    else if (b_re_i) b_rdata_o <= g_mem.mem[b_addr_i];
  end

endmodule
