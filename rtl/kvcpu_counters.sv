// Every counter that device.md names: 64 bits, cleared by resets only. The DMA keeps its own. An event
// is counted in the cycle after it.

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

  typedef struct packed {
    logic       hit, miss, denied;
    logic       miss_dropped, completion_dropped;
    logic [4:0] evict_dropped, prefetch_dropped;
    logic       scan_coalesced, scan_done;
    logic       hint_miss, ref_saturated, ref_underflow, cmd_refused;
    logic [5:0] parity;
  } events_t;

  counters_t count_q, count_d;
  events_t   event_q;

  always_comb begin
    count_d = count_q;
    // Kept where they are counted.
    count_d.bytes_moved = '0;
    count_d.errors = '0;
    count_d.voids = '0;
    count_d.hit = count_q.hit + 64'(event_q.hit);
    count_d.miss = count_q.miss + 64'(event_q.miss);
    count_d.denied = count_q.denied + 64'(event_q.denied);
    count_d.miss_dropped = count_q.miss_dropped + 64'(event_q.miss_dropped);
    count_d.completion_dropped = count_q.completion_dropped + 64'(event_q.completion_dropped);
    count_d.evict_dropped = count_q.evict_dropped + 64'(event_q.evict_dropped);
    count_d.prefetch_dropped = count_q.prefetch_dropped + 64'(event_q.prefetch_dropped);
    count_d.scan_coalesced = count_q.scan_coalesced + 64'(event_q.scan_coalesced);
    count_d.scan_done = count_q.scan_done + 64'(event_q.scan_done);
    count_d.hint_miss = count_q.hint_miss + 64'(event_q.hint_miss);
    count_d.ref_saturated = count_q.ref_saturated + 64'(event_q.ref_saturated);
    count_d.ref_underflow = count_q.ref_underflow + 64'(event_q.ref_underflow);
    count_d.cmd_refused = count_q.cmd_refused + 64'(event_q.cmd_refused);
    count_d.parity = count_q.parity + 64'(event_q.parity);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '0;
      event_q <= '0;
    end else if (clear_i) begin
      count_q <= '0;
      event_q <= '0;
    end else begin
      count_q <= count_d;
      event_q <= '{
        hit:                hit_i,
        miss:               miss_i,
        denied:             denied_i,
        miss_dropped:       miss_dropped_i,
        completion_dropped: completion_dropped_i,
        evict_dropped:      evict_dropped_i,
        prefetch_dropped:   prefetch_dropped_i,
        scan_coalesced:     scan_coalesced_i,
        scan_done:          scan_done_i,
        hint_miss:          hint_miss_i,
        ref_saturated:      ref_saturated_i,
        ref_underflow:      ref_underflow_i,
        cmd_refused:        cmd_refused_i,
        parity:             parity_i
      };
    end
  end

  always_comb begin
    counters_o = count_q;
    counters_o.bytes_moved = bytes_moved_i;
    counters_o.errors = errors_i;
    counters_o.voids = voids_i;
  end

endmodule
