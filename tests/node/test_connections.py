"""B3, B4, B8: who is let in, and what one connection cannot do to the others."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from sw.control.frames import Command, decode_reply, encode_request
from sw.node.client import Client, NodeError
from sw.node.connections import CONNECTIONS, PER_PROCESS
from sw.node.home import Home, home_of
from sw.node.server import Server
from sw.uapi.description import CALLS
from sw.uapi.place import NAME
from sw.uapi.wire import Kind, Request
from tests.node.serving import settled, started

ENDLESS_GRAPH: tuple[tuple[Command, tuple[int, ...]], ...] = (
    (Command.CREATE_GRAPH, ()),
    (Command.ADD_CHANNEL, (0,)),
    (Command.ADD_OPERATOR, (2, 0xFFFF, 0, 1, 0)),
    (Command.ADD_OPERATOR, (3, 0, 0xFFFF, 2, 0)),
)


class OneProcessEach:
    """Connections that each seem to come from another process."""

    def __init__(self) -> None:
        self.pid = 100_000

    def __call__(self, connection: socket.socket) -> tuple[int, int]:
        self.pid += 1
        return self.pid, os.geteuid()


def test_b4_a_process_has_a_limited_number_of_connections(server: Server) -> None:
    clients = [Client(server.path) for _ in range(PER_PROCESS)]
    clients[-1].call("info")
    why = rf"the node refuses: process {os.getpid()} has 64 connections to this node, at most 64; close one"
    for _ in range(3):
        with Client(server.path) as one_more, pytest.raises(NodeError, match=why):
            one_more.call("info")
    clients.pop().close()
    assert settled(lambda: len(server.node.files) == PER_PROCESS - 1)
    with Client(server.path) as client:
        client.call("info")
    for one in clients:
        one.close()


def test_b4_idle_connections_lock_no_client_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new client takes the place of the connection that has been idle for longest, silent ones first."""
    monkeypatch.setattr("sw.node.server.peer", OneProcessEach())
    busy = Client(server.path)
    busy.call("info")
    idle = [Client(server.path) for _ in range(CONNECTIONS - 1)]
    with Client(server.path) as late:
        assert late.call("info")["open_files"] == CONNECTIONS
        assert busy.call("info")["open_files"] == CONNECTIONS
    assert idle[0]._socket.recv(1) == b"", "the first of the silent ones has gone"
    assert idle[0].call("info")["backend"] == "model", "and comes back when it asks"
    for one in (busy, *idle):
        one.close()


def test_b4_work_is_not_dropped_for_a_new_client(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sw.node.server.peer", OneProcessEach())
    bound = [Client(server.path) for _ in range(CONNECTIONS)]
    for request, one in enumerate(bound, start=1):
        one.call("bind", va=4096, len=1, kv=f"{request}:0:0:0")
    with Client(server.path) as late, pytest.raises(NodeError, match="256 connections to this node are open and at wo"):
        late.call("info")
    bound[7].call("unbind", va=4096)
    bound[7].call("free", request=8)
    with Client(server.path) as late:
        late.call("info")
    for one in bound:
        one.close()


def test_b4_who_never_asks_is_closed(server: Server, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.call("info")
    with Client(server.path) as silent:
        assert settled(lambda: len(server.node.files) == 2)
        monkeypatch.setattr("sw.node.connections.SILENT_S", 0.1)
        assert settled(lambda: client.call("info")["open_files"] == 1)
        assert silent._socket.recv(1) == b""


def test_b3_a_run_without_end_delays_no_other(server: Server, client: Client) -> None:
    """2^63 cycles for one client; others are answered meanwhile, and their time passes too."""
    mine, reply_to = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, Client(server.path) as endless:
        with reply_to:
            Request(Kind.CALL, 0, b'{"call":"run","cycles":%d}' % 2**63, reply_to).send(endless._socket)
        assert settled(lambda: client.call("info")["now_ns"] > 10**9)
        waits = []
        for step in range(1, 101):
            begun = time.monotonic()
            client.call("step", step=step)
            waits.append(time.monotonic() - begun)
    assert sorted(waits)[-2] < 0.5, f"of 100 steps during a run the slowest took {sorted(waits)[-3:]} s"


def test_b8_a_hint_on_a_terabyte_delays_no_other(server: Server, client: Client) -> None:
    """2^40 bytes of a program, all bound: others are answered while its ioctl runs, and it ends with the program."""
    mine, reply_to = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, Client(server.path) as greedy:
        greedy.call("bind", va=0, len=2**40, kv="5:0:0:0")
        with reply_to:
            Request(Kind.IOCTL, CALLS[1].request, struct.pack("<3Q", 0, 2**40, 0), reply_to).send(greedy._socket)
        waits = []
        for step in range(1, 51):
            begun = time.monotonic()
            client.call("step", step=step)
            waits.append(time.monotonic() - begun)
        assert sorted(waits)[-2] < 0.5, f"of 50 steps during the hint the slowest took {sorted(waits)[-3:]} s"
    assert settled(lambda: len(server.node.files) == 1)
    client.call("info")


def test_b8_one_sigint_ends_steps_without_end(tmp_path: Path) -> None:
    path = tmp_path / "node" / NAME
    with started(path) as process, Client(path) as client:
        token = int(Home(home_of(path)).admin_token.read_text(), 16)
        for command, arguments in ENDLESS_GRAPH:
            client.frames(encode_request(command, token, *arguments))
        threading.Timer(0.5, process.send_signal, (signal.SIGINT,)).start()
        begun = time.monotonic()
        reply = decode_reply(client.frames(encode_request(Command.START_GRAPH, token, 2**32 - 1)))
        assert 0 < reply.fields[0] < 2**32 - 1, "the steps that were run until then"
        process.communicate(timeout=20)
        assert time.monotonic() - begun < 5
        assert process.returncode == 0
