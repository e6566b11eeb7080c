"""The published kernel interface: numbers, structs, errno, counters, bound ranges (software.md 1)."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.device import DeviceModel
from sw.driver import BadArgument, Driver
from sw.driver.binding import Bindings
from sw.driver.device import Weights
from sw.driver.ioctl import RANGE, STEP, TELEMETRY, WEIGHTS, Ioctl, Request, Telemetry
from sw.driver.types import InsertRequest
from sw.regs.kv_address import TOKENS, KvAddress
from sw.run import Sync, run
from sw.transport.model import ModelTransport

BLOCK_BYTES = 8192
VA = 0x7F0000000000
RANGE_CALLS = (Request.MARK_HOT, Request.EVICT, Request.PREFETCH, Request.SHARE_PREFIX)


@pytest.fixture
def node(driver: Sync) -> Ioctl:
    return Ioctl(driver._target)


def call(node: Ioctl, request: int, argument: bytes | None) -> bytes:
    return run(node.ioctl(request, argument))


def code(node: Ioctl, request: int, argument: bytes | None) -> int:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what counts
        call(node, request, argument)
    assert caught.value.errno is not None
    return caught.value.errno


def test_numbers_and_sizes() -> None:
    """As published."""
    assert [int(request) for request in Request] == [
        0x40084B01,
        0x40184B02,
        0x40184B03,
        0x40184B04,
        0x40184B05,
        0x40184B06,
        0x80604B07,
    ]
    assert (STEP.size, RANGE.size, WEIGHTS.size, TELEMETRY.size) == (8, 24, 24, 96)


@pytest.mark.parametrize(
    "request_number",
    [0, 0x40084B00, 0x40084B08, 0x40084C01, 0x80084B01, 0xC0084B01, 0x40104B01, 0x40204B02, 0x40604B07, 0x80584B07],
)
def test_other_numbers(node: Ioctl, request_number: int) -> None:
    assert code(node, request_number, bytes(96)) == errno.ENOTTY


def test_bad_pointers(node: Ioctl) -> None:
    for request in Request:
        assert code(node, request, None) == errno.EFAULT
        assert code(node, request, bytes(7)) == errno.EFAULT


def test_published_calls(node: Ioctl) -> None:
    assert call(node, Request.STEP_ADVANCE, STEP.pack(128)) == b""
    call(node, Request.MARK_HOT, RANGE.pack(0x7F001000, 4096, 0))
    call(node, Request.EVICT, RANGE.pack(0x7F002000, 8192, 0))
    call(node, Request.PREFETCH, RANGE.pack(0x7F003000, 4096, 256))
    call(node, Request.SHARE_PREFIX, RANGE.pack(0x7F004000, 16384, 0))
    call(node, Request.SET_WEIGHTS, WEIGHTS.pack(3, 5, 7, 11, 1024, 40960))
    assert code(node, Request.MARK_HOT, RANGE.pack(0x7F001000, 0, 0)) == errno.EINVAL
    seen = TELEMETRY.unpack(call(node, Request.GET_TELEMETRY, bytes(96)))
    assert seen == (128, 1, 1, 1, 1, 1, 0x7F004000, 16384, 0, 3, 5, 7, 11, 1024, 40960)
    assert node.hint_misses == 1 + 1 + 1 + 2


@pytest.mark.parametrize(
    ("request_number", "argument"),
    [
        (Request.STEP_ADVANCE, STEP.pack(1 << 32)),
        (Request.PREFETCH, RANGE.pack(VA, 1, 1 << 32)),
        (Request.MARK_HOT, RANGE.pack(VA, 1, 1 << 32)),
        (Request.EVICT, RANGE.pack((1 << 64) - 1, 2, 0)),
        (Request.SHARE_PREFIX, RANGE.pack(VA, 0, 0)),
        (Request.SET_WEIGHTS, WEIGHTS.pack(256, 0, 0, 0, 0, 0)),
        (Request.SET_WEIGHTS, WEIGHTS.pack(0, 0, 0, 256, 0, 0)),
        (Request.SET_WEIGHTS, WEIGHTS.pack(0, 0, 0, 0, 0, 65536)),
        (Request.SET_WEIGHTS, WEIGHTS.pack(0, 0, 0, 0, 65536, 65536)),
        (Request.SET_WEIGHTS, WEIGHTS.pack(0, 0, 0, 0, 2, 1)),
    ],
)
def test_invalid_arguments_change_nothing(node: Ioctl, request_number: Request, argument: bytes) -> None:
    before = run(node.telemetry())
    assert code(node, request_number, argument) == errno.EINVAL
    assert run(node.telemetry()) == before


def test_the_last_byte_of_the_address_space_is_legal(node: Ioctl) -> None:
    call(node, Request.EVICT, RANGE.pack((1 << 64) - 1, 1, 0))


def test_weights_move_the_thresholds_in_any_direction(node: Ioctl) -> None:
    for evict, prefetch in ((0, 0), (65535, 65535), (1, 1), (100, 200), (300, 400), (0, 50), (50, 50)):
        call(node, Request.SET_WEIGHTS, WEIGHTS.pack(1, 2, 3, 4, evict, prefetch))
        assert run(node.telemetry()).weights == Weights(1, 2, 3, 4, evict, prefetch)


def test_telemetry_struct() -> None:
    data = TELEMETRY.pack(*range(1, 16))
    assert Telemetry.unpack(data).pack() == data


def test_a_hint_reaches_every_block_of_which_it_touches_a_byte(node: Ioctl) -> None:
    first = KvAddress(3, 1, 1, 160)
    driver = Sync(node.driver)
    blocks = [KvAddress(3, 1, 1, 160 + 16 * n) for n in range(6)]
    driver.insert_many([InsertRequest(b, b.token + 15, 1) for b in blocks])
    run(node.bind(VA, 5 * BLOCK_BYTES + 100, first))
    call(node, Request.MARK_HOT, RANGE.pack(VA + BLOCK_BYTES - 1, 2, 0))
    call(node, Request.SHARE_PREFIX, RANGE.pack(VA + 5 * BLOCK_BYTES + 99, 1, 0))
    call(node, Request.PREFETCH, RANGE.pack(VA + 3 * BLOCK_BYTES, 3 * BLOCK_BYTES, 77))
    driver.drain()
    entries = {e.kv_addr: e for e in driver.directory().values()}
    assert [b for b in blocks if entries[b].hot] == blocks[0:2]
    assert [b for b in blocks if entries[b].ref_count] == blocks[5:6]
    assert [b for b in blocks if entries[b].hint] == blocks[3:6]
    assert entries[blocks[3]].access_step == 77
    assert node.hint_misses == 1, "what lies behind the bound range"


def test_neighbours_go_out_as_one_command(node: Ioctl) -> None:
    run(node.bind(VA, 4 * BLOCK_BYTES, KvAddress(3, 0, 0, 0)))
    run(node.bind(VA + 4 * BLOCK_BYTES, 4 * BLOCK_BYTES, KvAddress(3, 0, 0, 64)))
    launched = []

    async def hot(first: KvAddress, tokens: int) -> None:
        launched.append((first.token, tokens))

    node.driver.hot = hot  # type: ignore[method-assign]
    call(node, Request.MARK_HOT, RANGE.pack(VA + 1, 8 * BLOCK_BYTES - 1, 0))
    assert launched == [(0, 128)]


def test_the_span_of_the_driver_does_not_widen_a_call(node: Ioctl) -> None:
    driver = Sync(node.driver)
    driver.insert_many([InsertRequest(KvAddress(3, layer, 0, 0), 15, 1) for layer in range(3)])
    driver.set_span(3, 1)
    run(node.bind(VA, BLOCK_BYTES, KvAddress(3, 0, 0, 0)))
    call(node, Request.MARK_HOT, RANGE.pack(VA, 1, 0))
    driver.drain()
    assert {e.layer for e in driver.directory().values() if e.hot} == {0}
    assert node.driver.span == (3, 1)


@pytest.mark.parametrize(
    ("va", "length", "token"),
    [
        (VA, 0, 0),
        ((1 << 64) - 8, 9, 0),
        (VA, BLOCK_BYTES, 8),
        (VA, 2 * BLOCK_BYTES, TOKENS - 16),
        (VA + 2 * BLOCK_BYTES - 1, 1, 0),
        (VA - 1, 2, 0),
    ],
)
def test_bad_bindings(node: Ioctl, va: int, length: int, token: int) -> None:
    run(node.bind(VA, 2 * BLOCK_BYTES, KvAddress(1, 0, 0, 0)))
    node.bindings.unbind(VA)
    overlapping = token == 0 and length in (1, 2)
    if overlapping:
        run(node.bind(VA, 2 * BLOCK_BYTES, KvAddress(1, 0, 0, 0)))
    with pytest.raises(OSError, match=r".") as caught:
        run(node.bind(va, length, KvAddress(1, 0, 0, token)))
    assert caught.value.errno == errno.EINVAL


def test_unbind_of_nothing() -> None:
    with pytest.raises(BadArgument, match="no range begins at 0x5"):
        Bindings(16).unbind(5)


UNIT = 4  # bytes of a block, small enough to check byte by byte
SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.integers(0, 30)), max_size=6)


@settings(max_examples=300)
@given(spans=SPANS, va=st.integers(0, 80), length=st.integers(1, 60))
def test_resolving_against_a_byte_by_byte_model(spans: list[tuple[int, int, int]], va: int, length: int) -> None:
    bindings = Bindings(block_tokens=16)
    owner: dict[int, tuple[int, int]] = {}
    for request, (start, size, first) in enumerate(spans):
        try:
            bindings.bind(start, size, KvAddress(request, 0, 0, first * 16), UNIT)
        except BadArgument:
            assert any(byte in owner for byte in range(start, start + size))
            continue
        for byte in range(start, start + size):
            owner[byte] = (request, first + (byte - start) // UNIT)
    runs, misses = bindings.resolve(va, length, UNIT)
    expected: list[tuple[int, int]] = []
    hole = holes = 0
    for byte in range(va, va + length):
        if byte in owner:
            hole = 0
            if not expected or expected[-1] != owner[byte]:
                expected.append(owner[byte])
        else:
            holes += hole % UNIT == 0
            hole += 1
    seen = [(r.first.request_id, (r.first.token + t) // 16) for r in runs for t in range(0, r.tokens, 16)]
    assert seen == expected
    assert misses == holes


def test_a_bound_range_larger_than_the_directory_goes_out_in_pieces() -> None:
    driver = run(Driver.probe(ModelTransport(DeviceModel(entries=1024, lanes=4))))
    node = Ioctl(driver)
    run(node.bind(VA, 2050 * BLOCK_BYTES, KvAddress(1, 0, 0, 0)))
    launched = []

    async def share(first: KvAddress, tokens: int) -> None:
        driver.check_range(first, tokens)
        launched.append((first.token, tokens))

    driver.share = share  # type: ignore[method-assign]
    call(node, Request.SHARE_PREFIX, RANGE.pack(VA, 2050 * BLOCK_BYTES, 0))
    assert launched == [(0, 16384), (16384, 16384), (32768, 32)]
    assert set(RANGE_CALLS) < set(Request)
