"""Every field at its greatest value and at the power of two below, in every place that it travels through (G3)."""

from itertools import product

from sw.regs.registers import Command, Completion, Status
from tb.env.registers import IRQ_COMMAND_DONE, kv, offset
from tb.harness.base_test import kv_test
from tb.harness.link import DECERR, OKAY, SLVERR
from tb.top.test_commands import RANGES
from tb.top.test_directory import DirectoryTest
from tb.top.test_moves import MoveTest

U32 = 0xFFFF_FFFF
ALWAYS = 256  # of 256 bursts


@kv_test(timeout_cycles=600_000)
class test_addresses(MoveTest):
    """PHYS_ADDR = BASE + slot * stride in 64 bits: results, answers, BAR2, AXI, with slots of the upper half."""

    latency = 4

    async def body(self) -> None:
        """The largest stride at the top of 64 bits, then bases whose sum carries through all bits."""
        count = self.bench.entries
        size = count * 65536
        rounds = [
            (65536, [2**64 - size, 2**63 - size, 2**48, 2**63]),
            (65472, [2**56 - 4096, 2**32 - 4096, 2**49 - 4096, 2**62 + 2**31 + 4096]),
        ]
        for block_bytes, bases in rounds:
            await self.bench.reset()
            await self.r.wait_initialised()
            self.bench.link.fill_inserts(0)  # a few blocks have bytes, the others only a place
            await self.r.tiers([count] * 4, block_bytes, bases)
            await self.r.write(IRQ_ENABLE=IRQ_COMMAND_DONE, CTRL=1)
            for tier in range(4):
                self.ctx.compare("BASE read back", bases[tier], await self.r.read(f"TIER{tier}_BASE"), tier=tier)
                await self.upper_slots(tier, bases)
            self.look()
            self.bench.link.fill_inserts(1)
            await self.moves(bases)

    async def upper_slots(self, tier: int, bases: list[int]) -> None:
        """Take more than half of the tier's slots; the last block's address wherever it is reported."""
        tokens, count = self.bench.block_tokens, self.bench.entries // 2 + 3
        blocks = [(kv(1 + tier, i * tokens), 1, tier) for i in range(count)]
        results = await self.r.insert_many(blocks)
        self.ctx.compare("INSERT statuses", {Status.OK}, {result.status for result in results})
        places = sorted(result.phys_addr - bases[tier] for result in results)
        self.ctx.compare("places used", [65536 * i for i in range(count)], places, tier=tier)
        for (addr, _, _), result in list(zip(blocks, results, strict=True))[-3:]:
            where = {"block": hex(addr), "tier": tier}
            answer = (await self.bench.lookups(0, [addr]))[0]
            self.ctx.compare("PHYS_ADDR, port's answer", hex(result.phys_addr), hex(answer["phys_addr"]), **where)
            entry = await self.entry(addr)
            self.ctx.compare("PHYS_ADDR through BAR2", hex(result.phys_addr), hex(entry.phys_addr), **where)
            found = await self.r.lookup(addr)
            self.ctx.compare("PHYS_ADDR, LOOKUP", hex(result.phys_addr), hex(found.phys_addr), **where)
        await self.r.command(Command.FREE_REQUEST, kv(1 + tier))

    async def moves(self, bases: list[int]) -> None:
        """A block from each tier to each: slots that came back are those of the upper half; every byte is compared."""
        addr = kv(9)
        await self.r.insert(addr, tokens=1, tier=0)
        for target in (1, 2, 3, 0, 2, 1, 3, 1, 0):
            await self.status(Status.OK, Command.MIGRATE, addr, TIER=target)
            await self.r.wait_idle()
            self.ctx.compare("tier after the move", target, (await self.r.lookup(addr)).tier)
        self.look()
        bad, compared, text = self.bench.link.memory_compare()
        self.ctx.compare(f"tier memories {text}", 0, bad)
        self.ctx.compare("bytes compared", True, compared > 0)


KEYS = (
    kv(65535, U32, 255, 255),
    kv(32768, 1 << 31, 128, 128),
    kv(1),
    kv(0x5555, 0x5555_5555, 0x55, 0x55),
    kv(0xAAAA, 0xAAAA_AAAA, 0xAA, 0xAA),
)


