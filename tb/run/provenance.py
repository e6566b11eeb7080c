"""Where a result comes from: every report says when, of which sources, with which seed and settings it was made."""

import subprocess
import time
from collections.abc import Mapping
from typing import Any

from tb.run.paths import ROOT
from tb.run.process import clean_env


def _git(*arguments: str) -> str | None:
    """What git says of the project; None without git, or outside of a repository."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, env=clean_env(), capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def provenance(seed: int | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that every report has.

    `time` is UTC, `commit` the checked-out one ("" when unknown), `clean` whether the tree is exactly that commit (None
    when unknown), `seed` that of the run (None: several, or none), `settings` what the user chose.
    """
    commit, changes = _git("rev-parse", "--short=12", "HEAD"), _git("status", "--porcelain")
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit or "",
        "clean": None if not commit or changes is None else not changes,
        "seed": seed,
        "settings": dict(settings),
    }


def shown_commit(record: Mapping[str, Any]) -> str:
    """The sources of a report in words: "commit 0123abcd, modified"."""
    if not record["commit"]:
        return "commit unknown"
    return f"commit {record['commit']}{', modified' if record['clean'] is False else ''}"
