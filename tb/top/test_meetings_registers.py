"""Clears and resets that meet what they clear (G3): interrupts, latched errors, soft reset; relocations."""

from collections.abc import Awaitable, Callable
from functools import partial

from model.types import BadParity
from sw.regs import registers as regs
from sw.regs.registers import Command, Status
from tb.env.meeting import (
    Event,
    Mark,
    Meeting,
    Part,
    accessed,
    commit,
    happens,
    looks_up,
    migrates,
    scan_step,
    writes,
)
from tb.env.registers import IRQ_COMMAND_DONE, kv
from tb.events.records import Kind, Op
from tb.harness.base_test import kv_test
from tb.harness.link import READ, SLVERR
from tb.scoreboard.counters import counter_values
from tb.top.test_directory import ParityTest
from tb.top.test_fill import FullDirectoryTest
from tb.top.test_meetings import STEP, SUMMED_UP, MeetingTest

CTRL_SOFT_RESET = 1 << 8
ALWAYS = 256  # of 256 bursts


class ClearTest(MeetingTest, ParityTest):
    """An event, and a write that clears what it has set."""

    async def cleared(self, event: Event, clear: Part, read: Callable[[], Awaitable[int]], settle: int = 0) -> int:
        """The greatest distance from the event to the response of the clear at which the event's bit stays set.

        It must be set at all smaller distances and clear at all greater ones.
        """
        seen: dict[int, int] = {}

        async def after(distance: int | None) -> None:
            await self.bench.cycles(settle)
            if distance is not None:
                seen[distance] = await read()

        await self.meeting.at_offsets(self.ready, event, clear, after, range(-2, 10), gap=20)
        kept = [distance for distance, bit in seen.items() if bit]
        gone = [distance for distance, bit in seen.items() if not bit]
        self.ctx.compare("the event stays set at some distances and is cleared at others", True, bool(kept and gone))
        self.ctx.compare("set where it comes with or after its clear, clear before", True, max(kept) < min(gone))
        return max(kept)

    async def ready(self) -> None:
        """Nothing runs, nothing is latched, no pressure."""
        await self.r.wait_idle()
        if await self.r.read("TIER0_LOW"):
            await self.r.write(TIER0_LOW=0)
            await self.r.step(0)
        await self.bench.cycles(SUMMED_UP)
        await self.r.write(IRQ_STATUS=0xFF, PARITY_INFO=1, DMA_ERROR_INFO=1)


@kv_test(timeout_cycles=1_000_000)
class test_irq_clears(ClearTest):
    """IRQ_STATUS: each of the eight bits, its clear answered 2 cycles before to 9 cycles after its event."""

    latency = 4

    async def body(self) -> None:
        """All bits are cleared at the same distance: an event in the cycle of its clear stays set."""
        self.step = 1
        bad, block = kv(5), kv(6)
        result = await self.r.insert(bad, tokens=1, tier=1)
        await self.r.insert_many([(block, 1, 1)])
        await self.plant([(result.index, BadParity.META)])
        self.memory.errors(0b1000, True, ALWAYS, SLVERR)
        await self.r.write(MAX_RETRY=1, TIER2_RESERVE=100)
        events: dict[int, Event] = {
            0: self.scans,
            1: writes(self.irq(1), COOL_ADDR=kv(9), COOL_LEN=20 * self.bench.block_tokens),
            2: migrates(self.irq(2), block, 2),
            3: Part(self.irq(3), lookup=(0, kv(9), False)),
            4: migrates(self.irq(4), block, 3),
            5: Part(self.irq(5), lookup=(0, kv(9), False)),
            6: self.presses,
            7: Part(self.irq(7), lookup=(0, bad, False)),
        }
        last = {}
        for bit, event in events.items():
            if bit == 5:  # the miss queue is full from here on
                await self.bench.lookups(0, [kv(8, i) for i in range(64)])
            clear = writes(accessed("IRQ_STATUS"), IRQ_STATUS=1 << bit)
            last[bit] = await self.cleared(event, clear, partial(self.bit, bit))
            if bit == 2:
                await self.completions()
        self.ctx.compare("the last distance at which each bit stays set", {last[0]}, set(last.values()), seen=last)

    @staticmethod
    def irq(bit: int) -> Mark:
        """An interrupt's event."""
        return Mark(Kind.Irq, irq=bit)

    def scans(self) -> Part:
        """A step whose scan ends."""
        self.step += 1
        return writes(self.irq(0), STEP_ADVANCE=self.step)

    def presses(self) -> Part:
        """Two steps; pressure begins at the start of the second one's scan, which waits for the first one's."""
        self.step += 2
        low = self.slots[0] + 1
        return writes(self.irq(6), STEP_ADVANCE=self.step - 1, TIER0_LOW=low, STEP_ADVANCE_ALIAS=self.step)

    async def bit(self, bit: int) -> int:
        """One bit of IRQ_STATUS."""
        return await self.r.read("IRQ_STATUS") >> bit & 1


