// The host side of the device: all that software sees through BAR0. The registers (kvcpu_csr), the command queue with
// the walker of range commands (kvcpu_cmd), the queues that software reads (kvcpu_host_queues), the counters and the
// events of the interrupts.
//
// The cut is between what a driver talks to and what works on blocks: commands leave here as operations of the
// directory, one at a time; what happens there comes back as pulses, each counted, queued or raised as an interrupt.

`include "kvcpu_assert.svh"

module kvcpu_host #(
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
  /// Clock as CAPS tells it, MHz.
  parameter int unsigned CLOCK_MHZ = 250
) (
  /// Clock.
  input  logic                            clk_i,
  /// Reset, active low.
  input  logic                            rst_ni,
  /// Soft reset.
  input  logic                            clear_i,
  /// BAR0 write address, bytes.
  input  logic [15:0]                     bar0_awaddr_i,
  /// BAR0 write address valid.
  input  logic                            bar0_awvalid_i,
  /// BAR0 write address taken.
  output logic                            bar0_awready_o,
  /// BAR0 write data.
  input  logic [63:0]                     bar0_wdata_i,
  /// BAR0 write strobes; only all ones are accepted.
  input  logic [7:0]                      bar0_wstrb_i,
  /// BAR0 write data valid.
  input  logic                            bar0_wvalid_i,
  /// BAR0 write data taken.
  output logic                            bar0_wready_o,
  /// BAR0 write response: OKAY or SLVERR.
  output logic [1:0]                      bar0_bresp_o,
  /// BAR0 write response valid.
  output logic                            bar0_bvalid_o,
  /// BAR0 write response taken.
  input  logic                            bar0_bready_i,
  /// BAR0 read address, bytes.
  input  logic [15:0]                     bar0_araddr_i,
  /// BAR0 read address valid.
  input  logic                            bar0_arvalid_i,
  /// BAR0 read address taken.
  output logic                            bar0_arready_o,
  /// BAR0 read data.
  output logic [63:0]                     bar0_rdata_o,
  /// BAR0 read response: OKAY or SLVERR.
  output logic [1:0]                      bar0_rresp_o,
  /// BAR0 read data valid.
  output logic                            bar0_rvalid_o,
  /// BAR0 read data taken.
  input  logic                            bar0_rready_i,
  /// Interrupt, level (device.md 7).
  output logic                            irq_o,
  /// Configuration registers; each value holds until the write that changes it.
  output kvcpu_pkg::cfg_t                 cfg_o,
  /// STEP_ADVANCE was written, one cycle after the later of its AW and W handshakes.
  output logic                            step_we_o,
  /// The new step, with step_we_o.
  output logic [31:0]                     step_o,
  /// Soft reset was asked for (pulse). Launches are refused until clear_i has come and gone.
  output logic                            soft_reset_o,
  /// SLOTS of the tier has its new value from this cycle on (pulse): the pool starts afresh.
  output logic [kvcpu_pkg::TierCount-1:0] slots_we_o,
  /// While 1, no operation that may take a slot is accepted (a write of SLOTS, BASE or
  /// BLOCK_BYTES is being decided).
  output logic                            slots_hold_o,
  /// No operation that may take a slot is between its acceptance and its result, and none is
  /// accepted while slots_hold_o. Must come within 64 cycles of slots_hold_o.
  input  logic                            slots_quiet_i,
  /// Per tier: free == SLOTS and nothing held, occupied or reserved.
  input  logic [kvcpu_pkg::TierCount-1:0] slots_unused_i,
  /// The directory is initialised after a reset.
  input  logic                            initialised_i,
  /// A scan runs.
  input  logic                            scanning_i,
  /// The step as lookups see it.
  input  logic [31:0]                     current_step_i,
  /// Items in the evict and prefetch queue, 0 to 64.
  input  logic [1:0][6:0]                 q_level_i,
  /// An AXI error.
  input  logic                            err_valid_i,
  /// The KV address, channel and side (1 write) of an AXI error, with `err_valid_i`.
  input  kvcpu_pkg::kv_addr_t             err_kv_addr_i,
  /// Channel of the error: ChEvict or ChPrefetch.
  input  logic                            err_channel_i,
  /// Side of the error: 1 write (target), 0 read (source).
  input  logic                            err_write_i,
  /// Index of an entry read with bad parity, with `parity_i`.
  input  logic [kvcpu_pkg::IndexW-1:0]    parity_index_i,
  /// Free slots per tier.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::CountW-1:0] slots_free_i,
  /// Automatic thresholds of tiers 0 to 2, as the last scan start judged.
  input  logic [2:0][16:0]                auto_thresh_i,
  /// Tiers 0 to 2 under pressure.
  input  logic [2:0]                      pressure_i,
  /// Cycles of the last scan.
  input  logic [31:0]                     scan_cycles_i,
  /// Cycles from the last STEP_ADVANCE to its first decision.
  input  logic [31:0]                     first_decision_cycles_i,
  /// An item waits for a queue.
  input  logic                            waiting_i,
  /// Per tier: no item is queued, waiting or moving.
  input  logic [kvcpu_pkg::TierCount-1:0] none_departs_i,
  /// No lookup is on its way and no answer waits.
  input  logic                            ports_idle_i,
  /// An operation for the directory; holds until op_ready_i.
  output logic                            cmd_op_valid_o,
  /// The directory takes it in this cycle.
  input  logic                            cmd_op_ready_i,
  /// The operation (client ClCmd).
  output kvcpu_pkg::op_t                  cmd_op_o,
  /// It takes a slot: is an OpInsert.
  output logic                            cmd_op_takes_o,
  /// Response of an operation, in the order of the operations.
  input  logic                            cmd_rsp_valid_i,
  /// The response.
  input  kvcpu_pkg::rsp_t                 cmd_rsp_i,
  /// The directory works on an INSERT: the next two are those of its new entry, if it gets one here.
  input  logic                            cmd_insert_i,
  /// It does: the INSERT's result is OK, and no response follows. Late in its cycle.
  input  logic                            cmd_inserted_i,
  /// PHYS_ADDR, bytes.
  input  logic [63:0]                     cmd_phys_addr_i,
  /// Index.
  input  logic [kvcpu_pkg::IndexW-1:0]    cmd_index_i,
  /// Pulse: FREE_REQUEST starts.
  output logic                            free_start_o,
  /// Its request; stable until free_done_i.
  output logic [15:0]                     free_request_id_o,
  /// Pulse: FREE_REQUEST has walked the directory.
  input  logic                            free_done_i,
  /// Blocks removed, valid with free_done_i.
  input  logic [kvcpu_pkg::CountW-1:0]    free_removed_i,
  /// Blocks that stayed because they are referenced, valid with free_done_i.
  input  logic [kvcpu_pkg::CountW-1:0]    free_stayed_i,
  /// A lookup has missed.
  input  logic                            miss_valid_i,
  /// Its KV address.
  input  kvcpu_pkg::kv_addr_t             miss_kv_addr_i,
  /// An item has ended.
  input  logic                            compl_valid_i,
  /// Its completion.
  input  kvcpu_pkg::completion_t          compl_item_i,
  /// A tier came under pressure.
  input  logic                            pressure_began_i,
  /// A lookup hit.
  input  logic                            count_hit_i,
  /// A lookup missed.
  input  logic                            count_miss_i,
  /// A lookup was denied.
  input  logic                            count_denied_i,
  /// Items for the evict queue dropped in this cycle.
  input  logic [4:0]                      evict_dropped_i,
  /// Items for the prefetch queue dropped in this cycle.
  input  logic [4:0]                      prefetch_dropped_i,
  /// A waiting step gave way to a newer one.
  input  logic                            scan_coalesced_i,
  /// A scan is done.
  input  logic                            scan_done_i,
  /// Entries read with bad parity in this cycle.
  input  logic [5:0]                      parity_i,
  /// Per channel: bytes moved (kvcpu_dma counts).
  input  logic [1:0][63:0]                bytes_moved_i,
  /// Per channel: tries ended by an AXI error (kvcpu_dma counts).
  input  logic [1:0][63:0]                errors_i,
  /// Per channel: items that ended VOID (kvcpu_dma counts).
  input  logic [1:0][63:0]                voids_i
);
  import kvcpu_pkg::*;

  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= MaxEntries && $onehot(ENTRIES),
                     "ENTRIES must be a power of two from 1,024 to 65,536")
  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(ports, PORTS >= 1 && PORTS <= MaxPorts, "PORTS must be 1 to 8")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")
  `KVCPU_CHECK_PARAM(axi_data_width, AXI_DATA_WIDTH >= 64 && AXI_DATA_WIDTH <= 512 && $onehot(AXI_DATA_WIDTH),
                     "AXI_DATA_WIDTH must be a power of two from 64 to 512")
  `KVCPU_CHECK_PARAM(clock_mhz, CLOCK_MHZ >= 1 && CLOCK_MHZ <= 1023, "CLOCK_MHZ must be 1 to 1,023")

  counters_t counters;
  logic [7:0] irq_event;
  logic [4:0] cmd_pending;
  logic idle, cmd_push, cmd_refused, cmd_full, dir_busy, cmd_done, hint_miss, ref_saturated, ref_underflow;
  cmd_t cmd;
  dir_result_t dir_result;
  logic unused_dir_result_valid;
  logic [6:0] miss_level, compl_level;
  logic miss_head_valid, compl_head_valid, miss_pop, compl_pop, compl_drop, miss_event, miss_drop_q;
  kv_addr_t miss_head;
  completion_t compl_head;

  // ------------------------------------------------------------------ registers
  kvcpu_csr #(
    .ENTRIES       (ENTRIES),
    .LANES         (LANES),
    .PORTS         (PORTS),
    .BLOCK_TOKENS  (BLOCK_TOKENS),
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
    .CLOCK_MHZ     (CLOCK_MHZ)
  ) u_csr (
    .clk_i                  (clk_i),
    .rst_ni                 (rst_ni),
    .clear_i                (clear_i),
    .s_axil_awaddr_i        (bar0_awaddr_i),
    .s_axil_awvalid_i       (bar0_awvalid_i),
    .s_axil_awready_o       (bar0_awready_o),
    .s_axil_wdata_i         (bar0_wdata_i),
    .s_axil_wstrb_i         (bar0_wstrb_i),
    .s_axil_wvalid_i        (bar0_wvalid_i),
    .s_axil_wready_o        (bar0_wready_o),
    .s_axil_bresp_o         (bar0_bresp_o),
    .s_axil_bvalid_o        (bar0_bvalid_o),
    .s_axil_bready_i        (bar0_bready_i),
    .s_axil_araddr_i        (bar0_araddr_i),
    .s_axil_arvalid_i       (bar0_arvalid_i),
    .s_axil_arready_o       (bar0_arready_o),
    .s_axil_rdata_o         (bar0_rdata_o),
    .s_axil_rresp_o         (bar0_rresp_o),
    .s_axil_rvalid_o        (bar0_rvalid_o),
    .s_axil_rready_i        (bar0_rready_i),
    .irq_o                  (irq_o),
    .cfg_o                  (cfg_o),
    .step_we_o              (step_we_o),
    .step_o                 (step_o),
    .cmd_push_o             (cmd_push),
    .cmd_o                  (cmd),
    .cmd_refused_o          (cmd_refused),
    .soft_reset_o           (soft_reset_o),
    .slots_we_o             (slots_we_o),
    .slots_hold_o           (slots_hold_o),
    .slots_quiet_i          (slots_quiet_i),
    .unused_i               (slots_unused_i),
    .initialised_i          (initialised_i),
    .idle_i                 (idle),
    .scanning_i             (scanning_i),
    .cmd_full_i             (cmd_full),
    .dir_busy_i             (dir_busy),
    .cmd_pending_i          (cmd_pending),
    .dir_result_i           (dir_result),
    .current_step_i         (current_step_i),
    .q_level_i              (q_level_i),
    .miss_level_i           (miss_level),
    .miss_valid_i           (miss_head_valid),
    .miss_head_i            (miss_head),
    .miss_pop_o             (miss_pop),
    .compl_level_i          (compl_level),
    .compl_valid_i          (compl_head_valid),
    .compl_head_i           (compl_head),
    .compl_pop_o            (compl_pop),
    .irq_event_i            (irq_event),
    .err_kv_addr_i          (err_kv_addr_i),
    .err_channel_i          (err_channel_i),
    .err_write_i            (err_write_i),
    .parity_index_i         (parity_index_i),
    .free_i                 (slots_free_i),
    .auto_thresh_i          (auto_thresh_i),
    .pressure_i             (pressure_i),
    .scan_cycles_i          (scan_cycles_i),
    .first_decision_cycles_i(first_decision_cycles_i),
    .counters_i             (counters)
  );

  always_comb begin
    irq_event = '0;
    irq_event[0] = scan_done_i;
    irq_event[1] = cmd_done;
    irq_event[2] = compl_valid_i && !compl_drop;  // what is dropped is an overflow, and nothing to read
    irq_event[3] = miss_event;
    irq_event[4] = err_valid_i;
    irq_event[5] = miss_drop_q || compl_drop;
    irq_event[6] = pressure_began_i;
    irq_event[7] = (parity_i != '0);
  end

  // ------------------------------------------------------------------ commands
  kvcpu_cmd #(
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_cmd (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .clear_i          (clear_i),
    .push_i           (cmd_push),
    .cmd_i            (cmd),
    .full_o           (cmd_full),
    .dir_busy_o       (dir_busy),
    .pending_o        (cmd_pending),
    .cmd_done_o       (cmd_done),
    .result_o         (dir_result),
    .result_valid_o   (unused_dir_result_valid),
    .op_valid_o       (cmd_op_valid_o),
    .op_ready_i       (cmd_op_ready_i),
    .op_o             (cmd_op_o),
    .op_takes_o       (cmd_op_takes_o),
    .rsp_valid_i      (cmd_rsp_valid_i),
    .rsp_i            (cmd_rsp_i),
    .insert_i         (cmd_insert_i),
    .inserted_i       (cmd_inserted_i),
    .phys_addr_i      (cmd_phys_addr_i),
    .index_i          (cmd_index_i),
    .free_start_o     (free_start_o),
    .free_request_id_o(free_request_id_o),
    .free_done_i      (free_done_i),
    .free_removed_i   (free_removed_i),
    .free_stayed_i    (free_stayed_i),
    .hint_miss_o      (hint_miss),
    .ref_saturated_o  (ref_saturated),
    .ref_underflow_o  (ref_underflow)
  );

  // ------------------------------------------------------------------ queues that software reads, counters
  kvcpu_host_queues u_queues (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i),
    .miss_valid_i      (miss_valid_i),
    .miss_kv_addr_i    (miss_kv_addr_i),
    .miss_level_o      (miss_level),
    .miss_head_valid_o (miss_head_valid),
    .miss_head_o       (miss_head),
    .miss_pop_i        (miss_pop),
    .miss_event_o      (miss_event),
    .miss_dropped_o    (miss_drop_q),
    .compl_valid_i     (compl_valid_i),
    .compl_item_i      (compl_item_i),
    .compl_level_o     (compl_level),
    .compl_head_valid_o(compl_head_valid),
    .compl_head_o      (compl_head),
    .compl_pop_i       (compl_pop),
    .compl_drop_o      (compl_drop)
  );

  kvcpu_counters u_counters (
    .clk_i               (clk_i),
    .rst_ni              (rst_ni),
    .clear_i             (clear_i),
    .hit_i               (count_hit_i),
    .miss_i              (count_miss_i),
    .denied_i            (count_denied_i),
    .miss_dropped_i      (miss_drop_q),
    .completion_dropped_i(compl_drop),
    .evict_dropped_i     (evict_dropped_i),
    .prefetch_dropped_i  (prefetch_dropped_i),
    .scan_coalesced_i    (scan_coalesced_i),
    .scan_done_i         (scan_done_i),
    .hint_miss_i         (hint_miss),
    .ref_saturated_i     (ref_saturated),
    .ref_underflow_i     (ref_underflow),
    .cmd_refused_i       (cmd_refused),
    .parity_i            (parity_i),
    .bytes_moved_i       (bytes_moved_i),
    .errors_i            (errors_i),
    .voids_i             (voids_i),
    .counters_o          (counters)
  );

  // No scan, command or item (queued, waiting or moving) and no lookup on its way, a cycle late.
  logic [TierCount-1:0] none_departs_q;
  logic                 others_idle_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      none_departs_q <= '0;
      others_idle_q  <= 1'b0;
    end else begin
      none_departs_q <= none_departs_i;
      others_idle_q <= initialised_i && !scanning_i && (cmd_pending == '0) && !waiting_i && ports_idle_i;
    end
  end
  assign idle = others_idle_q && (none_departs_q == '1);

endmodule
