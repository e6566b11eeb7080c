"""The service's parts by themselves: windows, capacity, request ids, the operator in its graph."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.device import DeviceModel
from sw.codes import Code, Refusal
from sw.kernel.clock import CountedClock
from sw.kernel.growth import Growth, GrowthRefused
from sw.llm.backend import Compute, Generation, Sampling
from sw.llm.capacity import Backing, Capacity, RequestIds, backing
from sw.llm.config import LlmConfig
from sw.llm.micro.plan import DevicePlan
from sw.llm.micro.session import NewBlock
from sw.llm.operator import Begin, arena_need, build_llm_graph
from sw.llm.package import TrustStore
from sw.llm.stub import StubBackend, summarize
from sw.llm.system import LlmSetup, SystemConfig, build_system
from sw.llm.windows import Window
from sw.regs.kv_address import KvAddress
from sw.run import run
from sw.signing import PrivateKey
from sw.transport.model import ModelTransport

# ---------------------------------------------------------------------- windows


@settings(deadline=None, derandomize=True)
@given(
    period=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20), st.integers(0, 20)), max_size=30),
)
def test_windows(period: int, steps: list[tuple[int, int, int]]) -> None:
    """What is taken in [kP, (k+1)P) counts there and nowhere else; what is given back counts only in its window."""
    window, model, now = Window(period), dict[int, int](), 0
    open_ones = []
    for wait, amount, used in steps:
        now += wait
        model[now // period] = model.get(now // period, 0) + amount
        open_ones.append((window.take(amount, now), amount, min(used, amount), now // period))
        assert window.taken(now) == model[now // period]
        assert window.end(now) == (now // period + 1) * period
        reservation, reserved, charged, number = open_ones.pop(0) if wait % 2 else open_ones.pop()
        window.settle(reservation, charged, now)
        if number == now // period:
            model[number] -= reserved - charged
        assert window.taken(now) == model[now // period]


def test_window_of_no_length() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Window(0)


def test_four_classes() -> None:
    with pytest.raises(ValueError, match="4 are needed"):
        LlmConfig(classes=(None, None))


# ---------------------------------------------------------------------- capacity


def test_backing() -> None:
    """The largest tier backs all blocks, up to the share of the directory at which INSERT is sure to find a place."""
    assert backing(1024, (8, 8, 16, 100), 6) == Backing(3, 6, 94)
    assert backing(1024, (8, 200, 16, 100), 6) == Backing(1, 6, 194)
    assert backing(1024, (0, 0, 0, 1024), 6).blocks == 960
    assert backing(1024, (2, 2, 2, 4), 6).blocks == 0


def test_capacity() -> None:
    capacity = Capacity(Backing(3, 4, 10), Growth())
    capacity.check(10)
    capacity.reserve(7)
    with pytest.raises(Refusal) as refused:
        capacity.check(4)
    assert refused.value.code is Code.NO_ROOM
    capacity.release(7)
    capacity.check(10)


def test_deterministic_mode_meets_no_growth_of_the_directory() -> None:
    growth = Growth()
    capacity = Capacity(Backing(3, 4, 10), growth)
    growth.freeze()
    capacity.reserve(10)
    with pytest.raises(GrowthRefused):
        Capacity(Backing(3, 4, 1), growth)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_insert_finds_a_slot_while_everything_moves(seed: int, inserts: int) -> None:
    """As many blocks as may live at once, every step full of INSERTs, migrations all the time: never NO_SLOT.

    The session's INSERT falls back on waiting for later steps; here its first full try must do.
    """
    run(_churn(random.Random(seed), inserts))


async def _churn(draw: random.Random, inserts: int) -> None:
    slots = (draw.randint(0, 8), draw.randint(0, 8), draw.randint(0, 12), draw.randint(20, 40))
    device = DeviceModel(entries=1024, lanes=4)
    setup = LlmSetup(DevicePlan(slots, 256), TrustStore(Path("none")), inserts_per_step=inserts)
    config = SystemConfig(key=PrivateKey(bytes(32)), llm=setup)
    system = await build_system(ModelTransport(device), config)
    assert system.service
    assert system.session
    driver, session, most = system.driver, system.session, system.service.gate.capacity.total
    there: list[KvAddress] = []
    names = iter(range(1 << 16))
    for _ in range(12):
        await session.advance()
        for _ in range(draw.randint(0, 8)):  # up and down within one step: each move leaves a slot that is held
            for block in there:
                down = draw.random() < 0.5
                await (driver.evict(block, 1) if down else driver.prefetch(block, 1, session.step))
            await driver.drain()
            device.advance(2000)
        for _ in range(min(inserts, most - len(there))):
            block = KvAddress(1, 0, 0, next(names) * 16)
            left = await session._insert([NewBlock(block, 16)], spare=False)
            assert not left, f"{block}: {await driver.free_slots()} of {slots}, {len(there)} blocks"
            there.append(block)
        for block in draw.sample(there, draw.randint(0, len(there) // 3)):
            await driver.remove(block)
            there.remove(block)


def test_request_ids_are_used_in_turn() -> None:
    ids = RequestIds(range(1, 4))
    assert [ids.take(), ids.take()] == [1, 2]
    ids.give_back(1)
    assert [ids.take(), ids.take()] == [3, 1]
    with pytest.raises(Refusal) as refused:
        ids.check()
    assert refused.value.code is Code.NO_ROOM
    ids.give_back(2)
    ids.check()
    assert ids.take() == 2


# ---------------------------------------------------------------------- the operator


def _begin(max_tokens: int) -> Begin:
    backend = StubBackend(Compute(1, 1_000_000, CountedClock()))

    async def begin(prompt: bytes) -> Generation:
        return await backend.start(prompt, max_tokens, Sampling(), 1)

    return begin


def test_operator_in_its_graph() -> None:
    """One step is one chunk; tokens come in tensors, in order; a full channel stops it and loses nothing."""
    text = b"word " * 70 + b"the longest words stay hereabouts"
    graph = build_llm_graph(arena_need(len(text), 100), Growth())
    for _ in range(2):  # the same graph runs one inference after another
        graph.submit(text, _begin(100))
        seen: list[int] = []
        while True:
            ran = run(graph.step())
            if graph.full:
                assert run(graph.step()) == 0
                assert graph.stats()[1].stalls > 0
            elif not ran:
                break
            if graph.full or graph.generation is None or graph.generation.finished:
                while (ids := graph.take()) is not None:
                    seen += ids
        assert bytes(seen) == summarize(text)[:100]
        assert graph.sent == len(seen) == 100
        graph.reset()
        assert graph.take() is None
        assert graph.generation is None


def test_arena_is_reserved_before_deterministic_mode() -> None:
    """The largest inference that the arena allows runs without growth; another graph would grow."""
    growth = Growth()
    graph = build_llm_graph(arena_need(50, 20), growth)
    growth.freeze()
    graph.submit(b"x " * 25, _begin(20))
    while run(graph.step()):
        graph.take()
    assert growth.refused == 0
    with pytest.raises(GrowthRefused):
        build_llm_graph(64, growth)


def test_arena_too_small() -> None:
    graph = build_llm_graph(arena_need(10, 2), Growth())
    with pytest.raises(Refusal) as refused:
        graph.submit(b"x" * 1000, _begin(2))
    assert refused.value.code is Code.NO_ROOM
