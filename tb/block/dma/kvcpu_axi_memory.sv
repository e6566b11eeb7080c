// The AXI4 memories of the four tiers (tb/dpi/axi.cpp) on the pins of one AXI4 master, with the checkers of what the
// master must hold.

module kvcpu_axi_memory #(
  /// Width of the data bus, 64 to 512.
  parameter int unsigned AXI_DATA_WIDTH = 512,
  /// Bits of an ID, up to 8.
  parameter int unsigned IdWidth = 6
) (
  /// Clock.
  input  logic                        clk_i,
  /// Reset, active low.
  input  logic                        rst_ni,
  /// AXI4 AW.
  input  logic                        awvalid_i,
  /// AXI4 AW.
  output logic                        awready_o,
  /// AXI4 AW.
  input  logic [IdWidth-1:0]          awid_i,
  /// AXI4 AW.
  input  logic [63:0]                 awaddr_i,
  /// AXI4 AW.
  input  logic [7:0]                  awlen_i,
  /// AXI4 AW.
  input  logic [2:0]                  awsize_i,
  /// AXI4 AW.
  input  logic [1:0]                  awburst_i,
  /// AXI4 AW: tier.
  input  logic [1:0]                  awuser_i,
  /// AXI4 W.
  input  logic                        wvalid_i,
  /// AXI4 W.
  output logic                        wready_o,
  /// AXI4 W.
  input  logic [AXI_DATA_WIDTH-1:0]   wdata_i,
  /// AXI4 W.
  input  logic [AXI_DATA_WIDTH/8-1:0] wstrb_i,
  /// AXI4 W.
  input  logic                        wlast_i,
  /// AXI4 B.
  output logic                        bvalid_o,
  /// AXI4 B.
  input  logic                        bready_i,
  /// AXI4 B.
  output logic [IdWidth-1:0]          bid_o,
  /// AXI4 B.
  output logic [1:0]                  bresp_o,
  /// AXI4 AR.
  input  logic                        arvalid_i,
  /// AXI4 AR.
  output logic                        arready_o,
  /// AXI4 AR.
  input  logic [IdWidth-1:0]          arid_i,
  /// AXI4 AR.
  input  logic [63:0]                 araddr_i,
  /// AXI4 AR.
  input  logic [7:0]                  arlen_i,
  /// AXI4 AR.
  input  logic [2:0]                  arsize_i,
  /// AXI4 AR.
  input  logic [1:0]                  arburst_i,
  /// AXI4 AR: tier.
  input  logic [1:0]                  aruser_i,
  /// AXI4 R.
  output logic                        rvalid_o,
  /// AXI4 R.
  input  logic                        rready_i,
  /// AXI4 R.
  output logic [IdWidth-1:0]          rid_o,
  /// AXI4 R.
  output logic [AXI_DATA_WIDTH-1:0]   rdata_o,
  /// AXI4 R.
  output logic [1:0]                  rresp_o,
  /// AXI4 R.
  output logic                        rlast_o
);
  import kvcpu_tb_pkg::*;

  localparam int unsigned StrbWidth = AXI_DATA_WIDTH / 8;

  initial kv_axi_width(int'(StrbWidth));

  int ctl_q, ids_q;
  bit [511:0] rdata_q;

  initial begin
    ctl_q = 0;
    ids_q = 0;
    rdata_q = '0;
  end

  always @(posedge clk_i) begin
    automatic int ctl, ids = ids_q;
    automatic bit [511:0] data;
    if (rst_ni && wvalid_i && wready_o) begin
      data = 512'(wdata_i);
      kv_axi_write_beat(data, longint'(64'(wstrb_i)), int'(wlast_i));
    end
    ctl = kv_axi_tick(int'(!rst_ni), int'(awvalid_i), int'(awid_i), awaddr_i, int'(awlen_i),
                      int'(awsize_i), int'(awburst_i), int'(awuser_i), int'(arvalid_i),
                      int'(arid_i), araddr_i, int'(arlen_i), int'(arsize_i), int'(arburst_i),
                      int'(aruser_i), int'(bready_i), int'(rready_i), ids);
    ctl_q <= ctl;
    ids_q <= ids;
    if (ctl[4]) begin
      kv_axi_read_data(data);
      rdata_q <= data;
    end
  end

  assign awready_o = ctl_q[0];
  assign wready_o  = ctl_q[1];
  assign arready_o = ctl_q[2];
  assign bvalid_o  = ctl_q[3];
  assign rvalid_o  = ctl_q[4];
  assign rlast_o   = ctl_q[5];
  assign bid_o     = ids_q[IdWidth-1:0];
  assign rid_o     = ids_q[8+:IdWidth];
  assign bresp_o   = ids_q[17:16];
  assign rresp_o   = ids_q[25:24];
  assign rdata_o   = rdata_q[AXI_DATA_WIDTH-1:0];

  kvcpu_hold_checker #(.Width(IdWidth + 79), .Name("AXI AW")) u_check_aw (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(awvalid_i), .ready_i(awready_o),
    .data_i({awid_i, awaddr_i, awlen_i, awsize_i, awburst_i, awuser_i}));
  kvcpu_hold_checker #(.Width(IdWidth + 79), .Name("AXI AR")) u_check_ar (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(arvalid_i), .ready_i(arready_o),
    .data_i({arid_i, araddr_i, arlen_i, arsize_i, arburst_i, aruser_i}));
  kvcpu_hold_checker #(.Width(AXI_DATA_WIDTH + StrbWidth + 1), .Name("AXI W")) u_check_w (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(wvalid_i), .ready_i(wready_o),
    .data_i({wlast_i, wstrb_i, wdata_i}));

  // A response is for a burst of its ID that is outstanding: no ID names two bursts at once (the DMA's promise; AXI
  // would allow it in order).
  logic [2**IdWidth-1:0] reading_q, writing_q;
  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reading_q <= '0;
      writing_q <= '0;
    end else begin
      if (rvalid_o && rready_i && rlast_o) reading_q[rid_o] <= 1'b0;
      if (bvalid_o && bready_i) writing_q[bid_o] <= 1'b0;
      if (arvalid_i && arready_o) begin
        reading_q[arid_i] <= 1'b1;
        kv_checked(1);
        if (reading_q[arid_i] || writing_q[arid_i]) begin
          kv_violation($sformatf("AXI AR: expected a free burst id, seen ARID %0d again before its burst ended",
                                 arid_i));
        end
      end
      if (awvalid_i && awready_o) begin
        writing_q[awid_i] <= 1'b1;
        kv_checked(1);
        if (writing_q[awid_i] || reading_q[awid_i]) begin
          kv_violation($sformatf("AXI AW: expected AWID %0d after its reads and once, seen it again", awid_i));
        end
      end
    end
  end
endmodule
