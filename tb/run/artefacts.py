"""Files that others read: written whole or not at all, seen together or not at all, checked against their digests.

What a process writes is under a name of its own until it is finished, and locked as long as the process lives. What a
process that was killed leaves is not locked, and `sweep` removes it.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tb.run.errors import UsageError
from tb.run.paths import shown

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE, errno.ENFILE)
NO_LOCKS = (
    errno.EBADF,
    errno.ENOLCK,
    errno.EOPNOTSUPP,
)  # of a file system that locks no folders: nothing is swept there
SPACE_BYTES = 1 << 20
WORK = "work-"  # names of what is not finished
DIGESTS = "digests.json"
SUM = ".sha256"
RUNS_KEPT = 3  # published runs of one kind, the current one included


class Damaged(Exception):
    """What is kept under `path` is not what was written; the text says what is wrong."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(what)
        self.path = path


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---------------------------------------------------------------- unfinished files and folders


def _locked(path: Path) -> int | None:
    """A descriptor with the lock of `path`; None when another process has it, or `path` is gone. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(path.stat(), os.fstat(descriptor)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        if error.errno not in NO_LOCKS:
            os.close(descriptor)
            raise
        return descriptor
    os.close(descriptor)
    return None


def _unfinished(parent: Path, make: Callable[[Path], str]) -> tuple[Path, int]:
    """A new file or folder in `parent`, and the descriptor that holds its lock."""
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        path = Path(make(parent))
        if (lock := _locked(path)) is not None:  # else `sweep` was faster
            return path, lock


def _new_folder(parent: Path) -> str:
    return tempfile.mkdtemp(prefix=WORK, dir=parent)


def _new_file(parent: Path) -> str:
    descriptor, name = tempfile.mkstemp(prefix=WORK, dir=parent)
    os.close(descriptor)
    return name


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """A new folder in `parent` for what is not finished: it is removed at the end unless it was renamed."""
    folder, lock = _unfinished(parent, _new_folder)
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(parent: Path) -> None:
    """Remove what processes that no longer exist have left unfinished in `parent`."""
    for path in parent.glob(f"{WORK}*"):
        with suppress(OSError):
            if (lock := _locked(path)) is not None:
                remove(path)
                os.close(lock)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _replace(path: Path, data: bytes, *, sync: bool) -> None:
    temporary, lock = _unfinished(path.parent, _new_file)
    try:
        temporary.write_bytes(data)
        temporary.chmod(0o644)
        if sync:
            os.fsync(lock)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace `path`, or leave it as it is: no reader and no crash finds a part. Raises OSError."""
    _replace(path, content.encode() if isinstance(content, str) else content, sync=True)


def require_space(folder: Path) -> None:
    """Raise UsageError when the disk is full: what a tool or a test has written there is then a part of it."""
    if shutil.disk_usage(folder).free < SPACE_BYTES:
        raise UsageError(f"no space left on device: {shown(folder)}; free some and call again")


# ---------------------------------------------------------------- digests


def write_record(path: Path, value: Any) -> None:
    """Write `value` as JSON with its digest. Raises OSError."""
    text = json.dumps(value, sort_keys=True)
    write_whole(path, json.dumps({"digest": hashlib.sha256(text.encode()).hexdigest(), "value": value}))


def read_record(path: Path) -> Any:
    """The value of a record. Raises Damaged, FileNotFoundError."""
    try:
        record = json.loads(path.read_text())
        text = json.dumps(record["value"], sort_keys=True)
        if hashlib.sha256(text.encode()).hexdigest() == record["digest"]:
            return record["value"]
    except (ValueError, KeyError, TypeError):
        pass
    raise Damaged(path, f"{path.name} is not as it was written")