@kv_test(timeout_cycles=600_000)
class test_kv_addresses(MoveTest):
    """Blocks whose KV addresses differ in one bit are different blocks; every field at its greatest value."""

    slots = (64, 200, 200, 200)
    latency = 4

    async def body(self) -> None:
        """All blocks one bit away from a key are absent, then present, each with its own entry."""
        bits = self.bench.block_tokens.bit_length() - 1
        for key in KEYS:
            block = key & ~(self.bench.block_tokens - 1)
            near = [block ^ 1 << bit for bit in range(bits, 64)]
            near = [addr for addr in near if addr >> 48]  # FREE_REQUEST knows no request 0
            await self.r.insert(block, tokens=self.bench.block_tokens, tier=1)
            for write in (0, 1):
                answers = await self.bench.lookups(0, [*near, block], write)
                hits = [0] * len(near) + [1]
                self.ctx.compare("hits one bit next to a block", hits, answers["hit"].tolist(), block=hex(block))
            seen = [await self.r.read("MISS_ADDR") for _ in range(min(64, 2 * len(near)))]
            self.ctx.compare("KV addresses of the misses", (near * 2)[:64], seen)
            results = await self.r.insert_many([(addr, 1, 2) for addr in near])
            self.ctx.compare("INSERT statuses", {Status.OK}, {result.status for result in results})
            answers = await self.bench.lookups(1 % self.bench.ports, [*near, block])
            indices = [result.index for result in results]
            self.ctx.compare("indices of the blocks", indices, answers["index"].tolist()[:-1], next_to=hex(block))
            for addr in (near[0], near[-1], block):
                entry = await self.entry(addr)
                told = (entry.request_id, entry.layer, entry.head, entry.token_start)
                want = (addr >> 48, addr >> 40 & 0xFF, addr >> 32 & 0xFF, addr & U32)
                self.ctx.compare("REQUEST_ID, LAYER, HEAD, TOKEN_START", want, told, block=hex(addr))
            await self.travels(block)
            for request in sorted({addr >> 48 for addr in (*near, block)}):
                await self.status(Status.OK, Command.FREE_REQUEST, kv(request))
            self.ctx.compare("slots of tier 2 that are free", self.slots[2], await self.r.read("TIER2_FREE"))

    async def travels(self, block: int) -> None:
        """The address in every range command, in items, completions and error reports."""
        last = block + self.bench.block_tokens - 1
        for name in (*RANGES, "PREFETCH"):
            misses = await self.r.read("HINT_MISS_COUNT")
            await self.r.range(name, last, 1, 50)
            self.ctx.compare(f"HINT_MISS_COUNT after {name}", misses, await self.r.read("HINT_MISS_COUNT"))
            await self.r.wait_idle()
        await self.completions()
        self.memory.errors(0xF, True, ALWAYS, DECERR)
        await self.r.write(MAX_RETRY=1, DMA_ERROR_INFO=1)
        tier = (await self.r.lookup(block)).tier
        await self.status(Status.OK, Command.MIGRATE, last, TIER=0)
        await self.r.wait_idle()
        self.bench.link.axi_clear_errors()
        self.ctx.compare(
            "completion of the failed move", [(block, tier, 0, Completion.ERROR)], await self.completions()
        )
        self.ctx.compare("DMA_ERROR_ADDR", hex(block), hex(await self.r.read("DMA_ERROR_ADDR")))


