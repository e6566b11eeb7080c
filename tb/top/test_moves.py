"""DMA moves, sentence by sentence (device.md 6): starts, commits, voids, errors, completions."""

from sw.regs import registers as regs
from sw.regs.registers import Command, Completion, Status
from tb.env.registers import IRQ_COMMAND_DONE, kv
from tb.harness.base_test import kv_test
from tb.harness.link import DECERR, SLVERR
from tb.top.test_directory import DirectoryTest


class MoveTest(DirectoryTest):
    """Slow memories, so that things can happen while a block moves."""

    latency = 400

    async def bring_up(self) -> None:
        """As every test; memories with a fixed latency."""
        await super().bring_up()
        self.memory.ideal(self.latency)

    async def completions(self) -> list[tuple[int, int, int, Completion]]:
        """Everything in the completion queue: KV address, from, to, status."""
        out: list[tuple[int, int, int, Completion]] = []
        while True:
            info = regs.BY_NAME["COMPLETION_INFO"].unpack(await self.r.read("COMPLETION_INFO"))
            addr = await self.r.read("COMPLETION_ADDR")
            if not info["VALID"]:
                self.ctx.compare("COMPLETION_ADDR of the empty queue", 0, addr)
                return out
            out.append((addr, info["FROM"], info["TO"], Completion(info["STATUS"])))

    async def begun(self, channel: str) -> None:
        """Wait until the queue of a channel is empty again: its items have started."""
        for _ in range(200):
            if not await self.r.field("STATUS", f"{channel}_LEVEL"):
                break
        await self.bench.cycles(40)


@kv_test(timeout_cycles=300_000)
class test_void(MoveTest):
    """A write lookup while the block moves: VOID, the entry stays, the target slot comes back, nothing is lost."""

    async def body(self) -> None:
        """A read does no harm, a write does; afterwards the block moves with the new bytes."""
        place = await self.r.insert(kv(1), tokens=4, tier=1)
        await self.r.step(1)
        free = await self.r.read("TIER3_FREE")
        await self.status(Status.OK, Command.MIGRATE, kv(1), TIER=3)
        await self.begun("EVICT")
        answers = await self.bench.lookups(0, [kv(1), kv(1, 4)], [0, 1])
        self.ctx.compare("lookups during the move get the old place", [1, 1], answers["tier"].tolist())
        self.bench.link.memory_write(1, place.phys_addr, b"written while it moved" * 4)
        await self.r.wait_idle()
        self.ctx.compare(
            "completions of the move: KV address, from, to, status",
            [(kv(1), 1, 3, Completion.VOID)],
            await self.completions(),
        )
        self.ctx.compare("EVICT_VOID_COUNT", 1, await self.r.read("EVICT_VOID_COUNT"))
        self.ctx.compare("tier, DIRTY", (1, 1), ((await self.entry(kv(1))).tier, (await self.entry(kv(1))).dirty))
        self.ctx.compare("free slots of the target tier", free, await self.r.read("TIER3_FREE"))
        await self.r.step(2)
        await self.status(Status.OK, Command.MIGRATE, kv(1), TIER=3)
        await self.r.wait_idle()
        moved = await self.r.lookup(kv(1))
        seen = self.bench.link.memory_read(3, moved.phys_addr, 22)
        self.ctx.compare("bytes at the new place", b"written while it moved", seen)


