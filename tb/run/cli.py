"""Command line of the testbench: every make target ends here.

Exit status: 0 all checks hold, 1 a check failed, 2 wrong use, 130 interrupted.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from tb.run.command import MAX_COUNT, Parser, run_command, whole
from tb.run.manifest import Leg, Manifest, load
from tb.run.paths import MANIFEST, SIM_BUILD, shown

EVENTS = "write the event log (events.sqlite) next to sim.log"


def _parser() -> Parser:
    parser = Parser("python -m tb.run", __doc__)
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help="another manifest than tb/manifest.toml")
    parser.add_argument("--verilator", help="a Verilator to use instead of the environment's own")
    parser.add_argument("--cxx", help="a C++ compiler to use instead of c++, g++ or clang++")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run one test, a leg, the tests of a pattern, or what failed last")
    run.add_argument("--test", help="<test>, <leg>.<test>, <leg>, a pattern over <leg>.<test>, or failed")
    run.add_argument("--seed", help="the first seed (default 1; each failure's own with --test=failed)")
    run.add_argument("--seeds", default="1", help="how many seeds from there (default 1)")
    run.add_argument("--debug", action="store_true", help="every signal visible to Python")
    run.add_argument(
        "--waves",
        choices=["never", "failure", "always"],
        default="never",
        help="always: from time 0; failure: run a failing test again with waves of its last cycles",
    )
    run.add_argument("--events", action="store_true", help=EVENTS)

    commands.add_parser("list", help="all legs and tests")
    for name, text in (("build", "build one top"), ("lint", "Verilator -Wall and slang on one top, or on all")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--top", help="a top of the manifest")
        command.add_argument(
            "-P", "--parameter", action="append", default=[], help="NAME=VALUE, overrides the manifest"
        )

    regress = commands.add_parser("regress", help="all legs over all cores, with reports")
    regress.add_argument("--seeds", help="seeds of each test (default: the manifest's)")
    regress.add_argument("--quick", action="store_true", help="quick legs only")
    regress.add_argument("--level", help="block, top or system only")
    regress.add_argument("--coverage", action="store_true", help="collect code coverage")
    regress.add_argument("--events", action="store_true", help=EVENTS)
    regress.add_argument("--workers", help="tests at the same time (default: the cores)")
    regress.add_argument("--scheduler", help="address of a Dask scheduler: run over its workers (docs/regression.md)")

    check = commands.add_parser("check", help="everything a change must pass (`make test`)")
    check.add_argument("--only", help="one part of it, see tb/run/check.py")
    commands.add_parser("audit", help="do the manifest and the test modules agree")
    commands.add_parser("doctor", help="what this machine has and what is missing")
    return parser


def _manifest(options: argparse.Namespace) -> Manifest:
    manifest = load(options.manifest.resolve())
    if not (options.verilator or options.cxx):
        return manifest

    def with_tools(leg: Leg) -> Leg:
        return replace(
            leg, top=replace(leg.top, spec=replace(leg.top.spec, verilator=options.verilator, cxx=options.cxx))
        )

    tops = {
        name: replace(top, spec=replace(top.spec, verilator=options.verilator, cxx=options.cxx))
        for name, top in manifest.tops.items()
    }
    return replace(manifest, legs=tuple(map(with_tools, manifest.legs)), tops=tops)


def _command(options: argparse.Namespace) -> int:  # each command imports what it alone needs, to start fast
    if options.command == "doctor":
        from tb.run.doctor import doctor

        return doctor()
    manifest = _manifest(options)
    if options.command == "run":
        from tb.run.commands import Wanted, run_tests

        number = whole(options.seeds, "SEEDS", 1, MAX_COUNT)
        wanted = Wanted(debug=options.debug, waves=options.waves, events=options.events)
        return run_tests(manifest, options.test, options.seed, number, wanted)
    if options.command == "list":
        from tb.run.commands import list_tests

        return list_tests(manifest)
    if options.command == "build":
        from tb.run.commands import build_top

        return build_top(manifest, options.top, options.parameter)
    if options.command == "lint":
        from tb.run.lint import lint

        return lint(manifest, options.top, options.parameter)
    if options.command == "audit":
        from tb.run.commands import audit_manifest

        return audit_manifest(manifest)
    if options.command == "check":
        from tb.run.check import check

        return check(manifest, options.only)
    from tb.run.regress import regress

    seeds = None if options.seeds is None else whole(options.seeds, "SEEDS", 1, MAX_COUNT)
    workers = None if options.workers is None else whole(options.workers, "WORKERS", 1, MAX_COUNT)
    return regress(
        manifest,
        seeds=seeds,
        quick=options.quick,
        level=options.level,
        coverage=options.coverage,
        workers=workers,
        events=options.events,
        scheduler=options.scheduler,
    )


def main(argv: list[str]) -> int:
    """Run one command; every foreseeable error is one line and a status."""
    finished = f"interrupted: no process left behind, finished runs stay in {shown(SIM_BUILD)}"
    return run_command(lambda: _command(_parser().parse_args(argv)), finished)
