// Testbench top of the DMA: item queues, the timing of the directory (its answers come from Python), AXI4 memories.

module tb_dma_top #(
  /// Width of the memory port.
  parameter int unsigned AXI_DATA_WIDTH = 512,
  /// Tokens of a block.
  parameter int unsigned BLOCK_TOKENS = 16,
  /// Moves at the same time.
  parameter int unsigned MOVES = 64,
  /// Bursts at the same time.
  parameter int unsigned BURSTS = 64
);
  timeunit 1ns;
  timeprecision 1ps;
  import kvcpu_pkg::*;
  import kvcpu_tb_pkg::*;
  import kvcpu_events_pkg::*;

  localparam int unsigned IdWidth = $clog2(BURSTS);

  logic [IdWidth-1:0]          axi_awid, axi_arid, axi_bid, axi_rid;
  logic [63:0]                 axi_awaddr, axi_araddr;
  logic [7:0]                  axi_awlen, axi_arlen;
  logic [2:0]                  axi_awsize, axi_arsize;
  logic [1:0]                  axi_awburst, axi_arburst, axi_awuser, axi_aruser;
  logic                        axi_awvalid, axi_awready, axi_arvalid, axi_arready;
  logic [AXI_DATA_WIDTH-1:0]   axi_wdata, axi_rdata;
  logic [AXI_DATA_WIDTH/8-1:0] axi_wstrb;
  logic                        axi_wlast, axi_wvalid, axi_wready;
  logic [1:0]                  axi_bresp, axi_rresp;
  logic                        axi_bvalid, axi_bready, axi_rvalid, axi_rready, axi_rlast;
  localparam int unsigned AnswerCycles = 8;  // T0 to the answer, docs/microarchitecture.md 2

  // Records of stream 3, word 1: kind in bits 7:0.

  // ---------------------------------------------------------------- clock and reset
  logic        clk, unused_clock_rst_n, rst_n;
  logic [63:0] cycle;
  tb_clock #(.PeriodPs(4000)) u_clk (.clk_o(clk), .rst_no(unused_clock_rst_n), .cycle_o(cycle));
  always @(negedge clk) rst_n <= kv_cycle(longint'(cycle) + 1) == 0;

  // ---------------------------------------------------------------- what Python drives
  logic               enable, halt, clear;
  logic [16:0]        block_bytes;
  logic [1:0]         push;           // for one cycle
  item_t              push_item;      // its fields below
  logic [15:0]        item_request_id, item_layer_head, item_generation;
  logic [31:0]        item_block;
  logic [1:0]         item_from, item_target;
  logic               item_fixed, item_by_migrate;
  logic [7:0]         op_stall256;    // chance that the directory is not ready
  logic               answer_push;    // toggles
  logic [2:0]         answer_move;
  logic [63:0]        answer_phys_addr, answer_dst_phys;
  logic [1:0]         answer_tier, answer_dst_tier;
  logic [15:0]        answer_dst_slot;
  logic [63:0]        abort_now;      // for one cycle

  initial begin
    rst_n = 1'b0;
    {enable, halt, clear, push, answer_push} = '0;
    block_bytes = 17'd8192;
    op_stall256 = '0;
    abort_now = '0;
  end

  assign push_item = '{
      request_id: item_request_id, layer_head: item_layer_head, block: item_block,
      from: tier_e'(item_from), fixed: item_fixed, target: tier_e'(item_target),
      by_migrate: item_by_migrate, generation: item_generation
  };

  // ---------------------------------------------------------------- queues
  logic [1:0]      q_valid, q_pop, q_full;
  item_t [1:0]     q_item;
  logic [1:0][6:0] q_level;
  for (genvar c = 0; c < 2; c++) begin : gen_queue
    kvcpu_fifo #(.Width($bits(item_t)), .Depth(64)) u_queue (
      .clk_i(clk), .rst_ni(rst_n), .clear_i(clear), .push_i(push[c]), .data_i(push_item),
      .full_o(q_full[c]), .valid_o(q_valid[c]), .data_o(q_item[c]), .pop_i(q_pop[c]),
      .level_o(q_level[c]));
  end

  // ---------------------------------------------------------------- the directory's timing
  logic        op_valid, op_ready, op_fire;
  op_t         op;
  logic        rsp_valid;
  rsp_t        rsp;
  logic        op_asked_q;  // in the cycle before: a grant follows its request
  logic [31:0] noise_q;
  logic [2:0]  since_op_q, since_start_q;  // cycles since the last operation, since the last OpStart

  assign op_ready = op_asked_q && noise_q[7:0] >= op_stall256 && since_op_q >= 3'd1
      && (op.op != OpStart || since_start_q >= 3'd3);
  assign op_fire  = op_valid && op_ready;

  // What Python sees of the last operation; `op_count` tells that there is a new one.
  int unsigned op_count;
  logic        seen_end, seen_retry, seen_error, seen_fixed, seen_by_migrate;
  logic [6:0]  seen_move;
  logic [7:0]  seen_tries;
  logic [63:0] seen_kv_addr;
  logic [15:0] seen_request_id, seen_layer_head, seen_generation, seen_dst_slot;
  logic [31:0] seen_block;
  logic [1:0]  seen_from, seen_target, seen_dst_tier;

  always @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      op_count <= 0;
      noise_q <= 32'h1234_5678;
      op_asked_q <= 1'b0;
      since_op_q <= 3'd7;
      since_start_q <= 3'd7;
    end else begin
      noise_q <= {noise_q[30:0], noise_q[31] ^ noise_q[21] ^ noise_q[1] ^ noise_q[0]};
      op_asked_q <= op_valid && !op_fire;
      since_op_q <= op_fire ? '0 : since_op_q + 3'(since_op_q != 3'd7);
      since_start_q <= (op_fire && op.op == OpStart) ? '0 : since_start_q + 3'(since_start_q != 3'd7);
      if (op_fire) begin
        op_count <= op_count + 1;
        seen_end <= op.op == OpEnd;
        seen_retry <= op.retry;
        seen_error <= op.error;
        seen_tries <= op.tries;
        seen_move <= op.move_id;
        seen_kv_addr <= op.kv_addr;
        seen_request_id <= op.item.request_id;
        seen_layer_head <= op.item.layer_head;
        seen_block <= op.item.block;
        seen_generation <= op.item.generation;
        seen_from <= op.item.from;
        seen_fixed <= op.item.fixed;
        seen_target <= op.item.target;
        seen_by_migrate <= op.item.by_migrate;
        seen_dst_tier <= op.dst_tier;
        seen_dst_slot <= op.dst_slot;
        kv_checked(1);
        if (op.client != ClDma || (op.op != OpStart && op.op != OpEnd)) begin
          kv_violation($sformatf("DMA operation: expected the start or the end of a move, of the DMA, seen %s of %s",
                                 op.op.name(), op.client.name()));
        end
      end
    end
  end

  // Answers: Python's decision, AnswerCycles after the operation. The copy's generation for the memories' checks begins and
  // ends where the directory decides.
  typedef struct {
    longint cycle;
    op_t    op;
  } asked_t;
  asked_t asked_q[$];
  rsp_t   answers_q[$];
  longint due_q[$];
  logic   answer_push_q;

  always @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      asked_q.delete();
      answers_q.delete();
      due_q.delete();
      answer_push_q <= 1'b0;
      rsp_valid <= 1'b0;
      rsp <= '0;
      kv_moves_clear();
    end else begin
      if (clear) begin
        asked_q.delete();
        answers_q.delete();
        due_q.delete();
        kv_moves_clear();
      end
      answer_push_q <= answer_push;
      if (answer_push != answer_push_q && asked_q.size() != 0) begin
        automatic asked_t a = asked_q.pop_front();
        automatic rsp_t r = '0;
        r.op = a.op.op;
        r.client = ClDma;
        r.move_id = a.op.move_id;
        r.move = move_e'(answer_move);
        r.tier = tier_e'(answer_tier);
        r.phys_addr = answer_phys_addr;
        r.dst_tier = tier_e'(answer_dst_tier);
        r.dst_slot = answer_dst_slot;
        r.dst_phys = answer_dst_phys;
        answers_q.push_back(r);
        due_q.push_back(a.cycle + longint'(AnswerCycles));
        if (r.op == OpStart && r.move == MvOk) begin
          kv_move_start(int'(r.move_id), longint'(a.op.kv_addr), int'(r.tier), r.phys_addr,
                        int'(r.dst_tier), r.dst_phys, int'(block_bytes));
        end else if (r.op == OpEnd) begin
          kv_move_end(int'(r.move_id), int'(r.move == MvOk));
        end
      end
      if (op_fire) asked_q.push_back('{longint'(cycle), op});
      rsp_valid <= 1'b0;
      if (due_q.size() != 0 && due_q[0] <= longint'(cycle) + 1) begin
        rsp_valid <= 1'b1;
        rsp <= answers_q.pop_front();
        void'(due_q.pop_front());
      end
    end
  end

  // ---------------------------------------------------------------- what Python reads
  logic              compl_valid, err_valid, err_channel, err_write, idle;
  completion_t       compl;
  kv_addr_t          err_kv_addr;
  logic [1:0][63:0]  bytes_moved, errors, voids;
  logic [6:0]        active;
  logic [63:0]       bytes_moved_0, bytes_moved_1, errors_0, errors_1, voids_0, voids_1;
  logic [6:0]        level_0, level_1;
  int unsigned       done_count;  // completions
  assign {bytes_moved_1, bytes_moved_0} = bytes_moved;
  assign {errors_1, errors_0} = errors;
  assign {voids_1, voids_0} = voids;
  assign {level_1, level_0} = q_level;

  always @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      done_count <= 0;
    end else begin
      if (compl_valid) begin
        done_count <= done_count + 1;
        record_dma_completion('{
          kv_addr: compl.kv_addr,
          status: compl.status,
          from_tier: compl.from,
          to_tier: compl.to
        });
      end
      if (err_valid) record_dma_fault('{kv_addr: err_kv_addr, channel: err_channel, on_write: err_write});
      if (axi_arvalid && axi_arready) record_dma_read('{address: axi_araddr, tier: axi_aruser});
      if (axi_awvalid && axi_awready) record_dma_write('{address: axi_awaddr, tier: axi_awuser});
      for (int c = 0; c < 2; c++) begin
        if (q_pop[c]) begin
          record_dma_pop('{channel: 1'(c), waiting: q_valid});
          kv_checked(1);
          if (!q_valid[c]) kv_violation("DMA: expected no pop of an empty queue, seen one");
          if (!enable) kv_violation("DMA: expected no new move while CTRL.ENABLE is 0, seen one");
        end
      end
      kv_checked(1);
      if (q_full != '0 && (push & q_full) != '0) kv_violation("testbench: pushed into a full queue");
    end
  end

  // Between AXI's AxVALID and the counters of what is outstanding there is no gap.
  logic [63:0] quiet_bursts;  // accepted and not ended, from the pins
  always @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      quiet_bursts <= '0;
    end else begin
      quiet_bursts <= quiet_bursts + 64'(axi_arvalid && axi_arready) + 64'(axi_awvalid && axi_awready)
          - 64'(axi_rvalid && axi_rlast) - 64'(axi_bvalid);
      kv_checked(1);
      if (idle && (quiet_bursts != 0 || axi_arvalid || axi_awvalid || axi_wvalid)) begin
        kv_violation("DMA idle: expected no AXI transaction requested or outstanding meanwhile, seen one");
      end
    end
  end

  // ---------------------------------------------------------------- the DMA and its memories

  kvcpu_axi_memory #(.AXI_DATA_WIDTH(AXI_DATA_WIDTH), .IdWidth(IdWidth)) u_memory (
    .clk_i(clk), .rst_ni(rst_n),
    .awvalid_i(axi_awvalid), .awready_o(axi_awready), .awid_i(axi_awid), .awaddr_i(axi_awaddr),
    .awlen_i(axi_awlen), .awsize_i(axi_awsize), .awburst_i(axi_awburst), .awuser_i(axi_awuser),
    .wvalid_i(axi_wvalid), .wready_o(axi_wready), .wdata_i(axi_wdata), .wstrb_i(axi_wstrb),
    .wlast_i(axi_wlast), .bvalid_o(axi_bvalid), .bready_i(axi_bready), .bid_o(axi_bid),
    .bresp_o(axi_bresp), .arvalid_i(axi_arvalid), .arready_o(axi_arready), .arid_i(axi_arid),
    .araddr_i(axi_araddr), .arlen_i(axi_arlen), .arsize_i(axi_arsize), .arburst_i(axi_arburst),
    .aruser_i(axi_aruser), .rvalid_o(axi_rvalid), .rready_i(axi_rready), .rid_o(axi_rid),
    .rdata_o(axi_rdata), .rresp_o(axi_rresp), .rlast_o(axi_rlast));

  kvcpu_dma #(
    .AXI_DATA_WIDTH(AXI_DATA_WIDTH), .BLOCK_TOKENS(BLOCK_TOKENS), .MOVES(MOVES), .BURSTS(BURSTS)
  ) u_dut (
    .clk_i(clk), .rst_ni(rst_n), .clear_i(clear), .halt_i(halt), .idle_o(idle), .active_o(active),
    .enable_i(enable), .block_bytes_i(block_bytes),
    .q_valid_i(q_valid), .q_item_i(q_item), .q_pop_o(q_pop),
    .op_valid_o(op_valid), .op_ready_i(op_ready), .op_o(op), .rsp_valid_i(rsp_valid),
    .rsp_i(rsp), .abort_i(abort_now[MOVES-1:0]),
    .compl_valid_o(compl_valid), .compl_o(compl), .err_valid_o(err_valid),
    .err_kv_addr_o(err_kv_addr), .err_channel_o(err_channel), .err_write_o(err_write),
    .bytes_moved_o(bytes_moved), .errors_o(errors), .voids_o(voids),
    .m_axi_awvalid_o(axi_awvalid), .m_axi_awready_i(axi_awready), .m_axi_awid_o(axi_awid),
    .m_axi_awaddr_o(axi_awaddr), .m_axi_awlen_o(axi_awlen), .m_axi_awsize_o(axi_awsize),
    .m_axi_awburst_o(axi_awburst), .m_axi_awlock_o(), .m_axi_awcache_o(), .m_axi_awprot_o(),
    .m_axi_awqos_o(), .m_axi_awuser_o(axi_awuser),
    .m_axi_wvalid_o(axi_wvalid), .m_axi_wready_i(axi_wready), .m_axi_wdata_o(axi_wdata),
    .m_axi_wstrb_o(axi_wstrb), .m_axi_wlast_o(axi_wlast),
    .m_axi_bvalid_i(axi_bvalid), .m_axi_bready_o(axi_bready), .m_axi_bid_i(axi_bid),
    .m_axi_bresp_i(axi_bresp),
    .m_axi_arvalid_o(axi_arvalid), .m_axi_arready_i(axi_arready), .m_axi_arid_o(axi_arid),
    .m_axi_araddr_o(axi_araddr), .m_axi_arlen_o(axi_arlen), .m_axi_arsize_o(axi_arsize),
    .m_axi_arburst_o(axi_arburst), .m_axi_arlock_o(), .m_axi_arcache_o(), .m_axi_arprot_o(),
    .m_axi_arqos_o(), .m_axi_aruser_o(axi_aruser),
    .m_axi_rvalid_i(axi_rvalid), .m_axi_rready_o(axi_rready), .m_axi_rid_i(axi_rid),
    .m_axi_rdata_i(axi_rdata), .m_axi_rresp_i(axi_rresp), .m_axi_rlast_i(axi_rlast));
endmodule
