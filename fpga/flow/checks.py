"""The run: every step in order, with progress; a step that fails does not hide the next that can run without it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fpga.flow import ecp5, gates, lint, place, structure, u250
from fpga.flow.constraints import check_lpf, check_xdc
from fpga.flow.project import Design, Ecp5, Project
from fpga.flow.step import Check
from tb.run import process
from tb.run.errors import CheckError

Say = Callable[[str], None]
GROUPS = ("lint", "u250", "ecp5", "place", "netlist")
INSTANCE_DEPTH = 4


@dataclass(slots=True)
class Run:
    """Checks done so far and the facts that the report is made of."""

    project: Project
    say: Say
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def do(self, name: str, check: Callable[[], Check]) -> Check:
        """One check with its line of progress; what a tool refuses is a problem of the check."""
        start = time.monotonic()
        try:
            done = check()
        except CheckError as error:
            done = Check(name, problems=str(error).splitlines()[:6])
            if process.stopping():  # its tool was ended, which says nothing about the design
                return done
        done.seconds = time.monotonic() - start
        self.checks.append(done)
        state = "FAILED" if done.problems else "passed"
        took = "kept" if done.cached else f"{done.seconds:.0f} s"
        self.say(f"  {state}  {done.name} ({took}){': ' + '; '.join(done.notes[:2]) if done.notes else ''}")
        for problem in done.problems:
            self.say(f"          {problem}")
        return done

    def within(self, part: str, figures: Mapping[str, float]) -> Check:
        """Figures against the budget of a part."""
        check = Check(f"budget of {part}")
        for name, limit in self.project.budget.get(part, {}).items():
            if name == "fmax_mhz" or name not in figures:
                continue
            text = f"{name} {figures[name]:,g} of {limit:,g}"
            if figures[name] > limit:
                check.problems.append(f"over budget: {text}")
            else:
                check.notes.append(text)
        return check


def check_lints(run: Run, design: Design) -> None:
    """The linters on one design."""
    run.do(f"lint of {design.top}", lambda: lint.check_lint(design))


def check_u250(run: Run, design: Design) -> None:
    """Full-size synthesis for the U250: reading, budget, constraints."""
    run.say(f"U250: synthesis of {design.top} at full size ...")
    results: list[u250.Utilisation] = []

    def synthesis() -> Check:
        used = u250.utilise(design)
        results.append(used)
        check = lint.check_reading(
            design, (used.result.folder / "read.log").read_text(), lambda text: run.project.waived("yosys", text)
        )
        check.cached = used.result.cached
        return check

    run.do(f"synthesis of {design.top} for the U250", synthesis)
    if not results:
        return
    facts = results[0].facts
    run.facts["u250_instances"] = facts["instances"]
    numbers = {name: value for name, value in facts.items() if isinstance(value, (int, float))}
    run.facts.update({f"u250_{name}": value for name, value in numbers.items()})
    run.do("budget", lambda: run.within("u250", numbers))
    run.do("constraints", lambda: check_xdc(design.constraints_path(), results[0].ports()))


def check_ecp5(run: Run, part: Ecp5) -> ecp5.Synthesis | None:
    """Synthesis for the board and everything that its netlist shows."""
    design = part.design
    run.say(f"ECP5: synthesis of {design.top} ...")
    results: list[ecp5.Synthesis] = []

    def synthesis() -> Check:
        done = ecp5.synthesise(design)
        results.append(done)
        check = lint.check_reading(design, done.log("read"), lambda text: run.project.waived("yosys", text))
        check.cached = done.result.cached
        return check

    run.do(f"synthesis of {design.top} for the ECP5", synthesis)
    if not results:
        return None
    done = results[0]
    numbers = done.result.facts
    run.facts.update({f"ecp5_{name}": value for name, value in numbers.items()})
    run.facts["ecp5_instances"] = ecp5.instances(done.netlist(), INSTANCE_DEPTH)
    run.do("latches", lambda: structure.check_latches(done))
    run.do("loops", lambda: structure.check_loops(done))
    run.do("drivers", lambda: structure.check_drivers(done))
    memories = run.do(
        "memories", lambda: structure.check_memories(design, done, lambda name: run.project.waived("memory", name))
    )
    run.facts.update(memories.facts)
    domains = run.do("domains", lambda: structure.list_domains(done))
    run.facts.update(domains.facts)
    netlist = done.netlist()
    run.do("constraints", lambda: check_lpf(design.constraints_path(), netlist.port_bits(), netlist.clock_ports()))
    run.do("budget", lambda: run.within("ecp5", numbers))
    return done


def check_place(run: Run, part: Ecp5, synthesis: ecp5.Synthesis) -> None:
    """Place and route, timing, bitstream."""
    run.say("ECP5: place and route ...")
    least = run.project.budget.get("ecp5", {}).get("fmax_mhz", 0.0)
    results: list[place.Placement] = []

    def routed() -> Check:
        check, placement = place.place(part, synthesis, least)
        results.append(placement)
        return check

    check = run.do("place and route", routed)
    run.facts.update({name: value for name, value in check.facts.items() if name != "clocks"})
    if results:
        bitstream = run.do("bitstream", lambda: place.check_bitstream(results[0]))
        run.facts.update(bitstream.facts)


def check_netlist(run: Run, synthesis: ecp5.Synthesis) -> None:
    """Tests of the board on its netlist."""
    netlist = run.project.netlist
    if netlist:
        run.say("netlist: tests ...")
        tests = run.do("netlist", lambda: gates.check_netlist(run.project, netlist, synthesis, run.say))
        run.facts.update(tests.facts)


def check_all(project: Project, groups: set[str], say: Say) -> dict[str, Run]:
    """Every check of the groups asked for, two at a time: place and route takes as long as all the others.

    Returns the groups that ran, in the order of GROUPS, those that another needs included.
    """
    runs = {name: Run(project, say) for name in GROUPS}
    board, full = project.ecp5, project.u250

    def others() -> None:
        if "lint" in groups:
            say("lint ...")
            for design in (board and board.design, full):
                if design:
                    check_lints(runs["lint"], design)
        if "u250" in groups and full:
            check_u250(runs["u250"], full)

    with ThreadPoolExecutor(2) as pool:
        try:
            waiting = [pool.submit(others)]
            if board and groups & {"ecp5", "place", "netlist"}:
                synthesis = check_ecp5(runs["ecp5"], board)
                if synthesis and "place" in groups:
                    waiting.append(pool.submit(check_place, runs["place"], board, synthesis))
                if synthesis and "netlist" in groups:
                    waiting.append(pool.submit(check_netlist, runs["netlist"], synthesis))
            for future in waiting:
                future.result()
        except BaseException:  # an interrupt, wrong use: no half an hour of work after it
            pool.shutdown(wait=False, cancel_futures=True)
            process.kill_all()  # what the threads wait for
            raise
    return {name: part for name, part in runs.items() if part.checks}
