/// Testbench top of the command queue: Python launches commands and answers for the directory.
module tb_cmd_top
  import kvcpu_pkg::*;
#(
  /// As of kvcpu_cmd.
  parameter int unsigned BLOCK_TOKENS = 16
);
  logic        clk;
  logic        rst_n;
  logic [63:0] cycle;

  logic                           clear, push, full, dir_busy, cmd_done, result_valid;
  logic [$bits(cmd_t)-1:0]        cmd;
  logic [4:0]                     pending;
  logic [$bits(dir_result_t)-1:0] result;
  logic                           op_valid, op_ready, rsp_valid;
  logic [$bits(op_t)-1:0]         op;
  logic [$bits(rsp_t)-1:0]        rsp;
  logic                           op_takes, insert, inserted;
  logic [63:0]                    phys_addr;
  logic [IndexW-1:0]              index;
  logic                           free_start, free_done;
  logic [15:0]                    free_request_id;
  logic [CountW-1:0]              free_removed, free_stayed;
  logic                           hint_miss, ref_saturated, ref_underflow;

  tb_clock u_clock (
    .clk_o  (clk),
    .rst_no (rst_n),
    .cycle_o(cycle)
  );

  kvcpu_cmd #(
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_cmd (
    .clk_i            (clk),
    .rst_ni           (rst_n),
    .clear_i          (clear),
    .push_i           (push),
    .cmd_i            (cmd),
    .full_o           (full),
    .dir_busy_o       (dir_busy),
    .pending_o        (pending),
    .cmd_done_o       (cmd_done),
    .result_o         (result),
    .result_valid_o   (result_valid),
    .op_valid_o       (op_valid),
    .op_ready_i       (op_ready),
    .op_o             (op),
    .op_takes_o       (op_takes),
    .rsp_valid_i      (rsp_valid),
    .rsp_i            (rsp),
    .insert_i         (insert),
    .inserted_i       (inserted),
    .phys_addr_i      (phys_addr),
    .index_i          (index),
    .free_start_o     (free_start),
    .free_request_id_o(free_request_id),
    .free_done_i      (free_done),
    .free_removed_i   (free_removed),
    .free_stayed_i    (free_stayed),
    .hint_miss_o      (hint_miss),
    .ref_saturated_o  (ref_saturated),
    .ref_underflow_o  (ref_underflow)
  );

  hold: assert property (@(posedge clk) disable iff (!rst_n || clear)
    op_valid && !op_ready |=> op_valid && $stable(op))
    else $error("kvcpu_cmd: an operation changed or went away before the directory took it");
  apart: assert property (@(posedge clk) disable iff (!rst_n)
    op_valid && op_ready |=> !op_valid)
    else $error("kvcpu_cmd: operations less than 2 cycles apart");

  takes: assert property (@(posedge clk) disable iff (!rst_n)
    op_valid |-> op_takes == (u_cmd.op_o.op == OpInsert))
    else $error("kvcpu_cmd: an operation that takes a slot is not said to, or another is");

  initial begin
    clear        = 1'b0;
    push         = 1'b0;
    cmd          = '0;
    op_ready     = 1'b0;
    rsp_valid    = 1'b0;
    rsp          = '0;
    insert       = 1'b0;
    inserted     = 1'b0;
    phys_addr    = '0;
    index        = '0;
    free_done    = 1'b0;
    free_removed = '0;
    free_stayed  = '0;
  end
endmodule
