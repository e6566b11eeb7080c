// Decides whether a write to BAR0 is legal (device.md 7 and 10). A write walks through the phases
// below; what depends only on the write and on other registers is judged on the way, and what may
// change meanwhile (queue full, tier in use, directory command busy) in the phase before the write
// takes effect: none of it can turn against the write any more, since only writes launch commands and
// slots_hold_o keeps slots from being taken. STEP_ADVANCE alone takes effect in the first phase. The
// answer follows one cycle after the effect, when the whole device knows the new value.
//
// Contract "over more than ENTRIES blocks": a bound on the range (addr, len); CMD_SPAN repeats the
// range and does not multiply the bound.

module kvcpu_csr_check
  import kvcpu_pkg::*;
  import kvcpu_regs_map_pkg::*;
#(
  /// Directory entries (device.md 1): power of two, 1,024 to 65,536.
  parameter int unsigned ENTRIES = 65536,
  /// Lookup ports (device.md 1): 1 to 8.
  parameter int unsigned PORTS = 3,
  /// Tokens of a block (device.md 1): power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                 clk_i,
  /// Reset, active low, asynchronous, released synchronously.
  input  logic                 rst_ni,

  /// A write waits; it and its address and data hold until done_o.
  input  logic                 wr_valid_i,
  /// Address in BAR0.
  input  logic [15:0]          wr_addr_i,
  /// Data.
  input  logic [63:0]          wr_data_i,
  /// All strobes are 1.
  input  logic                 wr_full_i,
  /// The address is that of STEP_ADVANCE or its alias.
  input  logic                 wr_is_step_i,
  /// The write may take effect now; the register block takes it in this cycle unless stall_i.
  output logic                 exec_o,
  /// The register block cannot take a write in this cycle.
  input  logic                 stall_i,
  /// The register block refuses the write that exec_o gives it (unmapped, read-only).
  input  logic                 map_error_i,
  /// The write is decided.
  output logic                 done_o,
  /// With done_o: refused.
  output logic                 error_o,

  /// EVICT_THRESH.
  input  logic [15:0]          evict_thresh_i,
  /// PREFETCH_THRESH.
  input  logic [15:0]          prefetch_thresh_i,
  /// ADDR registers of the range commands, by cmd_e.
  input  kv_addr_t [5:0]       range_addr_i,
  /// PREFETCH_LEN.
  input  logic [63:0]          prefetch_len_i,
  /// CMD_SPAN.LAYERS.
  input  logic [7:0]           span_layers_i,
  /// CMD_SPAN.HEADS.
  input  logic [7:0]           span_heads_i,
  /// DIR_ADDR.
  input  kv_addr_t             dir_addr_i,
  /// DIR_ARG.
  input  dir_arg_t             dir_arg_i,

  /// Launches are accepted (initialised, no soft reset under way).
  input  logic                 launch_ok_i,
  /// The command queue is full.
  input  logic                 cmd_full_i,
  /// A directory command waits or runs.
  input  logic                 dir_busy_i,
  /// No slot-taking operation is under way while slots_hold_o.
  input  logic                 slots_quiet_i,
  /// Per tier: no slot is in use.
  input  logic [TierCount-1:0] unused_i,

  /// STEP_ADVANCE takes effect, in the first cycle of wr_valid_i.
  output logic                 step_we_o,
  /// A command enters the queue.
  output logic                 cmd_push_o,
  /// The command.
  output cmd_t                 cmd_o,
  /// A launch was refused because the queue was full.
  output logic                 cmd_refused_o,
  /// Operations that may take a slot are kept out.
  output logic                 slots_hold_o,
  /// SLOTS of the tier has its new value from this cycle on.
  output logic [TierCount-1:0] slots_we_o,
  /// THRESHOLDS is written in this cycle.
  output logic                 thresholds_we_o,
  /// DMA_ERROR_INFO is written in this cycle.
  output logic                 dma_error_we_o,
  /// PARITY_INFO is written in this cycle.
  output logic                 parity_we_o
);

  localparam int unsigned BlockShift = $clog2(BLOCK_TOKENS);
  localparam int unsigned EntriesW = $clog2(ENTRIES);
  localparam int unsigned RangeCmds = 6;
  // Tokens of the longest legal range fit 25 bits; one of 33 bits or more is too long at sight.
  localparam int unsigned LenW = 33;

  typedef enum logic [2:0] {
    PhDecode,   // which register
    PhOperand,  // simple judgements; operands of a range
    PhEnd,      // end of the range
    PhDiff,     // blocks of the range
    PhLimit,    // judgement of the range
    PhJudge,    // judgement of what may change
    PhExec,     // takes effect
    PhAnswer
  } phase_e;

  phase_e phase_q, phase_d;

  // ---------------------------------------------------------------- decode
  logic [RangeCmds-1:0] is_range;
  logic                 is_dir;
  logic                 is_evict_thresh;
  logic                 is_prefetch_thresh;
  logic                 is_thresholds;
  logic                 is_block_bytes;
  logic [TierCount-1:0] is_base;
  logic [TierCount-1:0] is_slots;
  logic                 is_absent;
  logic                 is_malformed;

  always_comb begin
    is_range = '0;
    is_range[CmdBoost[2:0]] = wr_addr_i == AddrBoostLen;
    is_range[CmdImevict[2:0]] = wr_addr_i == AddrImevictLen;
    is_range[CmdCool[2:0]] = wr_addr_i == AddrCoolLen;
    is_range[CmdPrefetch[2:0]] = wr_addr_i == AddrPrefetchStep;
    is_range[CmdShare[2:0]] = wr_addr_i == AddrShareLen;
    is_range[CmdRelease[2:0]] = wr_addr_i == AddrReleaseLen;
    is_dir = wr_addr_i == AddrDirCommand;
    is_evict_thresh = wr_addr_i == AddrEvictThresh;
    is_prefetch_thresh = wr_addr_i == AddrPrefetchThresh;
    is_thresholds = wr_addr_i == AddrThresholds;
    is_block_bytes = wr_addr_i == AddrBlockBytes;
    is_absent = 1'b0;
    for (int unsigned i = PORTS; i < MaxPorts; i++) begin
      is_absent |= (wr_addr_i == AddrPortReqLo[i]) || (wr_addr_i == AddrPortReqHi[i]);
    end
    for (int unsigned i = 0; i < TierCount; i++) begin
      is_base[i] = wr_addr_i == AddrTierBase[i];
      is_slots[i] = wr_addr_i == AddrTierSlots[i];
    end
    // The register block sees 13 address bits; nothing is mapped above.
    is_malformed = !wr_full_i || (wr_addr_i[2:0] != '0) || (wr_addr_i[15:13] != '0);
  end

  typedef struct packed {
    logic [RangeCmds-1:0] range;
    logic                 dir;
    logic                 evict_thresh;
    logic                 prefetch_thresh;
    logic                 thresholds;
    logic                 block_bytes;
    logic [TierCount-1:0] base;
    logic [TierCount-1:0] slots;
    logic                 dma_error;
    logic                 parity;
  } sel_t;

  sel_t sel_q;
  logic bad_q, bad_d;
  logic step_bad_q;

  assign step_we_o = wr_valid_i && (phase_q == PhDecode) && wr_is_step_i && wr_full_i && launch_ok_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sel_q      <= '0;
      step_bad_q <= 1'b0;
    end else if (phase_q == PhDecode) begin
      sel_q.range           <= is_range;
      sel_q.dir             <= is_dir;
      sel_q.evict_thresh    <= is_evict_thresh;
      sel_q.prefetch_thresh <= is_prefetch_thresh;
      sel_q.thresholds      <= is_thresholds;
      sel_q.block_bytes     <= is_block_bytes;
      sel_q.base            <= is_base;
      sel_q.slots           <= is_slots;
      sel_q.dma_error       <= wr_addr_i == AddrDmaErrorInfo;
      sel_q.parity          <= wr_addr_i == AddrParityInfo;
      step_bad_q            <= wr_is_step_i && !launch_ok_i;
    end
  end

  // ---------------------------------------------------------------- simple judgements
  thresholds_t  thresholds;
  block_bytes_t block_bytes;
  dir_command_t dir_command;
  logic [15:0]  evict_new;
  logic [15:0]  prefetch_new;
  logic         bad_thresh;
  logic         bad_value;

  assign thresholds = thresholds_t'(wr_data_i[$bits(thresholds_t)-1:0]);
  assign block_bytes = block_bytes_t'(wr_data_i[$bits(block_bytes_t)-1:0]);
  assign dir_command = dir_command_t'(wr_data_i[$bits(dir_command_t)-1:0]);
  // EVICT_THRESH and the EVICT half of THRESHOLDS are the same data bits.
  assign evict_new = sel_q.prefetch_thresh ? evict_thresh_i : thresholds.evict;
  assign prefetch_new = sel_q.thresholds ? thresholds.prefetch :
      sel_q.prefetch_thresh ? wr_data_i[15:0] : prefetch_thresh_i;
  assign bad_thresh = (sel_q.thresholds || sel_q.evict_thresh || sel_q.prefetch_thresh) &&
      (evict_new > prefetch_new);

  always_comb begin
    bad_value = 1'b0;
    if (sel_q.block_bytes) begin
      bad_value = (block_bytes.bytes < 17'd256) || (block_bytes.bytes > 17'd65536) ||
          (block_bytes.bytes[5:0] != '0);
    end
    if (sel_q.base != '0) bad_value = wr_data_i[11:0] != '0;
    if (sel_q.slots != '0) bad_value = wr_data_i[CountW-1:0] > CountW'(ENTRIES);
    if (sel_q.dir) begin
      bad_value = (dir_command.command < CommandInsert) || (dir_command.command > CommandMigrate);
    end
  end

  // ---------------------------------------------------------------- ranges
  kv_addr_t          range_addr_q;
  logic [LenW-1:0]   range_len_q;
  logic              len_bad_q;
  logic [LenW:0]     end_q;        // first token after the range
  logic [LenW:0]     diff_q;       // blocks, the last one only if it ends there
  logic              frac_q;       // the range ends inside a block
  logic              past_q;       // past token 2^32 - 1
  logic              span_bad_q;   // past layer 255 or head 255
  logic              bad_range;
  kv_addr_t          range_addr;
  logic [63:0]       range_len;
  logic [7:0]        span_layers;
  logic [7:0]        span_heads;

  always_comb begin
    range_addr = '0;
    for (int unsigned i = 0; i < RangeCmds; i++) begin
      if (sel_q.range[i]) range_addr |= range_addr_i[i];
    end
  end
  assign range_len = sel_q.range[CmdPrefetch[2:0]] ? prefetch_len_i : wr_data_i;
  assign span_layers = (span_layers_i == '0) ? 8'd1 : span_layers_i;
  assign span_heads = (span_heads_i == '0) ? 8'd1 : span_heads_i;
  assign bad_range = len_bad_q || past_q || span_bad_q ||
      (diff_q[LenW:EntriesW+1] != '0) ||
      (diff_q[EntriesW] && ((diff_q[EntriesW-1:0] != '0) || frac_q));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      range_addr_q <= '0;
      range_len_q  <= '0;
      len_bad_q    <= 1'b0;
      end_q        <= '0;
      diff_q       <= '0;
      frac_q       <= 1'b0;
      past_q       <= 1'b0;
      span_bad_q   <= 1'b0;
    end else begin
      range_addr_q <= range_addr;
      range_len_q  <= range_len[LenW-1:0];
      len_bad_q    <= (range_len == '0) || (range_len[63:LenW] != '0);
      span_bad_q   <= (9'(range_addr_q.layer) + 9'(span_layers) > 9'd256) ||
          (9'(range_addr_q.head) + 9'(span_heads) > 9'd256);
      end_q        <= (LenW+1)'(range_addr_q.token) + (LenW+1)'(range_len_q);
      diff_q       <= (end_q >> BlockShift) - (LenW+1)'(range_addr_q.token >> BlockShift);
      frac_q       <= (end_q & (LenW+1)'(BLOCK_TOKENS - 1)) != '0;
      past_q       <= end_q[LenW] || (end_q[32] && (end_q[31:0] != '0));
    end
  end

  // ---------------------------------------------------------------- phases
  logic launches;
  logic needs_slots;
  logic refused;
  logic full_refused;
  logic held_bad;
  logic judging;
  logic exec_over;
  logic error_q;

  assign launches = (sel_q.range != '0) || sel_q.dir;
  assign needs_slots = (sel_q.base != '0) || (sel_q.slots != '0) || sel_q.block_bytes;

  always_comb begin
    bad_d = bad_q;
    unique case (phase_q)
      PhDecode:  bad_d = is_malformed || is_absent;
      PhOperand: bad_d = bad_q || bad_thresh || bad_value || step_bad_q;
      PhLimit:   bad_d = bad_q || bad_range;
      default:   bad_d = bad_q;
    endcase
  end

  assign held_bad = ((sel_q.base | sel_q.slots) & ~unused_i) != '0 ||
      (sel_q.block_bytes && (unused_i != '1));
  assign full_refused = launches && !bad_q && launch_ok_i && !(sel_q.dir && dir_busy_i) &&
      cmd_full_i;
  assign refused = bad_q || held_bad || full_refused ||
      (launches && !launch_ok_i) || (sel_q.dir && dir_busy_i);
  assign judging = (phase_q == PhJudge) && (!needs_slots || slots_quiet_i || bad_q);
  assign exec_o = phase_q == PhExec;
  assign exec_over = exec_o && !stall_i;
  assign done_o = phase_q == PhAnswer;
  assign error_o = error_q;
  assign cmd_refused_o = judging && full_refused;
  assign thresholds_we_o = exec_o && !stall_i && sel_q.thresholds;
  assign dma_error_we_o = exec_o && !stall_i && sel_q.dma_error;
  assign parity_we_o = exec_o && !stall_i && sel_q.parity;

  always_comb begin
    phase_d = phase_q;
    unique case (phase_q)
      PhDecode:  if (wr_valid_i) phase_d = PhOperand;
      PhOperand: phase_d = (sel_q.range != '0) ? PhEnd : PhJudge;
      PhEnd:     phase_d = PhDiff;
      PhDiff:    phase_d = PhLimit;
      PhLimit:   phase_d = PhJudge;
      PhJudge:   if (judging) phase_d = refused ? PhAnswer : PhExec;
      PhExec:    if (exec_over) phase_d = PhAnswer;
      PhAnswer:  phase_d = PhDecode;
      default:   phase_d = PhDecode;
    endcase
  end

  // A write of SLOTS, BASE or BLOCK_BYTES keeps slot-taking operations out until the new value
  // counts, so that none of them can meet the change half-way.
  assign slots_hold_o = ((phase_q != PhDecode) && needs_slots) || (slots_we_o != '0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      phase_q    <= PhDecode;
      bad_q      <= 1'b0;
      error_q    <= 1'b0;
      slots_we_o <= '0;
    end else begin
      phase_q    <= phase_d;
      bad_q      <= bad_d;
      if (phase_q == PhJudge) error_q <= refused;
      else if (phase_q == PhExec) error_q <= map_error_i;
      slots_we_o <= (exec_o && !stall_i) ? sel_q.slots : '0;
    end
  end

  // ---------------------------------------------------------------- commands
  cmd_t cmd;

  always_comb begin
    cmd = '0;
    for (int unsigned i = 0; i < RangeCmds; i++) begin
      if (sel_q.range[i]) cmd.cmd = cmd_e'(4'(i));
    end
    cmd.kv_addr = range_addr_q;
    cmd.len = range_len_q;
    cmd.step = wr_data_i[31:0];
    cmd.span_layers = span_layers;
    cmd.span_heads = span_heads;
    cmd.token_end = dir_arg_i.token_end;
    cmd.tier = tier_e'(dir_arg_i.tier);
    cmd.prefix = dir_arg_i.prefix;
    cmd.hot = dir_arg_i.hot;
    cmd.touch = dir_arg_i.touch;
    if (sel_q.dir) begin
      cmd.kv_addr = dir_addr_i;
      unique case (dir_command.command)
        CommandInsert:      cmd.cmd = CmdInsert;
        CommandLookup:      cmd.cmd = CmdLookup;
        CommandRemove:      cmd.cmd = CmdRemove;
        CommandFreeRequest: cmd.cmd = CmdFreeRequest;
        default:            cmd.cmd = CmdMigrate;
      endcase
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cmd_push_o <= 1'b0;
      cmd_o      <= '0;
    end else begin
      cmd_push_o <= exec_o && !stall_i && launches;
      if (exec_o) cmd_o <= cmd;
    end
  end

endmodule
