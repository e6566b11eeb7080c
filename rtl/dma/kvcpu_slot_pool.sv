// Free and held slots of one tier (contract 5).
//
// A counter of slots that were never handed out ("fresh") and a ring of slots that came back; so a
// reset needs no preload. The ring is a deque: slots that are free at once come in at its front,
// slots that a migration left (held) at its back, so that all free ones stand before all held ones
// and the fence is one addition. A slot is taken from the ring's front; only when no slot of the
// ring is free, the next fresh one is.
//
// Order within one cycle: take (sees the state at the cycle's start), then put, then fence: a slot
// put as held in the cycle of the fence becomes free too, because a commit in the cycle of a step
// write stands before it (device's order of commit points).
//
// The deque's front, free or held, stands in `head_q` whenever the deque is not empty, but for the
// two cycles after a take in which the memory gives the next one.

module kvcpu_slot_pool
  import kvcpu_pkg::CountW, kvcpu_pkg::SlotW;
#(
  /// Directory entries, the upper bound of SLOTS: power of two, 1,024 to 65,536 (contract 1).
  parameter int unsigned ENTRIES = 65536
) (
  /// Clock.
  input  logic              clk_i,
  /// Reset, active low, released synchronously.
  input  logic              rst_ni,
  /// Synchronous clear: forgets all slots.
  input  logic              clear_i,
  /// SLOTS of this tier, 0 to ENTRIES; changes only while `unused_o`.
  input  logic [CountW-1:0] slots_i,
  /// SLOTS is written (in this cycle or the one before `slots_i` changes): start anew.
  input  logic              config_we_i,
  /// Pulse of the step write: all held slots become free.
  input  logic              fence_i,
  /// Takes `slot_o`; only while `avail_o`.
  input  logic              take_i,
  /// Puts `put_slot_i` back.
  input  logic              put_i,
  /// The slot put back is held until the fence (a migration left it).
  input  logic              put_held_i,
  /// Slot to put back, below SLOTS and handed out.
  input  logic [SlotW-1:0]  put_slot_i,
  /// `slot_o` may be taken. While a slot is free it is low only in the two cycles after a take.
  output logic              avail_o,
  /// Slot that the next take gets.
  output logic [SlotW-1:0]  slot_o,
  /// Free slots.
  output logic [CountW-1:0] free_o,
  /// Held slots.
  output logic [CountW-1:0] held_o,
  /// All SLOTS are free and none is held.
  output logic              unused_o
);

  if (ENTRIES < 1024 || ENTRIES > 65536 || (ENTRIES & (ENTRIES - 1)) != 0) begin : g_check_entries
    $error("kvcpu_slot_pool: ENTRIES must be a power of two from 1,024 to 65,536");
  end

  localparam int unsigned AddrW = $clog2(ENTRIES);

  logic [CountW-1:0] fresh_q;      // slots handed out for the first time so far
  logic              fresh_left_q; // fresh_q < slots_i
  logic [CountW-1:0] ring_free_q;  // free slots of the deque, its head included
  logic              ring_some_q;  // ring_free_q != 0
  logic [CountW-1:0] held_q;
  logic [CountW-1:0] free_q;
  logic [CountW-1:0] out_q;        // slots handed out and not put back
  logic              unused_q;     // out_q == 0 and held_q == 0

  logic              head_valid_q;
  logic [AddrW-1:0]  head_q;
  logic [AddrW-1:0]  front_q, back_q;  // the deque behind its head: mem[front_q] .. mem[back_q - 1]
  logic              behind_q;         // ... is not empty
  logic              fetch_q, fetched_q;

  logic              take_ring, take_fresh, put_free, put_held;
  logic              head_gone, to_head, to_front, to_back, fetch_end;
  logic              mem_we;
  logic [AddrW-1:0]  mem_waddr, mem_wdata, mem_rdata, put_slot;

  assign put_slot   = put_slot_i[AddrW-1:0];
  assign take_ring  = take_i && ring_some_q;
  assign take_fresh = take_i && !ring_some_q;
  assign put_free   = put_i && !put_held_i;
  assign put_held   = put_i && put_held_i;

  // What happens to the deque's head.
  assign head_gone = !head_valid_q || take_ring;
  assign to_front  = put_free && !head_gone;              // the old head goes behind the new one
  assign to_head   = put_free || (put_held && head_gone && !behind_q);
  assign to_back   = put_held && !to_head;
  assign fetch_end = fetched_q && !head_valid_q;

  assign mem_we    = to_front || to_back;
  assign mem_waddr = to_front ? front_q - 1'b1 : back_q;
  assign mem_wdata = to_front ? head_q : put_slot;

  kvcpu_ram_1r1w #(
    .Width(AddrW),
    .Depth(ENTRIES)
  ) u_ring (
    .clk_i  (clk_i),
    .we_i   (mem_we),
    .waddr_i(mem_waddr),
    .wdata_i(mem_wdata),
    .re_i   (fetch_q),
    .raddr_i(front_q),
    .rdata_o(mem_rdata)
  );

  always_ff @(posedge clk_i) begin
    if (to_head) head_q <= put_slot;
    else if (fetch_end) head_q <= mem_rdata;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_valid_q <= 1'b0;
      front_q      <= '0;
      back_q       <= '0;
      behind_q     <= 1'b0;
      fetch_q      <= 1'b0;
      fetched_q    <= 1'b0;
    end else if (clear_i || config_we_i) begin
      head_valid_q <= 1'b0;
      front_q      <= '0;
      back_q       <= '0;
      behind_q     <= 1'b0;
      fetch_q      <= 1'b0;
      fetched_q    <= 1'b0;
    end else begin
      head_valid_q <= to_head || !head_gone || fetch_end;
      fetch_q      <= take_ring && behind_q && !to_head;
      fetched_q    <= fetch_q && !to_head;
      if (to_front) begin
        front_q  <= front_q - 1'b1;
        behind_q <= 1'b1;
      end else if (to_back) begin
        back_q   <= back_q + 1'b1;
        behind_q <= 1'b1;
      end
      if (fetch_end && !to_head) begin
        front_q <= front_q + 1'b1;
        if (!to_back) behind_q <= front_q + 1'b1 != back_q;
      end
    end
  end

  // ---------------------------------------------------------------- counts
  logic [CountW-1:0] fresh_d, ring_free_d, held_d, free_d, out_d, released;

  assign released    = fence_i ? held_q + CountW'(put_held) : '0;
  assign fresh_d     = fresh_q + CountW'(take_fresh);
  assign ring_free_d = ring_free_q + released + CountW'(put_free) - CountW'(take_ring);
  assign held_d      = fence_i ? '0 : held_q + CountW'(put_held);
  assign out_d       = out_q + CountW'(take_i) - CountW'(put_i);
  assign free_d      = free_q + released + CountW'(put_free) - CountW'(take_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      fresh_q      <= '0;
      fresh_left_q <= 1'b0;
      ring_free_q  <= '0;
      ring_some_q  <= 1'b0;
      held_q       <= '0;
      free_q       <= '0;
      out_q        <= '0;
      unused_q     <= 1'b1;
    end else if (clear_i || config_we_i) begin
      fresh_q      <= '0;
      fresh_left_q <= 1'b0;
      ring_free_q  <= '0;
      ring_some_q  <= 1'b0;
      held_q       <= '0;
      free_q       <= '0;
      out_q        <= '0;
      unused_q     <= 1'b1;
    end else begin
      fresh_q      <= fresh_d;
      fresh_left_q <= fresh_d < slots_i;
      ring_free_q  <= ring_free_d;
      ring_some_q  <= ring_free_d != '0;
      held_q       <= held_d;
      out_q        <= out_d;
      unused_q     <= out_d == '0 && held_d == '0;
      // While nothing is handed out SLOTS may change: whatever it says is free.
      free_q       <= unused_q ? slots_i - CountW'(take_i) : free_d;
    end
  end

  assign avail_o  = ring_some_q ? head_valid_q : fresh_left_q;
  assign slot_o   = ring_some_q ? SlotW'(head_q) : fresh_q[SlotW-1:0];
  assign free_o   = free_q;
  assign held_o   = held_q;
  assign unused_o = unused_q;

endmodule
