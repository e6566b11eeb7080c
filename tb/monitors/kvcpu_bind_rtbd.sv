// Binds the monitors into the directory: in the whole device, and in its own bench (tb/block/rtbd).

bind kvcpu_rtbd kvcpu_mon_rtbd #(
  .BLOCK_TOKENS(BLOCK_TOKENS)
) u_mon (
  .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear_i), .valid_i(u_execute.s3_commits_q), .op_i(u_execute.s3_q.op),
  .final_i(u_execute.s3_q.eng_final), .reloc_i(u_execute.s3_valid_q && u_execute.s3_q.eng_write), .reloc_tag_i(eng_tag),
  .hit_i(u_execute.s3_hit_q), .index_i(u_execute.s3_index), .meta_i(u_execute.s3_meta_q),
  .token_end_i(u_execute.s3_q.token_end), .tier_i(u_execute.s3_q.tier), .tag_slot_i(u_execute.s3_q.slot),
  .tag_we_i(u_execute.alu_tag_we), .meta_we_i(u_execute.alu_meta_we), .judged_i(u_execute.s3_judged),
  .push_ok_i(u_execute.push_ok), .step_i(step_i), .epoch_i(scan_cfg_i.epoch), .generation_i(u_execute.generation_q),
  .s4_tag_i(u_execute.u_write.s4_tag), .s4_meta_i(u_execute.u_write.s4_meta), .found_i(u_execute.u_result.s3_rsp),
  .read_tag_i(u_execute.s3_tag_b_q), .push_valid_i(push_valid_o), .push_channel_i(push_channel_o),
  .push_item_i(push_item_o), .evict_full_i(evict_full_i), .prefetch_full_i(prefetch_full_i),
  .take_valid_i((|u_execute.take) || (u_execute.s3_commits_q && u_execute.s3_q.kept && !u_execute.s3_q.eng_final)),
  .take_tier_i(u_execute.take_tier), .slot_i(u_execute.s3_slot), .put_i(put_o), .put_valid_i(put_valid),
  .put_held_i(put_held), .put_slot_i(put_slot), .probe_i(probe_done),
  .probe_op_i(u_enter.u_find.s0_q.op), .result_valid_i(result_valid), .result_ok_i(result_ok),
  .search_op_i(eng_op), .search_slot_i(eng_slot), .search_put_i(search_put_valid && search_put_ready), .cfg_i(cfg_i));

bind kvcpu_rtbd_bank kvcpu_mon_bank #(.ROWS(ROWS)) u_mon (
  .clk_i(clk_i), .rst_ni(rst_ni),
  .scored_i(s5_scored && !replay), .s5_row_i(s5_q.row), .meta_i(scan_wmeta),
  .evict_i(lane_evict), .prefetch_i(lane_prefetch), .accept_i(dec_accept_i), .drop_i(dec_drop_i),
  .hist_i(lane_hist),
  .removed_i(s3_removed_q), .stayed_i(s3_stayed_q), .s3_row_i(s3_q.row),
  .freed_pop_i(freed_pop_i), .freed_tier_i(freed_tier_o), .freed_slot_i(freed_slot_o),
  .request_id_i(free_request_id_i));

bind kvcpu_rtbd_issue kvcpu_mon_issue u_mon (
  .clk_i(clk_i), .rst_ni(rst_ni),
  .valid_i({bar2_valid_i, cmd_valid_i, dma_valid_i}), .ready_i({bar2_ready_o, cmd_ready_o, dma_ready_o}),
  .shut_i({halt_i || freeze_i, halt_i || freeze_i || (cmd_takes_i && takes_hold_i),
           halt_i || freeze_i || (dma_op_i.op == kvcpu_pkg::OpStart && takes_hold_i)}),
  .port_asks_i((lookup_valid_i & lookup_credit_i & {PORTS{cfg_i.enable}}) != '0),
  .port_taken_i((lookup_valid_i & lookup_ready_o) != '0));
