// The AXI4 master of the DMA, kvcpu_dma, with 4 bursts: the bus, and where each burst id is. An id goes round: it is free,
// reads, its chunk waits, it writes (or is dropped), it is given back. That every id is in one place at any time is what
// keeps ids from being used twice, and responses from being counted twice or lost.

`include "kvcpu_formal.svh"

module kvcpu_fv_dma #(
  parameter int unsigned AXI_DATA_WIDTH = 512,
  parameter int unsigned BURSTS = 64,
  parameter int unsigned BURST_BEATS = 16,
  localparam int unsigned BurstW = $clog2(BURSTS),
  localparam int unsigned LenW = $clog2(BURST_BEATS),
  localparam int unsigned AwW = BurstW + 64 + 2 + LenW
) (
  input logic                        clk_i,
  input logic                        rst_ni,
  input logic                        clear_i,
  input logic                        halt_i,
  input logic                        idle_o,
  input logic                        rsp_valid_i,
  input logic                        m_axi_awvalid_o,
  input logic                        m_axi_awready_i,
  input logic [BurstW-1:0]           m_axi_awid_o,
  input logic [63:0]                 m_axi_awaddr_o,
  input logic [7:0]                  m_axi_awlen_o,
  input logic [2:0]                  m_axi_awsize_o,
  input logic [1:0]                  m_axi_awburst_o,
  input logic [1:0]                  m_axi_awuser_o,
  input logic                        m_axi_wvalid_o,
  input logic                        m_axi_wready_i,
  input logic [AXI_DATA_WIDTH-1:0]   m_axi_wdata_o,
  input logic [AXI_DATA_WIDTH/8-1:0] m_axi_wstrb_o,
  input logic                        m_axi_wlast_o,
  input logic                        m_axi_bvalid_i,
  input logic                        m_axi_bready_o,
  input logic [BurstW-1:0]           m_axi_bid_i,
  input logic                        m_axi_arvalid_o,
  input logic                        m_axi_arready_i,
  input logic [BurstW-1:0]           m_axi_arid_o,
  input logic [63:0]                 m_axi_araddr_o,
  input logic [7:0]                  m_axi_arlen_o,
  input logic [2:0]                  m_axi_arsize_o,
  input logic [1:0]                  m_axi_arburst_o,
  input logic [1:0]                  m_axi_aruser_o,
  input logic                        m_axi_rvalid_i,
  input logic                        m_axi_rready_o,
  input logic [BurstW-1:0]           m_axi_rid_i,
  input logic                        m_axi_rlast_i,

  input logic                        init_valid_q,
  input logic [3:0]                  init_index_q,
  input logic                        init_is_burst,
  input logic                        rsp_valid_q,
  input logic                        start_ok_q,
  input logic                        burst_valid,
  input logic [BurstW-1:0]           burst_id,
  input logic                        begun,
  input logic                        drop_valid,
  input logic                        drop_ready,
  input logic [BurstW-1:0]           drop_burst,
  input logic                        free_valid,
  input logic [BurstW-1:0]           free_burst,
  input logic                        chunk_valid,
  input logic [BurstW-1:0]           chunk_burst,
  input logic [BurstW:0]             reads_q,
  input logic [BurstW:0]             writes_q,
  input logic                        read_begun_q,
  input logic                        read_ended_q,
  input logic                        write_begun_q,
  input logic                        write_ended_q,

  input logic                        issue_idle_q,
  input logic                        issue_burst_q,
  input logic                        issue_carry_q,
  input logic                        ar_empty_q,
  input logic [4:0]                  starts_level,
  input logic [2:0]                  ids_level,
  input logic [1:0]                  ids_rptr_q,
  input logic [BurstW-1:0]           ids_head,
  input logic [3:0][BurstW-1:0]      ids,
  input logic                        r_valid_q,
  input logic                        r_last_q,
  input logic [BurstW-1:0]           r_id_q,
  input logic [2:0]                  chunks_level,
  input logic [1:0]                  chunks_rptr_q,
  input logic [BurstW:0]             chunks_head,
  input logic [3:0][BurstW:0]        chunks,
  input logic                        read_valid_q,
  input logic [BurstW:0]             read_q,
  input logic                        look_valid_q,
  input logic [BurstW:0]             look_q,
  input logic                        out_valid_q,
  input logic                        out_empty_q,
  input logic                        out_bad_q,
  input logic [BurstW:0]             out_q,
  input logic [2:0]                  aw_level,
  input logic [1:0]                  aw_rptr_q,
  input logic [3:0][AwW-1:0]         aws,
  input logic                        b_valid_q,
  input logic [BurstW-1:0]           b_id_q
);

  `FV_RESET

  logic [BURSTS-1:0] reads, writes;

  kvcpu_fv_axi #(
    .Ids   (BURSTS),
    .AboutW(64 + 3 + 2 + 2),
    .DataW (AXI_DATA_WIDTH + AXI_DATA_WIDTH / 8)
  ) u_bus (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .clear_i  (clear_i),
    .arvalid_i(m_axi_arvalid_o),
    .arready_i(m_axi_arready_i),
    .arid_i   (m_axi_arid_o),
    .arlen_i  (m_axi_arlen_o),
    .arabout_i({m_axi_araddr_o, m_axi_arsize_o, m_axi_arburst_o, m_axi_aruser_o}),
    .rvalid_i (m_axi_rvalid_i),
    .rready_i (m_axi_rready_o),
    .rid_i    (m_axi_rid_i),
    .rlast_i  (m_axi_rlast_i),
    .awvalid_i(m_axi_awvalid_o),
    .awready_i(m_axi_awready_i),
    .awid_i   (m_axi_awid_o),
    .awlen_i  (m_axi_awlen_o),
    .awabout_i({m_axi_awaddr_o, m_axi_awsize_o, m_axi_awburst_o, m_axi_awuser_o}),
    .wvalid_i (m_axi_wvalid_o),
    .wready_i (m_axi_wready_i),
    .wdata_i  ({m_axi_wdata_o, m_axi_wstrb_o}),
    .wlast_i  (m_axi_wlast_o),
    .bvalid_i (m_axi_bvalid_i),
    .bready_i (m_axi_bready_o),
    .bid_i    (m_axi_bid_i),
    .reads_o  (reads),
    .writes_o (writes)
  );

  // ---------------------------------------------------------------- where each id is
  typedef enum logic [2:0] {
    Init,     // not yet given out after a reset
    Free,
    Reading,  // from its burst's beginning to its last beat
    Chunk,    // its beats are in the buffer
    Writing,  // from the beginning of its write burst to its response
    Ended     // answered or dropped, on its way to the free ones
  } place_e;

  place_e [BURSTS-1:0] place_q;
  logic   [BURSTS-1:0] is_free, is_reading, is_chunk, is_writing, is_ended;
  logic                drops, r_ends;

  assign drops  = drop_valid && drop_ready;
  assign r_ends = m_axi_rvalid_i && m_axi_rready_o && m_axi_rlast_i;

  always_comb begin
    for (int unsigned i = 0; i < BURSTS; i++) begin
      is_free[i]    = place_q[i] == Free;
      is_reading[i] = place_q[i] == Reading;
      is_chunk[i]   = place_q[i] == Chunk;
      is_writing[i] = place_q[i] == Writing;
      is_ended[i]   = place_q[i] == Ended;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      place_q <= {BURSTS{Init}};
    end else if (clear_i) begin
      place_q <= {BURSTS{Init}};
    end else begin
      if (init_valid_q && 32'(init_index_q) < BURSTS) place_q[init_index_q[BurstW-1:0]] <= Free;
      if (burst_valid) place_q[burst_id] <= Reading;
      if (r_ends) place_q[m_axi_rid_i] <= Chunk;
      if (begun) place_q[out_q[BurstW-1:0]] <= Writing;
      if (drops) place_q[drop_burst] <= Ended;
      if (m_axi_bvalid_i && m_axi_bready_o) place_q[m_axi_bid_i] <= Ended;
      if (free_valid) place_q[free_burst] <= Free;
    end
  end

  // ---------------------------------------------------------------- the same, as the registers of the DMA have it
  typedef logic [3:0] count_t;
  count_t [BURSTS-1:0] in_ids, in_chunks, in_aw, in_ended;
  count_t              reading, writing;

  always_comb begin
    reading = '0;
    writing = '0;
    for (int unsigned i = 0; i < BURSTS; i++) begin
      reading += count_t'(is_reading[i]);
      writing += count_t'(is_writing[i]);
      in_ids[i]    = count_t'(ids_level != '0 && ids_head == BurstW'(i));
      in_chunks[i] = count_t'(chunks_level != '0 && chunks_head[BurstW-1:0] == BurstW'(i)) +
                     count_t'(r_valid_q && r_last_q && r_id_q == BurstW'(i)) +
                     count_t'(chunk_valid && chunk_burst == BurstW'(i)) +
                     count_t'(read_valid_q && read_q[BurstW-1:0] == BurstW'(i)) +
                     count_t'(look_valid_q && look_q[BurstW-1:0] == BurstW'(i)) +
                     count_t'(out_valid_q && out_q[BurstW-1:0] == BurstW'(i));
      in_aw[i]     = count_t'(aw_level != '0 && m_axi_awid_o == BurstW'(i)) + count_t'(writes[i]);
      in_ended[i]  = count_t'(b_valid_q && b_id_q == BurstW'(i)) + count_t'(free_valid && free_burst == BurstW'(i));
      for (int unsigned k = 0; k < 3; k++) begin
        in_ids[i]    += count_t'(3'(k + 1) < ids_level && ids[2'(ids_rptr_q + 2'(k))] == BurstW'(i));
        in_chunks[i] += count_t'(3'(k + 1) < chunks_level &&
                                 chunks[2'(chunks_rptr_q + 2'(k))][BurstW-1:0] == BurstW'(i));
        in_aw[i]     += count_t'(3'(k + 1) < aw_level && aws[2'(aw_rptr_q + 2'(k))][AwW-1-:BurstW] == BurstW'(i));
      end
    end
  end

  logic in_one_place, initialised_in_order;
  always_comb begin
    in_one_place         = 1'b1;
    initialised_in_order = 1'b1;
    for (int unsigned i = 0; i < BURSTS; i++) begin
      in_one_place &= in_ids[i] == count_t'(is_free[i]) && in_chunks[i] == count_t'(is_chunk[i]) &&
                      in_aw[i] == count_t'(is_writing[i]) && in_ended[i] == count_t'(is_ended[i]) &&
                      count_t'(m_axi_arvalid_o && m_axi_arid_o == BurstW'(i)) + count_t'(reads[i]) ==
                      count_t'(is_reading[i]) && place_q[i] <= Ended;
      initialised_in_order &= (place_q[i] == Init) == (init_valid_q && 32'(init_index_q) <= i);
    end
  end

  logic nothing_begun;
  assign nothing_begun = !rsp_valid_q && !start_ok_q && !burst_valid && issue_idle_q && starts_level == '0 &&
                         reading == '0 && writing == '0 && is_chunk == '0 && is_ended == '0;

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(clear_while_idle, clear_i, idle_o && halt_i)
      `FV_ASSUME(answers_after_the_start, rsp_valid_i, !init_is_burst)

      `FV_ASSERT(reads_with_a_free_id, burst_valid, is_free[burst_id])
      `FV_ASSERT(writes_what_was_read, begun, is_chunk[out_q[BurstW-1:0]])
      `FV_ASSERT(drops_what_was_read, drops, is_chunk[drop_burst])
      `FV_ASSERT(write_response_ends_a_burst, m_axi_bvalid_i, is_writing[m_axi_bid_i])
      `FV_ASSERT(last_beat_ends_a_read, r_ends, is_reading[m_axi_rid_i])
      `FV_ASSERT(given_back_once, free_valid, is_ended[free_burst])
      `FV_ASSERT(idle_is_idle, idle_o, reading == '0 && writing == '0 && reads == '0 && writes == '0)

      `FV_LEMMA(one_place, in_one_place)
      `FV_LEMMA(init_order, initialised_in_order)
      `FV_LEMMA(init_quiet, !init_is_burst || nothing_begun)
      `FV_LEMMA(flags, ar_empty_q == !m_axi_arvalid_o && out_empty_q == !out_valid_q &&
                       count_t'(issue_idle_q) + count_t'(issue_burst_q) + count_t'(issue_carry_q) == 4'd1 &&
                       (!burst_valid || ids_level != '0))
      `FV_LEMMA(outstanding, count_t'(reads_q) + count_t'(read_begun_q) - count_t'(read_ended_q) == reading &&
                             count_t'(writes_q) + count_t'(write_begun_q) - count_t'(write_ended_q) == writing)
    end
  end

endmodule

bind kvcpu_dma kvcpu_fv_dma #(
  .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
  .BURSTS(BURSTS),
  .BURST_BEATS(BURST_BEATS)
) u_fv (
  .*,
  .issue_idle_q(u_issue.idle_q),
  .issue_burst_q(u_issue.burst_q),
  .issue_carry_q(u_issue.carry_q),
  .ar_empty_q(u_issue.ar_empty_q),
  .starts_level(u_issue.u_starts.level_q),
  .ids_level(u_issue.u_ids.level_q),
  .ids_rptr_q(u_issue.u_ids.rptr_q),
  .ids_head(u_issue.u_ids.head_q),
  .ids({u_issue.u_ids.mem[3], u_issue.u_ids.mem[2], u_issue.u_ids.mem[1], u_issue.u_ids.mem[0]}),
  .r_valid_q(u_read.r_valid_q),
  .r_last_q(u_read.r_last_q),
  .r_id_q(u_read.r_id_q),
  .chunks_level(u_write.u_chunks.level_q),
  .chunks_rptr_q(u_write.u_chunks.rptr_q),
  .chunks_head(u_write.u_chunks.head_q),
  .chunks({u_write.u_chunks.mem[3], u_write.u_chunks.mem[2], u_write.u_chunks.mem[1], u_write.u_chunks.mem[0]}),
  .read_valid_q(u_write.read_valid_q),
  .read_q(u_write.read_q),
  .look_valid_q(u_write.look_valid_q),
  .look_q(u_write.look_q),
  .out_valid_q(u_write.out_valid_q),
  .out_empty_q(u_write.out_empty_q),
  .out_bad_q(u_write.out_bad_q),
  .out_q(u_write.out_q),
  .aw_level(u_write.u_aw.level_q),
  .aw_rptr_q(u_write.u_aw.rptr_q),
  .aws({u_write.u_aw.mem[3], u_write.u_aw.mem[2], u_write.u_aw.mem[1], u_write.u_aw.mem[0]}),
  .b_valid_q(u_track.b_valid_q),
  .b_id_q(u_track.b_id_q)
);
