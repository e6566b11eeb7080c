// Monitor of scan control, bound into kvcpu_hepc_ctrl: steps, starts and ends of scans, what a scan latched.

module kvcpu_mon_hepc_ctrl (
  /// Clock.
  input logic                                                  clk_i,
  /// Reset, active low.
  input logic                                                  rst_ni,
  /// Synchronous clear.
  input logic                                                  clear_i,
  /// STEP_ADVANCE is written.
  input logic                                                  step_we_i,
  /// The step.
  input logic [31:0]                                           step_i,
  /// Free slots.
  input logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::CountW-1:0] free_i,
  /// Items from each tier.
  input logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::CountW-1:0] departures_i,
  /// A scan starts.
  input logic                                                  begin_i,
  /// The banks start.
  input logic                                                  start_i,
  /// First row.
  input logic [kvcpu_pkg::RowW-1:0]                            row_i,
  /// The scan is done.
  input logic                                                  done_i,
  /// What the scan uses.
  input kvcpu_pkg::scan_cfg_t                                  scan_cfg_i,
  /// Cycles of the last scan.
  input logic [31:0]                                           scan_cycles_i
);
  import kvcpu_pkg::*;
  import kvcpu_events_pkg::*;

  logic start_q, done_q;
  logic [RowW-1:0] row_q;
  initial begin
    start_q = 1'b0;
    done_q = 1'b0;
  end

  always @(posedge clk_i) begin
    start_q <= rst_ni && !clear_i && start_i;
    row_q <= row_i;
    done_q <= rst_ni && !clear_i && done_i;
    if (rst_ni && !clear_i) begin
      if (step_we_i) record_step('{step: step_i});
      if (begin_i) begin
        record_scan_begin('{
          free_0: free_i[0],
          free_1: free_i[1],
          free_2: free_i[2],
          departures_0: departures_i[0],
          departures_1: departures_i[1],
          departures_2: departures_i[2]
        });
      end
      // The configuration is valid from the cycle after the start on.
      if (start_q) begin
        record_scan_start('{
          row: row_q,
          step: scan_cfg_i.step,
          w_r: scan_cfg_i.w_r,
          w_f: scan_cfg_i.w_f,
          w_s: scan_cfg_i.w_s,
          w_d: scan_cfg_i.w_d,
          evict_thresh: scan_cfg_i.evict_thresh,
          prefetch_thresh: scan_cfg_i.prefetch_thresh,
          r_shift: scan_cfg_i.r_shift,
          age: scan_cfg_i.age,
          lookahead: scan_cfg_i.lookahead,
          kept_ahead: scan_cfg_i.hold,
          promote_tier: scan_cfg_i.promote_tier,
          evict_tiers: scan_cfg_i.evict_tiers,
          pressure_0: scan_cfg_i.pressure[0],
          pressure_1: scan_cfg_i.pressure[1],
          pressure_2: scan_cfg_i.pressure[2],
          auto_thresh_0: scan_cfg_i.auto_thresh[0],
          auto_thresh_1: scan_cfg_i.auto_thresh[1],
          auto_thresh_2: scan_cfg_i.auto_thresh[2]
        });
      end
      if (done_i) record_scan_done();
      if (done_q) record_scan_cycles('{took: scan_cycles_i});
    end
  end
endmodule
