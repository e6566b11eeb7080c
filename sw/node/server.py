"""The node's socket: one thread, one command at a time to its end (software.md 5).

Only this user's processes are let in: the socket is in a folder that nobody else may enter, and the kernel tells whose
process is at the other end. A client that sends what is no packet is dropped; the others never notice.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Self

from sw.driver import DriverError
from sw.node.answer import answer
from sw.node.node import File, Node
from sw.run import run
from sw.transport.base import TransportError
from sw.uapi.place import PlaceError, check_length, opened_for_reading, peer, private_folder
from sw.uapi.wire import Closed, Malformed, Request

CONNECTIONS = 256
WATCH_S = 2.0
_BACKLOG = 64


class InUse(PlaceError):
    """Another server serves this socket."""


class Server:
    """Serves a node at a path until it is told to stop.

    `check` is called after every command, before its answer is sent: what it raises ends the server, and the client
    gets no answer. `wanted` is asked every WATCH_S seconds of waiting: False ends the server.
    """

    def __init__(
        self,
        node: Node,
        path: Path,
        *,
        free_run: bool = False,
        check: Callable[[], None] = lambda: None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.node = node
        self.path = path.absolute()
        self._free_run = free_run
        self._check = check
        self._wanted = wanted
        self._lock: IO[str] | None = None
        self._listener: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._files: dict[socket.socket, File] = {}
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)

    # ------------------------------------------------------------------ place

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            InUse: another server does.
            PlaceError: the path cannot be used.
        """
        check_length(self.path)
        private_folder(self.path.parent)
        try:
            self._take()
        except BaseException:
            self._release()
            raise
        return self

    def _take(self) -> None:
        self._lock = _locked(self.path)
        with suppress(FileNotFoundError):
            self.path.unlink()  # of a server that died: the lock says so
        listener = self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        before = os.umask(0o177)
        try:
            listener.bind(str(self.path))
        except OSError as error:
            raise PlaceError(f"{self.path}: {(error.strerror or str(error)).lower()}") from None
        finally:
            os.umask(before)
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def __exit__(self, *_: object) -> None:
        """As `close`."""
        self.close()

    def close(self) -> None:
        """Close every connection, take the socket away, end the node; a second call does nothing."""
        self._release()
        self.node.end()

    def _release(self) -> None:
        for connection in list(self._files):
            self._drop(connection)
        if self._listener:
            self._listener.close()
            self._listener = None
            with suppress(FileNotFoundError):
                self.path.unlink()
        self._selector.close()
        self._wake.close()
        self._woken.close()
        if self._lock:
            with suppress(FileNotFoundError):
                Path(self._lock.name).unlink()
            self._lock.close()
            self._lock = None

    # ------------------------------------------------------------------ end

    def stop(self) -> None:
        """End `serve` after the command that runs; may be called by a signal handler."""
        self.node.ending.now = True
        with suppress(OSError):
            self._wake.send(b"\0")

    @contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop the server within the block; a second SIGINT interrupts the command that runs."""

        def on_signal(number: int, _frame: FrameType | None) -> None:
            if self.node.ending.now and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.stop()

        previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    # ------------------------------------------------------------------ loop

    async def serve(self) -> None:
        """Answer requests until stopped. Waiting for them blocks the thread: device time stands still."""
        while not self.node.ending.now:
            ready = self._selector.select(0 if self._free_run else WATCH_S)
            if not (ready or self._wanted()):
                return
            for key, _ in ready:
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._files:
                    await self._one(key.fileobj)
            if self._free_run and not self.node.ending.now:
                await self.node.free_run()
                await self.node.events.collect()
                self._check()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, name = self._listener.accept()
        except OSError:
            return  # it has gone again, or there is no descriptor left: others go on
        connection.setblocking(False)
        pid, uid = peer(connection)
        if uid != os.geteuid() or len(self._files) >= CONNECTIONS:
            connection.close()
            return
        if opened_for_reading(name):
            self.node.events.add(connection)
        else:
            connection.shutdown(socket.SHUT_WR)  # answers go elsewhere; who reads here finds an end and does not wait
        self._files[connection] = self.node.open(pid)
        self._selector.register(connection, selectors.EVENT_READ)

    async def _one(self, connection: socket.socket) -> None:
        """Take one request and answer it."""
        try:
            request = Request.receive(connection)
        except BlockingIOError:
            return
        except (Closed, Malformed, OSError):
            self._drop(connection)
            return
        with request.reply_to:
            answered = await answer(self.node, self._files[connection], request)
            with suppress(DriverError, TransportError):  # the next request meets it as well
                await self.node.events.collect()
            self._check()
            with suppress(OSError):  # nobody waits for it any more
                answered.send(request.reply_to)

    def _drop(self, connection: socket.socket) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection)
        self.node.events.remove(connection)
        self.node.close(self._files.pop(connection))
        connection.close()


def _locked(path: Path) -> IO[str]:
    """The lock of a socket's path, held until it is closed.

    Raises:
        InUse: another process holds it.
    """
    name = path.with_name(path.name + ".lock")
    while True:
        lock = name.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock.fileno()).st_ino == name.stat().st_ino:
                break
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            raise InUse(f"{path}: already served{f' by process {holder}' if holder else ''}") from None
        except FileNotFoundError:
            pass  # its holder has taken it away between our two looks
        lock.close()
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def refuse_second(path: Path) -> None:
    """Raise InUse if somebody serves at a path; asked before a stack is built, whose files the other one uses."""
    check_length(path)
    private_folder(path.parent)
    _locked(path).close()


def remove_dead(path: Path) -> None:
    """Take away the socket of a server that could not do it itself; one that lives keeps its own."""
    with suppress(OSError, PlaceError), _locked(path) as lock:
        path.unlink(missing_ok=True)
        Path(lock.name).unlink(missing_ok=True)


@contextmanager
def in_thread(server: Server) -> Iterator[Server]:
    """Serve in a thread of its own within the block; only for transports that need no scheduler (sw/run.py).

    Raises:
        BaseException: what ended the server before the block did.
    """
    errors: list[BaseException] = []

    def serve() -> None:
        try:
            run(server.serve())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that can handle it
            errors.append(error)
        finally:
            server.close()  # nobody may wait for answers that will not come

    with server:
        thread = threading.Thread(target=serve, name="device node")
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join()
    if errors:
        raise errors[0]
