"""Keeps a device open for other programs: says where, waits for Ctrl-C, and tells how it ended.

Exit status: 1 a check failed or the simulation broke, 2 wrong use, 130 ended by Ctrl-C.
"""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from sw.uapi.build import BuildError, NoCompiler
from sw.uapi.build import build as build_libraries
from sw.uapi.description import DEVICE
from sw.uapi.place import VARIABLE, PlaceError
from tb.run.errors import CheckError, UsageError
from tb.run.paths import ROOT
from tb.run.process import no_process_left
from tb.serve.options import Options, parse
from tb.sim.errors import Difference

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
    say(f"serving {options.backend}, {options.entries:,} entries, {options.lanes} lanes, {options.ports} ports")
    say(f"socket   export {VARIABLE}={shlex.quote(str(options.socket))}")
    say(f"try      {ROOT / 'bin' / 'kvctl'} step 1")
    if preload:
        say(f"or       LD_PRELOAD={preload} <a program that opens {DEVICE}>")
    say("Ctrl-C ends it")


def _serve(options: Options, console: Console) -> int:
    def say(text: str) -> None:
        console.print(text, markup=False)

    preload = _libraries(say)
    ready: Callable[[], None] = lambda: introduce(options, preload, say)  # noqa: E731
    # each backend imports what it alone needs, to start fast
    if options.backend == "model":
        from tb.serve import on_model

        on_model.serve(options, ready)
        checked = "nothing is compared on the device model"
    else:
        from tb.serve import on_rtl

        checked = on_rtl.serve(options, ready, say)
    print(f"ended: {checked}; no process is left", file=sys.stderr)
    return 130


def main(argv: list[str]) -> int:
    """Serve one device; every foreseeable error is one line and a status."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        with no_process_left():
            return _serve(parse(argv), console)
    except (UsageError, PlaceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Difference as error:
        print(f"error: {error}", file=sys.stderr)
        if error.look_closer:
            error.look_closer(lambda text: console.print(text, markup=False))
        return 1
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: no process is left", file=sys.stderr)
        return 130