@kv_test(timeout_cycles=1_000_000)
class test_latch_clears(ClearTest):
    """PARITY_INFO and DMA_ERROR_INFO are cleared while a new error comes: the first after the clear is kept."""

    latency = 4

    async def body(self) -> None:
        """An old error is latched each time; where VALID is set at the end, the new one must be."""
        blocks = [kv(5), kv(6), kv(7), kv(8)]
        results = await self.r.insert_many([(addr, 1, 1) for addr in blocks])
        self.old_bad, self.old_moved = blocks[0], blocks[2]
        await self.plant([(results[i].index, BadParity.META) for i in (0, 1)])
        self.memory.errors(0b1000, True, ALWAYS, SLVERR)
        await self.r.write(MAX_RETRY=1)
        clear = writes(accessed("PARITY_INFO"), PARITY_INFO=1)
        bad = Part(happens(Kind.Parity), lookup=(0, blocks[1], False))
        await self.cleared(bad, clear, partial(self.parity, results[1].index))
        clear = writes(accessed("DMA_ERROR_INFO"), DMA_ERROR_INFO=1)
        await self.cleared(migrates(happens(Kind.DmaError), blocks[3], 3), clear, partial(self.error, blocks[3]), 40)

    async def ready(self) -> None:
        """The old errors are latched."""
        await super().ready()
        await self.bench.lookups(0, [self.old_bad])
        await self.r.command(Command.MIGRATE, self.old_moved, TIER=3)
        await self.r.wait_idle()
        await self.completions()
        self.ctx.compare("DMA_ERROR_ADDR of the old error", self.old_moved, await self.r.read("DMA_ERROR_ADDR"))

    async def parity(self, index: int) -> int:
        """PARITY_INFO.VALID; INDEX is the new one's."""
        info = regs.BY_NAME["PARITY_INFO"].unpack(await self.r.read("PARITY_INFO"))
        if info["VALID"]:
            self.ctx.compare("PARITY_INFO.INDEX after the clear", index, info["INDEX"])
        return info["VALID"]

    async def error(self, addr: int) -> int:
        """DMA_ERROR_INFO.VALID; the address is the new one's."""
        valid = await self.r.field("DMA_ERROR_INFO", "VALID")
        if valid:
            self.ctx.compare("DMA_ERROR_ADDR after the clear", addr, await self.r.read("DMA_ERROR_ADDR"))
        return valid


@kv_test(timeout_cycles=2_000_000)
class test_soft_reset_meets(MeetingTest):
    """A soft reset at each stage of a command, a lookup, a scan, a move, a BAR2 read: all is empty after it."""

    latency = 4

    async def body(self) -> None:
        """What is started, and the reset some cycles later."""
        moved = kv(1)
        insert = regs.BY_NAME["DIR_ARG"].pack(TOKEN_END=0, TIER=1)
        reset = happens(Kind.Reset, hard=0)
        actions = {
            "INSERT": (
                writes(reset, DIR_ADDR=kv(99), DIR_ARG=insert, DIR_COMMAND=int(Command.INSERT)),
                range(0, 20, 2),
            ),
            "MIGRATE": (migrates(reset, moved, 2), range(0, 100, 7)),
            "IMEVICT": (writes(reset, IMEVICT_ADDR=moved, IMEVICT_LEN=8 * self.bench.block_tokens), range(0, 60, 7)),
            "STEP_ADVANCE": (writes(reset, STEP_ADVANCE=9), range(0, 24, 3)),
            "FREE_REQUEST": (writes(reset, DIR_ADDR=moved, DIR_COMMAND=int(Command.FREE_REQUEST)), range(0, 300, 31)),
            "read": (Part(reset, lookup=(0, moved, False)), range(-10, 12)),
            "miss": (Part(reset, lookup=(0, kv(9), True)), range(-10, 12, 2)),
            "BAR2": (Part(reset, entry=1), range(-10, 12, 2)),
        }
        for name, (action, gaps) in actions.items():
            for gap in gaps:
                await self.again(moved)
                soft = writes(reset, CTRL=CTRL_SOFT_RESET | 3)
                await self.meeting.together(gap, action, soft)
                await self.r.wait_initialised()
                where = {"with": name, "gap": gap}
                free = list((await self.r.read_many([f"TIER{tier}_FREE" for tier in range(4)])).values())
                self.ctx.compare("free slots after a soft reset", list(self.slots), free, **where)
                words = self.bench.accesses((READ, self.latched * 32 + 8 * word, 0) for word in (1, 2, 3))
                await self.bench.run_accesses(words, bar=1)
                self.ctx.compare("words 1 to 3 of the entry latched before", [0] * 3, words["data"].tolist(), **where)
                found = await self.r.lookup(moved)
                self.ctx.compare("LOOKUP after a soft reset", Status.MISS.name, found.status.name, **where)
                self.look()
                counts = counter_values(self.board.state)
                self.ctx.compare("counters after a soft reset", counts, await self.r.read_many(list(counts)), **where)

    async def again(self, addr: int) -> None:
        """Eight blocks, thresholds that move them; the first one's entry is latched by BAR2."""
        await self.r.write(IRQ_ENABLE=IRQ_COMMAND_DONE, THRESHOLDS=0xFFFF | 0xFFFF << 16, CTRL=1)
        results = await self.r.insert_many([(addr + i * self.bench.block_tokens, 1, 1) for i in range(8)])
        self.latched = results[0].index
        await self.bench.run_accesses(self.bench.accesses([(READ, self.latched * 32, 0)]), bar=1)


