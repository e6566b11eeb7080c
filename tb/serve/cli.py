"""Keeps a device open for other programs: says where, waits for Ctrl-C, and tells how it ended.

Exit status: 0 ended by Ctrl-C or SIGTERM, in good order; 1 a check failed or the simulation broke; 2 wrong use;
130 Ctrl-C before it served, or a second one.
"""

import shlex
from collections.abc import Callable
from pathlib import Path

from sw.terminal import new_console
from sw.uapi.build import BuildError, NoCompiler
from sw.uapi.build import build as build_libraries
from sw.uapi.description import DEVICE
from sw.uapi.place import VARIABLE, PlaceError
from tb.run.command import run_command, tell
from tb.run.errors import CheckError, UsageError
from tb.run.paths import ROOT
from tb.serve.options import Options, parse
from tb.sim.display import sayer

Say = Callable[[str], None]


def _libraries(say: Say) -> Path | None:
    """The preload shim, or None where no C compiler is."""
    try:
        return build_libraries().preload
    except NoCompiler as error:
        say(f"no preload library: {error}")
        return None
    except BuildError as error:
        raise CheckError(str(error)) from None


def introduce(options: Options, preload: Path | None, say: Say) -> None:
    """What a user types in another terminal."""
    say(f"serving {options.device}")
    say(f"socket   export {VARIABLE}={shlex.quote(str(options.socket))}")
    say(f"try      {ROOT / 'bin' / 'kvctl'} step 1")
    if preload:
        say(f"or       LD_PRELOAD={preload} <a program that opens {DEVICE}>")
    say("Ctrl-C ends it")


def _serve(options: Options) -> int:
    say = sayer(new_console())
    preload = _libraries(say)
    ready: Callable[[], None] = lambda: introduce(options, preload, say)  # noqa: E731
    # each backend imports what it alone needs, to start fast
    try:
        if options.backend == "model":
            from tb.serve import on_model

            on_model.serve(options, ready)
            checked = "nothing is compared on the device model"
        else:
            from tb.serve import on_rtl

            checked = on_rtl.serve(options, ready, say)
    except PlaceError as error:
        raise UsageError(str(error)) from None
    tell(f"ended: {checked}; no process is left")
    return 0


def main(argv: list[str]) -> int:
    """Serve one device; every foreseeable error is one line and a status."""
    return run_command(lambda: _serve(parse(argv)))
