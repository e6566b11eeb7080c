// The scoring lane: which entries are scored, decay and aging as device.md 4 has them, and what no decision may be, on
// the values as they were at S2, three cycles before the result.

`include "kvcpu_formal.svh"

module kvcpu_fv_hepc_lane
  import kvcpu_pkg::*;
(
  input logic      clk_i,
  input logic      rst_ni,
  input scan_cfg_t cfg_i,
  input logic      s2_valid_i,
  input meta_t     s2_meta_i,
  input logic      s2_parity_ok_i,
  input logic      s5_score_o,
  input meta_t     s5_meta_o,
  input logic      s5_evict_o,
  input logic      s5_prefetch_o,
  input logic      s5_hist_o
);

  `FV_RESET

  localparam int unsigned Settle = 5;  // cycles until what is derived from the registers is there

  scan_cfg_t  cfg_q;
  meta_t      meta_q[3];
  logic [2:0] scores_q;
  logic [2:0] settled_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      scores_q  <= '0;
      settled_q <= '0;
    end else begin
      scores_q <= {scores_q[1:0], s2_valid_i && s2_parity_ok_i && s2_meta_i.valid && s2_meta_i.epoch != cfg_i.epoch};
      if (settled_q != 3'(Settle)) settled_q <= settled_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    cfg_q     <= cfg_i;
    meta_q[0] <= s2_meta_i;
    meta_q[1] <= meta_q[0];
    meta_q[2] <= meta_q[1];
  end

  // ---------------------------------------------------------------- device.md 4
  meta_t              m;
  logic               scored;
  logic [7:0]         decay;

  assign m        = meta_q[2];
  assign scored   = scores_q[2] && settled_q == 3'(Settle);
  assign decay    = ((m.r >> cfg_i.r_shift) > 8'd1) ? (m.r >> cfg_i.r_shift) : 8'd1;

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(configuration_holds, fv_begun_q, cfg_i == cfg_q)

      `FV_ASSERT(scores, scored, s5_score_o)
      `FV_ASSERT(scores_no_other, !scores_q[2], !s5_score_o && !s5_evict_o && !s5_prefetch_o && !s5_hist_o)
      `FV_ASSERT(recency_decays, scored && m.r != '0, s5_meta_o.r == m.r - decay)
      `FV_ASSERT(recency_stays_0, scored && m.r == '0, s5_meta_o.r == '0)
      `FV_ASSERT(frequency_ages, scored, s5_meta_o.f == (cfg_i.age ? m.f >> 1 : m.f))
      `FV_ASSERT(referenced_or_hot_is_not_evicted, scored && (m.ref_count != '0 || m.hot), !s5_evict_o)
      `FV_ASSERT(in_flight_has_no_decision, scored && m.in_flight, !s5_evict_o && !s5_prefetch_o)
      `FV_ASSERT(decision_is_in_flight, scored, s5_meta_o.in_flight == (m.in_flight || s5_evict_o || s5_prefetch_o))
    end
  end

endmodule

bind kvcpu_hepc_lane kvcpu_fv_hepc_lane u_fv (.*);
