// The command queue, kvcpu_cmd: commands run one at a time, in the order of their launches, each once, and a directory
// command that the directory answers comes to its end within a bound. Any one command is followed from its launch.

`include "kvcpu_formal.svh"

module kvcpu_fv_cmd
  import kvcpu_pkg::*;
#(
  localparam int unsigned CmdW = $bits(cmd_t),
  localparam int unsigned LevelW = $clog2(CmdQueueDepth) + 1,
  localparam int unsigned PlaceW = $clog2(CmdQueueDepth)
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              clear_i,
  input  logic              push_i,
  input  cmd_t              cmd_i,
  input  logic              full_o,
  input  logic              dir_busy_o,
  input  logic [4:0]        pending_o,
  input  logic              cmd_done_o,
  input  logic              result_valid_o,
  input  logic              op_valid_o,
  input  logic              op_ready_i,
  input  op_t               op_o,
  input  logic              rsp_valid_i,
  input  logic              inserted_i,
  input  logic              free_start_o,
  input  logic              free_done_i,

  input  logic              load,
  input  logic              idle_q,
  input  logic              held_q,
  input  logic              range_q,
  input  logic [2:0]        state_q,
  input  cmd_t              cmd_q,
  input  logic [6:0]        head_kind,   // bad_arg, range, direct and op of the head
  input  cmd_t              head_cmd,
  input  logic              dir_busy_q,
  input  logic              walk_start_q,
  input  logic              walk_setup_q,
  input  logic              walk_walking_q,
  input  logic              walk_gap_q,
  input  logic              walk_waiting_q,
  input  logic [15:0][CmdW+6:0] queue,   // what is stored behind the head
  input  logic [LevelW-1:0] queue_level,
  input  logic              queue_valid,
  input  logic [PlaceW-1:0] rptr_q,
  output logic [PlaceW-1:0] place_o,     // where the command that is followed is stored, unless it is the head
  input  logic [CmdW+6:0]   place_i
);

  `FV_RESET

  localparam int unsigned Wait = 3;  // cycles for which the directory lets an operation, and its answer, wait
  localparam int unsigned Ends = 2 * Wait + 2;
  localparam logic [2:0] Idle = 3'd0;
  localparam logic [2:0] Range = 3'd1;
  localparam logic [2:0] Dir = 3'd2;
  localparam logic [2:0] DirWait = 3'd3;
  localparam logic [2:0] FreeWait = 3'd4;
  localparam logic [2:0] Done = 3'd5;

  function automatic logic is_range(cmd_e cmd);
    return cmd < CmdInsert;
  endfunction

  // ---------------------------------------------------------------- the commands that wait, and the one that runs
  logic              follows, running_q, dir_q;
  logic [LevelW-1:0] level, ahead;
  cmd_t              followed, now_q;

  kvcpu_fv_stream #(
    .Width(CmdW),
    .Depth(CmdQueueDepth)
  ) u_stream (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .clear_i  (clear_i),
    .push_i   (push_i && !full_o),
    .data_i   (cmd_i),
    .pop_i    (load),
    .level_o  (level),
    .follows_o(follows),
    .ahead_o  (ahead),
    .item_o   (followed)
  );

  assign place_o = rptr_q + PlaceW'(ahead - 1'b1);

  logic       dir_waits_q;   // a directory command is in the queue
  logic       open_q;        // an operation of the running directory command was accepted and is not answered
  logic [1:0] op_waits_q, rsp_waits_q, free_waits_q;
  logic [3:0] age_q;         // cycles of a directory command
  logic       answers;
  assign answers = rsp_valid_i || inserted_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q    <= 1'b0;
      dir_q        <= 1'b0;
      dir_waits_q  <= 1'b0;
      op_waits_q   <= '0;
      rsp_waits_q  <= '0;
      free_waits_q <= '0;
      age_q        <= '0;
    end else if (clear_i) begin
      running_q    <= 1'b0;
      dir_q        <= 1'b0;
      dir_waits_q  <= 1'b0;
      op_waits_q   <= '0;
      rsp_waits_q  <= '0;
      free_waits_q <= '0;
      age_q        <= '0;
    end else begin
      running_q <= load || (running_q && !cmd_done_o);
      if (push_i && !full_o && !is_range(cmd_i.cmd)) dir_waits_q <= 1'b1;
      else if (load && !is_range(head_cmd.cmd)) dir_waits_q <= 1'b0;
      if (load) dir_q <= !is_range(head_cmd.cmd);
      op_waits_q   <= (op_valid_o && !op_ready_i) ? op_waits_q + 1'b1 : '0;
      rsp_waits_q  <= (state_q == DirWait && !answers) ? rsp_waits_q + 1'b1 : '0;
      free_waits_q <= (state_q == FreeWait && !free_done_i) ? free_waits_q + 1'b1 : '0;
      age_q        <= (running_q && dir_q && !cmd_done_o) ? age_q + 1'b1 : '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (load) now_q <= head_cmd;
  end

  // What is stored with a command is what follows from it.
  function automatic logic sorted(logic [6:0] kind, cmd_t cmd);
    return kind[5] == is_range(cmd.cmd) && kind[4] == (!kind[5] && !kind[6] && cmd.cmd != CmdFreeRequest) &&
           !(kind[5] && kind[6]);
  endfunction

  logic              all_sorted;
  logic [LevelW-1:0] dirs;  // directory commands in the queue
  always_comb begin
    all_sorted = queue_level == '0 || sorted(head_kind, head_cmd);
    dirs       = LevelW'(queue_level != '0 && !head_kind[5]);
    for (int unsigned i = 0; i < CmdQueueDepth - 1; i++) begin
      all_sorted &= LevelW'(i + 1) >= queue_level ||
                    sorted(queue[PlaceW'(rptr_q+PlaceW'(i))][CmdW+:7],
                           cmd_t'(queue[PlaceW'(rptr_q+PlaceW'(i))][CmdW-1:0]));
      dirs += LevelW'(LevelW'(i + 1) < queue_level && !queue[PlaceW'(rptr_q+PlaceW'(i))][CmdW+5]);
    end
  end

  logic [2:0] walks;
  assign walks = 3'(walk_start_q) + 3'(walk_setup_q) + 3'(walk_walking_q) + 3'(walk_waiting_q);

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(one_directory_command, push_i && !full_o && !is_range(cmd_i.cmd), !dir_busy_o)
      `FV_ASSUME(operation_is_accepted, op_valid_o && op_waits_q == 2'(Wait), op_ready_i)
      `FV_ASSUME(operation_is_answered, state_q == DirWait && rsp_waits_q == 2'(Wait), answers)
      `FV_ASSUME(free_request_ends, state_q == FreeWait && free_waits_q == 2'(Wait), free_done_i)
      `FV_ASSUME(answer_was_asked_for, answers, state_q inside {Range, DirWait})

      `FV_ASSERT(in_order, load && follows && ahead == '0, head_cmd == followed)
      `FV_ASSERT(none_from_nothing, load, level != '0)
      `FV_ASSERT(none_dropped, push_i && level < LevelW'(CmdQueueDepth), !full_o)
      `FV_ASSERT(one_at_a_time, load, !running_q)
      `FV_ASSERT(begins_at_once, level != '0 && !running_q, load)
      `FV_ASSERT(done_once, cmd_done_o, running_q)
      `FV_ASSERT(operations_of_the_command, op_valid_o,
                 (running_q || load) &&
                 op_o.kv_addr.request_id == (running_q ? now_q.kv_addr.request_id : head_cmd.kv_addr.request_id))
      `FV_ASSERT(pending_counts, pending_o != '0, pending_o == 5'(level) + 5'(running_q))
      `FV_ASSERT(nothing_pending, pending_o == '0, level == '0 && !running_q)
      `FV_ASSERT(directory_command_ends, running_q && dir_q, age_q < 4'(Ends))
      `FV_ASSERT(busy_until_done, dir_waits_q || (running_q && dir_q && !cmd_done_o), dir_busy_o)
      `FV_ASSERT(result_after_the_end, result_valid_o && running_q && dir_q, cmd_done_o)

      `FV_LEMMA(places, queue_level == level && queue_valid == (level != '0) && level <= LevelW'(CmdQueueDepth) &&
                        (!follows || (ahead < level && (ahead == '0 ? head_cmd == followed :
                                                        cmd_t'(place_i[CmdW-1:0]) == followed))))
      `FV_LEMMA(states, state_q <= Done && running_q == (state_q != Idle) && idle_q == (state_q == Idle) &&
                        held_q == !idle_q && range_q == (state_q == Range))
      `FV_LEMMA(now, !running_q || (cmd_q == now_q && dir_q == !is_range(now_q.cmd) &&
                                    (state_q != Range || !dir_q) &&
                                    (!(state_q inside {Dir, DirWait, FreeWait}) || dir_q)))
      `FV_LEMMA(queue, all_sorted && dirs == LevelW'(dir_waits_q))
      `FV_LEMMA(walk, walks <= 3'(state_q == Range) && (!walk_gap_q || walk_walking_q))
      `FV_LEMMA(busy, dir_busy_q == (dir_waits_q || (running_q && dir_q && state_q != Done)) &&
                      !(dir_busy_q && result_valid_o) && !(dir_waits_q && running_q && dir_q && state_q != Done))
      `FV_LEMMA(ages, (state_q != Dir || age_q < 4'(op_waits_q)) &&
                      (state_q != DirWait || age_q <= 4'(Wait) + 4'(rsp_waits_q)) &&
                      (state_q != FreeWait || age_q == 4'(free_waits_q)) &&
                      (dir_q || age_q == '0) &&
                      (state_q != Done || age_q <= 4'(2 * Wait + 1)))
    end
  end

endmodule

bind kvcpu_cmd kvcpu_fv_cmd u_fv (
  .*,
  .state_q(state_q),
  .head_kind(q_kind),
  .head_cmd(q_cmd),
  .walk_setup_q(u_walk.setup_q),
  .walk_walking_q(u_walk.walking_q),
  .walk_gap_q(u_walk.gap_q),
  .walk_waiting_q(u_walk.waiting_q),
  .queue({u_queue.mem[15], u_queue.mem[14], u_queue.mem[13], u_queue.mem[12], u_queue.mem[11], u_queue.mem[10],
          u_queue.mem[9], u_queue.mem[8], u_queue.mem[7], u_queue.mem[6], u_queue.mem[5], u_queue.mem[4],
          u_queue.mem[3], u_queue.mem[2], u_queue.mem[1], u_queue.mem[0]}),
  .queue_level(u_queue.level_q),
  .queue_valid(u_queue.valid_q),
  .rptr_q(u_queue.rptr_q),
  .place_o(),
  .place_i(u_queue.mem[u_fv.place_o])
);
