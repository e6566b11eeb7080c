// Simulation model of the ECP5's PLL, as far as the board uses it: CLKOP = CLKI / CLKI_DIV * CLKFB_DIV,
// measured on CLKI, and LOCK some periods later. The name, its ports and parameters are Lattice's.

// A behavioural model sets its variables at once and counts in real time; the parameters that it does
// not need are Lattice's.
// verilator lint_off BLKSEQ
// verilator lint_off UNUSEDPARAM
// verilator lint_off ZERODLY
module EHXPLLL #(
  /// Divider of CLKI.
  parameter int unsigned CLKI_DIV = 1,
  /// Divider of the feedback.
  parameter int unsigned CLKFB_DIV = 1,
  /// Divider from the oscillator to CLKOP; the oscillator itself is not modelled.
  parameter int unsigned CLKOP_DIV = 8,
  /// Not modelled.
  parameter int CLKOP_CPHASE = 0,
  /// Not modelled.
  parameter int CLKOP_FPHASE = 0,
  /// Not modelled.
  parameter PLLRST_ENA = "DISABLED",
  /// Not modelled.
  parameter INTFB_WAKE = "DISABLED",
  /// Not modelled.
  parameter STDBY_ENABLE = "DISABLED",
  /// Not modelled.
  parameter DPHASE_SOURCE = "DISABLED",
  /// Not modelled.
  parameter OUTDIVIDER_MUXA = "DIVA",
  /// Not modelled.
  parameter OUTDIVIDER_MUXB = "DIVB",
  /// Not modelled.
  parameter OUTDIVIDER_MUXC = "DIVC",
  /// Not modelled.
  parameter OUTDIVIDER_MUXD = "DIVD",
  /// Not modelled.
  parameter CLKOP_ENABLE = "ENABLED",
  /// Not modelled: only feedback from CLKOP.
  parameter FEEDBK_PATH = "CLKOP"
) (
  /// Clock in.
  input  logic CLKI,
  /// Feedback, not looked at.
  input  logic CLKFB,
  /// Reset, active high.
  input  logic RST,
  /// Not modelled.
  input  logic STDBY,
  /// Not modelled.
  input  logic PHASESEL0,
  /// Not modelled.
  input  logic PHASESEL1,
  /// Not modelled.
  input  logic PHASEDIR,
  /// Not modelled.
  input  logic PHASESTEP,
  /// Not modelled.
  input  logic PHASELOADREG,
  /// Not modelled.
  input  logic PLLWAKESYNC,
  /// Not modelled.
  input  logic ENCLKOP,
  /// Clock out.
  output logic CLKOP,
  /// Not modelled.
  output logic CLKINTFB,
  /// CLKOP is stable.
  output logic LOCK
);
  timeunit 1ps;
  timeprecision 1ps;

  realtime     last, half;
  int unsigned to_lock;  // periods of CLKI; a constant of its own would count as a parameter of the primitive

  initial begin
    CLKOP = 1'b0;
    LOCK = 1'b0;
    to_lock = 8;
    last = 0;
    half = 0;
  end

  always @(posedge CLKI) begin
    half = ($realtime - last) * CLKI_DIV / CLKFB_DIV / 2;
    last = $realtime;
    LOCK = !RST && to_lock == 0;
    if (RST) to_lock = 8;
    else if (to_lock != 0) to_lock = to_lock - 1;
  end

  initial begin
    wait (LOCK);
    forever #(half) CLKOP = !CLKOP;
  end

  assign CLKINTFB = 1'b0;

  logic unused;
  assign unused = ^{CLKFB, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP};

endmodule
