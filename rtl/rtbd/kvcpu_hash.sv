// The row of a key in every bank: simple tabulation. Each of the key's 16 digits of four bits picks a
// word of a fixed random table, and the words are XORed; so the banks' choices are independent, a bit
// costs one 4-input function per digit and one XOR tree, and consecutive keys spread like random ones
// (a hash that is linear in the key's bits maps a text to whole lines of the table).
// model/placement.py computes the same tables; a test of the model pins them.

module kvcpu_hash #(
  /// Banks, one way each. Legal: 4, 8, 16 (device.md 1).
  parameter int unsigned LANES = 16,
  /// Rows per bank, ENTRIES / LANES. Power of two, 64 to 16,384.
  parameter int unsigned ROWS = 4096
) (
  /// REQUEST_ID of the key (device.md 2).
  input  logic [15:0]                               request_id_i,
  /// LAYER_HEAD of the key.
  input  logic [15:0]                               layer_head_i,
  /// TOKEN_START / BLOCK_TOKENS of the key.
  input  logic [31:0]                               block_i,
  /// Row of the key in each bank.
  output logic [LANES-1:0][kvcpu_pkg::RowW-1:0]     row_o
);
  import kvcpu_pkg::*;

  localparam int unsigned RowBits = $clog2(ROWS);
  localparam int unsigned Digits = 16;
  localparam int unsigned WordW = LANES * RowBits;
  localparam int unsigned PaddedW = 2 ** $clog2(WordW);  // a table's words start at powers of two

  // splitmix64's output function on a counter.
  function automatic logic [63:0] random_of(int unsigned index);
    logic [63:0] z;
    z = 64'h6B76_6370_7500_0000 + 64'(index) + 64'h9E37_79B9_7F4A_7C15;
    z = (z ^ (z >> 30)) * 64'hBF58_476D_1CE4_E5B9;
    z = (z ^ (z >> 27)) * 64'h94D0_49BB_1331_11EB;
    return z ^ (z >> 31);
  endfunction

  // The table of a digit: for each of its values a row in each bank, four of them from one random number.
  function automatic logic [15:0][PaddedW-1:0] table_of(int unsigned digit);
    logic [63:0] z;
    table_of = '0;
    for (int unsigned value = 0; value < 16; value++) begin
      for (int unsigned bank = 0; bank < LANES; bank++) begin
        z = random_of((digit * 16 + value) * 4 + bank / 4) >> (16 * (bank % 4));
        table_of[value][bank*RowBits+:RowBits] = z[RowBits-1:0];
      end
    end
  endfunction

  logic [4*Digits-1:0] key;
  (* keep *) logic [Digits-1:0][PaddedW-1:0] word;
  logic [PaddedW-1:0] rows;
  assign key = {request_id_i, layer_head_i, block_i};

  for (genvar d = 0; d < Digits; d++) begin : gen_digit
    localparam logic [15:0][PaddedW-1:0] Table = table_of(d);
    assign word[d] = Table[key[4*d+:4]];
  end

  // Four digits each, then the four: three 4-input functions one behind the other. `keep`, or mapping makes more of
  // them to save some.
  (* keep *) logic [Digits/4-1:0][PaddedW-1:0] four;
  always_comb begin
    rows = '0;
    for (int unsigned d = 0; d < Digits / 4; d++) begin
      four[d] = word[4*d] ^ word[4*d+1] ^ word[4*d+2] ^ word[4*d+3];
      rows ^= four[d];
    end
    for (int unsigned b = 0; b < LANES; b++) row_o[b] = RowW'(rows[b*RowBits+:RowBits]);
  end

endmodule
