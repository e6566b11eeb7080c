"""What the user asks for, checked before anything is built."""

import argparse
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tb.run.errors import UsageError
from tb.run.paths import REPORT

BACKENDS = ("rtl", "model")
MAX_SEED = 2**31 - 1  # Verilator's seed takes no more
MAX_REQUESTS = 10_000_000


@dataclass(frozen=True)
class Options:
    """A replay: workload, device sizes, who answers. `requests` None: all of the trace, or the generator's default."""

    trace: Path | None = None
    requests: int | None = None
    seed: int = 1
    entries: int = 65_536
    lanes: int = 16
    ports: int = 3
    backend: str = "rtl"
    report: Path = REPORT
    verilator: str | None = None
    cxx: str | None = None

    @property
    def repeat(self) -> str:
        """The command that repeats this replay exactly."""
        given = {
            "TRACE": self.trace,
            "REQUESTS": self.requests,
            "SEED": self.seed,
            "ENTRIES": self.entries if self.entries != Options.entries else None,
            "LANES": self.lanes if self.lanes != Options.lanes else None,
            "PORTS": self.ports if self.ports != Options.ports else None,
            "BACKEND": self.backend if self.backend != Options.backend else None,
        }
        words = [f"{name}={shlex.quote(str(value))}" for name, value in given.items() if value is not None]
        return " ".join(["make sim", *words])


class Parser(argparse.ArgumentParser):
    """A command line whose faults are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def whole(text: str, name: str, low: int, high: int) -> int:
    """A whole number of a variable. Raises UsageError."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high):
        raise UsageError(f"{name}={text}: a whole number from {low:,} to {high:,} is needed")
    return int(text)


def checked_entries(text: str) -> int:
    """ENTRIES. Raises UsageError."""
    value = whole(text, "ENTRIES", 1024, 65_536)
    if value & (value - 1):
        raise UsageError(f"ENTRIES={text}: a power of two from 1,024 to 65,536 is needed")
    return value


def checked_lanes(text: str) -> int:
    """LANES. Raises UsageError."""
    if text not in {"4", "8", "16"}:
        raise UsageError(f"LANES={text}: 4, 8 or 16 is needed")
    return int(text)


def checked_seed(text: str) -> int:
    """SEED. Raises UsageError."""
    return whole(text, "SEED", 1, MAX_SEED)


def checked_backend(text: str) -> str:
    """BACKEND. Raises UsageError."""
    if text not in BACKENDS:
        raise UsageError(f"BACKEND={text}: rtl or model is needed")
    return text


def parse(argv: list[str]) -> Options:
    """The options of a command line. Raises UsageError for what cannot be run."""
    parser = Parser(prog="python -m tb.replay", description=__doc__, allow_abbrev=False)
    parser.add_argument("--trace", help="a Mooncake-format trace (default: a seeded generator)")
    parser.add_argument("--requests", help="replay the first N requests only")
    parser.add_argument("--seed", default="1", help="seed of the run (default 1)")
    parser.add_argument("--entries", default="65536", help="ENTRIES (default 65,536)")
    parser.add_argument("--lanes", default="16", help="LANES (default 16)")
    parser.add_argument("--ports", default="3", help="PORTS (default 3)")
    parser.add_argument(
        "--backend", default="rtl", help="rtl (default) or model: the device model, without a simulator"
    )
    parser.add_argument(
        "--report", default=str(REPORT), help="folder of sim.json and sim.html (default sim_build/report)"
    )
    parser.add_argument("--verilator", help="a Verilator to use instead of the environment's own")
    parser.add_argument("--cxx", help="a C++ compiler to use instead of c++, g++ or clang++")
    given = parser.parse_args(argv)
    if given.trace == "":
        raise UsageError("TRACE=: a file is needed")
    return Options(
        trace=Path(given.trace) if given.trace else None,
        requests=None if given.requests is None else whole(given.requests, "REQUESTS", 1, MAX_REQUESTS),
        seed=checked_seed(given.seed),
        entries=checked_entries(given.entries),
        lanes=checked_lanes(given.lanes),
        ports=whole(given.ports, "PORTS", 1, 8),
        backend=checked_backend(given.backend),
        report=Path(given.report),
        verilator=given.verilator,
        cxx=given.cxx,
    )