@kv_test(timeout_cycles=600_000)
class test_errors_and_retry(MoveTest):
    """SLVERR and DECERR on either side: MAX_RETRY tries, then ERROR; first error latched; counters; interrupt."""

    latency = 20

    async def body(self) -> None:
        """One failing try is retried; all failing ends in ERROR; MAX_RETRY 0 means 1."""
        await self.r.insert(kv(1), tokens=4, tier=1)
        await self.r.insert(kv(2), tokens=4, tier=1)
        rule = self.memory.errors(0b0010, False, 255, SLVERR, count=1)
        await self.status(Status.OK, Command.MIGRATE, kv(1), TIER=2)
        await self.r.wait_idle()
        self.ctx.compare("errors injected", 1, int(self.bench.link.axi_error_hits(rule)))
        self.ctx.compare("after one error", [(kv(1), 1, 2, Completion.OK)], await self.completions())
        info = regs.BY_NAME["DMA_ERROR_INFO"].unpack(await self.r.read("DMA_ERROR_INFO"))
        self.ctx.compare(
            "DMA_ERROR_INFO: VALID, CHANNEL, WRITE", (1, 0, 0), (info["VALID"], info["CHANNEL"], info["WRITE"])
        )
        self.ctx.compare("DMA_ERROR_ADDR", kv(1), await self.r.read("DMA_ERROR_ADDR"))
        self.ctx.compare("IRQ_STATUS.DMA_ERR", 1, await self.r.field("IRQ_STATUS", "DMA_ERR"))
        self.bench.link.axi_clear_errors()
        self.memory.errors(0b1000, True, 255, DECERR)
        for tries, expected in ((3, 3), (1, 1), (0, 1)):
            before = await self.r.read("EVICT_ERROR_COUNT")
            await self.r.write(MAX_RETRY=tries)
            await self.status(Status.OK, Command.MIGRATE, kv(2), TIER=3)
            await self.r.wait_idle()
            self.ctx.compare("all tries fail", [(kv(2), 1, 3, Completion.ERROR)], await self.completions())
            self.ctx.compare(
                f"errors with MAX_RETRY {tries}", before + expected, await self.r.read("EVICT_ERROR_COUNT")
            )
        self.ctx.compare("first error kept", kv(1), await self.r.read("DMA_ERROR_ADDR"))
        await self.r.write(DMA_ERROR_INFO=1)
        await self.status(Status.OK, Command.MIGRATE, kv(2), TIER=3)
        await self.r.wait_idle()
        info = regs.BY_NAME["DMA_ERROR_INFO"].unpack(await self.r.read("DMA_ERROR_INFO"))
        self.ctx.compare("next error after the release: VALID, WRITE", (1, 1), (info["VALID"], info["WRITE"]))
        self.ctx.compare("DMA_ERROR_ADDR", kv(2), await self.r.read("DMA_ERROR_ADDR"))
        self.ctx.compare("entry of the block that cannot move", 1, (await self.r.lookup(kv(2))).tier)
        self.bench.link.axi_clear_errors()


@kv_test(timeout_cycles=200_000)
class test_copy_cancelled(MoveTest):
    """REMOVE and FREE_REQUEST of a moving block cancel the copy: what comes from the old place is written nowhere."""

    async def body(self) -> None:
        """Each of them from each tier, before the first byte has come."""
        for tier in (0, 1, 2):
            for command in (Command.REMOVE, Command.FREE_REQUEST):
                await self.r.insert(kv(1), tokens=4, tier=tier)
                self.bench.link.axi_clear_counts()
                await self.status(Status.OK, Command.MIGRATE, kv(1), TIER=3)
                await self.begun("EVICT")
                await self.status(Status.OK, command, kv(1))
                await self.r.wait_idle()
                seen = await self.completions()
                counts = self.bench.link.axi_counts()
                self.ctx.compare(
                    "completions of the move: KV address, from, to, status",
                    [(kv(1), tier, 3, Completion.CANCELLED)],
                    seen,
                    command=command.name,
                )
                self.ctx.compare(
                    "beats written of a cancelled copy", 0, counts["write_beats"], command=command.name, tier=tier
                )


