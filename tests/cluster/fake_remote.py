"""Stands for tb/run/cluster/remote.py in the fake sources that test workers get: a test's name says what it does.

Runs in these sources alone, so it uses the standard library only.
"""

import json
import os
import pickle
import signal
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

SECONDS = 0.3
HANG_S = 60


class Loader(pickle.Unpickler):
    """Reads a request without the project's classes."""

    def find_class(self, module: str, name: str) -> Any:
        """A class with nothing but the fields."""
        return type(name, (), {}) if module.startswith("tb.") else super().find_class(module, name)


def verdict(test: str, seed: int) -> dict[str, Any]:
    """What the fake test finds."""
    text = f"entry {seed}: expected 1, seen {seed} in {Path.cwd()}/x.sv" if test == "fails" else ""
    return {
        "passed": not text,
        "reasons": [f"{test}: {text}"] if text else [],
        "transactions": 10 * seed,
        "comparisons": 7,
        "failure_cycle": 100 + seed if text else None,
        "failure_ps": None,
        "failure_text": text,
        "killed": "",
    }


def main(asked: Path, reply: Path) -> None:
    """One fake job."""

    def follow() -> None:
        sys.stdin.buffer.read()
        os._exit(130)

    threading.Thread(target=follow, daemon=True).start()
    with asked.open("rb") as file:
        job = Loader(file).load().job
    pids = Path("pids")
    pids.mkdir(exist_ok=True)
    (pids / str(os.getpid())).touch()
    if job.test == "kills":
        time.sleep(SECONDS)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(HANG_S)
    time.sleep(HANG_S if job.test == "hangs" else SECONDS)
    answer: dict[str, Any] = {"root": str(Path.cwd()), "waves": None, "seconds": SECONDS}
    part = reply.with_suffix(".part")
    with zipfile.ZipFile(part, "w") as files:
        files.writestr("reply.json", json.dumps({**answer, "verdict": verdict(job.test, job.seed)}))
        files.writestr("run/sim.log", f"{job.test} {job.seed} in {Path.cwd()}\n")
        files.writestr("run/../../../escaped", "")
    part.rename(reply)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
