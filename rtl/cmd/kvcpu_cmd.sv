// Command queue: range commands, walked block by block, and directory commands, run one after
// another in the order of their launches.

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
  /// Response of an operation, in the order of the operations.
  input  logic              rsp_valid_i,
  /// The response.
  input  rsp_t              rsp_i,

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

  if (BLOCK_TOKENS < 1 || BLOCK_TOKENS > 256 || (BLOCK_TOKENS & (BLOCK_TOKENS - 1)) != 0)
  begin : g_check_block_tokens
    $error("kvcpu_cmd: BLOCK_TOKENS must be a power of two, 1 to 256");
  end

  localparam int unsigned OffsetW = $clog2(BLOCK_TOKENS);
  localparam logic [31:0] OffsetMask = 32'(BLOCK_TOKENS - 1);

  typedef enum logic [2:0] {
    StIdle,
    StRange,     // the walker issues the blocks' operations
    StDir,       // a directory command's only operation is offered
    StDirWait,   // and answered
    StFreeWait,  // FREE_REQUEST walks the directory
    StDone
  } state_e;

  state_e state_q, state_d;

  // ------------------------------------------------------------------ queue
  logic                            q_valid, load;
  logic [$bits(cmd_t)-1:0]         q_data;
  logic [$clog2(CmdQueueDepth):0]  q_level;
  cmd_t                            q_cmd, cmd_q;

  kvcpu_fifo #(
    .Width($bits(cmd_t)),
    .Depth(CmdQueueDepth)
  ) u_queue (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (push_i),
    .data_i (cmd_i),
    .full_o (full_o),
    .valid_o(q_valid),
    .data_o (q_data),
    .pop_i  (load),
    .level_o(q_level)
  );

  assign q_cmd     = cmd_t'(q_data);
  assign load      = q_valid && (state_q == StIdle);
  assign pending_o = 5'(q_level) + 5'(state_q != StIdle);

  function automatic logic is_range(cmd_e cmd);
    return cmd < CmdInsert;
  endfunction

  // INSERT: block-aligned, TOKEN_END inside the same block (and so not before TOKEN_START).
  logic bad_arg;
  always_comb begin
    unique case (q_cmd.cmd)
      CmdInsert: bad_arg = (q_cmd.kv_addr.token & OffsetMask) != '0 ||
                           ((q_cmd.kv_addr.token ^ q_cmd.token_end) >> OffsetW) != '0;
      CmdFreeRequest: bad_arg = q_cmd.kv_addr.request_id == '0;
      default: bad_arg = 1'b0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (load) cmd_q <= q_cmd;
  end

  // ------------------------------------------------------------------ sequence
  logic walk_start_q, walk_done, free_start_q, free_start_d;

  always_comb begin
    state_d      = state_q;
    free_start_d = 1'b0;
    unique case (state_q)
      StIdle: begin
        if (load) begin
          if (is_range(q_cmd.cmd)) begin
            state_d = StRange;
          end else if (bad_arg) begin
            state_d = StDone;
          end else if (q_cmd.cmd == CmdFreeRequest) begin
            state_d      = StFreeWait;
            free_start_d = 1'b1;
          end else begin
            state_d = StDir;
          end
        end
      end
      StRange:    if (walk_done) state_d = StDone;
      StDir:      if (op_ready_i) state_d = StDirWait;
      StDirWait:  if (rsp_valid_i) state_d = StDone;
      StFreeWait: if (free_done_i) state_d = StDone;
      StDone:     state_d = StIdle;
      default:    state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q      <= StIdle;
      walk_start_q <= 1'b0;
      free_start_q <= 1'b0;
    end else if (clear_i) begin
      state_q      <= StIdle;
      walk_start_q <= 1'b0;
      free_start_q <= 1'b0;
    end else begin
      state_q      <= state_d;
      walk_start_q <= (state_q == StIdle) && (state_d == StRange);
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

  always_comb begin
    dir_op           = '0;
    dir_op.client    = ClCmd;
    dir_op.kv_addr   = cmd_q.kv_addr;
    dir_op.token_end = 8'(cmd_q.token_end & OffsetMask);
    dir_op.tier      = cmd_q.tier;
    dir_op.prefix    = cmd_q.prefix;
    dir_op.hot       = cmd_q.hot;
    unique case (cmd_q.cmd)
      CmdInsert:  dir_op.op = OpInsert;
      CmdLookup:  dir_op.op = cmd_q.touch ? OpLookup : OpPeek;
      CmdRemove:  dir_op.op = OpRemove;
      CmdMigrate: dir_op.op = OpMigrate;
      default:    dir_op.op = OpNone;
    endcase
  end

  assign op_valid_o = walk_op_valid || (state_q == StDir);
  assign op_o       = (state_q == StDir) ? dir_op : walk_op;

  // ------------------------------------------------------------------ results
  dir_result_t result_q, result_d;
  logic        dir_busy_q, result_valid_q, dir_push, dir_done;

  assign dir_push = push_i && !full_o && !is_range(cmd_i.cmd);
  assign dir_done = (load && !is_range(q_cmd.cmd) && bad_arg) ||
                    (state_q == StDirWait && rsp_valid_i) || (state_q == StFreeWait && free_done_i);

  always_comb begin
    result_d = '0;
    unique case (state_q)
      StIdle: result_d.status = StBadArg;
      StFreeWait: begin
        result_d.removed = free_removed_i;
        result_d.stayed  = free_stayed_i;
      end
      default: begin
        if (cmd_q.cmd == CmdLookup) result_d.status = rsp_i.hit ? StOk : StMiss;
        else result_d.status = rsp_i.status;
        if (result_d.status == StOk) begin
          unique case (cmd_q.cmd)
            CmdLookup: begin
              result_d.tier      = rsp_i.tier;
              result_d.index     = rsp_i.index;
              result_d.phys_addr = rsp_i.phys_addr;
            end
            CmdInsert: begin
              result_d.index     = rsp_i.index;
              result_d.phys_addr = rsp_i.phys_addr;
            end
            default: ;
          endcase
        end
      end
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dir_busy_q     <= 1'b0;
      result_valid_q <= 1'b0;
      result_q       <= '0;
    end else if (clear_i) begin
      dir_busy_q     <= 1'b0;
      result_valid_q <= 1'b0;
      result_q       <= '0;
    end else if (dir_push) begin
      dir_busy_q     <= 1'b1;
      result_valid_q <= 1'b0;
      result_q       <= '0;
    end else if (dir_done) begin
      dir_busy_q     <= 1'b0;
      result_valid_q <= 1'b1;
      result_q       <= result_d;
    end
  end

  assign dir_busy_o     = dir_busy_q;
  assign result_o       = result_q;
  assign result_valid_o = result_valid_q;

  assign hint_miss_o     = rsp_valid_i && (state_q == StRange) && !rsp_i.hit;
  assign ref_saturated_o = rsp_valid_i && rsp_i.saturated;
  assign ref_underflow_o = rsp_valid_i && rsp_i.underflow;

endmodule
