// FREE_REQUEST in one bank: what becomes of a step from S2 on.
//
// The walk and the arbiter of the bank bring an entry to S2 as for any other step. Here it is judged (S2), counted and
// its slot queued (S3), and its removal kept until the words are written (S5). The slots wait in a FIFO, because all
// banks may free one in the same cycle and the pools take one in a cycle (kvcpu_rtbd_free); a step enters only while
// the FIFO has room for all that are in the pipeline.
//
// A module of its own, because FREE_REQUEST shares no state with scans and operations behind S0.

module kvcpu_rtbd_free_step (
  /// Clock.
  input  logic                              clk_i,
  /// Reset, active low.
  input  logic                              rst_ni,
  /// Soft reset.
  input  logic                              clear_i,
  /// Request to remove.
  input  logic [15:0]                       request_id_i,
  /// S2 holds a step of FREE_REQUEST.
  input  logic                              s2_step_i,
  /// S2: parity of the meta word is good.
  input  logic                              s2_meta_ok_i,
  /// S2: parity of the tag is good.
  input  logic                              s2_tag_ok_i,
  /// S2: meta word.
  input  kvcpu_pkg::meta_t                  s2_meta_i,
  /// S3: the entry goes.
  output logic                              s3_removed_o,
  /// S3: the entry stays because it is referenced.
  output logic                              s3_stayed_o,
  /// S3: the entry that goes had an item.
  output logic                              s3_orphan_o,
  /// S4: the entry goes.
  output logic                              s4_removed_o,
  /// S5: the entry goes.
  output logic                              s5_removed_o,
  /// A step may enter S0: there is room for its slot.
  output logic                              room_o,
  /// A freed slot waits.
  output logic                              freed_valid_o,
  /// Tier of the freed slot.
  output kvcpu_pkg::tier_e                  freed_tier_o,
  /// The freed slot.
  output logic [kvcpu_pkg::SlotW-1:0]       freed_slot_o,
  /// A copy of the entry ran.
  output logic                              freed_moving_o,
  /// That copy's move.
  output logic [kvcpu_pkg::MoveIdW-1:0]     freed_move_id_o,
  /// The freed slot is handed over.
  input  logic                              freed_pop_i
);
  import kvcpu_pkg::*;

  localparam int unsigned FreedDepth = 64;
  localparam int unsigned FreeStages = 3;  // S1..S3: steps whose slot is not in the FIFO yet

  logic free_match, free_remove;
  meta_t s3_meta_q;

  assign free_match = s2_step_i && s2_meta_ok_i && s2_tag_ok_i && s2_meta_i.valid &&
                      (s2_meta_i.request_id == request_id_i);
  assign free_remove = free_match && (s2_meta_i.ref_count == '0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s3_removed_o <= 1'b0;
      s4_removed_o <= 1'b0;
      s5_removed_o <= 1'b0;
      s3_stayed_o  <= 1'b0;
    end else if (clear_i) begin
      s3_removed_o <= 1'b0;
      s4_removed_o <= 1'b0;
      s5_removed_o <= 1'b0;
      s3_stayed_o  <= 1'b0;
    end else begin
      s3_removed_o <= free_remove;
      s4_removed_o <= s3_removed_o;
      s5_removed_o <= s4_removed_o;
      s3_stayed_o  <= free_match && !free_remove;
    end
  end
  always_ff @(posedge clk_i) s3_meta_q <= s2_meta_i;

  assign s3_orphan_o = s3_removed_o && s3_meta_q.in_flight;

  logic [$clog2(FreedDepth+1)-1:0] freed_level;
  logic unused_freed_full;
  kvcpu_fifo #(
    .Width(2 + SlotW + 1 + MoveIdW),
    .Depth(FreedDepth)
  ) u_freed (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .push_i (s3_removed_o),
    .data_i ({s3_meta_q.tier, s3_meta_q.slot, s3_meta_q.moving,
              s3_meta_q.move_id}),
    .full_o (unused_freed_full),
    .valid_o(freed_valid_o),
    .data_o ({freed_tier_o, freed_slot_o, freed_moving_o, freed_move_id_o}),
    .pop_i  (freed_pop_i),
    .level_o(freed_level)
  );
  // What enters S0 in this cycle and in the next has not been counted when the level is looked at.
  always_ff @(posedge clk_i) begin
    room_o <= freed_level < $bits(freed_level)'(FreedDepth - FreeStages - 3);
  end

endmodule
