// Starts the scans of HEPC (device.md 4, 5): current step, coalescing, pressure, automatic
// thresholds.
//
//   cycle 0  STEP_ADVANCE is written (step_we_i); held slots become free
//   cycle 1  scan_begin_o: pressure is judged on the free slots, the configuration is taken;
//            scan_start_o, unless a threshold must be searched first
//   cycle 2  S0 of the first row
//
// After a scan the histogram is summed up; a scan asked for meanwhile waits for it.

`include "kvcpu_assert.svh"

module kvcpu_hepc_ctrl
  import kvcpu_pkg::*;
#(
  /// Directory entries: power of two, 1,024 to 65,536 (device.md 1).
  parameter int unsigned ENTRIES = 65536,
  /// Scoring lanes: 4, 8 or 16 (device.md 1).
  parameter int unsigned LANES   = 16
) (
  /// Clock.
  input  logic                             clk_i,
  /// Reset, active low.
  input  logic                             rst_ni,
  /// Synchronous clear: current step 0, no scan yet, no pressure.
  input  logic                             clear_i,

  /// STEP_ADVANCE is written.
  input  logic                             step_we_i,
  /// The new step.
  input  logic [31:0]                      step_i,
  /// Configuration registers.
  input  cfg_t                             cfg_i,
  /// Per tier: free slots; a release by fence_o shows in the next cycle.
  input  logic [TierCount-1:0][CountW-1:0] free_i,
  /// Per tier 0 to 2: free_i is below LOW.
  input  logic [2:0]                       below_low_i,
  /// Per tier 0 to 2: free_i is at least HIGH.
  input  logic [2:0]                       at_high_i,
  /// Per tier: items from it that are in a queue or moving.
  input  logic [TierCount-1:0][CountW-1:0] departures_i,
  /// The directory is initialised, and every free slot counted is free: a scan may begin.
  input  logic                             ready_i,
  /// Per bank: it has walked all rows and holds no scan step; low from the cycle after
  /// scan_start_o.
  input  logic [LANES-1:0]                 lane_done_i,
  /// Per lane: its decision is taken (kvcpu_moveq.lane_accept_o).
  input  logic [LANES-1:0]                 decision_i,

  /// The step that lookups and commands use.
  output logic [31:0]                      current_step_o,
  /// Pulse: the step is written; slots that migrations left are free from the next cycle on.
  output logic                             fence_o,

  /// Pulse: a scan starts for the contract: step, configuration, epoch, pressure and free slots are
  /// those of this cycle's end. scan_start_o follows in the same cycle or, where a threshold must
  /// be searched, within 40 cycles.
  output logic                             scan_begin_o,
  /// Pulse: the scan walks from here on; S0 of the first row is in the next cycle.
  output logic                             scan_start_o,
  /// Pulse, for the banks: start to walk. Does not wait to know whether a threshold must be searched.
  output logic                             walk_start_o,
  /// Pulse, for the banks, a cycle later: it must; stop.
  output logic                             walk_stop_o,
  /// What the scan uses: everything but auto_thresh is stable from the cycle after scan_begin_o,
  /// auto_thresh from the cycle after scan_start_o; all hold until scan_done_o, pressure, auto_thresh
  /// and epoch until the next scan_begin_o.
  output scan_cfg_t                        scan_cfg_o,
  /// First row of the scan, 0 to ENTRIES / LANES - 1.
  output logic [RowW-1:0]                  scan_row_o,
  /// A scan runs or waits for its start.
  output logic                             scan_busy_o,
  /// Pulse: the scan is done, in the cycle after all of lane_done_i.
  output logic                             scan_done_o,
  /// Cycles of the last scan, from the STEP_ADVANCE that started it (of a scan that had to wait:
  /// from the cycle before its start) to scan_done_o.
  output logic [31:0]                      scan_cycles_o,
  /// Cycles from the last STEP_ADVANCE that started a scan to the cycle in which the scan's first
  /// decision is in its queue (if none waits before it); 0: none yet.
  output logic [31:0]                      first_decision_cycles_o,
  /// Pulse: a step that waited for its scan gives way to a newer one.
  output logic                             coalesced_o,
  /// Pulse: pressure of a tier goes on.
  output logic                             pressure_began_o,
  /// Per tier 0 to 2: the automatic threshold T of the last scan, 0 while not under pressure.
  output logic [2:0][16:0]                 auto_thresh_o,

  /// kvcpu_hepc_hist.sum_start_i.
  output logic                             hist_sum_o,
  /// kvcpu_hepc_hist.ready_o.
  input  logic                             hist_ready_i,
  /// kvcpu_hepc_hist.search_start_i.
  output logic                             search_start_o,
  /// kvcpu_hepc_hist.search_n_i.
  output logic [2:0][CountW-1:0]           search_n_o,
  /// kvcpu_hepc_hist.search_done_o.
  input  logic                             search_done_i,
  /// kvcpu_hepc_hist.search_bin_o.
  input  logic [2:0][7:0]                  search_bin_i
);

  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= MaxEntries && $onehot(ENTRIES),
                     "ENTRIES must be a power of two, 1,024 to 65,536")

  localparam int unsigned EighthW = $clog2(ENTRIES / LANES) - 3;  // log2 of ROWS / 8
  localparam int unsigned QueueCycles = 1;  // from the cycle after a decision's S5 to its being in the queue

  // A scan is in one of these, or its banks walk. The pressure, which comes late, decides over one bit.
  logic idle_q;
  logic need_q;    // N = HIGH - free - departures
  logic search_q;

  logic begin_scan, begun_q, search_first, start_scan, walking, walked_q, started, scan_done_q;

  // ------------------------------------------------------------------ steps
  logic [31:0] step_q;
  logic        pending_q, want_scan;

  assign want_scan = step_we_i && cfg_i.enable;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      step_q    <= '0;
      pending_q <= 1'b0;
    end else if (clear_i) begin
      step_q    <= '0;
      pending_q <= 1'b0;
    end else begin
      if (step_we_i) step_q <= step_i;
      pending_q <= want_scan || (pending_q && !begin_scan);
    end
  end

  assign current_step_o = step_q;
  assign fence_o        = step_we_i;
  assign coalesced_o    = want_scan && pending_q && !begin_scan;

  // ------------------------------------------------------------------ pressure
  logic       scanned_q;  // a scan has completed: there is a histogram
  logic [2:0] pressure_q, pressure_d;

  always_comb begin
    for (int t = 0; t < 3; t++) begin
      if (below_low_i[t]) pressure_d[t] = 1'b1;
      else if (at_high_i[t]) pressure_d[t] = 1'b0;
      else pressure_d[t] = pressure_q[t];
    end
  end

  assign pressure_began_o = begin_scan && ((pressure_d & ~pressure_q) != '0);

  // ------------------------------------------------------------------ sequence
  assign begin_scan = idle_q && pending_q && ready_i && hist_ready_i;
  assign search_first = scanned_q && pressure_d != '0;
  assign start_scan = (begin_scan && !search_first) || (search_q && search_done_i);
  assign walking = !idle_q && !need_q && !search_q;
  assign started = walking && !walked_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      idle_q      <= 1'b1;
      need_q      <= 1'b0;
      search_q    <= 1'b0;
      begun_q     <= 1'b0;
      walked_q    <= 1'b0;
      scan_done_q <= 1'b0;
      scanned_q   <= 1'b0;
    end else if (clear_i) begin
      idle_q      <= 1'b1;
      need_q      <= 1'b0;
      search_q    <= 1'b0;
      begun_q     <= 1'b0;
      walked_q    <= 1'b0;
      scan_done_q <= 1'b0;
      scanned_q   <= 1'b0;
    end else begin
      idle_q      <= (idle_q && !begin_scan) || scan_done_q;
      need_q      <= begin_scan && search_first;
      search_q    <= need_q || (search_q && !search_done_i);
      begun_q     <= begin_scan;
      walked_q    <= walking;
      scan_done_q <= walking && !scan_done_q && (&lane_done_i);
      scanned_q   <= scanned_q || scan_done_q;
    end
  end

  assign scan_begin_o = begin_scan;
  assign scan_start_o = start_scan;
  assign walk_start_o = begin_scan || (search_q && search_done_i);
  assign walk_stop_o  = need_q;
  assign scan_done_o  = scan_done_q;
  assign scan_busy_o  = !idle_q || pending_q;
  assign hist_sum_o   = scan_done_q;

  // ------------------------------------------------------------------ number of the scan
  logic [31:0] number_q;  // n of the next scan
  logic [2:0]  eighth_q;  // (n - 1) mod 8
  logic        age;

  always_comb begin
    age = cfg_i.f_age != '0;
    for (int i = 0; i < 32; i++) begin
      if (5'(i) < cfg_i.f_age && number_q[i]) age = 1'b0;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      number_q <= 32'd1;
      eighth_q <= '0;
    end else if (clear_i) begin
      number_q <= 32'd1;
      eighth_q <= '0;
    end else if (started) begin
      number_q <= number_q + 1'b1;
      eighth_q <= eighth_q + 1'b1;
    end
  end

  assign scan_row_o = RowW'(eighth_q) << EighthW;

  // ------------------------------------------------------------------ automatic thresholds
  scan_cfg_t              follow_q;  // see below
  logic                   epoch_q;
  logic [2:0]             thresh_q;  // the scan has searched this threshold
  logic [2:0][16:0]       auto_thresh_q;
  logic [2:0][CountW:0]   short_q;  // HIGH - departures, signed
  logic [2:0][CountW-1:0] free_q;
  logic [2:0][CountW:0]   need, n_q;  // N, signed
  logic [2:0]             wanted;  // N is above 0
  logic [2:0][16:0]       auto_thresh;
  logic                   search_start_q;

  always_comb begin
    for (int t = 0; t < 3; t++) begin
      need[t] = short_q[t] - {1'b0, free_q[t]};
      wanted[t] = !n_q[t][CountW] && n_q[t] != '0;
      // Bin 255 means 65,536 and for none at all: above every PREFETCH_THRESH.
      auto_thresh[t] = 17'(follow_q.prefetch_thresh);
      if (search_bin_i[t] < follow_q.prefetch_thresh[15:8]) begin
        auto_thresh[t] = {1'b0, search_bin_i[t] + 8'd1, 8'd0};
      end
      search_n_o[t] = n_q[t][CountW-1:0];
    end
  end

  always_ff @(posedge clk_i) begin
    for (int t = 0; t < 3; t++) begin
      short_q[t] <= {1'b0, cfg_i.high[t]} - {1'b0, departures_i[t]};
      free_q[t]           <= free_i[t];
    end
    if (need_q) n_q <= need;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) search_start_q <= 1'b0;
    else if (clear_i) search_start_q <= 1'b0;
    else search_start_q <= need_q;
  end

  assign search_start_o = search_start_q;

  // ------------------------------------------------------------------ what the scan uses
  // Between scans nothing reads the configuration: it is followed until the cycle of the begin, so that
  // the begin itself need not reach all of it.
  always_ff @(posedge clk_i) begin
    if (idle_q) begin
      follow_q <= '{
        step:            step_q,
        w_r:             cfg_i.w_r,
        w_f:             cfg_i.w_f,
        w_s:             cfg_i.w_s,
        w_d:             cfg_i.w_d,
        evict_thresh:    cfg_i.evict_thresh,
        prefetch_thresh: cfg_i.prefetch_thresh,
        r_shift:         cfg_i.r_shift,
        age:             age,
        lookahead:       cfg_i.lookahead,
        hold:            (cfg_i.hold > cfg_i.lookahead) ? cfg_i.hold : cfg_i.lookahead,
        promote_tier:    cfg_i.promote_tier,
        evict_tiers:     cfg_i.evict_tiers,
        default:         '0
      };
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      pressure_q <= '0;
      thresh_q   <= '0;
      epoch_q    <= 1'b0;
    end else if (clear_i) begin
      pressure_q <= '0;
      thresh_q   <= '0;
      epoch_q    <= 1'b0;
    end else if (begin_scan) begin
      pressure_q <= pressure_d;
      thresh_q   <= '0;
      epoch_q    <= !epoch_q;
    end else if (search_q && search_done_i) begin
      thresh_q   <= pressure_q & wanted;
    end
  end

  always_ff @(posedge clk_i) begin
    if (search_q) auto_thresh_q <= auto_thresh;
  end

  always_comb begin
    for (int t = 0; t < 3; t++) auto_thresh_o[t] = thresh_q[t] ? auto_thresh_q[t] : '0;
  end

  always_comb begin
    scan_cfg_o             = follow_q;
    scan_cfg_o.pressure    = pressure_q;
    scan_cfg_o.auto_thresh = auto_thresh_o;
    scan_cfg_o.epoch       = epoch_q;
  end

  // ------------------------------------------------------------------ telemetry
  logic [31:0] elapsed_q, scan_cycles_q, first_decision_q;
  logic        decided_q, decision;
  logic [LANES-1:0] decision_q;
  assign decision = decision_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      elapsed_q        <= '0;
      scan_cycles_q    <= '0;
      first_decision_q <= '0;
      decided_q        <= 1'b0;
      decision_q       <= '0;
    end else if (clear_i) begin
      elapsed_q        <= '0;
      scan_cycles_q    <= '0;
      first_decision_q <= '0;
      decided_q        <= 1'b0;
      decision_q       <= '0;
    end else begin
      decision_q <= decision_i;
      elapsed_q <= begun_q ? 32'd3 : elapsed_q + 1'b1;  // the begin is cycle 1
      if (scan_done_q) scan_cycles_q <= elapsed_q;
      if (begin_scan) decided_q <= 1'b0;
      else if (decision) decided_q <= 1'b1;
      if (decision && !decided_q) first_decision_q <= elapsed_q + 32'(QueueCycles);
    end
  end

  assign scan_cycles_o           = scan_cycles_q;
  assign first_decision_cycles_o = decided_q ? first_decision_q : '0;


  // ------------------------------------------------------------------ invariants
  `KVCPU_ASSERT(one_phase, $onehot0({idle_q, need_q, search_q}), "a scan is in one phase")
  `KVCPU_ASSERT(done_ends_a_walk, scan_done_q |-> walked_q, "only a scan that has walked is done")
  `KVCPU_ASSERT(scan_keeps_configuration, !idle_q && !$past(idle_q) |-> $stable(follow_q),
                "a scan uses the configuration as it was at its start")

endmodule
