"""Where the node's socket is, and that no other user may reach it (software.md 5)."""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path

VARIABLE = "KVCPU_SOCKET"
RUNTIME_VARIABLE = "XDG_RUNTIME_DIR"
FOLDER = "kvcpu"
NAME = "kvcpu0.sock"
TOKEN = "admin.token"  # in the folder next to the socket: what the local owner's tools present
MARK = f"{NAME}:"  # how the own name of a connection begins that is a program's open file, after a NUL
LONGEST = 107  # bytes of a path that sockaddr_un takes


class PlaceError(Exception):
    """The socket cannot be where it should; one line."""


def default_path() -> Path:
    """$KVCPU_SOCKET, else kvcpu/kvcpu0.sock in the user's runtime folder, else /tmp/kvcpu-<uid>/kvcpu0.sock."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    runtime = os.environ.get(RUNTIME_VARIABLE)
    if runtime:
        return Path(runtime) / FOLDER / NAME
    return Path(f"/tmp/{FOLDER}-{os.geteuid()}") / NAME


def opened_for_reading(name: object) -> bool:
    """Whether a connection of this own name is an open file of a program that may read it (sw/uapi/client.c)."""
    mark = b"\0" + MARK.encode()
    if not isinstance(name, bytes) or not name.startswith(mark):
        return False
    return name[len(mark) : len(mark) + 1] in (str(os.O_RDONLY).encode(), str(os.O_RDWR).encode())


def check_length(path: Path) -> None:
    """Raise PlaceError for a path that no socket can have."""
    size = len(os.fsencode(path))
    if size > LONGEST:
        raise PlaceError(f"{path}: {size} bytes, a socket's path has at most {LONGEST}: name a shorter one")


def private_folder(folder: Path) -> None:
    """Make the folder, or check that it is a folder of this user that no other user may enter.

    Raises:
        PlaceError: it is not, or cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise PlaceError(f"{folder}: {(error.strerror or str(error)).lower()}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise PlaceError(f"{folder}: not a folder")
    if status.st_uid != os.geteuid():
        raise PlaceError(f"{folder}: belongs to another user")
    if status.st_mode & 0o077:
        raise PlaceError(f"{folder}: others may enter it (chmod 700 {folder})")


def peer(connection: socket.socket) -> tuple[int, int]:
    """(process id, user id) of the other side, as the kernel knows them."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", credentials)
    return pid, uid
