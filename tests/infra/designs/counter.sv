/// Design under test of the infrastructure's own tests: a counter that adds `step_i` when enabled.
module counter #(
  /// Width of the count in bits, 2 to 32.
  parameter int unsigned Width = 8
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             en_i,
  input  logic [Width-1:0] step_i,
  output logic [Width-1:0] count_o
);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_o <= '0;
    else if (en_i) count_o <= count_o + step_i;
  end
endmodule
