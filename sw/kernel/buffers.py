"""Shared buffers: prompts and packages travel in them by handle, never in a frame (software.md 3)."""

from __future__ import annotations

from sw.kernel.capability import AuditSink, Capability
from sw.kernel.growth import Growth


class Buffers:
    """Byte strings by handle, each its holder's alone.

    Attributes:
        held: bytes of all buffers.
    """

    def __init__(self, audit: AuditSink, growth: Growth, *, limit_bytes: int = 64 << 20, limit_handles: int = 64):
        """No buffers.

        Args:
            audit: gets one entry for each buffer made or refused.
            growth: asked before there are more buffers than ever before.
            limit_bytes: of all buffers of one holder.
            limit_handles: buffers of one holder.
        """
        raise NotImplementedError

    def make(self, cap: Capability, data: bytes) -> int:
        """Keep `data` for the capability's holder.

        Returns:
            The handle, a u32, never 0 and not reused soon.

        Raises:
            Refusal: AuthFailed without SUBMIT on Llm or Model; BadArgument without a byte; NoRoom
                over a limit of the holder, or in deterministic mode.
        """
        raise NotImplementedError

    def get(self, cap: Capability, handle: int) -> bytes:
        """The bytes of a buffer of the capability's holder.

        Raises:
            Refusal: NotFound: no such handle, or another holder's.
        """
        raise NotImplementedError

    def release(self, cap: Capability, handle: int) -> None:
        """Give a buffer back.

        Raises:
            Refusal: NotFound: no such handle, or another holder's.
        """
        raise NotImplementedError
