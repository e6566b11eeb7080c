// Monitor of T0, bound into kvcpu_rtbd_issue: whatever the ports ask, the DMA, commands and BAR2 wait at most 64 cycles
// for the directory (device.md 10). A cycle in which the directory is closed to all, by a reset or by a relocation, or
// to those who take slots, by a write of BASE or SLOTS, is no wait for it.

module kvcpu_mon_issue (
  /// Clock.
  input logic       clk_i,
  /// Reset, active low.
  input logic       rst_ni,
  /// DMA, commands, BAR2, bits 0 to 2: one asks.
  input logic [2:0] valid_i,
  /// It is taken.
  input logic [2:0] ready_i,
  /// It is shut out by something else than other operations.
  input logic [2:0] shut_i
);
  import kvcpu_tb_pkg::*;

  localparam int Limit = 64;

  int waited[3];

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
      if (rst_ni && valid_i[c]) kv_checked(1);
    end
  end
endmodule
