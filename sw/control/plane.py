"""The control plane: checks a request in the contract's order, has it done, replies (software.md 3)."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from sw.control.codes import Code
from sw.control.graph_service import GraphService
from sw.control.llm_commands import LlmCommands
from sw.kernel.capability import AuditSink, Capabilities


class Now(Protocol):
    """The part of a clock that the control plane needs."""

    def now(self) -> int:
        """Absolute device time in ns."""


class ControlStream:
    """One client's stream of bytes.

    Attributes:
        dropped: bytes that belonged to no frame.
    """

    dropped: int

    @property
    def deadline_ns(self) -> int | None:
        """Time at which `expire` has something to answer; None when no frame is under way."""
        raise NotImplementedError

    async def feed(self, data: bytes) -> bytes:
        """Take bytes as they come; the replies they cause, in order, one behind the other."""
        raise NotImplementedError

    async def expire(self) -> bytes:
        """The replies to what was not whole in time."""
        raise NotImplementedError


class ControlPlane:
    """Frames to graph and LLM service.

    Attributes:
        replies: how many replies had which code.
        dropped: bytes of all streams that belonged to no frame.
    """

    def __init__(
        self,
        graph: GraphService,
        llm: LlmCommands | None,
        capabilities: Capabilities,
        clock: Now,
        audit: AuditSink,
    ) -> None:
        """Answer frames; without an LLM service 0x10 to 0x16 are Unsupported."""
        self.replies: Counter[Code] = Counter()
        self.dropped = 0
        raise NotImplementedError

    async def handle(self, frame: bytes) -> bytes:
        """Answer one frame that came as a whole (a datagram, a script's).

        Bytes that do not fill the frame, or go on behind it, are BadFrame.
        """
        raise NotImplementedError

    def open_stream(self) -> ControlStream:
        """A stream of a new client."""
        raise NotImplementedError
