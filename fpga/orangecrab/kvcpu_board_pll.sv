// Clock of the board: the ECP5's PLL, fed back from its output.

module kvcpu_board_pll #(
  /// Divider of the input, 1 to 128.
  parameter int unsigned InDiv = 12,
  /// Divider of the feedback, 1 to 128: the output is input / InDiv * FeedbackDiv.
  parameter int unsigned FeedbackDiv = 25,
  /// Divider from the PLL's oscillator (400 to 800 MHz) to the output, 1 to 128.
  parameter int unsigned OutDiv = 6
) (
  /// Clock from the board.
  input  logic clk_i,
  /// Clock for the design.
  output logic clk_o,
  /// `clk_o` is stable.
  output logic locked_o
);

  // The attributes are the analogue settings for these frequencies, as Lattice's tool gives them.
  (* ICP_CURRENT = "12" *)
  (* LPF_RESISTOR = "8" *)
  (* MFG_ENABLE_FILTEROPAMP = "1" *)
  (* MFG_GMCREF_SEL = "2" *)
  EHXPLLL #(
    .PLLRST_ENA      ("DISABLED"),
    .INTFB_WAKE      ("DISABLED"),
    .STDBY_ENABLE    ("DISABLED"),
    .DPHASE_SOURCE   ("DISABLED"),
    .OUTDIVIDER_MUXA ("DIVA"),
    .OUTDIVIDER_MUXB ("DIVB"),
    .OUTDIVIDER_MUXC ("DIVC"),
    .OUTDIVIDER_MUXD ("DIVD"),
    .CLKI_DIV        (InDiv),
    .CLKOP_ENABLE    ("ENABLED"),
    .CLKOP_DIV       (OutDiv),
    .CLKOP_CPHASE    (OutDiv / 2 - 1),
    .CLKOP_FPHASE    (0),
    .FEEDBK_PATH     ("CLKOP"),
    .CLKFB_DIV       (FeedbackDiv)
  ) u_pll (
    .RST         (1'b0),
    .STDBY       (1'b0),
    .CLKI        (clk_i),
    .CLKOP       (clk_o),
    .CLKFB       (clk_o),
    .CLKINTFB    (),
    .PHASESEL0   (1'b0),
    .PHASESEL1   (1'b0),
    .PHASEDIR    (1'b1),
    .PHASESTEP   (1'b1),
    .PHASELOADREG(1'b1),
    .PLLWAKESYNC (1'b0),
    .ENCLKOP     (1'b0),
    .LOCK        (locked_o)
  );

endmodule
