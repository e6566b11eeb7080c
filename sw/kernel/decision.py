"""Where decisions are written (software.md 4, "Audit"): one entry each, before the decision counts.

Also the boundary of a request: whatever goes wrong inside it fails that request alone, with a code.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from sw.codes import Code, Refusal
from sw.driver.errors import DriverError
from sw.transport.base import TransportError

log = logging.getLogger(__name__)


class NotRecorded(Exception):
    """A decision could not be kept in the audit log: it must not happen, and the server must stop."""


class AuditSink(Protocol):
    """The audit log, as the kernel and the control plane see it; never given a token or a prompt."""

    def record(self, *, holder: str, cap_id: int | None, op: str, obj: str, code: int, **counts: int) -> None:
        """One decision: who, by which capability (None: without one), what, on what, how it ended, sizes.

        Raises:
            NotRecorded: it could not be kept; then the decision must not happen.
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
    value is the entry's counts, for those that are known only inside. An exception that is no refusal
    becomes one (`bounded`).

    Raises:
        Refusal: the block's.
        NotRecorded: the entry could not be kept.
    """
    holder, number = (actor.holder, actor.id) if actor else ("", None)
    try:
        with bounded(op):
            yield counts
    except Refusal as refusal:
        audit.record(holder=holder, cap_id=number, op=op, obj=obj, code=refusal.code, **counts)
        raise
    audit.record(holder=holder, cap_id=number, op=op, obj=obj, code=Code.OK, **counts)


@contextmanager
def bounded(what: str, record: Callable[[Refusal], object] = lambda _: None) -> Iterator[None]:
    """The boundary of a request, or of a part of it that may fail by itself.

    Args:
        what: names it in the developers' log.
        record: called with the refusal that takes the place of another exception.

    Raises:
        Refusal: the block's own; DeviceFault in place of any other exception. A fault of the device says so
            itself; anything else is a defect of this program, of which one line goes to the developers' log.
        NotRecorded: the block's.
    """
    try:
        yield
    except (Refusal, NotRecorded):
        raise
    except Exception as error:
        refusal = Refusal(Code.DEVICE_FAULT, _why(error, what))
        record(refusal)
        raise refusal from error


def _why(error: Exception, what: str) -> str:
    """One line for the user about what is no refusal."""
    if isinstance(error, (DriverError, TransportError)):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    why = f"{type(error).__name__}: {error}".splitlines()[0]
    more = log.isEnabledFor(logging.DEBUG)
    log.error("%s failed by a defect at %s:%s: %s", what, frame.filename, frame.lineno, why, exc_info=more)
    return f"a defect of the service ({why})"
