// What the monitors record. Generated from tb/events/events.toml by `make regs`: do not edit.
//
// A monitor fills in a struct by the names of its fields; the function with it puts each field at its place in the
// record's words. docs/events.md lists all of them.

package kvcpu_events_pkg;
  import kvcpu_tb_pkg::*;

  localparam int StreamMain = 0;  // 16 words, everything that has an order
  localparam int StreamScan = 1;  // 4 words, one record for each scan step that scored
  localparam int StreamPort = 2;  // 4 words, requests and answers of the lookup ports
  localparam int StreamDma = 3;  // 4 words, what the DMA alone does in its block tests

  typedef enum logic {
    ChannelEvict = 1'd0,
    ChannelPrefetch = 1'd1
  } channel_e;

  typedef enum logic [1:0] {
    DecisionNone = 2'd0,
    DecisionEvict = 2'd1,
    DecisionPrefetch = 2'd2
  } decision_e;

  typedef enum logic [1:0] {
    ResponseOkay = 2'd0,
    ResponseExokay = 2'd1,
    ResponseSlverr = 2'd2,
    ResponseDecerr = 2'd3
  } response_e;

  typedef enum logic [1:0] {
    Bar0 = 2'd0,
    Bar1 = 2'd1,
    Bar2 = 2'd2
  } bar_e;

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
  } config_field_e;

  typedef struct packed {
    logic [63:0] key;  // request, layer and head, block
    logic [31:0] access_step;  // step of the last access, or the future step of a hint
    logic [15:0] prio;  // P of the last scan
    logic [15:0] slot;  // slot inside the tier: PHYS_ADDR = BASE + slot * stride
    logic [7:0] ref_count;  // references
    logic [7:0] r;  // recency
    logic [7:0] f;  // frequency
    logic [7:0] token_offset;  // TOKEN_END, its offset inside the block
    logic [1:0] tier;  // the tier that holds the block
    logic valid;  // the entry is valid
    logic prefix;  // as the contract's
    logic dirty;  // written since it was last placed
    logic hot;  // as the contract's
    logic evictable;  // as the contract's
    logic hint;  // ACCESS_STEP holds a future step
    logic epoch;  // parity of the last scan that scored it: the hardware's own
    logic in_flight;  // an item of this entry waits, is queued or moves
    logic moving;  // its copy runs
    logic voided;  // a write lookup hit it while it moved
  } entry_ev_t;

  typedef struct packed {
    logic [63:0] key;  // the block that the item names
    logic [15:0] generation;  // generation of the entry that the item was made for
    logic [1:0] from_tier;  // tier when the item was made
    logic fixed;  // 1: only the target; 0: the nearest slower tier with a free slot
    logic [1:0] target;  // the target tier
    logic by_migrate;  // asked for by MIGRATE
  } item_ev_t;

  /// The directory starts empty.
  typedef struct packed {
    logic hard;  // 1: the reset input; 0: a soft reset
  } reset_ev_t;
  function automatic void record_reset(reset_ev_t r);
    kv_record16(
      StreamMain,
      {48'd0, 8'(r.hard), 8'd0},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// An operation on the directory at its commit point (S3), with the entry after it.
  typedef struct packed {
    logic [3:0] op;  // the operation
    logic [1:0] client;  // who asked for it
    logic [2:0] port_no;  // the lookup port
    logic [63:0] kv_addr;  // the KV address that it names
    logic [31:0] step;  // the step of the hint
    logic hit;  // it found its entry
    logic [15:0] index;  // index of the entry; of an INSERT the place of the new one
    logic [2:0] status;  // status of a directory command; BUSY of an INSERT: the pool refills its head slot, the operation is retried
    logic [2:0] result;  // how the start check, or the end of a try, came out
    logic tag_written;  // the tag is written
    logic meta_written;  // the meta word is written
    logic search_end;  // the step that writes the new entry at the end of INSERT's search
    logic write;  // a write lookup
    logic denied;  // outside the port's tenant window
    logic retry;  // the start of a later try
    logic error;  // the try met an AXI error
    logic [6:0] move_id;  // the DMA's number of the move
    logic [1:0] found_tier;  // tier of the entry, before the operation
    logic [15:0] found_index;  // index in the answer
    logic [63:0] phys_addr;  // address of the entry, before the operation
    logic [1:0] to_tier;  // tier of the reserved place
    logic [63:0] to_phys_addr;  // address of the reserved place
    logic [1:0] arg_tier;  // the command's tier
    logic [7:0] arg_token_offset;  // the command's TOKEN_END, its offset inside the block
    logic arg_prefix;  // the command's flag
    logic arg_hot;  // the command's flag
    logic pushes;  // it has an item for a queue
    logic queued;  // the queue had a place for the item
    logic channel;  // the channel of that queue
    logic takes_slot;  // a slot is allocated, at the commit point or (INSERT) before it
    logic [1:0] taken_tier;  // tier of the allocated slot
    logic [15:0] taken_slot;  // the slot
    logic returns_slot;  // a slot is freed
    logic [1:0] returned_tier;  // tier of the freed slot
    logic [15:0] returned_slot;  // the slot
    logic held;  // the freed slot is quarantined until the next STEP_ADVANCE
    logic [1:0] before_tier;  // tier in the tag, before the operation
    logic [15:0] before_slot;  // slot in the tag, before the operation
    entry_ev_t entry;
    item_ev_t item;
  } op_ev_t;
  function automatic void record_op(op_ev_t r);
    kv_record16(
      StreamMain,
      {r.step, r.index, 8'(r.op), 8'd1},
      {r.kv_addr},
      {r.phys_addr},
      {r.to_phys_addr},
      {r.entry.key},
      {r.item.key},
      {r.taken_slot, r.found_index, r.entry.access_step},
      {r.entry.slot, r.entry.prio, r.before_slot, r.returned_slot},
      {8'(r.tag_written), 8'(r.result), 8'(r.status), 8'(r.hit), 8'(r.port_no), 8'(r.client), r.item.generation},
      {8'(r.found_tier), 8'(r.move_id), 8'(r.error), 8'(r.retry), 8'(r.denied), 8'(r.write), 8'(r.search_end), 8'(r.meta_written)},
      {8'(r.channel), 8'(r.queued), 8'(r.pushes), 8'(r.arg_hot), 8'(r.arg_prefix), r.arg_token_offset, 8'(r.arg_tier), 8'(r.to_tier)},
      {r.entry.r, r.entry.ref_count, 8'(r.before_tier), 8'(r.held), 8'(r.returned_tier), 8'(r.returns_slot), 8'(r.taken_tier), 8'(r.takes_slot)},
      {8'(r.entry.evictable), 8'(r.entry.hot), 8'(r.entry.dirty), 8'(r.entry.prefix), 8'(r.entry.valid), 8'(r.entry.tier), r.entry.token_offset, r.entry.f},
      {8'(r.item.target), 8'(r.item.fixed), 8'(r.item.from_tier), 8'(r.entry.voided), 8'(r.entry.moving), 8'(r.entry.in_flight), 8'(r.entry.epoch), 8'(r.entry.hint)},
      {56'd0, 8'(r.item.by_migrate)});
  endfunction

  /// A relocation writes an entry to another of its places.
  typedef struct packed {
    logic [15:0] index;  // the place written
    logic [63:0] key;  // the entry that moves there
  } reloc_ev_t;
  function automatic void record_reloc(reloc_ev_t r);
    kv_record16(
      StreamMain,
      {32'd0, r.index, 8'd0, 8'd2},
      {r.key},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// FREE_REQUEST meets an entry of its request.
  typedef struct packed {
    logic [15:0] index;  // index of the entry
    logic [15:0] request_id;  // the request
    logic removed;  // 1: the entry goes; 0: it is referenced and stays
  } free_ev_t;
  function automatic void record_free(free_ev_t r);
    kv_record16(
      StreamMain,
      {16'd0, r.request_id, r.index, 8'(r.removed), 8'd3},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A slot freed by FREE_REQUEST, or by an INSERT that found no place, enters its pool.
  typedef struct packed {
    logic [1:0] tier;  // its tier
    logic [15:0] slot;  // the slot
  } freed_ev_t;
  function automatic void record_freed(freed_ev_t r);
    kv_record16(
      StreamMain,
      {32'd0, r.slot, 8'(r.tier), 8'd4},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// STEP_ADVANCE takes effect.
  typedef struct packed {
    logic [31:0] step;  // the step
  } step_ev_t;
  function automatic void record_step(step_ev_t r);
    kv_record16(
      StreamMain,
      {r.step, 24'd0, 8'd5},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A scan begins: what pressure is judged by.
  typedef struct packed {
    logic [16:0] free_0;  // free slots
    logic [16:0] free_1;  // free slots
    logic [16:0] free_2;  // free slots
    logic [16:0] departures_0;  // departures in flight
    logic [16:0] departures_1;  // departures in flight
    logic [16:0] departures_2;  // departures in flight
  } scan_begin_ev_t;
  function automatic void record_scan_begin(scan_begin_ev_t r);
    kv_record16(
      StreamMain,
      {32'(r.free_0), 24'd0, 8'd6},
      {32'(r.free_2), 32'(r.free_1)},
      {32'(r.departures_1), 32'(r.departures_0)},
      {32'd0, 32'(r.departures_2)},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// What a scan uses, a cycle after the banks start.
  typedef struct packed {
    logic [13:0] row;  // the row that the scan begins at
    logic [31:0] step;  // the step
    logic [7:0] w_r;  // weight of recency
    logic [7:0] w_f;  // weight of frequency
    logic [7:0] w_s;  // weight of the step distance
    logic [7:0] w_d;  // weight of PREFIX
    logic [15:0] evict_thresh;  // as the register
    logic [15:0] prefetch_thresh;  // as the register
    logic [2:0] r_shift;  // as the register
    logic age;  // this scan halves F
    logic [30:0] lookahead;  // steps
    logic [30:0] kept_ahead;  // steps for which a hint keeps a block
    logic [1:0] promote_tier;  // as the register
    logic [3:0] evict_tiers;  // mask, bit 0 is tier 0
    logic pressure_0;  // the tier is under pressure
    logic pressure_1;  // the tier is under pressure
    logic pressure_2;  // the tier is under pressure
    logic [16:0] auto_thresh_0;  // automatic threshold T
    logic [16:0] auto_thresh_1;  // automatic threshold T
    logic [16:0] auto_thresh_2;  // automatic threshold T
  } scan_start_ev_t;
  function automatic void record_scan_start(scan_start_ev_t r);
    kv_record16(
      StreamMain,
      {r.step, 16'(r.row), r.w_r, 8'd7},
      {32'(r.kept_ahead), 32'(r.lookahead)},
      {32'(r.auto_thresh_1), 32'(r.auto_thresh_0)},
      {r.prefetch_thresh, r.evict_thresh, 32'(r.auto_thresh_2)},
      {8'(r.pressure_0), 8'(r.evict_tiers), 8'(r.promote_tier), 8'(r.age), 8'(r.r_shift), r.w_d, r.w_s, r.w_f},
      {48'd0, 8'(r.pressure_2), 8'(r.pressure_1)},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// The scan is done.
  function automatic void record_scan_done();
    kv_record16(
      StreamMain,
      {56'd0, 8'd8},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// SCAN_CYCLES has its new value.
  typedef struct packed {
    logic [31:0] took;  // cycles of the scan
  } scan_cycles_ev_t;
  function automatic void record_scan_cycles(scan_cycles_ev_t r);
    kv_record16(
      StreamMain,
      {r.took, 24'd0, 8'd9},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A decision enters its queue.
  typedef struct packed {
    logic channel;  // the queue
    logic [6:0] level;  // items in the queue before
    item_ev_t item;
  } push_ev_t;
  function automatic void record_push(push_ev_t r);
    kv_record16(
      StreamMain,
      {8'(r.item.target), 8'(r.item.fixed), 8'(r.item.from_tier), 8'(r.level), r.item.generation, 8'(r.channel), 8'd10},
      {r.item.key},
      {56'd0, 8'(r.item.by_migrate)},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// The DMA takes an item from a queue.
  typedef struct packed {
    logic channel;  // the queue
    logic [6:0] level;  // items in the queue before
    item_ev_t item;
  } pop_ev_t;
  function automatic void record_pop(pop_ev_t r);
    kv_record16(
      StreamMain,
      {8'(r.item.target), 8'(r.item.fixed), 8'(r.item.from_tier), 8'(r.level), r.item.generation, 8'(r.channel), 8'd11},
      {r.item.key},
      {56'd0, 8'(r.item.by_migrate)},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// An item's one completion.
  typedef struct packed {
    logic [63:0] kv_addr;  // first token of the block
    logic [2:0] status;  // how the item ended
    logic [1:0] from_tier;  // the tier left
    logic [1:0] to_tier;  // the tier entered
    logic dropped;  // the completion queue is full: dropped
  } completion_ev_t;
  function automatic void record_completion(completion_ev_t r);
    kv_record16(
      StreamMain,
      {24'd0, 8'(r.dropped), 8'(r.to_tier), 8'(r.from_tier), 8'(r.status), 8'd12},
      {r.kv_addr},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// Software pops the completion queue.
  function automatic void record_compl_pop();
    kv_record16(
      StreamMain,
      {56'd0, 8'd13},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// Software pops the miss queue.
  function automatic void record_miss_pop();
    kv_record16(
      StreamMain,
      {56'd0, 8'd14},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A miss is dropped, as the miss queue is full.
  function automatic void record_miss_drop();
    kv_record16(
      StreamMain,
      {56'd0, 8'd15},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A configuration field has a new value.
  typedef struct packed {
    logic [7:0] field;  // the field
    logic [7:0] instance_no;  // the port or tier of a field that each has
    logic [63:0] value;  // the new value
  } config_ev_t;
  function automatic void record_config(config_ev_t r);
    kv_record16(
      StreamMain,
      {40'd0, r.instance_no, r.field, 8'd16},
      {r.value},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A command enters the command queue.
  typedef struct packed {
    logic [3:0] cmd;  // the command
    logic [63:0] kv_addr;  // its first block; of FREE_REQUEST the request alone
    logic [32:0] length;  // tokens of a range
    logic [31:0] step;  // the step of PREFETCH
    logic [31:0] token_end;  // of INSERT
    logic [7:0] layers;  // layers of a range
    logic [7:0] heads;  // heads of a range
    logic [1:0] tier;  // of INSERT and MIGRATE
    logic prefix;  // of INSERT
    logic hot;  // of INSERT
    logic touch;  // of LOOKUP: 1 touch, 0 peek
  } command_ev_t;
  function automatic void record_command(command_ev_t r);
    kv_record16(
      StreamMain,
      {r.step, r.heads, r.layers, 8'(r.cmd), 8'd17},
      {r.kv_addr},
      {64'(r.length)},
      {8'(r.touch), 8'(r.hot), 8'(r.prefix), 8'(r.tier), r.token_end},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A command is done.
  function automatic void record_cmd_done();
    kv_record16(
      StreamMain,
      {56'd0, 8'd18},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// Result of the last directory command, a cycle after it is done.
  typedef struct packed {
    logic [2:0] status;  // its status
    logic [1:0] tier;  // of LOOKUP
    logic [15:0] index;  // of INSERT and LOOKUP
    logic [63:0] phys_addr;  // of INSERT and LOOKUP
    logic [16:0] removed;  // blocks that FREE_REQUEST removed
    logic [16:0] stayed;  // blocks that stayed, as they are referenced
  } result_ev_t;
  function automatic void record_result(result_ev_t r);
    kv_record16(
      StreamMain,
      {32'(r.removed), r.index, 8'(r.status), 8'd19},
      {r.phys_addr},
      {24'd0, 8'(r.tier), 32'(r.stayed)},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A launch is refused, as the command queue is full.
  function automatic void record_cmd_refused();
    kv_record16(
      StreamMain,
      {56'd0, 8'd20},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// An access of the registers (BAR0) or the directory window (BAR2).
  typedef struct packed {
    logic [1:0] bar;  // the window
    logic write;  // 1: a write
    logic [1:0] response;  // the response
    logic [7:0] strobes;  // byte strobes of a write
    logic [31:0] address;  // byte address
    logic [63:0] data;  // data written or read
    logic [31:0] took;  // cycles from request to response
  } mmio_ev_t;
  function automatic void record_mmio(mmio_ev_t r);
    kv_record16(
      StreamMain,
      {r.address, 8'(r.response), 8'(r.write), 8'(r.bar), 8'd21},
      {r.data},
      {24'd0, r.strobes, r.took},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// Interrupt events.
  typedef struct packed {
    logic [7:0] events;  // as IRQ_STATUS
  } irq_ev_t;
  function automatic void record_irq(irq_ev_t r);
    kv_record16(
      StreamMain,
      {48'd0, r.events, 8'd22},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// The interrupt output changes.
  typedef struct packed {
    logic level;  // its new level
  } irq_level_ev_t;
  function automatic void record_irq_level(irq_level_ev_t r);
    kv_record16(
      StreamMain,
      {48'd0, 8'(r.level), 8'd23},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// An AXI error is latched.
  typedef struct packed {
    logic channel;  // the channel
    logic on_write;  // 1: the write side; 0: the read side
    logic [63:0] kv_addr;  // the block
  } dma_error_ev_t;
  function automatic void record_dma_error(dma_error_ev_t r);
    kv_record16(
      StreamMain,
      {40'd0, 8'(r.on_write), 8'(r.channel), 8'd24},
      {r.kv_addr},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// Entries are read with bad parity.
  typedef struct packed {
    logic [5:0] entries;  // how many are counted in this cycle
    logic [15:0] index;  // index of one of them
  } parity_ev_t;
  function automatic void record_parity(parity_ev_t r);
    kv_record16(
      StreamMain,
      {32'd0, r.index, 8'(r.entries), 8'd25},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// INSERT's search ends without a place.
  typedef struct packed {
    logic [63:0] kv_addr;  // the block
    logic [1:0] tier;  // tier of the slot that it had
    logic [15:0] slot;  // the slot
  } insert_full_ev_t;
  function automatic void record_insert_full(insert_full_ev_t r);
    kv_record16(
      StreamMain,
      {32'd0, r.slot, 8'(r.tier), 8'd26},
      {r.kv_addr},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A probe of INSERT's search has read the tags of a key's places.
  typedef struct packed {
    logic [63:0] kv_addr;  // the key
    logic load;  // it begins a round of two relocations: the occupants that it reads are probed next
  } probe_ev_t;
  function automatic void record_probe(probe_ev_t r);
    kv_record16(
      StreamMain,
      {48'd0, 8'(r.load), 8'd29},
      {r.kv_addr},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// BAR2 latches an entry.
  typedef struct packed {
    logic [15:0] index;  // index of the entry
    logic [15:0] request_id;  // as the contract's
    logic [15:0] layer_head;  // as the contract's
    logic [31:0] token_start;  // as the contract's
    logic [31:0] token_end;  // as the contract's
    logic [63:0] phys_addr;  // as the contract's
    logic [31:0] access_step;  // as the contract's
    logic [15:0] prio;  // as the contract's
    logic [7:0] ref_count;  // as the contract's
    logic [7:0] r;  // as the contract's
    logic [7:0] f;  // as the contract's
    logic [1:0] tier;  // as the contract's
    logic prefix;  // as the contract's
    logic dirty;  // as the contract's
    logic hot;  // as the contract's
    logic evictable;  // as the contract's
    logic hint;  // as the contract's
    logic valid;  // as the contract's
  } entry_read_ev_t;
  function automatic void record_entry_read(entry_read_ev_t r);
    kv_record16(
      StreamMain,
      {r.token_start, r.index, r.ref_count, 8'd27},
      {r.phys_addr},
      {r.access_step, r.token_end},
      {r.f, r.r, r.prio, r.layer_head, r.request_id},
      {8'd0, 8'(r.valid), 8'(r.hint), 8'(r.evictable), 8'(r.hot), 8'(r.dirty), 8'(r.prefix), 8'(r.tier)},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// An entry read by the backdoor at the end of a test.
  typedef struct packed {
    logic [15:0] index;  // index of the entry
    logic tag_valid;  // VALID in the tag memory
    logic meta_valid;  // VALID in the meta memory
    logic tag_parity;  // parity over the tag word: 0 is good
    logic meta_parity;  // parity over the meta word: 0 is good
    logic [6:0] move_id;  // the DMA's number of the move while the copy runs
    logic [15:0] generation;  // generation of the entry
    entry_ev_t entry;
  } dump_ev_t;
  function automatic void record_dump(dump_ev_t r);
    kv_record16(
      StreamMain,
      {r.entry.access_step, r.index, 8'(r.tag_valid), 8'd28},
      {r.entry.key},
      {8'(r.tag_parity), 8'(r.meta_valid), r.entry.slot, r.entry.prio, r.generation},
      {8'(r.entry.valid), 8'(r.entry.tier), r.entry.token_offset, r.entry.f, r.entry.r, r.entry.ref_count, 8'(r.move_id), 8'(r.meta_parity)},
      {8'(r.entry.moving), 8'(r.entry.in_flight), 8'(r.entry.epoch), 8'(r.entry.hint), 8'(r.entry.evictable), 8'(r.entry.hot), 8'(r.entry.dirty), 8'(r.entry.prefix)},
      {56'd0, 8'(r.entry.voided)},
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0);
  endfunction

  /// A scan step scored its entry: the entry after it, and the decision.
  typedef struct packed {
    logic [15:0] index;  // index of the entry
    logic [15:0] prio;  // the new P
    logic [7:0] r;  // recency after the decay
    logic [7:0] f;  // frequency after the ageing
    logic [1:0] decision;  // what was decided
    logic accepted;  // the decision found one of its lane's places
    logic dropped;  // the decision is dropped: its lane's places and the queue are full
    logic counted;  // the entry counts in the histogram
    logic [31:0] access_step;  // as the contract's
    logic [7:0] ref_count;  // as the contract's
    logic [1:0] tier;  // as the contract's
    logic prefix;  // as the contract's
    logic dirty;  // as the contract's
    logic hot;  // as the contract's
    logic evictable;  // as the contract's
    logic hint;  // as the contract's
    logic in_flight;  // an item of this entry waits, is queued or moves
    logic [15:0] request_id;  // as the contract's
  } score_ev_t;
  function automatic void record_score(score_ev_t r);
    kv_record4(
      StreamScan,
      {r.prio, r.index, r.access_step},
      {8'(r.counted), 8'(r.dropped), 8'(r.accepted), 8'(r.decision), r.f, r.r, r.request_id},
      {8'(r.in_flight), 8'(r.hint), 8'(r.evictable), 8'(r.hot), 8'(r.dirty), 8'(r.prefix), 8'(r.tier), r.ref_count});
  endfunction

  /// A lookup port accepts a request.
  typedef struct packed {
    logic [2:0] port_no;  // the port
    logic write;  // a write lookup
    logic [63:0] kv_addr;  // the KV address asked for
  } lookup_request_ev_t;
  function automatic void record_lookup_request(lookup_request_ev_t r);
    kv_record4(
      StreamPort,
      {40'd0, 8'(r.write), 8'(r.port_no), 8'd0},
      {r.kv_addr},
      0);
  endfunction

  /// A lookup port's answer is accepted.
  typedef struct packed {
    logic [2:0] port_no;  // the port
    logic hit;  // a hit
    logic denied;  // denied
    logic [1:0] tier;  // the entry's tier; 0 on a miss or denial
    logic [15:0] index;  // the entry's index; 0 on a miss or denial
    logic [63:0] phys_addr;  // the entry's address; 0 on a miss or denial
  } lookup_answer_ev_t;
  function automatic void record_lookup_answer(lookup_answer_ev_t r);
    kv_record4(
      StreamPort,
      {8'd0, 8'(r.tier), 8'(r.denied), 8'(r.hit), r.index, 8'(r.port_no), 8'd1},
      {r.phys_addr},
      0);
  endfunction

  /// An item's one completion.
  typedef struct packed {
    logic [63:0] kv_addr;  // first token of the block
    logic [2:0] status;  // how the item ended
    logic [1:0] from_tier;  // the tier left
    logic [1:0] to_tier;  // the tier entered
  } dma_completion_ev_t;
  function automatic void record_dma_completion(dma_completion_ev_t r);
    kv_record4(
      StreamDma,
      {32'd0, 8'(r.to_tier), 8'(r.from_tier), 8'(r.status), 8'd1},
      {r.kv_addr},
      0);
  endfunction

  /// An AXI error is reported.
  typedef struct packed {
    logic [63:0] kv_addr;  // the block
    logic channel;  // the channel
    logic on_write;  // 1: the write side; 0: the read side
  } dma_fault_ev_t;
  function automatic void record_dma_fault(dma_fault_ev_t r);
    kv_record4(
      StreamDma,
      {40'd0, 8'(r.on_write), 8'(r.channel), 8'd2},
      {r.kv_addr},
      0);
  endfunction

  /// An AR handshake.
  typedef struct packed {
    logic [63:0] address;  // the burst's address
    logic [1:0] tier;  // its tier
  } dma_read_ev_t;
  function automatic void record_dma_read(dma_read_ev_t r);
    kv_record4(
      StreamDma,
      {48'd0, 8'(r.tier), 8'd3},
      {r.address},
      0);
  endfunction

  /// An item leaves its queue.
  typedef struct packed {
    logic channel;  // the queue
    logic [1:0] waiting;  // bit 0: the evict queue, bit 1: the prefetch queue
  } dma_pop_ev_t;
  function automatic void record_dma_pop(dma_pop_ev_t r);
    kv_record4(
      StreamDma,
      {40'd0, 8'(r.waiting), 8'(r.channel), 8'd4},
      0,
      0);
  endfunction

  /// An AW handshake.
  typedef struct packed {
    logic [63:0] address;  // the burst's address
    logic [1:0] tier;  // its tier
  } dma_write_ev_t;
  function automatic void record_dma_write(dma_write_ev_t r);
    kv_record4(
      StreamDma,
      {48'd0, 8'(r.tier), 8'd5},
      {r.address},
      0);
  endfunction

endpackage
