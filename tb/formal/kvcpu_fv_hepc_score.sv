// The scoring formula and the decisions of device.md 4, written a second time on the values as the lane found them at S2,
// three cycles before the result. Products are made in the cycle in which the lane makes them, so that the solver need not
// show that two multipliers are one; the lemmas say what is in each stage.

`include "kvcpu_formal.svh"

module kvcpu_fv_hepc_score
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
  input logic      s5_hist_o,

  input logic [23:0]      step_page_d1_q,
  input logic [23:0]      step_page_u1_q,
  input logic [15:0]      d_term_q,
  input logic [3:0]       may_evict_q,
  input logic             prefetch_never_q,
  input logic [7:0]       s3_s,
  input logic [15:0]      s3_prod_r_q,
  input logic [15:0]      s3_prod_f_q,
  input logic [15:0]      s3_d_term_q,
  input logic [15:0]      s4_prod_s_q,
  input logic [17:0]      s4_part_q,
  input logic [3:0][15:0] evict_below_q,
  input logic [3:0]       evict_some_q,
  input logic             s3_score_q,
  input logic             s4_score_q,
  input meta_t            s3_meta_q,
  input meta_t            s4_meta_q,
  input logic [7:0]       s3_decay_q,
  input logic signed [16:0] s3_d_evict_q,
  input logic signed [16:0] s3_d_prefetch_q,
  input logic [31:0]      s3_ahead_q,
  input logic             s3_slower_q,
  input logic             s3_may_evict_q,
  input logic signed [18:0] s4_part_evict_q,
  input logic signed [18:0] s4_part_prefetch_q,
  input logic             s4_needed_q,
  input logic             s4_held_q,
  input logic             s4_slower_q,
  input logic             s4_may_evict_q
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

  // ---------------------------------------------------------------- P (device.md 4)
  // What it is made of, in the cycle in which the lane has it: terms of R, F, D at S3, of S at S4.
  logic [31:0] since, distance;
  logic [7:0]  s_d, s_q, d_value;
  logic [15:0] term_r_q, term_f_q, term_d_q, term_s_q;
  logic [17:0] rest_q, sum_q;
  logic [15:0] prio;

  assign since   = cfg_i.step - s2_meta_i.access_step;
  assign distance    = since[31] ? -since : since;
  assign s_d     = 8'd255 - ((distance > 32'd255) ? 8'd255 : distance[7:0]);
  assign d_value = s2_meta_i.prefix ? 8'd255 : 8'd0;

  always_ff @(posedge clk_i) begin
    s_q      <= s_d;
    term_r_q <= cfg_i.w_r * s2_meta_i.r;
    term_f_q <= cfg_i.w_f * s2_meta_i.f;
    term_d_q <= cfg_i.w_d * d_value;
    term_s_q <= cfg_i.w_s * s_q;
    rest_q   <= 18'(term_r_q) + 18'(term_f_q) + 18'(term_d_q);
    sum_q    <= rest_q + 18'(term_s_q);
  end

  assign prio = meta_q[2].hot ? 16'd65535 : meta_q[2].evictable ? 16'd0 : (sum_q > 18'd65535) ? 16'd65535 : sum_q[15:0];

  meta_t              m;
  logic               scored;

  assign m        = meta_q[2];
  assign scored   = scores_q[2] && settled_q == 3'(Settle);
  meta_t kept;  // the entry with what a scan changes as the lane has it
  always_comb begin
    kept           = m;
    kept.prio      = s5_meta_o.prio;
    kept.r         = s5_meta_o.r;
    kept.f         = s5_meta_o.f;
    kept.in_flight = s5_meta_o.in_flight;
    kept.epoch     = cfg_i.epoch;
  end


  // ---------------------------------------------------------------- decisions (device.md 4)
  logic [31:0] ahead;  // ACCESS_STEP - step
  logic        needed, held, wants, leaves, below;

  assign ahead  = m.access_step - cfg_i.step;
  assign needed = m.hint && !ahead[31] && ahead <= 32'(cfg_i.lookahead);
  assign held   = m.hint && !ahead[31] && ahead <= 32'(cfg_i.hold);
  assign wants  = !m.in_flight && m.tier > cfg_i.promote_tier && (prio > cfg_i.prefetch_thresh || needed);
  assign leaves = !m.in_flight && !wants && m.ref_count == '0 && !m.hot && !held && cfg_i.evict_tiers[m.tier] &&
                  m.tier != TierNvme;
  assign below  = prio < cfg_i.evict_thresh ||
                  (m.tier != TierNvme && cfg_i.pressure[m.tier] && 17'(prio) < cfg_i.auto_thresh[m.tier]);

  // ---------------------------------------------------------------- the lane's stages, for the induction
  function automatic logic [7:0] decay_of(logic [7:0] r);
    return (r == '0) ? 8'd0 : ((r >> cfg_i.r_shift) > 8'd1) ? (r >> cfg_i.r_shift) : 8'd1;
  endfunction

  function automatic logic hinted(meta_t e, logic [30:0] most);  // its step is at most that far ahead
    logic [31:0] steps;
    steps = e.access_step - cfg_i.step;
    return e.hint && !steps[31] && steps <= 32'(most);
  endfunction

  logic [3:0][15:0] below_t;  // the higher of the two thresholds
  meta_t            at_s4;    // the entry as S4 has it
  always_comb begin
    for (int unsigned i = 0; i < 4; i++) below_t[i] = cfg_i.evict_thresh;
    for (int unsigned i = 0; i < 3; i++) begin
      if (cfg_i.pressure[i] && cfg_i.auto_thresh[i] > 17'(cfg_i.evict_thresh)) below_t[i] = cfg_i.auto_thresh[i][15:0];
    end
    at_s4       = meta_q[1];
    at_s4.r     = meta_q[1].r - decay_of(meta_q[1].r);
    at_s4.f     = cfg_i.age ? meta_q[1].f >> 1 : meta_q[1].f;
    at_s4.epoch = cfg_i.epoch;
  end

  logic s3_right, s4_right;
  assign s3_right = s3_meta_q == meta_q[0] && s3_decay_q == decay_of(meta_q[0].r) &&
                    s3_d_evict_q == 17'(term_d_q) - 17'(below_t[meta_q[0].tier]) &&
                    s3_d_prefetch_q == 17'(term_d_q) - 17'(cfg_i.prefetch_thresh) - 17'd1 &&
                    s3_ahead_q == meta_q[0].access_step - cfg_i.step &&
                    s3_slower_q == (meta_q[0].tier > cfg_i.promote_tier) &&
                    s3_may_evict_q == (cfg_i.evict_tiers[meta_q[0].tier] && meta_q[0].tier != TierNvme);
  assign s4_right = s4_meta_q == at_s4 && s4_part_evict_q == 19'(rest_q) - 19'(below_t[meta_q[1].tier]) &&
                    s4_part_prefetch_q == 19'(rest_q) - 19'(cfg_i.prefetch_thresh) - 19'd1 &&
                    s4_needed_q == hinted(meta_q[1], cfg_i.lookahead) && s4_held_q == hinted(meta_q[1], cfg_i.hold) &&
                    s4_slower_q == (meta_q[1].tier > cfg_i.promote_tier) &&
                    s4_may_evict_q == (cfg_i.evict_tiers[meta_q[1].tier] && meta_q[1].tier != TierNvme);

  logic some_right;
  always_comb begin
    some_right = 1'b1;
    for (int unsigned i = 0; i < 4; i++) some_right &= evict_some_q[i] == (below_t[i] != '0);
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(configuration_holds, fv_begun_q, cfg_i == cfg_q)

      `FV_ASSUME(thresholds_are_those_of_p, 1'b1, !cfg_i.auto_thresh[0][16] && !cfg_i.auto_thresh[1][16] &&
                 !cfg_i.auto_thresh[2][16])

      `FV_ASSERT(priority, scored, s5_meta_o.prio == prio)
      `FV_ASSERT(priority_saturates, scored && !m.hot && !m.evictable && sum_q > 18'd65535, s5_meta_o.prio == 16'd65535)
      `FV_ASSERT(prefetches, scored, s5_prefetch_o == wants)
      `FV_ASSERT(evicts, scored, s5_evict_o == (leaves && below))
      `FV_ASSERT(histogram, scored, s5_hist_o == leaves)
      `FV_ASSERT(rest_stays, scored, s5_meta_o == kept)

      `FV_LEMMA(derived, settled_q == '0 ||
                         (step_page_d1_q == cfg_i.step[31:8] - 24'd1 && step_page_u1_q == cfg_i.step[31:8] + 24'd1 &&
                          d_term_q == {cfg_i.w_d, 8'd0} - 16'(cfg_i.w_d) &&
                          may_evict_q == (cfg_i.evict_tiers & 4'b0111) && prefetch_never_q == &cfg_i.prefetch_thresh))
      `FV_LEMMA(terms, settled_q < 3'd2 ||
                       (s3_prod_r_q == term_r_q && s3_prod_f_q == term_f_q && s3_d_term_q == term_d_q && s3_s == s_q))
      `FV_LEMMA(thresholds, (settled_q == '0 || evict_below_q == below_t) && (settled_q < 3'd2 || some_right))
      `FV_LEMMA(scoring, s3_score_q == scores_q[0] && s4_score_q == scores_q[1] && s5_score_o == scores_q[2])
      `FV_LEMMA(stages, (settled_q < 3'd2 || s3_right) && (settled_q < 3'd3 || s4_right))
      // Of products of two bytes: their sum does not wrap.
      `FV_LEMMA(ranges, (settled_q == '0 || (term_r_q <= 16'd65025 && term_f_q <= 16'd65025 && term_d_q <= 16'd65025 &&
                                             term_s_q <= 16'd65025)) &&
                        (settled_q < 3'd2 || rest_q <= 18'd195075))
      `FV_LEMMA(sums, settled_q < 3'd3 || (s4_prod_s_q == term_s_q && s4_part_q == rest_q))
    end
  end

endmodule

bind kvcpu_hepc_lane kvcpu_fv_hepc_score u_fv (.*);
