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
endmodule
