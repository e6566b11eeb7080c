"""Backend (c): the same tokens as the model next to it, in order, bounded, and never a hang."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from model.coprocessor import Coprocessor
from model.device import DeviceModel
from sw.kernel.clock import Clock, CountedClock, CountingTransport, DeviceClock
from sw.llm.backend import Backend, Compute, DeviceFault, Generation, InferenceFailed, Sampling
from sw.llm.coprocessor import ENTRIES, CoprocessorBackend, CoprocessorQueue, on_coprocessor
from sw.llm.micro.backend import MicroBackend
from sw.llm.micro.kv import Floats, KvStore
from sw.llm.micro.model import ModelConfig, Transformer
from sw.llm.micro.reference import ReferenceStores
from sw.llm.micro.weights import seeded
from sw.llm.package import Quantisation
from sw.llm.stub import StubBackend
from sw.regs.queue import DESCRIPTOR_BYTES, Descriptor, Engine, QueueStatus, Reg
from sw.run import run
from sw.transport.base import TransportError
from sw.transport.model import CoprocessorTransport, ModelTransport
from tests.driver.fake import FakeTransport

CONFIG = ModelConfig(context=64, vocabulary=257, layers=2, heads=2, kv_heads=1, head_dim=16, hidden=32)
MODES = {
    "greedy": Sampling(),
    "temperature": Sampling(seed=7, temperature=900),
    "top-k": Sampling(seed=2**64 - 1, temperature=1200, top_k=5),
    "top-p": Sampling(seed=1, temperature=65_535, top_p=800),
    "all": Sampling(seed=99, temperature=700, top_k=40, top_p=950),
}
HZ = 250_000_000
CYCLES = 1_000


def micro(compute: Compute) -> MicroBackend:
    model = Transformer(CONFIG, seeded(CONFIG, 5))
    return MicroBackend("tiny", model, ReferenceStores(CONFIG, Quantisation.F16), compute)


@dataclass
class Bench:
    """A backend on a coprocessor next to a fake device."""

    make_model: Callable[[Compute], Backend] = micro
    memory_bytes: int = 1 << 20
    timebase: FakeTransport = field(default_factory=FakeTransport)
    device: Coprocessor = field(init=False)
    backend: CoprocessorBackend = field(init=False)

    def __post_init__(self) -> None:
        compute = Compute(CYCLES, HZ, DeviceClock(self.timebase))
        self.backend = run(on_coprocessor(self.make_model, self.queue, compute))

    def queue(self, engine: Engine) -> CoprocessorTransport:
        self.device = Coprocessor(engine, memory_bytes=self.memory_bytes)
        return CoprocessorTransport(self.device, self.timebase)

    def start(self, prompt: bytes = b"one two three", tokens: int = 8, sampling: Sampling | None = None) -> Generation:
        return run(self.backend.start(prompt, tokens, sampling or Sampling(), 1))


def finish(generation: Generation, limit: int = 1000) -> list[int]:
    tokens: list[int] = []
    for _ in range(limit):
        if generation.finished:
            run(generation.close())
            return tokens
        tokens += run(generation.chunk())
    raise AssertionError(f"not finished after {limit} chunks")


def expected(prompt: bytes, tokens: int, sampling: Sampling) -> list[int]:
    alone = micro(Compute(CYCLES, HZ, CountedClock()))
    return finish(run(alone.start(prompt, tokens, sampling, 1)))


@pytest.mark.parametrize("mode", MODES)
def test_tokens_are_those_of_the_model_itself(mode: str) -> None:
    bench = Bench()
    for prompt, count in ((b"", 5), (b"hello", 20), (b"x" * 43, 20)):
        assert finish(bench.start(prompt, count, MODES[mode])) == expected(prompt, count, MODES[mode])


def test_the_stub_runs_there_as_well() -> None:
    bench = Bench(StubBackend)
    tokens = finish(bench.start(b"the queue device computes what it is given", 100))
    alone = StubBackend(Compute(CYCLES, HZ, CountedClock()))
    assert tokens == finish(run(alone.start(b"the queue device computes what it is given", 100, Sampling(), 1)))
    assert bench.backend.text(tokens)
    assert bench.backend.info == alone.info


def test_what_it_costs_is_what_the_device_says() -> None:
    bench = Bench()
    generation = bench.start(b"hello", 4)
    tokens = finish(generation)
    assert len(tokens) == 4
    assert generation.usage.computed == 1 + 5 + 3  # the last token is not computed
    assert generation.usage.cycles == 9 * CYCLES
    assert generation.usage.lookups == 0
    assert bench.timebase.time_ns > 9 * CYCLES * 4


def test_generations_share_the_queue_in_order() -> None:
    bench = Bench()
    asked = [(bytes([65 + n]) * (n + 1), 3 + n % 3, replace(MODES["all"], seed=n)) for n in range(2 * ENTRIES + 5)]
    running = [bench.start(*one) for one in asked]
    tokens: list[list[int]] = [[] for _ in asked]
    for _ in range(1000):
        for n, generation in enumerate(running):
            if not generation.finished:
                tokens[n] += run(generation.chunk())
        if all(generation.finished for generation in running):
            break
    assert tokens == [expected(*one) for one in asked]


def test_the_device_works_while_no_caller_waits() -> None:
    bench = Bench()
    generation = bench.start(b"hello", 4)
    assert run(generation.chunk()) == []
    run(bench.timebase.sleep(10**9))
    before = bench.timebase.time_ns
    assert run(generation.chunk()) == []
    assert bench.timebase.time_ns - before < 1_000, "the result was there: nothing but accesses"
    assert len(run(generation.chunk())) == 4


def test_a_chunk_waits_no_longer_than_it_may_compute() -> None:
    bench = Bench()
    generation = bench.start(b"x" * 40, 20)
    run(generation.chunk())
    patience = bench.backend.info.chunk_tokens * CYCLES * 4
    waits = 0
    while not generation.finished:
        before = bench.timebase.time_ns
        run(generation.chunk())
        assert bench.timebase.time_ns - before <= patience + 1_000
        waits += 1
    assert waits > 2


def test_a_cancelled_one_harms_no_other() -> None:
    bench = Bench()
    first, second = bench.start(b"first", 6), bench.start(b"second", 6)
    run(first.chunk())
    run(second.chunk())
    run(first.close())
    with pytest.raises(RuntimeError, match="has ended"):
        run(first.chunk())
    assert finish(second) == expected(b"second", 6, Sampling())
    for n in range(ENTRIES):
        assert finish(bench.start(bytes([n]), 3)) == expected(bytes([n]), 3, Sampling())


def test_unload_waits_for_what_is_queued() -> None:
    bench = Bench()
    generations = [bench.start(b"abandoned", 20) for _ in range(5)]
    for generation in generations:
        run(generation.chunk())
        run(generation.close())
    assert bench.device.read(Reg.HEAD) < 5
    run(bench.backend.unload())
    assert bench.device.read(Reg.HEAD) == 5


@pytest.mark.parametrize(
    ("prompt", "tokens", "request_id"),
    [(b"x", 0, 1), (b"x", 1, 0), (b"x", 1, 65_536), (b"x" * 64, 1, 1), (b"x", 63, 1)],
)
def test_what_no_backend_takes_is_refused_at_once(prompt: bytes, tokens: int, request_id: int) -> None:
    bench = Bench()
    with pytest.raises(ValueError, match=r"max_tokens|request id|context"):
        run(bench.backend.start(prompt, tokens, Sampling(), request_id))
    assert bench.device.read(Reg.DOORBELL) == 0


def test_a_small_memory_has_a_short_ring_and_none_is_refused() -> None:
    slot = DESCRIPTOR_BYTES + 64 + 256
    bench = Bench(memory_bytes=3 * slot)
    assert bench.device.read(Reg.RING_ENTRIES) == 2
    assert finish(bench.start(b"fits", 5)) == expected(b"fits", 5, Sampling())
    with pytest.raises(ValueError, match="no room for 64 bytes of prompt"):
        Bench(memory_bytes=slot - 1)


def test_on_counted_time_with_the_device_model() -> None:
    """The queue lives in the time of the stack, whatever that is."""
    times = []
    for entries in (1024, 2048):
        counting = CountingTransport(ModelTransport(DeviceModel(entries=entries, lanes=4)), CountedClock(50))
        clock: Clock = DeviceClock(counting)
        made = on_coprocessor(
            micro, lambda engine, t=counting: CoprocessorTransport(Coprocessor(engine), t), Compute(CYCLES, HZ, clock)
        )
        backend = run(made)
        assert finish(run(backend.start(b"hello", 8, MODES["all"], 1))) == expected(b"hello", 8, MODES["all"])
        times.append(clock.now())
    assert times[0] == times[1]


# ---------------------------------------------------------------------- a device that does wrong


def test_a_device_that_stops_is_a_fault_and_not_a_hang() -> None:
    bench = Bench()
    generation = bench.start(b"hello", 4)
    run(generation.chunk())
    bench.device.clock.clear()
    with pytest.raises(DeviceFault, match="has not done descriptor 0 in its time"):
        finish(generation)
    assert bench.timebase.time_ns < 10_000_000
    with pytest.raises(DeviceFault, match="has not done 1 descriptors in their time"):
        run(bench.backend.unload())


def test_a_model_that_fails_inside_is_a_failed_inference() -> None:
    bench = Bench()

    def fails(_: object) -> tuple[list[int], int]:
        raise RuntimeError("inside")

    bench.device.engine = fails
    with pytest.raises(InferenceFailed, match="descriptor 0 with FAILED"):
        finish(bench.start())


def test_a_model_without_finite_numbers_fails_inside() -> None:
    def broken(compute: Compute) -> MicroBackend:
        backend = micro(compute)
        sound = backend.model.forward

        async def forward(tokens: list[int], kv: KvStore) -> Floats:
            return await sound(tokens, kv) * np.float32("nan")

        backend.model.forward = forward  # type: ignore[method-assign]
        return backend

    with pytest.raises(InferenceFailed, match="descriptor 0 with FAILED"):
        finish(Bench(broken).start())


def test_a_model_that_never_ends_fails_inside() -> None:
    def endless(compute: Compute) -> MicroBackend:
        backend = micro(compute)

        async def forward(tokens: list[int], kv: KvStore) -> Floats:
            return np.zeros(257, np.float32)  # and no token is ever stored

        backend.model.forward = forward  # type: ignore[method-assign]
        return backend

    with pytest.raises(InferenceFailed, match="descriptor 0 with FAILED"):
        finish(Bench(endless).start())


def spoil(bench: Bench, number: int, **changes: int) -> None:
    """Change what the device has written back."""
    place = number * DESCRIPTOR_BYTES
    ended = Descriptor.unpack(bench.device.mem_read(place, DESCRIPTOR_BYTES))
    bench.device.mem_write(place, replace(ended, **changes).pack())


@pytest.mark.parametrize(
    "changes",
    [
        {"ident": 1},
        {"status": 0},
        {"status": 7},
        {"result_bytes": 15},
        {"result_bytes": 20},
        {"result_bytes": 2**32 - 4},
    ],
    ids=["another id", "pending", "no status", "half a token", "more than asked for", "4 GiB"],
)
def test_a_descriptor_that_comes_back_wrong_is_a_fault(changes: dict[str, int]) -> None:
    bench = Bench()
    generation = bench.start(b"hello", 4)
    run(generation.chunk())
    bench.device.advance_to(10**9)
    spoil(bench, 0, **changes)
    with pytest.raises(DeviceFault, match="gives descriptor 0 back as"):
        run(generation.chunk())


@pytest.mark.parametrize("status", [s for s in QueueStatus if s > QueueStatus.OK])
def test_every_other_status_fails_the_inference(status: QueueStatus) -> None:
    bench = Bench()
    generation = bench.start(b"hello", 4)
    run(generation.chunk())
    bench.device.advance_to(10**9)
    spoil(bench, 0, status=status, result_bytes=0)
    with pytest.raises(InferenceFailed, match=f"descriptor 0 with {status.name}"):
        finish(generation)


def test_a_head_ahead_of_the_doorbell_is_a_fault() -> None:
    bench = Bench()
    generation = bench.start(b"hello", 4)
    run(generation.chunk())
    bench.device.advance_to(10**9)
    bench.device._head = 5
    with pytest.raises(DeviceFault, match="has done 5 of 1 descriptors"):
        run(generation.chunk())


def test_a_transport_that_fails_is_a_fault() -> None:
    bench = Bench()
    generation = bench.start(b"hello", 4)

    async def lost(ns: int) -> None:
        raise TransportError("the simulator is gone")

    bench.timebase.sleep = lost  # type: ignore[method-assign]
    with pytest.raises(DeviceFault, match="the simulator is gone"):
        run(generation.chunk())


def test_another_device_or_one_in_use_is_refused() -> None:
    bench = Bench()
    finish(bench.start())
    transport = CoprocessorTransport(bench.device, bench.timebase)
    with pytest.raises(DeviceFault, match="in use"):
        run(CoprocessorQueue.open(transport, prompt_bytes=64, max_tokens=64))

    class Other(CoprocessorTransport):
        async def read(self, offset: int) -> int:
            return 1

    with pytest.raises(DeviceFault, match="ID 0x1 is not that"):
        run(CoprocessorQueue.open(Other(bench.device, bench.timebase), prompt_bytes=64, max_tokens=64))


def test_the_transport_refuses_what_the_device_refuses() -> None:
    bench = Bench()
    transport = CoprocessorTransport(bench.device, bench.timebase)
    for call in (
        lambda: transport.read(0x100),
        lambda: transport.write(Reg.HEAD, 1),
        lambda: transport.mem_read(1 << 20, 1),
        lambda: transport.mem_write(1 << 20, b"x"),
        lambda: transport.wait_irq(100),
    ):
        with pytest.raises(TransportError):
            run(call())
