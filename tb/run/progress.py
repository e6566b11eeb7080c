"""What a long compilation reports while it goes on: files done, and how long the rest will take."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

EVERY_S = 15.0
POLL_S = 0.5
UNKNOWN_BYTES = 100_000  # of a C++ file outside of the folder: Verilator's runtime


def sizes(folder: Path, names: list[str]) -> dict[str, int]:
    """Bytes of the C++ file of each object."""
    files = {name: folder / f"{name}.cpp" for name in names}
    return {name: path.stat().st_size if path.exists() else UNKNOWN_BYTES for name, path in files.items()}


def line(done: int, total: int, share: float, seconds: float) -> str:
    """One line: `share` (0 to 1) of the work took `seconds`."""
    text = f"build: {done} of {total} C++ files compiled"
    if share <= 0:
        return text
    left = seconds / share - seconds
    return f"{text}, about {left / 60:.0f} min left" if left >= 90 else f"{text}, about {left:.0f} s left"


@contextmanager
def compiling(folder: Path, weights: Mapping[str, int], say: Callable[[str], None]) -> Iterator[None]:
    """Report every EVERY_S how many of the objects named in `weights` (by the bytes of their sources) are there."""
    over = threading.Event()
    begun = time.monotonic()

    def follow() -> None:
        told = begun
        while not over.wait(POLL_S):
            now = time.monotonic()
            if now - told < EVERY_S:
                continue
            told = now
            done = [name for name in weights if (folder / f"{name}.o").exists()]
            share = sum(weights[name] for name in done) / max(1, sum(weights.values()))
            say(line(len(done), len(weights), share, now - begun))

    thread = threading.Thread(target=follow, name="build progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
