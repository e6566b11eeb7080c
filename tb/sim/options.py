"""Options that every run of the device has, checked before anything is built."""

import argparse
import shlex
from dataclasses import dataclass, fields
from typing import Any

from tb.run.command import Parser, checked_seed, whole
from tb.run.errors import UsageError

BACKENDS = ("rtl", "model")
LANES = ("4", "8", "16")


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """The device of a run: its sizes, its seed, whether the RTL or the model answers, with which tools it is built.

    With `events` the RTL's run leaves its event log.
    """

    seed: int = 1
    entries: int = 65_536
    lanes: int = 16
    ports: int = 3
    backend: str = "rtl"
    verilator: str | None = None
    cxx: str | None = None
    events: bool = False

    @property
    def device(self) -> str:
        """The device in words."""
        return f"{self.backend}, {self.entries:,} entries, {self.lanes} lanes, {self.ports} ports"

    @property
    def sizes(self) -> dict[str, Any]:
        """Backend and sizes as reports hold them."""
        return {"backend": self.backend, "entries": self.entries, "lanes": self.lanes, "ports": self.ports}

    def make_sim(self, **own: object) -> str:
        """The command that repeats a run exactly; `own` are the variables of this kind of run, None for not given."""
        plain = {field.name: field.default for field in fields(DeviceOptions)}
        device = {
            name.upper(): getattr(self, name)
            for name in plain
            if name not in ("seed", "events") and getattr(self, name) != plain[name]
        }
        given = {**own, "SEED": self.seed, **device}
        words = [f"{name}={shlex.quote(str(value))}" for name, value in given.items() if value is not None]
        return " ".join(["make sim", *words])


def device_parser(prog: str, description: str | None, seed: str) -> Parser:
    """A command line with the options of the device; `seed` says what the seed decides."""
    parser = Parser(prog, description)
    parser.add_argument("--seed", default="1", help=f"seed of {seed} (default 1)")
    parser.add_argument("--entries", default="65536", help="ENTRIES (default 65,536)")
    parser.add_argument("--lanes", default="16", help="LANES (default 16)")
    parser.add_argument("--ports", default="3", help="PORTS (default 3)")
    parser.add_argument(
        "--backend", default="rtl", help="rtl (default) or model: the device model, without a simulator"
    )
    parser.add_argument("--events", action="store_true", help="leave the event log next to sim.log (not with model)")
    parser.add_argument("--verilator", help="a Verilator to use instead of the environment's own")
    parser.add_argument("--cxx", help="a C++ compiler to use instead of c++, g++ or clang++")
    return parser


def device_values(given: argparse.Namespace) -> dict[str, Any]:
    """The checked values of `device_parser`'s options, by the names of DeviceOptions. Raises UsageError."""
    entries = whole(given.entries, "ENTRIES", 1024, 65_536)
    if entries & (entries - 1):
        raise UsageError(f"ENTRIES={given.entries}: a power of two from 1,024 to 65,536 is needed")
    if given.lanes not in LANES:
        raise UsageError(f"LANES={given.lanes}: 4, 8 or 16 is needed")
    if given.backend not in BACKENDS:
        raise UsageError(f"BACKEND={given.backend}: rtl or model is needed")
    if given.events and given.backend == "model":
        raise UsageError("EVENTS has no effect with BACKEND=model: the monitors watch the RTL")
    return {
        "seed": checked_seed(given.seed),
        "entries": entries,
        "lanes": int(given.lanes),
        "ports": whole(given.ports, "PORTS", 1, 8),
        "backend": given.backend,
        "events": given.events,
        "verilator": given.verilator,
        "cxx": given.cxx,
    }
