"""The fence between processes (device.md 3): no copy of step n goes on when step n + 1 begins.

vLLM steps in the scheduler's process and copies in the workers'. Both take this lock: the scheduler
around STEP_ADVANCE, a worker around a lookup and the memory accesses that it allowed.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sw import ownerfile

_NAME = 64  # characters of an engine's id that a file's name shows
_DIGEST = 16


class FenceError(OSError):
    """The lock file cannot be used, or is closed; one line that says what to do."""


def default_path(engine_id: str) -> Path:
    """A lock file of this user for one engine; ids that differ have files that differ, however long they are."""
    name = "".join(character if character.isalnum() or character in "-." else "_" for character in engine_id)[:_NAME]
    if name != engine_id or not name.isascii():
        name = f"{name.encode('ascii', 'replace').decode().replace('?', '_')}-{_digest(engine_id)}"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime or tempfile.gettempdir()) / f"kvcpu-{os.geteuid()}-{name}.fence"


def _digest(engine_id: str) -> str:
    return hashlib.sha256(engine_id.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]


class Fence:
    """A lock that every process of an engine takes."""

    def __init__(self, path: Path) -> None:
        """Open the lock file, or make it.

        Raises:
            FenceError: it cannot be opened, is a link, or others may touch it.
        """
        self.path = path
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, ownerfile.OWNER_ONLY)
            self._file = io.FileIO(number, "r+")  # owns the descriptor: a second close does nothing
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise FenceError(
                f"the engine's lock file {path}: {why.lower()}; make its folder, or name another file in kvcpu_fence"
            ) from None
        try:
            ownerfile.check_owner_only(path, os.fstat(number))
        except OSError as error:
            self._file.close()
            raise FenceError(f"the engine's lock file {error}, or name another file in kvcpu_fence") from None

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._file.closed

    @contextmanager
    def held(self) -> Iterator[None]:
        """While it is held no other process steps or copies.

        Raises:
            FenceError: it is closed.
        """
        if self.closed:
            raise FenceError(f"the engine's lock file {self.path} is closed: the adapter was shut down; make a new one")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, once; it stays where it is, because others may wait for it."""
        self._file.close()
