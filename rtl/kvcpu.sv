// KV-CPU: a memory device for KV-cache blocks. It keeps a directory of every block (RTBD), scores all
// of them on every decode step (HEPC) and moves blocks between memory tiers by itself (DMA).
// docs/device.md is the contract, docs/microarchitecture.md tells how it is met.
//
// Here the four parts are connected: kvcpu_host (what software sees), kvcpu_directory (entries, slots, window),
// kvcpu_hepc (scans and queues of items) and kvcpu_dma (moves), and kvcpu_soft_reset, which stops all of them. The
// client ports and the buses are flat signals: structs inside would be unpacked into as many lines here, and the width
// of the memory port is a parameter, which a struct of a package cannot follow.

module kvcpu
  import kvcpu_pkg::*;
#(
  /// Directory entries. Power of two, 1,024 to 65,536 (device.md 1).
  parameter int unsigned ENTRIES = 65536,
  /// Scoring lanes and directory banks. Legal: 4, 8, 16 (device.md 1).
  parameter int unsigned LANES = 16,
  /// Lookup ports. Legal: 1 to 8 (device.md 1).
  parameter int unsigned PORTS = 3,
  /// Tokens per block. Power of two, 1 to 256 (device.md 1).
  parameter int unsigned BLOCK_TOKENS = 16,
  /// Data width of the memory port, bits. Power of two, 64 to 512 (device.md 1).
  parameter int unsigned AXI_DATA_WIDTH = 512,
  /// DMA moves that may run at once. Power of two, 16 to 64.
  parameter int unsigned MOVES = 64,
  /// DMA bursts that may be in flight; one AXI ID each. Power of two, 2 to 256.
  parameter int unsigned BURSTS = 64,
  /// Clock as CAPS tells it, MHz.
  parameter int unsigned CLOCK_MHZ = 250,
  localparam int unsigned AxiIdW = $clog2(BURSTS)
) (
  /// Clock.
  input  logic                       clk_i,
  /// Reset, active low, released synchronously (device.md 10).
  input  logic                       rst_ni,
  /// Interrupt, level (device.md 7).
  output logic                       irq_o,

  // BAR0: registers, AXI4-Lite, 64-bit data (device.md 7)
  /// BAR0 write address, bytes.
  input  logic [15:0]                bar0_awaddr_i,
  /// BAR0 write address valid.
  input  logic                       bar0_awvalid_i,
  /// BAR0 write address taken.
  output logic                       bar0_awready_o,
  /// BAR0 write data.
  input  logic [63:0]                bar0_wdata_i,
  /// BAR0 write strobes; only all ones are accepted.
  input  logic [7:0]                 bar0_wstrb_i,
  /// BAR0 write data valid.
  input  logic                       bar0_wvalid_i,
  /// BAR0 write data taken.
  output logic                       bar0_wready_o,
  /// BAR0 write response: OKAY or SLVERR.
  output logic [1:0]                 bar0_bresp_o,
  /// BAR0 write response valid.
  output logic                       bar0_bvalid_o,
  /// BAR0 write response taken.
  input  logic                       bar0_bready_i,
  /// BAR0 read address, bytes.
  input  logic [15:0]                bar0_araddr_i,
  /// BAR0 read address valid.
  input  logic                       bar0_arvalid_i,
  /// BAR0 read address taken.
  output logic                       bar0_arready_o,
  /// BAR0 read data.
  output logic [63:0]                bar0_rdata_o,
  /// BAR0 read response: OKAY or SLVERR.
  output logic [1:0]                 bar0_rresp_o,
  /// BAR0 read data valid.
  output logic                       bar0_rvalid_o,
  /// BAR0 read data taken.
  input  logic                       bar0_rready_i,

  // BAR2: directory window, AXI4-Lite, read-only (device.md 9)
  /// BAR2 write address, bytes; writes get SLVERR.
  input  logic [21:0]                bar2_awaddr_i,
  /// BAR2 write address valid.
  input  logic                       bar2_awvalid_i,
  /// BAR2 write address taken.
  output logic                       bar2_awready_o,
  /// BAR2 write data.
  input  logic [63:0]                bar2_wdata_i,
  /// BAR2 write strobes.
  input  logic [7:0]                 bar2_wstrb_i,
  /// BAR2 write data valid.
  input  logic                       bar2_wvalid_i,
  /// BAR2 write data taken.
  output logic                       bar2_wready_o,
  /// BAR2 write response: SLVERR.
  output logic [1:0]                 bar2_bresp_o,
  /// BAR2 write response valid.
  output logic                       bar2_bvalid_o,
  /// BAR2 write response taken.
  input  logic                       bar2_bready_i,
  /// BAR2 read address, bytes: index * 32 + word * 8.
  input  logic [21:0]                bar2_araddr_i,
  /// BAR2 read address valid.
  input  logic                       bar2_arvalid_i,
  /// BAR2 read address taken.
  output logic                       bar2_arready_o,
  /// BAR2 read data.
  output logic [63:0]                bar2_rdata_o,
  /// BAR2 read response: OKAY or SLVERR.
  output logic [1:0]                 bar2_rresp_o,
  /// BAR2 read data valid.
  output logic                       bar2_rvalid_o,
  /// BAR2 read data taken.
  input  logic                       bar2_rready_i,

  // Lookup ports (device.md 3)
  /// Lookup request valid, per port.
  input  logic [PORTS-1:0]           lookup_valid_i,
  /// Lookup request taken, per port.
  output logic [PORTS-1:0]           lookup_ready_o,
  /// KV address, per port.
  input  logic [PORTS-1:0][63:0]     lookup_kv_addr_i,
  /// Write lookup, per port.
  input  logic [PORTS-1:0]           lookup_write_i,
  /// Answer valid, per port, in order.
  output logic [PORTS-1:0]           answer_valid_o,
  /// Answer taken, per port.
  input  logic [PORTS-1:0]           answer_ready_i,
  /// Answer: hit.
  output logic [PORTS-1:0]           answer_hit_o,
  /// Answer: outside the port's tenant window.
  output logic [PORTS-1:0]           answer_denied_o,
  /// Answer: tier of the block, 0 on a miss.
  output logic [PORTS-1:0][1:0]      answer_tier_o,
  /// Answer: PHYS_ADDR of the block, bytes, 0 on a miss.
  output logic [PORTS-1:0][63:0]     answer_phys_addr_o,
  /// Answer: index of the entry, 0 on a miss.
  output logic [PORTS-1:0][15:0]     answer_index_o,

  // Memory: AXI4 master (device.md 6); AxUSER is the tier
  /// Write address ID.
  output logic [AxiIdW-1:0]          axi_awid_o,
  /// Write address: PHYS_ADDR of the burst, bytes.
  output logic [63:0]                axi_awaddr_o,
  /// Beats - 1.
  output logic [7:0]                 axi_awlen_o,
  /// log2 of the bytes of a beat.
  output logic [2:0]                 axi_awsize_o,
  /// INCR.
  output logic [1:0]                 axi_awburst_o,
  /// Tier.
  output logic [1:0]                 axi_awuser_o,
  /// Normal access (0).
  output logic                       axi_awlock_o,
  /// Normal, non-cacheable, bufferable memory.
  output logic [3:0]                 axi_awcache_o,
  /// Unprivileged, secure, data.
  output logic [2:0]                 axi_awprot_o,
  /// No quality of service (0).
  output logic [3:0]                 axi_awqos_o,
  /// Write address valid.
  output logic                       axi_awvalid_o,
  /// Write address taken.
  input  logic                       axi_awready_i,
  /// Write data.
  output logic [AXI_DATA_WIDTH-1:0]  axi_wdata_o,
  /// Write strobes, all ones.
  output logic [AXI_DATA_WIDTH/8-1:0] axi_wstrb_o,
  /// Last beat.
  output logic                       axi_wlast_o,
  /// Write data valid.
  output logic                       axi_wvalid_o,
  /// Write data taken.
  input  logic                       axi_wready_i,
  /// Write response ID.
  input  logic [AxiIdW-1:0]          axi_bid_i,
  /// Write response.
  input  logic [1:0]                 axi_bresp_i,
  /// Write response valid.
  input  logic                       axi_bvalid_i,
  /// Write response taken.
  output logic                       axi_bready_o,
  /// Read address ID.
  output logic [AxiIdW-1:0]          axi_arid_o,
  /// Read address: PHYS_ADDR of the burst, bytes.
  output logic [63:0]                axi_araddr_o,
  /// Beats - 1.
  output logic [7:0]                 axi_arlen_o,
  /// log2 of the bytes of a beat.
  output logic [2:0]                 axi_arsize_o,
  /// INCR.
  output logic [1:0]                 axi_arburst_o,
  /// Tier.
  output logic [1:0]                 axi_aruser_o,
  /// Normal access (0).
  output logic                       axi_arlock_o,
  /// Normal, non-cacheable, bufferable memory.
  output logic [3:0]                 axi_arcache_o,
  /// Unprivileged, secure, data.
  output logic [2:0]                 axi_arprot_o,
  /// No quality of service (0).
  output logic [3:0]                 axi_arqos_o,
  /// Read address valid.
  output logic                       axi_arvalid_o,
  /// Read address taken.
  input  logic                       axi_arready_i,
  /// Read data ID.
  input  logic [AxiIdW-1:0]          axi_rid_i,
  /// Read data.
  input  logic [AXI_DATA_WIDTH-1:0]  axi_rdata_i,
  /// Read response.
  input  logic [1:0]                 axi_rresp_i,
  /// Last beat.
  input  logic                       axi_rlast_i,
  /// Read data valid.
  input  logic                       axi_rvalid_i,
  /// Read data taken.
  output logic                       axi_rready_o
);

  // ------------------------------------------------------------------ shared
  cfg_t cfg, cfg_next;
  scan_cfg_t scan_cfg;
  logic halt, clear, initialised, soft_reset_request, rtbd_ready, rtbd_quiet, dma_idle, ports_idle, waiting;
  logic step_we, takes_hold, takes_quiet, slot_ahead, scan_busy, scan_done, scan_coalesced, pressure_began;
  logic [31:0] step_new, step_now, scan_cycles, first_decision_cycles;
  logic [TierCount-1:0] slots_we, slot_below_low, slot_at_high, pool_unused, none_departs;
  logic [TierCount-1:0][CountW-1:0] slot_free;
  logic [2:0][16:0] auto_thresh;

  // Operations of commands and of the DMA, and what becomes of them.
  logic cmd_op_valid, cmd_op_ready, cmd_op_takes, cmd_rsp_valid, cmd_insert, cmd_inserted;
  logic dma_op_valid, dma_op_ready, dma_rsp_valid, free_start, free_done;
  op_t cmd_op, dma_op;
  rsp_t rsp, cmd_rsp;
  logic [63:0] cmd_phys_addr;
  logic [IndexW-1:0] cmd_index;
  logic [15:0] free_request_id;
  logic [CountW-1:0] free_removed, free_stayed;

  // What software reads, counts or is interrupted by.
  logic miss_valid, compl_valid, err_valid, err_channel, err_write, count_hit, count_miss, count_denied;
  kv_addr_t miss_kv_addr, err_kv_addr;
  completion_t compl_item;
  logic [1:0][6:0] q_level;
  logic [4:0] evict_dropped, prefetch_dropped;
  logic [5:0] count_parity;
  logic [IndexW-1:0] parity_index;
  logic [1:0][63:0] bytes_moved, errors, voids;

  // ------------------------------------------------------------------ host side
  kvcpu_host #(
    .ENTRIES       (ENTRIES),
    .LANES         (LANES),
    .PORTS         (PORTS),
    .BLOCK_TOKENS  (BLOCK_TOKENS),
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
    .CLOCK_MHZ     (CLOCK_MHZ)
  ) u_host (
    .clk_i                  (clk_i),
    .rst_ni                 (rst_ni),
    .clear_i                (clear),
    .bar0_awaddr_i          (bar0_awaddr_i),
    .bar0_awvalid_i         (bar0_awvalid_i),
    .bar0_awready_o         (bar0_awready_o),
    .bar0_wdata_i           (bar0_wdata_i),
    .bar0_wstrb_i           (bar0_wstrb_i),
    .bar0_wvalid_i          (bar0_wvalid_i),
    .bar0_wready_o          (bar0_wready_o),
    .bar0_bresp_o           (bar0_bresp_o),
    .bar0_bvalid_o          (bar0_bvalid_o),
    .bar0_bready_i          (bar0_bready_i),
    .bar0_araddr_i          (bar0_araddr_i),
    .bar0_arvalid_i         (bar0_arvalid_i),
    .bar0_arready_o         (bar0_arready_o),
    .bar0_rdata_o           (bar0_rdata_o),
    .bar0_rresp_o           (bar0_rresp_o),
    .bar0_rvalid_o          (bar0_rvalid_o),
    .bar0_rready_i          (bar0_rready_i),
    .irq_o                  (irq_o),
    .cfg_o                  (cfg_next),
    .step_we_o              (step_we),
    .step_o                 (step_new),
    .soft_reset_o           (soft_reset_request),
    .slots_we_o             (slots_we),
    .slots_hold_o           (takes_hold),
    .slots_quiet_i          (takes_quiet),
    .slots_unused_i         (pool_unused),
    .initialised_i          (initialised),
    .scanning_i             (scan_busy),
    .current_step_i         (step_now),
    .q_level_i              (q_level),
    .err_valid_i            (err_valid),
    .err_kv_addr_i          (err_kv_addr),
    .err_channel_i          (err_channel),
    .err_write_i            (err_write),
    .parity_index_i         (parity_index),
    .slots_free_i           (slot_free),
    .auto_thresh_i          (auto_thresh),
    .pressure_i             (scan_cfg.pressure),
    .scan_cycles_i          (scan_cycles),
    .first_decision_cycles_i(first_decision_cycles),
    .waiting_i              (waiting),
    .none_departs_i         (none_departs),
    .ports_idle_i           (ports_idle),
    .cmd_op_valid_o         (cmd_op_valid),
    .cmd_op_ready_i         (cmd_op_ready),
    .cmd_op_o               (cmd_op),
    .cmd_op_takes_o         (cmd_op_takes),
    .cmd_rsp_valid_i        (cmd_rsp_valid),
    .cmd_rsp_i              (cmd_rsp),
    .cmd_insert_i           (cmd_insert),
    .cmd_inserted_i         (cmd_inserted),
    .cmd_phys_addr_i        (cmd_phys_addr),
    .cmd_index_i            (cmd_index),
    .free_start_o           (free_start),
    .free_request_id_o      (free_request_id),
    .free_done_i            (free_done),
    .free_removed_i         (free_removed),
    .free_stayed_i          (free_stayed),
    .miss_valid_i           (miss_valid),
    .miss_kv_addr_i         (miss_kv_addr),
    .compl_valid_i          (compl_valid),
    .compl_item_i           (compl_item),
    .pressure_began_i       (pressure_began),
    .count_hit_i            (count_hit),
    .count_miss_i           (count_miss),
    .count_denied_i         (count_denied),
    .evict_dropped_i        (evict_dropped),
    .prefetch_dropped_i     (prefetch_dropped),
    .scan_coalesced_i       (scan_coalesced),
    .scan_done_i            (scan_done),
    .parity_i               (count_parity),
    .bytes_moved_i          (bytes_moved),
    .errors_i               (errors),
    .voids_i                (voids)
  );

  // The whole device but the front end sees the configuration a cycle later. What is worked out ahead
  // for the next cycle takes it from cfg_next. Its reset is that of the registers.
  always_ff @(posedge clk_i) cfg <= cfg_next;

  assign initialised = rtbd_ready && !halt;

  kvcpu_soft_reset u_soft_reset (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .request_i (soft_reset_request),
    .dma_idle_i(dma_idle),
    .quiet_i   (rtbd_quiet),
    .halt_o    (halt),
    .clear_o   (clear)
  );

  // ------------------------------------------------------------------ directory
  logic walk_start, walk_stop, fence, push_valid, push_may, push_channel, evict_full, prefetch_full;
  logic [RowW-1:0] scan_row;
  logic [LANES-1:0] lane_done, dec_valid, dec_evict, dec_accept, dec_drop, hist_valid;
  item_t [LANES-1:0] dec_item;
  logic [LANES-1:0][1:0] hist_tier;
  logic [LANES-1:0][7:0] hist_bin;
  item_t push_item;
  logic [MOVES-1:0] abort;

  kvcpu_directory #(
    .ENTRIES     (ENTRIES),
    .LANES       (LANES),
    .PORTS       (PORTS),
    .BLOCK_TOKENS(BLOCK_TOKENS),
    .MOVES       (MOVES)
  ) u_directory (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .halt_i            (halt),
    .clear_i           (clear),
    .quiet_o           (rtbd_quiet),
    .takes_hold_i      (takes_hold),
    .takes_quiet_o     (takes_quiet),
    .slot_ahead_o      (slot_ahead),
    .ready_o           (rtbd_ready),
    .ports_idle_o      (ports_idle),
    .cfg_i             (cfg),
    .cfg_next_i        (cfg_next),
    .step_i            (step_now),
    .step_we_i         (step_we),
    .step_new_i        (step_new),
    .lookup_valid_i    (lookup_valid_i),
    .lookup_ready_o    (lookup_ready_o),
    .lookup_kv_addr_i  (lookup_kv_addr_i),
    .lookup_write_i    (lookup_write_i),
    .answer_valid_o    (answer_valid_o),
    .answer_ready_i    (answer_ready_i),
    .answer_hit_o      (answer_hit_o),
    .answer_denied_o   (answer_denied_o),
    .answer_tier_o     (answer_tier_o),
    .answer_phys_addr_o(answer_phys_addr_o),
    .answer_index_o    (answer_index_o),
    .cmd_valid_i       (cmd_op_valid),
    .cmd_ready_o       (cmd_op_ready),
    .cmd_op_i          (cmd_op),
    .cmd_takes_i       (cmd_op_takes),
    .dma_valid_i       (dma_op_valid),
    .dma_ready_o       (dma_op_ready),
    .dma_op_i          (dma_op),
    .cmd_rsp_valid_o   (cmd_rsp_valid),
    .dma_rsp_valid_o   (dma_rsp_valid),
    .rsp_o             (rsp),
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
    .scan_stop_i       (walk_stop),
    .scan_start_i      (walk_start),
    .scan_row_i        (scan_row),
    .scan_busy_i       (scan_busy),
    .scan_cfg_i        (scan_cfg),
    .lane_done_o       (lane_done),
    .dec_valid_o       (dec_valid),
    .dec_evict_o       (dec_evict),
    .dec_item_o        (dec_item),
    .dec_accept_i      (dec_accept),
    .dec_drop_i        (dec_drop),
    .hist_valid_o      (hist_valid),
    .hist_tier_o       (hist_tier),
    .hist_bin_o        (hist_bin),
    .push_valid_o      (push_valid),
    .push_may_o        (push_may),
    .push_channel_o    (push_channel),
    .push_item_o       (push_item),
    .evict_full_i      (evict_full),
    .prefetch_full_i   (prefetch_full),
    .abort_o           (abort),
    .miss_valid_o      (miss_valid),
    .miss_kv_addr_o    (miss_kv_addr),
    .count_hit_o       (count_hit),
    .count_miss_o      (count_miss),
    .count_denied_o    (count_denied),
    .count_parity_o    (count_parity),
    .parity_index_o    (parity_index),
    .bar2_awaddr_i     (bar2_awaddr_i),
    .bar2_awvalid_i    (bar2_awvalid_i),
    .bar2_awready_o    (bar2_awready_o),
    .bar2_wdata_i      (bar2_wdata_i),
    .bar2_wstrb_i      (bar2_wstrb_i),
    .bar2_wvalid_i     (bar2_wvalid_i),
    .bar2_wready_o     (bar2_wready_o),
    .bar2_bresp_o      (bar2_bresp_o),
    .bar2_bvalid_o     (bar2_bvalid_o),
    .bar2_bready_i     (bar2_bready_i),
    .bar2_araddr_i     (bar2_araddr_i),
    .bar2_arvalid_i    (bar2_arvalid_i),
    .bar2_arready_o    (bar2_arready_o),
    .bar2_rdata_o      (bar2_rdata_o),
    .bar2_rresp_o      (bar2_rresp_o),
    .bar2_rvalid_o     (bar2_rvalid_o),
    .bar2_rready_i     (bar2_rready_i),
    .initialised_i     (initialised),
    .slots_we_i        (slots_we),
    .fence_i           (fence),
    .slots_free_o      (slot_free),
    .slots_below_low_o (slot_below_low),
    .slots_at_high_o   (slot_at_high),
    .slots_unused_o    (pool_unused)
  );

  // ------------------------------------------------------------------ HEPC
  logic [1:0] q_valid, q_pop;
  item_t [1:0] q_item;

  kvcpu_hepc #(
    .ENTRIES(ENTRIES),
    .LANES  (LANES)
  ) u_hepc (
    .clk_i                  (clk_i),
    .rst_ni                 (rst_ni),
    .clear_i                (clear),
    .initialised_i          (initialised),
    .slot_ahead_i           (slot_ahead),
    .step_we_i              (step_we),
    .step_i                 (step_new),
    .cfg_i                  (cfg),
    .slots_free_i           (slot_free),
    .slots_below_low_i      (slot_below_low[2:0]),
    .slots_at_high_i        (slot_at_high[2:0]),
    .lane_done_i            (lane_done),
    .current_step_o         (step_now),
    .fence_o                (fence),
    .walk_start_o           (walk_start),
    .walk_stop_o            (walk_stop),
    .scan_cfg_o             (scan_cfg),
    .scan_row_o             (scan_row),
    .scan_busy_o            (scan_busy),
    .scan_done_o            (scan_done),
    .scan_cycles_o          (scan_cycles),
    .first_decision_cycles_o(first_decision_cycles),
    .coalesced_o            (scan_coalesced),
    .pressure_began_o       (pressure_began),
    .auto_thresh_o          (auto_thresh),
    .hist_valid_i           (hist_valid),
    .hist_tier_i            (hist_tier),
    .hist_bin_i             (hist_bin),
    .dec_valid_i            (dec_valid),
    .dec_evict_i            (dec_evict),
    .dec_item_i             (dec_item),
    .dec_accept_o           (dec_accept),
    .dec_drop_o             (dec_drop),
    .push_valid_i           (push_valid),
    .push_may_i             (push_may),
    .push_channel_i         (push_channel),
    .push_item_i            (push_item),
    .q_valid_o              (q_valid),
    .q_item_o               (q_item),
    .q_pop_i                (q_pop),
    .q_level_o              (q_level),
    .evict_full_o           (evict_full),
    .prefetch_full_o        (prefetch_full),
    .waiting_o              (waiting),
    .compl_valid_i          (compl_valid),
    .compl_from_i           (compl_item.from),
    .none_departs_o         (none_departs),
    .evict_dropped_o        (evict_dropped),
    .prefetch_dropped_o     (prefetch_dropped)
  );

  // ------------------------------------------------------------------ DMA
  kvcpu_dma #(
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
    .BLOCK_TOKENS  (BLOCK_TOKENS),
    .MOVES         (MOVES),
    .BURSTS        (BURSTS)
  ) u_dma (
    .clk_i          (clk_i),
    .rst_ni         (rst_ni),
    .clear_i        (clear),
    .halt_i         (halt),
    .idle_o         (dma_idle),
    .active_o       (),
    .enable_i       (cfg.enable),
    .block_bytes_i  (cfg.block_bytes),
    .q_valid_i      (q_valid),
    .q_item_i       (q_item),
    .q_pop_o        (q_pop),
    .op_valid_o     (dma_op_valid),
    .op_ready_i     (dma_op_ready),
    .op_o           (dma_op),
    .rsp_valid_i    (dma_rsp_valid),
    .rsp_i          (rsp),
    .abort_i        (abort),
    .compl_valid_o  (compl_valid),
    .compl_o        (compl_item),
    .bytes_moved_o  (bytes_moved),
    .errors_o       (errors),
    .voids_o        (voids),
    .err_valid_o    (err_valid),
    .err_kv_addr_o  (err_kv_addr),
    .err_channel_o  (err_channel),
    .err_write_o    (err_write),
    .m_axi_awid_o   (axi_awid_o),
    .m_axi_awaddr_o (axi_awaddr_o),
    .m_axi_awlen_o  (axi_awlen_o),
    .m_axi_awsize_o (axi_awsize_o),
    .m_axi_awburst_o(axi_awburst_o),
    .m_axi_awlock_o (axi_awlock_o),
    .m_axi_awcache_o(axi_awcache_o),
    .m_axi_awprot_o (axi_awprot_o),
    .m_axi_awqos_o  (axi_awqos_o),
    .m_axi_awuser_o (axi_awuser_o),
    .m_axi_awvalid_o(axi_awvalid_o),
    .m_axi_awready_i(axi_awready_i),
    .m_axi_wdata_o  (axi_wdata_o),
    .m_axi_wstrb_o  (axi_wstrb_o),
    .m_axi_wlast_o  (axi_wlast_o),
    .m_axi_wvalid_o (axi_wvalid_o),
    .m_axi_wready_i (axi_wready_i),
    .m_axi_bid_i    (axi_bid_i),
    .m_axi_bresp_i  (axi_bresp_i),
    .m_axi_bvalid_i (axi_bvalid_i),
    .m_axi_bready_o (axi_bready_o),
    .m_axi_arid_o   (axi_arid_o),
    .m_axi_araddr_o (axi_araddr_o),
    .m_axi_arlen_o  (axi_arlen_o),
    .m_axi_arsize_o (axi_arsize_o),
    .m_axi_arburst_o(axi_arburst_o),
    .m_axi_arlock_o (axi_arlock_o),
    .m_axi_arcache_o(axi_arcache_o),
    .m_axi_arprot_o (axi_arprot_o),
    .m_axi_arqos_o  (axi_arqos_o),
    .m_axi_aruser_o (axi_aruser_o),
    .m_axi_arvalid_o(axi_arvalid_o),
    .m_axi_arready_i(axi_arready_i),
    .m_axi_rid_i    (axi_rid_i),
    .m_axi_rdata_i  (axi_rdata_i),
    .m_axi_rresp_i  (axi_rresp_i),
    .m_axi_rlast_i  (axi_rlast_i),
    .m_axi_rvalid_i (axi_rvalid_i),
    .m_axi_rready_o (axi_rready_o)
  );

endmodule
