// Properties of the directory window, kvcpu_bar2: the bus, and what it asks the directory for.

`include "kvcpu_formal.svh"

module kvcpu_fv_bar2
  import kvcpu_pkg::*;
#(
  parameter int unsigned ENTRIES = 65536
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        clear_i,
  input logic        initialised_i,
  input logic        s_axil_awvalid_i,
  input logic        s_axil_awready_o,
  input logic        s_axil_wvalid_i,
  input logic        s_axil_wready_o,
  input logic [1:0]  s_axil_bresp_o,
  input logic        s_axil_bvalid_o,
  input logic        s_axil_bready_i,
  input logic [21:0] s_axil_araddr_i,
  input logic        s_axil_arvalid_i,
  input logic        s_axil_arready_o,
  input logic [63:0] s_axil_rdata_o,
  input logic [1:0]  s_axil_rresp_o,
  input logic        s_axil_rvalid_o,
  input logic        s_axil_rready_i,
  input logic        op_valid_o,
  input logic        op_ready_i,
  input op_t         op_o,
  input logic        rsp_valid_i,
  input rsp_t        rsp_i,

  input logic [2:0]  state_q,
  input logic        fetch_q,
  input logic        aw_full_q,
  input logic        w_full_q,
  input logic        b_valid_q,
  input logic        ar_full_q,
  input logic        r_valid_q,
  input logic [21:0] ar_addr_q,
  input logic [255:0] latch_q,
  input logic [63:0] r_data_q
);

  `FV_RESET

  localparam int unsigned Wait = 3;  // cycles for which the directory lets an operation, or its answer, wait
  localparam int unsigned EntriesW = $clog2(ENTRIES);

  logic       aw, w, ar;
  logic [1:0] ask_waits_q, answer_waits_q;
  logic       asked_q, op_held_q;
  op_t        op_q;
  logic [21:0] addr_q;
  logic [2:0] write_waits;
  logic [3:0] read_waits;

  kvcpu_fv_axil #(
    .WriteWait(3),
    .ReadWait (12)
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

  // The directory: one answer for each operation that it accepts, unless a soft reset takes it away.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      asked_q        <= 1'b0;
      ask_waits_q    <= '0;
      answer_waits_q <= '0;
      op_held_q      <= 1'b0;
    end else begin
      asked_q        <= !clear_i && ((op_valid_o && op_ready_i) || (asked_q && !rsp_valid_i));
      ask_waits_q    <= (op_valid_o && !op_ready_i) ? ask_waits_q + 1'b1 : '0;
      answer_waits_q <= (asked_q && !rsp_valid_i) ? answer_waits_q + 1'b1 : '0;
      op_held_q      <= op_valid_o && !op_ready_i && !clear_i;
    end
  end

  always_ff @(posedge clk_i) begin
    op_q <= op_o;
    if (s_axil_arvalid_i && s_axil_arready_o) addr_q <= s_axil_araddr_i;
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(directory_accepts, op_valid_o && ask_waits_q == Wait, op_ready_i)
      `FV_ASSUME(directory_answers, asked_q && answer_waits_q == Wait, rsp_valid_i)
      `FV_ASSUME(answer_was_asked_for, rsp_valid_i, asked_q)

      `FV_ASSERT(writes_are_refused, s_axil_bvalid_o, s_axil_bresp_o == 2'b10)
      `FV_ASSERT(bad_address_is_refused,
                 s_axil_rvalid_o && (addr_q[2:0] != '0 || addr_q >= 22'(ENTRIES * 32)), s_axil_rresp_o == 2'b10)
      `FV_ASSERT(good_address_is_read,
                 s_axil_rvalid_o && addr_q[2:0] == '0 && addr_q < 22'(ENTRIES * 32), s_axil_rresp_o == 2'b00)
      `FV_ASSERT(request_holds, op_held_q, op_valid_o && op_o == op_q)
      `FV_ASSERT(only_reads, op_valid_o, op_o.op == OpRead && ar && op_o.index == addr_q[20:5])
      `FV_ASSERT(upper_bits_read_0, s_axil_rvalid_o && addr_q[4:3] == 2'd3, s_axil_rdata_o[63:48] == '0)

      `FV_LEMMA(tracked_write, aw == (aw_full_q || b_valid_q) && w == (w_full_q || b_valid_q) &&
                               !(b_valid_q && (aw_full_q || w_full_q)))
      `FV_LEMMA(tracked_read, ar == (ar_full_q || r_valid_q) && !(ar_full_q && r_valid_q) &&
                              (!ar_full_q || addr_q == ar_addr_q) && (state_q == 3'd0 || ar_full_q) && state_q <= 3'd4)
      `FV_LEMMA(tracked_operation, !asked_q || state_q == 3'd3)
      `FV_LEMMA(latch, latch_q[255:240] == '0 && !(r_valid_q && addr_q[4:3] == 2'd3 && r_data_q[63:48] != '0))
    end
  end

endmodule

bind kvcpu_bar2 kvcpu_fv_bar2 #(
  .ENTRIES(ENTRIES)
) u_fv (
  .*,
  .aw_full_q(u_axil.aw_full_q),
  .w_full_q(u_axil.w_full_q),
  .b_valid_q(u_axil.b_valid_q),
  .ar_full_q(u_axil.ar_full_q),
  .r_valid_q(u_axil.r_valid_q),
  .ar_addr_q(u_axil.ar_addr_q),
  .state_q(state_q),
  .r_data_q(u_axil.r_data_q)
);
