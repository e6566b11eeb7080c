"""The queue device: in order, in its own time, and to an end whatever it is given."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.coprocessor import Coprocessor, QueueRefused, QueueTiming
from sw.regs.queue import Descriptor, QueueStatus, Reg, Work

MEMORY = 4096
FOREVER = 1 << 62


def echo(work: Work) -> tuple[list[int], int]:
    """The prompt's bytes as tokens; 10 cycles each."""
    if work.prompt == b"refused":
        raise ValueError("no")
    if work.prompt == b"failed":
        raise RuntimeError("no")
    if work.prompt == b"too many":
        return [1] * (work.max_tokens + 1), 1
    tokens = list(work.prompt[: work.max_tokens])
    return tokens, 10 * len(tokens)


def device(entries: int = 4) -> Coprocessor:
    made = Coprocessor(echo, memory_bytes=MEMORY)
    made.write(Reg.RING_ENTRIES, entries)
    made.write(Reg.IRQ_ENABLE, 1)
    return made


def put(made: Coprocessor, number: int, text: bytes, max_tokens: int = 8, **changes: int) -> Descriptor:
    """Descriptor `number` in its place, its prompt and result in memory of its own."""
    room = 1024 + number % 4 * 128
    made.mem_write(room, text)
    descriptor = Descriptor(number, room, len(text), max_tokens, room + 64, 4 * max_tokens, seed=number)
    descriptor = replace(descriptor, **changes)
    made.mem_write(number % made.read(Reg.RING_ENTRIES) * 64, descriptor.pack())
    return descriptor


def got(made: Coprocessor, number: int) -> Descriptor:
    return Descriptor.unpack(made.mem_read(number % made.read(Reg.RING_ENTRIES) * 64, 64))


def tokens(made: Coprocessor, descriptor: Descriptor) -> list[int]:
    data = made.mem_read(descriptor.result, descriptor.result_bytes)
    return list(struct.unpack(f"<{len(data) // 4}I", data))


def test_the_layout_is_the_contracts() -> None:
    data = Descriptor(1, 2, 3, 4, 5, 6, 7, 8, 9, 10).pack()
    parts = [(1, 8), (2, 8), (3, 4), (4, 4), (5, 8), (6, 4), (7, 4), (8, 8), (9, 8), (10, 8)]
    assert data == b"".join(value.to_bytes(size, "little") for value, size in parts)
    assert len(data) == 64
    assert Descriptor.unpack(data) == Descriptor(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)


def test_a_descriptor_is_done_in_its_time() -> None:
    made = device()
    put(made, 0, b"abc")
    made.write(Reg.DOORBELL, 1)
    assert made.due_ns == (40 + 30) * 4
    made.advance_to(made.due_ns - 1)
    assert (made.read(Reg.HEAD), made.irq, got(made, 0).status) == (0, False, QueueStatus.PENDING)
    made.advance_to((40 + 30) * 4)
    done = got(made, 0)
    assert (made.read(Reg.HEAD), made.irq) == (1, True)
    assert (done.ident, done.status, done.cycles, done.result_bytes) == (0, QueueStatus.OK, 30, 12)
    assert tokens(made, done) == [97, 98, 99]
    assert made.due_ns is None


def test_descriptors_are_done_one_after_another_in_order() -> None:
    made = device()
    for number, prompt in enumerate((b"long long", b"a", b"bc")):
        put(made, number, prompt)
    made.write(Reg.DOORBELL, 3)
    ends = []
    while made.due_ns is not None:
        made.advance_to(made.due_ns)
        ends.append((made.read(Reg.HEAD), made.clock.cycle))
    assert ends == [(1, 120), (2, 120 + 50), (3, 170 + 60)]
    assert [tokens(made, got(made, n)) for n in range(3)] == [list(b"long lon"), list(b"a"), list(b"bc")]


def test_the_ring_wraps() -> None:
    made = device(entries=2)
    for number in range(7):
        put(made, number, bytes([number]))
        made.write(Reg.DOORBELL, number + 1)
        made.advance_to(FOREVER if number == 6 else (number + 1) * 1000)
        assert made.read(Reg.HEAD) == number + 1
        assert tokens(made, got(made, number)) == [number]


def test_one_interrupt_until_it_is_cleared() -> None:
    made = device()
    put(made, 0, b"a")
    put(made, 1, b"b")
    made.write(Reg.DOORBELL, 2)
    made.advance_to(50 * 4)
    assert (made.irq, made.read(Reg.IRQ_STATUS)) == (True, 1)
    made.write(Reg.IRQ_STATUS, 1)
    assert not made.irq
    made.advance_to(100 * 4)
    assert made.irq
    made.write(Reg.IRQ_ENABLE, 0)
    assert (made.irq, made.read(Reg.IRQ_STATUS)) == (False, 1)


