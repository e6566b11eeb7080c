"""Where decisions are written (software.md 4, "Audit"): one entry each, before the decision counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sw.codes import Code, Refusal


class AuditSink(Protocol):
    """The audit log, as the kernel and the control plane see it; never given a token or a prompt."""

    def record(self, *, holder: str, cap_id: int | None, op: str, obj: str, code: int, **counts: int) -> None:
        """One decision: who, by which capability (None: nobody's), what, on what, how it ended, sizes.

        Raises:
            Exception: it could not be kept; then the decision must not happen.
        """


class Actor(Protocol):
    """Who decides or asks: a capability."""

    @property
    def id(self) -> int:
        """Number of the capability."""

    @property
    def holder(self) -> str:
        """Its tenant."""


@contextmanager
def decided(audit: AuditSink, actor: Actor | None, op: str, obj: str, **counts: int) -> Iterator[dict[str, int]]:
    """Around the checks of one decision: OK when they pass, the refusal's code when one raises.

    The entry is written at the end of the block; what the decision changes comes after it. The
    value is the entry's counts, for those that are known only inside.
    """
    holder, number = (actor.holder, actor.id) if actor else ("", None)
    try:
        yield counts
    except Refusal as refusal:
        audit.record(holder=holder, cap_id=number, op=op, obj=obj, code=refusal.code, **counts)
        raise
    audit.record(holder=holder, cap_id=number, op=op, obj=obj, code=Code.OK, **counts)
