"""Prove the properties of `tb/formal/proofs.toml`, or see them fail on planted defects.

Exit status: 0 every property holds (with --planted: and every defect is detected), 1 one does not, 2 wrong use or
tools missing, 130 interrupted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from tb.formal import report, solve
from tb.formal.catalogue import Proof, chosen, load
from tb.formal.prove import detects, prove
from tb.formal.report import Outcome
from tb.run import evidence
from tb.run.command import Parser, run_command, tell
from tb.run.commands import say
from tb.run.errors import CheckError
from tb.run.paths import shown


def _prove(proof: Proof, place: str) -> Outcome:
    """One proof, with a line when it begins and when it has ended."""
    outcome = Outcome(proof)
    say(f"{place} {proof.name}: {len(proof.properties)} properties of {proof.top}, {proof.engine}")
    try:
        outcome.result = prove(proof)
    except CheckError as error:
        outcome.error = str(error)
    else:
        counts = report.summary([outcome])
        took = "kept" if outcome.result.cached else f"{outcome.result.seconds:.0f} s"
        say(f"{place} {proof.name}: {', '.join(f'{n} {kind}' for kind, n in counts.items() if n)} ({took})")
    return outcome


def _plant(outcome: Outcome, place: str) -> None:
    """Plant each defect of a proof that was made."""
    for defect in outcome.proof.planted:
        try:
            result = detects(outcome.proof, defect)
        except CheckError as error:
            outcome.planted.append((defect, None, str(error)))
            continue
        outcome.planted.append((defect, result, ""))
        said = f"not detected by {', '.join(result.facts['missed'])}" if result.facts["missed"] else "detected"
        say(f"{place} {outcome.proof.name}: planted `{defect.new}`: {said}")


def _run(proofs: Sequence[Proof], *, planted: bool) -> list[Outcome]:
    outcomes = []
    for number, proof in enumerate(proofs, 1):
        place = f"[{number}/{len(proofs)}]"
        outcome = _prove(proof, place)
        if planted and outcome.result:
            _plant(outcome, place)
        for line in outcome.problems():
            say(f"{place} {proof.name}: {line}")
        outcomes.append(outcome)
    return outcomes


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tb.formal", __doc__)
    parser.add_argument("names", nargs="*", help="proofs, groups or stages (default: all)")
    parser.add_argument("--planted", action="store_true", help="plant each defect and see its properties fail")
    parser.add_argument("--list", action="store_true", help="print the proofs and stop")
    options = parser.parse_args(arguments)
    proofs = chosen(load(), options.names)
    if options.list:
        for proof in proofs:
            say(f"{proof.name}: {proof.stage}, {proof.group}, {len(proof.properties)} properties of {proof.top}")
        return 0
    start = time.monotonic()
    solve.tool_versions()
    taken = evidence.stamp("formal")
    outcomes = _run(proofs, planted=options.planted)
    settings = {"names": options.names, "planted": options.planted}
    data = report.record(outcomes, settings, time.monotonic() - start)
    page = report.write(data)
    evidence.keep("formal", taken, report.parts(data), say)
    failing = [f"{o.proof.name}: {line}" for o in outcomes for line in o.problems()]
    say(
        f"{data['proven']} proven, {data['bounded']} bounded, {data['failed']} failed "
        f"({data['seconds']:.0f} s); report: {shown(page)}"
    )
    if failing:
        tell(f"error: {failing[0]}{f' (and {len(failing) - 1} more)' if len(failing) > 1 else ''}")
    return 1 if failing else 0


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit status."""
    return run_command(lambda: _command(arguments), "interrupted: no process is left, finished proofs are kept")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
