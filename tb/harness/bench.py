"""The driving side of a top-level test: clock cycles, resets, MMIO, lookups, memories, all without Python per cycle."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Event

from tb.events.log import EventLog
from tb.events.timeline import CLOCK
from tb.harness import link as lk
from tb.harness.base_test import Context
from tb.harness.link import ACCESS, ANSWER, REQUEST, Array, Link, OneAccess

RESET_CYCLES = 8
FOREVER = 2**64 - 1
WAIT_LIMIT = 2_000_000  # cycles
DRAIN_AT_WORDS = 1 << 20  # of a stream of records


class Refused(AssertionError):
    """An access that the test takes for granted was refused."""


class Bench:
    """One device under test and everything around it.

    All waits end in HDL: a batch of accesses or lookups runs by itself and wakes Python when it is done.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dut = ctx.dut
        self.link = Link()
        self.entries = int(ctx.parameters.get("ENTRIES", 1024))
        self.lanes = int(ctx.parameters.get("LANES", 4))
        self.ports = int(ctx.parameters.get("PORTS", 3))
        self.block_tokens = int(ctx.parameters.get("BLOCK_TOKENS", 16))
        self.axi_bytes = int(ctx.parameters.get("AXI_DATA_WIDTH", 512)) // 8
        self._events = {bit: Event() for bit in range(32)}
        self._one = [OneAccess() for _ in range(2)]
        self._kept: list[Array] = []  # arrays that the C++ side still writes
        seed = ctx.np_rng.integers(1, 2**62)
        self.link.axi_seed(int(seed))
        for bar in range(2):
            self.link.mmio_config(bar, 0, int(seed) + bar)
        for port in range(self.ports):
            self.link.lookup_config(port, 0, 0, int(seed) + 16 + port)
        self.on_records: Callable[[], None] | None = None  # called when many records wait
        self.taps: list[Callable[[int, Array], None]] = []  # get every record: stream, words (n, words)
        if ctx.event_log is not None:
            self._log_events(ctx.event_log)
        self.link.drain_at(DRAIN_AT_WORDS)
        self.resets = 0
        self.pins: Any = None  # a pin-level master takes the place of the transactor while set
        cocotb.start_soon(self._dispatch(), name="bench: wake-up of Python")

    def _log_events(self, path: Path) -> None:
        """Every record into the event log."""
        sizes = {"ENTRIES": self.entries, "LANES": self.lanes, "PORTS": self.ports, "BLOCK_TOKENS": self.block_tokens}
        sizes[CLOCK] = self.ctx.clock_ps
        log = EventLog(path, sizes)
        self.taps.append(log.add)
        self.ctx.on_close(log.close)

    async def _dispatch(self) -> None:
        """Turn a change of `wake_count` into events."""
        while True:
            await self.dut.wake_count.value_change
            flags = self.link.take_wake()
            if flags & lk.WAKE_DRAIN and self.on_records:
                self.on_records()
            if flags & lk.WAKE_VIOLATION:
                self.check_violations()
            for bit, event in self._events.items():
                if flags >> bit & 1:
                    event.set()

    async def _woken(self, flag: int, who: str, what: str) -> None:
        event = self._events[flag.bit_length() - 1]
        event.clear()
        await self.ctx.wait(event.wait(), who, what)

    def check_violations(self) -> None:
        """Fail with the first violation that a protocol checker has reported."""
        found = self.link.violations()
        if found:
            at, text = found[0]
            self.ctx.fail(AssertionError(f"protocol: {text} (cycle {at}; {len(found)} in all)"), at)

    # ------------------------------------------------------------------ time

    @property
    def cycle(self) -> int:
        """Number of the coming clock edge, as in the monitors' records."""
        return int(self.link.cycle())

    async def cycles(self, n: int) -> None:
        """Let `n` cycles pass."""
        if n > 0:
            await self.ctx.cycles(n)

    # ------------------------------------------------------------------ reset

    async def reset(self, cycles: int = RESET_CYCLES) -> None:
        """Hold the device in reset for `cycles` from now on, then let go."""
        now = self.cycle
        self.resets += 1
        self.link.reset(now, now + cycles)
        await self.cycles(cycles + 2)

    # ------------------------------------------------------------------ MMIO

    def accesses(self, items: Iterable[tuple[int, int, int]]) -> Array:
        """`ACCESS` records from (kind, address, data)."""
        rows = list(items)
        out = np.zeros(len(rows), ACCESS)
        out["kind"] = [r[0] for r in rows]
        out["addr"] = [r[1] for r in rows]
        out["data"] = np.array([r[2] for r in rows], dtype=np.uint64)
        out["strb"] = 0xFF
        out["resp"] = lk.NOT_RUN
        return out

    async def run_accesses(self, accesses: Array, bar: int = 0, stop_on_refused: bool = False) -> int:
        """Run a batch through the transactor; results are in the records. Returns how many were run."""
        if not len(accesses):
            return 0
        resets = self.resets
        if self.pins is not None and bar == 0:
            done = await self.pins.run(accesses, stop_on_refused)
        else:
            self._kept.append(accesses)
            self.link.mmio_start(bar, accesses, stop_on_refused)
            while (done := self.link.mmio_done(bar)) < 0:
                await self._woken(lk.WAKE_MMIO[bar], f"MMIO transactor {bar}", f"{len(accesses)} accesses")
            self._forget(accesses)
        self.ctx.transaction(int(done))
        late = np.flatnonzero(accesses["resp"][:done] == lk.TIMED_OUT)
        if late.size and accesses["kind"][late[0]] <= lk.WRITE and self.resets == resets:
            self._no_response(int(accesses["addr"][late[0]]))
        return int(done)

    def _forget(self, array: Array) -> None:
        self._kept = [kept for kept in self._kept if kept is not array]

    async def read(self, addr: int) -> int:
        """Read a register; Refused when the device refuses."""
        one = self.accesses([(lk.READ, addr, 0)])
        await self.run_accesses(one)
        if one["resp"][0] != lk.OKAY:
            self.ctx.fail(Refused(f"read of {addr:#06x}: expected OKAY, seen response {one['resp'][0]}"))
        return int(one["data"][0])

    async def write(self, addr: int, value: int) -> None:
        """Write a register; Refused when the device refuses."""
        await self.write_all([(addr, value)])

    async def write_all(self, items: Sequence[tuple[int, int]]) -> None:
        """Write registers one after another; Refused at the first that the device refuses."""
        batch = self.accesses((lk.WRITE, addr, value) for addr, value in items)
        done = await self.run_accesses(batch, stop_on_refused=True)
        if batch["resp"][done - 1] != lk.OKAY:
            addr, value = items[done - 1]
            self.ctx.fail(
                Refused(f"write of {value:#x} to {addr:#06x}: expected OKAY, seen response {batch['resp'][done - 1]}")
            )

    async def try_write(self, addr: int, value: int, strb: int = 0xFF) -> int:
        """Write a register; returns the response."""
        return (await self._access(lk.WRITE, addr, value, strb, 0))[0]

    async def try_read(self, addr: int, bar: int = 0) -> tuple[int, int]:
        """Read a register; returns (response, data)."""
        return await self._access(lk.READ, addr, 0, 0xFF, bar)

    async def _access(self, kind: int, addr: int, data: int, strb: int, bar: int) -> tuple[int, int]:
        """One access, as `run_accesses` does many; returns (response, data)."""
        if self.pins is not None and bar == 0:
            return await self._batched(kind, addr, data, strb, bar)
        resets, one = self.resets, self._one[bar]
        one.ask(kind, addr, data, strb)
        self.link.mmio_start_one(bar, one)
        while self.link.mmio_done(bar) < 0:
            await self._woken(lk.WAKE_MMIO[bar], f"MMIO transactor {bar}", "an access")
        self.ctx.transaction()
        response, seen = one.answer()
        if response == lk.TIMED_OUT and self.resets == resets:
            self._no_response(addr)
        return response, seen

    async def _batched(self, kind: int, addr: int, data: int, strb: int, bar: int) -> tuple[int, int]:
        """One access by `run_accesses`."""
        batch = self.accesses([(kind, addr, data)])
        batch["strb"] = strb
        await self.run_accesses(batch, bar)
        return int(batch["resp"][0]), int(batch["data"][0])

    def _no_response(self, addr: int) -> None:
        self.ctx.fail(AssertionError(f"MMIO at {addr:#06x}: no response"))

    async def wait_irq(self, limit: int = WAIT_LIMIT) -> bool:
        """Wait for the interrupt in HDL; False after `limit` cycles."""
        one = self.accesses([(lk.WAIT_IRQ, 0, limit)])
        await self.run_accesses(one)
        return int(one["resp"][0]) == lk.OKAY

    async def read_entries(self, indices: Sequence[int]) -> list[bytes]:
        """Entries through BAR2, 32 bytes each."""
        batch = self.accesses((lk.READ, index * 32 + word * 8, 0) for index in indices for word in range(4))
        done = await self.run_accesses(batch, bar=1)
        if done != len(batch) or (batch["resp"] != lk.OKAY).any():
            self.ctx.fail(Refused(f"BAR2: expected OKAY, seen responses {set(batch['resp'].tolist())}"))
        raw = batch["data"].astype("<u8").tobytes()
        return [raw[i : i + 32] for i in range(0, len(raw), 32)]

    # ------------------------------------------------------------------ lookups

    def lookup_rates(self, idle256: int, stall256: int) -> None:
        """Chance (of 256) per cycle that a port does not ask, and that it does not take an answer."""
        for port in range(self.ports):
            self.link.lookup_config(port, idle256, stall256, int(self.ctx.np_rng.integers(1, 2**62)))

    async def lookups(self, port: int, kv_addrs: Any, writes: Any = 0) -> Array:
        """Look up many KV addresses at one port; returns `ANSWER` records in order."""
        requests = np.zeros(len(kv_addrs), REQUEST)
        requests["kv_addr"] = np.asarray(kv_addrs, dtype=np.uint64)
        requests["write"] = writes
        answers = np.zeros(len(kv_addrs), ANSWER)
        if not len(requests):
            return answers
        channel = self.ctx.channel(f"lookup port {port}")
        self._kept += [requests, answers]
        wanted = self.link.lookup_done(port) + self.link.lookup_waiting(port) + 1
        self.link.lookup_start(port, requests, answers)
        while self.link.lookup_done(port) < wanted:
            await self._woken(lk.wake_port(port), f"lookup port {port}", f"{len(requests)} answers")
            if self.link.lookup_waiting(port) == 0 and self.link.lookup_done(port) < wanted:
                answers = answers[: np.count_nonzero(answers["answered"])]  # a reset took the others away
                break
        else:
            channel.sent(len(requests))
            channel.received(int(np.count_nonzero(answers["answered"])))
        self._kept = [kept for kept in self._kept if kept is not requests and kept is not answers]
        self.ctx.transaction(len(answers))
        return answers

    async def lookups_at_all(self, work: Sequence[tuple[Any, Any]]) -> list[Array]:
        """Lookups at ports 0, 1, ... at once: (kv_addrs, writes) for each."""
        tasks = [cocotb.start_soon(self.lookups(p, a, w), name=f"lookups {p}") for p, (a, w) in enumerate(work)]
        return [await task for task in tasks]
