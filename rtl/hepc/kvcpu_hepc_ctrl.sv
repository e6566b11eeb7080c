// Starts the scans of HEPC: current step, coalescing, pressure, automatic thresholds.

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
  /// The directory is initialised.
  input  logic                             ready_i,
  /// Per bank: it has walked all rows and holds no scan step; low from the cycle after scan_start_o.
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
  /// A scan runs, from the cycle after scan_begin_o to scan_done_o.
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
endmodule
