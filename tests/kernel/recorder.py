"""An audit log that only remembers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    holder: str
    cap_id: int | None
    op: str
    obj: str
    code: int
    counts: dict[str, int] = field(default_factory=dict)


class Recorder:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def record(self, *, holder: str, cap_id: int | None, op: str, obj: str, code: int, **counts: int) -> None:
        self.entries.append(Entry(holder, cap_id, op, obj, code, counts))

    @property
    def last(self) -> Entry:
        return self.entries[-1]
