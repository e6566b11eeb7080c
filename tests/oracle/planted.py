"""Wrong readings of the contract, planted in the device model: what RTL and model could share.

Each replaces a piece of one function's source; one whose piece is not there any more fails loudly.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from model import scan, scoring
from model.base import StateBase
from model.commands import CommandOps
from model.moves import MoveOps
from model.register_rules import RegisterRules
from model.scan import ScanOps
from model.slots import SlotPool


@dataclass(frozen=True)
class Planted:
    """`old` becomes `new` in the function `name` of `owner`; `seed` is of a stream that detects it."""

    what: str
    owner: Any
    name: str
    old: str
    new: str
    seed: int


def function_of(planted: Planted) -> Any:
    return inspect.unwrap(inspect.getattr_static(planted.owner, planted.name))


@contextmanager
def plant(planted: Planted) -> Iterator[None]:
    """The device model with this defect.

    Raises:
        AssertionError: the function does not contain the text once.
    """
    function = function_of(planted)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(planted.old) == 1, f"{planted.name} has {planted.old!r} {source.count(planted.old)} times"
    namespace: dict[str, Any] = {}
    exec(source.replace(planted.old, planted.new), dict(vars(sys.modules[function.__module__])), namespace)
    original = function.__code__  # tables may hold the function itself, so it stays and gets other code
    function.__code__ = namespace[planted.name].__code__
    try:
        yield
    finally:
        function.__code__ = original


PLANTED = (
    Planted("R decays by R >> R_SHIFT without the minimum of 1", scan, "score", "loss += loss == 0", "pass", 10),
    Planted("R >> R_SHIFT rounds up", scan, "score", "loss += loss == 0", "loss += 1", 1),
    Planted("S counts from 256", scan, "score", "(255 - dist)", "(256 - dist)", 1),
    Planted("S without the limit of the distance", scan, "score", ", 255).astype", ", 511).astype", 1),
    Planted("dist is unsigned", scan, "score", "np.minimum(diff, np.negative(diff))", "diff", 8),
    Planted(
        "P saturates at 65,534",
        scan,
        "score",
        "prio |= np.multiply",
        "np.minimum(prio, 65534, out=prio); prio |= np.multiply",
        11,
    ),
    Planted("P wraps", scoring, "_saturating_add", "np.minimum(b, ~a)", "b", 11),
    Planted("D is 256", scan, "score", "255 * cfg.w_d", "256 * cfg.w_d", 1),
    Planted("EVICTABLE does not clear P", scan, "score", "x.evictable, U16", "x.evictable, 0", 8),
    Planted(
        "prefetch from P = PREFETCH_THRESH on",
        scan,
        "score",
        "prio > cfg.prefetch_thresh",
        "prio >= cfg.prefetch_thresh",
        1,
    ),
    Planted(
        "evict up to P = EVICT_THRESH", scan, "score", "prio < cfg.threshold(tier)", "prio <= cfg.threshold(tier)", 11
    ),
    Planted(
        "HOLD ends a step early",
        scan,
        "score",
        "ahead <= np.uint32(cfg.kept_ahead)",
        "ahead < np.uint32(cfg.kept_ahead)",
        65,
    ),
    Planted(
        "LOOKAHEAD ends a step early",
        scan,
        "score",
        "ahead <= np.uint32(cfg.lookahead)",
        "ahead < np.uint32(cfg.lookahead)",
        1,
    ),
    Planted("referenced blocks are evicted", scan, "score", "still & (x.ref_count == 0)", "still", 16),
    Planted("F_AGE counts scans from 0", ScanOps, "scan_begin", "n % (1 << c.f_age)", "(n - 1) % (1 << c.f_age)", 4),
    Planted("F_AGE 0 ages", ScanOps, "scan_begin", "c.f_age > 0 and n", "n", 1),
    Planted("the scan begins at the same row", ScanOps, "scan_begin", "(n - 1) * (self.rows // 8)", "0", 1),
    Planted("pressure ends below HIGH", ScanOps, "scan_begin", "free[tier] < max(low, high)", "free[tier] < low", 1),
    Planted("pressure begins at LOW", ScanOps, "scan_begin", "free[tier] < low or", "free[tier] <= low or", 10),
    Planted("pressure: N is one too high", ScanOps, "scan_begin", "high - free[tier]", "high + 1 - free[tier]", 21),
    Planted("T below N entries", scan, "auto_threshold", '"left"', '"right"', 21),
    Planted(
        "the fence does nothing", SlotPool, "fence", "for slot in self._held:", "return\n    for slot in self._held:", 1
    ),
    Planted("RESERVE counts itself free", MoveOps, "_target", "free > self", "free >= self", 1),
    Planted(
        "a write lookup grows into the next block's first token", CommandOps, "_find_token", "+ write", "+ 2 * write", 7
    ),
    Planted("a read lookup hits past TOKEN_END", CommandOps, "_find_token", "+ write", "+ 1", 23),
    Planted("F of a hit does not saturate", CommandOps, "_lookup", "f + 1", "min(f + 2, 255)", 1),
    Planted("a hit keeps HINT", CommandOps, "_lookup", "e.hint[index] = 0", "pass", 2),
    Planted("a hit keeps EVICTABLE", CommandOps, "_lookup", "e.evictable[index] = 0", "pass", 17),
    Planted(
        "DEMAND promotes from PROMOTE_TIER",
        CommandOps,
        "_lookup",
        "tier > config.promote_tier",
        "tier >= config.promote_tier",
        8,
    ),
    Planted(
        "a write to request 0 needs no window", CommandOps, "denies", "request == 0 and not write", "request == 0", 10
    ),
    Planted("REQ_HI is exclusive", CommandOps, "denies", "request <= self", "request < self", 1),
    Planted(
        "MIGRATE: BUSY before REFERENCED",
        CommandOps,
        "migrate",
        "if tier > own and e.ref_count[index]:",
        "if tier > own and e.ref_count[index] and not e.in_flight[index]:",
        5,
    ),
    Planted(
        "MIGRATE: REFERENCED before BAD_ARG",
        CommandOps,
        "migrate",
        "if tier == own:",
        "if tier == own and not e.ref_count[index]:",
        46,
    ),
    Planted("MIGRATE to a faster tier is REFERENCED too", CommandOps, "migrate", "if tier > own and", "if", 37),
    Planted(
        "INSERT: NO_SLOT before EXISTS",
        CommandOps,
        "insert_begin",
        "if key in self.index_of:",
        "if key in self.index_of and self.pools[tier].free:",
        12,
    ),
    Planted("INSERT: F is 0", CommandOps, "insert_end", "e.f[index] = 1", "e.f[index] = 0", 1),
    Planted("REF_COUNT saturates at 254", CommandOps, "share", "== 255", ">= 254", 128),
    Planted("RELEASE clears PREFIX", CommandOps, "release", "return True", "e.prefix[index] = 0\n    return True", 8),
    Planted("IMEVICT keeps HINT", CommandOps, "imevict", "e.hint[index] = 0", "pass", 16),
    Planted("IMEVICT queues referenced blocks", CommandOps, "imevict", "not e.ref_count[index] and", "", 16),
    Planted("PREFETCH keeps EVICTABLE", CommandOps, "prefetch", "e.evictable[index] = 0", "pass", 18),
    Planted("PREFETCH queues a step too near", CommandOps, "prefetch", "<= config.lookahead", "< config.lookahead", 25),
    Planted("a move keeps DIRTY", MoveOps, "_commit", "e.dirty[index] = 0", "pass", 11),
    Planted("a move frees its old slot at once", MoveOps, "_commit", ".hold(", ".give_back(", 1),
    Planted("a block written in this step moves", MoveOps, "_may_start", "if e.dirty[index] and", "if False and", 17),
    Planted(
        "a hinted block that was written counts as written in this step",
        MoveOps,
        "_may_start",
        "not e.hint[index] and",
        "",
        7,
    ),
    Planted("R = 255 keeps nothing from moving", MoveOps, "_may_start", "e.r[index] == 255", "e.r[index] == 256", 8),
    Planted("MIGRATE is stopped by HOT", MoveOps, "_may_start", "item.by_migrate or not warm", "not warm", 12),
    Planted("an old item moves a new block of the same address", MoveOps, "start", "if item.alive else None", "", 5),
    Planted("LEN may reach token 2^32", RegisterRules, "_range", "end > LAST_TOKEN", "end > LAST_TOKEN + 1", 1),
    Planted("a range of ENTRIES + 1 blocks", RegisterRules, "_range", "+ 1 > self.entries", "> self.entries", 12),
    Planted(
        "EVICT_THRESH = PREFETCH_THRESH is refused",
        RegisterRules,
        "_threshold",
        "evict > prefetch else",
        "evict >= prefetch else",
        1,
    ),
    Planted("bad parity is not counted", StateBase, "_parity_read", "parity += 1", "parity += 0", 2),
    Planted("a bad entry is hit", CommandOps, "_find_token", "return None\n", "return index\n", 2),
    Planted(
        "a soft reset keeps IRQ_STATUS",
        StateBase,
        "soft_reset",
        "self.irq_status = Irq(0)",
        'self.irq_status = getattr(self, "irq_status", Irq(0))',
        6,
    ),
    Planted(
        "a soft reset keeps the scan number",
        StateBase,
        "soft_reset",
        "self.scan_number = 0",
        'self.scan_number = getattr(self, "scan_number", 0)',
        9,
    ),
    Planted(
        "ENABLE 0 keeps the step",
        ScanOps,
        "set_step",
        "self.step = step",
        "self.step = step if self.config.enable else self.step",
        2,
    ),
)
