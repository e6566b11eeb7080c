"""make: every value reaches the program as it was typed, whatever characters it has, and nothing in it is run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tb import make
from tb.make import TARGETS, Step, handed_over, plan
from tb.run.errors import UsageError
from tb.run.paths import ROOT

HOSTILE = [
    "$(shell touch ran)",
    "`touch ran`",
    "$$(touch ran)",
    "x'; touch ran; '",
    'x"; touch ran; "',
    "x; touch ran",
    "x & touch ran",
    "$",
    "a$b $$ $(HOME) ${HOME} $@ $(error no)",
    "back\\slash \\",
    "a#b",
    "two  blanks, one at the end ",
    "-x.jsonl",
    "--report=/elsewhere",
    "line one\nline two\n\n",
    "[bold red]x[/b] \x1b[31m",
    "Größe 名前 \N{PILE OF POO}",
    "%s {0} * ? ~ !",
    "a=b",
    ":=",
]
VARIABLES = sorted({name for target in TARGETS.values() for name in target.variables})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the real Makefile, in which setup does nothing and Python notes down its environment."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    setup = tmp_path / "tb/run/setup_env.py"
    setup.parent.mkdir(parents=True)
    setup.write_text("print('set up')\n")
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nenv -0 > seen.env\n")
    python.chmod(0o755)
    return tmp_path


def call(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "KVCPU", "PYTHON"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def seen(folder: Path) -> dict[str, str]:
    """The environment of the last program that was started."""
    path = folder / "seen.env"
    return dict(entry.split("=", 1) for entry in path.read_text().split("\0")[:-1]) if path.exists() else {}


@pytest.mark.parametrize("value", HOSTILE)
def test_c1_every_variable_is_as_it_was_typed(checkout: Path, value: str) -> None:
    done = call(checkout, "sim", *(f"{name}={value}" for name in VARIABLES))
    assert done.returncode == 0, done.stderr
    assert not (checkout / "ran").exists()
    assert handed_over(seen(checkout)) == dict.fromkeys(VARIABLES, value)
    for target, variable in (
        ("sim", "TRACE"),
        ("sim", "PROMPT"),
        ("sim", "TEST"),
        ("serve", "SOCKET"),
        ("bench", "ROWS"),
    ):
        assert f"--{variable.lower()}={value}" in plan(target, {variable: value})[0].arguments


def test_c1_a_value_reaches_the_program(checkout: Path) -> None:
    """All the way: the replay names the file that it was asked for."""
    python = checkout / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\ncd {ROOT}; exec {sys.executable} "$@"\n')
    name = "-$(shell touch ran)'; touch ran; ' `touch ran` # \\.jsonl"
    done = call(checkout, "sim", f"TRACE={name}", "BACKEND=model")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"error: trace {name}: no such file or directory"
    assert not (checkout / "ran").exists()
    assert not (ROOT / "ran").exists()


@pytest.mark.parametrize("value", HOSTILE)
def test_c1_nothing_is_run_without_running_the_target(checkout: Path, value: str) -> None:
    """`make -n`, `make help` and a wrong call have the values too."""
    every = [f"{name}={value}" for name in [*VARIABLES, "PYTHON"]]
    assert call(checkout, "-n", "sim", "serve", "pytest", *every).returncode == 0
    assert call(checkout, "help", *every).returncode == 0
    assert call(checkout, "sim", f"WRONG={value}").returncode == 2
    call(checkout, value)
    assert not (checkout / "ran").exists()
    assert seen(checkout) == {}


@pytest.mark.parametrize("value", HOSTILE)
def test_c1_python_is_one_program(checkout: Path, value: str) -> None:
    done = call(checkout, "setup", f"PYTHON={value}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: PYTHON={value}: no such program\nmake: ")
    assert "set up" not in done.stdout
    assert not (checkout / "ran").exists()


def test_a_python_with_a_blank_in_its_path(checkout: Path) -> None:
    (checkout / "my python").symlink_to(sys.executable)
    assert call(checkout, "setup", "PYTHON=./my python").stdout == "set up\n"


def test_variables_count_from_the_command_line_only(checkout: Path) -> None:
    shell = {"TEST": "$(shell touch ran)", "SEED": "9", "KVCPU_MAKE_SEED": "9", "KVCPU_MAKE_PYTHON": "x", "PYTHON": "x"}
    assert call(checkout, "sim", **shell).returncode == 0
    assert handed_over(seen(checkout)) == {}
    assert not (checkout / "ran").exists()


def test_c2_python_variables_of_the_shell_have_no_effect(checkout: Path) -> None:
    names = ("SAFEPATH", "INSPECT", "STARTUP", "WARNINGS", "PATH", "HOME", "OPTIMIZE", "IOENCODING", "NODEBUGRANGES")
    done = call(checkout, "list", **{f"PYTHON{name}": "1" for name in names}, CXXFLAGS="-O0", MAKEFLAGS="w")
    assert done.returncode == 0, done.stderr
    passed = [name for name in seen(checkout) if re.match("PYTHON|CXXFLAGS|MAKEFLAGS|MAKEOVERRIDES", name)]
    assert passed == []


# ---------------------------------------------------------------- what each target runs


@pytest.mark.parametrize(
    ("target", "given", "steps"),
    [
        ("sim", {}, ["tb.replay", "tb.llm"]),
        ("sim", {"TRACE": "-x", "SEED": "4"}, ["tb.replay --trace=-x --seed=4"]),
        ("sim", {"REQUESTS": "5", "BACKEND": "model"}, ["tb.replay --requests=5 --backend=model"]),
        ("sim", {"PROMPT": "x", "LANES": "4"}, ["tb.llm --prompt=x --lanes=4"]),
        ("sim", {"SLOTS": "512", "POLICY": "blind"}, ["tb.lab.point --slots=512 --policy=blind"]),
        ("sim", {"CONFIG": "c", "POLICY": "all"}, ["tb.lab.point --config=c --policy=all"]),
        (
            "experiments",
            {"ONLY": "eviction", "SLOTS": "512,1024", "POLICY": "blind"},
            ["tb.lab --only=eviction --slots=512,1024 --policy=blind"],
        ),
        ("sim", {"TEST": "x", "EVENTS": "1"}, ["tb.run run --waves=failure --test=x --events"]),
        ("sim", {"EVENTS": "1"}, ["tb.replay --events", "tb.llm --events"]),
        ("waves", {"TEST": "x", "EVENTS": "1"}, ["tb.run run --waves=always --test=x --events"]),
        ("regress", {"EVENTS": "1"}, ["tb.run regress --events"]),
        ("serve", {"EVENTS": "1"}, ["tb.serve --events"]),
        ("sim", {"TEST": "x", "DEBUG": "1", "CXX": "c++"}, ["tb.run --cxx=c++ run --waves=failure --test=x --debug"]),
        ("waves", {"TEST": "x", "SEED": "2"}, ["tb.run run --waves=always --test=x --seed=2"]),
        ("serve", {"SOCKET": "s", "FREE_RUN": "1"}, ["tb.serve --socket=s --free-run"]),
        ("serve", {"FREE_RUN": "0"}, ["tb.serve"]),
        ("kernel", {"BACKEND": "model", "TEST": "events.*"}, ["tb.linux --backend=model --test=events.*"]),
        ("pytest", {"ARGS": "-k 'a b' tests"}, ["pytest -k a\\ b tests"]),
        ("regress", {"SCHEDULER": "tcp://a:1"}, ["tb.run regress --scheduler=tcp://a:1"]),
        ("regress", {"SEEDS": "4", "COVERAGE": "1"}, ["tb.run regress --seeds=4 --coverage"]),
        ("mutate", {"ONLY": "rtl/cmd,rtl/csr", "COUNT": "9"}, ["tb.mutation --count=9 -- rtl/cmd rtl/csr"]),
        ("defects", {"ONLY": "-x y"}, ["tb.defects -- -x y"]),
        ("defects", {"ASSERTIONS": "1", "ONLY": "kvcpu_fifo.x"}, ["tb.defects --assertions -- kvcpu_fifo.x"]),
        ("fpga-check", {"ONLY": "lint,u250"}, ["fpga.flow --only=lint,u250"]),
        ("rt-bench", {"MODEL": "a b", "QUICK": "1"}, ["tb.engines.bench --model=a\\ b --quick"]),
        ("vllm-check", {"SEED": "3"}, ["tb.engines.check --seed=3"]),
        ("regs", {}, ["sw.regs.generate", "sw.uapi generate", "tb.events.generate", "tb.where"]),
    ],
)
def test_what_a_target_runs(target: str, given: dict[str, str], steps: list[str]) -> None:
    assert [" ".join([s.module, *(a.replace(" ", "\\ ") for a in s.arguments)]) for s in plan(target, given)] == steps


@pytest.mark.parametrize(
    ("target", "given", "message"),
    [
        ("sim", {"TEST": "x", "ENTRIES": "4096"}, "ENTRIES has no effect with TEST"),
        ("sim", {"PROMPT": "x", "TRACE": "t"}, "TRACE has no effect with PROMPT"),
        ("sim", {"TEST": "x", "SLOTS": "512"}, "SLOTS has no effect with TEST"),
        ("sim", {"SLOTS": "512", "PROMPT": "x"}, "PROMPT has no effect with SLOTS: a point of an experiment runs"),
        ("sim", {"POLICY": "all", "ENTRIES": "4096"}, "ENTRIES has no effect with POLICY"),
        ("regress", {"POLICY": "lru"}, "POLICY has no effect on `make regress`"),
        ("sim", {"SEEDS": "3"}, "SEEDS has no effect without TEST"),
        ("sim", {"TEST": "x", "DEBUG": "yes"}, "DEBUG=yes: 1 or 0 is needed"),
        (
            "regress",
            {"SCHEDULER": "tcp://a:1", "WORKERS": "2"},
            "WORKERS has no effect with SCHEDULER: the cluster's workers decide",
        ),
        ("regress", {"SEEDS": ""}, "SEEDS is empty: give it a value, or leave it out"),
        ("lint", {"SEED": "3"}, "SEED has no effect on `make lint`"),
        ("pytest", {"ARGS": "-k 'x"}, "ARGS=-k 'x: no closing quotation"),
    ],
)
def test_a_variable_without_effect_is_refused(target: str, given: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        plan(target, given)


def test_a_variable_may_belong_to_another_goal() -> None:
    assert plan("lint", {"TEST": "x"}, ["lint", "waves"]) == [Step("tb.run", ("check", "--only=lint"))]


def test_the_help_lists_every_variable() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for name, target in TARGETS.items():
        lines = re.search(rf"^{name}:.*\n((?:##.*\n)*)", makefile, re.M)
        assert lines, name
        listed = set(re.findall(r"\b([A-Z_]+)=", lines[1]))
        assert listed == set(target.variables), name
    known = re.search(r"^KNOWN := (.*)$", makefile, re.M)
    assert known
    assert set(known[1].split()) == {name for target in TARGETS.values() for name in target.variables} | {"PYTHON"}


def test_the_first_program_that_fails_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def run_module(module: str, **_: object) -> None:
        started.append(module)
        raise SystemExit(2)

    monkeypatch.setattr(make.runpy, "run_module", run_module)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    assert make.main(["sim"]) == 2
    assert started == ["tb.replay"]
