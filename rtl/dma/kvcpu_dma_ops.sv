// The moves as the directory sees them: takes items from the two queues, asks for the start check
// of every try, reports the end of every try, and ends each item with exactly one completion.
//
// A move id names an item from its first start check to its completion. What must be known of it is
// kept in two small memories: the item itself with the number of tries begun, and the target that
// the last passed start check reserved.

`include "kvcpu_assert.svh"

module kvcpu_dma_ops
  import kvcpu_pkg::*;
#(
  /// Tokens of a block, power of two, 1 to 256 (contract 1).
  parameter int unsigned BLOCK_TOKENS = 16,
  /// Moves at the same time, power of two, 16 to 64.
  parameter int unsigned MOVES = 64,
  /// New moves are started only while fewer than this wait for their first burst: a block shall not
  /// be `moving`, and its target slot not be taken, long before its copy runs.
  parameter int unsigned StartAhead = 8,
  localparam int unsigned MoveW = $clog2(MOVES)
) (
  /// Clock.
  input  logic                clk_i,
  /// Reset, active low, released synchronously.
  input  logic                rst_ni,
  /// Synchronous clear.
  input  logic                clear_i,
  /// After a reset: `init_move_i` is made ready in this cycle; nothing starts.
  input  logic                init_valid_i,
  /// Move id to make ready.
  input  logic [MoveW-1:0]    init_move_i,
  /// `init_move_i` is a move id (there may be more burst ids than move ids).
  input  logic                init_is_move_i,
  /// Ask the directory for nothing.
  input  logic                halt_i,
  /// CTRL.ENABLE: new moves may start.
  input  logic                enable_i,
  /// BLOCK_BYTES.
  input  logic [16:0]         block_bytes_i,

  /// Evict and prefetch queue: an item is at the head.
  input  logic [1:0]          q_valid_i,
  /// Item at the head.
  input  item_t [1:0]         q_item_i,
  /// The head is taken.
  output logic [1:0]          q_pop_o,

  /// Operation for the directory. It stays until it is accepted.
  output logic                op_valid_o,
  /// The directory accepts `op_o` in this cycle. Comes late in it, and never in the first cycle of an
  /// `op_valid_o`.
  input  logic                op_ready_i,
  /// OpStart or OpEnd; stable from the second cycle of its `op_valid_o` on.
  output op_t                 op_o,
  /// Answer to an operation, in the order of the operations.
  input  logic                rsp_valid_i,
  /// The answer.
  input  rsp_t                rsp_i,
  /// With rsp_valid_i: a start check has passed.
  input  logic                rsp_start_ok_i,
  /// With rsp_valid_i: a start check has not passed.
  input  logic                rsp_start_failed_i,

  /// A start check has been asked for: its move id begins a try.
  output logic                begin_valid_o,
  /// That move id.
  output logic [MoveW-1:0]    begin_move_o,
  /// A move begins to issue its bursts.
  input  logic                taken_i,
  /// A try is over.
  input  logic                done_valid_i,
  /// Its move id.
  input  logic [MoveW-1:0]    done_move_i,
  /// It met SLVERR or DECERR.
  input  logic                done_error_i,
  /// First on the write side.
  input  logic                done_write_i,

  /// A completion; always accepted.
  output logic                compl_valid_o,
  /// The completion.
  output completion_t         compl_o,
  /// A try that met an AXI error has been reported to the directory.
  output logic                err_valid_o,
  /// First token of its block.
  output kv_addr_t            err_kv_addr_o,
  /// Its channel, 0 evict, 1 prefetch.
  output logic                err_channel_o,
  /// The first error came from the write side.
  output logic                err_write_o,
  /// Bytes of moves that ended OK, per channel.
  output logic [1:0][63:0]    bytes_moved_o,
  /// Tries that met an AXI error, per channel.
  output logic [1:0][63:0]    errors_o,
  /// Items that ended VOID, per channel.
  output logic [1:0][63:0]    voids_o,
  /// Items that have left their queue and not ended.
  output logic [MoveIdW-1:0]  active_o
);

  localparam int unsigned TokenShift = $clog2(BLOCK_TOKENS);
  localparam int unsigned AheadW = $clog2(StartAhead) + 2;

  typedef struct packed {
    logic       channel;
    logic [7:0] tries;  // begun so far, this one included
    item_t      item;
  } move_t;

  // What an answer needs of it.
  typedef struct packed {
    logic  channel;
    logic  first;  // its only try so far
    item_t item;
  } brief_t;

  typedef struct packed {
    tier_e            tier;
    logic [SlotW-1:0] slot;
  } target_t;

  typedef struct packed {
    logic             error;
    logic             write;
    logic [MoveW-1:0] move;
  } done_t;

  // A start check to ask for again: after a try that failed, or because the directory postponed it
  // (MvRetry to an OpStart), which is no try.
  typedef struct packed {
    logic             new_try;
    logic [MoveW-1:0] move;
  } again_t;

  function automatic kv_addr_t first_token(item_t item);
    return '{
        request_id: item.request_id,
        layer: item.layer_head[15:8],
        head: item.layer_head[7:0],
        token: item.block << TokenShift
    };
  endfunction

  // ---------------------------------------------------------------- a new move
  logic              id_valid, id_free, new_ready_q, new_turn_q, new_valid, new_channel, new_load;
  logic              last_channel_q;
  logic [MoveW-1:0]  id, id_freed;
  logic [AheadW-1:0] ahead_q;
  logic              ahead_room, room_q, taken_q;
  logic              start_q;  // an OpStart was issued in the cycle before

  kvcpu_fifo #(
    .Width(MoveW),
    .Depth(MOVES)
  ) u_ids (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (id_free || (init_valid_i && init_is_move_i)),
    .data_i (init_valid_i ? init_move_i : id_freed),
    .full_o (),
    .valid_o(id_valid),
    .data_o (id),
    .pop_i  (new_load),
    .level_o()
  );

  // Worked out a cycle ahead, and not in the cycle after a start check was issued, when a move id and a
  // queue's head have just gone.
  assign ahead_room = (AheadW + 1)'(ahead_q) + (AheadW + 1)'(start_q) < (AheadW + 1)'(StartAhead);
  assign new_valid  = new_turn_q && new_ready_q && |q_valid_i;
  // Round-robin: the other channel than the last one, if it asks.
  assign new_channel = last_channel_q ? !q_valid_i[ChEvict] : q_valid_i[ChPrefetch];

  // -------------------------------------------------------- tries that ended, tries to repeat
  done_t            done_in, done;
  logic             done_valid, again_valid, again_push;
  again_t           again, again_in;
  logic             fetch, fetch_wanted, fetch_done, fetched_q;
  logic             free_q;  // none is fetched or waits for the directory
  logic             fetched_end_q, fetched_new_try_q;
  done_t            fetched_done_q;
  move_t            fetched_move;
  target_t          fetched_target;

  assign done_in = '{error: done_error_i, write: done_write_i, move: done_move_i};

  kvcpu_fifo #(
    .Width($bits(done_t)),
    .Depth(MOVES)
  ) u_done (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (done_valid_i),
    .data_i (done_in),
    .full_o (),
    .valid_o(done_valid),
    .data_o (done),
    .pop_i  (fetch && fetch_done),
    .level_o()
  );

  kvcpu_fifo #(
    .Width($bits(again_t)),
    .Depth(MOVES)
  ) u_again (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (again_push),
    .data_i (again_in),
    .full_o (),
    .valid_o(again_valid),
    .data_o (again),
    .pop_i  (fetch && !fetch_done),
    .level_o()
  );

  // The memories are read, every cycle; what a fetch has read is issued as an operation. A new move needs no
  // memory; it is served while there was none of these in the cycle before.
  assign fetch_done   = done_valid;
  assign fetch_wanted = done_valid || (again_valid && room_q);
  assign fetch        = fetch_wanted && free_q && !new_load;
  assign new_load     = new_valid && free_q;

  // Written a cycle after an OpStart was issued.
  move_t   move_q;
  target_t target_in;

  kvcpu_ram_1r1w #(
    .Width($bits(move_t)),
    .Depth(MOVES),
    .Apart(1'b1)
  ) u_moves (
    .clk_i  (clk_i),
    .we_i   (start_q),
    .waddr_i(begin_move_o),
    .wdata_i(move_q),
    .re_i   (1'b1),
    .raddr_i(fetch_done ? done.move : again.move),
    .rdata_o(fetched_move)
  );

  kvcpu_ram_1r1w #(
    .Width($bits(target_t)),
    .Depth(MOVES),
    .Apart(1'b1)
  ) u_targets (
    .clk_i  (clk_i),
    .we_i   (rsp_start_ok_i),
    .waddr_i(rsp_i.move_id[MoveW-1:0]),
    .wdata_i(target_in),
    .re_i   (1'b1),
    .raddr_i(fetch_done ? done.move : again.move),
    .rdata_o(fetched_target)
  );

  always_ff @(posedge clk_i) begin
    fetched_end_q     <= fetch_done;
    fetched_new_try_q <= !fetch_done && again.new_try;
    fetched_done_q    <= fetch_done ? done : '{error: 1'b0, write: 1'b0, move: again.move};
  end

  // ---------------------------------------------------------------- the operation
  // It waits for the directory in a register, so that the directory's ready reaches no queue or memory.
  // The directory needs a cycle to grant the DMA: the grant is requested in the cycle before.
  op_t              op_q, old_op, new_op;
  logic             op_valid_q, op_channel_q, op_write_q, op_accept;
  logic             op_there_q;  // op_valid_q or fetched_q, low-fan-out duplicate
  logic [1:0]       op_failed_q;  // per channel: it is the end of a try that met an error
  logic             start_load;

  always_comb begin
    old_op          = '0;
    old_op.op       = fetched_end_q ? OpEnd : OpStart;
    old_op.client   = ClDma;
    old_op.kv_addr  = first_token(fetched_move.item);
    old_op.item     = fetched_move.item;
    old_op.retry    = !fetched_end_q;
    old_op.move_id  = MoveIdW'(fetched_done_q.move);
    old_op.dst_tier = fetched_target.tier;
    old_op.dst_slot = fetched_target.slot;
    old_op.error    = fetched_done_q.error;
    old_op.tries    = fetched_move.tries + 8'(fetched_new_try_q);

    new_op         = '0;
    new_op.op      = OpStart;
    new_op.client  = ClDma;
    new_op.kv_addr = first_token(q_item_i[new_channel]);
    new_op.item    = q_item_i[new_channel];
    new_op.move_id = MoveIdW'(id);
    new_op.tries   = 8'd1;
  end

  assign op_valid_o = (op_there_q || new_load) && !halt_i;
  assign op_o       = op_q;
  assign op_accept  = op_valid_q && op_ready_i && !halt_i;

  assign q_pop_o[ChEvict]    = new_load && !new_channel;
  assign q_pop_o[ChPrefetch] = new_load && new_channel;

  assign start_load    = new_load || (fetched_q && !fetched_end_q);
  assign begin_valid_o = start_q;
  assign begin_move_o  = op_q.move_id[MoveW-1:0];
  assign move_q        = '{channel: op_channel_q, tries: op_q.tries, item: op_q.item};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      fetched_q   <= 1'b0;
      op_valid_q  <= 1'b0;
      op_there_q  <= 1'b0;
      free_q      <= 1'b1;
      start_q     <= 1'b0;
      taken_q     <= 1'b0;
      room_q      <= 1'b0;
      new_ready_q <= 1'b0;
      new_turn_q  <= 1'b0;
    end else if (clear_i) begin
      fetched_q   <= 1'b0;
      op_valid_q  <= 1'b0;
      op_there_q  <= 1'b0;
      free_q      <= 1'b1;
      start_q     <= 1'b0;
      taken_q     <= 1'b0;
      room_q      <= 1'b0;
      new_ready_q <= 1'b0;
      new_turn_q  <= 1'b0;
    end else begin
      fetched_q   <= fetch;
      op_valid_q  <= fetched_q || new_load || (op_valid_q && !op_accept);
      op_there_q  <= fetch || fetched_q || new_load || (op_valid_q && !op_accept);
      free_q      <= free_q ? !fetch && !new_load : op_accept;
      start_q     <= start_load;
      taken_q     <= taken_i;
      room_q      <= ahead_room && !start_load;
      new_ready_q <= !init_valid_i && id_valid && ahead_room && !new_load;
      new_turn_q  <= enable_i && !halt_i && !fetch_wanted;
    end
  end

  always_ff @(posedge clk_i) begin
    if (!op_valid_q) begin
      op_q         <= fetched_q ? old_op : new_op;
      op_channel_q <= fetched_q ? fetched_move.channel : new_channel;
      op_write_q   <= fetched_done_q.write;
      op_failed_q  <= {fetched_move.channel, !fetched_move.channel} &
                      {2{fetched_q && fetched_end_q && fetched_done_q.error}};
    end
  end

  // ---------------------------------------------------------------- the answer
  logic       rsp_end, start_failed;
  logic       ans_valid_q, ans_start_q;
  move_e      ans_result_q;
  logic [MoveW-1:0] ans_move_q;
  brief_t     brief_in, ans_move;
  logic [1:0] ans_target;
  logic       ans_ends;

  assign rsp_end      = rsp_valid_i && rsp_i.op == OpEnd;
  assign start_failed = rsp_start_failed_i;
  assign target_in    = '{tier: rsp_i.dst_tier, slot: rsp_i.dst_slot};
  assign brief_in     = '{channel: move_q.channel, first: move_q.tries == 8'd1, item: move_q.item};

  kvcpu_ram_1r1w #(
    .Width($bits(brief_t)),
    .Depth(MOVES),
    .Apart(1'b1)
  ) u_moves_ans (
    .clk_i  (clk_i),
    .we_i   (start_q),
    .waddr_i(begin_move_o),
    .wdata_i(brief_in),
    .re_i   (rsp_valid_i),
    .raddr_i(rsp_i.move_id[MoveW-1:0]),
    .rdata_o(ans_move)
  );

  kvcpu_ram_1r1w #(
    .Width(2),
    .Depth(MOVES)
  ) u_targets_ans (
    .clk_i  (clk_i),
    .we_i   (rsp_start_ok_i),
    .waddr_i(rsp_i.move_id[MoveW-1:0]),
    .wdata_i(rsp_i.dst_tier),
    .re_i   (rsp_valid_i),
    .raddr_i(rsp_i.move_id[MoveW-1:0]),
    .rdata_o(ans_target)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) ans_valid_q <= 1'b0;
    else if (clear_i) ans_valid_q <= 1'b0;
    else ans_valid_q <= start_failed || rsp_end;
  end

  always_ff @(posedge clk_i) begin
    ans_start_q  <= start_failed;
    ans_result_q <= rsp_i.move;
    ans_move_q   <= rsp_i.move_id[MoveW-1:0];
  end

  assign again_push = ans_valid_q && ans_result_q == MvRetry;
  assign again_in   = '{new_try: !ans_start_q, move: ans_move_q};
  assign ans_ends   = ans_valid_q && ans_result_q != MvRetry;
  assign id_free    = ans_ends;
  assign id_freed   = ans_move_q;

  // ---------------------------------------------------------------- completion
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) compl_valid_o <= 1'b0;
    else if (clear_i) compl_valid_o <= 1'b0;
    else compl_valid_o <= ans_ends;
  end

  always_ff @(posedge clk_i) begin
    compl_o.kv_addr <= first_token(ans_move.item);
    compl_o.from    <= ans_move.item.from;
    // An eviction whose target was never chosen went nowhere.
    if (ans_move.item.fixed) compl_o.to <= ans_move.item.target;
    else if (ans_start_q && ans_move.first) compl_o.to <= ans_move.item.from;
    else compl_o.to <= tier_e'(ans_target);
    unique case (ans_result_q)
      MvOk:        compl_o.status <= ComplOk;
      MvCancelled: compl_o.status <= ComplCancelled;
      MvNoSlot:    compl_o.status <= ComplNoSlot;
      MvVoid:      compl_o.status <= ComplVoid;
      default:     compl_o.status <= ComplError;
    endcase
  end

  // ---------------------------------------------------------------- counts
  // Of each channel: an item ends; what is counted of it.
  logic [1:0] ends, ok_q, error_q, void_q;
  assign ends = {ans_move.channel, !ans_move.channel} & {2{ans_ends}};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ahead_q        <= '0;
      last_channel_q <= 1'b0;
      active_o       <= '0;
      err_valid_o    <= 1'b0;
      ok_q           <= '0;
      error_q        <= '0;
      void_q         <= '0;
      bytes_moved_o  <= '0;
      errors_o       <= '0;
      voids_o        <= '0;
    end else if (clear_i) begin
      ahead_q        <= '0;
      last_channel_q <= 1'b0;
      active_o       <= '0;
      err_valid_o    <= 1'b0;
      ok_q           <= '0;
      error_q        <= '0;
      void_q         <= '0;
      bytes_moved_o  <= '0;
      errors_o       <= '0;
      voids_o        <= '0;
    end else begin
      ahead_q  <= ahead_q + AheadW'(start_q) - AheadW'(start_failed) - AheadW'(taken_q);
      active_o <= active_o + MoveIdW'(new_load) - MoveIdW'(ans_ends);
      if (new_load) last_channel_q <= new_channel;
      err_valid_o <= op_accept && |op_failed_q;
      for (int unsigned c = 0; c < 2; c++) begin
        ok_q[c]    <= ends[c] && ans_result_q == MvOk;
        void_q[c]  <= ends[c] && ans_result_q == MvVoid;
        error_q[c] <= op_accept && op_failed_q[c];
        if (ok_q[c]) bytes_moved_o[c] <= bytes_moved_o[c] + 64'(block_bytes_i);
        if (void_q[c]) voids_o[c] <= voids_o[c] + 64'd1;
        if (error_q[c]) errors_o[c] <= errors_o[c] + 64'd1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    err_kv_addr_o <= op_q.kv_addr;
    err_channel_o <= op_channel_q;
    err_write_o   <= op_write_q;
  end


  // ---------------------------------------------------------------- invariants
  `KVCPU_ASSERT(one_operation, !(fetched_q && op_valid_q), "one operation at a time waits for the directory")
  `KVCPU_ASSERT(active_not_negative, ans_ends |-> active_o != '0, "no more moves end than have begun")
  `KVCPU_ASSERT(pop_finds_item, (q_pop_o & ~q_valid_i) == '0, "an item is taken only from a queue that has one")

endmodule
