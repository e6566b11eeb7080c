"""What `make vllm-check` demands of the two runs; vLLM itself is not needed."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest

from tb.engines import check
from tb.run import setup_env
from tb.run.errors import UsageError
from tb.run.paths import ROOT

PARTS = ("round 1", "round 2", "preemption", "abort", "after abort")


def run(adapter: bool) -> dict[str, Any]:
    part = {"tokens": [[1, 2], [3, 4]], "preemptions": 2 * adapter, "state": {"copied": 0} if adapter else {},
            "stored": 3 * adapter, "loaded": 4 * adapter}  # fmt: skip
    parts = {name: copy.deepcopy(part) for name in PARTS}
    return {"parts": parts, "left": {"slots": [0, 0, 0, 0]} if adapter else {}}


def failing(adapter: dict[str, Any]) -> list[str]:
    return [one.name for one in check.checks(run(False), adapter) if not one.holds]


def test_everything_holds() -> None:
    assert not failing(run(True))
    names = [one.name for one in check.checks(run(False), run(True))]
    assert [name for name in names if name.endswith("same tokens")] == [f"{name}: same tokens" for name in PARTS]


@pytest.mark.parametrize("part", PARTS)
def test_one_other_token_is_seen(part: str) -> None:
    adapter = run(True)
    adapter["parts"][part]["tokens"][1] = [3, 5]
    found = {one.name: one for one in check.checks(run(False), adapter)}
    assert not found[f"{part}: same tokens"].holds
    assert found[f"{part}: same tokens"].value == "1 of 2 answers are the same"
    assert failing(adapter) == [f"{part}: same tokens"]


def test_a_missing_answer_is_no_pass() -> None:
    adapter = run(True)
    adapter["parts"]["abort"]["tokens"].pop()
    assert failing(adapter) == ["abort: same tokens"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("stored", "blocks stored through the device"),
        ("loaded", "blocks loaded through the device"),
        ("preemptions", "requests were preempted"),
    ],
)
def test_a_run_that_does_not_use_the_device_is_no_pass(key: str, message: str) -> None:
    adapter = run(True)
    for part in adapter["parts"].values():
        part[key] = 0
    assert failing(adapter) == [message]


def test_what_an_abort_leaves_is_seen() -> None:
    adapter = run(True)
    adapter["parts"]["abort"]["state"]["copied"] = 1
    adapter["left"]["slots"][2] = 5
    assert failing(adapter) == [
        "no chunk is still copied after a part, aborted requests included",
        "the directory is empty after shutdown",
    ]


def test_the_report_has_no_tokens() -> None:
    found = check._without_tokens(run(True))
    assert "tokens" not in found["parts"]["abort"]
    assert found["parts"]["abort"]["answers"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--seed=x"], "error: SEED=x: a whole"), (["--go"], "error: unrec")]
)
def test_wrong_use(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tb.engines.check", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1


def test_without_a_network_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise setup_env.SetupError("PyPI cannot be reached: connect to the network")

    monkeypatch.setattr(setup_env, "set_up", unreachable)
    with pytest.raises(UsageError, match="PyPI cannot be reached"):
        check._check([])
