"""Functional coverage: named bins, counted from what the scoreboard replayed, merged over tests and seeds as JSON."""

import json
from pathlib import Path

from model.types import Counters
from tb.harness.base_test import Context
from tb.scoreboard.counters import by_register
from tb.scoreboard.scoreboard import Scoreboard

GOALS: tuple[str, ...] = (
    *(f"lookup.{kind}.{outcome}" for kind in ("read", "write") for outcome in ("hit", "miss", "denied")),
    *(f"lookup.port{port}" for port in range(3)),
    "lookup.hit.demand",
    "lookup.shared.hit",
    *(f"{command}.{outcome}" for command in ("touch", "peek") for outcome in ("hit", "miss")),
    *(f"range.{c}.{o}" for c in ("boost", "imevict", "cool", "prefetch", "share", "release") for o in ("hit", "miss")),
    "range.imevict.hit.queued",
    "range.prefetch.hit.queued",
    *(f"insert.ok.tier{t}" for t in range(4)),
    *(f"insert.ok.relocated.tier{t}" for t in (1,)),
    "insert.exists.tier1",
    "insert.no_slot.tier0",
    "insert.full",
    "relocation",
    *(f"remove.{s}" for s in ("ok", "miss", "referenced", "ok.moving")),
    *(f"migrate.{s}" for s in ("ok", "miss", "referenced", "bad_arg", "busy")),
    "free.removed",
    "free.stayed",
    *(f"start.{r}.{c}" for r in ("ok", "cancelled", "no_slot") for c in ("evict", "prefetch")),
    *(f"end.{r}.{c}" for r in ("ok", "void", "error", "retry") for c in ("evict", "prefetch")),
    "end.cancelled.evict",
    *(f"completion.{s}" for s in ("ok", "cancelled", "no_slot", "void", "error", "ok.dropped")),
    *(f"pressure.tier{t}" for t in range(3)),
    *(f"pressure.tier{t}.auto" for t in range(3)),
    *(f"decision.{channel}" for channel in ("evict", "prefetch")),
    "reset.hard",
    "reset.soft",
    *(f"counter.{register.lower()}" for register in by_register(Counters())),
)
"""Bins that a whole regression must hit; `counter.*`: a counter that was not 0 at the end of a test."""


class Coverage:
    """Collects the bins of one test and leaves them in its run directory."""

    def __init__(self, ctx: Context, board: Scoreboard) -> None:
        self._ctx = ctx
        self._board = board

    def bins(self) -> dict[str, int]:
        """Count of every event by name, goals that were not met included."""
        values = by_register(self._board.state.counters)
        counters = {f"counter.{register.lower()}": value for register, value in values.items()}
        seen = {k: v for k, v in self._board.summary().items() if isinstance(v, int)}
        return dict.fromkeys(GOALS, 0) | seen | counters

    def write(self) -> Path:
        """`functional.json` next to the test's log."""
        path = self._ctx.run_dir / "functional.json"
        path.write_text(json.dumps({"test": self._ctx.name, "seed": self._ctx.seed, "bins": self.bins()}, indent=1))
        return path


def merge(files: list[Path]) -> dict[str, int]:
    """Bins of many runs, added up."""
    total = dict.fromkeys(GOALS, 0)
    for file in files:
        for name, count in json.loads(file.read_text())["bins"].items():
            total[name] = total.get(name, 0) + count
    return total
