"""What every measurement needs: the legs at full size, their builds, and a result with its method next to it."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import Any

from tb.figures.files import FIGURES
from tb.run.build import BuildSpec, Built, build
from tb.run.errors import CheckError
from tb.run.leg import Job, explain, run_built
from tb.run.manifest import Leg, Manifest, load

FULL_SIZE: Mapping[str, int | str] = {"ENTRIES": 65_536, "LANES": 16, "PORTS": 3, "AXI_DATA_WIDTH": 512}
LIMIT_S = 3600.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured row: its value (None: not measured, or the measurement failed) and how it was come by."""

    value: float | None
    how: str
    failed: bool = False


@dataclass(slots=True)
class Found:
    """What a part gives: rows by name, and the points of its plots and tables."""

    figures: dict[str, Figure] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for. `rows` are the names of the rows to measure; `debug`: every signal visible to Python."""

    rows: frozenset[str]
    curves: bool = True
    debug: bool = False
    verilator: str | None = None
    cxx: str | None = None

    @property
    def shown(self) -> dict[str, Any]:
        """The settings as reports hold them."""
        return {"rows": None if self.curves else sorted(self.rows), "debug": self.debug}

    @property
    def command(self) -> str:
        """The command that measures the same again."""
        rows = "" if self.curves else f" ROWS={','.join(sorted(self.rows))}"
        return f"make bench{rows}{' DEBUG=1' if self.debug else ''}"


class Workshop:
    """Builds and runs legs for the measurements; knows what the user asked for and where to say what happens."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self.settings = settings
        self.say = say
        self.manifest: Manifest = load()
        self.cores = os.cpu_count() or 1

    # ------------------------------------------------------------------ builds

    def spec(self, spec: BuildSpec) -> BuildSpec:
        """`spec` with the user's tools; a bare program has nothing to show to Python."""
        given = self.settings
        return replace(spec, debug=given.debug and not spec.main, verilator=given.verilator, cxx=given.cxx)

    def build(self, spec: BuildSpec) -> Built:
        """Build, or find the build. Raises UsageError, CheckError."""
        return build(self.spec(spec), self.say, jobs=self.cores)

    def leg(
        self, name: str, parameters: Mapping[str, int | str] = FULL_SIZE, *, of: int | str = "", **settings: Any
    ) -> Leg:
        """A leg of the manifest at another size and with other settings, in run folders of its own.

        `of` tells variants apart that are run side by side.
        """
        leg = self.manifest.leg(name)
        top = replace(leg.top, spec=self.spec(leg.top.spec))
        mine = replace(leg, top=top, name=f"bench_{name}{f'_{of}' if of else ''}", settings=settings, timeout_s=LIMIT_S)
        return replace(mine, parameters={**leg.parameters, **parameters}, repeated_by=self.settings.command)

    # ------------------------------------------------------------------ runs

    def run(self, leg: Leg, seed: int = 1) -> dict[str, Any]:
        """Run a leg's only test; the figures it wrote. Raises CheckError when it did not pass."""
        built = self.build(leg.spec)
        return run_job(Job(leg, leg.tests[0], seed), built)

    def run_all(self, jobs: Sequence[Job], workers: int) -> list[dict[str, Any]]:
        """Run jobs of one build side by side; their figures, in order."""
        built = self.build(jobs[0].leg.spec)
        with ThreadPoolExecutor(workers) as pool:
            futures = {pool.submit(run_job, job, built): job for job in jobs}
            for number, future in enumerate(as_completed(futures), 1):
                future.result()
                self.say(f"  {number} of {len(jobs)} done ({futures[future].title})")
        return [future.result() for future in futures]


def refused(shop: Workshop, name: str, why: str) -> Found:
    """A row that cannot be measured now."""
    shop.say(f"  {name} is not measured: {why}")
    return Found({name: Figure(None, f"not measured: {why}")})


def run_job(job: Job, built: Built) -> dict[str, Any]:
    """Run one job; the figures it wrote. Raises CheckError when it did not pass."""
    outcome = run_built(job, built)
    if not outcome.verdict.passed:
        raise CheckError(explain(outcome))
    figures: dict[str, Any] = json.loads((job.folder / FIGURES).read_text())
    return figures
