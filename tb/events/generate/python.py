"""Writes `tb/events/records.py`: enumerations, a typed record and a NumPy type for each kind."""

from tb.events.fields import SOURCE, WORD_BYTES, Description, Enumeration, Field, Record

_HEAD = f'''"""The monitors' records. Generated from {SOURCE} by `make regs`: do not edit.

Of each kind a `...Record` with its fields, and in `DTYPES` how they lie in the words of a stream.
`docs/events.md` lists all of them; `tb.events.decode` makes records out of words.
"""

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

# Tables, one record a line however long it is: a change of one record changes one line.
# ruff: noqa: E501
# fmt: off
'''

_KINDS = {"Main": "Kind", "Port": "PortKind", "Dma": "DmaKind"}  # by stream: the enumeration of its records
_RECORDS = {"Kind": "RECORDS", "PortKind": "PORT_RECORDS", "DmaKind": "DMA_RECORDS"}


def _enum(enum: Enumeration) -> str:
    members = "\n".join(f"    {name} = {code}" for name, code in enum.members.items())
    origin = f" ({enum.sv})" if enum.sv else ""
    return f'\nclass {enum.name}(IntEnum):\n    """Values of `{enum.name}`{origin}."""\n\n{members}\n'


def _member(field: Field) -> str:
    kind = "bool" if field.format == "?" else "int"
    clash = "  # type: ignore[assignment]  # tuple.index is not called" if field.name == "index" else ""
    return f"    {field.name}: {kind}{clash}"


def _class(record: Record) -> str:
    in_place = sorted(record.fields, key=lambda field: field.offset)  # as `decode` unpacks them
    members = "\n".join(["    cycle: int", *map(_member, in_place)])
    meaning = record.meaning[0].upper() + record.meaning[1:]
    return f'\nclass {record.name}Record(NamedTuple):\n    """{meaning}."""\n\n{members}\n'


def _dtype(record: Record) -> str:
    rows = [("cycle", "<u8", 0), *((f.name, f.format, f.offset) for f in record.fields)]
    names, formats, offsets = (list(column) for column in zip(*rows, strict=True))
    return (
        f"    {record.name}Record: np.dtype({{\n        'names': {names!r},\n        'formats': {formats!r},\n"
        f"        'offsets': {offsets!r},\n        'itemsize': {record.stream.words * WORD_BYTES}}}),"
    )


def _kinds(description: Description, stream: str) -> list[Record]:
    return [record for record in description.records if record.stream.name == stream and record.code is not None]


def emit(description: Description) -> str:
    """The text of the module."""
    parts = [_HEAD]
    for stream in description.streams.values():
        parts.append(f"STREAM_{stream.name.upper()} = {stream.number}  # {stream.meaning}")
    parts.append(f"STREAM_WORDS = ({', '.join(str(s.words) for s in description.streams.values())})")
    parts.append("")
    for stream_name, name in _KINDS.items():
        members = {record.name: record.code or 0 for record in _kinds(description, stream_name)}
        parts.append(_enum(Enumeration(name, 8, members)))
    parts += [_enum(enum) for enum in description.enums.values() if not enum.model]
    parts += [_class(record) for record in description.records]
    parts.append("\nDTYPES: dict[type[Any], np.dtype[Any]] = {")
    parts += [_dtype(record) for record in description.records]
    parts.append("}\n")
    for stream_name, kind in _KINDS.items():
        parts.append(f"{_RECORDS[kind]}: dict[{kind}, type[Any]] = {{")
        parts += [f"    {kind}.{record.name}: {record.name}Record," for record in _kinds(description, stream_name)]
        parts.append("}")
    names = ", ".join(f"{kind}: {_RECORDS[kind]}" for kind in _KINDS.values())
    parts.append(f"RECORDS_OF: dict[type[IntEnum], dict[Any, type[Any]]] = {{{names}}}")
    return "\n".join(parts) + "\n"
