"""Where a log's lines are kept: in memory, or in a file with the head record beside it."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from pathlib import Path
from typing import Protocol

from sw import ownerfile
from sw.audit.errors import AuditUnavailable

HEAD_SUFFIX = ".head"
TORN_SUFFIX = ".torn"


def head_path(path: Path) -> Path:
    """Where the head record of the log at `path` is."""
    return path.with_name(path.name + HEAD_SUFFIX)


class Store(Protocol):
    """Keeps lines and the head record: a line and its head, or neither."""

    def append(self, line: bytes, head: bytes) -> None:
        """Keep a line and the head record that goes with it.

        Raises:
            AuditUnavailable: neither is kept.
        """

    def lines(self, last: int | None) -> list[bytes]:
        """All lines, or the last so many, oldest first.

        Raises:
            AuditUnavailable: they cannot be read.
        """

    def close(self) -> None:
        """Give files back; a second call does nothing."""


class MemoryStore:
    """A log that ends with the process."""

    def __init__(self) -> None:
        """Empty."""
        self._lines: list[bytes] = []
        self.head = b""

    def append(self, line: bytes, head: bytes) -> None:
        """Keep both."""
        self._lines.append(line)
        self.head = head

    def lines(self, last: int | None) -> list[bytes]:
        """All lines, or the last so many."""
        return self._lines[-last or len(self._lines) :] if last is not None else list(self._lines)

    def close(self) -> None:
        """Nothing to give back."""


class FileStore:
    """A log on disk, for one process at a time. Lines go to the system at once, without a buffer of ours."""

    def __init__(self, path: Path) -> None:
        """Open or make the log.

        Raises:
            AuditUnavailable: it cannot be opened, is open elsewhere, or others may touch it.
        """
        self.path = path
        self._broken = ""
        self._descriptor = -1
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, ownerfile.OWNER_ONLY)
            ownerfile.check_owner_only(path, os.fstat(self._descriptor))
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise AuditUnavailable(f"{path} is in use by another process") from None
        except OSError as error:
            self.close()
            raise _unavailable(path, error) from None
        self._size = os.fstat(self._descriptor).st_size

    @property
    def size(self) -> int:
        """Bytes of the log."""
        return self._size

    def append(self, line: bytes, head: bytes) -> None:
        """Keep both: the line first, so that a crash between the two leaves a head that is behind, not ahead.

        Raises:
            AuditUnavailable: neither is kept.
        """
        if self._broken or self._descriptor < 0:
            raise AuditUnavailable(self._broken or f"{self.path} is closed")
        try:
            self._check_untouched()
            try:
                _write(self._descriptor, line)
                ownerfile.replace(head_path(self.path), head)
            except OSError:
                self._take_back()
                raise
        except OSError as error:
            raise _unavailable(self.path, error) from None
        self._size += len(line)

    def lines(self, last: int | None) -> list[bytes]:
        """All lines, or the last so many.

        Raises:
            AuditUnavailable: the log cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                return list(deque(file, last))
        except OSError as error:
            raise _unavailable(self.path, error) from None

    def take_torn_line(self) -> int:
        """Move a last line without an end to `<log>.torn`; its bytes, 0 without one.

        Raises:
            AuditUnavailable: it cannot be moved.
        """
        last = self.lines(1)
        if not last or last[0].endswith(b"\n"):
            return 0
        try:
            with open(f"{self.path}{TORN_SUFFIX}", "ab", opener=_owner_only) as file:
                file.write(last[0])
            os.ftruncate(self._descriptor, self._size - len(last[0]))
        except OSError as error:
            raise _unavailable(self.path, error) from None
        self._size -= len(last[0])
        return len(last[0])

    def close(self) -> None:
        """Give the log back."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _check_untouched(self) -> None:
        ours, there = os.fstat(self._descriptor), os.stat(self.path, follow_symlinks=False)
        if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
            raise OSError(f"{self.path} is another file now")
        if ours.st_size != self._size:
            raise OSError(f"{self.path} was changed by someone else")

    def _take_back(self) -> None:
        """Remove what of a line was written; if even that fails, nothing is ever written again."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError as error:
            self._broken = f"{self.path}: a part of an entry could not be removed: {error.strerror}"


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, ownerfile.OWNER_ONLY)


def _unavailable(path: Path, error: OSError) -> AuditUnavailable:
    return AuditUnavailable(f"{path}: {error.strerror}" if error.strerror else str(error))
