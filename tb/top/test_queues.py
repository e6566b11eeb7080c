"""What is said of both queues, both ways and all commands (G3): BUSY, drops, promotions."""

from itertools import product

from sw.regs.registers import Command, Completion, Status
from tb.env.registers import kv
from tb.harness.base_test import kv_test
from tb.top.test_directory import DirectoryTest
from tb.top.test_moves import MoveTest


@kv_test(timeout_cycles=600_000)
class test_busy_both_ways(MoveTest):
    """MIGRATE of a block in flight is BUSY, upwards and downwards, while it is queued and while it moves."""

    latency = 600

    async def body(self) -> None:
        """Each way of getting into flight, then MIGRATE to every tier."""
        addr = kv(1)
        await self.r.write(LOOKAHEAD=8, PROMOTE_TIER=1)
        ways = {
            "MIGRATE up": (2, self.r.command(Command.MIGRATE, addr, TIER=0)),
            "MIGRATE down": (1, self.r.command(Command.MIGRATE, addr, TIER=3)),
            "IMEVICT": (1, self.r.range("IMEVICT", addr, 1)),
            "PREFETCH": (2, self.r.range("PREFETCH", addr, 1, 0)),
            "LOOKUP touch with DEMAND": (2, self.r.command(Command.LOOKUP, addr, TOUCH=1)),
            "lookup with DEMAND": (2, self.bench.lookups(0, [addr])),
        }
        for name, (tier, way) in ways.items():
            await self.r.insert(addr, tokens=1, tier=tier)
            demand = 2 if "DEMAND" in name else 0
            lookup = name.startswith("lookup")  # needs ENABLE; the others are queued first, and then move
            await self.r.write(CTRL=demand | lookup)
            await way
            for moving in (False, True):
                await self.r.write(CTRL=demand | moving | lookup)
                await self.bench.cycles(60)
                for target in range(4):
                    expected = Status.BAD_ARG if target == tier else Status.BUSY
                    await self.status(expected, Command.MIGRATE, addr, TIER=target)
                levels = await self.r.read_many(["EVICT_DROPPED_COUNT", "PREFETCH_DROPPED_COUNT"])
                self.ctx.compare("items dropped", {0}, set(levels.values()), way=name)
            await self.r.write(CTRL=1)
            await self.r.wait_idle()
            self.ctx.compare("completions of the one item", 1, len(await self.completions()), way=name)
            await self.status(Status.OK, Command.REMOVE, addr)


@kv_test(timeout_cycles=600_000)
class test_full_queues(MoveTest):
    """A full evict and a full prefetch queue: MIGRATE is BUSY; what else arrives is dropped and counted."""

    slots = (20, 100, 100, 100)

    async def body(self) -> None:
        """64 items wait in one queue; the other one still takes items."""
        tokens = self.bench.block_tokens
        await self.r.write(CTRL=2, PROMOTE_TIER=1, LOOKAHEAD=8)
        down = [kv(1, i * tokens) for i in range(66)]
        up = [kv(2, i * tokens) for i in range(66)]
        await self.r.insert_many([(addr, 1, 1) for addr in down] + [(addr, 1, 3) for addr in up])
        await self.r.range("IMEVICT", down[0], 63 * tokens)
        await self.status(Status.OK, Command.MIGRATE, down[63], TIER=2)
        await self.levels(64, 0, (0, 0), "64 evictions")
        await self.status(Status.BUSY, Command.MIGRATE, down[64], TIER=2)
        await self.levels(64, 0, (0, 0), "MIGRATE down with a full evict queue")
        await self.r.range("IMEVICT", down[64], 2 * tokens)
        await self.levels(64, 0, (2, 0), "IMEVICT with a full evict queue")
        flight = [(await self.entry(addr)).evictable for addr in down[64:]]
        self.ctx.compare("EVICTABLE of blocks whose item was dropped", [1, 1], flight)
        await self.status(Status.OK, Command.MIGRATE, up[0], TIER=2)
        await self.levels(64, 1, (2, 0), "MIGRATE up with a full evict queue")
        await self.r.range("PREFETCH", up[1], 62 * tokens, 0)
        await self.status(Status.OK, Command.LOOKUP, up[63], TOUCH=1)
        await self.levels(64, 64, (2, 0), "PREFETCH and LOOKUP touch with DEMAND")
        await self.status(Status.BUSY, Command.MIGRATE, up[64], TIER=0)
        await self.r.range("PREFETCH", up[64], 2 * tokens, 0)
        await self.levels(64, 64, (2, 2), "PREFETCH with a full prefetch queue")
        await self.status(Status.OK, Command.LOOKUP, up[64], TOUCH=1)
        await self.levels(64, 64, (2, 3), "LOOKUP touch with a full prefetch queue")
        await self.r.write(CTRL=1)
        await self.r.wait_idle()
        for addr in (down[64], up[64]):  # not in flight: free to move
            await self.status(Status.OK, Command.MIGRATE, addr, TIER=2)
        await self.r.wait_idle()

    async def levels(self, evict: int, prefetch: int, dropped: tuple[int, int], what: str) -> None:
        """Items in the queues, and items dropped."""
        seen = (await self.r.field("STATUS", "EVICT_LEVEL"), await self.r.field("STATUS", "PREFETCH_LEVEL"))
        self.ctx.compare(f"queue levels: {what}", (evict, prefetch), seen)
        names = ["EVICT_DROPPED_COUNT", "PREFETCH_DROPPED_COUNT"]
        self.ctx.compare(f"items dropped: {what}", dropped, tuple((await self.r.read_many(names)).values()))


