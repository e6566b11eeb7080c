// Command queue: range commands, walked block by block, and directory commands, run one after
// another in the order of their launches.

`include "kvcpu_assert.svh"

module kvcpu_cmd
  import kvcpu_pkg::*;
#(
  /// Tokens of a block: power of two, 1 to 256 (device.md 1).
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic              clk_i,
  /// Reset, active low.
  input  logic              rst_ni,
  /// Synchronous clear: forgets all commands and the result.
  input  logic              clear_i,

  /// A command is launched (never while full_o; no directory command while dir_busy_o).
  input  logic              push_i,
  /// The command; a range's length and span are already checked.
  input  cmd_t              cmd_i,
  /// The queue has no place.
  output logic              full_o,
  /// A directory command waits or runs.
  output logic              dir_busy_o,
  /// Commands that wait or run, 0 to 17.
  output logic [4:0]        pending_o,
  /// Pulse: a command (of any kind) is done.
  output logic              cmd_done_o,
  /// Result of the last directory command; all 0 from its launch until it is done.
  output dir_result_t       result_o,
  /// result_o is that of a directory command that is done.
  output logic              result_valid_o,

  /// An operation for the directory; holds until op_ready_i.
  output logic              op_valid_o,
  /// The directory takes it in this cycle.
  input  logic              op_ready_i,
  /// The operation (client ClCmd).
  output op_t               op_o,
  /// It takes a slot: is an OpInsert.
  output logic              op_takes_o,
  /// Response of an operation, in the order of the operations.
  input  logic              rsp_valid_i,
  /// The response.
  input  rsp_t              rsp_i,
  /// The directory works on an INSERT: the next two are those of its new entry, if it gets one here.
  input  logic              insert_i,
  /// It does: the INSERT's result is OK, and no response follows. Late in its cycle.
  input  logic              inserted_i,
  /// PHYS_ADDR, bytes.
  input  logic [63:0]       phys_addr_i,
  /// Index.
  input  logic [IndexW-1:0] index_i,

  /// Pulse: FREE_REQUEST starts.
  output logic              free_start_o,
  /// Its request; stable until free_done_i.
  output logic [15:0]       free_request_id_o,
  /// Pulse: FREE_REQUEST has walked the directory.
  input  logic              free_done_i,
  /// Blocks removed, valid with free_done_i.
  input  logic [CountW-1:0] free_removed_i,
  /// Blocks that stayed because they are referenced, valid with free_done_i.
  input  logic [CountW-1:0] free_stayed_i,

  /// Pulse: a range command met a block that is not in the directory.
  output logic              hint_miss_o,
  /// Pulse: SHARE met REF_COUNT 255.
  output logic              ref_saturated_o,
  /// Pulse: RELEASE met REF_COUNT 0.
  output logic              ref_underflow_o
);

  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two, 1 to 256")

  localparam int unsigned OffsetW = $clog2(BLOCK_TOKENS);
  localparam logic [31:0] OffsetMask = 32'(BLOCK_TOKENS - 1);

  typedef enum logic [2:0] {
    StIdle,      // a directory command's only operation is requested from the queue's head
    StRange,     // the walker issues the blocks' operations
    StDir,       // the operation is still requested
    StDirWait,   // and answered
    StFreeWait,  // FREE_REQUEST walks the directory
    StDone
  } state_e;

  state_e state_q, state_d;
  logic idle_q, held_q, range_q;  // the state is StIdle, is not, is StRange; the latter two choose between commands

  // ------------------------------------------------------------------ queue
  // What the command at the head is, worked out on its way into the queue.
  typedef struct packed {
    logic bad_arg;
    logic range;
    logic direct;  // it has one operation
    op_e  op;      // that
  } kind_t;

  logic                            q_valid, load;
  kind_t                           kind, q_kind;
  op_e                             op_q;
  logic                            takes_q;
  logic [$clog2(CmdQueueDepth):0]  q_level;
  cmd_t                            q_cmd, cmd_q;

  kvcpu_fifo #(
    .Width($bits(kind_t) + $bits(cmd_t)),
    .Depth(CmdQueueDepth)
  ) u_queue (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (push_i),
    .data_i ({kind, cmd_i}),
    .full_o (full_o),
    .valid_o(q_valid),
    .data_o ({q_kind, q_cmd}),
    .pop_i  (load),
    .level_o(q_level)
  );

  assign load      = q_valid && idle_q;
  assign pending_o = 5'(q_level) + 5'(state_q != StIdle);

  function automatic logic is_range(cmd_e cmd);
    return cmd < CmdInsert;
  endfunction

  // INSERT: block-aligned, TOKEN_END inside the same block (and so not before TOKEN_START). Judged on
  // the way into the queue, so that an operation is requested straight from the queue's head.
  always_comb begin
    kind = '0;
    unique case (cmd_i.cmd)
      CmdInsert: kind.bad_arg = (cmd_i.kv_addr.token & OffsetMask) != '0 ||
                                ((cmd_i.kv_addr.token ^ cmd_i.token_end) >> OffsetW) != '0;
      CmdFreeRequest: kind.bad_arg = cmd_i.kv_addr.request_id == '0;
      default: ;
    endcase
    kind.range  = is_range(cmd_i.cmd);
    kind.direct = !kind.range && !kind.bad_arg && (cmd_i.cmd != CmdFreeRequest);
    unique case (cmd_i.cmd)
      CmdInsert:  kind.op = OpInsert;
      CmdLookup:  kind.op = cmd_i.touch ? OpLookup : OpPeek;
      CmdRemove:  kind.op = OpRemove;
      CmdMigrate: kind.op = OpMigrate;
      default:    kind.op = OpNone;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!held_q) begin
      cmd_q   <= q_cmd;
      op_q    <= q_kind.op;
      takes_q <= q_kind.op == OpInsert;
    end
  end

  // ------------------------------------------------------------------ sequence
  logic walk_start_q, walk_done, free_start_q, free_start_d;

  always_comb begin
    state_d      = state_q;
    free_start_d = 1'b0;
    unique case (state_q)
      StIdle: begin
        if (load) begin
          if (q_kind.range) begin
            state_d = StRange;
          end else if (q_kind.bad_arg) begin
            state_d = StDone;
          end else if (q_cmd.cmd == CmdFreeRequest) begin
            state_d      = StFreeWait;
            free_start_d = 1'b1;
          end else begin
            state_d = op_ready_i ? StDirWait : StDir;
          end
        end
      end
      StRange:    if (walk_done) state_d = StDone;
      StDir:      if (op_ready_i) state_d = StDirWait;
      StDirWait:  if (rsp_valid_i || inserted_i) state_d = StDone;
      StFreeWait: if (free_done_i) state_d = StDone;
      StDone:     state_d = StIdle;
      default:    state_d = StIdle;
    endcase
  end

  logic idle_d;  // whatever the answer, which comes late
  assign idle_d = idle_q ? !load : state_q == StDone;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q      <= StIdle;
      idle_q       <= 1'b1;
      held_q       <= 1'b0;
      range_q      <= 1'b0;
      walk_start_q <= 1'b0;
      free_start_q <= 1'b0;
    end else if (clear_i) begin
      state_q      <= StIdle;
      idle_q       <= 1'b1;
      held_q       <= 1'b0;
      range_q      <= 1'b0;
      walk_start_q <= 1'b0;
      free_start_q <= 1'b0;
    end else begin
      state_q      <= state_d;
      idle_q       <= idle_d;
      held_q       <= !idle_d;
      range_q      <= (load && q_kind.range) || (range_q && !walk_done);
      walk_start_q <= load && q_kind.range;
      free_start_q <= free_start_d;
    end
  end

  assign free_start_o      = free_start_q;
  assign free_request_id_o = cmd_q.kv_addr.request_id;
  assign cmd_done_o        = state_q == StDone;

  // ------------------------------------------------------------------ operations
  logic walk_op_valid;
  op_t  walk_op, dir_op;

  kvcpu_cmd_walk #(
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_walk (
    .clk_i      (clk_i),
    .rst_ni     (rst_ni),
    .clear_i    (clear_i),
    .start_i    (walk_start_q),
    .cmd_i      (cmd_q),
    .done_o     (walk_done),
    .op_valid_o (walk_op_valid),
    .op_ready_i (op_ready_i),
    .op_o       (walk_op),
    .rsp_valid_i(rsp_valid_i && (state_q == StRange))
  );

  cmd_t dir_cmd;
  assign dir_cmd = held_q ? cmd_q : q_cmd;

  always_comb begin
    dir_op           = '0;
    dir_op.client    = ClCmd;
    dir_op.kv_addr   = dir_cmd.kv_addr;
    dir_op.token_end = 8'(dir_cmd.token_end & OffsetMask);
    dir_op.tier      = dir_cmd.tier;
    dir_op.prefix    = dir_cmd.prefix;
    dir_op.hot       = dir_cmd.hot;
    dir_op.op        = held_q ? op_q : q_kind.op;
  end

  assign op_valid_o = walk_op_valid || (state_q == StDir) || (idle_q && q_valid && q_kind.direct);
  assign op_takes_o = idle_q ? q_kind.op == OpInsert : takes_q;
  assign op_o       = range_q ? walk_op : dir_op;

  // ------------------------------------------------------------------ results
  // The answer comes late in its cycle: every cycle that waits for it keeps what it sees, and which parts
  // of that are a result is known a cycle later.
  dir_result_t result;
  logic        dir_busy_q, result_valid_q, dir_push, dir_done, ok, tier_q, place_q, removed_q;

  assign dir_push = push_i && !full_o && !is_range(cmd_i.cmd);
  assign dir_done = (load && !q_kind.range && q_kind.bad_arg) ||
                    (state_q == StDirWait && (rsp_valid_i || inserted_i)) ||
                    (state_q == StFreeWait && free_done_i);

  assign ok = (cmd_q.cmd == CmdLookup) ? rsp_i.hit : rsp_i.status == StOk;

  always_ff @(posedge clk_i) begin
    if (load && !q_kind.range && q_kind.bad_arg) result.status <= StBadArg;
    if (state_q == StDirWait) begin
      result.status    <= (cmd_q.cmd == CmdLookup) ? (rsp_i.hit ? StOk : StMiss) : rsp_i.status;
      result.tier      <= rsp_i.tier;
      result.index     <= insert_i ? index_i : rsp_i.index;
      result.phys_addr <= insert_i ? phys_addr_i : rsp_i.phys_addr;
      if (insert_i) result.status <= StOk;
    end
    if (state_q == StFreeWait) begin
      result.status  <= StOk;
      result.removed <= free_removed_i;
      result.stayed  <= free_stayed_i;
    end
  end

  // From a launch on nothing is shown until the command is done.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dir_busy_q     <= 1'b0;
      result_valid_q <= 1'b0;
      tier_q         <= 1'b0;
      place_q        <= 1'b0;
      removed_q      <= 1'b0;
    end else if (clear_i || dir_push) begin
      dir_busy_q     <= dir_push && !clear_i;
      result_valid_q <= 1'b0;
      tier_q         <= 1'b0;
      place_q        <= 1'b0;
      removed_q      <= 1'b0;
    end else begin
      dir_busy_q     <= dir_busy_q && !dir_done;
      result_valid_q <= result_valid_q || dir_done;
      tier_q         <= tier_q || (rsp_valid_i && ok && state_q == StDirWait && cmd_q.cmd == CmdLookup);
      place_q        <= place_q || (state_q == StDirWait && inserted_i) ||
                        (rsp_valid_i && ok && state_q == StDirWait && cmd_q.cmd inside {CmdLookup, CmdInsert});
      removed_q      <= removed_q || (state_q == StFreeWait && free_done_i);
    end
  end

  always_comb begin
    result_o = '0;
    if (result_valid_q) result_o.status = result.status;
    if (tier_q) result_o.tier = result.tier;
    if (place_q) begin
      result_o.index     = result.index;
      result_o.phys_addr = result.phys_addr;
    end
    if (removed_q) begin
      result_o.removed = result.removed;
      result_o.stayed  = result.stayed;
    end
  end

  assign dir_busy_o     = dir_busy_q;
  assign result_valid_o = result_valid_q;

  // ------------------------------------------------------------------ events, a cycle after the answer
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      hint_miss_o     <= 1'b0;
      ref_saturated_o <= 1'b0;
      ref_underflow_o <= 1'b0;
    end else if (clear_i) begin
      hint_miss_o     <= 1'b0;
      ref_saturated_o <= 1'b0;
      ref_underflow_o <= 1'b0;
    end else begin
      hint_miss_o     <= rsp_valid_i && (state_q == StRange) && !rsp_i.hit;
      ref_saturated_o <= rsp_valid_i && rsp_i.saturated;
      ref_underflow_o <= rsp_valid_i && rsp_i.underflow;
    end
  end


  // ------------------------------------------------------------------ invariants
  `KVCPU_ASSERT(state_flags, idle_q == (state_q == StIdle) && held_q != idle_q && range_q == (state_q == StRange),
                "the flags of the sequencer say what its state says")
  `KVCPU_ASSERT(one_directory_command, push_i && !full_o && !is_range(cmd_i.cmd) |-> !dir_busy_q,
                "no directory command is launched while one waits or runs")
  `KVCPU_ASSERT(answer_is_expected, rsp_valid_i |-> state_q inside {StRange, StDirWait},
                "the directory answers only an operation of a command")
  `KVCPU_ASSERT(operation_holds, op_valid_o && !op_ready_i && !clear_i |=> op_valid_o,
                "an operation is requested until the directory accepts it")

endmodule
