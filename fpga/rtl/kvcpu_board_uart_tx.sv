// Sends bytes on an asynchronous serial line: 8 data bits, no parity, 1 stop bit.

`include "kvcpu_assert.svh"

module kvcpu_board_uart_tx #(
  /// Frequency of the clock, Hz.
  parameter int unsigned ClockHz = 100_000_000,
  /// Bits per second; at least 6 clock cycles a bit.
  parameter int unsigned Baud = 3_000_000
) (
  /// Clock.
  input  logic       clk_i,
  /// Reset, active low.
  input  logic       rst_ni,
  /// A byte to send.
  input  logic       valid_i,
  /// It is taken.
  output logic       ready_o,
  /// That byte.
  input  logic [7:0] data_i,
  /// Serial line, idle high.
  output logic       tx_o
);

  `KVCPU_CHECK_PARAM(bit_length, ClockHz >= 6 * Baud, "a bit needs 6 clock cycles or more")

  localparam int unsigned PhaseW = 16;
  localparam logic [PhaseW-1:0] Increment =
      PhaseW'((64'(Baud) * 64'(2 ** PhaseW) + 64'(ClockHz / 2)) / 64'(ClockHz));

  logic [PhaseW-1:0] phase_q;
  logic [PhaseW:0]   phase_d;
  logic [3:0]        bits_q;   // bits still on the line, start and stop included; 0 while ready_o
  logic [9:0]        shift_q;  // bit 0 is on the line

  assign phase_d = {1'b0, phase_q} + {1'b0, Increment};
  assign tx_o    = shift_q[0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ready_o <= 1'b1;
      bits_q  <= '0;
      phase_q <= '0;
      shift_q <= '1;
    end else if (ready_o) begin
      phase_q <= '0;
      if (valid_i) begin
        ready_o <= 1'b0;
        bits_q  <= 4'd10;
        shift_q <= {1'b1, data_i, 1'b0};
      end
    end else begin
      phase_q <= phase_d[PhaseW-1:0];
      if (phase_d[PhaseW]) begin
        ready_o <= bits_q == 4'd1;
        bits_q  <= bits_q - 1'b1;
        shift_q <= {1'b1, shift_q[9:1]};
      end
    end
  end

endmodule
