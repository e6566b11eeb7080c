"""Past runs, kept as JSON lines in sim_build/history: one file for each kind of run, one line for each run."""

import fcntl
import json
from collections.abc import Callable, Mapping
from typing import Any

from tb.run.artefacts import write_whole
from tb.run.paths import HISTORY, shown

Record = dict[str, Any]


def add_run(kind: str, entry: Mapping[str, Any]) -> None:
    """Add a run to the history of its kind: the line is there whole, or the history is as it was. Raises OSError."""
    HISTORY.mkdir(parents=True, exist_ok=True)
    path = HISTORY / f"{kind}.jsonl"
    with path.with_suffix(".lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        before = path.read_bytes() if path.exists() else b""
        cut = b"" if not before or before.endswith(b"\n") else b"\n"
        write_whole(path, before + cut + json.dumps(entry).encode() + b"\n")


def past_runs(kind: str, keys: Mapping[str, type | tuple[type, ...]], say: Callable[[str], None]) -> list[Record]:
    """The runs of a kind, the oldest first, each with the `keys` (their types are checked) of its line.

    A line that is damaged is left out, with one warning for all of them.
    """
    path = HISTORY / f"{kind}.jsonl"
    found, damaged = [], []
    for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else [], 1):
        entry = _entry(line, keys)
        if entry is None:
            damaged.append(str(number))
        else:
            found.append(entry)
    if damaged:
        lines = f"line {damaged[0]} is" if len(damaged) == 1 else f"{len(damaged)} lines ({', '.join(damaged[:5])}) are"
        say(f"history: {shown(path)}: {lines} damaged and left out of the trends")
    return found


def _entry(line: bytes, keys: Mapping[str, type | tuple[type, ...]]) -> Record | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), kind) for key, kind in keys.items()):
        return None
    return {key: entry[key] for key in keys}
