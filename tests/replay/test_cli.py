"""The command line: figures, table and page of a good run; one clear line and a status for everything else."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import jsonschema
import pytest

from sw.replay.records import Sample, Tally
from tb.replay import on_rtl
from tb.replay.cli import main
from tb.replay.feed import NAME, Update
from tb.replay.options import Options
from tb.run.build import Built
from tb.run.errors import CheckError
from tb.run.paths import ROOT
from tb.sim.feed import Reader, Writer

COUNT = {"type": "integer", "minimum": 0}
RATE = {"type": "number", "minimum": 0, "maximum": 1}
FIGURES = {
    "type": "object",
    "required": [
        "entries", "lanes", "trace", "requests", "references", "hits", "hit_rate", "inserts", "evictions",
        "promotions", "migrations", "refusals", "scans", "comparisons", "mismatches", "cycles", "wall_s",
        "cycles_per_s", "seed", "state", "time", "commit", "clean", "settings",
    ],
    "properties": {
        **dict.fromkeys(
            ["entries", "lanes", "requests", "references", "hits", "inserts", "evictions", "promotions",
             "migrations", "refusals", "scans", "comparisons", "mismatches", "cycles", "seed"], COUNT
        ),
        "trace": {"type": "string"},
        "hit_rate": RATE,
        "wall_s": {"type": "number", "minimum": 0},
        "cycles_per_s": {"type": "number", "minimum": 0},
        "state": {"enum": ["complete", "interrupted", "failed"]},
        "hits_by_tier": {"type": "array", "items": COUNT, "minItems": 4, "maxItems": 4},
    },
}  # fmt: skip
INTERRUPTED = "interrupted: no process is left, the report is partial\n"
LAST_SEED = "2147483647"  # runs of these tests have a folder of their own


def on_model(tmp_path: Path, *arguments: str) -> list[str]:
    return ["--backend", "model", "--entries", "2048", "--lanes", "4", "--report", str(tmp_path), *arguments]


def figures(tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((tmp_path / "sim.json").read_text())
    jsonschema.validate(found, FIGURES)
    return found


def test_good_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(on_model(tmp_path, "--requests", "25", "--seed", "3")) == 0
    found = figures(tmp_path)
    assert found["state"] == "complete"
    assert (found["entries"], found["lanes"], found["seed"]) == (2048, 4, 3)
    assert (found["trace"], found["requests"], found["mismatches"]) == ("generator", 25, 0)
    device = {"backend": "model", "entries": 2048, "lanes": 4, "ports": 3}
    assert found["settings"] == {**device, "trace": "generator", "requests": 25, "block_size": None, "time_unit": None}
    assert found["migrations"] == found["evictions"] + found["promotions"]  # type: ignore[operator]
    assert found["hit_rate"] == round(found["hits"] / found["references"], 6)  # type: ignore[operator]
    assert found["comparisons"] > 3000  # type: ignore[operator]
    shown = capsys.readouterr().out
    for word in ("references", "hit rate", "migrations", "refusals", "cycles", "comparisons", "mismatches"):
        assert word in shown


def test_page_is_self_contained(tmp_path: Path) -> None:
    assert main(on_model(tmp_path, "--requests", "25")) == 0
    page = (tmp_path / "sim.html").read_text()
    assert page.count("<svg") == 5
    for title in ("Tier occupancy", "Hit rate", "Scores", "Migrations"):
        assert f"<h2>{title}</h2>" in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:|index\.html["'])|url\((?!#)|@import""", page), (
        "nothing is fetched"
    )


