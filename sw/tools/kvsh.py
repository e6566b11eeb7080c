"""kvsh: every tool in one shell, with history and completion; from a pipe, commands one after the other."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from sw.terminal import INTERRUPTED, complain
from sw.tools import det, graphctl, kvctl, llmctl, llminfer, llmstats, metrics
from sw.tools.common import Parser, Session, Tool, invoke, main

TOOLS = {tool.name: tool for tool in (m.TOOL for m in (kvctl, llmctl, llminfer, llmstats, graphctl, det, metrics))}
LEAVE = ("exit", "quit")
SHELLS = ("bash", "zsh")
HELP = "help"
_PROMPT = "kv> "


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="kvsh", description=__doc__)
    parser.epilog = f"commands: {', '.join(TOOLS)}, help, exit"
    parser.add_argument(
        "--completion", choices=SHELLS, help='print the completion of all tools: eval "$(kvsh --completion bash)"'
    )
    return parser


def completion(shell: str) -> str:
    """A script for a user's shell that completes the commands and options of every tool."""
    import shtab  # the shell itself does not need it

    return "\n".join(shtab.complete(tool.parser(), shell=shell) for tool in (*TOOLS.values(), TOOL))


def _help(session: Session) -> None:
    for name, tool in TOOLS.items():
        session.line(f"{name:9} {(tool.parser().description or '').removeprefix(f'{name}: ')}")
    session.line("COMMAND --help tells more; exit or Ctrl-D leaves")


def run_line(line: str, session: Session) -> int | None:
    """Run one line; returns the exit status, or None to leave the shell."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        complain(f"error: {str(error).lower()}")
        return 2
    if not words:
        return 0
    name, *arguments = words
    if name in LEAVE:
        return None
    if name == HELP:
        _help(session)
        return 0
    if name not in TOOLS:
        complain(f"error: no command `{name}`: help lists them")
        return 2
    try:
        return invoke(TOOLS[name], arguments, session)
    except KeyboardInterrupt:
        session.close()  # the answer of an abandoned command must not be the next command's
        complain("interrupted")
        return INTERRUPTED


def run_script(lines: Iterable[str], session: Session) -> int:
    """Run lines up to the first that fails; returns its status."""
    for line in lines:
        status = run_line(line, session)
        if status is None:
            return 0
        if status:
            return status
    return 0


# ---------------------------------------------------------------- interactive


def words_after(words: list[str]) -> list[str]:
    """What may follow these words of a line: tools, their commands, their options."""
    if not words:
        return [*TOOLS, HELP, *LEAVE]
    if words[0] not in TOOLS:
        return []
    parser = TOOLS[words[0]].parser()
    for word in words[1:]:
        parser = _commands(parser).get(word, parser)
    options = [text for action in parser._actions for text in action.option_strings if text.startswith("--")]
    choices = [str(choice) for action in parser._actions for choice in _choices(action, words)]
    return [*_commands(parser), *choices, *options]


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _choices(action: argparse.Action, words: list[str]) -> Iterable[object]:
    """Values of the option that the last word names."""
    wanted = bool(words) and words[-1] in action.option_strings
    return action.choices if wanted and action.choices and not isinstance(action.choices, dict) else ()


def _history() -> Path:
    """A file that its owner alone may read: it holds what was typed."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kvcpu"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state / "history"
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def interactive(session: Session) -> int:
    """Read lines from the terminal until `exit` or Ctrl-D; returns the last status."""
    from prompt_toolkit import PromptSession  # slow to import, and scripts do not need it
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    class Words(Completer):
        def get_completions(self, document: Document, _: CompleteEvent) -> Iterable[Completion]:
            typed = document.text_before_cursor.split()
            begun = "" if document.text_before_cursor.endswith(" ") or not typed else typed.pop()
            for word in words_after(typed):
                if word.startswith(begun):
                    yield Completion(word, start_position=-len(begun))

    try:
        history: History = FileHistory(str(_history()))
    except OSError:
        history = InMemoryHistory()
    prompt: PromptSession[str] = PromptSession(_PROMPT, history=history, completer=Words(), complete_while_typing=False)
    status = 0
    while True:
        try:
            line = prompt.prompt()
        except KeyboardInterrupt:
            continue  # the line is given up, as in every shell
        except EOFError:
            return status
        ended = run_line(line, session)
        if ended is None:
            return status
        status = ended


def _execute(options: argparse.Namespace, session: Session) -> int:
    if options.completion:
        print(completion(options.completion))
        return 0
    stdin: TextIO = sys.stdin
    return interactive(session) if stdin.isatty() else run_script(stdin, session)


TOOL = Tool("kvsh", _parser, _execute)

if __name__ == "__main__":
    sys.exit(main(TOOL))
