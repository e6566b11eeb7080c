"""Operators that every graph has: what `graphctl` can build without a service."""

from __future__ import annotations

from sw.kernel.graph import Message, OperatorIo, OperatorKind

PASS = 1
SOURCE = 2
SINK = 3


class Pass:
    """Sends on what it takes."""

    pending = False

    async def step(self, io: OperatorIo) -> None:
        """One message."""
        message = io.take()
        if message is not None:
            io.put(message)


class Source:
    """Sends messages without end, numbered from 0 in their handle; back-pressure alone stops it."""

    pending = True

    def __init__(self) -> None:
        self._next = 0

    async def step(self, io: OperatorIo) -> None:
        """One message."""
        io.put(Message(self._next))
        self._next += 1


class Sink:
    """Takes messages and drops them."""

    pending = False

    async def step(self, io: OperatorIo) -> None:
        """One message."""
        io.take()


BUILT_IN: dict[int, OperatorKind] = {
    PASS: OperatorKind(Pass),
    SOURCE: OperatorKind(Source),
    SINK: OperatorKind(Sink),
}
