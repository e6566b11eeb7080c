"""Clients of a served device that mean harm, each kind a function that does one thing once and is called for ever."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from sw.control.frames import Command, encode_request
from sw.node.client import Client, NodeError
from sw.node.dispatch import CALLS
from sw.uapi.wire import HEADER, MAGIC, Kind, Malformed, Request

PROMPT = b"x" * 200


def _garbage(path: Path, _: int) -> None:
    """Packets that are none, over and over."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
        one.connect(str(path))
        one.send(random.choice([os.urandom(random.randint(1, 30_000)), HEADER.layout.pack(MAGIC, 9, 7, 1, 2)]))
    time.sleep(0.002)


def _odd_json(path: Path, token: int) -> None:
    """Calls with arguments of every wrong kind."""
    odd = [1.0, -1, None, "x", [], {}, True, 2**64, 1e308, "1:0:0:0", float("nan"), [[]] * 50, 2**63]
    with Client(path) as client:
        for _ in range(50):
            name = random.choice([name for name in CALLS if name != "run"])
            asked = {key: random.choice(odd) for key in CALLS[name].schema["properties"]}
            asked |= {"call": name} | ({"token": token} if random.random() < 0.3 else {})
            client.exchange(Kind.CALL, 0, json.dumps(asked).encode())


def _noise(path: Path, _: int) -> None:
    """As much noise as frames as a packet may have."""
    with Client(path) as client:
        for byte in (b"\x43", b"\x00", b"\x43\x00\x01"):
            client.frames((byte * 4096)[:4096])


def _idle(path: Path, _: int) -> None:
    """As many connections as it gets, over which nothing is asked."""
    held: list[Client] = []
    with suppress(NodeError):
        held.extend(Client(path) for _ in range(100))
    time.sleep(2)
    for one in held:
        one.close()


def _guesses(path: Path, _: int) -> None:
    """Unknown tokens."""
    with Client(path) as client:
        for _ in range(40):
            client.frames(encode_request(Command.LLM_STATUS, random.getrandbits(64)))


def _dies(path: Path, token: int) -> None:
    """A process that begins inferences and is killed."""
    child = os.fork()
    if not child:
        try:  # whatever happens, this process must not live on as another hostile client
            with Client(path) as client:
                for _ in range(8):
                    _, handle = client.buffer(token, PROMPT)
                    client.frames(encode_request(Command.LLM_INFER_START, token, handle, 64, 1, 0))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    time.sleep(0.05)


def _oversized(path: Path, token: int) -> None:
    """Requests of megabytes, of every kind."""
    with Client(path) as client:
        for kind in (Kind.CALL, Kind.FRAME, Kind.IOCTL, Kind.BUFFER):
            with suppress(Malformed):
                client.exchange(kind, 0, token.to_bytes(8, "little") + bytes(20 << 20))
    time.sleep(0.1)


def _takes(path: Path, _: int) -> None:
    """Others' blocks, without a capability."""
    with Client(path) as client:
        for request in (0, 1000, 1001, 32768, 32769, 40000, 65535):
            for asked in (
                {"call": "free", "request": request},
                {"call": "remove", "kv": f"{request}:0:0:0"},
                {"call": "hint", "hint": "evict", "kv": f"{request}:0:0:0", "tokens": 4096},
            ):
                client.exchange(Kind.CALL, 0, json.dumps(asked).encode())


def _endless(path: Path, _: int) -> None:
    """A run without end that it waits for a while."""
    mine, reply_to = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, Client(path) as client:
        with reply_to:
            Request(Kind.CALL, 0, b'{"call":"run","cycles":%d}' % 2**62, reply_to).send(client._socket)
        time.sleep(1)
    time.sleep(0.5)


KINDS: dict[str, Callable[[Path, int], None]] = {
    "garbage": _garbage,
    "odd-json": _odd_json,
    "noise": _noise,
    "idle": _idle,
    "guesses": _guesses,
    "dies": _dies,
    "oversized": _oversized,
    "takes": _takes,
    "endless": _endless,
}


def worker(kind: str, path: Path, token: int) -> NoReturn:
    """Do one kind of harm until killed, or until whoever started it has gone; whatever the node answers is fine."""
    parent = os.getppid()
    while os.getppid() == parent:
        with suppress(NodeError, OSError):
            KINDS[kind](path, token)
    sys.exit(0)
