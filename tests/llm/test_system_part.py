"""`python -m tb.llm`, the system part of `make sim`: figures, tables, page; one line and a status for all else."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sw.llm.backend import Sampling
from tb.llm.cli import main
from tb.llm.display import printable
from tb.llm.on_rtl import prepare
from tb.llm.options import Options
from tb.llm.outcome import Outcome, Progress, Served
from tb.llm.workload import default
from tb.run.build import Built
from tb.run.paths import ROOT

COUNT = {"type": "integer", "minimum": 0}
FIGURE = {"type": ["number", "null"], "minimum": 0}
FIGURES = {
    "type": "object",
    "required": [
        "prompts", "tokens", "token_identical", "migrations", "blocks_moved_twice", "deadline_misses",
        "llm_infer_p50_us", "llm_infer_p95_us", "llm_infer_p99_us", "llm_tokens_per_sec", "state", "seed",
        "time", "commit", "clean", "settings",
    ],
    "properties": {
        **dict.fromkeys(["prompts", "tokens", "migrations", "comparisons", "mismatches", "seed"], COUNT),
        **dict.fromkeys(["llm_infer_p50_us", "llm_infer_p95_us", "llm_infer_p99_us", "llm_tokens_per_sec"], FIGURE),
        "blocks_moved_twice": FIGURE,
        "deadline_misses": FIGURE,
        "token_identical": {"type": "boolean"},
        "state": {"enum": ["complete", "interrupted", "failed"]},
    },
}  # fmt: skip


def on_model(tmp_path: Path, *arguments: str) -> list[str]:
    return ["--backend", "model", "--entries", "1024", "--lanes", "4", "--report", str(tmp_path), *arguments]


def figures(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "llm.json").read_text())
    jsonschema.validate(found, FIGURES)
    return found


def test_default_workload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(on_model(tmp_path)) == 0
    found = figures(tmp_path)
    assert (found["state"], found["prompts"], found["token_identical"]) == ("complete", 6, True)
    assert 100 < found["tokens"] <= 156
    assert found["migrations"] > 2 * found["blocks"]
    assert 2 * found["blocks_moved_twice"] > found["blocks"]
    assert found["deadline_misses"] == found["mismatches"] == 0
    assert found["llm_infer_p50_us"] <= found["llm_infer_p95_us"] <= found["llm_infer_p99_us"]
    shown = capsys.readouterr().out
    for words in ("prompt  The directory", "output  ", "p50 us", "deadline misses", "migrations", "identical"):
        assert words in shown


def test_page_is_self_contained(tmp_path: Path) -> None:
    assert main(on_model(tmp_path, "--prompt", "x")) == 0
    page = (tmp_path / "llm.html").read_text()
    assert "<svg" in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:|index\.html["'])|url\((?!#)|@import""", page), (
        "nothing is fetched"
    )


def test_prompt_of_the_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any text; what it or its output holds does nothing to the terminal."""
    assert main(on_model(tmp_path, "--prompt", "[bold]it's $x \x1b[31m µ")) == 0
    assert figures(tmp_path)["prompts"] == 1
    assert "1 prompt  [bold]it's $x \\x1b[31m µ\n" in capsys.readouterr().out


def test_longest_prompt(tmp_path: Path) -> None:
    assert main(on_model(tmp_path, "--prompt", "x" * 495, "--ports", "1")) == 0
    assert figures(tmp_path)["tokens"] <= 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompt", ""], "PROMPT of 0 bytes: 1 to 495 are needed"),
        (["--prompt", "x" * 496], "PROMPT of 496 bytes: 1 to 495 are needed"),
        (["--prompt", "\N{MICRO SIGN}" * 248], "PROMPT of 496 bytes: 1 to 495 are needed"),
        (["--prompt", "\udc80"], "PROMPT: UTF-8 is needed"),
        (["--lanes", "3"], "LANES=3: 4, 8 or 16 is needed"),
        (["--entries", "5000"], "ENTRIES=5000: a power of two from 1,024 to 65,536 is needed"),
        (["--ports", "9"], "PORTS=9: a whole number from 1 to 8 is needed"),
        (["--seed", "0"], "SEED=0: a whole number from 1 to 2,147,483,647 is needed"),
        (["--backend", "board"], "BACKEND=board: rtl or model is needed"),
        (["--steps", "3"], "unrecognized arguments: --steps 3"),
        (["--cxx", "no-such-compiler"], "no-such-compiler"),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str) -> None:
    assert main(["--report", str(tmp_path), *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert not (tmp_path / "llm.json").exists()


def test_difference(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte that changes in a memory changes tokens: status 1, one line, a report that says so."""
    monkeypatch.setattr("model.memory.TierMemory.read", lambda _self, _tier, _address, length: b"\0\0" * (length // 2))
    assert main(on_model(tmp_path, "--prompt", "one two three")) == 1
    shown = capsys.readouterr()
    errors = shown.err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("error: tokens of the inference prompt=0: expected [")
    assert "repeat: make sim PROMPT='one two three' SEED=1 ENTRIES=1024 LANES=4 BACKEND=model\n" in shown.out
    found = figures(tmp_path)
    assert (found["state"], found["mismatches"], found["token_identical"]) == ("failed", 1, False)


def test_interrupted(tmp_path: Path) -> None:
    (tmp_path / "llm.html").write_text("of another run")
    command = [sys.executable, "-m", "tb.llm", *on_model(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "0/6 prompts  starting\n"
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "interrupted: no process is left, the report is partial\n"
    assert figures(tmp_path)["state"] == "interrupted"
    assert not (tmp_path / "llm.html").exists()


def test_workload_depends_on_the_seed() -> None:
    assert default(1) == default(1) != default(2)
    modes = {(p.sampling.temperature > 0, p.sampling.top_k > 0, p.sampling.top_p > 0) for p in default(1)}
    assert modes == {(False,) * 3, (True, False, False), (True, True, False), (True, False, True), (True,) * 3}
    assert Sampling() not in [p.sampling for p in default(1)]


def test_progress_is_read_as_it_was_written() -> None:
    served = Served(0, "done", [1, 2, 3], [1000, 2500, 5500], 0, 6000, 5500, True)
    outcome = Outcome([served], {"migrations": 3, "summary": {}}, [1, 2, 3, 4], 5, 6)
    for progress in (Progress(1, 2, 3, 4, 5, 6), Progress(outcome=outcome)):
        assert Progress.parse(progress.line()) == progress
    assert (served.first_us, served.gap_us(50), served.gap_us(100), served.missed) == (1.0, 1.5, 3.0, False)


def test_leg_gets_the_users_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = Built(tmp_path, "vcd", True, "fake")
    monkeypatch.setattr("tb.llm.on_rtl.build", lambda _spec, _say: built)
    options = Options(prompt="hi", entries=2048, lanes=8, ports=2, seed=5)
    job, found = prepare(options, lambda _text: None)
    assert (job.leg.name, job.test, job.seed, found) == ("llm", "serve_prompts", 5, built)
    assert job.leg.settings == {"prompt": "hi"}
    sizes = {name: job.leg.spec.parameters[name] for name in ("ENTRIES", "LANES", "PORTS")}
    assert sizes == {"ENTRIES": 2048, "LANES": 8, "PORTS": 2}


def test_printable() -> None:
    assert printable(b"a\nb\xff\x1b[2J\xc2\xa0") == "a\\nb\N{REPLACEMENT CHARACTER}\\x1b[2J\\xa0"
