// Events of the interrupts, and what the first error of a kind was: its address, channel and side (DMA), its entry
// (parity). It is kept until software releases it; an event in the cycle of the release is the new first one.

module kvcpu_csr_errors (
  /// Clock.
  input  logic                         clk_i,
  /// Reset, active low.
  input  logic                         rst_ni,
  /// Soft reset.
  input  logic                         clear_i,
  /// Interrupt events (pulses), in the order of IRQ_STATUS: 0 scan done, 1 command done,
  /// 2 completion, 3 miss, 4 DMA_ERR, 5 overflow, 6 pressure began, 7 parity.
  input  logic [7:0]                   irq_event_i,
  /// The KV address, channel and side (1 write) of an AXI error, with irq_event_i[4].
  input  kvcpu_pkg::kv_addr_t          err_kv_addr_i,
  /// Channel of the error: ChEvict or ChPrefetch.
  input  logic                         err_channel_i,
  /// Side of the error: 1 write (target), 0 read (source).
  input  logic                         err_write_i,
  /// Index of an entry read with bad parity, with irq_event_i[7].
  input  logic [kvcpu_pkg::IndexW-1:0] parity_index_i,
  /// DMA_ERROR_INFO holds an error.
  input  logic                         dma_error_valid_i,
  /// Software releases it.
  input  logic                         dma_error_release_i,
  /// PARITY_INFO holds an error.
  input  logic                         parity_valid_i,
  /// Software releases it.
  input  logic                         parity_release_i,
  /// The events, a cycle later.
  output logic [7:0]                   irq_event_o,
  /// First DMA error: KV address.
  output kvcpu_pkg::kv_addr_t          dma_error_addr_o,
  /// First DMA error: channel.
  output logic                         dma_error_channel_o,
  /// First DMA error: side, 1 write.
  output logic                         dma_error_write_o,
  /// First parity error: index of the entry.
  output logic [kvcpu_pkg::IndexW-1:0] parity_index_o
);
  import kvcpu_pkg::*;

  kv_addr_t           err_kv_addr_q;
  logic               err_channel_q;
  logic               err_write_q;
  logic [IndexW-1:0]  parity_now_q;
  logic [7:0]         irq_event_q;

  // Events count in the cycle after theirs.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      irq_event_q <= '0;
    end else begin
      irq_event_q <= clear_i ? '0 : irq_event_i;
    end
  end

  always_ff @(posedge clk_i) begin
    err_kv_addr_q <= err_kv_addr_i;
    err_channel_q <= err_channel_i;
    err_write_q   <= err_write_i;
    parity_now_q  <= parity_index_i;
  end

  assign irq_event_o = clear_i ? '0 : irq_event_q;

  // An event in the cycle of the latch's release is the new first one.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dma_error_addr_o    <= '0;
      dma_error_channel_o <= 1'b0;
      dma_error_write_o   <= 1'b0;
      parity_index_o      <= '0;
    end else if (clear_i) begin
      dma_error_addr_o    <= '0;
      dma_error_channel_o <= 1'b0;
      dma_error_write_o   <= 1'b0;
      parity_index_o      <= '0;
    end else begin
      if (irq_event_o[4] &&
          (!dma_error_valid_i || dma_error_release_i)) begin
        dma_error_addr_o    <= err_kv_addr_q;
        dma_error_channel_o <= err_channel_q;
        dma_error_write_o   <= err_write_q;
      end
      if (irq_event_o[7] && (!parity_valid_i || parity_release_i)) begin
        parity_index_o <= parity_now_q;
      end
    end
  end

endmodule
