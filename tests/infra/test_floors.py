"""The runner knows nothing of the testbench that it runs, and its modules import each other in one direction."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tb.run.paths import ROOT

RUNNER = ROOT / "tb" / "run"


def imported(path: Path) -> set[str]:
    """Modules of `tb` that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if (ROOT / f"{name.replace('.', '/')}.py").exists()} or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "tb"}


def test_the_runner_does_not_import_the_testbench() -> None:
    arrows = {
        path.name: sorted(n for n in imported(path) if not n.startswith("tb.run")) for path in RUNNER.glob("*.py")
    }
    assert {name: up for name, up in arrows.items() if up} == {}


def test_the_runner_has_no_import_circle() -> None:
    graph = {f"tb.run.{path.stem}": imported(path) for path in RUNNER.glob("*.py")}
    assert list(TopologicalSorter(graph).static_order())


def test_no_rtl_module_has_more_than_600_lines() -> None:
    """A module that a reader cannot keep in mind is cut by meaning; those of `rtl/regs` are generated."""
    files = [path for path in (ROOT / "rtl").rglob("*.sv") if path.parent.name != "regs"]
    assert len(files) > 50
    assert {path.name: lines for path in files if (lines := len(path.read_text().splitlines())) > 600} == {}
