"""Events of the same cycle, -3 to +3 cycles apart (G3): queues, the step, scans, moves."""

from functools import partial
from itertools import product

from sw.regs.registers import Command
from tb.env.meeting import (
    Event,
    Meeting,
    Part,
    Prepare,
    accessed,
    commit,
    directory,
    happens,
    looks_up,
    migrates,
    ranges,
    writes,
)
from tb.env.registers import kv, offset
from tb.events.records import Kind, Op
from tb.harness.base_test import kv_test
from tb.harness.link import READ, SLVERR, WRITE
from tb.top.test_moves import MoveTest

READS = range(-2, 8)  # the response of a read comes some cycles after what it does
COMMITS = (-3, -2, -1, 1, 2, 3)  # of two operations: one commits in a cycle
SUMMED_UP = 600  # cycles after a scan within which its histogram is summed up, so that the next one starts at once
STEP = happens(Kind.Step)


class MeetingTest(MoveTest):
    """Pairs of events; after each of them the pools are compared."""

    latency = 40
    slots = (100, 100, 100, 100)

    async def bring_up(self) -> None:
        """As every test; the records of events are collected."""
        await super().bring_up()
        self.meeting = Meeting(self.bench, self.board)

    async def settled(self, _: object = None) -> None:
        """Idle; the free slots of each tier are the model's."""
        await self.r.wait_idle()
        self.look()
        names = [f"TIER{tier}_FREE" for tier in range(4)]
        seen = list((await self.r.read_many(names)).values())
        self.ctx.compare("free slots", [pool.free for pool in self.board.state.pools], seen)


@kv_test(timeout_cycles=1_000_000)
class test_pops_of_software(MeetingTest):
    """Miss and completion queue: a pop and an arrival, while the queue is empty, nearly empty, nearly full, full."""

    async def body(self) -> None:
        """The levels and contents are compared after each meeting; drops are counted."""
        tokens = self.bench.block_tokens
        await self.r.insert_many([(kv(1, i * tokens), 1, 1) for i in range(65)])
        await self.r.write(TIER2_RESERVE=100, TIER3_RESERVE=100)  # every eviction ends NO_SLOT at once
        for level in (0, 1, 2, 63, 64):
            pop = Part(accessed("MISS_ADDR", write=False), accesses=[(READ, offset("MISS_ADDR"), 0)])
            prepare = partial(self.misses, level)
            await self.meeting.at_offsets(prepare, looks_up(kv(9)), pop, self.levels, READS)
        for level in (0, 1, 2, 63, 64):
            pop = Part(accessed("COMPLETION_ADDR", write=False), accesses=[(READ, offset("COMPLETION_ADDR"), 0)])
            arrival = migrates(happens(Kind.Completion), kv(1, 64 * tokens), 2)
            await self.meeting.at_offsets(partial(self.ends, level), arrival, pop, self.levels, READS)

    async def misses(self, level: int) -> None:
        """So many misses in the queue."""
        while await self.r.read("MISS_ADDR"):
            pass
        if level:
            await self.bench.lookups(0, [kv(8, i) for i in range(level)])

    async def ends(self, level: int) -> None:
        """So many completions in the queue."""
        await self.r.wait_idle()
        while await self.r.read("COMPLETION_ADDR"):
            pass
        if level:
            await self.r.range("IMEVICT", kv(1), level * self.bench.block_tokens)
            await self.r.wait_idle()

    async def levels(self, _: object) -> None:
        """Both queues' levels."""
        await self.r.wait_idle()
        self.look()
        state = self.board.state
        for name, queue in (("MISS_INFO", state.miss_queue), ("COMPLETION_INFO", state.completion_queue)):
            self.ctx.compare(f"{name}.LEVEL", len(queue), await self.r.field(name, "LEVEL"))


