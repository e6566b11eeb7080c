"""The bytes of a model package: header, tensor table, trailer (software.md 4).

    header 128 | tensor entries, 64 each | padding | weights from a multiple of 64 | trailer 128

Integers are little-endian. Tensor offsets count from the first byte of the weights; a tensor's elements are
in row-major order, the last dimension being the one that quantisation blocks run along.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sw.llm.quantisation import Quantisation

MAGIC = b"KVCPULLM"
FORMAT = 1
ALIGNMENT = 64
DOMAIN = b"kv-cpu-model-v1"
HEADER = struct.Struct("<8s6I6HI2Q64s")
TENSOR = struct.Struct("<24s2H4II2Q")
TRAILER = struct.Struct("<32s32s64s")
NAME_BYTES = 64
TENSOR_NAME_BYTES = 24
MAX_DIMS = 4
SIGNED_TAIL = 96  # digest and signature: all but these is what the digest covers
LEAST_BYTES = HEADER.size + TRAILER.size
NO_KEY = bytes(32)
NO_SIGNATURE = bytes(64)


class Malformed(ValueError):
    """Bytes that do not have the form of a package; one line."""


class UnknownFormat(Malformed):
    """A package of a format that is not 1: nothing of it can be judged."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a package says of its model.

    Attributes:
        model_id: number that LLM_LOAD's caller knows the model by.
        revision: of the model.
        context: most tokens of prompt and output together.
        vocabulary: tokens.
        layers: transformer layers.
        heads: query heads.
        kv_heads: key and value heads.
        head_dim: numbers of one head's key.
        quantisation: a Quantisation, or a number that this version does not know.
        wcet_cycles: bound on the device cycles of one chunk.
        arena_bytes: arena share that the model needs.
        name: up to 64 bytes of UTF-8 without NUL.
    """

    model_id: int
    revision: int
    context: int
    vocabulary: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    quantisation: int
    wcet_cycles: int
    arena_bytes: int
    name: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """One row of the tensor table.

    Attributes:
        name: up to 24 bytes of UTF-8 without NUL, unique in its package.
        type: a Quantisation, or a number that this version does not know.
        dims: 1 to 4 sizes, the outermost first.
        offset: from the first byte of the weights; a multiple of 64.
        nbytes: of its elements.
    """

    name: str
    type: int
    dims: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Trailer:
    """Who signed which bytes: key id 32, digest 32, signature 64."""

    key_id: bytes
    digest: bytes
    signature: bytes

    @property
    def unsigned(self) -> bool:
        """Key id and signature are zero."""
        return self.key_id == NO_KEY and self.signature == NO_SIGNATURE


@dataclass(frozen=True, slots=True)
class Layout:
    """A package's parts as they are in its bytes; nothing is verified, no weight is looked at."""

    header: Header
    tensors: tuple[Tensor, ...]
    trailer: Trailer
    weights_offset: int
    weights_bytes: int


def parse(data: bytes) -> Layout:
    """The layout of a whole package.

    Raises:
        UnknownFormat: a format other than 1.
        Malformed: it does not have the form of a package.
    """
    if len(data) < LEAST_BYTES:
        raise Malformed(f"{len(data)} bytes: a package has at least {LEAST_BYTES}")
    magic, version, weights_offset, *numbers, name = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise Malformed("it does not begin with KVCPULLM")
    if version != FORMAT:
        raise UnknownFormat(f"format {version}: this version reads format {FORMAT}")
    header, count = _header(numbers, _text(name, "the model's name"))
    end = len(data) - TRAILER.size
    if weights_offset % ALIGNMENT or not HEADER.size + count * TENSOR.size <= weights_offset <= end:
        raise Malformed(f"weights at {weights_offset}, after {count} tensor entries and in {len(data)} bytes")
    weights_bytes = end - weights_offset
    rows = range(HEADER.size, HEADER.size + count * TENSOR.size, TENSOR.size)
    tensors = tuple(_tensor(data, row, weights_bytes) for row in rows)
    _check_together(tensors)
    return Layout(header, tensors, Trailer(*TRAILER.unpack_from(data, end)), weights_offset, weights_bytes)


