"""The 128-byte tensor header that precedes data in the arena (software.md 2, "Graph")."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from sw.codes import Code, Refusal
from sw.kernel.arena import Arena

HEADER_BYTES = 128
VERSION = 1
_LAYOUT = struct.Struct("<II4Q4QQIIH6xQQHHIQ")
_PADDING = slice(90, 96)


class Schema(IntEnum):
    """Schema ids of channels and tensors; any other u32 is a schema of its own."""

    NONE = 0
    TEXT = 1001
    TOKENS = 1002


class DType(IntEnum):
    """Element types."""

    U8 = 0
    U32 = 1
    F32 = 2
    F16 = 3


class Encoding(IntEnum):
    """What the bytes of a text are."""

    BYTES = 0
    UTF8 = 1


class Framing(IntEnum):
    """What one unit of a tensor of tokens is."""

    BYTES = 0
    IDS = 1


@dataclass(frozen=True, slots=True)
class TensorHeader:
    """One header; offsets as the contract lists them.

    Attributes:
        version: 1.
        dtype: u32, see `DType`.
        dims, strides: four u64 each; elements and bytes; unused dimensions are 0.
        data_offset: bytes from the start of the header to the data.
        schema, records: u32.
        quality: u16. lineage: u64.
        length: bytes of data, u64.
        encoding, framing: u16. count: elements, u32. sequence: place in a stream, u64.
    """

    dtype: int
    dims: tuple[int, int, int, int] = (0, 0, 0, 0)
    strides: tuple[int, int, int, int] = (0, 0, 0, 0)
    data_offset: int = HEADER_BYTES
    schema: int = Schema.NONE
    records: int = 0
    quality: int = 0
    lineage: int = 0
    length: int = 0
    encoding: int = 0
    framing: int = 0
    count: int = 0
    sequence: int = 0
    version: int = VERSION

    def pack(self) -> bytes:
        """The 128 bytes.

        Raises:
            ValueError: a field does not fit.
        """
        fields = (
            *(self.version, self.dtype),
            *(*self.dims, *self.strides),
            *(self.data_offset, self.schema, self.records, self.quality, self.lineage, self.length),
            *(self.encoding, self.framing, self.count, self.sequence),
        )
        try:
            return _LAYOUT.pack(*fields)
        except struct.error as error:
            raise ValueError(f"tensor header: {error}") from None

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> TensorHeader:
        """From at least 128 bytes; what follows them is not looked at.

        Raises:
            Refusal: BadArgument: too short, another version, or padding that is not 0.
        """
        if len(data) < HEADER_BYTES:
            raise Refusal(Code.BAD_ARGUMENT, f"a tensor header has {HEADER_BYTES} bytes, not {len(data)}")
        fields = _LAYOUT.unpack_from(data)
        if fields[0] != VERSION:
            raise Refusal(Code.BAD_ARGUMENT, f"tensor header of version {fields[0]}; this is version {VERSION}")
        if any(data[_PADDING]):
            raise Refusal(Code.BAD_ARGUMENT, "tensor header: bytes 90 to 95 are not 0")
        _, dtype, d0, d1, d2, d3, s0, s1, s2, s3, *rest = fields
        return cls(dtype, (d0, d1, d2, d3), (s0, s1, s2, s3), *rest)


def store(arena: Arena, header: TensorHeader, data: bytes) -> int:
    """Put a header and its data into the arena; data_offset and length are set to fit.

    Returns:
        The handle.

    Raises:
        Refusal: as `Arena.alloc`.
        ValueError: a field of the header does not fit.
    """
    packed = replace(header, data_offset=HEADER_BYTES, length=len(data)).pack()
    handle = arena.alloc(HEADER_BYTES + len(data))
    view = arena.view(handle)
    view[:HEADER_BYTES] = packed
    view[HEADER_BYTES:] = data
    return handle


def load(arena: Arena, handle: int) -> tuple[TensorHeader, memoryview]:
    """The header and the data behind a handle.

    Raises:
        Refusal: NotFound for a stale handle; BadArgument for a header that is none, or whose data
            is not inside the handle's bytes.
    """
    view = arena.view(handle)
    header = TensorHeader.unpack(view)
    end = header.data_offset + header.length
    if header.data_offset < HEADER_BYTES or end > len(view):
        raise Refusal(
            Code.BAD_ARGUMENT,
            f"tensor data at [{header.data_offset}, {end}): outside [{HEADER_BYTES}, {len(view)})",
        )
    return header, view[header.data_offset : end]


def text(data: bytes) -> TensorHeader:
    """The header of a text: schema TEXT, one u8 a byte."""
    return TensorHeader(
        DType.U8,
        dims=(len(data), 0, 0, 0),
        strides=(1, 0, 0, 0),
        schema=Schema.TEXT,
        records=1,
        length=len(data),
        encoding=Encoding.UTF8,
        framing=Framing.BYTES,
        count=len(data),
    )


def tokens(count: int, sequence: int) -> TensorHeader:
    """The header of `count` token ids: schema TOKENS, one u32 each; the first is number `sequence`."""
    return TensorHeader(
        DType.U32,
        dims=(count, 0, 0, 0),
        strides=(4, 0, 0, 0),
        schema=Schema.TOKENS,
        records=1,
        length=4 * count,
        framing=Framing.IDS,
        count=count,
        sequence=sequence,
    )