def test_trace_and_limit(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    line = '{"timestamp": 0, "input_length": 1500, "output_length": 40, "hash_ids": [0, 1, 2]}\n'
    trace.write_text(line * 5 + "broken\n")
    assert main(on_model(tmp_path, "--trace", str(trace), "--requests", "5")) == 0
    found = figures(tmp_path)
    assert (found["trace"], found["requests"], found["references"], found["hits"]) == (str(trace), 5, 15, 12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--requests", "0"], "REQUESTS=0: a whole number from 1 to 10,000,000 is needed"),
        (["--requests", "many"], "REQUESTS=many: a whole number"),
        (["--requests", "-3"], "REQUESTS=-3: a whole number"),
        (["--lanes", "3"], "LANES=3: 4, 8 or 16 is needed"),
        (["--entries", "5000"], "ENTRIES=5000: a power of two from 1,024 to 65,536 is needed"),
        (["--entries", "512"], "ENTRIES=512: a whole number from 1,024 to 65,536 is needed"),
        (["--entries", "131072"], "ENTRIES=131072: a whole number from 1,024 to 65,536 is needed"),
        (["--ports", "9"], "PORTS=9: a whole number from 1 to 8 is needed"),
        (["--seed", "0"], "SEED=0: a whole number from 1 to 2,147,483,647 is needed"),
        (["--seed", "\N{SUPERSCRIPT TWO}"], "SEED=\N{SUPERSCRIPT TWO}: a whole number"),
        (["--backend", "board"], "BACKEND=board: rtl or model is needed"),
        (["--steps", "3"], "unrecognized arguments: --steps 3"),
        (["--trace", ""], "TRACE=: a file is needed"),
        (["--trace", "none.jsonl"], "trace none.jsonl: no such file or directory"),
        (["--cxx", "no-such-compiler"], "no-such-compiler"),
        (["--trace", "x", "--time-unit", "h"], "TIME_UNIT=h: ms or s is needed"),
        (["--trace", "x", "--block-size", "0"], "BLOCK_SIZE=0: a whole number from 1 to 65,536 is needed"),
        (["--block-size", "16"], "BLOCK_SIZE has no effect without TRACE"),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str) -> None:
    assert main(["--report", str(tmp_path), *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert not (tmp_path / "sim.json").exists()


def test_bad_trace(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    trace.write_text('{"timestamp": 0}\n')
    assert main(on_model(tmp_path, "--trace", str(trace))) == 2
    assert capsys.readouterr().err == f"error: trace {trace}:1: no `input_length`\n"


@pytest.mark.parametrize("backend", ["rtl", "model"])
def test_f2_a_pipe_starts_nothing(tmp_path: Path, backend: str) -> None:
    command = f"cat | {sys.executable} -m tb.replay --trace /dev/stdin --backend {backend} --report {tmp_path}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, input="{}\n", capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: trace /dev/stdin: a pipe or a device, and a trace is read twice")
    assert done.stdout == ""


def test_f2_a_prompt_larger_than_the_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "t.jsonl"
    ids = list(range(70_000))
    trace.write_text(
        json.dumps({"timestamp": 0, "input_length": 70_000 * 512, "output_length": 1, "hash_ids": ids}) + "\n"
    )
    assert main(["--trace", str(trace), "--report", str(tmp_path)]) == 2
    said = "request 1 has 70,000 blocks, and a device of 65,536 entries holds prompts of up to 49,152"
    assert capsys.readouterr() == ("", f"error: trace {said}\n")


def test_f2_a_block_size_that_is_assumed_is_said_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "t.jsonl"
    line = {"timestamp": 0, "input_length": 1000, "output_length": 20, "hash_ids": [1, 2]}
    trace.write_text("".join(json.dumps({**line, "timestamp": n * 400}) + "\n" for n in range(4)))
    assert main(on_model(tmp_path, "--trace", str(trace))) == 0
    said = capsys.readouterr().out.splitlines()
    assert "no block size in it, so one block is taken for 512 tokens" in "".join(said[:4]).replace("\n", "")
    assert main(on_model(tmp_path, "--trace", str(trace), "--block-size", "512")) == 0
    assert "no block size in it" not in capsys.readouterr().out


def test_f2_blocks_of_16_tokens(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    ids = list(range(63))
    line = {"timestamp": 0, "input_length": 1000, "output_length": 20, "hash_ids": ids, "block_size": 16}
    trace.write_text("".join(json.dumps({**line, "timestamp": n * 400}) + "\n" for n in range(4)))
    assert main(on_model(tmp_path, "--trace", str(trace))) == 0
    found = figures(tmp_path)
    assert (found["trace_block_tokens"], found["references"], found["drops"]) == (16, 252, 0)


def test_difference(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that fails: status 1, one line, and reports that say so."""
    monkeypatch.setattr("sw.replay.device.kv_bytes", lambda *_: b"\0" * 4096)
    monkeypatch.setattr("model.memory.TierMemory.read", lambda _self, _tier, _address, length: b"\1" * length)
    assert main(on_model(tmp_path, "--requests", "25")) == 1
    shown = capsys.readouterr()
    errors = shown.err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("error: KV bytes block=")
    assert "repeat: make sim REQUESTS=25 SEED=1 ENTRIES=2048 LANES=4 BACKEND=model\n" in shown.out
    found = figures(tmp_path)
    assert (found["state"], found["mismatches"]) == ("failed", 1)
    assert "the figures are partial" in (tmp_path / "sim.html").read_text()


# ---------------------------------------------------------------- processes


def started(command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def interrupt(process: "subprocess.Popen[str]") -> tuple[float, str]:
    """Ctrl-C: (seconds to the end, stderr)."""
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    return time.monotonic() - begun, errors


def test_interrupted(tmp_path: Path) -> None:
    (tmp_path / "sim.html").write_text("of another run")
    process = started([sys.executable, "-m", "tb.replay", *on_model(tmp_path, "--requests", "2000")])
    assert process.stdout
    assert process.stdout.readline() == "0/2000 requests  starting\n"
    time.sleep(0.5)
    assert process.poll() is None
    seconds, errors = interrupt(process)
    assert process.returncode == 130
    assert errors == INTERRUPTED
    assert seconds < 3
    assert figures(tmp_path)["state"] == "interrupted"
    assert not (tmp_path / "sim.html").exists()


FAKE = """
    import sys
    from pathlib import Path
    from tb.replay import cli, on_rtl
    from tb.run.build import Built

    on_rtl.build = lambda spec, say: Built(Path(sys.argv[1]), "vcd", True, "fake")
    sys.exit(cli.main(sys.argv[2:]))
"""


def fake_front(tmp_path: Path, simulator: str, *arguments: str) -> list[str]:
    """The front with a shell script in the place of the simulator."""
    program = tmp_path / "simulator"
    program.write_text("#!/bin/sh\n" + simulator)
    program.chmod(0o755)
    rest = ["--report", str(tmp_path), "--seed", LAST_SEED, *arguments]
    return [sys.executable, "-c", textwrap.dedent(FAKE), str(program), *rest]


def alive(marker: str) -> bool:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return any(line.startswith(("sleep", "/bin/sleep")) and marker in line for line in listed.splitlines())


def test_interrupted_simulator_leaves_nothing(tmp_path: Path) -> None:
    process = started(fake_front(tmp_path, "sleep 4713 &\nsleep 4713\n"))
    for _ in range(100):
        time.sleep(0.1)
        if alive("4713"):
            break
    else:
        pytest.fail("the simulator was not started")
    seconds, errors = interrupt(process)
    assert process.returncode == 130
    assert errors == INTERRUPTED
    assert seconds < 3
    assert not alive("4713")
    assert figures(tmp_path)["state"] == "interrupted"


@pytest.mark.parametrize("script", ["kill -SEGV $$\n", "exit 3\n", "echo nothing\n"])
def test_simulator_dies(tmp_path: Path, script: str) -> None:
    done = subprocess.run(fake_front(tmp_path, script), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert "sim.log" in lines[0]
    assert figures(tmp_path)["state"] == "failed"


# ---------------------------------------------------------------- parts


def test_sizes_reach_the_build() -> None:
    job = on_rtl.job_for(Options(entries=2048, lanes=8, ports=2, requests=7, trace=Path("a.jsonl"), seed=5))
    assert job.leg.spec.parameters == {**job.leg.top.spec.parameters, "ENTRIES": 2048, "LANES": 8, "PORTS": 2}
    source = {"trace": str(Path("a.jsonl").resolve()), "requests": 7, "block_size": None, "time_unit": None}
    assert job.leg.settings == source
    assert job.seed == 5


def test_feed(tmp_path: Path) -> None:
    reader = Reader(tmp_path / NAME, Update.parse)
    assert list(reader.new()) == []
    writer = Writer(tmp_path / NAME)
    sample = Sample(1, 20_000, 2, 3, 4, 5, 6, [1, 2, 3, 0], [7, 0, 0, 0], 8, 9, 264, [1, 65535])
    updates = [Update(None, Tally(), 0, 0), Update(sample, Tally(requests=4, completions={"OK": 3}), 100, 0)]
    writer.write(updates[0])
    assert list(reader.new()) == updates[:1]
    with (tmp_path / NAME).open("a") as half:
        half.write(updates[1].line()[:30])
    assert list(reader.new()) == []
    with (tmp_path / NAME).open("a") as rest:
        rest.write(updates[1].line()[30:] + "\n")
    assert list(reader.new()) == updates[1:]


def test_verdict_of_a_fake_simulator() -> None:
    """Exit status 0 alone is no pass."""
    job = on_rtl.job_for(Options(seed=int(LAST_SEED)))
    with pytest.raises(CheckError):
        on_rtl.replay(job, Built(Path("/bin/true"), "vcd", True, "fake"), lambda _: None)


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b"\xff", b'{"sample": 1}'])
def test_d1_a_damaged_line_of_the_feed_is_named_and_left_out(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / NAME
    update = Update(None, Tally(), 1, 0)
    good = update.line().encode()
    path.write_bytes(good + b"\n" + line + b"\n" + good + b"\n")
    reader = Reader(path, Update.parse)
    assert list(reader.new()) == [update, update]
    assert reader.damaged == f"{path}:2 is damaged"
