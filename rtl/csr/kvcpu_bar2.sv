// BAR2: the directory window. A read-only AXI4-Lite port that reads entries by index.

module kvcpu_bar2
  import kvcpu_pkg::*;
#(
    /// Directory entries (device.md 1): power of two, 1,024 to 65,536.
    parameter int unsigned ENTRIES = 65536
) (
    /// Clock.
    input logic clk_i,
    /// Reset, active low, asynchronous, released synchronously.
    input logic rst_ni,
    /// Synchronous clear of a soft reset: an operation that waits for its answer reads 0.
    input logic clear_i,
    /// The directory is initialised; before, every entry reads 0.
    input logic initialised_i,

    /// AXI4-Lite write address (ignored: every write gets SLVERR).
    input  logic [21:0] s_axil_awaddr_i,
    /// AXI4-Lite.
    input  logic        s_axil_awvalid_i,
    /// AXI4-Lite.
    output logic        s_axil_awready_o,
    /// AXI4-Lite write data (ignored).
    input  logic [63:0] s_axil_wdata_i,
    /// AXI4-Lite write strobes (ignored).
    input  logic [ 7:0] s_axil_wstrb_i,
    /// AXI4-Lite.
    input  logic        s_axil_wvalid_i,
    /// AXI4-Lite.
    output logic        s_axil_wready_o,
    /// AXI4-Lite write response: always 2, SLVERR.
    output logic [ 1:0] s_axil_bresp_o,
    /// AXI4-Lite.
    output logic        s_axil_bvalid_o,
    /// AXI4-Lite.
    input  logic        s_axil_bready_i,
    /// AXI4-Lite read address: index * 32 + word * 8.
    input  logic [21:0] s_axil_araddr_i,
    /// AXI4-Lite.
    input  logic        s_axil_arvalid_i,
    /// AXI4-Lite.
    output logic        s_axil_arready_o,
    /// AXI4-Lite read data; 0 with SLVERR.
    output logic [63:0] s_axil_rdata_o,
    /// AXI4-Lite read response: 0 OKAY, 2 SLVERR (unaligned, past the last entry).
    output logic [ 1:0] s_axil_rresp_o,
    /// AXI4-Lite.
    output logic        s_axil_rvalid_o,
    /// AXI4-Lite.
    input  logic        s_axil_rready_i,

    /// An OpRead is asked for; holds until op_ready_i.
    output logic op_valid_o,
    /// The directory accepts it.
    input  logic op_ready_i,
    /// The operation: OpRead, ClBar2, index.
    output op_t  op_o,
    /// The answer to the accepted OpRead (one cycle).
    input  logic rsp_valid_i,
    /// Its entry field is the entry.
    input  rsp_t rsp_i
);

endmodule
