"""A3, A4: what docs/debugging.md and docs/verification.md name exists, and their commands are ones that work."""

import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tb import eventlog
from tb.events.log import EventLog
from tb.make import plan
from tb.run.manifest import load
from tb.run.paths import ROOT
from tb.run.selection import FAILED, chosen
from tests.infra.test_waves import TOPS, elaborated, exists

GUIDES = ("docs/debugging.md", "docs/verification.md")
SIZES = {"ENTRIES": 1024, "LANES": 4, "PORTS": 1, "BLOCK_TOKENS": 16}


def blocks(language: str) -> Iterator[str]:
    """Lines of the guides' blocks in a language, without comments."""
    for guide in GUIDES:
        for block in re.findall(rf"```{language}\n(.*?)```", (ROOT / guide).read_text(), re.S):
            yield from (line.split("  #")[0].strip() for line in block.splitlines())


def test_a3_signals_of_the_guide_exist() -> None:
    named = set(re.findall(r"`(u_[a-z0-9_.\[\]]+|[a-z_]+_valid|[a-z_]+_ready)`", (ROOT / GUIDES[0]).read_text()))
    assert len(named) > 15
    _, compilation = elaborated(TOPS["kvcpu"])
    assert not [name for name in named if not exists(compilation, "kvcpu_tb", f"u_dut.{name}")]


@pytest.mark.parametrize("command", sorted({line for line in blocks("sh") if line.startswith("make ")}))
def test_a4_make_commands_of_the_guides(command: str) -> None:
    _, target, *assignments = shlex.split(command)
    given = dict(assignment.split("=", 1) for assignment in assignments)
    assert plan(target, given)
    if given.get("TEST", FAILED) != FAILED:
        assert chosen(load(), given["TEST"], None, 1)


@pytest.mark.parametrize("command", sorted({line for line in blocks("sh") if line.startswith(".venv/bin/python ")}))
def test_a4_event_log_commands_of_the_guides(command: str, tmp_path: Path) -> None:
    log = tmp_path / "events.sqlite"
    EventLog(log, SIZES).close()
    words = [str(log) if word.endswith(".sqlite") else word for word in shlex.split(command)]
    assert words[:3] == [".venv/bin/python", "-m", "tb.eventlog"]
    assert eventlog.main(words[3:]) == 0


def test_a4_queries_of_the_guide(tmp_path: Path) -> None:
    EventLog(tmp_path / "log", SIZES).close()
    queries = [line for line in blocks("sql") if line]
    assert len(queries) >= 3
    with sqlite3.connect(tmp_path / "log") as db:
        for query in queries:
            assert db.execute(query).fetchall() == []
