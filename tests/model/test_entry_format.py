"""device.md 2: the directory entry, bit for bit."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.entries import EntryView
from tests.model.helpers import device, kv, put

# name: (lsb, width), copied from the table of device.md 2
BITS = {
    "request_id": (0, 16),
    "head": (16, 8),
    "layer": (24, 8),
    "token_start": (32, 32),
    "token_end": (64, 32),
    "tier": (96, 2),
    "phys_addr": (98, 64),
    "priority": (162, 16),
    "access_step": (178, 32),
    "ref_count": (210, 8),
    "r": (218, 8),
    "f": (226, 8),
    "prefix": (234, 1),
    "dirty": (235, 1),
    "hot": (236, 1),
    "evictable": (237, 1),
    "hint": (238, 1),
    "valid": (239, 1),
}


def test_fields_fill_the_240_bits() -> None:
    used = sorted((lsb, lsb + width) for lsb, width in BITS.values())
    assert used[0][0] == 0
    assert used[-1][1] == 240
    assert all(end == start for (_, end), (start, _) in pairwise(used))


@pytest.mark.parametrize("name", BITS)
def test_each_field_stands_at_its_bits(name: str) -> None:
    lsb, width = BITS[name]
    value = (1 << width) - 1
    entry = EntryView(**{n: value if n == name else 0 for n in BITS})
    assert int.from_bytes(entry.pack(), "little") == value << lsb


@given(st.fixed_dictionaries({n: st.integers(0, (1 << w) - 1) for n, (_, w) in BITS.items()}))
def test_unpack_is_the_inverse_of_pack(fields: dict[str, int]) -> None:
    entry = EntryView(**fields)
    assert len(entry.pack()) == 32
    assert EntryView.unpack(entry.pack()) == entry


@pytest.mark.parametrize("data", [bytes(31), bytes(33), bytes(31) + b"\1", bytes(30) + b"\1\0"])
def test_unpack_refuses_what_is_no_entry(data: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        EntryView.unpack(data)


def test_an_inserted_block_reads_as_the_table_says() -> None:
    state = device()
    state.set_step(7)
    address = kv(0x1234, 5, layer=0xAB, head=0xCD)
    result = state.insert(address, 5 * 16 + 3, 2, prefix=True, hot=True)
    entry = EntryView.unpack(state.entry_bytes(result.index))
    assert entry == EntryView(
        request_id=0x1234,
        layer=0xAB,
        head=0xCD,
        token_start=80,
        token_end=83,
        tier=2,
        phys_addr=result.phys_addr,
        priority=0,
        access_step=7,
        ref_count=0,
        r=255,
        f=1,
        prefix=1,
        dirty=0,
        hot=1,
        evictable=0,
        hint=0,
        valid=1,
    )


def test_an_empty_place_reads_zero_also_after_a_removal() -> None:
    state = device()
    index = put(state, kv(), hot=1, ref_count=0)
    assert state.entry_bytes(index) != bytes(32)
    state.remove(kv())
    assert state.entry_bytes(index) == bytes(32)
    assert state.image() == bytes(1024 * 32)


def test_the_image_holds_each_entry_at_its_index() -> None:
    state = device()
    indices = [put(state, kv(block=b)) for b in range(20)]
    image = state.image()
    for index in indices:
        assert image[index * 32 : index * 32 + 32] == state.entry_bytes(index)
    assert sum(image[n * 32 + 29] >> 7 for n in range(1024)) == 20


@pytest.mark.parametrize("block_tokens", [1, 2, 16, 256])
def test_last_block_of_the_token_space(block_tokens: int) -> None:
    state = device(block_tokens=block_tokens)
    start = (1 << 32) - block_tokens
    index = put(state, 1 << 48 | start)
    entry = state.entry(index)
    assert (entry.token_start, entry.token_end) == (start, (1 << 32) - 1)
    assert state.lookup(0, 1 << 48 | (1 << 32) - 1, write=True).hit
