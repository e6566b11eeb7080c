// Properties of BAR0's registers, kvcpu_csr: what is refused changes nothing, no interrupt event is lost, the head of a
// queue is popped once. What a write did, and what a read popped, is collected here anew, from its acceptance to its answer.

`include "kvcpu_formal.svh"

module kvcpu_fv_csr
  import kvcpu_pkg::*;
  import kvcpu_regs_map_pkg::*;
#(
  parameter int unsigned PORTS = 3
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        clear_i,
  input logic [15:0] s_axil_awaddr_i,
  input logic        s_axil_awvalid_i,
  input logic        s_axil_awready_o,
  input logic [63:0] s_axil_wdata_i,
  input logic [7:0]  s_axil_wstrb_i,
  input logic        s_axil_wvalid_i,
  input logic        s_axil_wready_o,
  input logic [1:0]  s_axil_bresp_o,
  input logic        s_axil_bvalid_o,
  input logic        s_axil_bready_i,
  input logic [15:0] s_axil_araddr_i,
  input logic        s_axil_arvalid_i,
  input logic        s_axil_arready_o,
  input logic [63:0] s_axil_rdata_o,
  input logic [1:0]  s_axil_rresp_o,
  input logic        s_axil_rvalid_o,
  input logic        s_axil_rready_i,
  input logic        irq_o,
  input cfg_t        cfg_o,
  input logic        step_we_o,
  input logic        cmd_push_o,
  input logic        soft_reset_o,
  input logic [3:0]  slots_we_o,
  input logic        miss_valid_i,
  input kv_addr_t    miss_head_i,
  input logic        miss_pop_o,
  input logic        compl_valid_i,
  input completion_t compl_head_i,
  input logic        compl_pop_o,
  input logic [7:0]  irq_event_i,

  input logic        exec,
  input logic [7:0]  irq_status,
  input logic [7:0]  irq_enable,
  input logic        aw_full_q,
  input logic        w_full_q,
  input logic        b_valid_q,
  input logic        ar_full_q,
  input logic        r_valid_q,
  input logic [15:0] wr_addr,
  input logic [63:0] wr_data,
  input logic        wr_full,
  input logic        wr_step_q,
  input logic [15:0] rd_addr,
  input logic [3:0]  phase_q,
  input logic        aw_is_step_q,
  input logic        thresholds_we,
  input logic        bytes_we,
  input logic        decode_q,
  input logic        bad_q,
  input logic        refused_q,
  input logic        effect_q,
  input logic        evict_selected,
  input logic        prefetch_selected,
  input logic        both_selected,
  input logic [2:0]  rd_state_q,
  input logic        needs_slots,
  input logic        launches,
  input logic        launches_q,
  input logic        dir_q,
  input logic        held_bad_q,
  input logic        check_unmapped,
  input logic [12:3] regs_addr,
  input logic [63:0] regs_rd_data,
  input logic        rd_miss_q,
  input logic        rd_compl_q,
  input logic        miss_take,
  input logic        compl_take,
  input logic [63:0] rd_data_q,
  input logic [12:0] decoded_addr,
  input logic        decoded_req_is_wr
);

  `FV_RESET

  localparam logic [1:0] Okay = 2'b00;
  localparam logic [1:0] Slverr = 2'b10;
  localparam logic [3:0] Decode = 4'd0;
  localparam logic [3:0] Operand = 4'd8;
  localparam logic [3:0] Diff = 4'd9;
  localparam logic [3:0] Judge = 4'd2;
  localparam logic [3:0] Exec = 4'd3;
  localparam logic [3:0] Answer = 4'd4;

  // ---------------------------------------------------------------- the write under way
  logic [15:0] addr_q;
  logic [63:0] data_q;
  logic [7:0]  strb_q;
  logic        written, is_step, malformed, unmapped;

  assign written = aw_full_q && w_full_q;

  always_ff @(posedge clk_i) begin
    if (s_axil_awvalid_i && s_axil_awready_o) addr_q <= s_axil_awaddr_i;
    if (s_axil_wvalid_i && s_axil_wready_o) begin
      data_q <= s_axil_wdata_i;
      strb_q <= s_axil_wstrb_i;
    end
  end

  assign is_step   = addr_q inside {AddrStepAdvance, AddrStepAdvanceAlias};
  assign malformed = !(&strb_q) || addr_q[2:0] != '0 || addr_q[15:13] != '0;
  always_comb begin
    unmapped = !Writable[addr_q[12:3]];
    for (int unsigned i = PORTS; i < MaxPorts; i++) begin
      unmapped |= addr_q == AddrPortReqLo[i] || addr_q == AddrPortReqHi[i];
    end
  end

  // Whatever a write may do.
  cfg_t       cfg_q;
  logic [7:0] status_q;
  logic       acts, acted_q, clear_q, irq_write, irq_write_q, settled_q;
  logic [7:0] fell;

  assign fell = status_q & ~irq_status;
  assign acts = exec || step_we_o || cmd_push_o || soft_reset_o || slots_we_o != '0 ||
                (settled_q && cfg_o != cfg_q) || (fell != '0 && !clear_q);
  assign irq_write = phase_q == Exec && addr_q == AddrIrqStatus;

  logic [7:0] irq_data_q, event_q, event_qq;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      acted_q     <= 1'b0;
      settled_q   <= 1'b0;
      status_q    <= '0;
      clear_q     <= 1'b0;
      irq_write_q <= 1'b0;
      event_q     <= '0;
      event_qq    <= '0;
    end else begin
      acted_q     <= !(s_axil_bvalid_o && s_axil_bready_i) && (acted_q || acts);
      settled_q   <= 1'b1;
      status_q    <= irq_status;
      clear_q     <= clear_i;
      irq_write_q <= irq_write;
      event_q     <= clear_i ? '0 : irq_event_i;
      event_qq    <= clear_i ? '0 : event_q;
    end
  end

  always_ff @(posedge clk_i) begin
    cfg_q      <= cfg_o;
    irq_data_q <= data_q[7:0];
  end

  // ---------------------------------------------------------------- the read under way
  logic [15:0] raddr_q;
  logic [1:0]  miss_pops_q, compl_pops_q;
  kv_addr_t    miss_q, compl_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      miss_pops_q  <= '0;
      compl_pops_q <= '0;
    end else if (s_axil_rvalid_o && s_axil_rready_i) begin
      miss_pops_q  <= '0;
      compl_pops_q <= '0;
    end else begin
      if (miss_pop_o && miss_pops_q != 2'd3) miss_pops_q <= miss_pops_q + 1'b1;
      if (compl_pop_o && compl_pops_q != 2'd3) compl_pops_q <= compl_pops_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (s_axil_arvalid_i && s_axil_arready_o) raddr_q <= s_axil_araddr_i;
    if (miss_pop_o) miss_q <= miss_head_i;
    if (compl_pop_o) compl_q <= compl_head_i.kv_addr;
  end

  logic refused, reads;
  assign refused = s_axil_bvalid_o && s_axil_bresp_o == Slverr;
  assign reads   = s_axil_rvalid_o && s_axil_rresp_o == Okay;

  // What is on its way through the register block, once it is sampled: the head that was popped, or 0.
  localparam logic [2:0] Ask = 3'd1;
  localparam logic [2:0] Sample = 3'd2;
  localparam logic [2:0] Pick = 3'd3;
  localparam logic [2:0] Return = 3'd4;

  logic is_miss, is_compl;
  assign is_miss  = raddr_q == AddrMissAddr;
  assign is_compl = raddr_q == AddrCompletionAddr;

  function automatic logic brings(logic [63:0] data);
    return (!is_miss || (miss_pops_q == '0 ? data == '0 : miss_pops_q == 2'd1 && data == miss_q)) &&
           (!is_compl || (compl_pops_q == '0 ? data == '0 : compl_pops_q == 2'd1 && data == compl_q)) &&
           (is_miss || miss_pops_q == '0) && (is_compl || compl_pops_q == '0);
  endfunction

  always_comb begin
    if (rst_ni) begin
      `FV_ASSERT(refused_changes_nothing, refused, !acted_q)
      `FV_ASSERT(nothing_changes_without_a_write, !written && !s_axil_bvalid_o, !acts && !acted_q)
      `FV_ASSERT(malformed_is_refused, s_axil_bvalid_o && malformed, refused)
      `FV_ASSERT(unmapped_is_refused, s_axil_bvalid_o && unmapped, refused)
      `FV_ASSERT(thresholds_in_order, cfg_o.evict_thresh != '0, cfg_o.evict_thresh <= cfg_o.prefetch_thresh)
      `FV_ASSERT(no_event_is_lost, event_qq != '0, (event_qq & ~irq_status) == '0)
      `FV_ASSERT(event_stays, fell != '0, clear_q || (irq_write_q && (fell & ~irq_data_q) == '0))
      `FV_ASSERT(write_1_clears, irq_write_q && irq_data_q != '0, (irq_status & irq_data_q & ~event_qq) == '0)
      `FV_ASSERT(level_of_the_interrupt, irq_status != '0, irq_o == ((irq_status & irq_enable) != '0))
      `FV_ASSERT(no_interrupt_without_event, irq_status == '0, !irq_o)
      `FV_ASSERT(miss_pops_once, reads && raddr_q == AddrMissAddr,
                 miss_pops_q == '0 ? s_axil_rdata_o == '0 : miss_pops_q == 2'd1 && s_axil_rdata_o == miss_q)
      `FV_ASSERT(completion_pops_once, reads && raddr_q == AddrCompletionAddr,
                 compl_pops_q == '0 ? s_axil_rdata_o == '0 : compl_pops_q == 2'd1 && s_axil_rdata_o == compl_q)
      `FV_ASSERT(other_reads_pop_nothing, s_axil_rvalid_o,
                 (raddr_q == AddrMissAddr || miss_pops_q == '0) &&
                 (raddr_q == AddrCompletionAddr || compl_pops_q == '0))
      `FV_ASSERT(no_pop_without_a_read, miss_pop_o || compl_pop_o,
                 ar_full_q && (miss_valid_i || !miss_pop_o) && (compl_valid_i || !compl_pop_o))

      `FV_LEMMA(bus, !(b_valid_q && (aw_full_q || w_full_q)) && !(ar_full_q && r_valid_q) &&
                     decode_q == (phase_q == Decode) && (phase_q == Decode || written) &&
                     (settled_q || !(aw_full_q || w_full_q || b_valid_q || acted_q)))
      `FV_LEMMA(write_held, ((!aw_full_q && !b_valid_q) || addr_q == wr_addr) &&
                            ((!w_full_q && !b_valid_q) || (data_q == wr_data && wr_full == &strb_q)))
      `FV_LEMMA(read_held, (!ar_full_q && !r_valid_q) || raddr_q == rd_addr)
      `FV_LEMMA(step, (!wr_step_q || (written && is_step && &strb_q)) && (!aw_full_q || aw_is_step_q == is_step))
      `FV_LEMMA(acted, !acted_q || (phase_q inside {Operand, Judge} && is_step && !bad_q && !malformed) ||
                       (phase_q inside {Exec, Answer} && !refused_q) || (b_valid_q && s_axil_bresp_o == Okay))
      `FV_LEMMA(effect, effect_q == (phase_q == Exec) && (phase_q == Exec || !(thresholds_we || bytes_we)) &&
                         (phase_q != Exec || !refused_q))
      `FV_LEMMA(bad, (phase_q == Decode || !malformed || bad_q) && (phase_q inside {Decode, Operand} || !unmapped || bad_q) &&
                     (!(phase_q == Exec) || (!malformed && !unmapped)) &&
                     (!(phase_q == Answer) || !(malformed || unmapped) || refused_q))
      `FV_LEMMA(thresholds, cfg_o.evict_thresh <= cfg_o.prefetch_thresh &&
                            (phase_q inside {Decode, Operand, Answer} || bad_q ||
                             ((!evict_selected || data_q[15:0] <= cfg_o.prefetch_thresh) &&
                              (!prefetch_selected || cfg_o.evict_thresh <= data_q[15:0]) &&
                              (!both_selected || data_q[15:0] <= data_q[31:16]))))
      `FV_LEMMA(selected, phase_q == Decode ||
                          (check_unmapped == unmapped && evict_selected == (addr_q == AddrEvictThresh) &&
                           prefetch_selected == (addr_q == AddrPrefetchThresh) &&
                           both_selected == (addr_q == AddrThresholds) &&
                           (!is_step || (!launches && !needs_slots))))
      `FV_LEMMA(judged, phase_q != Judge || (regs_addr == addr_q[12:3] &&
                                            (!is_step || (!held_bad_q && !launches_q && !dir_q))))
      `FV_LEMMA(asked, rd_state_q != Ask || phase_q inside {Decode, Diff, Exec, Answer})  // no write in the next cycle
      `FV_LEMMA(decoded, decoded_req_is_wr == (phase_q == Exec) &&
                         (phase_q != Exec || decoded_addr == {addr_q[12:3], 3'b000}) &&
                         (rd_state_q != Sample || decoded_addr == {raddr_q[12:3], 3'b000}))
      `FV_LEMMA(read_way, (rd_state_q < Ask || (rd_miss_q == is_miss && rd_compl_q == is_compl)) &&
                          (rd_state_q != Ask || regs_addr == raddr_q[12:3]) &&
                          miss_take == (rd_state_q == Sample && is_miss) &&
                          compl_take == (rd_state_q == Sample && is_compl))
      `FV_LEMMA(read_data, (rd_state_q != Pick || brings(regs_rd_data)) && (rd_state_q != Return || brings(rd_data_q)))
      `FV_LEMMA(pops, ((ar_full_q && rd_state_q > 3'd2) || r_valid_q || (miss_pops_q == '0 && compl_pops_q == '0)) &&
                      (ar_full_q || rd_state_q == '0) && rd_state_q <= 3'd4)
    end
  end

endmodule

bind kvcpu_csr kvcpu_fv_csr #(
  .PORTS(PORTS)
) u_fv (
  .*,
  .needs_slots(u_check.needs_slots),
  .launches(u_check.launches),
  .launches_q(u_check.launches_q),
  .dir_q(u_check.dir_q),
  .held_bad_q(u_check.held_bad_q),
  .check_unmapped(u_check.unmapped),
  .rd_miss_q(u_read.rd_miss_q),
  .rd_compl_q(u_read.rd_compl_q),
  .rd_data_q(u_read.rd_data_q),
  .decoded_addr(u_regs.decoded_addr),
  .decoded_req_is_wr(u_regs.decoded_req_is_wr),
  .irq_enable(hwif_out.IRQ_ENABLE.EVENTS.value),
  .aw_full_q(u_axil.aw_full_q),
  .w_full_q(u_axil.w_full_q),
  .b_valid_q(u_axil.b_valid_q),
  .ar_full_q(u_axil.ar_full_q),
  .r_valid_q(u_axil.r_valid_q),
  .phase_q(u_check.phase_q),
  .decode_q(u_check.decode_q),
  .bad_q(u_check.bad_q),
  .refused_q(u_check.refused_q),
  .effect_q(u_check.effect_q),
  .thresholds_we(u_check.thresholds_we_o),
  .bytes_we(u_check.bytes_we_o),
  .evict_selected(u_check.sel_q.evict_thresh),
  .prefetch_selected(u_check.sel_q.prefetch_thresh),
  .both_selected(u_check.sel_q.thresholds),
  .rd_state_q(u_read.rd_state_q)
);
