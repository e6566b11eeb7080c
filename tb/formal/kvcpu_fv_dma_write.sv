// The write side of the DMA's AXI4 master, kvcpu_dma_write: AW and W as AXI wants them, whatever moves ask.

`include "kvcpu_formal.svh"

module kvcpu_fv_dma_write
  import kvcpu_pkg::tier_e;
#(
  parameter int unsigned AXI_DATA_WIDTH = 512,
  parameter int unsigned BURSTS = 64,
  parameter int unsigned BURST_BEATS = 16,
  localparam int unsigned BurstW = $clog2(BURSTS),
  localparam int unsigned LenW = $clog2(BURST_BEATS)
) (
  input logic                      clk_i,
  input logic                      rst_ni,
  input logic                      clear_i,
  input logic                      halt_i,
  input logic                      burst_valid_i,
  input logic [63:0]               burst_dst_i,
  input logic [LenW-1:0]           burst_len_i,
  input logic                      begun_o,
  input logic                      awvalid_o,
  input logic                      awready_i,
  input logic [BurstW-1:0]         awid_o,
  input logic [63:0]               awaddr_o,
  input logic [LenW-1:0]           awlen_o,
  input tier_e                     awtier_o,
  input logic                      wvalid_o,
  input logic                      wready_i,
  input logic [AXI_DATA_WIDTH-1:0] wdata_o,
  input logic                      wlast_o,

  input logic [BurstW-1:0]         out_burst_i,
  input logic [LenW-1:0]           out_len_i,
  input logic                      burst_valid_q,
  input logic                      want_q,
  input logic                      buf_valid_q,
  input logic                      buf_last_q,
  input logic                      last_q,
  input logic [LenW-1:0]           left_q
);

  `FV_RESET

  // One burst at a time is followed from its begin: what its AW says, and how many beats its W has.
  logic                      choose, follows_aw_q, follows_w_q, aw_held_q, w_held_q;
  logic [3:0]                aw_ahead_q, w_ahead_q, bursts_aw_q, bursts_w_q;  // bursts that wait
  logic [LenW-1:0]           len_q, beats_q;
  logic [BurstW-1:0]         id_q, awid_q;
  logic [63:0]               awaddr_q;
  logic [LenW-1:0]           awlen_q;
  tier_e                     awtier_q;
  logic [AXI_DATA_WIDTH-1:0] wdata_q;
  logic                      wlast_q;
  logic                      aw_goes, w_goes, begins;

  kvcpu_any u_choose (.value_o(choose));

  assign begins  = begun_o && choose && !follows_aw_q && !follows_w_q;
  assign aw_goes = awvalid_o && awready_i;
  assign w_goes  = wvalid_o && wready_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {follows_aw_q, follows_w_q, aw_held_q, w_held_q} <= '0;
      {aw_ahead_q, w_ahead_q, bursts_aw_q, bursts_w_q} <= '0;
      beats_q <= '0;
    end else if (clear_i) begin
      {follows_aw_q, follows_w_q, aw_held_q, w_held_q} <= '0;
      {aw_ahead_q, w_ahead_q, bursts_aw_q, bursts_w_q} <= '0;
      beats_q <= '0;
    end else begin
      aw_held_q   <= awvalid_o && !awready_i;
      w_held_q    <= wvalid_o && !wready_i;
      bursts_aw_q <= bursts_aw_q + 4'(begun_o) - 4'(aw_goes);
      bursts_w_q  <= bursts_w_q + 4'(begun_o) - 4'(w_goes && wlast_o);
      if (w_goes) beats_q <= wlast_o ? '0 : beats_q + 1'b1;
      if (begins) begin
        follows_aw_q <= 1'b1;
        follows_w_q  <= 1'b1;
        aw_ahead_q   <= bursts_aw_q - 4'(aw_goes);
        w_ahead_q    <= bursts_w_q - 4'(w_goes && wlast_o);
      end else begin
        if (follows_aw_q && aw_goes) begin
          follows_aw_q <= aw_ahead_q != '0;
          aw_ahead_q   <= aw_ahead_q - 1'b1;
        end
        if (follows_w_q && w_goes && wlast_o) begin
          follows_w_q <= w_ahead_q != '0;
          w_ahead_q   <= w_ahead_q - 1'b1;
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (begins) begin
      len_q <= out_len_i;
      id_q  <= out_burst_i;
    end
    awid_q   <= awid_o;
    awaddr_q <= awaddr_o;
    awlen_q  <= awlen_o;
    awtier_q <= awtier_o;
    wdata_q  <= wdata_o;
    wlast_q  <= wlast_o;
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSERT(aw_holds, aw_held_q, awvalid_o && {awid_o, awaddr_o, awlen_o, awtier_o} ==
                 {awid_q, awaddr_q, awlen_q, awtier_q})
      `FV_ASSERT(w_holds, w_held_q, wvalid_o && {wdata_o, wlast_o} == {wdata_q, wlast_q})
      `FV_ASSERT(aw_has_a_burst, awvalid_o, bursts_aw_q != '0)
      `FV_ASSERT(w_has_a_burst, wvalid_o, bursts_w_q != '0)
      `FV_ASSERT(aw_is_its_bursts, follows_aw_q && aw_ahead_q == '0, awvalid_o && awid_o == id_q && awlen_o == len_q)
      `FV_ASSERT(w_has_its_beats, follows_w_q && w_ahead_q == '0 && wvalid_o, wlast_o == (beats_q == len_q))
      `FV_ASSERT(aw_not_after_its_w, wvalid_o && beats_q == '0, bursts_aw_q <= bursts_w_q)
    end
  end

endmodule

bind kvcpu_dma_write kvcpu_fv_dma_write #(
  .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
  .BURSTS(BURSTS),
  .BURST_BEATS(BURST_BEATS)
) u_fv (
  .*,
  .out_burst_i(out_q.burst),
  .out_len_i(out_target_q.len)
);
