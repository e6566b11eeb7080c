"""Evidence for the sign-off: what each piece found, kept with the digest of the sources that it depends on.

A piece is kept in parts (a run of a test, a proof, a defect, ...). Parts from runs on the same sources add up, whether
they were run together or one by one; a run on other sources replaces what was there.
"""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tb.run import artefacts
from tb.run.paths import ROOT, SIM_BUILD, shown
from tb.run.sources import digest, digest_text

EVIDENCE = SIM_BUILD / "evidence"
FORMAT = "1"  # part of every digest: change it when the meaning of what is kept changes
_TOOLS = ("requirements/dev.txt",)
_LEGS = ("rtl", "model", "sw", "tb", "fpga", *_TOOLS)
_NO_LEG = (
    *("sw/linux", "tb/linux", "tb/lab", "tb/formal", "tb/defects", "tb/mutation", "tb/signoff"),
    *("tb/plan.py", "tb/where.py", "tb/make.py", "fpga/flow"),
)


@dataclass(frozen=True)
class Inputs:
    """What a piece depends on: files and folders of the project, without those in `but`."""

    paths: tuple[str, ...]
    but: tuple[str, ...] = ()

    def files(self, root: Path = ROOT) -> Iterator[Path]:
        """The files, in an order that is always the same."""
        for name in self.paths:
            path = root / name
            found = [path] if path.is_file() else sorted(path.rglob("*"))
            for file in found:
                inside = file.relative_to(root)
                left_out = any(inside.is_relative_to(other) for other in self.but) or "__pycache__" in inside.parts
                if file.is_file() and not left_out:
                    yield file


INPUTS: dict[str, Inputs] = {
    "lint": Inputs(("rtl", "model", "sw", "tb", "fpga", "pyproject.toml", *_TOOLS)),
    "runs": Inputs(_LEGS, _NO_LEG),
    "coverage": Inputs(_LEGS, _NO_LEG),
    "formal": Inputs(("rtl", "tb/formal", "requirements/formal.txt")),
    "defects": Inputs((*_LEGS, "tb/defects"), tuple(name for name in _NO_LEG if name != "tb/defects")),
    "mutation": Inputs((*_LEGS, "tb/mutation"), tuple(name for name in _NO_LEG if name != "tb/mutation")),
    "soak": Inputs(_LEGS, _NO_LEG),
    "software": Inputs(("model", "sw", "tests", *_TOOLS)),
}
"""By piece; `runs` are the tests of the legs, whoever ran them."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a piece: its parts by name; `reason` says why there are none."""

    parts: Mapping[str, Any] = field(default_factory=dict)
    time: str = ""
    reason: str = ""


def stamp(piece: str, root: Path = ROOT) -> str:
    """Digest of what a piece depends on, as it is now."""
    files = (f"{file.relative_to(root)}={digest(file)}" for file in INPUTS[piece].files(root))
    return digest_text(FORMAT, *files)


@contextmanager
def _alone(piece: str) -> Iterator[Path]:
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    with (EVIDENCE / f"{piece}.lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        yield EVIDENCE / f"{piece}.json"


def keep(piece: str, taken: str, parts: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Add `parts`, found on the sources whose stamp was `taken` before the run. Raises OSError.

    Nothing is kept of a run during which the sources changed: it is not known what it saw.
    """
    if stamp(piece) != taken:
        say(f"sign-off: the sources changed during this run, so that it is no evidence for `{piece}`")
        return
    with _alone(piece) as path:
        try:
            before = artefacts.read_record(path)
        except (FileNotFoundError, artefacts.Damaged):
            before = {}
        old = before["parts"] if before.get("stamp") == taken else {}
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        artefacts.write_record(path, {"stamp": taken, "time": now, "parts": {**old, **parts}})


def read(piece: str) -> Evidence:
    """What is known of a piece for the sources as they are now: what was found on others does not count."""
    path = EVIDENCE / f"{piece}.json"
    try:
        record = artefacts.read_record(path)
    except FileNotFoundError:
        return Evidence(reason="never run here")
    except artefacts.Damaged:
        return Evidence(reason=f"{shown(path)} is damaged")
    if record["stamp"] != stamp(piece):
        return Evidence(time=record["time"], reason=f"the sources have changed since its last run ({record['time']})")
    return Evidence(record["parts"], record["time"])
