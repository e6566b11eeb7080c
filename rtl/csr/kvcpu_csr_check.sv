// Decides whether a write to BAR0 is legal (device.md 7 and 10). A write walks through the phases
// below; what depends only on the write and on other registers is judged on the way, and what may
// change meanwhile (queue full, tier in use, directory command busy) in the phase before the write
// takes effect: none of it can make the write illegal any more, since only writes launch commands and
// slots_hold_o keeps slots from being taken. STEP_ADVANCE alone takes effect in the first phase. The
// answer follows one cycle after the effect, when the whole device knows the new value.
//
// The register block is asked in the phase of the judgement and has decoded the address when the write
// takes effect. It cannot be asked to write in the cycle after it is asked to read, so reads_ok_o keeps
// reads away from both cycles.
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
  /// The write is to STEP_ADVANCE or its alias with all strobes; 1 in the first cycle of wr_valid_i
  /// and in no other.
  input  logic                 wr_step_i,
  /// The register block is asked to write: the write takes effect in the next cycle.
  output logic                 exec_o,
  /// A read may go to the register block in the next cycle.
  output logic                 reads_ok_o,
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
  output logic                 parity_we_o,
  /// BLOCK_BYTES is written in this cycle.
  output logic                 bytes_we_o
);

  localparam int unsigned BlockShift = $clog2(BLOCK_TOKENS);
  localparam int unsigned EntriesW = $clog2(ENTRIES);
  localparam int unsigned RangeCmds = 6;
  // Tokens of the longest legal range fit 25 bits; one of 33 bits or more is too long at sight.
  localparam int unsigned LenW = 33;

  // Bit 3: the judgement is one cycle away or two (PhQuiet: may be).
  typedef enum logic [3:0] {
    PhDecode  = 4'd0,   // which register
    PhOperand = 4'd8,   // simple judgements; operands of a range
    PhEnd     = 4'd1,   // end of the range
    PhDiff    = 4'd9,   // blocks of the range
    PhLimit   = 4'd10,  // judgement of the range
    PhQuiet   = 4'd11,  // until no slot is being taken
    PhJudge   = 4'd2,   // judgement of what may change
    PhExec    = 4'd3,   // takes effect
    PhAnswer  = 4'd4
  } phase_e;

  phase_e phase_q, phase_d;
  logic   decode_q;  // PhDecode

  // ---------------------------------------------------------------- decode
  logic [RangeCmds-1:0] is_range;
  logic                 is_dir;
  logic                 is_evict_thresh;
  logic                 is_prefetch_thresh;
  logic                 is_thresholds;
  logic                 is_block_bytes;
  logic [TierCount-1:0] is_base;
  logic [TierCount-1:0] is_slots;
  logic                 is_absent, absent_q;
  logic                 is_malformed;
  logic [7:0]           writable_q;  // per word of the write's 64 bytes
  logic                 unmapped;

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
    // What is mapped fits 13 address bits.
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

  assign step_we_o = wr_step_i && launch_ok_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sel_q      <= '0;
      absent_q   <= 1'b0;
      writable_q <= '0;
    end else if (phase_q == PhDecode) begin
      absent_q              <= is_absent;
      writable_q            <= Writable[{wr_addr_i[12:6], 3'd0}+:8];
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
    end
  end

  assign unmapped = absent_q || !writable_q[wr_addr_i[5:3]];

  // ---------------------------------------------------------------- simple judgements
  // What the data would be for each register is worked out while the register is looked for.
  thresholds_t  thresholds;
  block_bytes_t block_bytes;
  dir_command_t dir_command;
  logic         both_bad_q, evict_bad_q, prefetch_bad_q;  // EVICT_THRESH > PREFETCH_THRESH after it
  logic         bytes_bad_q, base_bad_q, slots_bad_q, command_bad_q;
  logic         bad_value;

  assign thresholds = thresholds_t'(wr_data_i[$bits(thresholds_t)-1:0]);
  assign block_bytes = block_bytes_t'(wr_data_i[$bits(block_bytes_t)-1:0]);
  assign dir_command = dir_command_t'(wr_data_i[$bits(dir_command_t)-1:0]);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      both_bad_q     <= 1'b0;
      evict_bad_q    <= 1'b0;
      prefetch_bad_q <= 1'b0;
      bytes_bad_q    <= 1'b0;
      base_bad_q     <= 1'b0;
      slots_bad_q    <= 1'b0;
      command_bad_q  <= 1'b0;
    end else begin
      both_bad_q     <= thresholds.evict > thresholds.prefetch;
      evict_bad_q    <= wr_data_i[15:0] > prefetch_thresh_i;
      prefetch_bad_q <= evict_thresh_i > wr_data_i[15:0];
      // 256 to 65,536, in steps of 64.
      bytes_bad_q    <= (block_bytes.bytes[16:8] == '0) || (block_bytes.bytes[5:0] != '0) ||
          (block_bytes.bytes[16] && (block_bytes.bytes[15:6] != '0));
      base_bad_q     <= wr_data_i[11:0] != '0;
      slots_bad_q    <= wr_data_i[CountW-1:0] > CountW'(ENTRIES);
      command_bad_q  <= (dir_command.command < CommandInsert) ||
          (dir_command.command > CommandMigrate);
    end
  end

  assign bad_value = (sel_q.thresholds && both_bad_q) || (sel_q.evict_thresh && evict_bad_q) ||
      (sel_q.prefetch_thresh && prefetch_bad_q) || (sel_q.block_bytes && bytes_bad_q) ||
      ((sel_q.base != '0) && base_bad_q) || ((sel_q.slots != '0) && slots_bad_q) ||
      (sel_q.dir && command_bad_q);

  // ---------------------------------------------------------------- ranges
  kv_addr_t          range_addr_q;
  logic [LenW-1:0]   range_len_q;
  logic              len_long_q;   // beyond LenW bits
  logic              len_bad_q;
  logic [LenW:0]     end_q;        // first token after the range
  logic [LenW:0]     diff_q;       // blocks, the last one only if it ends there
  logic              frac_q;       // the range ends inside a block
  logic              past_q;       // past token 2^32 - 1
  logic              span_bad_q;   // past layer 255 or head 255
  logic              bad_range;
  kv_addr_t          range_addr;
  logic [63:0]       range_len;
  logic [7:0]        span_layers_q;
  logic [7:0]        span_heads_q;

  always_comb begin
    range_addr = '0;
    for (int unsigned i = 0; i < RangeCmds; i++) begin
      if (sel_q.range[i]) range_addr |= range_addr_i[i];
    end
  end
  assign range_len = sel_q.range[CmdPrefetch[2:0]] ? prefetch_len_i : wr_data_i;
  assign bad_range = len_bad_q || past_q || span_bad_q ||
      (diff_q[LenW:EntriesW+1] != '0) ||
      (diff_q[EntriesW] && ((diff_q[EntriesW-1:0] != '0) || frac_q));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      range_addr_q  <= '0;
      range_len_q   <= '0;
      len_long_q    <= 1'b0;
      len_bad_q     <= 1'b0;
      end_q         <= '0;
      diff_q        <= '0;
      frac_q        <= 1'b0;
      past_q        <= 1'b0;
      span_layers_q <= '0;
      span_heads_q  <= '0;
      span_bad_q    <= 1'b0;
    end else begin
      range_addr_q  <= range_addr;
      range_len_q   <= range_len[LenW-1:0];
      len_long_q    <= range_len[63:LenW] != '0;
      len_bad_q     <= len_long_q || (range_len_q == '0);
      span_layers_q <= (span_layers_i == '0) ? 8'd1 : span_layers_i;
      span_heads_q  <= (span_heads_i == '0) ? 8'd1 : span_heads_i;
      span_bad_q    <= (9'(range_addr_q.layer) + 9'(span_layers_q) > 9'd256) ||
          (9'(range_addr_q.head) + 9'(span_heads_q) > 9'd256);
      end_q         <= (LenW+1)'(range_addr_q.token) + (LenW+1)'(range_len_q);
      diff_q        <= (end_q >> BlockShift) - (LenW+1)'(range_addr_q.token >> BlockShift);
      frac_q        <= (end_q & (LenW+1)'(BLOCK_TOKENS - 1)) != '0;
      past_q        <= end_q[LenW] || (end_q[32] && (end_q[31:0] != '0));
    end
  end

  // ---------------------------------------------------------------- phases
  logic                 launches, launches_q;
  logic                 dir_q;         // sel_q.dir, from the phase after PhOperand on
  logic                 needs_slots;
  logic [TierCount-1:0] needs_unused;  // tiers of which no slot may be in use
  logic                 held_q;        // slots_hold_o, a cycle later
  logic                 quiet_q;       // no slot is being taken, in PhQuiet of this write
  logic                 held_bad_q;    // a slot is in use, as slots_quiet_i or a later cycle has it
  logic                 full_refused;
  logic                 refused, refused_q;
  logic                 judging;
  logic                 effect_q;      // the write takes effect

  assign launches = (sel_q.range != '0) || sel_q.dir;
  assign needs_unused = sel_q.base | sel_q.slots | {TierCount{sel_q.block_bytes}};
  assign needs_slots = needs_unused != '0;

  always_comb begin
    bad_d = bad_q;
    unique case (phase_q)
      PhDecode:  bad_d = is_malformed || (wr_step_i && !launch_ok_i);
      PhOperand: bad_d = bad_q || unmapped || bad_value || (launches && !launch_ok_i);
      PhLimit:   bad_d = bad_q || bad_range;
      default:   bad_d = bad_q;
    endcase
  end

  assign full_refused = launches_q && !bad_q && !(dir_q && dir_busy_i) && cmd_full_i;
  assign refused = bad_q || held_bad_q || (launches_q && cmd_full_i) || (dir_q && dir_busy_i);
  assign judging = phase_q == PhJudge;
  assign exec_o = judging && !refused;
  assign done_o = phase_q == PhAnswer;
  assign error_o = refused_q;
  assign cmd_refused_o = judging && full_refused;

  always_comb begin
    phase_d = phase_q;
    unique case (phase_q)
      PhDecode:  if (wr_valid_i) phase_d = PhOperand;
      PhOperand: phase_d = (sel_q.range != '0) ? PhEnd : needs_slots ? PhQuiet : PhJudge;
      PhEnd:     phase_d = PhDiff;
      PhDiff:    phase_d = PhLimit;
      PhLimit:   phase_d = PhJudge;
      PhQuiet:   if (quiet_q || bad_q) phase_d = PhJudge;
      PhJudge:   phase_d = refused ? PhAnswer : PhExec;
      PhExec:    phase_d = PhAnswer;
      PhAnswer:  phase_d = PhDecode;
      default:   phase_d = PhDecode;
    endcase
  end

  // The first phase of a write counts as one with bit 3 too.
  assign reads_ok_o = !phase_q[3] && !(decode_q && wr_valid_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      phase_q         <= PhDecode;
      decode_q        <= 1'b1;
      bad_q           <= 1'b0;
      launches_q      <= 1'b0;
      dir_q           <= 1'b0;
      slots_hold_o    <= 1'b0;
      held_q          <= 1'b0;
      quiet_q         <= 1'b0;
      held_bad_q      <= 1'b0;
      refused_q       <= 1'b0;
      effect_q        <= 1'b0;
      thresholds_we_o <= 1'b0;
      dma_error_we_o  <= 1'b0;
      parity_we_o     <= 1'b0;
      bytes_we_o      <= 1'b0;
      slots_we_o      <= '0;
    end else begin
      phase_q         <= phase_d;
      decode_q        <= phase_d == PhDecode;
      bad_q           <= bad_d;
      launches_q      <= launches;
      dir_q           <= sel_q.dir;
      // A write of SLOTS, BASE or BLOCK_BYTES keeps slot-taking operations out until the new value
      // counts, so that none of them can meet the change half-way.
      slots_hold_o    <= ((phase_q != PhDecode) && needs_slots) || (slots_we_o != '0);
      held_q          <= slots_hold_o;
      quiet_q         <= (phase_q == PhQuiet) && held_q && slots_quiet_i;
      held_bad_q      <= (needs_unused & ~unused_i) != '0;
      if (judging) refused_q <= refused;
      effect_q        <= exec_o;
      thresholds_we_o <= exec_o && sel_q.thresholds;
      dma_error_we_o  <= exec_o && sel_q.dma_error;
      parity_we_o     <= exec_o && sel_q.parity;
      bytes_we_o      <= exec_o && sel_q.block_bytes;
      slots_we_o      <= effect_q ? sel_q.slots : '0;
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
    cmd.span_layers = span_layers_q;
    cmd.span_heads = span_heads_q;
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
      cmd_push_o <= effect_q && launches_q;
      if (effect_q) cmd_o <= cmd;
    end
  end

endmodule
