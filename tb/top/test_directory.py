"""Directory commands and the directory window, sentence by sentence (device.md 1, 2, 8, 9)."""

from collections.abc import Coroutine, Iterable
from typing import Any

import cocotb
from cocotb.task import Task

from model.entries import EntryView
from model.types import BadParity
from sw.regs import registers as regs
from sw.regs.registers import Command, Status
from tb.env.env import KvTopTest
from tb.env.registers import kv
from tb.harness.base_test import kv_test
from tb.harness.link import OKAY, READ, SLVERR, WRITE


class DirectoryTest(KvTopTest):
    """Short ways to commands and entries."""

    async def status(self, expected: Status, command: Command, addr: int, **arg: int) -> None:
        """A command comes out as expected."""
        result = await self.r.command(command, addr, **arg)
        self.ctx.compare(f"{command.name} status", expected.name, result.status.name, block=hex(addr))

    async def entry(self, addr: int) -> EntryView:
        """The entry of a block, through LOOKUP peek and BAR2."""
        result = await self.r.lookup(addr)
        self.ctx.compare("LOOKUP status", Status.OK.name, result.status.name, block=hex(addr))
        return EntryView.unpack((await self.r.bench.read_entries([result.index]))[0])


@kv_test(timeout_cycles=200_000)
class test_insert(DirectoryTest):
    """INSERT: checks in the order BAD_ARG, EXISTS, NO_SLOT; the new entry's fields; no slot of another tier."""

    slots = (1, 8, 8, 8)

    async def body(self) -> None:
        """Each status once, and what must outrank what."""
        await self.r.step(7)
        tokens = self.bench.block_tokens
        addr = kv(3, 5 * tokens, layer=2, head=9)
        await self.status(Status.BAD_ARG, Command.INSERT, addr + 1, TOKEN_END=5 * tokens + 1, TIER=1)
        await self.status(Status.BAD_ARG, Command.INSERT, addr, TOKEN_END=6 * tokens, TIER=1)
        await self.status(Status.BAD_ARG, Command.INSERT, addr, TOKEN_END=5 * tokens - 1, TIER=1)
        result = await self.r.insert(addr, tokens=4, tier=0, prefix=True, hot=True)
        self.ctx.compare("INSERT status", Status.OK.name, result.status.name)
        entry = await self.entry(addr + 3)
        seen = (
            entry.request_id,
            entry.layer,
            entry.head,
            entry.token_start,
            entry.token_end,
            entry.tier,
            entry.phys_addr,
        )
        expected = (3, 2, 9, 5 * tokens, 5 * tokens + 3, 0, result.phys_addr)
        self.ctx.compare("new entry: request, layer, head, tokens, tier, PHYS_ADDR", expected, seen)
        fields = (
            entry.r,
            entry.f,
            entry.access_step,
            entry.priority,
            entry.ref_count,
            entry.hint,
            entry.evictable,
            entry.dirty,
        )
        self.ctx.compare(
            "new entry: R, F, ACCESS_STEP, PRIORITY, REF_COUNT, HINT, EVICTABLE, DIRTY",
            (255, 1, 7, 0, 0, 0, 0, 0),
            fields,
        )
        self.ctx.compare("new entry: PREFIX, HOT, VALID", (1, 1, 1), (entry.prefix, entry.hot, entry.valid))
        await self.status(Status.BAD_ARG, Command.INSERT, addr, TOKEN_END=5 * tokens + tokens, TIER=0)
        await self.status(Status.EXISTS, Command.INSERT, addr, TOKEN_END=5 * tokens, TIER=0)
        await self.status(Status.NO_SLOT, Command.INSERT, addr + tokens, TOKEN_END=6 * tokens, TIER=0)
        self.ctx.compare("free slots of tier 1", 8, await self.r.read("TIER1_FREE"))


