"""How a replay ended: the figures of `sim.json`, and the table at the end."""

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from sw.replay.config import ReplayConfig
from sw.replay.records import Sample, Tally
from tb.replay.feed import Update
from tb.replay.options import Options
from tb.sim.display import TIER_NAMES, show_table
from tb.sim.ending import COMPLETE, FAILED, STOPPED, Ending

GENERATED = "generator"


@dataclass(kw_only=True)
class Outcome(Ending):
    """A replay as far as it has come."""

    options: Options
    config: ReplayConfig
    requested: int
    tally: Tally = field(default_factory=Tally)
    samples: list[Sample] = field(default_factory=list)
    comparisons: int = 0
    mismatches: int = 0

    def take(self, update: Update) -> None:
        """A step has passed."""
        self.seen_alive()
        self.tally = update.tally
        self.comparisons = update.comparisons
        self.mismatches = update.mismatches
        if update.sample is not None:
            self.samples.append(update.sample)

    @property
    def cycles(self) -> int:
        """Simulated cycles up to the last step seen."""
        return self.samples[-1].cycle if self.samples else 0

    @property
    def cycles_per_s(self) -> float:
        """Simulated cycles per second of wall time."""
        return self.cycles / self.wall_s if self.wall_s else 0.0

    @property
    def trace(self) -> str:
        """Where the requests come from."""
        return str(self.options.trace or GENERATED)

    def figures(self) -> dict[str, Any]:
        """What `sim.json` holds."""
        tally, options = self.tally, self.options
        return {
            "state": self.state,
            "failure": self.failure,
            **options.sizes,
            "trace": self.trace,
            "trace_block_tokens": self.config.trace_block,
            "requests": tally.requests,
            "requests_asked": self.requested,
            "seed": options.seed,
            "steps": tally.steps,
            "references": tally.references,
            "hits": tally.hits,
            "hit_rate": round(tally.hit_rate, 6),
            "hits_by_tier": tally.hits_by_tier,
            "hit_rate_by_tier": [round(hits / max(1, tally.references), 6) for hits in tally.hits_by_tier],
            "inserts": tally.inserts,
            "inserts_by_tier": tally.inserts_by_tier,
            "evictions": tally.evictions,
            "promotions": tally.promotions,
            "migrations": tally.migrations,
            "refusals": tally.refusals,
            "removals": tally.removals,
            "drops": tally.drops,
            "scans": tally.scans,
            "lookups": tally.lookups,
            "tokens": tally.tokens,
            "blocks_checked": tally.blocks_checked,
            "bytes_written": tally.bytes_written,
            "completions": tally.completions,
            "completions_lost": tally.completions_lost,
            "slots": list(self.config.slots),
            "block_bytes": self.config.block_bytes,
            "comparisons": self.comparisons,
            "mismatches": self.mismatches,
            "cycles": self.cycles,
            "wall_s": round(self.wall_s or 0.0, 3),
            "cycles_per_s": round(self.cycles_per_s, 1),
            "startup_s": None if self.startup_s is None else round(self.startup_s, 3),
        }


def rows(outcome: Outcome) -> list[tuple[str, str]]:
    """The table at the end, as (what, figure)."""
    tally, options = outcome.tally, outcome.options
    rates = [
        f"{hits / max(1, tally.references):.1%} {name}"
        for name, hits in zip(TIER_NAMES, tally.hits_by_tier, strict=True)
    ]
    slots = [f"{count:,} {name}" for name, count in zip(TIER_NAMES, outcome.config.slots, strict=True)]
    moved = ", ".join(f"{count:,} {name}" for name, count in sorted(tally.completions.items()))
    lost = f", {tally.completions_lost:,} not seen" if tally.completions_lost else ""
    return [
        ("device", options.device),
        ("trace", f"{outcome.trace}, seed {options.seed}"),
        ("block size", f"{outcome.config.trace_block:,} tokens"),
        ("requests", f"{tally.requests:,} of {outcome.requested:,} in {tally.steps:,} steps"),
        ("slots", ", ".join(slots)),
        ("references", f"{tally.references:,}"),
        ("hit rate", f"{tally.hit_rate:.1%} ({', '.join(rates)})"),
        ("inserts", f"{tally.inserts:,}, {tally.removals:,} removed to make room, {tally.drops:,} without a place"),
        ("migrations", f"{tally.migrations:,} ({tally.evictions:,} evictions, {tally.promotions:,} promotions)"),
        ("moves ended", moved + lost or "none"),
        ("refusals", f"{tally.refusals:,}"),
        ("lookups", f"{tally.lookups:,}"),
        ("scans", f"{tally.scans:,}"),
        ("comparisons", f"{outcome.comparisons:,}"),
        ("mismatches", f"{outcome.mismatches:,}"),
        ("cycles", f"{outcome.cycles:,}"),
        ("wall time", f"{outcome.wall_s or 0.0:.1f} s, first cycle after {outcome.startup_s or 0.0:.1f} s"),
        ("simulated", f"{outcome.cycles_per_s:,.0f} cycles/s"),
    ]


def show(console: Console, outcome: Outcome) -> None:
    """Print the table."""
    title = {
        COMPLETE: "replay",
        STOPPED: "replay, interrupted: figures up to then",
        FAILED: "replay, failed: figures up to then",
    }
    show_table(console, title[outcome.state], rows(outcome))
