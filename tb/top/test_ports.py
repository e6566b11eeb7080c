"""Lookup ports, sentence by sentence (device.md 3)."""

import cocotb
import numpy as np

from sw.regs import registers as regs
from sw.regs.registers import Command, Status
from tb.env.registers import kv
from tb.harness.base_test import kv_test
from tb.top.test_directory import DirectoryTest


@kv_test(timeout_cycles=200_000)
class test_hit_and_grow(DirectoryTest):
    """Hits end at TOKEN_END; a write at TOKEN_END + 1 inside the block makes it grow; what a hit and a miss change."""

    async def body(self) -> None:
        """One block of 3 tokens, grown to its end and not beyond."""
        tokens = self.bench.block_tokens
        addr = kv(2, 2 * tokens)
        await self.r.insert(addr, tokens=3, tier=1)
        await self.r.write(PREFETCH_ADDR=addr, PREFETCH_LEN=1, PREFETCH_STEP=50)
        await self.r.step(9)
        before = await self.entry(addr)
        self.ctx.compare("HINT, ACCESS_STEP", (1, 50), (before.hint, before.access_step))
        answers = await self.bench.lookups(0, [addr + 3, addr + 4, addr - 1], [0, 1, 1])
        self.ctx.compare(
            "read past TOKEN_END, write past TOKEN_END + 1, other block", [0, 0, 0], answers["hit"].tolist()
        )
        zeros = answers["tier"].tolist() + answers["phys_addr"].tolist() + answers["index"].tolist()
        self.ctx.compare("tiers, addresses and indices answered to misses", [0] * 9, zeros)
        self.ctx.compare("entry after misses", before, await self.entry(addr))
        answers = await self.bench.lookups(0, [addr + 3, addr + 4], [1, 1])
        self.ctx.compare("writes at TOKEN_END + 1", [1, 1], answers["hit"].tolist())
        after = await self.entry(addr)
        self.ctx.compare("TOKEN_END grown", 2 * tokens + 4, after.token_end)
        self.ctx.compare(
            "R, ACCESS_STEP, HINT, DIRTY", (255, 9, 0, 1), (after.r, after.access_step, after.hint, after.dirty)
        )
        self.ctx.compare("F after two hits", before.f + 2, after.f)
        end = [addr + i for i in range(5, tokens)] + [addr + tokens]
        answers = await self.bench.lookups(1, end, 1)
        self.ctx.compare("growing to the block's end and past it", [1] * (tokens - 5) + [0], answers["hit"].tolist())
        await self.r.range("IMEVICT", kv(9), 1)
        await self.bench.lookups(2, [addr] * 300)
        self.ctx.compare("F saturates", 255, (await self.entry(addr)).f)


@kv_test(timeout_cycles=200_000)
class test_tenant_windows(DirectoryTest):
    """Outside {REQ_LO, REQ_HI} a lookup is denied, but reads of request 0; writes to it need REQ_LO = 0."""

    async def body(self) -> None:
        """Windows with both ends, inclusive; port by port."""
        for request in (0, 4, 5, 8, 9):
            await self.r.insert(kv(request), tokens=4, tier=1)
        await self.r.write(PORT0_REQ_LO=5, PORT0_REQ_HI=8, PORT1_REQ_LO=0, PORT1_REQ_HI=4)
        addrs = [kv(r) for r in (4, 5, 8, 9, 0, 0)]
        writes = [0, 0, 1, 0, 0, 1]
        answers = await self.bench.lookups(0, addrs, writes)
        self.ctx.compare("window 5 to 8: denied", [1, 0, 0, 1, 0, 1], answers["denied"].tolist())
        self.ctx.compare("window 5 to 8: hit", [0, 1, 1, 0, 1, 0], answers["hit"].tolist())
        denied = answers[answers["denied"] == 1]
        zeros = denied["tier"].tolist() + denied["phys_addr"].tolist() + denied["index"].tolist()
        self.ctx.compare("tiers, addresses and indices answered to denials", [0] * 9, zeros)
        answers = await self.bench.lookups(1, addrs, writes)
        self.ctx.compare("window 0 to 4: denied", [0, 1, 1, 1, 0, 0], answers["denied"].tolist())
        self.ctx.compare("DENIED_COUNT", 6, await self.r.read("DENIED_COUNT"))
        self.ctx.compare("denials are no misses", 0, await self.r.read("RTBD_MISS_COUNT"))
        self.ctx.compare("miss queue level", 0, await self.r.field("MISS_INFO", "LEVEL"))


