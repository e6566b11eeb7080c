"""The sessions of the guides, run word for word: fenced blocks with lines that begin with `$ `.

What a command prints is compared with what the guide shows. The guides' figures are of the full-size RTL, so these
are left out of the comparison, and nothing else:

- figures of simulated time: `N cycles`, `N ns`, `N ms of device time`;
- of `make serve`: the backend's name, folders, and the line with which it ends.

`python -m tb.serve.sessions` runs docs/tools.md's session on a served device and prints what came.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tb.run.command import run_command
from tb.run.paths import ROOT

GUIDES = ("README.md", "docs/tools.md")
COLUMNS = 80
LIMIT_S = 300.0
_MARK = "@@ended@@"
_TIMES = re.compile(r"[\d,]+(?:\.\d+)? (cycles|ns|ms of device time)\b")
_FOLDER = re.compile(r"(?<=[ =])[^\s<]*/")


@dataclass(frozen=True)
class Command:
    """A command of a guide.

    Attributes:
        guide: the file.
        line: of the command in it.
        text: as a user types it.
        shown: what the guide says that it prints.
    """

    guide: str
    line: int
    text: str
    shown: tuple[str, ...]


def session(guide: str) -> list[Command]:
    """The commands of a guide's sessions, in order; what a served device is asked for, without `make serve` itself."""
    return [command for command in commands(guide) if not command.text.startswith("make ")]


def commands(guide: str) -> list[Command]:
    """Every command of a guide's sessions, in order."""
    found: list[Command] = []
    inside = open_ = False
    for number, line in enumerate((ROOT / guide).read_text().splitlines(), 1):
        if line.startswith("```"):
            inside, open_ = not inside, False
        elif inside and line.startswith("$ "):
            found.append(Command(guide, number, line[2:], ()))
            open_ = True
        elif inside and open_:
            last = found.pop()
            found.append(Command(guide, last.line, last.text, (*last.shown, line)))
    return found


def run(wanted: Sequence[Command], env: dict[str, str]) -> list[tuple[int, list[str]]]:
    """Run commands one after the other in one shell, in the project's folder: exit status and lines of each.

    Raises:
        subprocess.TimeoutExpired: they do not end.
    """
    script = "".join(f"{command.text}\nprintf '\\n{_MARK}%d\\n' $?\n" for command in wanted)
    done = subprocess.run(
        ["bash", "--norc"], input=script, cwd=ROOT, env={**env, "COLUMNS": str(COLUMNS)}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    parts = re.split(rf"\n{_MARK}(\d+)\n", done.stdout)
    return [(int(status), text.splitlines()) for text, status in zip(parts[::2], parts[1::2], strict=False)]


def comparable(line: str) -> str:
    """A line without what may differ between the device of the guide and another one."""
    return _TIMES.sub(r"# \1", line).rstrip()


def comparable_start(line: str) -> str:
    """The same of what `make serve` prints."""
    return _FOLDER.sub("", re.sub(r"^serving \w+", "serving #", line)).rstrip()


def _session() -> int:
    """Run the session of docs/tools.md on the node of the environment, after a model that was loaded before."""
    env = dict(os.environ)
    subprocess.run([ROOT / "bin" / "llmctl", "unload"], env=env, capture_output=True, check=False)
    wanted = session("docs/tools.md")
    ended = run(wanted, env)
    for command, (_, lines) in zip(wanted, ended, strict=True):
        print("\n".join([f"$ {command.text}", *lines]))
    return next((status for status, _ in ended if status), 0)


def main() -> int:
    """Entry point; returns the exit status."""
    return run_command(_session)


if __name__ == "__main__":
    sys.exit(main())
