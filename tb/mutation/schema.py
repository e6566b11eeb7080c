"""Mutants of a SystemVerilog file, all in one text and chosen at run time (mutant schemata).

An expression `a < b` becomes `(kvcpu_mutant_pkg::sel == 17 ? (a <= b) : (a < b))`, a statement `q <= d;`
becomes `begin if (kvcpu_mutant_pkg::sel != 18) q <= d; end`: hundreds of mutants cost one build, and `sel` 0 is the
design itself. Only what runs is mutated: constants that the elaboration needs stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyslang import SourceManager, syntax

from tb.run.paths import ROOT

PACKAGE = "kvcpu_mutant_pkg"
PLUSARG = "kvcpu_mutant"

PACKAGE_SOURCE = f"""// Chooses the mutant: +{PLUSARG}=<number>, 0 for none.
package {PACKAGE};
  function automatic int unsigned chosen();
    if (!$value$plusargs("{PLUSARG}=%d", chosen)) chosen = 0;
  endfunction
  int unsigned sel = chosen();
endpackage
"""

# What each operator becomes.
_BINARY = {
    "LessThanExpression": ("<", "<="),
    "LessThanEqualExpression": ("<=", "<"),
    "GreaterThanExpression": (">", ">="),
    "GreaterThanEqualExpression": (">=", ">"),
    "EqualityExpression": ("==", "!="),
    "InequalityExpression": ("!=", "=="),
    "LogicalAndExpression": ("&&", "||"),
    "LogicalOrExpression": ("||", "&&"),
    "BinaryAndExpression": ("&", "|"),
    "BinaryOrExpression": ("|", "&"),
    "AddExpression": ("+", "-"),
    "SubtractExpression": ("-", "+"),
    "LogicalShiftRightExpression": (">>", "<<"),
}
_UNARY = {"UnaryLogicalNotExpression": "!", "UnaryBitwiseNotExpression": "~"}

# Inside these nothing runs, or the elaboration must know the value.
_CONSTANT = {
    "ParameterDeclarationStatement",
    "ParameterPortList",
    "ParameterDeclaration",
    "ParameterValueAssignment",
    "VariableDimension",
    "RangeDimensionSpecifier",
    "SimpleRangeSelect",
    "AscendingRangeSelect",
    "DescendingRangeSelect",
    "MultipleConcatenationExpression",
    "InitialBlock",
    "FunctionPortList",
    "TypedefDeclaration",
    "ConcurrentAssertionStatement",
    "ImmediateAssertStatement",
    "AnsiPortList",
}
_RUNS = {"AlwaysCombBlock", "AlwaysFFBlock", "ContinuousAssign"}


@dataclass(frozen=True)
class Mutant:
    """One mutant: `before` at `line` of `file` (relative to the project) becomes `after`."""

    number: int
    file: str
    line: int
    before: str
    after: str

    def __str__(self) -> str:
        """`file:line: before -> after` on one line."""
        return f"{self.file}:{self.line}: {_short(self.before)}  ->  {_short(self.after)}"


@dataclass(frozen=True)
class _Edit:
    """Insert `prefix` before and `suffix` after the text from `begin` to `end`."""

    begin: int
    end: int
    prefix: str
    suffix: str


def _short(text: str, limit: int = 90) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _kind(node: object) -> str:
    return str(getattr(node, "kind", "")).rpartition(".")[2]


def _span(node: object) -> tuple[int, int]:
    around = node.sourceRange  # type: ignore[attr-defined]
    return around.start.offset, around.end.offset


def _children(node: syntax.SyntaxNode) -> Iterator[syntax.SyntaxNode]:
    for child in node:
        if isinstance(child, syntax.SyntaxNode):
            yield child


class _Collector:
    """Walks one file's syntax and collects its mutants."""

    def __init__(self, text: str, file: str, first: int) -> None:
        self._text = text.encode()
        self._file = file
        self._next = first
        self.mutants: list[Mutant] = []
        self.edits: list[_Edit] = []

    def walk(self, node: syntax.SyntaxNode, runs: bool = False) -> None:
        """Mutate what runs in and below `node`."""
        kind = _kind(node)
        if kind in _CONSTANT:
            return
        if kind in _RUNS:
            runs = True
        if kind == "AlwaysFFBlock":
            self._children_of(node.statement, runs)  # type: ignore[attr-defined]
            return
        if kind == "ForLoopStatement":
            self.walk(node.statement, runs)  # type: ignore[attr-defined]
            return
        if kind == "StandardCaseItem":
            self.walk(node.clause, runs)  # type: ignore[attr-defined]
            return
        if kind == "CastExpression":
            self.walk(node.right, runs)  # type: ignore[attr-defined]
            return
        if runs:
            self._mutate(node, kind)
        self._children_of(node, runs)

    def _children_of(self, node: syntax.SyntaxNode, runs: bool) -> None:
        if _kind(node) == "TimingControlStatement":
            self.walk(node.statement, runs)  # type: ignore[attr-defined]
            return
        if _kind(node) == "ExpressionStatement" and "Assignment" in _kind(node.expr):  # type: ignore[attr-defined]
            self.walk(node.expr.right, runs)  # type: ignore[attr-defined]
            return
        if "AssignmentExpression" in _kind(node):
            self.walk(node.right, runs)  # type: ignore[attr-defined]
            return
        for child in _children(node):
            self.walk(child, runs)

    def _mutate(self, node: syntax.SyntaxNode, kind: str) -> None:
        begin, end = _span(node)
        before = self._text[begin:end].decode()
        if kind in _BINARY:
            operator, other = _BINARY[kind]
            left = self._slice(node.left)  # type: ignore[attr-defined]
            right = self._slice(node.right)  # type: ignore[attr-defined]
            self._expression(begin, end, before, f"{left} {other} {right}")
            if operator == "&&":
                self._expression(begin, end, before, left)
                self._expression(begin, end, before, right)
        elif kind in _UNARY:
            self._expression(begin, end, before, self._slice(node.operand))  # type: ignore[attr-defined]
        elif kind == "ConditionalPredicate":
            self._expression(begin, end, before, f"!({before})")
        elif kind == "ExpressionStatement" and "NonblockingAssignment" in _kind(node.expr):  # type: ignore[attr-defined]
            number = self._new(begin, before, "(left out)")
            # begin and end keep an `else` after it with its own `if`
            self.edits.append(_Edit(begin, end, f"begin if ({PACKAGE}::sel != {number}) ", " end"))

    def _slice(self, node: object) -> str:
        begin, end = _span(node)
        return self._text[begin:end].decode()

    def _new(self, begin: int, before: str, after: str) -> int:
        number = self._next
        self._next += 1
        line = self._text[:begin].count(b"\n") + 1
        self.mutants.append(Mutant(number, self._file, line, before, after))
        return number

    def _expression(self, begin: int, end: int, before: str, after: str) -> None:
        number = self._new(begin, before, after)
        self.edits.append(_Edit(begin, end, f"({PACKAGE}::sel == {number} ? ({after}) : (", "))"))

    def text(self) -> str:
        """The file with every mutant in it; nested ones are nested."""
        opened: dict[int, list[str]] = {}
        closed: dict[int, list[str]] = {}
        for edit in self.edits:  # parents come before their children, and wrap them
            opened.setdefault(edit.begin, []).append(edit.prefix)
            closed.setdefault(edit.end, []).insert(0, edit.suffix)
        out: list[str] = []
        at = 0
        for place in sorted({*opened, *closed}):
            out.append(self._text[at:place].decode())
            out += closed.get(place, [])
            out += opened.get(place, [])
            at = place
        out.append(self._text[at:].decode())
        return "".join(out)


def parse(text: str) -> syntax.SyntaxTree:
    """The syntax tree of a SystemVerilog text that may use the macros of rtl/prim."""
    manager = SourceManager()
    manager.addUserDirectories(str(ROOT / "rtl" / "prim"))
    return syntax.SyntaxTree.fromText(text, manager)


def mutate(path: Path, file: str, first: int) -> tuple[str, list[Mutant]]:
    """The text of `path` with all its mutants, numbered from `first` on.

    Args:
        path: a SystemVerilog file.
        file: its name in messages.
        first: number of its first mutant, 1 or more.
    """
    text = path.read_text()
    collector = _Collector(text, file, first)
    collector.walk(parse(text).root)
    return collector.text(), collector.mutants
