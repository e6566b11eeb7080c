"""kvsh: scripts from a pipe, the interactive shell at a terminal; and `make llm-quick`, which is such a script."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sw.llm.stub import summarize
from sw.node.server import Server
from sw.tools import kvsh
from sw.tools.common import Tool
from tb.run.paths import ROOT
from tests.node.serving import environment
from tests.tools.running import Runner

PROMPT = "The KV cache of a long prompt is moved between memory tiers."
SUMMARY = summarize(PROMPT.encode()).decode()


def test_script(tool: Callable[[Tool], Runner], monkeypatch: pytest.MonkeyPatch) -> None:
    shell = tool(kvsh.TOOL)

    def run(text: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        ended = shell()
        return ended.status, ended.out, ended.err

    status, out, _ = run(f"# comment\n\nllmctl load --backend stub\nllminfer '{PROMPT}'\nkvctl step 7\n")
    assert status == 0
    assert out.splitlines()[1] == SUMMARY
    assert out.splitlines()[2].startswith("step 7: ")
    status, out, err = run("kvctl step 8\nkvctl lookup --kv 1:0:0:0\nkvctl step 9\n")
    assert (status, len(out.splitlines()), err) == (1, 1, "error: 1:0:0:0 is not in the directory\n")
    assert run("kvctl step 9\nexit\nkvctl step x\n")[0] == 0
    assert run("melt\n") == (2, "", "error: no command `melt`: help lists them\n")
    assert run("kvctl 'step\n") == (2, "", "error: no closing quotation\n")
    assert run("kvctl step x\n")[0] == 2
    status, out, _ = run("help\n")
    assert status == 0
    assert all(name in out for name in kvsh.TOOLS)
    status, out, _ = run("kvctl step 3 --json\nkvctl step 4\n")
    assert json.loads(out.splitlines()[0])["step"] == 3
    assert out.splitlines()[1].startswith("step 4: "), "--json is for its command alone"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("kvctl pre", "prefetch"),
        ("kvctl prefetch --k", "--kv"),
        ("llminfer --temp", "--temperature"),
        ("det ena", "enable"),
        ("kvsh --comp", "--completion"),
    ],
)
def test_bash_completes_every_tool(typed: str, expected: str, tmp_path: Path) -> None:
    """What a user's bash proposes after `eval "$(kvsh --completion bash)"`."""
    script = r"""
    eval "$("$0" --completion bash)"
    COMP_WORDS=($1); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); COMP_LINE=$1; COMP_POINT=${#1}
    complete -p "${COMP_WORDS[0]}" > /dev/null || exit 1
    "_shtab_${COMP_WORDS[0]}" "${COMP_WORDS[0]}" "${COMP_WORDS[$COMP_CWORD]}"
    printf '%s\n' "${COMPREPLY[@]}"
    """
    command = ["bash", "--norc", "-c", script, str(ROOT / "bin" / "kvsh"), typed]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path), check=False)
    assert expected in done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("words", "some"),
    [
        ([], {"kvctl", "llmctl", "help", "exit"}),
        (["kvctl"], {"step", "hot", "explain", "--json"}),
        (["kvctl", "dump"], {"--tier", "--request"}),
        (["llmctl", "load", "--backend"], {"micro", "stub"}),
        (["llminfer"], {"--stream", "--prio"}),
        (["what"], set()),
    ],
)
def test_completion(words: list[str], some: set[str]) -> None:
    assert some <= set(kvsh.words_after(words))


class Terminal:
    """A shell at the other end of a pseudo terminal."""

    def __init__(self, server: Server, state: Path) -> None:
        env = environment(server.path, TERM="xterm", XDG_STATE_HOME=str(state), PROMPT_TOOLKIT_NO_CPR="1")
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(str(ROOT / "bin" / "kvsh"), ["kvsh"], env)
        self.seen = b""

    def expect(self, *texts: bytes) -> None:
        """Read until the texts have come, one after the other."""
        end = time.monotonic() + 30
        for text in texts:
            while text not in self.seen:
                assert time.monotonic() < end, (text, self.seen)
                if select.select([self.terminal], [], [], 0.1)[0]:
                    self.seen += os.read(self.terminal, 4096)
            self.seen = self.seen[self.seen.index(text) + len(text) :]

    def type(self, text: bytes) -> None:
        os.write(self.terminal, text)

    def end(self) -> int:
        """The exit status."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def test_interactive(server: Server, tmp_path: Path) -> None:
    """At a terminal: completion with Tab, history, Ctrl-C gives up the line, Ctrl-D leaves with the last status."""
    shell = Terminal(server, tmp_path / "state")
    shell.expect(b"kv>")
    shell.type(b"kvctl st\t")
    shell.expect(b"step", b"stats")
    shell.type(b"\x03")
    shell.expect(b"kv>", b"kv>")
    shell.type(b"kvctl step 5\r")
    shell.expect(b"step 5: scan of", b"kv>")
    shell.type(b"melt\r")
    shell.expect(b"no command `melt`", b"kv>")
    shell.type(b"\x04")
    assert shell.end() == 2
    history = tmp_path / "state" / "kvcpu" / "history"
    assert "kvctl step 5" in history.read_text()
    assert "kvctl st\n" not in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_interactive_command_is_interrupted(server: Server, tmp_path: Path) -> None:
    """Ctrl-C ends the command and not the shell; the next one works."""
    shell = Terminal(server, tmp_path / "state")
    shell.expect(b"kv>")
    shell.type(b"kvctl run 1000000000000000\r")
    time.sleep(0.5)
    shell.type(b"\x03")
    shell.expect(b"interrupted", b"kv>")
    shell.type(b"kvctl step 6\r")
    shell.expect(b"step 6: scan of", b"kv>")
    shell.type(b"exit\r")
    assert shell.end() == 0


# ---------------------------------------------------------------- make llm-quick


def test_llm_quick() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sw.tools.quick"], cwd=ROOT, env=environment(Path("/nowhere")), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "cache prompt moved between memory tiers decodes" in done.stdout
    assert done.stdout.endswith("llm-quick: prompt done, metrics valid against their schema, audit log whole\n")
    refused = subprocess.run(
        [sys.executable, "-m", "sw.tools.quick", "--prompt", "x" * 5000], cwd=ROOT, env=environment(Path("/nowhere")),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: LLM_INFER_START: PromptTooLong (27)")