@kv_test(timeout_cycles=600_000)
class test_steps_and_windows(DirectoryTest):
    """Steps around 2^31 and 2^32, LOOKAHEAD of 31 bits: PREFETCH at once, in a scan, and against an eviction."""

    slots = (60, 60, 60, 100)

    async def body(self) -> None:
        """The last step inside the window and the first beyond it, for each power of two."""
        await self.r.write(PROMOTE_TIER=1, EVICT_TIERS=0b0010, WEIGHT_R=0, WEIGHT_F=0, WEIGHT_D=0)
        ahead = (0, 1, 255, 256, 65535, 65536, 1 << 24, (1 << 30) - 1, 1 << 30, (1 << 31) - 2)
        for request, (step, lookahead) in enumerate(product((5, (1 << 31) - 1, U32 - 1), ahead), 1):
            await self.r.write(CTRL=0, STEP_ADVANCE=step, LOOKAHEAD=lookahead, THRESHOLDS=0xFFFF << 16)
            inside, beyond, kept, gone = (kv(request, i * self.bench.block_tokens) for i in range(4))
            await self.r.insert_many([(inside, 1, 3), (beyond, 1, 3), (kept, 1, 1), (gone, 1, 1)])
            where = {"step": step, "lookahead": lookahead}
            for addr, further, queued in ((inside, 0, 1), (beyond, 1, 0)):
                before = await self.r.field("STATUS", "PREFETCH_LEVEL")
                await self.r.range("PREFETCH", addr, 1, (step + lookahead + further) & U32)
                after = await self.r.field("STATUS", "PREFETCH_LEVEL")
                self.ctx.compare("PREFETCH queued at once", queued, after - before, further=further, **where)
            await self.r.range("PREFETCH", kept, 1, (step + 1 + lookahead) & U32)
            await self.r.range("PREFETCH", gone, 1, (step + 2 + lookahead) & U32)
            await self.r.write(CTRL=1)
            await self.r.wait_idle()
            await self.r.write(THRESHOLDS=0xFFFF | 0xFFFF << 16)
            await self.r.step((step + 1) & U32)  # what was one step beyond is inside
            await self.r.wait_idle()
            tiers = [(await self.r.lookup(addr)).tier for addr in (inside, beyond, kept, gone)]
            expected = [1 if lookahead else 2, 1, 1, 2]  # without LOOKAHEAD the first one's step has passed by then
            self.ctx.compare("tiers: at once, by the scan, kept by its hint, evicted", expected, tiers, **where)
            for addr in (inside, beyond, kept, gone):
                await self.r.command(Command.REMOVE, addr)
            self.look()


