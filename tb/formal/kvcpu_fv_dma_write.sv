// The write side of the DMA, kvcpu_dma_write: a chunk goes to the target of its burst, and its data are the bytes of its
// place in the buffer, in order, each once, behind one address. Any one burst that begins is followed to the acceptance of
// its address and to that of its last beat; any one word of the buffer is chosen; any one burst id is chosen.

`include "kvcpu_formal.svh"

module kvcpu_fv_dma_write
  import kvcpu_pkg::tier_e;
#(
  parameter int unsigned AXI_DATA_WIDTH = 512,
  parameter int unsigned MOVES = 64,
  parameter int unsigned BURSTS = 64,
  parameter int unsigned BURST_BEATS = 16,
  localparam int unsigned MoveW = $clog2(MOVES),
  localparam int unsigned BurstW = $clog2(BURSTS),
  localparam int unsigned LenW = $clog2(BURST_BEATS),
  localparam int unsigned OutDepth = 4,
  localparam int unsigned LevelW = $clog2(OutDepth) + 2,
  localparam int unsigned AwW = BurstW + 64 + 2 + LenW,
  localparam int unsigned BeatsW = BurstW + LenW
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic                      clear_i,
  input  logic                      halt_i,
  input  logic                      burst_valid_i,
  input  logic [BurstW-1:0]         burst_id_i,
  input  logic [MoveW-1:0]          burst_move_i,
  input  logic [63:0]               burst_dst_i,
  input  tier_e                     burst_dst_tier_i,
  input  logic [LenW-1:0]           burst_len_i,
  input  logic                      chunk_valid_i,
  input  logic [BurstW-1:0]         chunk_burst_i,
  input  logic                      chunk_error_i,
  input  logic [MOVES-1:0]          stop_i,
  input  logic                      buf_re_o,
  input  logic [BurstW+LenW-1:0]    buf_addr_o,
  input  logic [AXI_DATA_WIDTH-1:0] buf_data_i,
  input  logic                      begun_o,
  input  logic                      drop_valid_o,
  input  logic                      drop_ready_i,
  input  logic [BurstW-1:0]         drop_burst_o,
  input  logic [MoveW-1:0]          drop_move_o,
  input  logic                      drop_error_o,
  input  logic                      awvalid_o,
  input  logic                      awready_i,
  input  logic [BurstW-1:0]         awid_o,
  input  logic [63:0]               awaddr_o,
  input  logic [LenW-1:0]           awlen_o,
  input  tier_e                     awtier_o,
  input  logic                      wvalid_o,
  input  logic                      wready_i,
  input  logic [AXI_DATA_WIDTH-1:0] wdata_o,
  input  logic                      wlast_o,

  input  logic                      chunk_valid,
  input  logic [BurstW:0]           chunk,
  input  logic                      fetch,
  input  logic                      chunks_full,
  input  logic [BurstW:0]           chunks_level,
  input  logic [BurstW-1:0]         chunks_rptr_q,
  input  logic [BURSTS-1:0][BurstW:0] chunks,      // what is stored behind the head
  input  logic                      read_valid_q,
  input  logic [BurstW:0]           read_q,
  input  logic                      look_valid_q,
  input  logic [BurstW:0]           look_q,
  input  logic                      out_valid_q,
  input  logic                      out_empty_q,
  input  logic                      out_bad_q,
  input  logic [BurstW:0]           out_q,
  input  logic [MoveW+66+LenW-1:0]  target,
  input  logic [MoveW+66+LenW-1:0]  look_target_q,
  input  logic [MoveW+66+LenW-1:0]  out_target_q,
  input  logic                      want_q,
  input  logic                      burst_valid_q,
  input  logic [BurstW-1:0]         burst_q,
  input  logic [LenW-1:0]           beat_q,
  input  logic [LenW-1:0]           left_q,
  input  logic                      last_q,
  input  logic                      buf_valid_q,
  input  logic                      buf_last_q,
  input  logic                      advance,
  input  logic                      aw_full,
  input  logic                      w_full,
  input  logic                      w_valid,
  input  logic [2:0]                aw_level,
  input  logic [2:0]                w_level,
  input  logic [1:0]                aw_rptr_q,
  input  logic [1:0]                w_rptr_q,
  input  logic [BeatsW-1:0]         w_head,
  output logic [1:0]                aw_place_o,  // where the burst that is followed is stored in the FIFO of addresses
  input  logic [AwW-1:0]            aw_place_i,
  output logic [1:0]                w_place_o,   // the same in that of beats
  input  logic [BeatsW-1:0]         w_place_i,
  output logic [BurstW-1:0]         mine_o,      // the burst id that is chosen
  input  logic [MoveW+66+LenW-1:0]  mine_target_i  // what is stored as its target
);

  `FV_RESET

  localparam int unsigned BeatShift = $clog2(AXI_DATA_WIDTH / 8);

  typedef struct packed {
    logic [MoveW-1:0] move;
    logic [63:0]      dst;
    tier_e            tier;
    logic [LenW-1:0]  len;
  } target_t;

  typedef struct packed {
    logic [BurstW-1:0] id;
    logic [63:0]       addr;
    tier_e             tier;
    logic [LenW-1:0]   len;
  } burst_t;

  // ---------------------------------------------------------------- what the solver chooses
  logic [BurstW-1:0]         any_id, mine_q;
  logic [BurstW+LenW-1:0]    any_word, word_q;
  logic [AXI_DATA_WIDTH-1:0] any_data, data_q;
  logic                      choose, begins_followed;
  kvcpu_any #(.Width(BurstW)) u_id (.value_o(any_id));
  kvcpu_any #(.Width(BurstW + LenW)) u_word (.value_o(any_word));
  kvcpu_any #(.Width(AXI_DATA_WIDTH)) u_data (.value_o(any_data));
  kvcpu_any u_choose (.value_o(choose));

  always_ff @(posedge clk_i) begin
    if (!fv_begun_q) begin
      mine_q <= any_id;
      word_q <= any_word;
    end
    if (begins_followed) data_q <= any_data;
  end
  assign mine_o = mine_q;

  // ---------------------------------------------------------------- the buffer: one word of it is known
  logic reads_word_q;
  always_ff @(posedge clk_i) begin
    if (buf_re_o) reads_word_q <= buf_addr_o == word_q;
  end

  // ---------------------------------------------------------------- the chunk of the chosen id
  target_t target_in, target_q;
  logic    mine_there_q;  // its burst has begun to read, and is not written or dropped
  logic    mine_chunk_q;  // it is a chunk
  burst_t  begins;
  target_t out_target;

  assign target_in  = '{move: burst_move_i, dst: burst_dst_i, tier: burst_dst_tier_i, len: burst_len_i};
  assign out_target = target_t'(out_target_q);
  assign begins     = '{id: out_q[BurstW-1:0], addr: out_target.dst, tier: out_target.tier, len: out_target.len};

  logic mine_begins, mine_drops;
  assign mine_begins = begun_o && out_q[BurstW-1:0] == mine_q;
  assign mine_drops  = drop_valid_o && drop_ready_i && drop_burst_o == mine_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      mine_there_q <= 1'b0;
      mine_chunk_q <= 1'b0;
    end else if (clear_i) begin
      mine_there_q <= 1'b0;
      mine_chunk_q <= 1'b0;
    end else begin
      if (burst_valid_i && burst_id_i == mine_q) mine_there_q <= 1'b1;
      else if (mine_begins || mine_drops) mine_there_q <= 1'b0;
      if (chunk_valid_i && chunk_burst_i == mine_q) mine_chunk_q <= 1'b1;
      else if (mine_begins || mine_drops) mine_chunk_q <= 1'b0;
    end
  end
  always_ff @(posedge clk_i) begin
    if (burst_valid_i && burst_id_i == mine_q) target_q <= target_in;
  end

  // ---------------------------------------------------------------- the burst that is followed
  logic              follows_q, aw_open_q, w_open_q, aw_takes, w_takes, w_ends;
  burst_t            burst_f_q;
  logic [LevelW-1:0] aw_level_q, w_level_q, aw_ahead_q, w_ahead_q;
  logic [LenW:0]     beats_q;  // beats of the oldest burst that W has accepted
  logic              aw_held_q, w_held_q;
  logic [1:0]        w_waits_q;  // cycles in which a burst has begun and W shows no beat
  burst_t            aw_now, aw_q;
  logic [AXI_DATA_WIDTH:0] w_q;

  assign aw_now          = '{id: awid_o, addr: awaddr_o, tier: awtier_o, len: awlen_o};
  assign aw_takes        = awvalid_o && awready_i;
  assign w_takes         = wvalid_o && wready_i;
  assign w_ends          = w_takes && wlast_o;
  assign begins_followed = begun_o && choose && !follows_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      follows_q  <= 1'b0;
      aw_open_q  <= 1'b0;
      w_open_q   <= 1'b0;
      aw_level_q <= '0;
      w_level_q  <= '0;
      beats_q    <= '0;
      aw_held_q  <= 1'b0;
      w_held_q   <= 1'b0;
      w_waits_q  <= '0;
    end else if (clear_i) begin
      follows_q  <= 1'b0;
      aw_open_q  <= 1'b0;
      w_open_q   <= 1'b0;
      aw_level_q <= '0;
      w_level_q  <= '0;
      beats_q    <= '0;
      aw_held_q  <= 1'b0;
      w_held_q   <= 1'b0;
      w_waits_q  <= '0;
    end else begin
      aw_level_q <= aw_level_q + LevelW'(begun_o) - LevelW'(aw_takes);
      w_level_q  <= w_level_q + LevelW'(begun_o) - LevelW'(w_ends);
      if (w_takes) beats_q <= wlast_o ? '0 : beats_q + 1'b1;
      aw_held_q  <= awvalid_o && !awready_i;
      w_held_q   <= wvalid_o && !wready_i;
      w_waits_q  <= (w_level_q != '0 && !wvalid_o) ? w_waits_q + 1'b1 : '0;
      if (begins_followed) begin
        follows_q <= 1'b1;
        aw_open_q <= 1'b1;
        w_open_q  <= 1'b1;
      end else begin
        if (aw_takes && aw_ahead_q == '0) aw_open_q <= 1'b0;
        if (w_ends && w_ahead_q == '0) w_open_q <= 1'b0;
        follows_q <= follows_q && ((aw_open_q && !(aw_takes && aw_ahead_q == '0)) ||
                                   (w_open_q && !(w_ends && w_ahead_q == '0)));
      end
    end
  end

  always_ff @(posedge clk_i) begin
    aw_q <= aw_now;
    w_q  <= {wlast_o, wdata_o};
    if (begins_followed) begin
      burst_f_q  <= begins;
      aw_ahead_q <= aw_level_q - LevelW'(aw_takes);
      w_ahead_q  <= w_level_q - LevelW'(w_ends);
    end else begin
      if (aw_takes) aw_ahead_q <= aw_ahead_q - 1'b1;
      if (w_ends) w_ahead_q <= w_ahead_q - 1'b1;
    end
  end

  assign aw_place_o = aw_rptr_q + 2'(aw_ahead_q - 1'b1);

  // ---------------------------------------------------------------- where the beats of the followed burst are
  // Bursts of which a beat is behind the FIFO of beats: in the address stage, in the buffer's stage, at W.
  logic [LevelW-1:0] lasts_out;
  logic              front_out, front_buf, front_addr;  // the followed one is the burst of that stage
  logic [LevelW-1:0] at_addr, at_fifo;
  assign at_addr    = LevelW'(wvalid_o && wlast_o) + LevelW'(buf_valid_q && buf_last_q);
  assign at_fifo    = at_addr + LevelW'(burst_valid_q);
  assign lasts_out  = at_fifo + LevelW'(w_level);
  assign front_out  = w_open_q && wvalid_o && w_ahead_q == '0;
  assign front_buf  = w_open_q && buf_valid_q && w_ahead_q == LevelW'(wvalid_o && wlast_o);
  assign front_addr = w_open_q && burst_valid_q && w_ahead_q == at_addr;
  assign w_place_o  = w_rptr_q + 2'(w_ahead_q - at_fifo - 1'b1);

  // The number of a beat that is at the buffer's stage, and in the address stage: those before it of its burst.
  logic [LenW:0] beat_buf, beat_addr;
  assign beat_buf  = (wvalid_o && wlast_o) ? '0 : beats_q + (LenW + 1)'(wvalid_o);
  assign beat_addr = ((buf_valid_q && buf_last_q) ? '0 : beat_buf + (LenW + 1)'(buf_valid_q));

  function automatic logic in_page(logic [63:0] addr, logic [LenW-1:0] len);
    return 14'(addr[11:0]) + ((14'(len) + 14'd1) << BeatShift) <= 14'd4096;
  endfunction

  logic is_mine_out, is_mine_look, is_mine_read;
  assign is_mine_out  = out_valid_q && out_q[BurstW-1:0] == mine_q;
  assign is_mine_look = look_valid_q && look_q[BurstW-1:0] == mine_q;
  assign is_mine_read = read_valid_q && read_q[BurstW-1:0] == mine_q;

  // Places in which the chunk of the chosen id is: one while it is a chunk.
  logic [BurstW:0] places;
  always_comb begin
    places = (BurstW + 1)'(is_mine_read) + (BurstW + 1)'(is_mine_look) + (BurstW + 1)'(is_mine_out) +
             (BurstW + 1)'(chunk_valid && chunk[BurstW-1:0] == mine_q);
    for (int unsigned i = 0; i < BURSTS - 1; i++) begin
      places += (BurstW + 1)'((BurstW + 1)'(i + 1) < chunks_level &&
                              chunks[BurstW'(chunks_rptr_q+BurstW'(i))][BurstW-1:0] == mine_q);
    end
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(clear_while_quiet, clear_i, aw_level_q == '0 && w_level_q == '0)
      `FV_ASSUME(buffer_holds_its_word, w_open_q && buf_valid_q && reads_word_q, buf_data_i == data_q)
      `FV_ASSUME(target_inside_page, burst_valid_i, in_page(burst_dst_i, burst_len_i))
      `FV_ASSUME(id_is_free, burst_valid_i && burst_id_i == mine_q, !mine_there_q)
      `FV_ASSUME(chunk_was_read, chunk_valid_i && chunk_burst_i == mine_q, mine_there_q && !mine_chunk_q)
      `FV_ASSUME(chunks_fit, chunk_valid_i, !chunks_full)

      `FV_ASSERT(goes_to_its_target, mine_begins,
                 {begins.addr, begins.tier, begins.len} == {target_q.dst, target_q.tier, target_q.len})
      `FV_ASSERT(only_whole_chunks, mine_begins, mine_there_q && mine_chunk_q && !out_q[BurstW])
      `FV_ASSERT(begins_inside_page, mine_begins, in_page(begins.addr, begins.len))
      `FV_ASSERT(drops_its_move, mine_drops, mine_chunk_q && drop_move_o == target_q.move)
      `FV_ASSERT(aw_is_that_of_its_burst, follows_q && aw_open_q && aw_ahead_q == '0, awvalid_o && aw_now == burst_f_q)
      `FV_ASSERT(one_aw_a_burst, awvalid_o, aw_level_q != '0)
      `FV_ASSERT(no_w_without_its_burst, wvalid_o, w_level_q != '0)
      `FV_ASSERT(w_comes, w_level_q != '0 && !wvalid_o, w_waits_q < 2'd3)
      `FV_ASSERT(w_ends_with_its_burst, front_out, wlast_o == (beats_q == (LenW + 1)'(burst_f_q.len)))
      `FV_ASSERT(w_has_its_bytes, front_out && {burst_f_q.id, beats_q[LenW-1:0]} == word_q, wdata_o == data_q)
      `FV_ASSERT(aw_holds, aw_held_q, awvalid_o && aw_now == aw_q)
      `FV_ASSERT(w_holds, w_held_q, wvalid_o && {wlast_o, wdata_o} == w_q)

      `FV_LEMMA(levels, aw_level_q == LevelW'(aw_level) && w_level_q == lasts_out && w_level <= 3'd4)
      `FV_LEMMA(places, !follows_q || ((aw_open_q || w_open_q) && (!aw_open_q || aw_ahead_q < aw_level_q) &&
                                       (!w_open_q || w_ahead_q < w_level_q)))
      `FV_LEMMA(waits, w_level_q == '0 || wvalid_o || w_waits_q <= (buf_valid_q ? 2'd2 : 2'(burst_valid_q)))
      `FV_LEMMA(closed, follows_q || (!aw_open_q && !w_open_q))
      `FV_LEMMA(aw_place, !aw_open_q || (aw_ahead_q == '0 ? aw_now == burst_f_q : aw_place_i == burst_f_q))
      `FV_LEMMA(w_place, !w_open_q || w_ahead_q < at_fifo ||
                         (w_ahead_q == at_fifo ? w_head : w_place_i) == {burst_f_q.id, burst_f_q.len})
      `FV_LEMMA(at_address, (!front_addr || (burst_q == burst_f_q.id && (LenW + 1)'(beat_q) == beat_addr &&
                                             left_q == burst_f_q.len - beat_q && last_q == (left_q == '0))) &&
                            (!burst_valid_q || (last_q == want_q && (last_q == (left_q == '0)) &&
                                                (LenW + 1)'(beat_q) == beat_addr &&
                                                (LenW + 1)'(beat_q) + (LenW + 1)'(left_q) < (LenW + 1)'(BURST_BEATS))) &&
                            (burst_valid_q || want_q))
      `FV_LEMMA(at_buffer, (!front_buf || (buf_last_q == (beat_buf == (LenW + 1)'(burst_f_q.len)) &&
                                           beat_buf <= (LenW + 1)'(burst_f_q.len) &&
                                           reads_word_q == ({burst_f_q.id, beat_buf[LenW-1:0]} == word_q))) &&
                           (!buf_valid_q || buf_last_q || burst_valid_q))
      `FV_LEMMA(at_w, (!front_out || (beats_q <= (LenW + 1)'(burst_f_q.len) &&
                                      ({burst_f_q.id, beats_q[LenW-1:0]} != word_q || wdata_o == data_q))) &&
                      (!wvalid_o || wlast_o || buf_valid_q) && (wvalid_o || beats_q == '0))
      `FV_LEMMA(one_place, places == (BurstW + 1)'(mine_chunk_q) && (!out_valid_q || !out_q[BurstW] || out_bad_q))
      `FV_LEMMA(chosen, out_empty_q == !out_valid_q && (!mine_chunk_q || mine_there_q) &&
                        (!mine_there_q || mine_target_i == target_q) && (!is_mine_read || target == target_q) &&
                        (!is_mine_look || look_target_q == target_q) && (!is_mine_out || out_target_q == target_q) &&
                        (!mine_there_q || in_page(target_q.dst, target_q.len)))
    end
  end

endmodule

bind kvcpu_dma_write kvcpu_fv_dma_write #(
  .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
  .MOVES(MOVES),
  .BURSTS(BURSTS),
  .BURST_BEATS(BURST_BEATS)
) u_fv (
  .*,
  .chunks_full(u_chunks.full_o),
  .chunks_level(u_chunks.level_q),
  .chunks_rptr_q(u_chunks.rptr_q),
  .chunks({u_chunks.mem[3], u_chunks.mem[2], u_chunks.mem[1], u_chunks.mem[0]}),  // of 4 bursts
  .aw_level(u_aw.level_q),
  .w_level(u_w.level_q),
  .aw_rptr_q(u_aw.rptr_q),
  .w_rptr_q(u_w.rptr_q),
  .w_head(u_w.data_o),
  .aw_place_o(),
  .aw_place_i(u_aw.mem[u_fv.aw_place_o]),
  .w_place_o(),
  .w_place_i(u_w.mem[u_fv.w_place_o]),
  .mine_o(),
  .mine_target_i(u_targets.g_mem.mem[u_fv.mine_o])
);
