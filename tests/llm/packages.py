"""Packages made by hand from the contract's table, independent of the project's own packer."""

from __future__ import annotations

import hashlib
import struct

from nacl.signing import SigningKey

from sw.llm.package import Header, Weights

HEADER = Header(
    model_id=7, revision=3, context=96, vocabulary=260, layers=2, heads=4, kv_heads=2, head_dim=32,
    quantisation=2, wcet_cycles=25_000, arena_bytes=4096, name="tiny µ",
)  # fmt: skip
TENSORS = (
    Weights("norm", 0, (3,), bytes(range(12))),
    Weights("m", 2, (2, 32), bytes(range(68))),
)


def u16(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def u32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def unsigned_body() -> bytes:
    """HEADER and TENSORS up to the trailer, field by field as software.md 4 lists them."""
    header = b"KVCPULLM" + u32(1, 256, 7, 3, 96, 260) + u16(2, 4, 2, 32, 2, 0) + u32(2) + u64(25_000, 4096)
    header += "tiny µ".encode().ljust(64, b"\0")
    table = b"norm".ljust(24, b"\0") + u16(0, 1) + u32(3, 0, 0, 0, 0) + u64(0, 12)
    table += b"m".ljust(24, b"\0") + u16(2, 2) + u32(2, 32, 0, 0, 0) + u64(64, 68)
    assert (len(header), len(table)) == (128, 128)
    return header + table + bytes(range(12)).ljust(64, b"\0") + bytes(range(68))


def signed(body: bytes, key: SigningKey) -> bytes:
    """`body` with the trailer that `key` gives it, whatever the body is."""
    key_id = hashlib.sha256(bytes(key.verify_key)).digest()
    digest = hashlib.sha256(body + key_id).digest()
    return body + key_id + digest + key.sign(b"kv-cpu-model-v1\0" + digest).signature


def unsigned(body: bytes) -> bytes:
    """`body` with the trailer of an unsigned package."""
    return body + bytes(32) + hashlib.sha256(body + bytes(32)).digest() + bytes(64)
