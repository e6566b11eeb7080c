// Protocol checker of one AXI4-Lite interface: values hold, no response without a request, and a record of every
// access for the scoreboard.

module kvcpu_axil_checker #(
  /// Name in messages.
  parameter string Name = "BAR0",
  /// Number of the interface in records: 0 BAR0, 2 BAR2.
  parameter int Bar = 0,
  /// Bits of an address.
  parameter int unsigned AddrWidth = 16
) (
  /// Clock.
  input logic                 clk_i,
  /// Reset, active low.
  input logic                 rst_ni,
  /// AXI4-Lite.
  input logic                 awvalid_i,
  /// AXI4-Lite.
  input logic                 awready_i,
  /// AXI4-Lite.
  input logic [AddrWidth-1:0] awaddr_i,
  /// AXI4-Lite.
  input logic                 wvalid_i,
  /// AXI4-Lite.
  input logic                 wready_i,
  /// AXI4-Lite.
  input logic [63:0]          wdata_i,
  /// AXI4-Lite.
  input logic [7:0]           wstrb_i,
  /// AXI4-Lite.
  input logic                 bvalid_i,
  /// AXI4-Lite.
  input logic                 bready_i,
  /// AXI4-Lite.
  input logic [1:0]           bresp_i,
  /// AXI4-Lite.
  input logic                 arvalid_i,
  /// AXI4-Lite.
  input logic                 arready_i,
  /// AXI4-Lite.
  input logic [AddrWidth-1:0] araddr_i,
  /// AXI4-Lite.
  input logic                 rvalid_i,
  /// AXI4-Lite.
  input logic                 rready_i,
  /// AXI4-Lite.
  input logic [63:0]          rdata_i,
  /// AXI4-Lite.
  input logic [1:0]           rresp_i
);
  import kvcpu_tb_pkg::*;
  import kvcpu_events_pkg::*;

  kvcpu_hold_checker #(.Width(66), .Name({Name, " R"})) u_r (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(rvalid_i), .ready_i(rready_i),
    .data_i({rresp_i, rdata_i}));
  kvcpu_hold_checker #(.Width(2), .Name({Name, " B"})) u_b (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(bvalid_i), .ready_i(bready_i), .data_i(bresp_i));
  kvcpu_hold_checker #(.Width(AddrWidth), .Name({Name, " AW (testbench)"})) u_aw (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(awvalid_i), .ready_i(awready_i), .data_i(awaddr_i));
  kvcpu_hold_checker #(.Width(72), .Name({Name, " W (testbench)"})) u_w (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(wvalid_i), .ready_i(wready_i),
    .data_i({wstrb_i, wdata_i}));
  kvcpu_hold_checker #(.Width(AddrWidth), .Name({Name, " AR (testbench)"})) u_ar (
    .clk_i(clk_i), .rst_ni(rst_ni), .valid_i(arvalid_i), .ready_i(arready_i), .data_i(araddr_i));

  // Accepted and not yet answered, oldest first: {cycle of acceptance, strobes, data, address}.
  typedef struct {
    longint               cycle;
    logic [AddrWidth-1:0] addr;
  } addr_t;
  typedef struct {
    longint      cycle;
    logic [63:0] data;
    logic [7:0]  strb;
  } data_t;
  addr_t aw_q[$], ar_q[$];
  data_t w_q[$];
  longint now;
  initial now = 0;
  always @(posedge clk_i) now <= now + 1;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_q.delete();
      ar_q.delete();
      w_q.delete();
    end else begin
      if (awvalid_i && awready_i) aw_q.push_back('{now, awaddr_i});
      if (wvalid_i && wready_i) w_q.push_back('{now, wdata_i, wstrb_i});
      if (arvalid_i && arready_i) ar_q.push_back('{now, araddr_i});
      if (bvalid_i && bready_i) begin
        kv_checked(1);
        if (aw_q.size() == 0 || w_q.size() == 0) begin
          kv_violation({Name, " B: expected no response without a request, seen one"});
        end else begin
          addr_t a;
          data_t d;
          longint later;
          a = aw_q.pop_front();
          d = w_q.pop_front();
          later = (a.cycle > d.cycle) ? a.cycle : d.cycle;
          record_mmio('{
            bar: 2'(Bar),
            write: 1'b1,
            response: bresp_i,
            strobes: d.strb,
            address: 32'(a.addr),
            data: d.data,
            took: 32'(now - later)
          });
        end
      end
      if (rvalid_i && rready_i) begin
        kv_checked(1);
        if (ar_q.size() == 0) begin
          kv_violation({Name, " R: expected no response without a request, seen one"});
        end else begin
          addr_t a;
          a = ar_q.pop_front();
          record_mmio('{
            bar: 2'(Bar),
            write: 1'b0,
            response: rresp_i,
            strobes: '1,
            address: 32'(a.addr),
            data: rdata_i,
            took: 32'(now - a.cycle)
          });
        end
      end
    end
  end
endmodule
