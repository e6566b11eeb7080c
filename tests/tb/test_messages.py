"""G4: a stranger can place every message: subject and field in the contract's words, and where it happened."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from model import DeviceState
from sw.regs import registers as regs
from tb.events.fields import description
from tb.events.records import DTYPES, Cmd, MmioRecord, OpRecord, ScoreRecord
from tb.harness import message
from tb.harness.context import Mismatch
from tb.run.paths import ROOT
from tb.scoreboard.commands import Command
from tb.scoreboard.entry import expected_entry
from tb.scoreboard.offline import OfflineContext
from tb.scoreboard.operations import Operations
from tb.scoreboard.ports import PortCheck
from tb.scoreboard.scan import ScanCheck

CHECKS = {"compare": 0, "compare_array": 0, "compare_fields": 0, "_compare": 0, "_compare_fields": 0, "within": 0}
FOLDERS = (
    "tb/scoreboard",
    "tb/env",
    "tb/block",
    "tb/top",
    "tb/system",
    "tb/board",
    "tb/figures",
    "tb/llm",
    "tb/replay",
)
SIGNAL = re.compile(r"\b[a-z]+(_[a-z0-9]+)+\b")  # a name of the RTL: scan_begin, idle_o


def subject_text(node: ast.expr) -> str | None:
    """The subject as written, `{}` for what is filled in; None where it is a variable."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)  # type: ignore[misc]
    return None


