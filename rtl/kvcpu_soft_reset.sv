// Soft reset (device.md 10): nothing new starts, AXI bursts and operations under way end, then one
// cycle of clear; the directory clears itself after it.

module kvcpu_soft_reset (
  /// Clock.
  input  logic clk_i,
  /// Reset, active low.
  input  logic rst_ni,
  /// Asked for by CTRL (pulse).
  input  logic request_i,
  /// No AXI burst is outstanding.
  input  logic dma_idle_i,
  /// The RTBD pipeline is empty.
  input  logic quiet_i,
  /// Start nothing new; from a register, since it goes everywhere.
  output logic halt_o,
  /// Clear everything but the configuration (one cycle); from a register too.
  output logic clear_o
);

  typedef enum logic [1:0] {
    Run,
    Settle,  // what was accepted in the cycle of the request is under way now
    Halt,
    Clear
  } state_e;

  state_e state_q, state_d;
  logic   over_q;  // nothing is under way, as `Halt` finds it; nothing begins any more then

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      Run:     if (request_i) state_d = Settle;
      Settle:  state_d = Halt;
      Halt:    if (over_q) state_d = Clear;
      Clear:   state_d = Run;
      default: state_d = Run;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Run;
      over_q  <= 1'b0;
      halt_o  <= 1'b0;
      clear_o <= 1'b0;
    end else begin
      state_q <= state_d;
      over_q  <= (state_q == Halt) && dma_idle_i && quiet_i;
      halt_o  <= state_d != Run;
      clear_o <= state_d == Clear;
    end
  end

endmodule
