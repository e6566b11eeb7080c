// AXI4-Lite master for one access at a time.

module kvcpu_board_axil
  import kvcpu_board_pkg::*;
#(
  /// Address bits of the port.
  parameter int unsigned PortAddrW = 16
) (
  /// Clock.
  input  logic                 clk_i,
  /// Reset, active low.
  input  logic                 rst_ni,

  /// An access; it and its fields hold until `done_o`.
  input  logic                 valid_i,
  /// It writes.
  input  logic                 write_i,
  /// Its address, bytes.
  input  logic [PortAddrW-1:0] addr_i,
  /// Data of a write.
  input  logic [63:0]          wdata_i,
  /// The access has ended.
  output logic                 done_o,
  /// How.
  output resp_e                resp_o,
  /// Data of a read; means nothing for a write.
  output logic [63:0]          rdata_o,

  /// AXI4-Lite.
  output logic [PortAddrW-1:0] awaddr_o,
  /// AXI4-Lite.
  output logic                 awvalid_o,
  /// AXI4-Lite.
  input  logic                 awready_i,
  /// AXI4-Lite.
  output logic [63:0]          wdata_o,
  /// AXI4-Lite: all bytes.
  output logic [7:0]           wstrb_o,
  /// AXI4-Lite.
  output logic                 wvalid_o,
  /// AXI4-Lite.
  input  logic                 wready_i,
  /// AXI4-Lite.
  input  logic [1:0]           bresp_i,
  /// AXI4-Lite.
  input  logic                 bvalid_i,
  /// AXI4-Lite.
  output logic                 bready_o,
  /// AXI4-Lite.
  output logic [PortAddrW-1:0] araddr_o,
  /// AXI4-Lite.
  output logic                 arvalid_o,
  /// AXI4-Lite.
  input  logic                 arready_i,
  /// AXI4-Lite.
  input  logic [63:0]          rdata_i,
  /// AXI4-Lite.
  input  logic [1:0]           rresp_i,
  /// AXI4-Lite.
  input  logic                 rvalid_i,
  /// AXI4-Lite.
  output logic                 rready_o
);

  // What of the running access has been handed over.
  logic aw_done_q, w_done_q, ar_done_q;

  assign awaddr_o  = addr_i;
  assign awvalid_o = valid_i && write_i && !aw_done_q;
  assign wdata_o   = wdata_i;
  assign wstrb_o   = '1;
  assign wvalid_o  = valid_i && write_i && !w_done_q;
  assign bready_o  = aw_done_q && w_done_q;
  assign araddr_o  = addr_i;
  assign arvalid_o = valid_i && !write_i && !ar_done_q;
  assign rready_o  = ar_done_q;

  assign done_o  = (bvalid_i && bready_o) || (rvalid_i && rready_o);
  assign rdata_o = rdata_i;
  assign resp_o  = ((write_i ? bresp_i : rresp_i) == RespOkay) ? RespOkay : RespSlverr;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_done_q <= 1'b0;
      w_done_q  <= 1'b0;
      ar_done_q <= 1'b0;
    end else if (done_o) begin
      aw_done_q <= 1'b0;
      w_done_q  <= 1'b0;
      ar_done_q <= 1'b0;
    end else begin
      if (awvalid_o && awready_i) aw_done_q <= 1'b1;
      if (wvalid_o && wready_i) w_done_q <= 1'b1;
      if (arvalid_o && arready_i) ar_done_q <= 1'b1;
    end
  end

endmodule
