"""`make test`: every check that a change must pass, each counted, one line at the end."""

import os
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tb.run import evidence, process
from tb.run.commands import say
from tb.run.engine import Local
from tb.run.errors import UsageError
from tb.run.lint import lint_all
from tb.run.manifest import Manifest, audit
from tb.run.paths import ROOT
from tb.run.regress import keep_runs, run_legs, select_legs, tell

SHOWN_LINES = 60


@dataclass
class Counts:
    """Checks passed and failed of one part."""

    passed: int = 0
    failed: int = 0


def _tool(title: str, command: list[str]) -> Counts:
    """One external checker; its output is shown when it is not content."""
    status, text = process.output(command)
    if status == 0:
        return Counts(passed=1)
    say(f"FAILED {title}")
    say("\n".join(f"  {line}" for line in text.splitlines()[:SHOWN_LINES]))
    return Counts(failed=1)


def _lint(manifest: Manifest) -> Counts:
    taken = evidence.stamp("lint")
    counts = _linted(manifest)
    evidence.keep("lint", taken, {"lint": {"passed": counts.passed, "failed": counts.failed}}, say)
    return counts


def _linted(manifest: Manifest) -> Counts:
    counts = Counts()
    python = sys.executable
    for title, command in (
        ("ruff", [python, "-m", "ruff", "check", "--output-format", "concise", "."]),
        ("mypy", [python, "-m", "mypy"]),
        ("imports", [str(Path(python).parent / "lint-imports"), "--no-cache"]),
    ):
        part = _tool(title, command)
        counts = Counts(counts.passed + part.passed, counts.failed + part.failed)
    checks, failures = lint_all([top.spec for top in manifest.tops.values()])
    for title, text in failures:
        say(f"FAILED {title}\n{text}")
    return Counts(counts.passed + checks - len(failures), counts.failed + len(failures))


def _generated(_manifest: Manifest) -> Counts:
    counts = Counts()
    for title, command in (
        ("generated files: registers", ["-m", "sw.regs.generate", "--check"]),
        ("generated files: kernel interface", ["-m", "sw.uapi", "generate", "--check"]),
        ("generated files: events", ["-m", "tb.events.generate", "--check"]),
        ("generated files: index of contract sentences", ["-m", "tb.where", "--check"]),
    ):
        part = _tool(title, [sys.executable, *command])
        counts = Counts(counts.passed + part.passed, counts.failed + part.failed)
    return counts


def _audit(manifest: Manifest) -> Counts:
    complaints = list(audit(manifest))
    for line in complaints:
        say(f"FAILED manifest: {line}")
    return Counts(0 if complaints else 1, len(complaints))


def _pytest(*arguments: str, may_skip: bool) -> Counts:
    """Python tests; their counts come from the results file, so an empty run is no pass.

    Skipped tests are reported in one line for each reason, and count as failures unless `may_skip`.
    """
    with TemporaryDirectory() as folder:
        log, results = Path(folder) / "log", Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", "--tb=short", "-n", "auto", f"--junitxml={results}", *arguments]
        ended = process.run(command, env=process.clean_env({"PYTHONPATH": str(ROOT)}), cwd=ROOT, log=log)
        suite = ET.parse(results).getroot().find("testsuite") if results.exists() else None
        number = {
            key: int(suite.get(key, "0")) if suite is not None else 0
            for key in ("tests", "failures", "errors", "skipped")
        }
        failed = number["failures"] + number["errors"]
        passed = number["tests"] - failed - number["skipped"]
        for reason, count in skipped(suite).items():
            say(f"  {'not run' if may_skip else 'FAILED'}: {count} tests: {reason}")
        if ended.status != 0 or not passed:
            say("FAILED pytest")
            say("\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]))
            failed = max(failed, 1)
        return Counts(passed, failed if may_skip else failed + number["skipped"])


def skipped(suite: ET.Element | None) -> Counter[str]:
    """How many tests of a JUnit suite were skipped, by reason."""
    found = suite.iterfind("testcase/skipped") if suite is not None else ()
    return Counter(entry.get("message", "no reason") for entry in found)


def _python_tests(_manifest: Manifest) -> Counts:
    return _pytest(may_skip=True)


def _fpga_tests(_manifest: Manifest) -> Counts:
    """The tests that need the FPGA tools: here nothing is left out."""
    return _pytest("tests/fpga", may_skip=False)


def _cluster_tests(_manifest: Manifest) -> Counts:
    """The tests that need the tools of a cluster: here nothing is left out."""
    return _pytest("tests/cluster", may_skip=False)


def _legs(manifest: Manifest) -> Counts:
    legs = select_legs(manifest, quick=True, level=None)
    engine = Local(os.cpu_count() or 1)
    taken = evidence.stamp("runs")
    results = run_legs(legs, engine, seeds=1, coverage=False)
    keep_runs(results, taken)
    tell(results, engine)
    return Counts(*results.counts)


PARTS: dict[str, Callable[[Manifest], Counts]] = {
    "generated files": _generated,
    "manifest": _audit,
    "lint": _lint,
    "pytest": _python_tests,
    "legs": _legs,
}
EXTRA: dict[str, Callable[[Manifest], Counts]] = {"fpga": _fpga_tests, "cluster": _cluster_tests}
"""Parts that run only when they are asked for: they need more than `make setup` installs."""


def check(manifest: Manifest, only: str | None) -> int:
    """Run every part of PARTS, or one; a part that fails does not hide the next. Returns the exit status.

    Raises UsageError: there is no such part.
    """
    total = Counts()
    if only is not None and only not in PARTS | EXTRA:
        raise UsageError(f"ONLY={only}: one of {', '.join(PARTS | EXTRA)}")
    parts = PARTS if only is None else {only: (PARTS | EXTRA)[only]}
    for name, part in parts.items():
        say(f"{name}: ...")
        begin = time.monotonic()
        counts = part(manifest)
        say(f"{name}: {counts.passed} passed, {counts.failed} failed ({time.monotonic() - begin:.0f} s)")
        total = Counts(total.passed + counts.passed, total.failed + counts.failed)
    say(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0
