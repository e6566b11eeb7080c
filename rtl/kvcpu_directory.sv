// The directory with what belongs to it alone: the entries and who changes them (kvcpu_rtbd), the slots of the tiers
// that entries occupy (kvcpu_slot_pool, one for each tier), and the window through which software reads entries
// (kvcpu_bar2).
//
// The cut is here because the slot pools and the window have no other client: an operation allocates and frees slots
// at its commit point, and the window reads through an operation.

`include "kvcpu_assert.svh"

module kvcpu_directory #(
  /// Directory entries. Power of two, 1,024 to 65,536 (device.md 1).
  parameter int unsigned ENTRIES = 65536,
  /// Scoring lanes and directory banks. Legal: 4, 8, 16 (device.md 1).
  parameter int unsigned LANES = 16,
  /// Lookup ports. Legal: 1 to 8 (device.md 1).
  parameter int unsigned PORTS = 3,
  /// Tokens per block. Power of two, 1 to 256 (device.md 1).
  parameter int unsigned BLOCK_TOKENS = 16,
  /// DMA moves that may run at once. Power of two, 16 to 64.
  parameter int unsigned MOVES = 64
) (
  /// Clock.
  input  logic                            clk_i,
  /// Reset, active low.
  input  logic                            rst_ni,
  /// Soft reset: nothing new enters the pipeline.
  input  logic                            halt_i,
  /// Soft reset: clear (one cycle, with the pipeline empty).
  input  logic                            clear_i,
  /// The pipeline is empty.
  output logic                            quiet_o,
  /// Slots are being configured: no operation that takes a slot may enter.
  input  logic                            takes_hold_i,
  /// No operation that takes a slot is in the pipeline, and none may enter.
  output logic                            takes_quiet_o,
  /// A slot has been taken for an INSERT that commits in the next cycle: free slots must not be judged.
  output logic                            slot_ahead_o,
  /// The directory has been cleared; commands are accepted.
  output logic                            ready_o,
  /// No lookup is on its way and no answer waits.
  output logic                            ports_idle_o,
  /// Configuration registers.
  input  kvcpu_pkg::cfg_t                 cfg_i,
  /// The same, as they are from the next cycle on.
  input  kvcpu_pkg::cfg_t                 cfg_next_i,
  /// Current step.
  input  logic [31:0]                     step_i,
  /// The step is written: it is `step_new_i` from the next cycle on.
  input  logic                            step_we_i,
  /// The new step; means nothing while `step_we_i` is low.
  input  logic [31:0]                     step_new_i,
  /// Lookup ports: request valid (device.md 3).
  input  logic [PORTS-1:0]                lookup_valid_i,
  /// Lookup ports: request taken.
  output logic [PORTS-1:0]                lookup_ready_o,
  /// Lookup ports: KV address.
  input  logic [PORTS-1:0][63:0]          lookup_kv_addr_i,
  /// Lookup ports: write lookup.
  input  logic [PORTS-1:0]                lookup_write_i,
  /// Answers, in order per port.
  output logic [PORTS-1:0]                answer_valid_o,
  /// Answers: taken.
  input  logic [PORTS-1:0]                answer_ready_i,
  /// Answers: hit.
  output logic [PORTS-1:0]                answer_hit_o,
  /// Answers: outside the tenant window.
  output logic [PORTS-1:0]                answer_denied_o,
  /// Answers: tier.
  output logic [PORTS-1:0][1:0]           answer_tier_o,
  /// Answers: PHYS_ADDR, bytes.
  output logic [PORTS-1:0][63:0]          answer_phys_addr_o,
  /// Answers: index of the entry.
  output logic [PORTS-1:0][15:0]          answer_index_o,
  /// Commands: operation.
  input  logic                            cmd_valid_i,
  /// Commands: taken.
  output logic                            cmd_ready_o,
  /// Commands: the operation.
  input  kvcpu_pkg::op_t                  cmd_op_i,
  /// Commands: it takes a slot.
  input  logic                            cmd_takes_i,
  /// DMA: operation.
  input  logic                            dma_valid_i,
  /// DMA: taken.
  output logic                            dma_ready_o,
  /// DMA: the operation.
  input  kvcpu_pkg::op_t                  dma_op_i,
  /// Result, one cycle after the commit point: for commands.
  output logic                            cmd_rsp_valid_o,
  /// Result: for the DMA.
  output logic                            dma_rsp_valid_o,
  /// Result for the DMA and BAR2.
  output kvcpu_pkg::rsp_t                 rsp_o,
  /// Result for commands.
  output kvcpu_pkg::rsp_t                 cmd_rsp_o,
  /// An INSERT is at S1: `cmd_phys_addr_o` and `cmd_index_o` are those of its new entry, if it gets one here.
  output logic                            cmd_insert_o,
  /// It does: this is its result (OK), and no other follows.
  output logic                            cmd_inserted_o,
  /// PHYS_ADDR of the new entry, bytes.
  output logic [63:0]                     cmd_phys_addr_o,
  /// Index of the new entry.
  output logic [kvcpu_pkg::IndexW-1:0]    cmd_index_o,
  /// FREE_REQUEST: start (pulse).
  input  logic                            free_start_i,
  /// FREE_REQUEST: request.
  input  logic [15:0]                     free_request_id_i,
  /// FREE_REQUEST: done (pulse).
  output logic                            free_done_o,
  /// FREE_REQUEST: entries that went; valid with `free_done_o`.
  output logic [kvcpu_pkg::CountW-1:0]    free_removed_o,
  /// FREE_REQUEST: entries that stayed; valid with `free_done_o`.
  output logic [kvcpu_pkg::CountW-1:0]    free_stayed_o,
  /// Scan: stop the walks that started in the cycle before.
  input  logic                            scan_stop_i,
  /// Scan: start (pulse).
  input  logic                            scan_start_i,
  /// Scan: start row.
  input  logic [kvcpu_pkg::RowW-1:0]      scan_row_i,
  /// Scan: runs.
  input  logic                            scan_busy_i,
  /// Scan: configuration.
  input  kvcpu_pkg::scan_cfg_t            scan_cfg_i,
  /// Scan: the bank has walked all its rows.
  output logic [LANES-1:0]                lane_done_o,
  /// Scan decisions (S5), to kvcpu_moveq.
  output logic [LANES-1:0]                dec_valid_o,
  /// Scan decisions: evict (1) or prefetch (0).
  output logic [LANES-1:0]                dec_evict_o,
  /// Scan decisions: items.
  output kvcpu_pkg::item_t [LANES-1:0]    dec_item_o,
  /// Scan decisions: taken.
  input  logic [LANES-1:0]                dec_accept_i,
  /// Scan decisions: dropped.
  input  logic [LANES-1:0]                dec_drop_i,
  /// Histogram: valid (S5).
  output logic [LANES-1:0]                hist_valid_o,
  /// Histogram: tier.
  output logic [LANES-1:0][1:0]           hist_tier_o,
  /// Histogram: P[15:8].
  output logic [LANES-1:0][7:0]           hist_bin_o,
  /// Item of an operation (S3); not taken when its queue is full.
  output logic                            push_valid_o,
  /// It may push one: its channel and its item are valid. Known early in the cycle.
  output logic                            push_may_o,
  /// Its channel.
  output logic                            push_channel_o,
  /// The item.
  output kvcpu_pkg::item_t                push_item_o,
  /// The evict queue has no place.
  input  logic                            evict_full_i,
  /// The prefetch queue has no place.
  input  logic                            prefetch_full_i,
  /// DMA: stop these moves; a cycle after the commit point.
  output logic [MOVES-1:0]                abort_o,
  /// Miss queue: push.
  output logic                            miss_valid_o,
  /// Miss queue: KV address.
  output kvcpu_pkg::kv_addr_t             miss_kv_addr_o,
  /// Counter event: a hit.
  output logic                            count_hit_o,
  /// Counter event: a miss.
  output logic                            count_miss_o,
  /// Counter event: a denial.
  output logic                            count_denied_o,
  /// Counter event: entries read with bad parity in this cycle.
  output logic [5:0]                      count_parity_o,
  /// Index of one of them.
  output logic [15:0]                     parity_index_o,
  /// BAR2 write address, bytes; writes get SLVERR.
  input  logic [21:0]                     bar2_awaddr_i,
  /// BAR2 write address valid.
  input  logic                            bar2_awvalid_i,
  /// BAR2 write address taken.
  output logic                            bar2_awready_o,
  /// BAR2 write data.
  input  logic [63:0]                     bar2_wdata_i,
  /// BAR2 write strobes.
  input  logic [7:0]                      bar2_wstrb_i,
  /// BAR2 write data valid.
  input  logic                            bar2_wvalid_i,
  /// BAR2 write data taken.
  output logic                            bar2_wready_o,
  /// BAR2 write response: SLVERR.
  output logic [1:0]                      bar2_bresp_o,
  /// BAR2 write response valid.
  output logic                            bar2_bvalid_o,
  /// BAR2 write response taken.
  input  logic                            bar2_bready_i,
  /// BAR2 read address, bytes: index * 32 + word * 8.
  input  logic [21:0]                     bar2_araddr_i,
  /// BAR2 read address valid.
  input  logic                            bar2_arvalid_i,
  /// BAR2 read address taken.
  output logic                            bar2_arready_o,
  /// BAR2 read data.
  output logic [63:0]                     bar2_rdata_o,
  /// BAR2 read response: OKAY or SLVERR.
  output logic [1:0]                      bar2_rresp_o,
  /// BAR2 read data valid.
  output logic                            bar2_rvalid_o,
  /// BAR2 read data taken.
  input  logic                            bar2_rready_i,
  /// The directory is initialised, and no soft reset is under way.
  input  logic                            initialised_i,
  /// Per tier: SLOTS has a new value (pulse): its slots are all free again.
  input  logic [kvcpu_pkg::TierCount-1:0] slots_we_i,
  /// STEP_ADVANCE: quarantined slots become free (pulse).
  input  logic                            fence_i,
  /// Per tier: free slots.
  output logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::CountW-1:0] slots_free_o,
  /// Per tier: fewer are free than LOW.
  output logic [kvcpu_pkg::TierCount-1:0] slots_below_low_o,
  /// Per tier: at least HIGH are free.
  output logic [kvcpu_pkg::TierCount-1:0] slots_at_high_o,
  /// Per tier: all slots are free.
  output logic [kvcpu_pkg::TierCount-1:0] slots_unused_o
);
  import kvcpu_pkg::*;

  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= MaxEntries && $onehot(ENTRIES),
                     "ENTRIES must be a power of two from 1,024 to 65,536")
  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(ports, PORTS >= 1 && PORTS <= MaxPorts, "PORTS must be 1 to 8")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")
  `KVCPU_CHECK_PARAM(moves, MOVES >= 16 && MOVES <= 64 && $onehot(MOVES), "MOVES must be a power of two from 16 to 64")

  // ------------------------------------------------------------------ BAR2
  logic bar2_op_valid, bar2_op_ready, bar2_rsp_valid;
  op_t bar2_op;

  kvcpu_bar2 #(
    .ENTRIES(ENTRIES)
  ) u_bar2 (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .clear_i         (clear_i),
    .initialised_i   (initialised_i),
    .s_axil_awaddr_i (bar2_awaddr_i),
    .s_axil_awvalid_i(bar2_awvalid_i),
    .s_axil_awready_o(bar2_awready_o),
    .s_axil_wdata_i  (bar2_wdata_i),
    .s_axil_wstrb_i  (bar2_wstrb_i),
    .s_axil_wvalid_i (bar2_wvalid_i),
    .s_axil_wready_o (bar2_wready_o),
    .s_axil_bresp_o  (bar2_bresp_o),
    .s_axil_bvalid_o (bar2_bvalid_o),
    .s_axil_bready_i (bar2_bready_i),
    .s_axil_araddr_i (bar2_araddr_i),
    .s_axil_arvalid_i(bar2_arvalid_i),
    .s_axil_arready_o(bar2_arready_o),
    .s_axil_rdata_o  (bar2_rdata_o),
    .s_axil_rresp_o  (bar2_rresp_o),
    .s_axil_rvalid_o (bar2_rvalid_o),
    .s_axil_rready_i (bar2_rready_i),
    .op_valid_o      (bar2_op_valid),
    .op_ready_i      (bar2_op_ready),
    .op_o            (bar2_op),
    .rsp_valid_i     (bar2_rsp_valid),
    .rsp_i           (rsp_o)
  );

  // ------------------------------------------------------------------ RTBD
  logic [TierCount-1:0] take, slot_avail, slot_some, slot_above, put;
  logic [TierCount-1:0][SlotW-1:0] slot;
  logic [TierCount-1:0][OfferW-1:0] offer;
  logic put_held;
  logic [SlotW-1:0] put_slot;

  kvcpu_rtbd #(
    .ENTRIES     (ENTRIES),
    .LANES       (LANES),
    .PORTS       (PORTS),
    .BLOCK_TOKENS(BLOCK_TOKENS),
    .MOVES       (MOVES)
  ) u_rtbd (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .halt_i            (halt_i),
    .clear_i           (clear_i),
    .quiet_o           (quiet_o),
    .takes_hold_i      (takes_hold_i),
    .takes_quiet_o     (takes_quiet_o),
    .slot_ahead_o      (slot_ahead_o),
    .ready_o           (ready_o),
    .ports_idle_o      (ports_idle_o),
    .cfg_i             (cfg_i),
    .cfg_next_i        (cfg_next_i),
    .step_i            (step_i),
    .step_we_i         (step_we_i),
    .step_new_i        (step_new_i),
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
    .cmd_valid_i       (cmd_valid_i),
    .cmd_ready_o       (cmd_ready_o),
    .cmd_op_i          (cmd_op_i),
    .cmd_takes_i       (cmd_takes_i),
    .dma_valid_i       (dma_valid_i),
    .dma_ready_o       (dma_ready_o),
    .dma_op_i          (dma_op_i),
    .bar2_valid_i      (bar2_op_valid),
    .bar2_ready_o      (bar2_op_ready),
    .bar2_op_i         (bar2_op),
    .cmd_rsp_valid_o   (cmd_rsp_valid_o),
    .dma_rsp_valid_o   (dma_rsp_valid_o),
    .bar2_rsp_valid_o  (bar2_rsp_valid),
    .rsp_o             (rsp_o),
    .cmd_rsp_o         (cmd_rsp_o),
    .cmd_insert_o      (cmd_insert_o),
    .cmd_inserted_o    (cmd_inserted_o),
    .cmd_phys_addr_o   (cmd_phys_addr_o),
    .cmd_index_o       (cmd_index_o),
    .free_start_i      (free_start_i),
    .free_request_id_i (free_request_id_i),
    .free_done_o       (free_done_o),
    .free_removed_o    (free_removed_o),
    .free_stayed_o     (free_stayed_o),
    .scan_stop_i       (scan_stop_i),
    .scan_start_i      (scan_start_i),
    .scan_row_i        (scan_row_i),
    .scan_busy_i       (scan_busy_i),
    .scan_cfg_i        (scan_cfg_i),
    .lane_done_o       (lane_done_o),
    .dec_valid_o       (dec_valid_o),
    .dec_evict_o       (dec_evict_o),
    .dec_item_o        (dec_item_o),
    .dec_accept_i      (dec_accept_i),
    .dec_drop_i        (dec_drop_i),
    .hist_valid_o      (hist_valid_o),
    .hist_tier_o       (hist_tier_o),
    .hist_bin_o        (hist_bin_o),
    .push_valid_o      (push_valid_o),
    .push_may_o        (push_may_o),
    .push_channel_o    (push_channel_o),
    .push_item_o       (push_item_o),
    .evict_full_i      (evict_full_i),
    .prefetch_full_i   (prefetch_full_i),
    .take_o            (take),
    .slot_avail_i      (slot_avail),
    .slot_some_i       (slot_some),
    .slot_above_i      (slot_above),
    .slot_i            (slot),
    .offer_i           (offer),
    .put_o             (put),
    .put_held_o        (put_held),
    .put_slot_o        (put_slot),
    .abort_o           (abort_o),
    .miss_valid_o      (miss_valid_o),
    .miss_kv_addr_o    (miss_kv_addr_o),
    .count_hit_o       (count_hit_o),
    .count_miss_o      (count_miss_o),
    .count_denied_o    (count_denied_o),
    .count_parity_o    (count_parity_o),
    .parity_index_o    (parity_index_o)
  );

  // ------------------------------------------------------------------ slots
  logic [TierCount-1:0][CountW-1:0] unused_held;
  for (genvar t = 0; t < TierCount; t++) begin : gen_pool
    kvcpu_slot_pool #(
      .ENTRIES(ENTRIES)
    ) u_pool (
      .clk_i      (clk_i),
      .rst_ni     (rst_ni),
      .clear_i    (clear_i),
      .slots_i    (cfg_next_i.slots[t]),
      .config_we_i(slots_we_i[t]),
      .reserve_i  (cfg_next_i.reserve[t]),
      .low_i      (cfg_next_i.low[t]),
      .high_i     (cfg_next_i.high[t]),
      .fence_i    (fence_i),
      .take_i     (take[t]),
      .put_i      (put[t]),
      .put_held_i (put_held),
      .put_slot_i (put_slot),
      .avail_o    (slot_avail[t]),
      .slot_o     (slot[t]),
      .offer_o    (offer[t]),
      .free_o     (slots_free_o[t]),
      .some_o     (slot_some[t]),
      .above_o    (slot_above[t]),
      .below_low_o(slots_below_low_o[t]),
      .at_high_o  (slots_at_high_o[t]),
      .held_o     (unused_held[t]),
      .unused_o   (slots_unused_o[t])
    );
  end

endmodule
