"""What the user asks for, checked before anything is built."""

from dataclasses import dataclass
from pathlib import Path

from tb.run.command import whole
from tb.run.errors import UsageError
from tb.run.paths import REPORT
from tb.sim.options import DeviceOptions, device_parser, device_values

MAX_REQUESTS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Options(DeviceOptions):
    """A replay: workload and device. `requests` None: all of the trace, or the generator's default."""

    trace: Path | None = None
    requests: int | None = None
    report: Path = REPORT

    @property
    def repeat(self) -> str:
        """The command that repeats this replay exactly."""
        return self.make_sim(TRACE=self.trace, REQUESTS=self.requests)


def parse(argv: list[str]) -> Options:
    """The options of a command line. Raises UsageError for what cannot be run."""
    parser = device_parser("python -m tb.replay", __doc__, "the run")
    parser.add_argument("--trace", help="a Mooncake-format trace (default: a seeded generator)")
    parser.add_argument("--requests", help="replay the first N requests only")
    parser.add_argument(
        "--report", default=str(REPORT), help="folder of sim.json and sim.html (default sim_build/report)"
    )
    given = parser.parse_args(argv)
    if given.trace == "":
        raise UsageError("TRACE=: a file is needed")
    return Options(
        **device_values(given),
        trace=Path(given.trace) if given.trace else None,
        requests=None if given.requests is None else whole(given.requests, "REQUESTS", 1, MAX_REQUESTS),
        report=Path(given.report),
    )
