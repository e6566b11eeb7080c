"""Where things are: every path of the infrastructure is derived here."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
SIM_BUILD = ROOT / "sim_build"
CACHE = SIM_BUILD / "cache"
RUNS = SIM_BUILD / "run"
REPORT = SIM_BUILD / "report"
HISTORY = SIM_BUILD / "history"
RESULTS = SIM_BUILD / "results"
PACKAGE = SIM_BUILD / "package"
MANIFEST = ROOT / "tb" / "manifest.toml"
SIM_MAIN = ROOT / "tb" / "run" / "cpp" / "sim_main.cpp"


def shown(path: Path) -> str:
    """`path` as the user types it: relative to the project root when it lies inside."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
