"""Writes `tb/hdl/kvcpu_events_pkg.sv`: a struct for each record, and the function that records it."""

from collections.abc import Iterator

from tb.events.fields import SOURCE, WORD_BYTES, Description, Enumeration, Field, Record, snake

_HEAD = f"""// What the monitors record. Generated from {SOURCE} by `make regs`: do not edit.
//
// A monitor fills in a struct by the names of its fields; the function with it puts each field at its place in the
// record's words. docs/events.md lists all of them.

package kvcpu_events_pkg;
  import kvcpu_tb_pkg::*;
"""


def _type(bits: int) -> str:
    return "logic" if bits == 1 else f"logic [{bits - 1}:0]"


def _struct(name: str, lines: list[str]) -> list[str]:
    return ["  typedef struct packed {", *lines, f"  }} {name};"]


def _members(fields: tuple[Field, ...]) -> Iterator[str]:
    """Declarations of a record's members: an included group is one of them."""
    seen: set[str] = set()
    for field in fields:
        if not field.group:
            yield f"    {_type(field.bits)} {field.name};  // {field.meaning}"
        elif field.group not in seen:
            seen.add(field.group)
            yield f"    {field.group}_ev_t {field.group};"


def _source(field: Field) -> str:
    inner = field.name.removeprefix(f"{field.group}_") if field.group else ""
    return f"{field.group}.{inner}" if inner else field.name


def _word(record: Record, number: int) -> str:
    """The concatenation that makes one word: fields from its highest byte down, zeros between."""
    low, high = number * WORD_BYTES, (number + 1) * WORD_BYTES
    parts: list[str] = []
    at = high
    inside = sorted((f for f in record.fields if low <= f.offset < high), key=lambda f: -f.offset)
    for field in inside:
        end = field.offset + field.size
        if end < at:
            parts.append(f"{(at - end) * 8}'d0")
        whole = field.bits == field.size * 8
        parts.append(f"r.{_source(field)}" if whole else f"{field.size * 8}'(r.{_source(field)})")
        at = field.offset
    kind = record.code if number == 1 else None
    floor = low + (kind is not None)
    if not inside and kind is None:
        return "0"
    if at > floor:
        parts.append(f"{(at - floor) * 8}'d0")
    if kind is not None:
        parts.append(f"8'd{kind}")
    return f"{{{', '.join(parts)}}}"


def _record(record: Record) -> list[str]:
    name = snake(record.name)
    lines = ["", f"  /// {record.meaning[0].upper()}{record.meaning[1:]}."]
    if record.fields:
        lines += _struct(f"{name}_ev_t", list(_members(record.fields)))
    words = [f"      {_word(record, number)}" for number in range(1, record.stream.words)]
    lines.append(f"  function automatic void record_{name}({f'{name}_ev_t r' if record.fields else ''});")
    lines.append(f"    kv_record{record.stream.words}(\n      Stream{record.stream.name},\n" + ",\n".join(words) + ");")
    lines.append("  endfunction")
    return lines


def _enum(enum: Enumeration) -> list[str]:
    """An enumeration that the RTL does not have."""
    members = [
        f"    {enum.prefix}{''.join(part.capitalize() for part in member.split('_'))} = {enum.bits}'d{code}"
        for member, code in enum.members.items()
    ]
    return ["", f"  typedef enum {_type(enum.bits)} {{", ",\n".join(members), f"  }} {snake(enum.name)}_e;"]


def emit(description: Description) -> str:
    """The text of the package."""
    lines = [_HEAD]
    lines += [
        f"  localparam int Stream{s.name} = {s.number};  // {s.words} words, {s.meaning}"
        for s in description.streams.values()
    ]
    for enum in description.enums.values():
        if not enum.sv:
            lines += _enum(enum)
    for name, fields in description.groups.items():
        lines.append("")
        lines += _struct(f"{name}_ev_t", [f"    {_type(f.bits)} {f.name};  // {f.meaning}" for f in fields])
    for record in description.records:
        lines += _record(record)
    return "\n".join([*lines, "", "endpackage", ""])
