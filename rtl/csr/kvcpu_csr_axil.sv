// AXI4-Lite slave side of a register block: one write and one read at a time, each held until it is
// decided. AW and W are taken independently and in any order; further ones wait by back-pressure.

`include "kvcpu_assert.svh"

module kvcpu_csr_axil #(
  /// Address bits, 1 to 64.
  parameter int unsigned AddrW = 16
) (
  /// Clock.
  input  logic             clk_i,
  /// Reset, active low, asynchronous, released synchronously.
  input  logic             rst_ni,

  /// AXI4-Lite write address.
  input  logic [AddrW-1:0] awaddr_i,
  /// AXI4-Lite.
  input  logic             awvalid_i,
  /// AXI4-Lite.
  output logic             awready_o,
  /// AXI4-Lite write data.
  input  logic [63:0]      wdata_i,
  /// AXI4-Lite write strobes.
  input  logic [7:0]       wstrb_i,
  /// AXI4-Lite.
  input  logic             wvalid_i,
  /// AXI4-Lite.
  output logic             wready_o,
  /// AXI4-Lite write response: 0 OKAY, 2 SLVERR.
  output logic [1:0]       bresp_o,
  /// AXI4-Lite.
  output logic             bvalid_o,
  /// AXI4-Lite.
  input  logic             bready_i,
  /// AXI4-Lite read address.
  input  logic [AddrW-1:0] araddr_i,
  /// AXI4-Lite.
  input  logic             arvalid_i,
  /// AXI4-Lite.
  output logic             arready_o,
  /// AXI4-Lite read data.
  output logic [63:0]      rdata_o,
  /// AXI4-Lite read response: 0 OKAY, 2 SLVERR.
  output logic [1:0]       rresp_o,
  /// AXI4-Lite.
  output logic             rvalid_o,
  /// AXI4-Lite.
  input  logic             rready_i,

  /// A whole write is there from the next cycle on: the later of its handshakes is in this one.
  output logic             wr_next_o,
  /// A whole write is there, from the cycle after the later of its handshakes until wr_done_i.
  output logic             wr_valid_o,
  /// Its address.
  output logic [AddrW-1:0] wr_addr_o,
  /// Its data.
  output logic [63:0]      wr_data_o,
  /// All its strobes are 1.
  output logic             wr_full_o,
  /// The write is decided in this cycle.
  input  logic             wr_done_i,
  /// With wr_done_i: answer SLVERR.
  input  logic             wr_error_i,
  /// A read is there, from the cycle after its handshake until rd_done_i.
  output logic             rd_valid_o,
  /// Its address.
  output logic [AddrW-1:0] rd_addr_o,
  /// The read is decided in this cycle.
  input  logic             rd_done_i,
  /// With rd_done_i: answer SLVERR, data 0.
  input  logic             rd_error_i,
  /// With rd_done_i: data.
  input  logic [63:0]      rd_data_i
);

  localparam logic [1:0] RespOkay = 2'b00;
  localparam logic [1:0] RespSlverr = 2'b10;

  logic             aw_full_q;
  logic [AddrW-1:0] aw_addr_q;
  logic             w_full_q;
  logic [63:0]      w_data_q;
  logic             w_strobed_q;
  logic             b_valid_q;
  logic             b_error_q;

  // A write that waits for its response keeps the next one out: a step is then always seen one
  // cycle after its later handshake.
  assign awready_o = !aw_full_q && !b_valid_q;
  assign wready_o = !w_full_q && !b_valid_q;
  assign wr_next_o = !wr_valid_o && (aw_full_q || (awvalid_i && awready_o)) &&
      (w_full_q || (wvalid_i && wready_o));
  assign wr_valid_o = aw_full_q && w_full_q;
  assign wr_addr_o = aw_addr_q;
  assign wr_data_o = w_data_q;
  assign wr_full_o = w_strobed_q;
  assign bvalid_o = b_valid_q;
  assign bresp_o = b_error_q ? RespSlverr : RespOkay;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_full_q   <= 1'b0;
      aw_addr_q   <= '0;
      w_full_q    <= 1'b0;
      w_data_q    <= '0;
      w_strobed_q <= 1'b0;
      b_valid_q   <= 1'b0;
      b_error_q   <= 1'b0;
    end else begin
      if (awvalid_i && awready_o) begin
        aw_full_q <= 1'b1;
        aw_addr_q <= awaddr_i;
      end
      if (wvalid_i && wready_o) begin
        w_full_q    <= 1'b1;
        w_data_q    <= wdata_i;
        w_strobed_q <= &wstrb_i;
      end
      if (wr_valid_o && wr_done_i) begin
        aw_full_q <= 1'b0;
        w_full_q  <= 1'b0;
        b_valid_q <= 1'b1;
        b_error_q <= wr_error_i;
      end
      if (b_valid_q && bready_i) begin
        b_valid_q <= 1'b0;
      end
    end
  end

  logic             ar_full_q;
  logic [AddrW-1:0] ar_addr_q;
  logic             r_valid_q;
  logic             r_error_q;
  logic [63:0]      r_data_q;

  assign arready_o = !ar_full_q && !r_valid_q;
  assign rd_valid_o = ar_full_q;
  assign rd_addr_o = ar_addr_q;
  assign rvalid_o = r_valid_q;
  assign rresp_o = r_error_q ? RespSlverr : RespOkay;
  assign rdata_o = r_data_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ar_full_q <= 1'b0;
      ar_addr_q <= '0;
      r_valid_q <= 1'b0;
      r_error_q <= 1'b0;
      r_data_q  <= '0;
    end else begin
      if (arvalid_i && arready_o) begin
        ar_full_q <= 1'b1;
        ar_addr_q <= araddr_i;
      end
      if (ar_full_q && rd_done_i) begin
        ar_full_q <= 1'b0;
        r_valid_q <= 1'b1;
        r_error_q <= rd_error_i;
        r_data_q  <= rd_error_i ? '0 : rd_data_i;
      end
      if (r_valid_q && rready_i) begin
        r_valid_q <= 1'b0;
      end
    end
  end


  // ------------------------------------------------------------------ handshakes (device.md 10)
  `KVCPU_ASSERT(b_holds, bvalid_o && !bready_i |=> bvalid_o && $stable(bresp_o),
                "a write response holds until it is accepted")
  `KVCPU_ASSERT(r_holds, rvalid_o && !rready_i |=> rvalid_o && $stable({rdata_o, rresp_o}),
                "read data hold until they are accepted")
  `KVCPU_ASSERT(one_write, wr_valid_o |-> !b_valid_q, "one write at a time")
  `KVCPU_ASSERT(one_read, ar_full_q |-> !r_valid_q, "one read at a time")

endmodule
