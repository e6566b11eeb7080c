"""llmctl, llminfer, llmstats, graphctl, det, metrics against a served device model: what they do, and every refusal."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sw.control.frames import Command, encode_request
from sw.llm.models import PACKAGE
from sw.llm.stub import summarize
from sw.llm.system import System
from sw.metrics import schema
from sw.node.client import Client
from sw.node.home import Home, home_of
from sw.node.server import Server
from sw.tools import det, graphctl, kvctl, kvsh, llmctl, llminfer, llmstats, metrics
from sw.tools.common import Tool
from tb.run.paths import ROOT
from tests.node.serving import environment, settled
from tests.tools.running import Runner

STUB = ("load", "--backend", "stub")
PROMPT = "The KV cache of a long prompt is moved between memory tiers."
SUMMARY = summarize(PROMPT.encode()).decode()


@pytest.fixture
def ctl(tool: Callable[[Tool], Runner]) -> Runner:
    return tool(llmctl.TOOL)


@pytest.fixture
def infer(tool: Callable[[Tool], Runner], ctl: Runner) -> Runner:
    """llminfer, with the stub loaded."""
    ctl.good(*STUB)
    return tool(llminfer.TOOL)


@pytest.fixture
def home(server: Server) -> Home:
    return Home(home_of(server.path))


# ---------------------------------------------------------------- llmctl


def test_load_and_unload(ctl: Runner) -> None:
    assert ctl.good("load") == "model 1 loaded: kv-cpu-micro, context 512 tokens, micro backend\n"
    assert ctl.refused("load").startswith("LLM_LOAD: Exists (18)")
    assert ctl("status", "--json").json == {
        "models": 1, "queued": 0, "running": 0, "used_ppm": 100_000, "accepted": 0, "rejected": 0, "misses": 0,
        "frame_bytes_dropped": 0,
    }  # fmt: skip
    assert ctl.refused("unload", "7").startswith("LLM_UNLOAD: NoModel (30)")
    assert ctl.good("unload") == "unloaded\n"
    assert ctl.refused("unload", "1").startswith("LLM_UNLOAD: NoModel (30)")
    loaded = ctl(*STUB, "--model", "1", "--ctx", "512", "--wcet-cycles", "0x61a8", "--json").json
    assert loaded == {"model": 1, "name": "kv-cpu-micro", "context": 512, "backend": "stub"}
    assert "models" in ctl.good("status")


def test_packages_that_are_refused(ctl: Runner, home: Home, tmp_path: Path) -> None:
    data = bytearray(PACKAGE.read_bytes())
    data[5000] ^= 1
    altered = tmp_path / "altered.kvm"
    altered.write_bytes(data)
    noise = tmp_path / "noise.kvm"
    noise.write_bytes(os.urandom(400))
    assert ctl.refused("load", str(altered)).startswith("LLM_LOAD: Altered (33)")
    assert ctl.refused("load", str(noise)).startswith("LLM_LOAD: Malformed (37)")
    for key in home.trust.trusted():
        home.trust.remove(key.public.key_id)
    assert ctl.refused("load").startswith("LLM_LOAD: WrongKey (34)")
    entries = ctl("audit", "--json").json["entries"]
    assert [e["code"] for e in entries if e["operation"] == "llm.load"] == [33, 37, 34]
    assert ctl.refused("load", str(tmp_path / "none.kvm")) == f"{tmp_path / 'none.kvm'}: no such file or directory"
    assert ctl.refused("load", str(tmp_path)).startswith(f"{tmp_path}: ")
    assert ctl.refused("load", "--model", "9") == f"{PACKAGE}: not model 9"
    assert ctl.refused("load", str(noise), "--model", "1") == f"{noise}: not model 1"
    assert ctl.refused("load", "--ctx", "513") == f"{PACKAGE}: a context of 512 tokens, 513 are needed"


def test_budget(ctl: Runner) -> None:
    assert ctl.good("budget", "0", "30000000", "100000000") == "class 0: admitted, 360,000 ppm used in all\n"
    assert ctl("budget", "3", "80000000", "800000000", "50", "--json").json == {"used_ppm": 450_000}
    assert ctl.refused("budget", "0", "90000000", "100000000").startswith("LLM_BUDGET: AdmissionRefused (22)")


def test_a5_an_inference_that_waits_for_its_budget_says_so(ctl: Runner, infer: Runner) -> None:
    quick = infer(PROMPT)
    assert "computing" not in quick.err
    ctl.good("budget", "0", "10000", "10000000")
    slow = infer(PROMPT)
    assert slow.status == 0
    assert "ms of them computing: class 0 may use 0.01 ms in 10 ms (`llmctl budget`)" in slow.err


def test_b3_inferences_are_listed_and_cancelled(ctl: Runner, infer: Runner, client: Client, server: Server) -> None:
    assert ctl.good("list") == "no inferences\n"
    token = int(Home(home_of(server.path)).user_token.read_text(), 16)
    _, handle = client.buffer(token, b"a prompt")
    client.frames(encode_request(Command.LLM_INFER_START, token, handle, 8, 1, 0))
    (row,) = ctl("list", "--json").json["inferences"]
    assert (row["infer_id"], row["holder"], row["class"], row["state"]) == (1, "admin", 1, "queued")
    assert "queued" in ctl.good("list")
    assert ctl.good("cancel", "1") == "inference 1: cancelled\n"
    assert ctl.refused("cancel", "7").startswith("NotFound (17): no inference 7; check the number")


def test_keys_and_capabilities(ctl: Runner, tool: Callable[[Tool], Runner], tmp_path: Path) -> None:
    ctl.good(*STUB)
    found = ctl("keys", "--json").json
    assert [key["name"] for key in found["trusted"]] == ["kv-cpu"]
    assert [(c["id"], c["holder"], c["rights"]) for c in found["capabilities"]] == [
        (1, "admin", ["admin"]),
        (2, "admin", ["submit", "stream"]),
    ]
    token = tmp_path / "alice.token"
    assert ctl.good("grant", "alice", "--write", str(token)) == f"capability 3 of alice: token in {token}\n"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert ctl.refused("grant", "bob", "--write", str(token)) == f"{token}: file exists"
    assert "alice" in ctl.good("keys")
    infer = tool(llminfer.TOOL)
    assert infer.good_stdout("--token-file", str(token), PROMPT) == SUMMARY + "\n"
    none = tmp_path / "none.token"
    assert ctl.refused("status", "--token-file", str(none)) == f"{none}: no such file or directory"
    said = ctl.refused("unload", "--token-file", str(token))
    assert said.startswith("LLM_UNLOAD: AuthFailed (5): no capability for this; use")
    assert ctl.refused("audit", "--token-file", str(token)).startswith("AuthFailed (5): no capability for this; ")
    assert ctl.refused("keys", "--token-file", str(token)).startswith("AuthFailed (5): no capability for this; ")
    assert ctl.refused("grant", "eve", "--write", str(tmp_path / "e"), "--token-file", str(token)).startswith(
        "AuthFailed"
    )
    assert ctl.good("revoke", "3") == "capability 3 has ended\n"
    assert infer.refused("--token-file", str(token), PROMPT).startswith("shared buffer: AuthFailed (5); use")
    assert ctl.refused("revoke", "3").startswith("NotFound (17): no capability 3; check")
    short = tmp_path / "short.token"
    ctl.good("grant", "carol", "--lasts-ns", "1000", "--write", str(short))
    tool(kvsh.TOOLS["kvctl"]).good("run", "100000")
    assert infer.refused("--token-file", str(short), PROMPT).startswith("shared buffer: AuthFailed (5); use")


def test_token_files(ctl: Runner, home: Home, tmp_path: Path) -> None:
    assert stat.S_IMODE(home.admin_token.stat().st_mode) == 0o600
    open_to_all = tmp_path / "open.token"
    open_to_all.write_text(home.admin_token.read_text())
    open_to_all.chmod(0o644)
    assert "is open to other users" in ctl.refused("status", "--token-file", str(open_to_all))
    noise = tmp_path / "noise.token"
    noise.write_text("no token\n")
    noise.chmod(0o600)
    assert ctl.refused("status", "--token-file", str(noise)) == f"{noise}: holds no token"
    noise.write_text("0x0000000000000000\n")
    assert ctl.refused("status", "--token-file", str(noise)).startswith("LLM_STATUS: AuthFailed (5)")


def test_audit(ctl: Runner, home: Home) -> None:
    ctl.good(*STUB)
    shown = ctl.good("audit", "--last", "100")
    assert "llm.load" in shown
    assert "all vouched for by the head record" in shown
    assert home.admin_token.read_text().strip().removeprefix("0x") not in home.audit.read_text()
    lines = home.audit.read_bytes().splitlines(keepends=True)
    home.audit.write_bytes(lines[0].replace(b'"code":0', b'"code":5') + b"".join(lines[1:]))
    ended = ctl("audit")
    assert ended.status == 1
    assert "not whole: " in ended.out


# ---------------------------------------------------------------- llminfer, llmstats


def test_a_prompt(infer: Runner) -> None:
    ended = infer(PROMPT)
    assert (ended.status, ended.out) == (0, SUMMARY + "\n")
    assert re.fullmatch(rf"{len(SUMMARY)} tokens in [\d.]+ ms of device time\n", ended.err)
    streamed = infer(PROMPT, "--stream", "--prio", "2", "--max-tokens", "0x4")
    assert (streamed.status, streamed.out) == (0, SUMMARY[:4] + "\n")
    told = infer(PROMPT, "--json", "--deadline-ns", "1", "--max-tokens", "9").json
    assert (told["state"], told["text"], len(told["tokens"])) == ("done", SUMMARY[:9], 9)
    assert told["metrics"]["missed"] is True
    assert infer("--max-tokens", "3", "--deadline-ns", "1", PROMPT).err.endswith("device time, after its deadline\n")


def test_a_prompt_from_a_pipe(infer: Runner, server: Server) -> None:
    done = subprocess.run(
        [ROOT / "bin" / "llminfer", "-"],
        input=PROMPT.encode() + b" \xff",
        env=environment(server.path),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.decode().startswith(SUMMARY[:12])


def test_the_micro_model_repeats_itself(ctl: Runner, tool: Callable[[Tool], Runner]) -> None:
    """Greedy and seeded runs give the same tokens again; another seed gives others."""
    ctl.good("load")
    infer = tool(llminfer.TOOL)
    words = ("tiers of memory", "--json", "--max-tokens", "16")
    sampled = (*words, "--temperature", "1.5", "--top-k", "200", "--top-p", "0.99", "--seed")
    greedy = [infer(*words).json["tokens"] for _ in range(2)]
    seeded = [infer(*sampled, seed).json["tokens"] for seed in ("3", "3", "4")]
    assert greedy[0] == greedy[1]
    assert seeded[0] == seeded[1] != seeded[2]
    assert tool(llmstats.TOOL)("--json").json["llm_infer_lookups"] > 100, "its K and V are in the device"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x" * 5000], "LLM_INFER_START: PromptTooLong (27)"),
        ([PROMPT, "--max-tokens", "9999"], "LLM_INFER_START: TooManyTokens (28)"),
        ([PROMPT, "--model", "3"], "LLM_INFER_START: NoModel (30)"),
    ],
)
def test_the_gate_refuses(infer: Runner, ctl: Runner, arguments: list[str], message: str) -> None:
    assert infer.refused(*arguments).startswith(message)
    assert ctl("status", "--json").json["rejected"] == 1
    assert infer.good_stdout(PROMPT) == SUMMARY + "\n", "and no buffer was left behind"


def test_no_model(tool: Callable[[Tool], Runner]) -> None:
    said = tool(llminfer.TOOL).refused(PROMPT)
    assert said.startswith("LLM_INFER_START: NoModel (30): 0 models: name one; load a model (`llmctl load`)")


def test_interrupted_inference_is_cancelled(
    server: Server, ctl: Runner, infer: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = System.run_one

    async def slowly(system: System) -> bool:
        time.sleep(0.2)
        return await real(system)

    monkeypatch.setattr(System, "run_one", slowly)
    command = [ROOT / "bin" / "llminfer", PROMPT, "--max-tokens", "96"]
    process = subprocess.Popen(command, env=environment(server.path), stderr=subprocess.PIPE)
    assert settled(lambda: ctl("status", "--json").json["accepted"] == 1)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, b"interrupted\n")
    assert ctl("status", "--json").json["running"] == 0
    entries = ctl("audit", "--json").json["entries"]
    cancelled = [e["object"] for e in entries if e["operation"] == "llm.infer.cancel" and "ended" not in e]
    assert cancelled == ["infer:1"], "by the end of its connection, or by the tool's own frame, whichever came first"


def test_stats(tool: Callable[[Tool], Runner], infer: Runner) -> None:
    infer(PROMPT)
    infer("x" * 5000)
    stats = tool(llmstats.TOOL)
    shown = stats.good()
    assert re.search(rf"llm_tokens_out\s*│\s*{len(SUMMARY)} ", shown)
    assert "PromptTooLong" in shown
    told = stats("--json").json
    assert (told["accepted"], told["rejected"], told["llm_rejects_by_code"]) == (1, 1, {"PromptTooLong": 1})


def test_b9_dropped_bytes_are_shown(ctl: Runner, tool: Callable[[Tool], Runner], server: Server) -> None:
    """Bytes that belonged to no frame, of all connections: in `llmctl status` and `kvctl info`."""
    with Client(server.path) as client:
        client.frames(b"not a frame")
    assert ctl("status", "--json").json["frame_bytes_dropped"] == 11
    assert re.search(r"frame_bytes_dropped\s*│\s*11 ", ctl.good("status"))
    assert tool(kvctl.TOOL)("info", "--json").json["frame_bytes_dropped"] == 11


# ---------------------------------------------------------------- graphctl, det, metrics


def test_graph(tool: Callable[[Tool], Runner]) -> None:
    graph = tool(graphctl.TOOL)
    assert graph.good("show") == "there is no graph\n"
    assert graph.refused("start", "1").startswith("START_GRAPH: NoGraph (3)")
    assert graph.good("create") == "done\n"
    assert graph.refused("create").startswith("CREATE_GRAPH: Exists (18)")
    assert graph.good("channel") == "channel 0\n"
    assert graph("channel", "64", "--json").json == {"channel": 1}
    graph.good("operator", "2", "--out", "0")
    graph.good("operator", "1", "--in", "0", "--out", "1", "--priority", "1", "--stage", "1")
    graph.good("operator", "3", "--in", "1", "--priority", "2", "--in-schema", "0")
    assert graph.refused("operator", "3", "--in", "1").startswith("ADD_OPERATOR: Exists (18)")
    assert graph.good("start", "30") == "30 steps run\n"
    told = graph("show", "--json").json
    assert (told["exists"], told["deterministic"], len(told["operators"]), len(told["channels"])) == (True, False, 3, 2)
    assert "operators" in graph.good("show")


def test_deterministic_mode(tool: Callable[[Tool], Runner]) -> None:
    graph, mode = tool(graphctl.TOOL), tool(det.TOOL)
    assert mode.refused("enable", "50000", "200000").startswith("ENABLE_DETERMINISTIC: NoGraph (3)")
    graph.good("create")
    assert mode.refused("enable", "150000", "200000").startswith("ENABLE_DETERMINISTIC: AdmissionRefused (22)")
    used = mode("enable", "1000", "200000000", "--json").json["used_ppm"]
    assert mode("status", "--json").json["det_used_ppm"] == used
    shown = mode.good("status")
    assert "det_bound_ppm" in shown
    assert "budget ns" in shown
    assert "deterministic mode" in graph.good("show")


def test_metrics(tool: Callable[[Tool], Runner], infer: Runner, tmp_path: Path) -> None:
    infer(PROMPT)
    show = tool(metrics.TOOL)
    schema.check(show("--json").json)
    assert "llm_infer_p95_us" in show.good()
    assert re.search(rf"^llm_tokens_out\S* {len(SUMMARY)}$", show.good("--prometheus"), re.M)
    assert show.good("--save", str(tmp_path / "m.json")) == f"wrote {tmp_path / 'm.json'}\n"
    schema.load(tmp_path / "m.json")
    show.good("--page", str(tmp_path / "m.html"))
    assert "<svg" in (tmp_path / "m.html").read_text()
    assert show.refused("--page", "/proc/no/page.html").startswith("/proc/no/page.html: ")


# ---------------------------------------------------------------- wrong use


MISUSES = [
    (llmctl.TOOL, [], "COMMAND"),
    (llmctl.TOOL, ["boot"], "invalid choice: 'boot'"),
    (llmctl.TOOL, ["load", "--model", "0"], "0: 1 to 4,294,967,295"),
    (llmctl.TOOL, ["load", "--backend", "gpu"], "invalid choice: 'gpu'"),
    (llmctl.TOOL, ["load", "--wcet-cycles", "fast"], "'fast' is no number"),
    (llmctl.TOOL, ["load", "--ctx", "-1"], "'-1' is no number"),
    (llmctl.TOOL, ["unload", "x"], "'x' is no number"),
    (llmctl.TOOL, ["budget", "4", "1", "1"], "4: 0 to 3"),
    (llmctl.TOOL, ["budget", "0"], "budget_ns, period_ns"),
    (llmctl.TOOL, ["budget", "0", "0", "1"], "0: 1 to 18,446,744,073,709,551,615"),
    (llmctl.TOOL, ["budget", "0", "1", "0"], "0: 1 to 18,446,744,073,709,551,615"),
    (llmctl.TOOL, ["budget", "0", "1", "1", "4294967296"], "4294967296: 0 to 4,294,967,295"),
    (llmctl.TOOL, ["status", "now"], "unrecognized arguments: now"),
    (llmctl.TOOL, ["audit", "--last", "0"], "0: 1 to 10,000"),
    (llmctl.TOOL, ["keys", "all"], "unrecognized arguments: all"),
    (llmctl.TOOL, ["grant", "alice"], "--write"),
    (llmctl.TOOL, ["grant", "alice", "--write", "f", "--rights", "root"], "invalid choice: 'root'"),
    (llmctl.TOOL, ["grant", "no holder", "--write", "f"], "'no holder' is not 1 to 64 letters"),
    (llmctl.TOOL, ["grant", "", "--write", "f"], "'' is not 1 to 64 letters"),
    (llmctl.TOOL, ["grant", "alice", "--write", "f", "--objects"], "expected at least one argument"),
    (llmctl.TOOL, ["revoke"], "id"),
    (llmctl.TOOL, ["list", "all"], "unrecognized arguments: all"),
    (llmctl.TOOL, ["cancel"], "infer_id"),
    (llmctl.TOOL, ["revoke", "0"], "0: 1 to 4,294,967,295"),
    (llminfer.TOOL, [], "prompt"),
    (llminfer.TOOL, [""], "a prompt without a byte"),
    (llminfer.TOOL, ["a", "--model", "x"], "'x' is no number"),
    (llminfer.TOOL, ["a", "--deadline-ns", "-1"], "'-1' is no number"),
    (llminfer.TOOL, ["a", "b"], "unrecognized arguments: b"),
    (llminfer.TOOL, ["a", "--max-tokens", "0"], "0: 1 to 65,535"),
    (llminfer.TOOL, ["a", "--prio", "4"], "4: 0 to 3"),
    (llminfer.TOOL, ["a", "--temperature", "warm"], "'warm' is no number"),
    (llminfer.TOOL, ["a", "--temperature", "nan"], "'nan' is no number"),
    (llminfer.TOOL, ["a", "--temperature", "66"], "66: 0 to 65.535"),
    (llminfer.TOOL, ["a", "--top-p", "1.1"], "1.1: 0 to 1"),
    (llminfer.TOOL, ["a", "--top-k", "65536"], "65536: 0 to 65,535"),
    (llminfer.TOOL, ["a", "--seed", "0x10000000000000000"], "0 to 18,446,744,073,709,551,615"),
    (llmstats.TOOL, ["more"], "unrecognized arguments: more"),
    (graphctl.TOOL, [], "COMMAND"),
    (graphctl.TOOL, ["create", "1"], "unrecognized arguments: 1"),
    (graphctl.TOOL, ["channel", "65536"], "65536: 0 to 64"),
    (graphctl.TOOL, ["channel", "63"], "invalid choice: 63 (choose from 0, 64)"),
    (graphctl.TOOL, ["operator", "1", "--in", "3", "--out", "3"], "channel 3 as input and output of one operator"),
    (graphctl.TOOL, ["operator", "1", "--in-schema", "1001"], "--in-schema needs --in"),
    (graphctl.TOOL, ["operator"], "kind"),
    (graphctl.TOOL, ["operator", "1", "--priority", "256"], "256: 0 to 255"),
    (graphctl.TOOL, ["start"], "steps"),
    (graphctl.TOOL, ["show", "x"], "unrecognized arguments: x"),
    (det.TOOL, [], "COMMAND"),
    (det.TOOL, ["enable", "1"], "period_ns"),
    (det.TOOL, ["enable", "0", "1"], "0: 1 to 18,446,744,073,709,551,615"),
    (det.TOOL, ["enable", "1", "0"], "0: 1 to 18,446,744,073,709,551,615"),
    (det.TOOL, ["enable", "1", "10", "11"], "a deadline of 11 ns is over the period, 10 ns"),
    (det.TOOL, ["status", "x"], "unrecognized arguments: x"),
    (metrics.TOOL, ["--prometheus", "--page", "f"], "not allowed with argument"),
    (metrics.TOOL, ["x"], "unrecognized arguments: x"),
]


@pytest.mark.parametrize(("which", "arguments", "message"), MISUSES)
def test_b9_wrong_use(tool: Callable[[Tool], Runner], which: Tool, arguments: list[str], message: str) -> None:
    assert message in tool(which).misused(*arguments)


def test_every_command_has_a_wrong_use() -> None:
    graph = {"create", "channel", "operator", "start", "show"}
    for which, commands in ((llmctl.TOOL, set(llmctl.COMMANDS)), (graphctl.TOOL, graph)):
        assert commands <= {arguments[0] for tool, arguments, _ in MISUSES if tool is which and arguments}


def test_no_server(tool: Callable[[Tool], Runner], tmp_path: Path) -> None:
    for which, arguments in (
        (llmctl.TOOL, ["status"]), (llminfer.TOOL, ["x"]), (llmstats.TOOL, []), (graphctl.TOOL, ["show"]),
        (det.TOOL, ["status"]), (metrics.TOOL, []),
    ):  # fmt: skip
        assert "no device is served here" in tool(which).refused(*arguments, "--socket", str(tmp_path / "none.sock"))
