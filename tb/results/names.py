"""How a user names a run: regress-12, 12, last, last-1."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from tb.run.errors import UsageError
from tb.run.store.database import Head

NEAR = 3


def find(text: str, heads: Sequence[Head], variable: str) -> Head:
    """The run that `text` names among `heads`, the oldest first.

    `last` is the newest run, `last-n` the n-th run of its kind before it; `<kind>-last` and `<kind>-last-n` the same of
    one kind. Raises UsageError with the names that are near.
    """
    if not heads:
        raise UsageError(f"{variable}={text}: the store has no run: `make sim` and the other commands leave one each")
    found = _relative(text, heads) or next((head for head in heads if text in (head.name, str(head.number))), None)
    if found is None:
        raise UsageError(f"{variable}={text}: no run has this name; near: {', '.join(_near(text, heads))}")
    return found


def _relative(text: str, heads: Sequence[Head]) -> Head | None:
    match = re.fullmatch(r"(?:([a-z][\w-]*)-)?last(?:-(\d{1,9}))?", text, re.ASCII)
    if not match:
        return None
    kind = match[1] or heads[-1].kind
    alike = [head for head in heads if head.kind == kind]
    back = int(match[2] or 0)
    return alike[-1 - back] if back < len(alike) else None


def _near(text: str, heads: Sequence[Head]) -> list[str]:
    names = [head.name for head in reversed(heads)]
    return difflib.get_close_matches(text, names, NEAR, 0.5) or names[:NEAR]
