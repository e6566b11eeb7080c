"""Text of a difference: subject, place, expected and seen, in the contract's words."""

from collections.abc import Mapping
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
    """One value that differs."""
    return f"{subject}{place(where)}: expected {shown(expected)}, seen {shown(seen)}"


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
