"""Ends what a killed runner leaves: `python watchdog.py NAME=VALUE` waits until its input ends, then kills.

It kills every process whose environment has that word. The runner gives it to all its children, and they to theirs.
It is a program of its own, because nothing in a process survives its SIGKILL.
"""

import contextlib
import os
import signal
import sys
import time

ROUND_S = 0.1
QUIET_ROUNDS = 3  # without a find: a process that was just being started has its environment by then
LIMIT_S = 10.0


def marked(word: bytes) -> list[int]:
    """Processes whose environment has `word`."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as environ:
                if word in environ.read().split(b"\0"):
                    found.append(int(name))
    return found


def end_all(word: bytes) -> None:
    """Kill the marked processes, and those that they start meanwhile."""
    deadline = time.monotonic() + LIMIT_S
    quiet = 0
    while quiet < QUIET_ROUNDS and time.monotonic() < deadline:
        found = marked(word)
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        quiet = 0 if found else quiet + 1
        time.sleep(ROUND_S)


def main() -> None:
    """Wait for the end of the input: `done` comes first when the runner has ended its children itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() != b"done":
        end_all(sys.argv[1].encode())


if __name__ == "__main__":
    main()
