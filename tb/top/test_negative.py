"""Defects planted outside the device: the test must detect each, in the contract's words."""

from tb.env.env import KvTopTest
from tb.env.registers import kv
from tb.harness.base_test import kv_test


class NegativeTest(KvTopTest):
    """A few blocks, looked up and stepped."""

    async def bring_up(self) -> None:
        """Blocks in tiers 1 and 2."""
        await super().bring_up()
        self.results = await self.r.insert_many([(kv(1, i * 16), 16, 1 + i % 2) for i in range(16)])
        self.look()


@kv_test(timeout_cycles=100_000)
class test_flipped_byte(NegativeTest):
    """One bit of tier memory turns over behind the device's back."""

    async def body(self) -> None:
        """Only the comparison of every byte at the end can see it."""
        self.bench.link.memory_corrupt(1, self.results[0].phys_addr + 77, 0x10)
        await self.r.step(1)


@kv_test(timeout_cycles=100_000)
class test_flipped_directory_bit(NegativeTest):
    """One bit of the directory turns over: the block is not found any more."""

    async def body(self) -> None:
        """The model does not know of the fault."""
        self.bench.link.poke(self.results[3].index, True, 4)
        await self.bench.cycles(8)
        await self.bench.lookups(0, [kv(1, i * 16) for i in range(16)])
        self.look()


@kv_test(timeout_cycles=100_000)
class test_wrong_weight(NegativeTest):
    """The model scores with another weight than the device: all scores differ."""

    async def body(self) -> None:
        """As if the device had ignored WEIGHT_R."""
        await self.r.step(1)
        self.look()
        self.board.state.config.w_r = 63
        await self.r.step(2)
        self.look()


@kv_test(timeout_cycles=100_000)
class test_lost_slot(NegativeTest):
    """A slot is missing from the model's pool: FREE disagrees."""

    async def body(self) -> None:
        """As if the device had handed one out twice."""
        self.board.state.pools[3].resize(self.slots[3] - 1)
        await self.r.step(1)
