"""What the user asks for, checked before anything is built."""

from dataclasses import dataclass
from pathlib import Path

from sw.replay.trace import MAX_BLOCK_TOKENS, UNITS_MS
from tb.replay.workload import Source
from tb.run.command import whole
from tb.run.errors import UsageError
from tb.run.paths import REPORT
from tb.sim.options import DeviceOptions, device_parser, device_values

MAX_REQUESTS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Options(DeviceOptions, Source):
    """A replay: workload and device. `requests` None: all of the trace, or the generator's default."""

    report: Path = REPORT

    @property
    def repeat(self) -> str:
        """The command that repeats this replay exactly."""
        return self.make_sim(
            TRACE=self.trace, REQUESTS=self.requests, BLOCK_SIZE=self.block_size, TIME_UNIT=self.time_unit
        )


def parse(argv: list[str]) -> Options:
    """The options of a command line. Raises UsageError for what cannot be run."""
    parser = device_parser("python -m tb.replay", __doc__, "the run")
    parser.add_argument("--trace", help="a Mooncake-format trace (default: a seeded generator)")
    parser.add_argument("--requests", help="replay the first N requests only")
    parser.add_argument("--block-size", help="tokens behind one hash id (default: what the trace says, or 512)")
    parser.add_argument("--time-unit", help="of the trace's timestamps: ms (default) or s")
    parser.add_argument(
        "--report", default=str(REPORT), help="folder of sim.json and sim.html (default sim_build/report)"
    )
    given = parser.parse_args(argv)
    if given.trace == "":
        raise UsageError("TRACE=: a file is needed")
    if given.time_unit not in {None, *UNITS_MS}:
        raise UsageError(f"TIME_UNIT={given.time_unit}: {' or '.join(UNITS_MS)} is needed")
    if not given.trace and (given.block_size or given.time_unit):
        raise UsageError(f"{'BLOCK_SIZE' if given.block_size else 'TIME_UNIT'} has no effect without TRACE")
    return Options(
        **device_values(given),
        trace=Path(given.trace) if given.trace else None,
        requests=None if given.requests is None else whole(given.requests, "REQUESTS", 1, MAX_REQUESTS),
        block_size=None if given.block_size is None else whole(given.block_size, "BLOCK_SIZE", 1, MAX_BLOCK_TOKENS),
        time_unit=given.time_unit,
        report=Path(given.report),
    )
