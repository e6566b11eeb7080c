"""The machine of a measurement: what may be set is set, what may not is named, and all of it is as before at the end.

Settings are files of /proc and /sys. Before the first is written, the values of all of them go into a record; a run
that was killed leaves the record, and the next one restores from it first.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tb.run.artefacts import write_whole
from tb.run.errors import CheckError
from tb.run.paths import shown

SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
WANTED = (
    ("governor", "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor", "performance"),
    ("turbo off (intel_pstate)", "sys/devices/system/cpu/intel_pstate/no_turbo", "1"),
    ("turbo off (cpufreq)", "sys/devices/system/cpu/cpufreq/boost", "0"),
    ("swappiness", "proc/sys/vm/swappiness", "0"),
)
"""(name, files below the root of the host, value)."""


@dataclass(frozen=True)
class Setting:
    """One file of the host.

    Attributes:
        name: what it decides.
        path: below the root of the host; the pattern where there is no such file.
        wanted: value for the measurement.
        before: value that was there; None where there is no such file.
        state: `set`, `as wanted`, or why it was left alone.
    """

    name: str
    path: str
    wanted: str
    before: str | None
    state: str


def available_bytes(root: Path) -> int:
    """Memory that a new program can have (MemAvailable), in bytes; 0 where the host does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def prepared(root: Path, record: Path) -> Iterator[list[Setting]]:
    """The host as the measurement wants it, within the block.

    Args:
        root: of the host's file systems; `/` but for tests.
        record: file for the values of before, as long as they are to be restored.

    Raises:
        CheckError: a value of before could not be restored; the record stays.
    """
    restore(record)
    found = [(name, path, wanted, _read(path)) for name, path, wanted in _files(root)]
    settings = [Setting(name, pattern, wanted, None, "not there") for name, pattern, wanted in _missing(root)]
    # Before the first write, so that whatever ends this process leaves what is needed to restore.
    before = {str(path): value for _, path, wanted, value in found if value is not None and value != wanted}
    record.parent.mkdir(parents=True, exist_ok=True)
    write_whole(record, json.dumps(before))
    try:
        for name, path, wanted, value in found:
            state = "as wanted" if value == wanted else _write(path, wanted)
            settings.append(Setting(name, str(path.relative_to(root)), wanted, value, state))
        yield settings
    finally:
        with _no_interrupt():
            restore(record)


def described(settings: list[Setting]) -> list[dict[str, str | None]]:
    """Settings for a report."""
    return [asdict(setting) for setting in settings]


def restore(record: Path) -> None:
    """Write the values of a record back and remove it. Raises CheckError when one cannot be written."""
    try:
        before: dict[str, str] = json.loads(record.read_text())
    except FileNotFoundError:
        return
    left = []
    for name, value in before.items():
        path = Path(name)
        if _read(path) not in {value, None} and _write(path, value) != "set":
            left.append(f"{name} (was {value})")
    if left:
        raise CheckError(f"the host is not as it was: {', '.join(left)}; set it by hand, then remove {shown(record)}")
    record.unlink()


def _files(root: Path) -> list[tuple[str, Path, str]]:
    return [(name, path, wanted) for name, pattern, wanted in WANTED for path in sorted(root.glob(pattern))]


def _missing(root: Path) -> list[tuple[str, str, str]]:
    return [(name, pattern, wanted) for name, pattern, wanted in WANTED if not any(root.glob(pattern))]


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _write(path: Path, value: str) -> str:
    """`set`, or why it could not be set."""
    try:
        path.write_text(f"{value}\n")
    except OSError as error:
        return f"refused: {(os.strerror(error.errno) if error.errno else str(error)).lower()}"
    return "set" if _read(path) == value else "refused: the value of before came back"


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """A signal within the block takes effect at its end, whichever thread of the process receives it."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda seen, _frame: came.append(seen)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if came:
            signal.raise_signal(came[0])
