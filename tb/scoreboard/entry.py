"""An entry as a monitor saw it against the golden model's, field by field."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from model import DeviceState
from model.entries import EntryView
from tb.events.fields import description
from tb.events.records import DumpRecord, EntryReadRecord, OpRecord

_GROUP = description().groups["entry"]
_ENTRY: Mapping[type[Any], Callable[[Any], tuple[int, ...]]] = {
    record: itemgetter(*(record._fields.index(f"entry_{field.name}") for field in _GROUP))
    for record in (OpRecord, DumpRecord)
}
_VIEW_NAMES = {"prio": "priority"}  # where the golden model has another name than the record


def expected_entry(state: DeviceState, index: int, epoch: bool) -> tuple[int, ...]:
    """The golden model's entry, its fields in the order of the records. `epoch` is the hardware's own."""
    e = state.entries
    return (
        e.key[index],
        e.access_step[index],
        e.prio[index],
        e.slot[index],
        e.ref_count[index],
        e.r[index],
        e.f[index],
        e.token_end[index],
        e.tier[index],
        e.valid[index],
        e.prefix[index],
        e.dirty[index],
        e.hot[index],
        e.evictable[index],
        e.hint[index],
        epoch,
        e.in_flight[index],
        e.moving[index],
        e.voided[index],
    )


def seen_entry(record: OpRecord | DumpRecord) -> tuple[int, ...]:
    """The entry in a record."""
    return _ENTRY[type(record)](record)


def named(values: tuple[int, ...]) -> dict[str, Any]:
    """An entry's values by the contract's names."""
    out: dict[str, Any] = {}
    for field, value in zip(_GROUP, values, strict=True):
        out[field.label] = field.enum.label(value) if field.enum else f"{value:#018x}" if field.name == "key" else value
    return out


def read_by_window(record: EntryReadRecord) -> dict[str, int]:
    """An entry as BAR2 latched it, by the contract's names."""
    labels = {field.name: field.label for field in description().record("EntryRead").fields if field.name != "index"}
    return {label: getattr(record, name) for name, label in labels.items()}


def architectural(view: EntryView) -> dict[str, int]:
    """The golden model's entry by the contract's names, as `read_by_window` gives them."""
    fields = description().record("EntryRead").fields
    values: Mapping[str, int] = {"layer_head": view.layer * 256 + view.head}
    return {
        field.label: values[field.name]
        if field.name in values
        else int(getattr(view, _VIEW_NAMES.get(field.name, field.name)))
        for field in fields
        if field.name != "index"
    }


def window_word(image: bytes, word: int, data: int) -> tuple[dict[str, int], dict[str, int]]:
    """(expected, seen) fields of an entry whose image is read with `data` in place of one of its words."""
    seen = bytearray(image)
    seen[word * 8 : word * 8 + 8] = data.to_bytes(8, "little")
    return architectural(EntryView.unpack(image)), architectural(EntryView.unpack(bytes(seen)))
