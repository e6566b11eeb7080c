"""Where a log's lines are kept: in memory, or in a file with the head record beside it."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from pathlib import Path
from typing import Protocol

from sw import ownerfile
from sw.audit.chain import MAX_LINE
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
    """A log on disk, for one process at a time. Bytes go to the system at once, without a buffer of ours.

    The head record is overwritten in place: it never gets shorter, and it fits into one sector.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the log.

        Raises:
            AuditUnavailable: it cannot be opened, is open elsewhere, or others may touch it.
        """
        self.path = path
        self._broken = ""
        self._log = self._head = -1
        try:
            self._log = _open(path, os.O_APPEND)
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._head = _open(head_path(path), 0)
            self._size = os.fstat(self._log).st_size
            self._head_record = os.pread(self._head, MAX_LINE, 0)
        except BlockingIOError:
            self.close()
            raise AuditUnavailable(f"{path} is in use by another process") from None
        except OSError as error:
            self.close()
            raise _unavailable(path, error) from None

    @property
    def empty(self) -> bool:
        """There is neither a line nor a head record."""
        return not self._size and not self._head_record

    def append(self, line: bytes, head: bytes) -> None:
        """Keep both: the line first, so that a crash between the two leaves a head that is behind, not ahead.

        Raises:
            AuditUnavailable: neither is kept.
        """
        if self._broken or self._log < 0:
            raise AuditUnavailable(self._broken or f"{self.path} is closed")
        try:
            self._check_untouched()
            line_written = False
            try:
                _write(self._log, line)
                line_written = True
                _overwrite(self._head, head)
            except OSError:
                self._take_back(head_too=line_written)
                raise
        except OSError as error:
            raise _unavailable(self.path, error) from None
        self._size += len(line)
        self._head_record = head

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
            os.ftruncate(self._log, self._size - len(last[0]))
        except OSError as error:
            raise _unavailable(self.path, error) from None
        self._size -= len(last[0])
        return len(last[0])

    def close(self) -> None:
        """Give the files back."""
        for descriptor in (self._head, self._log):
            if descriptor >= 0:
                os.close(descriptor)
        self._log = self._head = -1

    def _check_untouched(self) -> None:
        for descriptor, path, size in (
            (self._log, self.path, self._size),
            (self._head, head_path(self.path), len(self._head_record)),
        ):
            ours, there = os.fstat(descriptor), path.lstat()
            if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
                raise OSError(f"{path} is another file now")
            if ours.st_size != size:
                raise OSError(f"{path} was changed by someone else")

    def _take_back(self, head_too: bool) -> None:
        """Undo what was written of an entry; if even that fails, nothing is ever written again."""
        try:
            os.ftruncate(self._log, self._size)
            if head_too:
                _overwrite(self._head, self._head_record)
                os.ftruncate(self._head, len(self._head_record))
        except OSError as error:
            self._broken = f"{self.path}: a part of an entry could not be removed: {error.strerror}"


def _open(path: Path, flags: int) -> int:
    flags |= os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, ownerfile.OWNER_ONLY)
    try:
        ownerfile.check_owner_only(path, os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _overwrite(descriptor: int, data: bytes) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    _write(descriptor, data)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, ownerfile.OWNER_ONLY)


def _unavailable(path: Path, error: OSError) -> AuditUnavailable:
    return AuditUnavailable(f"{path}: {error.strerror}" if error.strerror else str(error))
