// Walks the blocks of a range command: layers outermost, then heads, then blocks, each ascending;
// one operation per block, at most one in two cycles, answered later and in order. The walk steps on in
// the cycle after an operation has been accepted, in which none is requested.

module kvcpu_cmd_walk
  import kvcpu_pkg::*;
#(
  /// Tokens of a block: power of two, 1 to 256 (device.md 1).
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic clk_i,
  /// Reset, active low.
  input  logic rst_ni,
  /// Synchronous clear: stops the walk.
  input  logic clear_i,

  /// Pulse: starts the walk of cmd_i.
  input  logic start_i,
  /// A range command, stable until done_o: 1 to 2^32 tokens, none past token 2^32 - 1; no layer or
  /// head of its span past 255.
  input  cmd_t cmd_i,
  /// Pulse: every operation of the walk is answered.
  output logic done_o,

  /// An operation; holds until op_ready_i.
  output logic op_valid_o,
  /// The directory takes it in this cycle.
  input  logic op_ready_i,
  /// The operation (client ClCmd).
  output op_t  op_o,
  /// An operation is answered.
  input  logic rsp_valid_i
);

  localparam int unsigned OffsetW = $clog2(BLOCK_TOKENS);
  localparam int unsigned BlockW = 32 - OffsetW;
  localparam int unsigned OpenW = 5;  // operations in the directory's pipeline: at most 10 stages

  // ------------------------------------------------------------------ where the walk is
  logic              setup_q, walking_q, gap_q;
  logic [7:0]        layer_q, head_q, layers_left_q, heads_left_q;
  logic [BlockW-1:0] block_q, first_block, last_block_q;
  logic [32:0]       end_token_q;  // the token after the last
  logic [31:0]       last_token;
  logic              issue, last_in_head_q, last_in_layer_q, last_of_all_q;

  assign first_block = cmd_i.kv_addr.token[31:OffsetW];
  assign last_token  = 32'(end_token_q - 33'd1);

  // Compared in the cycle before: the walk is stable for at least two cycles.
  always_ff @(posedge clk_i) begin
    last_in_head_q  <= block_q == last_block_q;
    last_in_layer_q <= block_q == last_block_q && heads_left_q == 8'd1;
    last_of_all_q   <= block_q == last_block_q && heads_left_q == 8'd1 && layers_left_q == 8'd1;
  end

  assign op_valid_o = walking_q && !gap_q;
  assign issue      = op_valid_o && op_ready_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      setup_q   <= 1'b0;
      walking_q <= 1'b0;
      gap_q     <= 1'b0;
    end else if (clear_i) begin
      setup_q   <= 1'b0;
      walking_q <= 1'b0;
      gap_q     <= 1'b0;
    end else begin
      setup_q <= start_i;
      gap_q   <= issue;
      if (setup_q) walking_q <= 1'b1;
      else if (gap_q && last_of_all_q) walking_q <= 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      end_token_q   <= 33'(cmd_i.kv_addr.token) + cmd_i.len;
      block_q       <= first_block;
      head_q        <= cmd_i.kv_addr.head;
      heads_left_q  <= cmd_i.span_heads;
      layer_q       <= cmd_i.kv_addr.layer;
      layers_left_q <= cmd_i.span_layers;
    end else if (gap_q) begin
      if (!last_in_head_q) begin
        block_q <= block_q + 1'b1;
      end else begin
        block_q <= first_block;
        if (!last_in_layer_q) begin
          head_q       <= head_q + 1'b1;
          heads_left_q <= heads_left_q - 1'b1;
        end else begin
          head_q        <= cmd_i.kv_addr.head;
          heads_left_q  <= cmd_i.span_heads;
          layer_q       <= layer_q + 1'b1;
          layers_left_q <= layers_left_q - 1'b1;
        end
      end
    end
    if (setup_q) last_block_q <= last_token[31:OffsetW];
  end

  // ------------------------------------------------------------------ answers
  logic [OpenW-1:0] open_q;
  logic             waiting_q;  // the last operation is on its way
  logic             answered_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      open_q     <= '0;
      waiting_q  <= 1'b0;
      answered_q <= 1'b0;
    end else if (clear_i) begin
      open_q     <= '0;
      waiting_q  <= 1'b0;
      answered_q <= 1'b0;
    end else begin
      answered_q <= rsp_valid_i;
      unique case ({gap_q, answered_q})
        2'b10:   open_q <= open_q + 1'b1;
        2'b01:   open_q <= open_q - 1'b1;
        default: ;
      endcase
      if (gap_q && last_of_all_q) waiting_q <= 1'b1;
      else if (done_o) waiting_q <= 1'b0;
    end
  end

  assign done_o = waiting_q && (open_q == '0);

  // ------------------------------------------------------------------ operation
  always_comb begin
    op_o                    = '0;
    op_o.client             = ClCmd;
    op_o.kv_addr.request_id = cmd_i.kv_addr.request_id;
    op_o.kv_addr.layer      = layer_q;
    op_o.kv_addr.head       = head_q;
    op_o.kv_addr.token      = 32'(block_q) << OffsetW;
    op_o.step               = cmd_i.step;
    unique case (cmd_i.cmd)
      CmdBoost:    op_o.op = OpBoost;
      CmdImevict:  op_o.op = OpImevict;
      CmdCool:     op_o.op = OpCool;
      CmdPrefetch: op_o.op = OpPrefetch;
      CmdShare:    op_o.op = OpShare;
      CmdRelease:  op_o.op = OpRelease;
      default:     op_o.op = OpNone;
    endcase
  end

endmodule
