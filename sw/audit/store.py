"""Where a log's lines are kept: in memory, or in files with the head record next to them and the anchor elsewhere."""

from __future__ import annotations

import fcntl
import os
from collections import deque
from pathlib import Path
from typing import Protocol

from sw import ownerfile
from sw.audit.chain import MAX_LINE
from sw.audit.errors import AuditUnavailable
from sw.audit.files import TORN_SUFFIX, full_files, full_path, head_path, last_link

FILE_BYTES = 4 << 20  # of one file of a log: a start verifies the last one


class Store(Protocol):
    """Keeps lines and the head record: a line and its head, or neither."""

    def append(self, seq: int, line: bytes, head: bytes) -> None:
        """Keep the line of entry `seq` and the head record that goes with it.

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

    def append(self, seq: int, line: bytes, head: bytes) -> None:
        """Keep both."""
        self._lines.append(line)
        self.head = head

    def lines(self, last: int | None) -> list[bytes]:
        """All lines, or the last so many."""
        return self._lines[-last or len(self._lines) :] if last is not None else list(self._lines)

    def close(self) -> None:
        """Nothing to give back."""


class _Record:
    """The head record or its copy: overwritten in place, it never gets shorter, and it fits into one sector."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = _open(path, 0)
        self.data = os.pread(self.descriptor, MAX_LINE, 0)

    def write(self, data: bytes) -> None:
        _overwrite(self.descriptor, data)

    def take_back(self) -> None:
        _overwrite(self.descriptor, self.data)
        os.ftruncate(self.descriptor, len(self.data))


class FileStore:
    """A log on disk, for one process at a time. Bytes go to the system at once, without a buffer of ours.

    When a file is full it is renamed (`full_path`) and the next one begun: the chain goes on from file to file.
    """

    def __init__(self, path: Path, anchor: Path | None = None, file_bytes: int = FILE_BYTES) -> None:
        """Open or make the log.

        Args:
            path: of the file that is written.
            anchor: of a copy of the head record in another place; None: there is none.
            file_bytes: a file with so many bytes is full.

        Raises:
            AuditUnavailable: it cannot be opened, is open elsewhere, or others may touch it.
        """
        self.path = path
        self._file_bytes = file_bytes
        self._broken = ""
        self._log = -1
        self._records: list[_Record] = []
        try:
            self._records.append(_Record(head_path(path)))
            fcntl.flock(self._records[0].descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._log = _open(path, os.O_APPEND)
            self._size = os.fstat(self._log).st_size
            self._first: int | None = None
            if anchor is not None:
                self._records.append(_Record(anchor))
        except BlockingIOError:
            self.close()
            raise AuditUnavailable(f"{path} is in use by another process") from None
        except OSError as error:
            self.close()
            raise _unavailable(path, error) from None

    @property
    def empty(self) -> bool:
        """There is neither a line nor a head record nor an anchor."""
        return not self._size and not full_files(self.path) and not any(record.data for record in self._records)

    @property
    def head(self) -> bytes:
        """The bytes of the head record."""
        return self._records[0].data

    @property
    def anchor(self) -> bytes | None:
        """The bytes of the anchor; None without one."""
        return self._records[1].data if len(self._records) > 1 else None

    def append(self, seq: int, line: bytes, head: bytes) -> None:
        """Keep all: the line first, so that a crash in between leaves a head that is behind, not ahead.

        Raises:
            AuditUnavailable: nothing is kept.
        """
        if self._broken or self._log < 0:
            raise AuditUnavailable(self._broken or f"{self.path} is closed")
        try:
            self._check_untouched()
            if self._size and self._size + len(line) > self._file_bytes:
                self._begin_file()
            written: list[_Record] = []
            try:
                _write(self._log, line)
                for record in self._records:
                    written.append(record)
                    record.write(head)
            except OSError:
                self._take_back(written)
                raise
        except OSError as error:
            raise _unavailable(self.path, error) from None
        if not self._size:
            self._first = seq
        self._size += len(line)
        for record in self._records:
            record.data = head

    def lines(self, last: int | None) -> list[bytes]:
        """All lines, or the last so many, over all files.

        Raises:
            AuditUnavailable: the log cannot be read.
        """
        found: deque[bytes] = deque()
        try:
            for path in reversed([*full_files(self.path), self.path]):
                with path.open("rb") as file:
                    found.extendleft(reversed(deque(file, None if last is None else last - len(found))))
                if last is not None and len(found) >= last:
                    break
        except OSError as error:
            raise _unavailable(self.path, error) from None
        return list(found)

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

    def set_aside(self, name: str) -> list[Path]:
        """Rename every file of the log with `name` behind it, and begin an empty one; the files that there are then.

        Raises:
            AuditUnavailable: it cannot be done.
        """
        aside = []
        try:
            for file in [*full_files(self.path), *([self.path] if self._size else [])]:
                aside.append(file.rename(file.with_name(f"{file.name}.{name}")))
            os.close(self._log)
            self._log = -1
            self._log = _open(self.path, os.O_APPEND)
            self._size = os.fstat(self._log).st_size
        except OSError as error:
            raise _unavailable(self.path, error) from None
        return aside

    def close(self) -> None:
        """Give the files back."""
        for descriptor in (self._log, *(record.descriptor for record in self._records)):
            if descriptor >= 0:
                os.close(descriptor)
        self._log = -1
        self._records = []

    def _begin_file(self) -> None:
        """The file is full: it keeps its bytes under another name."""
        if self._first is None:
            before = full_files(self.path)
            link = last_link(before[-1]) if before else None
            self._first = link.seq + 1 if link else 0
        fresh = -1
        self.path.rename(full_path(self.path, self._first))
        try:
            fresh = _open(self.path, os.O_APPEND | os.O_EXCL)
        except OSError:
            full_path(self.path, self._first).rename(self.path)
            raise
        os.close(self._log)
        self._log, self._size, self._first = fresh, 0, None

    def _check_untouched(self) -> None:
        for descriptor, path, size in (
            (self._log, self.path, self._size),
            *((record.descriptor, record.path, len(record.data)) for record in self._records),
        ):
            ours, there = os.fstat(descriptor), path.lstat()
            if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
                raise OSError(f"{path} is another file now")
            if ours.st_size != size:
                raise OSError(f"{path} was changed by someone else")

    def _take_back(self, written: list[_Record]) -> None:
        """Undo what was written of an entry; if even that fails, nothing is ever written again."""
        try:
            os.ftruncate(self._log, self._size)
            for record in written:
                record.take_back()
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
