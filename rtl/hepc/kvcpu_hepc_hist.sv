// Histogram of a scan's eviction candidates by P[15:8], per tier, and the search of the automatic
// threshold in it (device.md 5).
//
// During a scan each lane counts for itself. After it, one pass over the 256 bins adds the lanes
// up, stores the running sums of each tier and wipes the counts for the next scan. The search is a
// binary one in the running sums, for the three tiers side by side.

`include "kvcpu_assert.svh"

module kvcpu_hepc_hist
  import kvcpu_pkg::*;
#(
  /// Directory entries: power of two, 1,024 to 65,536 (device.md 1).
  parameter int unsigned ENTRIES = 65536,
  /// Scoring lanes: 4, 8 or 16 (device.md 1).
  parameter int unsigned LANES   = 16
) (
  /// Clock.
  input  logic                   clk_i,
  /// Reset, active low.
  input  logic                   rst_ni,
  /// Synchronous clear: the histogram is empty again once ready_o is high.
  input  logic                   clear_i,

  /// Per lane: the scan step at S5 counts (it is not repeated, and its entry met every eviction
  /// condition but the threshold).
  input  logic  [LANES-1:0]      hist_valid_i,
  /// Per lane: its entry's tier, 0 to 2.
  input  tier_e [LANES-1:0]      hist_tier_i,
  /// Per lane: its new P[15:8].
  input  logic [LANES-1:0][7:0]  hist_bin_i,

  /// Pulse: the scan is done (two cycles after its last hist_valid_i or later); its histogram
  /// becomes that of the last scan.
  input  logic                   sum_start_i,
  /// No clearing and no summing runs: a scan or a search may start.
  output logic                   ready_o,

  /// Pulse: search the last scan's histogram (only while ready_o).
  input  logic                   search_start_i,
  /// Per tier 0 to 2: N, the entries wanted below the threshold; stable until search_done_o. The
  /// result means nothing where it is 0.
  input  logic [2:0][CountW-1:0] search_n_i,
  /// Pulse: the search is done, 25 cycles after its start.
  output logic                   search_done_o,
  /// Per tier, from search_done_o to the next search: the lowest bin b with at least N entries in
  /// bins 0 to b; 255 also where there is none.
  output logic [2:0][7:0]        search_bin_o
);

  `KVCPU_CHECK_PARAM(lanes, LANES inside {4, 8, 16}, "LANES must be 4, 8 or 16")
  `KVCPU_CHECK_PARAM(entries, ENTRIES >= 1024 && ENTRIES <= MaxEntries && $onehot(ENTRIES),
                     "ENTRIES must be a power of two, 1,024 to 65,536")

  localparam int unsigned CountBits = $clog2(ENTRIES / LANES) + 1;
  localparam int unsigned GroupLanes = 4;  // lanes added up in one stage
  localparam int unsigned Groups = LANES / GroupLanes;
  localparam int unsigned DrainCycles = 2;  // stages of kvcpu_hepc_hist_lane that hold an entry then
  localparam int unsigned SumStages = 5;  // from reading a bin to writing its running sum

  // ------------------------------------------------------------------ sequence
  typedef enum logic [1:0] {
    StWipe,   // after a reset: the memory's content is unknown
    StCount,
    StDrain,  // the last entries of the scan reach the memory
    StSum
  } state_e;

  state_e     state_q, state_d;
  logic [8:0] bin_q, bin_d;  // bin that is read or wiped; 256: all are
  logic [SumStages-1:0] stage_q;  // stages of the summing that hold a bin

  logic reading, over_q;  // over_q: in StSum, all bins are read and none is in a stage
  assign reading = (state_q == StSum) && !bin_q[8];

  always_comb begin
    state_d = state_q;
    bin_d   = '0;
    unique case (state_q)
      StWipe: begin
        bin_d = bin_q + 1'b1;
        if (&bin_q[7:0]) begin
          bin_d   = '0;
          state_d = StCount;
        end
      end
      StCount: if (sum_start_i) state_d = StDrain;
      StDrain: begin
        bin_d = bin_q + 1'b1;
        if (bin_q == 9'(DrainCycles - 1)) begin
          bin_d   = '0;
          state_d = StSum;
        end
      end
      StSum: begin
        bin_d = bin_q[8] ? bin_q : bin_q + 1'b1;
        if (over_q) begin
          bin_d   = '0;
          state_d = StCount;
        end
      end
      default: state_d = StWipe;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= StWipe;
      bin_q   <= '0;
      over_q  <= 1'b0;
      stage_q <= '0;
    end else if (clear_i) begin
      state_q <= StWipe;
      bin_q   <= '0;
      over_q  <= 1'b0;
      stage_q <= '0;
    end else begin
      state_q <= state_d;
      bin_q   <= bin_d;
      over_q  <= (state_q == StSum) && bin_q[8] && stage_q[SumStages-2:0] == '0;
      stage_q <= {stage_q[SumStages-2:0], reading};
    end
  end

  assign ready_o = state_q == StCount;

  // ------------------------------------------------------------------ counts of the lanes
  logic [LANES-1:0][2:0][CountBits-1:0] lane_counts;
  logic                                 wipe;
  logic [7:0]                           wipe_bin, read_bin_q;

  // A bin is wiped in the cycle after it is read.
  assign wipe     = (state_q == StWipe) || stage_q[0];
  assign wipe_bin = (state_q == StWipe) ? bin_q[7:0] : read_bin_q;

  always_ff @(posedge clk_i) read_bin_q <= bin_q[7:0];

  for (genvar l = 0; l < LANES; l++) begin : g_lane
    kvcpu_hepc_hist_lane #(
      .CountBits(CountBits)
    ) u_lane (
      .clk_i     (clk_i),
      .rst_ni    (rst_ni),
      .clear_i   (clear_i),
      .valid_i   (hist_valid_i[l]),
      .tier_i    (hist_tier_i[l]),
      .bin_i     (hist_bin_i[l]),
      .read_i    (reading),
      .read_bin_i(bin_q[7:0]),
      .counts_o  (lane_counts[l]),
      .wipe_i    (wipe),
      .wipe_bin_i(wipe_bin)
    );
  end

  // ------------------------------------------------------------------ running sums
  logic [2:0][Groups-1:0][CountW-1:0] group_q, group_d;
  logic [2:0][CountW-1:0]             total_q, total_d, running_q;
  logic [7:0]                         sum_bin_q;

  always_comb begin
    group_d = '0;
    total_d = '0;
    for (int t = 0; t < 3; t++) begin
      for (int l = 0; l < LANES; l++) group_d[t][l/GroupLanes] += CountW'(lane_counts[l][t]);
      for (int g = 0; g < Groups; g++) total_d[t] += group_q[t][g];
    end
  end

  always_ff @(posedge clk_i) begin
    group_q <= group_d;
    total_q <= total_d;
    for (int t = 0; t < 3; t++) begin
      if (state_q != StSum) running_q[t] <= '0;
      else if (stage_q[SumStages-2]) running_q[t] <= running_q[t] + total_q[t];
    end
    if (state_q != StSum) sum_bin_q <= '0;
    else if (stage_q[SumStages-1]) sum_bin_q <= sum_bin_q + 1'b1;
  end

  // ------------------------------------------------------------------ search
  logic [2:0][CountW-1:0] sum_rdata, sum_q;
  logic [2:0][7:0]        found_q, probe;
  logic [7:0]             half_q;  // one-hot: the bit of found_q that is decided
  logic [2:0]             phase_q;  // one-hot: read, arrive, compare
  logic                   search_done_q;

  for (genvar t = 0; t < 3; t++) begin : g_tier
    assign probe[t] = found_q[t] | (half_q - 1'b1);

    kvcpu_ram_1r1w #(
      .Width(CountW),
      .Depth(256)
    ) u_sums (
      .clk_i  (clk_i),
      .we_i   (stage_q[SumStages-1]),
      .waddr_i(sum_bin_q),
      .wdata_i(running_q[t]),
      .re_i   (phase_q[0]),
      .raddr_i(probe[t]),
      .rdata_o(sum_rdata[t])
    );

    always_ff @(posedge clk_i) begin
      sum_q[t] <= sum_rdata[t];
      if (search_start_i) found_q[t] <= '0;
      else if (phase_q[2] && sum_q[t] < search_n_i[t]) found_q[t] <= found_q[t] | half_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (search_start_i) half_q <= 8'h80;
    else if (phase_q[2]) half_q <= half_q >> 1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      phase_q       <= '0;
      search_done_q <= 1'b0;
    end else if (clear_i) begin
      phase_q       <= '0;
      search_done_q <= 1'b0;
    end else begin
      phase_q       <= {phase_q[1:0], search_start_i || (phase_q[2] && !half_q[0])};
      search_done_q <= phase_q[2] && half_q[0];
    end
  end

  assign search_done_o = search_done_q;
  assign search_bin_o  = found_q;

endmodule
