"""kvctl against a served device model: every command, every wrong use, JSON, the script itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sw.node.client import Client
from sw.node.server import Server
from sw.tools.common import main
from sw.tools.kvctl import COMMANDS, TOOL
from tb.run.paths import ROOT
from tests.node.serving import environment, settled
from tests.tools.running import Runner

KVCTL = str(ROOT / "bin" / "kvctl")


@pytest.fixture
def kvctl(server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(TOOL, server.path, capsys, monkeypatch)


def test_steps_and_time(kvctl: Runner) -> None:
    assert re.fullmatch(r"step 128: scan of \d+ cycles\n", kvctl.good("step", "128"))
    assert kvctl("step", "0x81", "--json").json["step"] == 129
    before = kvctl("--json", "info").json["now_ns"]
    assert re.fullmatch(r"ran 1,000,000 cycles, device time [\d,]+ ns\n", kvctl.good("run", "1000000"))
    assert kvctl("--json", "info").json["now_ns"] >= before + 4_000_000


def test_hints(kvctl: Runner, client: Client) -> None:
    kvctl.good("insert", "--kv", "1:0:0:0", "--tier", "1")
    assert kvctl.good("hot", "0x7f001000", "4096") == "hot: done, 1 block not bound\n"
    assert kvctl.good("hot", "--kv", "0x1:0:0:0", "32") == "hot: done, 1 block not in the directory\n"
    assert client.call("explain", kv="1:0:0:0")["entry"]["hot"]
    assert kvctl.good("cool", "--kv", "1:0:0:5") == "cool: done\n"
    assert not client.call("explain", kv="1:0:0:0")["entry"]["hot"]
    kvctl.good("share", "--kv", "1:0:0:0")
    assert kvctl("release", "--kv", "1:0:0:0", "1", "--json").json == {"hint": "release", "not_in_directory": 0}
    kvctl.good("prefetch", "--kv", "1:0:0:0", "77")
    assert client.call("explain", kv="1:0:0:0")["entry"]["access_step"] == 77
    kvctl.good("prefetch", "--kv", "1:0:0:0", "16", "0x4E")
    assert client.call("explain", kv="1:0:0:0")["entry"]["access_step"] == 78
    kvctl.good("evict", "--kv", "1:0:0:0")
    assert client.call("explain", kv="1:0:0:0")["entry"]["evictable"]
    for name, more in (("share", ()), ("evict", ()), ("cool", ()), ("release", ()), ("prefetch", ("9",))):
        assert kvctl.good(name, "0x7f001000", "8193", *more) == f"{name}: done, 2 blocks not bound\n"
    seen = kvctl("telemetry", "--json").json
    counts = [seen[f"{name}_count"] for name in ("hot", "evict", "prefetch", "share")]
    assert (counts, seen["last_va"], seen["last_target_step"]) == ([1, 1, 1, 1], 0x7F001000, 9)


def test_weights_and_telemetry(kvctl: Runner) -> None:
    assert "48,000" in kvctl.good("weights")
    kvctl.good("weights", "3", "5", "7", "11", "1024", "0xa000")
    assert list(kvctl("--json", "weights").json.values()) == [3, 5, 7, 11, 1024, 40960]
    assert kvctl.refused("weights", "1", "2", "3", "4", "6", "5") == "EVICT_THRESH 6 > PREFETCH_THRESH 5"
    shown = kvctl.good("telemetry")
    assert re.search(r"prefetch_thresh\s*│\s*40,960", shown)


def test_the_directory(kvctl: Runner) -> None:
    assert re.fullmatch(
        r"index \d+, tier 2 \(host\), address 0x[0-9a-f]+\n", kvctl.good("insert", "--kv", "3:1:2:32", "--tier", "2")
    )
    kvctl.good("insert", "--kv", "4:0:0:0", "--tokens", "3", "--prefix", "--hot")
    assert "2 blocks" in kvctl.good("dump")
    shown = kvctl.good("dump", "--request", "4")
    assert "4:0:0:0" in shown
    assert "PREFIX HOT" in shown
    assert "1 block\n" in shown
    assert [e["kv"] for e in kvctl("dump", "--tier", "2", "--json").json["entries"]] == ["3:1:2:32"]
    assert kvctl("dump", "--first", "0", "--count", "1", "--json").json["entries"] == []
    assert "tier 2 (host)" in kvctl.good("lookup", "--kv", "3:1:2:40")
    assert kvctl.good("migrate", "--kv", "3:1:2:32", "--tier", "1").startswith("queued")
    kvctl.good("run", "100000")
    assert "tier 1 (T1)" in kvctl.good("lookup", "--kv", "3:1:2:32", "--touch")
    assert kvctl.good("remove", "--kv", "3:1:2:32") == "done\n"
    assert kvctl.good("free", "4") == "1 block removed, 0 stayed (referenced)\n"
    assert kvctl.refused("lookup", "--kv", "4:0:0:0") == "4:0:0:0 is not in the directory"


def test_explain(kvctl: Runner) -> None:
    kvctl.good("insert", "--kv", "1:0:0:0", "--tier", "1")
    kvctl.good("weights", "1", "2", "3", "4", "0", "65535")
    kvctl.good("step", "10")
    shown = kvctl.good("explain", "--kv", "1:0:0:3")
    told = kvctl("explain", "--kv", "1:0:0:3", "--json").json
    assert f"W_R 1 * R {told['entry']['r']}" in shown
    assert "W_S 3 * S 245 (10 steps away)" in shown
    assert told["total"] == told["entry"]["r"] + 2 + 3 * 245
    assert f"a scan now: stay ({told['reason']}), unless the block is in flight" in shown
    kvctl.good("hot", "--kv", "1:0:0:0")
    assert "HOT: 65,535" in kvctl.good("explain", "--kv", "1:0:0:3")
    assert kvctl.refused("explain", "--kv", "2:0:0:0") == "2:0:0:0 is not in the directory"


def test_stats_and_watch(kvctl: Runner) -> None:
    kvctl.good("step", "1")
    shown = kvctl.good("stats")
    assert "SCAN_COUNT" in shown
    assert "RTBD_HIT_COUNT" not in shown, "counters at 0 are left out"
    assert "RTBD_HIT_COUNT" in kvctl("stats", "--json").json["counters"]
    lines = kvctl.good("watch", "--count", "3", "--interval", "0.01").splitlines()
    assert len(lines) == 3
    assert all("step 1  free 128 256 256 384" in line for line in lines)
    assert len(kvctl.good("watch", "--count", "2", "--interval", "0.01", "--json").splitlines()) == 2


# ---------------------------------------------------------------- wrong use


MISUSES = [
    ([], "the following arguments are required: COMMAND"),
    (["melt"], "invalid choice: 'melt'"),
    (["step"], "the following arguments are required: step"),
    (["step", "-1"], "'-1' is no number in decimal or 0x"),
    (["step", "0b1"], "'0b1' is no number in decimal or 0x"),
    (["step", "1_0"], "'1_0' is no number in decimal or 0x"),
    (["step", "0x"], "'0x' is no number in decimal or 0x"),
    (["step", " 1"], "' 1' is no number in decimal or 0x"),
    (["step", "\N{SUPERSCRIPT TWO}"], "is no number in decimal or 0x"),
    (["step", "4294967296"], "4294967296: 0 to 4,294,967,295"),
    (["step", "1", "2"], "unrecognized arguments: 2"),
    (["hot"], "VA LEN is needed, 0 numbers given"),
    (["hot", "1"], "VA LEN is needed, 1 numbers given"),
    (["hot", "1", "2", "3"], "VA LEN is needed, 3 numbers given"),
    (["hot", "0x10000000000000000", "1"], "0x10000000000000000: 0 to 18,446,744,073,709,551,615"),
    (["hot", "--kv", "1:0:0"], "'1:0:0' is not REQ:LAYER:HEAD:TOKEN"),
    (["hot", "--kv", "1:256:0:0"], "1:256:0:0: layer 256 does not fit 8 bits"),
    (["hot", "--kv", "1:x:0:0"], "'x' is no number in decimal or 0x"),
    (["hot", "--kv", "1:0:0:0", "1", "2"], "[TOKENS] is needed, 2 numbers given"),
    (["hot", "--kv", "1:0:0:0", "4294967296"], "4294967296 tokens: at most 4,294,967,295"),
    (["prefetch", "1", "2"], "VA LEN STEP is needed, 2 numbers given"),
    (["prefetch", "1", "2", "4294967296"], "step 4294967296: at most 4,294,967,295"),
    (["prefetch", "--kv", "1:0:0:0"], "[TOKENS] STEP is needed, 0 numbers given"),
    (["cool"], "VA LEN is needed"),
    (["evict", "x", "y"], "'x' is no number"),
    (["share", "1"], "VA LEN is needed"),
    (["release", "1"], "VA LEN is needed"),
    (["weights", "1", "2"], "six numbers or none are needed, 2 given"),
    (["weights", "256", "0", "0", "0", "0", "0"], "w_r 256: at most 255"),
    (["weights", "0", "0", "0", "0", "0", "65536"], "prefetch_thresh 65536: at most 65,535"),
    (["telemetry", "now"], "unrecognized arguments: now"),
    (["dump", "--tier", "4"], "4: 0 to 3"),
    (["dump", "--request", "65536"], "65536: 0 to 65,535"),
    (["dump", "--count", "0"], "0: 1 to 4,294,967,295"),
    (["stats", "all"], "unrecognized arguments: all"),
    (["watch", "--interval", "often"], "invalid float value: 'often'"),
    (["watch", "--interval", "0"], "an interval of 0 s"),
    (["watch", "--interval", "nan"], "an interval of nan s"),
    (["watch", "--count", "0"], "0: 1 to 1,000,000,000"),
    (["explain"], "the following arguments are required: --kv"),
    (["explain", "--k", "1:0:0:0"], "the following arguments are required: --kv"),
    (["lookup"], "the following arguments are required: --kv"),
    (["insert"], "the following arguments are required: --kv"),
    (["insert", "--kv", "1:0:0:0", "--tokens", "0"], "0: 1 to 256"),
    (["migrate", "--kv", "1:0:0:0"], "the following arguments are required: --tier"),
    (["remove", "1:0:0:0"], "the following arguments are required: --kv"),
    (["free"], "the following arguments are required: request"),
    (["run"], "the following arguments are required: cycles"),
    (["run", "1.5"], "'1.5' is no number in decimal or 0x"),
    (["info", "please"], "unrecognized arguments: please"),
]


@pytest.mark.parametrize(("arguments", "message"), MISUSES)
def test_wrong_use(kvctl: Runner, arguments: list[str], message: str) -> None:
    assert message in kvctl.misused(*arguments)


def test_every_command_has_a_wrong_use() -> None:
    assert set(COMMANDS) == {arguments[0] for arguments, _ in MISUSES if arguments} - {"melt"}


def test_refusals(kvctl: Runner) -> None:
    assert kvctl.refused("free", "0") == "FREE_REQUEST of request 0: 1 to 65,535"
    assert "is less than the minimum of 1" in kvctl.refused("hot", "0x1000", "0")
    assert "runs past 2^64" in kvctl.refused("hot", "0xffffffffffffffff", "2")
    kvctl.good("insert", "--kv", "1:0:0:0")
    assert kvctl.refused("insert", "--kv", "1:0:0:0") == "INSERT of 1:0:0:0: EXISTS"


def test_nobody_serves(kvctl: Runner, tmp_path: Path) -> None:
    path = str(tmp_path / "none.sock")
    assert kvctl.refused("--socket", path, "info") == f"{path}: nobody serves a device here (`make serve` does)"
    assert kvctl.refused("info", "--socket", path).startswith(path)


@settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    words=st.lists(
        st.sampled_from([*COMMANDS, "--kv", "1:0:0:0", "7", "0x20", "--json", "-h", "--", ""]) | st.text(max_size=4),
        max_size=5,
    )
)
def test_any_command_line(kvctl: Runner, words: list[str]) -> None:
    """Ends with a status of the contract, never with a traceback."""
    if "watch" in words or "run" in words:
        words = [word for word in words if word not in ("watch", "run")]
    ended = kvctl(*words)
    assert ended.status in (0, 1, 2)
    assert "Traceback" not in ended.err


# ---------------------------------------------------------------- the script


def test_the_script_from_anywhere(server: Server, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
    (tmp_path / "link").symlink_to(ROOT / "bin")
    for command in (KVCTL, str(tmp_path / "link" / "kvctl")):
        env = environment(server.path)
        done = subprocess.run(
            [command, "step", "5"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("step 5: ")


def connected(pid: int) -> bool:
    """Whether a process has a socket."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            if os.readlink(descriptor).startswith("socket:"):
                return True
    return False


def test_interrupted(server: Server, client: Client) -> None:
    process = subprocess.Popen(
        [KVCTL, "run", "1000000000000000"], env=environment(server.path), stderr=subprocess.PIPE, text=True
    )
    assert settled(lambda: connected(process.pid)), "it has reached the node"
    time.sleep(0.3)  # and has asked for the steps
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "interrupted\n")
    assert time.monotonic() - begun < 3
    assert settled(lambda: client.call("info")["open_files"] == 1), "the node goes on without it"


def test_a_reader_that_goes(server: Server) -> None:
    done = subprocess.run(
        f"{KVCTL} watch --interval 0.01 --count 500 | head -1",
        shell=True, env=environment(server.path), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TOOL, ["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)