@kv_test(timeout_cycles=200_000)
class test_miss_queue(DirectoryTest):
    """64 deep; overflow drops the new one and counts; words of the head change nothing, the last one pops."""

    async def body(self) -> None:
        """70 misses, then all of them read."""
        addrs = [kv(100 + i, i) for i in range(70)]
        await self.bench.lookups(0, addrs)
        self.ctx.compare("misses counted (RTBD_MISS_COUNT)", 70, await self.r.read("RTBD_MISS_COUNT"))
        self.ctx.compare("misses dropped", 6, await self.r.read("MISS_DROPPED_COUNT"))
        self.ctx.compare("IRQ_STATUS overflow, miss", 0b101000, await self.r.read("IRQ_STATUS") & 0b101000)
        for _ in range(3):
            info = regs.BY_NAME["MISS_INFO"].unpack(await self.r.read("MISS_INFO"))
            self.ctx.compare("MISS_INFO: VALID, LEVEL", (1, 64), (info["VALID"], info["LEVEL"]))
        seen = [await self.r.read("MISS_ADDR") for _ in range(66)]
        self.ctx.compare("KV addresses, oldest first, then an empty queue", [*addrs[:64], 0, 0], seen)
        self.ctx.compare("MISS_INFO of the empty queue", 0, await self.r.read("MISS_INFO"))


@kv_test(timeout_cycles=400_000)
class test_contend_policy(DirectoryTest):
    """Round-robin shares; fixed priority serves port 0 first. Throughput and latency are exact."""

    async def body(self) -> None:
        """Three ports ask all the time."""
        await self.r.insert_many([(kv(1, i * self.bench.block_tokens), 1, 3) for i in range(256)])
        one = await self.bench.lookups(0, [kv(1)])
        self.ctx.compare("latency when idle, at most", True, int(one["answered"][0] - one["asked"][0]) <= 6)
        tokens = self.bench.block_tokens
        work = [
            (np.uint64(kv(1)) + self.ctx.np_rng.integers(0, 256, 600).astype(np.uint64) * tokens, 0) for _ in range(3)
        ]
        spans = {}
        for policy in (0, 1):
            await self.r.write(CONTEND_POLICY=policy)
            answers = await self.bench.lookups_at_all(work)
            begin = min(int(a["asked"][0]) for a in answers)
            end = max(int(a["answered"][-1]) for a in answers)
            spans[policy] = [int(a["asked"][-1]) - begin for a in answers]
            rate = 1800 / (end - begin)
            self.ctx.compare("lookups per cycle at least 0.9", "0.9 or more", "0.9 or more" if rate >= 0.9 else rate)
        self.ctx.compare("round-robin: ports end together, in cycles apart", "at most 16", _apart(spans[0], 16))
        self.ctx.compare("fixed priority: port 0 first, then 1", True, spans[1][0] < spans[1][1] < spans[1][2])


@kv_test(timeout_cycles=200_000)
class test_round_robin_during_commands(DirectoryTest):
    """Round-robin continues where it was, though commands get every other grant."""

    async def body(self) -> None:
        """Three ports ask all the time while a command walks over many blocks."""
        tokens = self.bench.block_tokens
        blocks = np.uint64(kv(1)) + np.arange(256, dtype=np.uint64) * np.uint64(tokens)
        await self.r.insert_many([(int(addr), 1, 3) for addr in blocks])
        work = [(np.roll(np.resize(blocks, 512), 80 * port), 0) for port in range(self.bench.ports)]
        command = cocotb.start_soon(self.r.range("BOOST", kv(1), 1000 * tokens), name="BOOST")
        await self.bench.cycles(60)
        answers = await self.bench.lookups_at_all(work)
        self.ctx.compare("the command still runs", False, command.done())
        last = [int(answer["asked"][-1]) for answer in answers]
        self.ctx.compare("ports end together, in cycles apart", "at most 16", _apart(last, 16))
        await command


