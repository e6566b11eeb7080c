"""The checks of a package in the contract's order; its weights are out of reach before all have passed."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sw.codes import Code
from sw.llm.package.errors import PackageRefused
from sw.llm.package.format import (
    DOMAIN,
    SIGNED_TAIL,
    Header,
    Layout,
    Malformed,
    Tensor,
    UnknownFormat,
    parse,
)
from sw.llm.package.trust import TrustedKey, TrustError, TrustStore
from sw.llm.quantisation import Quantisation

KV_ADDRESS_LIMIT = 256  # layer and head of a KV address have 8 bits (device.md 2)


@dataclass(frozen=True, slots=True)
class PackageLimits:
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


def verify(data: bytes, trust: TrustStore, limits: PackageLimits, now: datetime) -> Package:
    """Check a package that is in memory (a shared buffer).

    Args:
        data: the whole package.
        trust: keys that packages may be signed with.
        limits: what the service takes.
        now: calendar time, with a time zone.

    Raises:
        PackageRefused: with the code of the first check that fails, in this order:

            size: ModelTooLarge;
            form: Malformed, and ModelUnsupported for a format other than 1;
            Unsigned;
            digest: Altered;
            key id: WrongKey, also when the trust store cannot be used;
            BadSignature;
            ExpiredKey;
            limits: ModelTooLarge, and ModelUnsupported for a shape or a type of numbers that is not known.
    """
    _check_size(len(data), limits.package_bytes)
    layout = _check_form(data)
    trailer = layout.trailer
    if trailer.unsigned:
        raise PackageRefused(Code.UNSIGNED, "the package is not signed")
    if not hmac.compare_digest(hashlib.sha256(memoryview(data)[:-SIGNED_TAIL]).digest(), trailer.digest):
        raise PackageRefused(Code.ALTERED, "the package is not as it was signed")
    try:
        key = trust.find(trailer.key_id)
    except TrustError as error:
        raise PackageRefused(Code.WRONG_KEY, f"no key can be trusted: {error}") from None
    if key is None:
        raise PackageRefused(Code.WRONG_KEY, f"key {trailer.key_id.hex()} is not trusted")
    if not key.public.verifies(DOMAIN, trailer.digest, trailer.signature):
        raise PackageRefused(Code.BAD_SIGNATURE, f"the signature is not one of key {key.name}")
    if key.expired(now):
        raise PackageRefused(Code.EXPIRED_KEY, f"key {key.name} has expired")
    _check_limits(layout, limits)
    weights = memoryview(data)[layout.weights_offset : layout.weights_offset + layout.weights_bytes].toreadonly()
    return Package(layout.header, {tensor.name: tensor for tensor in layout.tensors}, key, trailer.digest, weights)


def verify_file(path: Path, trust: TrustStore, limits: PackageLimits, now: datetime) -> Package:
    """The same for a file: its size is judged before a byte is read.

    Raises:
        PackageRefused: as `verify`.
        OSError: the file cannot be read.
    """
    return verify(read_package(path, limits.package_bytes), trust, limits, now)


def read_package(path: Path, limit: int) -> bytes:
    """The bytes of a package file of at most `limit` bytes; a longer one is not read.

    Raises:
        PackageRefused: ModelTooLarge.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hang us
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a file")
        _check_size(status.st_size, limit)
        data = file.read(limit + 1)  # it may have grown since
    _check_size(len(data), limit)
    return data


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise PackageRefused(Code.MODEL_TOO_LARGE, f"{size} bytes: at most {limit} are taken")


def _check_form(data: bytes) -> Layout:
    try:
        return parse(data)
    except UnknownFormat as error:
        raise PackageRefused(Code.MODEL_UNSUPPORTED, str(error)) from None
    except Malformed as error:
        raise PackageRefused(Code.MALFORMED, str(error)) from None


def _check_limits(layout: Layout, limits: PackageLimits) -> None:
    header = layout.header
    for what, value, limit in (
        ("context", header.context, limits.context),
        ("vocabulary", header.vocabulary, limits.vocabulary),
        ("arena bytes", header.arena_bytes, limits.arena_bytes),
    ):
        if value > limit:
            raise PackageRefused(Code.MODEL_TOO_LARGE, f"{what} {value}: at most {limit} are taken")
    if max(header.layers, header.kv_heads) > KV_ADDRESS_LIMIT:
        raise PackageRefused(Code.MODEL_UNSUPPORTED, f"more than {KV_ADDRESS_LIMIT} layers or kv heads")
    if header.heads % header.kv_heads if header.kv_heads else header.heads:
        raise PackageRefused(
            Code.MODEL_UNSUPPORTED, f"{header.heads} heads do not share {header.kv_heads} kv heads evenly"
        )
    for kind in (header.quantisation, *(tensor.type for tensor in layout.tensors)):
        if kind not in list(Quantisation):
            raise PackageRefused(Code.MODEL_UNSUPPORTED, f"quantisation {kind} is not known")
