"""The tensor header, byte for byte (software.md 2, "Graph")."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code, Refusal
from sw.kernel import tensor
from sw.kernel.arena import Arena
from sw.kernel.growth import Growth
from sw.kernel.tensor import HEADER_BYTES, DType, Encoding, Framing, Schema, TensorHeader

# Offset and size of every field, as the contract lists them.
FIELDS = {
    "version": (0, 4),
    "dtype": (4, 4),
    "dims": (8, 32),
    "strides": (40, 32),
    "data_offset": (72, 8),
    "schema": (80, 4),
    "records": (84, 4),
    "quality": (88, 2),
    "lineage": (96, 8),
    "length": (104, 8),
    "encoding": (112, 2),
    "framing": (114, 2),
    "count": (116, 4),
    "sequence": (120, 8),
}

u64 = st.integers(0, (1 << 64) - 1)
u32 = st.integers(0, (1 << 32) - 1)
u16 = st.integers(0, (1 << 16) - 1)
headers = st.builds(
    TensorHeader,
    dtype=u32,
    dims=st.tuples(u64, u64, u64, u64),
    strides=st.tuples(u64, u64, u64, u64),
    data_offset=u64,
    schema=u32,
    records=u32,
    quality=u16,
    lineage=u64,
    length=u64,
    encoding=u16,
    framing=u16,
    count=u32,
    sequence=u64,
)


def refused(data: bytes) -> Code:
    with pytest.raises(Refusal) as refusal:
        TensorHeader.unpack(data)
    return refusal.value.code


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_where_the_contract_says(name: str) -> None:
    empty = TensorHeader(0, data_offset=0)
    offset, size = FIELDS[name]
    if name in ("dims", "strides"):
        full = replace(empty, **{name: ((1 << 64) - 1,) * 4})
    else:
        full = replace(empty, **{name: (1 << 8 * size) - 1})
    expected = bytearray(128)
    expected[0:4] = (1).to_bytes(4, "little")
    expected[offset : offset + size] = b"\xff" * size
    assert full.pack() == bytes(expected)


def test_values_are_little_endian_and_dims_in_order() -> None:
    header = TensorHeader(2, dims=(1, 2, 3, 4), strides=(5, 6, 7, 8), schema=1002, sequence=0x1122334455667788)
    data = header.pack()
    assert len(data) == 128
    assert [data[8 + 8 * n] for n in range(8)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert data[80:84] == bytes([0xEA, 0x03, 0, 0])
    assert data[120:] == bytes.fromhex("8877665544332211")
    assert data[72:80] == (128).to_bytes(8, "little")


@settings(derandomize=True, deadline=None, max_examples=200)
@given(headers)
def test_what_is_packed_comes_back(header: TensorHeader) -> None:
    data = header.pack()
    assert len(data) == HEADER_BYTES
    assert TensorHeader.unpack(data + b"behind it") == header


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=200), st.binary(min_size=124, max_size=140).map(lambda b: b"\x01\0\0\0" + b)))
def test_any_bytes_are_a_header_or_refused(data: bytes) -> None:
    good = len(data) >= 128 and data[:4] == b"\x01\0\0\0" and not any(data[90:96])
    if good:
        assert TensorHeader.unpack(data).pack() == data[:128]
    else:
        assert refused(data) is Code.BAD_ARGUMENT


def test_short_foreign_and_padded_headers_are_refused() -> None:
    good = TensorHeader(0).pack()
    assert refused(good[:127]) is Code.BAD_ARGUMENT
    assert refused(b"\x02" + good[1:]) is Code.BAD_ARGUMENT
    assert refused(b"\x00" + good[1:]) is Code.BAD_ARGUMENT
    for place in range(90, 96):
        assert refused(good[:place] + b"\x01" + good[place + 1 :]) is Code.BAD_ARGUMENT


def test_values_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="tensor header"):
        TensorHeader(1 << 32).pack()


def test_text_and_tokens_in_the_arena() -> None:
    arena = Arena(4096, Growth())
    prompt = "naïve".encode()
    header, data = tensor.load(arena, tensor.store(arena, tensor.text(prompt), prompt))
    assert bytes(data) == prompt
    assert (header.schema, header.dtype, header.length, header.count) == (1001, DType.U8, 6, 6)
    assert (header.encoding, header.framing) == (Encoding.UTF8, Framing.BYTES)
    ids = b"".join(number.to_bytes(4, "little") for number in (7, 8, 9))
    header, data = tensor.load(arena, tensor.store(arena, tensor.tokens(3, sequence=40), ids))
    assert bytes(data) == ids
    assert (header.schema, header.dtype, header.length, header.count) == (Schema.TOKENS, DType.U32, 12, 3)
    assert (header.framing, header.sequence, header.dims) == (Framing.IDS, 40, (3, 0, 0, 0))


@pytest.mark.parametrize(("offset", "length"), [(127, 1), (128, 5), (132, 1), (0, 4), ((1 << 64) - 1, 1)])
def test_data_outside_its_handle_is_refused(offset: int, length: int) -> None:
    arena = Arena(4096, Growth())
    handle = arena.alloc(132)
    arena.view(handle)[:128] = replace(tensor.text(b""), data_offset=offset, length=length).pack()
    with pytest.raises(Refusal) as refusal:
        tensor.load(arena, handle)
    assert refusal.value.code is Code.BAD_ARGUMENT


def test_a_stale_handle_is_refused() -> None:
    arena = Arena(4096, Growth())
    handle = tensor.store(arena, tensor.text(b"x"), b"x")
    arena.reset()
    with pytest.raises(Refusal) as refusal:
        tensor.load(arena, handle)
    assert refusal.value.code is Code.NOT_FOUND
