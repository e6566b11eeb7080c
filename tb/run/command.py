"""What every command line of the testbench shares: how it reads its options and how it can end.

Exit status: what the command returns, 1 a check failed, 2 wrong use or a machine that lacks something, 130 interrupted.
"""

import argparse
import contextlib
import errno
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from sw.terminal import LAYOUT, command_line, complain, visible
from tb.run.errors import CheckError, UsageError
from tb.run.paths import SIM_BUILD, shown
from tb.run.process import no_process_left

CHECK_FAILED = 1
WRONG_USE = 2
INTERRUPTED = 130
MAX_SEED = 2**31 - 1  # Verilator's +verilator+seed+ takes no more, and 0 means "any"
MAX_COUNT = 1_000_000
CRASH = "internal-error.txt"
_WRITABLE = "it must be writable"
NEXT_STEPS = {
    errno.ENOSPC: "free some and call again",
    errno.EDQUOT: "free some and call again",
    errno.EROFS: _WRITABLE,
    errno.EACCES: _WRITABLE,
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "close other programs",
}


class Parser(argparse.ArgumentParser):
    """A command line whose faults are one line, and in which no option can be cut short."""

    def __init__(self, prog: str, description: str | None = None) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def whole(text: str, name: str, low: int, high: int) -> int:
    """A whole number of a variable. Raises UsageError."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high):
        raise UsageError(f"{name}={text}: a whole number from {low:,} to {high:,} is needed")
    return int(text)


def checked_seed(text: str) -> int:
    """SEED. Raises UsageError."""
    return whole(text, "SEED", 1, MAX_SEED)


def tell(message: str) -> None:
    """A message of the command itself, on stderr; several lines when it shows what a tool said."""
    with contextlib.suppress(OSError):
        print(visible(message, keep=LAYOUT, stream=sys.stderr), file=sys.stderr, flush=True)


def run_command(body: Callable[[], int], interrupted: str = "interrupted: no process is left") -> int:
    """Run a command: no child outlives it, and every way in which it can end is one message and a status.

    Whatever its standard streams are (ASCII, closed, full, without a reader), it can write to them. `interrupted` is
    what is said after Ctrl-C, SIGTERM or SIGHUP.
    """
    return command_line(lambda: _guarded(body, interrupted))


def _guarded(body: Callable[[], int], interrupted: str) -> int:
    try:
        with no_process_left():
            return body()
    except UsageError as error:
        complain(f"error: {error}")
        return WRONG_USE
    except CheckError as error:
        tell(f"error: {error}")
        return CHECK_FAILED
    except KeyboardInterrupt:
        tell(interrupted)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None and _output_is_lost():
            raise
        complain(f"error: {machine_fault(error)}")
        return WRONG_USE
    except Exception as error:  # noqa: BLE001 - a fault of this program: its traceback is for those who mend it
        tell(f"error: internal error: {type(error).__name__}: {error} ({_kept_traceback()})")
        return CHECK_FAILED


def _output_is_lost() -> bool:
    """Whether standard output takes no more: then that is the fault, and it is reported once, by command_line()."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def machine_fault(error: OSError) -> str:
    """What the operating system refused, about which file, what to do: "sim_build: no space left on device; ..."."""
    what = (error.strerror or str(error)).lower()
    step = f"; {NEXT_STEPS[error.errno]}" if error.errno in NEXT_STEPS else ""
    return f"{f'{error.filename}: ' if error.filename else ''}{what}{step}"


def _kept_traceback() -> str:
    """Write the traceback of the current exception where a report of the fault can include it; says where."""
    path = SIM_BUILD / CRASH
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc())
    except OSError:
        return "its traceback could not be written"
    return f"traceback in {shown(path)}; please report it"
