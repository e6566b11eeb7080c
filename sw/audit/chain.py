"""The bytes of the chain: entries, one a line, and the head record (software.md 4).

    entry  {"capability":..,"code":..,...,"hash":..,"prev":..,"seq":..,"time":..}
           hash = SHA-256(prev + the line without hash), in hex; the first prev is 64 zeros
    head   {"hash":..,"key_id":..,"seq":..,"signature":..}
           Ed25519 over `kv-cpu-audit-head-v1` NUL {"hash":..,"seq":..}

Keys are sorted, there are no spaces, all text is ASCII with JSON's escapes: there is one way to write an
entry, so that every changed byte shows.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from sw.signing import KEY_BYTES, SIGNATURE_BYTES, PrivateKey, PublicKey

FIRST_PREV = "0" * 64
DOMAIN = b"kv-cpu-audit-head-v1"
LOSS = "audit.loss"
"""Operation of the entry with which an administrator lets a log go on whose earlier entries are lost."""
MAX_LINE = 16_384  # bytes, the line feed included


class NotAnEntry(ValueError):
    """Bytes that are no entry or head record as this module writes them; one line."""


@dataclass(frozen=True, slots=True)
class Link:
    """What the chain needs of an entry."""

    seq: int
    prev: str
    hash: str
    operation: object = ""

    @property
    def begins(self) -> bool:
        """Whether a chain may begin with it: entry 0, or one that says that all before it are lost."""
        return (self.seq == 0 and self.prev == FIRST_PREV) or self.operation == LOSS


@dataclass(frozen=True, slots=True)
class Head:
    """The head record: the last entry when it was written, and who says so."""

    seq: int
    hash: str
    key_id: str
    signature: str

    def signed_by(self, key: PublicKey) -> bool:
        """Whether `key` has signed it."""
        if not hmac.compare_digest(self.key_id, key.key_id.hex()):
            return False
        return key.verifies(DOMAIN, _claim(self.seq, self.hash), bytes.fromhex(self.signature))


def canonical(fields: Mapping[str, Any]) -> str:
    """The one text of a JSON object here."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def entry(seq: int, prev: str, fields: Mapping[str, Any]) -> tuple[bytes, str]:
    """The line of an entry, line feed included, and its hash."""
    whole = {**fields, "seq": seq, "prev": prev}
    digest = _hash(prev, canonical(whole))
    return canonical({**whole, "hash": digest}).encode() + b"\n", digest


def parse_entry(line: bytes) -> Link:
    """The link of a line (without its line feed) that holds an entry with the right hash.

    Raises:
        NotAnEntry: it does not, or is written in another way than `entry` writes it.
    """
    fields = _parse(line)
    seq, prev, digest = fields.get("seq"), fields.get("prev"), fields.pop("hash", None)
    if type(seq) is not int or seq < 0 or not _is_hex(prev, 32) or not _is_hex(digest, 32):
        raise NotAnEntry("seq, prev or hash is not that of an entry")
    if not hmac.compare_digest(_hash(prev, canonical(fields)), digest):
        raise NotAnEntry("its hash is not that of its bytes")
    return Link(seq, prev, digest, fields.get("operation"))


def head(seq: int, digest: str, key: PrivateKey) -> bytes:
    """The head record of a chain that ends with that entry, signed; line feed included."""
    signature = key.sign(DOMAIN, _claim(seq, digest)).hex()
    record = {"hash": digest, "key_id": key.public.key_id.hex(), "seq": seq, "signature": signature}
    return canonical(record).encode() + b"\n"


def parse_head(data: bytes) -> Head:
    """A head record from its bytes; the signature is not verified yet.

    Raises:
        NotAnEntry: it is none.
    """
    if not data.endswith(b"\n"):
        raise NotAnEntry("it does not end with a line feed")
    fields = _parse(data[:-1])
    if set(fields) != {"hash", "key_id", "seq", "signature"} or type(fields["seq"]) is not int or fields["seq"] < 0:
        raise NotAnEntry("its fields are not those of a head record")
    sizes = {"hash": 32, "key_id": KEY_BYTES, "signature": SIGNATURE_BYTES}
    if not all(_is_hex(fields[name], size) for name, size in sizes.items()):
        raise NotAnEntry("a field is not hex of its length")
    return Head(**fields)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("ascii")
        fields = json.loads(text)
        same = isinstance(fields, dict) and canonical(fields) == text
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise NotAnEntry("it is not JSON with sorted keys and no spaces")
    return dict(fields)


def _claim(seq: int, digest: str) -> bytes:
    return canonical({"hash": digest, "seq": seq}).encode()


def _hash(prev: str, body: str) -> str:
    return hashlib.sha256((prev + body).encode()).hexdigest()


def _is_hex(value: object, size: int) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) == 2 * size and set(value) <= set("0123456789abcdef")
