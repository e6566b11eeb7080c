"""The form of a package: layout byte by byte, every rule of the form, and a parser that takes any bytes."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sw.codes import Code
from sw.llm.package import Header, Malformed, PackageRefused, Quantisation, Weights, pack, sign
from sw.llm.package.format import UnknownFormat, encode, parse
from sw.signing import PrivateKey
from tests.llm import packages
from tests.llm.packages import HEADER, TENSORS, u16, u32, u64

BODY = packages.unsigned_body()


def changed(offset: int, field: bytes, body: bytes = BODY) -> bytes:
    """An unsigned package whose body has `field` at `offset`."""
    return packages.unsigned(body[:offset] + field + body[offset + len(field) :])


def test_layout() -> None:
    """Every field at its place: the packer writes what the contract's table says."""
    assert pack(HEADER, TENSORS) == packages.unsigned(BODY)


def test_signature_layout() -> None:
    """Trailer: key id, digest of all before it, Ed25519 over domain NUL digest."""
    key = PrivateKey(bytes(range(32)))
    assert sign(pack(HEADER, TENSORS), key) == packages.signed(BODY, SigningKey(bytes(range(32))))


def test_parse() -> None:
    layout = parse(packages.unsigned(BODY))
    assert layout.header == HEADER
    assert [(t.name, t.type, t.dims, t.offset, t.nbytes) for t in layout.tensors] == [
        ("norm", 0, (3,), 0, 12),
        ("m", 2, (2, 32), 64, 68),
    ]
    assert (layout.weights_offset, layout.weights_bytes) == (256, 132)
    assert layout.trailer.unsigned


def test_no_tensors() -> None:
    """A model of the stub has no weights: the least package."""
    package = pack(dataclasses.replace(HEADER, layers=0), ())
    assert len(package) == 256
    assert parse(package).tensors == ()


def test_bytes_of_types() -> None:
    assert [kind.nbytes((5, 64)) for kind in Quantisation] == [1280, 640, 340, 180]


MALFORMED = {
    "magic": changed(0, b"KVCPULLN"),
    "weights not from a multiple of 64": changed(12, u32(260)),
    "weights inside the table": changed(12, u32(192)),
    "weights past the trailer": changed(12, u32(448)),
    "more tensors than fit": changed(44, u32(3)),
    "count of tensors that overflows": changed(44, u32(0xFFFFFFFF)),
    "reserved field of the header": changed(42, u16(1)),
    "no name": changed(64, bytes(64)),
    "name not UTF-8": changed(64, b"\xff"),
    "name with text after NUL": changed(127, b"x"),
    "name that would break a line": changed(64, b"a\nb"),
    "tensor without a name": changed(128, bytes(24)),
    "tensor name with text after NUL": changed(151, b"x"),
    "no dims": changed(154, u16(0)),
    "five dims": changed(154, u16(5)),
    "dim of 0": changed(156, u32(0)),
    "unused dim": changed(160, u32(1)),
    "reserved field of a tensor": changed(172, u32(1)),
    "tensor not at a multiple of 64": changed(176, u64(4)),
    "tensor past the weights": changed(192 + 48, u64(128)),
    "offset that overflows": changed(192 + 48, u64((1 << 64) - 64)),
    "bytes that overflow": changed(192 + 56, u64((1 << 64) - 1)),
    "bytes not of type and dims": changed(184, u64(8)),
    "row no multiple of 32": changed(192 + 32, u32(31)),
    "dims whose product overflows": changed(192 + 28, u32(0xFFFFFFE0, 0xFFFFFFE0)),
    "same name twice": changed(192, b"norm"),
    "tensors that overlap": changed(192 + 48, u64(0)),
    "too short": packages.unsigned(BODY)[:255],
    "empty": b"",
}


