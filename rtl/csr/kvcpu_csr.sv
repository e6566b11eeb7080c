// BAR0: the control registers on AXI4-Lite. The front end decides in one place whether an access
// is legal; the generated block kvcpu_regs only stores and reads back.

module kvcpu_csr
  import kvcpu_pkg::*;
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
    /// SLOTS or BASE of the tier, or BLOCK_BYTES (then all), has its new value from this cycle on
    /// (pulse): the pool starts afresh.
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
    /// Initialised, and no scan, command, queued or running move.
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
    /// Its head, meaningful while miss_level_i is not 0.
    input kv_addr_t             miss_head_i,
    /// Pop of the miss queue's head (pulse; only while miss_level_i is not 0).
    output logic                miss_pop_o,
    /// Items in the completion queue, 0 to 64.
    input logic [6:0]           compl_level_i,
    /// Its head, meaningful while compl_level_i is not 0.
    input completion_t          compl_head_i,
    /// Pop of the completion queue's head (pulse; only while compl_level_i is not 0).
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

endmodule
