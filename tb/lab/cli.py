"""`make experiments`: run, show, report. Exit status: 0 done, 1 a check failed, 2 wrong use, 130 interrupted."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from sw.replay.readers import assumption
from sw.replay.readers import load as read
from sw.replay.trace import MAX_BLOCK_TOKENS, UNITS_MS, Trace, TraceError
from sw.terminal import new_console
from tb.lab import eviction, report, serving
from tb.lab import settings as declared
from tb.lab.bounded import command as bounded
from tb.lab.point.workload import GENERATORS
from tb.lab.stream import Stream, stream_of
from tb.run.command import Parser, run_command, whole
from tb.run.errors import UsageError
from tb.run.paths import REPORT
from tb.sim.display import Progressing, sayer

FOLDER = REPORT / "experiments"
Say = Callable[[str], None]
RUNNERS = {"eviction": eviction, "serving": serving}
"""What runs an experiment, by the name of its declarative file."""


@dataclass(frozen=True)
class Options:
    """What the user asks for."""

    names: list[str]
    trace: Path | None
    config: Path | None
    chosen: declared.Chosen
    block_size: int | None
    time_unit: str | None
    folder: Path


def _parse(argv: list[str]) -> Options:
    parser = Parser("python -m tb.lab", __doc__)
    parser.add_argument("--only", help="run these experiments only (names with commas between)")
    parser.add_argument("--trace", help="a trace of any known form (default: the seeded generators)")
    parser.add_argument("--config", help="a TOML file with the settings to change (docs/laboratory.md)")
    parser.add_argument("--slots", help="slots of the fast tier (with commas between: one run for each)")
    parser.add_argument("--policy", help="layers of HEPC, and `none` and `lru` of serving (with commas between)")
    parser.add_argument("--block-size", help="tokens behind one hash id (default: what the trace says, or 512)")
    parser.add_argument("--time-unit", help="of the trace's timestamps: ms (default) or s")
    parser.add_argument(
        "--report", default=str(FOLDER), help="folder of the reports (default sim_build/report/experiments)"
    )
    given = parser.parse_args(argv)
    known = declared.names()
    chosen = known if given.only is None else [name.strip() for name in given.only.split(",")]
    for name in chosen:
        if name not in known:
            raise UsageError(f"ONLY={given.only}: no experiment is called `{name}`; there are {', '.join(known)}")
    if given.time_unit not in {None, *UNITS_MS}:
        raise UsageError(f"TIME_UNIT={given.time_unit}: {' or '.join(UNITS_MS)} is needed")
    _check_effect(given, chosen)
    return Options(
        chosen,
        None if given.trace is None else Path(given.trace),
        None if given.config is None else Path(given.config),
        declared.Chosen.parsed(given.slots, given.policy),
        None if given.block_size is None else whole(given.block_size, "BLOCK_SIZE", 1, MAX_BLOCK_TOKENS),
        given.time_unit,
        Path(given.report),
    )


def _check_effect(given: Namespace, chosen: list[str]) -> None:
    """Raise UsageError for options without effect on one of the experiments."""
    if bounded.NAME in chosen:
        if given.config is not None and len(chosen) > 1:
            raise UsageError(f"CONFIG: `{bounded.NAME}` has keys of its own: give ONLY=<experiment> as well")
        for name in ("slots", "policy"):
            if getattr(given, name) is not None:
                raise UsageError(
                    f"{name.upper()} has no effect on `{bounded.NAME}`: leave it out of ONLY (its settings: CONFIG)"
                )
        if given.trace is not None and len(chosen) == 1:
            raise UsageError(f"TRACE has no effect with ONLY={bounded.NAME}: its streams are generated")
    if given.trace is None and (given.block_size or given.time_unit):
        raise UsageError(f"{'BLOCK_SIZE' if given.block_size else 'TIME_UNIT'} has no effect without TRACE")


def streams(options: Options, settings: declared.Table, say: Say) -> list[list[Stream]]:
    """The workloads: the user's trace, or each kind of generated one, with as many seeds as the experiment has.

    `say` gets what was assumed of a trace. Raises UsageError for what cannot be run.
    """
    count = settings["traces"]["requests"]
    seeds = range(settings["seed"], settings["seed"] + settings.get("serving", {"seeds": 1})["seeds"])
    word = None
    if options.trace is None:
        found = [
            [stream_of(name, Trace(list(islice(GENERATORS[name](seed, count), count)))) for seed in seeds]
            for name in settings["traces"]["generated"]
        ]
    else:
        try:
            trace = read(options.trace, block_tokens=options.block_size, unit=options.time_unit)
        except TraceError as error:
            raise UsageError(f"trace {error}") from None
        if not trace.has_content:
            raise UsageError(
                f"trace {options.trace}: a table of requests does not say what prompts contain, so no block is used "
                "twice and every policy has 0 hits: give a trace with block hashes or sessions"
            )
        word = assumption(options.trace, trace)
        found = [[stream_of(options.trace.name, trace, options.trace)]]
    for stream in chain.from_iterable(found):
        if stream.references < 2 or stream.requests < 2:
            raise UsageError(f"trace {stream.name}: two requests with blocks are needed for a first and a second half")
        declared.check_fit(settings, stream)
    if word:
        say(word)
    return found


class _Steps:
    """Counts what an experiment says it begins, and shows it."""

    def __init__(self, progress: Progressing) -> None:
        self._progress = progress
        self._begun = 0

    def say(self, text: str) -> None:
        """The next run begins."""
        self._progress.show(self._begun, text)
        self._begun += 1


def _experiments(argv: list[str]) -> int:
    options, console = _parse(argv), new_console()
    loaded = {name: options.chosen.applied(declared.load(name, options.config), name) for name in options.names}
    for name in options.names:  # what is missing is said before anything runs
        (bounded if name == bounded.NAME else RUNNERS[name]).check_installed()
    for name in sorted(options.names, key=bounded.NAME.__eq__):  # last: a trace that is refused is refused at once
        if name == bounded.NAME:
            bounded.experiment(loaded[name], options.folder, console)
            continue
        settings = loaded[name]
        runner = RUNNERS[name]
        results: list[dict[str, Any]] = []
        for group in streams(options, settings, sayer(console)):
            with Progressing(console, runner.units(settings, group), "runs") as progress:
                progress.starting()
                results.append(runner.run(settings, group, _Steps(progress).say))
            report.show(console, name, results[-1])
        sayer(console)(f"report: {report.write(options.folder, name, settings, results)}")
    return 0


def main(argv: list[str]) -> int:
    """Run experiments; every foreseeable error is one line and a status."""
    return run_command(lambda: _experiments(argv), "interrupted: no process is left, no report was written")
