// Simulation model of the ECP5's block RAM as Yosys uses it: no output registers, chip selects tied,
// read data that is cleared by nothing but an unused reset. The name, ports and parameters are
// Lattice's.
//
// A read of the address that the other port writes in the same cycle is undefined in the part; here
// it gives the complement of what is stored, so that a netlist that relies on it fails.
//
// Width 36 is Lattice's pseudo dual-port mode: port A writes on the data inputs of both ports, port B
// reads on the outputs of both.

// Every parameter of Lattice's is listed; a memory without initial contents needs few of them.
// verilator lint_off UNUSEDPARAM
// verilator lint_off UNUSEDSIGNAL
module DP16KD #(
  /// Bits of a word at port A: 1, 2, 4, 9, 18, 36.
  parameter int unsigned DATA_WIDTH_A = 18,
  /// Bits of a word at port B: as at port A.
  parameter int unsigned DATA_WIDTH_B = 18,
  /// Lattice's; only the value that Yosys gives is modelled.
  parameter REGMODE_A = "NOREG",
  /// Lattice's; only the value that Yosys gives is modelled.
  parameter REGMODE_B = "NOREG",
  /// Lattice's; only the value that Yosys gives is modelled.
  parameter RESETMODE = "SYNC",
  /// Lattice's; only the value that Yosys gives is modelled.
  parameter ASYNC_RESET_RELEASE = "SYNC",
  /// Lattice's; only the value that Yosys gives is modelled.
  parameter CSDECODE_A = "0b000",
  /// Lattice's; only the value that Yosys gives is modelled.
  parameter CSDECODE_B = "0b000",
  /// Lattice's; only the value that Yosys gives is modelled.
  parameter CLKAMUX = "CLKA",
  /// Lattice's; only the value that Yosys gives is modelled.
  parameter CLKBMUX = "CLKB",
  /// Lattice's; only the value that Yosys gives is modelled.
  parameter GSR = "AUTO",
  /// What port A reads while it writes: NORMAL keeps its output, READBEFOREWRITE gives the old word.
  parameter string WRITEMODE_A = "NORMAL",
  /// What port B reads while it writes: NORMAL keeps its output, READBEFOREWRITE gives the old word.
  parameter string WRITEMODE_B = "NORMAL",
  /// Initial contents, 16 words of 20 bits each; not modelled.
  parameter logic [319:0] INITVAL_00 = '0, INITVAL_01 = '0, INITVAL_02 = '0, INITVAL_03 = '0,
                          INITVAL_04 = '0, INITVAL_05 = '0, INITVAL_06 = '0, INITVAL_07 = '0,
                          INITVAL_08 = '0, INITVAL_09 = '0, INITVAL_0A = '0, INITVAL_0B = '0,
                          INITVAL_0C = '0, INITVAL_0D = '0, INITVAL_0E = '0, INITVAL_0F = '0,
                          INITVAL_10 = '0, INITVAL_11 = '0, INITVAL_12 = '0, INITVAL_13 = '0,
                          INITVAL_14 = '0, INITVAL_15 = '0, INITVAL_16 = '0, INITVAL_17 = '0,
                          INITVAL_18 = '0, INITVAL_19 = '0, INITVAL_1A = '0, INITVAL_1B = '0,
                          INITVAL_1C = '0, INITVAL_1D = '0, INITVAL_1E = '0, INITVAL_1F = '0,
                          INITVAL_20 = '0, INITVAL_21 = '0, INITVAL_22 = '0, INITVAL_23 = '0,
                          INITVAL_24 = '0, INITVAL_25 = '0, INITVAL_26 = '0, INITVAL_27 = '0,
                          INITVAL_28 = '0, INITVAL_29 = '0, INITVAL_2A = '0, INITVAL_2B = '0,
                          INITVAL_2C = '0, INITVAL_2D = '0, INITVAL_2E = '0, INITVAL_2F = '0,
                          INITVAL_30 = '0, INITVAL_31 = '0, INITVAL_32 = '0, INITVAL_33 = '0,
                          INITVAL_34 = '0, INITVAL_35 = '0, INITVAL_36 = '0, INITVAL_37 = '0,
                          INITVAL_38 = '0, INITVAL_39 = '0, INITVAL_3A = '0, INITVAL_3B = '0,
                          INITVAL_3C = '0, INITVAL_3D = '0, INITVAL_3E = '0, INITVAL_3F = '0
) (
  /// Port A: data in.
  input  logic DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
  /// Port A: address, above the byte enables.
  input  logic ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  /// Port A: clock, its enable, write enable.
  input  logic CLKA, CEA, WEA,
  /// Port A: not modelled.
  input  logic OCEA, RSTA, CSA2, CSA1, CSA0,
  /// Port B: data in.
  input  logic DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
  /// Port B: address, above the byte enables.
  input  logic ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  /// Port B: clock, its enable, write enable.
  input  logic CLKB, CEB, WEB,
  /// Port B: not modelled.
  input  logic OCEB, RSTB, CSB2, CSB1, CSB0,
  /// Port A: data out.
  output logic DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
  /// Port B: data out.
  output logic DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);

  localparam int unsigned Width = DATA_WIDTH_A;
  localparam int unsigned AddrW = 14 - $clog2(Width > 4 ? Width * 8 / 9 : Width);
  localparam int unsigned Bytes = (Width + 8) / 9;

  if (DATA_WIDTH_A != DATA_WIDTH_B) begin : gen_widths
    $error("DP16KD: ports of different widths are not modelled");
  end

  logic [Width-1:0] mem[2**AddrW];

  wire [17:0] dia = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};

  logic [35:0] outa, outb;
  wire [AddrW-1:0] addra = ada[13-:AddrW];
  wire [AddrW-1:0] addrb = adb[13-:AddrW];

  // Byte enables take the address bits below a wide word.
  logic [Bytes-1:0] bytesa, bytesb;
  logic [35:0]      dataa, datab;
  logic             writea, writeb;

  always_comb begin
    dataa = (Width == 36) ? {dib, dia} : 36'(dia);
    datab = 36'(dib);
    bytesa = (Width >= 18) ? ada[Bytes-1:0] : '1;
    bytesb = (Width >= 18) ? adb[Bytes-1:0] : '1;
    writea = CEA && WEA && bytesa != '0;
    writeb = (Width != 36) && CEB && WEB && bytesb != '0;
  end

  function automatic logic [Width-1:0] merged(logic [Width-1:0] word, logic [35:0] data,
                                              logic [Bytes-1:0] bytes);
    logic [35:0] all;
    all = 36'(word);
    for (int b = 0; b < int'(Bytes); b++) if (bytes[b]) all[b*9+:9] = data[b*9+:9];
    return all[Width-1:0];
  endfunction

  // Both ports have one clock in this design.
  always @(posedge CLKA) begin
    if (CEA) begin
      if (!writea || WRITEMODE_A == "READBEFOREWRITE") begin
        outa <= 36'(mem[addra] ^ {Width{writeb && addra == addrb}});
      end
    end
    if (CEB) begin
      if (!writeb || WRITEMODE_B == "READBEFOREWRITE") begin
        outb <= 36'(mem[addrb] ^ {Width{writea && addra == addrb}});
      end
    end
    if (writea) mem[addra] <= merged(mem[addra], dataa, bytesa);
    if (writeb) mem[addrb] <= merged(mem[addrb], datab, bytesb);
  end

  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} =
      (Width == 36) ? outb[17:0] : outa[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} =
      (Width == 36) ? outb[35:18] : outb[17:0];
endmodule