@kv_test(timeout_cycles=1_000_000)
class test_pops_of_the_dma(MeetingTest):
    """Evict and prefetch queue: the DMA takes an item while another one arrives, around empty and full."""

    async def body(self) -> None:
        """Items by IMEVICT, PREFETCH, MIGRATE, and lookups of a port; none of them finds a slot."""
        tokens = self.bench.block_tokens
        await self.r.insert_many([(kv(1, i * tokens), 1, 1) for i in range(65)])
        await self.r.insert_many([(kv(2, i * tokens), 1, 3) for i in range(65)])
        await self.r.write(PROMOTE_TIER=1, TIER0_RESERVE=100, TIER1_RESERVE=100, TIER2_RESERVE=100, TIER3_RESERVE=100)
        down, up = kv(3, 12 * tokens), kv(4, 12 * tokens)
        await self.r.insert_many([(down, 1, 1), (up, 1, 3)])
        enable = writes(happens(Kind.Pop), CTRL=3)
        for level, (channel, op, addr) in product(
            (1, 2, 63, 64), (("EVICT", Op.IMEVICT, down), ("PREFETCH", Op.PREFETCH, up))
        ):
            prepare = partial(self.queued, channel, level)
            late = ranges(op, addr, 12 * tokens)  # blocks that are missing put the commit off
            await self.meeting.at_offsets(prepare, late, enable, self.settled)
            for gap in range(8):
                await prepare()
                await self.meeting.distance(gap, migrates(commit(Op.MIGRATE, addr), addr, 2), enable)
                await self.settled()
            for gap in range(-4, 24, 2):  # ENABLE lets both go, the DMA and the lookup
                await prepare()
                await self.meeting.distance(gap, enable, looks_up(up))
                await self.settled()

    async def queued(self, channel: str, level: int) -> None:
        """So many items in the queue, and the DMA may not take one."""
        await self.r.wait_idle()
        await self.r.write(CTRL=2)
        request = 1 if channel == "EVICT" else 2
        await self.r.range("IMEVICT" if request == 1 else "PREFETCH", kv(request), level * self.bench.block_tokens, 0)
        self.ctx.compare("items queued", level, await self.r.field("STATUS", f"{channel}_LEVEL"))


@kv_test(timeout_cycles=400_000)
class test_command_queue_meets(MeetingTest):
    """A launch while a command ends and 16 wait: refused before, accepted after."""

    async def body(self) -> None:
        """The scoreboard judges each refusal by the commands that wait."""
        tokens = self.bench.block_tokens
        chain = [(WRITE, offset("BOOST_ADDR"), kv(9)), (WRITE, offset("COOL_ADDR"), kv(9))]
        chain += [(WRITE, offset("COOL_LEN"), 100 * tokens)]
        accepted = (*range(-4, 4), 5, 6, 7)  # an accepted launch is answered a cycle later than a refused one
        for waiting in (15, 16):
            first = Part(happens(Kind.CmdDone), accesses=[*chain, *[(WRITE, offset("BOOST_LEN"), 1)] * waiting])
            last = Part(accessed("SHARE_LEN"), accesses=[(WRITE, offset("SHARE_ADDR"), kv(9)), _len("SHARE")])
            await self.meeting.at_offsets(self.r.wait_idle, first, last, offsets=accepted, gap=100)
        refused = await self.r.read("CMD_REFUSED_COUNT")
        self.ctx.compare("some launches were refused", True, refused > 0)


def _len(name: str) -> tuple[int, int, int]:
    return (WRITE, offset(f"{name}_LEN"), 1)