def subjects(source: str) -> Iterator[tuple[int, str]]:
    """(line, subject) of every comparison in a module's text."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CHECKS
            and node.args
        ):
            text = subject_text(node.args[CHECKS[node.func.attr]])
            if text is not None:
                yield node.lineno, text


def complaint(subject: str) -> str | None:
    """Why a stranger could not place this subject; None when they can."""
    register, _, field = subject.partition(".")
    known = register in regs.BY_NAME and (field or "_" in register)  # the contract's own word
    if len(subject.split()) < 2 and not subject.startswith("{}") and not known:
        return "one word"
    signal = SIGNAL.search(subject)
    return f"names the signal {signal[0]}" if signal else None


@pytest.mark.parametrize("folder", FOLDERS)
def test_g4_subjects_can_be_placed(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}: {why}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, text in subjects(path.read_text())
        if (why := complaint(text))
    ]
    assert not found, "subjects that a stranger cannot place:\n" + "\n".join(found)


VIOLATION = re.compile(r'violation\((?:\$sformatf\()?\s*\{?(?:Name, )?"([^"]*)"')


@pytest.mark.parametrize("folder", ["tb/hdl", "tb/monitors", "tb/block", "tb/dpi"])
def test_g4_violations_can_be_placed(folder: str) -> None:
    """Protocol checkers say what was expected and seen; no signal of the RTL replaces a word of the contract."""
    sources = [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".sv", ".cpp")]
    texts = [(path.name, text) for path in sources for text in VIOLATION.findall(path.read_text()) if text != "%s"]
    assert texts
    for name, text in texts:
        assert not SIGNAL.search(text), f"{name}: {text}"
        assert "expected" in text or text.startswith("testbench:"), f"{name}: {text}"


@pytest.mark.parametrize("subject", ["DMA idle_o", "BRESP", "step", "cfg_o.{}", "scan_begin one cycle after it"])
def test_g4_a_planted_subject_is_found(subject: str) -> None:
    assert complaint(subject)
    assert list(subjects(f"ctx.compare({subject!r}, 1, 2)")) == [(1, subject)]


# ------------------------------------------------------------------ how a difference is written


@dataclass
class Entry:
    """Something with fields."""

    tier: int
    ref_count: int


@pytest.mark.parametrize(
    ("subject", "expected", "seen", "where", "text"),
    [
        ("free slots", 3, 300, {"tier": "T1"}, "free slots tier=T1: expected 3, seen 300 (0x12c)"),
        ("place is held", True, False, {}, "place is held: expected True, seen False"),
        (
            "entry after it",
            Entry(1, 4),
            Entry(1, 5),
            {"block": 3 << 48 | 2 << 40 | 1 << 32 | 48},
            "entry after it block=3:2:1:48 (0x0003020100000030): ref_count: expected 4, seen 5",
        ),
        ("slots: free, held", (1, 2), (1, 3), {}, "slots: free, held: held: expected 2, seen 3"),
        (
            "order of the slots",
            [4, 5, 6],
            [4, 6, 5],
            {},
            "order of the slots: element 1: expected 5, seen 6; element 2: expected 6, seen 5",
        ),
        ("fields of X", {"IDLE": 1, "MISS": 0}, {"IDLE": 0, "MISS": 0}, {}, "fields of X: IDLE: expected 1, seen 0"),
        ("bytes read", b"\1\2\3", b"\1\0\3", {}, "bytes read: byte 1: expected 2, seen 0"),
        ("responses of the batch", [1, 2], [1], {}, "responses of the batch: expected [1, 2], seen [1]"),
    ],
)  # fmt: skip
def test_g4_each_kind_of_message(subject: str, expected: Any, seen: Any, where: dict[str, Any], text: str) -> None:
    assert message.difference(subject, where, expected, seen) == text


def test_g4_many_fields_are_counted() -> None:
    expected = {f"field {i}": 0 for i in range(9)}
    text = message.field_differences("entry", {}, expected, dict.fromkeys(expected, 1))
    assert text.endswith("; 3 more fields differ")


def operation(**fields: Any) -> Any:
    """An Op record with these fields, the others 0."""
    return OpRecord(*(fields.get(name, 0) for name in OpRecord._fields))


def offline() -> tuple[Any, DeviceState]:
    """A context that raises what it is to report, and a golden model with a block in tier 1."""
    state = DeviceState(entries=1024, lanes=4, ports=1, block_tokens=16)
    state.set_slots(1, 8)
    state.insert(KV, KV & 0xFFFF, 1, prefix=False, hot=False, slot=0)
    return OfflineContext(), state


KV = 3 << 48 | 2 << 40 | 1 << 32 | 48


def test_g4_an_entry_names_the_field_that_differs() -> None:
    ctx, state = offline()
    operations = Operations(ctx, state, ScanCheck(ctx, state))
    index = state.find(KV)
    assert index is not None
    names = [f"entry_{field.name}" for field in description().groups["entry"]]
    right = dict(zip(names, expected_entry(state, index, False), strict=True))
    operations.compare_entry(index, operation(**right), "entry after BOOST", KV)
    wrong = operation(**{**right, "entry_ref_count": 2, "entry_tier": 2}, cycle=77)
    with pytest.raises(Mismatch) as caught:
        operations.compare_entry(index, wrong, "entry after BOOST", KV)
    assert str(caught.value) == (
        f"entry after BOOST block=3:2:1:48 ({KV:#018x}) index={index} ({index:#x}) at_cycle=77 (0x4d): "
        "REF_COUNT: expected 0, seen 2; TIER: expected T1, seen HOST"
    )


def test_g4_a_word_of_the_window_names_its_fields() -> None:
    ctx, state = offline()
    index = state.find(KV)
    assert index is not None
    image = state.read_entry(index)
    ports = PortCheck(ctx, 1)
    ports._latch = (index, image)
    data = int.from_bytes(image[24:32], "little") ^ 1 << 217 - 192  # the top bit of REF_COUNT
    read = MmioRecord(cycle=9, bar=2, write=False, response=0, strobes=255, address=index * 32 + 24, data=data, took=1)
    with pytest.raises(Mismatch, match=r"BAR2 word 3 of the latched entry index=.*: REF_COUNT: expected 0, seen 128 "):
        ports.bar2_access(read, 1024)


def test_g4_a_scan_names_block_field_and_number_of_entries() -> None:
    ctx, state = offline()
    state.config.enable = 1
    state.set_step(1)
    state.scan_begin()
    scan = ScanCheck(ctx, state)
    scan.begin()
    index = state.find(KV)
    records = np.zeros(1, DTYPES[ScoreRecord])
    records["index"], records["prio"], records["r"], records["f"], records["cycle"] = index, 1, 254, 1, 50
    scan.add(records)
    with pytest.raises(Mismatch, match=rf"scan 1 \(1 of 1 entries differ\): PRIORITY block=3:2:1:48 .* index={index} "):
        scan.end(60)


def test_g4_a_command_names_the_argument_that_differs() -> None:
    ctx, _ = offline()
    one, other = Command(Cmd.INSERT, KV, tier=1), Command(Cmd.INSERT, KV, tier=2)
    with pytest.raises(Mismatch, match="command launched: tier: expected T1, seen HOST"):
        ctx.compare_fields("command launched", one.named(), other.named())
