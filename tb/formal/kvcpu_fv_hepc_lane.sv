// The scoring lane against the formula of device.md 4, written a second time: plain, in one expression each, on the
// values as they were at S2, three cycles before the result.

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
  logic signed [31:0] ahead;       // ACCESS_STEP - step
  logic [31:0]        distance;
  logic [7:0]         s, d, decay;
  logic [15:0]        prod_r, prod_f, prod_s, prod_d;
  logic [31:0]        sum;
  logic [15:0]        p;
  logic [16:0]        evict_below;
  logic               near, held, prefetches, may_leave, evicts;

  assign m        = meta_q[2];
  assign prod_r   = cfg_i.w_r * m.r;
  assign prod_f   = cfg_i.w_f * m.f;
  assign prod_s   = cfg_i.w_s * s;
  assign prod_d   = cfg_i.w_d * d;
  assign scored   = scores_q[2] && settled_q == 3'(Settle);
  assign ahead    = m.access_step - cfg_i.step;
  assign distance = (ahead < 0) ? -ahead : ahead;
  assign s        = (distance > 32'd255) ? 8'd0 : 8'd255 - distance[7:0];
  assign d        = m.prefix ? 8'd255 : 8'd0;
  assign sum      = 32'(prod_r) + 32'(prod_f) + 32'(prod_s) + 32'(prod_d);
  assign p        = m.hot ? 16'd65535 : m.evictable ? 16'd0 : (sum > 32'd65535) ? 16'd65535 : sum[15:0];
  assign decay    = ((m.r >> cfg_i.r_shift) > 8'd1) ? (m.r >> cfg_i.r_shift) : 8'd1;

  assign near = m.hint && ahead >= 0 && ahead <= $signed({1'b0, cfg_i.lookahead});
  assign held = m.hint && ahead >= 0 && ahead <= $signed({1'b0, cfg_i.hold});

  always_comb begin
    evict_below = 17'(cfg_i.evict_thresh);
    if (m.tier != TierNvme && cfg_i.pressure[m.tier] && cfg_i.auto_thresh[m.tier] > evict_below) begin
      evict_below = cfg_i.auto_thresh[m.tier];
    end
  end

  assign prefetches = !m.in_flight && m.tier > cfg_i.promote_tier && (p > cfg_i.prefetch_thresh || near);
  assign may_leave  = !m.in_flight && !prefetches && m.ref_count == '0 && !m.hot && !held &&
                      cfg_i.evict_tiers[m.tier] && m.tier != TierNvme;
  assign evicts     = may_leave && 17'(p) < evict_below;

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(configuration_holds, fv_begun_q, cfg_i == cfg_q)
      `FV_ASSUME(hold_is_the_larger, 1'b1, cfg_i.hold >= cfg_i.lookahead)
      `FV_ASSUME(automatic_threshold_is_legal, 1'b1, cfg_i.auto_thresh[0] <= 17'd65535 &&
                 cfg_i.auto_thresh[1] <= 17'd65535 && cfg_i.auto_thresh[2] <= 17'd65535)

      `FV_ASSERT(scores, scored, s5_score_o)
      `FV_ASSERT(scores_no_other, !scores_q[2], !s5_score_o && !s5_evict_o && !s5_prefetch_o && !s5_hist_o)
      `FV_ASSERT(priority_is_the_formula, scored, s5_meta_o.prio == p)
      `FV_ASSERT(recency_decays, scored && m.r != '0, s5_meta_o.r == m.r - decay)
      `FV_ASSERT(recency_stays_0, scored && m.r == '0, s5_meta_o.r == '0)
      `FV_ASSERT(frequency_ages, scored, s5_meta_o.f == (cfg_i.age ? m.f >> 1 : m.f))
      `FV_ASSERT(prefetch_is_the_rule, scored, s5_prefetch_o == prefetches)
      `FV_ASSERT(evict_is_the_rule, scored, s5_evict_o == evicts)
      `FV_ASSERT(histogram_is_the_rule, scored, s5_hist_o == may_leave)
      `FV_ASSERT(referenced_or_hot_is_not_evicted, scored && (m.ref_count != '0 || m.hot), !s5_evict_o)
      `FV_ASSERT(in_flight_has_no_decision, scored && m.in_flight, !s5_evict_o && !s5_prefetch_o)
      `FV_ASSERT(decision_is_in_flight, scored, s5_meta_o.in_flight == (m.in_flight || s5_evict_o || s5_prefetch_o))
    end
  end

endmodule

bind kvcpu_hepc_lane kvcpu_fv_hepc_lane u_fv (.*);