@kv_test(timeout_cycles=2_000_000)
class test_relocation_meets(FullDirectoryTest):
    """The relocations of an INSERT and a lookup, a scan, a commit, a BAR2 read of the entry that is relocated."""

    async def body(self) -> None:
        """A full directory; each meeting with a new key, whose places are taken, that takes the last one's place."""
        keys = await self.fill()
        self.meeting = Meeting(self.bench, self.board)
        self.memory.ideal(4)
        await self.r.write(CTRL=3, PROMOTE_TIER=2, THRESHOLDS=0x4000 | 0xF000 << 16, EVICT_TIERS=0b0001)
        self.step, met = 1, dict[str, set[bool]]()
        for gap in range(-12, 60, 2):
            for kind in ("read", "write", "scan", "step", "commit", "window"):
                distance = await self.meet(kind, gap, keys)
                if distance is not None:
                    met.setdefault(kind, set()).add(distance > 0)
        expected = {name: {False, True} for name in met} | {"scan": {True}}  # a running scan scores it before it moves
        self.ctx.compare("orders in which each came", expected, met)

    async def meet(self, kind: str, gap: int, keys: list[int]) -> int | None:
        """One INSERT that relocates, and the other event at the entry that moves."""
        await self.r.wait_idle()
        await self.r.command(Command.REMOVE, keys.pop(self.rng.randrange(len(keys))))
        self.look()
        state = self.board.state
        for _ in range(400):
            new = kv(self.rng.randrange(1, 60000), self.rng.randrange(2**20) * self.bench.block_tokens)
            relocations = state.plan_insert(new).relocations
            if relocations:
                break
        else:
            return None
        source = relocations[0][0]
        addr = state.kv_addr_of(state.entries.key[source])
        arg = regs.BY_NAME["DIR_ARG"].pack(TOKEN_END=new & 0xFFFF_FFFF, TIER=self.rng.randrange(4))
        insert = writes(happens(Kind.Reloc), DIR_ADDR=new, DIR_ARG=arg, DIR_COMMAND=int(Command.INSERT))
        distance = await self.meeting.distance(*self.order(kind, gap, insert, addr, source))
        keys.append(new)
        return distance

    def order(self, kind: str, gap: int, insert: Part, addr: int, source: int) -> tuple[int, Part, Part]:
        """Gap, first and second event of a meeting of that kind."""
        self.step += 1
        tier = self.board.state.entry(source).tier
        if kind == "scan":
            return max(gap, 0), writes(scan_step(source), STEP_ADVANCE=self.step), insert
        if kind == "step":
            return max(gap, 0), insert, writes(STEP, STEP_ADVANCE=self.step)
        if kind == "commit":
            return max(gap, 0), migrates(commit(Op.END), addr, (tier + 1) % 4), insert
        if kind == "window":
            return gap, insert, Part(happens(Kind.EntryRead), entry=source)
        write = kind == "write"
        return gap, insert, looks_up(addr + write, write)
