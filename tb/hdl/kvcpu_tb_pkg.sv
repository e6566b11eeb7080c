// The DPI functions of tb/dpi. What the monitors record with them is generated: kvcpu_events_pkg.

package kvcpu_tb_pkg;

  // ---------------------------------------------------------------- DPI (tb/dpi/*.cpp)
  import "DPI-C" function int kv_cycle(input longint now);
  import "DPI-C" function int kv_wake_count();
  import "DPI-C" function void kv_record16(
    input int stream, input longint w1, input longint w2, input longint w3, input longint w4,
    input longint w5, input longint w6, input longint w7, input longint w8, input longint w9,
    input longint w10, input longint w11, input longint w12, input longint w13,
    input longint w14, input longint w15);
  import "DPI-C" function void kv_record4(
    input int stream, input longint w1, input longint w2, input longint w3);
  import "DPI-C" function void kv_violation(input string text);
  import "DPI-C" function void kv_checked(input int n);
  import "DPI-C" function int kv_mmio_tick(
    input int bar, input int reset, input int awready, input int wready, input int bvalid,
    input int bresp, input int arready, input int rvalid, input int rresp, input longint rdata,
    input int irq, inout int addr, inout int strb, inout longint data);
  import "DPI-C" function int kv_lookup_tick(
    input int port_no, input int reset, input int lookup_ready, input int answer_valid,
    input int hit, input int denied, input int tier, input longint phys_addr, input int index,
    inout longint kv_addr);
  import "DPI-C" function void kv_axi_width(input int bytes);
  import "DPI-C" function void kv_axi_write_beat(
    input bit [511:0] data, input longint strb, input int last);
  import "DPI-C" function int kv_axi_tick(
    input int reset, input int awvalid, input int awid, input longint awaddr, input int awlen,
    input int awsize, input int awburst, input int awtier, input int arvalid, input int arid,
    input longint araddr, input int arlen, input int arsize, input int arburst, input int artier,
    input int bready, input int rready, inout int ids);
  import "DPI-C" function void kv_axi_read_data(output bit [511:0] data);
  import "DPI-C" function void kv_move_start(
    input int id, input longint kv_addr, input int src_tier, input longint src,
    input int dst_tier, input longint dst, input int bytes);
  import "DPI-C" function void kv_move_end(input int id, input int committed);
  import "DPI-C" function void kv_moves_clear();
  import "DPI-C" function void kv_fill(
    input int tier, input longint phys_addr, input longint kv_addr, input int bytes);

  import "DPI-C" function int kv_bank_number(input string scope);
  import "DPI-C" function int kv_bank_count();
  import "DPI-C" function int kv_poke(
    input int bank, output int row, output int tag, output int bit_no);
  import "DPI-C" function int kv_dump_wanted(input int bank);

endpackage
