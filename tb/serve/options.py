"""What the user asks for, checked before anything is built."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from sw.uapi.place import default_path
from tb.replay.options import Parser, checked_backend, checked_entries, checked_lanes, checked_seed, whole
from tb.run.errors import UsageError


@dataclass(frozen=True)
class Options:
    """A served device: where, sizes, who answers, whether time passes by itself."""

    socket: Path
    entries: int = 65_536
    lanes: int = 16
    ports: int = 3
    seed: int = 1
    backend: str = "rtl"
    free_run: bool = False
    verilator: str | None = None
    cxx: str | None = None


def parse(argv: list[str]) -> Options:
    """The options of a command line. Raises UsageError for what cannot be run."""
    parser = Parser(prog="python -m tb.serve", description=__doc__, allow_abbrev=False)
    parser.add_argument("--socket", help="path of the socket (default: $KVCPU_SOCKET or the user's runtime folder)")
    parser.add_argument("--entries", default="65536", help="ENTRIES (default 65,536)")
    parser.add_argument("--lanes", default="16", help="LANES (default 16)")
    parser.add_argument("--ports", default="3", help="PORTS (default 3)")
    parser.add_argument("--seed", default="1", help="seed of the simulation (default 1)")
    parser.add_argument("--backend", default="rtl", help="rtl (default) or model: the device model")
    parser.add_argument("--free-run", action="store_true", help="device time passes also while no command needs it")
    parser.add_argument("--verilator", help="a Verilator to use instead of the environment's own")
    parser.add_argument("--cxx", help="a C++ compiler to use instead of c++, g++ or clang++")
    given: argparse.Namespace = parser.parse_args(argv)
    if given.socket == "":
        raise UsageError("SOCKET=: a path is needed")
    return Options(
        socket=Path(given.socket).absolute() if given.socket else default_path().absolute(),
        entries=checked_entries(given.entries),
        lanes=checked_lanes(given.lanes),
        ports=whole(given.ports, "PORTS", 1, 8),
        seed=checked_seed(given.seed),
        backend=checked_backend(given.backend),
        free_run=given.free_run,
        verilator=given.verilator,
        cxx=given.cxx,
    )
