"""The sources of a regression as one archive: what is tracked, with its changes, and what is new and not ignored."""

import gzip
import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tb.run.errors import UsageError
from tb.run.process import clean_env


@dataclass(frozen=True)
class Archive:
    """A compressed tar file, and the SHA-256 of what is in it (hexadecimal)."""

    digest: str
    data: bytes


def pack(root: Path) -> Archive:
    """The sources of a checkout: equal sources give equal archives. Raises UsageError: git does not know it."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in _names(root):
            path = root / name
            entry = tar.gettarinfo(path, name)
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
            entry.mode = 0o755 if entry.mode & 0o100 else 0o644
            if entry.isreg():
                content = path.read_bytes()
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            else:
                tar.addfile(entry)
    content = plain.getvalue()
    return Archive(hashlib.sha256(content).hexdigest(), gzip.compress(content, compresslevel=6, mtime=0))


def _names(root: Path) -> list[str]:
    """Files of the checkout that exist, as git lists them, in order."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, env=clean_env(), capture_output=True, timeout=60, check=False)
        status, text = done.returncode, done.stdout.decode(errors="surrogateescape")
    except (OSError, subprocess.TimeoutExpired):
        status, text = 1, ""
    if status != 0 or not text:
        raise UsageError(f"git does not list the sources in {root}: a cluster needs a checkout made by git, and git")
    return sorted(
        {name for name in text.split("\0") if name and ((root / name).is_symlink() or (root / name).is_file())}
    )
