"""What the device reports, to the programs that read it: completions and misses as records (docs/tools.md).

A record is a packet of its own on the connection that is a program's open file, so that read, poll and select need
nothing of the node. A program that does not read fills its own connection only: what finds no room is counted.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from sw.driver import Driver
from sw.driver.types import CompletionItem
from sw.regs.kv_address import KvAddress
from sw.uapi.description import EVENT, EventKind

_U32 = (1 << 32) - 1


class Events:
    """The open files that may read, and how many records each has lost."""

    def __init__(self, driver: Driver) -> None:
        """Deliver what `driver` reads from its queues."""
        self._driver = driver
        self._lost: dict[socket.socket, int] = {}
        self._step = 0
        driver.observer = self._observe

    def add(self, connection: socket.socket) -> None:
        """Deliver to a connection, which must not block."""
        self._lost[connection] = 0

    def remove(self, connection: socket.socket) -> None:
        """Deliver to it no more; one that nothing is delivered to is left alone."""
        self._lost.pop(connection, None)

    async def collect(self) -> None:
        """Look into the device's queues, if any client reads.

        Raises:
            DriverError, TransportError: the device does not answer.
        """
        if self._lost:
            self._step = await self._driver.current_step()
            await self._driver.collect()

    def _observe(self, completions: Sequence[CompletionItem], misses: Sequence[KvAddress]) -> None:
        for item in completions:
            self._deliver(EventKind.COMPLETION, item.kv_addr, item.status, item.from_tier, item.to_tier)
        for kv_addr in misses:
            self._deliver(EventKind.MISS, kv_addr, 0, 0, 0)

    def _deliver(self, kind: EventKind, where: KvAddress, status: int, from_tier: int, to_tier: int) -> None:
        now = self._driver.registers.transport.now()
        block = (where.token, where.request_id, where.layer, where.head)
        for connection, lost in self._lost.items():
            record = EVENT.layout.pack(now, self._step, min(lost, _U32), *block, kind, status, from_tier, to_tier, 0)
            try:
                connection.send(record, socket.MSG_NOSIGNAL)
            except OSError:  # full; or it has gone, which the server finds out by itself
                self._lost[connection] = lost + 1
            else:
                self._lost[connection] = 0