@kv_test(timeout_cycles=400_000)
class test_cancelled(MoveTest):
    """Each thing that ends an item CANCELLED, at its start or at its commit."""

    async def body(self) -> None:
        """Removed while it moves and while it waits; referenced at start and at commit; touched before an eviction."""
        for i in range(1, 7):
            await self.r.insert(kv(i), tokens=16, tier=1)
        free = [await self.r.read(f"TIER{t}_FREE") for t in range(4)]
        await self.status(Status.OK, Command.MIGRATE, kv(1), TIER=2)
        await self.begun("EVICT")
        await self.status(Status.OK, Command.REMOVE, kv(1))
        self.ctx.compare("slot of a removed block is back at once", free[1] + 1, await self.r.read("TIER1_FREE"))
        await self.r.insert(kv(1), tokens=3, tier=1)
        await self.r.wait_idle()
        self.ctx.compare("removed while it moved", [(kv(1), 1, 2, Completion.CANCELLED)], await self.completions())
        self.ctx.compare(
            "the new block of that name", (1, 2), ((await self.entry(kv(1))).tier, (await self.entry(kv(1))).token_end)
        )
        self.ctx.compare("free slots of the target", free[2], await self.r.read("TIER2_FREE"))
        await self.status(Status.OK, Command.MIGRATE, kv(2), TIER=2)
        await self.begun("EVICT")
        await self.r.range("SHARE", kv(2), 1)
        await self.r.wait_idle()
        self.ctx.compare("referenced at the commit", [(kv(2), 1, 2, Completion.CANCELLED)], await self.completions())
        await self.r.insert(kv(7), tokens=16, tier=1)
        await self.r.step(1)  # R is below 255 from here on, so that HOT alone keeps a block
        await self.r.insert(kv(8), tokens=16, tier=1)
        await self.r.write(CTRL=0)
        await self.status(Status.OK, Command.MIGRATE, kv(3), TIER=2)
        await self.r.range("SHARE", kv(3), 1)
        await self.r.range("IMEVICT", kv(4), 16)
        await self.r.range("BOOST", kv(4), 16)
        await self.r.range("IMEVICT", kv(5), 16)
        await self.status(Status.OK, Command.LOOKUP, kv(5), TOUCH=1)
        await self.r.range("IMEVICT", kv(6), 16)
        await self.status(Status.OK, Command.REMOVE, kv(6))
        await self.r.range("IMEVICT", kv(7), 16)
        await self.r.range("COOL", kv(7), 16)
        await self.r.range("IMEVICT", kv(8), 16)
        await self.r.write(CTRL=1)
        await self.r.wait_idle()
        expected = [(kv(3), 1, 2, Completion.CANCELLED)]  # MIGRATE has named its target
        expected += [(kv(i), 1, 1, Completion.CANCELLED) for i in (4, 5, 6)]
        expected += [(kv(i), 1, 2, Completion.OK) for i in (7, 8)]  # R < 255; EVICTABLE
        subject = "referenced, HOT, touched, gone at the start; cold, EVICTABLE"
        self.ctx.compare(subject, expected, sorted(await self.completions()))
        await self.r.insert(kv(9), tokens=16, tier=1)
        await self.r.write(CTRL=0)
        await self.status(Status.OK, Command.MIGRATE, kv(9), TIER=2)
        await self.status(Status.OK, Command.REMOVE, kv(9))
        await self.r.insert(kv(9), tokens=16, tier=1)
        await self.status(Status.OK, Command.MIGRATE, kv(9), TIER=3)
        await self.r.write(CTRL=1)
        await self.r.wait_idle()
        expected = [(kv(9), 1, 2, Completion.CANCELLED), (kv(9), 1, 3, Completion.OK)]
        self.ctx.compare("the item of a block that is gone, and its namesake's", expected, await self.completions())


