// The register block's fields as the device uses them: the configuration, and the arguments of commands.
//
// The slots of a tier lie a power of two apart, the least that holds BLOCK_BYTES (device.md 5). That shift is worked
// out once, when BLOCK_BYTES is written, and is a register: every address of the device needs it.

module kvcpu_csr_config (
  /// Clock.
  input  logic                             clk_i,
  /// Reset, active low.
  input  logic                             rst_ni,
  /// Fields of the register block.
  input  kvcpu_regs_pkg::kvcpu_regs__out_t regs_i,
  /// The value that a write of BLOCK_BYTES brings, bytes.
  input  logic [16:0]                      new_bytes_i,
  /// BLOCK_BYTES is written with what `new_bytes_i` was in the cycle before.
  input  logic                             bytes_we_i,
  /// Configuration registers.
  output kvcpu_pkg::cfg_t                  cfg_o,
  /// KV addresses of the range commands, by command.
  output kvcpu_pkg::kv_addr_t [5:0]        range_addr_o,
  /// KV address of a directory command.
  output kvcpu_pkg::kv_addr_t              dir_addr_o,
  /// Its other arguments.
  output kvcpu_regs_map_pkg::dir_arg_t     dir_arg_o
);
  import kvcpu_pkg::*;
  import kvcpu_regs_map_pkg::*;

  always_comb begin
    range_addr_o = '0;
    range_addr_o[CmdBoost[2:0]] = '{
      request_id: regs_i.BOOST_ADDR.REQUEST_ID.value,
      layer: regs_i.BOOST_ADDR.LAYER.value,
      head: regs_i.BOOST_ADDR.HEAD.value,
      token: regs_i.BOOST_ADDR.TOKEN.value
    };
    range_addr_o[CmdImevict[2:0]] = '{
      request_id: regs_i.IMEVICT_ADDR.REQUEST_ID.value,
      layer: regs_i.IMEVICT_ADDR.LAYER.value,
      head: regs_i.IMEVICT_ADDR.HEAD.value,
      token: regs_i.IMEVICT_ADDR.TOKEN.value
    };
    range_addr_o[CmdCool[2:0]] = '{
      request_id: regs_i.COOL_ADDR.REQUEST_ID.value,
      layer: regs_i.COOL_ADDR.LAYER.value,
      head: regs_i.COOL_ADDR.HEAD.value,
      token: regs_i.COOL_ADDR.TOKEN.value
    };
    range_addr_o[CmdPrefetch[2:0]] = '{
      request_id: regs_i.PREFETCH_ADDR.REQUEST_ID.value,
      layer: regs_i.PREFETCH_ADDR.LAYER.value,
      head: regs_i.PREFETCH_ADDR.HEAD.value,
      token: regs_i.PREFETCH_ADDR.TOKEN.value
    };
    range_addr_o[CmdShare[2:0]] = '{
      request_id: regs_i.SHARE_ADDR.REQUEST_ID.value,
      layer: regs_i.SHARE_ADDR.LAYER.value,
      head: regs_i.SHARE_ADDR.HEAD.value,
      token: regs_i.SHARE_ADDR.TOKEN.value
    };
    range_addr_o[CmdRelease[2:0]] = '{
      request_id: regs_i.RELEASE_ADDR.REQUEST_ID.value,
      layer: regs_i.RELEASE_ADDR.LAYER.value,
      head: regs_i.RELEASE_ADDR.HEAD.value,
      token: regs_i.RELEASE_ADDR.TOKEN.value
    };
  end
  assign dir_addr_o = '{
    request_id: regs_i.DIR_ADDR.REQUEST_ID.value,
    layer: regs_i.DIR_ADDR.LAYER.value,
    head: regs_i.DIR_ADDR.HEAD.value,
    token: regs_i.DIR_ADDR.TOKEN.value
  };
  assign dir_arg_o = '{
    touch: regs_i.DIR_ARG.TOUCH.value,
    hot: regs_i.DIR_ARG.HOT.value,
    prefix: regs_i.DIR_ARG.PREFIX.value,
    tier: regs_i.DIR_ARG.TIER.value,
    token_end: regs_i.DIR_ARG.TOKEN_END.value
  };

  logic [16:0]  less_q;  // the new BLOCK_BYTES less one
  logic [4:0]   stride_shift_q;

  // Smallest power of two that holds BLOCK_BYTES, as a shift: 8 to 16.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      less_q         <= '0;
      stride_shift_q <= 5'd13;
    end else begin
      less_q <= new_bytes_i - 1'b1;
      if (bytes_we_i) begin
        stride_shift_q <= 5'd8;
        for (int unsigned i = 8; i < 16; i++) begin
          if (less_q[i]) stride_shift_q <= 5'(i + 1);
        end
      end
    end
  end

  always_comb begin
    cfg_o = '0;
    cfg_o.enable = regs_i.CTRL.ENABLE.value;
    cfg_o.demand = regs_i.CTRL.DEMAND.value;
    cfg_o.contend_policy = regs_i.CONTEND_POLICY.POLICY.value;
    cfg_o.w_r = regs_i.WEIGHT_R.WEIGHT.value;
    cfg_o.w_f = regs_i.WEIGHT_F.WEIGHT.value;
    cfg_o.w_s = regs_i.WEIGHT_S.WEIGHT.value;
    cfg_o.w_d = regs_i.WEIGHT_D.WEIGHT.value;
    cfg_o.evict_thresh = regs_i.EVICT_THRESH.THRESHOLD.value;
    cfg_o.prefetch_thresh = regs_i.PREFETCH_THRESH.THRESHOLD.value;
    cfg_o.r_shift = regs_i.R_SHIFT.SHIFT.value;
    cfg_o.f_age = regs_i.F_AGE.AGE.value;
    cfg_o.lookahead = regs_i.LOOKAHEAD.STEPS.value;
    cfg_o.hold = regs_i.HOLD.STEPS.value;
    cfg_o.promote_tier = tier_e'(regs_i.PROMOTE_TIER.TIER.value);
    cfg_o.evict_tiers = regs_i.EVICT_TIERS.MASK.value;
    cfg_o.max_retry = regs_i.MAX_RETRY.TRIES.value;
    cfg_o.block_bytes = regs_i.BLOCK_BYTES.BYTES.value;
    cfg_o.stride_shift = stride_shift_q;
    for (int unsigned i = 0; i < MaxPorts; i++) begin
      cfg_o.req_lo[i] = regs_i.PORT[i].REQ_LO.REQUEST_ID.value;
      cfg_o.req_hi[i] = regs_i.PORT[i].REQ_HI.REQUEST_ID.value;
    end
    for (int unsigned i = 0; i < TierCount; i++) begin
      cfg_o.base[i] = regs_i.TIER[i].BASE.ADDR.value;
      cfg_o.slots[i] = regs_i.TIER[i].SLOTS.COUNT.value;
      cfg_o.reserve[i] = regs_i.TIER[i].RESERVE.COUNT.value;
      cfg_o.low[i] = regs_i.TIER[i].LOW.COUNT.value;
      cfg_o.high[i] = regs_i.TIER[i].HIGH.COUNT.value;
    end
  end

endmodule
