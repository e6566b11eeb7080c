// The answers of the lookup ports: S2 hands each answer to the queue of the port that asked (kvcpu_rtbd_answer), in
// which it waits for the port. A lookup enters only with a credit, a place in that queue, so S2 never waits.

`include "kvcpu_assert.svh"

module kvcpu_rtbd_answers #(
  /// Lookup ports (device.md 1). Legal: 1 to 8.
  parameter int unsigned PORTS = 3
) (
  /// Clock.
  input  logic                   clk_i,
  /// Reset, active low.
  input  logic                   rst_ni,
  /// A lookup of the port enters.
  input  logic [PORTS-1:0]       accept_i,
  /// The port has a place for one more answer.
  output logic [PORTS-1:0]       credit_o,
  /// S2 holds a lookup of the port.
  input  logic [PORTS-1:0]       s2_to_port_i,
  /// S2: it hits.
  input  logic                   s2_hit_i,
  /// S2: it is outside the tenant window.
  input  logic                   s2_denied_i,
  /// S2: tier of the entry.
  input  logic [1:0]             s2_tier_i,
  /// S2: PHYS_ADDR of the entry, bytes.
  input  logic [63:0]            s2_phys_addr_i,
  /// S2: index of the entry.
  input  logic [15:0]            s2_index_i,
  /// Answers, in order per port.
  output logic [PORTS-1:0]       answer_valid_o,
  /// Answers: taken.
  input  logic [PORTS-1:0]       answer_ready_i,
  /// Answers: hit.
  output logic [PORTS-1:0]       answer_hit_o,
  /// Answers: outside the tenant window.
  output logic [PORTS-1:0]       answer_denied_o,
  /// Answers: tier.
  output logic [PORTS-1:0][1:0]  answer_tier_o,
  /// Answers: PHYS_ADDR, bytes.
  output logic [PORTS-1:0][63:0] answer_phys_addr_o,
  /// Answers: index of the entry.
  output logic [PORTS-1:0][15:0] answer_index_o,
  /// No lookup is on its way and no answer waits.
  output logic                   idle_o
);
  import kvcpu_pkg::*;

  `KVCPU_CHECK_PARAM(ports, PORTS >= 1 && PORTS <= MaxPorts, "PORTS must be 1 to 8")

  typedef struct packed {
    logic [1:0]  tier;
    logic [63:0] phys_addr;
    logic [15:0] index;
  } answer_t;

  answer_t s2_answer;
  logic [PORTS-1:0] answers_idle;

  assign s2_answer = '{tier: s2_tier_i, phys_addr: s2_phys_addr_i, index: s2_index_i};

  for (genvar p = 0; p < PORTS; p++) begin : gen_answer
    answer_t answer;
    kvcpu_rtbd_answer #(
      .Width($bits(answer_t)),
      .Depth(16)
    ) u_answer (
      .clk_i   (clk_i),
      .rst_ni  (rst_ni),
      .accept_i(accept_i[p]),
      .credit_o(credit_o[p]),
      .valid_i (s2_to_port_i[p]),
      .hit_i   (s2_hit_i),
      .denied_i(s2_denied_i),
      .data_i  (s2_answer),
      .valid_o (answer_valid_o[p]),
      .ready_i (answer_ready_i[p]),
      .hit_o   (answer_hit_o[p]),
      .denied_o(answer_denied_o[p]),
      .data_o  (answer),
      .idle_o  (answers_idle[p])
    );
    assign answer_tier_o[p] = answer.tier;
    assign answer_phys_addr_o[p] = answer.phys_addr;
    assign answer_index_o[p] = answer.index;
  end
  assign idle_o = &answers_idle;

endmodule
