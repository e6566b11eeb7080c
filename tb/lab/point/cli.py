"""One point of an experiment on a device. Exit status: 0 the same hits, 1 not, 2 wrong use, 130 interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from model import Mismatch
from model.device import DeviceModel
from sw.driver import DriverError
from sw.policy.lockstep import NotIdle
from sw.replay.trace import MAX_BLOCK_TOKENS, UNITS_MS
from sw.run import run as run_now
from sw.terminal import new_console
from sw.transport.base import TransportError
from sw.transport.model import ModelTransport
from tb.lab.point.job import FEED, Point, Progress, figures, run_point
from tb.lab.point.workload import named
from tb.replay.options import MAX_REQUESTS
from tb.run.command import run_command, whole
from tb.run.errors import CheckError, UsageError
from tb.run.paths import REPORT, ROOT
from tb.sim.counter import Counter
from tb.sim.display import Progressing, sayer, show_table
from tb.sim.ending import Ending, carry_out, write_reports
from tb.sim.errors import Difference
from tb.sim.options import DeviceOptions, device_parser, device_values

DEFAULT = ROOT / "tb" / "lab" / "points" / "eviction.toml"
"""The configuration that SLOTS and POLICY change where CONFIG is not given."""
LEG, TEST, FOLDER, KIND = "point", "point", "point", "point"
Take = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Options(DeviceOptions):
    """A point: the settings that name it, the trace, the device."""

    config: Path = DEFAULT
    slots: str | None = None
    policy: str | None = None
    trace: Path | None = None
    requests: int | None = None
    block_size: int | None = None
    time_unit: str | None = None
    report: Path = REPORT

    @property
    def own(self) -> dict[str, object]:
        """What the simulator's process must know."""
        return {
            "config": str(self.config.resolve()),
            "slots": self.slots,
            "policy": self.policy,
            "trace": None if self.trace is None else str(self.trace.resolve()),
            "requests": self.requests,
            "block_size": self.block_size,
            "time_unit": self.time_unit,
        }

    @property
    def repeat(self) -> str:
        """The command that repeats this run exactly."""
        return self.make_sim(
            CONFIG=None if self.config == DEFAULT and (self.slots or self.policy) else self.config,
            SLOTS=self.slots, POLICY=self.policy, TRACE=self.trace, REQUESTS=self.requests, BLOCK_SIZE=self.block_size,
            TIME_UNIT=self.time_unit,
        )  # fmt: skip


@dataclass(kw_only=True)
class Outcome(Ending):
    """A point as far as it has come."""

    progress: Progress = field(default_factory=Progress)
    mismatches: int = 0


def _parse(argv: list[str]) -> Options:
    parser = device_parser("python -m tb.lab.point", __doc__, "the run; that of the trace is the configuration's")
    parser.add_argument("--config", default=str(DEFAULT), help="a TOML file that names one point (docs/laboratory.md)")
    parser.add_argument("--slots", help="slots of the fast tier in its place")
    parser.add_argument("--policy", help="layer of HEPC in its place")
    parser.add_argument("--trace", help="a trace of any known form (default: the generator that the file names)")
    parser.add_argument("--requests", help="the first N requests only")
    parser.add_argument("--block-size", help="tokens behind one hash id (default: what the trace says, or 512)")
    parser.add_argument("--time-unit", help="of the trace's timestamps: ms (default) or s")
    parser.add_argument("--report", default=str(REPORT), help="folder of point.json (default sim_build/report)")
    given = parser.parse_args(argv)
    if given.time_unit not in {None, *UNITS_MS}:
        raise UsageError(f"TIME_UNIT={given.time_unit}: {' or '.join(UNITS_MS)} is needed")
    if given.trace is None and (given.block_size or given.time_unit):
        raise UsageError(f"{'BLOCK_SIZE' if given.block_size else 'TIME_UNIT'} has no effect without TRACE")
    return Options(
        **device_values(given),
        config=Path(given.config),
        slots=given.slots,
        policy=given.policy,
        trace=None if given.trace is None else Path(given.trace),
        requests=None if given.requests is None else whole(given.requests, "REQUESTS", 2, MAX_REQUESTS),
        block_size=None if given.block_size is None else whole(given.block_size, "BLOCK_SIZE", 1, MAX_BLOCK_TOKENS),
        time_unit=given.time_unit,
        report=Path(given.report),
    )


def _on_model(options: Options, point: Point, take: Take) -> None:
    device = DeviceModel(entries=point.settings["device"]["entries"], lanes=options.lanes, ports=options.ports)
    counter = Counter()
    try:
        run_now(
            run_point(
                point, ModelTransport(device), counter, take, lambda: (counter.comparisons, counter.mismatches)
            )
        )  # fmt: skip
    except Mismatch as error:
        raise Difference(str(error)) from None
    except (DriverError, TransportError, NotIdle) as error:
        raise CheckError(str(error)) from None


def _on_rtl(options: Options, take: Take, console: Console) -> None:
    from tb.run.build import build  # not needed on the model
    from tb.sim.leg import run_followed, sized_job

    job = sized_job(LEG, TEST, options, options.own)
    built = build(job.leg.spec, sayer(console))
    run_followed(job, built, FOLDER, FEED, Progress.parse, take)


def _point(options: Options, begun: float) -> int:
    console = new_console()
    point = named(options.own, sayer(console))
    if options.entries != point.settings["device"]["entries"]:
        options = Options(**{**vars(options), "entries": point.settings["device"]["entries"]})
    outcome = Outcome(begun=begun)

    def run() -> None:
        with Progressing(console, point.stream.requests, "requests") as display:
            display.starting()

            def take(progress: Progress) -> None:
                outcome.seen_alive()
                outcome.progress = progress
                display.show(progress.requests, f"{progress.cycles / 1e6:,.2f} M cycles  {progress.moves:,} moves")

            if options.backend == "model":
                _on_model(options, point, take)
            else:
                _on_rtl(options, take, console)

    def report() -> None:
        last = outcome.progress
        found = {"state": outcome.state, "failure": outcome.failure, **options.sizes, **figures(point, last)}
        found["mismatches"] = max(last.mismatches, outcome.mismatches)
        show_table(console, "point", _rows(options, point, last))
        where = write_reports(KIND, options.report, found, options, None, **options.own)
        sayer(console)(f"report: {where}")

    def differed() -> None:
        outcome.mismatches = 1

    return carry_out(outcome, run, report, differed, options.repeat, sayer(console))


def _rows(options: Options, point: Point, last: Progress) -> list[tuple[str, str]]:
    """The table at the end, as (what, figure)."""
    policy = last.policy_hits + last.policy_prefetch_hits
    timing = ", on which hits may depend on timing" if last.overflows else ""
    return [
        ("device", options.device),
        ("trace", f"{point.stream.name}, {last.requests:,} of {point.stream.requests:,} requests"),
        ("point", f"{point.capacity:,} slots, layer {point.layer}, {point.engine} engine"),
        ("references", f"{last.references:,}"),
        ("hits, policy level", f"{policy:,} ({last.policy_prefetch_hits:,} brought back by a prefetch)"),
        ("hits, this device", f"{last.device_hits:,}"),
        ("moves", f"{last.moves:,}"),
        ("scans with a full queue", f"{last.overflows:,}{timing}"),
        ("comparisons", f"{last.comparisons:,}"),
        ("cycles", f"{last.cycles:,}"),
    ]


def main(argv: list[str]) -> int:
    """Run one point; every foreseeable error is one line and a status."""
    begun = time.monotonic()
    return run_command(lambda: _point(_parse(argv), begun))
