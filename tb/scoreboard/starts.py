"""Starts of scans: what pressure is judged by, and what the scan uses."""

from collections import deque
from typing import Any

from model import DeviceState
from tb.events.records import ScanBeginRecord, ScanStartRecord, Tier
from tb.harness.base_test import Context
from tb.scoreboard.operations import Operations

FREE_SAMPLED = 64  # cycles: how old the count may be that a scan judges pressure by (device.md 5)
DEPARTURES_SAMPLED = 2
JUDGED = 3  # tiers 0 to 2 know pressure

Log = deque[tuple[int, int]]  # (cycle, value from then on)


class ScanStarts:
    """Remembers free slots and departures for as long as a scan may still use them; compares what a scan latched."""

    def __init__(self, ctx: Context, state: DeviceState, operations: Operations) -> None:
        self._ctx = ctx
        self._s = state
        self._operations = operations
        self._free: list[Log] = [deque([(0, 0)]) for _ in range(JUDGED)]
        self._departures: list[Log] = [deque([(0, 0)]) for _ in range(JUDGED)]

    def log_counts(self, cycle: int) -> None:
        """Remember free slots and departures, where they have changed."""
        pools, late, departures = self._s.pools, self._operations.freed_late, self._s.departures
        for tier in range(JUDGED):  # after every operation: without tuples on the way
            free, departing = pools[tier].free - late[tier], departures[tier]
            if self._free[tier][-1][1] != free:
                self._free[tier].append((cycle, free))
            if self._departures[tier][-1][1] != departing:
                self._departures[tier].append((cycle, departing))

    def _sampled(self, subject: str, tier: int, log: Log, seen: int, cycle: int, age: int) -> None:
        """`seen` must be a value that the count had in the last `age` cycles."""
        while len(log) > 1 and log[1][0] < cycle - age:
            log.popleft()
        legal = {value for _, value in log}
        if seen in legal:
            self._ctx.comparisons += 1
            return
        expected = f"one of {sorted(legal)}, the values of the last {age} cycles"
        self._ctx.compare(subject, expected, seen, tier=Tier(tier).name, at_cycle=cycle)

    def begin(self, r: ScanBeginRecord) -> None:
        """A scan begins: the golden model judges pressure by the device's samples, which must be recent ones."""
        free, departures = (r.free_0, r.free_1, r.free_2), (r.departures_0, r.departures_1, r.departures_2)
        for tier in range(JUDGED):
            self._sampled("free slots at the scan's start", tier, self._free[tier], free[tier], r.cycle, FREE_SAMPLED)
            log, age = self._departures[tier], DEPARTURES_SAMPLED
            self._sampled("departures in flight at the scan's start", tier, log, departures[tier], r.cycle, age)
        self._s.scan_begin(free=list(free), departures=list(departures))

    def start(self, r: ScanStartRecord) -> None:
        """What the scan uses."""
        cfg = self._s.scan
        if cfg is None:
            self._ctx.compare("scan configuration", "a scan runs", "none", at_cycle=r.cycle)
            return
        expected: dict[str, Any] = {
            "first row": cfg.start_row,
            "step": cfg.step,
            "WEIGHT_R": cfg.w_r,
            "WEIGHT_F": cfg.w_f,
            "WEIGHT_S": cfg.w_s,
            "WEIGHT_D": cfg.w_d,
            "EVICT_THRESH": cfg.evict_thresh,
            "PREFETCH_THRESH": cfg.prefetch_thresh,
            "R_SHIFT": cfg.r_shift,
            "F ages": bool(cfg.age),
            "LOOKAHEAD": cfg.lookahead,
            "larger of LOOKAHEAD and HOLD": cfg.kept_ahead,
            "PROMOTE_TIER": cfg.promote_tier,
            "EVICT_TIERS": cfg.evict_tiers,
        }
        values = (r.row, r.step, r.w_r, r.w_f, r.w_s, r.w_d, r.evict_thresh, r.prefetch_thresh, r.r_shift, r.age)
        seen = dict(zip(expected, (*values, r.lookahead, r.kept_ahead, r.promote_tier, r.evict_tiers), strict=True))
        pressure, thresholds = (r.pressure_0, r.pressure_1, r.pressure_2), _thresholds(r)
        for tier in range(JUDGED):
            expected[f"pressure of tier {tier}"], seen[f"pressure of tier {tier}"] = cfg.pressure[tier], pressure[tier]
            name = f"AUTO_THRESH of tier {tier}"
            expected[name], seen[name] = cfg.auto_thresh[tier], thresholds[tier]
            if cfg.pressure[tier]:
                self._operations.count(f"pressure.tier{tier}{'.auto' if cfg.auto_thresh[tier] else ''}")
        self._ctx.compare_fields(f"scan {cfg.number} starts", expected, seen, at_cycle=r.cycle)


def _thresholds(r: ScanStartRecord) -> tuple[int, int, int]:
    return r.auto_thresh_0, r.auto_thresh_1, r.auto_thresh_2
