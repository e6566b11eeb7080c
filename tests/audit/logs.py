"""Logs for the tests, and a chain made by hand from the contract's sentence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from sw.audit import AuditLog
from sw.signing import PrivateKey

SEED = bytes([7]) * 32
KEY = PrivateKey(SEED)


class Ticks:
    """A clock that goes on by 1,000 ns whenever it is asked."""

    def __init__(self) -> None:
        self.time = 0

    def now(self) -> int:
        self.time += 1000
        return self.time


def write_log(path: Path, count: int) -> bytes:
    """A closed log of `count` entries; its bytes."""
    log = AuditLog(path, KEY, Ticks())
    for number in range(count):
        log.record(holder="tenant", cap_id=number, op="infer.start", obj="llm", code=number % 3, prompt_bytes=5)
    log.close()
    return path.read_bytes()


def by_hand(count: int, **changes: Any) -> bytes:
    """What `write_log` must write: "one JSON object a line (sorted keys, no spaces)", "first prev 64 zeros"."""
    prev, text = "0" * 64, ""
    for number in range(count):
        fields = {
            "capability": number, "code": number % 3, "holder": "tenant", "object": "llm",
            "operation": "infer.start", "prev": prev, "prompt_bytes": 5, "seq": number, "time": 1000 * (number + 1),
        } | changes  # fmt: skip
        line = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        prev = hashlib.sha256((prev + line).encode()).hexdigest()
        text += json.dumps({**fields, "hash": prev}, sort_keys=True, separators=(",", ":")) + "\n"
    return text.encode()


def head_by_hand(log: bytes) -> bytes:
    """The head record {seq, hash} of a log, signed."""
    last = json.loads(log.splitlines()[-1])
    claim = f'{{"hash":"{last["hash"]}","seq":{last["seq"]}}}'
    signing = SigningKey(SEED)
    key_id = hashlib.sha256(bytes(signing.verify_key)).hexdigest()
    signature = signing.sign(b"kv-cpu-audit-head-v1\0" + claim.encode()).signature.hex()
    return (f'{{"hash":"{last["hash"]}","key_id":"{key_id}","seq":{last["seq"]},"signature":"{signature}"}}\n').encode()
