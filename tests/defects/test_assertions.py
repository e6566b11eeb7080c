"""Every assertion of the RTL has a defect that makes it fire, and every parameter contract rejects a bad value."""

import re
from collections.abc import Callable
from pathlib import Path

import pyslang
import pytest

from tb.defects.assertions import CATALOGUE, PACKAGE_HOME, Assertion, declared, load_assertions, plant
from tb.run.errors import CheckError
from tb.run.manifest import load as load_manifest
from tb.run.paths import MANIFEST, ROOT

RTL = ROOT / "rtl"

# ------------------------------------------------------------------ assertions


def test_every_assertion_has_its_defect() -> None:
    listed = {entry.name for entry in load_assertions()}
    assert declared() - listed == set(), "assertions in rtl/ that were never seen to fire: add them to assertions.toml"
    assert listed - declared() == set(), "entries of assertions.toml for assertions that rtl/ does not have"


def test_a_new_assertion_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "kvcpu_new.sv").write_text('  `KVCPU_ASSERT(seen_by_no_test, a |-> b, "text")\n')
    assert declared(tmp_path) == {"kvcpu_new.seen_by_no_test"}


@pytest.mark.parametrize("entry", load_assertions(), ids=lambda entry: entry.name)
def test_a_defect_applies(entry: Assertion) -> None:
    text = (ROOT / entry.file).read_text()
    assert entry.planted(text, "1'b1") != text


def test_the_tests_exist() -> None:
    known = {f"{leg.name}.{test}" for leg in load_manifest(MANIFEST).legs for test in leg.tests}
    assert {entry.test for entry in load_assertions()} <= known


def test_all_defects_are_planted_in_one_tree(tmp_path: Path) -> None:
    entries = load_assertions()
    plant(entries, tmp_path / "tree")
    for number, entry in enumerate(entries, 1):
        assert f"::sel == {number})" in (tmp_path / "tree" / entry.file).read_text()
    assert "$value$plusargs" in (tmp_path / "tree" / PACKAGE_HOME).read_text()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace("file =", "files =", 1), "an entry needs exactly"),
        (lambda text: text.replace("@ON@", "1"), "does not say where the defect is"),
        (lambda text: text + text[text.index("[[") :], "is there twice"),
        (lambda text: text.replace("name = '", "name = ", 1), "assertions.toml"),
    ],
)
def test_a_malformed_catalogue_is_reported(tmp_path: Path, spoil: Callable[[str], str], message: str) -> None:
    path = tmp_path / "assertions.toml"
    path.write_text(spoil(CATALOGUE.read_text()))
    with pytest.raises(CheckError, match=message):
        load_assertions(path)


# ------------------------------------------------------------------ parameter contracts

BAD = {
    "AXI_DATA_WIDTH": 96,
    "BLOCK_TOKENS": 3,
    "BURSTS": 3,
    "BURST_BEATS": 32,
    "CLOCK_MHZ": 1024,
    "Depth": 1,
    "ENTRIES": 1000,
    "LANES": 5,
    "MOVES": 65,
    "PORTS": 9,
    "ROWS": 65,
    "Width": 0,
}
"""A value of each parameter that its contract excludes; in every other respect the design is legal."""

_CONTRACT = re.compile(r"`KVCPU_CHECK_PARAM\(\w+,\s*(\w+)\b.*?\"(.*?)\"\)", re.S)
CONTRACTS = [
    (path.stem, parameter, text)
    for path in sorted(RTL.rglob("*.sv"))
    for parameter, text in _CONTRACT.findall(path.read_text())
]


@pytest.fixture(scope="module")
def trees() -> list[pyslang.syntax.SyntaxTree]:
    """The RTL, parsed once, packages first."""
    manager = pyslang.SourceManager()
    manager.addUserDirectories(str(RTL / "prim"))
    packages = [RTL / "kvcpu_pkg.sv", *sorted(RTL.glob("regs/*_pkg.sv"))]
    files = [*packages, *sorted(set(RTL.rglob("*.sv")) - set(packages))]
    return [pyslang.syntax.SyntaxTree.fromFiles([str(file) for file in files], manager)]


def elaboration_errors(trees: list[pyslang.syntax.SyntaxTree], module: str, *overrides: str) -> str:
    """What elaboration says about `module` as the top, with these parameters (`NAME=value`)."""
    options = pyslang.ast.CompilationOptions()
    options.topModules = {module}
    options.paramOverrides = list(overrides)
    compilation = pyslang.ast.Compilation(pyslang.Bag([options]))
    for tree in trees:
        compilation.addSyntaxTree(tree)
    errors = [one for one in compilation.getAllDiagnostics() if one.isError()]
    return pyslang.DiagnosticEngine.reportAll(compilation.sourceManager, errors) if errors else ""


def test_every_contract_is_found() -> None:
    written = sum(path.read_text().count("`KVCPU_CHECK_PARAM(") for path in RTL.rglob("*.sv"))
    assert len(CONTRACTS) == written > 40


@pytest.mark.parametrize(("module", "parameter", "text"), CONTRACTS, ids=[f"{m}-{p}" for m, p, _ in CONTRACTS])
def test_a_contract_rejects_a_bad_value(
    trees: list[pyslang.syntax.SyntaxTree], module: str, parameter: str, text: str
) -> None:
    errors = elaboration_errors(trees, module, f"{parameter}={BAD[parameter]}")
    # Where the contract is written: modules below may have the same one.
    assert re.search(rf"\b{module}\.sv:\d+:\d+: error: .*{re.escape(text)}", errors), errors


@pytest.mark.parametrize("module", sorted({module for module, _, _ in CONTRACTS}))
def test_legal_values_are_accepted(trees: list[pyslang.syntax.SyntaxTree], module: str) -> None:
    assert elaboration_errors(trees, module) == ""
