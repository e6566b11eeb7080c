// Assertions and parameter contracts of the RTL.
//
// An assertion is next to the code whose invariant it states, on `clk_i`, outside reset. Its name and its text
// are what a failing test prints, so the text says what must hold in words that need no waveform. Synthesis (SYNTHESIS is
// defined) sees empty bodies: nothing here costs a gate. Parameter contracts are checked by every tool at elaboration.

`ifndef KVCPU_ASSERT_SVH
`define KVCPU_ASSERT_SVH

/// A contract on parameters: elaboration fails with the text unless `cond` holds.
`define KVCPU_CHECK_PARAM(name, cond, text) \
  if (!(cond)) begin : g_check_``name \
    $error(text); \
  end

`ifdef SYNTHESIS

`define KVCPU_ASSERT(name, prop, text)
`define KVCPU_COVER(name, prop)

`else

/// `prop` holds in every cycle outside reset.
`define KVCPU_ASSERT(name, prop, text) \
  name : assert property (@(posedge clk_i) disable iff (!rst_ni) (prop)) \
    else $error("assertion %s: %s", `"name`", text);

/// `prop` is reachable; counted as a coverage point of that name.
`define KVCPU_COVER(name, prop) \
  name : cover property (@(posedge clk_i) disable iff (!rst_ni) (prop));

`endif

`endif
