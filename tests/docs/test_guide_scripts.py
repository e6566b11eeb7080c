"""A4: the `python -m` scripts of the guides that need no network and no hours, run for real, line by line.

Run: keys, packages and their verification (model-packages.md), the shipped model with a key of one's own
(micro-llm.md), metrics of a served node (metrics.md). What a guide shows under a command is compared.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sw.node.client import Client
from sw.tools.control import Control, Session
from tb.run.paths import ROOT
from tests.node.serving import environment, serving


def script(guide: str, begin: str) -> list[tuple[str, list[str]]]:
    """The commands of the indented block that begins with `begin`, each with the lines that follow it there."""
    text = (ROOT / guide).read_text()
    block = text[text.index(f"    {begin}") :].partition("\n\n")[0]
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("    python "):
            found.append((re.split(r" {2,}", line.strip())[0], []))
        else:
            found[-1][1].append(line.strip())
    return found


def run(guide: str, begin: str, folder: Path) -> None:
    """Run such a block in a folder."""
    wanted = script(guide, begin)
    assert len(wanted) > 2
    for command, shown in wanted:
        words = shlex.split(command)
        assert words[:2] == ["python", "-m"]
        done = subprocess.run(
            [sys.executable, *words[1:]], cwd=folder, env=environment(Path("/nowhere")), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), f"{guide}: {command}"
        if shown:
            assert done.stdout.splitlines() == shown, f"{guide}: {command}"


def test_a4_model_packages(tmp_path: Path) -> None:
    model = {
        "id": 1, "revision": 1, "context": 64, "vocabulary": 260, "layers": 1, "heads": 2, "kv_heads": 1,
        "head_dim": 16, "quantisation": "q8_0", "wcet_cycles": 25000, "arena_bytes": 1024, "name": "example",
    }  # fmt: skip
    (tmp_path / "model.json").write_text(json.dumps(model))
    np.savez(tmp_path / "model.npz", matrix=np.ones((2, 32), np.float32), norm=np.ones(3, np.float32))
    run("docs/model-packages.md", "python -m sw.llm.package keys make release", tmp_path)


def test_a4_the_shipped_model_with_a_key_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "sw").symlink_to(ROOT / "sw")
    run("docs/micro-llm.md", "python -m sw.llm.package keys make my-key", tmp_path)
    assert (tmp_path / "my-micro.kvm").exists()


def test_a4_metrics(tmp_path: Path) -> None:
    with serving(tmp_path / "node") as server, Client(server.path) as client:
        session = Session(path=server.path)
        snapshot = client.call("metrics", token=Control(session).admin())["snapshot"]
        session.close()
    (tmp_path / "snapshot.json").write_text(json.dumps(snapshot))
    run("docs/metrics.md", "python -m sw.metrics check snapshot.json", tmp_path)
    assert "<html" in (tmp_path / "page.html").read_text()[:500]


def test_a_line_that_fails_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"docs/metrics\.md: python -m sw\.metrics check snapshot\.json"):
        run("docs/metrics.md", "python -m sw.metrics check snapshot.json", tmp_path)
