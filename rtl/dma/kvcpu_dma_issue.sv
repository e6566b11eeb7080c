// Cuts moves into read bursts. One move at a time, in the order in which their start checks passed;
// every burst gets a free burst id, which is its AXI ID and its place in the data buffer from here
// to its end. A burst is BURST_BEATS beats but for a block's last; blocks of up to 4 KiB lie inside
// a 4 KiB page and larger ones begin on one (stride and BASE, contract 5), and BURST_BEATS beats
// divide 4 KiB, so no burst crosses a page.

`include "kvcpu_assert.svh"

module kvcpu_dma_issue
  import kvcpu_pkg::tier_e;
#(
  /// Data width of the memory port in bits: 64, 128, 256, 512 (contract 1).
  parameter int unsigned AXI_DATA_WIDTH = 512,
  /// Moves at the same time, power of two, 16 to 64.
  parameter int unsigned MOVES = 64,
  /// Bursts at the same time, power of two, 2 to 256.
  parameter int unsigned BURSTS = 64,
  /// Beats of a full burst, power of two, 2 to 16.
  parameter int unsigned BURST_BEATS = 16,
  /// Places for moves that wait for their first burst.
  parameter int unsigned StartDepth = 16,
  /// Bits of a burst count of one move, modulo arithmetic.
  parameter int unsigned CntW = 7,
  localparam int unsigned MoveW = $clog2(MOVES),
  localparam int unsigned BurstW = $clog2(BURSTS),
  localparam int unsigned LenW = $clog2(BURST_BEATS)
) (
  /// Clock.
  input  logic              clk_i,
  /// Reset, active low, released synchronously.
  input  logic              rst_ni,
  /// Synchronous clear.
  input  logic              clear_i,
  /// Issue no new burst.
  input  logic              halt_i,
  /// Beats of a block less one.
  input  logic [12:0]       last_beat_i,

  /// A move's start check has passed.
  input  logic              start_valid_i,
  /// Its move id.
  input  logic [MoveW-1:0]  start_move_i,
  /// First byte of the block.
  input  logic [63:0]       start_src_i,
  /// Tier of the block.
  input  tier_e             start_src_tier_i,
  /// First byte of the target slot.
  input  logic [63:0]       start_dst_i,
  /// Tier of the target slot.
  input  tier_e             start_dst_tier_i,
  /// A move leaves the waiting places.
  output logic              taken_o,
  /// Moves that shall issue no further burst.
  input  logic [MOVES-1:0]  stop_i,

  /// A burst id is free again.
  input  logic              free_valid_i,
  /// That burst id.
  input  logic [BurstW-1:0] free_burst_i,

  /// A burst begins (its AR is valid from the next cycle on).
  output logic              burst_valid_o,
  /// Its burst id.
  output logic [BurstW-1:0] burst_id_o,
  /// Its move.
  output logic [MoveW-1:0]  burst_move_o,
  /// Where its data goes.
  output logic [63:0]       burst_dst_o,
  /// Tier where its data goes.
  output tier_e             burst_dst_tier_o,
  /// Beats less one.
  output logic [LenW-1:0]   burst_len_o,

  /// A move has issued all bursts it will.
  output logic              fin_valid_o,
  /// The event is taken.
  input  logic              fin_ready_i,
  /// Its move id.
  output logic [MoveW-1:0]  fin_move_o,
  /// Minus the number of bursts it issued, modulo 2^CntW.
  output logic [CntW-1:0]   fin_neg_o,

  /// AXI AR: valid.
  output logic              arvalid_o,
  /// AXI AR: ready.
  input  logic              arready_i,
  /// AXI AR: burst id.
  output logic [BurstW-1:0] arid_o,
  /// AXI AR: address.
  output logic [63:0]       araddr_o,
  /// AXI AR: beats less one.
  output logic [LenW-1:0]   arlen_o,
  /// AXI AR: tier.
  output tier_e             artier_o
);

  localparam int unsigned BurstBytes = BURST_BEATS * AXI_DATA_WIDTH / 8;
  localparam int unsigned StartW = MoveW + 2 * (64 + 2);

  typedef struct packed {
    logic [MoveW-1:0] move;
    logic [63:0]      src;
    tier_e            src_tier;
    logic [63:0]      dst;
    tier_e            dst_tier;
  } start_t;

  // ---------------------------------------------------------------- moves that wait
  // One that finds none before it and the cutter idle goes past the places.
  start_t start_in, start, waiting;
  logic   start_valid, waiting_valid;
  logic   idle_q;  // no move is being cut

  assign start_in = '{
      move: start_move_i,
      src: start_src_i,
      src_tier: start_src_tier_i,
      dst: start_dst_i,
      dst_tier: start_dst_tier_i
  };

  kvcpu_fifo #(
    .Width(StartW),
    .Depth(StartDepth)
  ) u_starts (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (start_valid_i && !(taken_o && !waiting_valid)),
    .data_i (start_in),
    .full_o (),
    .valid_o(waiting_valid),
    .data_o (waiting),
    .pop_i  (idle_q),
    .level_o()
  );

  assign start_valid = waiting_valid || start_valid_i;
  assign start       = waiting_valid ? waiting : start_in;

  // ---------------------------------------------------------------- free burst ids
  logic              id_valid;
  logic [BurstW-1:0] id;

  kvcpu_fifo #(
    .Width(BurstW),
    .Depth(BURSTS)
  ) u_ids (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (free_valid_i),
    .data_i (free_burst_i),
    .full_o (),
    .valid_o(id_valid),
    .data_o (id),
    .pop_i  (burst_valid_o),
    .level_o()
  );

  // ---------------------------------------------------------------- the move being cut
  // An address is a page and an offset in it. What follows a burst (its addresses, the beats left) is
  // worked out while it is issued and taken over in the cycle after it, where the page adds the carry.
  logic             burst_q, carry_q;  // a burst may go; what follows it is taken over
  logic [MoveW-1:0] move_q;
  logic [51:0]      src_page_q, dst_page_q;
  logic [11:0]      src_offset_q, dst_offset_q;
  logic [12:0]      src_next_q, dst_next_q;  // offset after the burst, with its carry
  tier_e            src_tier_q, dst_tier_q;
  logic [12:0]      left_q;  // beats still to issue, less one
  logic             last_q, last_next_q;  // the burst is the block's last; the one after it is
  logic [CntW-1:0]  neg_q;
  logic             fin_valid_q;
  logic [MoveW-1:0] fin_move_q;
  logic [CntW-1:0]  fin_neg_q;

  // Whether the move has been stopped, a cycle ago. One that went past the places has just passed its start
  // check then, and has not.
  logic stop_waiting_q, stop_move_q, from_waiting_q, from_move_q, stopped;
  assign stopped = (from_waiting_q && stop_waiting_q) || (from_move_q && stop_move_q);

  logic ar_empty_q, fin_empty_q, ar_free, fin_free, go, end_move;

  // Free once their valid has gone: bursts are two cycles apart, their AR and the end of a move leave in
  // the cycle between where they find their way clear.
  assign ar_free  = !arvalid_o;  // and ar_empty_q, for what is wide
  assign fin_free = !fin_valid_q;  // and fin_empty_q
  assign go       = burst_q && !stopped && !halt_i && id_valid && ar_free
      && (!last_q || fin_free);
  assign end_move = burst_q && fin_free &&
      (stopped || (last_q && !halt_i && id_valid && ar_free));  // the last one goes
  assign taken_o  = idle_q && start_valid;

  logic [12:0] src_sum, dst_sum;
  assign src_sum = {1'b0, src_offset_q} + 13'(BurstBytes);
  assign dst_sum = {1'b0, dst_offset_q} + 13'(BurstBytes);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      burst_q     <= 1'b0;
      carry_q     <= 1'b0;
      idle_q      <= 1'b1;
      fin_valid_q <= 1'b0;
      arvalid_o   <= 1'b0;
      ar_empty_q  <= 1'b1;
      fin_empty_q <= 1'b1;
    end else if (clear_i) begin
      burst_q     <= 1'b0;
      carry_q     <= 1'b0;
      idle_q      <= 1'b1;
      fin_valid_q <= 1'b0;
      arvalid_o   <= 1'b0;
      ar_empty_q  <= 1'b1;
      fin_empty_q <= 1'b1;
    end else begin
      idle_q  <= idle_q ? !start_valid : end_move;
      burst_q <= idle_q ? start_valid : carry_q || (burst_q && !go && !end_move);
      carry_q <= go && !last_q;
      if (end_move) fin_valid_q <= 1'b1;
      else if (fin_ready_i) fin_valid_q <= 1'b0;
      if (go) arvalid_o <= 1'b1;
      else if (arready_i) arvalid_o <= 1'b0;
      ar_empty_q  <= !go && (ar_empty_q || arready_i);
      fin_empty_q <= !end_move && (fin_empty_q || fin_ready_i);
    end
  end

  always_ff @(posedge clk_i) begin
    stop_waiting_q <= stop_i[waiting.move];
    stop_move_q    <= stop_i[move_q];
    from_waiting_q <= idle_q && waiting_valid;
    from_move_q    <= !idle_q;
    if (idle_q) begin
      move_q       <= start.move;
      src_page_q   <= start.src[63:12];
      src_offset_q <= start.src[11:0];
      src_tier_q   <= start.src_tier;
      dst_page_q   <= start.dst[63:12];
      dst_offset_q <= start.dst[11:0];
      dst_tier_q   <= start.dst_tier;
      left_q       <= last_beat_i;
      last_q       <= last_beat_i[12:LenW] == '0;
      neg_q        <= '0;
    end else if (carry_q) begin
      src_page_q   <= src_page_q + 52'(src_next_q[12]);
      src_offset_q <= src_next_q[11:0];
      dst_page_q   <= dst_page_q + 52'(dst_next_q[12]);
      dst_offset_q <= dst_next_q[11:0];
      left_q       <= left_q - 13'(BURST_BEATS);
      last_q       <= last_next_q;
      neg_q        <= neg_q - 1'b1;
    end
    src_next_q  <= src_sum;
    dst_next_q  <= dst_sum;
    last_next_q <= left_q[12:LenW] == (13 - LenW)'(1);
    // Held with their valid; without one they mean nothing.
    if (fin_empty_q) begin
      fin_move_q <= move_q;
      fin_neg_q  <= stopped ? neg_q : neg_q - 1'b1;
    end
    if (ar_empty_q) begin
      arid_o   <= id;
      araddr_o <= {src_page_q, src_offset_q};
      arlen_o  <= burst_len_o;
      artier_o <= src_tier_q;
    end
  end

  assign burst_valid_o    = go;
  assign burst_id_o       = id;
  assign burst_move_o     = move_q;
  assign burst_dst_o      = {dst_page_q, dst_offset_q};
  assign burst_dst_tier_o = dst_tier_q;
  assign burst_len_o      = last_q ? left_q[LenW-1:0] : LenW'(BURST_BEATS - 1);

  assign fin_valid_o = fin_valid_q;
  assign fin_move_o  = fin_move_q;
  assign fin_neg_o   = fin_neg_q;


  // ---------------------------------------------------------------- AXI read address (device.md 6, 10)
  `KVCPU_ASSERT(ar_holds, arvalid_o && !arready_i && !clear_i |=>
                arvalid_o && $stable({arid_o, araddr_o, arlen_o, artier_o}),
                "a read address holds until it is accepted")
  `KVCPU_ASSERT(ar_inside_page,
                arvalid_o |-> 32'(araddr_o[11:0]) + (32'(arlen_o) + 1) * (AXI_DATA_WIDTH / 8) <= 4096,
                "no read burst crosses a 4 KiB boundary")

endmodule
