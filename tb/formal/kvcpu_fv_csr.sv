// Properties of the registers, kvcpu_csr: the bus, refused writes, interrupt events, heads of queues.

`include "kvcpu_formal.svh"

module kvcpu_fv_csr
  import kvcpu_pkg::*;
  import kvcpu_regs_map_pkg::*;
(
  input logic                 clk_i,
  input logic                 rst_ni,
  input logic                 clear_i,
  input logic [15:0]          s_axil_awaddr_i,
  input logic                 s_axil_awvalid_i,
  input logic                 s_axil_awready_o,
  input logic [63:0]          s_axil_wdata_i,
  input logic [7:0]           s_axil_wstrb_i,
  input logic                 s_axil_wvalid_i,
  input logic                 s_axil_wready_o,
  input logic [1:0]           s_axil_bresp_o,
  input logic                 s_axil_bvalid_o,
  input logic                 s_axil_bready_i,
  input logic [15:0]          s_axil_araddr_i,
  input logic                 s_axil_arvalid_i,
  input logic                 s_axil_arready_o,
  input logic [63:0]          s_axil_rdata_o,
  input logic [1:0]           s_axil_rresp_o,
  input logic                 s_axil_rvalid_o,
  input logic                 s_axil_rready_i,
  input logic                 irq_o,
  input cfg_t                 cfg_o,
  input logic                 step_we_o,
  input logic                 cmd_push_o,
  input logic                 cmd_refused_o,
  input logic                 soft_reset_o,
  input logic [TierCount-1:0] slots_we_o,
  input logic                 slots_hold_o,
  input logic                 slots_quiet_i,
  input logic                 miss_valid_i,
  input kv_addr_t             miss_head_i,
  input logic                 miss_pop_o,
  input logic                 compl_valid_i,
  input completion_t          compl_head_i,
  input logic                 compl_pop_o,
  input logic [7:0]           irq_event_i,

  input logic [7:0]           irq_status,
  input logic [7:0]           irq_enable_i,
  input logic                 aw_full_q,
  input logic                 w_full_q,
  input logic                 b_valid_q,
  input logic                 ar_full_q,
  input logic                 r_valid_q,
  input logic [15:0]          aw_addr_q,
  input logic [63:0]          w_data_q,
  input logic                 w_strobed_q,
  input logic [15:0]          ar_addr_q
);

  `FV_RESET

  localparam int unsigned Wait = 3;  // cycles until the slots are quiet
  localparam logic [1:0] Okay = 2'b00;
  localparam logic [1:0] Slverr = 2'b10;

  logic        aw, w, ar;
  logic [4:0]  write_waits;
  logic [4:0]  read_waits;
  logic [1:0]  quiet_waits_q;

  kvcpu_fv_axil #(
    .WriteWait(18),
    .ReadWait (16)
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

  // ---------------------------------------------------------------- the write and the read that are under way
  logic [15:0] waddr_q, raddr_q;
  logic [63:0] wdata_q;
  logic        wfull_q;
  cfg_t        cfg_q;          // as it was when the write became whole, or ended
  logic        effect_q;       // it had an effect outside of the configuration
  logic        effect;
  logic        popped_miss_q, popped_compl_q;  // in this read
  logic [63:0] popped_q;
  logic        whole;

  assign whole  = aw && w;
  assign effect = step_we_o || cmd_push_o || soft_reset_o || slots_we_o != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      effect_q       <= 1'b0;
      popped_miss_q  <= 1'b0;
      popped_compl_q <= 1'b0;
      quiet_waits_q  <= '0;
    end else begin
      effect_q       <= whole && !(s_axil_bvalid_o && s_axil_bready_i) && (effect_q || effect);
      popped_miss_q  <= ar && !(s_axil_rvalid_o && s_axil_rready_i) && (popped_miss_q || miss_pop_o);
      popped_compl_q <= ar && !(s_axil_rvalid_o && s_axil_rready_i) && (popped_compl_q || compl_pop_o);
      quiet_waits_q  <= (slots_hold_o && !slots_quiet_i) ? quiet_waits_q + 1'b1 : '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (s_axil_awvalid_i && s_axil_awready_o) waddr_q <= s_axil_awaddr_i;
    if (s_axil_wvalid_i && s_axil_wready_o) begin
      wdata_q <= s_axil_wdata_i;
      wfull_q <= &s_axil_wstrb_i;
    end
    if (s_axil_arvalid_i && s_axil_arready_o) raddr_q <= s_axil_araddr_i;
    if (miss_pop_o) popped_q <= miss_head_i;
    if (compl_pop_o) popped_q <= compl_head_i.kv_addr;
    if (!whole) cfg_q <= cfg_o;
  end

  // ---------------------------------------------------------------- interrupts
  logic [7:0] event_q, event_qq, status_q, cleared_q;
  logic       quiet_q, quiet_qq;  // no soft reset in the last cycle, and in the one before

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      event_q   <= '0;
      event_qq  <= '0;
      status_q  <= '0;
      quiet_q   <= 1'b1;
      quiet_qq  <= 1'b1;
      cleared_q <= '0;
    end else begin
      event_q   <= clear_i ? '0 : irq_event_i;
      event_qq  <= clear_i ? '0 : event_q;
      status_q  <= clear_i ? '0 : irq_status;
      quiet_q   <= !clear_i;
      quiet_qq  <= quiet_q;
      cleared_q <= (whole && waddr_q == AddrIrqStatus) ? wdata_q[7:0] : '0;
    end
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(slots_become_quiet, slots_hold_o && quiet_waits_q == Wait, slots_quiet_i)

      `FV_ASSERT(partial_write_is_refused, s_axil_bvalid_o && !wfull_q, s_axil_bresp_o == Slverr)
      `FV_ASSERT(unaligned_write_is_refused, s_axil_bvalid_o && waddr_q[2:0] != '0, s_axil_bresp_o == Slverr)
      `FV_ASSERT(unmapped_write_is_refused, s_axil_bvalid_o && waddr_q >= 16'h2000, s_axil_bresp_o == Slverr)
      `FV_ASSERT(unaligned_read_is_refused, s_axil_rvalid_o && raddr_q[2:0] != '0, s_axil_rresp_o == Slverr)
      `FV_ASSERT(unmapped_read_is_refused, s_axil_rvalid_o && raddr_q >= 16'h2000, s_axil_rresp_o == Slverr)
      `FV_ASSERT(refused_write_changes_nothing, s_axil_bvalid_o && s_axil_bresp_o == Slverr,
                 cfg_o == cfg_q && !effect_q && !effect)
      `FV_ASSERT(configuration_changes_by_writes, !whole, cfg_o == cfg_q)

      `FV_ASSERT(event_is_kept, (event_qq != '0) && quiet_q, (irq_status & event_qq) == event_qq)
      `FV_ASSERT(status_goes_by_its_write, (status_q & ~irq_status) != '0,
                 (status_q & ~irq_status & ~cleared_q) == '0)
      `FV_ASSERT(interrupt, (irq_status & irq_enable_i) != '0, irq_o)
      `FV_ASSERT(no_interrupt, (irq_status & irq_enable_i) == '0, !irq_o)

      `FV_ASSERT(miss_pops_by_its_read, miss_pop_o, ar && raddr_q == AddrMissAddr && miss_valid_i)
      `FV_ASSERT(miss_pops_once, popped_miss_q, !miss_pop_o)
      `FV_ASSERT(completion_pops_by_its_read, compl_pop_o, ar && raddr_q == AddrCompletionAddr && compl_valid_i)
      `FV_ASSERT(completion_pops_once, popped_compl_q, !compl_pop_o)
      `FV_ASSERT(popped_head_is_read, s_axil_rvalid_o && (popped_miss_q || popped_compl_q),
                 s_axil_rresp_o == Okay && s_axil_rdata_o == popped_q)

      `FV_LEMMA(tracked_write, aw == (aw_full_q || b_valid_q) && w == (w_full_q || b_valid_q) &&
                               !(b_valid_q && (aw_full_q || w_full_q)) &&
                               (!aw_full_q || waddr_q == aw_addr_q) &&
                               (!w_full_q || (wdata_q == w_data_q && wfull_q == w_strobed_q)))
      `FV_LEMMA(tracked_read, ar == (ar_full_q || r_valid_q) && !(ar_full_q && r_valid_q) &&
                              (!ar_full_q || raddr_q == ar_addr_q))
    end
  end

endmodule

bind kvcpu_csr kvcpu_fv_csr u_fv (
  .*,
  .irq_enable_i(hwif_out.IRQ_ENABLE.EVENTS.value),
  .aw_full_q(u_axil.aw_full_q),
  .w_full_q(u_axil.w_full_q),
  .b_valid_q(u_axil.b_valid_q),
  .ar_full_q(u_axil.ar_full_q),
  .r_valid_q(u_axil.r_valid_q),
  .aw_addr_q(u_axil.aw_addr_q),
  .w_data_q(u_axil.w_data_q),
  .w_strobed_q(u_axil.w_strobed_q),
  .ar_addr_q(u_axil.ar_addr_q)
);
