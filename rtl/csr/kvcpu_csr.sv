// BAR0: the control registers on AXI4-Lite. The front end decides in one place whether an access
// is legal; the generated block kvcpu_regs only stores and reads back.
//
// The parts around that block: the bus (kvcpu_csr_axil), writes (kvcpu_csr_check, which judges them, and launches
// commands), reads (kvcpu_csr_read), the fields as the device uses them (kvcpu_csr_config), events and first errors
// (kvcpu_csr_errors). What software reads is connected here, field by field.

`include "kvcpu_assert.svh"

module kvcpu_csr
  import kvcpu_pkg::*;
  import kvcpu_regs_map_pkg::*;
#(
  /// Directory entries (device.md 1): power of two, 1,024 to 65,536.
  parameter int unsigned ENTRIES = 65536,
  /// Scoring lanes (device.md 1): 4, 8 or 16.
  parameter int unsigned LANES = 16,
  /// Lookup ports (device.md 1): 1 to 8.
  parameter int unsigned PORTS = 3,
  /// Tokens of a block (device.md 1): power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16,
  /// Width of the memory port in bits (device.md 1): power of two, 64 to 512.
  parameter int unsigned AXI_DATA_WIDTH = 512,
  /// Clock in MHz, as CAPS tells it: 1 to 1,023.
  parameter int unsigned CLOCK_MHZ = 250
) (
  /// Clock.
  input logic clk_i,
  /// Reset, active low, asynchronous, released synchronously.
  input logic rst_ni,
  /// Synchronous clear of a soft reset: interrupts and latches go, configuration stays.
  input logic clear_i,

  /// AXI4-Lite write address, bytes inside BAR0; 0x4000 and up is unmapped.
  input  logic [15:0] s_axil_awaddr_i,
  /// AXI4-Lite.
  input  logic        s_axil_awvalid_i,
  /// AXI4-Lite.
  output logic        s_axil_awready_o,
  /// AXI4-Lite write data.
  input  logic [63:0] s_axil_wdata_i,
  /// AXI4-Lite write strobes; all must be 1.
  input  logic [ 7:0] s_axil_wstrb_i,
  /// AXI4-Lite.
  input  logic        s_axil_wvalid_i,
  /// AXI4-Lite.
  output logic        s_axil_wready_o,
  /// AXI4-Lite write response: 0 OKAY, 2 SLVERR.
  output logic [ 1:0] s_axil_bresp_o,
  /// AXI4-Lite.
  output logic        s_axil_bvalid_o,
  /// AXI4-Lite.
  input  logic        s_axil_bready_i,
  /// AXI4-Lite read address, bytes inside BAR0.
  input  logic [15:0] s_axil_araddr_i,
  /// AXI4-Lite.
  input  logic        s_axil_arvalid_i,
  /// AXI4-Lite.
  output logic        s_axil_arready_o,
  /// AXI4-Lite read data; 0 with SLVERR.
  output logic [63:0] s_axil_rdata_o,
  /// AXI4-Lite read response: 0 OKAY, 2 SLVERR.
  output logic [ 1:0] s_axil_rresp_o,
  /// AXI4-Lite.
  output logic        s_axil_rvalid_o,
  /// AXI4-Lite.
  input  logic        s_axil_rready_i,

  /// Interrupt, level: IRQ_STATUS & IRQ_ENABLE is not 0.
  output logic irq_o,

  /// Configuration registers; each value holds until the write that changes it.
  output cfg_t                 cfg_o,
  /// STEP_ADVANCE was written, one cycle after the later of its AW and W handshakes.
  output logic                 step_we_o,
  /// The new step, with step_we_o.
  output logic [31:0]          step_o,
  /// A checked command enters the command queue (pulse).
  output logic                 cmd_push_o,
  /// The command, with cmd_push_o.
  output cmd_t                 cmd_o,
  /// A launch was refused because the command queue was full (pulse, to be counted).
  output logic                 cmd_refused_o,
  /// Soft reset was asked for (pulse). Launches are refused until clear_i has come and gone.
  output logic                 soft_reset_o,
  /// SLOTS of the tier has its new value from this cycle on (pulse): the pool starts afresh.
  output logic [TierCount-1:0] slots_we_o,
  /// While 1, no operation that may take a slot is accepted (a write of SLOTS, BASE or
  /// BLOCK_BYTES is being decided).
  output logic                 slots_hold_o,

  /// No operation that may take a slot is between its acceptance and its result, and none is
  /// accepted while slots_hold_o. Must come within 64 cycles of slots_hold_o.
  input logic                 slots_quiet_i,
  /// Per tier: free == SLOTS and nothing held, occupied or reserved.
  input logic [TierCount-1:0] unused_i,
  /// The directory is initialised after a reset.
  input logic                 initialised_i,
  /// Initialised, and no scan, command, queued or running move; may be a cycle late.
  input logic                 idle_i,
  /// A scan runs.
  input logic                 scanning_i,
  /// The command queue is full.
  input logic                 cmd_full_i,
  /// A directory command waits or runs; 1 from the cycle after its cmd_push_o.
  input logic                 dir_busy_i,
  /// Commands that wait or run, 0 to 17.
  input logic [4:0]           cmd_pending_i,
  /// Result of the last directory command; holds.
  input dir_result_t          dir_result_i,
  /// The step as lookups see it.
  input logic [31:0]          current_step_i,
  /// Items in the evict and prefetch queue, 0 to 64.
  input logic [1:0][6:0]      q_level_i,
  /// Items in the miss queue, 0 to 64.
  input logic [6:0]           miss_level_i,
  /// The miss queue has a head.
  input logic                 miss_valid_i,
  /// Its head, meaningful while miss_valid_i.
  input kv_addr_t             miss_head_i,
  /// Pop of the miss queue's head (pulse; only while miss_valid_i).
  output logic                miss_pop_o,
  /// Items in the completion queue, 0 to 64.
  input logic [6:0]           compl_level_i,
  /// The completion queue has a head.
  input logic                 compl_valid_i,
  /// Its head, meaningful while compl_valid_i.
  input completion_t          compl_head_i,
  /// Pop of the completion queue's head (pulse; only while compl_valid_i).
  output logic                compl_pop_o,
  /// Interrupt events (pulses), in the order of IRQ_STATUS: 0 scan done, 1 command done,
  /// 2 completion, 3 miss, 4 DMA_ERR, 5 overflow, 6 pressure began, 7 parity.
  input logic [7:0]           irq_event_i,
  /// The KV address, channel and side (1 write) of an AXI error, with irq_event_i[4].
  input kv_addr_t             err_kv_addr_i,
  /// Channel of the error: ChEvict or ChPrefetch.
  input logic                 err_channel_i,
  /// Side of the error: 1 write (target), 0 read (source).
  input logic                 err_write_i,
  /// Index of an entry read with bad parity, with irq_event_i[7].
  input logic [IndexW-1:0]    parity_index_i,
  /// Free slots per tier.
  input logic [TierCount-1:0][CountW-1:0] free_i,
  /// Automatic thresholds of tiers 0 to 2, as the last scan start judged.
  input logic [2:0][16:0]     auto_thresh_i,
  /// Tiers 0 to 2 under pressure.
  input logic [2:0]           pressure_i,
  /// Cycles of the last scan.
  input logic [31:0]          scan_cycles_i,
  /// Cycles from the last STEP_ADVANCE to its first decision.
  input logic [31:0]          first_decision_cycles_i,
  /// Counters.
  input counters_t            counters_i
);

  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= MaxEntries && $onehot(ENTRIES),
                     "ENTRIES must be a power of two from 1,024 to 65,536")
  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(ports, PORTS >= 1 && PORTS <= MaxPorts, "PORTS must be 1 to 8")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")
  `KVCPU_CHECK_PARAM(axi_data_width, AXI_DATA_WIDTH >= 64 && AXI_DATA_WIDTH <= 512 && $onehot(AXI_DATA_WIDTH),
                     "AXI_DATA_WIDTH must be a power of two from 64 to 512")
  `KVCPU_CHECK_PARAM(clock_mhz, CLOCK_MHZ >= 1 && CLOCK_MHZ <= 1023, "CLOCK_MHZ must be 1 to 1,023")

  localparam int unsigned RegsAddrW = kvcpu_regs_pkg::KVCPU_REGS_MIN_ADDR_WIDTH;

  kvcpu_regs_pkg::kvcpu_regs__in_t  hwif_in;
  kvcpu_regs_pkg::kvcpu_regs__out_t hwif_out;

  // ---------------------------------------------------------------- bus
  logic        wr_next, wr_valid, wr_full, wr_done, wr_error;
  logic [15:0] wr_addr;
  logic [63:0] wr_data;
  logic        rd_valid, rd_done, rd_error;
  logic [15:0] rd_addr;
  logic [63:0] rd_data;

  kvcpu_csr_axil #(
    .AddrW(16)
  ) u_axil (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .awaddr_i  (s_axil_awaddr_i),
    .awvalid_i (s_axil_awvalid_i),
    .awready_o (s_axil_awready_o),
    .wdata_i   (s_axil_wdata_i),
    .wstrb_i   (s_axil_wstrb_i),
    .wvalid_i  (s_axil_wvalid_i),
    .wready_o  (s_axil_wready_o),
    .bresp_o   (s_axil_bresp_o),
    .bvalid_o  (s_axil_bvalid_o),
    .bready_i  (s_axil_bready_i),
    .araddr_i  (s_axil_araddr_i),
    .arvalid_i (s_axil_arvalid_i),
    .arready_o (s_axil_arready_o),
    .rdata_o   (s_axil_rdata_o),
    .rresp_o   (s_axil_rresp_o),
    .rvalid_o  (s_axil_rvalid_o),
    .rready_i  (s_axil_rready_i),
    .wr_next_o (wr_next),
    .wr_valid_o(wr_valid),
    .wr_addr_o (wr_addr),
    .wr_data_o (wr_data),
    .wr_full_o (wr_full),
    .wr_done_i (wr_done),
    .wr_error_i(wr_error),
    .rd_valid_o(rd_valid),
    .rd_addr_o (rd_addr),
    .rd_done_i (rd_done),
    .rd_error_i(rd_error),
    .rd_data_i (rd_data)
  );

  // ---------------------------------------------------------------- soft reset
  logic soft_reset;
  logic resetting_q;
  logic initialised;
  logic initialised_q;

  assign soft_reset = hwif_out.CTRL.SOFT_RESET.value;
  assign soft_reset_o = soft_reset;
  assign initialised = initialised_i && !soft_reset && !resetting_q;

  // A cycle late, which the write behind the one that asks for a soft reset is too.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      resetting_q   <= 1'b0;
      initialised_q <= 1'b0;
    end else begin
      resetting_q   <= (resetting_q || soft_reset) && !clear_i;
      initialised_q <= initialised;
    end
  end

  // ---------------------------------------------------------------- writes
  logic [63:0]    regs_rd_data;
  logic           exec, reads_ok;
  logic           thresholds_we, dma_error_we, parity_we, bytes_we;
  kv_addr_t [5:0] range_addr;
  kv_addr_t       dir_addr;
  dir_arg_t       dir_arg;
  thresholds_t    thresholds;
  block_bytes_t   block_bytes;

  assign step_o = wr_data[31:0];
  assign block_bytes = block_bytes_t'(wr_data[$bits(block_bytes_t)-1:0]);
  assign thresholds = thresholds_t'(wr_data[$bits(thresholds_t)-1:0]);

  kvcpu_csr_config u_config (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .regs_i      (hwif_out),
    .new_bytes_i (block_bytes.bytes),
    .bytes_we_i  (bytes_we),
    .cfg_o       (cfg_o),
    .range_addr_o(range_addr),
    .dir_addr_o  (dir_addr),
    .dir_arg_o   (dir_arg)
  );

  // A step takes effect in its first cycle here, so it is recognised as it comes in.
  logic aw_is_step, aw_is_step_q;
  logic w_full;
  logic wr_step_q;

  always_comb begin
    aw_is_step = aw_is_step_q;
    w_full = wr_full;
    if (s_axil_awvalid_i && s_axil_awready_o) begin
      aw_is_step = (s_axil_awaddr_i == AddrStepAdvance) ||
                   (s_axil_awaddr_i == AddrStepAdvanceAlias);
    end
    if (s_axil_wvalid_i && s_axil_wready_o) w_full = &s_axil_wstrb_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_is_step_q <= 1'b0;
      wr_step_q    <= 1'b0;
    end else begin
      aw_is_step_q <= aw_is_step;
      wr_step_q    <= wr_next && aw_is_step && w_full;
    end
  end

  kvcpu_csr_check #(
    .ENTRIES     (ENTRIES),
    .PORTS       (PORTS),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_check (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .wr_valid_i       (wr_valid),
    .wr_addr_i        (wr_addr),
    .wr_data_i        (wr_data),
    .wr_full_i        (wr_full),
    .wr_step_i        (wr_step_q),
    .exec_o           (exec),
    .reads_ok_o       (reads_ok),
    .done_o           (wr_done),
    .error_o          (wr_error),
    .evict_thresh_i   (hwif_out.EVICT_THRESH.THRESHOLD.value),
    .prefetch_thresh_i(hwif_out.PREFETCH_THRESH.THRESHOLD.value),
    .range_addr_i     (range_addr),
    .prefetch_len_i   (hwif_out.PREFETCH_LEN.LEN.value),
    .span_layers_i    (hwif_out.CMD_SPAN.LAYERS.value),
    .span_heads_i     (hwif_out.CMD_SPAN.HEADS.value),
    .dir_addr_i       (dir_addr),
    .dir_arg_i        (dir_arg),
    .launch_ok_i      (initialised_q),
    .cmd_full_i       (cmd_full_i),
    .dir_busy_i       (dir_busy_i),
    .slots_quiet_i    (slots_quiet_i),
    .unused_i         (unused_i),
    .step_we_o        (step_we_o),
    .cmd_push_o       (cmd_push_o),
    .cmd_o            (cmd_o),
    .cmd_refused_o    (cmd_refused_o),
    .slots_hold_o     (slots_hold_o),
    .slots_we_o       (slots_we_o),
    .thresholds_we_o  (thresholds_we),
    .dma_error_we_o   (dma_error_we),
    .parity_we_o      (parity_we),
    .bytes_we_o       (bytes_we)
  );

  // ---------------------------------------------------------------- reads
  logic                 rd_ask, miss_take, compl_take;
  logic [RegsAddrW-1:3] regs_addr;

  kvcpu_csr_read #(
    .PORTS(PORTS)
  ) u_read (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .rd_valid_i    (rd_valid),
    .rd_addr_i     (rd_addr),
    .reads_ok_i    (reads_ok),
    .wr_addr_i     (wr_addr),
    .rd_done_o     (rd_done),
    .rd_error_o    (rd_error),
    .rd_data_o     (rd_data),
    .regs_ask_o    (rd_ask),
    .regs_addr_o   (regs_addr),
    .regs_rd_data_i(regs_rd_data),
    .miss_take_o   (miss_take),
    .compl_take_o  (compl_take)
  );

  // Which accesses are legal is judged here alone; and nothing stalls, because no write is asked for in
  // the cycle after a read.
  logic unused_regs_stall_rd, unused_regs_stall_wr;
  logic unused_regs_rd_ack, unused_regs_rd_err, unused_regs_wr_ack, unused_regs_wr_err;

  kvcpu_regs u_regs (
    .clk                 (clk_i),
    .arst_n              (rst_ni),
    .s_cpuif_req         (exec || rd_ask),
    .s_cpuif_req_is_wr   (exec),
    .s_cpuif_addr        ({regs_addr, 3'b000}),
    .s_cpuif_wr_data     (wr_data),
    .s_cpuif_wr_biten    ('1),
    .s_cpuif_req_stall_wr(unused_regs_stall_wr),
    .s_cpuif_req_stall_rd(unused_regs_stall_rd),
    .s_cpuif_rd_ack      (unused_regs_rd_ack),
    .s_cpuif_rd_err      (unused_regs_rd_err),
    .s_cpuif_rd_data     (regs_rd_data),
    .s_cpuif_wr_ack      (unused_regs_wr_ack),
    .s_cpuif_wr_err      (unused_regs_wr_err),
    .hwif_in             (hwif_in),
    .hwif_out            (hwif_out)
  );

  // ---------------------------------------------------------------- first errors
  logic [7:0]        irq_event;
  kv_addr_t          dma_error_addr;
  logic              dma_error_channel, dma_error_write;
  logic [IndexW-1:0] parity_index;

  kvcpu_csr_errors u_errors (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .clear_i            (clear_i),
    .irq_event_i        (irq_event_i),
    .err_kv_addr_i      (err_kv_addr_i),
    .err_channel_i      (err_channel_i),
    .err_write_i        (err_write_i),
    .parity_index_i     (parity_index_i),
    .dma_error_valid_i  (hwif_out.DMA_ERROR_INFO.VALID.value),
    .dma_error_release_i(dma_error_we && wr_data[0]),
    .parity_valid_i     (hwif_out.PARITY_INFO.VALID.value),
    .parity_release_i   (parity_we && wr_data[0]),
    .irq_event_o        (irq_event),
    .dma_error_addr_o   (dma_error_addr),
    .dma_error_channel_o(dma_error_channel),
    .dma_error_write_o  (dma_error_write),
    .parity_index_o     (parity_index)
  );

  // ---------------------------------------------------------------- queue heads
  // The pop is in the cycle in which the register block samples the head.
  assign miss_pop_o = miss_take && miss_valid_i;
  assign compl_pop_o = compl_take && compl_valid_i;

  // ---------------------------------------------------------------- interrupts
  logic [7:0] irq_status;

  assign irq_status = {
    hwif_out.IRQ_STATUS.PARITY.value,
    hwif_out.IRQ_STATUS.PRESSURE.value,
    hwif_out.IRQ_STATUS.OVERFLOW.value,
    hwif_out.IRQ_STATUS.DMA_ERR.value,
    hwif_out.IRQ_STATUS.MISS.value,
    hwif_out.IRQ_STATUS.COMPLETION.value,
    hwif_out.IRQ_STATUS.COMMAND_DONE.value,
    hwif_out.IRQ_STATUS.SCAN_DONE.value
  };
  assign irq_o = (irq_status & hwif_out.IRQ_ENABLE.EVENTS.value) != '0;

  // ---------------------------------------------------------------- what software reads
  logic       idle_q;
  logic [4:0] cmd_pending_q;
  logic [TierCount-1:0][CountW-1:0] free_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      idle_q        <= 1'b0;
      cmd_pending_q <= '0;
    end else begin
      idle_q        <= idle_i && initialised;
      cmd_pending_q <= cmd_pending_i;
    end
  end

  always_ff @(posedge clk_i) free_q <= free_i;

  always_comb begin
    hwif_in.CAPS.ENTRIES.next = 17'(ENTRIES);
    hwif_in.CAPS.LANES.next = 5'(LANES);
    hwif_in.CAPS.PORTS.next = 4'(PORTS);
    hwif_in.CAPS.BLOCK_TOKENS.next = 9'(BLOCK_TOKENS);
    hwif_in.CAPS.AXI_DATA_WIDTH.next = 10'(AXI_DATA_WIDTH);
    hwif_in.CAPS.CLOCK_MHZ.next = 10'(CLOCK_MHZ);

    hwif_in.STATUS.IDLE.next = idle_q;
    hwif_in.STATUS.SCANNING.next = scanning_i;
    hwif_in.STATUS.INITIALISED.next = initialised_q;
    hwif_in.STATUS.DIR_BUSY.next = dir_busy_i;
    hwif_in.STATUS.COMMANDS.next = cmd_pending_q;
    hwif_in.STATUS.EVICT_LEVEL.next = q_level_i[ChEvict];
    hwif_in.STATUS.PREFETCH_LEVEL.next = q_level_i[ChPrefetch];
    hwif_in.STATUS.MISS_LEVEL.next = miss_level_i;
    hwif_in.STATUS.COMPLETION_LEVEL.next = compl_level_i;
    hwif_in.STATUS.PRESSURE.next = pressure_i;

    hwif_in.IRQ_STATUS.SCAN_DONE.hwset = irq_event[0];
    hwif_in.IRQ_STATUS.COMMAND_DONE.hwset = irq_event[1];
    hwif_in.IRQ_STATUS.COMPLETION.hwset = irq_event[2];
    hwif_in.IRQ_STATUS.MISS.hwset = irq_event[3];
    hwif_in.IRQ_STATUS.DMA_ERR.hwset = irq_event[4];
    hwif_in.IRQ_STATUS.OVERFLOW.hwset = irq_event[5];
    hwif_in.IRQ_STATUS.PRESSURE.hwset = irq_event[6];
    hwif_in.IRQ_STATUS.PARITY.hwset = irq_event[7];
    hwif_in.IRQ_STATUS.SCAN_DONE.hwclr = clear_i;
    hwif_in.IRQ_STATUS.COMMAND_DONE.hwclr = clear_i;
    hwif_in.IRQ_STATUS.COMPLETION.hwclr = clear_i;
    hwif_in.IRQ_STATUS.MISS.hwclr = clear_i;
    hwif_in.IRQ_STATUS.DMA_ERR.hwclr = clear_i;
    hwif_in.IRQ_STATUS.OVERFLOW.hwclr = clear_i;
    hwif_in.IRQ_STATUS.PRESSURE.hwclr = clear_i;
    hwif_in.IRQ_STATUS.PARITY.hwclr = clear_i;

    hwif_in.PARITY_INFO.INDEX.next = parity_index;
    hwif_in.PARITY_INFO.VALID.hwset = irq_event[7];
    hwif_in.PARITY_INFO.VALID.hwclr = clear_i;
    hwif_in.DMA_ERROR_INFO.CHANNEL.next = dma_error_channel;
    hwif_in.DMA_ERROR_INFO.WRITE.next = dma_error_write;
    hwif_in.DMA_ERROR_INFO.VALID.hwset = irq_event[4];
    hwif_in.DMA_ERROR_INFO.VALID.hwclr = clear_i;
    hwif_in.DMA_ERROR_ADDR.REQUEST_ID.next = dma_error_addr.request_id;
    hwif_in.DMA_ERROR_ADDR.LAYER.next = dma_error_addr.layer;
    hwif_in.DMA_ERROR_ADDR.HEAD.next = dma_error_addr.head;
    hwif_in.DMA_ERROR_ADDR.TOKEN.next = dma_error_addr.token;

    hwif_in.STEP_ADVANCE.STEP.next = current_step_i;
    hwif_in.SCAN_CYCLES.CYCLES.next = scan_cycles_i;
    hwif_in.FIRST_DECISION_CYCLES.CYCLES.next = first_decision_cycles_i;

    // THRESHOLDS is a view: its write goes to the two registers that hold the values.
    hwif_in.EVICT_THRESH.THRESHOLD.next = thresholds.evict;
    hwif_in.EVICT_THRESH.THRESHOLD.we = thresholds_we;
    hwif_in.PREFETCH_THRESH.THRESHOLD.next = thresholds.prefetch;
    hwif_in.PREFETCH_THRESH.THRESHOLD.we = thresholds_we;
    hwif_in.THRESHOLDS.EVICT.next = hwif_out.EVICT_THRESH.THRESHOLD.value;
    hwif_in.THRESHOLDS.PREFETCH.next = hwif_out.PREFETCH_THRESH.THRESHOLD.value;

    hwif_in.DIR_STATUS.STATUS.next = dir_result_i.status;
    hwif_in.DIR_STATUS.BUSY.next = dir_busy_i;
    hwif_in.DIR_STATUS.TIER.next = dir_result_i.tier;
    hwif_in.DIR_STATUS.INDEX.next = dir_result_i.index;
    hwif_in.DIR_PHYS_ADDR.ADDR.next = dir_result_i.phys_addr;
    hwif_in.DIR_FREED.REMOVED.next = dir_result_i.removed;
    hwif_in.DIR_FREED.STAYED.next = dir_result_i.stayed;

    hwif_in.MISS_INFO.VALID.next = miss_valid_i;
    hwif_in.MISS_INFO.LEVEL.next = miss_valid_i ? miss_level_i : '0;
    hwif_in.MISS_ADDR.REQUEST_ID.next = miss_valid_i ? miss_head_i.request_id : '0;
    hwif_in.MISS_ADDR.LAYER.next = miss_valid_i ? miss_head_i.layer : '0;
    hwif_in.MISS_ADDR.HEAD.next = miss_valid_i ? miss_head_i.head : '0;
    hwif_in.MISS_ADDR.TOKEN.next = miss_valid_i ? miss_head_i.token : '0;
    hwif_in.COMPLETION_INFO.VALID.next = compl_valid_i;
    hwif_in.COMPLETION_INFO.LEVEL.next = compl_valid_i ? compl_level_i : '0;
    hwif_in.COMPLETION_INFO.FROM.next = compl_valid_i ? compl_head_i.from : '0;
    hwif_in.COMPLETION_INFO.TO.next = compl_valid_i ? compl_head_i.to : '0;
    hwif_in.COMPLETION_INFO.STATUS.next = compl_valid_i ? compl_head_i.status : '0;
    hwif_in.COMPLETION_ADDR.REQUEST_ID.next = compl_valid_i ? compl_head_i.kv_addr.request_id : '0;
    hwif_in.COMPLETION_ADDR.LAYER.next = compl_valid_i ? compl_head_i.kv_addr.layer : '0;
    hwif_in.COMPLETION_ADDR.HEAD.next = compl_valid_i ? compl_head_i.kv_addr.head : '0;
    hwif_in.COMPLETION_ADDR.TOKEN.next = compl_valid_i ? compl_head_i.kv_addr.token : '0;

    for (int unsigned i = 0; i < TierCount; i++) begin
      hwif_in.TIER[i].FREE.COUNT.next = free_q[i];
      hwif_in.TIER[i].AUTO_THRESH.THRESHOLD.next = (i < 3) ? auto_thresh_i[i] : '0;
    end

    hwif_in.RTBD_HIT_COUNT.COUNT.next = counters_i.hit;
    hwif_in.RTBD_MISS_COUNT.COUNT.next = counters_i.miss;
    hwif_in.DENIED_COUNT.COUNT.next = counters_i.denied;
    hwif_in.MISS_DROPPED_COUNT.COUNT.next = counters_i.miss_dropped;
    hwif_in.SCAN_COUNT.COUNT.next = counters_i.scan_done;
    hwif_in.SCAN_COALESCED_COUNT.COUNT.next = counters_i.scan_coalesced;
    hwif_in.EVICT_DROPPED_COUNT.COUNT.next = counters_i.evict_dropped;
    hwif_in.PREFETCH_DROPPED_COUNT.COUNT.next = counters_i.prefetch_dropped;
    hwif_in.HINT_MISS_COUNT.COUNT.next = counters_i.hint_miss;
    hwif_in.REF_SATURATED_COUNT.COUNT.next = counters_i.ref_saturated;
    hwif_in.REF_UNDERFLOW_COUNT.COUNT.next = counters_i.ref_underflow;
    hwif_in.CMD_REFUSED_COUNT.COUNT.next = counters_i.cmd_refused;
    hwif_in.PARITY_COUNT.COUNT.next = counters_i.parity;
    hwif_in.COMPLETION_DROPPED_COUNT.COUNT.next = counters_i.completion_dropped;
    hwif_in.EVICT_BYTES_MOVED.COUNT.next = counters_i.bytes_moved[ChEvict];
    hwif_in.EVICT_ERROR_COUNT.COUNT.next = counters_i.errors[ChEvict];
    hwif_in.EVICT_VOID_COUNT.COUNT.next = counters_i.voids[ChEvict];
    hwif_in.PREFETCH_BYTES_MOVED.COUNT.next = counters_i.bytes_moved[ChPrefetch];
    hwif_in.PREFETCH_ERROR_COUNT.COUNT.next = counters_i.errors[ChPrefetch];
    hwif_in.PREFETCH_VOID_COUNT.COUNT.next = counters_i.voids[ChPrefetch];
  end

endmodule
