"""E2: what unmodified programs can do with hints and with poll and read: the default binding, records of the device."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sw.node.client import CallRefused, Client
from sw.node.server import Server
from sw.uapi.build import build
from sw.uapi.description import EVENT, EventKind
from tests.node.serving import environment, serving
from tests.uapi.programs import shimmed

HEAD = """
    import errno, fcntl, os, select, struct, sys
    def record(data):
        names = "time step lost token request layer head kind status from_tier to_tier reserved".split()
        return dict(zip(names, struct.unpack("<QIIIHBBHHBBH", data), strict=True))
    def ready():
        print("ready", flush=True)
"""


def test_the_layout_of_these_programs_is_the_described_one() -> None:
    assert EVENT.layout.format == "<QIIIHBBHHBBH"
    assert EVENT.layout.size == 32


def python(program: str) -> list[str]:
    """The command that runs a program."""
    return [sys.executable, "-I", "-c", textwrap.dedent(HEAD) + textwrap.dedent(program)]


@contextmanager
def running(server: Server, program: str) -> Iterator[subprocess.Popen[str]]:
    """An unmodified program that has said that it is ready."""
    env = environment(server.path, LD_PRELOAD=str(build().preload))
    process = subprocess.Popen(python(program), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def miss(client: Client, kv: str) -> None:
    """A lookup that finds nothing."""
    with pytest.raises(CallRefused, match="not in the directory"):
        client.call("lookup", kv=kv, touch=True)


# ---------------------------------------------------------------- hints


HINTS = """
    node = os.open("/dev/kvcpu0", os.O_RDWR)
    for request in (0x40184B02, 0x40184B05):  # MARK_HOT, SHARE_PREFIX
        fcntl.ioctl(node, request, struct.pack("<3Q", 0x7F0000, 8193, 0))
    fcntl.ioctl(node, 0x40184B04, struct.pack("<3Q", 0x7F0000, 1, 77))  # PREFETCH
"""


def test_e2_hints_reach_the_default_binding(server: Server) -> None:
    """A program that binds nothing; the tool's binding says which blocks its bytes are."""
    with Client(server.path) as client:
        for token in (0, 16, 32):
            client.call("insert", kv=f"3:0:0:{token}", tier=1)
        assert shimmed(server.path, python(HINTS)).returncode == 0
        assert client.call("telemetry")["hint_misses"] == 5
        assert client.call("default_bind", va=0x7F0000, len=3 * 8192, kv="3:0:0:0") == {"blocks": 3}
        assert shimmed(server.path, python(HINTS)).stderr == ""
        entries = [client.call("explain", kv=f"3:0:0:{token}")["entry"] for token in (0, 16, 32)]
        assert [entry["hot"] for entry in entries] == [True, True, False]
        assert [entry["ref_count"] for entry in entries] == [1, 1, 0]
        assert entries[0]["access_step"] == 77
        assert client.call("telemetry")["hint_misses"] == 5, "nothing was missed any more"


def test_e2_a_binding_of_its_own_replaces_the_default(server: Server) -> None:
    with Client(server.path) as client, Client(server.path) as other:
        client.call("insert", kv="3:0:0:0", tier=1)
        client.call("insert", kv="4:0:0:0", tier=1)
        client.call("default_bind", va=0x1000, len=1, kv="3:0:0:0")
        client.call("bind", va=0x1000, len=1, kv="4:0:0:0")
        client.call("hint", hint="hot", va=0x1000, len=1)
        assert [client.call("explain", kv=f"{r}:0:0:0")["entry"]["hot"] for r in (3, 4)] == [False, True]
        other.call("hint", hint="hot", va=0x1000, len=1)
        assert client.call("explain", kv="3:0:0:0")["entry"]["hot"]
        client.call("unbind", va=0x1000)
        assert client.call("hint", hint="cool", va=0x1000, len=1)["not_bound"] == 0
        client.call("default_unbind", va=0x1000)
        assert client.call("hint", hint="cool", va=0x1000, len=1)["not_bound"] == 1


def test_e2_bindings_are_bounded(server: Server) -> None:
    with Client(server.path) as client:
        for place in range(1024):
            client.call("default_bind", va=place * 2, len=1, kv="3:0:0:0")
        with pytest.raises(CallRefused, match="1,024 ranges are bound by default; unbind one"):
            client.call("default_bind", va=1 << 40, len=1, kv="3:0:0:0")


# ---------------------------------------------------------------- records


