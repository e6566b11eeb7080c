"""Two things that happen to one entry at once (G3): each wholly before or wholly after the other."""

from functools import partial

from sw.regs.registers import Command
from tb.env.meeting import Event, Part, commit, directory, happens, looks_up, migrates, ranges, scan_step, writes
from tb.env.registers import kv
from tb.events.records import Kind, Op
from tb.harness.base_test import kv_test
from tb.top.test_meetings import MeetingTest

U32 = 0xFFFF_FFFF


class EntryTest(MeetingTest):
    """One block, and what is done to it."""

    async def placed(self, addr: int, tier: int = 1, tokens: int = 2) -> None:
        """The block is in that tier, idle, as INSERT makes it, in a step of its own."""
        await self.r.wait_idle()
        await self.r.command(Command.REMOVE, addr)
        await self.r.insert(addr, tokens=tokens, tier=tier)
        self.index = (await self.r.lookup(addr)).index

    async def meet(self, first: Event, second: Event, gap: int = 0, addr: int = kv(1), tier: int = 1) -> None:
        """The two in both orders, at every start time around the one at which they come together."""
        await self.meeting.around(partial(self.placed, addr, tier), first, second, self.settled, gap)


@kv_test(timeout_cycles=2_000_000)
class test_lookup_meets(EntryTest):
    """A read, and a write that lets the block grow, against every other operation on the same entry."""

    async def body(self) -> None:
        """Commands first, then moves, scans, FREE_REQUEST and BAR2."""
        addr = kv(1)
        await self.r.write(CTRL=3, PROMOTE_TIER=1)
        for write in (False, True):
            asked = looks_up(addr + 2 * write, write)
            for op in (Op.BOOST, Op.IMEVICT, Op.COOL, Op.PREFETCH, Op.SHARE, Op.RELEASE):
                await self.meet(asked, ranges(op, addr))
                await self.r.range("RELEASE", addr, 1)
            await self.meet(asked, directory(Op.REMOVE, Command.REMOVE, addr))
            new = addr + self.bench.block_tokens
            insert = directory(Op.INSERT, Command.INSERT, new, TOKEN_END=new & U32, TIER=1)
            await self.meet(looks_up(new, write), insert)
            await self.meet(asked, migrates(commit(Op.MIGRATE, addr), addr, 2))
            freed = writes(happens(Kind.Free), DIR_ADDR=addr, DIR_COMMAND=int(Command.FREE_REQUEST))
            row = self.index // self.bench.lanes
            await self.meet(freed, asked, row)

    async def placed(self, addr: int, tier: int = 1, tokens: int = 2) -> None:
        """As all, and the block behind it is not there."""
        await super().placed(addr, tier, tokens)
        await self.r.command(Command.REMOVE, addr + self.bench.block_tokens)


@kv_test(timeout_cycles=2_000_000)
class test_lookup_meets_move(EntryTest):
    """A read and a write against the start and the commit of a move of the same block, up and down."""

    async def body(self) -> None:
        """Every start time from before the start to after the commit."""
        addr = kv(1)
        self.memory.ideal(latency=4)
        await self.r.write(CTRL=3, PROMOTE_TIER=1)
        for write in (False, True):
            for tier, target in ((1, 2), (2, 0)):
                for op in (Op.START, Op.END):
                    move, asked = migrates(commit(op), addr, target), looks_up(addr + 2 * write, write)
                    await self.meet(move, asked, 40, addr, tier)


