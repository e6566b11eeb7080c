"""A4: what the guides name exists, and what they tell a user to type is accepted.

Run for real are the sessions (`$ ` lines: tests/tools/test_sessions.py) and the scripts of packages and metrics
(test_guide_scripts.py). Every other command is only checked, as most
of them take minutes, need the network or a file of the user's:

- `make TARGET NAME=...`: the target and its variables, and that each program which it runs knows its options;
- the tools: their parser accepts it; of a synopsis (`[...]`, `a|b`) every subcommand and option exists;
- `python -m MODULE ...`: the module, and that its help names the subcommands and options.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from sw.tools import kvsh
from tb.make import TARGETS, plan
from tb.run.paths import ROOT
from tests.docs import guides
from tests.docs.guides import Found
from tests.node.serving import environment

TOOLS = {**kvsh.TOOLS, kvsh.TOOL.name: kvsh.TOOL}
# Targets that run no program of the project.
SETUP = {"help", "setup", "clean"} | {
    f"setup-{name}" for name in ("fpga", "cluster", "formal", "lab", "llama", "signoff", "vllm")
}


def expanded(pattern: str) -> list[str]:
    """`a/{b,c}.sv` as two."""
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if braces is None:
        return [pattern]
    begin, end = pattern[: braces.start()], pattern[braces.end() :]
    return [one for inside in braces[1].split(",") for one in expanded(begin + inside + end)]


@pytest.mark.parametrize("found", guides.paths(), ids=str)
def test_a4_files_that_a_guide_names_exist(found: Found) -> None:
    for path in expanded(found.text):
        assert list(ROOT.glob(path.rstrip("/"))), f"{found}: no such file"


@pytest.mark.parametrize("found", guides.links(), ids=str)
def test_a4_links_lead_somewhere(found: Found) -> None:
    assert (found.guide.parent / found.text).exists(), f"{found}: no such file"


def test_a4_signals_of_the_debugging_guide_exist() -> None:
    """Every name in its list of signals is one of the RTL or of the testbench around it."""
    text = (ROOT / "docs/debugging.md").read_text()
    section = text.partition("## Reading the RTBD pipeline")[2].partition("\n## ")[0]
    names = {name for quoted in re.findall(r"`([^`]+)`", section) for name in re.findall(r"[a-z]\w*_\w+", quoted)}
    rtl = "\n".join(path.read_text() for folder in ("rtl", "tb") for path in (ROOT / folder).rglob("*.sv"))
    missing = sorted(name for name in names if not re.search(rf"\b{name}\b", rtl))
    assert not missing, f"docs/debugging.md names signals that the RTL does not have: {missing}"
    assert len(names) > 5


@pytest.mark.parametrize("name", ["MOVES", "BURSTS"])
def test_a4_every_module_tells_the_same_legal_range(name: str) -> None:
    """In its `///` line, as kvcpu_dma checks it at elaboration and docs/microarchitecture.md says."""
    (checked,) = re.findall(
        rf'"{name} must be a power of two from (\d+ to \d+)"', (ROOT / "rtl/dma/kvcpu_dma.sv").read_text()
    )
    told = {
        path.name: re.findall(rf"((?:^ *///.*\n)+) *parameter int unsigned {name}\b", path.read_text(), re.M)
        for path in sorted((ROOT / "rtl").rglob("*.sv"))
    }
    wrong = [module for module, texts in told.items() for text in texts if f"{checked}." not in text]
    assert not wrong, f"{name} is {checked} by kvcpu_dma's check; other ranges in {wrong}"
    assert sum(map(len, told.values())) > 4
    guide = (ROOT / "docs/microarchitecture.md").read_text()
    assert re.search(rf"{name}\b[^)]*a power of two from {checked}", guide)


# ---------------------------------------------------------------- commands


def _words(text: str) -> list[str]:
    return shlex.split(re.sub(r"<([^>]*)>", r"\1", re.split(r" {2,}| > ", text)[0]))


@cache
def _help(module: str, *commands: str) -> str:
    """What a module's `--help` says."""
    done = subprocess.run(
        [sys.executable, "-m", module, *commands, "--help"], cwd=ROOT, env=environment(Path("/nowhere"), COLUMNS="200"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"python -m {module} {' '.join(commands)} --help: {done.stderr}"
    return done.stdout


def _check_options(module: str, arguments: list[str], where: str) -> None:
    """Whether a module's help names the options among these arguments; subcommands are followed."""
    commands: list[str] = []
    for word in arguments:
        listed = rf"^ +{word}\b|\{{[\w,]*\b{word}\b[\w,]*\}}"
        if re.fullmatch(r"[a-z]\w*", word) and re.search(listed, _help(module, *commands), re.M):
            commands.append(word)
        elif word.startswith("--") and word != "--":
            option = word.partition("=")[0]
            texts = [_help(module, *commands[:depth]) for depth in range(len(commands) + 1)]
            assert any(re.search(rf"{option}\b", text) for text in texts), f"{where}: {module} has no {option}"


def _check_make(found: Found) -> None:
    target, *values = _words(found.text)[1:]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert target in targets, f"{found}: no such target"
    if target in SETUP:
        return
    given = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            break  # the sentence goes on
        given[name] = text
    unknown = given.keys() - set(TARGETS[target].variables)
    assert not unknown, f"{found}: {target} does not take {unknown}"
    for step in plan(target, {name: text for name, text in given.items() if text}):
        if step.module != "pytest":
            _check_options(step.module, list(step.arguments), str(found))


def _parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _check_tool(found: Found) -> None:
    text = found.text.replace("\\|", "|")
    name, *words = _words(text)
    parser = TOOLS[name].parser()
    if not re.search(r"[\[|]|\bN\b", text) and not re.search(r"\b[A-Z_]{2,}\b", text):
        commands = _parsers(parser)
        if len(words) == 1 and words[0] in commands:
            return  # a command's name in a sentence, without its arguments
        parser.parse_args(words)
        return
    options = {option for one in (parser, *_parsers(parser).values()) for option in one._option_string_actions}
    for option in re.findall(r"--[\w-]+", text):
        assert option in options, f"{found}: no option {option}"
    commands = _parsers(parser)
    if commands:
        named = re.match(r"[a-z|]+", words[0])
        assert named is not None, found
        for command in [*named[0].split("|"), *re.findall(r"\| (\w+)", text)]:
            assert command in commands, f"{found}: no command {command}"


@pytest.mark.parametrize("found", guides.commands(), ids=str)
def test_a4_commands_of_the_guides(found: Found) -> None:
    first = found.text.split()[0]
    if first == "make":
        _check_make(found)
    elif first == "python":
        _, _, module, *arguments = _words(found.text)
        assert importlib.util.find_spec(module), f"{found}: no such module"
        _check_options(module, [word for part in arguments for word in part.split("|")], str(found))
    else:
        _check_tool(found)


def test_the_check_sees_what_is_wrong() -> None:
    guide = ROOT / "README.md"
    for text, message in (
        ("make simulate", "no such target"),
        ("make sim COLOR=red", "does not take"),
        ("make bench PROMPT=x", "does not take"),
    ):
        with pytest.raises(AssertionError, match=message):
            _check_make(Found(guide, 1, text))
    with pytest.raises(AssertionError, match="no option --colour"):
        _check_tool(Found(guide, 1, "llmctl load [--colour RED]"))
    with pytest.raises(SystemExit):
        _check_tool(Found(guide, 1, "kvctl step now"))
    with pytest.raises(AssertionError, match="no --colour"):
        _check_options("sw.audit", ["verify", "--colour"], "README.md")
