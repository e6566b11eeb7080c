"""Two events of the device that meet, a chosen number of cycles apart.

A test names the two events and what starts each of them; `Meeting` finds the start times for which the second event
comes -3 to +3 cycles after the first (or whichever offsets are asked for) and runs the pair at each of them. When the
events came is read from the monitors' records.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from sw.regs import registers as regs
from tb.env.registers import offset
from tb.events.decode import as_records, of_kind
from tb.events.records import STREAM_MAIN, STREAM_SCAN, Kind, Op, ScoreRecord
from tb.harness.bench import Bench
from tb.harness.link import READ, WAIT_CYCLES, WRITE, Array
from tb.scoreboard.scoreboard import Scoreboard

OFFSETS = range(-3, 4)  # cycles from the first event to the second
TRIES = 6  # until the first offset is near
SETTLE, PATIENCE = 16, 40  # cycles between two looks whether both events have come, and how many looks
AROUND, FURTHER = 10, 40  # cycles
Access = tuple[int, int, int]  # kind, address, data: as Bench.accesses takes them
Prepare = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Mark:
    """An event in the monitors' records (docs/events.md): its kind, None for a scan step, and fields with their values.

    `irq` is the number of a bit that an interrupt's record must have set.
    """

    kind: Kind | None
    fields: tuple[tuple[str, int], ...] = ()
    irq: int | None = None

    def cycles(self, words: Array) -> list[int]:
        """Cycles of all such events in the words of their stream, in order."""
        records = as_records(words, ScoreRecord) if self.kind is None else of_kind(words, self.kind)
        chosen = np.ones(len(records), np.bool_)
        for name, value in self.fields:
            chosen &= records[name] == value
        if self.irq is not None:
            chosen &= np.isin(records["events"], [events for events in range(256) if events >> self.irq & 1])
        return [int(c) for c in records["cycle"][chosen]]


def happens(kind: Kind, **fields: int) -> Mark:
    """An event of a kind, whose record has these values."""
    return Mark(kind, tuple(fields.items()))


def commit(op: Op, kv_addr: int | None = None) -> Mark:
    """The commit point of an operation, of one KV address."""
    return happens(Kind.Op, op=int(op)) if kv_addr is None else happens(Kind.Op, op=int(op), kv_addr=kv_addr)


def accessed(name: str, write: bool = True) -> Mark:
    """The response of an access to a register of BAR0."""
    return happens(Kind.Mmio, bar=0, write=write, address=offset(name))


def scan_step(index: int) -> Mark:
    """The scan step that scores the entry at `index`."""
    return Mark(None, (("index", index),))


@dataclass(frozen=True)
class Part:
    """One of two events: `mark` tells it in the records, one of the others starts what leads to it.

    `accesses` go to BAR0, `entry` is an index whose word 0 is read through BAR2, `lookup` a port, a KV address and
    whether it writes.
    """

    mark: Mark
    accesses: Sequence[Access] = ()
    entry: int | None = None
    lookup: tuple[int, int, bool] | None = None

    async def start(self, bench: Bench) -> None:
        """Start it and wait for its end."""
        if self.lookup is not None:
            port, addr, write = self.lookup
            await bench.lookups(port, [addr], [write])
        elif self.entry is not None:
            await bench.run_accesses(bench.accesses([(READ, 32 * self.entry, 0)]), bar=1)
        else:
            await bench.run_accesses(bench.accesses(self.accesses))


Event = Part | Callable[[], Part]
"""What starts an event; a function where it is not the same in each meeting."""


def writes(mark: Mark, **values: int) -> Part:
    """Writes of registers, the last of which leads to `mark`."""
    return Part(mark, accesses=[(WRITE, offset(name), value) for name, value in values.items()])


def ranges(op: Op, addr: int, before: int = 0) -> Part:
    """A range command and its commit point at `addr`, which is its last block; `before` tokens come before that."""
    name = op.name.upper()
    step = {"PREFETCH_STEP": 1} if name == "PREFETCH" else {}
    return writes(commit(op, addr), **{f"{name}_ADDR": addr - before, f"{name}_LEN": before + 1}, **step)


def directory(op: Op, command: regs.Command, addr: int, **arg: int) -> Part:
    """A directory command and its commit point."""
    packed = regs.BY_NAME["DIR_ARG"].pack(**arg)
    return writes(commit(op, addr), DIR_ADDR=addr, DIR_ARG=packed, DIR_COMMAND=int(command))


def migrates(mark: Mark, addr: int, tier: int) -> Part:
    """A MIGRATE, and what it leads to."""
    arg = regs.BY_NAME["DIR_ARG"].pack(TIER=tier)
    return writes(mark, DIR_ADDR=addr, DIR_ARG=arg, DIR_COMMAND=int(regs.Command.MIGRATE))


def looks_up(kv_addr: int, write: bool = False, port: int = 0) -> Part:
    """A port's lookup and its commit point."""
    return Part(commit(Op.LOOKUP, kv_addr), lookup=(port, kv_addr, write))