def test_sampling_is_taken_at_the_doorbell() -> None:
    seen: list[Work] = []

    def engine(work: Work) -> tuple[list[int], int]:
        seen.append(work)
        return [], 0

    made = Coprocessor(engine, memory_bytes=MEMORY)
    made.write(Reg.RING_ENTRIES, 4)
    for number, sampling in enumerate((0, 800 | 40 << 16 | 900 << 32)):
        put(made, number, b"x", max_tokens=3)
        made.write(Reg.SAMPLING, sampling)
        made.write(Reg.DOORBELL, number + 1)
    made.write(Reg.SAMPLING, 5)
    made.advance_to(FOREVER)
    assert seen == [Work(b"x", 3, 0, 0, 0, 0), Work(b"x", 3, 1, 800, 40, 900)]


BAD: dict[str, tuple[dict[str, int], QueueStatus]] = {
    "a reserved field": ({"reserved": 1}, QueueStatus.BAD_DESCRIPTOR),
    "no tokens": ({"max_tokens": 0}, QueueStatus.BAD_SIZE),
    "a result of one byte too few": ({"result_bytes": 31}, QueueStatus.BAD_SIZE),
    "more tokens than any result holds": ({"max_tokens": 2**32 - 1, "result_bytes": 2**32 - 1}, QueueStatus.BAD_SIZE),
    "a prompt past the memory": ({"prompt": MEMORY, "prompt_bytes": 1}, QueueStatus.BAD_ADDRESS),
    "a prompt that ends past the memory": ({"prompt": MEMORY - 8, "prompt_bytes": 9}, QueueStatus.BAD_ADDRESS),
    "a prompt around the end of 64 bits": ({"prompt": 2**64 - 1, "prompt_bytes": 2}, QueueStatus.BAD_ADDRESS),
    "a prompt of 4 GiB": ({"prompt_bytes": 2**32 - 1}, QueueStatus.BAD_ADDRESS),
    "a result past the memory": ({"result": 2**63}, QueueStatus.BAD_ADDRESS),
    "a result that ends past the memory": ({"result": MEMORY - 28}, QueueStatus.BAD_ADDRESS),
    "a result that is not aligned": ({"result": 2001}, QueueStatus.BAD_ADDRESS),
    "a result over the ring": ({"result": 252}, QueueStatus.BAD_ADDRESS),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_a_status_and_the_next_is_done(name: str) -> None:
    changes, status = BAD[name]
    made = device()
    before = put(made, 0, b"abc", **changes)
    put(made, 1, b"next")
    memory = bytes(made.memory[256:])
    made.write(Reg.DOORBELL, 2)
    made.advance_to(40 * 4)
    assert got(made, 0) == replace(before, status=status, result_bytes=0)
    assert (made.read(Reg.HEAD), made.irq) == (1, True)
    assert made.memory[256:] == memory
    made.advance_to(FOREVER)
    assert tokens(made, got(made, 1)) == list(b"next")


@pytest.mark.parametrize(
    ("prompt", "status"),
    [(b"refused", QueueStatus.REFUSED), (b"failed", QueueStatus.FAILED), (b"too many", QueueStatus.FAILED)],
)
def test_what_the_engine_cannot_do_is_a_status(prompt: bytes, status: QueueStatus) -> None:
    made = device()
    put(made, 0, prompt)
    put(made, 1, b"next")
    made.write(Reg.DOORBELL, 2)
    made.advance_to(FOREVER)
    assert (got(made, 0).status, got(made, 0).result_bytes) == (status, 0)
    assert tokens(made, got(made, 1)) == list(b"next")


def refused(made: Coprocessor, register: int, value: int) -> bool:
    before = [made.read(r) for r in Reg]
    try:
        made.write(register, value)
    except QueueRefused:
        assert [made.read(r) for r in Reg] == before
        return True
    return False


def test_registers_refuse_what_makes_no_sense() -> None:
    made = Coprocessor(echo, memory_bytes=MEMORY)
    assert refused(made, Reg.DOORBELL, 1), "no ring"
    assert not refused(made, Reg.RING_ENTRIES, 4)
    for entries in (0, 3, 8192, -1):
        assert refused(made, Reg.RING_ENTRIES, entries)
    assert refused(made, Reg.RING_BASE, 63)
    assert not refused(made, Reg.RING_BASE, MEMORY - 192)
    assert refused(made, Reg.DOORBELL, 1), "the ring ends past the memory"
    assert not refused(made, Reg.RING_BASE, 2**64 - 64)
    assert refused(made, Reg.DOORBELL, 1)
    assert not refused(made, Reg.RING_BASE, 0)
    for tail in (5, 2**32, 2**32 - 1, -1):
        assert refused(made, Reg.DOORBELL, tail), "more than the ring holds"
    assert not refused(made, Reg.DOORBELL, 4)
    assert refused(made, Reg.DOORBELL, 5)
    assert refused(made, Reg.RING_BASE, 64), "descriptors are not done"
    assert refused(made, Reg.RING_ENTRIES, 2)
    for register in (Reg.ID, Reg.MEMORY_BYTES, Reg.HEAD, 0x48, 0x01):
        assert refused(made, register, 0)
    for register in (0x48, 0x01, -8):
        with pytest.raises(QueueRefused):
            made.read(register)
    made.advance_to(FOREVER)
    assert not refused(made, Reg.RING_ENTRIES, 2)


def test_memory_has_an_end() -> None:
    made = device()
    for address, count in ((MEMORY, 1), (-1, 1), (0, MEMORY + 1), (2**64, 0)):
        with pytest.raises(IndexError):
            made.mem_read(address, count)
    with pytest.raises(IndexError):
        made.mem_write(MEMORY - 1, b"ab")


def test_reset_forgets_everything_but_the_memory() -> None:
    made = device()
    put(made, 0, b"abc")
    made.write(Reg.DOORBELL, 1)
    memory = bytes(made.memory)
    made.reset()
    made.advance_to(FOREVER)
    assert [made.read(r) for r in Reg][2:] == [0] * 7
    assert made.memory == memory


def test_its_clock_is_its_own() -> None:
    made = Coprocessor(echo, memory_bytes=MEMORY, timing=QueueTiming(clock_mhz=333, fetch=10))
    made.write(Reg.RING_ENTRIES, 1)
    put(made, 0, b"a")
    made.write(Reg.DOORBELL, 1)
    assert made.due_ns == 61  # 20 cycles of 333 MHz are 60.06 ns
    made.advance_to(60)
    assert made.read(Reg.HEAD) == 0
    made.advance_to(61)
    assert made.read(Reg.HEAD) == 1


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.binary(min_size=64, max_size=64), min_size=1, max_size=4))
@example([bytes(64)])
@example([b"\xff" * 64] * 4)
def test_any_64_bytes_come_to_an_end(ring: list[bytes]) -> None:
    made = device()
    made.mem_write(0, b"".join(ring))
    made.write(Reg.DOORBELL, len(ring))
    made.advance_to(10_000_000)
    assert made.read(Reg.HEAD) == len(ring)
    assert all(got(made, n).status in set(QueueStatus) - {QueueStatus.PENDING} for n in range(len(ring)))


