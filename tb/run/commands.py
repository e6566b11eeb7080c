"""The commands that are short: run a few tests, list, build, audit."""

from dataclasses import replace

from rich.text import Text

from sw.terminal import LAYOUT, new_console, visible
from tb.run.build import BuildSpec, build
from tb.run.errors import UsageError
from tb.run.leg import Job, Outcome, explain, run_built
from tb.run.manifest import Manifest, audit
from tb.run.paths import shown

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


def select(manifest: Manifest, leg_name: str | None, test_name: str | None) -> list[tuple[str, str]]:
    """(leg, test) pairs that the options name. Raises UsageError."""
    if leg_name and test_name:
        leg, test = manifest.find_test(f"{leg_name}.{test_name}")
        return [(leg.name, test)]
    if test_name:
        leg, test = manifest.find_test(test_name)
        return [(leg.name, test)]
    if leg_name:
        return [(leg_name, test) for test in manifest.leg(leg_name).tests]
    raise UsageError("name a test (TEST=...) or a leg; `make list` shows all")


def run_tests(
    manifest: Manifest, leg_name: str | None, test_name: str | None, seed: int, seeds: int, debug: bool, waves: str
) -> int:
    """Run the named tests one after the other; `waves` is "never", "failure" (of a second run) or "always"."""
    failed = 0
    selected = select(manifest, leg_name, test_name)
    for name, test in selected:
        leg = manifest.leg(name)
        spec = replace(leg.spec, debug=debug, waves=waves == "always")
        built = build(spec, say)
        for number in range(seed, seed + seeds):
            job = Job(leg, test, number, 0 if waves == "always" else None)
            outcome = run_built(job, built)
            failed += not outcome.verdict.passed
            show(outcome)
            if waves == "always":
                from tb.run.waves import show_waves

                show_waves(outcome, say)
            elif waves == "failure" and not outcome.verdict.passed:
                from tb.run.waves import rerun_with_waves

                rerun_with_waves(outcome, spec, say)
    total = len(selected) * seeds
    say(f"{total - failed} passed, {failed} failed")
    return 1 if failed else 0


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
