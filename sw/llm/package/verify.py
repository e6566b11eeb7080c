"""The checks of a package in the contract's order; its weights are out of reach before all have passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sw.llm.package.format import Header, Tensor
from sw.llm.package.trust import TrustedKey, TrustStore


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service takes (software.md 4, limits).

    Attributes:
        package_bytes: of a whole package; judged before it is read.
        context: tokens.
        vocabulary: tokens.
        arena_bytes: arena share of one model.
    """

    package_bytes: int = 64 << 20
    context: int = 1 << 16
    vocabulary: int = 1 << 20
    arena_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """A package that has passed every check.

    Attributes:
        header: what it says of its model.
        tensors: by name.
        key: who signed it.
        digest: SHA-256 of all before it, 32 bytes.
    """

    header: Header
    tensors: dict[str, Tensor]
    key: TrustedKey
    digest: bytes
    _weights: memoryview

    def raw(self, name: str) -> memoryview:
        """A tensor's bytes, read-only.

        Raises:
            KeyError: no such tensor.
        """
        tensor = self.tensors[name]
        return self._weights[tensor.offset : tensor.offset + tensor.nbytes]


def verify(data: bytes, trust: TrustStore, limits: Limits, now: datetime) -> Package:
    """Check a package that is in memory (a shared buffer).

    Args:
        data: the whole package.
        trust: keys that packages may be signed with.
        limits: what the service takes.
        now: calendar time, with a time zone.

    Raises:
        PackageRefused: with the code of the first check that fails, in the order: size (ModelTooLarge,
            Malformed), form (Malformed; ModelUnsupported for a format other than 1), Unsigned, digest
            (Altered), key id (WrongKey), BadSignature, ExpiredKey, limits (ModelTooLarge,
            ModelUnsupported).
        TrustError: the trust store cannot be used.
    """
    raise NotImplementedError


def verify_file(path: Path, trust: TrustStore, limits: Limits, now: datetime) -> Package:
    """The same for a file: its size is judged before a byte is read.

    Raises:
        PackageRefused, TrustError: as `verify`.
        OSError: the file cannot be read.
    """
    raise NotImplementedError