@kv_test(timeout_cycles=2_000_000)
class test_references_meet_move(EntryTest):
    """SHARE, RELEASE, BOOST, COOL and REMOVE against the start and the commit of a move to a slower tier."""

    async def body(self) -> None:
        """A reference that comes before the start or the commit cancels the move; one that comes after does not."""
        tokens = self.bench.block_tokens
        addr = kv(1, 10 * tokens)
        self.memory.ideal(latency=4)
        for op in (Op.SHARE, Op.BOOST, Op.IMEVICT, Op.PREFETCH, Op.COOL):
            await self.meet(migrates(commit(Op.END), addr, 2), ranges(op, addr), 60, addr)
            if op != Op.IMEVICT:
                enable = writes(commit(Op.START), CTRL=1)
                prepare = partial(self.queued, addr)
                late = ranges(op, addr, 10 * tokens)  # blocks that are missing put the commit off
                await self.meeting.around(prepare, late, enable, self.settled)
        remove = directory(Op.REMOVE, Command.REMOVE, addr)
        await self.meet(migrates(commit(Op.END), addr, 2), remove, 60, addr)

    async def queued(self, addr: int) -> None:
        """An eviction of the block waits for ENABLE."""
        await self.placed(addr)
        await self.r.write(CTRL=0)
        await self.r.range("IMEVICT", addr, 1)

    async def placed(self, addr: int, tier: int = 1, tokens: int = 2) -> None:
        """As all, without a reference, in a new step."""
        await self.r.wait_idle()
        await self.r.range("RELEASE", addr, 1)
        await super().placed(addr, tier, tokens)
        await self.r.step((await self.r.read("STEP_ADVANCE")) + 1)


@kv_test(timeout_cycles=2_000_000)
class test_scan_meets(EntryTest):
    """A scan step and a lookup, a command, a start or a commit on the same entry, with decisions of both kinds."""

    async def body(self) -> None:
        """The scan reaches the entry some cycles after the step is written: start times around that."""
        addr, self.step = kv(1), 10
        self.memory.ideal(latency=4)
        await self.r.write(CTRL=3, EVICT_TIERS=0b0010, WEIGHT_F=0, WEIGHT_D=0)
        for evict in (True, False):
            tier = 1 if evict else 3
            await self.r.write(THRESHOLDS=0xFFFF | 0xFFFF << 16 if evict else 0)
            for write in (False, True):
                await self.around(tier, looks_up(addr + 2 * write, write))
            for op in (Op.BOOST, Op.IMEVICT, Op.COOL, Op.SHARE):
                await self.around(tier, ranges(op, addr))
                await self.r.range("RELEASE", addr, 1)
            await self.around(tier, directory(Op.REMOVE, Command.REMOVE, addr))
        await self.r.write(THRESHOLDS=0xFFFF << 16)
        await self.placed(addr)
        await self.around(1, Part(happens(Kind.EntryRead), entry=self.index))

    async def around(self, tier: int, other: Part) -> None:
        """`other` from 14 cycles before the scan step to 14 cycles after it, as far as it can come so early."""
        rows = self.bench.entries // self.bench.lanes
        lead, met = 0, set()
        for wanted in [0, *range(-14, 15)]:
            await self.placed(kv(1), tier)
            self.look()
            first_row = self.board.state.counters.scan_done * (rows // 8) % rows  # of the scan that comes
            ahead = (self.index // self.bench.lanes - first_row) % rows  # rows before the entry's
            self.step += 1
            distance = await self.meeting.distance(ahead + lead, self.scans(), other)
            await self.settled()
            if distance is not None:
                met.add(distance > 0)
                lead += wanted - distance
        self.ctx.compare("orders in which the two events came", {False, True}, met)

    def scans(self) -> Part:
        """The next step, whose scan reaches the entry."""
        return writes(scan_step(self.index), STEP_ADVANCE=self.step)


@kv_test(timeout_cycles=1_000_000)
class test_window_meets(EntryTest):
    """BAR2's word 0 and every write of that entry; the other words come from the same instant."""

    async def body(self) -> None:
        """Ports, commands, the commit of a move, INSERT and REMOVE of the entry; all four words each time."""
        addr = kv(1)
        self.memory.ideal(latency=4)
        await self.placed(addr)
        read = Part(happens(Kind.EntryRead, index=self.index), entry=self.index)
        for write in (False, True):
            await self.meet(read, looks_up(addr + 2 * write, write))
        for op in (Op.BOOST, Op.PREFETCH, Op.SHARE, Op.RELEASE):
            await self.meet(ranges(op, addr), read)
        await self.r.range("RELEASE", addr, 1)
        await self.meet(directory(Op.REMOVE, Command.REMOVE, addr), read)
        await self.meet(migrates(commit(Op.END), addr, 2), read, 60)

    async def settled(self, distance: object = None) -> None:
        """As all; words 1 to 3 of the entry that was read are those of its word 0."""
        words = self.bench.accesses((0, 32 * self.index + 8 * word, 0) for word in (1, 2, 3))
        await self.bench.run_accesses(words, bar=1)
        await super().settled(distance)
