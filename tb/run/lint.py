"""Lint of every top: Verilator with -Wall and slang, two readers of the same sources."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tb.run import process
from tb.run.build import BuildSpec, verilate_flags
from tb.run.commands import say, with_parameters
from tb.run.manifest import Manifest
from tb.run.sources import expand, expand_folders
from tb.run.tools import find_verilator

SHOWN_LINES = 20

# Slang's own warnings that say nothing about this code base, each with its reason.
SLANG_OFF = [
    "-Wno-unused-but-set-variable",  # Verilator's UNUSEDSIGNAL judges the same, with the design elaborated
]

# Runs slang in a process of its own: its driver writes to the process's stdout.
SLANG_PROGRAM = """
import sys
from pyslang.driver import Driver
driver = Driver()
driver.addStandardArgs()
ok = driver.parseCommandLine(" ".join(f'"{word}"' for word in ["slang", *sys.argv[1:]]))
sys.exit(0 if ok and driver.processOptions() and driver.parseAllSources() and driver.runFullCompilation(True) else 1)
"""


def _common(spec: BuildSpec) -> tuple[list[str], list[str], list[str]]:
    return (
        [str(path) for path in expand(spec.sources, spec.root)],
        [word for path in expand_folders(spec.libs, spec.root) for word in ("-y", str(path))],
        [str(path) for path in expand_folders(spec.includes, spec.root)],
    )


def _verilator_command(spec: BuildSpec) -> list[str]:
    sources, libs, includes = _common(spec)
    flags = [flag for flag in verilate_flags(spec, "vcd") if flag not in ("--cc", "--exe", "--vpi")]
    return [
        str(find_verilator(spec.verilator).command),
        "--lint-only",
        *flags,
        *libs,
        "+libext+.sv+.svh+.v",
        *(f"+incdir+{path}" for path in includes),
        *sources,
    ]


def _slang_command(spec: BuildSpec) -> list[str]:
    sources, libs, includes = _common(spec)
    parameters = [f"-G{name}={value}" for name, value in sorted(spec.parameters.items())]
    words = [
        "--top",
        spec.module,
        "--timescale",
        "1ns/1ps",
        "--libext",
        "sv",
        "--libext",
        "v",
        "-Weverything",
        "-Werror",
        *SLANG_OFF,
    ]
    words += [word for path in includes for word in ("-I", path)]
    return [sys.executable, "-c", SLANG_PROGRAM, *words, *parameters, *libs, *sources]


def lint_spec(spec: BuildSpec) -> list[tuple[str, str]]:
    """(tool and top, what it says) for each tool that rejects `spec`."""
    failures = []
    for tool, command in (("verilator", _verilator_command(spec)), ("slang", _slang_command(spec))):
        with TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            ended = process.run(command, env=process.clean_env(), cwd=Path(folder), log=log)
            if ended.status != 0:
                lines = log.read_text(errors="replace").replace(f"{spec.root}/", "").splitlines()
                failures.append(
                    (f"{tool} {spec.name}", "\n".join(lines[:SHOWN_LINES]) or f"exit status {ended.status}")
                )
    return failures


def lint_all(specs: list[BuildSpec]) -> list[tuple[str, str]]:
    """Lint several tops at the same time."""
    with ThreadPoolExecutor(2) as pool:
        return [failure for failures in pool.map(lint_spec, specs) for failure in failures]


def lint(manifest: Manifest, top: str | None, assignments: list[str]) -> int:
    """Lint one top or all of the manifest and print what is wrong. Returns the exit status."""
    specs = [manifest.top(top).spec] if top else [entry.spec for entry in manifest.tops.values()]
    failures = lint_all([with_parameters(spec, assignments) for spec in specs])
    for title, text in failures:
        say(f"{title}:\n{text}")
    say(f"lint: {2 * len(specs) - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0
