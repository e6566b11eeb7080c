"""Text output and the end of every command line of the project, whatever its standard streams are.

For command lines of `sw`, `tb` and `fpga` alike (this module needs only the standard library and rich):

    if __name__ == "__main__":
        sys.exit(command_line(main))            # prepares the streams, and maps how writing can end to a status

    console = new_console()                     # in place of rich.console.Console(): no markup, no emoji codes
    console.print(visible(name))                # a name from outside: control characters as escapes
    complain(f"error: {error}")                 # one line on stderr, in place of print(..., file=sys.stderr)

What a stream's encoding (ASCII, cp1252, ...) does not have is written as an escape, tables fall back to ASCII lines,
a closed stream is /dev/null, a reader that has gone ends the program without a word, and Ctrl-C is one line.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import IO

from rich.console import Console

FAILED = 1
INTERRUPTED = 130
LAYOUT = "\n\t"  # control characters that a text of several lines keeps
UNKNOWN_WIDTH = 160  # columns, where neither a terminal nor $COLUMNS says how many there are
_STANDARD = {"stdin": ("r", 0), "stdout": ("w", 1), "stderr": ("w", 2)}
_ON_ERROR = {"stdin": "surrogateescape", "stdout": "backslashreplace", "stderr": "backslashreplace"}


def prepare() -> None:
    """Make the standard streams safe to use: each is open, and neither reading nor writing raises UnicodeError."""
    while True:  # so that no file or socket is opened under a number that the program takes for a standard stream
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            break
    for name, (mode, number) in _STANDARD.items():
        stream = getattr(sys, name)
        if stream is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
            setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ON_ERROR[name])


def visible(text: str, *, keep: str = "", stream: IO[str] | None = None) -> str:
    r"""Text with every character that is not printable as an escape, such as \x1b, on one line.

    Args:
        text: anything, file names with undecodable bytes included.
        keep: characters that stay as they are, such as a line end.
        stream: where it goes (default: stdout); what its encoding does not have is an escape as well.
    """
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    return "".join(char if char in keep else _shown(char, encoding) for char in text)


def _shown(char: str, encoding: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte that was not text, as Python decodes names
        return f"\\x{ord(char) - 0xDC00:02x}"
    if not char.isprintable():
        return char.encode("unicode_escape").decode("ascii")
    return char.encode(encoding, "backslashreplace").decode(encoding)


def new_console(*, stderr: bool = False) -> Console:
    """Where text goes, literally: neither `[bold]` nor `:smile:` means anything in it."""
    stream: IO[str] | None = sys.stderr if stderr else sys.stdout
    known = (stream is not None and stream.isatty()) or "COLUMNS" in os.environ
    width = None if known else UNKNOWN_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False, width=width)


def complain(message: str) -> None:
    """Print one line on stderr, control characters in it escaped; nothing happens where stderr cannot be written."""
    try:
        print(visible(message, stream=sys.stderr), file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def command_line(body: Callable[[], int]) -> int:
    """Run a program's body with its streams prepared.

    Returns:
        What the body returns, else 130 (one line) after Ctrl-C, or 1 if the output cannot be written: without a word
        if its reader has gone (`| head -1`), in one line else (a full disk).
    """
    prepare()
    try:
        try:
            return body()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _discard(sys.stdout)
        return FAILED
    except OSError as error:
        _discard(sys.stdout)
        complain(f"error: {error.filename or 'output'}: {(error.strerror or str(error)).lower()}")
        return FAILED


def _discard(stream: IO[str]) -> None:
    """Let what a stream still holds go nowhere, so that the interpreter's last flush has nothing to fail at."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, number)
    os.close(sink)
