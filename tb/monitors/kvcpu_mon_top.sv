// Monitor of the device, bound into kvcpu: configuration, commands and their results, completions, queues that software
// pops, interrupts, errors.

module kvcpu_mon_top (
  /// Clock.
  input logic                   clk_i,
  /// Reset, active low.
  input logic                   rst_ni,
  /// Soft reset: clear.
  input logic                   clear_i,
  /// Configuration.
  input kvcpu_pkg::cfg_t        cfg_i,
  /// A command enters the command queue.
  input logic                   push_i,
  /// The command.
  input kvcpu_pkg::cmd_t        cmd_i,
  /// A command is done.
  input logic                   cmd_done_i,
  /// Result of the last directory command.
  input kvcpu_pkg::dir_result_t result_i,
  /// A launch was refused because the queue was full.
  input logic                   refused_i,
  /// A completion.
  input logic                   compl_valid_i,
  /// The completion.
  input kvcpu_pkg::completion_t compl_i,
  /// The completion queue is full: dropped.
  input logic                   compl_drop_i,
  /// The completion queue's head is popped.
  input logic                   compl_pop_i,
  /// The miss queue's head is popped.
  input logic                   miss_pop_i,
  /// The miss queue is full: dropped.
  input logic                   miss_drop_i,
  /// An AXI error.
  input logic                   err_valid_i,
  /// Its block.
  input kvcpu_pkg::kv_addr_t    err_kv_addr_i,
  /// Its channel.
  input logic                   err_channel_i,
  /// Its side.
  input logic                   err_write_i,
  /// Interrupt events.
  input logic [7:0]             irq_event_i,
  /// Interrupt output.
  input logic                   irq_i,
  /// Parity errors counted in this cycle.
  input logic [5:0]             parity_i,
  /// Index of one of them.
  input logic [15:0]            parity_index_i
);
  import kvcpu_pkg::*;
  import kvcpu_events_pkg::*;

  // ------------------------------------------------------------------ configuration
  cfg_t prev_q;
  logic known_q, irq_q;
  initial begin
    known_q = 1'b0;
    irq_q = 1'b0;
  end

  function automatic void field(config_field_e id, int instance_no, longint now, longint was);
    if (!known_q || now != was) record_config('{field: id, instance_no: 8'(instance_no), value: now});
  endfunction

  function automatic void config_fields();
    field(CfgEnable, 0, 64'(cfg_i.enable), 64'(prev_q.enable));
    field(CfgDemand, 0, 64'(cfg_i.demand), 64'(prev_q.demand));
    field(CfgContendPolicy, 0, 64'(cfg_i.contend_policy), 64'(prev_q.contend_policy));
    field(CfgWR, 0, 64'(cfg_i.w_r), 64'(prev_q.w_r));
    field(CfgWF, 0, 64'(cfg_i.w_f), 64'(prev_q.w_f));
    field(CfgWS, 0, 64'(cfg_i.w_s), 64'(prev_q.w_s));
    field(CfgWD, 0, 64'(cfg_i.w_d), 64'(prev_q.w_d));
    field(CfgEvictThresh, 0, 64'(cfg_i.evict_thresh), 64'(prev_q.evict_thresh));
    field(CfgPrefetchThresh, 0, 64'(cfg_i.prefetch_thresh), 64'(prev_q.prefetch_thresh));
    field(CfgRShift, 0, 64'(cfg_i.r_shift), 64'(prev_q.r_shift));
    field(CfgFAge, 0, 64'(cfg_i.f_age), 64'(prev_q.f_age));
    field(CfgLookahead, 0, 64'(cfg_i.lookahead), 64'(prev_q.lookahead));
    field(CfgHold, 0, 64'(cfg_i.hold), 64'(prev_q.hold));
    field(CfgPromoteTier, 0, 64'(cfg_i.promote_tier), 64'(prev_q.promote_tier));
    field(CfgEvictTiers, 0, 64'(cfg_i.evict_tiers), 64'(prev_q.evict_tiers));
    field(CfgMaxRetry, 0, 64'(cfg_i.max_retry), 64'(prev_q.max_retry));
    field(CfgBlockBytes, 0, 64'(cfg_i.block_bytes), 64'(prev_q.block_bytes));
    for (int i = 0; i < int'(MaxPorts); i++) begin
      field(CfgReqLo, i, 64'(cfg_i.req_lo[i]), 64'(prev_q.req_lo[i]));
      field(CfgReqHi, i, 64'(cfg_i.req_hi[i]), 64'(prev_q.req_hi[i]));
    end
    for (int i = 0; i < int'(TierCount); i++) begin
      field(CfgBase, i, cfg_i.base[i], prev_q.base[i]);
      field(CfgSlots, i, 64'(cfg_i.slots[i]), 64'(prev_q.slots[i]));
      field(CfgReserve, i, 64'(cfg_i.reserve[i]), 64'(prev_q.reserve[i]));
      field(CfgLow, i, 64'(cfg_i.low[i]), 64'(prev_q.low[i]));
      field(CfgHigh, i, 64'(cfg_i.high[i]), 64'(prev_q.high[i]));
    end
  endfunction

  // ------------------------------------------------------------------ results are valid from the cycle after cmd_done
  logic done_q;
  initial done_q = 1'b0;

  always @(posedge clk_i) begin
    known_q <= rst_ni;
    prev_q <= cfg_i;
    irq_q <= rst_ni && irq_i;
    done_q <= rst_ni && !clear_i && cmd_done_i;
    if (rst_ni) begin
      if (!known_q || cfg_i != prev_q) config_fields();
      if (irq_i != irq_q) record_irq_level('{level: irq_i});
    end
    if (rst_ni && !clear_i) begin
      if (push_i) begin
        record_command('{
          cmd: cmd_i.cmd,
          kv_addr: cmd_i.kv_addr,
          length: cmd_i.len,
          step: cmd_i.step,
          token_end: cmd_i.token_end,
          layers: cmd_i.span_layers,
          heads: cmd_i.span_heads,
          tier: cmd_i.tier,
          prefix: cmd_i.prefix,
          hot: cmd_i.hot,
          touch: cmd_i.touch
        });
      end
      if (cmd_done_i) record_cmd_done();
      if (done_q) begin
        record_result('{
          status: result_i.status,
          tier: result_i.tier,
          index: result_i.index,
          phys_addr: result_i.phys_addr,
          removed: result_i.removed,
          stayed: result_i.stayed
        });
      end
      if (refused_i) record_cmd_refused();
      if (compl_valid_i) begin
        record_completion('{
          kv_addr: compl_i.kv_addr,
          status: compl_i.status,
          from_tier: compl_i.from,
          to_tier: compl_i.to,
          dropped: compl_drop_i
        });
      end
      if (compl_pop_i) record_compl_pop();
      if (miss_pop_i) record_miss_pop();
      if (miss_drop_i) record_miss_drop();
      if (err_valid_i) begin
        record_dma_error('{channel: err_channel_i, on_write: err_write_i, kv_addr: err_kv_addr_i});
      end
      if (irq_event_i != '0) record_irq('{events: irq_event_i});
      if (parity_i != '0) record_parity('{entries: parity_i, index: parity_index_i});
    end
  end
endmodule