@kv_test(timeout_cycles=400_000)
class test_registers_at_their_ends(MoveTest):
    """Registers at their greatest values: retries, thresholds, weights, counts, pressure limits, reserves."""

    latency = 2

    async def body(self) -> None:
        """What each of them does there."""
        await self.retries()
        await self.thresholds()
        await self.limits()

    async def retries(self) -> None:
        """MAX_RETRY tries in all, of both channels."""
        await self.r.insert(kv(1), tokens=1, tier=1)
        for retries, tier in ((4, 3), (8, 0), (128, 3), (255, 0)):
            rule = self.memory.errors(1 << tier, True, ALWAYS, SLVERR)
            channel = "EVICT" if tier > 1 else "PREFETCH"
            before = await self.r.read(f"{channel}_ERROR_COUNT")
            await self.r.write(MAX_RETRY=retries)
            await self.status(Status.OK, Command.MIGRATE, kv(1), TIER=tier)
            await self.r.wait_idle()
            where = {"max_retry": retries}
            self.ctx.compare("all tries fail", [(kv(1), 1, tier, Completion.ERROR)], await self.completions(), **where)
            seen = await self.r.read(f"{channel}_ERROR_COUNT") - before
            self.ctx.compare("tries of the move", retries, seen, **where)
            self.ctx.compare("bursts failed", True, int(self.bench.link.axi_error_hits(rule)) >= retries, **where)
            self.bench.link.axi_clear_errors()
        for wins in (4, 9, 200):  # the try after `wins` failed ones succeeds
            await self.r.write(MAX_RETRY=255)
            self.memory.errors(0b1000, True, ALWAYS, SLVERR, count=wins)
            await self.status(Status.OK, Command.MIGRATE, kv(1), TIER=3)
            await self.r.wait_idle()
            self.bench.link.axi_clear_errors()
            self.ctx.compare("the last of many tries", [(kv(1), 1, 3, Completion.OK)], await self.completions())
            await self.r.write(STEP_ADVANCE=wins)
            await self.status(Status.OK, Command.MIGRATE, kv(1), TIER=1)
            await self.r.wait_idle()
            await self.completions()
        await self.r.command(Command.REMOVE, kv(1))

    async def thresholds(self) -> None:
        """No P is above 65,535; every lower one is below it. Weights of 255 add up to more than 16 bits."""
        await self.r.write(EVICT_TIERS=0b0010, WEIGHT_R=128, WEIGHT_F=0, WEIGHT_S=128, WEIGHT_D=255)
        await self.r.insert(kv(2), tokens=1, tier=1, prefix=True)  # P 65,535 and more
        await self.r.insert(kv(3), tokens=1, tier=1)  # P 65,280
        await self.r.insert(kv(4), tokens=1, tier=2, hot=True)
        await self.r.write(THRESHOLDS=0xFFFF | 0xFFFF << 16)
        await self.r.step(await self.r.read("STEP_ADVANCE"))
        await self.r.wait_idle()
        tiers = [(await self.r.lookup(kv(i))).tier for i in (2, 3, 4)]
        self.ctx.compare("tiers with both thresholds at 65,535: saturated, below it, HOT", [1, 2, 2], tiers)
        await self.r.write(THRESHOLDS=0x8000 | 0x8000 << 16, F_AGE=31, R_SHIFT=7)
        await self.bench.lookups(0, [kv(2)] * 300)
        for scan in range(130):  # F_AGE cut to fewer bits would age F by now
            await self.r.step(1000 + scan)
        self.ctx.compare("F with F_AGE 31", 255, (await self.entry(kv(2))).f)
        await self.r.write(F_AGE=0, R_SHIFT=3, THRESHOLDS=0xFFFF << 16)

    async def limits(self) -> None:
        """RESERVE, LOW and HIGH of all 17 bits, beyond what a tier can have."""
        for value in (0x1_FFFF, 0x1_0000, self.bench.entries, self.bench.entries >> 1):
            await self.r.write(TIER1_LOW=value, TIER1_HIGH=value, TIER3_RESERVE=value)
            names = ("TIER1_LOW", "TIER1_HIGH", "TIER3_RESERVE")
            self.ctx.compare("limits read back", [value] * 3, list((await self.r.read_many(names)).values()))
            await self.r.insert(kv(7), tokens=1, tier=2)
            await self.status(Status.OK, Command.MIGRATE, kv(7), TIER=3)
            await self.r.step(await self.r.read("STEP_ADVANCE"))
            await self.r.wait_idle()
            pressure = await self.r.field("STATUS", "PRESSURE")
            self.ctx.compare("STATUS.PRESSURE: fewer slots are free than LOW", 0b010, pressure, low=value)
            self.ctx.compare("TIER of a block for which RESERVE leaves no slot", 2, (await self.r.lookup(kv(7))).tier)
            await self.r.command(Command.REMOVE, kv(7))


