"""The kernel's own SCHED_DEADLINE compared with the hard server; skipped where Linux refuses it.

The one test of the scheduler that measures wall time: a hog gets the same share in both.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from sw.kernel.admission import ServerParams
from tests.kernel.sim import simulate, work

MS = 1_000_000
SPAN_MS = 2_000
HOG = f"""
import time
start, cpu = time.monotonic(), time.process_time()
while time.monotonic() - start < {SPAN_MS / 1000}:
    pass
print((time.process_time() - cpu) / (time.monotonic() - start))
"""


def share_on_linux(budget_ms: int, period_ms: int) -> float:
    """The share of one processor that a hog gets, or a skipped test."""
    if shutil.which("chrt") is None:
        pytest.skip("no chrt")
    period = str(period_ms * MS)
    limits = ["--sched-runtime", str(budget_ms * MS), "--sched-deadline", period, "--sched-period", period]
    hog = subprocess.run(
        ["chrt", "--deadline", *limits, "0", sys.executable, "-S", "-c", HOG],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if hog.returncode:
        pytest.skip(f"Linux refuses SCHED_DEADLINE: {hog.stderr.strip()}")
    return float(hog.stdout)


@pytest.mark.parametrize("budget", [10, 20])
def test_a_hog_gets_its_share_here_and_in_linux(budget: int) -> None:
    run = simulate({0: ServerParams(budget, 100)}, [work(0, 0, SPAN_MS)], SPAN_MS)
    here = run.served(0) / SPAN_MS
    assert here == budget / 100
    assert share_on_linux(budget, 100) == pytest.approx(here, abs=0.03)
