"""Records in words: names of fields and enumerations, addresses as the contract writes them."""

from collections.abc import Mapping
from typing import Any

from sw.regs.kv_address import KvAddress
from tb.events.fields import Field, Record, selector

WORD = (1 << 64) - 1

# The same in SQL, for the views of the event log; {0} is the column.
_PARTS = "(({0} >> 48) & 65535) || ':' || (({0} >> 40) & 255) || ':' || (({0} >> 32) & 255)"
EXPRESSIONS = {
    "hex": "printf('0x%x', {0})",
    "kv": f"{_PARTS} || ':' || ({{0}} & 4294967295)",
    "key": f"{_PARTS} || ':#' || ({{0}} & 4294967295)",
}


def address(number: int) -> str:
    """A KV address of the log, whose 64-bit integers are signed."""
    return str(KvAddress.unpack(number & WORD))


def block(number: int) -> str:
    """A block's key of the log: request, layer, head, block."""
    parts = KvAddress.unpack(number & WORD)
    return f"{parts.request_id}:{parts.layer}:{parts.head}:#{parts.token}"


def value(field: Field, number: int) -> str:
    """One field's value."""
    if field.enum:
        return field.enum.label(number)
    if field.shown_as == "kv":
        return address(number)
    if field.shown_as == "key":
        return block(number)
    return f"{number & WORD:#x}" if field.shown_as == "hex" else str(number & WORD)


def applies(record: Record, field: Field, values: Mapping[str, Any]) -> bool:
    """The field means something in this record."""
    of = selector(record.fields)
    operation = of.enum.label(values[of.name]) if of and of.enum else ""
    return all(operation in c.ops or bool(c.when and values[c.when]) for c in field.conditions)


def text(record: Record, values: Mapping[str, Any]) -> str:
    """One record in a line: flags by their names where they are set, other fields as name=value."""
    words = [f"cycle {values['cycle']} {record.name}"]
    for field in record.fields:
        if not applies(record, field, values):
            continue
        if field.format == "?":
            words += [field.label.replace(" ", "_")] if values[field.name] else []
        else:
            words.append(f"{field.label.replace(' ', '_')}={value(field, values[field.name])}")
    return " ".join(words)


def first_difference(record: Record, left: Mapping[str, Any], right: Mapping[str, Any]) -> str:
    """The first field in which two records of one kind differ, with both values; "" when they are equal."""
    if left["cycle"] != right["cycle"]:
        return f"cycle: {left['cycle']} and {right['cycle']}"
    for field in record.fields:
        if left[field.name] != right[field.name]:
            return f"{field.label}: {value(field, left[field.name])} and {value(field, right[field.name])}"
    return ""
