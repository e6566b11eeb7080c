"""The socket: its rights, its place, its clients, its end."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from sw.node.client import CallRefused, Client, NodeError
from sw.node.home import home_of
from sw.node.lock import InUse
from sw.node.server import Server, in_thread
from sw.uapi.description import CALLS
from sw.uapi.place import LONGEST, NAME, RUNTIME_VARIABLE, VARIABLE, PlaceError, default_path, private_folder
from sw.uapi.wire import HEADER, MAGIC, Answer, Kind, Request
from tb.run.paths import ROOT
from tb.run.process import clean_env
from tb.serve import cli
from tests.node.serving import descriptors, model_node, serving, settled, started

STEP = CALLS[0].request
LONG = 10**16  # cycles: hours on the model


def left(folder: Path) -> list[str]:
    """What a server leaves besides the folder with its key and its audit log, and the anchor of that."""
    home = home_of(folder / NAME).name
    return [path.name for path in folder.iterdir() if path.name not in {home, f"{home}.anchor"}]


# ---------------------------------------------------------------- rights and place


def test_rights(server: Server) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700


def test_another_user_is_not_let_in(server: Server) -> None:
    """Even where the folder's rights were opened: the kernel's word for who it is decides."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    for folder in server.path.parents:
        if folder.stat().st_mode & 0o001:  # from here on everybody may pass
            break
        folder.chmod(0o755)
    server.path.chmod(0o666)
    program = """
        import os, socket, sys
        os.setuid(65534)
        node = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        node.connect(sys.argv[1])
        mine, reply_to = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            socket.send_fds(node, [bytes.fromhex(sys.argv[2])], [reply_to.fileno()])
        except BrokenPipeError:
            pass  # closed before we could ask
        reply_to.close()
        node.close()
        print(mine.recv(100))
    """
    asked = HEADER.layout.pack(MAGIC, Kind.IOCTL, 0, 0x1234, 0).hex()
    command = [sys.executable, "-I", "-c", textwrap.dedent(program), str(server.path), asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    server.path.parent.chmod(0o700)
    assert done.stdout == "b''\n", done.stderr


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(PlaceError, match="others may enter it"), Server(model_node(tmp_path / "other"), folder / NAME):
        pass


def test_folders_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(PlaceError, match="file exists"):
        private_folder(tmp_path / "file")
    with pytest.raises(PlaceError, match="not a folder"):
        private_folder(tmp_path / "link")


def test_another_users_folder(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(PlaceError, match="belongs to another user"):
        private_folder(folder)


def test_a_path_too_long(tmp_path: Path) -> None:
    path = tmp_path / ("x" * LONGEST)
    with pytest.raises(PlaceError, match="name a shorter one"), Server(model_node(tmp_path / "other"), path):
        pass
    with pytest.raises(NodeError, match="name a shorter one"):
        Client(path)


def test_default_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(RUNTIME_VARIABLE, raising=False)
    assert default_path() == Path(f"/tmp/kvcpu-{os.geteuid()}/kvcpu0.sock")
    monkeypatch.setenv(RUNTIME_VARIABLE, "/run/user/7")
    assert default_path() == Path("/run/user/7/kvcpu/kvcpu0.sock")
    monkeypatch.setenv(VARIABLE, "here.sock")
    assert default_path() == Path("here.sock")


def test_a_second_server_is_refused(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        pytest.raises(InUse, match=f"already served by process {os.getpid()}"),
        Server(model_node(tmp_path / "other"), server.path),
    ):
        pass
    assert cli.main(["--backend", "model", "--entries", "1024", "--lanes", "4", "--socket", str(server.path)]) == 2
    assert capsys.readouterr().err == f"error: {server.path}: already served by process {os.getpid()}\n"
    with Client(server.path) as client:
        assert client.call("info")["backend"] == "model", "the first goes on"


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(folder / NAME))
    (folder / (NAME + ".lock")).write_text("99999\n")
    with pytest.raises(NodeError, match="no device is served here"):
        Client(folder / NAME)
    with serving(folder) as server, Client(server.path) as client:
        client.call("info")
    assert left(folder) == []


def test_a_lock_that_its_holder_took_away_is_no_lock(tmp_path: Path) -> None:
    """Between our opening it and locking it, the other server may have ended and removed it."""
    folder = tmp_path / "node"
    folder.mkdir(mode=0o700)
    path = folder / (NAME + ".lock")
    nodes = model_node(folder / NAME), model_node(tmp_path / "other")
    real = fcntl.flock
    removed = []

    def flock(file: object, how: int) -> None:
        real(file, how)  # type: ignore[arg-type]
        if not removed:
            removed.append(path.unlink())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        with serving(folder, nodes[0]), pytest.raises(InUse), Server(nodes[1], folder / NAME):
            pass


def test_everything_is_closed_at_the_end(tmp_path: Path) -> None:
    before = descriptors()
    for _ in range(3):
        with serving(tmp_path / "node") as server, Client(server.path) as client:
            client.call("info")
        assert left(tmp_path / "node") == []
    assert descriptors() == before


# ---------------------------------------------------------------- clients


def test_each_connection_is_a_file_of_its_own(client: Client, server: Server) -> None:
    client.ioctl(STEP, struct.pack("<Q", 5))
    with Client(server.path) as other:
        counts = [struct.unpack_from("<2Q", one.ioctl(CALLS[6].request)) for one in (client, other)]
        assert counts == [(5, 1), (5, 0)]
        assert other.call("telemetry")["step_count"] == 1, "tools see all files together"


def test_many_clients_at_once(server: Server) -> None:
    def work(number: int) -> None:
        try:
            with Client(server.path) as client:
                for i in range(30):
                    client.ioctl(STEP, struct.pack("<Q", i))
                    counts = struct.unpack_from("<2Q", client.ioctl(CALLS[6].request))
                    assert counts[1] == i + 1
            good.append(number)
        except BaseException as error:
            errors.append(error)
            raise

    good: list[int] = []
    errors: list[BaseException] = []
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (sorted(good), errors) == (list(range(8)), [])


MALFORMED = [b"x", bytes(15), bytes(16), HEADER.layout.pack(MAGIC, 1, 0, STEP, 9), bytes(40_000)]


@pytest.mark.parametrize("data", MALFORMED, ids=lambda data: f"{len(data)} bytes")
def test_who_sends_no_packet_is_dropped(server: Server, client: Client, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.settimeout(10)
        stranger.connect(str(server.path))
        stranger.send(data)
        assert settled(lambda: client.call("info")["open_files"] == 1)
        assert stranger.recv(1) == b""


def test_an_unknown_kind_is_answered(client: Client) -> None:
    for kind in (0, 5, 65535):
        mine, reply_to = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with mine:
            with reply_to:
                Request(kind, 0, b"?", reply_to).send(client._socket)
            assert Answer.receive(mine) == Answer(kind, 71)  # EPROTO


def test_a_client_that_takes_no_answers_stops_no_other(server: Server, client: Client) -> None:
    """Its answers go into a socket that is not read, until that one is full."""
    mine, reply_to = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, reply_to, Client(server.path) as lazy:
        for _ in range(400):
            Request(Kind.CALL, 0, b'{"call":"stats"}', reply_to).send(lazy._socket)
        assert client.call("info")["backend"] == "model"


def test_reading_the_node_finds_an_end(client: Client) -> None:
    client._socket.settimeout(10)
    assert client._socket.recv(10) == b""


def test_a_large_answer(client: Client) -> None:
    for token in range(0, 200 * 16, 16):
        client.call("insert", kv=f"1:0:0:{token}", tier=3)
    assert len(client.call("dump")["entries"]) == 200


def test_the_node_goes_while_a_call_runs(tmp_path: Path) -> None:
    with serving(tmp_path / "node") as server, Client(server.path) as client:
        threading.Timer(0.3, server.stop).start()
        done = client.call("run", cycles=LONG)
    assert 0 < done["cycles"] < LONG
    with pytest.raises(NodeError, match="ended without an answer"):
        client.call("info")


def test_an_abandoned_run_ends(server: Server, client: Client) -> None:
    mine, reply_to = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with reply_to:
        Request(Kind.CALL, 0, b'{"call":"run","cycles":%d}' % LONG, reply_to).send(client._socket)
    time.sleep(0.1)
    mine.close()
    with Client(server.path) as other:
        assert other.call("info")["now_ns"] < LONG


def test_time_stands_still_between_commands(client: Client) -> None:
    first = client.call("info")["now_ns"]
    second = client.call("info")["now_ns"]
    time.sleep(0.2)
    assert client.call("info")["now_ns"] - second == second - first


def test_free_run(tmp_path: Path) -> None:
    with started(tmp_path / "node" / NAME, "--free-run") as _, Client(tmp_path / "node" / NAME) as client:
        first = client.call("info")["now_ns"]
        assert settled(lambda: client.call("info")["now_ns"] > first + 10**7)


@pytest.mark.parametrize("where", ["free_run", "collect"])
def test_b1_a_defect_between_requests_ends_no_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """It is kept in the audit log once a while, and requests are answered on."""
    path = tmp_path / "node" / NAME
    node = model_node(path)

    async def defect() -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(node if where == "free_run" else node.events, where, defect)
    with in_thread(Server(node, path, free_run=True)), Client(path) as client:
        time.sleep(0.2)
        assert client.call("info")["entries"] == 1024
        entries = [entry for entry in node.system.audit.entries() if entry["operation"] == "node.request"]
    assert entries[0]["object"] == {"free_run": "free-run", "collect": "events"}[where]
    assert len(entries) <= 4, "free running pauses after a fault"


class Difference(Exception):
    """What a scoreboard raises."""


def test_a_check_that_fails_ends_the_server_without_an_answer(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    asked: list[str] = []

    def check() -> None:
        if asked:
            raise Difference

    node = model_node(folder / NAME)
    with pytest.raises(Difference), in_thread(Server(node, folder / NAME, check=check)) as server:
        refused_after_a_difference(server.path, asked)
    assert left(folder) == []


def refused_after_a_difference(path: Path, asked: list[str]) -> None:
    """The command in which the check fails gets no answer, and the server has ended."""
    with Client(path) as client:
        client.call("info")
        asked.append("step")
        with pytest.raises(NodeError, match="ended without an answer"):
            client.call("step", step=1)
    assert settled(lambda: not path.exists())


# ---------------------------------------------------------------- python -m tb.serve


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "node" / NAME
    with started(path) as process:
        with Client(path) as client:
            client.call("step", step=3)
            begun = time.monotonic()
            os.kill(process.pid, number)
            output, errors = process.communicate(timeout=20)
        assert time.monotonic() - begun < 3
        assert process.returncode == 0
        assert errors == "ended: nothing is compared on the device model; no process is left\n"
        assert f"export {VARIABLE}={path}" in output
        assert "libkvcpu_preload.so" in output
    assert left(path.parent) == []


def test_a_signal_ends_a_long_command(tmp_path: Path) -> None:
    path = tmp_path / "node" / NAME
    with started(path) as process, Client(path) as client:
        threading.Timer(0.5, process.send_signal, (signal.SIGINT,)).start()
        assert client.call("run", cycles=LONG)["cycles"] < LONG
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a5_ctrl_c_under_make_is_no_error(tmp_path: Path) -> None:
    """The terminal's SIGINT goes to make and to the server; neither says that something has failed."""
    path = tmp_path / "node" / NAME
    serve = f"{sys.executable} -m tb.serve --backend model --entries 1024 --lanes 4 --socket {path}"
    (tmp_path / "Makefile").write_text(f"serve:\n\t@cd {ROOT} && exec {serve}\n")
    process = subprocess.Popen(
        ["make", "-C", str(tmp_path), "serve"],
        env=clean_env({"PYTHONPATH": str(ROOT)}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert settled(path.exists)
        with Client(path) as client:
            client.call("info")
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert "***" not in errors, errors
    assert errors.startswith("ended: nothing is compared on the device model; no process is left\n")


def test_a_killed_server_leaves_a_socket_that_the_next_replaces(tmp_path: Path) -> None:
    path = tmp_path / "node" / NAME
    with started(path) as process:
        process.kill()
        process.wait()
    assert path.exists()
    with started(path), Client(path) as client:
        client.call("info")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--entries", "1000"], "ENTRIES=1000: a whole number from 1,024 to 65,536 is needed"),
        (["--lanes", "5"], "LANES=5: 4, 8 or 16 is needed"),
        (["--ports", "0"], "PORTS=0: a whole number from 1 to 8 is needed"),
        (["--seed", "x"], "SEED=x: a whole number"),
        (["--backend", "board"], "BACKEND=board: rtl or model is needed"),
        (["--socket", ""], "SOCKET=: a path is needed"),
        (["--fast"], "unrecognized arguments: --fast"),
        (["--backend", "model", "--socket", "/proc/kvcpu/s"], "/proc/kvcpu: "),
        (["--backend", "model", "--socket", "/" + "x" * 120], "name a shorter one"),
        (["--backend", "rtl", "--socket", "/" + "x" * 120], "name a shorter one"),
    ],
)
def test_wrong_use(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]


def test_refusals_carry_an_errno(client: Client) -> None:
    with pytest.raises(CallRefused) as caught:
        client.call("explain", kv="1:0:0:0")
    assert (caught.value.errno, str(caught.value)) == (2, "1:0:0:0 is not in the directory")
