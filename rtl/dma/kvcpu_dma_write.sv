// Writes chunks to their target slots, in the order in which they were complete. A chunk that is
// bad, or whose move has stopped, is dropped instead.
//
// AW and W of a burst are queued together and neither waits for the other's ready (AXI forbids it);
// AW is valid no later than the burst's first beat.

`include "kvcpu_assert.svh"

module kvcpu_dma_write
  import kvcpu_pkg::tier_e;
#(
  /// Data width of the memory port in bits: 64, 128, 256, 512 (contract 1).
  parameter int unsigned AXI_DATA_WIDTH = 512,
  /// Moves at the same time, power of two, 16 to 64.
  parameter int unsigned MOVES = 64,
  /// Bursts at the same time, power of two, 2 to 256.
  parameter int unsigned BURSTS = 64,
  /// Beats of a full burst, power of two.
  parameter int unsigned BURST_BEATS = 16,
  localparam int unsigned MoveW = $clog2(MOVES),
  localparam int unsigned BurstW = $clog2(BURSTS),
  localparam int unsigned LenW = $clog2(BURST_BEATS)
) (
  /// Clock.
  input  logic                      clk_i,
  /// Reset, active low, released synchronously.
  input  logic                      rst_ni,
  /// Synchronous clear.
  input  logic                      clear_i,
  /// Begin no new burst.
  input  logic                      halt_i,

  /// A read burst begins: what will be written of it.
  input  logic                      burst_valid_i,
  /// Its burst id.
  input  logic [BurstW-1:0]         burst_id_i,
  /// Its move.
  input  logic [MoveW-1:0]          burst_move_i,
  /// Where its data goes.
  input  logic [63:0]               burst_dst_i,
  /// Tier where its data goes.
  input  tier_e                     burst_dst_tier_i,
  /// Beats less one.
  input  logic [LenW-1:0]           burst_len_i,

  /// A chunk is in the buffer.
  input  logic                      chunk_valid_i,
  /// Its burst id.
  input  logic [BurstW-1:0]         chunk_burst_i,
  /// One of its beats carried an error.
  input  logic                      chunk_error_i,
  /// Moves whose chunks are dropped.
  input  logic [MOVES-1:0]          stop_i,

  /// Buffer read enable.
  output logic                      buf_re_o,
  /// Buffer address: burst id and beat.
  output logic [BurstW+LenW-1:0]    buf_addr_o,
  /// Word read, one cycle later.
  input  logic [AXI_DATA_WIDTH-1:0] buf_data_i,

  /// A write burst begins.
  output logic                      begun_o,
  /// A chunk is dropped: its burst has ended.
  output logic                      drop_valid_o,
  /// The event is taken.
  input  logic                      drop_ready_i,
  /// Burst id of the dropped chunk.
  output logic [BurstW-1:0]         drop_burst_o,
  /// Move of the dropped chunk.
  output logic [MoveW-1:0]          drop_move_o,
  /// It was dropped for a read error.
  output logic                      drop_error_o,

  /// AXI AW: valid.
  output logic                      awvalid_o,
  /// AXI AW: ready.
  input  logic                      awready_i,
  /// AXI AW: burst id.
  output logic [BurstW-1:0]         awid_o,
  /// AXI AW: address.
  output logic [63:0]               awaddr_o,
  /// AXI AW: beats less one.
  output logic [LenW-1:0]           awlen_o,
  /// AXI AW: tier.
  output tier_e                     awtier_o,
  /// AXI W: valid.
  output logic                      wvalid_o,
  /// AXI W: ready.
  input  logic                      wready_i,
  /// AXI W: data.
  output logic [AXI_DATA_WIDTH-1:0] wdata_o,
  /// AXI W: last beat of its burst.
  output logic                      wlast_o
);

  typedef struct packed {
    logic [MoveW-1:0] move;
    logic [63:0]      dst;
    tier_e            tier;
    logic [LenW-1:0]  len;
  } target_t;

  typedef struct packed {
    logic              error;
    logic [BurstW-1:0] burst;
  } chunk_t;

  typedef struct packed {
    logic [BurstW-1:0] id;
    logic [63:0]       addr;
    tier_e             tier;
    logic [LenW-1:0]   len;
  } aw_t;

  typedef struct packed {
    logic [BurstW-1:0] burst;
    logic [LenW-1:0]   len;
  } beats_t;

  localparam int unsigned OutDepth = 4;  // bursts whose AW or W waits

  // ---------------------------------------------------------------- next chunk and its target
  // Three stages: its target is read, its move's stop is looked at, it goes out or is dropped. A stage
  // takes a chunk only while it is empty; a chunk has several beats.
  target_t target_in, target, look_target_q, out_target_q;
  chunk_t  chunk_in, chunk, read_q, look_q, out_q;
  logic    chunk_valid, fetch, read_valid_q, look_valid_q, out_valid_q, out_empty_q, out_bad_q;
  logic    look_go, out_go, out_done;
  logic    aw_full, w_full;

  assign target_in = '{
      move: burst_move_i,
      dst: burst_dst_i,
      tier: burst_dst_tier_i,
      len: burst_len_i
  };
  assign chunk_in = '{error: chunk_error_i, burst: chunk_burst_i};

  kvcpu_fifo #(
    .Width($bits(chunk_t)),
    .Depth(BURSTS)
  ) u_chunks (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (chunk_valid_i),
    .data_i (chunk_in),
    .full_o (),
    .valid_o(chunk_valid),
    .data_o (chunk),
    .pop_i  (fetch),
    .level_o()
  );

  kvcpu_ram_1r1w #(
    .Width($bits(target_t)),
    .Depth(BURSTS),
    .Apart(1'b1)
  ) u_targets (
    .clk_i  (clk_i),
    .we_i   (burst_valid_i),
    .waddr_i(burst_id_i),
    .wdata_i(target_in),
    .re_i   (fetch),
    .raddr_i(chunk.burst),
    .rdata_o(target)
  );

  assign begun_o      = out_valid_q && !out_bad_q && !aw_full && !w_full && !halt_i;
  assign drop_valid_o = out_valid_q && out_bad_q;
  assign drop_burst_o = out_q.burst;
  assign drop_move_o  = out_target_q.move;
  assign drop_error_o = out_q.error;
  assign out_done     = begun_o || (drop_valid_o && drop_ready_i);
  assign out_go       = look_valid_q && !out_valid_q;
  assign look_go      = read_valid_q && !look_valid_q;
  assign fetch        = chunk_valid && !read_valid_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_valid_q <= 1'b0;
      look_valid_q <= 1'b0;
      out_valid_q  <= 1'b0;
      out_empty_q  <= 1'b1;
    end else if (clear_i) begin
      read_valid_q <= 1'b0;
      look_valid_q <= 1'b0;
      out_valid_q  <= 1'b0;
      out_empty_q  <= 1'b1;
    end else begin
      read_valid_q <= fetch || (read_valid_q && !look_go);
      look_valid_q <= look_go || (look_valid_q && !out_go);
      out_valid_q  <= out_go || (out_valid_q && !out_done);
      out_empty_q  <= !out_go && (out_empty_q || out_done);
    end
  end

  always_ff @(posedge clk_i) begin
    if (!read_valid_q) read_q <= chunk;
    if (!look_valid_q) begin
      look_q        <= read_q;
      look_target_q <= target;
    end
    if (out_empty_q) begin
      out_q        <= look_q;
      out_target_q <= look_target_q;
      out_bad_q    <= look_q.error || stop_i[look_target_q.move];
    end
  end

  // ---------------------------------------------------------------- AW
  aw_t aw_in, aw;

  assign aw_in = '{
      id: out_q.burst,
      addr: out_target_q.dst,
      tier: out_target_q.tier,
      len: out_target_q.len
  };

  kvcpu_fifo #(
    .Width($bits(aw_t)),
    .Depth(OutDepth)
  ) u_aw (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (begun_o),
    .data_i (aw_in),
    .full_o (aw_full),
    .valid_o(awvalid_o),
    .data_o (aw),
    .pop_i  (awready_i),
    .level_o()
  );

  assign awid_o   = aw.id;
  assign awaddr_o = aw.addr;
  assign awlen_o  = aw.len;
  assign awtier_o = aw.tier;

  // ---------------------------------------------------------------- W: address, buffer, output
  beats_t            w_in, w;
  logic              w_valid, w_next, advance;
  logic              burst_valid_q, last_q, buf_valid_q, buf_last_q;
  logic              want_q;  // no burst, or the last beat of one: the next burst follows
  logic [BurstW-1:0] burst_q;
  logic [LenW-1:0]   beat_q, left_q;

  assign w_in = '{burst: out_q.burst, len: out_target_q.len};

  kvcpu_fifo #(
    .Width($bits(beats_t)),
    .Depth(OutDepth)
  ) u_w (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (begun_o),
    .data_i (w_in),
    .full_o (w_full),
    .valid_o(w_valid),
    .data_o (w),
    .pop_i  (w_next),
    .level_o()
  );

  assign advance    = !wvalid_o || wready_i;
  assign w_next     = advance && want_q;
  assign buf_re_o   = advance;
  assign buf_addr_o = {burst_q, beat_q};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      burst_valid_q <= 1'b0;
      want_q        <= 1'b1;
      buf_valid_q   <= 1'b0;
      wvalid_o      <= 1'b0;
    end else if (clear_i) begin
      burst_valid_q <= 1'b0;
      want_q        <= 1'b1;
      buf_valid_q   <= 1'b0;
      wvalid_o      <= 1'b0;
    end else if (advance) begin
      if (want_q) burst_valid_q <= w_valid;
      want_q      <= want_q ? !w_valid || w.len == '0 : left_q == LenW'(1);
      buf_valid_q <= burst_valid_q;
      wvalid_o    <= buf_valid_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (advance) begin
      if (want_q) burst_q <= w.burst;
      beat_q     <= want_q ? '0 : beat_q + 1'b1;
      left_q     <= want_q ? w.len : left_q - 1'b1;
      last_q     <= want_q ? w.len == '0 : left_q == LenW'(1);
      buf_last_q <= last_q;
      wdata_o    <= buf_data_i;
      wlast_o    <= buf_last_q;
    end
  end


  // ---------------------------------------------------------------- AXI write channels (device.md 6, 10)
  `KVCPU_ASSERT(aw_holds, awvalid_o && !awready_i && !clear_i |=>
                awvalid_o && $stable({awid_o, awaddr_o, awlen_o, awtier_o}),
                "a write address holds until it is accepted")
  `KVCPU_ASSERT(aw_inside_page,
                awvalid_o |-> 32'(awaddr_o[11:0]) + (32'(awlen_o) + 1) * (AXI_DATA_WIDTH / 8) <= 4096,
                "no write burst crosses a 4 KiB boundary")
  `KVCPU_ASSERT(w_holds, wvalid_o && !wready_i && !clear_i |=> wvalid_o && $stable({wdata_o, wlast_o}),
                "write data hold until they are accepted")

endmodule