@kv_test(timeout_cycles=400_000)
class test_touch_is_a_lookup(DirectoryTest):
    """LOOKUP touch does all that a port's read does, with DEMAND and without, in every tier for every PROMOTE_TIER."""

    async def body(self) -> None:
        """The same block twice, asked once by a port and once by a command: the entries and the queues are equal."""
        for demand, promote, tier in product((0, 1), range(4), range(4)):
            await self.r.write(CTRL=1 | 2 * demand, PROMOTE_TIER=promote)
            ported, touched = kv(1), kv(2)
            for addr in (ported, touched):
                await self.r.insert(addr, tokens=2, tier=tier)
                await self.r.range("IMEVICT" if tier == 3 else "BOOST", addr, 1)
                await self.r.range("PREFETCH", addr, 1, 1000)
            await self.bench.lookups(0, [ported + 1])
            await self.status(Status.OK, Command.LOOKUP, touched + 1, TOUCH=1)
            await self.r.wait_idle()
            one, other = await self.entry(ported), await self.entry(touched)
            where = {"demand": demand, "promote_tier": promote, "tier": tier}
            expected = promote if demand and tier > promote else tier
            self.ctx.compare("tiers after a read and a touch", (expected, expected), (one.tier, other.tier), **where)
            for name in ("access_step", "r", "f", "hint", "evictable", "dirty", "hot", "prefix", "ref_count"):
                self.ctx.compare(f"{name} of both", getattr(one, name), getattr(other, name), **where)
            for addr in (ported, touched):
                await self.status(Status.OK, Command.REMOVE, addr)
            await self.r.step(await self.r.read("STEP_ADVANCE"))


@kv_test(timeout_cycles=400_000)
class test_dropped_events(MoveTest):
    """A miss or a completion that its full queue drops raises the overflow interrupt, and not its own."""

    latency = 4

    async def body(self) -> None:
        """The last that finds a place, and the first that finds none."""
        tokens = self.bench.block_tokens
        await self.r.insert_many([(kv(1, i * tokens), 1, 1) for i in range(65)])
        await self.r.write(TIER2_RESERVE=100, TIER3_RESERVE=400)  # every eviction ends NO_SLOT
        await self.bench.lookups(0, [kv(8, i) for i in range(63)])
        await self.r.range("IMEVICT", kv(1), 63 * tokens)
        await self.r.wait_idle()
        for name, expected in (("the 64th", (1, 0)), ("the 65th", (0, 1))):
            for bit, queue in ((3, "miss"), (2, "completion")):
                await self.r.write(IRQ_STATUS=0xFF)
                if bit == 3:
                    await self.bench.lookups(0, [kv(9)])
                else:
                    await self.r.range("IMEVICT", kv(1, 64 * tokens), 1)
                await self.r.wait_idle()
                await self.bench.cycles(20)
                irq = await self.r.read("IRQ_STATUS")
                seen = (irq >> bit & 1, irq >> 5 & 1)
                self.ctx.compare(f"IRQ_STATUS {queue}, overflow: {name}", expected, seen)


FIELDS = {  # what device.md 3 and 7 say of each; the current step is 0
    "BOOST": {"hot": 1, "evictable": 0},
    "IMEVICT": {"evictable": 1, "hot": 0, "hint": 0},
    "COOL": {"hot": 0, "evictable": 0},
    "PREFETCH": {"hint": 1, "evictable": 0, "access_step": 1000},
    "SHARE": {"prefix": 1, "ref_count": 1},
    "RELEASE": {"ref_count": 0},
    "read": {"hint": 0, "evictable": 0, "access_step": 0},
    "write": {"hint": 0, "evictable": 0, "access_step": 0, "dirty": 1},
    "LOOKUP touch": {"hint": 0, "evictable": 0, "access_step": 0},
}


