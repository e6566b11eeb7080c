// Frames of bytes to accesses and back (docs/fpga.md). One access at a time; requests that come
// meanwhile wait in the FIFO, whose depth is what a host may have under way (RequestDepth bytes).

module kvcpu_board_bridge
  import kvcpu_board_pkg::*;
#(
  /// Cycles without a byte after which a request that is not whole is forgotten, 2 and up.
  parameter int unsigned GapCycles = 2 ** 18,
  /// Bytes of requests that may wait, a power of two.
  parameter int unsigned RequestDepth = 64
) (
  /// Clock.
  input  logic             clk_i,
  /// Reset, active low.
  input  logic             rst_ni,

  /// A byte from the host (pulse).
  input  logic             rx_valid_i,
  /// That byte.
  input  logic [7:0]       rx_data_i,
  /// A byte for the host.
  output logic             tx_valid_o,
  /// It is taken.
  input  logic             tx_ready_i,
  /// That byte.
  output logic [7:0]       tx_data_o,

  /// Interrupt output of the device.
  input  logic             irq_i,

  /// An access; it and its fields hold until `done_i`.
  output logic             valid_o,
  /// It writes.
  output logic             write_o,
  /// Its address, bytes.
  output logic [AddrW-1:0] addr_o,
  /// Data of a write.
  output logic [63:0]      wdata_o,
  /// The access has ended.
  input  logic             done_i,
  /// How.
  input  resp_e            resp_i,
  /// Data of a read.
  input  logic [63:0]      rdata_i
);

  localparam int unsigned GapW = $clog2(GapCycles);
  localparam int unsigned AddrBytes = AddrW / 8;
  localparam int unsigned DataBytes = 8;

  // One bit a state: what follows from a byte has the way to the FIFO and to all of the access.
  typedef struct packed {
    logic opcode;
    logic body;    // address, data, CRC
    logic address; // the address gets into its register
    logic access;
    logic status;
    logic data;
    logic crc;
    logic irq;
  } state_t;

  state_t           state_q, state_d;
  logic             write_q, chained_q;
  logic             refused_q;  // the last request was not OKAY
  logic [3:0]       left_q;   // bytes of the body or of the answer's data still to come, less one
  logic [AddrW-1:0] addr_q;
  logic [63:0]      data_q;
  logic [7:0]       crc_q, status_q;
  logic [GapW-1:0]  gap_q;
  logic             irq_q, irq_due_q;

  // ------------------------------------------------------------------ bytes that wait
  logic       byte_valid;
  logic       taken_q;   // what has come is worked off; its CRC is in crc_next_q
  logic [7:0] data;
  logic       unused_full;

  kvcpu_fifo #(
    .Width(8),
    .Depth(RequestDepth)
  ) u_requests (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(1'b0),
    .push_i (rx_valid_i),
    .data_i (rx_data_i),
    .full_o (unused_full),
    .valid_o(byte_valid),
    .data_o (data),
    .pop_i  (taken_q),
    .level_o()
  );

  // ------------------------------------------------------------------ sequence
  logic       known, body_over, crc_right, skip, gap_over, sent, short_answer, receives, sends;
  logic [7:0] opcode, byte_d, byte_q, mixed_q, crc_next_q;
  logic       steady;    // the same byte is next as in the cycle before
  logic       loaded_q;  // it is in byte_q
  logic       joined_q;  // it has met the CRC so far, in mixed_q
  logic       offered_q; // the next byte is presented to the line; its CRC is in crc_next_q

  // A byte, to come or to go, takes some cycles: one to be chosen, two for the CRC, one for what
  // follows from it. The line takes far longer.
  assign receives  = (state_q.opcode && !irq_due_q) || state_q.body;
  assign sends     = state_q.status || state_q.data || state_q.crc || state_q.irq;
  assign steady    = (receives && byte_valid && !taken_q) || (sends && !sent);
  assign opcode    = byte_q & ~OpChained;
  assign known     = opcode == OpRead || opcode == OpWrite;
  assign body_over = state_q.body && taken_q && left_q == '0;
  // The CRC's own byte brings a right remainder to 0.
  assign crc_right = crc_next_q == '0;
  assign skip      = chained_q && refused_q;
  assign gap_over  = gap_q == GapW'(GapCycles - 1);
  assign sent      = tx_valid_o && tx_ready_i;
  assign short_answer = write_q || status_q == StatusFrame;  // a status without data

  always_comb begin
    // An interrupt waits for the opcode that is being worked off.
    state_d.opcode  = (state_q.opcode && !(taken_q && known) && !(irq_due_q && !taken_q)) ||
                      (state_q.body && !body_over && gap_over && !byte_valid) ||
                      ((state_q.crc || state_q.irq) && sent);
    state_d.body    = (state_q.opcode && taken_q && known) ||
                      (state_q.body && !body_over && !(gap_over && !byte_valid));
    state_d.address = body_over && crc_right && !skip;
    state_d.access  = state_q.address || (state_q.access && !done_i);
    state_d.status  = (body_over && !(crc_right && !skip)) || (state_q.access && done_i) ||
                      (state_q.status && !sent);
    state_d.data    = (state_q.status && sent && !short_answer) ||
                      (state_q.data && !(sent && left_q == '0));
    state_d.crc     = (state_q.status && sent && short_answer) ||
                      (state_q.data && sent && left_q == '0) || (state_q.crc && !sent);
    state_d.irq     = (state_q.opcode && irq_due_q && !taken_q) || (state_q.irq && !sent);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= '{opcode: 1'b1, default: '0};
      gap_q     <= '0;
      irq_q     <= 1'b0;
      irq_due_q <= 1'b0;
      refused_q <= 1'b0;
      loaded_q  <= 1'b0;
      joined_q  <= 1'b0;
      taken_q   <= 1'b0;
      offered_q <= 1'b0;
    end else begin
      state_q   <= state_d;
      loaded_q  <= steady;
      joined_q  <= steady && loaded_q;
      taken_q   <= steady && joined_q && receives;
      offered_q <= steady && joined_q && sends;
      gap_q     <= (state_q.body && !byte_valid) ? gap_q + 1'b1 : '0;
      irq_q     <= irq_i;
      irq_due_q <= (irq_i && !irq_q) || (irq_due_q && !(state_q.irq && sent));
      if (body_over && !crc_right) refused_q <= 1'b1;
      else if (state_q.access && done_i) refused_q <= resp_i != RespOkay;
    end
  end

  always_ff @(posedge clk_i) begin
    byte_q     <= byte_d;
    // The CRC of a byte depends on its sum with the CRC so far.
    mixed_q    <= ((state_q.opcode || state_q.status) ? CrcInit : crc_q) ^ byte_q;
    crc_next_q <= crc8('0, mixed_q);
    if (state_q.opcode) begin
      write_q   <= opcode == OpWrite;
      chained_q <= (byte_q & OpChained) != '0;
      left_q    <= (opcode == OpWrite) ? 4'(AddrBytes + DataBytes) : 4'(AddrBytes);
    end
    if (state_q.opcode || taken_q || sent) crc_q <= crc_next_q;
    if (state_q.body) begin
      if (taken_q) begin
        left_q <= body_over ? 4'(DataBytes - 1) : left_q - 1'b1;
        // Little-endian: the bytes shift in from above, the address ends up below the data.
        if (left_q != '0) {data_q, addr_q} <= {byte_q, data_q, addr_q[AddrW-1:8]};
      end
      status_q <= crc_right ? StatusSkipped : StatusFrame;
    end
    // A read's four address bytes are where a write's first data bytes would be: on top.
    if (state_q.address && !write_q) addr_q <= data_q[63:32];
    if (state_q.access) begin
      if (done_i) data_q <= rdata_i;  // until then it holds the request
      unique case (resp_i)
        RespOkay:   status_q <= StatusOkay;
        RespSlverr: status_q <= StatusSlverr;
        default:    status_q <= StatusDecerr;
      endcase
    end
    if (state_q.data && sent) begin
      left_q <= left_q - 1'b1;
      data_q <= {8'd0, data_q[63:8]};
    end
  end

  // ------------------------------------------------------------------ outputs
  assign valid_o = state_q.access;
  assign write_o = write_q;
  assign addr_o  = addr_q;
  assign wdata_o = data_q;

  assign tx_valid_o = offered_q;
  assign tx_data_o  = byte_q;
  assign byte_d = (state_q.status ? status_q : '0) | (state_q.data ? data_q[7:0] : '0) |
                  (state_q.crc ? crc_q : '0) | (state_q.irq ? ByteIrq : '0) |
                  ((state_q.opcode || state_q.body) ? data : '0);

endmodule
