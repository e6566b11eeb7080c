// Types and constants shared by the whole device. Field and command names are the contract's
// (docs/device.md); widths are those of the largest legal device, modules trim what a smaller one
// does not need.

package kvcpu_pkg;

  // ---------------------------------------------------------------- sizes fixed by the contract
  localparam int unsigned TierCount = 4;
  localparam int unsigned MaxPorts = 8;
  localparam int unsigned MaxEntries = 65536;
  localparam int unsigned IndexW = 16;  // entry index, row * LANES + bank
  localparam int unsigned RowW = 14;  // 65,536 entries over 4 banks
  localparam int unsigned SlotW = 16;  // slot number inside a tier
  localparam int unsigned OfferW = 3;  // counts a pool's head slots: at most seven pass during an INSERT
  localparam int unsigned CountW = 17;  // 0 .. 65,536 of anything
  localparam int unsigned MoveIdW = 7;  // DMA moves in flight, at most 128
  localparam int unsigned GenerationW = 16;  // see item_t.generation
  localparam int unsigned QueueDepth = 64;  // evict, prefetch, miss and completion queues
  localparam int unsigned CmdQueueDepth = 16;
  localparam int unsigned LaneWaitDepth = 4;  // decisions per lane that may wait before a queue

  typedef enum logic [1:0] {
    TierHbm  = 2'd0,
    TierT1   = 2'd1,
    TierHost = 2'd2,
    TierNvme = 2'd3
  } tier_e;

  // ---------------------------------------------------------------- names of places
  /// A KV address: the name of a token's place.
  typedef struct packed {
    logic [15:0] request_id;
    logic [7:0]  layer;
    logic [7:0]  head;
    logic [31:0] token;
  } kv_addr_t;

  // ---------------------------------------------------------------- the directory entry, split
  /// What a lookup must compare or answer: kept in the tag memory.
  /// `block` is TOKEN_START / BLOCK_TOKENS, `token_end` is TOKEN_END's offset inside the block.
  typedef struct packed {
    logic             valid;
    logic [15:0]      request_id;
    logic [15:0]      layer_head;
    logic [31:0]      block;
    logic [7:0]       token_end;
    tier_e            tier;
    logic [SlotW-1:0] slot;
  } tag_t;

  /// What a scan or a touch reads and writes: kept in the meta memory.
  /// valid, request_id, tier and slot are kept in both, always equal.
  typedef struct packed {
    logic               valid;
    logic [15:0]        request_id;
    tier_e              tier;
    logic [SlotW-1:0]   slot;
    logic [15:0]        prio;
    logic [31:0]        access_step;
    logic [7:0]         ref_count;
    logic [7:0]         r;
    logic [7:0]         f;
    logic               prefix;
    logic               dirty;
    logic               hot;
    logic               evictable;
    logic               hint;
    logic               epoch;      // parity of the last scan that scored it (or that it was born in)
    logic               in_flight;  // an item of this entry waits, is queued or moves
    logic               moving;     // its copy runs, as DMA move `move_id`
    logic               voided;     // a write lookup hit it while it moved
    logic [MoveIdW-1:0] move_id;
    logic [GenerationW-1:0]   generation;       // see item_t.generation
  } meta_t;

  /// The 240 architectural bits (bits 255:240 of the 32-byte slot are zero).
  typedef struct packed {
    logic        valid;        // 239
    logic        hint;         // 238
    logic        evictable;    // 237
    logic        hot;          // 236
    logic        dirty;        // 235
    logic        prefix;       // 234
    logic [7:0]  f;            // 233:226
    logic [7:0]  r;            // 225:218
    logic [7:0]  ref_count;    // 217:210
    logic [31:0] access_step;  // 209:178
    logic [15:0] prio;         // 177:162
    logic [63:0] phys_addr;    // 161:98
    tier_e       tier;         // 97:96
    logic [31:0] token_end;    // 95:64
    logic [31:0] token_start;  // 63:32
    logic [15:0] layer_head;   // 31:16
    logic [15:0] request_id;   // 15:0
  } entry_t;

  // ---------------------------------------------------------------- queue items and completions
  /// A decision on its way to the DMA. It names its block by KV address; `generation` tells a block from
  /// a later one of the same address (INSERT gives each entry the device's generation counter, which
  /// advances whenever an entry with an item is removed).
  typedef struct packed {
    logic [15:0]      request_id;
    logic [15:0]      layer_head;
    logic [31:0]      block;
    tier_e            from;      // tier when the item was made
    logic             fixed;     // 1: only `target`; 0: nearest slower tier with a free slot
    tier_e            target;
    logic             by_migrate; // asked for by MIGRATE
    logic [GenerationW-1:0] generation;
  } item_t;

  localparam int unsigned ChEvict = 0;
  localparam int unsigned ChPrefetch = 1;

  typedef enum logic [2:0] {
    ComplOk        = 3'd0,
    ComplCancelled = 3'd1,
    ComplNoSlot    = 3'd2,
    ComplVoid      = 3'd3,
    ComplError     = 3'd4
  } compl_e;

  typedef struct packed {
    kv_addr_t kv_addr;  // first token of the block
    tier_e    from;
    tier_e    to;
    compl_e   status;
  } completion_t;

  // ---------------------------------------------------------------- directory commands, statuses
  typedef enum logic [2:0] {
    StOk         = 3'd0,
    StMiss       = 3'd1,
    StExists     = 3'd2,
    StFull       = 3'd3,
    StNoSlot     = 3'd4,
    StReferenced = 3'd5,
    StBadArg     = 3'd6,
    StBusy       = 3'd7
  } status_e;

  /// Commands in the command queue: the range commands, then the directory commands.
  typedef enum logic [3:0] {
    CmdBoost       = 4'd0,
    CmdImevict     = 4'd1,
    CmdCool        = 4'd2,
    CmdPrefetch    = 4'd3,
    CmdShare       = 4'd4,
    CmdRelease     = 4'd5,
    CmdInsert      = 4'd8,
    CmdLookup      = 4'd9,
    CmdRemove      = 4'd10,
    CmdFreeRequest = 4'd11,
    CmdMigrate     = 4'd12
  } cmd_e;

  typedef struct packed {
    cmd_e        cmd;
    kv_addr_t    kv_addr;    // FREE_REQUEST: request_id only
    logic [32:0] len;        // range commands: tokens, already checked
    logic [31:0] step;       // PREFETCH
    logic [7:0]  span_layers;  // already 1 where the register holds 0
    logic [7:0]  span_heads;
    logic [31:0] token_end;  // INSERT
    tier_e       tier;       // INSERT, MIGRATE
    logic        prefix;     // INSERT
    logic        hot;        // INSERT
    logic        touch;      // LOOKUP: touch (1) or peek (0)
  } cmd_t;

  typedef struct packed {
    status_e     status;
    tier_e       tier;       // LOOKUP
    logic [15:0] index;      // INSERT, LOOKUP
    logic [63:0] phys_addr;  // INSERT, LOOKUP
    logic [16:0] removed;    // FREE_REQUEST: how many went
    logic [16:0] stayed;     // FREE_REQUEST: how many stayed
  } dir_result_t;

  // ---------------------------------------------------------------- operations on the directory
  /// One atomic operation on one entry, as it enters the RTBD pipeline.
  typedef enum logic [3:0] {
    OpNone     = 4'd0,
    OpLookup   = 4'd1,   // a port's lookup, or LOOKUP touch
    OpPeek     = 4'd2,   // LOOKUP peek
    OpBoost    = 4'd3,
    OpImevict  = 4'd4,
    OpCool     = 4'd5,
    OpPrefetch = 4'd6,
    OpShare    = 4'd7,
    OpRelease  = 4'd8,
    OpInsert   = 4'd9,   // writes into the first free bank, if there is one
    OpProbe    = 4'd10,  // looks for a free place of a key that is in the directory
    OpRemove   = 4'd11,
    OpMigrate  = 4'd12,
    OpStart    = 4'd13,  // start checks of a move, takes the target slot
    OpEnd      = 4'd14,  // commit of a move, or its end
    OpRead     = 4'd15   // BAR2: the entry at an index
  } op_e;

  typedef enum logic [1:0] {
    ClPort = 2'd0,
    ClCmd  = 2'd1,
    ClDma  = 2'd2,
    ClBar2 = 2'd3
  } client_e;

  typedef struct packed {
    op_e                op;
    client_e            client;
    logic [2:0]         port;       // ClPort
    kv_addr_t           kv_addr;
    logic               write;      // OpLookup
    logic               denied;     // OpLookup: outside the port's tenant window
    logic [31:0]        step;       // OpPrefetch
    logic [7:0]         token_end;  // OpInsert: offset inside the block
    tier_e              tier;       // OpInsert, OpMigrate
    logic               prefix;     // OpInsert
    logic               hot;        // OpInsert
    item_t              item;       // OpStart, OpEnd
    logic               retry;      // OpStart: a later try of a running item
    logic [MoveIdW-1:0] move_id;    // OpStart, OpEnd
    tier_e              dst_tier;   // OpEnd
    logic [SlotW-1:0]   dst_slot;   // OpEnd
    logic               error;      // OpEnd: this try met an AXI error
    logic [7:0]         tries;      // OpStart, OpEnd: begun so far, this one included
    logic [IndexW-1:0]  index;      // OpRead
  } op_t;

  /// How a start check or the end of a try came out.
  typedef enum logic [2:0] {
    MvOk        = 3'd0,  // OpStart: the copy may run; OpEnd: committed
    MvCancelled = 3'd1,
    MvNoSlot    = 3'd2,
    MvVoid      = 3'd3,
    MvError     = 3'd4,
    MvRetry     = 3'd5   // OpEnd: the try failed, the next one begins from the start checks
  } move_e;

  /// What an operation will do, known at S2 from the entry and the registers. S3 adds what others
  /// change from cycle to cycle: slots, queues, the step.
  typedef struct packed {
    logic                 starts;        // OpStart: passes every check but the last write's step and slots
    logic                 inserts;       // OpInsert: looks for a slot
    move_e                end_move;      // OpEnd: how it ends
    logic                 removes;       // OpRemove: the entry goes
    logic                 puts;          // a slot is freed
    logic                 put_held;      // it is quarantined until the fence (a migration left it)
    tier_e                put_tier;
    logic [SlotW-1:0]     put_slot;
    logic                 aborts;        // a copy of the entry must stop
    logic                 pushes;        // an item for a queue
    logic                 hints;         // the same, if PREFETCH's step is near
    logic                 migrates;      // the same, by MIGRATE: BUSY without a place
    logic                 push_channel;
    logic                 push_fixed;    // item_t.fixed
    tier_e                push_target;   // item_t.target
    logic                 writes_tag;    // the tag is written back, whatever S3 adds
    logic                 writes_meta;   // the meta word is
    status_e              status;        // directory commands: unless a slot or a place in a queue is missing
    move_e                move;          // OpStart, OpEnd: unless the move starts
    logic                 underflow;     // OpRelease at REF_COUNT 0
    logic                 saturated;     // OpShare at REF_COUNT 255
  } judged_t;

  /// Operations that write an entry, one bit each but for the first.
  typedef struct packed {
    logic kept;  // the entry was there before and stays
    logic lookup;
    logic boost;
    logic imevict;
    logic cool;
    logic prefetch;
    logic share;
    logic releases;
    logic insert;
    logic remove;
    logic starts;
    logic ends;
  } writer_t;

  function automatic writer_t writer_of(op_e op);
    return '{
      kept:     op != OpInsert && op != OpRemove,
      lookup:   op == OpLookup,
      boost:    op == OpBoost,
      imevict:  op == OpImevict,
      cool:     op == OpCool,
      prefetch: op == OpPrefetch,
      share:    op == OpShare,
      releases: op == OpRelease,
      insert:   op == OpInsert,
      remove:   op == OpRemove,
      starts:   op == OpStart,
      ends:     op == OpEnd
    };
  endfunction

  /// The operation may take a slot.
  function automatic logic takes(op_e op);
    return op == OpStart || op == OpInsert;
  endfunction

  /// An operation with the entry that it has found, from S0 on.
  typedef struct packed {
    op_t                op;
    logic [15:0]        bank;       // of the entry, one-hot; 0: no entry
    logic [3:0]         bank_no;
    logic [RowW-1:0]    row;
    logic               match;      // a tag of its key
    logic               place;      // there is a free place for its key
    logic [7:0]         token_end;  // of the entry's tag
    logic [1:0]         tier;       // the same; OpInsert of a new key: its own
    logic [SlotW-1:0]   slot;       // the same; OpInsert of a new key: the slot that it may take, or has
    logic [OfferW-1:0]  ins_offer;  // the number of that head slot
    logic               kept;       // OpInsert: it has its slot, in `slot`
    logic               eng_read;   // accesses of the insert search
    logic               eng_write;
    logic               eng_final;
  } found_t;

  /// What the insert search sees of the operations in S1, S2 and S3. All of it comes out of registers of the pipeline.
  typedef struct packed {
    logic             s1_insert;    // S1: an OpInsert passes
    op_t              s1_op;        // S1: the operation
    logic [SlotW-1:0] s1_slot;      // S1: the slot it took
    logic             s2_search;    // S2: it found all places taken and has taken a slot: search
    logic             s3_insert;    // S3: an OpInsert without a slot is at its commit point
    logic             s3_search;    // S3: it found all places taken and took a slot: search
    logic             s3_again;     // S3: it must be retried
    logic [SlotW-1:0] s3_slot;      // S3: the slot it took
    logic             s3_read;      // S3: an access of the search reads an entry
    tag_t             s3_tag;       // S3: tag read
    meta_t            s3_meta;      // S3: meta word read
    logic             s3_meta_bad;  // S3: its parity is bad
  } search_view_t;

  /// The lowest set bit of up to 16, alone. Bit by bit: an adder's carry would be the longest part of the
  /// paths that use it.
  function automatic logic [15:0] lowest(logic [15:0] from);
    logic seen;
    seen = 1'b0;
    for (int unsigned i = 0; i < 16; i++) begin
      lowest[i] = from[i] && !seen;
      seen |= from[i];
    end
  endfunction

  /// What an operation came to; one cycle after its commit point (stage S3).
  typedef struct packed {
    op_e                op;
    client_e            client;
    logic [MoveIdW-1:0] move_id;
    logic               hit;
    status_e            status;     // directory commands
    move_e              move;       // OpStart, OpEnd
    tier_e              tier;       // of the entry (before an OpEnd)
    logic [63:0]        phys_addr;  // of the entry; OpInsert: of the new entry
    logic [IndexW-1:0]  index;
    tier_e              dst_tier;   // OpStart: reserved place
    logic [SlotW-1:0]   dst_slot;
    logic [63:0]        dst_phys;
    logic               underflow;  // OpRelease at REF_COUNT 0
    logic               saturated;  // OpShare at REF_COUNT 255
    entry_t             entry;      // OpRead
  } rsp_t;

  // ---------------------------------------------------------------- configuration, as CSRs hold it
  typedef struct packed {
    logic                                enable;
    logic                                demand;
    logic [7:0]                          contend_policy;  // 0 round-robin, else fixed priority
    logic [7:0]                          w_r;
    logic [7:0]                          w_f;
    logic [7:0]                          w_s;
    logic [7:0]                          w_d;
    logic [15:0]                         evict_thresh;
    logic [15:0]                         prefetch_thresh;
    logic [2:0]                          r_shift;
    logic [4:0]                          f_age;
    logic [30:0]                         lookahead;
    logic [30:0]                         hold;
    tier_e                               promote_tier;
    logic [TierCount-1:0]                evict_tiers;
    logic [7:0]                          max_retry;
    logic [16:0]                         block_bytes;   // 256 .. 65,536, multiple of 64
    logic [4:0]                          stride_shift;  // log2 of a slot's stride, 8 .. 16
    logic [MaxPorts-1:0][15:0]           req_lo;
    logic [MaxPorts-1:0][15:0]           req_hi;
    logic [TierCount-1:0][63:0]          base;
    logic [TierCount-1:0][CountW-1:0]    slots;
    logic [TierCount-1:0][CountW-1:0]    reserve;
    logic [TierCount-1:0][CountW-1:0]    low;   // tiers 0 to 2
    logic [TierCount-1:0][CountW-1:0]    high;
  } cfg_t;

  /// What a scan uses, as it was at the start of the scan.
  typedef struct packed {
    logic [31:0]                 step;
    logic [7:0]                  w_r;
    logic [7:0]                  w_f;
    logic [7:0]                  w_s;
    logic [7:0]                  w_d;
    logic [15:0]                 evict_thresh;
    logic [15:0]                 prefetch_thresh;
    logic [2:0]                  r_shift;
    logic                        age;       // this scan halves F
    logic [30:0]                 lookahead;
    logic [30:0]                 hold;      // the larger of LOOKAHEAD and HOLD
    tier_e                       promote_tier;
    logic [TierCount-1:0]        evict_tiers;
    logic [2:0]                  pressure;  // tiers 0 to 2
    logic [2:0][16:0]            auto_thresh;  // T, 0 .. 65,535
    logic                        epoch;     // of this scan
  } scan_cfg_t;

  /// 64-bit counters, cleared by resets only.
  typedef struct packed {
    logic [63:0] hit;
    logic [63:0] miss;
    logic [63:0] denied;
    logic [63:0] miss_dropped;        // miss queue full
    logic [63:0] completion_dropped;  // completion queue full
    logic [63:0] evict_dropped;       // decisions for the evict queue
    logic [63:0] prefetch_dropped;    // decisions and promotions for the prefetch queue
    logic [63:0] scan_coalesced;
    logic [63:0] scan_done;
    logic [63:0] hint_miss;
    logic [63:0] ref_saturated;
    logic [63:0] ref_underflow;
    logic [63:0] cmd_refused;         // writes refused because the command queue was full
    logic [63:0] parity;
    logic [1:0][63:0] bytes_moved;    // per channel, OK completions
    logic [1:0][63:0] errors;         // per channel, tries ended by an AXI error
    logic [1:0][63:0] voids;          // per channel
  } counters_t;

endpackage
