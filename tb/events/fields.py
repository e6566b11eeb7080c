"""The description of events (`events.toml`), read and checked: kinds, fields with width, meaning and place.

Everything that knows a record's layout is generated from here or asks here: the monitors' package, the typed records of
`records.py`, the columns of the event log, the reference page.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import model.types
from tb.run.svenum import enums_of

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path("tb/events/events.toml")
RTL_PACKAGE = Path("rtl/kvcpu_pkg.sv")
WORD_BYTES = 8
SHOWN_AS = ("dec", "hex", "kv", "key")


class DescriptionError(Exception):
    """The description is not legal; one line."""


@dataclass(frozen=True)
class Enumeration:
    """Values by name: upper case as the contract writes them.

    `sv` is the RTL's type, "" where it has none, `prefix` what its members begin with in SystemVerilog; `model`: the
    golden model has it too, under this name.
    """

    name: str
    bits: int
    members: Mapping[str, int]
    sv: str = ""
    prefix: str = ""
    model: bool = False

    def label(self, value: int) -> str:
        """The name of a value; its number where it has none."""
        return next((name for name, code in self.members.items() if code == value), str(value))


@dataclass(frozen=True)
class Condition:
    """Holds where the record's operation or command is one of `ops`, or its field `when` is not 0."""

    ops: tuple[str, ...] = ()
    when: str = ""


@dataclass(frozen=True)
class Field:
    """One field of a record.

    `bits` is its width in the RTL, `offset` its first byte in the record. It means something where all of its
    conditions hold: its own, and that of the group that it is included with.
    """

    name: str
    bits: int
    meaning: str
    label: str
    shown_as: str = "dec"
    enum: Enumeration | None = None
    conditions: tuple[Condition, ...] = ()
    group: str = ""  # of an included field: the name that comes before its own
    offset: int = 0

    @property
    def size(self) -> int:
        """Bytes that it is stored in: 1, 2, 4 or 8."""
        return next(size for size in (1, 2, 4, 8) if self.bits <= 8 * size)

    @property
    def format(self) -> str:
        """NumPy's name of its type: a flag for one bit, else an unsigned number."""
        if self.enum is None and self.bits == 1:
            return "?"
        return f"<u{self.size}" if self.size > 1 else "u1"


@dataclass(frozen=True)
class Stream:
    """Records of a fixed size that come one after another."""

    name: str
    number: int
    words: int
    meaning: str
    bench: bool = False  # of a block's bench: in no event log


@dataclass(frozen=True)
class Record:
    """One kind of record. `code` tells it from others of its stream; None where the stream has no others."""

    name: str
    stream: Stream
    code: int | None
    meaning: str
    fields: tuple[Field, ...]

    @property
    def table(self) -> str:
        """Its name in the event log: lower case with underscores."""
        return snake(self.name)


@dataclass(frozen=True)
class Description:
    """All of it."""

    enums: Mapping[str, Enumeration]
    streams: Mapping[str, Stream]
    groups: Mapping[str, tuple[Field, ...]]
    records: tuple[Record, ...]

    @property
    def logged(self) -> list[Record]:
        """The records that an event log holds."""
        return [record for record in self.records if not record.stream.bench]

    def record(self, name: str) -> Record:
        """The record of this name. Raises KeyError."""
        return next((r for r in self.records if r.name == name), None) or _unknown(name)


def _unknown(name: str) -> Record:
    raise KeyError(f"no record `{name}`")


