// Monitor of T0, bound into kvcpu_rtbd_issue: whatever the ports ask, the DMA, commands and BAR2 wait at most 64 cycles
// for the directory (device.md 10). A cycle in which the directory is closed to all, by a reset or by a relocation, or
// to operations that allocate slots, by a write of BASE or SLOTS, does not count. And the ports are not starved: while
// one of them requests, each of the others is granted once at most before a port is (docs/microarchitecture.md 2).

module kvcpu_mon_issue (
  /// Clock.
  input logic       clk_i,
  /// Reset, active low.
  input logic       rst_ni,
  /// DMA, commands, BAR2, bits 0 to 2: one asks.
  input logic [2:0] valid_i,
  /// It is granted.
  input logic [2:0] ready_i,
  /// The directory is closed to it.
  input logic [2:0] shut_i,
  /// A port requests, and there is a place for its answer.
  input logic       port_asks_i,
  /// The request of a port is granted.
  input logic       port_taken_i
);
  import kvcpu_tb_pkg::*;

  localparam int Limit = 64;

  int         waited[3];
  logic [2:0] had_turn;  // since a port was granted, or none requested

  function automatic string who(int client);
    return client == 0 ? "a DMA operation" : client == 1 ? "a command step" : "a BAR2 read";
  endfunction

  always @(posedge clk_i or negedge rst_ni) begin
    for (int c = 0; c < 3; c++) begin
      if (!rst_ni || !valid_i[c] || ready_i[c]) begin
        waited[c] <= 0;
      end else if (!shut_i[c]) begin
        waited[c] <= waited[c] + 1;
        if (waited[c] == Limit) begin
          kv_violation($sformatf("directory: expected %s to wait at most %0d cycles for it, seen more",
                                 who(c), Limit));
        end
      end
      if (!rst_ni || !port_asks_i || port_taken_i) begin
        had_turn[c] <= 1'b0;
      end else if (valid_i[c] && ready_i[c]) begin
        had_turn[c] <= 1'b1;
        if (had_turn[c]) begin
          kv_violation($sformatf(
            "directory: expected the requesting port to be granted before %s is granted once more", who(c)));
        end
      end
      if (rst_ni && valid_i[c]) kv_checked(1);
    end
  end
endmodule