def _apart(cycles: list[int], limit: int) -> str:
    """The spread of the cycles, in the words of the comparison."""
    spread = max(cycles) - min(cycles)
    return f"at most {limit}" if spread <= limit else str(spread)


@kv_test(timeout_cycles=200_000)
class test_demand_and_enable(DirectoryTest):
    """A hit in a tier slower than PROMOTE_TIER queues a promotion with DEMAND; ports are not ready without ENABLE."""

    async def body(self) -> None:
        """Without DEMAND nothing moves; with it the block comes up; without ENABLE nothing is answered."""
        await self.r.insert(kv(1), tokens=4, tier=3)
        await self.r.insert(kv(2), tokens=4, tier=0)
        await self.bench.lookups(0, [kv(1)] * 3)
        await self.r.wait_idle()
        self.ctx.compare("tier without DEMAND", 3, (await self.r.lookup(kv(1))).tier)
        await self.r.write(CTRL=3)
        await self.bench.lookups(0, [kv(1), kv(1), kv(2)])
        await self.r.wait_idle()
        self.ctx.compare("tier with DEMAND", 1, (await self.r.lookup(kv(1))).tier)
        self.ctx.compare("tier of a block above PROMOTE_TIER", 0, (await self.r.lookup(kv(2))).tier)
        await self.r.write(CTRL=0)
        asked = self.bench.cycle
        task = cocotb.start_soon(self.bench.lookups(1, [kv(1)]))
        await self.r.write(STEP_ADVANCE=77)
        await self.bench.cycles(2000)
        self.ctx.compare(
            "STEP_ADVANCE without ENABLE: step, scans",
            (77, 0),
            (await self.r.read("STEP_ADVANCE"), await self.r.read("SCAN_COUNT")),
        )
        await self.status(Status.OK, Command.MIGRATE, kv(2), TIER=2)
        await self.bench.cycles(500)
        self.ctx.compare("a queued move without ENABLE waits", 1, await self.r.field("STATUS", "EVICT_LEVEL"))
        await self.r.write(CTRL=1)
        answer = (await task)[0]
        self.ctx.compare("lookup answered after ENABLE", True, int(answer["asked"]) > asked + 2000)
        await self.r.wait_idle()
        self.ctx.compare("the queued move has run", 2, (await self.r.lookup(kv(2))).tier)


@kv_test(timeout_cycles=200_000)
class test_fence(DirectoryTest):
    """A slot that a migration left is held until STEP_ADVANCE; a block written in this step does not start to move."""

    slots = (4, 4, 8, 8)

    async def body(self) -> None:
        """Move a block away and look at the pool; write a block and try to move it."""
        await self.r.step(3)
        for i in range(4):
            await self.r.insert(kv(1, i * 16), tokens=16, tier=1)
        await self.status(Status.OK, Command.MIGRATE, kv(1, 0), TIER=2)
        await self.r.wait_idle()
        self.ctx.compare("free slots before the fence", 0, await self.r.read("TIER1_FREE"))
        await self.status(Status.NO_SLOT, Command.INSERT, kv(1, 64), TOKEN_END=64, TIER=1)
        await self.r.step(4)
        self.ctx.compare("free slots after the fence", 1, await self.r.read("TIER1_FREE"))
        await self.status(Status.OK, Command.INSERT, kv(1, 64), TOKEN_END=64, TIER=1)
        await self.bench.lookups(0, [kv(1, 16)], 1)
        await self.status(Status.OK, Command.MIGRATE, kv(1, 16), TIER=2)
        await self.r.wait_idle()
        while await self.r.field("COMPLETION_INFO", "LEVEL") > 1:
            await self.r.read("COMPLETION_ADDR")
        self.ctx.compare(
            "move of a block written in this step",
            int(regs.Completion.CANCELLED),
            await self.r.field("COMPLETION_INFO", "STATUS"),
        )
        await self.r.step(5)
        await self.status(Status.OK, Command.MIGRATE, kv(1, 16), TIER=2)
        await self.r.wait_idle()
        self.ctx.compare("tier after the fence", 2, (await self.r.lookup(kv(1, 16))).tier)
        self.ctx.compare("DIRTY after the move", 0, (await self.entry(kv(1, 16))).dirty)
