// The burst splitter, kvcpu_dma_issue: every move that is started is cut once, in its order, into bursts that read and
// write exactly the bytes of its block, in order, each once. What has been issued of a move is counted here anew.

`include "kvcpu_formal.svh"

module kvcpu_fv_dma_issue
  import kvcpu_pkg::tier_e;
#(
  parameter int unsigned AXI_DATA_WIDTH = 512,
  parameter int unsigned MOVES = 64,
  parameter int unsigned BURSTS = 64,
  parameter int unsigned BURST_BEATS = 16,
  parameter int unsigned StartDepth = 16,
  parameter int unsigned CntW = 7,
  localparam int unsigned MoveW = $clog2(MOVES),
  localparam int unsigned BurstW = $clog2(BURSTS),
  localparam int unsigned LenW = $clog2(BURST_BEATS),
  localparam int unsigned StartW = MoveW + 2 * (64 + 2),
  localparam int unsigned LevelW = $clog2(StartDepth) + 1,
  localparam int unsigned PlaceW = $clog2(StartDepth)
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              clear_i,
  input  logic              halt_i,
  input  logic [12:0]       last_beat_i,
  input  logic              start_valid_i,
  input  logic [MoveW-1:0]  start_move_i,
  input  logic [63:0]       start_src_i,
  input  tier_e             start_src_tier_i,
  input  logic [63:0]       start_dst_i,
  input  tier_e             start_dst_tier_i,
  input  logic              taken_o,
  input  logic [MOVES-1:0]  stop_i,
  input  logic              burst_valid_o,
  input  logic [BurstW-1:0] burst_id_o,
  input  logic [MoveW-1:0]  burst_move_o,
  input  logic [63:0]       burst_dst_o,
  input  tier_e             burst_dst_tier_o,
  input  logic [LenW-1:0]   burst_len_o,
  input  logic              fin_valid_o,
  input  logic              fin_ready_i,
  input  logic [MoveW-1:0]  fin_move_o,
  input  logic [CntW-1:0]   fin_neg_o,
  input  logic              arvalid_o,
  input  logic              arready_i,
  input  logic [BurstW-1:0] arid_o,
  input  logic [63:0]       araddr_o,
  input  logic [LenW-1:0]   arlen_o,
  input  tier_e             artier_o,

  input  logic              id_valid,
  input  logic              idle_q,
  input  logic              burst_q,
  input  logic              carry_q,
  input  logic              stopped,
  input  logic              end_move,
  input  logic [MoveW-1:0]  move_q,
  input  logic [51:0]       src_page_q,
  input  logic [51:0]       dst_page_q,
  input  logic [11:0]       src_offset_q,
  input  logic [11:0]       dst_offset_q,
  input  logic [12:0]       src_next_q,
  input  logic [12:0]       dst_next_q,
  input  tier_e             src_tier_q,
  input  tier_e             dst_tier_q,
  input  logic [12:0]       left_q,
  input  logic              last_q,
  input  logic              last_next_q,
  input  logic [CntW-1:0]   neg_q,
  input  logic              ar_empty_q,
  input  logic              fin_empty_q,
  input  logic              waiting_valid,
  input  logic [StartW-1:0] waiting,
  input  logic [LevelW-1:0] waiting_level,
  input  logic [PlaceW-1:0] rptr_q,
  output logic [PlaceW-1:0] place_o,  // where the move that is followed is stored, unless it is the head
  input  logic [StartW-1:0] place_i
);

  `FV_RESET

  localparam int unsigned BeatShift = $clog2(AXI_DATA_WIDTH / 8);
  localparam int unsigned Wait = 3;    // cycles for which the memory lets an address, and the tracker an end, wait
  localparam int unsigned Stalls = 5;  // cycles within which a move goes on
  localparam logic [LevelW-1:0] Full = LevelW'(StartDepth);

  typedef struct packed {
    logic [MoveW-1:0] move;
    logic [63:0]      src;
    tier_e            src_tier;
    logic [63:0]      dst;
    tier_e            dst_tier;
  } start_t;

  // ---------------------------------------------------------------- moves that wait: any one is followed
  start_t            start_in, followed, now_q, head;
  logic              follows;
  logic [LevelW-1:0] level, ahead;

  assign start_in = '{move: start_move_i, src: start_src_i, src_tier: start_src_tier_i, dst: start_dst_i,
                      dst_tier: start_dst_tier_i};
  assign head     = start_t'(waiting);
  assign place_o  = rptr_q + PlaceW'(ahead - 1'b1);

  kvcpu_fv_stream #(
    .Width(StartW),
    .Depth(StartDepth)
  ) u_stream (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .clear_i  (clear_i),
    .push_i   (start_valid_i && !(taken_o && level == '0)),
    .data_i   (start_in),
    .pop_i    (taken_o && level != '0),
    .level_o  (level),
    .follows_o(follows),
    .ahead_o  (ahead),
    .item_o   (followed)
  );

  // ---------------------------------------------------------------- the move that is cut
  logic            active_q;
  logic            known_q;          // it came in just now, or was followed: its slots lie as the contract has them
  logic [13:0]     beats_q, sent_q;  // of the block; in bursts that were issued
  logic [CntW-1:0] bursts_q;         // of them
  logic            takes_known;
  start_t          taken;

  assign takes_known = level == '0 || (follows && ahead == '0);
  assign taken       = level == '0 ? start_in : followed;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) active_q <= 1'b0;
    else if (clear_i) active_q <= 1'b0;
    else if (taken_o) active_q <= 1'b1;
    else if (end_move) active_q <= 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (taken_o) begin
      now_q    <= level == '0 ? start_in : head;
      known_q  <= takes_known;
      beats_q  <= 14'(last_beat_i) + 14'd1;
      sent_q   <= '0;
      bursts_q <= '0;
    end else if (burst_valid_o) begin
      sent_q   <= sent_q + 14'(burst_len_o) + 14'd1;
      bursts_q <= bursts_q + 1'b1;
    end
  end

  // ---------------------------------------------------------------- what must follow
  logic              ar_due_q, ar_held_q, fin_due_q, ar_known_q;
  logic [BurstW-1:0] ar_id_q;
  logic [63:0]       ar_addr_q;
  logic [LenW-1:0]   ar_len_q;
  tier_e             ar_tier_q;
  logic [MoveW-1:0]  fin_move_q;
  logic [CntW-1:0]   fin_bursts_q;
  logic              stop_q;
  logic [1:0]        ar_waits_q, fin_waits_q;
  logic [3:0]        stalls_q;
  logic [12:0]       last_beat_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ar_due_q    <= 1'b0;
      fin_due_q   <= 1'b0;
      stop_q      <= 1'b0;
      ar_waits_q  <= '0;
      fin_waits_q <= '0;
      stalls_q    <= '0;
    end else if (clear_i) begin
      ar_due_q    <= 1'b0;
      fin_due_q   <= 1'b0;
      stop_q      <= 1'b0;
      ar_waits_q  <= '0;
      fin_waits_q <= '0;
      stalls_q    <= '0;
    end else begin
      ar_due_q    <= burst_valid_o || (ar_due_q && !arready_i);
      fin_due_q   <= end_move || (fin_due_q && !fin_ready_i);
      stop_q      <= active_q && !end_move && stop_i[now_q.move];
      ar_waits_q  <= (arvalid_o && !arready_i) ? ar_waits_q + 1'b1 : '0;
      fin_waits_q <= (fin_valid_o && !fin_ready_i) ? fin_waits_q + 1'b1 : '0;
      if (!active_q || burst_valid_o || end_move) stalls_q <= '0;
      else if (!halt_i && id_valid) stalls_q <= stalls_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    last_beat_q <= last_beat_i;
    if (burst_valid_o) begin
      ar_id_q    <= burst_id_o;
      ar_addr_q  <= now_q.src + (64'(sent_q) << BeatShift);
      ar_len_q   <= burst_len_o;
      ar_tier_q  <= now_q.src_tier;
      ar_known_q <= known_q;
    end
    if (end_move) begin
      fin_move_q   <= now_q.move;
      fin_bursts_q <= bursts_q + CntW'(burst_valid_o);
    end
  end

  // ---------------------------------------------------------------- where blocks lie (device.md 1, 5)
  logic [19:0] bytes, less;
  logic [11:0] mask;  // offset of a byte of the block in its slot, or in a page

  assign bytes = (20'(last_beat_i) + 20'd1) << BeatShift;
  assign less  = bytes - 20'd1;
  always_comb begin
    for (int unsigned i = 0; i < 12; i++) mask[i] = (less >> i) != '0;
  end

  function automatic logic in_place(start_t s, logic [11:0] offset);
    return (s.src[11:0] & offset) == '0 && (s.dst[11:0] & offset) == '0;
  endfunction

  function automatic logic in_page(logic [63:0] addr, logic [LenW-1:0] len);
    return 14'(addr[11:0]) + ((14'(len) + 14'd1) << BeatShift) <= 14'd4096;
  endfunction

  logic [13:0] gone;  // beats that the registers of the cutter count as issued: those of the last burst come a cycle later
  logic [63:0] src_now, dst_now;
  assign gone    = carry_q ? sent_q - 14'(BURST_BEATS) : sent_q;
  assign src_now = now_q.src + (64'(gone) << BeatShift);
  assign dst_now = now_q.dst + (64'(gone) << BeatShift);

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(block_bytes_legal, 1'b1, bytes >= 20'd256 && bytes <= 20'd65536 && bytes[5:0] == '0)
      `FV_ASSUME(block_bytes_hold, fv_begun_q && (active_q || level != '0), last_beat_i == last_beat_q)
      `FV_ASSUME(slots_are_aligned, start_valid_i, in_place(start_in, mask))
      `FV_ASSUME(few_moves_wait, level == Full, !start_valid_i)
      `FV_ASSUME(memory_is_fair, arvalid_o && ar_waits_q == 2'(Wait), arready_i)
      `FV_ASSUME(tracker_is_fair, fin_valid_o && fin_waits_q == 2'(Wait), fin_ready_i)

      `FV_ASSERT(none_from_nothing, taken_o, level != '0 || start_valid_i)
      `FV_ASSERT(moves_in_order, taken_o && follows && ahead == '0, head == followed)
      `FV_ASSERT(bursts_of_a_move, burst_valid_o, active_q && burst_move_o == now_q.move)
      `FV_ASSERT(writes_in_order, burst_valid_o,
                 burst_dst_o == now_q.dst + (64'(sent_q) << BeatShift) && burst_dst_tier_o == now_q.dst_tier)
      `FV_ASSERT(lengths, burst_valid_o,
                 14'(burst_len_o) + 14'd1 == ((beats_q - sent_q > 14'(BURST_BEATS)) ? 14'(BURST_BEATS) : beats_q - sent_q))
      `FV_ASSERT(reads_in_order, arvalid_o,
                 {arid_o, araddr_o, arlen_o, artier_o} == {ar_id_q, ar_addr_q, ar_len_q, ar_tier_q})
      `FV_ASSERT(one_read_a_burst, 1'b1, arvalid_o == ar_due_q)
      `FV_ASSERT(whole_block, end_move && !stopped, burst_valid_o && sent_q + 14'(burst_len_o) + 14'd1 == beats_q)
      `FV_ASSERT(ends_once, 1'b1, fin_valid_o == fin_due_q)
      `FV_ASSERT(counts_bursts, fin_valid_o, fin_move_o == fin_move_q && fin_neg_o == CntW'(0) - fin_bursts_q)
      `FV_ASSERT(stopped_issues_none, stop_q, !burst_valid_o)
      `FV_ASSERT(read_inside_page, arvalid_o && ar_known_q, in_page(araddr_o, arlen_o))
      `FV_ASSERT(write_inside_page, burst_valid_o && known_q, in_page(burst_dst_o, burst_len_o))
      `FV_ASSERT(goes_on, active_q && !halt_i && id_valid, stalls_q < 4'(Stalls))

      `FV_LEMMA(places, waiting_level == level && waiting_valid == (level != '0) && level <= Full &&
                        (!follows || (ahead < level && (ahead == '0 ? head == followed : place_i == followed))))
      `FV_LEMMA(states, active_q == !idle_q && idle_q + burst_q + carry_q == 2'd1 && ar_empty_q == !arvalid_o &&
                        fin_empty_q == !fin_valid_o)
      `FV_LEMMA(cutter, !active_q ||
                        (move_q == now_q.move && src_tier_q == now_q.src_tier && dst_tier_q == now_q.dst_tier &&
                         {src_page_q, src_offset_q} == src_now && {dst_page_q, dst_offset_q} == dst_now &&
                         left_q == 13'(beats_q - 14'd1 - gone) && last_q == (left_q < 13'(BURST_BEATS)) &&
                         neg_q == CntW'(0) - (bursts_q - CntW'(carry_q)) && (!carry_q || !last_q) &&
                         sent_q < beats_q && sent_q[LenW-1:0] == '0 && gone < beats_q &&
                         beats_q == 14'(last_beat_i) + 14'd1))
      `FV_LEMMA(next, !carry_q || (src_next_q == 13'(src_offset_q) + 13'(BURST_BEATS << BeatShift) &&
                                   dst_next_q == 13'(dst_offset_q) + 13'(BURST_BEATS << BeatShift) &&
                                   last_next_q == (left_q[12:LenW] == (13 - LenW)'(1))))
      `FV_LEMMA(aligned, (!follows || in_place(followed, mask)) && (!active_q || !known_q || in_place(now_q, mask)))
      `FV_LEMMA(stalls, stalls_q < 4'(Stalls) && (!carry_q || stalls_q == '0) && (!arvalid_o || stalls_q <= 4'(ar_waits_q)) &&
                        (!fin_valid_o || stalls_q <= 4'(fin_waits_q)))
      `FV_LEMMA(read_page, !ar_due_q || !ar_known_q || in_page(ar_addr_q, ar_len_q))
    end
  end

endmodule

bind kvcpu_dma_issue kvcpu_fv_dma_issue #(
  .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
  .MOVES(MOVES),
  .BURSTS(BURSTS),
  .BURST_BEATS(BURST_BEATS),
  .StartDepth(StartDepth),
  .CntW(CntW)
) u_fv (
  .*,
  .waiting_level(u_starts.level_q),
  .rptr_q(u_starts.rptr_q),
  .place_o(),
  .place_i(u_starts.mem[u_fv.place_o])
);
