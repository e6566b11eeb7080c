/// The fast MMIO transactor: an AXI4-Lite master that works off batches of tb/dpi/mmio.cpp, one tick a clock edge.
module kvcpu_mmio_driver #(
  /// 0: BAR0, 1: BAR2. One driver of each.
  parameter int Bar = 0,
  /// Bits of an address.
  parameter int unsigned AddrW = 16
) (
  /// Clock.
  input  logic             clk_i,
  /// Reset, active low.
  input  logic             rst_ni,
  /// The interrupt that a batch may wait for.
  input  logic             irq_i,
  /// AXI4-Lite.
  output logic [AddrW-1:0] awaddr_o,
  /// AXI4-Lite.
  output logic             awvalid_o,
  /// AXI4-Lite.
  input  logic             awready_i,
  /// AXI4-Lite.
  output logic [63:0]      wdata_o,
  /// AXI4-Lite.
  output logic [7:0]       wstrb_o,
  /// AXI4-Lite.
  output logic             wvalid_o,
  /// AXI4-Lite.
  input  logic             wready_i,
  /// AXI4-Lite.
  input  logic [1:0]       bresp_i,
  /// AXI4-Lite.
  input  logic             bvalid_i,
  /// AXI4-Lite.
  output logic             bready_o,
  /// AXI4-Lite.
  output logic [AddrW-1:0] araddr_o,
  /// AXI4-Lite.
  output logic             arvalid_o,
  /// AXI4-Lite.
  input  logic             arready_i,
  /// AXI4-Lite.
  input  logic [63:0]      rdata_i,
  /// AXI4-Lite.
  input  logic [1:0]       rresp_i,
  /// AXI4-Lite.
  input  logic             rvalid_i,
  /// AXI4-Lite.
  output logic             rready_o
);
  import kvcpu_tb_pkg::*;

  int     ctl_q, addr_q, strb_q;
  longint data_q;
  initial begin
    ctl_q = 0;
    addr_q = 0;
    strb_q = 0;
    data_q = 0;
  end

  always @(posedge clk_i) begin
    automatic int addr = addr_q, strb = strb_q;
    automatic longint data = data_q;
    automatic int ctl;
    ctl = kv_mmio_tick(Bar, int'(!rst_ni), int'(awready_i), int'(wready_i), int'(bvalid_i), int'(bresp_i),
                       int'(arready_i), int'(rvalid_i), int'(rresp_i), rdata_i, int'(irq_i), addr, strb, data);
    ctl_q <= ctl;
    addr_q <= addr;
    strb_q <= strb;
    data_q <= data;
  end

  assign awaddr_o = addr_q[AddrW-1:0];
  assign araddr_o = addr_q[AddrW-1:0];
  assign wdata_o = data_q;
  assign wstrb_o = strb_q[7:0];
  assign {rready_o, bready_o, arvalid_o, wvalid_o, awvalid_o} = ctl_q[4:0];
endmodule