READER = """
    node = os.open("/dev/kvcpu0", os.O_RDONLY)
    waiting = select.poll()
    waiting.register(node, select.POLLIN)
    assert waiting.poll(0) == []
    ready()
    while True:
        (_, events), = waiting.poll()
        if events & select.POLLHUP:
            assert os.read(node, 4096) == b""
            break
        seen = record(os.read(node, 4096))
        print({name: value for name, value in seen.items() if name != "time"}, flush=True)
"""


def test_e2_poll_and_read_deliver_completions_and_misses(tmp_path: Path) -> None:
    """One record a read, in their order, to a program that waits in poll; then the end of the server."""
    with serving(tmp_path / "node") as server, running(server, READER) as program, Client(server.path) as client:
        assert program.stdout
        client.call("step", step=9)
        client.call("insert", kv="3:1:2:32", tier=1)
        client.call("migrate", kv="3:1:2:32", tier=2)
        client.call("run", cycles=50_000)
        moved = {
            "step": 9, "lost": 0, "token": 32, "request": 3, "layer": 1, "head": 2,
            "kind": EventKind.COMPLETION.value, "status": 0, "from_tier": 1, "to_tier": 2, "reserved": 0,
        }  # fmt: skip
        assert program.stdout.readline() == f"{moved}\n"
        miss(client, "5:0:0:7")
        missed = {**moved, "token": 7, "request": 5, "layer": 0, "head": 0, "kind": EventKind.MISS.value}
        missed |= {"from_tier": 0, "to_tier": 0}
        assert program.stdout.readline() == f"{missed}\n"
        server.stop()
        assert program.wait(30) == 0


CORNERS = """
    both = os.open("/dev/kvcpu0", os.O_RDWR | os.O_NONBLOCK)
    write_only = os.open("/dev/kvcpu0", os.O_WRONLY)
    for call in (lambda: os.read(both, 32), lambda: os.read(both, 31), lambda: os.read(both, 0),
                 lambda: os.read(write_only, 32), lambda: os.write(both, b"x" * 64)):
        try:
            call()
        except OSError as error:
            print(errno.errorcode[error.errno])
    ready()
    sys.stdin.read(1)
    print(record(os.read(both, 32))["token"])
    stream = os.fdopen(os.open("/dev/kvcpu0", os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
    print(stream.read(32))  # nothing: it was opened later
"""


def test_e2_reads_that_give_nothing(server: Server) -> None:
    process = subprocess.Popen(
        python(CORNERS), env=environment(server.path, LD_PRELOAD=str(build().preload)), text=True, bufsize=0,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    seen = [process.stdout.readline().strip() for _ in range(6)]
    assert seen == ["EAGAIN", "EINVAL", "EINVAL", "EBADF", "EINVAL", "ready"]
    with Client(server.path) as client:
        miss(client, "5:0:0:7")
    out, errors = process.communicate("x", timeout=30)
    assert (out, errors) == ("7\nNone\n", "")


SLOW = """
    node = os.open("/dev/kvcpu0", os.O_RDONLY | os.O_NONBLOCK)
    ready()
    sys.stdin.readline()
    tokens, lost = [], 0
    def take():
        global lost
        try:
            while True:
                seen = record(os.read(node, 32))
                tokens.append(seen["token"])
                lost += seen["lost"]
        except BlockingIOError:
            pass
    take()
    assert tokens == list(range(len(tokens))) and lost == 0, "the oldest stay, whole and in order"
    print(len(tokens), flush=True)
    sys.stdin.readline()
    take()
    print(tokens[-1], lost, flush=True)
"""


def test_e2_a_program_that_does_not_read_loses_records_and_is_told(server: Server) -> None:
    """The node never waits for it, and no other client is affected."""
    count = 1500
    with running(server, SLOW) as program, Client(server.path) as client:
        assert program.stdin
        assert program.stdout
        for token in range(count):
            miss(client, f"5:0:0:{token}")
        program.stdin.write("\n")
        program.stdin.flush()
        kept = int(program.stdout.readline())
        assert 100 < kept < count
        miss(client, f"5:0:0:{count}")
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.stdout.readline() == f"{count} {count - kept}\n"


def test_e2_whoever_takes_completions_from_the_driver_still_gets_all(server: Server) -> None:
    """What a program reads is a copy: the service goes on counting its moves."""
    with running(server, READER), Client(server.path) as client:
        client.call("insert", kv="3:0:0:0", tier=1)
        client.call("migrate", kv="3:0:0:0", tier=2)
        client.call("run", cycles=50_000)
        client.call("info")
        assert [item.to_tier for item in server.node.driver._completions] == [2]
