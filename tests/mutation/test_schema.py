"""Mutants of a file: what is mutated, what is not, and that number 0 is the design itself."""

from pathlib import Path

import pytest

from tb.mutation.explained import load_explained
from tb.mutation.schema import Mutant, mutate, parse
from tb.run.errors import CheckError
from tb.run.paths import ROOT

MODULE = """module m #(parameter int N = 2 + 1) (input logic clk, a, b, output logic [N-1:0] q, output logic y);
  assign y = a && !b;
  for (genvar i = 0; i < N; i++) begin : g
    always_ff @(posedge clk) begin
      if (a) q[i] <= b;
      else if (b == a) q[i] <= 1'b0;
    end
  end
endmodule
"""


def _mutated(tmp_path: Path, text: str) -> tuple[str, list[Mutant]]:
    path = tmp_path / "m.sv"
    path.write_text(text)
    return mutate(path, "rtl/m.sv", 1)


def test_what_becomes_of_a_module(tmp_path: Path) -> None:
    _, mutants = _mutated(tmp_path, MODULE)
    assert [(m.line, m.before, m.after) for m in mutants] == [
        (2, "a && !b", "a || !b"),
        (2, "a && !b", "a"),
        (2, "a && !b", "!b"),
        (2, "!b", "b"),
        (5, "a", "!(a)"),
        (5, "q[i] <= b;", "(left out)"),
        (6, "b == a", "!(b == a)"),
        (6, "b == a", "b != a"),
        (6, "q[i] <= 1'b0;", "(left out)"),
    ]
    assert [m.number for m in mutants] == list(range(1, 10))


def test_else_stays_with_its_if(tmp_path: Path) -> None:
    text, _ = _mutated(tmp_path, MODULE)
    assert "begin if (kvcpu_mutant_pkg::sel != 6) q[i] <= b; end\n      else" in text


@pytest.mark.parametrize("path", sorted((ROOT / "rtl").glob("*/kvcpu_*.sv")), ids=lambda path: path.stem)
def test_mutated_rtl_still_parses(path: Path) -> None:
    text, mutants = mutate(path, path.name, 1)
    tree = parse(text)
    assert [str(d.code) for d in tree.diagnostics if d.isError()] == []
    assert len({m.number for m in mutants}) == len(mutants)
    plain = path.read_text()
    assert not mutants or text != plain


def test_survivor_without_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "explained.toml"
    path.write_text('[[survivors]]\nfile = "rtl/a.sv"\nbefore = "a"\nafter = "b"\nreason = " "\n')
    with pytest.raises(CheckError, match="reason"):
        load_explained(path)


def test_explained_survivors_still_exist() -> None:
    known: set[tuple[str, str, str]] = set()
    for file, _, _ in load_explained().reasons:
        _, mutants = mutate(ROOT / file, file, 1)
        known |= {(m.file, " ".join(m.before.split()), " ".join(m.after.split())) for m in mutants}
    assert set(load_explained().reasons) <= known
