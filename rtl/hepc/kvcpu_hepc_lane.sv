// One scoring pipeline of HEPC (device.md 4): takes the entry of a scan step at S2 and gives its
// new values and its decision at S5. It never stalls; its bank decides what becomes of the result.
//
//   S2  distance, products of R and F, distance to a hinted step
//   S3  S of the distance and its product, partial sums, hint window, decay
//   S4  sum, saturation, comparison with the thresholds, decision
//   S5  registered result
//
// The thresholds are compared with sums from which they were subtracted one stage earlier, so that
// no stage holds two carry chains in a row.

module kvcpu_hepc_lane
  import kvcpu_pkg::*;
(
  /// Clock.
  input  logic      clk_i,
  /// Reset, active low.
  input  logic      rst_ni,
  /// What this scan uses; stable from two cycles before the scan's first S2 to its last S5.
  input  scan_cfg_t cfg_i,
  /// A scan step is at S2.
  input  logic      s2_valid_i,
  /// The entry as that step found it.
  input  meta_t     s2_meta_i,
  /// The entry's parity is good.
  input  logic      s2_parity_ok_i,
  /// The step at S5 scores its entry (valid, good parity, not yet scored by this scan).
  output logic      s5_score_o,
  /// The entry to write back: PRIORITY, R, F, epoch; in_flight is set where there is a decision.
  output meta_t     s5_meta_o,
  /// Decision: evict (never together with prefetch).
  output logic      s5_evict_o,
  /// Decision: prefetch.
  output logic      s5_prefetch_o,
  /// The entry met every eviction condition but the threshold (its tier and P are in s5_meta_o).
  output logic      s5_hist_o
);

  localparam int unsigned SumW = 18;  // the largest sum is 4 * 255 * 255 = 260,100
  localparam int unsigned DiffW = SumW + 1;  // signed: a sum less a threshold

  // ------------------------------------------------------------------ constants of the scan
  // The three values of ACCESS_STEP[31:8] that a distance below 256 can have.
  logic [23:0] step_page_d1_q, step_page_u1_q;
  logic [15:0] d_term_q;  // W_D * 255
  logic [TierCount-1:0][15:0] evict_below_q;  // of the fixed and the automatic threshold the higher
  logic [TierCount-1:0] may_evict_q;
  logic [TierCount-1:0] evict_some_q;  // evict_below_q is not 0
  logic prefetch_never_q;  // PREFETCH_THRESH is passed by no P

  logic [TierCount-1:0][15:0] evict_below_d;
  always_comb begin
    for (int t = 0; t < TierCount; t++) evict_below_d[t] = cfg_i.evict_thresh;
    for (int t = 0; t < 3; t++) begin
      if (cfg_i.pressure[t] && cfg_i.auto_thresh[t] > 17'(cfg_i.evict_thresh)) begin
        evict_below_d[t] = cfg_i.auto_thresh[t][15:0];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    step_page_d1_q <= cfg_i.step[31:8] - 24'd1;
    step_page_u1_q <= cfg_i.step[31:8] + 24'd1;
    d_term_q       <= {cfg_i.w_d, 8'd0} - 16'(cfg_i.w_d);
    evict_below_q  <= evict_below_d;
    for (int t = 0; t < TierCount; t++) evict_some_q[t] <= evict_below_q[t] != '0;
    prefetch_never_q <= &cfg_i.prefetch_thresh;
    may_evict_q    <= cfg_i.evict_tiers & ~(TierCount'(1) << TierNvme);
  end

  // ------------------------------------------------------------------ S2 dist < 256 exactly when
  // step - ACCESS_STEP lies in -255 .. 255: its upper 24 bits are 0, or all 1 and the lower 8 are
  // not 0. The upper bits follow from three comparisons, without a carry chain over all 32 bits.
  logic [8:0] low_diff;  // {borrow, step[7:0] - ACCESS_STEP[7:0]}
  logic       page_same, page_below, page_above;
  logic       near_past, near_future;
  logic [7:0] low_less;

  assign low_diff    = {1'b0, cfg_i.step[7:0]} - {1'b0, s2_meta_i.access_step[7:0]};
  assign low_less    = cfg_i.step[7:0] + ~s2_meta_i.access_step[7:0];  // one less than the difference
  assign page_same   = s2_meta_i.access_step[31:8] == cfg_i.step[31:8];
  assign page_below  = s2_meta_i.access_step[31:8] == step_page_d1_q;
  assign page_above  = s2_meta_i.access_step[31:8] == step_page_u1_q;
  assign near_past   = low_diff[8] ? page_below : page_same;
  assign near_future = (low_diff[8] ? page_same : page_above) && (low_diff[7:0] != '0);

  // max(1, R >> R_SHIFT), and 0 where R is 0.
  logic [7:0] s2_decay;
  always_comb begin
    s2_decay = s2_meta_i.r >> cfg_i.r_shift;
    if (s2_decay == '0 && s2_meta_i.r != '0) s2_decay = 8'd1;
  end

  logic [15:0] s2_d_term;
  assign s2_d_term = s2_meta_i.prefix ? d_term_q : '0;

  logic               s3_score_q;
  meta_t              s3_meta_q;
  logic               s3_past_q, s3_future_q;
  logic [7:0]         s3_low_q, s3_less_q, s3_decay_q;
  logic [15:0]        s3_prod_r_q, s3_prod_f_q, s3_d_term_q;
  logic signed [16:0] s3_d_evict_q, s3_d_prefetch_q;  // D's term less the threshold (and less 1)
  logic [31:0]        s3_ahead_q;  // ACCESS_STEP - step
  logic               s3_slower_q, s3_may_evict_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s3_score_q <= 1'b0;
    end else begin
      s3_score_q <= s2_valid_i && s2_parity_ok_i && s2_meta_i.valid &&
                    (s2_meta_i.epoch != cfg_i.epoch);
    end
  end

  always_ff @(posedge clk_i) begin
    s3_meta_q       <= s2_meta_i;
    s3_past_q       <= near_past;
    s3_future_q     <= near_future;
    s3_low_q        <= low_diff[7:0];
    s3_less_q       <= low_less;
    s3_decay_q      <= s2_decay;
    s3_prod_r_q     <= cfg_i.w_r * s2_meta_i.r;
    s3_prod_f_q     <= cfg_i.w_f * s2_meta_i.f;
    s3_d_term_q     <= s2_d_term;
    s3_d_evict_q    <= $signed({1'b0, s2_d_term}) - $signed({1'b0, evict_below_q[s2_meta_i.tier]});
    s3_d_prefetch_q <= $signed({1'b0, s2_d_term}) + ~$signed({1'b0, cfg_i.prefetch_thresh});
    s3_ahead_q      <= s2_meta_i.access_step - cfg_i.step;
    s3_slower_q     <= s2_meta_i.tier > cfg_i.promote_tier;
    s3_may_evict_q  <= may_evict_q[s2_meta_i.tier];
  end

  // ------------------------------------------------------------------ S3
  logic               s4_score_q;
  meta_t              s4_meta_q;
  logic [15:0]        s4_prod_s_q;
  logic [SumW-1:0]    s4_part_q;
  logic signed [DiffW-1:0] s4_part_evict_q, s4_part_prefetch_q;
  logic               s4_needed_q, s4_held_q, s4_slower_q, s4_may_evict_q;

  logic [16:0]     s3_part_rf;
  logic [7:0]      s3_r, s3_f, s3_s;
  logic [31:0]     s3_slack;       // LOOKAHEAD less the distance to the hinted step, signed
  logic [31:0]     s3_hold_slack;  // the same of the larger of LOOKAHEAD and HOLD

  assign s3_slack      = {1'b0, cfg_i.lookahead} - {1'b0, s3_ahead_q[30:0]};
  assign s3_hold_slack = {1'b0, cfg_i.hold} - {1'b0, s3_ahead_q[30:0]};

  always_comb begin
    s3_s = '0;
    if (s3_past_q) s3_s = ~s3_low_q;  // 255 - d
    else if (s3_future_q) s3_s = s3_less_q;  // 255 - (256 - low)
  end

  assign s3_part_rf = 17'(s3_prod_r_q) + 17'(s3_prod_f_q);

  always_comb begin
    s3_r = s3_meta_q.r - s3_decay_q;
    s3_f = cfg_i.age ? s3_meta_q.f >> 1 : s3_meta_q.f;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) s4_score_q <= 1'b0;
    else s4_score_q <= s3_score_q;
  end

  always_ff @(posedge clk_i) begin
    s4_meta_q          <= s3_meta_q;
    s4_meta_q.r        <= s3_r;
    s4_meta_q.f        <= s3_f;
    s4_meta_q.epoch    <= cfg_i.epoch;
    s4_prod_s_q        <= cfg_i.w_s * s3_s;
    s4_part_q          <= SumW'(s3_part_rf) + SumW'(s3_d_term_q);
    s4_part_evict_q    <= $signed({2'b0, s3_part_rf}) + DiffW'(s3_d_evict_q);
    s4_part_prefetch_q <= $signed({2'b0, s3_part_rf}) + DiffW'(s3_d_prefetch_q);
    s4_needed_q        <= s3_meta_q.hint && !s3_ahead_q[31] && !s3_slack[31];
    s4_held_q          <= s3_meta_q.hint && !s3_ahead_q[31] && !s3_hold_slack[31];
    s4_slower_q        <= s3_slower_q;
    s4_may_evict_q     <= s3_may_evict_q;
  end

  // ------------------------------------------------------------------ S4
  logic [SumW-1:0]         s4_sum;
  logic signed [DiffW-1:0] s4_over_evict, s4_over_prefetch;  // sum less the threshold (and less 1)
  logic                    s4_hot, s4_below, s4_above, s4_prefetch, s4_leave;
  logic [15:0]             s4_prio;

  assign s4_sum           = s4_part_q + SumW'(s4_prod_s_q);
  assign s4_over_evict    = s4_part_evict_q + $signed({3'b0, s4_prod_s_q});
  assign s4_over_prefetch = s4_part_prefetch_q + $signed({3'b0, s4_prod_s_q});
  assign s4_hot           = s4_meta_q.hot;

  always_comb begin
    // The sum saturates: no P is above 65,535, so no threshold of 65,535 is passed. Below it, P and
    // the sum compare alike.
    s4_prio  = |s4_sum[SumW-1:16] ? 16'hFFFF : s4_sum[15:0];
    s4_below = s4_over_evict[DiffW-1];
    s4_above = !s4_over_prefetch[DiffW-1] && !prefetch_never_q;
    if (s4_hot) begin
      s4_prio  = 16'hFFFF;
      s4_above = !prefetch_never_q;
    end else if (s4_meta_q.evictable) begin
      s4_prio  = '0;
      s4_below = evict_some_q[s4_meta_q.tier];
      s4_above = 1'b0;
    end
    s4_prefetch = !s4_meta_q.in_flight && s4_slower_q && (s4_above || s4_needed_q);
    s4_leave    = !s4_meta_q.in_flight && !s4_prefetch && (s4_meta_q.ref_count == '0) && !s4_hot &&
                  !s4_held_q && s4_may_evict_q;
  end

  // ------------------------------------------------------------------ S5
  logic  s5_score_q, s5_evict_q, s5_prefetch_q, s5_hist_q;
  meta_t s5_meta_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) s5_score_q <= 1'b0;
    else s5_score_q <= s4_score_q;
  end

  always_ff @(posedge clk_i) begin
    s5_meta_q           <= s4_meta_q;
    s5_meta_q.prio      <= s4_prio;
    s5_meta_q.in_flight <= s4_meta_q.in_flight || s4_prefetch || (s4_leave && s4_below);
    s5_evict_q          <= s4_score_q && s4_leave && s4_below;
    s5_prefetch_q       <= s4_score_q && s4_prefetch;
    s5_hist_q           <= s4_score_q && s4_leave;
  end

  assign s5_score_o    = s5_score_q;
  assign s5_meta_o     = s5_meta_q;
  assign s5_evict_o    = s5_evict_q;
  assign s5_prefetch_o = s5_prefetch_q;
  assign s5_hist_o     = s5_hist_q;

endmodule
