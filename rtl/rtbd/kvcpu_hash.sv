// The row of a key in every bank. Bit i of bank b's row is the parity of the key under a fixed
// random mask, so the banks' choices are independent and one XOR tree deep.
// model/hashing.py computes the same masks; a block test compares the two.

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

  // splitmix64's output function on a counter.
  function automatic logic [63:0] mask_of(int unsigned bank, int unsigned bit_index);
    logic [63:0] z;
    z = 64'h6B76_6370_7500_0000 + 64'(bank * 16 + bit_index) + 64'h9E37_79B9_7F4A_7C15;
    z = (z ^ (z >> 30)) * 64'hBF58_476D_1CE4_E5B9;
    z = (z ^ (z >> 27)) * 64'h94D0_49BB_1331_11EB;
    return z ^ (z >> 31);
  endfunction

  logic [63:0] key;
  assign key = {request_id_i, layer_head_i, block_i};

  for (genvar b = 0; b < LANES; b++) begin : gen_bank
    for (genvar i = 0; i < RowW; i++) begin : gen_bit
      if (i < RowBits) begin : gen_used
        localparam logic [63:0] Mask = mask_of(b, i);
        assign row_o[b][i] = ^(key & Mask);
      end else begin : gen_unused
        assign row_o[b][i] = 1'b0;
      end
    end
  end

endmodule
