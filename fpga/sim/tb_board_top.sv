/// Testbench top of the board: its pins, an oscillator, and a count of the device's clock.
module tb_board_top;
  timeunit 1ps;
  timeprecision 1ps;

  logic        clk48;
  logic        rst_n;   // pressed button at the start
  logic [63:0] unused_cycle;
  logic        hold_button;  // a reset of the test's own
  logic        rx, tx, led_r_n, led_g_n, led_b_n;

  tb_clock #(
    .PeriodPs(20832)
  ) u_clock (
    .clk_o  (clk48),
    .rst_no (rst_n),
    .cycle_o(unused_cycle)
  );

  orangecrab dut (
    .clk48_i (clk48),
    .btn_ni  (rst_n && !hold_button),
    .rx_i    (rx),
    .tx_o    (tx),
    .led_r_no(led_r_n),
    .led_g_no(led_g_n),
    .led_b_no(led_b_n)
  );
endmodule