def seal(folder: Path) -> None:
    """Note the digest of every file of a finished folder in it. Raises OSError."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    write_record(folder / DIGESTS, {str(path.relative_to(folder)): _state(path) for path in files})


def _state(path: Path) -> list[Any]:
    return [file_digest(path), os.access(path, os.X_OK)]


def check(folder: Path) -> None:
    """Raise Damaged when a file of a sealed folder is missing or other than it was."""
    try:
        sealed: dict[str, list[Any]] = read_record(folder / DIGESTS)
        changed = [name for name, state in sealed.items() if _state(folder / name) != state]
    except FileNotFoundError as error:
        raise Damaged(folder, f"{Path(error.filename).name} is missing") from None
    except Damaged as error:
        raise Damaged(folder, str(error)) from None
    if changed:
        raise Damaged(folder, f"{changed[0]} is not as it was written")


def evict(damage: Damaged) -> None:
    """Remove what is damaged: a folder disappears at once, so that no process finds a part of it."""
    with workspace(damage.path.parent) as grave, suppress(FileNotFoundError):
        damage.path.rename(grave / damage.path.name)


def keep_file(source: Path, path: Path) -> None:
    """Keep a copy of `source` as `path`, with its digest in a file of its own. Raises OSError."""
    data = source.read_bytes()
    _replace(path, data, sync=False)
    _replace(path.with_name(path.name + SUM), hashlib.sha256(data).hexdigest().encode(), sync=False)


def take_file(path: Path, target: Path) -> bool:
    """Copy a kept file to `target`; False when there is none. Raises Damaged, having removed it."""
    try:
        data = path.read_bytes()
        expected = path.with_name(path.name + SUM).read_bytes()
    except FileNotFoundError:
        return False
    if hashlib.sha256(data).hexdigest().encode() != expected:
        forget_file(path)
        raise Damaged(path, f"{path.name} is not as it was written")
    target.write_bytes(data)
    os.utime(path)
    return True


def forget_file(path: Path) -> None:
    """Remove a kept file and its digest."""
    path.with_name(path.name + SUM).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


# ---------------------------------------------------------------- the files of one run


@contextmanager
def published(folder: Path, kind: str) -> Iterator[Path]:
    """A folder for the files of one run: at the end all of them appear in `folder`, in place of the last run's.

    Each is a link through `runs/<kind>/current`, which names the run: one rename changes them all. When anything fails
    before that rename, what was there before stays. Raises UsageError when the machine refuses to write.
    """
    try:
        with _published(folder, kind) as staged:
            yield staged
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        why = f"{error.strerror}: {error.filename or folder}"
        raise UsageError(f"the report was not written ({why}); what {shown(folder)} had before is unchanged") from None


@contextmanager
def _published(folder: Path, kind: str) -> Iterator[Path]:
    runs = folder / "runs" / kind
    runs.mkdir(parents=True, exist_ok=True)
    sweep(runs)
    with workspace(runs) as staged:
        yield staged
        names = sorted(path.name for path in staged.iterdir())
        for name in names:
            _sync(staged / name)
        _sync(staged)
        with (runs / "lock").open("w") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            final = runs / f"{max(_numbers(runs), default=0) + 1}"
            staged.rename(final)
            for name in names:
                _link(folder / name, f"runs/{kind}/current/{name}")
            _link(runs / "current", final.name)
            _tidy(folder, kind, set(names))


def _numbers(runs: Path) -> list[int]:
    return [int(path.name) for path in runs.iterdir() if path.name.isdecimal()]


def _link(path: Path, target: str) -> None:
    """Make `path` a link to `target`, whatever it was."""
    if path.is_symlink() and os.readlink(path) == target:
        return
    temporary = path.with_name(f"{WORK}{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)


def _tidy(folder: Path, kind: str, names: set[str]) -> None:
    """Remove what shows another run (links to files that this one has not, files from before links), and old runs."""
    for path in folder.iterdir():
        mine = path.stem == kind if not path.is_symlink() else os.readlink(path) == f"runs/{kind}/current/{path.name}"
        if mine and path.name not in names:
            path.unlink(missing_ok=True)
    runs = folder / "runs" / kind
    for number in sorted(_numbers(runs))[:-RUNS_KEPT]:
        shutil.rmtree(runs / str(number), ignore_errors=True)


def _sync(path: Path) -> None:
    """Let the disk have a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
