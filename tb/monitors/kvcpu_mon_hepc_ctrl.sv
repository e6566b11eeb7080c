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
  import kvcpu_tb_pkg::*;

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
      if (step_we_i) begin
        kv_record16(StreamMain, head(EvStep, 0, 0, 0, 0), 64'(step_i), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                    0, 0);
      end
      if (begin_i) begin
        kv_record16(StreamMain, head(EvScanBegin, 0, 0, 0, 0), 64'(free_i[0]), 64'(free_i[1]),
                    64'(free_i[2]), 64'(departures_i[0]), 64'(departures_i[1]),
                    64'(departures_i[2]), 0, 0, 0, 0, 0, 0, 0, 0);
      end
      // The configuration stands from the cycle after the start on.
      if (start_q) begin
        kv_record16(StreamMain, head(EvScanStart, 0, 0, 0, 0), 64'(row_q), 64'(scan_cfg_i.step),
                    {scan_cfg_i.w_r, scan_cfg_i.w_f, scan_cfg_i.w_s, scan_cfg_i.w_d,
                     scan_cfg_i.evict_thresh, scan_cfg_i.prefetch_thresh},
                    {8'(scan_cfg_i.r_shift), 8'(scan_cfg_i.age), 8'(scan_cfg_i.promote_tier),
                     8'(scan_cfg_i.evict_tiers), 1'b0, scan_cfg_i.lookahead},
                    64'(scan_cfg_i.pressure), 64'(scan_cfg_i.auto_thresh[0]),
                    64'(scan_cfg_i.auto_thresh[1]), 64'(scan_cfg_i.auto_thresh[2]), 64'(scan_cfg_i.hold), 0, 0, 0, 0,
                    0);
      end
      if (done_i) begin
        kv_record16(StreamMain, head(EvScanDone, 0, 0, 0, 0), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
      end
      if (done_q) begin
        kv_record16(StreamMain, head(EvScanCycles, 0, 0, 0, 0), 64'(scan_cycles_i), 0, 0, 0, 0, 0, 0, 0,
                    0, 0, 0, 0, 0, 0);
      end
    end
  end
endmodule