@kv_test(timeout_cycles=200_000)
class test_lookup_command(DirectoryTest):
    """LOOKUP: any token up to TOKEN_END; peek changes nothing, touch is a port's lookup."""

    async def body(self) -> None:
        """Peek, touch, miss; windows do not count for BAR0."""
        addr = kv(4, 32)
        await self.r.insert(addr, tokens=3, tier=2)
        await self.r.step(5)
        before = await self.entry(addr)
        hits = await self.r.read("RTBD_HIT_COUNT")
        await self.status(Status.OK, Command.LOOKUP, addr + 2)
        await self.status(Status.MISS, Command.LOOKUP, addr + 3)
        await self.status(Status.MISS, Command.LOOKUP, kv(5, 32))
        self.ctx.compare("entry after peeks", before, await self.entry(addr))
        self.ctx.compare("hits after peeks", hits, await self.r.read("RTBD_HIT_COUNT"))
        await self.r.write(PORT0_REQ_LO=9, PORT1_REQ_LO=9, PORT2_REQ_LO=9)
        await self.status(Status.OK, Command.LOOKUP, addr + 1, TOUCH=1)
        after = await self.entry(addr)
        self.ctx.compare(
            "after touch: R, F, ACCESS_STEP", (255, before.f + 1, 5), (after.r, after.f, after.access_step)
        )
        misses = await self.r.read("RTBD_MISS_COUNT")
        await self.status(Status.MISS, Command.LOOKUP, addr + 3, TOUCH=1)
        self.ctx.compare("misses after a touch that missed", misses + 1, await self.r.read("RTBD_MISS_COUNT"))


@kv_test(timeout_cycles=300_000)
class test_remove_and_free(DirectoryTest):
    """REMOVE and FREE_REQUEST: references keep a block, slots come back at once, counts."""

    async def body(self) -> None:
        """A request of 12 blocks, 4 of them shared."""
        tokens = self.bench.block_tokens
        for i in range(12):
            await self.r.insert(kv(6, i * tokens), tier=i % 4)
        await self.r.insert(kv(7), tier=1)
        free = [await self.r.read(f"TIER{t}_FREE") for t in range(4)]
        await self.r.range("SHARE", kv(6), 4 * tokens)
        await self.status(Status.REFERENCED, Command.REMOVE, kv(6, 1))
        await self.status(Status.OK, Command.REMOVE, kv(6, 4 * tokens + 2))
        await self.status(Status.MISS, Command.REMOVE, kv(6, 4 * tokens))
        self.ctx.compare("free slots after REMOVE", free[0] + 1, await self.r.read("TIER0_FREE"))
        result = await self.r.command(Command.FREE_REQUEST, kv(6))
        self.ctx.compare("FREE_REQUEST: went, stayed", (7, 4), (result.removed, result.stayed))
        entry = await self.entry(kv(6, 0))
        self.ctx.compare("blocks that stayed are not marked", (1, 0, 0), (entry.ref_count, entry.evictable, entry.hot))
        await self.status(Status.BAD_ARG, Command.FREE_REQUEST, kv(0))
        await self.status(Status.OK, Command.LOOKUP, kv(7))
        await self.r.range("RELEASE", kv(6), 4 * tokens)
        result = await self.r.command(Command.FREE_REQUEST, kv(6))
        self.ctx.compare("FREE_REQUEST: went, stayed", (4, 0), (result.removed, result.stayed))


