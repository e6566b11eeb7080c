// Testbench top of the primitives: one of each, pins driven by Python.

module tb_prim_top #(
  /// Bits of a word.
  parameter int unsigned Width = 16,
  /// Items of the FIFOs and words of the memories.
  parameter int unsigned Depth = 8
);
  timeunit 1ns;
  timeprecision 1ps;

  localparam int unsigned AddrW = $clog2(Depth);

  logic        clk, rst_n;
  logic [63:0] cycle;
  tb_clock #(.PeriodPs(4000)) u_clk (.clk_o(clk), .rst_no(rst_n), .cycle_o(cycle));

  // ---------------------------------------------------------------- FIFO and drop-on-full queue, same stimulus
  logic             clear, push, pop;
  logic [Width-1:0] data;
  logic             full, valid, drop, queue_valid;
  logic [Width-1:0] head, queue_head;
  logic [AddrW:0]   level, queue_level;
  int unsigned      drops;

  kvcpu_fifo #(.Width(Width), .Depth(Depth), .DropsWhenFull(1'b1)) u_fifo (
    .clk_i(clk), .rst_ni(rst_n), .clear_i(clear), .push_i(push), .data_i(data), .full_o(full),
    .valid_o(valid), .data_o(head), .pop_i(pop), .level_o(level));

  kvcpu_fifo_queue #(.Width(Width), .Depth(Depth)) u_queue (
    .clk_i(clk), .rst_ni(rst_n), .clear_i(clear), .push_i(push), .data_i(data), .drop_o(drop),
    .valid_o(queue_valid), .data_o(queue_head), .pop_i(pop), .level_o(queue_level));

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) drops <= 0;
    else if (drop) drops <= drops + 1;
  end

  // ---------------------------------------------------------------- memories, same stimulus
  logic             we, re, b_re;
  logic [AddrW-1:0] waddr, raddr, b_addr;
  logic [Width-1:0] wdata, rdata, a_rdata, b_rdata, async_rdata;

  kvcpu_ram_1r1w #(.Width(Width), .Depth(Depth)) u_1r1w (
    .clk_i(clk), .we_i(we), .waddr_i(waddr), .wdata_i(wdata), .re_i(re), .raddr_i(raddr),
    .rdata_o(rdata));

  assign b_addr = waddr;
  kvcpu_ram_2p #(.Width(Width), .Depth(Depth)) u_2p (
    .clk_i(clk), .a_re_i(re), .a_addr_i(raddr), .a_rdata_o(a_rdata), .b_re_i(b_re), .b_we_i(we),
    .b_addr_i(b_addr), .b_wdata_i(wdata), .b_rdata_o(b_rdata));

  kvcpu_lutram #(.Width(Width), .Depth(Depth)) u_lutram (
    .clk_i(clk), .we_i(we), .waddr_i(waddr), .wdata_i(wdata), .raddr_i(raddr),
    .rdata_o(async_rdata));

  initial begin
    {clear, push, pop, we, re, b_re} = '0;
    {data, wdata} = '0;
    {waddr, raddr} = '0;
  end
endmodule
