// Testbench top: clock and reset made in HDL, the device, and the DPI drivers of every interface.
//
// Convention of cycles: a record of cycle n holds the values that the n-th rising edge samples. Everything that
// Python reads or writes is declared here.

module kvcpu_tb #(
  /// Directory entries (device.md 1).
  parameter int unsigned ENTRIES = 1024,
  /// Scoring lanes (device.md 1).
  parameter int unsigned LANES = 4,
  /// Lookup ports (device.md 1).
  parameter int unsigned PORTS = 3,
  /// Tokens of a block (device.md 1).
  parameter int unsigned BLOCK_TOKENS = 16,
  /// Width of the memory port (device.md 1).
  parameter int unsigned AXI_DATA_WIDTH = 512
);
  timeunit 1ns;
  timeprecision 1ps;
  import kvcpu_tb_pkg::*;
  import kvcpu_events_pkg::*;

  localparam int unsigned IdWidth = 6;
  localparam int unsigned StrbWidth = AXI_DATA_WIDTH / 8;

  // ---------------------------------------------------------------- clock, reset, wake-up
  logic        clk;
  logic [63:0] cycle;
  logic        unused_rst_n;
  tb_clock #(.PeriodPs(4000)) u_clk (.clk_o(clk), .rst_no(unused_rst_n), .cycle_o(cycle));

  logic        rst_n;
  int unsigned wake_count;

  // Between two edges: the number of the coming edge, the reset for it, and what Python must know of the last one.
  always @(negedge clk) begin
    rst_n <= (kv_cycle(longint'(cycle) + 1) == 0);
    wake_count <= kv_wake_count();
  end

  // ---------------------------------------------------------------- BAR0: fast transactor or pins
  logic        pin_select;  // 1: Python drives the pins, 0: the transactor
  logic [15:0] pin_awaddr, pin_araddr;
  logic [63:0] pin_wdata, pin_rdata;
  logic [7:0]  pin_wstrb;
  logic [1:0]  pin_bresp, pin_rresp;
  logic        pin_awvalid, pin_wvalid, pin_bready;
  logic        pin_arvalid, pin_rready;
  logic        pin_awready, pin_wready, pin_bvalid, pin_arready, pin_rvalid;

  logic [15:0] bar0_awaddr, bar0_araddr;
  logic [63:0] bar0_wdata, bar0_rdata;
  logic [7:0]  bar0_wstrb;
  logic [1:0]  bar0_bresp, bar0_rresp;
  logic        bar0_awvalid, bar0_awready, bar0_wvalid, bar0_wready, bar0_bvalid, bar0_bready;
  logic        bar0_arvalid, bar0_arready, bar0_rvalid, bar0_rready;
  logic        irq;

  logic [15:0] fast_awaddr, fast_araddr;
  logic [63:0] fast_wdata;
  logic [7:0]  fast_wstrb;
  logic        fast_awvalid, fast_wvalid, fast_bready, fast_arvalid, fast_rready;

  assign bar0_awaddr  = pin_select ? pin_awaddr : fast_awaddr;
  assign bar0_awvalid = pin_select ? pin_awvalid : fast_awvalid;
  assign bar0_wdata   = pin_select ? pin_wdata : fast_wdata;
  assign bar0_wstrb   = pin_select ? pin_wstrb : fast_wstrb;
  assign bar0_wvalid  = pin_select ? pin_wvalid : fast_wvalid;
  assign bar0_bready  = pin_select ? pin_bready : fast_bready;
  assign bar0_araddr  = pin_select ? pin_araddr : fast_araddr;
  assign bar0_arvalid = pin_select ? pin_arvalid : fast_arvalid;
  assign bar0_rready  = pin_select ? pin_rready : fast_rready;

  assign pin_awready = bar0_awready;
  assign pin_wready  = bar0_wready;
  assign pin_bvalid  = bar0_bvalid;
  assign pin_bresp   = bar0_bresp;
  assign pin_arready = bar0_arready;
  assign pin_rvalid  = bar0_rvalid;
  assign pin_rresp   = bar0_rresp;
  assign pin_rdata   = bar0_rdata;

  kvcpu_mmio_driver #(.Bar(0), .AddrW(16)) u_bar0_driver (
    .clk_i(clk), .rst_ni(rst_n), .irq_i(irq),
    .awaddr_o(fast_awaddr), .awvalid_o(fast_awvalid), .awready_i(bar0_awready),
    .wdata_o(fast_wdata), .wstrb_o(fast_wstrb), .wvalid_o(fast_wvalid), .wready_i(bar0_wready),
    .bresp_i(bar0_bresp), .bvalid_i(bar0_bvalid), .bready_o(fast_bready),
    .araddr_o(fast_araddr), .arvalid_o(fast_arvalid), .arready_i(bar0_arready),
    .rdata_i(bar0_rdata), .rresp_i(bar0_rresp), .rvalid_i(bar0_rvalid), .rready_o(fast_rready));

  kvcpu_axil_checker #(.Name("BAR0"), .Bar(0), .AddrWidth(16)) u_check_bar0 (
    .clk_i(clk), .rst_ni(rst_n),
    .awvalid_i(bar0_awvalid), .awready_i(bar0_awready), .awaddr_i(bar0_awaddr),
    .wvalid_i(bar0_wvalid), .wready_i(bar0_wready), .wdata_i(bar0_wdata), .wstrb_i(bar0_wstrb),
    .bvalid_i(bar0_bvalid), .bready_i(bar0_bready), .bresp_i(bar0_bresp),
    .arvalid_i(bar0_arvalid), .arready_i(bar0_arready), .araddr_i(bar0_araddr),
    .rvalid_i(bar0_rvalid), .rready_i(bar0_rready), .rdata_i(bar0_rdata), .rresp_i(bar0_rresp));

  // ---------------------------------------------------------------- BAR2
  logic [21:0] bar2_awaddr, bar2_araddr;
  logic [63:0] bar2_wdata, bar2_rdata;
  logic [7:0]  bar2_wstrb;
  logic [1:0]  bar2_bresp, bar2_rresp;
  logic        bar2_awvalid, bar2_awready, bar2_wvalid, bar2_wready, bar2_bvalid, bar2_bready;
  logic        bar2_arvalid, bar2_arready, bar2_rvalid, bar2_rready;

  kvcpu_mmio_driver #(.Bar(1), .AddrW(22)) u_bar2_driver (
    .clk_i(clk), .rst_ni(rst_n), .irq_i(irq),
    .awaddr_o(bar2_awaddr), .awvalid_o(bar2_awvalid), .awready_i(bar2_awready),
    .wdata_o(bar2_wdata), .wstrb_o(bar2_wstrb), .wvalid_o(bar2_wvalid), .wready_i(bar2_wready),
    .bresp_i(bar2_bresp), .bvalid_i(bar2_bvalid), .bready_o(bar2_bready),
    .araddr_o(bar2_araddr), .arvalid_o(bar2_arvalid), .arready_i(bar2_arready),
    .rdata_i(bar2_rdata), .rresp_i(bar2_rresp), .rvalid_i(bar2_rvalid), .rready_o(bar2_rready));

  kvcpu_axil_checker #(.Name("BAR2"), .Bar(2), .AddrWidth(22)) u_check_bar2 (
    .clk_i(clk), .rst_ni(rst_n),
    .awvalid_i(bar2_awvalid), .awready_i(bar2_awready), .awaddr_i(bar2_awaddr),
    .wvalid_i(bar2_wvalid), .wready_i(bar2_wready), .wdata_i(bar2_wdata), .wstrb_i(bar2_wstrb),
    .bvalid_i(bar2_bvalid), .bready_i(bar2_bready), .bresp_i(bar2_bresp),
    .arvalid_i(bar2_arvalid), .arready_i(bar2_arready), .araddr_i(bar2_araddr),
    .rvalid_i(bar2_rvalid), .rready_i(bar2_rready), .rdata_i(bar2_rdata), .rresp_i(bar2_rresp));

  // ---------------------------------------------------------------- lookup ports
  logic [PORTS-1:0]       lookup_valid, lookup_ready, lookup_write;
  logic [PORTS-1:0][63:0] lookup_kv_addr;
  logic [PORTS-1:0]       answer_valid, answer_ready, answer_hit, answer_denied;
  logic [PORTS-1:0][1:0]  answer_tier;
  logic [PORTS-1:0][63:0] answer_phys_addr;
  logic [PORTS-1:0][15:0] answer_index;

  for (genvar p = 0; p < PORTS; p++) begin : gen_port
    int     ctl;
    longint kv_addr;
    initial begin
      ctl = 0;
      kv_addr = 0;
    end
    always @(posedge clk) begin
      automatic longint addr = kv_addr;
      automatic int c;
      if (rst_n && lookup_valid[p] && lookup_ready[p]) begin
        record_lookup_request('{port_no: 3'(p), write: lookup_write[p], kv_addr: lookup_kv_addr[p]});
      end
      if (rst_n && answer_valid[p] && answer_ready[p]) begin
        record_lookup_answer('{
          port_no: 3'(p),
          hit: answer_hit[p],
          denied: answer_denied[p],
          tier: answer_tier[p],
          index: answer_index[p],
          phys_addr: answer_phys_addr[p]
        });
      end
      c = kv_lookup_tick(p, int'(!rst_n), int'(lookup_ready[p]), int'(answer_valid[p]),
                         int'(answer_hit[p]), int'(answer_denied[p]), int'(answer_tier[p]),
                         answer_phys_addr[p], int'(answer_index[p]), addr);
      ctl <= c;
      kv_addr <= addr;
    end
    assign lookup_valid[p] = ctl[0];
    assign lookup_write[p] = ctl[1];
    assign answer_ready[p] = ctl[2];
    assign lookup_kv_addr[p] = kv_addr;

    kvcpu_hold_checker #(.Width(84), .Name($sformatf("lookup port %0d answer", p))) u_answer (
      .clk_i(clk), .rst_ni(rst_n), .valid_i(answer_valid[p]), .ready_i(answer_ready[p]),
      .data_i({answer_hit[p], answer_denied[p], answer_tier[p], answer_phys_addr[p],
               answer_index[p]}));
    kvcpu_hold_checker #(.Width(65), .Name($sformatf("lookup port %0d (testbench)", p))) u_ask (
      .clk_i(clk), .rst_ni(rst_n), .valid_i(lookup_valid[p]), .ready_i(lookup_ready[p]),
      .data_i({lookup_write[p], lookup_kv_addr[p]}));
  end

  // ---------------------------------------------------------------- AXI4 memories
  logic [IdWidth-1:0]        axi_awid, axi_arid, axi_bid, axi_rid;
  logic [63:0]               axi_awaddr, axi_araddr;
  logic [7:0]                axi_awlen, axi_arlen;
  logic [2:0]                axi_awsize, axi_arsize;
  logic [1:0]                axi_awburst, axi_arburst, axi_awuser, axi_aruser;
  logic                      axi_awvalid, axi_awready, axi_arvalid, axi_arready;
  logic [AXI_DATA_WIDTH-1:0] axi_wdata, axi_rdata;
  logic [StrbWidth-1:0]      axi_wstrb;
  logic                      axi_wlast, axi_wvalid, axi_wready;
  logic [1:0]                axi_bresp, axi_rresp;
  logic                      axi_bvalid, axi_bready, axi_rvalid, axi_rready, axi_rlast;

  // AxLOCK, AxCACHE, AxPROT, AxQOS: every burst is a normal access to normal, bufferable memory.
  typedef struct packed {
    logic       lock;
    logic [3:0] cache;
    logic [2:0] prot;
    logic [3:0] qos;
  } attributes_t;

  localparam attributes_t Normal = '{lock: 1'b0, cache: 4'b0011, prot: 3'b000, qos: 4'b0000};
  attributes_t axi_aw, axi_ar;

  initial kv_axi_width(int'(StrbWidth));

  int axi_ctl, axi_ids;
  bit [511:0] axi_rdata_wide;

  always @(posedge clk) begin
    automatic int ctl, ids = axi_ids;
    automatic bit [511:0] data;
    if (rst_n && axi_wvalid && axi_wready) begin
      data = 512'(axi_wdata);
      kv_axi_write_beat(data, longint'(64'(axi_wstrb)), int'(axi_wlast));
    end
    ctl = kv_axi_tick(int'(!rst_n), int'(axi_awvalid), int'(axi_awid), axi_awaddr, int'(axi_awlen),
                      int'(axi_awsize), int'(axi_awburst), int'(axi_awuser), int'(axi_arvalid),
                      int'(axi_arid), axi_araddr, int'(axi_arlen), int'(axi_arsize),
                      int'(axi_arburst), int'(axi_aruser), int'(axi_bready), int'(axi_rready), ids);
    axi_ctl <= ctl;
    axi_ids <= ids;
    if (ctl[4]) begin
      kv_axi_read_data(data);
      axi_rdata_wide <= data;
    end
  end

  assign axi_awready = axi_ctl[0];
  assign axi_wready  = axi_ctl[1];
  assign axi_arready = axi_ctl[2];
  assign axi_bvalid  = axi_ctl[3];
  assign axi_rvalid  = axi_ctl[4];
  assign axi_rlast   = axi_ctl[5];
  assign axi_bid     = axi_ids[IdWidth-1:0];
  assign axi_rid     = axi_ids[8+:IdWidth];
  assign axi_bresp   = axi_ids[17:16];
  assign axi_rresp   = axi_ids[25:24];
  assign axi_rdata   = axi_rdata_wide[AXI_DATA_WIDTH-1:0];

  kvcpu_hold_checker #(.Width(IdWidth + 79), .Name("AXI AW")) u_check_aw (
    .clk_i(clk), .rst_ni(rst_n), .valid_i(axi_awvalid), .ready_i(axi_awready),
    .data_i({axi_awid, axi_awaddr, axi_awlen, axi_awsize, axi_awburst, axi_awuser}));
  kvcpu_hold_checker #(.Width(IdWidth + 79), .Name("AXI AR")) u_check_ar (
    .clk_i(clk), .rst_ni(rst_n), .valid_i(axi_arvalid), .ready_i(axi_arready),
    .data_i({axi_arid, axi_araddr, axi_arlen, axi_arsize, axi_arburst, axi_aruser}));
  kvcpu_hold_checker #(.Width(AXI_DATA_WIDTH + StrbWidth + 1), .Name("AXI W")) u_check_w (
    .clk_i(clk), .rst_ni(rst_n), .valid_i(axi_wvalid), .ready_i(axi_wready),
    .data_i({axi_wlast, axi_wstrb, axi_wdata}));

  always @(posedge clk) begin
    if (rst_n && axi_awvalid) begin
      kv_checked(1);
      if (axi_aw != Normal) kv_violation($sformatf("AXI AW: expected AxLOCK, AxCACHE, AxPROT, AxQOS %h, seen %h", Normal, axi_aw));
    end
    if (rst_n && axi_arvalid) begin
      kv_checked(1);
      if (axi_ar != Normal) kv_violation($sformatf("AXI AR: expected AxLOCK, AxCACHE, AxPROT, AxQOS %h, seen %h", Normal, axi_ar));
    end
  end

  // ---------------------------------------------------------------- before the first edge
  initial begin
    rst_n = 1'b0;
    wake_count = 0;
    pin_select = 1'b0;
    pin_awaddr = '0;
    pin_awvalid = 1'b0;
    pin_wdata = '0;
    pin_wstrb = '0;
    pin_wvalid = 1'b0;
    pin_bready = 1'b0;
    pin_araddr = '0;
    pin_arvalid = 1'b0;
    pin_rready = 1'b0;
    axi_ctl = 0;
    axi_ids = 0;
    axi_rdata_wide = '0;
  end

  // ---------------------------------------------------------------- the device
  kvcpu #(
    .ENTRIES(ENTRIES),
    .LANES(LANES),
    .PORTS(PORTS),
    .BLOCK_TOKENS(BLOCK_TOKENS),
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH)
  ) u_dut (
    .clk_i(clk),
    .rst_ni(rst_n),
    .bar0_awaddr_i(bar0_awaddr),
    .bar0_awvalid_i(bar0_awvalid),
    .bar0_awready_o(bar0_awready),
    .bar0_wdata_i(bar0_wdata),
    .bar0_wstrb_i(bar0_wstrb),
    .bar0_wvalid_i(bar0_wvalid),
    .bar0_wready_o(bar0_wready),
    .bar0_bresp_o(bar0_bresp),
    .bar0_bvalid_o(bar0_bvalid),
    .bar0_bready_i(bar0_bready),
    .bar0_araddr_i(bar0_araddr),
    .bar0_arvalid_i(bar0_arvalid),
    .bar0_arready_o(bar0_arready),
    .bar0_rdata_o(bar0_rdata),
    .bar0_rresp_o(bar0_rresp),
    .bar0_rvalid_o(bar0_rvalid),
    .bar0_rready_i(bar0_rready),
    .bar2_awaddr_i(bar2_awaddr),
    .bar2_awvalid_i(bar2_awvalid),
    .bar2_awready_o(bar2_awready),
    .bar2_wdata_i(bar2_wdata),
    .bar2_wstrb_i(bar2_wstrb),
    .bar2_wvalid_i(bar2_wvalid),
    .bar2_wready_o(bar2_wready),
    .bar2_bresp_o(bar2_bresp),
    .bar2_bvalid_o(bar2_bvalid),
    .bar2_bready_i(bar2_bready),
    .bar2_araddr_i(bar2_araddr),
    .bar2_arvalid_i(bar2_arvalid),
    .bar2_arready_o(bar2_arready),
    .bar2_rdata_o(bar2_rdata),
    .bar2_rresp_o(bar2_rresp),
    .bar2_rvalid_o(bar2_rvalid),
    .bar2_rready_i(bar2_rready),
    .lookup_valid_i(lookup_valid),
    .lookup_ready_o(lookup_ready),
    .lookup_kv_addr_i(lookup_kv_addr),
    .lookup_write_i(lookup_write),
    .answer_valid_o(answer_valid),
    .answer_ready_i(answer_ready),
    .answer_hit_o(answer_hit),
    .answer_denied_o(answer_denied),
    .answer_tier_o(answer_tier),
    .answer_phys_addr_o(answer_phys_addr),
    .answer_index_o(answer_index),
    .axi_awid_o(axi_awid),
    .axi_awaddr_o(axi_awaddr),
    .axi_awlen_o(axi_awlen),
    .axi_awsize_o(axi_awsize),
    .axi_awburst_o(axi_awburst),
    .axi_awlock_o(axi_aw.lock),
    .axi_awcache_o(axi_aw.cache),
    .axi_awprot_o(axi_aw.prot),
    .axi_awqos_o(axi_aw.qos),
    .axi_awuser_o(axi_awuser),
    .axi_awvalid_o(axi_awvalid),
    .axi_awready_i(axi_awready),
    .axi_wdata_o(axi_wdata),
    .axi_wstrb_o(axi_wstrb),
    .axi_wlast_o(axi_wlast),
    .axi_wvalid_o(axi_wvalid),
    .axi_wready_i(axi_wready),
    .axi_bid_i(axi_bid),
    .axi_bresp_i(axi_bresp),
    .axi_bvalid_i(axi_bvalid),
    .axi_bready_o(axi_bready),
    .axi_arid_o(axi_arid),
    .axi_araddr_o(axi_araddr),
    .axi_arlen_o(axi_arlen),
    .axi_arsize_o(axi_arsize),
    .axi_arburst_o(axi_arburst),
    .axi_arlock_o(axi_ar.lock),
    .axi_arcache_o(axi_ar.cache),
    .axi_arprot_o(axi_ar.prot),
    .axi_arqos_o(axi_ar.qos),
    .axi_aruser_o(axi_aruser),
    .axi_arvalid_o(axi_arvalid),
    .axi_arready_i(axi_arready),
    .axi_rid_i(axi_rid),
    .axi_rdata_i(axi_rdata),
    .axi_rresp_i(axi_rresp),
    .axi_rlast_i(axi_rlast),
    .axi_rvalid_i(axi_rvalid),
    .axi_rready_o(axi_rready),
    .irq_o(irq)
  );
endmodule
