"""The fence between processes (device.md 3): no copy of step n goes on when step n + 1 begins.

vLLM steps in the scheduler's process and copies in the workers'. Both take this lock: the scheduler
around STEP_ADVANCE, a worker around a lookup and the memory accesses that it allowed.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sw import ownerfile


def default_path(engine_id: str) -> Path:
    """A lock file of this user for one engine."""
    name = "".join(character if character.isalnum() or character in "-." else "_" for character in engine_id)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime or tempfile.gettempdir()) / f"kvcpu-{os.geteuid()}-{name}.fence"


class Fence:
    """A lock that every process of an engine takes."""

    def __init__(self, path: Path) -> None:
        """Open the lock file, or make it.

        Raises:
            OSError: it cannot be opened, is a link, or others may touch it.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, ownerfile.OWNER_ONLY)
        try:
            ownerfile.check_owner_only(path, os.fstat(self._file))
        except OSError:
            os.close(self._file)
            raise

    @contextmanager
    def held(self) -> Iterator[None]:
        """While it is held no other process steps or copies."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the file back; it stays, because others may wait for it."""
        os.close(self._file)
