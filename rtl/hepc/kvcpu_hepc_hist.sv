// Histogram of a scan's eviction candidates by P[15:8], per tier, and the search of the automatic
// threshold in it.

module kvcpu_hepc_hist
  import kvcpu_pkg::*;
#(
  /// Directory entries: power of two, 1,024 to 65,536 (device.md 1).
  parameter int unsigned ENTRIES = 65536,
  /// Scoring lanes: 4, 8 or 16 (device.md 1).
  parameter int unsigned LANES   = 16
) (
  /// Clock.
  input  logic                  clk_i,
  /// Reset, active low.
  input  logic                  rst_ni,
  /// Synchronous clear: the histogram is empty again once ready_o is high.
  input  logic                  clear_i,

  /// Per lane: the scan step at S5 counts (its step stands, and it met every eviction condition but
  /// the threshold).
  input  logic  [LANES-1:0]     hist_valid_i,
  /// Per lane: its entry's tier, 0 to 2.
  input  tier_e [LANES-1:0]     hist_tier_i,
  /// Per lane: its new P[15:8].
  input  logic [LANES-1:0][7:0] hist_bin_i,

  /// Pulse: the scan is done, its histogram becomes the last scan's.
  input  logic                  sum_start_i,
  /// No clearing and no summing runs: a scan or a search may start.
  output logic                  ready_o,

  /// Pulse: search the last scan's histogram (only while ready_o).
  input  logic                  search_start_i,
  /// Per tier 0 to 2: N, the entries wanted below the threshold, 1 or more; stable until done.
  input  logic [2:0][CountW-1:0] search_n_i,
  /// Pulse: the search is done.
  output logic                  search_done_o,
  /// Per tier, valid from search_done_o to the next search: the smallest b with at least N entries
  /// in bins 0 to b; 255 also where there is none.
  output logic [2:0][7:0]       search_bin_o
);
endmodule
