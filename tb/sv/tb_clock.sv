/// Clock, reset and cycle count of every testbench top, made in HDL so that Python is not called for each edge.
///
/// Timing model: registers change at the rising edge; after `await RisingEdge(clk)` Python reads the values after the
/// edge, and what Python then writes is sampled at the next one.
module tb_clock #(
  /// Clock period in ps, even, 2 or more; 4000 is the device's 250 MHz.
  parameter int unsigned PeriodPs = 4000,
  /// Length of the reset at the start in cycles, 1 or more.
  parameter int unsigned ResetCycles = 8
) (
  /// Clock.
  output logic        clk_o,
  /// Reset, active low, released a quarter period after a rising edge.
  output logic        rst_no,
  /// Rising edges since time 0, reset included.
  output logic [63:0] cycle_o
);
  timeunit 1ps;
  timeprecision 1ps;

  if (PeriodPs < 4 || PeriodPs % 4 != 0) begin : gen_bad_period
    $error("PeriodPs must be a multiple of 4, not %0d", PeriodPs);
  end

  initial begin
    clk_o = 1'b0;
    cycle_o = '0;
    forever begin
      #(PeriodPs / 2) clk_o = 1'b1;
      cycle_o = cycle_o + 1;
      #(PeriodPs / 2) clk_o = 1'b0;
    end
  end

  initial begin
    rst_no = 1'b0;
    repeat (ResetCycles) @(posedge clk_o);
    #(PeriodPs / 4) rst_no = 1'b1;
  end
endmodule
