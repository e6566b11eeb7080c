"""One server for a socket: a lock next to it, which ends with its holder."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from sw.uapi.place import PlaceError, check_length, private_folder


class InUse(PlaceError):
    """Another server serves this socket."""


def locked(path: Path) -> IO[str]:
    """The lock of a socket's path, held until it is closed.

    Raises:
        InUse: another process holds it.
    """
    name = path.with_name(path.name + ".lock")
    while True:
        lock = name.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock.fileno()).st_ino == name.stat().st_ino:
                break
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            raise InUse(f"{path}: already served{f' by process {holder}' if holder else ''}") from None
        except FileNotFoundError:
            pass  # its holder has taken it away between our two looks
        lock.close()
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def refuse_second(path: Path) -> None:
    """Raise InUse if a server is at a path; asked before a stack is built, whose files the other one uses."""
    check_length(path)
    private_folder(path.parent)
    locked(path).close()


def remove_dead(path: Path) -> None:
    """Take away the socket of a server that could not do it itself; one that lives keeps its own."""
    with suppress(OSError, PlaceError), locked(path) as lock:
        path.unlink(missing_ok=True)
        Path(lock.name).unlink(missing_ok=True)
