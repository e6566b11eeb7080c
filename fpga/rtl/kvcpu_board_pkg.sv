// What the serial bridge and its host agree on. docs/fpga.md has the frames and the memory map.

package kvcpu_board_pkg;

  // Requests: opcode, address (4 bytes), data (8 bytes, write only), CRC.
  localparam logic [7:0] OpRead = 8'h52;   // 'R'
  localparam logic [7:0] OpWrite = 8'h57;  // 'W'
  localparam logic [7:0] OpChained = 8'h20;  // in small letters: only if the one before was OKAY

  // Answers: status, data (8 bytes, answer to a read only), CRC.
  localparam logic [7:0] StatusOkay = 8'h80;
  localparam logic [7:0] StatusSlverr = 8'h82;  // the device refused the access
  localparam logic [7:0] StatusDecerr = 8'h83;  // the bridge has nothing at this address
  localparam logic [7:0] StatusSkipped = 8'h84;  // chained to a request that was not OKAY
  localparam logic [7:0] StatusFrame = 8'h8F;   // the request was no frame; it had no effect

  /// The one byte that comes unasked, between answers: the interrupt output has gone to 1.
  localparam logic [7:0] ByteIrq = 8'h49;  // 'I'

  localparam int unsigned AddrW = 32;

  /// What an access goes to: address bits 31:28.
  typedef enum logic [3:0] {
    RegionBar0  = 4'd0,
    RegionBar2  = 4'd1,
    RegionTiers = 4'd2,  // tier in bits 27:26, byte address inside the tier below
    RegionBoard = 4'd3   // kvcpu_board_regs
  } region_e;

  typedef enum logic [1:0] {
    RespOkay   = 2'd0,
    RespSlverr = 2'd2,
    RespDecerr = 2'd3
  } resp_e;

  /// One step of the frames' CRC-8: polynomial x^8 + x^2 + x + 1, most significant bit first.
  function automatic logic [7:0] crc8(logic [7:0] crc, logic [7:0] data);
    logic [7:0] c;
    c = crc ^ data;
    for (int unsigned i = 0; i < 8; i++) c = c[7] ? {c[6:0], 1'b0} ^ 8'h07 : {c[6:0], 1'b0};
    return c;
  endfunction

  /// Where the CRC starts: not 0, so that a run of zeros is no frame.
  localparam logic [7:0] CrcInit = 8'hFF;

endpackage
