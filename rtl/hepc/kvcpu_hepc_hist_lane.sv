// The histogram of one lane: per bin a word with one count for each of tiers 0 to 2. Takes one
// entry a cycle.
//
//   A  the bin's word is read
//   B  it arrives; a younger value that is on its way to the memory takes its place
//   C  the tier's count is raised, the word is written

module kvcpu_hepc_hist_lane
  import kvcpu_pkg::*;
#(
  /// Bits of a count: a lane's share of the entries must fit, 7 to 15.
  parameter int unsigned CountBits = 13
) (
  /// Clock.
  input  logic                      clk_i,
  /// Reset, active low.
  input  logic                      rst_ni,
  /// Synchronous clear: forgets the entries in the pipeline (not the memory).
  input  logic                      clear_i,

  /// An entry to count.
  input  logic                      valid_i,
  /// Its tier, 0 to 2.
  input  tier_e                     tier_i,
  /// Its bin.
  input  logic [7:0]                bin_i,

  /// Reads a bin (only while no entry is in the pipeline).
  input  logic                      read_i,
  /// The bin to read.
  input  logic [7:0]                read_bin_i,
  /// Its counts, two cycles after read_i.
  output logic [2:0][CountBits-1:0] counts_o,
  /// Writes 0 to a bin (only while no entry is in the pipeline).
  input  logic                      wipe_i,
  /// The bin to wipe.
  input  logic [7:0]                wipe_bin_i
);

  typedef logic [2:0][CountBits-1:0] word_t;

  logic       a_valid_q, b_valid_q, c_valid_q;
  logic       clear_q;  // what came with clear_i is in A: the entries come late in their cycle
  tier_e      a_tier_q, b_tier_q, c_tier_q;
  logic [7:0] a_bin_q, b_bin_q, c_bin_q;
  word_t      rdata, c_word_q, c_word, w_word_q;  // w_: the word written one cycle ago
  logic       b_in_c_q, b_in_w_q;  // the bin of B is that of C, of w_

  kvcpu_ram_1r1w #(
    .Width($bits(word_t)),
    .Depth(256),
    .Apart(1'b1)
  ) u_counts (
    .clk_i  (clk_i),
    .we_i   (c_valid_q || wipe_i),
    .waddr_i(c_valid_q ? c_bin_q : wipe_bin_i),
    .wdata_i(c_valid_q ? c_word : '0),
    .re_i   (a_valid_q || read_i),
    .raddr_i(a_valid_q ? a_bin_q : read_bin_i),
    .rdata_o(rdata)
  );

  always_comb begin
    c_word = c_word_q;
    for (int t = 0; t < 3; t++) begin
      if (c_tier_q == tier_e'(t)) c_word[t] = c_word_q[t] + 1'b1;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      clear_q   <= 1'b0;
      a_valid_q <= 1'b0;
      b_valid_q <= 1'b0;
      c_valid_q <= 1'b0;
    end else begin
      clear_q   <= clear_i;
      a_valid_q <= valid_i;
      b_valid_q <= a_valid_q && !clear_i && !clear_q;
      c_valid_q <= b_valid_q && !clear_i;
    end
  end

  always_ff @(posedge clk_i) begin
    a_tier_q <= tier_i;
    a_bin_q  <= bin_i;
    b_tier_q <= a_tier_q;
    b_bin_q  <= a_bin_q;
    c_tier_q <= b_tier_q;
    c_bin_q  <= b_bin_q;
    w_word_q <= c_word;
    // The read in A missed the writes of its own cycle (now w_) and of this one. Compared a cycle before,
    // the word comes late.
    b_in_c_q <= b_valid_q && b_bin_q == a_bin_q;
    b_in_w_q <= c_valid_q && c_bin_q == a_bin_q;
    if (b_in_c_q) c_word_q <= c_word;
    else if (b_in_w_q) c_word_q <= w_word_q;
    else c_word_q <= rdata;
  end

  assign counts_o = c_word_q;

endmodule
