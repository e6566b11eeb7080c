// S4: the results of operations, to commands, DMA and BAR2. Addresses of slots are added up here: of the slot taken,
// and of an entry that is read.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_result #(
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                                     clk_i,
  /// Reset, active low.
  input  logic                                     rst_ni,
  /// Configuration registers.
  input  kvcpu_pkg::cfg_t                          cfg_i,
  /// The same, as they are from the next cycle on.
  input  kvcpu_pkg::cfg_t                          cfg_next_i,
  /// Slot pools: the slot that would be taken.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::SlotW-1:0] slot_i,

  /// The operation in S3 gets its result here.
  input  logic                                     s3_answers_i,
  /// That operation.
  input  kvcpu_pkg::found_t                        s3_i,
  /// It has its entry.
  input  logic                                     s3_hit_i,
  /// Index of the entry.
  input  logic [kvcpu_pkg::IndexW-1:0]             s3_index_i,
  /// PHYS_ADDR of the entry, bytes.
  input  logic [63:0]                              s3_phys_addr_i,
  /// Meta word of the entry.
  input  kvcpu_pkg::meta_t                         s3_meta_i,
  /// OpRead: tag of the entry.
  input  kvcpu_pkg::tag_t                          s3_tag_i,
  /// REF_COUNT was 0.
  input  logic                                     s3_underflow_i,
  /// REF_COUNT was 255.
  input  logic                                     s3_saturated_i,
  /// Status of a directory command.
  input  kvcpu_pkg::status_e                       s3_status_i,
  /// What becomes of a move.
  input  kvcpu_pkg::move_e                         s3_move_i,
  /// The tier that gives a slot, one-hot.
  input  logic [kvcpu_pkg::TierCount-1:0]          s3_pick_i,
  /// The same, as a number.
  input  kvcpu_pkg::tier_e                         s3_take_tier_i,
  /// The slot taken.
  input  logic [kvcpu_pkg::SlotW-1:0]              s3_slot_i,

  /// The insert search ends.
  input  logic                                     search_valid_i,
  /// It has found a place.
  input  logic                                     search_ok_i,
  /// Index of that place.
  input  logic [kvcpu_pkg::IndexW-1:0]             search_index_i,
  /// Tier of the INSERT that began it.
  input  kvcpu_pkg::tier_e                         search_tier_i,
  /// Its slot, which has long been known.
  input  logic [kvcpu_pkg::SlotW-1:0]              search_slot_i,

  /// A result for commands.
  output logic                                     cmd_valid_o,
  /// A result for the DMA.
  output logic                                     dma_valid_o,
  /// A result for BAR2.
  output logic                                     bar2_valid_o,
  /// Result for the DMA and BAR2.
  output kvcpu_pkg::rsp_t                          rsp_o,
  /// Result for commands.
  output kvcpu_pkg::rsp_t                          cmd_rsp_o
);
  import kvcpu_pkg::*;

  localparam int unsigned OffBits = $clog2(BLOCK_TOKENS);

  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")

  // ------------------------------------------------------------------ addresses
  // PHYS_ADDR = BASE + slot * stride. The stride is a high-fan-out net: this is a duplicate register.
  logic [4:0] stride_shift_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) stride_shift_q <= '0;
    else stride_shift_q <= cfg_next_i.stride_shift;
  end

  typedef struct packed {
    logic [63:0] base;
    logic [31:0] offset;
  } place_t;

  function automatic place_t place_of(cfg_t cfg, logic [1:0] tier, logic [SlotW-1:0] slot);
    return '{base: cfg.base[tier], offset: 32'(slot) << stride_shift_q};
  endfunction

  function automatic logic [63:0] address(place_t p);
    return p.base + 64'(p.offset);
  endfunction

  // Each tier's place before the tier is known: a slot that can be taken at S3 was there at S2.
  place_t [TierCount-1:0] s3_places_q;
  place_t s3_take, s4_take_q, s4_entry_q, search_place_q;
  logic [63:0] search_phys_q;

  always_comb begin
    s3_take = '0;
    for (int unsigned t = 0; t < TierCount; t++) if (s3_pick_i[t]) s3_take |= s3_places_q[t];
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned t = 0; t < TierCount; t++) s3_places_q[t] <= place_of(cfg_i, 2'(t), slot_i[t]);
    s4_take_q      <= s3_take;
    s4_entry_q     <= place_of(cfg_i, s3_tag_i.tier, s3_tag_i.slot);
    search_place_q <= place_of(cfg_i, search_tier_i, search_slot_i);
    search_phys_q  <= address(search_place_q);
  end

  // ------------------------------------------------------------------ the results
  rsp_t s3_rsp, s4_rsp_q, search_rsp, search_rsp_q;

  always_comb begin
    s3_rsp = '0;
    s3_rsp.op = s3_i.op.op;
    s3_rsp.client = s3_i.op.client;
    s3_rsp.move_id = s3_i.op.move_id;
    s3_rsp.hit = s3_hit_i;
    s3_rsp.status = s3_status_i;
    s3_rsp.move = s3_move_i;
    s3_rsp.underflow = s3_underflow_i;
    s3_rsp.saturated = s3_saturated_i;
    if (s3_hit_i) begin
      s3_rsp.tier = s3_meta_i.tier;
      s3_rsp.phys_addr = s3_phys_addr_i;
      s3_rsp.index = s3_index_i;
    end
    if (s3_i.op.op == OpInsert && !s3_hit_i) begin  // means something if the status is StOk, which comes last
      s3_rsp.tier = s3_i.op.tier;
      s3_rsp.index = s3_index_i;
    end
    s3_rsp.dst_tier = s3_take_tier_i;
    s3_rsp.dst_slot = s3_slot_i;
    if (s3_i.op.op == OpRead) begin
      s3_rsp.entry = '{
        valid:       s3_meta_i.valid,
        hint:        s3_meta_i.hint,
        evictable:   s3_meta_i.evictable,
        hot:         s3_meta_i.hot,
        dirty:       s3_meta_i.dirty,
        prefix:      s3_meta_i.prefix,
        f:           s3_meta_i.f,
        r:           s3_meta_i.r,
        ref_count:   s3_meta_i.ref_count,
        access_step: s3_meta_i.access_step,
        prio:        s3_meta_i.prio,
        phys_addr:   '0,
        tier:        s3_tag_i.tier,
        token_end:   s3_meta_i.valid ? (s3_tag_i.block << OffBits) | 32'(s3_tag_i.token_end) : '0,
        token_start: s3_tag_i.block << OffBits,
        layer_head:  s3_tag_i.layer_head,
        request_id:  s3_tag_i.request_id
      };
    end
  end

  // The search answers as the OpInsert that began it.
  always_comb begin
    search_rsp = '0;
    search_rsp.op = OpInsert;
    search_rsp.client = ClCmd;
    search_rsp.status = search_ok_i ? StOk : StFull;
    if (search_ok_i) begin
      search_rsp.tier = search_tier_i;
      search_rsp.phys_addr = search_phys_q;
      search_rsp.index = search_index_i;
    end
  end

  // A search's result and another client's S3 may fall into one cycle.
  logic s4_search_q, s4_inserted_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cmd_valid_o  <= 1'b0;
      dma_valid_o  <= 1'b0;
      bar2_valid_o <= 1'b0;
    end else begin
      cmd_valid_o  <= (s3_answers_i && s3_i.op.client == ClCmd) || search_valid_i;
      dma_valid_o  <= s3_answers_i && s3_i.op.client == ClDma;
      bar2_valid_o <= s3_answers_i && s3_i.op.client == ClBar2;
    end
  end
  always_ff @(posedge clk_i) begin
    s4_rsp_q      <= s3_rsp;
    s4_inserted_q <= (s3_i.op.op == OpInsert) && (s3_status_i == StOk);
    search_rsp_q  <= search_rsp;
    s4_search_q   <= search_valid_i;
  end

  always_comb begin
    rsp_o = s4_rsp_q;
    rsp_o.dst_phys = address(s4_take_q);
    if (s4_inserted_q) rsp_o.phys_addr = address(s4_take_q);
    if (s4_rsp_q.entry.valid) rsp_o.entry.phys_addr = address(s4_entry_q);
  end
  always_comb begin
    cmd_rsp_o = rsp_o;
    if (s4_search_q) cmd_rsp_o = search_rsp_q;
  end


  `KVCPU_ASSERT(one_result, !(search_valid_i && s3_answers_i && s3_i.op.client == ClCmd),
                "a command gets one result at a time")

endmodule