def snake(name: str) -> str:
    """`CamelCase` as `camel_case`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def sv_enum(path: Path, name: str) -> tuple[int, dict[str, int]]:
    """(width in bits, members) of the enum typedef `name` in a SystemVerilog file. Raises DescriptionError."""
    found = enums_of(path).get(name)
    if found is None:
        raise DescriptionError(f"{path} has no enum `{name}`")
    return found


def _enumeration(name: str, given: Mapping[str, Any], root: Path) -> Enumeration:
    modelled = getattr(model.types, given["model"]) if "model" in given else None
    if "sv" in given:
        bits, members = sv_enum(root / RTL_PACKAGE, given["sv"])
        values = {snake(member.removeprefix(given["prefix"])).upper(): code for member, code in members.items()}
        if modelled is not None and values != {m.name: int(m) for m in modelled}:
            raise DescriptionError(f"{SOURCE}: {given['sv']} of the RTL and {given['model']} of the model differ")
        return Enumeration(name, bits, values, given["sv"], given["prefix"], modelled is not None)
    values = {m.name: int(m) for m in modelled or ()} or {value: code for code, value in enumerate(given["values"])}
    return Enumeration(name, given["bits"], values, "", given.get("prefix", name), modelled is not None)


class _Loader:
    """Builds the description out of the file's tables."""

    def __init__(self, data: Mapping[str, Any], root: Path) -> None:
        self.enums = {name: _enumeration(name, given, root) for name, given in data["enums"].items()}
        self.streams = {name: Stream(name, **given) for name, given in data["streams"].items()}
        self.groups = {
            name: tuple(f for key, given in fields.items() for f in self._fields(f"{name}.{key}", key, given))
            for name, fields in data["groups"].items()
        }
        self.records = tuple(self._record(name, given) for name, given in data["records"].items())

    def _fields(self, where: str, name: str, given: Mapping[str, Any]) -> Iterator[Field]:
        own = Condition(tuple(given.get("ops", ())), given.get("when", ""))
        conditions = (own,) if own != Condition() else ()
        if "include" in given:
            for inner in self.groups[given["include"]]:
                both = conditions + inner.conditions
                label = f"{name} {inner.label}"
                yield replace(inner, name=f"{name}_{inner.name}", label=label, group=name, conditions=both)
            return
        enum = self.enums[given["enum"]] if "enum" in given else None
        bits = enum.bits if enum else given["bits"]
        shown_as = given.get("as", "dec")
        if not 1 <= bits <= 64 or shown_as not in SHOWN_AS:
            raise DescriptionError(f"{SOURCE}: {where}: 1 to 64 bits, shown as one of {', '.join(SHOWN_AS)}")
        label = given.get("label", name.replace("_", " "))
        for number in range(given.get("count", 1)):
            suffix = ("", "") if "count" not in given else (f"_{number}", f" {number}")
            yield Field(name + suffix[0], bits, given["meaning"], label + suffix[1], shown_as, enum, conditions)

    def _record(self, name: str, given: Mapping[str, Any]) -> Record:
        stream = self.streams[given.get("stream", "Main")]
        code = given.get("code")
        tables = given.get("fields", {})
        fields = [f for key, inner in tables.items() for f in self._fields(f"{name}.{key}", key, inner)]
        _check_conditions(name, fields)
        taken = WORD_BYTES + (code is not None)
        return Record(name, stream, code, given["meaning"], _placed(name, fields, taken, stream.words * WORD_BYTES))


SELECTORS = ("op", "cmd")  # the field that `ops` speaks of


def selector(fields: Iterable[Field]) -> Field | None:
    """The field that says which operation or command a record is of."""
    return next((field for field in fields if field.name in SELECTORS), None)


def _check_conditions(record: str, fields: list[Field]) -> None:
    """Conditions name fields, operations and commands that exist. Raises DescriptionError."""
    names, of = {field.name for field in fields}, selector(fields)
    known = set(of.enum.members) if of and of.enum else set()
    for field in fields:
        for condition in field.conditions:
            unknown = (set(condition.ops) - known) | ({condition.when} - names - {""})
            if unknown:
                raise DescriptionError(f"{SOURCE}: {record}.{field.name}: only with {', '.join(sorted(unknown))}?")


def _placed(record: str, fields: list[Field], taken: int, size: int) -> tuple[Field, ...]:
    """Fields with their places: the widest first, each at a multiple of its size, after the `taken` bytes."""
    used = [True] * taken + [False] * (size - taken)
    placed: dict[str, Field] = {}
    for field in sorted(fields, key=lambda f: -f.size):
        free = (at for at in range(0, size, field.size) if not any(used[at : at + field.size]))
        offset = next(free, None)
        if offset is None:
            raise DescriptionError(f"{SOURCE}: {record} does not fit its {size} bytes")
        used[offset : offset + field.size] = [True] * field.size
        placed[field.name] = replace(field, offset=offset)
    if len(placed) != len(fields):
        raise DescriptionError(f"{SOURCE}: {record} has two fields of one name")
    return tuple(placed[field.name] for field in fields)


def load(root: Path = ROOT) -> Description:
    """Read the description of the project under `root`. Raises DescriptionError, OSError."""
    try:
        loaded = _Loader(tomllib.loads((root / SOURCE).read_text()), root)
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"{SOURCE}: {error}") from None
    except KeyError as error:
        raise DescriptionError(f"{SOURCE}: {error} is missing or unknown") from None
    codes = [(record.stream.name, record.code) for record in loaded.records]
    if len(set(codes)) != len(codes):
        raise DescriptionError(f"{SOURCE}: two records of a stream have one code")
    return Description(loaded.enums, loaded.streams, loaded.groups, loaded.records)


@cache
def description() -> Description:
    """The project's own description."""
    return load()
