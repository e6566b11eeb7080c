// The same-key interlock in the directory's head, kvcpu_rtbd_find: between the read of a key's tags and their write-back no
// other operation on that key reads them. Any one key is chosen; where operations that may write its tag are is taken from
// the operations themselves, not from the interlock's signatures, and followed here behind S0.

`include "kvcpu_formal.svh"

module kvcpu_fv_rtbd_find
  import kvcpu_pkg::*;
#(
  parameter int unsigned BLOCK_TOKENS = 16
) (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        eng_valid_i,
  input logic        advance_o,
  input logic        s0_go_o,

  input logic        t1_valid_q,
  input op_t         t1_op_q,
  input logic        t2_valid_q,
  input op_t         t2_op_q,
  input logic        t2_hold,
  input logic        t3_valid_q,
  input op_t         t3_op_q,
  input logic        s0_spare_valid_q,
  input op_t         s0_spare_op,
  input logic        s0_valid_q,
  input op_t         s0_op,
  input logic        s0_real_q,
  input logic        s0_spare_probe_q,
  input logic        t3_probe_q,
  input logic [15:0] t1_sig_q,
  input logic [16:0] t2_lock_q,         // may write, signature
  input logic [16:0] t3_lock_q,
  input logic [16:0] s0_spare_lock_q,
  input logic [16:0] s0_lock_q,
  input logic [4:0][16:0] stage_lock_q  // S5 .. S1
);

  `FV_RESET

  localparam int unsigned OffBits = $clog2(BLOCK_TOKENS);

  typedef struct packed {
    logic [15:0] request_id;
    logic [15:0] layer_head;
    logic [31:0] block;
  } key_t;

  key_t any_key, key_q;
  kvcpu_any #(.Width($bits(key_t))) u_key (.value_o(any_key));
  always_ff @(posedge clk_i) begin
    if (!fv_begun_q) key_q <= any_key;
  end

  function automatic key_t key_of(op_t o);
    return '{request_id: o.kv_addr.request_id, layer_head: {o.kv_addr.layer, o.kv_addr.head},
             block: o.kv_addr.token >> OffBits};
  endfunction

  // Operations that may write a tag: TOKEN_END grows, an entry comes, goes, or changes its tier (device.md 3, 6, 8).
  function automatic logic writes(op_t o);
    return o.op inside {OpInsert, OpRemove, OpEnd} || (o.op == OpLookup && o.write && !o.denied);
  endfunction

  function automatic logic has_key(op_t o);
    return o.op != OpRead && o.op != OpProbe;
  endfunction

  // What the interlock knows of an operation, or of the key.
  function automatic logic [15:0] signature(key_t k);
    return k.request_id ^ {k.layer_head[7:0], k.layer_head[15:8]} ^ k.block[15:0] ^ k.block[31:16];
  endfunction

  function automatic logic lock_is(logic [16:0] lock, logic valid, op_t o);
    return valid ? lock == {writes(o), signature(key_of(o))} : !lock[16];
  endfunction

  // ---------------------------------------------------------------- writers of the key, from T3 on
  logic       in_t3, in_spare, in_s0;
  logic [6:1] stage_q;  // S1 .. S5; 6: it was in S5 in the cycle before

  assign in_t3    = t3_valid_q && writes(t3_op_q) && key_of(t3_op_q) == key_q;
  assign in_spare = s0_spare_valid_q && writes(s0_spare_op) && key_of(s0_spare_op) == key_q;
  assign in_s0    = s0_valid_q && writes(s0_op) && key_of(s0_op) == key_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) stage_q <= '0;
    else stage_q <= {stage_q[5:1], in_s0 && s0_go_o};
  end

  logic reads_key, leaves, locks_follow;
  assign reads_key = t2_valid_q && has_key(t2_op_q) && key_of(t2_op_q) == key_q;
  assign leaves    = reads_key && advance_o && !t2_hold;

  always_comb begin
    locks_follow = 1'b1;
    for (int unsigned s = 1; s <= 5; s++) begin
      if (stage_q[s] && stage_lock_q[s-1] != {1'b1, signature(key_q)}) locks_follow = 1'b0;
    end
  end

  always_comb begin
    if (rst_ni) begin
      `FV_ASSUME(no_search, 1'b1, !eng_valid_i)

      `FV_ASSERT(waits_for_the_writer, leaves, !in_t3 && !in_spare && !in_s0 && stage_q[5:1] == '0)
      `FV_ASSERT(reads_what_was_written, leaves, !stage_q[6])

      `FV_LEMMA(way, !(reads_key && !t2_hold && (in_t3 || in_spare || in_s0 || stage_q != '0)))
      `FV_LEMMA(locks, (!t1_valid_q || t1_sig_q == signature(key_of(t1_op_q))) &&
                       lock_is(t2_lock_q, t2_valid_q, t2_op_q) && lock_is(t3_lock_q, t3_valid_q, t3_op_q) &&
                       (!s0_spare_valid_q || lock_is(s0_spare_lock_q, 1'b1, s0_spare_op)) &&
                       (!s0_valid_q || lock_is(s0_lock_q, 1'b1, s0_op)) && locks_follow)
      `FV_LEMMA(head, advance_o == !s0_spare_valid_q && s0_real_q == (s0_valid_q && s0_op.op != OpProbe) &&
                      (!s0_spare_valid_q || s0_spare_probe_q == (s0_spare_op.op == OpProbe)) &&
                      (!t3_valid_q || t3_probe_q == (t3_op_q.op == OpProbe)))
    end
  end

endmodule

bind kvcpu_rtbd_find kvcpu_fv_rtbd_find #(.BLOCK_TOKENS(BLOCK_TOKENS)) u_fv (
  .*,
  .s0_spare_op(s0_spare_q.op),
  .s0_op(s0_q.op),
  .t1_sig_q(u_interlock.t1_sig_q),
  .t2_lock_q(u_interlock.t2_lock_q),
  .t3_lock_q(u_interlock.t3_lock_q),
  .s0_spare_lock_q(u_interlock.s0_spare_lock_q),
  .s0_lock_q(u_interlock.s0_lock_q),
  .stage_lock_q({u_interlock.s5_lock_q, u_interlock.s4_lock_q, u_interlock.s3_lock_q, u_interlock.s2_lock_q,
                 u_interlock.s1_lock_q})
);
