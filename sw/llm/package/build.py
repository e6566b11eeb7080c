"""Making packages: packing and signing."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sw.codes import Code
from sw.llm.package.errors import PackageRefused
from sw.llm.package.format import (
    ALIGNMENT,
    DOMAIN,
    HEADER,
    NO_KEY,
    NO_SIGNATURE,
    SIGNED_TAIL,
    TENSOR,
    TRAILER,
    Header,
    Tensor,
    encode,
    parse,
)
from sw.signing import PrivateKey


@dataclass(frozen=True, slots=True)
class Weights:
    """A tensor to pack.

    Attributes:
        name: up to 24 bytes of UTF-8.
        type: a Quantisation.
        dims: 1 to 4 sizes, the outermost first.
        data: its elements in that type, row-major.
    """

    name: str
    type: int
    dims: tuple[int, ...]
    data: bytes


def pack(header: Header, tensors: Sequence[Weights]) -> bytes:
    """An unsigned package: key id and signature are zero, the digest is right.

    Raises:
        Malformed: a field does not fit, a tensor's bytes are not those of its type and dims, a name twice.
    """
    table: list[Tensor] = []
    weights = bytearray()
    for tensor in tensors:
        weights += bytes(-len(weights) % ALIGNMENT)
        table.append(Tensor(tensor.name, tensor.type, tensor.dims, len(weights), len(tensor.data)))
        weights += tensor.data
    # Header and entries are multiples of 64 themselves, so the weights follow at once.
    body = encode(header, table, HEADER.size + TENSOR.size * len(table)) + weights
    package = body + TRAILER.pack(NO_KEY, hashlib.sha256(body + NO_KEY).digest(), NO_SIGNATURE)
    parse(package)  # what its own reader refuses is not written
    return package


def sign(package: bytes, key: PrivateKey) -> bytes:
    """The same package signed with `key`; an earlier signature is replaced.

    Raises:
        Malformed: it is not a package.
        PackageRefused: Altered: it is not as it was packed, so it must not be signed.
    """
    trailer = parse(package).trailer
    if not hmac.compare_digest(hashlib.sha256(package[:-SIGNED_TAIL]).digest(), trailer.digest):
        raise PackageRefused(Code.ALTERED, "the package is not as it was packed")
    body = package[: -TRAILER.size]
    key_id = key.public.key_id
    digest = hashlib.sha256(body + key_id).digest()
    return body + TRAILER.pack(key_id, digest, key.sign(DOMAIN, digest))
