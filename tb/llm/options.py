"""What the user asks for, checked before anything is built."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from tb.llm.setup import shipped
from tb.llm.workload import Prompt, default, longest_prompt, single
from tb.replay.options import Parser, checked_backend, checked_entries, checked_lanes, checked_seed, whole
from tb.run.errors import UsageError
from tb.run.paths import REPORT


@dataclass(frozen=True)
class Options:
    """A run: prompts, device sizes, who answers. `prompt` None: the default workload."""

    prompt: str | None = None
    seed: int = 1
    entries: int = 65_536
    lanes: int = 16
    ports: int = 3
    backend: str = "rtl"
    report: Path = REPORT
    verilator: str | None = None
    cxx: str | None = None

    @property
    def repeat(self) -> str:
        """The command that repeats this run exactly."""
        given = {
            "PROMPT": self.prompt,
            "SEED": self.seed,
            "ENTRIES": self.entries if self.entries != Options.entries else None,
            "LANES": self.lanes if self.lanes != Options.lanes else None,
            "PORTS": self.ports if self.ports != Options.ports else None,
            "BACKEND": self.backend if self.backend != Options.backend else None,
        }
        words = [f"{name}={shlex.quote(str(value))}" for name, value in given.items() if value is not None]
        return " ".join(["make sim", *words])

    @property
    def prompts(self) -> list[Prompt]:
        """The workload."""
        return workload(self.prompt, self.seed)


def workload(prompt: str | None, seed: int) -> list[Prompt]:
    """The prompt of the user, or the default ones."""
    return default(seed) if prompt is None else single(prompt, seed, shipped().header.context)


def checked_prompt(text: str) -> str:
    """PROMPT. Raises UsageError."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise UsageError("PROMPT: UTF-8 is needed") from None
    limit = longest_prompt(shipped().header.context)
    if not 1 <= size <= limit:
        raise UsageError(f"PROMPT of {size} bytes: 1 to {limit} are needed")
    return text


def parse(argv: list[str]) -> Options:
    """The options of a command line. Raises UsageError for what cannot be run."""
    parser = Parser(prog="python -m tb.llm", description=__doc__, allow_abbrev=False)
    parser.add_argument("--prompt", help="serve this prompt only (default: a workload of six)")
    parser.add_argument("--seed", default="1", help="seed of arrivals and samples (default 1)")
    parser.add_argument("--entries", default="65536", help="ENTRIES (default 65,536)")
    parser.add_argument("--lanes", default="16", help="LANES (default 16)")
    parser.add_argument("--ports", default="3", help="PORTS (default 3)")
    parser.add_argument("--backend", default="rtl", help="rtl (default) or model: the device model")
    parser.add_argument(
        "--report", default=str(REPORT), help="folder of llm.json and llm.html (default sim_build/report)"
    )
    parser.add_argument("--verilator", help="a Verilator to use instead of the environment's own")
    parser.add_argument("--cxx", help="a C++ compiler to use instead of c++, g++ or clang++")
    given = parser.parse_args(argv)
    return Options(
        prompt=None if given.prompt is None else checked_prompt(given.prompt),
        seed=checked_seed(given.seed),
        entries=checked_entries(given.entries),
        lanes=checked_lanes(given.lanes),
        ports=whole(given.ports, "PORTS", 1, 8),
        backend=checked_backend(given.backend),
        report=Path(given.report),
        verilator=given.verilator,
        cxx=given.cxx,
    )
