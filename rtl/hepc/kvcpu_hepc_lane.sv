// One scoring pipeline of HEPC: takes a scan step's entry at S2 and gives its new values and its
// decision at S5. It never stalls; the bank that holds it decides what becomes of the result.

module kvcpu_hepc_lane
  import kvcpu_pkg::*;
(
  /// Clock.
  input  logic      clk_i,
  /// Reset, active low.
  input  logic      rst_ni,
  /// Synchronous clear: forgets the steps in the pipeline.
  input  logic      clear_i,
  /// What this scan uses; stable from two cycles before the scan's first S2 to its last S5.
  input  scan_cfg_t cfg_i,
  /// A scan step is at S2.
  input  logic      s2_valid_i,
  /// The entry as found by that step.
  input  meta_t     s2_meta_i,
  /// The entry's parity is good.
  input  logic      s2_parity_ok_i,
  /// The step at S5 scores its entry (valid, good parity, not scored by this scan before).
  output logic      s5_score_o,
  /// The entry to write back: PRIORITY, R, F, epoch; in_flight is set where there is a decision.
  output meta_t     s5_meta_o,
  /// Decision: evict (never together with prefetch).
  output logic      s5_evict_o,
  /// Decision: prefetch.
  output logic      s5_prefetch_o,
  /// The entry met every eviction condition but the threshold (tier and P are in s5_meta_o).
  output logic      s5_hist_o
);
endmodule