@kv_test(timeout_cycles=400_000)
class test_no_slot(MoveTest):
    """A channel never waits for a slot; RESERVE is left; an eviction takes the nearest slower tier with a free slot."""

    slots = (4, 4, 4, 40)
    latency = 20

    async def body(self) -> None:
        """Tier 2 full or reserved: evictions go to 3, MIGRATE ends NO_SLOT."""
        for i in range(4):
            await self.r.insert(kv(1, i * 16), tokens=16, tier=1)
        await self.r.write(TIER2_RESERVE=4)
        await self.status(Status.OK, Command.MIGRATE, kv(1), TIER=2)
        await self.r.wait_idle()
        self.ctx.compare(
            "MIGRATE to a reserved tier",
            [(kv(1), 1, 1, Completion.NO_SLOT)],
            [(a, f, f, s) for a, f, _, s in await self.completions()],
        )
        await self.r.range("IMEVICT", kv(1), 16)
        await self.r.wait_idle()
        self.ctx.compare("eviction past the reserved tier", 3, (await self.r.lookup(kv(1))).tier)
        await self.r.write(TIER2_RESERVE=3)
        await self.r.range("IMEVICT", kv(1, 16), 32)
        await self.r.wait_idle()
        tiers = [(await self.r.lookup(kv(1, 16 * i))).tier for i in (1, 2)]
        self.ctx.compare("one slot above the reserve", [2, 3], sorted(tiers))
        await self.r.write(TIER2_RESERVE=4, TIER3_RESERVE=40)
        await self.completions()
        await self.r.range("IMEVICT", kv(1, 48), 16)
        await self.r.wait_idle()
        self.ctx.compare(
            "no slower tier has a slot",
            [(kv(1, 48), 1, Completion.NO_SLOT)],
            [(a, f, s) for a, f, _, s in await self.completions()],
        )


@kv_test(timeout_cycles=600_000)
class test_completion_queue(MoveTest):
    """One completion per item, 64 deep, overflow dropped and counted: the DMA never waits for software."""

    slots = (8, 100, 100, 100)
    latency = 4

    async def body(self) -> None:
        """80 moves while completions are not read."""
        await self.r.insert_many([(kv(1, i * 16), 16, 1) for i in range(80)])
        for i in range(80):
            await self.status(Status.OK, Command.MIGRATE, kv(1, i * 16), TIER=2)
        await self.r.wait_idle()
        self.ctx.compare("completions dropped", 16, await self.r.read("COMPLETION_DROPPED_COUNT"))
        self.ctx.compare("bytes moved", 80 * self.block_bytes, await self.r.read("EVICT_BYTES_MOVED"))
        self.ctx.compare("completions read", 64, len(await self.completions()))
        self.ctx.compare("IRQ_STATUS overflow, completion", 0b100100, await self.r.read("IRQ_STATUS") & 0b100100)


@kv_test(timeout_cycles=400_000)
class test_soft_reset_waits(MoveTest):
    """Soft reset waits for outstanding AXI bursts and keeps the configuration registers."""

    async def body(self) -> None:
        """Ask for it in the middle of moves."""
        await self.r.write(WEIGHT_R=3, TIER1_RESERVE=2)
        await self.r.insert_many([(kv(1, i * 16), 16, 1) for i in range(8)])
        for i in range(8):
            await self.status(Status.OK, Command.MIGRATE, kv(1, i * 16), TIER=2)
        self.ctx.compare("bursts outstanding", True, int(self.bench.link.axi_outstanding()) > 0)
        await self.r.write(CTRL=0x101)
        self.ctx.compare("launch during the reset", SLVERR, await self.bench.try_write(regs.STEP_ADVANCE.offset, 5))
        await self.r.wait_initialised()
        self.ctx.compare("bursts outstanding after it", 0, int(self.bench.link.axi_outstanding()))
        self.ctx.compare(
            "WEIGHT_R, RESERVE, step",
            (3, 2, 0),
            tuple((await self.r.read_many(["WEIGHT_R", "TIER1_RESERVE", "STEP_ADVANCE"])).values()),
        )
        self.ctx.compare("hits after it", 0, await self.r.read("RTBD_HIT_COUNT"))
        await self.status(Status.MISS, Command.LOOKUP, kv(1))
        self.ctx.compare("free slots", self.slots[1], await self.r.read("TIER1_FREE"))


