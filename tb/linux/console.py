"""The guest's console at the user's terminal: a pseudo terminal of which the guest has the other end."""

import contextlib
import os
import select
import sys
import termios
import threading
import tty
from typing import Any, Self

END_OF_INPUT = b"\x04"  # as Ctrl-D
END_AGAIN_S = 0.5  # it is typed again until the guest ends: what runs in the shell takes it first
_CHUNK = 4096


class Console(threading.Thread):
    """Copies keys to the guest and its output to the user, from `with` on to the end of the block.

    A terminal at standard input is in raw mode meanwhile: Ctrl-C is a key of the guest. The end of a file or of a pipe
    there is Ctrl-D.

    Attributes:
        path: the end that the guest opens.
    """

    def __init__(self) -> None:
        super().__init__(name="console", daemon=True)
        self._ours, self._guests = os.openpty()
        tty.setraw(self._guests)  # nothing is echoed or cut before the guest has opened its end
        self.path = os.ttyname(self._guests)
        self._over, self._end = os.pipe()
        self._before: list[Any] | None = None
        self._input = sys.stdin.fileno()
        self._output = sys.stdout.fileno()

    def __enter__(self) -> Self:
        """Begin to copy."""
        if os.isatty(self._input):
            self._before = termios.tcgetattr(self._input)
            tty.setraw(self._input)
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Show what is still to be shown, and give the terminal back."""
        os.write(self._end, b".")
        self.join()
        if self._before is not None:
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)
        for end in (self._ours, self._guests, self._over, self._end):
            os.close(end)

    def run(self) -> None:
        """Copy until the end."""
        sources, at_end = [self._over, self._ours, self._input], None
        while True:
            ready, _, _ = select.select(sources, [], [], at_end)
            if self._ours in ready:
                self._show(os.read(self._ours, _CHUNK))
            elif self._over in ready:
                return
            elif self._input in ready:
                keys = os.read(self._input, _CHUNK)
                os.write(self._ours, keys or END_OF_INPUT)
                if not keys:
                    sources.remove(self._input)
                    at_end = END_AGAIN_S
            else:
                os.write(self._ours, END_OF_INPUT)

    def _show(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a reader that has gone does not end the session
            os.write(self._output, data)
