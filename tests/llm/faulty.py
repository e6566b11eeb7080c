"""A device model behind a transport that can be cut off."""

from __future__ import annotations

from collections.abc import Sequence

from model.device import DeviceModel
from sw.transport.base import Lookup, LookupAnswer, TransportError, WaitTimeout
from sw.transport.model import ModelTransport


class Faulty(ModelTransport):
    """As the model until a fault is set.

    Attributes:
        lost: raised by every access while it is set.
        deaf: the interrupt never comes while it is set.
        blind: lookups fail while it is set.
    """

    def __init__(self) -> None:
        super().__init__(DeviceModel(entries=1024, lanes=4))
        self.lost: TransportError | None = None
        self.deaf = False
        self.blind = False

    def _check(self) -> None:
        if self.lost:
            raise self.lost

    async def read(self, offset: int) -> int:
        self._check()
        return await super().read(offset)

    async def write(self, offset: int, value: int) -> None:
        self._check()
        await super().write(offset, value)

    async def sleep(self, ns: int) -> None:
        self._check()
        await super().sleep(ns)

    async def wait_irq(self, timeout_ns: int) -> None:
        self._check()
        if self.deaf:
            await super().sleep(timeout_ns)
            raise WaitTimeout(timeout_ns)
        await super().wait_irq(timeout_ns)

    async def lookups(self, requests: Sequence[Lookup]) -> list[LookupAnswer]:
        self._check()
        if self.blind:
            raise TransportError("no answer from the lookup port")
        return await super().lookups(requests)

    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        self._check()
        return await super().mem_read(tier, phys_addr, count)

    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        self._check()
        await super().mem_write(tier, phys_addr, data)
