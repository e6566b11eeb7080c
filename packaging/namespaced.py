"""Build step of `pip install .`: the packages `sw` and `model` of the checkout become `kvcpu.sw` and `kvcpu.model`.

Names as general as `model` may not lie at the top of somebody's site-packages. The files are copied and their
imports rewritten; a build in which an import of an old name is left is refused.
"""

import ast
import re
from pathlib import Path

from setuptools.command.build_py import build_py

MOVED = ("sw", "model")
_IMPORT = re.compile(rf"^(\s*)(from|import) ({'|'.join(MOVED)})(?=[.\s])", re.M)
_NAMED = re.compile(rf"(python -m |\")({'|'.join(MOVED)})(?=\.\w)")


def rewritten(text: str) -> str:
    """Source text with `sw` and `model` under `kvcpu`, in imports, commands and module names given as strings."""
    return _NAMED.sub(r"\1kvcpu.\2", _IMPORT.sub(r"\1\2 kvcpu.\3", text))


def old_imports(text: str) -> list[str]:
    """Modules that a source text imports from the old top level."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module or "")
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in names if name.split(".")[0] in MOVED]


class Namespaced(build_py):
    """Copies the packages, then moves their imports."""

    def run(self) -> None:
        """Build; raises SystemExit when an import cannot be moved."""
        super().run()
        for path in (Path(self.build_lib) / "kvcpu").rglob("*.py"):
            text = rewritten(path.read_text(encoding="utf-8"))
            if left := old_imports(text):
                raise SystemExit(f"{path}: import of {left[0]} cannot be moved under kvcpu")
            path.write_text(text, encoding="utf-8")
