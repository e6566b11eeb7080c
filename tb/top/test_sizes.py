"""What the sizes of device.md 1 change: blocks of 1 and of 256 tokens, addresses at the ends of their fields."""

from sw.regs.registers import Command, Status
from tb.env.registers import kv
from tb.harness.base_test import kv_test
from tb.top.test_directory import DirectoryTest

U32 = 0xFFFF_FFFF


@kv_test(timeout_cycles=200_000)
class test_g1_a_full_block_keeps_its_end(DirectoryTest):
    """A write lookup to any token of a full block leaves TOKEN_END where it is, and every token still hits."""

    async def body(self) -> None:
        """Blocks that were inserted full, and that grew to it, at both ends of the token space."""
        tokens = self.bench.block_tokens
        for start in (0, tokens, 2**32 - tokens):
            for valid in sorted({1, tokens}):
                await self.grow(kv(1 + valid, start), valid)

    async def grow(self, addr: int, valid: int) -> None:
        """Write each token in turn, then the first and the last again; read all of them."""
        tokens = self.bench.block_tokens
        about = {"block": hex(addr), "block_tokens": tokens, "valid_at_insert": valid}
        await self.r.insert(addr, tokens=valid, tier=1)
        wanted = [addr + t for t in range(tokens)]
        answers = await self.bench.lookups(0, wanted, 1)
        self.ctx.compare("hits of writes, token by token", tokens, int(answers["hit"].sum()), **about)
        for token in (0, tokens - 1, 0):
            await self.bench.lookups(0, [addr + token], [1])
            end = (await self.entry(addr)).token_end
            self.ctx.compare("TOKEN_END of the full block", (addr + tokens - 1) & U32, end, written=token, **about)
            answers = await self.bench.lookups(0, wanted, 0)
            self.ctx.compare("tokens of the full block that hit", tokens, int(answers["hit"].sum()), **about)


@kv_test(timeout_cycles=200_000)
class test_names_and_places_at_their_ends(DirectoryTest):
    """Every field of a KV address and BASE at its greatest value and at each power of two: found, moved, named."""

    slots = (40, 400, 40, 40)
    bases = (0x8000_0000_0000_0000, (1 << 64) - (1 << 20), 1 << 48, 0x7FFF_FFFF_FFF0_0000)

    async def bring_up(self) -> None:
        """Tiers whose addresses use every bit."""
        await super().bring_up()
        await self.r.tiers((0, 0, 0, 0))
        await self.r.tiers(self.slots, self.block_bytes, self.bases)
        self.board.drain()

    async def body(self) -> None:
        """One block for each bit of its name; neighbours that differ in one bit are others."""
        tokens = self.bench.block_tokens
        bits = [1 << bit for bit in range(64) if bit >= 32 or 1 << bit >= tokens]
        names = [*bits, (1 << 64) - tokens, 0xFFFF << 48, 0xFF << 40, 0xFF << 32, (1 << 32) - tokens]
        stride = 1 << (self.block_bytes - 1).bit_length()
        for addr in names:
            result = await self.r.insert(addr, tokens=tokens, tier=1)
            self.ctx.compare("INSERT status", Status.OK.name, result.status.name, block=hex(addr))
            offset = result.phys_addr - self.bases[1]
            inside = 0 <= offset < self.slots[1] * stride and offset % stride == 0
            self.ctx.compare("PHYS_ADDR is a slot of the tier", True, inside, phys_addr=hex(result.phys_addr))
        answers = await self.bench.lookups(0, [addr + tokens - 1 for addr in names], 0)
        self.ctx.compare("blocks found", len(names), int(answers["hit"].sum()))
        absent = [addr ^ 1 << bit for addr in names[-5:] for bit in range(64) if 1 << bit >= tokens or bit >= 32]
        absent = [addr for addr in absent if addr not in names]
        answers = await self.bench.lookups(0, absent, 0)
        self.ctx.compare("names that differ in one bit", 0, int(answers["hit"].sum()))
        for tier in (2, 3, 0, 1):
            for addr in names[::9]:
                await self.status(Status.OK, Command.MIGRATE, addr, TIER=tier)
            await self.r.wait_idle()
            for addr in names[::9]:
                entry = await self.entry(addr)
                self.ctx.compare("tier after MIGRATE", tier, entry.tier, block=hex(addr))
                high = self.bases[tier] <= entry.phys_addr < self.bases[tier] + self.slots[tier] * stride
                self.ctx.compare("PHYS_ADDR in the tier", True, high, phys_addr=hex(entry.phys_addr), tier=tier)
            await self.r.step(tier + 1)
