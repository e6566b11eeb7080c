/// Plain registers behind the device's AXI4-Lite front end and both ways of driving BAR0: pins that Python drives, and
/// the fast transactor. An access costs the bus and its driver here, and nothing of a device.
module tb_mmio_top;
  timeunit 1ns;
  timeprecision 1ps;
  import kvcpu_tb_pkg::*;

  logic        clk, rst_n, unused_rst_n, irq;
  logic [63:0] cycle;
  int unsigned wake_count;
  tb_clock #(.PeriodPs(4000)) u_clk (.clk_o(clk), .rst_no(unused_rst_n), .cycle_o(cycle));

  // Between two edges, as in kvcpu_tb.
  always @(negedge clk) begin
    rst_n <= (kv_cycle(longint'(cycle) + 1) == 0);
    wake_count <= kv_wake_count();
  end

  logic        pin_select;  // 1: Python drives the pins, 0: the transactor
  logic [15:0] pin_awaddr, pin_araddr, fast_awaddr, fast_araddr;
  logic [63:0] pin_wdata, pin_rdata, fast_wdata;
  logic [7:0]  pin_wstrb, fast_wstrb;
  logic [1:0]  pin_bresp, pin_rresp;
  logic        pin_awvalid, pin_awready, pin_wvalid, pin_wready, pin_bvalid, pin_bready;
  logic        pin_arvalid, pin_arready, pin_rvalid, pin_rready;
  logic        fast_awvalid, fast_wvalid, fast_bready, fast_arvalid, fast_rready;

  kvcpu_mmio_driver #(.Bar(0), .AddrW(16)) u_driver (
    .clk_i(clk), .rst_ni(rst_n), .irq_i(irq),
    .awaddr_o(fast_awaddr), .awvalid_o(fast_awvalid), .awready_i(pin_awready),
    .wdata_o(fast_wdata), .wstrb_o(fast_wstrb), .wvalid_o(fast_wvalid), .wready_i(pin_wready),
    .bresp_i(pin_bresp), .bvalid_i(pin_bvalid), .bready_o(fast_bready),
    .araddr_o(fast_araddr), .arvalid_o(fast_arvalid), .arready_i(pin_arready),
    .rdata_i(pin_rdata), .rresp_i(pin_rresp), .rvalid_i(pin_rvalid), .rready_o(fast_rready));

  logic [15:0] awaddr, araddr;
  logic [63:0] wdata;
  logic [7:0]  wstrb;
  logic        awvalid, wvalid, bready, arvalid, rready;
  assign awaddr  = pin_select ? pin_awaddr : fast_awaddr;
  assign awvalid = pin_select ? pin_awvalid : fast_awvalid;
  assign wdata   = pin_select ? pin_wdata : fast_wdata;
  assign wstrb   = pin_select ? pin_wstrb : fast_wstrb;
  assign wvalid  = pin_select ? pin_wvalid : fast_wvalid;
  assign bready  = pin_select ? pin_bready : fast_bready;
  assign araddr  = pin_select ? pin_araddr : fast_araddr;
  assign arvalid = pin_select ? pin_arvalid : fast_arvalid;
  assign rready  = pin_select ? pin_rready : fast_rready;

  kvcpu_axil_checker #(.Name("BAR0"), .Bar(0), .AddrWidth(16)) u_check (
    .clk_i(clk), .rst_ni(rst_n),
    .awvalid_i(awvalid), .awready_i(pin_awready), .awaddr_i(awaddr),
    .wvalid_i(wvalid), .wready_i(pin_wready), .wdata_i(wdata), .wstrb_i(wstrb),
    .bvalid_i(pin_bvalid), .bready_i(bready), .bresp_i(pin_bresp),
    .arvalid_i(arvalid), .arready_i(pin_arready), .araddr_i(araddr),
    .rvalid_i(pin_rvalid), .rready_i(rready), .rdata_i(pin_rdata), .rresp_i(pin_rresp));

  logic        wr_valid, wr_full, rd_valid;
  logic [15:0] wr_addr, rd_addr;
  logic [63:0] wr_data;
  logic [63:0] registers[2048];
  assign irq = 1'b0;

  kvcpu_csr_axil #(.AddrW(16)) u_axil (
    .clk_i(clk), .rst_ni(rst_n),
    .awaddr_i(awaddr), .awvalid_i(awvalid), .awready_o(pin_awready),
    .wdata_i(wdata), .wstrb_i(wstrb), .wvalid_i(wvalid), .wready_o(pin_wready),
    .bresp_o(pin_bresp), .bvalid_o(pin_bvalid), .bready_i(bready),
    .araddr_i(araddr), .arvalid_i(arvalid), .arready_o(pin_arready),
    .rdata_o(pin_rdata), .rresp_o(pin_rresp), .rvalid_o(pin_rvalid), .rready_i(rready),
    .wr_next_o(),
    .wr_valid_o(wr_valid), .wr_addr_o(wr_addr), .wr_data_o(wr_data), .wr_full_o(wr_full),
    .wr_done_i(wr_valid), .wr_error_i(!wr_full || wr_addr[15:14] != '0 || wr_addr[2:0] != '0),
    .rd_valid_o(rd_valid), .rd_addr_o(rd_addr), .rd_done_i(rd_valid),
    .rd_error_i(rd_addr[15:14] != '0 || rd_addr[2:0] != '0), .rd_data_i(registers[rd_addr[13:3]]));

  always_ff @(posedge clk) begin
    if (wr_valid && wr_full) registers[wr_addr[13:3]] <= wr_data;
  end

  initial begin
    rst_n = 1'b0;
    wake_count = 0;
    pin_select = 1'b0;
    {pin_awaddr, pin_awvalid, pin_wdata, pin_wstrb, pin_wvalid, pin_bready} = '0;
    {pin_araddr, pin_arvalid, pin_rready} = '0;
  end
endmodule
