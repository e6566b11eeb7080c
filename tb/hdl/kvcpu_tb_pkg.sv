// What the testbench's SystemVerilog shares: the DPI functions of tb/dpi and the records that monitors write.
// tb/events/records.py reads the record kinds from here; the layout of a record's words is written beside each function.

package kvcpu_tb_pkg;
  import kvcpu_pkg::*;

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

  // ---------------------------------------------------------------- streams and record kinds
  localparam int StreamMain = 0;  // 16 words, everything that has an order
  localparam int StreamScan = 1;  // 4 words, one for each scan step that scored
  localparam int StreamPort = 2;  // 4 words, lookup requests and answers

  typedef enum logic [7:0] {
    // the directory starts empty: w2 1 hard reset, 2 soft reset
    EvReset = 8'd0,
    // an operation's commit point, see kvcpu_mon_rtbd
    EvOp = 8'd1,
    // flags: index written; w2: key that moves there
    EvReloc = 8'd2,
    // FREE_REQUEST meets an entry; flags: index; w2: {removed 16, request_id 16}
    EvFree = 8'd3,
    // a slot that FREE_REQUEST freed enters its pool; w2: {tier 2, slot 16}
    EvFreed = 8'd4,
    // STEP_ADVANCE takes effect; w2: step
    EvStep = 8'd5,
    // a scan begins; w2..w4 free, w5..w7 departures of tiers 0 to 2
    EvScanBegin = 8'd6,
    // what the scan uses; w2 first row, w3 step, w4 weights and thresholds, w5.., see kvcpu_mon_hepc_ctrl
    EvScanStart = 8'd7,
    // the scan is done
    EvScanDone = 8'd8,
    // w2: cycles of the scan
    EvScanCycles = 8'd9,
    // a decision enters its queue; flags: channel; w2 key, w3 item, w4 level before
    EvPush = 8'd10,
    // the DMA takes an item; as EvPush
    EvPop = 8'd11,
    // op status, client from, port to, flags dropped; w2 KV address
    EvCompletion = 8'd12,
    // software pops the completion queue
    EvComplPop = 8'd13,
    // software pops the miss queue
    EvMissPop = 8'd14,
    // a miss is dropped
    EvMissDrop = 8'd15,
    // a configuration field has a new value: op field, client index; w2 value
    EvConfig = 8'd16,
    // a command enters the command queue: op cmd; w2 KV address, w3 len, w4 step, w5 {token_end 32, 0 16, heads 8, layers 8}, w6 {touch 8, hot 8, prefix 8, tier 8}
    EvCommand = 8'd17,
    // a command is done
    EvCmdDone = 8'd18,
    // result of the last directory command: op status, client tier, flags index; w2 PHYS_ADDR, w3 removed, w4 stayed
    EvResult = 8'd19,
    // a launch was refused because the command queue was full
    EvCmdRefused = 8'd20,
    // an access: op 1 write, client response, port BAR, flags strobes; w2 address, w3 data, w4 cycles from request to response
    EvMmio = 8'd21,
    // interrupt events: op bits
    EvIrq = 8'd22,
    // the interrupt output changes: op level
    EvIrqLevel = 8'd23,
    // op channel, client write side; w2 KV address
    EvDmaError = 8'd24,
    // op entries, flags index of one
    EvParity = 8'd25,
    // INSERT's search ends without a place; w2 KV address, w3 {tier 8, slot 16}
    EvInsertFull = 8'd26,
    // BAR2 latches an entry; flags index; w2..w5 the 32 bytes
    EvEntryRead = 8'd27,
    // an entry by the backdoor; see kvcpu_mon_bank
    EvDump = 8'd28
  } event_e;

  /// Fields of cfg_t in EvConfig records.
  typedef enum logic [7:0] {
    CfgEnable = 8'd0,
    CfgDemand = 8'd1,
    CfgContendPolicy = 8'd2,
    CfgWR = 8'd3,
    CfgWF = 8'd4,
    CfgWS = 8'd5,
    CfgWD = 8'd6,
    CfgEvictThresh = 8'd7,
    CfgPrefetchThresh = 8'd8,
    CfgRShift = 8'd9,
    CfgFAge = 8'd10,
    CfgLookahead = 8'd11,
    CfgPromoteTier = 8'd12,
    CfgEvictTiers = 8'd13,
    CfgMaxRetry = 8'd14,
    CfgBlockBytes = 8'd15,
    CfgReqLo = 8'd16,
    CfgReqHi = 8'd17,
    CfgBase = 8'd18,
    CfgSlots = 8'd19,
    CfgReserve = 8'd20,
    CfgLow = 8'd21,
    CfgHigh = 8'd22,
    CfgHold = 8'd23
  } cfg_field_e;

  /// Word 1 of a main record: {flags 32, port 8, client 8, op 8, kind 8}.
  function automatic longint head(event_e kind, int op, int client, int port_no, int flags);
    return {32'(flags), 8'(port_no), 8'(client), 8'(op), kind};
  endfunction

  /// An item's key: {request_id 16, layer_head 16, block 32}.
  function automatic longint item_key(item_t item);
    return {item.request_id, item.layer_head, item.block};
  endfunction

  /// The rest of an item: {0 16, generation 16, by_migrate 8, fixed 8, target 8, from 8}.
  function automatic longint item_rest(item_t item);
    return {16'd0, item.generation, 8'(item.by_migrate), 8'(item.fixed), 8'(item.target), 8'(item.from)};
  endfunction

  // An entry in 4 words.
  /// {request_id 16, layer_head 16, block 32}
  function automatic longint entry_word0(tag_t tag);
    return {tag.request_id, tag.layer_head, tag.block};
  endfunction
  /// {prio 16, ref_count 8, r 8, access_step 32}
  function automatic longint entry_word1(meta_t meta);
    return {meta.prio, meta.ref_count, meta.r, meta.access_step};
  endfunction
  /// {f 8, flags 16, tier 8, slot 16, token_end 8, valid 8};
  /// flags: prefix, dirty, hot, evictable, hint, epoch, in_flight, moving, voided from bit 0
  function automatic longint entry_word2(tag_t tag, meta_t meta);
    return {meta.f, meta_flags(meta), 8'(tag.tier), tag.slot, tag.token_end, 8'(tag.valid)};
  endfunction
  /// {0 32, move_id 16, generation 16}
  function automatic longint entry_word3(meta_t meta);
    return {32'd0, 16'(meta.move_id), meta.generation};
  endfunction
  function automatic logic [15:0] meta_flags(meta_t meta);
    return {7'd0, meta.voided, meta.moving, meta.in_flight, meta.epoch, meta.hint, meta.evictable,
            meta.hot, meta.dirty, meta.prefix};
  endfunction

endpackage
