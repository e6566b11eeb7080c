"""The catalogue of proofs is well-formed, names what exists, and has a defect on which each property fails."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tb.formal import catalogue
from tb.formal.catalogue import chosen, load, never_seen_to_fail
from tb.formal.netlist import Labels, check_labels, script, sources
from tb.run.errors import CheckError, UsageError
from tb.run.paths import ROOT

PROOF = """
[[proof]]
name = "one"
group = "queues"
stage = "V1"
top = "kvcpu_fifo"
files = ["rtl/prim/kvcpu_fifo.sv"]
engine = "induction"
depth = 1
cover_depth = 4
properties = { p_level = "levels" }
assumptions = { a_quiet = "quiet" }
"""
PLANTED = """
[[proof.planted]]
file = "rtl/prim/kvcpu_fifo.sv"
old = "assign full_o  = full_q;"
new = "assign full_o  = 1'b0;"
detects = ["p_level"]
depth = 3
"""


def read(folder: Path, text: str) -> list[catalogue.Proof]:
    path = folder / "proofs.toml"
    path.write_text(text)
    return load(path)


def test_a_proof_and_its_defect(tmp_path: Path) -> None:
    (proof,) = read(tmp_path, PROOF + PLANTED)
    assert (proof.name, proof.parameters, proof.timeout_s) == ("one", {}, 600)
    assert "assign full_o  = 1'b0;" in proof.planted[0].text()
    assert never_seen_to_fail([proof]) == []
    assert never_seen_to_fail([replace(proof, planted=())]) == ["kvcpu_fifo.p_level"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('stage = "V1"', 'stage = "V9"', "proof one: stage V9 is none of V1, V2"),
        ('engine = "induction"', 'engine = "luck"', "proof one: engine luck is none of induction, pdr, bmc"),
        ("depth = 1\n", "", "proof one: depth is missing"),
        ("depth = 1\n", "depth = 1\ndeep = 2\n", "proof one: deep is unknown"),
        ('p_level = "levels"', "", "proof one has no property"),
        ("p_level =", "level =", "begins with p_, not so level"),
        ('detects = ["p_level"]', 'detects = ["p_order"]', "names p_order, which is no property"),
        ("[[proof]]", "[[proof]", "proofs.toml: "),
    ],
)
def test_a_malformed_catalogue_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(CheckError, match=re.escape(message)) as raised:
        read(tmp_path, (PROOF + PLANTED).replace(old, new, 1))
    assert "\n" not in str(raised.value)


def test_two_proofs_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="two proofs are called one"):
        read(tmp_path, PROOF + PROOF)


def test_a_defect_that_is_not_there_once(tmp_path: Path) -> None:
    (proof,) = read(tmp_path, PROOF + PLANTED.replace("assign full_o  = full_q;", "no such text"))
    with pytest.raises(CheckError, match=r"kvcpu_fifo\.sv holds `no such text` 0 times, not once"):
        proof.planted[0].text()


def test_only_takes_names_groups_and_stages(tmp_path: Path) -> None:
    two = PROOF.replace('"one"', '"two"').replace('"queues"', '"axi"').replace('"V1"', '"V2"')
    proofs = read(tmp_path, PROOF + two)
    for only, names in (([], ["one", "two"]), (["two"], ["two"]), (["V1"], ["one"]), (["axi", "one"], ["one", "two"])):
        assert [proof.name for proof in chosen(proofs, only)] == names
    with pytest.raises(UsageError, match="ONLY=three: no proof, group or stage is called that"):
        chosen(proofs, ["one", "three"])


def test_a_netlist_states_what_the_catalogue_names(tmp_path: Path) -> None:
    (proof,) = read(tmp_path, PROOF)
    right = Labels(("u_fv.p_level", "u_fv.l_any", "u_x.u_fv.p_order"), ("u_fv.a_reset", "u_fv.a_quiet"), ())
    check_labels(proof, right)
    for wrong, message in (
        (replace(right, asserts=("u_fv.l_any",)), "property p_level of the catalogue is not in the netlist"),
        (replace(right, asserts=("u_fv.p_level", "u_fv.p_new")), "property p_new of kvcpu_fifo has no sentence"),
        (replace(right, assumes=()), "assumption a_quiet of the catalogue is not in the netlist"),
        (replace(right, assumes=(*right.assumes, "u_x.u_fv.a_quiet")), "would be assumed of a module inside"),
    ):
        with pytest.raises(CheckError, match=message):
            check_labels(proof, wrong)


# ---------------------------------------------------------------- the project's own catalogue


def test_every_property_has_a_planted_defect() -> None:
    assert never_seen_to_fail(load()) == []


def test_every_defect_can_be_planted() -> None:
    for proof in load():
        for defect in proof.planted:
            assert defect.text() != (ROOT / defect.file).read_text(), f"{proof.name}: {defect.file}"
            assert (ROOT / defect.file).resolve() in sources(proof), f"{proof.name} does not read {defect.file}"


def test_labels_are_those_of_the_property_modules() -> None:
    """Before any tool runs: each label of the catalogue is written in a property module of its proof."""
    for proof in load():
        text = "".join(path.read_text() for path in sources(proof) if path.parent == ROOT / "tb/formal")
        stated = {f"p_{name}" for name in re.findall(r"`FV_ASSERT\((\w+),", text)}
        assumed = {f"a_{name}" for name in re.findall(r"`FV_ASSUME\((\w+),", text)}
        assert proof.properties.keys() <= stated, proof.name
        assert proof.assumptions.keys() <= assumed, proof.name


def test_the_script_reads_the_files_and_free_nets() -> None:
    proof = load()[0]
    commands = script(proof, sources(proof), aiger=False)
    assert f"--top {proof.top}" in commands[0]
    assert all(str(path) in commands[0] for path in sources(proof))
    assert "setundef -undriven -anyseq" in commands
    assert not [command for command in commands if "aiger" in command]
    assert [command for command in script(proof, [], aiger=True) if command.startswith("write_aiger")]
