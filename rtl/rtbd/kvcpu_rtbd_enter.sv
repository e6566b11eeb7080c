// The way into the directory, T0 to S0: who enters (kvcpu_rtbd_issue), and where the entry of what entered is
// (kvcpu_rtbd_find).
//
// One operation a cycle enters at T0; it leaves at S0 into the bank that holds its entry, or a free place for it. From
// there on kvcpu_rtbd_execute follows it. The cut is here because up to S0 an operation may wait, for the key
// (interlock), for its bank or for the insert search; behind S0 nothing waits.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_enter #(
  /// Rows of a bank, ENTRIES / LANES. Power of two, 64 to 16,384.
  parameter int unsigned ROWS = 4096,
  /// Lanes and banks (device.md 1). Legal: 4, 8, 16.
  parameter int unsigned LANES = 16,
  /// Lookup ports (device.md 1). Legal: 1 to 8.
  parameter int unsigned PORTS = 3,
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                                  clk_i,
  /// Reset, active low.
  input  logic                                  rst_ni,
  /// Soft reset, or the directory is being cleared: nothing new enters the pipeline.
  input  logic                                  halt_i,
  /// Slots are being configured: no operation that takes a slot may enter.
  input  logic                                  takes_hold_i,
  /// `takes_hold_i` has been seen: what it keeps out is out.
  output logic                                  takes_hold_o,
  /// Nothing is in T1 to S0.
  output logic                                  quiet_o,
  /// An operation there may take a slot.
  output logic                                  takes_o,
  /// Configuration registers.
  input  kvcpu_pkg::cfg_t                       cfg_i,
  /// Lookup ports: request valid (device.md 3).
  input  logic [PORTS-1:0]                      lookup_valid_i,
  /// Lookup ports: request taken.
  output logic [PORTS-1:0]                      lookup_ready_o,
  /// Lookup ports: KV address.
  input  logic [PORTS-1:0][63:0]                lookup_kv_addr_i,
  /// Lookup ports: write lookup.
  input  logic [PORTS-1:0]                      lookup_write_i,
  /// Lookup ports: there is a place for the answer.
  input  logic [PORTS-1:0]                      lookup_credit_i,
  /// Commands: operation.
  input  logic                                  cmd_valid_i,
  /// Commands: taken.
  output logic                                  cmd_ready_o,
  /// Commands: the operation.
  input  kvcpu_pkg::op_t                        cmd_op_i,
  /// Commands: it takes a slot.
  input  logic                                  cmd_takes_i,
  /// DMA: operation.
  input  logic                                  dma_valid_i,
  /// DMA: taken.
  output logic                                  dma_ready_o,
  /// DMA: the operation.
  input  kvcpu_pkg::op_t                        dma_op_i,
  /// BAR2: operation.
  input  logic                                  bar2_valid_i,
  /// BAR2: taken.
  output logic                                  bar2_ready_o,
  /// BAR2: the operation.
  input  kvcpu_pkg::op_t                        bar2_op_i,
  /// Insert search: it enters operations (probes).
  input  logic                                  probe_valid_i,
  /// Insert search: taken.
  output logic                                  probe_ready_o,
  /// Insert search: the operation.
  input  kvcpu_pkg::op_t                        probe_op_i,
  /// Insert search: nothing else may enter.
  input  logic                                  freeze_i,
  /// Slot pools: the slot that would be taken.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::SlotW-1:0] slot_i,
  /// Slot pools: number of that head slot.
  input  logic [kvcpu_pkg::TierCount-1:0][kvcpu_pkg::OfferW-1:0] offer_i,
  /// Insert search: an access of its own; comes with the pipeline empty.
  input  logic                                  eng_valid_i,
  /// Insert search: taken.
  output logic                                  eng_ready_o,
  /// Insert search: it writes the words of a relocation.
  input  logic                                  eng_write_i,
  /// Insert search: it is the INSERT itself, at the place found.
  input  logic                                  eng_final_i,
  /// Insert search: bank, one-hot.
  input  logic [LANES-1:0]                      eng_bank_i,
  /// Insert search: row.
  input  logic [kvcpu_pkg::RowW-1:0]            eng_row_i,
  /// Insert search: the INSERT that began it.
  input  kvcpu_pkg::op_t                        eng_op_i,
  /// Insert search: its slot.
  input  logic [kvcpu_pkg::SlotW-1:0]           eng_slot_i,
  /// Insert search: an OpInsert is in T3.
  output logic                                  t3_insert_o,
  /// Insert search: a probe that loads is in T3.
  output logic                                  t3_load_o,
  /// Insert search: a probe is at S0, in `s0_o`. It leaves there.
  output logic                                  probe_done_o,
  /// Insert search: lowest bank with a free place for the key at S0, one-hot.
  output logic [LANES-1:0]                      s0_first_free_o,
  /// Insert search: row of that place.
  output logic [kvcpu_pkg::RowW-1:0]            s0_free_row_o,
  /// Banks: T1 or T2 reads the tags, through port A.
  output logic                                  t1_read_o,
  /// Banks: no operation here may need port A in this cycle.
  output logic                                  port_a_idle_o,
  /// Banks: the rows are those of the hash.
  output logic                                  t1_hashed_o,
  /// Banks: those rows.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0] t1_hash_row_o,
  /// Banks: the rows otherwise.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0] t1_other_row_o,
  /// Banks: T1..T3 advance. From a register: high-fan-out net.
  output logic                                  advance_o,
  /// Banks: KV address in T2.
  output kvcpu_pkg::kv_addr_t                   t2_kv_addr_o,
  /// Banks: the least TOKEN_END with which an entry matches, in T2.
  output logic [7:0]                            t2_least_o,
  /// Banks: rows in T3.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0] t3_row_o,
  /// Banks: an OpRead is in T3.
  output logic                                  t3_read_o,
  /// Banks: tags read, in T3.
  input  kvcpu_pkg::tag_t [LANES-1:0]           t3_tag_i,
  /// Banks: they are of entries.
  input  logic [LANES-1:0]                      t3_valid_i,
  /// Banks: their parity is good.
  input  logic [LANES-1:0]                      t3_tag_ok_i,
  /// Banks: they are of the key in T3.
  input  logic [LANES-1:0]                      t3_same_key_i,
  /// Banks: tags read with bad parity, counted once.
  output logic [LANES-1:0]                      t3_bad_o,
  /// Banks: S0 loads the next operation.
  output logic                                  s0_load_o,
  /// Banks: from the S0 skid register; from T3 otherwise.
  output logic                                  s0_from_spare_o,
  /// Banks: rows of the operation in the S0 skid register.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0] s0_spare_row_o,
  /// Banks: the operation in the S0 skid register reads the tag, through port B.
  output logic                                  s0_spare_read_tag_o,
  /// Banks: the bank that the operation in S0 asks for, one-hot.
  output logic [LANES-1:0]                      s0_valid_o,
  /// Banks: rows in S0.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0] s0_row_o,
  /// Banks: the operation in S0 reads the tag, through port B.
  output logic                                  s0_read_tag_o,
  /// Banks: they take it.
  input  logic [LANES-1:0]                      s0_ready_i,
  /// An operation enters S1.
  output logic                                  s0_go_o,
  /// The operation in S0, with its entry.
  output kvcpu_pkg::found_t                     s0_o,
  /// OpInsert: place of the slot that it may take inside its tier, bytes.
  output logic [31:0]                           s0_ins_offset_o
);
  import kvcpu_pkg::*;

  `KVCPU_CHECK_PARAM(rows, ROWS >= 64 && ROWS <= 16384 && $onehot(ROWS),
                     "ROWS must be a power of two from 64 to 16,384")
  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(ports, PORTS >= 1 && PORTS <= MaxPorts, "PORTS must be 1 to 8")
  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")

  // ------------------------------------------------------------------ T0
  logic shut_q;  // nothing enters; a cycle late, for which the soft reset has a state
  logic open, enter_valid;
  op_t enter_op;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      shut_q       <= 1'b1;
      takes_hold_o <= 1'b0;
    end else begin
      shut_q       <= halt_i;
      takes_hold_o <= takes_hold_i;
    end
  end

  kvcpu_rtbd_issue #(
    .PORTS(PORTS)
  ) u_issue (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .cfg_i           (cfg_i),
    .open_i          (open),
    .takes_hold_i    (takes_hold_o),
    .freeze_i        (freeze_i),
    .halt_i          (shut_q),
    .lookup_valid_i  (lookup_valid_i),
    .lookup_ready_o  (lookup_ready_o),
    .lookup_kv_addr_i(lookup_kv_addr_i),
    .lookup_write_i  (lookup_write_i),
    .lookup_credit_i (lookup_credit_i),
    .probe_valid_i   (probe_valid_i),
    .probe_ready_o   (probe_ready_o),
    .probe_op_i      (probe_op_i),
    .dma_valid_i     (dma_valid_i),
    .dma_ready_o     (dma_ready_o),
    .dma_op_i        (dma_op_i),
    .cmd_valid_i     (cmd_valid_i),
    .cmd_ready_o     (cmd_ready_o),
    .cmd_op_i        (cmd_op_i),
    .cmd_takes_i     (cmd_takes_i),
    .bar2_valid_i    (bar2_valid_i),
    .bar2_ready_o    (bar2_ready_o),
    .bar2_op_i       (bar2_op_i),
    .valid_o         (enter_valid),
    .op_o            (enter_op)
  );

  // ------------------------------------------------------------------ T1..S0: find the entry
  kvcpu_rtbd_find #(
    .ROWS        (ROWS),
    .LANES       (LANES),
    .BLOCK_TOKENS(BLOCK_TOKENS)
  ) u_find (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .quiet_o            (quiet_o),
    .takes_o            (takes_o),
    .open_o             (open),
    .enter_valid_i      (enter_valid),
    .enter_op_i         (enter_op),
    .slot_i             (slot_i),
    .offer_i            (offer_i),
    .stride_shift_i     (cfg_i.stride_shift),
    .eng_valid_i        (eng_valid_i),
    .eng_ready_o        (eng_ready_o),
    .eng_write_i        (eng_write_i),
    .eng_final_i        (eng_final_i),
    .eng_bank_i         (eng_bank_i),
    .eng_row_i          (eng_row_i),
    .eng_op_i           (eng_op_i),
    .eng_slot_i         (eng_slot_i),
    .t3_insert_o        (t3_insert_o),
    .t3_load_o          (t3_load_o),
    .probe_done_o       (probe_done_o),
    .s0_first_free_o    (s0_first_free_o),
    .s0_free_row_o      (s0_free_row_o),
    .t1_read_o          (t1_read_o),
    .port_a_idle_o      (port_a_idle_o),
    .t1_hashed_o        (t1_hashed_o),
    .t1_hash_row_o      (t1_hash_row_o),
    .t1_other_row_o     (t1_other_row_o),
    .advance_o          (advance_o),
    .t2_kv_addr_o       (t2_kv_addr_o),
    .t2_least_o         (t2_least_o),
    .t3_row_o           (t3_row_o),
    .t3_read_o          (t3_read_o),
    .t3_tag_i           (t3_tag_i),
    .t3_valid_i         (t3_valid_i),
    .t3_tag_ok_i        (t3_tag_ok_i),
    .t3_same_key_i      (t3_same_key_i),
    .t3_bad_o           (t3_bad_o),
    .s0_load_o          (s0_load_o),
    .s0_from_spare_o    (s0_from_spare_o),
    .s0_spare_row_o     (s0_spare_row_o),
    .s0_spare_read_tag_o(s0_spare_read_tag_o),
    .s0_valid_o         (s0_valid_o),
    .s0_row_o           (s0_row_o),
    .s0_read_tag_o      (s0_read_tag_o),
    .s0_ready_i         (s0_ready_i),
    .s0_go_o            (s0_go_o),
    .s0_o               (s0_o),
    .s0_ins_offset_o    (s0_ins_offset_o)
  );

endmodule
