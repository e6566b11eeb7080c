"""Files that only their owner may touch: keys, capability tokens, the audit log."""

from __future__ import annotations

import os
import stat
from pathlib import Path

OWNER_ONLY = 0o600
FORBIDDEN = 0o077


class NotOwnerOnly(PermissionError):
    """A file or directory that other users could read or write; the message is one line."""


def check_owner_only(path: Path, status: os.stat_result) -> None:
    """Refuse what is not ours alone.

    Args:
        path: named in the message.
        status: of the open file or the directory.

    Raises:
        NotOwnerOnly: another owner, or any right of group or others.
    """
    if status.st_uid != os.geteuid():
        raise NotOwnerOnly(f"{path} belongs to another user")
    if stat.S_IMODE(status.st_mode) & FORBIDDEN:
        raise NotOwnerOnly(f"{path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}): chmod go= it")


def create(path: Path, data: bytes) -> None:
    """Make a new file of mode 0600, whole or not at all; it is never readable by others, not even for a moment.

    Raises:
        FileExistsError: there is something at `path`; it is not touched.
        OSError: it could not be written whole; nothing is left behind.
    """
    fresh = _written(path, data)
    try:
        os.link(fresh, path)
    finally:
        fresh.unlink()


def _written(path: Path, data: bytes) -> Path:
    """A file of mode 0600 next to `path` with all of `data` on the disk.

    Raises:
        OSError: it could not be written; nothing is left behind.
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        fresh.unlink()
        raise
    return fresh


def replace(path: Path, data: bytes) -> None:
    """Put a file of mode 0600 in the place of another, so that a reader sees the old or the new one whole.

    Raises:
        OSError: it could not be written; the old one stays.
    """
    _written(path, data).replace(path)


def read(path: Path, limit: int) -> bytes:
    """Read a file that only its owner may touch.

    Raises:
        NotOwnerOnly: others could have changed or seen it.
        OSError: it cannot be read, is a link, or is longer than `limit` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        check_owner_only(path, os.fstat(file.fileno()))
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"{path} is longer than {limit} bytes")
    return data
