// Free and held slots of one tier (contract 5).
//
// One free slot is ready in a register, the head slot; only an allocation (take) empties it. Behind it,
// the stock: a counter of slots that were never allocated ("fresh"), so that a reset needs no preload,
// and a ring of freed slots. The ring is a deque: slots that are free at once enter at its front, slots
// that a migration left (held: quarantined until the next STEP_ADVANCE) at its back, so that all free
// ones are before all held ones and the fence moves one pointer. The head slot is refilled from the
// ring's front, else with the next fresh slot; a slot that is freed while there is no head slot becomes it.
//
// Order within one cycle: allocate (take), then free (put), then fence: a slot freed as held in the cycle
// of the fence is free at once, because a commit in the cycle of a step write comes before it (device's
// order of commit points).
//
// A freed slot waits a cycle in a register; then it goes to the ring or becomes the head slot. The counts
// that leave the pool include it, so they are those of the commit points up to the cycle before.
// `take_i` and `put_i` come late in their cycle: they reach a few flags only. Whether enough slots are
// free is worked out for each of their cases, and they choose.

`include "kvcpu_assert.svh"

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
  /// SLOTS is written, `slots_i` is its new value from this cycle on: start anew.
  input  logic              config_we_i,
  /// RESERVE of this tier, as it is from the next cycle on.
  input  logic [CountW-1:0] reserve_i,
  /// LOW of this tier, as it is from the next cycle on.
  input  logic [CountW-1:0] low_i,
  /// HIGH of this tier, as it is from the next cycle on.
  input  logic [CountW-1:0] high_i,
  /// Pulse of the step write: all held slots become free.
  input  logic              fence_i,
  /// Allocates `slot_o`; only while `avail_o`.
  input  logic              take_i,
  /// Frees `put_slot_i`.
  input  logic              put_i,
  /// The freed slot is quarantined until the fence (a migration left it).
  input  logic              put_held_i,
  /// Slot to free, below SLOTS and allocated.
  input  logic [SlotW-1:0]  put_slot_i,
  /// `slot_o` may be allocated. While a slot is free it is low only in the two cycles after an allocation,
  /// in the cycle after a slot was freed and in the three after a fence.
  output logic              avail_o,
  /// Head slot: the next one to be allocated.
  output logic [SlotW-1:0]  slot_o,
  /// Counts the head slots: while `avail_o` is high and it is stable, so is `slot_o`.
  output logic [kvcpu_pkg::OfferW-1:0] offer_o,
  /// Free slots.
  output logic [CountW-1:0] free_o,
  /// free_o is not 0.
  output logic              some_o,
  /// free_o is above RESERVE.
  output logic              above_o,
  /// free_o is below LOW.
  output logic              below_low_o,
  /// free_o is at least HIGH.
  output logic              at_high_o,
  /// Held slots.
  output logic [CountW-1:0] held_o,
  /// All SLOTS are free and none is held; two cycles late.
  output logic              unused_o
);

  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= 65536 && $onehot(ENTRIES),
                     "ENTRIES must be a power of two from 1,024 to 65,536")

  localparam int unsigned AddrW = $clog2(ENTRIES);
  localparam int unsigned NumW = AddrW + 1;  // 0 to ENTRIES; of a pointer the upper bit counts the laps

  typedef logic [NumW-1:0] num_t;

  logic restart, load_q;  // load_q: after a reset, SLOTS is still to be taken over
  assign restart = clear_i || config_we_i || load_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) load_q <= 1'b1;
    else load_q <= 1'b0;
  end

  // ---------------------------------------------------------------- the freed slot
  logic             put_free, put_free_q, put_held_q;
  logic [AddrW-1:0] put_slot_q;

  assign put_free = put_i && (!put_held_i || fence_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      put_free_q <= 1'b0;
      put_held_q <= 1'b0;
    end else if (restart) begin
      put_free_q <= 1'b0;
      put_held_q <= 1'b0;
    end else begin
      put_free_q <= put_free;
      put_held_q <= put_i && put_held_i && !fence_i;
    end
  end

  always_ff @(posedge clk_i) put_slot_q <= put_slot_i[AddrW-1:0];

  // ---------------------------------------------------------------- the head slot
  // A slot from the ring is on its way for a cycle (`fetched_q`). The flags of ring and fresh slots
  // are a cycle late; the next fill is never sooner.
  logic             avail_q, fetched_q, ring_some_q, fresh_left_q;
  logic [AddrW-1:0] slot_q, mem_rdata;
  num_t             fresh_q;
  logic             empty, from_put, from_ring, from_fresh, offers;

  assign empty      = !avail_q && !fetched_q;
  assign from_put   = empty && put_free_q;
  assign from_ring  = empty && !put_free_q && ring_some_q;
  assign from_fresh = empty && !put_free_q && !ring_some_q && fresh_left_q;
  assign offers     = from_put || fetched_q || from_fresh;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      avail_q      <= 1'b0;
      fetched_q    <= 1'b0;
      fresh_q      <= '0;
      fresh_left_q <= 1'b0;
    end else if (restart) begin
      avail_q      <= 1'b0;
      fetched_q    <= 1'b0;
      fresh_q      <= '0;
      fresh_left_q <= slots_i != '0;
    end else begin
      avail_q      <= offers || (avail_q && !take_i);
      fetched_q    <= from_ring;
      fresh_left_q <= CountW'(fresh_q) < slots_i;
      if (from_fresh) fresh_q <= fresh_q + 1'b1;
    end
  end

  logic [kvcpu_pkg::OfferW-1:0] offer_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) offer_q <= '0;
    else if (offers) offer_q <= offer_q + 1'b1;
  end
  assign offer_o = offer_q;

  always_ff @(posedge clk_i) begin
    if (!avail_q) slot_q <= fetched_q ? mem_rdata : put_free_q ? put_slot_q : fresh_q[AddrW-1:0];
  end

  // ---------------------------------------------------------------- the ring
  // mem[front_q] .. mem[back_q - 1]; those before free_end_q are free.
  num_t front_q, free_end_q, back_q;
  logic to_front;

  assign to_front = put_free_q && !from_put;

  kvcpu_ram_1r1w #(
    .Width(AddrW),
    .Depth(ENTRIES),
    .Apart(1'b1)
  ) u_ring (
    .clk_i  (clk_i),
    .we_i   (to_front || put_held_q),
    .waddr_i(put_held_q ? back_q[AddrW-1:0] : front_q[AddrW-1:0] - 1'b1),
    .wdata_i(put_slot_q),
    .re_i   (from_ring),
    .raddr_i(front_q[AddrW-1:0]),
    .rdata_o(mem_rdata)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      front_q     <= '0;
      free_end_q  <= '0;
      back_q      <= '0;
      ring_some_q <= 1'b0;
    end else if (restart) begin
      front_q     <= '0;
      free_end_q  <= '0;
      back_q      <= '0;
      ring_some_q <= 1'b0;
    end else begin
      if (to_front) front_q <= front_q - 1'b1;
      else if (from_ring) front_q <= front_q + 1'b1;
      if (put_held_q) back_q <= back_q + 1'b1;
      if (fence_i) free_end_q <= back_q + num_t'(put_held_q);
      ring_some_q <= (front_q != free_end_q) && !from_ring;
    end
  end

  // ---------------------------------------------------------------- counts
  // Two less than the free slots, and than the free and held ones together, both as they were a cycle
  // ago: what a cycle changes is kept in registers and counts in the next. Two less, so that all that
  // may still come on top of a count is on the same side of a limit.
  localparam int unsigned Less = 2;

  typedef logic [NumW:0] less_t;  // signed

  // What a cycle changes, in two bits of its complement on two: 00 nothing, 01 one more, 11 one less.
  typedef logic [1:0] step_t;

  less_t free_q, total_q, slots_q, free_d, total_d, start;
  step_t step, total_step, step_q, total_step_q;

  function automatic step_t step_of(logic up, logic down);
    return {down && !up, up != down};
  endfunction

  assign step       = step_of(put_free, take_i);
  assign total_step = step_of(put_i, take_i);

  function automatic less_t moved(less_t count, step_t by);
    return count + {{NumW{by[1]}}, by[0]};
  endfunction

  assign total_d = moved(total_q, total_step_q);
  assign free_d  = fence_i ? total_d : moved(free_q, step_q);
  assign start   = less_t'(slots_i) - less_t'(Less);

  localparam int unsigned DiffW = CountW + 2;  // signed, from 2 less than no slot less any limit

  typedef logic [DiffW-1:0] diff_t;

  function automatic diff_t wide(less_t count);
    return diff_t'($signed(count));
  endfunction

  // Whether a limit is reached by one less than the count, by the count, and by one more.
  typedef struct packed {
    logic below;
    logic same;
    logic above;
  } reach_t;

  // `diff`: a count of two less, less the limit; `by` is still to come.
  function automatic reach_t reach(diff_t diff, step_t by);
    logic       near;  // -4 to -1: the lower two bits and 4
    logic [1:0] low;
    logic [4:0] least;  // `low` is 4 (never), 3, 2, 1, 0 or more
    near  = &diff[DiffW-1:2];
    low   = diff[1:0];
    least = {1'b0, low == 2'd3, low[1], low != 2'd0, 1'b1};
    if (by == 2'b01) least[3:1] = least[2:0];
    else if (by[1]) least[3:1] = least[4:2];
    return '{below: !diff[DiffW-1] || (near && least[3]), same: !diff[DiffW-1] || (near && least[2]),
             above: !diff[DiffW-1] || (near && least[1])};
  endfunction

  function automatic logic chosen(reach_t r, step_t by);
    return by[1] ? r.below : by[0] ? r.above : r.same;
  endfunction

  reach_t some_d, above_d, low_d, high_d, some_q, above_q, low_q, high_q;

  // Above RESERVE: a difference of 1 or more, which is the sum with the complement.
  assign some_d  = fence_i ? reach(wide(total_q) - diff_t'(1), total_step_q)
                           : reach(wide(free_q) - diff_t'(1), step_q);
  assign above_d = fence_i ? reach(wide(total_q) + ~diff_t'(reserve_i), total_step_q)
                           : reach(wide(free_q) + ~diff_t'(reserve_i), step_q);
  assign low_d   = fence_i ? reach(wide(total_q) - diff_t'(low_i), total_step_q)
                           : reach(wide(free_q) - diff_t'(low_i), step_q);
  assign high_d  = fence_i ? reach(wide(total_q) - diff_t'(high_i), total_step_q)
                           : reach(wide(free_q) - diff_t'(high_i), step_q);

  always_ff @(posedge clk_i) begin
    above_q <= above_d;
    low_q   <= low_d;
    high_q  <= high_d;
  end

  logic unused_q;
  logic up_q, same_q;  // as step_q, for the flags that the directory waits for

  function automatic logic awaited(reach_t r);
    return up_q ? r.above : same_q ? r.same : r.below;
  endfunction

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      free_q       <= '0;
      total_q      <= '0;
      slots_q      <= '0;
      step_q       <= '0;
      up_q         <= 1'b0;
      same_q       <= 1'b1;
      total_step_q <= '0;
      some_q       <= '0;
      unused_q     <= 1'b1;
    end else if (restart) begin
      free_q       <= start;
      total_q      <= start;
      slots_q      <= start;
      step_q       <= '0;
      up_q         <= 1'b0;
      same_q       <= 1'b1;
      total_step_q <= '0;
      some_q       <= '0;
      unused_q     <= 1'b1;
    end else begin
      free_q       <= free_d;
      total_q      <= total_d;
      step_q       <= step;
      up_q         <= step == 2'b01;
      same_q       <= step == 2'b00;
      total_step_q <= total_step;
      some_q       <= some_d;
      unused_q     <= free_q == slots_q && !step_q[1];
    end
  end

  // The count is two less and a step behind: 1, 2 or 3 more.
  less_t free_now, held_now;
  assign free_now = free_q + less_t'({!step_q[1], step_q[0]});
  assign held_now = total_d - moved(free_q, step_q);

  assign avail_o     = avail_q;
  assign slot_o      = SlotW'(slot_q);
  assign free_o      = CountW'(free_now);
  assign some_o      = awaited(some_q);
  assign above_o     = awaited(above_q);
  assign below_low_o = !chosen(low_q, step_q);
  assign at_high_o   = chosen(high_q, step_q);
  assign held_o      = CountW'(held_now);
  assign unused_o    = unused_q;


  // ---------------------------------------------------------------- invariants (device.md 5)
  `KVCPU_ASSERT(take_finds_slot, take_i |-> avail_q, "a slot is allocated only while one is at the head")
  `KVCPU_ASSERT(no_slot_twice, !restart |-> 32'(free_o) + 32'(held_o) <= 32'(slots_i),
                "free and quarantined slots are never more than SLOTS")
  `KVCPU_ASSERT(freed_slot_was_allocated, put_i && !restart |-> 32'(free_o) + 32'(held_o) < 32'(slots_i),
                "a slot is freed only after it was allocated")
  `KVCPU_ASSERT(freed_slot_in_range, put_i |-> CountW'(put_slot_i) < slots_i, "a freed slot is below SLOTS")

endmodule