@kv_test(timeout_cycles=400_000)
class test_g3_every_pair_of_commands(DirectoryTest):
    """Each command and lookup after each other one, on the same block: the fields of the entry are the later one's."""

    async def body(self) -> None:
        """Tier 3, hints that are far away: nothing moves."""
        addr = kv(1)
        for first, second in product(FIELDS, repeat=2):
            await self.r.insert(addr, tokens=2, tier=3)
            expected = dict.fromkeys(("hot", "evictable", "hint", "prefix", "dirty", "ref_count", "access_step"), 0)
            for name in (first, second):
                await self.does(name, addr)
                more = name == "SHARE" and expected["ref_count"]
                expected |= FIELDS[name] | ({"ref_count": 2} if more else {})
            entry = await self.entry(addr)
            seen = {name: int(getattr(entry, name)) for name in expected}
            self.ctx.compare(f"fields after {first} and {second}", expected, seen)
            while (await self.entry(addr)).ref_count:
                await self.r.range("RELEASE", addr, 1)
            await self.status(Status.OK, Command.REMOVE, addr)

    async def does(self, name: str, addr: int) -> None:
        """The command or the lookup."""
        if name in ("read", "write"):
            await self.bench.lookups(0, [addr], int(name == "write"))
        elif name == "LOOKUP touch":
            await self.status(Status.OK, Command.LOOKUP, addr, TOUCH=1)
        else:
            await self.r.range(name, addr, 1, 1000)


@kv_test(timeout_cycles=400_000)
class test_g3_referenced_and_hot_blocks_move_up(MoveTest):
    """A reference and HOT keep a block from a slower tier, not from a faster one."""

    latency = 4

    async def body(self) -> None:
        """MIGRATE upwards of a block that is referenced, HOT, or both."""
        addr = kv(1)
        for marks in (("SHARE",), ("BOOST",), ("SHARE", "BOOST")):
            await self.r.insert(addr, tokens=2, tier=2)
            for mark in marks:
                await self.r.range(mark, addr, 1)
            await self.status(Status.OK, Command.MIGRATE, addr, TIER=0)
            await self.r.wait_idle()
            expected = [(addr, 2, 0, Completion.OK)]
            self.ctx.compare(f"MIGRATE upwards after {' and '.join(marks)}", expected, await self.completions())
            await self.r.range("RELEASE", addr, 1)
            await self.status(Status.OK, Command.REMOVE, addr)


@kv_test(timeout_cycles=400_000)
class test_g3_item_of_a_removed_block(MoveTest):
    """An item ends CANCELLED after its block went and one of the same name came, whose own item then counts."""

    latency = 4

    async def body(self) -> None:
        """Both ways of removal, both channels."""
        addr = kv(1)
        for command, (first, second) in product((Command.REMOVE, Command.FREE_REQUEST), ((3, 2), (0, 0))):
            await self.r.write(CTRL=0)
            await self.r.insert(addr, tokens=2, tier=1)
            await self.status(Status.OK, Command.MIGRATE, addr, TIER=first)
            await self.status(Status.OK, command, addr)
            await self.r.insert(addr, tokens=2, tier=1)
            await self.status(Status.OK, Command.MIGRATE, addr, TIER=second)
            await self.r.write(CTRL=1)
            await self.r.wait_idle()
            expected = [(addr, 1, first, Completion.CANCELLED), (addr, 1, second, Completion.OK)]
            self.ctx.compare(f"items before and after {command.name}", expected, await self.completions())
            await self.status(Status.OK, Command.REMOVE, addr)
            await self.r.step(await self.r.read("STEP_ADVANCE"))


@kv_test(timeout_cycles=600_000)
class test_g3_every_move_is_stopped(MoveTest):
    """A write lookup, REMOVE and FREE_REQUEST stop the copy of every DMA move, whichever of the 64 it is."""

    async def body(self) -> None:
        """Nothing is written after the block was written or went."""
        addr = kv(1)
        for move in range(66):
            await self.r.insert(addr, tokens=2, tier=1)
            self.bench.link.axi_clear_counts()
            await self.status(Status.OK, Command.MIGRATE, addr, TIER=3)
            await self.begun("EVICT")
            command = (None, Command.REMOVE, Command.FREE_REQUEST)[move % 3]
            if command is None:
                await self.bench.lookups(0, [addr], 1)
            else:
                await self.status(Status.OK, command, addr)
            await self.r.wait_idle()
            where = {"move": move, "by": command.name if command else "write lookup"}
            ended = Completion.CANCELLED if command else Completion.VOID
            self.ctx.compare("completion of the stopped move", [(addr, 1, 3, ended)], await self.completions(), **where)
            self.ctx.compare("beats written", 0, self.bench.link.axi_counts()["write_beats"], **where)
            if command is None:
                await self.status(Status.OK, Command.REMOVE, addr)
