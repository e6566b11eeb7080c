// Knows when a try has ended: no burst of it is outstanding and none will follow.
//
// Three kinds of events, one a cycle: a write response, a dropped chunk (both end a burst and free
// its id) and the end of a move's issuing, which brings the number of its bursts. Per move a word
// counts ended bursts down from zero until that number is added; at zero the try is over. Write
// responses go first because they cannot wait.

`include "kvcpu_assert.svh"

module kvcpu_dma_track #(
  /// Moves at the same time, power of two, 16 to 64.
  parameter int unsigned MOVES = 64,
  /// Bursts at the same time, power of two, 2 to 256.
  parameter int unsigned BURSTS = 64,
  /// Bits of a burst count of one move, modulo arithmetic.
  parameter int unsigned CntW = 7,
  localparam int unsigned MoveW = $clog2(MOVES),
  localparam int unsigned BurstW = $clog2(BURSTS)
) (
  /// Clock.
  input  logic              clk_i,
  /// Reset, active low, released synchronously.
  input  logic              rst_ni,
  /// Synchronous clear.
  input  logic              clear_i,
  /// After a reset: `init_index_i` is made ready in this cycle.
  input  logic              init_valid_i,
  /// Move id to make ready.
  input  logic [MoveW-1:0]  init_move_i,

  /// A burst begins.
  input  logic              burst_valid_i,
  /// Its burst id.
  input  logic [BurstW-1:0] burst_id_i,
  /// Its move.
  input  logic [MoveW-1:0]  burst_move_i,

  /// AXI B: valid. The DMA is always ready.
  input  logic              bvalid_i,
  /// AXI B: burst id.
  input  logic [BurstW-1:0] bid_i,
  /// AXI B: SLVERR or DECERR.
  input  logic              berror_i,

  /// A chunk is dropped.
  input  logic              drop_valid_i,
  /// The event is taken.
  output logic              drop_ready_o,
  /// Its burst id.
  input  logic [BurstW-1:0] drop_burst_i,
  /// Its move.
  input  logic [MoveW-1:0]  drop_move_i,
  /// It carried a read error.
  input  logic              drop_error_i,

  /// A move has issued all bursts it will.
  input  logic              fin_valid_i,
  /// The event is taken.
  output logic              fin_ready_o,
  /// Its move id.
  input  logic [MoveW-1:0]  fin_move_i,
  /// Minus the number of bursts it issued, modulo 2^CntW.
  input  logic [CntW-1:0]   fin_neg_i,

  /// A try begins: forget that its move id was stopped.
  input  logic              begin_valid_i,
  /// Its move id.
  input  logic [MoveW-1:0]  begin_move_i,
  /// The directory ends these moves (write lookup, removal).
  input  logic [MOVES-1:0]  abort_i,
  /// These moves issue and write no further burst.
  output logic [MOVES-1:0]  stop_o,

  /// A burst id is free again.
  output logic              free_valid_o,
  /// That burst id.
  output logic [BurstW-1:0] free_burst_o,

  /// A try is over.
  output logic              done_valid_o,
  /// Its move id.
  output logic [MoveW-1:0]  done_move_o,
  /// A response of it was SLVERR or DECERR.
  output logic              done_error_o,
  /// The first such response came from the write side.
  output logic              done_write_o
);

  // ---------------------------------------------------------------- one event a cycle
  logic              b_valid_q, b_error_q;
  logic [BurstW-1:0] b_id_q;
  logic [MoveW-1:0]  b_move;

  kvcpu_lutram #(
    .Width(MoveW),
    .Depth(BURSTS)
  ) u_burst_move (
    .clk_i  (clk_i),
    .we_i   (burst_valid_i),
    .waddr_i(burst_id_i),
    .wdata_i(burst_move_i),
    .raddr_i(b_id_q),
    .rdata_o(b_move)
  );

  typedef struct packed {
    logic [MoveW-1:0] move;
    logic             fin;    // end of issuing; else the end of a burst
    logic [CntW-1:0]  less;   // what it takes from the move's count; fin: minus the number of bursts
    logic             error;
    logic             write;  // the error came from the write side
  } event_t;

  logic   event_valid_q;
  event_t event_d, event_q;

  assign drop_ready_o = !b_valid_q;
  assign fin_ready_o  = !b_valid_q && !drop_valid_i;

  always_comb begin
    event_d = '{move: fin_move_i, fin: 1'b1, less: fin_neg_i, error: 1'b0, write: 1'b0};
    if (b_valid_q) begin
      event_d = '{move: b_move, fin: 1'b0, less: CntW'(1), error: b_error_q, write: 1'b1};
    end else if (drop_valid_i) begin
      event_d = '{move: drop_move_i, fin: 1'b0, less: CntW'(1), error: drop_error_i, write: 1'b0};
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      b_valid_q     <= 1'b0;
      event_valid_q <= 1'b0;
      free_valid_o  <= 1'b0;
    end else if (clear_i) begin
      b_valid_q     <= 1'b0;
      event_valid_q <= 1'b0;
      free_valid_o  <= 1'b0;
    end else begin
      b_valid_q     <= bvalid_i;
      event_valid_q <= b_valid_q || drop_valid_i || fin_valid_i;
      free_valid_o  <= b_valid_q || drop_valid_i;
    end
  end

  always_ff @(posedge clk_i) begin
    b_id_q       <= bid_i;
    b_error_q    <= berror_i;
    event_q      <= event_d;
    free_burst_o <= b_valid_q ? b_id_q : drop_burst_i;
  end

  // ---------------------------------------------------------------- the count of each move
  typedef struct packed {
    logic            fin;
    logic            error;
    logic            write;
    logic [CntW-1:0] count;  // bursts issued (once `fin`) less bursts ended
  } progress_t;

  // Two stages: the count is read, the event is applied to it. An event of the move whose count is just
  // being changed takes the changed one.
  logic      apply_valid_q;
  event_t    apply_q;
  progress_t stored, old_q, next;
  logic      done;

  kvcpu_lutram #(
    .Width($bits(progress_t)),
    .Depth(MOVES)
  ) u_progress (
    .clk_i  (clk_i),
    .we_i   (apply_valid_q || init_valid_i),
    .waddr_i(init_valid_i ? init_move_i : apply_q.move),
    .wdata_i(init_valid_i ? '0 : next),
    .raddr_i(event_q.move),
    .rdata_o(stored)
  );

  always_comb begin
    // An XOR, so that synthesis does not take the zero from the difference. It is what the count is then.
    done = (apply_q.fin || old_q.fin) && (old_q.count ^ apply_q.less) == '0;
    next.fin   = !done && (old_q.fin || apply_q.fin);
    next.error = !done && (old_q.error || apply_q.error);
    next.write = !done && (old_q.error ? old_q.write : apply_q.write);
    next.count = old_q.count - apply_q.less;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      apply_valid_q <= 1'b0;
      done_valid_o  <= 1'b0;
    end else if (clear_i) begin
      apply_valid_q <= 1'b0;
      done_valid_o  <= 1'b0;
    end else begin
      apply_valid_q <= event_valid_q;
      done_valid_o  <= apply_valid_q && done;
    end
  end

  always_ff @(posedge clk_i) begin
    apply_q      <= event_q;
    old_q        <= (apply_valid_q && apply_q.move == event_q.move) ? next : stored;
    done_move_o  <= apply_q.move;
    done_error_o <= old_q.error || apply_q.error;
    done_write_o <= old_q.error ? old_q.write : apply_q.write;
  end

  // ---------------------------------------------------------------- moves that shall stop
  logic [MOVES-1:0] stop_q, stop_set, stop_clear;

  always_comb begin
    stop_set   = abort_i;
    stop_clear = '0;
    if (apply_valid_q && apply_q.error) stop_set[apply_q.move] = 1'b1;
    if (begin_valid_i) stop_clear[begin_move_i] = 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      stop_q <= '0;
    end else if (clear_i) begin
      stop_q <= '0;
    end else begin
      stop_q <= (stop_q & ~stop_clear) | stop_set;
    end
  end

  assign stop_o = stop_q;


  `KVCPU_ASSERT(count_changes_of_a_try, init_valid_i |-> !apply_valid_q,
                "moves are made ready before a burst can end")

endmodule
