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
    assert len(kvctl("dump", "--count", "1", "--json").json["entries"]) == 1
    assert kvctl.refused("dump", "--first", "1024") == "first 1,024: the device has entries 0 to 1,023"
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
    assert len(kvctl.good("watch", "--count", "2", "--interval", "0.01", "--json").splitlines()) == 2


def test_a6_watch_prints_only_what_changes(kvctl: Runner, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look tells all; then a line only where something is new, and in it only that."""
    between = iter([lambda: client.call("step", step=5), lambda: None,
                    lambda: client.call("insert", kv="1:0:0:0", tier=1), lambda: None])  # fmt: skip
    monkeypatch.setattr("sw.tools.kvctl.time.sleep", lambda _: next(between)())
    lines = [re.sub(r"^ *[\d,]+ ns  ", "", line) for line in kvctl.good("watch", "--count", "5").splitlines()]
    assert lines == [
        "step 0  free HBM 128 T1 256 host 256 NVMe 384",
        lines[1],
        "free T1 255",
    ]
    assert re.fullmatch(r"step 5  SCAN_COUNT \+1(  (SCAN_CYCLES|FIRST_DECISION_CYCLES) \+[\d,]+)*", lines[1])


def test_a6_slots_that_are_quarantined_are_explained(kvctl: Runner) -> None:
    """A block has moved away and is gone: the slot that it left is free again only after the next step."""
    kvctl.good("insert", "--kv", "1:0:0:0")
    kvctl.good("migrate", "--kv", "1:0:0:0", "--tier", "1")
    kvctl.good("run", "100000")
    kvctl.good("free", "1")
    why = "tier 0 (HBM): 127 of 128 slots free, 0 with a block, 1 quarantined until the next STEP_ADVANCE"
    assert kvctl.good("dump").splitlines()[-2:] == ["0 blocks", why]
    assert "quarantined until the next STEP_ADVANCE: `kvctl dump` tells" in kvctl.good("stats")
    kvctl.good("step", "1")
    assert kvctl.good("dump").splitlines()[-1] == "0 blocks"
    assert "quarantined" not in kvctl.good("stats")


def test_a6_dump_counts_entries_that_it_shows(kvctl: Runner) -> None:
    for request in range(1, 9):
        kvctl.good("insert", "--kv", f"{request}:0:0:0", "--tier", str(request % 2))
    assert [entry["tier"] for entry in kvctl("dump", "--count", "3", "--tier", "1", "--json").json["entries"]] == [
        1
    ] * 3
    assert kvctl.good("dump", "--count", "5").splitlines()[-1] == "5 blocks"
    assert kvctl.good("dump", "--count", "50").splitlines()[-1] == "8 blocks"


def test_e2_default_binding(kvctl: Runner, client: Client) -> None:
    assert kvctl.good("bind").splitlines()[-1] == "0 ranges"
    client.call("insert", kv="1:0:0:0", tier=1)
    assert kvctl.good("bind", "0x7f000000", "16384", "1:0:0:0") == "bound: 2 blocks from 1:0:0:0 on\n"
    assert kvctl.good("hot", "0x7f000000", "1") == "hot: done\n"
    assert client.call("explain", kv="1:0:0:0")["entry"]["hot"]
    assert kvctl("bind", "--json").json == {"bindings": [{"va": 0x7F000000, "len": 16384, "kv": "1:0:0:0"}]}
    assert re.search(r"0x7f000000 +│ +16,384 │ 1:0:0:0", kvctl.good("bind"))
    assert kvctl.refused("bind", "0x7f000000", "1", "2:0:0:0") == "bind: 0x7f000000 + 1 overlaps a bound range"
    assert kvctl.refused("bind", "0", "1", "2:0:0:1") == "bind: token 1 does not begin a block"
    assert kvctl.refused("unbind", "0x7f000001") == "unbind: no range begins at 0x7f000001"
    assert kvctl.good("unbind", "0x7f000000") == "done\n"
    assert kvctl.good("hot", "0x7f000000", "1") == "hot: done, 1 block not bound\n"


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
    (["hot", "--kv", "1:0:0:0", "4294967296"], "4294967296 tokens: 1 to 4,294,967,295"),
    (["hot", "--kv", "1:0:0:0", "0"], "0 tokens: 1 to 4,294,967,295"),
    (["hot", "--kv", "1:0:0:4294967295", "2"], "2 tokens from 1:0:0:4294967295 run past token 4,294,967,295"),
    (["hot", "0x1000", "0"], "a range of 0 bytes: LEN is at least 1"),
    (["hot", "0xffffffffffffffff", "2"], "0xffffffffffffffff + 2 bytes run past 2^64"),
    (["prefetch", "0x1000", "0", "1"], "a range of 0 bytes: LEN is at least 1"),
    (["bind", "1"], "VA LEN REQ:LAYER:HEAD:TOKEN are needed, or none of them"),
    (["bind", "1", "2"], "VA LEN REQ:LAYER:HEAD:TOKEN are needed, or none of them"),
    (["bind", "1", "0", "1:0:0:0"], "0: 1 to 18,446,744,073,709,551,615"),
    (["bind", "1", "2", "1:0"], "'1:0' is not REQ:LAYER:HEAD:TOKEN"),
    (["bind", "0xffffffffffffffff", "2", "1:0:0:0"], "0xffffffffffffffff + 2 bytes run past 2^64"),
    (["unbind"], "the following arguments are required: va"),
    (["unbind", "x"], "'x' is no number in decimal or 0x"),
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
    (["weights", "1", "1", "1", "1", "9", "5"], "evict_thresh 9 is over prefetch_thresh 5"),
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
    (["free", "0"], "0: 1 to 65,535"),
    (["free"], "the following arguments are required: request"),
    (["run"], "the following arguments are required: cycles"),
    (["run", "1.5"], "'1.5' is no number in decimal or 0x"),
    (["info", "please"], "unrecognized arguments: please"),
]


@pytest.mark.parametrize(("arguments", "message"), MISUSES)
def test_b9_wrong_use(kvctl: Runner, arguments: list[str], message: str) -> None:
    assert message in kvctl.misused(*arguments)


def test_every_command_has_a_wrong_use() -> None:
    assert set(COMMANDS) == {arguments[0] for arguments, _ in MISUSES if arguments} - {"melt"}


def test_refusals(kvctl: Runner) -> None:
    kvctl.good("insert", "--kv", "1:0:0:0")
    assert kvctl.refused("insert", "--kv", "1:0:0:0") == "INSERT of 1:0:0:0: EXISTS"


def test_no_server(kvctl: Runner, tmp_path: Path) -> None:
    path = str(tmp_path / "none.sock")
    assert kvctl.refused("--socket", path, "info") == f"{path}: no device is served here (`make serve` starts a server)"
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
        f"{KVCTL} watch --json --interval 0.01 --count 500 | head -1",
        shell=True, env=environment(server.path), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(TOOL, ["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)