class Meeting:
    """Runs pairs of actions so that their events come a chosen number of cycles apart."""

    def __init__(self, bench: Bench, board: Scoreboard) -> None:
        self._bench = bench
        self._board = board
        self._main: list[Array] = []
        self._scan: list[Array] = []
        board.taps.append(self._tap)

    def _tap(self, stream: int, records: Array) -> None:
        if stream in (STREAM_MAIN, STREAM_SCAN):
            (self._main if stream == STREAM_MAIN else self._scan).append(records)

    def _forget(self) -> None:
        self._board.drain()
        self._main.clear()
        self._scan.clear()

    def _came(self, event: Mark) -> int | None:
        """The cycle of the mark's first event since `_forget`."""
        found = [c for words in (self._scan if event.kind is None else self._main) for c in event.cycles(words)]
        return found[0] if found else None

    async def together(self, gap: int, first: Part, second: Part) -> None:
        """Both; `second` starts `gap` cycles after `first`, before it where negative.

        Two parts that share BAR0 follow each other there, `second` at least one access after `first`.
        """
        bench = self._bench
        if first.accesses and second.accesses:
            pause = [(WAIT_CYCLES, 0, gap)] if gap > 0 else []
            await bench.run_accesses(bench.accesses([*first.accesses, *pause, *second.accesses]))
            return
        early, late = (first, second) if gap >= 0 else (second, first)
        task = cocotb.start_soon(early.start(bench), name="the earlier of two that meet")
        await bench.cycles(abs(gap))
        await late.start(bench)
        await task

    async def distance(self, gap: int, first: Event, second: Event) -> int | None:
        """One meeting; cycles from the first event to the second, None where one of them has not come."""
        self._forget()
        one, other = (event if isinstance(event, Part) else event() for event in (first, second))
        await self.together(gap, one, other)
        for _ in range(PATIENCE):
            await self._bench.cycles(SETTLE)
            self._board.drain()
            begun, ended = self._came(one.mark), self._came(other.mark)
            if begun is not None and ended is not None:
                return ended - begun
        return None

    async def at_offsets(
        self,
        prepare: Prepare,
        first: Event,
        second: Event,
        after: Callable[[int | None], Awaitable[Any]] | None = None,
        offsets: Sequence[int] = OFFSETS,
        gap: int = 0,
    ) -> None:
        """The pair at each of the `offsets`, from a `gap` on; `after` looks at what has become of it.

        Raises Mismatch when one of the offsets cannot be had.
        """
        met: dict[int, int | None] = {}  # start time to distance

        async def meet(at: int) -> int | None:
            await prepare()
            distance = await self.distance(at, first, second)
            if after is not None:
                await after(distance)
            met[at] = distance
            return distance

        for _ in range(TRIES):  # near the first offset
            distance = await meet(gap)
            if distance is not None and abs(distance - offsets[0]) <= 1:
                break
            gap += 1 if distance is None else offsets[0] - distance
        for at in range(gap - 2, gap + len(offsets) + 4):
            if set(offsets) <= set(met.values()):
                break
            if at not in met:
                await meet(at)
        seen = sorted(set(offsets) & set(met.values()))
        self._bench.ctx.compare("offsets at which the two events met", list(offsets), seen, met=met)

    async def around(
        self,
        prepare: Prepare,
        first: Event,
        second: Event,
        after: Callable[[int | None], Awaitable[Any]] | None = None,
        gap: int = 0,
    ) -> None:
        """The pair from `AROUND` cycles apart to as many the other way round, in every start time between.

        For events that keep a distance of their own from each other. `gap` is one at which both come. Raises Mismatch
        when they have come in one order only.
        """
        met: dict[int, int | None] = {}

        async def meet(at: int) -> int | None:
            await prepare()
            met[at] = await self.distance(at, first, second)
            if after is not None:
                await after(met[at])
            return met[at]

        middle = gap - (await meet(gap) or 0)
        for at in range(middle - AROUND, middle + AROUND + 1):
            await meet(at)
        orders = {distance > 0 for distance in met.values() if distance}
        for further in range(AROUND + 1, FURTHER):  # the first meeting was not like the others
            if len(orders) != 1:
                break
            distance = await meet(middle - further if True in orders else middle + further)
            orders |= {distance > 0} if distance else set()
        self._bench.ctx.compare("orders in which the two events came", {False, True}, orders, distances=met)
