// The device's words as the groups of fields that events share.

package kvcpu_mon_pkg;
  import kvcpu_pkg::*;
  import kvcpu_events_pkg::*;

  /// An entry out of its two words.
  function automatic entry_ev_t entry_of(tag_t tag, meta_t meta);
    return '{
      key: {tag.request_id, tag.layer_head, tag.block},
      access_step: meta.access_step,
      prio: meta.prio,
      slot: tag.slot,
      ref_count: meta.ref_count,
      r: meta.r,
      f: meta.f,
      token_offset: tag.token_end,
      tier: tag.tier,
      valid: tag.valid,
      prefix: meta.prefix,
      dirty: meta.dirty,
      hot: meta.hot,
      evictable: meta.evictable,
      hint: meta.hint,
      epoch: meta.epoch,
      in_flight: meta.in_flight,
      moving: meta.moving,
      voided: meta.voided
    };
  endfunction

  /// A queue's item.
  function automatic item_ev_t item_of(item_t item);
    return '{
      key: {item.request_id, item.layer_head, item.block},
      generation: item.generation,
      from_tier: item.from,
      fixed: item.fixed,
      target: item.target,
      by_migrate: item.by_migrate
    };
  endfunction

endpackage
