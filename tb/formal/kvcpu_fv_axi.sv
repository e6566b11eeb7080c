// An AXI4 master (device.md 6, 10), whatever asks it to read and write: what is stable, which ids are in flight, what it
// may be answered. What has been accepted and not answered is counted here anew, for each id. The assumptions are the
// memory's part of the protocol.

`include "kvcpu_formal.svh"

module kvcpu_fv_axi #(
  /// Ids that the master uses, on both sides.
  parameter int unsigned Ids = 4,
  /// Bits of what is sent with an address, but for its id and length.
  parameter int unsigned AboutW = 64,
  /// Bits of a beat of write data, strobes included.
  parameter int unsigned DataW = 64,
  localparam int unsigned IdW = $clog2(Ids),
  localparam int unsigned NumW = IdW + 4
) (
  /// Clock.
  input  logic                clk_i,
  /// Reset, active low.
  input  logic                rst_ni,
  /// Everything is forgotten; only while nothing is outstanding.
  input  logic                clear_i,
  /// AR.
  input  logic                arvalid_i,
  /// AR.
  input  logic                arready_i,
  /// AR.
  input  logic [IdW-1:0]      arid_i,
  /// AR.
  input  logic [7:0]          arlen_i,
  /// AR: address and what goes with it.
  input  logic [AboutW-1:0]   arabout_i,
  /// R.
  input  logic                rvalid_i,
  /// R.
  input  logic                rready_i,
  /// R.
  input  logic [IdW-1:0]      rid_i,
  /// R.
  input  logic                rlast_i,
  /// AW.
  input  logic                awvalid_i,
  /// AW.
  input  logic                awready_i,
  /// AW.
  input  logic [IdW-1:0]      awid_i,
  /// AW.
  input  logic [7:0]          awlen_i,
  /// AW: address and what goes with it.
  input  logic [AboutW-1:0]   awabout_i,
  /// W.
  input  logic                wvalid_i,
  /// W.
  input  logic                wready_i,
  /// W: data and strobes.
  input  logic [DataW-1:0]    wdata_i,
  /// W.
  input  logic                wlast_i,
  /// B.
  input  logic                bvalid_i,
  /// B.
  input  logic                bready_i,
  /// B.
  input  logic [IdW-1:0]      bid_i,
  /// Ids whose read address was accepted and whose last beat has not come.
  output logic [Ids-1:0]      reads_o,
  /// Ids whose write address was accepted and that are not answered.
  output logic [Ids-1:0]      writes_o
);

  typedef logic [NumW-1:0] num_t;  // numbers of write bursts, modulo

  logic                ar_held_q, aw_held_q, w_held_q;
  logic [IdW+8+AboutW-1:0] ar_q, aw_q;
  logic [DataW:0]      w_q;
  logic [Ids-1:0][7:0] left_q;      // beats that a read still brings, less one
  num_t                aw_next_q;   // write addresses that were accepted
  num_t                w_next_q;    // write bursts whose last beat was accepted
  num_t [Ids-1:0]      number_q;    // of the write burst of this id
  num_t                behind;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reads_o   <= '0;
      writes_o  <= '0;
      ar_held_q <= 1'b0;
      aw_held_q <= 1'b0;
      w_held_q  <= 1'b0;
      aw_next_q <= '0;
      w_next_q  <= '0;
    end else if (clear_i) begin
      reads_o   <= '0;
      writes_o  <= '0;
      ar_held_q <= 1'b0;
      aw_held_q <= 1'b0;
      w_held_q  <= 1'b0;
      aw_next_q <= '0;
      w_next_q  <= '0;
    end else begin
      ar_held_q <= arvalid_i && !arready_i;
      aw_held_q <= awvalid_i && !awready_i;
      w_held_q  <= wvalid_i && !wready_i;
      if (rvalid_i && rready_i && rlast_i) reads_o[rid_i] <= 1'b0;
      if (arvalid_i && arready_i) reads_o[arid_i] <= 1'b1;
      if (bvalid_i && bready_i) writes_o[bid_i] <= 1'b0;
      if (awvalid_i && awready_i) begin
        writes_o[awid_i] <= 1'b1;
        aw_next_q        <= aw_next_q + 1'b1;
      end
      if (wvalid_i && wready_i && wlast_i) w_next_q <= w_next_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    ar_q <= {arid_i, arlen_i, arabout_i};
    aw_q <= {awid_i, awlen_i, awabout_i};
    w_q  <= {wlast_i, wdata_i};
    if (rvalid_i && rready_i) left_q[rid_i] <= left_q[rid_i] - 1'b1;
    if (arvalid_i && arready_i) left_q[arid_i] <= arlen_i;
    if (awvalid_i && awready_i) number_q[awid_i] <= aw_next_q;
  end

  assign behind = w_next_q - number_q[bid_i] - 1'b1;  // write bursts that ended after it; negative before its own end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(read_was_asked_for, rvalid_i, reads_o[rid_i])
      `FV_ASSUME(read_has_its_beats, rvalid_i, rlast_i == (left_q[rid_i] == '0))
      `FV_ASSUME(write_was_asked_for, bvalid_i, writes_o[bid_i] && !behind[NumW-1])

      `FV_ASSERT(ar_holds, ar_held_q, arvalid_i && {arid_i, arlen_i, arabout_i} == ar_q)
      `FV_ASSERT(aw_holds, aw_held_q, awvalid_i && {awid_i, awlen_i, awabout_i} == aw_q)
      `FV_ASSERT(w_holds, w_held_q, wvalid_i && {wlast_i, wdata_i} == w_q)
      `FV_ASSERT(read_id_is_free, arvalid_i, !reads_o[arid_i] && !writes_o[arid_i])
      `FV_ASSERT(write_id_is_free, awvalid_i, !writes_o[awid_i] && !reads_o[awid_i])
      `FV_ASSERT(responses_are_taken, bvalid_i && rvalid_i, bready_i && rready_i)
    end
  end

endmodule
