"""Text of a difference: subject, place, expected and seen, in the contract's words."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from sw.regs.kv_address import KvAddress

KV_ADDRESSES = ("kv_addr", "KV address", "block")
SHOWN_FIELDS = 6


def shown(value: Any, name: str = "") -> str:
    """A value as messages have it: numbers with their hexadecimal form, KV addresses by their parts."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        return str(value)
    if name in KV_ADDRESSES:
        return f"{KvAddress.unpack(int(value))} ({int(value):#018x})"
    return f"{value} ({int(value):#x})" if abs(int(value)) > 9 else str(value)


def place(where: Mapping[str, Any]) -> str:
    """` name=value` of each part."""
    return "".join(f" {name}={shown(value, name)}" for name, value in where.items())


def difference(subject: str, where: Mapping[str, Any], expected: Any, seen: Any) -> str:
    """One value that differs; of what has parts, the parts that do."""
    parts = _parts(subject, expected, seen)
    if parts is not None:
        return field_differences(subject, where, *parts)
    return f"{subject}{place(where)}: expected {shown(expected)}, seen {shown(seen)}"


def _parts(subject: str, expected: Any, seen: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Both values by the names of their parts; None for what has none.

    Fields of dataclasses and mappings; elements of sequences, by the names that the subject lists ("pools: free, held")
    or by their numbers; bytes by their numbers.
    """
    if is_dataclass(expected) and type(expected) is type(seen) and not isinstance(expected, type):
        names = [field.name for field in fields(expected)]
        return {n: getattr(expected, n) for n in names}, {n: getattr(seen, n) for n in names}
    if isinstance(expected, Mapping) and isinstance(seen, Mapping):
        keys = [*expected, *(key for key in seen if key not in expected)]
        return {str(k): expected.get(k, "none") for k in keys}, {str(k): seen.get(k, "none") for k in keys}
    sequences = (list, tuple, bytes)
    if isinstance(expected, sequences) and type(expected) is type(seen) and len(expected) == len(seen) > 1:
        names = subject.rpartition(":")[2].split(",")
        if len(names) != len(expected):
            names = [f"{'byte' if isinstance(expected, bytes) else 'element'} {i}" for i in range(len(expected))]
        labels = [name.strip() for name in names]
        return dict(zip(labels, expected, strict=True)), dict(zip(labels, seen, strict=True))
    return None


def field_differences(
    subject: str, where: Mapping[str, Any], expected: Mapping[str, Any], seen: Mapping[str, Any]
) -> str:
    """The fields of `expected` that `seen` has other values for, each by its name."""
    parts = [
        f"{name}: expected {shown(want, name)}, seen {shown(seen.get(name), name)}"
        for name, want in expected.items()
        if want != seen.get(name)
    ]
    more = f"; {len(parts) - SHOWN_FIELDS} more fields differ" if len(parts) > SHOWN_FIELDS else ""
    return f"{subject}{place(where)}: " + "; ".join(parts[:SHOWN_FIELDS]) + more
