"""C4: the tools' text on any standard stream: other encodings, closed, full, narrow, no terminal; Ctrl-C."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from sw.node.server import Server
from sw.terminal import command_line, new_console, visible
from sw.tools import __main__ as by_name
from sw.tools import kvsh
from sw.tools.common import Session
from sw.tools.tables import fit_widths, print_table
from tb.run.paths import ROOT
from tests.node.serving import environment

BIN = ROOT / "bin"
SCRIPT = """
kvctl step 3
kvctl insert --kv 1:0:0:0 --tier 1
kvctl dump
kvctl stats
kvctl explain --kv 1:0:0:0
llmctl load --backend stub
llminfer "caf\u00e9 \u2014 moves between memory tiers, and moves again"
llmstats
metrics
det status
graphctl show
llmctl keys
llmctl audit
"""


def run(server: Server, command: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """A shell command with the tools on its path."""
    env = environment(server.path, PATH=f"{BIN}:{os.environ['PATH']}", **more)
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], env=env, capture_output=True, timeout=60, check=False
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8", "ascii:strict"])
def test_c4_any_encoding(server: Server, script: Path, encoding: str) -> None:
    """Every kind of output: tables, text of a model, JSON; and a script and a prompt that are not ASCII on stdin."""
    for line in (f"kvsh < {script}", "llminfer - < " + str(script), "kvctl info --json", "kvctl 'caf\u00e9'"):
        done = run(server, line, PYTHONIOENCODING=encoding)
        assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
        assert done.returncode == (2 if "caf" in line else 0), done.stderr
        done.stdout.decode(encoding.partition(":")[0])


def test_c4_tables_are_ascii_where_the_encoding_is(server: Server) -> None:
    done = run(server, "kvctl weights", PYTHONIOENCODING="ascii")
    assert b"| w_r " in done.stdout
    assert "│ w_r" in run(server, "kvctl weights", PYTHONIOENCODING="utf-8").stdout.decode()


@pytest.mark.parametrize(
    ("line", "status", "errors"),
    [
        ("kvctl stats >&-", 0, b""),
        ("kvctl step 4 >&- 2>&-", 0, b""),
        ("kvsh <&-", 0, b""),
        ("kvctl melt 2>&-", 2, b""),
        ("kvctl stats > /dev/full", 1, b"error: output: no space left on device\n"),
        ("kvctl info --json > /dev/full", 1, b"error: output: no space left on device\n"),
        ("metrics --prometheus > /dev/full", 1, b"error: output: no space left on device\n"),
        ("metrics --prometheus | true", 1, b""),
        ("kvctl watch --json --interval 0.01 --count 500 | head -1 > /dev/null", 1, b""),
        ("kvctl stats | true", 1, b""),
        ("kvctl --help | true", 1, b""),
        ("TERM=dumb kvctl stats > /dev/null", 0, b""),
        ("env -u TERM kvctl stats > /dev/null", 0, b""),
        ("COLUMNS=0 kvctl stats > /dev/null", 0, b""),
        ("COLUMNS=1 kvctl stats > /dev/null", 0, b""),
        ("COLUMNS=x kvctl stats > /dev/null", 0, b""),
    ],
)
def test_c4_streams_that_are_closed_or_full(server: Server, line: str, status: int, errors: bytes) -> None:
    done = run(server, line)
    assert (done.returncode, done.stderr, done.stdout) == (status, errors, b"")


def test_c4_names_are_printed_literally(server: Server, tmp_path: Path) -> None:
    """Neither markup nor emoji codes nor control sequences of a name do anything, on stdout and on stderr."""
    name = "[bold red]x[b]:smile:\x1b[2J\x9b\u202e"
    seen = "[bold red]x[b]:smile:\\x1b[2J\\x9b\\u202e"
    done = run(server, f"metrics --save {tmp_path}/x{shell(name)}")
    assert (done.stdout.decode(), done.stderr) == (f"wrote {tmp_path}/x{seen}\n", b"")
    for line in (f"kvctl {shell(name)}", f"kvctl info {shell(name)}", f"llmctl load {shell(name)}",
                 f"llmctl load --token-file {shell(name)}", f"kvctl info --socket {shell(name)}",
                 f"echo {shell(name)} | kvsh"):  # fmt: skip
        done = run(server, line)
        assert done.returncode in (1, 2), line
        assert not {char for char in done.stderr.decode() if not char.isprintable()} - {"\n"}, line
    undecodable = run(server, "llmctl load $'\\xff.kvm'")
    assert undecodable.stderr == b"error: \\xff.kvm: no such file or directory\n"


def shell(text: str) -> str:
    """A word for the shell."""
    return "'" + text.replace("'", "'\\''") + "'"


@pytest.mark.parametrize("tool", by_name.NAMES)
def test_c4_interrupted_while_it_is_imported(tmp_path: Path, tool: str) -> None:
    """Ctrl-C before a tool's own code has begun; here it comes while a module of its is imported."""
    (tmp_path / "rich.py").write_text("raise KeyboardInterrupt")
    command = [sys.executable, "-P", str(ROOT / "sw/tools/__main__.py"), tool]
    env = environment(Path("/nowhere"), PYTHONPATH=f"{tmp_path}:{ROOT}")
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_tools_by_name(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(by_name.NAMES) == {*kvsh.TOOLS, kvsh.TOOL.name} == {path.name for path in BIN.iterdir()}
    for arguments in ([], ["melt"]):
        monkeypatch.setattr(sys, "argv", ["x", *arguments])
        assert by_name.run() == 2
        assert capsys.readouterr().err.startswith("usage: ")


# ---------------------------------------------------------------- the helper itself


def test_visible() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert visible("a\x1b[2Jb\n\tc\x07\x9b\u202e\u00e9", keep="\n\t") == "a\\x1b[2Jb\n\tc\\x07\\x9b\\u202e\u00e9"
    assert visible("\u00e9\u20ac\udcff\n", stream=stream) == "\\xe9\\u20ac\\xff\\n"


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    def raising(error: BaseException) -> Callable[[], int]:
        def body() -> int:
            raise error

        return body

    assert command_line(lambda: 7) == 7
    assert command_line(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "interrupted\n"
    with pytest.raises(SystemExit):
        command_line(raising(SystemExit(2)))


# ---------------------------------------------------------------- narrow tables


def test_a6_words_are_never_broken() -> None:
    """Where words do not fit next to each other the table becomes records; numbers stay whole at every width."""
    rows = [(1, "llm.infer", 123_456_789_012, "tokens=12 bytes=4096"), (22, "a" * 30, None, "")]
    words = ["123,456,789,012", "llm.infer", "tokens=12", "bytes=4096", "a" * 30]
    for width in range(20, 200):
        console = Console(file=io.StringIO(), width=width, markup=False, soft_wrap=True)
        print_table(console, ("seq", "operation", "time in ns", "counts"), rows, "log")
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert all(word in text for word in words), (width, text)
        if width >= 45:
            assert max(map(len, text.splitlines())) <= width, (width, text)


def test_fit_widths() -> None:
    assert fit_widths(["a", "b"], [["1234", "one two three"]], 20) == [4, 13]
    assert fit_widths(["a", "b"], [["1234", "one two three"]], 12) == [4, 8]
    assert fit_widths(["a", "b"], [["1234", "one two three"]], 8) is None


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize(
    "line", ["det status", "llmctl audit", "llmctl keys", "llmctl status", "llmstats", "metrics", "graphctl show",
             "kvctl stats", "kvctl dump", "kvctl explain --kv 1:0:0:0", "kvctl info", "kvctl telemetry"],
)  # fmt: skip
def test_a6_narrow_terminals(server: Server, script: Path, columns: int, line: str) -> None:
    """Every number and word of the wide output is whole in the narrow one."""
    assert run(server, f"kvsh < {script}; graphctl create; graphctl channel").returncode == 0
    seen = [set(run(server, line, COLUMNS=str(width)).stdout.decode().split()) for width in (400, columns, 400)]
    words = {word for word in seen[0] & seen[2] if word[0].isalnum()}  # without times, which go on
    assert len(words) > 5
    assert not words - seen[1]


def test_new_console_takes_text_literally(capsys: pytest.CaptureFixture[str]) -> None:
    console = new_console()
    console.print("[bold]:smile:[/bold]")
    session = Session(console=console)
    session.pairs([("[red]", "[/b]")])
    session.table(("[red]",), [("[/b]",)], title="[/i]")
    out = capsys.readouterr().out
    assert out.startswith("[bold]:smile:[/bold]\n")
    assert all(text in out for text in ("[red]", "[/b]", "[/i]"))
