"""A host of files, and an engine that is a script."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

needs_lab = pytest.mark.skipif(
    find_spec("gguf") is None or find_spec("scipy") is None,
    reason="SciPy and gguf are installed on request: make setup-lab",
)
GOVERNORS = [f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_governor" for number in (0, 1)]
BEFORE = {
    **dict.fromkeys(GOVERNORS, "powersave"),
    "sys/devices/system/cpu/intel_pstate/no_turbo": "0",
    "proc/sys/vm/swappiness": "60",
}
MEMINFO = "MemTotal: 9000000 kB\nMemAvailable: 1048576 kB\n"


def values(root: Path) -> dict[str, str]:
    """What the files of a host say now."""
    return {name: (root / name).read_text().strip() for name in BEFORE}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The root of a host that lets everything be set; it has no cpufreq/boost."""
    root = tmp_path / "host"
    for name, value in {**BEFORE, "proc/meminfo": MEMINFO}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{value}\n")
    return root


def engine(folder: Path, body: str) -> Path:
    """A program that is called as the engine's worker is: `job` and `result` are its files."""
    path = folder / "engine"
    path.write_text(
        f"#!{sys.executable}\nimport json, sys, time\nfrom pathlib import Path\n"
        f"job, result = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])\n{body}\n"
    )
    path.chmod(0o755)
    return path


MEASURES = """
def one(number):
    times = [1_000_000 + 1_000 * ((7 * place + number) % job["tokens"]) for place in range(job["tokens"])]
    return {"total_ns": times, "sample_ns": [10_000] * len(times), "start_s": 0.1, "first_token_ns": 5_000_000,
            "rss": [(0.0, 1000), (0.5, 9000)], "peak_kib": 9000 + number, "mlockall": "set"}
answer = {"engine": "script 1.0", "built_for": "tests", "load_share": job["load"] / 100, "error": None,
          "repetitions": [one(number) for number in range(job["repetitions"])]}
result.write_text(json.dumps(answer))
"""
"""Body of an engine that answers at once, with times that anyone can compute."""
