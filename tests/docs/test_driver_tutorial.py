"""docs/tutorials/driver.md, step by step: its program, its bug, its mend, as the page prints them."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from sw.uapi.build import NoCompiler, build, find_compiler
from tb.run.paths import ROOT
from tests.node.serving import environment, serving

PAGE = (ROOT / "docs" / "tutorials" / "driver.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.S | re.M)


def _block(language: str, containing: str) -> str:
    (text,) = (text for kind, text in BLOCKS if kind == language and containing in text)
    return text


def _run(commands: str, socket: Path, folder: Path) -> str:
    """The page's build and run commands, in a folder of their own; what the program prints, stderr first."""
    out = ""
    for line in commands.splitlines():
        environ = environment(socket)
        words = shlex.split(line.replace("sw/include", str(ROOT / "sw" / "include")))
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            environ[name] = str(ROOT / value)
        ended = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 0, ended.stderr
        out += ended.stderr + ended.stdout
    return out


@pytest.fixture
def commands() -> str:
    try:
        find_compiler("cc")
    except NoCompiler:
        pytest.skip("the tutorial calls cc, which this machine does not have")
    build()
    return _block("", "cc -std=c11")


def test_the_program_shows_the_bug_and_its_mend(commands: str, tmp_path: Path) -> None:
    source = _block("c", "int main")
    wrong = re.search(r"^    struct kvcpu_weights weights = .*\n", source, re.M)
    assert wrong is not None
    mended = source.replace(wrong[0], _block("c", ".evict_thresh = 2048"))
    with serving(tmp_path / "node") as server:
        for text, containing in ((source, "Invalid argument"), (mended, "evict below 2048")):
            (tmp_path / "first.c").write_text(text)
            assert _run(commands, server.path, tmp_path) == _block("", containing)