@kv_test(timeout_cycles=300_000)
class test_free_all(DirectoryTest):
    """FREE_REQUEST of a request that has the whole directory: all banks free a slot in every cycle, one goes back."""

    slots = (300, 300, 300, 100)
    block_bytes = 256

    async def body(self) -> None:
        """Twice, so that every slot is handed out again."""
        for turn in range(2):
            blocks = [(kv(6, i * self.bench.block_tokens), 1, i // 270) for i in range(870)]
            results = await self.r.insert_many(blocks)
            self.ctx.compare("blocks inserted", {Status.OK}, {result.status for result in results}, turn=turn)
            result = await self.r.command(Command.FREE_REQUEST, kv(6))
            self.ctx.compare("FREE_REQUEST: went, stayed", (len(blocks), 0), (result.removed, result.stayed), turn=turn)
            free = [await self.r.read(f"TIER{tier}_FREE") for tier in range(4)]
            self.ctx.compare("free slots", list(self.slots), free, turn=turn)


@kv_test(timeout_cycles=300_000)
class test_migrate(DirectoryTest):
    """MIGRATE: own tier, references, in flight; both channels; moves HOT blocks because software asked."""

    async def body(self) -> None:
        """Down, up, refused."""
        self.memory.ideal(latency=40)
        addr = kv(8, 48)
        await self.r.insert(addr, tokens=5, tier=0, hot=True)
        await self.status(Status.BAD_ARG, Command.MIGRATE, addr, TIER=0)
        await self.status(Status.MISS, Command.MIGRATE, kv(9), TIER=1)
        await self.status(Status.OK, Command.MIGRATE, addr + 4, TIER=3)
        await self.status(Status.BUSY, Command.MIGRATE, addr, TIER=2)
        await self.r.wait_idle()
        self.ctx.compare("tier after MIGRATE", 3, (await self.r.lookup(addr)).tier)
        await self.r.range("SHARE", addr, 1)
        await self.status(Status.OK, Command.MIGRATE, addr, TIER=1)
        await self.r.wait_idle()
        self.ctx.compare("tier after MIGRATE", 1, (await self.r.lookup(addr)).tier)
        await self.status(Status.REFERENCED, Command.MIGRATE, addr, TIER=2)


@kv_test(timeout_cycles=300_000)
class test_window(DirectoryTest):
    """BAR2: word 0 latches, words 1 to 3 come from the latch; writes SLVERR; reading changes nothing."""

    async def body(self) -> None:
        """An entry that changes between word 0 and the others."""
        addr = kv(2, 16)
        result = await self.r.insert(addr, tokens=2, tier=1)
        base = result.index * 32
        before = (await self.r.bench.read_entries([result.index]))[0]
        first = self.bench.accesses([(READ, base, 0)])
        await self.bench.run_accesses(first, bar=1)
        await self.bench.lookups(0, [addr] * 5, 1)
        rest = self.bench.accesses((READ, base + 8 * w, 0) for w in (1, 2, 3))
        await self.bench.run_accesses(rest, bar=1)
        seen = b"".join(int(d).to_bytes(8, "little") for d in [*first["data"], *rest["data"]])
        self.ctx.compare("entry read in two parts", before.hex(), seen.hex())
        after = EntryView.unpack((await self.r.bench.read_entries([result.index]))[0])
        self.ctx.compare("entry read again: F, DIRTY", (6, 1), (after.f, after.dirty))
        past = self.bench.entries * 32
        writes = self.bench.accesses([(WRITE, base, 1), (WRITE, 4, 1), (READ, base + 4, 0), (READ, past, 0)])
        await self.bench.run_accesses(writes, bar=1)
        expected = [SLVERR, SLVERR, SLVERR, SLVERR if past < 1 << 22 else OKAY]
        self.ctx.compare(
            "BAR2 write, write, unaligned read, read past the end", expected[:3], writes["resp"].tolist()[:3]
        )
        empty = (await self.r.bench.read_entries([(result.index + 1) % self.bench.entries]))[0]
        self.ctx.compare("an empty slot reads zeros", bytes(32).hex(), empty.hex())


@kv_test(timeout_cycles=300_000)
class test_window_during_writes(DirectoryTest):
    """BAR2 reads entries of a bank while ports and FREE_REQUEST write tags of the same bank: each is its own."""

    async def body(self) -> None:
        """Blocks that no operation touches are read repeatedly; others of their bank grow, and are removed."""
        still = [(await self.r.insert(kv(1, i * self.bench.block_tokens), tokens=5, tier=1)).index for i in range(16)]
        before = await self.r.bench.read_entries(still)
        for idle256 in (0, 100, 200):  # tag writes in every cycle, and in some
            self.bench.lookup_rates(idle256, 0)
            grow = [kv(2, i * self.bench.block_tokens) for i in range(40)]
            for addr in grow:
                await self.r.insert(addr, tokens=1, tier=2)
            addrs = [addr + token for token in range(1, self.bench.block_tokens) for addr in grow]
            port = cocotb.start_soon(self.bench.lookups(0, addrs, 1), name="growing blocks")
            await self.read_while(port, still, before, f"growing blocks, {idle256} of 256 cycles idle")
            self.ctx.compare("blocks that grew to their end", len(addrs), int(port.result()["hit"].sum()))
            free = cocotb.start_soon(self.r.command(Command.FREE_REQUEST, kv(2)), name="FREE_REQUEST")
            await self.read_while(free, still, before, "FREE_REQUEST")
            self.ctx.compare("FREE_REQUEST: went", len(grow), free.result().removed)

    async def read_while(self, task: Task[Any], indices: list[int], expected: list[bytes], load: str) -> None:
        """Entries through BAR2 until the task ends; they stay as expected."""
        while not task.done():
            seen = await self.r.bench.read_entries(indices)
            for index, was, now in zip(indices, expected, seen, strict=True):
                self.ctx.compare(
                    "entry that no operation touches, through BAR2", was.hex(), now.hex(), index=index, load=load
                )


class ParityTest(DirectoryTest):
    """Entries with bad parity, planted through the backdoor."""

    async def plant(self, faults: Iterable[tuple[int, BadParity]]) -> None:
        """Turn a bit over in the tag or the meta word at each index."""
        self.look()
        planted = list(faults)
        for index, word in planted:
            self.bench.link.poke(index, word == BadParity.TAG, 5 if word == BadParity.TAG else 40)
            self.board.state.inject_parity(index, word)
        await self.bench.cycles(8 + len(planted))  # a bank takes one in a cycle
        self.ctx.compare("faults planted", 0, self.bench.link.poke_pending())


@kv_test(timeout_cycles=300_000)
class test_parity(ParityTest):
    """Bad parity: no hit, no decision, counted, index latched, interrupt, slot occupied until reset."""

    async def body(self) -> None:
        """One block with a bad tag, one with a bad meta word."""
        blocks = [kv(3, 0), kv(3, 16), kv(3, 32)]
        results = [await self.r.insert(b, tokens=16, tier=1) for b in blocks]
        free = await self.r.read("TIER1_FREE")
        await self.plant([(results[0].index, BadParity.TAG), (results[1].index, BadParity.META)])
        answers = await self.bench.lookups(0, blocks)
        self.ctx.compare("hits: bad tag, bad meta word, good", [0, 0, 1], answers["hit"].tolist())
        info = regs.BY_NAME["PARITY_INFO"].unpack(await self.r.read("PARITY_INFO"))
        self.ctx.compare("PARITY_INFO.VALID", 1, info["VALID"])
        self.ctx.compare(
            "PARITY_INFO.INDEX is one of the faults", True, info["INDEX"] in {results[0].index, results[1].index}
        )
        self.ctx.compare("PARITY_COUNT above 0", True, await self.r.read("PARITY_COUNT") > 0)
        self.ctx.compare("IRQ_STATUS.PARITY", 1, await self.r.field("IRQ_STATUS", "PARITY"))
        await self.r.write(EVICT_THRESH=0xFFFF, EVICT_TIERS=0xF)
        await self.r.step(300)
        await self.r.wait_idle()
        self.ctx.compare("tier of the good block after an eviction of all", 2, (await self.r.lookup(blocks[2])).tier)
        self.ctx.compare("free slots of tier 1, the good block's held", free, await self.r.read("TIER1_FREE"))
        await self.r.step(301)
        self.ctx.compare("free slots of tier 1 after the fence", free + 1, await self.r.read("TIER1_FREE"))
        self.look()
        await self.bench.reset()
        await self.r.wait_initialised()
        self.ctx.compare("PARITY_COUNT after reset", 0, await self.r.read("PARITY_COUNT"))


@kv_test(timeout_cycles=300_000)
class test_parity_counts(ParityTest):
    """PARITY_COUNT: every read of an entry with bad parity, once, whoever reads it; PARITY_INFO keeps the first."""

    async def body(self) -> None:
        """A bad tag, a bad meta word, an empty place with a bad meta word, and a good entry next to them."""
        tag, meta, good, gone = (kv(3, i * self.bench.block_tokens) for i in range(4))
        indices = [(await self.r.insert(addr, tokens=1, tier=1)).index for addr in (tag, meta, good, gone)]
        await self.r.command(Command.REMOVE, gone)
        faults = (BadParity.TAG, BadParity.META, BadParity.META)
        await self.plant(zip((indices[0], indices[1], indices[3]), faults, strict=True))
        await self.reads(0, "the good block", self.r.lookup(good))
        await self.first(None)
        await self.reads(1, "LOOKUP, bad meta word", self.r.lookup(meta))
        await self.first(indices[1])
        await self.reads(1, "LOOKUP, bad tag", self.r.lookup(tag))
        await self.first(indices[1])
        await self.r.write(PARITY_INFO=1)
        await self.first(None)
        await self.reads(1, "BAR2, bad tag", self.r.bench.read_entries(indices[:1]))
        await self.first(indices[0])
        await self.reads(1, "BAR2, bad meta word", self.r.bench.read_entries(indices[1:2]))
        await self.reads(0, "BAR2, good entry", self.r.bench.read_entries(indices[2:3]))
        await self.reads(1, "REMOVE, bad meta word", self.r.command(Command.REMOVE, meta))
        await self.reads(1, "REMOVE, bad tag", self.r.command(Command.REMOVE, tag))
        # The good block's row stops what follows it in the pipeline, so that answers wait in every stage.
        port = [tag, good, good, meta, good, good] * 30
        await self.reads(180, "three ports", self.bench.lookups_at_all([(port, 0)] * 3))
        await self.reads(3, "a scan", self.r.step(1))
        await self.reads(3, "FREE_REQUEST of another request", self.r.command(Command.FREE_REQUEST, kv(9)))
        await self.reads(1, "INSERT where the meta word is bad", self.r.insert(gone, tokens=1, tier=1))
        await self.reads(0, "the new block there", self.r.lookup(gone))
        await self.reads(2, "FREE_REQUEST", self.r.command(Command.FREE_REQUEST, kv(3)))
        entries = await self.r.bench.read_entries(indices[:3])
        valid = [EntryView.unpack(entry).valid for entry in entries]
        self.ctx.compare("VALID after FREE_REQUEST: bad tag, bad meta word, good", [1, 1, 0], valid)

    async def reads(self, expected: int, what: str, action: Coroutine[Any, Any, object]) -> None:
        """The action reads that many entries with bad parity."""
        before = await self.r.read("PARITY_COUNT")
        await action
        self.ctx.compare(f"PARITY_COUNT: {what}", expected, await self.r.read("PARITY_COUNT") - before)

    async def first(self, index: int | None) -> None:
        """What PARITY_INFO holds; without VALID its INDEX means nothing."""
        seen = regs.BY_NAME["PARITY_INFO"].unpack(await self.r.read("PARITY_INFO"))
        self.ctx.compare("PARITY_INFO.VALID", int(index is not None), seen["VALID"])
        if index is not None:
            self.ctx.compare("PARITY_INFO.INDEX", index, seen["INDEX"])


@kv_test(timeout_cycles=400_000)
class test_parity_changes_nothing(ParityTest):
    """An entry with a bad meta word: no operation changes it, queues it, frees its slot or counts it."""

    async def body(self) -> None:
        """Every operation that would do something to a good block, on bad ones with REF_COUNT 0 and 255."""
        tokens = self.bench.block_tokens
        free, shared, moving = kv(3), kv(3, tokens), kv(3, 2 * tokens)
        self.memory.ideal(latency=400)
        indices = [(await self.r.insert(addr, tokens=2, tier=2)).index for addr in (free, shared, moving)]
        for _ in range(255):
            await self.r.range("SHARE", shared, 1)
        await self.r.command(Command.MIGRATE, moving, TIER=3)
        await self.plant([(index, BadParity.META) for index in indices])
        await self.r.write(CTRL=3, PROMOTE_TIER=0, LOOKAHEAD=8, THRESHOLDS=0xFFFF | 0xFFFF << 16)
        await self.r.wait_idle()  # the move has ended, without effect
        names = ["EVICT_BYTES_MOVED", "PREFETCH_BYTES_MOVED", "REF_SATURATED_COUNT", "REF_UNDERFLOW_COUNT"]
        names += [f"TIER{tier}_FREE" for tier in range(4)] + ["EVICT_DROPPED_COUNT", "PREFETCH_DROPPED_COUNT"]
        before = await self.r.bench.read_entries(indices), await self.r.read_many(names)
        for addr in (free, shared, moving):
            answers = await self.bench.lookups(0, [addr, addr + 2], [0, 1])
            self.ctx.compare("hits: read, write that would grow", [0, 0], answers["hit"].tolist(), block=hex(addr))
            for name in ("BOOST", "COOL", "IMEVICT", "SHARE", "RELEASE"):
                await self.r.range(name, addr, 1)
            await self.r.range("PREFETCH", addr, 1, 1)
            for command in (Command.REMOVE, Command.MIGRATE):
                await self.status(Status.MISS, command, addr, TIER=1)
            await self.status(Status.MISS, Command.LOOKUP, addr, TOUCH=1)
            await self.status(Status.EXISTS, Command.INSERT, addr, TOKEN_END=addr & 0xFFFF_FFFF, TIER=1)
        await self.r.step(1)
        await self.r.command(Command.FREE_REQUEST, kv(3))
        await self.r.wait_idle()
        after = await self.r.bench.read_entries(indices), await self.r.read_many(names)
        for index, was, now in zip(indices, before[0], after[0], strict=True):
            self.ctx.compare("entry with a bad meta word", was.hex(), now.hex(), index=index)
        for name in names:
            self.ctx.compare(name, before[1][name], after[1][name])


@kv_test(timeout_cycles=400_000)
class test_parity_during_lookups(ParityTest):
    """FREE_REQUEST reads each entry's own tag while lookups come and go: with a bad one it stays, the others go."""

    slots = (300, 300, 300, 100)
    block_bytes = 256

    async def body(self) -> None:
        """Every third entry of a request has a bad tag, at several rates of lookups."""
        others = [(kv(7, i * self.bench.block_tokens), 1, 3) for i in range(100)]
        await self.r.insert_many(others)
        for tier, idle256 in enumerate((128, 200, 240)):
            blocks = [(kv(10 + tier, i * self.bench.block_tokens), 1, tier) for i in range(200)]
            indices = [result.index for result in await self.r.insert_many(blocks)]
            bad = indices[::3]
            await self.plant([(index, BadParity.TAG) for index in bad])
            self.bench.lookup_rates(idle256, 0)
            ports = [([addr for addr, _, _ in others] * 2, 0)]
            port = cocotb.start_soon(self.bench.lookups_at_all(ports), name="lookups")
            result = await self.r.command(Command.FREE_REQUEST, kv(10 + tier))
            self.ctx.compare(
                "FREE_REQUEST: went, stayed for their references",
                (len(blocks) - len(bad), 0),
                (result.removed, result.stayed),
                load=f"lookups, {idle256} of 256 cycles idle",
            )
            answers = await port
            self.ctx.compare("hits meanwhile", len(others) * 2, int(answers[0]["hit"].sum()))
            entries = await self.r.bench.read_entries(indices)
            valid = [index for index, entry in zip(indices, entries, strict=True) if EntryView.unpack(entry).valid]
            self.ctx.compare("entries that are still there", sorted(bad), sorted(valid))
