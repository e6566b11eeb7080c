"""Who has the node open: limits, and which is closed when another client connects."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from sw.node.file import File

CONNECTIONS = 256
PER_PROCESS = 64
SILENT_S = 60.0  # a connection over which nothing was ever asked is closed then


@dataclass(slots=True, eq=False)
class Connection:
    """One open file of a client.

    Attributes:
        socket: carries its requests.
        file: what it is to the node.
        last: monotonic seconds of its last request's end; before the first one, of its begin.
        silent: nothing was asked yet.
        busy: a request is under way.
    """

    socket: socket.socket
    file: File
    last: float = field(default_factory=time.monotonic)
    silent: bool = True
    busy: bool = False


class Connections:
    """All connections of a server, by socket."""

    def __init__(self) -> None:
        """No client is connected."""
        self._all: dict[socket.socket, Connection] = {}

    def __iter__(self) -> Iterator[Connection]:
        """Every connection."""
        return iter(list(self._all.values()))

    def get(self, connected: object) -> Connection | None:
        """The connection of a socket."""
        return self._all.get(connected) if isinstance(connected, socket.socket) else None

    def add(self, connection: Connection) -> None:
        """A new one."""
        self._all[connection.socket] = connection

    def remove(self, connection: Connection) -> None:
        """It is closed."""
        del self._all[connection.socket]

    def refusal(self, pid: int) -> str | None:
        """Why a process gets no further connection; None: it may have one, if there is room."""
        count = sum(connection.file.pid == pid for connection in self)
        if count < PER_PROCESS:
            return None
        return f"process {pid} has {count} connections to this node, at most {PER_PROCESS}; close one and open again"

    @property
    def full(self) -> bool:
        """No further connection may be had before one is closed."""
        return len(self._all) >= CONNECTIONS

    def idlest(self) -> Connection | None:
        """The connection that goes for a new one: without work under way, silent before others, idle for longest."""
        idle = [connection for connection in self if not connection.busy and not connection.file.holds_work]
        return min(idle, key=lambda connection: (not connection.silent, connection.last), default=None)

    def silent_too_long(self) -> list[Connection]:
        """Connections over which nothing was asked within SILENT_S."""
        before = time.monotonic() - SILENT_S
        return [connection for connection in self if connection.silent and connection.last < before]
