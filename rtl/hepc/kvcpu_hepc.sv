// HEPC without its lanes: it starts scans and judges pressure (kvcpu_hepc_ctrl), finds the automatic thresholds
// (kvcpu_hepc_hist), and queues what the lanes decide (kvcpu_moveq).
//
// The lanes score entries where these are, in the banks of the directory (kvcpu_rtbd_bank); decisions and the
// priorities that count in the histogram come from there. What leaves is the order to scan and the two queues of
// items.

`include "kvcpu_assert.svh"

module kvcpu_hepc #(
  /// Directory entries. Power of two, 1,024 to 65,536 (device.md 1).
  parameter int unsigned ENTRIES = 65536,
  /// Scoring lanes and directory banks. Legal: 4, 8, 16 (device.md 1).
  parameter int unsigned LANES = 16
) (
  /// Clock.
  input  logic                            clk_i,
  /// Reset, active low.
  input  logic                            rst_ni,
  /// Soft reset.
  input  logic                            clear_i,
  /// The directory is initialised, and no soft reset is under way.
  input  logic                            initialised_i,
  /// A slot has been taken for an INSERT that commits in the next cycle: free slots must not be judged.
  input  logic                            slot_ahead_i,
  /// STEP_ADVANCE is written.
  input  logic                            step_we_i,
  /// The new step.
  input  logic [31:0]                     step_i,
  /// Configuration registers.
  input  kvcpu_pkg::cfg_t                 cfg_i,
  /// Per tier: free slots; a release by `fence_o` shows in the next cycle.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::CountW-1:0] slots_free_i,
  /// Per tier 0 to 2: fewer slots than LOW are free.
  input  logic [2:0]                      slots_below_low_i,
  /// Per tier 0 to 2: at least HIGH slots are free.
  input  logic [2:0]                      slots_at_high_i,
  /// Per bank: it has walked all rows and holds no scan step; low from the cycle after the
  /// start of the banks.
  input  logic [LANES-1:0]                lane_done_i,
  /// The step that lookups and commands use.
  output logic [31:0]                     current_step_o,
  /// Pulse: the step is written; slots that migrations left are free from the next cycle on.
  output logic                            fence_o,
  /// Pulse, for the banks: start to walk. Does not wait to know whether a threshold must be searched.
  output logic                            walk_start_o,
  /// Pulse, for the banks, a cycle later: it must; stop.
  output logic                            walk_stop_o,
  /// What the scan uses: everything but auto_thresh is stable from the cycle after its begin, auto_thresh from the
  /// cycle after the start of the banks; all hold until `scan_done_o`; pressure, auto_thresh and epoch until the next
  /// begin.
  output kvcpu_pkg::scan_cfg_t            scan_cfg_o,
  /// First row of the scan, 0 to ENTRIES / LANES - 1.
  output logic [kvcpu_pkg::RowW-1:0]      scan_row_o,
  /// A scan runs or waits for its start.
  output logic                            scan_busy_o,
  /// Pulse: the scan is done, in the cycle after all of lane_done_i.
  output logic                            scan_done_o,
  /// Cycles of the last scan, from the STEP_ADVANCE that started it (of a scan that had to wait:
  /// from the cycle before its start) to scan_done_o.
  output logic [31:0]                     scan_cycles_o,
  /// Cycles from the last STEP_ADVANCE that started a scan to the cycle in which the scan's first
  /// decision is in its queue (if none waits before it); 0: none yet.
  output logic [31:0]                     first_decision_cycles_o,
  /// Pulse: a step that waited for its scan gives way to a newer one.
  output logic                            coalesced_o,
  /// Pulse: pressure of a tier goes on.
  output logic                            pressure_began_o,
  /// Per tier 0 to 2: the automatic threshold T of the last scan, 0 while not under pressure.
  output logic [2:0][16:0]                auto_thresh_o,
  /// Per lane: the scan step at S5 counts (it is not repeated, and its entry met every eviction
  /// condition but the threshold).
  input  logic  [LANES-1:0]               hist_valid_i,
  /// Histogram: its tier.
  input  logic [LANES-1:0][1:0]           hist_tier_i,
  /// Per lane: its new P[15:8].
  input  logic [LANES-1:0][7:0]           hist_bin_i,
  /// Per lane: its scan step at S5 has a decision.
  input  logic [LANES-1:0]                dec_valid_i,
  /// Per lane: the decision is to evict (1) or to prefetch (0).
  input  logic [LANES-1:0]                dec_evict_i,
  /// Per lane: the decision's item.
  input  kvcpu_pkg::item_t [LANES-1:0]    dec_item_i,
  /// Per lane, same cycle: the decision is taken. Neither accept nor drop: the step must be
  /// repeated and has had no effect.
  output logic [LANES-1:0]                dec_accept_o,
  /// Per lane, same cycle: the decision is dropped and counted.
  output logic [LANES-1:0]                dec_drop_o,
  /// An operation at its commit point (S3) pushes an item. Comes late in the cycle.
  input  logic                            push_valid_i,
  /// An operation at its commit point may push: op_channel_i and op_item_i are valid, no decision that
  /// waits enters a queue. Comes early; always high with op_valid_i.
  input  logic                            push_may_i,
  /// Its queue: ChEvict or ChPrefetch.
  input  logic                            push_channel_i,
  /// Its item.
  input  kvcpu_pkg::item_t                push_item_i,
  /// Per queue (index ChEvict, ChPrefetch): there is a head.
  output logic [1:0]                      q_valid_o,
  /// Per queue: the head.
  output kvcpu_pkg::item_t [1:0]          q_item_o,
  /// Per queue: takes the head away.
  input  logic [1:0]                      q_pop_i,
  /// Per queue: items in it, 0 to 64; not 0 exactly while `q_valid_o`.
  output logic [1:0][6:0]                 q_level_o,
  /// The evict queue is full.
  output logic                            evict_full_o,
  /// The prefetch queue is full.
  output logic                            prefetch_full_o,
  /// A decision waits in a lane's places.
  output logic                            waiting_o,
  /// An item has ended (every item that entered a queue ends once).
  input  logic                            compl_valid_i,
  /// The tier that it came from (item_t.from).
  input  kvcpu_pkg::tier_e                compl_from_i,
  /// Per tier: no item is queued, waiting or moving from there.
  output logic [kvcpu_pkg::TierCount-1:0] none_departs_o,
  /// Items for the evict queue dropped two cycles ago, 0 to LANES + 1.
  output logic [4:0]                      evict_dropped_o,
  /// Items for the prefetch queue dropped two cycles ago, 0 to LANES + 1.
  output logic [4:0]                      prefetch_dropped_o
);
  import kvcpu_pkg::*;

  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= MaxEntries && $onehot(ENTRIES),
                     "ENTRIES must be a power of two from 1,024 to 65,536")
  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")

  logic hist_sum, hist_ready, search_start, search_done, unused_scan_begin, unused_scan_start, unused_push_ok;
  logic [2:0][CountW-1:0] search_n;
  logic [2:0][7:0] search_bin;
  logic [TierCount-1:0][CountW-1:0] departures;

  // A scan that begins in the cycle after the halt is one that the reset meets under way.
  logic scan_may_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) scan_may_q <= 1'b0;
    else scan_may_q <= initialised_i;
  end

  kvcpu_hepc_ctrl #(
    .ENTRIES(ENTRIES),
    .LANES  (LANES)
  ) u_hepc_ctrl (
    .clk_i                  (clk_i),
    .rst_ni                 (rst_ni),
    .clear_i                (clear_i),
    .step_we_i              (step_we_i),
    .step_i                 (step_i),
    .cfg_i                  (cfg_i),
    .free_i                 (slots_free_i),
    .below_low_i            (slots_below_low_i),
    .at_high_i              (slots_at_high_i),
    .departures_i           (departures),
    .ready_i                (scan_may_q && !slot_ahead_i),
    .lane_done_i            (lane_done_i),
    .decision_i             (dec_accept_o),
    .current_step_o         (current_step_o),
    .fence_o                (fence_o),
    .scan_begin_o           (unused_scan_begin),
    .scan_start_o           (unused_scan_start),
    .walk_start_o           (walk_start_o),
    .walk_stop_o            (walk_stop_o),
    .scan_cfg_o             (scan_cfg_o),
    .scan_row_o             (scan_row_o),
    .scan_busy_o            (scan_busy_o),
    .scan_done_o            (scan_done_o),
    .scan_cycles_o          (scan_cycles_o),
    .first_decision_cycles_o(first_decision_cycles_o),
    .coalesced_o            (coalesced_o),
    .pressure_began_o       (pressure_began_o),
    .auto_thresh_o          (auto_thresh_o),
    .hist_sum_o             (hist_sum),
    .hist_ready_i           (hist_ready),
    .search_start_o         (search_start),
    .search_n_o             (search_n),
    .search_done_i          (search_done),
    .search_bin_i           (search_bin)
  );

  tier_e [LANES-1:0] hist_tier_e;
  always_comb begin
    for (int unsigned l = 0; l < LANES; l++) hist_tier_e[l] = tier_e'(hist_tier_i[l]);
  end

  kvcpu_hepc_hist #(
    .ENTRIES(ENTRIES),
    .LANES  (LANES)
  ) u_hepc_hist (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .clear_i       (clear_i),
    .hist_valid_i  (hist_valid_i),
    .hist_tier_i   (hist_tier_e),
    .hist_bin_i    (hist_bin_i),
    .sum_start_i   (hist_sum),
    .ready_o       (hist_ready),
    .search_start_i(search_start),
    .search_n_i    (search_n),
    .search_done_o (search_done),
    .search_bin_o  (search_bin)
  );

  kvcpu_moveq #(
    .LANES(LANES)
  ) u_moveq (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i),
    .lane_valid_i      (dec_valid_i),
    .lane_evict_i      (dec_evict_i),
    .lane_item_i       (dec_item_i),
    .lane_accept_o     (dec_accept_o),
    .lane_drop_o       (dec_drop_o),
    .op_valid_i        (push_valid_i),
    .op_may_i          (push_may_i),
    .op_channel_i      (push_channel_i),
    .op_item_i         (push_item_i),
    .op_ok_o           (unused_push_ok),
    .q_valid_o         (q_valid_o),
    .q_item_o          (q_item_o),
    .q_pop_i           (q_pop_i),
    .q_level_o         (q_level_o),
    .evict_full_o      (evict_full_o),
    .prefetch_full_o   (prefetch_full_o),
    .waiting_o         (waiting_o),
    .compl_valid_i     (compl_valid_i),
    .compl_from_i      (compl_from_i),
    .departures_o      (departures),
    .none_departs_o    (none_departs_o),
    .evict_dropped_o   (evict_dropped_o),
    .prefetch_dropped_o(prefetch_dropped_o)
  );

endmodule
