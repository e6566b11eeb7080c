"""The commands that are short: run a few tests, list, build, audit."""

from dataclasses import dataclass, replace

from rich.text import Text

from sw.terminal import LAYOUT, new_console, visible
from tb.run.build import BuildSpec, build
from tb.run.errors import UsageError
from tb.run.leg import EVENT_LOG, Job, Outcome, explain, run_built
from tb.run.manifest import Manifest, audit
from tb.run.paths import shown
from tb.run.selection import FAILED, chosen, keep_failures

console = new_console()


def say(text: str) -> None:
    """Progress lines, as they are: neither markup nor escape codes in a name have an effect."""
    console.print(visible(text, keep=LAYOUT))


def with_parameters(spec: BuildSpec, assignments: list[str]) -> BuildSpec:
    """`spec` with NAME=VALUE overrides. Raises UsageError for text that is no assignment."""
    parameters = dict(spec.parameters)
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier() or not value:
            raise UsageError(f"-P {text}: NAME=VALUE is needed")
        parameters[name] = (
            int(value, 0) if value.lstrip("-").replace("_", "").isalnum() and value[0] in "-0123456789" else value
        )
    return replace(spec, parameters=parameters)


@dataclass(frozen=True)
class Wanted:
    """What runs leave besides their verdict: `waves` is "never", "failure" (of a second run) or "always"."""

    debug: bool = False
    waves: str = "never"
    events: bool = False


def run_tests(manifest: Manifest, text: str | None, seed: str | None, seeds: int, wanted: Wanted) -> int:
    """Run the tests that TEST, SEED and SEEDS name (`tb.run.selection`) one after the other.

    Returns the exit status. Raises UsageError, CheckError.
    """
    waiting = chosen(manifest, text, seed, seeds)
    total, failed = len(waiting), list[Job]()
    try:
        while waiting:
            always = wanted.waves == "always"
            job = replace(waiting[0], events=wanted.events)
            spec = replace(job.leg.spec, debug=wanted.debug, waves=always)
            job = replace(job, waves_from_ps=0) if always else job
            outcome = run_built(job, build(spec, say))
            waiting.pop(0)
            show(outcome)
            if job.events:
                say(f"  events {shown_events(outcome)}")
            if not outcome.verdict.passed:
                failed.append(job)
            _show_waves(outcome, spec, wanted.waves)
    finally:
        keep_failures([*failed, *waiting] if text == FAILED else failed)
    say(f"{total - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def shown_events(outcome: Outcome) -> str:
    """Where the event log of a run is."""
    path = outcome.log.parent / EVENT_LOG
    return shown(path) if path.is_file() else "none: this test has no scoreboard of the whole device"


def _show_waves(outcome: Outcome, spec: BuildSpec, waves: str) -> None:
    from tb.run.waves import rerun_with_waves, show_waves  # only some runs need it

    if waves == "always":
        show_waves(outcome, say)
    elif waves == "failure" and not outcome.verdict.passed:
        rerun_with_waves(outcome, spec, say)


def show(outcome: Outcome) -> None:
    """One line for a pass, the whole story for a failure."""
    if not outcome.verdict.passed:
        say(explain(outcome))
        return
    verdict = outcome.verdict
    counts = f"{verdict.transactions:,} transactions, {verdict.comparisons:,} comparisons"
    say(f"passed {outcome.job.title}: {counts}, {outcome.seconds:.1f} s")


def list_tests(manifest: Manifest) -> int:
    """Print every leg with its tests."""
    for leg in manifest.legs:
        seeds = "1 seed" if leg.seeds == 1 else f"{leg.seeds} seeds"
        about = f"  {leg.level}, top {leg.top.spec.name}, {seeds}: {leg.why}"
        console.print(Text.assemble((leg.name, "bold"), about))
        console.print(f"    {' '.join(leg.tests)}")
    tests = sum(len(leg.tests) for leg in manifest.legs)
    say(f"{len(manifest.legs)} legs, {tests} tests")
    return 0


def build_top(manifest: Manifest, top: str | None, assignments: list[str]) -> int:
    """Build one top and print where the binary is."""
    if not top:
        raise UsageError("name a top: --top <name>")
    built = build(with_parameters(manifest.top(top).spec, assignments), say)
    say(f"{'cached' if built.cached else 'built'}: {shown(built.binary)}")
    return 0


def audit_manifest(manifest: Manifest) -> int:
    """Print what the manifest and the test modules disagree about."""
    complaints = list(audit(manifest))
    for line in complaints:
        say(f"manifest: {line}")
    return 1 if complaints else 0
