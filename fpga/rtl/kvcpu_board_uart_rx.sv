// Receives bytes of an asynchronous serial line: 8 data bits, no parity, 1 stop bit.

`include "kvcpu_assert.svh"

module kvcpu_board_uart_rx #(
  /// Frequency of the clock, Hz.
  parameter int unsigned ClockHz = 100_000_000,
  /// Bits per second; at least 6 clock cycles a bit.
  parameter int unsigned Baud = 3_000_000
) (
  /// Clock.
  input  logic       clk_i,
  /// Reset, active low.
  input  logic       rst_ni,
  /// Serial line, idle high, not synchronous to the clock.
  input  logic       rx_i,
  /// A byte has come (pulse). One with a bad stop bit is not reported.
  output logic       valid_o,
  /// That byte.
  output logic [7:0] data_o
);

  `KVCPU_CHECK_PARAM(bit_length, ClockHz >= 6 * Baud, "a bit needs 6 clock cycles or more")

  // A bit is over when the phase wraps: any ratio of clock and baud rate, without a long-term error.
  localparam int unsigned PhaseW = 16;
  localparam logic [PhaseW-1:0] Increment =
      PhaseW'((64'(Baud) * 64'(2 ** PhaseW) + 64'(ClockHz / 2)) / 64'(ClockHz));

  logic [2:0]        sync_q;   // two stages against metastability, the last one seen
  logic [PhaseW-1:0] phase_q;
  logic [PhaseW:0]   phase_d;
  logic [3:0]        bits_q;   // bits still to come: start, 8 data, stop; 0 is idle
  logic [7:0]        shift_q;
  logic              sample;

  assign phase_d = {1'b0, phase_q} + {1'b0, Increment};
  assign sample  = phase_d[PhaseW] && bits_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) sync_q <= '1;
    else sync_q <= {sync_q[1:0], rx_i};
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      bits_q  <= '0;
      phase_q <= '0;
      valid_o <= 1'b0;
    end else begin
      valid_o <= sample && bits_q == 4'd1 && sync_q[1];
      phase_q <= phase_d[PhaseW-1:0];
      if (bits_q == '0) begin
        // Half a bit from the edge to the middle of the start bit.
        phase_q <= {1'b1, {(PhaseW - 1) {1'b0}}};
        if (sync_q[2] && !sync_q[1]) bits_q <= 4'd10;
      end else if (sample) begin
        // A start bit that is gone by its middle was noise.
        bits_q <= (bits_q == 4'd10 && sync_q[1]) ? '0 : bits_q - 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (sample && bits_q != 4'd1) shift_q <= {sync_q[1], shift_q[7:1]};
  end

  assign data_o = shift_q;

endmodule
