"""What the user asks for, checked before anything is built."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from tb.run.command import Parser, checked_seed
from tb.run.errors import UsageError

DEVICES = {"devices": 2}
"""PCI functions of a suite that needs more than one."""
DEADLINE = "deadline"
"""The comparison of the schedulers, in a guest of its own without a device."""
ON_MODEL_ONLY = {
    "devices": "one simulation has one device",
    DEADLINE: "no device has a part in it: BACKEND=model runs it",
}
LEAKS = ("lifetime", "sharing", "faults", "uring", "errors")
"""Suites after which leaks are looked for: 12 s of simulated time."""


@dataclass(frozen=True)
class Options:
    """Which tests, and what answers the guest."""

    backend: str
    pattern: str
    seed: int = 1
    shell: bool = False
    kasan: bool = False


def parse(argv: list[str]) -> Options:
    """The options of a command line. Raises UsageError."""
    parser = Parser("python -m tb.linux", __doc__)
    parser.add_argument("--backend", default="rtl", help="rtl (default) or model: the device model")
    parser.add_argument("--test", default="*", help="<suite>, <suite>.<test>, or a pattern over the latter")
    parser.add_argument("--seed", default="1", help="seed of the RTL's run (default 1)")
    parser.add_argument("--shell", action="store_true", help="a shell in the guest, instead of tests")
    parser.add_argument("--kasan", action="store_true", help="a kernel with its address sanitizer")
    given = parser.parse_args(argv)
    if given.backend not in ("rtl", "model"):
        raise UsageError(f"BACKEND={given.backend}: rtl or model is needed")
    if given.shell and given.test != "*":
        raise UsageError("TEST has no effect with SHELL=1")
    return Options(given.backend, given.test, checked_seed(given.seed), given.shell, given.kasan)


@dataclass(frozen=True)
class Chosen:
    """One suite and a pattern for its tests; `names` are those that it will run."""

    suite: str
    pattern: str
    names: tuple[str, ...]


def choose(pattern: str, listed: Sequence[str]) -> list[Chosen]:
    """The suites with tests that were asked for. Raises UsageError: there is none."""
    whole = pattern if "." in pattern or pattern == "*" else f"{pattern}.*"
    names = [name for name in listed if fnmatch.fnmatchcase(name, whole)]
    if not names:
        raise UsageError(f"TEST={pattern}: no such test of the guest (`make kernel TEST=list` lists them)")
    suites = dict.fromkeys(name.partition(".")[0] for name in names)
    return [Chosen(suite, whole, tuple(name for name in names if name.partition(".")[0] == suite)) for suite in suites]
