// The DMA (contract 6): two channels that copy blocks between tiers over one AXI4 master.
//
//   kvcpu_dma_ops    items, start checks, ends, retries, completions, counters
//   kvcpu_dma_issue  cuts the moves into read bursts (AR)
//   kvcpu_dma_read   writes read data into the buffer, finds complete chunks (R)
//   kvcpu_dma_write  writes chunks to the target slots (AW, W)
//   kvcpu_dma_track  counts what is outstanding per move (B), frees burst ids
//
// A burst owns its burst id, which is its AXI ID on both sides and its place in the data buffer,
// from its AR to its B (or to the drop of its chunk). R and B are always ready.

`include "kvcpu_assert.svh"

module kvcpu_dma
  import kvcpu_pkg::*;
#(
  /// Data width of the memory port in bits: 64, 128, 256, 512 (contract 1).
  parameter int unsigned AXI_DATA_WIDTH = 512,
  /// Tokens of a block, power of two, 1 to 256 (contract 1).
  parameter int unsigned BLOCK_TOKENS = 16,
  /// Moves at the same time, power of two, 16 to 64.
  parameter int unsigned MOVES = 64,
  /// Bursts at the same time, power of two, 2 to 256.
  parameter int unsigned BURSTS = 64,
  /// Beats of a full burst, power of two, 2 to 16.
  parameter int unsigned BURST_BEATS = 16,
  localparam int unsigned BurstW = $clog2(BURSTS)
) (
  /// Clock.
  input  logic                        clk_i,
  /// Reset, active low, released synchronously.
  input  logic                        rst_ni,
  /// Synchronous clear (soft reset); only while `idle_o` and `halt_i`.
  input  logic                        clear_i,
  /// Start nothing, issue no new burst.
  input  logic                        halt_i,
  /// No AXI transaction is outstanding or requested.
  output logic                        idle_o,
  /// Items that have left their queue and not ended, 0 to MOVES.
  output logic [MoveIdW-1:0]          active_o,

  /// CTRL.ENABLE: new moves may start; those that run go on without it.
  input  logic                        enable_i,
  /// BLOCK_BYTES, a multiple of 64, 256 to 65,536; changes only while no slot is in use.
  input  logic [16:0]                 block_bytes_i,

  /// Evict (0) and prefetch (1) queue: an item is at the head.
  input  logic [1:0]                  q_valid_i,
  /// Item at the head.
  input  item_t [1:0]                 q_item_i,
  /// The head is taken: its start check waits for the directory.
  output logic [1:0]                  q_pop_o,

  /// Operation for the directory, OpStart or OpEnd. It stays until it is accepted.
  output logic                        op_valid_o,
  /// The directory accepts `op_o` in this cycle; never in the first cycle of an `op_valid_o`.
  input  logic                        op_ready_i,
  /// The operation; stable from the second cycle of its `op_valid_o` on.
  output op_t                         op_o,
  /// Answer to an operation of the DMA, in their order.
  input  logic                        rsp_valid_i,
  /// The answer.
  input  rsp_t                        rsp_i,
  /// Pulse per move: the directory will end it VOID or CANCELLED, the rest of its copy is not needed.
  /// Not before the answer to its OpStart, not after the answer to its OpEnd.
  input  logic [MOVES-1:0]            abort_i,

  /// A completion; always accepted.
  output logic                        compl_valid_o,
  /// The completion.
  output completion_t                 compl_o,
  /// A try met SLVERR or DECERR; one pulse a try, with its OpEnd.
  output logic                        err_valid_o,
  /// First token of its block.
  output kv_addr_t                    err_kv_addr_o,
  /// Its channel, 0 evict, 1 prefetch.
  output logic                        err_channel_o,
  /// Side of the try's first error: 0 read, 1 write.
  output logic                        err_write_o,
  /// Bytes of moves that ended OK, per channel.
  output logic [1:0][63:0]            bytes_moved_o,
  /// Tries that met an AXI error, per channel.
  output logic [1:0][63:0]            errors_o,
  /// Items that ended VOID, per channel.
  output logic [1:0][63:0]            voids_o,

  /// AXI4 AW.
  output logic                        m_axi_awvalid_o,
  /// AXI4 AW.
  input  logic                        m_axi_awready_i,
  /// AXI4 AW: burst id.
  output logic [BurstW-1:0]           m_axi_awid_o,
  /// AXI4 AW: byte address inside the tier.
  output logic [63:0]                 m_axi_awaddr_o,
  /// AXI4 AW: beats less one.
  output logic [7:0]                  m_axi_awlen_o,
  /// AXI4 AW: log2 of the bytes of a beat.
  output logic [2:0]                  m_axi_awsize_o,
  /// AXI4 AW: INCR.
  output logic [1:0]                  m_axi_awburst_o,
  /// AXI4 AW: normal access.
  output logic                        m_axi_awlock_o,
  /// AXI4 AW: normal, modifiable, bufferable memory.
  output logic [3:0]                  m_axi_awcache_o,
  /// AXI4 AW: unprivileged, secure, data.
  output logic [2:0]                  m_axi_awprot_o,
  /// AXI4 AW: no quality of service.
  output logic [3:0]                  m_axi_awqos_o,
  /// AXI4 AW: tier.
  output logic [1:0]                  m_axi_awuser_o,
  /// AXI4 W.
  output logic                        m_axi_wvalid_o,
  /// AXI4 W.
  input  logic                        m_axi_wready_i,
  /// AXI4 W: data.
  output logic [AXI_DATA_WIDTH-1:0]   m_axi_wdata_o,
  /// AXI4 W: all bytes.
  output logic [AXI_DATA_WIDTH/8-1:0] m_axi_wstrb_o,
  /// AXI4 W: last beat of its burst.
  output logic                        m_axi_wlast_o,
  /// AXI4 B.
  input  logic                        m_axi_bvalid_i,
  /// AXI4 B: always ready.
  output logic                        m_axi_bready_o,
  /// AXI4 B: burst id.
  input  logic [BurstW-1:0]           m_axi_bid_i,
  /// AXI4 B: response.
  input  logic [1:0]                  m_axi_bresp_i,
  /// AXI4 AR.
  output logic                        m_axi_arvalid_o,
  /// AXI4 AR.
  input  logic                        m_axi_arready_i,
  /// AXI4 AR: burst id.
  output logic [BurstW-1:0]           m_axi_arid_o,
  /// AXI4 AR: byte address inside the tier.
  output logic [63:0]                 m_axi_araddr_o,
  /// AXI4 AR: beats less one.
  output logic [7:0]                  m_axi_arlen_o,
  /// AXI4 AR: log2 of the bytes of a beat.
  output logic [2:0]                  m_axi_arsize_o,
  /// AXI4 AR: INCR.
  output logic [1:0]                  m_axi_arburst_o,
  /// AXI4 AR: normal access.
  output logic                        m_axi_arlock_o,
  /// AXI4 AR: normal, modifiable, bufferable memory.
  output logic [3:0]                  m_axi_arcache_o,
  /// AXI4 AR: unprivileged, secure, data.
  output logic [2:0]                  m_axi_arprot_o,
  /// AXI4 AR: no quality of service.
  output logic [3:0]                  m_axi_arqos_o,
  /// AXI4 AR: tier.
  output logic [1:0]                  m_axi_aruser_o,
  /// AXI4 R.
  input  logic                        m_axi_rvalid_i,
  /// AXI4 R: always ready.
  output logic                        m_axi_rready_o,
  /// AXI4 R: burst id.
  input  logic [BurstW-1:0]           m_axi_rid_i,
  /// AXI4 R: data.
  input  logic [AXI_DATA_WIDTH-1:0]   m_axi_rdata_i,
  /// AXI4 R: response.
  input  logic [1:0]                  m_axi_rresp_i,
  /// AXI4 R: last beat of its burst.
  input  logic                        m_axi_rlast_i
);

  `KVCPU_CHECK_PARAM(axi_data_width, AXI_DATA_WIDTH inside {64, 128, 256, 512},
                     "AXI_DATA_WIDTH must be 64, 128, 256 or 512")
  `KVCPU_CHECK_PARAM(tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")
  `KVCPU_CHECK_PARAM(moves, MOVES >= 16 && MOVES <= 64 && $onehot(MOVES),
                     "MOVES must be a power of two from 16 to 64")
  `KVCPU_CHECK_PARAM(bursts, BURSTS >= 2 && BURSTS <= 256 && $onehot(BURSTS),
                     "BURSTS must be a power of two from 2 to 256")
  `KVCPU_CHECK_PARAM(beats, BURST_BEATS >= 2 && BURST_BEATS <= 16 && $onehot(BURST_BEATS),
                     "BURST_BEATS must be a power of two from 2 to 16")

  localparam int unsigned BeatShift = $clog2(AXI_DATA_WIDTH / 8);
  localparam int unsigned MoveW = $clog2(MOVES);
  localparam int unsigned LenW = $clog2(BURST_BEATS);
  localparam int unsigned MaxBursts = (65536 >> BeatShift) / BURST_BEATS;  // of one block
  localparam int unsigned CntW = $clog2(MaxBursts) + 1;
  localparam int unsigned InitW = (MoveW > BurstW) ? MoveW : BurstW;
  localparam logic [3:0] NormalMemory = 4'b0011;
  localparam logic [1:0] Incr = 2'b01;

  // -------------------------------------------------------- after a reset: fill the id lists
  logic             init_valid_q, init_is_move, init_is_burst;
  logic [InitW-1:0] init_index_q;
  logic [MoveW-1:0] init_move;
  logic [BurstW-1:0] init_burst;

  assign init_is_move  = init_valid_q && 32'(init_index_q) < MOVES;
  assign init_is_burst = init_valid_q && 32'(init_index_q) < BURSTS;
  assign init_move     = init_index_q[MoveW-1:0];
  assign init_burst    = init_index_q[BurstW-1:0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      init_valid_q <= 1'b1;
      init_index_q <= '0;
    end else if (clear_i) begin
      init_valid_q <= 1'b1;
      init_index_q <= '0;
    end else if (init_valid_q) begin
      init_valid_q <= !(&init_index_q);
      init_index_q <= init_index_q + 1'b1;
    end
  end

  // ---------------------------------------------------------------- moves
  logic              begin_valid, taken;
  logic [MoveW-1:0]  begin_move;
  logic              done_valid, done_error, done_write;
  logic [MoveW-1:0]  done_move;
  logic [MOVES-1:0]  stop;
  logic              burst_valid;
  logic [BurstW-1:0] burst_id;
  logic [MoveW-1:0]  burst_move;
  logic [63:0]       burst_dst;
  tier_e             burst_dst_tier;
  logic [LenW-1:0]   burst_len;
  logic              fin_valid, fin_ready;
  logic [MoveW-1:0]  fin_move;
  logic [CntW-1:0]   fin_neg;
  logic              drop_valid, drop_ready, drop_error;
  logic [BurstW-1:0] drop_burst;
  logic [MoveW-1:0]  drop_move;
  logic              free_valid, begun;
  logic [BurstW-1:0] free_burst;
  logic              chunk_valid, chunk_error;
  logic [BurstW-1:0] chunk_burst;
  logic [12:0]       last_beat_q;
  tier_e             artier, awtier;
  logic [LenW-1:0]   arlen, awlen;

  always_ff @(posedge clk_i) last_beat_q <= 13'((block_bytes_i >> BeatShift) - 1'b1);

  // What the directory says comes late in its cycle.
  logic rsp_valid_q, start_ok_q, start_failed_q;
  rsp_t rsp_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      rsp_valid_q    <= 1'b0;
      start_ok_q     <= 1'b0;
      start_failed_q <= 1'b0;
    end else if (clear_i) begin
      rsp_valid_q    <= 1'b0;
      start_ok_q     <= 1'b0;
      start_failed_q <= 1'b0;
    end else begin
      rsp_valid_q    <= rsp_valid_i;
      start_ok_q     <= rsp_valid_i && rsp_i.op == OpStart && rsp_i.move == MvOk;
      start_failed_q <= rsp_valid_i && rsp_i.op == OpStart && rsp_i.move != MvOk;
    end
  end

  always_ff @(posedge clk_i) rsp_q <= rsp_i;

  kvcpu_dma_ops #(
    .BLOCK_TOKENS(BLOCK_TOKENS),
    .MOVES       (MOVES)
  ) u_ops (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i),
    .init_valid_i      (init_valid_q),
    .init_move_i       (init_move),
    .init_is_move_i    (init_is_move),
    .halt_i            (halt_i),
    .enable_i          (enable_i),
    .block_bytes_i     (block_bytes_i),
    .q_valid_i         (q_valid_i),
    .q_item_i          (q_item_i),
    .q_pop_o           (q_pop_o),
    .op_valid_o        (op_valid_o),
    .op_ready_i        (op_ready_i),
    .op_o              (op_o),
    .rsp_valid_i       (rsp_valid_q),
    .rsp_i             (rsp_q),
    .rsp_start_ok_i    (start_ok_q),
    .rsp_start_failed_i(start_failed_q),
    .begin_valid_o     (begin_valid),
    .begin_move_o      (begin_move),
    .taken_i           (taken),
    .done_valid_i      (done_valid),
    .done_move_i       (done_move),
    .done_error_i      (done_error),
    .done_write_i      (done_write),
    .compl_valid_o     (compl_valid_o),
    .compl_o           (compl_o),
    .err_valid_o       (err_valid_o),
    .err_kv_addr_o     (err_kv_addr_o),
    .err_channel_o     (err_channel_o),
    .err_write_o       (err_write_o),
    .bytes_moved_o     (bytes_moved_o),
    .errors_o          (errors_o),
    .voids_o           (voids_o),
    .active_o          (active_o)
  );

  kvcpu_dma_track #(
    .MOVES (MOVES),
    .BURSTS(BURSTS),
    .CntW  (CntW)
  ) u_track (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clear_i      (clear_i),
    .init_valid_i (init_is_move),
    .init_move_i  (init_move),
    .burst_valid_i(burst_valid),
    .burst_id_i   (burst_id),
    .burst_move_i (burst_move),
    .bvalid_i     (m_axi_bvalid_i),
    .bid_i        (m_axi_bid_i),
    .berror_i     (m_axi_bresp_i[1]),
    .drop_valid_i (drop_valid),
    .drop_ready_o (drop_ready),
    .drop_burst_i (drop_burst),
    .drop_move_i  (drop_move),
    .drop_error_i (drop_error),
    .fin_valid_i  (fin_valid),
    .fin_ready_o  (fin_ready),
    .fin_move_i   (fin_move),
    .fin_neg_i    (fin_neg),
    .begin_valid_i(begin_valid),
    .begin_move_i (begin_move),
    .abort_i      (abort_i),
    .stop_o       (stop),
    .free_valid_o (free_valid),
    .free_burst_o (free_burst),
    .done_valid_o (done_valid),
    .done_move_o  (done_move),
    .done_error_o (done_error),
    .done_write_o (done_write)
  );

  // ---------------------------------------------------------------- reads
  kvcpu_dma_issue #(
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
    .MOVES         (MOVES),
    .BURSTS        (BURSTS),
    .BURST_BEATS   (BURST_BEATS),
    .CntW          (CntW)
  ) u_issue (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .clear_i         (clear_i),
    .halt_i          (halt_i),
    .last_beat_i     (last_beat_q),
    .start_valid_i   (start_ok_q),
    .start_move_i    (rsp_q.move_id[MoveW-1:0]),
    .start_src_i     (rsp_q.phys_addr),
    .start_src_tier_i(rsp_q.tier),
    .start_dst_i     (rsp_q.dst_phys),
    .start_dst_tier_i(rsp_q.dst_tier),
    .taken_o         (taken),
    .stop_i          (stop),
    .free_valid_i    (init_is_burst || free_valid),
    .free_burst_i    (init_is_burst ? init_burst : free_burst),
    .burst_valid_o   (burst_valid),
    .burst_id_o      (burst_id),
    .burst_move_o    (burst_move),
    .burst_dst_o     (burst_dst),
    .burst_dst_tier_o(burst_dst_tier),
    .burst_len_o     (burst_len),
    .fin_valid_o     (fin_valid),
    .fin_ready_i     (fin_ready),
    .fin_move_o      (fin_move),
    .fin_neg_o       (fin_neg),
    .arvalid_o       (m_axi_arvalid_o),
    .arready_i       (m_axi_arready_i),
    .arid_o          (m_axi_arid_o),
    .araddr_o        (m_axi_araddr_o),
    .arlen_o         (arlen),
    .artier_o        (artier)
  );

  logic                      buf_we, buf_re;
  logic [BurstW+LenW-1:0]    buf_waddr, buf_raddr;
  logic [AXI_DATA_WIDTH-1:0] buf_wdata, buf_rdata;

  kvcpu_dma_read #(
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
    .BURSTS        (BURSTS),
    .BURST_BEATS   (BURST_BEATS)
  ) u_read (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .clear_i      (clear_i),
    .init_valid_i (init_is_burst),
    .init_burst_i (init_burst),
    .rvalid_i     (m_axi_rvalid_i),
    .rid_i        (m_axi_rid_i),
    .rdata_i      (m_axi_rdata_i),
    .rerror_i     (m_axi_rresp_i[1]),
    .rlast_i      (m_axi_rlast_i),
    .buf_we_o     (buf_we),
    .buf_addr_o   (buf_waddr),
    .buf_data_o   (buf_wdata),
    .chunk_valid_o(chunk_valid),
    .chunk_burst_o(chunk_burst),
    .chunk_error_o(chunk_error)
  );

  kvcpu_ram_1r1w #(
    .Width(AXI_DATA_WIDTH),
    .Depth(BURSTS * BURST_BEATS),
    .Apart(1'b1)
  ) u_buffer (
    .clk_i  (clk_i),
    .we_i   (buf_we),
    .waddr_i(buf_waddr),
    .wdata_i(buf_wdata),
    .re_i   (buf_re),
    .raddr_i(buf_raddr),
    .rdata_o(buf_rdata)
  );

  // ---------------------------------------------------------------- writes
  kvcpu_dma_write #(
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH),
    .MOVES         (MOVES),
    .BURSTS        (BURSTS),
    .BURST_BEATS   (BURST_BEATS)
  ) u_write (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .clear_i         (clear_i),
    .halt_i          (halt_i),
    .burst_valid_i   (burst_valid),
    .burst_id_i      (burst_id),
    .burst_move_i    (burst_move),
    .burst_dst_i     (burst_dst),
    .burst_dst_tier_i(burst_dst_tier),
    .burst_len_i     (burst_len),
    .chunk_valid_i   (chunk_valid),
    .chunk_burst_i   (chunk_burst),
    .chunk_error_i   (chunk_error),
    .stop_i          (stop),
    .buf_re_o        (buf_re),
    .buf_addr_o      (buf_raddr),
    .buf_data_i      (buf_rdata),
    .begun_o         (begun),
    .drop_valid_o    (drop_valid),
    .drop_ready_i    (drop_ready),
    .drop_burst_o    (drop_burst),
    .drop_move_o     (drop_move),
    .drop_error_o    (drop_error),
    .awvalid_o       (m_axi_awvalid_o),
    .awready_i       (m_axi_awready_i),
    .awid_o          (m_axi_awid_o),
    .awaddr_o        (m_axi_awaddr_o),
    .awlen_o         (awlen),
    .awtier_o        (awtier),
    .wvalid_o        (m_axi_wvalid_o),
    .wready_i        (m_axi_wready_i),
    .wdata_o         (m_axi_wdata_o),
    .wlast_o         (m_axi_wlast_o)
  );

  // ---------------------------------------------------------------- outstanding transactions
  logic [BurstW:0] reads_q, writes_q;
  logic            read_begun_q, read_ended_q, write_begun_q, write_ended_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reads_q       <= '0;
      writes_q      <= '0;
      read_begun_q  <= 1'b0;
      read_ended_q  <= 1'b0;
      write_begun_q <= 1'b0;
      write_ended_q <= 1'b0;
    end else if (clear_i) begin
      reads_q       <= '0;
      writes_q      <= '0;
      read_begun_q  <= 1'b0;
      read_ended_q  <= 1'b0;
      write_begun_q <= 1'b0;
      write_ended_q <= 1'b0;
    end else begin
      reads_q       <= reads_q + (BurstW + 1)'(read_begun_q) - (BurstW + 1)'(read_ended_q);
      writes_q      <= writes_q + (BurstW + 1)'(write_begun_q) - (BurstW + 1)'(write_ended_q);
      read_begun_q  <= burst_valid;
      read_ended_q  <= m_axi_rvalid_i && m_axi_rlast_i;
      write_begun_q <= begun;
      write_ended_q <= m_axi_bvalid_i;
    end
  end

  assign idle_o = reads_q == '0 && writes_q == '0 && !read_begun_q && !write_begun_q;

  // ---------------------------------------------------------------- what never changes on AXI
  assign m_axi_arlen_o   = 8'(arlen);
  assign m_axi_arsize_o  = 3'(BeatShift);
  assign m_axi_arburst_o = Incr;
  assign m_axi_arlock_o  = 1'b0;
  assign m_axi_arcache_o = NormalMemory;
  assign m_axi_arprot_o  = 3'b000;
  assign m_axi_arqos_o   = 4'b0000;
  assign m_axi_aruser_o  = artier;
  assign m_axi_rready_o  = 1'b1;
  assign m_axi_awlen_o   = 8'(awlen);
  assign m_axi_awsize_o  = 3'(BeatShift);
  assign m_axi_awburst_o = Incr;
  assign m_axi_awlock_o  = 1'b0;
  assign m_axi_awcache_o = NormalMemory;
  assign m_axi_awprot_o  = 3'b000;
  assign m_axi_awqos_o   = 4'b0000;
  assign m_axi_awuser_o  = awtier;
  assign m_axi_wstrb_o   = '1;
  assign m_axi_bready_o  = 1'b1;

endmodule
