// Properties of BAR0's bus, kvcpu_csr: its AXI4-Lite port, whatever is written and read. The lemmas say in which phase of
// a write and of a read its waiting cycles are.

`include "kvcpu_formal.svh"

module kvcpu_fv_csr_bus (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        s_axil_awvalid_i,
  input logic        s_axil_awready_o,
  input logic        s_axil_wvalid_i,
  input logic        s_axil_wready_o,
  input logic [1:0]  s_axil_bresp_o,
  input logic        s_axil_bvalid_o,
  input logic        s_axil_bready_i,
  input logic        s_axil_arvalid_i,
  input logic        s_axil_arready_o,
  input logic [63:0] s_axil_rdata_o,
  input logic [1:0]  s_axil_rresp_o,
  input logic        s_axil_rvalid_o,
  input logic        s_axil_rready_i,
  input logic        slots_hold_o,
  input logic        slots_quiet_i,
  input logic [3:0]  slots_we_o,

  input logic        aw_full_q,
  input logic        w_full_q,
  input logic        b_valid_q,
  input logic        ar_full_q,
  input logic        r_valid_q,
  input logic [3:0]  phase_q,
  input logic        decode_q,
  input logic        effect_q,
  input logic        held_q,
  input logic        quiet_q,
  input logic        needs_slots,
  input logic [2:0]  rd_state_q
);

  `FV_RESET

  localparam int unsigned SlotsWait = 8;  // cycles until no slot is being taken (in the device 64; it moves the two below only)
  localparam int unsigned WriteWait = SlotsWait + 8;
  localparam int unsigned ReadWait = SlotsWait + 10;
  localparam int unsigned WaitW = 5;

  localparam logic [3:0] Decode = 4'd0;
  localparam logic [3:0] Operand = 4'd8;
  localparam logic [3:0] End = 4'd1;
  localparam logic [3:0] Diff = 4'd9;
  localparam logic [3:0] Limit = 4'd10;
  localparam logic [3:0] Quiet = 4'd11;
  localparam logic [3:0] Judge = 4'd2;
  localparam logic [3:0] Exec = 4'd3;
  localparam logic [3:0] Answer = 4'd4;

  logic             aw, w, ar;
  logic [WaitW-1:0] write_waits, read_waits;

  kvcpu_fv_axil #(
    .WriteWait(WriteWait),
    .ReadWait (ReadWait)
  ) u_bus (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .awvalid_i    (s_axil_awvalid_i),
    .awready_i    (s_axil_awready_o),
    .wvalid_i     (s_axil_wvalid_i),
    .wready_i     (s_axil_wready_o),
    .bvalid_i     (s_axil_bvalid_o),
    .bready_i     (s_axil_bready_i),
    .bresp_i      (s_axil_bresp_o),
    .arvalid_i    (s_axil_arvalid_i),
    .arready_i    (s_axil_arready_o),
    .rvalid_i     (s_axil_rvalid_o),
    .rready_i     (s_axil_rready_i),
    .rdata_i      (s_axil_rdata_o),
    .rresp_i      (s_axil_rresp_o),
    .aw_o         (aw),
    .w_o          (w),
    .ar_o         (ar),
    .write_waits_o(write_waits),
    .read_waits_o (read_waits)
  );

  // How long the slots have been awaited; they were found quiet.
  logic [WaitW-1:0] slot_waits_q;
  logic             seen_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      slot_waits_q <= '0;
      seen_q       <= 1'b0;
    end else begin
      seen_q <= slots_hold_o && (seen_q || slots_quiet_i);
      if (!slots_hold_o) slot_waits_q <= '0;
      else if (!seen_q && !slots_quiet_i) slot_waits_q <= slot_waits_q + 1'b1;
    end
  end

  // Cycles for which a write has waited in each phase, and a read in each of its states.
  logic write_in_time, read_in_time;

  always_comb begin
    unique case (phase_q)
      Decode:  write_in_time = write_waits == '0;
      Operand: write_in_time = write_waits == WaitW'(1);
      End:     write_in_time = write_waits == WaitW'(2);
      Diff:    write_in_time = write_waits == WaitW'(3);
      Limit:   write_in_time = write_waits == WaitW'(4);
      Quiet: begin
        if (!seen_q) begin
          write_in_time = write_waits == slot_waits_q + WaitW'(2) && !quiet_q && held_q == (slot_waits_q != '0);
        end else if (!quiet_q) begin
          write_in_time = write_waits == WaitW'(3) && slot_waits_q == '0 && held_q;
        end else begin
          write_in_time = write_waits <= slot_waits_q + WaitW'(4);
        end
      end
      Judge:   write_in_time = write_waits <= WaitW'(SlotsWait + 5);
      Exec:    write_in_time = write_waits <= WaitW'(SlotsWait + 6);
      Answer:  write_in_time = write_waits <= WaitW'(SlotsWait + 7);
      default: write_in_time = 1'b0;
    endcase
    unique case (rd_state_q)
      3'd0:    read_in_time = read_waits <= (phase_q inside {Decode, Exec, Answer} ? '0 : write_waits);
      3'd1:    read_in_time = read_waits <= WaitW'(SlotsWait + 6);
      3'd2:    read_in_time = read_waits <= WaitW'(SlotsWait + 7);
      3'd3:    read_in_time = read_waits <= WaitW'(SlotsWait + 8);
      3'd4:    read_in_time = read_waits <= WaitW'(SlotsWait + 9);
      default: read_in_time = 1'b0;
    endcase
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(slots_become_quiet, slots_hold_o && slot_waits_q == WaitW'(SlotsWait), slots_quiet_i)
      `FV_ASSUME(slots_stay_quiet, slots_hold_o && seen_q, slots_quiet_i)

      `FV_LEMMA(tracked_write, aw == (aw_full_q || b_valid_q) && w == (w_full_q || b_valid_q) &&
                               !(b_valid_q && (aw_full_q || w_full_q)))
      `FV_LEMMA(tracked_read, ar == (ar_full_q || r_valid_q) && !(ar_full_q && r_valid_q))
      `FV_LEMMA(phases, decode_q == (phase_q == Decode) && (phase_q == Decode || (aw_full_q && w_full_q)) &&
                        ((aw_full_q && w_full_q) || b_valid_q || write_waits == '0))
      `FV_LEMMA(slots, slot_waits_q <= WaitW'(SlotsWait) && (!effect_q || phase_q == Exec) &&
                       (slots_we_o == '0 || phase_q == Answer) &&
                       (phase_q != Decode || !slots_hold_o || b_valid_q) && (phase_q != Operand || !slots_hold_o) &&
                       (phase_q != Quiet || (slots_hold_o && needs_slots)))
      `FV_LEMMA(write_phases, b_valid_q || write_in_time)
      `FV_LEMMA(read_states, ar_full_q ? read_in_time : rd_state_q == 3'd0 && (r_valid_q || read_waits == '0))
    end
  end

endmodule

bind kvcpu_csr kvcpu_fv_csr_bus u_fv (
  .*,
  .aw_full_q(u_axil.aw_full_q),
  .w_full_q(u_axil.w_full_q),
  .b_valid_q(u_axil.b_valid_q),
  .ar_full_q(u_axil.ar_full_q),
  .r_valid_q(u_axil.r_valid_q),
  .phase_q(u_check.phase_q),
  .decode_q(u_check.decode_q),
  .effect_q(u_check.effect_q),
  .held_q(u_check.held_q),
  .quiet_q(u_check.quiet_q),
  .needs_slots(u_check.needs_slots),
  .rd_state_q(u_read.rd_state_q)
);
