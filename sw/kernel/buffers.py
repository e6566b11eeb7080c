"""Shared buffers: prompts and packages travel in them by handle, never in a frame (software.md 3)."""

from __future__ import annotations

from dataclasses import dataclass

from sw.codes import Code, Refusal
from sw.kernel.capability import AuthFailed, Capability, Object, Rights
from sw.kernel.decision import AuditSink, decided
from sw.kernel.growth import Growth, Resource

HANDLES = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class _Buffer:
    holder: str
    data: bytes


class Buffers:
    """Byte strings by handle, each its holder's alone."""

    def __init__(
        self, audit: AuditSink, growth: Growth, *, limit_bytes: int = 64 << 20, limit_handles: int = 64
    ) -> None:
        """No buffers.

        Args:
            audit: gets one entry for each buffer made or refused.
            growth: asked before there are more buffers than ever before.
            limit_bytes: of all buffers of one holder.
            limit_handles: buffers of one holder.
        """
        self._audit = audit
        self._growth = growth
        self._limit_bytes = limit_bytes
        self._limit_handles = limit_handles
        self._buffers: dict[int, _Buffer] = {}
        self._last = 0
        self._most = 0

    def __len__(self) -> int:
        """Buffers of all holders."""
        return len(self._buffers)

    def reserve(self, handles: int) -> None:
        """Make room for so many buffers in all, ahead of deterministic mode.

        Raises:
            GrowthRefused: deterministic mode is on already, and there never were so many.
        """
        if handles > self._most:
            self._growth.note(Resource.HANDLE, handles - self._most)
            self._most = handles

    def make(self, cap: Capability, data: bytes) -> int:
        """Keep a copy of `data` for the capability's holder.

        Returns:
            The handle, a u32, never 0; a released one comes back only after all others.

        Raises:
            AuthFailed: the capability has no SUBMIT, or is for neither Llm nor Model.
            Refusal: BadArgument without a byte; NoRoom over a limit of the holder.
            GrowthRefused: deterministic mode, and there never were so many buffers.
        """
        handle = self._free_handle()
        with decided(self._audit, cap, "buffer.make", f"buffer:{handle}", bytes=len(data)):
            if not cap.rights & Rights.SUBMIT or not cap.objects & (Object.LLM | Object.MODEL):
                raise AuthFailed(cap.id)
            if not data:
                raise Refusal(Code.BAD_ARGUMENT, "a buffer without a byte")
            sizes = [len(buffer.data) for buffer in self._buffers.values() if buffer.holder == cap.holder]
            if len(sizes) >= self._limit_handles:
                raise Refusal(Code.NO_ROOM, f"{cap.holder} has {len(sizes)} buffers; no more are allowed")
            if sum(sizes) + len(data) > self._limit_bytes:
                raise Refusal(Code.NO_ROOM, f"{cap.holder} has {sum(sizes)} of {self._limit_bytes} bytes in buffers")
            self.reserve(len(self._buffers) + 1)
        self._buffers[handle] = _Buffer(cap.holder, bytes(data))
        self._last = handle
        return handle

    def get(self, cap: Capability, handle: int) -> bytes:
        """The bytes of a buffer of the capability's holder.

        Raises:
            Refusal: NotFound: no such handle, or another holder's.
        """
        buffer = self._buffers.get(handle)
        if buffer is None or buffer.holder != cap.holder:
            raise Refusal(Code.NOT_FOUND, f"no buffer {handle}")
        return buffer.data

    def release(self, cap: Capability, handle: int) -> None:
        """Give a buffer back; one audit entry, of a refusal too.

        Raises:
            Refusal: NotFound: no such handle, or another holder's.
        """
        with decided(self._audit, cap, "buffer.release", f"buffer:{handle}") as counts:
            counts["bytes"] = len(self.get(cap, handle))
        del self._buffers[handle]

    def _free_handle(self) -> int:
        handle = self._last % HANDLES + 1
        while handle in self._buffers:
            handle = handle % HANDLES + 1
        return handle
