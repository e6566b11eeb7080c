"""What else the machine does: rows of wall time mean nothing while others take its processors."""

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")
SAMPLE_S = 1.0
LIMIT_CORES = 0.25  # that others may take
_IDLE = (3, 4)  # fields of a line of /proc/stat: idle, waiting for a disk


def _busy_s() -> float:
    """Seconds of processor time that the whole machine has spent, over all its cores."""
    ticks = [int(word) for word in STAT.read_text().split("\n", 1)[0].split()[1:9]]
    return sum(count for number, count in enumerate(ticks) if number not in _IDLE) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    """Of it those of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Others:
    """Processor time that others take from now on; children must have ended when it is asked for."""

    def __init__(self) -> None:
        self._begun, self._busy, self._own = time.monotonic(), _busy_s(), _own_s()

    def cores(self) -> float:
        """Cores that others have kept busy since, on average."""
        seconds = time.monotonic() - self._begun
        return max(0.0, (_busy_s() - self._busy) - (_own_s() - self._own)) / max(seconds, 1e-9)


def refusal(cores: float) -> str:
    """Why wall time cannot be measured while others keep `cores` busy; empty when it can."""
    if cores <= LIMIT_CORES:
        return ""
    return f"the machine is loaded: other processes keep {cores:.1f} of {os.cpu_count()} cores busy"


def now() -> float:
    """Cores that others keep busy now; takes a second."""
    others = Others()
    time.sleep(SAMPLE_S)
    return others.cores()
