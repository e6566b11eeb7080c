// What the property modules are written with. They are bound to their module, as the monitors are, and read by
// Yosys' slang front end, which takes immediate assertions only: an earlier cycle is a register of the property module.
// The first letters of a label say what it is: p_ property, l_ lemma (an invariant that an induction needs, proven
// with the properties), a_ assumption, c_ cover point. Every property and assumption has the cover point of its
// premise: one that no run reaches says nothing.

`ifndef KVCPU_FORMAL_SVH
`define KVCPU_FORMAL_SVH

/// Whenever `premise` holds, so does `conclusion`.
`define FV_ASSERT(name, premise, conclusion) \
  p_``name : assert (!(premise) || (conclusion)); \
  c_``name : cover (premise);

/// The environment: whenever `premise` holds, so does `conclusion`.
`define FV_ASSUME(name, premise, conclusion) \
  a_``name : assume (!(premise) || (conclusion)); \
  c_a_``name : cover ((premise) && (conclusion));

/// An invariant of the implementation, without which the induction does not close.
`define FV_LEMMA(name, condition) \
  l_``name : assert (condition);

/// The run begins in reset; a reset is possible in every later cycle.
`define FV_RESET \
  logic fv_begun_q = 1'b0; \
  always_ff @(posedge clk_i) fv_begun_q <= 1'b1; \
  always_comb a_reset : assume (fv_begun_q || !rst_ni);

`endif
