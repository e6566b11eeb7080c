"""The load of a contended measurement: a process for each core, busy for a share of every period.

It copies memory while it is busy, so that it contends for caches and bandwidth as well as for the core. Runs in the
engine's environment: NumPy and the standard library only.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field

import numpy as np

PERIOD_S = 0.02
BUFFER_BYTES = 32 << 20  # beyond a core's own caches
CHUNK_BYTES = 1 << 19  # about 50 us of copying: how exact the share is


@dataclass
class Load:
    """Processes that load cores; `end` tells what they really had."""

    share: float
    cpus: list[int]
    _begin: float = 0.0
    _children: list[int] = field(default_factory=list)

    def begin(self) -> None:
        """Start one process for each core, unless the share is 0."""
        self._begin = time.monotonic()
        for cpu in self.cpus if self.share > 0 else ():
            child = os.fork()
            if child == 0:
                _burn(self.share, cpu)
            self._children.append(child)

    def end(self) -> float:
        """End them; the mean share of a core that each of them had (0 to 1)."""
        elapsed, had = time.monotonic() - self._begin, 0.0
        count = len(self._children)
        for child in self._children:
            os.kill(child, signal.SIGKILL)
            _, _, usage = os.wait4(child, 0)
            had += usage.ru_utime + usage.ru_stime
        self._children.clear()
        return had / elapsed / count if count else 0.0


def _burn(share: float, cpu: int) -> None:
    """Use `share` of a core's time until the process is killed."""
    try:
        os.sched_setaffinity(0, {cpu})
        source, target = np.ones(BUFFER_BYTES, np.uint8), np.zeros(BUFFER_BYTES, np.uint8)
        place, due = 0, time.monotonic()
        while True:
            begin = time.thread_time()
            while time.thread_time() - begin < share * PERIOD_S:
                target[place : place + CHUNK_BYTES] = source[place : place + CHUNK_BYTES]
                place = (place + CHUNK_BYTES) % BUFFER_BYTES
            due = max(due + PERIOD_S, time.monotonic())  # what another process took is not made up for
            time.sleep(max(0.0, due - time.monotonic()))
    finally:
        os._exit(1)