@kv_test(timeout_cycles=400_000)
class test_block_sizes(MoveTest):
    """BLOCK_BYTES from 256 to 65,536, any multiple of 64; slots at the next power of two; no burst across 4 KiB."""

    latency = 8

    async def body(self) -> None:
        """Some sizes, a move each way; BLOCK_BYTES and tiers in use refuse writes."""
        for size in (256, 320, 4032, 4160, 8192, 65536):
            await self.bench.reset()
            await self.r.wait_initialised()
            bases = [0x7_0000_1000, 0x1000, 0x10_0000_0000, 0x2_0000]
            await self.r.tiers([2, 4, 4, 4], size, bases)
            await self.r.write(IRQ_ENABLE=IRQ_COMMAND_DONE, CTRL=1)
            stride = 1 << (size - 1).bit_length()
            results = await self.r.insert_many([(kv(1, i * 16), 16, 1) for i in range(3)])
            offsets = sorted(r.phys_addr - bases[1] for r in results)
            self.ctx.compare("slots used", [0, stride, 2 * stride], offsets, block_bytes=size)
            self.ctx.compare("BLOCK_BYTES in use", SLVERR, await self.bench.try_write(regs.BLOCK_BYTES.offset, 512))
            self.ctx.compare("BASE in use", SLVERR, await self.bench.try_write(regs.TIER1_BASE.offset, 0))
            self.ctx.compare("SLOTS in use", SLVERR, await self.bench.try_write(regs.TIER1_SLOTS.offset, 9))
            for tier in (3, 0, 2):
                await self.status(Status.OK, Command.MIGRATE, kv(1, 16), TIER=tier)
                await self.r.wait_idle()
                self.ctx.compare("tier after the move", tier, (await self.r.lookup(kv(1, 16))).tier, block_bytes=size)
            self.look()
            self.memories()

    def memories(self) -> None:
        """Every byte, before the next round gives the tiers other memory."""
        bad, compared, text = self.bench.link.memory_compare()
        self.ctx.compare(f"tier memories {text}", 0, bad)
        self.ctx.compare("bytes compared", True, compared > 0)


@kv_test(timeout_cycles=400_000)
class test_enable(MoveTest):
    """CTRL.ENABLE goes to 0 around each cycle in which a queued item is on its way: no move starts any more."""

    async def body(self) -> None:
        """The scoreboard looks at ENABLE at each start; queued items wait, running moves end, then all goes on."""
        for i in range(1, 7):
            await self.r.insert(kv(i), tokens=16, tier=1)
        moved = 0
        for delay in range(24):
            await self.r.write(CTRL=0)
            target = 2 - delay % 2
            for i in range(1, 7):
                await self.status(Status.OK, Command.MIGRATE, kv(i), TIER=target)
            await self.r.write(CTRL=1)
            await self.bench.cycles(delay)
            await self.r.write(CTRL=0)
            await self.bench.cycles(1500)
            await self.r.write(CTRL=1)
            await self.r.wait_idle()
            moved += len(await self.completions())
            await self.r.step(delay + 1)
        self.ctx.compare("moves that have ended", 24 * 6, moved)


@kv_test(timeout_cycles=600_000)
class test_slots_come_back(MoveTest):
    """FREE_REQUEST gives slots of a full tier back while evictions look for one: each start against each slot."""

    slots = (4, 16, 4, 1000)
    latency = 4

    async def body(self) -> None:
        """An eviction takes a slot that came a cycle before its start, and none that comes a cycle later."""
        tiers = set()
        for turn in range(40):
            await self.r.write(CTRL=0)
            await self.r.insert_many([(kv(2, i * 16), 16, 2) for i in range(4)])
            await self.r.insert_many([(kv(1, i * 16), 16, 1) for i in range(16)])
            await self.r.range("IMEVICT", kv(1), 16 * 16)
            await self.r.write(DIR_ADDR=kv(2), DIR_ARG=0, DIR_COMMAND=int(Command.FREE_REQUEST))
            await self.bench.cycles(turn)
            await self.r.write(CTRL=1)
            await self.r.wait_idle()
            for i in range(16):
                tiers.add((await self.r.lookup(kv(1, i * 16))).tier)
            await self.status(Status.OK, Command.FREE_REQUEST, kv(1))
            await self.r.step(turn + 1)
        self.ctx.compare("tiers that evictions went to", {2, 3}, tiers)
