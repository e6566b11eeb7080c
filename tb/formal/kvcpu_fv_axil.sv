// An AXI4-Lite slave (device.md 10), whatever is behind it. What has been accepted and not answered is counted here
// anew. Nothing is assumed of the master: the slave is right also for one that takes a request back.

`include "kvcpu_formal.svh"

module kvcpu_fv_axil #(
  /// Cycles within which a write that is there whole is answered.
  parameter int unsigned WriteWait = 4,
  /// Cycles within which a read is answered.
  parameter int unsigned ReadWait = 8,
  localparam int unsigned WriteW = $clog2(WriteWait + 2),
  localparam int unsigned ReadW = $clog2(ReadWait + 2)
) (
  /// Clock.
  input  logic              clk_i,
  /// Reset, active low.
  input  logic              rst_ni,
  /// AXI4-Lite.
  input  logic              awvalid_i,
  /// AXI4-Lite.
  input  logic              awready_i,
  /// AXI4-Lite.
  input  logic              wvalid_i,
  /// AXI4-Lite.
  input  logic              wready_i,
  /// AXI4-Lite.
  input  logic              bvalid_i,
  /// AXI4-Lite.
  input  logic              bready_i,
  /// AXI4-Lite.
  input  logic [1:0]        bresp_i,
  /// AXI4-Lite.
  input  logic              arvalid_i,
  /// AXI4-Lite.
  input  logic              arready_i,
  /// AXI4-Lite.
  input  logic              rvalid_i,
  /// AXI4-Lite.
  input  logic              rready_i,
  /// AXI4-Lite.
  input  logic [63:0]       rdata_i,
  /// AXI4-Lite.
  input  logic [1:0]        rresp_i,
  /// An address was accepted whose write is not answered.
  output logic              aw_o,
  /// Data were accepted whose write is not answered.
  output logic              w_o,
  /// A read was accepted that is not answered.
  output logic              ar_o,
  /// Cycles for which a whole write waits for its answer.
  output logic [WriteW-1:0] write_waits_o,
  /// Cycles for which a read waits for its answer.
  output logic [ReadW-1:0]  read_waits_o
);

  localparam logic [1:0] Okay = 2'b00;
  localparam logic [1:0] Slverr = 2'b10;

  logic        b_held_q, r_held_q;
  logic [1:0]  bresp_q, rresp_q;
  logic [63:0] rdata_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_o          <= 1'b0;
      w_o           <= 1'b0;
      ar_o          <= 1'b0;
      b_held_q      <= 1'b0;
      r_held_q      <= 1'b0;
      write_waits_o <= '0;
      read_waits_o  <= '0;
    end else begin
      aw_o          <= (awvalid_i && awready_i) || (aw_o && !(bvalid_i && bready_i));
      w_o           <= (wvalid_i && wready_i) || (w_o && !(bvalid_i && bready_i));
      ar_o          <= (arvalid_i && arready_i) || (ar_o && !(rvalid_i && rready_i));
      b_held_q      <= bvalid_i && !bready_i;
      r_held_q      <= rvalid_i && !rready_i;
      write_waits_o <= (aw_o && w_o && !bvalid_i) ? write_waits_o + 1'b1 : '0;
      read_waits_o  <= (ar_o && !rvalid_i) ? read_waits_o + 1'b1 : '0;
    end
  end

  always_ff @(posedge clk_i) begin
    bresp_q <= bresp_i;
    rresp_q <= rresp_i;
    rdata_q <= rdata_i;
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSERT(b_holds, b_held_q, bvalid_i && bresp_i == bresp_q)
      `FV_ASSERT(r_holds, r_held_q, rvalid_i && {rresp_i, rdata_i} == {rresp_q, rdata_q})
      `FV_ASSERT(b_has_a_write, bvalid_i, aw_o && w_o)
      `FV_ASSERT(r_has_a_read, rvalid_i, ar_o)
      `FV_ASSERT(one_address, aw_o, !awready_i)
      `FV_ASSERT(one_data, w_o, !wready_i)
      `FV_ASSERT(one_read, ar_o, !arready_i)
      `FV_ASSERT(address_is_accepted, !aw_o, awready_i)
      `FV_ASSERT(data_are_accepted, !w_o, wready_i)
      `FV_ASSERT(read_is_accepted, !ar_o, arready_i)
      `FV_ASSERT(b_comes, aw_o && w_o && !bvalid_i, write_waits_o < WriteW'(WriteWait))
      `FV_ASSERT(r_comes, ar_o && !rvalid_i, read_waits_o < ReadW'(ReadWait))
      `FV_ASSERT(responses, bvalid_i && rvalid_i, bresp_i inside {Okay, Slverr} && rresp_i inside {Okay, Slverr})
      `FV_ASSERT(error_reads_0, rvalid_i && rresp_i == Slverr, rdata_i == '0)
    end
  end

endmodule
