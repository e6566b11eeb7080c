"""Runs a tool in the test's process, as its script does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sw.tools.common import Tool, main
from sw.uapi.place import VARIABLE


@dataclass(frozen=True)
class Ended:
    """How a tool ended: exit status, stdout, stderr."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result of `--json`, one line."""
        assert len(self.out.splitlines()) == 1, self.out
        return json.loads(self.out)


@dataclass
class Runner:
    """Calls of one tool against one node."""

    tool: Tool
    socket: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: str) -> Ended:
        self.monkeypatch.setenv(VARIABLE, str(self.socket))
        self.capsys.readouterr()
        status = main(self.tool, arguments)
        return Ended(status, *self.capsys.readouterr())

    def good(self, *arguments: str) -> str:
        """What it prints; it must end well."""
        ended = self(*arguments)
        assert (ended.status, ended.err) == (0, ""), ended
        return ended.out

    def good_stdout(self, *arguments: str) -> str:
        """What it prints on stdout; stderr may say more."""
        ended = self(*arguments)
        assert ended.status == 0, ended
        return ended.out

    def refused(self, *arguments: str) -> str:
        """The one line on stderr of a refusal."""
        ended = self(*arguments)
        assert (ended.status, ended.out) == (1, ""), ended
        (line,) = ended.err.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")

    def misused(self, *arguments: str) -> str:
        """The complaint of a wrong use: usage first, nothing on stdout."""
        ended = self(*arguments)
        assert (ended.status, ended.out) == (2, ""), ended
        assert ended.err.startswith("usage: ")
        return ended.err.splitlines()[-1]
