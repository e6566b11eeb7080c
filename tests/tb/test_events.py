"""The description of events: generated files are fresh, records are typed, no code outside them knows their layout."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model.types import CompletionStatus, MoveResult, Status
from tb.events import records
from tb.events.decode import as_records, of_kind
from tb.events.fields import RTL_PACKAGE, SOURCE, DescriptionError, description, load, sv_enum
from tb.events.generate.__main__ import main, outputs
from tb.events.records import DTYPES, RECORDS, STREAM_WORDS, Kind
from tb.run.paths import ROOT


def test_generated_files_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A project with the description, what it is made from, and what is made from it."""
    for path in (SOURCE, RTL_PACKAGE, *outputs(ROOT)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def test_a_changed_description_makes_every_file_stale(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (copy / SOURCE).read_text()
    (copy / SOURCE).write_text(text.replace("fields.level = { bits = 1,", "fields.level = { bits = 3,"))
    assert main(["--check", "--root", str(copy)]) == 1
    said = capsys.readouterr().err
    assert all(f"{path} is stale: run `make regs`" in said for path in outputs(ROOT))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bits = 33", "bits = 65", "1 to 64 bits"),
        ('ops = ["START"], meaning', 'ops = ["STRAT"], meaning', "only with STRAT?"),
        ('when = "takes_slot"', 'when = "take_slot"', "only with take_slot?"),
        ('enum = "Client"', 'enum = "Clients"', "'Clients' is missing or unknown"),
        ("code = 28", "code = 27", "two records of a stream have one code"),
        ('words = 4, meaning = "one', 'words = 3, meaning = "one', "Score does not fit its 24 bytes"),
        ("[enums]", "[enums", "Expected"),
    ],
)
def test_an_illegal_description_ends_in_one_line(
    copy: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    text = (copy / SOURCE).read_text()
    assert old in text
    (copy / SOURCE).write_text(text.replace(old, new, 1))
    assert main(["--check", "--root", str(copy)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_rtl_and_model_must_agree(copy: Path) -> None:
    text = (copy / RTL_PACKAGE).read_text()
    (copy / RTL_PACKAGE).write_text(text.replace("StFull       = 3'd3", "StFull       = 3'd4"))
    with pytest.raises(DescriptionError, match="status_e of the RTL and Status of the model differ"):
        load(copy)


def test_sv_enums_are_read() -> None:
    assert sv_enum(ROOT / RTL_PACKAGE, "status_e") == (
        3,
        {f"St{member.name.title().replace('_', '')}": int(member) for member in Status},
    )
    with pytest.raises(DescriptionError, match="no enum `nothing_e`"):
        sv_enum(ROOT / RTL_PACKAGE, "nothing_e")
    assert {enum.name for enum in description().enums.values() if enum.model} >= {
        Status.__name__,
        MoveResult.__name__,
        CompletionStatus.__name__,
    }


def test_fields_do_not_overlap_and_fit() -> None:
    """Each byte of a record belongs to one field at most, and no field lies across two of the monitors' words."""
    for record in description().records:
        dtype = DTYPES[getattr(records, f"{record.name}Record")]
        assert dtype.itemsize == record.stream.words * 8 == STREAM_WORDS[record.stream.number] * 8
        used = [0] * 8 + ([8] if record.code is not None else [])
        for field in record.fields:
            place = range(field.offset, field.offset + field.size)
            assert not set(place) & set(used), f"{record.name}.{field.name}"
            assert place[0] // 8 == place[-1] // 8, f"{record.name}.{field.name}"
            assert place[-1] < dtype.itemsize
            used += place


def test_records_of_a_kind_are_found_without_a_loop() -> None:
    words = np.zeros((5, 16), np.uint64)
    words[:, 1] = [Kind.Step, Kind.Op, Kind.Step, Kind.Reset, Kind.Step]
    words[:, 0] = range(5)
    steps = of_kind(words, Kind.Step)
    assert steps["cycle"].tolist() == [0, 2, 4]
    assert steps.dtype == DTYPES[RECORDS[Kind.Step]]
    assert len(as_records(words[:0], RECORDS[Kind.Step])) == 0


# ------------------------------------------------------------------ nothing else knows a record's layout

READERS = ["tb/scoreboard", "tb/eventlog.py", "tb/events", "tb/figures", "tb/env", "tb/block/dma"]
GENERATED = {Path("tb/events/records.py")}
BITWISE = (ast.RShift, ast.LShift, ast.BitAnd)


def _record_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Parameters that are annotated as records."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return {a.arg for a in arguments if a.annotation and "Record" in ast.unparse(a.annotation)}


def layout_knowledge(source: str) -> Iterator[str]:
    """Shifts and masks of a record's fields or words in a module's text."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        of = _record_names(function)
        for node in ast.walk(function):
            if not (isinstance(node, ast.BinOp) and isinstance(node.op, BITWISE)):
                continue
            for part in (node.left, node.right):
                field = isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in of
                word = isinstance(part, ast.Subscript) and isinstance(part.slice, (ast.Constant, ast.Tuple))
                if field or (word and not _mapping(part)):
                    yield f"{node.lineno}: {ast.unparse(node)}"


def _mapping(part: ast.expr) -> bool:
    """A dictionary of registers or arrays, by a name that is written in upper case or is an array's of the model."""
    inside = part.slice if isinstance(part, ast.Subscript) else None
    if not isinstance(inside, ast.Constant) or not isinstance(inside.value, str):
        return False
    return inside.value.isupper() or ast.unparse(part).startswith("arrays[")


@pytest.mark.parametrize("place", READERS)
def test_no_shift_or_mask_on_a_record(place: str) -> None:
    path = ROOT / place
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert files
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in files
        if file.relative_to(ROOT) not in GENERATED
        for line in layout_knowledge(file.read_text())
    ]
    assert not found, "a record's layout is known outside generated code:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "planted",
    [
        "def f(w: list[int]) -> int:\n    return w[8] >> 48 & 0xFF",
        "def f(main):\n    return main[:, 1] & np.uint64(0xFF)",
        "def f(records):\n    return records['flags'] & 1",
        "def f(r: OpRecord) -> int:\n    return r.item_key >> 48",
        "async def f(a, r: MmioRecord | None):\n    return 3 & r.strobes",
    ],
)
def test_a_planted_shift_or_mask_is_found(planted: str) -> None:
    assert len(list(layout_knowledge(planted))) >= 1
