// Testbench top of the slot pool: clock, and pins that Python drives.

module tb_slot_pool_top #(
  /// Directory entries, the upper bound of SLOTS.
  parameter int unsigned ENTRIES = 1024
);
  timeunit 1ns;
  timeprecision 1ps;
  import kvcpu_pkg::*;

  logic        clk, clock_rst_n, rst_n;
  logic [63:0] cycle;
  tb_clock #(.PeriodPs(4000)) u_clk (.clk_o(clk), .rst_no(clock_rst_n), .cycle_o(cycle));

  logic              hard_reset, clear, config_we, fence, take, put, put_held;
  logic [CountW-1:0] slots, reserve, low, high;
  logic [SlotW-1:0]  put_slot;
  logic [kvcpu_pkg::OfferW-1:0] offer;
  logic              avail, unused_all, some, above, below_low, at_high;
  logic [SlotW-1:0]  slot;
  logic [CountW-1:0] free_slots, held_slots;

  initial begin
    {hard_reset, clear, config_we, fence, take, put, put_held} = '0;
    slots = '0;
    {reserve, low, high} = '0;
    put_slot = '0;
  end

  assign rst_n = clock_rst_n && !hard_reset;

  kvcpu_slot_pool #(.ENTRIES(ENTRIES)) u_dut (
    .clk_i(clk), .rst_ni(rst_n), .clear_i(clear), .slots_i(slots), .config_we_i(config_we),
    .reserve_i(reserve), .low_i(low), .high_i(high),
    .fence_i(fence), .take_i(take), .put_i(put), .put_held_i(put_held), .put_slot_i(put_slot),
    .avail_o(avail), .slot_o(slot), .offer_o(offer), .free_o(free_slots), .held_o(held_slots),
    .some_o(some), .above_o(above), .below_low_o(below_low), .at_high_o(at_high),
    .unused_o(unused_all));

  same_offer: assert property (@(posedge clk) disable iff (!rst_n)
    avail && $past(avail) && offer == $past(offer) |-> slot == $past(slot))
    else $error("kvcpu_slot_pool: the slot changed without a new offer");
  new_offer: assert property (@(posedge clk) disable iff (!rst_n) $rose(avail) |-> offer != $past(offer))
    else $error("kvcpu_slot_pool: an offer without a number of its own");
endmodule