fields = st.fixed_dictionaries(
    {
        "prompt": st.sampled_from([0, 1000, MEMORY - 4, MEMORY, 2**64 - 4]) | st.integers(0, MEMORY),
        "prompt_bytes": st.sampled_from([0, 4, 5, 2**32 - 1]) | st.integers(0, 64),
        "max_tokens": st.sampled_from([0, 1, 2**32 - 1]) | st.integers(0, 20),
        "result": st.sampled_from([0, 252, 256, MEMORY - 4, 2**64 - 4]) | st.integers(0, MEMORY),
        "result_bytes": st.sampled_from([0, 3, 4, 2**32 - 1]) | st.integers(0, 80),
    }
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(fields, min_size=1, max_size=4))
def test_nothing_outside_ring_and_results_is_written(work: list[dict[str, int]]) -> None:
    made = device()
    made.memory[256:] = bytes(range(1, 241)) * 16
    for number, changes in enumerate(work):
        made.mem_write(number * 64, Descriptor(number, **changes).pack())
    before = bytes(made.memory)
    made.write(Reg.DOORBELL, len(work))
    made.advance_to(10_000_000)
    allowed = set(range(256))
    for number in range(len(work)):
        ended = got(made, number)
        assert ended.status != QueueStatus.PENDING
        if ended.status == QueueStatus.OK:
            allowed |= set(range(ended.result, ended.result + ended.result_bytes))
            assert ended.result_bytes <= 4 * work[number]["max_tokens"] <= work[number]["result_bytes"]
    assert all(made.memory[n] == before[n] for n in range(MEMORY) if n not in allowed)