def encode(header: Header, tensors: Sequence[Tensor], weights_offset: int) -> bytes:
    """Header and tensor table.

    Raises:
        Malformed: a field does not fit.
    """
    h = header
    sizes = (h.model_id, h.revision, h.context, h.vocabulary)
    shape = (h.layers, h.heads, h.kv_heads, h.head_dim, h.quantisation, 0)
    costs = (len(tensors), h.wcet_cycles, h.arena_bytes)
    name = _padded(h.name, NAME_BYTES, "the model's name")
    try:
        rows = [HEADER.pack(MAGIC, FORMAT, weights_offset, *sizes, *shape, *costs, name)]
        for t in tensors:
            dims = (*t.dims, *[0] * (MAX_DIMS - len(t.dims)))
            row_name = _padded(t.name, TENSOR_NAME_BYTES, "a tensor's name")
            rows.append(TENSOR.pack(row_name, t.type, len(t.dims), *dims, 0, t.offset, t.nbytes))
    except struct.error as error:
        raise Malformed(f"a number does not fit its field: {error}") from None
    return b"".join(rows)


def _header(numbers: Sequence[int], name: str) -> tuple[Header, int]:
    model_id, revision, context, vocabulary, *shape, zero, count, wcet_cycles, arena_bytes = numbers
    if zero:
        raise Malformed("a reserved field of the header is not 0")
    layers, heads, kv_heads, head_dim, quantisation = shape
    return Header(
        model_id, revision, context, vocabulary, layers, heads, kv_heads, head_dim, quantisation,
        wcet_cycles, arena_bytes, name,
    ), count  # fmt: skip


def _tensor(data: bytes, row: int, weights_bytes: int) -> Tensor:
    raw_name, kind, used, *sizes, zero, offset, nbytes = TENSOR.unpack_from(data, row)
    name = _text(raw_name, "a tensor's name")
    if zero or not 1 <= used <= MAX_DIMS or 0 in sizes[:used] or any(sizes[used:]):
        raise Malformed(f"tensor {name}: 1 to {MAX_DIMS} dims other than 0, the rest 0")
    if offset % ALIGNMENT or offset + nbytes > weights_bytes:
        raise Malformed(f"tensor {name}: {nbytes} bytes at {offset} of {weights_bytes} bytes of weights")
    dims = tuple(sizes[:used])
    try:
        due = Quantisation(kind).nbytes(dims) if kind in list(Quantisation) else nbytes
    except ValueError as error:
        raise Malformed(f"tensor {name}: {error}") from None
    if nbytes != due:
        raise Malformed(f"tensor {name}: {nbytes} bytes, but its type and dims make {due}")
    return Tensor(name, kind, dims, offset, nbytes)


def _check_together(tensors: Sequence[Tensor]) -> None:
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise Malformed("two tensors have the same name")
    ordered = sorted(tensors, key=lambda tensor: tensor.offset)
    for before, after in pairwise(ordered):
        if before.offset + before.nbytes > after.offset:
            raise Malformed(f"tensors {before.name} and {after.name} overlap")


def _text(field: bytes, what: str) -> str:
    """Text of a NUL-padded field; the only bytes that give it back are these."""
    text, _, rest = field.partition(b"\0")
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        decoded = ""
    if not decoded.isprintable() or not decoded or any(rest):
        raise Malformed(f"{what} is not printable UTF-8 padded with NUL")
    return decoded


def _padded(text: str, size: int, what: str) -> bytes:
    field = text.encode(errors="surrogatepass").ljust(size, b"\0")
    if len(field) > size:
        raise Malformed(f"{what} is longer than {size} bytes")
    _text(field, what)
    return field
