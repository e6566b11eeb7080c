"""Enumerations of SystemVerilog sources: what their values are called."""

import re
from functools import cache
from pathlib import Path

_ENUM = re.compile(r"typedef\s+enum\s+logic\s*(?:\[(\d+):0\])?\s*\{([^}]*)\}\s*(\w+)\s*;")
_MEMBER = re.compile(r"(\w+)\s*(?:=\s*(?:\d+'[dD])?(\d+))?\s*(?:,|$)")


@cache
def enums_of(path: Path) -> dict[str, tuple[int, dict[str, int]]]:
    """(width in bits, members by name) of every enum typedef in a file, by the typedef's name."""
    text = re.sub(r"//.*", "", path.read_text())
    found = {}
    for width, body, name in _ENUM.findall(text):
        members: dict[str, int] = {}
        code = -1
        for member, value in _MEMBER.findall(" ".join(body.split())):
            code = int(value) if value else code + 1
            members[member] = code
        found[name] = (int(width or 0) + 1, members)
    return found


def find_enum(folder: Path, name: str) -> dict[str, int]:
    """Members of the enum typedef of this name in a folder of sources. Raises LookupError."""
    for path in sorted(folder.rglob("*.sv")):
        if name in path.read_text() and name in enums_of(path):
            return enums_of(path)[name][1]
    raise LookupError(f"no enum `{name}` in {folder}")
