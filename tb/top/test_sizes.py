"""What the sizes of device.md 1 change: blocks of 1 and of 256 tokens."""

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
