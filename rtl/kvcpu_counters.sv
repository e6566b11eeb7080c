// Every counter that device.md names: 64 bits, cleared by resets only. The DMA keeps its own.

module kvcpu_counters
  import kvcpu_pkg::*;
(
  /// Clock.
  input  logic            clk_i,
  /// Reset, active low.
  input  logic            rst_ni,
  /// Soft reset.
  input  logic            clear_i,
  /// A lookup hit.
  input  logic            hit_i,
  /// A lookup missed.
  input  logic            miss_i,
  /// A lookup was denied.
  input  logic            denied_i,
  /// The miss queue was full.
  input  logic            miss_dropped_i,
  /// The completion queue was full.
  input  logic            completion_dropped_i,
  /// Items for the evict queue dropped in this cycle.
  input  logic [4:0]      evict_dropped_i,
  /// Items for the prefetch queue dropped in this cycle.
  input  logic [4:0]      prefetch_dropped_i,
  /// A waiting step gave way to a newer one.
  input  logic            scan_coalesced_i,
  /// A scan is done.
  input  logic            scan_done_i,
  /// A range command met a block that is not in the directory.
  input  logic            hint_miss_i,
  /// SHARE at REF_COUNT 255.
  input  logic            ref_saturated_i,
  /// RELEASE at REF_COUNT 0.
  input  logic            ref_underflow_i,
  /// A launch was refused because the command queue was full.
  input  logic            cmd_refused_i,
  /// Entries read with bad parity in this cycle.
  input  logic [5:0]      parity_i,
  /// Per channel: bytes moved (kvcpu_dma counts).
  input  logic [1:0][63:0] bytes_moved_i,
  /// Per channel: tries ended by an AXI error (kvcpu_dma counts).
  input  logic [1:0][63:0] errors_i,
  /// Per channel: items that ended VOID (kvcpu_dma counts).
  input  logic [1:0][63:0] voids_i,
  /// The counters.
  output counters_t       counters_o
);

  counters_t count_q, count_d;

  always_comb begin
    count_d = count_q;
    // Kept where they are counted.
    count_d.bytes_moved = '0;
    count_d.errors = '0;
    count_d.voids = '0;
    count_d.hit = count_q.hit + 64'(hit_i);
    count_d.miss = count_q.miss + 64'(miss_i);
    count_d.denied = count_q.denied + 64'(denied_i);
    count_d.miss_dropped = count_q.miss_dropped + 64'(miss_dropped_i);
    count_d.completion_dropped = count_q.completion_dropped + 64'(completion_dropped_i);
    count_d.evict_dropped = count_q.evict_dropped + 64'(evict_dropped_i);
    count_d.prefetch_dropped = count_q.prefetch_dropped + 64'(prefetch_dropped_i);
    count_d.scan_coalesced = count_q.scan_coalesced + 64'(scan_coalesced_i);
    count_d.scan_done = count_q.scan_done + 64'(scan_done_i);
    count_d.hint_miss = count_q.hint_miss + 64'(hint_miss_i);
    count_d.ref_saturated = count_q.ref_saturated + 64'(ref_saturated_i);
    count_d.ref_underflow = count_q.ref_underflow + 64'(ref_underflow_i);
    count_d.cmd_refused = count_q.cmd_refused + 64'(cmd_refused_i);
    count_d.parity = count_q.parity + 64'(parity_i);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_q <= '0;
    else if (clear_i) count_q <= '0;
    else count_q <= count_d;
  end
  always_comb begin
    counters_o = count_q;
    counters_o.bytes_moved = bytes_moved_i;
    counters_o.errors = errors_i;
    counters_o.voids = voids_i;
  end

endmodule
