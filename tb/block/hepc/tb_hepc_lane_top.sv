/// Testbench top of the scoring lane: Python writes one entry a cycle and reads the result 3 cycles on.
module tb_hepc_lane_top
  import kvcpu_pkg::*;
();
  logic        clk;
  logic        rst_n;
  logic [63:0] cycle;

  logic [$bits(scan_cfg_t)-1:0] cfg;
  logic                         valid;
  logic                         parity_ok;
  logic [$bits(meta_t)-1:0]     meta;
  logic                         score, evict, prefetch, hist;
  logic [$bits(meta_t)-1:0]     meta_after;

  tb_clock u_clock (
    .clk_o  (clk),
    .rst_no (rst_n),
    .cycle_o(cycle)
  );

  kvcpu_hepc_lane u_lane (
    .clk_i         (clk),
    .rst_ni        (rst_n),
    .cfg_i         (cfg),
    .s2_valid_i    (valid),
    .s2_meta_i     (meta),
    .s2_parity_ok_i(parity_ok),
    .s5_score_o    (score),
    .s5_meta_o     (meta_after),
    .s5_evict_o    (evict),
    .s5_prefetch_o (prefetch),
    .s5_hist_o     (hist)
  );

  initial begin
    cfg       = '0;
    valid     = 1'b0;
    parity_ok = 1'b1;
    meta      = '0;
  end
endmodule
