"""Unmodified programs on `/dev/kvcpu0` through the preload shim, on the device model."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from sw.node.client import Client
from sw.node.server import Server
from sw.uapi.build import build
from sw.uapi.place import NAME, RUNTIME_VARIABLE
from sw.uapi.wire import HEADER, MAGIC, Kind, Request
from tb.run.process import clean_env
from tb.serve.clients import FCNTL_CLIENT, LIBRARY, SMOKE
from tb.serve.clients import Client as Program
from tests.node.serving import environment, serving, settled
from tests.uapi.programs import compiled, shimmed

CASES = [
    "opens",
    "other_files",
    "duplicates",
    "forks",
    "threads",
    "crowded",
    "pointers",
    "ordinary",
    "signals",
    "executed",
    "passed",
    "no_descriptors",
]


@pytest.mark.parametrize("program", [SMOKE, LIBRARY, FCNTL_CLIENT], ids=lambda program: program.name)
def test_clients(server: Server, tmp_path: Path, program: Program) -> None:
    """The same programs as on the RTL (leg serve_small); each open file counts for itself, so twice is as once."""
    for _ in range(2):
        assert program.run(server.path, tmp_path) == (0, program.expected)


@pytest.mark.parametrize("case", CASES)
def test_corner(server: Server, case: str) -> None:
    done = shimmed(server.path, [str(compiled("corners")), case])
    assert (done.returncode, done.stdout, done.stderr) == (0, "good\n", "")
    with Client(server.path) as client:
        assert settled(lambda: client.call("info")["open_files"] == 1), "files are closed when their programs end"


OPENINGS = [
    "spelled", "linked", "others", "functions", "modes", "cleared", "full_table", "closed", "reopened", "executed",
]  # fmt: skip


@pytest.mark.parametrize("case", OPENINGS)
def test_e1_the_file_that_is_opened_decides(server: Server, tmp_path: Path, case: str) -> None:
    """However it is spelled and by whichever function; and its descriptor is one of a device node."""
    done = shimmed(server.path, [str(compiled("openings")), case, str(tmp_path)])
    assert (done.returncode, done.stdout, done.stderr) == (0, "good\n", "")


def test_e1_the_working_directory_may_be_gone(server: Server, tmp_path: Path) -> None:
    program = """
        import os
        os.rmdir(os.getcwd())
        for name in ("kvcpu0", "../kvcpu0"):
            try:
                os.open(name, os.O_RDWR)
            except FileNotFoundError:
                print("none")
        print(os.open("/dev/kvcpu0", os.O_RDWR) > 2)
    """
    (tmp_path / "gone").mkdir()
    command = ["sh", "-c", f"cd {tmp_path}/gone && exec {sys.executable} -I -c '{textwrap.dedent(program)}'"]
    done = shimmed(server.path, command)
    assert (done.stdout, done.stderr) == ("none\nnone\nTrue\n", "")


def test_python(server: Server) -> None:
    program = """
        import fcntl, os, struct
        node = os.open("/dev/kvcpu0", os.O_RDWR)
        assert not os.get_inheritable(node)
        fcntl.ioctl(node, 0x40184B02, struct.pack("<3Q", 0x7F001000, 4096, 0))
        room = bytearray(96)
        assert fcntl.ioctl(node, 0x80604B07, room, True) == 0
        assert struct.unpack_from("<3Q", room) == (0, 0, 1)
        for number, argument, error in (
            (0x40184B02, struct.pack("<3Q", 1, 0, 0), "EINVAL"),
            (0x40084B63, bytes(8), "ENOTTY"),
            (0x40084B01, 8, "EFAULT"),
        ):
            try:
                fcntl.ioctl(node, number, argument)
            except OSError as refused:
                print(os.strerror(refused.errno), error)
    """
    done = shimmed(server.path, [sys.executable, "-I", "-c", textwrap.dedent(program)])
    assert done.stderr == ""
    expected = ["Invalid argument EINVAL", "Inappropriate ioctl for device ENOTTY", "Bad address EFAULT"]
    assert done.stdout.splitlines() == expected


def test_no_server(tmp_path: Path) -> None:
    done = shimmed(tmp_path / "none.sock", [str(compiled("corners")), "open"])
    assert done.returncode == 1
    assert "No such device or address" in done.stdout


def test_a_path_too_long(tmp_path: Path) -> None:
    done = shimmed(tmp_path / ("x" * 120), [str(compiled("corners")), "open"])
    assert done.returncode == 1
    assert "File name too long" in done.stdout


def test_the_socket_is_found_in_the_runtime_folder(tmp_path: Path) -> None:
    """Without KVCPU_SOCKET both sides look in the same place; a relative or linked name of it serves as well."""
    (tmp_path / "run").mkdir(mode=0o700)
    with serving(tmp_path / "run" / "kvcpu") as server:
        env = clean_env({RUNTIME_VARIABLE: str(tmp_path / "run"), "LD_PRELOAD": str(build().preload)})
        command = [str(compiled("corners")), "duplicates"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stdout) == (0, "good\n")
        link = tmp_path / "link"
        link.symlink_to(server.path)
        assert shimmed(link, command).stdout == "good\n"


@pytest.mark.parametrize("case", ["gone", "stepping"])
def test_the_node_ends(tmp_path: Path, case: str) -> None:
    """An error, never a hang and never a guess."""
    with serving(tmp_path / "node") as server:
        process = subprocess.Popen(
            [str(compiled("corners")), case],
            env=environment(server.path, LD_PRELOAD=str(build().preload)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    output, _ = process.communicate("x", timeout=30)
    assert (process.returncode, output) == (0, "good\n")


HEADER_PACK = HEADER.layout.pack
GOOD = HEADER_PACK(MAGIC, Kind.IOCTL, 0, 0, 96) + bytes(96)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (HEADER_PACK(MAGIC, Kind.IOCTL, 0, errno.EBUSY, 0), errno.EBUSY),
        (GOOD[:-1], errno.EIO),
        (GOOD + b"x", errno.EIO),
        (GOOD[:15], errno.EIO),
        (b"", errno.EIO),
        (b"X" + GOOD[1:], errno.EIO),
        (HEADER_PACK(MAGIC, Kind.CALL, 0, 0, 96) + bytes(96), errno.EIO),
        (None, errno.EIO),
    ],
)
def test_answers_that_are_none(tmp_path: Path, answer: bytes | None, error: int) -> None:
    """A server that answers otherwise than it must, or (None) goes without an answer."""
    path = tmp_path / NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(30)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, Request.receive(connection).reply_to as reply_to:
                if answer is not None:
                    reply_to.send(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        done = shimmed(path, [str(compiled("corners")), "answered", str(error)])
        thread.join(30)
    assert (done.returncode, done.stdout) == (0, "good\n")


def test_a_stranger_in_the_servers_place(tmp_path: Path) -> None:
    """A socket that another user serves is not trusted."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    folder = tmp_path / "node"
    with serving(folder) as server:
        for parent in (folder, *list(folder.parents)[:3]):
            parent.chmod(0o755)
        server.path.chmod(0o666)
        program = """
            import os
            os.setuid(65534)
            try:
                os.open("/dev/kvcpu0", os.O_RDWR)
            except OSError as refused:
                print(refused.strerror)
        """
        done = shimmed(server.path, [sys.executable, "-I", "-c", textwrap.dedent(program)])
        folder.chmod(0o700)
    assert (done.stdout, done.stderr) == ("Permission denied\n", "")