@kv_test(timeout_cycles=1_000_000)
class test_step_meets(MeetingTest):
    """STEP_ADVANCE and the commit point of a command, a lookup, a start and an end of a move; and the end of a scan."""

    async def body(self) -> None:
        """Each with the step written 3 cycles before to 3 cycles after it."""
        self.step = 100
        block, moved = kv(1), kv(2)
        await self.r.write(PROMOTE_TIER=1, LOOKAHEAD=5)
        await self.r.insert_many([(block, 1, 1), (moved, 1, 1)])
        for distance in (0, 6):  # near before the step, and after it
            await self.pairs(partial(self.hint, distance), self.hinted)
        await self.pairs(self.insert, self.removed)
        for write in (False, True):
            await self.pairs(looks_up(block, write), self.r.wait_idle)
        for mark, written in ((Op.START, True), (Op.START, False), (Op.END, False)):
            await self.pairs(partial(self.moves, mark, moved), partial(self.moved, moved, written))
        scan, alias = partial(self.steps, "STEP_ADVANCE"), partial(self.steps, "STEP_ADVANCE_ALIAS")
        await self.meeting.at_offsets(self.summed_up, scan, alias, self.settled, range(-4, 6), gap=400)

    async def summed_up(self) -> None:
        """The next scan starts at once."""
        await self.r.wait_idle()
        await self.bench.cycles(SUMMED_UP)

    def steps(self, name: str) -> Part:
        """The next step, and the end of its scan or the response of its write."""
        self.step += 1
        event = happens(Kind.ScanDone) if name == "STEP_ADVANCE" else accessed(name)
        return writes(event, **{name: self.step})

    async def pairs(self, event: Event, prepare: Prepare) -> None:
        """The event and the next step, at each offset."""

        async def ready() -> None:
            await self.r.wait_idle()
            await prepare()
            self.step += 1

        await self.meeting.at_offsets(ready, event, lambda: writes(STEP, STEP_ADVANCE=self.step), self.settled)

    def hint(self, distance: int) -> Part:
        """A PREFETCH for a step that lies so far from the one that is now current."""
        block = kv(3)
        step = self.step - 1 + distance
        return writes(commit(Op.PREFETCH, block), PREFETCH_ADDR=block, PREFETCH_LEN=1, PREFETCH_STEP=step)

    async def hinted(self) -> None:
        """A block that can be promoted."""
        await self.r.command(Command.REMOVE, kv(3))
        await self.r.insert(kv(3), tokens=1, tier=3)

    def insert(self) -> Part:
        """A new block."""
        return directory(Op.INSERT, Command.INSERT, kv(4), TIER=1)

    async def removed(self) -> None:
        """Its place is free."""
        await self.r.command(Command.REMOVE, kv(4))

    def moves(self, op: Op, addr: int) -> Part:
        """A MIGRATE of the block, and its start or its end."""
        return migrates(commit(op), addr, self.other)

    async def moved(self, addr: int, written: bool) -> None:
        """Where the block goes next; `written` in the current step."""
        self.other = 3 - (await self.r.lookup(addr)).tier
        if written:
            await self.bench.lookups(0, [addr], 1)


@kv_test(timeout_cycles=1_000_000)
class test_reserve_meets_starts(MeetingTest):
    """RESERVE is written, or a slot comes back, while a move starts and while an INSERT takes its slot."""

    slots = (4, 4, 4, 4)

    async def body(self) -> None:
        """The last slot of each tier: there before, gone after, and the other way round."""
        moved, new = kv(1), kv(2)
        await self.r.insert(moved, tokens=1, tier=3)
        for tier, value in product(range(4), (3, 4)):
            home, name = 3 - tier, f"TIER{tier}_RESERVE"
            part = migrates(commit(Op.START), moved, tier)
            limit = writes(accessed(name), **{name: value})
            prepare = partial(self.back, moved, home, **{name: 7 - value})
            await self.meeting.at_offsets(prepare, part, limit, self.settled, range(-6, 8))
            await self.r.write(**{name: 0})
        await self.back(moved, 3)
        await self.r.insert_many([(kv(3, i * self.bench.block_tokens), 1, 1) for i in range(3)])
        insert = directory(Op.INSERT, Command.INSERT, new, TIER=1)
        await self.r.write(MAX_RETRY=1)
        self.memory.errors(0b0010, True, 256, SLVERR)  # no copy to tier 1 succeeds: its last slot comes back
        ends = migrates(commit(Op.END), moved, 1)
        await self.meeting.at_offsets(partial(self.removed, new), ends, insert, self.settled, COMMITS, 60)

    async def back(self, addr: int, tier: int, **reserve: int) -> None:
        """The block is in that tier again and may move."""
        await self.r.wait_idle()
        if reserve:
            await self.r.write(**reserve)
        if (await self.r.lookup(addr)).tier != tier:
            await self.r.command(Command.MIGRATE, addr, TIER=tier)
            await self.r.wait_idle()
        await self.r.step((await self.r.read("STEP_ADVANCE")) + 1)

    async def removed(self, addr: int) -> None:
        """The block is not there."""
        await self.r.wait_idle()
        await self.r.command(Command.REMOVE, addr)
