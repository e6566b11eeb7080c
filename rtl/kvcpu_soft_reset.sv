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
  /// Start nothing new.
  output logic halt_o,
  /// Clear everything but the configuration (one cycle).
  output logic clear_o
);

  typedef enum logic [1:0] {
    Run,
    Settle,  // what was accepted in the cycle of the request is under way now
    Halt,
    Clear
  } state_e;

  state_e state_q, state_d;

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      Run:     if (request_i) state_d = Settle;
      Settle:  state_d = Halt;
      Halt:    if (dma_idle_i && quiet_i) state_d = Clear;
      Clear:   state_d = Run;
      default: state_d = Run;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) state_q <= Run;
    else state_q <= state_d;
  end

  assign halt_o = (state_q != Run);
  assign clear_o = (state_q == Clear);

endmodule