@pytest.mark.parametrize("package", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(package: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        parse(package)
    assert not isinstance(caught.value, UnknownFormat)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", [0, 2, 0xFFFFFFFF])
def test_other_format(version: int) -> None:
    with pytest.raises(UnknownFormat, match=f"format {version}"):
        parse(changed(8, u32(version)))


def test_unknown_types_are_of_the_form() -> None:
    """Whether a type is supported is asked after the signature; bounds hold whatever the type."""
    layout = parse(changed(192 + 24, u16(9)))
    assert layout.tensors[1].type == 9
    with pytest.raises(Malformed):
        parse(changed(192 + 24, u16(9), changed(192 + 56, u64(133))[:-128]))


@pytest.mark.parametrize(
    ("header", "tensors"),
    [
        (dataclasses.replace(HEADER, name="x" * 65), ()),
        (dataclasses.replace(HEADER, name="µ" * 33), ()),
        (dataclasses.replace(HEADER, name="a\0b"), ()),
        (dataclasses.replace(HEADER, name="\ud800"), ()),
        (dataclasses.replace(HEADER, context=1 << 32), ()),
        (dataclasses.replace(HEADER, layers=-1), ()),
        (HEADER, (Weights("t" * 25, 0, (1,), bytes(4)),)),
        (HEADER, (Weights("t", 0, (1,), bytes(5)),)),
        (HEADER, (Weights("t", 0, (), b""),)),
        (HEADER, (Weights("t", 0, (1, 1, 1, 1, 1), bytes(4)),)),
        (HEADER, (Weights("t", 2, (31,), bytes(34)),)),
        (HEADER, (Weights("t", 0, (1,), bytes(4)), Weights("t", 0, (1,), bytes(4)))),
    ],
)
def test_packer_refuses(header: Header, tensors: tuple[Weights, ...]) -> None:
    """The packer writes nothing that its reader would refuse."""
    with pytest.raises(Malformed):
        pack(header, tensors)


def test_longest_names() -> None:
    header = dataclasses.replace(HEADER, name="µ" * 32)
    layout = parse(pack(header, (Weights("t" * 24, 1, (1, 2, 3, 4), bytes(48)),)))
    assert layout.header == header
    assert layout.tensors[0].name == "t" * 24


def test_an_altered_package_is_not_signed() -> None:
    package = bytearray(packages.unsigned(BODY))
    package[300] ^= 1
    with pytest.raises(PackageRefused) as caught:
        sign(bytes(package), PrivateKey(bytes(32)))
    assert caught.value.code is Code.ALTERED


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse(data)


@settings(max_examples=1500, derandomize=True, deadline=None)
@given(st.data())
def test_mutated_packages(data: st.DataObject) -> None:
    """Words overwritten in header and table: Malformed, or a layout that encodes to the same bytes."""
    package = bytearray(packages.unsigned(BODY))
    for _ in range(data.draw(st.integers(1, 3))):
        size, letter = data.draw(st.sampled_from([(1, "B"), (2, "H"), (4, "I"), (8, "Q")]))
        place = data.draw(st.integers(0, 256 // size - 1)) * size
        value = data.draw(st.one_of(st.integers(0, 300), st.integers(0, (1 << 8 * size) - 1)))
        struct.pack_into(f"<{letter}", package, place, value & ((1 << 8 * size) - 1))
    try:
        layout = parse(bytes(package))
    except Malformed:
        return
    table = encode(layout.header, layout.tensors, layout.weights_offset)
    assert package[: len(table)] == table
    assert all(tensor.offset + tensor.nbytes <= layout.weights_bytes for tensor in layout.tensors)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.data())
def test_round_trip(data: st.DataObject) -> None:
    """Any model packs, and parses to what it was."""
    u = {bits: st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64)}
    text = st.text(st.characters(categories=["L", "N"]), min_size=1)
    header = Header(
        *(data.draw(u[32]) for _ in range(4)), *(data.draw(u[16]) for _ in range(5)),
        *(data.draw(u[64]) for _ in range(2)), data.draw(text.filter(lambda name: len(name.encode()) <= 64)),
    )  # fmt: skip
    names = data.draw(st.lists(text.filter(lambda name: len(name.encode()) <= 24), max_size=4, unique=True))
    tensors = []
    for name in names:
        kind = data.draw(st.sampled_from(Quantisation))
        dims = (*data.draw(st.lists(st.integers(1, 3), max_size=3)), data.draw(st.integers(1, 2)) * kind.block[0])
        tensors.append(Weights(name, kind, dims, data.draw(st.randoms()).randbytes(kind.nbytes(dims))))
    package = pack(header, tensors)
    layout = parse(package)
    assert layout.header == header
    assert len(layout.tensors) == len(tensors)
    for tensor, source in zip(layout.tensors, tensors, strict=True):
        start = layout.weights_offset + tensor.offset
        assert start % 64 == 0
        assert (tensor.name, tensor.type, tensor.dims) == (source.name, source.type, source.dims)
        assert package[start : start + tensor.nbytes] == source.data
