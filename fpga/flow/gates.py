"""The netlist after synthesis in the simulator: the same tests as on the RTL, through the same pins."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from fpga.flow.ecp5 import Synthesis
from fpga.flow.project import Netlist, Project
from fpga.flow.simulation import verilog
from fpga.flow.step import FPGA_BUILD, Check, kept, key_of
from tb.run.build import build
from tb.run.leg import Job, run_built
from tb.run.manifest import Leg, load

# A netlist is not written for readers: its style says nothing about the design.
FLAGS = ("-Wno-lint", "-Wno-style", "-Wno-UNOPTFLAT")


def netlist_leg(project: Project, netlist: Netlist, synthesis: Synthesis, models: list[str]) -> Leg:
    """The leg of the RTL with the netlist in place of the top that was synthesised.

    `models` are the cells that have a module in the netlist's model folders. Raises CheckError for others that
    cannot be simulated.
    """
    leg = load().leg(netlist.leg)
    here = FPGA_BUILD / "netlist"
    here.mkdir(parents=True, exist_ok=True)
    source = here / f"{synthesis.top}.sv"
    source.write_text(verilog(synthesis.netlist(), synthesis.top, models))
    testbench = [path for path in leg.spec.sources if Path(path).stem == leg.spec.module]
    spec = replace(
        leg.top.spec,
        name=f"{leg.top.spec.name}_netlist",
        sources=(str(source.relative_to(project.root)), *testbench),
        libs=("tb/sv", *netlist.models),
        flags=FLAGS,
    )
    return replace(leg, name=f"{leg.name}_netlist", top=replace(leg.top, spec=spec), timeout_s=3600)


def check_netlist(project: Project, netlist: Netlist, synthesis: Synthesis, say: Callable[[str], None]) -> Check:
    """Every test of the leg passes on the netlist."""
    check = Check("tests on the netlist")
    models = [path.stem for folder in netlist.models for path in (project.root / folder).glob("*.sv")]
    leg = netlist_leg(project, netlist, synthesis, models)
    built = build(leg.spec, say)

    def produce(_folder: Path) -> dict[str, Any]:
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda test: run_built(Job(leg, test, 1), built), leg.tests))
        for outcome in outcomes:
            if not outcome.verdict.passed:
                reason = next(filter(None, [outcome.verdict.failure_text, *outcome.verdict.reasons]), "failed")
                check.problems.append(f"{outcome.job.test} on the netlist: {reason.splitlines()[0]}")
        if check.problems:
            raise _Failed
        return {"tests": list(leg.tests)}

    # What the tests are made of: the build, and the Python that drives it.
    python = [path for folder in ("tb/board", "fpga", "sw", "model") for path in (project.root / folder).rglob("*.py")]
    with suppress(_Failed):
        check.cached = kept("netlist-tests", key_of(built.key, *leg.tests, files=sorted(python)), produce).cached
    passed = len(leg.tests) - len(check.problems)
    check.facts["netlist_tests_passed"] = passed
    check.notes.append(f"{passed} of {len(leg.tests)} passed")
    return check


class _Failed(Exception):
    """Failed tests are not kept: the next run tries again."""
