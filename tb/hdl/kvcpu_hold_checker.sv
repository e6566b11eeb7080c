// Protocol checker of one valid/ready stream: while valid and not ready, valid stays and the values hold
// (device.md 10). Counts its checks, so that a test can show that it looked.

module kvcpu_hold_checker #(
  /// Bits of the payload, 1 and up.
  parameter int unsigned Width = 1,
  /// Name in messages.
  parameter string Name = "stream"
) (
  /// Clock.
  input logic             clk_i,
  /// Reset, active low: nothing is checked while it is asserted.
  input logic             rst_ni,
  /// Stream.
  input logic             valid_i,
  /// Stream.
  input logic             ready_i,
  /// Stream.
  input logic [Width-1:0] data_i
);
  import kvcpu_tb_pkg::*;

  logic             waiting_q;
  logic [Width-1:0] data_q;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      waiting_q <= 1'b0;
    end else begin
      if (waiting_q) begin
        kv_checked(1);
        if (!valid_i) begin
          kv_violation({Name, ": expected valid to stay until ready, seen it fall"});
        end else if (data_i != data_q) begin
          kv_violation($sformatf("%s: expected values to hold while valid and not ready, %s", Name,
                                 $sformatf("expected %0h, seen %0h", data_q, data_i)));
        end
      end
      waiting_q <= valid_i && !ready_i;
      data_q <= data_i;
    end
  end
endmodule
