"""Writes `docs/events.md`."""

from tb.events.fields import SOURCE, Description, Field, Record

_HEAD = f"""# Events

Generated from `{SOURCE}` by `make regs`: do not edit.

What the monitors record, and so what the scoreboard replays and the event log holds (`docs/verification.md`). The
record of a cycle holds the values that its clock edge samples. In the log each kind has two tables: `<name>` with the
names of enumerations and hexadecimal addresses, to read, and `<name>_raw` with the numbers. Each has a column `seq`,
the order in which the records of a stream were written, and a column `cycle`; the others are the fields below
(`index` in quotation marks, as it is a word of SQL).

`dec`, `hex`: a number; `flag`: 0 or 1; `kv`: a KV address, shown as request:layer:head:token; `key`: a block, shown as
request:layer:head:#block; else the name of an enumeration (below).
"""


def _kind(field: Field) -> str:
    if field.enum:
        return field.enum.name
    return "flag" if field.bits == 1 else field.shown_as


def _condition(field: Field) -> str:
    alternatives = [[*c.ops, *([f"`{c.when}`"] if c.when else [])] for c in field.conditions]
    return " and ".join(", ".join(names) if len(names) != 2 else " or ".join(names) for names in alternatives)


def _record(record: Record) -> list[str]:
    lines = [f"\n### {record.name}\n", f"{record.meaning[0].upper()}{record.meaning[1:]}. Table `{record.table}`."]
    if not record.fields:
        return lines
    conditional = any(map(_condition, record.fields))
    lines += ["", f"| field | bits | shown as | {'only with | ' if conditional else ''}meaning |"]
    lines.append(f"| --- | --- | --- | {'--- | ' if conditional else ''}--- |")
    for field in record.fields:
        condition = f"{_condition(field)} | " if conditional else ""
        lines.append(f"| `{field.name}` | {field.bits} | {_kind(field)} | {condition}{field.meaning} |")
    return lines


def emit(description: Description) -> str:
    """The text of the page."""
    lines = [_HEAD.rstrip("\n")]
    for stream in description.streams.values():
        lines.append(f"\n## Stream {stream.name}: {stream.meaning}")
        for record in description.records:
            if record.stream == stream:
                lines += _record(record)
    lines.append("\n## Enumerations\n")
    lines += ["| name | values |", "| --- | --- |"]
    for enum in description.enums.values():
        lines.append(f"| {enum.name} | {', '.join(f'{code} {name}' for name, code in enum.members.items())} |")
    return "\n".join(lines) + "\n"
