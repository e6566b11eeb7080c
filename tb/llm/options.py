"""What the user asks for, checked before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tb.llm.setup import shipped
from tb.llm.workload import Prompt, default, longest_prompt, single
from tb.run.errors import UsageError
from tb.run.paths import REPORT
from tb.sim.options import DeviceOptions, device_parser, device_values


@dataclass(frozen=True, kw_only=True)
class Options(DeviceOptions):
    """A run: prompts and device. `prompt` None: the default workload."""

    prompt: str | None = None
    report: Path = REPORT

    @property
    def repeat(self) -> str:
        """The command that repeats this run exactly."""
        return self.make_sim(PROMPT=self.prompt)

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
    parser = device_parser("python -m tb.llm", __doc__, "arrivals and samples")
    parser.add_argument("--prompt", help="serve this prompt only (default: a workload of six)")
    parser.add_argument(
        "--report", default=str(REPORT), help="folder of llm.json and llm.html (default sim_build/report)"
    )
    given = parser.parse_args(argv)
    return Options(
        **device_values(given),
        prompt=None if given.prompt is None else checked_prompt(given.prompt),
        report=Path(given.report),
    )
