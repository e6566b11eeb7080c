// Binds the monitors into the device, but for those of the directory (kvcpu_bind_rtbd.sv). Nothing in rtl/ knows of them.

bind kvcpu kvcpu_mon_top u_mon (
  .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear), .cfg_i(cfg), .push_i(u_host.cmd_push), .cmd_i(u_host.cmd),
  .cmd_done_i(u_host.cmd_done), .result_i(u_host.dir_result), .refused_i(u_host.cmd_refused),
  .compl_valid_i(compl_valid), .compl_i(compl_item), .compl_drop_i(u_host.compl_drop),
  .compl_pop_i(u_host.compl_pop), .miss_pop_i(u_host.miss_pop), .miss_drop_i(u_host.u_queues.miss_drop),
  .err_valid_i(err_valid), .err_kv_addr_i(err_kv_addr), .err_channel_i(err_channel),
  .err_write_i(err_write), .irq_event_i(u_host.irq_event), .irq_i(irq_o), .parity_i(count_parity),
  .parity_index_i(parity_index));

bind kvcpu_moveq kvcpu_mon_moveq u_mon (
  .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear_i),
  .merge_valid_i(merge_valid), .merge_item_i(push_item),
  .q_valid_i(q_valid_o), .q_pop_i(q_pop_i), .q_item_i(q_item_o), .q_level_i(q_level_o));

bind kvcpu_hepc_ctrl kvcpu_mon_hepc_ctrl u_mon (
  .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear_i),
  .step_we_i(step_we_i), .step_i(step_i), .free_i(free_i), .departures_i(departures_i),
  .begin_i(scan_begin_o), .start_i(scan_start_o), .row_i(scan_row_o), .done_i(scan_done_o),
  .scan_cfg_i(scan_cfg_o), .scan_cycles_i(scan_cycles_o));
