"""Fault injection for the comparison: the golden model broken on purpose, one rule at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from model import base, moves, scan, scoring
from model.directory import DeviceState
from model.slots import SlotPool
from model.types import Mismatch
from tests.model.fuzzer import Fuzzer
from tests.model.pair import Disagreement, Pair

Patch = Callable[[pytest.MonkeyPatch], None]


def change(owner: Any, name: str, make: Callable[[Callable], Callable]) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(owner, name, make(getattr(owner, name)))

    return patch


def scores(edit: Callable[[Any, Any], Any]) -> Patch:
    """Edit what scoring gives, in both of its forms."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("score", "score_one"):
            old = getattr(scan, name)

            def new(cfg: Any, *a: Any, old: Any = old, **k: Any) -> Any:
                return edit(cfg, old(cfg, *a, **k))

            monkeypatch.setattr(scan, name, new)

    return patch


def after(name: str, effect: Callable[..., None]) -> Patch:
    """Run `effect(state, result, *args)` after a transaction of DeviceState."""

    def make(old: Callable) -> Callable:
        def new(self: DeviceState, *args: Any, **kwargs: Any) -> Any:
            result = old(self, *args, **kwargs)
            effect(self, result, *args)
            return result

        return new

    return change(DeviceState, name, make)


def set_if_hit(field: str, value: int) -> Patch:
    def effect(state: DeviceState, result: Any, *_: Any) -> None:
        if result.hit:
            getattr(state.entries, field)[result.index] = value

    return after("_lookup", effect)


def on_entry(field: str, value: int) -> Callable[..., None]:
    def effect(state: DeviceState, result: bool, kv: int, *_: Any) -> None:
        index = state.find(kv)
        if result and index is not None:
            getattr(state.entries, field)[index] = value

    return effect


def guard_left_out(field: str, value: int) -> Patch:
    """The start checks do not see a field."""

    def make(old: Callable) -> Callable:
        def new(self: DeviceState, item: Any, index: int) -> bool:
            view = getattr(self.entries, field)
            kept = view[index]
            view[index] = value
            try:
                return old(self, item, index)
            finally:
                view[index] = kept

        return new

    return change(moves.MoveOps, "_may_start", make)


