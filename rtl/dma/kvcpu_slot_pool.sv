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
//
// `take_i`, `put_i` and `fence_i` come late in their cycle: each next count and each comparison with
// it is made for every case beforehand, and they only choose.

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
  /// RESERVE of this tier, as it is from the next cycle on.
  input  logic [CountW-1:0] reserve_i,
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
  /// free_o is not 0.
  output logic              some_o,
  /// free_o is above RESERVE.
  output logic              above_o,
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
  logic [CountW-1:0] ring_q;       // slots of the deque, its head included
  logic [CountW-1:0] ring_free_q;  // those of them that are free
  logic              ring_some_q;  // ring_free_q != 0
  logic [CountW-1:0] held_q;
  logic [CountW-1:0] free_q;
  logic [CountW-1:0] total_q;      // free_q + held_q: free after a fence
  logic [CountW-1:0] out_q;        // slots handed out and not put back
  logic              some_q, above_q, unused_q;
  logic              load_q;       // SLOTS has changed: all of it is free

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
  logic              more;   // a slot becomes free that was put in this cycle
  logic              up, down, up_ring, down_ring;

  assign more      = put_free || (put_held && fence_i);
  assign up        = more && !take_i;
  assign down      = take_i && !more;
  assign up_ring   = more && !take_ring;
  assign down_ring = take_ring && !more;

  function automatic logic [CountW-1:0] moved(logic [CountW-1:0] count, logic plus, logic minus);
    logic [CountW-1:0] above, below;
    above = count + 1'b1;
    below = count - 1'b1;
    return plus ? above : minus ? below : count;
  endfunction

  // Whether a count is not 0 once it has moved.
  function automatic logic some_left(logic [CountW-1:0] count, logic plus, logic minus);
    logic zero, one;
    zero = count == '0;
    one = count == CountW'(1);
    return plus || (minus ? !zero && !one : !zero);
  endfunction

  // Whether a count is above a limit once it has moved.
  function automatic logic above_limit(logic [CountW-1:0] count, logic [CountW-1:0] limit,
                                       logic plus, logic minus);
    logic [CountW:0] over;
    logic zero, one;
    over = {1'b0, count} - {1'b0, limit};
    zero = over == '0;
    one = over == (CountW + 1)'(1);
    return !over[CountW] && (plus || (minus ? !zero && !one : !zero));
  endfunction

  logic fresh_left, fresh_left_less;
  assign fresh_left      = fresh_q < slots_i;
  assign fresh_left_less = fresh_q + 1'b1 < slots_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      fresh_q      <= '0;
      fresh_left_q <= 1'b0;
      ring_q       <= '0;
      ring_free_q  <= '0;
      ring_some_q  <= 1'b0;
      held_q       <= '0;
      free_q       <= '0;
      total_q      <= '0;
      some_q       <= 1'b0;
      above_q      <= 1'b0;
      out_q        <= '0;
      unused_q     <= 1'b1;
      load_q       <= 1'b1;
    end else if (clear_i || config_we_i) begin
      fresh_q      <= '0;
      fresh_left_q <= 1'b0;
      ring_q       <= '0;
      ring_free_q  <= '0;
      ring_some_q  <= 1'b0;
      held_q       <= '0;
      free_q       <= '0;
      total_q      <= '0;
      some_q       <= 1'b0;
      above_q      <= 1'b0;
      out_q        <= '0;
      unused_q     <= 1'b1;
      load_q       <= 1'b1;
    end else begin
      load_q       <= 1'b0;
      if (take_fresh) fresh_q <= fresh_q + 1'b1;
      fresh_left_q <= take_fresh ? fresh_left_less : fresh_left;
      ring_q       <= moved(ring_q, put_i && !take_ring, take_ring && !put_i);
      ring_free_q  <= fence_i ? moved(ring_q, up_ring, down_ring)
                              : moved(ring_free_q, up_ring, down_ring);
      ring_some_q  <= fence_i ? some_left(ring_q, up_ring, down_ring)
                              : some_left(ring_free_q, up_ring, down_ring);
      if (fence_i) held_q <= '0;
      else if (put_held) held_q <= held_q + 1'b1;
      out_q        <= moved(out_q, take_i && !put_i, put_i && !take_i);
      unused_q     <= !some_left(out_q, take_i && !put_i, put_i && !take_i) &&
                      (fence_i || (held_q == '0 && !put_held));
      if (load_q) begin
        free_q     <= slots_i;
        total_q    <= slots_i;
        some_q     <= slots_i != '0;
        above_q    <= slots_i > reserve_i;
      end else begin
        free_q     <= fence_i ? moved(total_q, up, down) : moved(free_q, up, down);
        total_q    <= moved(total_q, put_i && !take_i, take_i && !put_i);
        some_q     <= fence_i ? some_left(total_q, up, down) : some_left(free_q, up, down);
        above_q    <= fence_i ? above_limit(total_q, reserve_i, up, down)
                              : above_limit(free_q, reserve_i, up, down);
      end
    end
  end

  assign avail_o  = ring_some_q ? head_valid_q : fresh_left_q;
  assign slot_o   = ring_some_q ? SlotW'(head_q) : fresh_q[SlotW-1:0];
  assign free_o   = free_q;
  assign some_o   = some_q;
  assign above_o  = above_q;
  assign held_o   = held_q;
  assign unused_o = unused_q;

endmodule
