/// Testbench top of the counter: HDL clock, a DPI queue of steps, an event when the queue has been worked off.
module tb_counter_top #(
  parameter int unsigned Width = 8
);
  import "DPI-C" function int counter_pop(output int unsigned step);

  logic clk;
  logic rst_n;
  logic [63:0] cycle;
  logic en;
  logic [Width-1:0] step;
  logic [Width-1:0] count;
  logic from_queue;
  logic queue_en;
  logic [Width-1:0] queue_step;
  logic batch_done;
  logic fire_error;
  logic fire_assert;
  logic [31:0] uninitialised;

  tb_clock u_clock (.clk_o(clk), .rst_no(rst_n), .cycle_o(cycle));

  counter #(.Width(Width)) u_counter (
    .clk_i(clk),
    .rst_ni(rst_n),
    .en_i(from_queue ? queue_en : en),
    .step_i(from_queue ? queue_step : step),
    .count_o(count)
  );

  initial begin
    en = 1'b0;
    step = '0;
    from_queue = 1'b0;
    fire_error = 1'b0;
    fire_assert = 1'b0;
  end

  int unsigned popped;
  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      queue_en <= 1'b0;
      queue_step <= '0;
      batch_done <= 1'b0;
    end else if (from_queue) begin
      if (counter_pop(popped) != 0) begin
        queue_en <= 1'b1;
        queue_step <= popped[Width-1:0];
      end else begin
        queue_en <= 1'b0;
        batch_done <= ~queue_en;
      end
    end
  end

  always @(posedge clk) begin
    if (fire_error) $error("planted error");
  end

  planted_assert: assert property (@(posedge clk) disable iff (!rst_n) !fire_assert)
    else $error("planted assertion");
endmodule
