// Addresses and write layouts of BAR0. Generated from kvcpu.rdl by `make regs`: do not edit.

package kvcpu_regs_map_pkg;

  localparam logic [15:0] AddrStepAdvanceAlias = 16'h0000;
  localparam logic [15:0] AddrId = 16'h0008;
  localparam logic [15:0] AddrVersion = 16'h0010;
  localparam logic [15:0] AddrCaps = 16'h0018;
  localparam logic [15:0] AddrCtrl = 16'h0020;
  localparam logic [15:0] AddrStatus = 16'h0028;
  localparam logic [15:0] AddrContendPolicy = 16'h0030;
  localparam logic [15:0] AddrIrqStatus = 16'h0038;
  localparam logic [15:0] AddrIrqEnable = 16'h0040;
  localparam logic [15:0] AddrRShift = 16'h0048;
  localparam logic [15:0] AddrFAge = 16'h0050;
  localparam logic [15:0] AddrLookahead = 16'h0058;
  localparam logic [15:0] AddrPromoteTier = 16'h0060;
  localparam logic [15:0] AddrEvictTiers = 16'h0068;
  localparam logic [15:0] AddrCmdSpan = 16'h0070;
  localparam logic [15:0] AddrBlockBytes = 16'h0078;
  localparam logic [15:0] AddrParityInfo = 16'h0080;
  localparam logic [15:0] AddrHold = 16'h0088;
  localparam logic [15:0] AddrStepAdvance = 16'h0100;
  localparam logic [15:0] AddrScanCycles = 16'h0108;
  localparam logic [15:0] AddrFirstDecisionCycles = 16'h0110;
  localparam logic [15:0] AddrRtbdHitCount = 16'h0120;
  localparam logic [15:0] AddrRtbdMissCount = 16'h0128;
  localparam logic [15:0] AddrDeniedCount = 16'h0130;
  localparam logic [15:0] AddrMissDroppedCount = 16'h0138;
  localparam logic [15:0] AddrScanCount = 16'h0140;
  localparam logic [15:0] AddrScanCoalescedCount = 16'h0148;
  localparam logic [15:0] AddrEvictDroppedCount = 16'h0150;
  localparam logic [15:0] AddrPrefetchDroppedCount = 16'h0158;
  localparam logic [15:0] AddrHintMissCount = 16'h0160;
  localparam logic [15:0] AddrRefSaturatedCount = 16'h0168;
  localparam logic [15:0] AddrRefUnderflowCount = 16'h0170;
  localparam logic [15:0] AddrCmdRefusedCount = 16'h0178;
  localparam logic [15:0] AddrParityCount = 16'h0180;
  localparam logic [15:0] AddrBoostAddr = 16'h0200;
  localparam logic [15:0] AddrBoostLen = 16'h0208;
  localparam logic [15:0] AddrImevictAddr = 16'h0210;
  localparam logic [15:0] AddrImevictLen = 16'h0218;
  localparam logic [15:0] AddrCoolAddr = 16'h0220;
  localparam logic [15:0] AddrCoolLen = 16'h0228;
  localparam logic [15:0] AddrPrefetchAddr = 16'h0300;
  localparam logic [15:0] AddrPrefetchLen = 16'h0308;
  localparam logic [15:0] AddrPrefetchStep = 16'h0310;
  localparam logic [15:0] AddrShareAddr = 16'h0400;
  localparam logic [15:0] AddrShareLen = 16'h0408;
  localparam logic [15:0] AddrReleaseAddr = 16'h0410;
  localparam logic [15:0] AddrReleaseLen = 16'h0418;
  localparam logic [15:0] AddrWeightR = 16'h0500;
  localparam logic [15:0] AddrWeightF = 16'h0508;
  localparam logic [15:0] AddrWeightS = 16'h0510;
  localparam logic [15:0] AddrWeightD = 16'h0518;
  localparam logic [15:0] AddrEvictThresh = 16'h0520;
  localparam logic [15:0] AddrPrefetchThresh = 16'h0528;
  localparam logic [15:0] AddrThresholds = 16'h0530;
  localparam logic [15:0] AddrDirAddr = 16'h0600;
  localparam logic [15:0] AddrDirArg = 16'h0608;
  localparam logic [15:0] AddrDirCommand = 16'h0610;
  localparam logic [15:0] AddrDirStatus = 16'h0618;
  localparam logic [15:0] AddrDirPhysAddr = 16'h0620;
  localparam logic [15:0] AddrDirFreed = 16'h0628;
  localparam logic [15:0] AddrMissInfo = 16'h0700;
  localparam logic [15:0] AddrMissAddr = 16'h0708;
  localparam logic [15:0] AddrMaxRetry = 16'h1000;
  localparam logic [15:0] AddrCompletionInfo = 16'h1010;
  localparam logic [15:0] AddrCompletionAddr = 16'h1018;
  localparam logic [15:0] AddrDmaErrorInfo = 16'h1020;
  localparam logic [15:0] AddrDmaErrorAddr = 16'h1028;
  localparam logic [15:0] AddrCompletionDroppedCount = 16'h1100;
  localparam logic [15:0] AddrEvictBytesMoved = 16'h1110;
  localparam logic [15:0] AddrEvictErrorCount = 16'h1118;
  localparam logic [15:0] AddrEvictVoidCount = 16'h1120;
  localparam logic [15:0] AddrPrefetchBytesMoved = 16'h1130;
  localparam logic [15:0] AddrPrefetchErrorCount = 16'h1138;
  localparam logic [15:0] AddrPrefetchVoidCount = 16'h1140;
  localparam logic [7:0][15:0] AddrPortReqLo =
      {16'h0870, 16'h0860, 16'h0850, 16'h0840, 16'h0830, 16'h0820, 16'h0810, 16'h0800};
  localparam logic [7:0][15:0] AddrPortReqHi =
      {16'h0878, 16'h0868, 16'h0858, 16'h0848, 16'h0838, 16'h0828, 16'h0818, 16'h0808};
  localparam logic [3:0][15:0] AddrTierBase =
      {16'h09C0, 16'h0980, 16'h0940, 16'h0900};
  localparam logic [3:0][15:0] AddrTierSlots =
      {16'h09C8, 16'h0988, 16'h0948, 16'h0908};
  localparam logic [3:0][15:0] AddrTierReserve =
      {16'h09D0, 16'h0990, 16'h0950, 16'h0910};
  localparam logic [3:0][15:0] AddrTierFree =
      {16'h09D8, 16'h0998, 16'h0958, 16'h0918};
  localparam logic [3:0][15:0] AddrTierLow =
      {16'h09E0, 16'h09A0, 16'h0960, 16'h0920};
  localparam logic [3:0][15:0] AddrTierHigh =
      {16'h09E8, 16'h09A8, 16'h0968, 16'h0928};
  localparam logic [3:0][15:0] AddrTierAutoThresh =
      {16'h09F0, 16'h09B0, 16'h0970, 16'h0930};

  // Bit n: a readable register is at 8 * n.
  localparam logic [1023:0] Readable =
      1024'h0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001DD0000003D0000000000000000000000000000000000000000000000007F7F7F7F0000FFFF000000030000003F0000007F0000000F000000070000003F0001FFF70003FFFE;

  // Bit n: a writable register is at 8 * n.
  localparam logic [1023:0] Writable =
      1024'h00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000011000000000000000000000000000000000000000000000000373737370000FFFF00000000000000070000007F0000000F000000070000003F000000010003FFD1;

  typedef struct packed {
    logic [31:0] step;
  } step_advance_alias_t;

  typedef struct packed {
    logic [0:0] soft_reset;
    logic [5:0] unused0;
    logic [0:0] demand;
    logic [0:0] enable;
  } ctrl_t;

  typedef struct packed {
    logic [7:0] policy;
  } contend_policy_t;

  typedef struct packed {
    logic [0:0] parity;
    logic [0:0] pressure;
    logic [0:0] overflow;
    logic [0:0] dma_err;
    logic [0:0] miss;
    logic [0:0] completion;
    logic [0:0] command_done;
    logic [0:0] scan_done;
  } irq_status_t;

  typedef struct packed {
    logic [7:0] events;
  } irq_enable_t;

  typedef struct packed {
    logic [2:0] shift;
  } r_shift_t;

  typedef struct packed {
    logic [4:0] age;
  } f_age_t;

  typedef struct packed {
    logic [30:0] steps;
  } lookahead_t;

  typedef struct packed {
    logic [1:0] tier;
  } promote_tier_t;

  typedef struct packed {
    logic [3:0] mask;
  } evict_tiers_t;

  typedef struct packed {
    logic [7:0] heads;
    logic [7:0] layers;
  } cmd_span_t;

  typedef struct packed {
    logic [16:0] bytes;
  } block_bytes_t;

  typedef struct packed {
    logic [15:0] index;
    logic [14:0] unused0;
    logic [0:0] valid;
  } parity_info_t;

  typedef struct packed {
    logic [30:0] steps;
  } hold_t;

  typedef struct packed {
    logic [31:0] step;
  } step_advance_t;

  typedef struct packed {
    logic [15:0] request_id;
    logic [7:0] layer;
    logic [7:0] head;
    logic [31:0] token;
  } boost_addr_t;

  typedef struct packed {
    logic [63:0] len;
  } boost_len_t;

  typedef struct packed {
    logic [15:0] request_id;
    logic [7:0] layer;
    logic [7:0] head;
    logic [31:0] token;
  } imevict_addr_t;

  typedef struct packed {
    logic [63:0] len;
  } imevict_len_t;

  typedef struct packed {
    logic [15:0] request_id;
    logic [7:0] layer;
    logic [7:0] head;
    logic [31:0] token;
  } cool_addr_t;

  typedef struct packed {
    logic [63:0] len;
  } cool_len_t;

  typedef struct packed {
    logic [15:0] request_id;
    logic [7:0] layer;
    logic [7:0] head;
    logic [31:0] token;
  } prefetch_addr_t;

  typedef struct packed {
    logic [63:0] len;
  } prefetch_len_t;

  typedef struct packed {
    logic [31:0] step;
  } prefetch_step_t;

  typedef struct packed {
    logic [15:0] request_id;
    logic [7:0] layer;
    logic [7:0] head;
    logic [31:0] token;
  } share_addr_t;

  typedef struct packed {
    logic [63:0] len;
  } share_len_t;

  typedef struct packed {
    logic [15:0] request_id;
    logic [7:0] layer;
    logic [7:0] head;
    logic [31:0] token;
  } release_addr_t;

  typedef struct packed {
    logic [63:0] len;
  } release_len_t;

  typedef struct packed {
    logic [7:0] weight;
  } weight_r_t;

  typedef struct packed {
    logic [7:0] weight;
  } weight_f_t;

  typedef struct packed {
    logic [7:0] weight;
  } weight_s_t;

  typedef struct packed {
    logic [7:0] weight;
  } weight_d_t;

  typedef struct packed {
    logic [15:0] threshold;
  } evict_thresh_t;

  typedef struct packed {
    logic [15:0] threshold;
  } prefetch_thresh_t;

  typedef struct packed {
    logic [15:0] prefetch;
    logic [15:0] evict;
  } thresholds_t;

  typedef struct packed {
    logic [15:0] request_id;
    logic [7:0] layer;
    logic [7:0] head;
    logic [31:0] token;
  } dir_addr_t;

  typedef struct packed {
    logic [0:0] touch;
    logic [0:0] hot;
    logic [0:0] prefix;
    logic [1:0] tier;
    logic [31:0] token_end;
  } dir_arg_t;

  typedef struct packed {
    logic [2:0] command;
  } dir_command_t;

  typedef struct packed {
    logic [7:0] tries;
  } max_retry_t;

  typedef struct packed {
    logic [0:0] write;
    logic [0:0] channel;
    logic [0:0] valid;
  } dma_error_info_t;

  localparam logic [2:0] ChannelEvict = 3'd0;
  localparam logic [2:0] ChannelPrefetch = 3'd1;

  localparam logic [2:0] CommandInsert = 3'd1;
  localparam logic [2:0] CommandLookup = 3'd2;
  localparam logic [2:0] CommandRemove = 3'd3;
  localparam logic [2:0] CommandFreeRequest = 3'd4;
  localparam logic [2:0] CommandMigrate = 3'd5;

  localparam logic [2:0] CompletionOk = 3'd0;
  localparam logic [2:0] CompletionCancelled = 3'd1;
  localparam logic [2:0] CompletionNoSlot = 3'd2;
  localparam logic [2:0] CompletionVoid = 3'd3;
  localparam logic [2:0] CompletionError = 3'd4;

  localparam logic [2:0] StatusOk = 3'd0;
  localparam logic [2:0] StatusMiss = 3'd1;
  localparam logic [2:0] StatusExists = 3'd2;
  localparam logic [2:0] StatusFull = 3'd3;
  localparam logic [2:0] StatusNoSlot = 3'd4;
  localparam logic [2:0] StatusReferenced = 3'd5;
  localparam logic [2:0] StatusBadArg = 3'd6;
  localparam logic [2:0] StatusBusy = 3'd7;

endpackage
