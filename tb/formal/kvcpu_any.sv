// A value that the solver chooses anew in every cycle: it has no driver, and every net without one is free in a proof.

module kvcpu_any #(
  /// Bits of the value.
  parameter int unsigned Width = 1
) (
  /// The value.
  output logic [Width-1:0] value_o
);
endmodule
