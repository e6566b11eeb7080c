"""The transport on the simulated RTL: the driver of sw/ runs on it unchanged (sw/transport/base.py has the contract).

A batch is one hand-over to the fast transactor; lookups of several ports run side by side; tier memory is shared with
the simulator and costs no device time.
"""

from collections.abc import Sequence

import cocotb
import numpy as np

from sw.regs import registers as regs
from sw.transport.base import (
    ENTRY_BYTES,
    AccessRefused,
    Lookup,
    LookupAnswer,
    Operation,
    Read,
    Transport,
    TransportError,
    WaitIrq,
    WaitTimeout,
    Write,
)
from tb.harness.bench import Bench
from tb.harness.link import OKAY, READ, WAIT_IRQ, WRITE, Array

_BASES = {regs.BY_NAME[f"TIER{tier}_BASE"].offset: tier for tier in range(4)}
_MAX_STRIDE = 65536


class RtlTransport(Transport):
    """Registers, window, ports and memories of the device in `bench`; use after the bench's reset."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._bases = [-1] * 4
        for tier in range(4):
            self._map(tier, 0)

    def _map(self, tier: int, base: int) -> None:
        """Give a tier all the memory that it can have; it is allocated when it is touched."""
        if base == self._bases[tier]:
            return
        if not self._bench.link.memory_map(tier, base, self._bench.entries * _MAX_STRIDE):
            raise TransportError(f"no memory for tier {tier}")
        self._bases[tier] = base

    @property
    def _ns_per_cycle(self) -> int:
        return self._bench.ctx.clock_ps // 1000

    def now(self) -> int:
        """Device time in ns."""
        return self._bench.cycle * self._ns_per_cycle

    async def sleep(self, ns: int) -> None:
        """Let device time pass."""
        await self._bench.cycles(-(-ns // self._ns_per_cycle))

    # ------------------------------------------------------------------ registers

    async def read(self, offset: int) -> int:
        """Read a register of BAR0."""
        response, data = await self._bench.try_read(offset)
        if response != OKAY:
            raise AccessRefused(Read(offset))
        return data

    async def write(self, offset: int, value: int) -> None:
        """Write a register of BAR0."""
        if await self._bench.try_write(offset, value) != OKAY:
            raise AccessRefused(Write(offset, value))
        self._written(offset, value)

    async def wait_irq(self, timeout_ns: int) -> None:
        """Return when the interrupt level is 1."""
        await self.batch([WaitIrq(timeout_ns)])

    async def batch(self, operations: Sequence[Operation]) -> list[int]:
        """Do the operations in order, up to the first that is refused."""
        if not operations:
            return []
        batch = self._bench.accesses(self._access(operation) for operation in operations)
        done = await self._bench.run_accesses(batch, stop_on_refused=True)
        ns = self._ns_per_cycle
        results: list[int] = []
        for operation, access in zip(operations[:done], batch[:done].tolist(), strict=True):
            data, _, ended, _, kind, _, resp, _ = access
            if resp != OKAY:
                if isinstance(operation, WaitIrq):
                    raise WaitTimeout(operation.timeout_ns, len(results), results)
                raise AccessRefused(operation, len(results), results)
            results.append(data if kind == READ else ended * ns if kind == WAIT_IRQ else 0)
            if isinstance(operation, Write):
                self._written(operation.offset, operation.value)
        return results

    def _written(self, offset: int, value: int) -> None:
        """A register has a new value; a tier's memory is where its base says."""
        if offset in _BASES:
            self._map(_BASES[offset], value)

    def _access(self, operation: Operation) -> tuple[int, int, int]:
        match operation:
            case Read(offset):
                return (READ, offset, 0)
            case Write(offset, value):
                return (WRITE, offset, value)
            case WaitIrq(timeout_ns):
                return (WAIT_IRQ, 0, timeout_ns // self._ns_per_cycle)
        raise TransportError(f"unknown operation {operation!r}")

    # ------------------------------------------------------------------ directory window

    async def read_window(self, offset: int) -> int:
        """Read 64 bits of BAR2."""
        response, data = await self._bench.try_read(offset, bar=1)
        if response != OKAY:
            raise AccessRefused(Read(offset))
        return data

    async def window(self, first: int, count: int) -> bytes:
        """`count` directory entries from index `first` on, 32 bytes each."""
        offsets = range(first * ENTRY_BYTES, (first + count) * ENTRY_BYTES, 8)
        batch = self._bench.accesses((READ, offset, 0) for offset in offsets)
        done = await self._bench.run_accesses(batch, bar=1, stop_on_refused=True)
        if done < len(batch) or (done and batch["resp"][done - 1] != OKAY):
            raise AccessRefused(Read(offsets[done - 1]), done - 1)
        return bytes(batch["data"].astype("<u8").tobytes())

    # ------------------------------------------------------------------ the accelerator's side

    async def lookup(self, port: int, kv_addr: int, write: bool) -> LookupAnswer:
        """One lookup through a port."""
        return (await self.lookups([Lookup(port, kv_addr, write)]))[0]

    async def lookups(self, requests: Sequence[Lookup]) -> list[LookupAnswer]:
        """Lookups of all ports side by side; answers in the order of the requests."""
        places: list[list[int]] = [[] for _ in range(self._bench.ports)]
        for i, request in enumerate(requests):
            if not 0 <= request.port < self._bench.ports:
                raise TransportError(f"the device has no lookup port {request.port}")
            places[request.port].append(i)
        tasks = {
            port: cocotb.start_soon(self._port(port, [requests[i] for i in mine]), name=f"lookups at port {port}")
            for port, mine in enumerate(places)
            if mine
        }
        answers: list[LookupAnswer] = [LookupAnswer(False, False, 0, 0, 0)] * len(requests)
        for port, task in tasks.items():
            for i, a in zip(places[port], (await task).tolist(), strict=True):
                answers[i] = LookupAnswer(bool(a[4]), bool(a[5]), a[6], a[2], a[3])
        return answers

    async def _port(self, port: int, requests: Sequence[Lookup]) -> Array:
        kv_addrs = np.array([r.kv_addr for r in requests], dtype=np.uint64)
        return await self._bench.lookups(port, kv_addrs, [r.write for r in requests])

    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        """Read bytes of a tier's memory."""
        data = self._bench.link.memory_read(tier, phys_addr, count)
        if data is None:
            raise TransportError(f"tier {tier} has no {count} bytes at {phys_addr:#x}")
        return data

    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Write bytes of a tier's memory."""
        if not self._bench.link.memory_write(tier, phys_addr, data):
            raise TransportError(f"tier {tier} has no {len(data)} bytes at {phys_addr:#x}")
