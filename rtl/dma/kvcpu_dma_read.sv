// Takes read data. Every burst has its place in the data buffer, so data is never refused and the
// bursts' beats may come interleaved in any way. A burst whose last beat has come is a chunk:
// complete, or bad when any of its beats carried SLVERR or DECERR.

`include "kvcpu_assert.svh"

module kvcpu_dma_read #(
  /// Data width of the memory port in bits: 64, 128, 256, 512 (contract 1).
  parameter int unsigned AXI_DATA_WIDTH = 512,
  /// Bursts at the same time, power of two, 2 to 256.
  parameter int unsigned BURSTS = 64,
  /// Beats of a full burst, power of two.
  parameter int unsigned BURST_BEATS = 16,
  localparam int unsigned BurstW = $clog2(BURSTS),
  localparam int unsigned LenW = $clog2(BURST_BEATS)
) (
  /// Clock.
  input  logic                      clk_i,
  /// Reset, active low, released synchronously.
  input  logic                      rst_ni,
  /// Synchronous clear.
  input  logic                      clear_i,
  /// After a reset: `init_burst_i` is made ready in this cycle.
  input  logic                      init_valid_i,
  /// Burst id to make ready.
  input  logic [BurstW-1:0]         init_burst_i,

  /// AXI R: valid. The DMA is always ready.
  input  logic                      rvalid_i,
  /// AXI R: burst id.
  input  logic [BurstW-1:0]         rid_i,
  /// AXI R: data.
  input  logic [AXI_DATA_WIDTH-1:0] rdata_i,
  /// AXI R: SLVERR or DECERR.
  input  logic                      rerror_i,
  /// AXI R: last beat of its burst.
  input  logic                      rlast_i,

  /// Buffer write enable.
  output logic                      buf_we_o,
  /// Buffer address: burst id and beat.
  output logic [BurstW+LenW-1:0]    buf_addr_o,
  /// Data for the buffer.
  output logic [AXI_DATA_WIDTH-1:0] buf_data_o,

  /// A chunk is in the buffer; it may be read from the next cycle on.
  output logic                      chunk_valid_o,
  /// Its burst id.
  output logic [BurstW-1:0]         chunk_burst_o,
  /// One of its beats carried an error.
  output logic                      chunk_error_o
);

  // Per burst: the next beat's number, and whether an error came so far.
  typedef struct packed {
    logic            error;
    logic [LenW-1:0] beat;
  } progress_t;

  logic                      r_valid_q, r_error_q, r_last_q;
  logic [BurstW-1:0]         r_id_q;
  logic [AXI_DATA_WIDTH-1:0] r_data_q;
  progress_t                 old, next;

  kvcpu_lutram #(
    .Width($bits(progress_t)),
    .Depth(BURSTS)
  ) u_progress (
    .clk_i  (clk_i),
    .we_i   (r_valid_q || init_valid_i),
    .waddr_i(init_valid_i ? init_burst_i : r_id_q),
    .wdata_i(init_valid_i ? '0 : next),
    .raddr_i(r_id_q),
    .rdata_o(old)
  );

  always_comb begin
    next.error = old.error || r_error_q;
    next.beat  = old.beat + 1'b1;
    if (r_last_q) next = '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      r_valid_q     <= 1'b0;
      buf_we_o      <= 1'b0;
      chunk_valid_o <= 1'b0;
    end else if (clear_i) begin
      r_valid_q     <= 1'b0;
      buf_we_o      <= 1'b0;
      chunk_valid_o <= 1'b0;
    end else begin
      r_valid_q     <= rvalid_i;
      buf_we_o      <= r_valid_q;
      chunk_valid_o <= r_valid_q && r_last_q;
    end
  end

  always_ff @(posedge clk_i) begin
    r_id_q        <= rid_i;
    r_data_q      <= rdata_i;
    r_error_q     <= rerror_i;
    r_last_q      <= rlast_i;
    buf_addr_o    <= {r_id_q, old.beat};
    buf_data_o    <= r_data_q;
    chunk_burst_o <= r_id_q;
    chunk_error_o <= old.error || r_error_q;
  end


  `KVCPU_ASSERT(burst_ends_in_time, r_valid_q && old.beat == LenW'(BURST_BEATS - 1) |-> r_last_q,
                "a read burst has at most BURST_BEATS beats")

endmodule
