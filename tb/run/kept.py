"""Steps that are done once for the same inputs: results kept by the content of everything that goes in."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb.run import artefacts
from tb.run.commands import say

FACTS = "facts.json"
KEPT = 12  # results of one step


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool run gave: facts as JSON, and files in `folder`."""

    facts: dict[str, Any]
    folder: Path
    cached: bool
    seconds: float


def kept(home: Path, key: str, produce: Callable[[Path], dict[str, Any]]) -> Result:
    """The result of `produce`, which fills a folder and returns facts, or the one that `home` has under the same key.

    What `produce` raises is passed on and nothing is kept.
    """
    final = home / key
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{key}.lock").open("w") as mutex:  # a second process waits for the first one's result
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if record := _sound(final):
            final.touch()
            return Result(record["facts"], final, True, record["seconds"])
        artefacts.sweep(home)
        start = time.monotonic()
        with artefacts.workspace(home) as work:
            facts = produce(work)
            seconds = round(time.monotonic() - start, 1)
            (work / FACTS).write_text(json.dumps({"facts": facts, "seconds": seconds}, indent=1))
            artefacts.seal(work)
            work.rename(final)
    _forget_old(home)
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
