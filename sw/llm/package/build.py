"""Making packages: packing and signing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sw.llm.package.format import Header
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
    raise NotImplementedError


def sign(package: bytes, key: PrivateKey) -> bytes:
    """The same package signed with `key`; an earlier signature is replaced.

    Raises:
        Malformed: it is not a package.
    """
    raise NotImplementedError
