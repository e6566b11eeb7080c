/// Testbench top of scan control and histogram. The banks are counters: each walks for `walk` cycles.
module tb_hepc_scan_top
  import kvcpu_pkg::*;
#(
  /// As of kvcpu_hepc_ctrl.
  parameter int unsigned ENTRIES = 1024,
  /// As of kvcpu_hepc_ctrl.
  parameter int unsigned LANES   = 4
);
  logic        clk;
  logic        rst_n;
  logic [63:0] cycle;

  logic                          clear, step_we, ready;
  logic [LANES-1:0]              decision;
  logic [31:0]                   step;
  logic [$bits(cfg_t)-1:0]       cfg;
  logic [TierCount*CountW-1:0]   free, departures;
  logic [15:0]                   walk;

  logic [31:0]                   current_step, scan_cycles, first_decision_cycles;
  logic                          fence, scan_begin, scan_start, walk_start, walk_stop, scan_busy, scan_done, coalesced;
  logic                          pressure_began;
  logic [$bits(scan_cfg_t)-1:0]  scan_cfg;
  logic [RowW-1:0]               scan_row;
  logic [3*17-1:0]               auto_thresh;
  logic                          hist_ready;

  logic [LANES-1:0]              hist_valid;
  logic [2*LANES-1:0]            hist_tier;
  logic [8*LANES-1:0]            hist_bin;

  logic                          hist_sum, search_start, search_done;
  logic [2:0][CountW-1:0]        search_n;
  logic [2:0][7:0]               search_bin;
  logic [LANES-1:0]              lane_done;
  logic [15:0]                   left_q;

  tb_clock u_clock (
    .clk_o  (clk),
    .rst_no (rst_n),
    .cycle_o(cycle)
  );

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) left_q <= '0;
    else if (clear || walk_stop) left_q <= '0;
    else if (walk_start) left_q <= walk;
    else if (left_q != '0) left_q <= left_q - 1'b1;
  end
  // The banks end one after another.
  always_comb begin
    for (int l = 0; l < LANES; l++) lane_done[l] = left_q <= 16'(l);
    lane_done[0] = left_q == '0;
  end

  // The pools compare.
  cfg_t       now;
  logic [2:0] below_low, at_high;
  assign now = cfg_t'(cfg);
  always_comb begin
    for (int t = 0; t < 3; t++) begin
      below_low[t] = free[t*CountW+:CountW] < now.low[t];
      at_high[t]   = free[t*CountW+:CountW] >= now.high[t];
    end
  end

  kvcpu_hepc_ctrl #(
    .ENTRIES(ENTRIES),
    .LANES  (LANES)
  ) u_ctrl (
    .clk_i                  (clk),
    .rst_ni                 (rst_n),
    .clear_i                (clear),
    .step_we_i              (step_we),
    .step_i                 (step),
    .cfg_i                  (cfg),
    .free_i                 (free),
    .below_low_i            (below_low),
    .at_high_i              (at_high),
    .departures_i           (departures),
    .ready_i                (ready),
    .lane_done_i            (lane_done),
    .decision_i             (decision),
    .current_step_o         (current_step),
    .fence_o                (fence),
    .scan_begin_o           (scan_begin),
    .scan_start_o           (scan_start),
    .walk_start_o           (walk_start),
    .walk_stop_o            (walk_stop),
    .scan_cfg_o             (scan_cfg),
    .scan_row_o             (scan_row),
    .scan_busy_o            (scan_busy),
    .scan_done_o            (scan_done),
    .scan_cycles_o          (scan_cycles),
    .first_decision_cycles_o(first_decision_cycles),
    .coalesced_o            (coalesced),
    .pressure_began_o       (pressure_began),
    .auto_thresh_o          (auto_thresh),
    .hist_sum_o             (hist_sum),
    .hist_ready_i           (hist_ready),
    .search_start_o         (search_start),
    .search_n_o             (search_n),
    .search_done_i          (search_done),
    .search_bin_i           (search_bin)
  );

  kvcpu_hepc_hist #(
    .ENTRIES(ENTRIES),
    .LANES  (LANES)
  ) u_hist (
    .clk_i         (clk),
    .rst_ni        (rst_n),
    .clear_i       (clear),
    .hist_valid_i  (hist_valid),
    .hist_tier_i   (hist_tier),
    .hist_bin_i    (hist_bin),
    .sum_start_i   (hist_sum),
    .ready_o       (hist_ready),
    .search_start_i(search_start),
    .search_n_i    (search_n),
    .search_done_o (search_done),
    .search_bin_o  (search_bin)
  );

  initial begin
    clear      = 1'b0;
    step_we    = 1'b0;
    step       = '0;
    ready      = 1'b0;
    decision   = '0;
    cfg        = '0;
    free       = '0;
    departures = '0;
    walk       = 16'd20;
    hist_valid = '0;
    hist_tier  = '0;
    hist_bin   = '0;
  end
endmodule
