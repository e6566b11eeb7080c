// The device on a board, without the board's pins: a serial line drives its registers, its directory
// window and its lookup ports; its memory tiers are on-chip RAM.

module kvcpu_board
  import kvcpu_board_pkg::*;
#(
  /// See kvcpu.
  parameter int unsigned ENTRIES = 4096,
  /// See kvcpu.
  parameter int unsigned LANES = 4,
  /// See kvcpu.
  parameter int unsigned PORTS = 3,
  /// See kvcpu.
  parameter int unsigned BLOCK_TOKENS = 16,
  /// See kvcpu; the on-chip tiers are 64 bits wide.
  parameter int unsigned AXI_DATA_WIDTH = 64,
  /// Bytes of a tier, a power of two.
  parameter int unsigned TierBytes = 16384,
  /// Frequency of the clock, Hz, a multiple of 1,000,000.
  parameter int unsigned ClockHz = 100_000_000,
  /// Bits per second of the serial line.
  parameter int unsigned Baud = 3_000_000
) (
  /// Clock.
  input  logic clk_i,
  /// Reset, active low, released synchronously.
  input  logic rst_ni,
  /// Serial line from the host, not synchronous to the clock.
  input  logic rx_i,
  /// Serial line to the host.
  output logic tx_o,
  /// Interrupt output of the device.
  output logic irq_o,
  /// A byte goes over the serial line (either way).
  output logic active_o
);

  localparam int unsigned MOVES = 64;
  localparam int unsigned BURSTS = 64;
  localparam int unsigned AxiIdW = $clog2(BURSTS);

  // ------------------------------------------------------------------ serial line
  logic       rx_valid, tx_valid, tx_ready;
  logic [7:0] rx_data, tx_data;

  kvcpu_board_uart_rx #(
    .ClockHz(ClockHz),
    .Baud   (Baud)
  ) u_rx (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .rx_i   (rx_i),
    .valid_o(rx_valid),
    .data_o (rx_data)
  );

  kvcpu_board_uart_tx #(
    .ClockHz(ClockHz),
    .Baud   (Baud)
  ) u_tx (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .valid_i(tx_valid),
    .ready_o(tx_ready),
    .data_i (tx_data),
    .tx_o   (tx_o)
  );

  assign active_o = rx_valid || !tx_ready;

  // ------------------------------------------------------------------ bridge
  logic             valid, write, done;
  logic [AddrW-1:0] addr;
  logic [63:0]      wdata, rdata;
  resp_e            resp;
  region_e          region;

  kvcpu_board_bridge u_bridge (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .rx_valid_i(rx_valid),
    .rx_data_i (rx_data),
    .tx_valid_o(tx_valid),
    .tx_ready_i(tx_ready),
    .tx_data_o (tx_data),
    .irq_i     (irq_o),
    .valid_o   (valid),
    .write_o   (write),
    .addr_o    (addr),
    .wdata_o   (wdata),
    .done_i    (done),
    .resp_i    (resp),
    .rdata_i   (rdata)
  );

  // ------------------------------------------------------------------ regions
  logic        is_bar0, is_bar2, open;
  logic        to_bar0_q, to_bar2_q, to_tiers_q, to_regs_q, to_none_q;
  logic        bar0_valid, bar0_done, bar2_valid, bar2_done, tiers_valid, tiers_done, regs_valid;
  logic        regs_done;
  logic [63:0] bar0_rdata, bar2_rdata, tiers_rdata, regs_rdata;
  resp_e       bar0_resp, bar2_resp, tiers_resp, regs_resp;

  assign region = region_e'(addr[31:28]);

  // The regions lie all over the part: an access and its answer each get a cycle for the way.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      to_bar0_q  <= 1'b0;
      to_bar2_q  <= 1'b0;
      to_tiers_q <= 1'b0;
      to_regs_q  <= 1'b0;
      to_none_q  <= 1'b0;
      done       <= 1'b0;
    end else begin
      to_bar0_q  <= open && is_bar0;
      to_bar2_q  <= open && is_bar2;
      to_tiers_q <= open && region == RegionTiers;
      to_regs_q  <= open && region == RegionBoard;
      to_none_q  <= open && !is_bar0 && !is_bar2 && region != RegionTiers && region != RegionBoard;
      done       <= bar0_done || bar2_done || tiers_done || regs_done || (to_none_q && !done);
    end
  end

  assign is_bar0 = region == RegionBar0 && addr[27:16] == '0;
  assign is_bar2 = region == RegionBar2 && addr[27:22] == '0;
  assign open    = valid && !done;

  // A region sees the end of its access in the cycle in which the bridge does.
  assign bar0_valid  = to_bar0_q && !done;
  assign bar2_valid  = to_bar2_q && !done;
  assign tiers_valid = to_tiers_q && !done;
  assign regs_valid  = to_regs_q && !done;

  always_ff @(posedge clk_i) begin
    resp  <= RespDecerr;
    rdata <= '0;
    if (to_bar0_q) begin
      resp  <= bar0_resp;
      rdata <= bar0_rdata;
    end else if (to_bar2_q) begin
      resp  <= bar2_resp;
      rdata <= bar2_rdata;
    end else if (to_tiers_q) begin
      resp  <= tiers_resp;
      rdata <= tiers_rdata;
    end else if (to_regs_q) begin
      resp  <= regs_resp;
      rdata <= regs_rdata;
    end
  end

  // ------------------------------------------------------------------ BAR0, BAR2
  logic [15:0] bar0_awaddr, bar0_araddr;
  logic [21:0] bar2_awaddr, bar2_araddr;
  logic [63:0] bar0_wdata, bar2_wdata, bar0_axi_rdata, bar2_axi_rdata;
  logic [7:0]  bar0_wstrb, bar2_wstrb;
  logic [1:0]  bar0_bresp, bar0_rresp, bar2_bresp, bar2_rresp;
  logic        bar0_awvalid, bar0_awready, bar0_wvalid, bar0_wready, bar0_bvalid, bar0_bready;
  logic        bar0_arvalid, bar0_arready, bar0_rvalid, bar0_rready;
  logic        bar2_awvalid, bar2_awready, bar2_wvalid, bar2_wready, bar2_bvalid, bar2_bready;
  logic        bar2_arvalid, bar2_arready, bar2_rvalid, bar2_rready;

  kvcpu_board_axil #(
    .PortAddrW(16)
  ) u_bar0 (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .valid_i  (bar0_valid),
    .write_i  (write),
    .addr_i   (addr[15:0]),
    .wdata_i  (wdata),
    .done_o   (bar0_done),
    .resp_o   (bar0_resp),
    .rdata_o  (bar0_rdata),
    .awaddr_o (bar0_awaddr),
    .awvalid_o(bar0_awvalid),
    .awready_i(bar0_awready),
    .wdata_o  (bar0_wdata),
    .wstrb_o  (bar0_wstrb),
    .wvalid_o (bar0_wvalid),
    .wready_i (bar0_wready),
    .bresp_i  (bar0_bresp),
    .bvalid_i (bar0_bvalid),
    .bready_o (bar0_bready),
    .araddr_o (bar0_araddr),
    .arvalid_o(bar0_arvalid),
    .arready_i(bar0_arready),
    .rdata_i  (bar0_axi_rdata),
    .rresp_i  (bar0_rresp),
    .rvalid_i (bar0_rvalid),
    .rready_o (bar0_rready)
  );

  kvcpu_board_axil #(
    .PortAddrW(22)
  ) u_bar2 (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .valid_i  (bar2_valid),
    .write_i  (write),
    .addr_i   (addr[21:0]),
    .wdata_i  (wdata),
    .done_o   (bar2_done),
    .resp_o   (bar2_resp),
    .rdata_o  (bar2_rdata),
    .awaddr_o (bar2_awaddr),
    .awvalid_o(bar2_awvalid),
    .awready_i(bar2_awready),
    .wdata_o  (bar2_wdata),
    .wstrb_o  (bar2_wstrb),
    .wvalid_o (bar2_wvalid),
    .wready_i (bar2_wready),
    .bresp_i  (bar2_bresp),
    .bvalid_i (bar2_bvalid),
    .bready_o (bar2_bready),
    .araddr_o (bar2_araddr),
    .arvalid_o(bar2_arvalid),
    .arready_i(bar2_arready),
    .rdata_i  (bar2_axi_rdata),
    .rresp_i  (bar2_rresp),
    .rvalid_i (bar2_rvalid),
    .rready_o (bar2_rready)
  );

  // ------------------------------------------------------------------ lookup ports
  logic [PORTS-1:0]       lookup_valid, lookup_ready, lookup_write;
  logic [PORTS-1:0][63:0] lookup_kv_addr, answer_phys_addr;
  logic [PORTS-1:0]       answer_valid, answer_ready, answer_hit, answer_denied;
  logic [PORTS-1:0][1:0]  answer_tier;
  logic [PORTS-1:0][15:0] answer_index;

  kvcpu_board_regs #(
    .PORTS    (PORTS),
    .TierBytes(TierBytes)
  ) u_regs (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .valid_i           (regs_valid),
    .write_i           (write),
    .addr_i            (addr[27:0]),
    .wdata_i           (wdata),
    .done_o            (regs_done),
    .resp_o            (regs_resp),
    .rdata_o           (regs_rdata),
    .irq_i             (irq_o),
    .lookup_valid_o    (lookup_valid),
    .lookup_ready_i    (lookup_ready),
    .lookup_kv_addr_o  (lookup_kv_addr),
    .lookup_write_o    (lookup_write),
    .answer_valid_i    (answer_valid),
    .answer_ready_o    (answer_ready),
    .answer_hit_i      (answer_hit),
    .answer_denied_i   (answer_denied),
    .answer_tier_i     (answer_tier),
    .answer_phys_addr_i(answer_phys_addr),
    .answer_index_i    (answer_index)
  );

  // ------------------------------------------------------------------ memory
  logic [AxiIdW-1:0]           axi_awid, axi_arid, axi_bid, axi_rid;
  logic [63:0]                 axi_awaddr, axi_araddr;
  logic [7:0]                  axi_arlen;
  logic [1:0]                  axi_awuser, axi_aruser, axi_bresp, axi_rresp;
  logic [AXI_DATA_WIDTH-1:0]   axi_wdata, axi_rdata;
  logic                        axi_awvalid, axi_awready, axi_wlast, axi_wvalid, axi_wready;
  logic                        axi_bvalid, axi_bready, axi_arvalid, axi_arready;
  logic                        axi_rlast, axi_rvalid, axi_rready;

  kvcpu_board_tiers #(
    .TierBytes     (TierBytes),
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
    .AxiIdW        (AxiIdW)
  ) u_tiers (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .awid_i     (axi_awid),
    .awaddr_i   (axi_awaddr),
    .awuser_i   (axi_awuser),
    .awvalid_i  (axi_awvalid),
    .awready_o  (axi_awready),
    .wdata_i    (axi_wdata),
    .wlast_i    (axi_wlast),
    .wvalid_i   (axi_wvalid),
    .wready_o   (axi_wready),
    .bid_o      (axi_bid),
    .bresp_o    (axi_bresp),
    .bvalid_o   (axi_bvalid),
    .bready_i   (axi_bready),
    .arid_i     (axi_arid),
    .araddr_i   (axi_araddr),
    .arlen_i    (axi_arlen),
    .aruser_i   (axi_aruser),
    .arvalid_i  (axi_arvalid),
    .arready_o  (axi_arready),
    .rid_o      (axi_rid),
    .rdata_o    (axi_rdata),
    .rresp_o    (axi_rresp),
    .rlast_o    (axi_rlast),
    .rvalid_o   (axi_rvalid),
    .rready_i   (axi_rready),
    .win_valid_i(tiers_valid),
    .win_write_i(write),
    .win_tier_i (addr[27:26]),
    .win_addr_i (addr[25:0]),
    .win_wdata_i(wdata),
    .win_done_o (tiers_done),
    .win_resp_o (tiers_resp),
    .win_rdata_o(tiers_rdata)
  );

  // ------------------------------------------------------------------ device
  kvcpu #(
    .ENTRIES       (ENTRIES),
    .LANES         (LANES),
    .PORTS         (PORTS),
    .BLOCK_TOKENS  (BLOCK_TOKENS),
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
    .MOVES         (MOVES),
    .BURSTS        (BURSTS),
    .CLOCK_MHZ     (ClockHz / 1_000_000)
  ) u_kvcpu (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .irq_o             (irq_o),
    .bar0_awaddr_i     (bar0_awaddr),
    .bar0_awvalid_i    (bar0_awvalid),
    .bar0_awready_o    (bar0_awready),
    .bar0_wdata_i      (bar0_wdata),
    .bar0_wstrb_i      (bar0_wstrb),
    .bar0_wvalid_i     (bar0_wvalid),
    .bar0_wready_o     (bar0_wready),
    .bar0_bresp_o      (bar0_bresp),
    .bar0_bvalid_o     (bar0_bvalid),
    .bar0_bready_i     (bar0_bready),
    .bar0_araddr_i     (bar0_araddr),
    .bar0_arvalid_i    (bar0_arvalid),
    .bar0_arready_o    (bar0_arready),
    .bar0_rdata_o      (bar0_axi_rdata),
    .bar0_rresp_o      (bar0_rresp),
    .bar0_rvalid_o     (bar0_rvalid),
    .bar0_rready_i     (bar0_rready),
    .bar2_awaddr_i     (bar2_awaddr),
    .bar2_awvalid_i    (bar2_awvalid),
    .bar2_awready_o    (bar2_awready),
    .bar2_wdata_i      (bar2_wdata),
    .bar2_wstrb_i      (bar2_wstrb),
    .bar2_wvalid_i     (bar2_wvalid),
    .bar2_wready_o     (bar2_wready),
    .bar2_bresp_o      (bar2_bresp),
    .bar2_bvalid_o     (bar2_bvalid),
    .bar2_bready_i     (bar2_bready),
    .bar2_araddr_i     (bar2_araddr),
    .bar2_arvalid_i    (bar2_arvalid),
    .bar2_arready_o    (bar2_arready),
    .bar2_rdata_o      (bar2_axi_rdata),
    .bar2_rresp_o      (bar2_rresp),
    .bar2_rvalid_o     (bar2_rvalid),
    .bar2_rready_i     (bar2_rready),
    .lookup_valid_i    (lookup_valid),
    .lookup_ready_o    (lookup_ready),
    .lookup_kv_addr_i  (lookup_kv_addr),
    .lookup_write_i    (lookup_write),
    .answer_valid_o    (answer_valid),
    .answer_ready_i    (answer_ready),
    .answer_hit_o      (answer_hit),
    .answer_denied_o   (answer_denied),
    .answer_tier_o     (answer_tier),
    .answer_phys_addr_o(answer_phys_addr),
    .answer_index_o    (answer_index),
    .axi_awid_o        (axi_awid),
    .axi_awaddr_o      (axi_awaddr),
    // The responder knows no other bursts than the device's: INCR, full beats, normal memory.
    .axi_awlen_o       (),
    .axi_awsize_o      (),
    .axi_awburst_o     (),
    .axi_awuser_o      (axi_awuser),
    .axi_awlock_o      (),
    .axi_awcache_o     (),
    .axi_awprot_o      (),
    .axi_awqos_o       (),
    .axi_awvalid_o     (axi_awvalid),
    .axi_awready_i     (axi_awready),
    .axi_wdata_o       (axi_wdata),
    .axi_wstrb_o       (),
    .axi_wlast_o       (axi_wlast),
    .axi_wvalid_o      (axi_wvalid),
    .axi_wready_i      (axi_wready),
    .axi_bid_i         (axi_bid),
    .axi_bresp_i       (axi_bresp),
    .axi_bvalid_i      (axi_bvalid),
    .axi_bready_o      (axi_bready),
    .axi_arid_o        (axi_arid),
    .axi_araddr_o      (axi_araddr),
    .axi_arlen_o       (axi_arlen),
    .axi_arsize_o      (),
    .axi_arburst_o     (),
    .axi_aruser_o      (axi_aruser),
    .axi_arlock_o      (),
    .axi_arcache_o     (),
    .axi_arprot_o      (),
    .axi_arqos_o       (),
    .axi_arvalid_o     (axi_arvalid),
    .axi_arready_i     (axi_arready),
    .axi_rid_i         (axi_rid),
    .axi_rdata_i       (axi_rdata),
    .axi_rresp_i       (axi_rresp),
    .axi_rlast_i       (axi_rlast),
    .axi_rvalid_i      (axi_rvalid),
    .axi_rready_o      (axi_rready)
  );

endmodule
