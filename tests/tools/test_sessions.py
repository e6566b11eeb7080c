"""A2, A4: the sessions of the guides work as typed and print what the guides show (the rule: tb/serve/sessions.py)."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.device import DeviceModel
from sw.node.client import Client
from sw.node.server import Server
from sw.node.start import start
from sw.run import run
from sw.tools.llminfer import TOOL as LLMINFER
from sw.transport.model import ModelTransport
from sw.uapi.build import build
from sw.uapi.place import NAME
from tb.run.paths import ROOT
from tb.serve import sessions
from tests.node.serving import environment, serving, started
from tests.tools.running import Runner


@pytest.fixture
def full_size(tmp_path: Path) -> Iterator[Server]:
    """The device model of the guides' size."""
    folder = tmp_path / "node"
    folder.mkdir(mode=0o700)
    node = run(start(ModelTransport(DeviceModel(entries=65536, lanes=16)), folder / NAME, {"backend": "model"}))
    with serving(folder, node) as server:
        yield server


@pytest.mark.parametrize("guide", sessions.GUIDES)
def test_a2_sessions_word_for_word(full_size: Server, guide: str) -> None:
    """Every command of a session, in one shell, on a device of the same size as the guide's."""
    if shutil.which("cc") is None:
        pytest.skip("no cc on this machine, which the guide's session calls")
    build()
    wanted = sessions.session(guide)
    assert len(wanted) > 5
    ended = sessions.run(wanted, environment(full_size.path, LANG="C.UTF-8"))
    assert len(ended) == len(wanted)
    for command, (status, lines) in zip(wanted, ended, strict=True):
        where = f"{command.guide}:{command.line}: $ {command.text}"
        assert status == 0, (where, lines)
        assert [sessions.comparable(line) for line in lines] == [sessions.comparable(line) for line in command.shown], (
            where
        )


def test_what_make_serve_prints(tmp_path: Path) -> None:
    (command,) = [one for one in sessions.commands("docs/tools.md") if one.text == "make serve"]
    build()
    with started(tmp_path / "node" / NAME, "--entries", "65536", "--lanes", "16") as process:
        assert process.stdout
        lines = [process.stdout.readline().rstrip("\n") for _ in command.shown]
        process.send_signal(signal.SIGINT)
        process.wait(30)
    shown = [sessions.comparable_start(line) for line in command.shown]
    assert [sessions.comparable_start(line) for line in lines] == shown


def test_the_rule_leaves_out_times_only() -> None:
    assert sessions.comparable("step 128: scan of 4,106 cycles") == "step 128: scan of # cycles"
    assert sessions.comparable("40 tokens in 0.299 ms of device time") == "40 tokens in # ms of device time"
    for line in ("index 45232, tier 1 (T1), address 0x2000000000", "hot: done, 1 block not bound", "│ w_r │ 3 │"):
        assert sessions.comparable(line) == line


def test_a2_users_and_the_service_have_request_ids_of_their_own(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever requests a user inserts blocks of, inferences go on; the service's ids begin at 32,768."""
    infer = Runner(LLMINFER, server.path, capsys, monkeypatch)
    loaded = sessions.run([sessions.Command("", 0, f"{ROOT}/bin/llmctl load", ())], environment(server.path))
    assert loaded[0][0] == 0, loaded
    with Client(server.path) as client:
        for request in (*range(1, 9), 0x7FFF):
            client.call("insert", kv=f"{request}:0:0:0", tier=1)
        texts = {infer.good_stdout(prompt, "--max-tokens", "4") for prompt in ("The device", "A block", "Scores")}
        assert len(texts) == 3
        assert len(client.call("dump")["entries"]) == 9, "the user's blocks, and none of an inference that has ended"


def test_the_guides_show_no_command_that_is_not_run() -> None:
    """Every `$ ` line is in a session of this test."""
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        if re.search(r"^\$ ", path.read_text(), re.M):
            assert str(path.relative_to(ROOT)) in sessions.GUIDES, path
