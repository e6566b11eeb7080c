"""Say which stage of the sign-off the device has reached, and what is missing for the next.

What is known for the sources as they are counts; what is missing of V1 is run, with --stage what is missing up to that
stage. Exit status: 0 the stage that was asked for (without --stage: V1) is reached, 1 it is not, 2 wrong use, 130
interrupted.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from tb.plan import STAGES
from tb.run.command import INTERRUPTED, Parser, run_command
from tb.run.commands import say
from tb.run.errors import UsageError
from tb.run.paths import ROOT, shown
from tb.run.store.keep import keep_run, verdict
from tb.run.trend import shown_seconds
from tb.signoff import report
from tb.signoff.measure import Facts, measure, project_facts
from tb.signoff.numbers import NUMBERS, STEPS, Judgement, Value


def steps_due(values: Mapping[str, Value], until: str) -> list[str]:
    """Steps that would measure what the stages up to `until` need and nothing has measured, in their order."""
    due = [
        number.step
        for number in NUMBERS
        if number.needed(until) is not None and values.get(number.name, Value()).value is None
    ]
    return list(dict.fromkeys(due))


def _run(name: str, place: str) -> None:
    """Run one step, its output on this terminal; what it found is in the evidence afterwards."""
    step = STEPS[name]
    say(f"{place} {name}: {step.typed}")
    begin = time.monotonic()
    command = [sys.executable, "-m", step.module, *step.arguments]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status in (-signal.SIGINT, INTERRUPTED):
        raise KeyboardInterrupt
    say(f"{place} {name}: exit status {status} ({shown_seconds(time.monotonic() - begin)})")


def _measured(facts: Facts, until: str) -> dict[str, Value]:
    """The numbers, after the steps that were due; each step runs once, and a step may make a later one needless."""
    values, tried = measure(facts), set[str]()
    while due := [name for name in steps_due(values, until) if name not in tried]:
        tried.add(due[0])
        _run(due[0], f"[{len(tried)}, {len(due) - 1} to go]")
        values = measure(facts)
    return values


def _command(arguments: list[str]) -> int:
    parser = Parser("python -m tb.signoff", __doc__)
    parser.add_argument("--stage", help=f"of {', '.join(STAGES)}: run what is missing up to it, and fail below it")
    options = parser.parse_args(arguments)
    asked = options.stage
    if asked is not None and asked not in STAGES:
        raise UsageError(f"STAGE={asked}: one of {', '.join(STAGES)}")
    facts = project_facts()
    judgement = Judgement(_measured(facts, asked or STAGES[0]))
    data = report.record(judgement, asked)
    wanted = asked or STAGES[0]
    page = report.write(data, say)
    keep_run(report.KIND, data, verdict(judgement.holds(wanted)), page.parent)
    for stage in [stage for stage in STAGES if stage <= wanted or stage == judgement.after]:
        missing = judgement.missing(stage)
        say(f"{stage}: {'reached' if not missing else f'not reached, {len(missing)} numbers are missing'}")
        if missing:
            say("\n".join(f"  {line}" for line in missing))
            break
    say(f"sign-off: stage {judgement.stage or 'none'} is reached; report: {shown(page)}")
    return 0 if judgement.holds(wanted) else 1


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit status."""
    return run_command(lambda: _command(arguments), "interrupted: what was found until now is kept")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
