/// Testbench top of the directory window: Python drives the bus and answers OpRead.
module tb_bar2_top
  import kvcpu_pkg::*;
#(
  /// See kvcpu_bar2.
  parameter int unsigned ENTRIES = 1024
);
  logic        clk;
  logic        rst_n;
  logic [63:0] cycle;

  logic [21:0] awaddr, araddr;
  logic        awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;
  logic [63:0] wdata, rdata;
  logic [7:0]  wstrb;
  logic [1:0]  bresp, rresp;

  logic                  clear, initialised, op_valid, op_ready, rsp_valid;
  logic [$bits(op_t)-1:0]    op;
  logic [$bits(entry_t)-1:0] entry;
  rsp_t                      rsp;
  logic [31:0]               ops_seen;

  tb_clock u_clock (
    .clk_o  (clk),
    .rst_no (rst_n),
    .cycle_o(cycle)
  );

  always_comb begin
    rsp = '0;
    rsp.op = OpRead;
    rsp.client = ClBar2;
    rsp.hit = 1'b1;
    rsp.phys_addr = '1;  // not the entry's: must not be shown
    rsp.entry = entry_t'(entry);
  end

  kvcpu_bar2 #(
    .ENTRIES(ENTRIES)
  ) u_bar2 (
    .clk_i(clk), .rst_ni(rst_n), .clear_i(clear), .initialised_i(initialised),
    .s_axil_awaddr_i(awaddr), .s_axil_awvalid_i(awvalid), .s_axil_awready_o(awready),
    .s_axil_wdata_i(wdata), .s_axil_wstrb_i(wstrb), .s_axil_wvalid_i(wvalid),
    .s_axil_wready_o(wready), .s_axil_bresp_o(bresp), .s_axil_bvalid_o(bvalid),
    .s_axil_bready_i(bready), .s_axil_araddr_i(araddr), .s_axil_arvalid_i(arvalid),
    .s_axil_arready_o(arready), .s_axil_rdata_o(rdata), .s_axil_rresp_o(rresp),
    .s_axil_rvalid_o(rvalid), .s_axil_rready_i(rready),
    .op_valid_o(op_valid), .op_ready_i(op_ready), .op_o(op), .rsp_valid_i(rsp_valid), .rsp_i(rsp)
  );

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) ops_seen <= '0;
    else ops_seen <= ops_seen + 32'(op_valid && op_ready);
  end

  default clocking cb @(posedge clk);
  endclocking
  default disable iff (!rst_n);

  b_slverr : assert property (bvalid |-> bresp == 2'b10)
    else $error("BAR2 B: expected SLVERR for every write, seen %b", bresp);
  b_holds : assert property (bvalid && !bready |=> bvalid)
    else $error("BAR2 B: expected the response held until ready, seen it go");
  r_holds : assert property (rvalid && !rready |=> rvalid && $stable(rresp) && $stable(rdata))
    else $error("BAR2 R: expected response and data held until ready, seen them change");
  r_zero : assert property (rvalid && rresp != 2'b00 |-> rdata == '0)
    else $error("BAR2 R: expected data 0 with SLVERR, seen %h", rdata);
  op_holds : assert property (op_valid && !op_ready && !clear |=> op_valid && $stable(op))
    else $error("BAR2 OpRead: expected it held until accepted, seen it change");

  initial begin
    {awaddr, araddr, awvalid, wvalid, bready, arvalid, rready, wdata, wstrb} = '0;
    {clear, op_ready, rsp_valid, entry} = '0;
    initialised = 1'b1;
  end
endmodule
