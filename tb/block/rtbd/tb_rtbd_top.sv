/// Testbench top of the directory with its slot pools. Python is what is around them: registers, commands, lookup ports,
/// the control of scans and the queues of decisions. The monitors are those of the whole device.
module tb_rtbd_top
  import kvcpu_pkg::*;
  import kvcpu_tb_pkg::*;
#(
  /// As of kvcpu_directory.
  parameter int unsigned ENTRIES = 1024,
  /// As of kvcpu_directory.
  parameter int unsigned LANES = 4,
  /// As of kvcpu_directory.
  parameter int unsigned PORTS = 3,
  /// As of kvcpu_directory.
  parameter int unsigned BLOCK_TOKENS = 16
);
  logic        clk;
  logic        rst_n;
  logic [63:0] cycle;

  logic                       ready, quiet, ports_idle;
  logic [$bits(cfg_t)-1:0]    cfg;
  logic [31:0]                step, step_new;
  logic                       step_we;  // with the fence

  // Lookup ports.
  logic [PORTS-1:0]           lookup_valid, lookup_ready, lookup_write;
  logic [PORTS*64-1:0]        lookup_kv_addr;
  logic [PORTS-1:0]           answer_valid, answer_ready, answer_hit, answer_denied;
  logic [PORTS*2-1:0]         answer_tier;
  logic [PORTS*64-1:0]        answer_phys_addr;
  logic [PORTS*16-1:0]        answer_index;

  // Commands.
  logic                       cmd_valid, cmd_ready, cmd_takes, cmd_rsp_valid, cmd_insert, cmd_inserted;
  logic [$bits(op_t)-1:0]     cmd_op;
  logic [$bits(rsp_t)-1:0]    cmd_rsp;
  logic [63:0]                cmd_phys_addr;
  logic [IndexW-1:0]          cmd_index;
  logic                       free_start, free_done;
  logic [15:0]                free_request_id;
  logic [CountW-1:0]          free_removed, free_stayed;

  // Scans: lanes whose decisions are taken in this cycle. The others wait.
  logic                       scan_start, scan_busy;
  logic [RowW-1:0]            scan_row;
  logic [$bits(scan_cfg_t)-1:0] scan_cfg;
  logic [LANES-1:0]           lane_done, dec_valid, dec_accept;

  logic                       evict_full, prefetch_full;
  logic [TierCount-1:0]       slots_we;
  logic [TierCount*CountW-1:0] slots_free;
  logic                       count_hit, count_miss, count_denied;
  logic [5:0]                 count_parity;
  logic [15:0]                parity_index;
  logic [63:0]                hits_q, misses_q, denied_q, parity_q;

  tb_clock u_clock (
    .clk_o  (clk),
    .rst_no (rst_n),
    .cycle_o(cycle)
  );

  // The number of the coming edge, for the monitors' records.
  int unused;
  always @(negedge clk) unused <= kv_cycle(longint'(cycle) + 1) + kv_wake_count();

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      hits_q   <= '0;
      misses_q <= '0;
      denied_q <= '0;
      parity_q <= '0;
    end else begin
      hits_q   <= hits_q + 64'(count_hit);
      misses_q <= misses_q + 64'(count_miss);
      denied_q <= denied_q + 64'(count_denied);
      parity_q <= parity_q + 64'(count_parity);
    end
  end

  kvcpu_directory #(
    .ENTRIES     (ENTRIES),
    .LANES       (LANES),
    .PORTS       (PORTS),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_directory (
    .clk_i             (clk),
    .rst_ni            (rst_n),
    .halt_i            (1'b0),
    .clear_i           (1'b0),
    .quiet_o           (quiet),
    .takes_hold_i      (1'b0),
    .takes_quiet_o     (),
    .slot_ahead_o      (),
    .ready_o           (ready),
    .ports_idle_o      (ports_idle),
    .cfg_i             (cfg),
    .cfg_next_i        (cfg),
    .step_i            (step),
    .step_we_i         (step_we),
    .step_new_i        (step_new),
    .lookup_valid_i    (lookup_valid),
    .lookup_ready_o    (lookup_ready),
    .lookup_kv_addr_i  (lookup_kv_addr),
    .lookup_write_i    (lookup_write),
    .answer_valid_o    (answer_valid),
    .answer_ready_i    (answer_ready),
    .answer_hit_o      (answer_hit),
    .answer_denied_o   (answer_denied),
    .answer_tier_o     (answer_tier),
    .answer_phys_addr_o(answer_phys_addr),
    .answer_index_o    (answer_index),
    .cmd_valid_i       (cmd_valid),
    .cmd_ready_o       (cmd_ready),
    .cmd_op_i          (cmd_op),
    .cmd_takes_i       (cmd_takes),
    .dma_valid_i       (1'b0),
    .dma_ready_o       (),
    .dma_op_i          ('0),
    .cmd_rsp_valid_o   (cmd_rsp_valid),
    .dma_rsp_valid_o   (),
    .rsp_o             (),
    .cmd_rsp_o         (cmd_rsp),
    .cmd_insert_o      (cmd_insert),
    .cmd_inserted_o    (cmd_inserted),
    .cmd_phys_addr_o   (cmd_phys_addr),
    .cmd_index_o       (cmd_index),
    .free_start_i      (free_start),
    .free_request_id_i (free_request_id),
    .free_done_o       (free_done),
    .free_removed_o    (free_removed),
    .free_stayed_o     (free_stayed),
    .scan_stop_i       (1'b0),
    .scan_start_i      (scan_start),
    .scan_row_i        (scan_row),
    .scan_busy_i       (scan_busy),
    .scan_cfg_i        (scan_cfg),
    .lane_done_o       (lane_done),
    .dec_valid_o       (dec_valid),
    .dec_evict_o       (),
    .dec_item_o        (),
    .dec_accept_i      (dec_accept & dec_valid),
    .dec_drop_i        ('0),
    .hist_valid_o      (),
    .hist_tier_o       (),
    .hist_bin_o        (),
    .push_valid_o      (),
    .push_may_o        (),
    .push_channel_o    (),
    .push_item_o       (),
    .evict_full_i      (evict_full),
    .prefetch_full_i   (prefetch_full),
    .abort_o           (),
    .miss_valid_o      (),
    .miss_kv_addr_o    (),
    .count_hit_o       (count_hit),
    .count_miss_o      (count_miss),
    .count_denied_o    (count_denied),
    .count_parity_o    (count_parity),
    .parity_index_o    (parity_index),
    .bar2_awaddr_i     ('0),
    .bar2_awvalid_i    (1'b0),
    .bar2_awready_o    (),
    .bar2_wdata_i      ('0),
    .bar2_wstrb_i      ('0),
    .bar2_wvalid_i     (1'b0),
    .bar2_wready_o     (),
    .bar2_bresp_o      (),
    .bar2_bvalid_o     (),
    .bar2_bready_i     (1'b1),
    .bar2_araddr_i     ('0),
    .bar2_arvalid_i    (1'b0),
    .bar2_arready_o    (),
    .bar2_rdata_o      (),
    .bar2_rresp_o      (),
    .bar2_rvalid_o     (),
    .bar2_rready_i     (1'b1),
    .initialised_i     (ready),
    .slots_we_i        (slots_we),
    .fence_i           (step_we),
    .slots_free_o      (slots_free),
    .slots_below_low_o (),
    .slots_at_high_o   (),
    .slots_unused_o    ()
  );

  initial begin
    cfg             = '0;
    step            = '0;
    step_new        = '0;
    step_we         = 1'b0;
    lookup_valid    = '0;
    lookup_write    = '0;
    lookup_kv_addr  = '0;
    answer_ready    = '0;
    cmd_valid       = 1'b0;
    cmd_takes       = 1'b0;
    cmd_op          = '0;
    free_start      = 1'b0;
    free_request_id = '0;
    scan_start      = 1'b0;
    scan_busy       = 1'b0;
    scan_row        = '0;
    scan_cfg        = '0;
    dec_accept      = '0;
    evict_full      = 1'b0;
    prefetch_full   = 1'b0;
    slots_we        = '0;
  end
endmodule
