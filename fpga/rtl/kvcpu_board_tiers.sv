// The four memory tiers in on-chip RAM: an AXI4 responder for the device's DMA, and a window for the
// bridge. Each tier is TierBytes long from address 0 on; an address past it answers DECERR, and data
// written there is lost.
//
// The responder takes one read and one write burst at a time, in order, and gives a beat a cycle.
// The bridge takes a read or write slot when the DMA leaves it free. The block RAMs lie all over the
// part: registers are before them and behind them.

`include "kvcpu_assert.svh"

module kvcpu_board_tiers
  import kvcpu_board_pkg::resp_e, kvcpu_board_pkg::RespOkay, kvcpu_board_pkg::RespDecerr;
#(
  /// Bytes of a tier, a power of two, 4,096 to 2^26.
  parameter int unsigned TierBytes = 16384,
  /// Data width of the memory port, bits; only 64, one bridge word a beat.
  parameter int unsigned AXI_DATA_WIDTH = 64,
  /// Bits of an AXI ID.
  parameter int unsigned AxiIdW = 6
) (
  /// Clock.
  input  logic                        clk_i,
  /// Reset, active low.
  input  logic                        rst_ni,

  /// AXI4 AW: ID.
  input  logic [AxiIdW-1:0]           awid_i,
  /// AXI4 AW: byte address inside the tier.
  input  logic [63:0]                 awaddr_i,
  /// AXI4 AW: tier.
  input  logic [1:0]                  awuser_i,
  /// AXI4 AW.
  input  logic                        awvalid_i,
  /// AXI4 AW.
  output logic                        awready_o,
  /// AXI4 W: data, all bytes.
  input  logic [AXI_DATA_WIDTH-1:0]   wdata_i,
  /// AXI4 W: last beat.
  input  logic                        wlast_i,
  /// AXI4 W.
  input  logic                        wvalid_i,
  /// AXI4 W.
  output logic                        wready_o,
  /// AXI4 B: ID.
  output logic [AxiIdW-1:0]           bid_o,
  /// AXI4 B: response.
  output logic [1:0]                  bresp_o,
  /// AXI4 B.
  output logic                        bvalid_o,
  /// AXI4 B.
  input  logic                        bready_i,
  /// AXI4 AR: ID.
  input  logic [AxiIdW-1:0]           arid_i,
  /// AXI4 AR: byte address inside the tier.
  input  logic [63:0]                 araddr_i,
  /// AXI4 AR: beats less one.
  input  logic [7:0]                  arlen_i,
  /// AXI4 AR: tier.
  input  logic [1:0]                  aruser_i,
  /// AXI4 AR.
  input  logic                        arvalid_i,
  /// AXI4 AR.
  output logic                        arready_o,
  /// AXI4 R: ID.
  output logic [AxiIdW-1:0]           rid_o,
  /// AXI4 R: data.
  output logic [AXI_DATA_WIDTH-1:0]   rdata_o,
  /// AXI4 R: response.
  output logic [1:0]                  rresp_o,
  /// AXI4 R: last beat.
  output logic                        rlast_o,
  /// AXI4 R.
  output logic                        rvalid_o,
  /// AXI4 R.
  input  logic                        rready_i,

  /// Bridge: an access; it and its fields hold until `win_done_o`.
  input  logic                        win_valid_i,
  /// Bridge: it writes.
  input  logic                        win_write_i,
  /// Bridge: tier.
  input  logic [1:0]                  win_tier_i,
  /// Bridge: byte address inside the tier.
  input  logic [25:0]                 win_addr_i,
  /// Bridge: data of a write.
  input  logic [63:0]                 win_wdata_i,
  /// Bridge: the access has ended.
  output logic                        win_done_o,
  /// Bridge: how.
  output resp_e                       win_resp_o,
  /// Bridge: data of a read.
  output logic [63:0]                 win_rdata_o
);

  `KVCPU_CHECK_PARAM(bytes, TierBytes >= 4096 && TierBytes <= 2 ** 26 && $onehot(TierBytes),
                     "TierBytes must be a power of two from 4,096 to 2^26")
  `KVCPU_CHECK_PARAM(width, AXI_DATA_WIDTH == 64, "AXI_DATA_WIDTH must be 64")

  localparam int unsigned ByteW = $clog2(TierBytes);
  localparam int unsigned BeatShift = 3;
  localparam int unsigned BeatW = ByteW - BeatShift;  // beat number inside a tier
  localparam int unsigned AddrW = 2 + BeatW;

  logic              mem_we_q, mem_re;
  logic [AddrW-1:0]  mem_waddr_q, mem_raddr_q;
  logic [63:0]       mem_wdata_q, mem_rdata;

  kvcpu_ram_1r1w #(
    .Width(64),
    .Depth(2 ** AddrW)
  ) u_mem (
    .clk_i  (clk_i),
    .we_i   (mem_we_q),
    .waddr_i(mem_waddr_q),
    .wdata_i(mem_wdata_q),
    .re_i   (mem_re),
    .raddr_i(mem_raddr_q),
    .rdata_o(mem_rdata)
  );

  // ------------------------------------------------------------------ bridge
  logic             win_known_q;  // the access waits and is judged
  logic             win_bad_q, win_done_q, win_read_go, win_write_go;
  logic [AddrW-1:0] win_beat;

  assign win_beat    = {win_tier_i, win_addr_i[ByteW-1:BeatShift]};
  assign win_done_o  = win_done_q;
  assign win_resp_o  = win_bad_q ? RespDecerr : RespOkay;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) win_known_q <= 1'b0;
    else win_known_q <= win_valid_i && !win_done_q;
  end

  always_ff @(posedge clk_i) begin
    win_bad_q <= (win_addr_i[BeatShift-1:0] != '0) || ((win_addr_i >> ByteW) != '0);
  end

  // ------------------------------------------------------------------ writes
  logic              aw_valid_q, aw_valid_d, aw_bad_q, b_valid_q, b_valid_d, b_bad_q, w_go;
  logic [AxiIdW-1:0] aw_id_q, b_id_q;
  logic [AddrW-1:0]  aw_beat_q;

  assign awready_o    = !aw_valid_q;
  assign w_go         = wvalid_i && wready_o;
  assign win_write_go = win_known_q && win_write_i && !win_done_q && !aw_valid_q;

  always_comb begin
    aw_valid_d = aw_valid_q;
    b_valid_d  = b_valid_q && !bready_i;
    if (awvalid_i && awready_o) aw_valid_d = 1'b1;
    else if (w_go && wlast_i) aw_valid_d = 1'b0;
    if (w_go && wlast_i) b_valid_d = 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_valid_q <= 1'b0;
      b_valid_q  <= 1'b0;
      wready_o   <= 1'b0;
      mem_we_q   <= 1'b0;
    end else begin
      aw_valid_q <= aw_valid_d;
      b_valid_q  <= b_valid_d;
      wready_o   <= aw_valid_d && !b_valid_d;
      mem_we_q   <= (w_go && !aw_bad_q) || (win_write_go && !win_bad_q);
    end
  end

  always_ff @(posedge clk_i) begin
    if (awvalid_i && awready_o) begin
      aw_id_q   <= awid_i;
      aw_bad_q  <= (awaddr_i >> ByteW) != '0;
      aw_beat_q <= {awuser_i, awaddr_i[ByteW-1:BeatShift]};
    end else if (w_go) begin
      aw_beat_q <= aw_beat_q + 1'b1;
    end
    if (w_go && wlast_i) begin
      b_id_q  <= aw_id_q;
      b_bad_q <= aw_bad_q;
    end
    mem_waddr_q <= aw_valid_q ? aw_beat_q : win_beat;
    mem_wdata_q <= aw_valid_q ? wdata_i : win_wdata_i;
  end

  assign bvalid_o = b_valid_q;
  assign bid_o    = b_id_q;
  assign bresp_o  = b_bad_q ? RespDecerr : RespOkay;

  // ------------------------------------------------------------------ reads: burst, address, memory, output
  // A read of the bridge goes the same way, between bursts, and leaves before the output.
  logic              ar_valid_q, ar_bad_q, ar_last_q, advance, r_go;
  logic [AxiIdW-1:0] ar_id_q;
  logic [AddrW-1:0]  ar_beat_q;
  logic [7:0]        ar_left_q;
  logic              a_valid_q, a_win_q, a_last_q, a_bad_q;
  logic              m_valid_q, m_win_q, m_last_q, m_bad_q;
  logic              r_valid_q, r_last_q, r_bad_q;
  logic [AxiIdW-1:0] a_id_q, m_id_q, r_id_q;
  logic [63:0]       r_data_q;

  assign advance     = !r_valid_q || rready_i;
  assign r_go        = ar_valid_q && advance;
  assign arready_o   = !ar_valid_q || (r_go && ar_last_q);
  assign win_read_go = win_known_q && !win_write_i && !win_done_q && !a_win_q && !m_win_q &&
                       !ar_valid_q && advance;
  assign mem_re      = advance;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ar_valid_q <= 1'b0;
      a_valid_q  <= 1'b0;
      a_win_q    <= 1'b0;
      m_valid_q  <= 1'b0;
      m_win_q    <= 1'b0;
      r_valid_q  <= 1'b0;
      win_done_q <= 1'b0;
    end else begin
      if (arvalid_i && arready_o) ar_valid_q <= 1'b1;
      else if (r_go && ar_last_q) ar_valid_q <= 1'b0;
      if (advance) begin
        a_valid_q <= r_go;
        a_win_q   <= win_read_go;
        m_valid_q <= a_valid_q;
        m_win_q   <= a_win_q;
        r_valid_q <= m_valid_q;
      end
      win_done_q <= (m_win_q && advance) || win_write_go;
    end
  end

  always_ff @(posedge clk_i) begin
    if (arvalid_i && arready_o) begin
      ar_id_q   <= arid_i;
      ar_bad_q  <= (araddr_i >> ByteW) != '0;
      ar_beat_q <= {aruser_i, araddr_i[ByteW-1:BeatShift]};
      ar_left_q <= arlen_i;
      ar_last_q <= arlen_i == '0;
    end else if (r_go) begin
      ar_beat_q <= ar_beat_q + 1'b1;
      ar_left_q <= ar_left_q - 1'b1;
      ar_last_q <= ar_left_q == 8'd1;
    end
    if (advance) begin
      mem_raddr_q <= ar_valid_q ? ar_beat_q : win_beat;
      a_id_q      <= ar_id_q;
      a_bad_q     <= ar_bad_q;
      a_last_q    <= ar_last_q;
      m_id_q      <= a_id_q;
      m_bad_q     <= a_bad_q;
      m_last_q    <= a_last_q;
      r_id_q      <= m_id_q;
      r_bad_q     <= m_bad_q;
      r_last_q    <= m_last_q;
      r_data_q    <= mem_rdata;
    end
  end

  assign rvalid_o = r_valid_q;
  assign rid_o    = r_id_q;
  assign rdata_o  = r_data_q;
  assign rlast_o  = r_last_q;
  assign rresp_o  = r_bad_q ? RespDecerr : RespOkay;

  // With win_done_o, the output register has what the bridge has read.
  assign win_rdata_o = win_bad_q ? '0 : r_data_q;

endmodule
