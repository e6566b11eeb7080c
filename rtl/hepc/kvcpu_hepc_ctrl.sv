// Starts the scans of HEPC (device.md 4, 5): current step, coalescing, pressure, automatic
// thresholds.
//
//   cycle 0  STEP_ADVANCE is written (step_we_i); held slots become free
//   cycle 1  scan_begin_o: pressure is judged on the free slots, the configuration is taken;
//            scan_start_o, unless a threshold must be searched first
//   cycle 2  S0 of the first row
//
// After a scan the histogram is summed up; a scan asked for meanwhile waits for it.

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
  /// Per tier: items from it that are in a queue or moving.
  input  logic [TierCount-1:0][CountW-1:0] departures_i,
  /// The directory is initialised, and every free slot counted is free: a scan may begin.
  input  logic                             ready_i,
  /// Per bank: it has walked all rows and holds no scan step; low from the cycle after
  /// scan_start_o.
  input  logic [LANES-1:0]                 lane_done_i,
  /// A lane's decision is taken (kvcpu_moveq.lane_accept_o, any lane).
  input  logic                             decision_i,

  /// The step that lookups and commands use.
  output logic [31:0]                      current_step_o,
  /// Pulse: the step is written; slots that migrations left are free from the next cycle on.
  output logic                             fence_o,

  /// Pulse: a scan starts for the contract: step, configuration, epoch, pressure and free slots are
  /// those of this cycle's end. scan_start_o follows in the same cycle or, where a threshold must
  /// be searched, within 40 cycles.
  output logic                             scan_begin_o,
  /// Pulse: the banks start to walk; S0 of the first row is in the next cycle.
  output logic                             scan_start_o,
  /// What the scan uses: everything but auto_thresh stands from the cycle after scan_begin_o,
  /// auto_thresh from the cycle after scan_start_o; all hold until the next scan_begin_o.
  output scan_cfg_t                        scan_cfg_o,
  /// First row of the scan, 0 to ENTRIES / LANES - 1.
  output logic [RowW-1:0]                  scan_row_o,
  /// A scan runs or waits for its start.
  output logic                             scan_busy_o,
  /// Pulse: the scan is done.
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

  if (!(LANES inside {4, 8, 16})) begin : g_check_lanes
    $error("kvcpu_hepc_ctrl: LANES must be 4, 8 or 16");
  end
  if (ENTRIES < 1024 || ENTRIES > MaxEntries || (ENTRIES & (ENTRIES - 1)) != 0)
  begin : g_check_entries
    $error("kvcpu_hepc_ctrl: ENTRIES must be a power of two, 1,024 to 65,536");
  end

  localparam int unsigned EighthW = $clog2(ENTRIES / LANES) - 3;  // log2 of ROWS / 8
  localparam int unsigned QueueCycles = 2;  // from a decision at S5 to its being in the queue

  typedef enum logic [1:0] {
    StIdle,
    StNeed,    // N = HIGH - free - departures
    StSearch,
    StScan
  } state_e;

  state_e state_q, state_d;
  logic   begin_scan, start_scan, scan_done;

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
  scan_cfg_t  scan_cfg_q;
  logic       scanned_q;  // a scan has completed: there is a histogram
  logic [2:0] pressure_d;

  always_comb begin
    for (int t = 0; t < 3; t++) begin
      if (free_i[t] < cfg_i.low[t]) pressure_d[t] = 1'b1;
      else if (free_i[t] >= cfg_i.high[t]) pressure_d[t] = 1'b0;
      else pressure_d[t] = scan_cfg_q.pressure[t];
    end
  end

  assign pressure_began_o = begin_scan && ((pressure_d & ~scan_cfg_q.pressure) != '0);

  // ------------------------------------------------------------------ sequence
  assign begin_scan = (state_q == StIdle) && pending_q && ready_i && hist_ready_i;
  assign start_scan = (begin_scan && !(scanned_q && pressure_d != '0)) ||
                      (state_q == StSearch && search_done_i);
  assign scan_done  = (state_q == StScan) && (&lane_done_i);

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      StIdle:   if (begin_scan) state_d = start_scan ? StScan : StNeed;
      StNeed:   state_d = StSearch;
      StSearch: if (start_scan) state_d = StScan;
      StScan:   if (scan_done) state_d = StIdle;
      default:  state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= StIdle;
      scanned_q <= 1'b0;
    end else if (clear_i) begin
      state_q   <= StIdle;
      scanned_q <= 1'b0;
    end else begin
      state_q <= state_d;
      if (scan_done) scanned_q <= 1'b1;
    end
  end

  assign scan_begin_o = begin_scan;
  assign scan_start_o = start_scan;
  assign scan_done_o  = scan_done;
  assign scan_busy_o  = (state_q != StIdle) || pending_q;
  assign hist_sum_o   = scan_done;

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
    end else if (start_scan) begin
      number_q <= number_q + 1'b1;
      eighth_q <= eighth_q + 1'b1;
    end
  end

  assign scan_row_o = RowW'(eighth_q) << EighthW;

  // ------------------------------------------------------------------ automatic thresholds
  logic [2:0][CountW:0]   short_q;  // HIGH - departures, signed
  logic [2:0][CountW-1:0] free_q;
  logic [2:0][CountW:0]   need, need_q;  // N, signed
  logic [2:0][16:0]       auto_thresh;
  logic                   search_start_q;

  always_comb begin
    for (int t = 0; t < 3; t++) begin
      need[t] = short_q[t] - {1'b0, free_q[t]};
      auto_thresh[t] = '0;
      if (scan_cfg_q.pressure[t] && !need_q[t][CountW] && need_q[t] != '0) begin
        // Bin 255 stands for 65,536 and for none at all: above every PREFETCH_THRESH.
        auto_thresh[t] = 17'(scan_cfg_q.prefetch_thresh);
        if ({1'b0, search_bin_i[t]} + 9'd1 <= {1'b0, scan_cfg_q.prefetch_thresh[15:8]}) begin
          auto_thresh[t] = {1'b0, search_bin_i[t] + 8'd1, 8'd0};
        end
      end
      search_n_o[t] = need_q[t][CountW-1:0];
    end
  end

  always_ff @(posedge clk_i) begin
    for (int t = 0; t < 3; t++) begin
      short_q[t] <= {1'b0, cfg_i.high[t]} - {1'b0, departures_i[t]};
      free_q[t]           <= free_i[t];
    end
    if (state_q == StNeed) need_q <= need;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) search_start_q <= 1'b0;
    else if (clear_i) search_start_q <= 1'b0;
    else search_start_q <= state_q == StNeed;
  end

  assign search_start_o = search_start_q;

  // ------------------------------------------------------------------ what the scan uses
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      scan_cfg_q <= '0;
    end else if (clear_i) begin
      scan_cfg_q <= '0;
    end else begin
      if (begin_scan) begin
        scan_cfg_q <= '{
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
          promote_tier:    cfg_i.promote_tier,
          evict_tiers:     cfg_i.evict_tiers,
          pressure:        pressure_d,
          auto_thresh:     '0,
          epoch:           !scan_cfg_q.epoch
        };
      end else if (start_scan) begin
        scan_cfg_q.auto_thresh <= auto_thresh;
      end
    end
  end

  assign scan_cfg_o    = scan_cfg_q;
  assign auto_thresh_o = scan_cfg_q.auto_thresh;

  // ------------------------------------------------------------------ telemetry
  logic [31:0] elapsed_q, scan_cycles_q, first_decision_q;
  logic        decided_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      elapsed_q        <= '0;
      scan_cycles_q    <= '0;
      first_decision_q <= '0;
      decided_q        <= 1'b0;
    end else if (clear_i) begin
      elapsed_q        <= '0;
      scan_cycles_q    <= '0;
      first_decision_q <= '0;
      decided_q        <= 1'b0;
    end else begin
      elapsed_q <= begin_scan ? 32'd2 : elapsed_q + 1'b1;  // the begin is cycle 1
      if (scan_done) scan_cycles_q <= elapsed_q;
      if (begin_scan) begin
        decided_q        <= 1'b0;
        first_decision_q <= '0;
      end else if (decision_i && !decided_q) begin
        decided_q        <= 1'b1;
        first_decision_q <= elapsed_q + 32'(QueueCycles);
      end
    end
  end

  assign scan_cycles_o           = scan_cycles_q;
  assign first_decision_cycles_o = first_decision_q;

endmodule
