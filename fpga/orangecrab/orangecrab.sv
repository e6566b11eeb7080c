// The device on an OrangeCrab r0.2 with an ECP5-85F (LFE5U-85F-8MG285C): pins, clock, reset, LEDs.

module orangecrab #(
  /// See kvcpu.
  parameter int unsigned ENTRIES = 4096,
  /// See kvcpu.
  parameter int unsigned LANES = 4,
  /// See kvcpu.
  parameter int unsigned PORTS = 3,
  /// See kvcpu.
  parameter int unsigned BLOCK_TOKENS = 16,
  /// Bits per second of the serial line.
  parameter int unsigned Baud = 3_000_000
) (
  /// Oscillator, 48 MHz.
  input  logic clk48_i,
  /// Button, low while pressed: reset.
  input  logic btn_ni,
  /// Serial line from the host (header pin 0).
  input  logic rx_i,
  /// Serial line to the host (header pin 1).
  output logic tx_o,
  /// LED, red, lit while 0: the interrupt is raised.
  output logic led_r_no,
  /// LED, green, lit while 0: the serial line is in use.
  output logic led_g_no,
  /// LED, blue, lit while 0: blinks while the clock runs.
  output logic led_b_no
);

  // 48 MHz / PllIn * PllFb = 100 MHz; the oscillator inside runs at 600 MHz (400 to 800).
  localparam int unsigned PllIn = 12;
  localparam int unsigned PllFb = 25;
  localparam int unsigned PllOut = 6;
  localparam int unsigned ClockHz = 48_000_000 / PllIn * PllFb;
  localparam int unsigned BlinkW = 26;  // 0.67 s on and off

  logic clk, locked, rst_n;

  kvcpu_board_pll #(
    .InDiv      (PllIn),
    .FeedbackDiv(PllFb),
    .OutDiv     (PllOut)
  ) u_pll (
    .clk_i   (clk48_i),
    .clk_o   (clk),
    .locked_o(locked)
  );

  kvcpu_board_reset u_reset (
    .clk_i       (clk),
    .async_rst_ni(locked && btn_ni),
    .rst_no      (rst_n)
  );

  logic irq, active;

  kvcpu_board #(
    .ENTRIES     (ENTRIES),
    .LANES       (LANES),
    .PORTS       (PORTS),
    .BLOCK_TOKENS(BLOCK_TOKENS),
    .ClockHz     (ClockHz),
    .Baud        (Baud)
  ) u_board (
    .clk_i   (clk),
    .rst_ni  (rst_n),
    .rx_i    (rx_i),
    .tx_o    (tx_o),
    .irq_o   (irq),
    .active_o(active)
  );

  // ------------------------------------------------------------------ LEDs
  logic [BlinkW-1:0] blink_q;

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      blink_q  <= '0;
      led_r_no <= 1'b1;
      led_g_no <= 1'b1;
      led_b_no <= 1'b1;
    end else begin
      blink_q  <= blink_q + 1'b1;
      led_r_no <= !irq;
      led_g_no <= !active;
      led_b_no <= blink_q[BlinkW-1];
    end
  end

endmodule
