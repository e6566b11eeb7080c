"""What the user asks for, checked before anything is built."""

from dataclasses import dataclass
from pathlib import Path

from sw.uapi.place import default_path
from tb.run.errors import UsageError
from tb.sim.options import DeviceOptions, device_parser, device_values


@dataclass(frozen=True, kw_only=True)
class Options(DeviceOptions):
    """A served device: where, and whether time passes by itself."""

    socket: Path
    free_run: bool = False


def parse(argv: list[str]) -> Options:
    """The options of a command line. Raises UsageError for what cannot be run."""
    parser = device_parser("python -m tb.serve", __doc__, "the simulation")
    parser.add_argument("--socket", help="path of the socket (default: $KVCPU_SOCKET or the user's runtime folder)")
    parser.add_argument("--free-run", action="store_true", help="device time passes also while no command needs it")
    given = parser.parse_args(argv)
    if given.socket == "":
        raise UsageError("SOCKET=: a path is needed")
    return Options(
        **device_values(given),
        socket=Path(given.socket).absolute() if given.socket else default_path().absolute(),
        free_run=given.free_run,
    )
