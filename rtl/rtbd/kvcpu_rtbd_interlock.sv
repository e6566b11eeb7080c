// Same-key interlock: an operation waits in T2 until no older one that may write the tag of its key is under
// way, and reads its tags anew meanwhile. Whether it waits is compared a cycle before, in the cycle of the
// read. Keys are compared by a signature; a false alarm only costs time.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_interlock #(
  /// Tokens per block (device.md 1). Power of two, 1 to 256.
  parameter int unsigned BLOCK_TOKENS = 16
) (
  /// Clock.
  input  logic                 clk_i,
  /// Reset, active low.
  input  logic                 rst_ni,
  /// T1 takes an operation, if there is one.
  input  logic                 t1_load_i,
  /// It is the one in the T1 skid register.
  input  logic                 t1_from_spare_i,
  /// KV address of the one in the T1 skid register.
  input  kvcpu_pkg::kv_addr_t  t1_spare_kv_addr_i,
  /// KV address of the one that enters.
  input  kvcpu_pkg::kv_addr_t  enter_kv_addr_i,
  /// T1 holds an operation.
  input  logic                 t1_valid_i,
  /// That operation.
  input  kvcpu_pkg::op_t       t1_op_i,
  /// T1..T3 advance, but for what waits in T2.
  input  logic                 advance_i,
  /// What enters the S0 skid register is an access of the insert search, which has no key.
  input  logic                 eng_valid_i,
  /// The S0 skid register is occupied.
  input  logic                 s0_spare_valid_i,
  /// S0 takes an operation, if there is one: from its skid register, or else from T3.
  input  logic                 s0_load_i,
  /// S0 holds an operation.
  input  logic                 s0_valid_i,
  /// It enters S1.
  input  logic                 s0_go_i,
  /// The operation in T2 waits there.
  output logic                 hold_o
);
  import kvcpu_pkg::*;

  localparam int unsigned OffBits = $clog2(BLOCK_TOKENS);

  `KVCPU_CHECK_PARAM(block_tokens, BLOCK_TOKENS >= 1 && BLOCK_TOKENS <= 256 && $onehot(BLOCK_TOKENS),
                     "BLOCK_TOKENS must be a power of two from 1 to 256")

  typedef struct packed {
    logic        writes;
    logic [15:0] sig;
  } lock_t;

  localparam int unsigned Locks = 9;  // an operation in T1 may meet that many older ones
  typedef logic [Locks-1:0] locks_t;

  function automatic logic [15:0] signature(kv_addr_t a);
    logic [31:0] block;
    block = a.token >> OffBits;
    return a.request_id ^ {a.head, a.layer} ^ block[15:0] ^ block[31:16];
  endfunction

  function automatic logic may_write_tag(op_t o);
    return (o.op == OpLookup && o.write && !o.denied) || o.op == OpInsert || o.op == OpRemove ||
           o.op == OpEnd;
  endfunction

  function automatic logic locked(lock_t l, logic [15:0] sig);
    return l.writes && (l.sig == sig);
  endfunction

  lock_t t1_lock, t2_lock_q, t3_lock_q, s0_spare_lock_q, s0_lock_q, s1_lock_q, s2_lock_q, s3_lock_q, s4_lock_q;
  lock_t s5_lock_q, spare_lock, head_lock;
  locks_t t1_meets, t2_meets;
  logic t1_named;
  logic [15:0] t1_sig_q;

  always_ff @(posedge clk_i) begin
    if (t1_load_i) t1_sig_q <= t1_from_spare_i ? signature(t1_spare_kv_addr_i) : signature(enter_kv_addr_i);
  end

  assign t1_lock = '{writes: t1_valid_i && may_write_tag(t1_op_i), sig: t1_sig_q};
  assign t1_named = t1_valid_i && (t1_op_i.op != OpRead) && (t1_op_i.op != OpProbe);

  assign spare_lock = '{writes: s0_spare_valid_i && s0_spare_lock_q.writes, sig: s0_spare_lock_q.sig};
  assign head_lock  = '{writes: s0_valid_i && s0_lock_q.writes, sig: s0_lock_q.sig};

  // Older than what is in T2, and with that, older than what is in T1. A lock that has left its stage is
  // only a false alarm: S0 and its skid register keep theirs.
  lock_t [Locks-1:0] older;
  assign older = {t2_lock_q, t3_lock_q, spare_lock, head_lock, s1_lock_q, s2_lock_q, s3_lock_q, s4_lock_q,
                  s5_lock_q};
  always_comb begin
    for (int unsigned l = 0; l < Locks; l++) begin
      t1_meets[l] = locked(older[l], t1_sig_q);
      t2_meets[l] = (l < Locks - 1) && locked(older[l], t2_lock_q.sig);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      hold_o    <= 1'b0;
      t2_lock_q <= '0;
      t3_lock_q <= '0;
      s1_lock_q <= '0;
      s2_lock_q <= '0;
      s3_lock_q <= '0;
      s4_lock_q <= '0;
      s5_lock_q <= '0;
    end else begin
      if (advance_i) begin
        hold_o    <= hold_o ? t2_meets != '0 : t1_named && t1_meets != '0;
        t3_lock_q <= hold_o ? '0 : t2_lock_q;
        if (!hold_o) t2_lock_q <= t1_lock;
      end
      s1_lock_q <= '{writes: s0_lock_q.writes && s0_go_i, sig: s0_lock_q.sig};
      s2_lock_q <= s1_lock_q;
      s3_lock_q <= s2_lock_q;
      s4_lock_q <= s3_lock_q;
      s5_lock_q <= s4_lock_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (advance_i) s0_spare_lock_q <= eng_valid_i ? '0 : t3_lock_q;
    if (s0_load_i) s0_lock_q <= advance_i ? t3_lock_q : s0_spare_lock_q;
  end

endmodule