MUTANTS: dict[str, Patch] = {
    "the sum wraps modulo 2^16": change(scoring, "_saturating_add", lambda _: lambda a, b: (a + b).astype(np.uint16)),
    "decay is off by one": scores(
        lambda _, s: (
            s._replace(r=np.where(np.asarray(s.r) > 0, np.asarray(s.r) - 1, s.r))
            if isinstance(s.r, np.ndarray)
            else s._replace(r=max(0, s.r - 1))
        )
    ),
    "F ages in every scan": change(scan, "ScanConfig", lambda old: lambda **k: old(**(k | {"age": True}))),
    "the start row does not move": change(scan, "ScanConfig", lambda old: lambda **k: old(**(k | {"start_row": 0}))),
    "LOOKAHEAD is one too far": change(
        scan, "ScanConfig", lambda old: lambda **k: old(**(k | {"lookahead": k["lookahead"] + 1}))
    ),
    "HOLD is one too far": change(scan, "ScanConfig", lambda old: lambda **k: old(**(k | {"hold": k["hold"] + 1}))),
    "prefetch at the threshold, not above": change(
        scan,
        "ScanConfig",
        lambda old: lambda **k: old(**(k | {"prefetch_thresh": max(0, k["prefetch_thresh"] - 1)})),
    ),
    "EVICT_TIERS is not looked at": change(scan, "ScanConfig", lambda old: lambda **k: old(**(k | {"evict_tiers": 7}))),
    "the automatic threshold counts one entry too few": change(
        scan, "auto_threshold", lambda old: lambda h, n, p: old(h, n - 1, p)
    ),
    "the automatic threshold passes PREFETCH_THRESH": change(
        scan, "auto_threshold", lambda old: lambda h, n, p: old(h, n, 65535)
    ),
    "a hit does not set R": set_if_hit("r", 7),
    "a hit keeps HINT": set_if_hit("hint", 1),
    "a hit does not count F": set_if_hit("f", 1),
    "a read makes the block dirty": set_if_hit("dirty", 1),
    "a miss is not counted": after("_miss", lambda s, *_: setattr(s.counters, "miss", 0)),
    "the tenant window is not looked at": change(DeviceState, "denies", lambda _: lambda *a, **k: False),
    "a tenant may write to request 0": change(
        DeviceState,
        "denies",
        lambda old: lambda self, port, kv, write: kv >> 48 != 0 and old(self, port, kv, write),
    ),
    "BOOST leaves EVICTABLE": after("boost", on_entry("evictable", 1)),
    "COOL leaves HOT": after("cool", on_entry("hot", 1)),
    "IMEVICT leaves HINT": after("imevict", on_entry("hint", 1)),
    "PREFETCH forgets the step": after("prefetch", on_entry("access_step", 0)),
    "RELEASE clears PREFIX": after("release", on_entry("prefix", 0)),
    "SHARE counts twice": after(
        "share",
        lambda s, found, kv: (
            s.entries.ref_count.__setitem__(s.find(kv), min(255, s.entries.ref_count[s.find(kv)] + 1))
            if found
            else None
        ),
    ),
    "a referenced block starts to move": guard_left_out("ref_count", 0),
    "a hot block starts to move": guard_left_out("hot", 0),
    "a block written in this step starts to move": guard_left_out("dirty", 0),
    "R = 255 does not keep a block": guard_left_out("r", 0),
    "a commit keeps DIRTY": after(
        "end",
        lambda s, result, item: s.entries.dirty.__setitem__(s.find(item.kv_addr), 1) if result == 0 else None,
    ),
    "a write during a move is lost": after(
        "_lookup",
        lambda s, r, *_: s.entries.voided.__setitem__(r.index, 0) if r.hit else None,
    ),
    "RESERVE is not looked at": change(
        moves.MoveOps,
        "_target",
        lambda _: (
            lambda self, item: next(
                (
                    t
                    for t in ([item.target] if item.target is not None else range(4))
                    if (item.target is not None or t > item.from_tier) and self.pools[t].free
                ),
                None,
            )
        ),
    ),
    "MAX_RETRY is one try more": change(
        moves.MoveOps,
        "start",
        lambda old: (
            lambda self, item, **k: [
                old(self, item, **k),
                setattr(item, "tries", item.tries - (item.tries == 1)),
            ][0]
        ),
    ),
    "the fence does not hold": change(SlotPool, "hold", lambda _: SlotPool.give_back),
    "the fence does not free": change(SlotPool, "fence", lambda _: lambda self: None),
    "a slot is lost with its block": change(SlotPool, "give_back", lambda _: lambda self, slot: None),
    "a full queue takes one more": change(base, "QUEUE_DEPTH", lambda _: 65),
    "5 decisions wait per lane": change(scan, "LANE_WAIT_DEPTH", lambda _: 5),
    "steps do not coalesce": after("set_step", lambda s, *_: setattr(s.counters, "scan_coalesced", 0)),
    "an old item moves the new block": change(
        base.StateBase,
        "_remove_entry",
        lambda old: lambda self, index: keep_item(old, self, index),
    ),
    "a relocated entry is scored twice": after(
        "relocate", lambda s, _, source, target: s.entries.scored.__setitem__(target, 0)
    ),
    "pressure ends at LOW": change(
        scan.ScanOps, "scan_begin", lambda old: lambda self, **k: forget_pressure(old, self, k)
    ),
}


def keep_item(old: Callable, state: DeviceState, index: int) -> None:
    item = state.items.get(state.entries.key[index])
    old(state, index)
    if item is not None:
        item.alive = True


def forget_pressure(old: Callable, state: DeviceState, kwargs: dict) -> Any:
    state.pressure = [False] * 3
    return old(state, **kwargs)


def fuzz() -> None:
    """Enough random transactions to meet every rule."""
    for seed in range(10):
        Fuzzer(seed).run(400)
    for blocks in (300, 1000):
        crowded = Fuzzer(2000, Pair())
        crowded.crowd(blocks)
        crowded.run(600, compare_every=20)
    for seed in range(10, 40):
        Fuzzer(seed).run(400)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_comparison_notices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    with pytest.raises((Disagreement, Mismatch)):
        fuzz()
