/// Testbench top of BAR0: Python drives the bus and everything around the block; the miss and the completion queue
/// are the device's own.
module tb_csr_top
  import kvcpu_pkg::*;
#(
  /// See kvcpu_csr.
  parameter int unsigned ENTRIES = 1024,
  /// See kvcpu_csr.
  parameter int unsigned LANES = 4,
  /// See kvcpu_csr.
  parameter int unsigned PORTS = 3,
  /// See kvcpu_csr.
  parameter int unsigned BLOCK_TOKENS = 16,
  /// See kvcpu_csr.
  parameter int unsigned AXI_DATA_WIDTH = 64,
  /// See kvcpu_csr.
  parameter int unsigned CLOCK_MHZ = 125
);
  logic        clk;
  logic        rst_n;
  logic [63:0] cycle;
  logic        hold_reset;  // a reset of the test's own

  logic [15:0] awaddr, araddr;
  logic        awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;
  logic [63:0] wdata, rdata;
  logic [7:0]  wstrb;
  logic [1:0]  bresp, rresp;

  logic        clear, irq, step_we, cmd_push, cmd_refused, soft_reset, slots_hold, slots_quiet;
  logic [31:0] step, current_step, scan_cycles, first_decision_cycles;
  logic [3:0]  slots_we, unused;
  logic        initialised, idle, scanning, cmd_full, dir_busy;
  logic [4:0]  cmd_pending;
  logic [13:0] q_level;
  logic [7:0]  irq_event;
  logic        err_channel, err_write;
  logic [63:0] err_kv_addr;
  logic [15:0] parity_index;
  logic [67:0] free;
  logic [50:0] auto_thresh;
  logic [2:0]  pressure;

  logic [$bits(cfg_t)-1:0]        cfg;
  logic [$bits(cmd_t)-1:0]        cmd;
  logic [$bits(dir_result_t)-1:0] dir_result;
  logic [$bits(counters_t)-1:0]   counters;

  logic        miss_push, miss_pop, miss_valid, miss_drop;
  logic [63:0] miss_item, miss_head;
  logic [6:0]  miss_level;
  logic                           compl_push, compl_pop, compl_valid, compl_drop;
  logic [$bits(completion_t)-1:0] compl_item, compl_head;
  logic [6:0]                     compl_level;

  tb_clock u_clock (
    .clk_o  (clk),
    .rst_no (rst_n),
    .cycle_o(cycle)
  );

  logic rst_n_dut;
  assign rst_n_dut = rst_n && !hold_reset;

  kvcpu_fifo_queue #(.Width(64), .Depth(64)) u_miss (
    .clk_i(clk), .rst_ni(rst_n_dut), .clear_i(clear),
    .push_i(miss_push), .data_i(miss_item), .drop_o(miss_drop),
    .valid_o(miss_valid), .data_o(miss_head), .pop_i(miss_pop), .level_o(miss_level)
  );

  kvcpu_fifo_queue #(.Width($bits(completion_t)), .Depth(64)) u_compl (
    .clk_i(clk), .rst_ni(rst_n_dut), .clear_i(clear),
    .push_i(compl_push), .data_i(compl_item), .drop_o(compl_drop),
    .valid_o(compl_valid), .data_o(compl_head), .pop_i(compl_pop), .level_o(compl_level)
  );

  kvcpu_csr #(
    .ENTRIES(ENTRIES), .LANES(LANES), .PORTS(PORTS), .BLOCK_TOKENS(BLOCK_TOKENS),
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH), .CLOCK_MHZ(CLOCK_MHZ)
  ) u_csr (
    .clk_i(clk), .rst_ni(rst_n_dut), .clear_i(clear),
    .s_axil_awaddr_i(awaddr), .s_axil_awvalid_i(awvalid), .s_axil_awready_o(awready),
    .s_axil_wdata_i(wdata), .s_axil_wstrb_i(wstrb), .s_axil_wvalid_i(wvalid),
    .s_axil_wready_o(wready), .s_axil_bresp_o(bresp), .s_axil_bvalid_o(bvalid),
    .s_axil_bready_i(bready), .s_axil_araddr_i(araddr), .s_axil_arvalid_i(arvalid),
    .s_axil_arready_o(arready), .s_axil_rdata_o(rdata), .s_axil_rresp_o(rresp),
    .s_axil_rvalid_o(rvalid), .s_axil_rready_i(rready),
    .irq_o(irq), .cfg_o(cfg), .step_we_o(step_we), .step_o(step), .cmd_push_o(cmd_push),
    .cmd_o(cmd), .cmd_refused_o(cmd_refused), .soft_reset_o(soft_reset), .slots_we_o(slots_we),
    .slots_hold_o(slots_hold), .slots_quiet_i(slots_quiet), .unused_i(unused),
    .initialised_i(initialised), .idle_i(idle), .scanning_i(scanning), .cmd_full_i(cmd_full),
    .dir_busy_i(dir_busy), .cmd_pending_i(cmd_pending), .dir_result_i(dir_result),
    .current_step_i(current_step), .q_level_i(q_level),
    .miss_level_i(miss_level), .miss_valid_i(miss_valid), .miss_head_i(miss_head),
    .miss_pop_o(miss_pop),
    .compl_level_i(compl_level), .compl_valid_i(compl_valid), .compl_head_i(compl_head),
    .compl_pop_o(compl_pop),
    .irq_event_i(irq_event), .err_kv_addr_i(err_kv_addr), .err_channel_i(err_channel),
    .err_write_i(err_write), .parity_index_i(parity_index), .free_i(free),
    .auto_thresh_i(auto_thresh), .pressure_i(pressure), .scan_cycles_i(scan_cycles),
    .first_decision_cycles_i(first_decision_cycles), .counters_i(counters)
  );

  // The directory's own step: STEP_ADVANCE is read back from it.
  always_ff @(posedge clk or negedge rst_n_dut) begin
    if (!rst_n_dut) current_step <= '0;
    else if (step_we) current_step <= step;
  end

  // What happened, for checks that come later: each count of a pulse and the value with the last one.
  logic [31:0] steps_seen, pushes_seen, refused_seen, soft_resets_seen, slots_we_seen;
  logic [63:0] step_cycle, write_cycle, aw_cycle, w_cycle;
  logic [$bits(cmd_t)-1:0] last_cmd;
  always_ff @(posedge clk or negedge rst_n_dut) begin
    if (!rst_n_dut) begin
      steps_seen       <= '0;
      pushes_seen      <= '0;
      refused_seen     <= '0;
      soft_resets_seen <= '0;
      slots_we_seen    <= '0;
      step_cycle       <= '0;
      aw_cycle         <= '0;
      w_cycle          <= '0;
      last_cmd         <= '0;
    end else begin
      steps_seen       <= steps_seen + 32'(step_we);
      pushes_seen      <= pushes_seen + 32'(cmd_push);
      refused_seen     <= refused_seen + 32'(cmd_refused);
      soft_resets_seen <= soft_resets_seen + 32'(soft_reset);
      slots_we_seen    <= slots_we_seen + 32'($countones(slots_we));
      if (step_we) step_cycle <= cycle;
      if (awvalid && awready) aw_cycle <= cycle;
      if (wvalid && wready) w_cycle <= cycle;
      if (cmd_push) last_cmd <= cmd;
    end
  end
  assign write_cycle = (aw_cycle > w_cycle) ? aw_cycle : w_cycle;

  default clocking cb @(posedge clk);
  endclocking
  default disable iff (!rst_n_dut);

  b_holds : assert property (bvalid && !bready |=> bvalid && $stable(bresp))
    else $error("BAR0 B: expected the response held until ready, seen it change");
  r_holds : assert property (rvalid && !rready |=> rvalid && $stable(rresp) && $stable(rdata))
    else $error("BAR0 R: expected response and data held until ready, seen them change");
  b_legal : assert property (bvalid |-> bresp inside {2'b00, 2'b10})
    else $error("BAR0 B: expected OKAY or SLVERR, seen %b", bresp);
  r_legal : assert property (rvalid |-> rresp inside {2'b00, 2'b10})
    else $error("BAR0 R: expected OKAY or SLVERR, seen %b", rresp);
  r_zero : assert property (rvalid && rresp != 2'b00 |-> rdata == '0)
    else $error("BAR0 R: expected data 0 with SLVERR, seen %h", rdata);
  slots_quietly : assert property (slots_we != '0 |-> slots_hold)
    else $error("SLOTS: expected its change while slots_hold, seen it without");
  miss_pops : assert property (miss_pop |-> miss_valid)
    else $error("miss queue: expected no pop while it is empty, seen one");
  compl_pops : assert property (compl_pop |-> compl_valid)
    else $error("completion queue: expected no pop while it is empty, seen one");

  initial begin
    hold_reset = 1'b0;
    {awaddr, araddr, awvalid, wvalid, bready, arvalid, rready, wdata, wstrb} = '0;
    {clear, scan_cycles, first_decision_cycles, idle, scanning, cmd_full, dir_busy} = '0;
    {cmd_pending, q_level, irq_event, err_channel, err_write, err_kv_addr} = '0;
    {parity_index, free, auto_thresh, pressure, dir_result, counters} = '0;
    {miss_push, miss_item, compl_push, compl_item} = '0;
    slots_quiet = 1'b1;
    unused      = '1;
    initialised = 1'b1;
  end
endmodule