@kv_test(timeout_cycles=600_000)
class test_spans(DirectoryTest):
    """Each range command over spans of layers and heads, up to 255 of either, at the ends of layers and heads."""

    slots = (100, 100, 100, 400)

    async def body(self) -> None:
        """A span of 2 by 3 for each command, then the greatest spans; what lies around stays as it is."""
        await self.r.write(CTRL=0, PROMOTE_TIER=1, LOOKAHEAD=10)  # queued items wait
        for name in (*RANGES, "PREFETCH"):
            await self.one(name)
        await self.r.write(CTRL=1)
        await self.r.wait_idle()
        await self.greatest()

    async def one(self, name: str) -> None:
        """Layers 254 and 255, heads 252 to 254, two blocks each; a block before and behind in every direction."""
        tokens = self.bench.block_tokens
        request = 65530 + (*RANGES, "PREFETCH").index(name)
        blocks = {
            (layer, head, block): kv(request, block * tokens, layer, head)
            for layer, head, block in product((253, 254, 255), (251, 252, 253, 254, 255), range(4))
        }
        await self.r.insert_many([(addr, 1, 3) for addr in blocks.values()])
        if name in ("COOL", "RELEASE"):  # something to take back
            await self.r.write(CMD_SPAN=3 | 5 << 8)
            await self.r.range("BOOST" if name == "COOL" else "SHARE", kv(request, 0, 253, 251), 4 * tokens)
        before = {place: await self.entry(addr) for place, addr in blocks.items()}
        await self.r.write(CMD_SPAN=2 | 3 << 8)
        await self.r.range(name, kv(request, 2 * tokens - 1, 254, 252), 2, 3)
        for place, addr in blocks.items():
            layer, head, block = place
            inside = layer >= 254 and 252 <= head <= 254 and block in (1, 2)
            changed = before[place] != await self.entry(addr)
            self.ctx.compare(f"{name} changes the block", inside, changed, layer=layer, head=head, block=block)
        await self.r.write(CMD_SPAN=0x0101, CTRL=1)
        await self.r.wait_idle()
        await self.r.write(CTRL=0)
        if name == "SHARE":
            await self.r.write(CMD_SPAN=2 | 3 << 8)
            await self.r.range("RELEASE", kv(request, tokens, 254, 252), 2 * tokens)
        if name == "RELEASE":
            await self.r.write(CMD_SPAN=3 | 5 << 8)
            await self.r.range("RELEASE", kv(request, 0, 253, 251), 4 * tokens)
        await self.status(Status.OK, Command.FREE_REQUEST, kv(request))

    async def greatest(self) -> None:
        """255 layers, 255 heads: the last one is reached, one more is refused."""
        ends = [kv(65535, 0, 0, 255), kv(65535, 0, 1, 255), kv(65535, 0, 254, 255), kv(65535, 0, 255, 255)]
        ends += [kv(65535, 0, 255, 1), kv(65535, 0, 255, 254)]
        await self.r.insert_many([(addr, 1, 1) for addr in ends])
        await self.r.write(CMD_SPAN=255 | 1 << 8)
        await self.r.range("BOOST", kv(65535, 0, 1, 255), 1)
        hot = [(await self.entry(addr)).hot for addr in ends]
        self.ctx.compare("HOT after 255 layers from layer 1", [0, 1, 1, 1, 0, 0], hot)
        await self.r.write(CMD_SPAN=1 | 255 << 8)
        await self.r.range("BOOST", kv(65535, 0, 255, 1), 1)
        hot = [(await self.entry(addr)).hot for addr in ends]
        self.ctx.compare("HOT after 255 heads from head 1", [0, 1, 1, 1, 1, 1], hot)
        for span, addr in ((255 | 1 << 8, kv(1, 0, 2, 0)), (1 | 255 << 8, kv(1, 0, 0, 2)), (0xFFFF, kv(1, 0, 1, 2))):
            await self.r.write(CMD_SPAN=span, COOL_ADDR=addr)
            self.ctx.compare("span past layer or head 255", SLVERR, await self.bench.try_write(offset("COOL_LEN"), 1))
        await self.r.write(CMD_SPAN=0x0101, COOL_ADDR=kv(65535, 0, 255, 255))
        self.ctx.compare("span of one at 255, 255", OKAY, await self.bench.try_write(offset("COOL_LEN"), 1))
        await self.r.wait_idle()


@kv_test(timeout_cycles=400_000)
class test_longest_range(DirectoryTest):
    """A range of ENTRIES blocks acts on its last one and on none behind it, at the end of the token space too."""

    async def body(self) -> None:
        """Blocks at both ends and in the middle of the range, and one behind it."""
        tokens, count = self.bench.block_tokens, self.bench.entries
        for first in (0, (1 << 32) - count * tokens, (1 << 31) - (count // 2) * tokens):
            inside = [first, first + tokens * (count // 2), first + tokens * (count - 1)]
            addrs = [kv(65535, token, 255, 255) for token in inside]
            addrs.append(kv(65535, (first + tokens * count) & U32, 255, 255))
            await self.r.insert_many([(addr, 1, 1) for addr in addrs])
            await self.r.range("BOOST", addrs[0], count * tokens)
            hot = [(await self.entry(addr)).hot for addr in addrs]
            self.ctx.compare("HOT of the first, the middle, the last, the one behind", [1, 1, 1, 0], hot, first=first)
            self.ctx.compare("hint misses", 0, (await self.r.read("HINT_MISS_COUNT")) % (count - 3))
            await self.status(Status.OK, Command.FREE_REQUEST, kv(65535))
