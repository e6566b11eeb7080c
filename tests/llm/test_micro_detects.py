"""Fault injection for test_micro_exact.py: it detects each mistake that loses K/V bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from sw.llm.backend import DeviceFault, Sampling
from sw.llm.micro.device import DeviceKv, DeviceStores
from sw.llm.micro.kvformat import BlockLayout
from sw.llm.micro.session import DeviceSession, Place, Wanted
from sw.llm.package import Quantisation
from sw.llm.quantisation import Bytes, Floats, encode
from sw.metrics.usage import Usage
from tests.llm.micro_bench import Bench, Request

REQUESTS = [Request(bytes([65 + n]) + b" block of the cache, step by step", 40, Sampling(n, 900)) for n in range(5)]
DIFFERENT = r"request \d, output token \d+: \d+ of 257 logits differ from the reference's, first that of id \d+"


class NoGuard(DeviceSession):
    """A session that does not refuse an address of another step."""

    def _check_step(self, place: Place) -> None:
        pass


class Stale(NoGuard):
    """Every lookup is made, but the address is the one that the block's first lookup gave."""

    places: dict[tuple[int, int, int, int], Place]

    async def look(self, wanted: Sequence[Wanted], usage: Usage) -> list[Place]:
        fresh = await super().look(wanted, usage)
        kept = []
        for place in fresh:
            at = place.kv_addr
            block = (at.request_id, at.layer, at.head, at.token // self.block_tokens)
            kept.append(self.places.setdefault(block, place))
        return kept


class WrittenFirst(NoGuard):
    """Bytes go to where the block was at the begin of the step; the write lookup comes after them."""

    places: dict[tuple[int, int, int, int], Place]

    async def look(self, wanted: Sequence[Wanted], usage: Usage) -> list[Place]:
        if not wanted[0].write:
            return await super().look(wanted, usage)
        known = []
        for want in wanted:
            first = replace(want.kv_addr, token=want.kv_addr.token // self.block_tokens * self.block_tokens)
            at = await self.driver.lookup(first, touch=False)
            assert at is not None
            known.append(Place(want.kv_addr, self.step, at.tier, at.phys_addr))
        await self.driver.registers.transport.sleep(4_000)  # what takes time between the two is when blocks move
        await super().look(wanted, usage)
        return known


class Slow(DeviceSession):
    """No defect: the same time passes, but before the write lookups."""

    async def look(self, wanted: Sequence[Wanted], usage: Usage) -> list[Place]:
        if wanted[0].write:
            await self.driver.registers.transport.sleep(4_000)
        return await super().look(wanted, usage)


class FencelessKv(DeviceKv):
    """STEP_ADVANCE comes between the lookups and the reads that they allowed."""

    async def read(self, layer: int) -> tuple[Floats, Floats]:
        look = self._session.look

        async def advancing(wanted: Sequence[Wanted], usage: Usage) -> list[Place]:
            places = await look(wanted, usage)
            await self._session.advance()
            await self._session.driver.registers.transport.sleep(20_000)
            return places

        self._session.look = advancing  # type: ignore[method-assign]
        try:
            return await super().read(layer)
        finally:
            self._session.look = look  # type: ignore[method-assign]


class SteppingKv(DeviceKv):
    """No defect: the same steps and the same time, but before the lookups."""

    async def read(self, layer: int) -> tuple[Floats, Floats]:
        await self._session.advance()
        await self._session.driver.registers.transport.sleep(20_000)
        return await super().read(layer)


class Fenceless(DeviceStores):
    def open(self, request_id: int, prompt: Sequence[int]) -> DeviceKv:
        return FencelessKv(self, request_id, prompt)


class Stepping(DeviceStores):
    def open(self, request_id: int, prompt: Sequence[int]) -> DeviceKv:
        return SteppingKv(self, request_id, prompt)


class Truncating(BlockLayout):
    """Codes of q8_0 are cut off instead of rounded."""

    def pack(self, k: Floats, v: Floats) -> Bytes:
        def cut(numbers: Floats) -> Bytes:
            rows = encode(Quantisation.Q8_0, numbers)
            scale = np.abs(numbers).max(axis=-1, keepdims=True) / np.float32(127)
            rows[..., 2:] = np.trunc(numbers / scale).astype(np.int8).view(np.uint8)
            return rows

        return np.concatenate([cut(k), cut(v)], axis=-1)


def with_session(bench: Bench, kind: type[DeviceSession]) -> Bench:
    """The bench's session becomes one of another class."""
    bench.session.__class__ = kind
    bench.session.places = {}  # type: ignore[attr-defined]
    return bench


def test_the_bench_is_green_without_a_defect() -> None:
    Bench().check(REQUESTS)
    with_session(Bench(), Slow).check(REQUESTS)
    with_session(Bench(stores=Stepping), NoGuard).check(REQUESTS)


def test_a_stale_address_is_seen() -> None:
    with pytest.raises(AssertionError, match=DIFFERENT):
        with_session(Bench(), Stale).check(REQUESTS)


def test_bytes_written_before_the_lookup_are_seen() -> None:
    with pytest.raises(AssertionError, match=DIFFERENT):
        with_session(Bench(), WrittenFirst).check(REQUESTS)


def test_a_left_out_fence_is_seen() -> None:
    with pytest.raises(AssertionError, match=DIFFERENT):
        with_session(Bench(stores=Fenceless), NoGuard).check(REQUESTS)


def test_the_fence_guard_names_block_and_steps() -> None:
    with pytest.raises(DeviceFault, match=r"^fence: the address of 0:0:0:15 is of step 1, the device is in step 2$"):
        Bench(stores=Fenceless).check(REQUESTS)


def test_another_rounding_is_seen() -> None:
    bench = Bench(Quantisation.Q8_0)
    bench.stores.layout = Truncating(Quantisation.Q8_0, 32, bench.session.block_tokens)
    with pytest.raises(AssertionError, match=DIFFERENT):
        bench.check(REQUESTS)
