"""The node's socket: one thread, requests in slices, one of each connection at a time (software.md 5).

Only this user's processes are let in: the socket is in a folder closed to others, and the kernel tells whose
process is at the other end. A client that sends what is no packet is dropped; the others never notice.
"""

from __future__ import annotations

import errno
import json
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, Any, Self

from sw.audit import AuditUnavailable
from sw.driver import DriverError
from sw.node.answer import answer
from sw.node.boundary import failed
from sw.node.connections import CONNECTIONS, Connection, Connections
from sw.node.file import File
from sw.node.lock import locked
from sw.node.node import Node
from sw.node.tasks import Task, pause
from sw.run import run
from sw.transport.base import TransportError
from sw.uapi.place import PlaceError, check_length, opened_for_reading, peer, private_folder
from sw.uapi.wire import Answer, Closed, Kind, Malformed, Request, TooLong

WATCH_S = 2.0
FAILURES_PER_S = 16  # requests of one connection with an unknown token
THREAD_S = 0.01  # between two looks at whether a thread has ended that a request waits for
_BACKLOG = 64


class Server:
    """Serves a node at a path until it is asked to stop.

    `check` is called after every slice of a command, so before its answer is sent: what it raises ends the server, and
    the client gets no answer. `wanted` is asked every WATCH_S seconds of waiting: False ends the server.
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
        self._free_again = 0.0  # s, monotonic: a fault in free running pauses it, so that the log is not filled
        self._check = check
        self._wanted = wanted
        self._lock: IO[str] | None = None
        self._listener: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._connections = Connections()
        self._tasks: list[Task] = []
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
        self._lock = locked(self.path)
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
        for connection in self._connections:
            self._drop(connection)
        for task in self._tasks:
            task.close()
        self._tasks.clear()
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
        """Answer requests until stopped. Waiting for them blocks the thread: device time does not advance.

        One request of each file is under way at a time; those of different files take turns where they pause.
        """
        while not self.node.ending.now:
            ready = self._selector.select(self._patience())
            if not (ready or self._tasks or self._wanted()):
                return
            for key, _ in ready:
                if key.fileobj is self._listener:
                    self._accept()
                elif connection := self._connections.get(key.fileobj):
                    await self._begin(connection)
            for connection in self._connections.silent_too_long():
                self._drop(connection)
            await self._turn()
            if self._runs_free and not self.node.ending.now:
                if not (await self._kept("free-run", self.node.free_run()) and await self._collect()):
                    self._free_again = time.monotonic() + WATCH_S
                self._check()
        while self._tasks:  # each sees that the node is ending
            await self._turn()

    async def _collect(self) -> bool:
        """Deliver events to clients that read; False: not this time."""
        return await self._kept("events", self.node.events.collect())

    async def _kept(self, what: str, work: Coroutine[Any, Any, None]) -> bool:
        """Do work that no request has asked for; whether it ended well. Only a lost audit log ends the node."""
        try:
            await work
        except (DriverError, TransportError):
            return False  # the next request meets it as well
        except AuditUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: clients that have not met it go on
            failed(self.node, what, error)
            return False
        return True

    @property
    def _runs_free(self) -> bool:
        """Whether time passes now that no client has asked for."""
        return self._free_run and time.monotonic() >= self._free_again

    def _patience(self) -> float:
        """Seconds to wait for requests."""
        if self._runs_free or any(task.runnable for task in self._tasks):
            return 0
        return THREAD_S if self._tasks else WATCH_S

    async def _turn(self) -> None:
        """A slice of every request that is under way."""
        for task in [task for task in self._tasks if task.runnable]:
            if await task.step():
                self._tasks.remove(task)
            self._check()

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            opened, name = self._listener.accept()
        except OSError:
            return  # it has gone again, or there is no descriptor left: others go on
        opened.setblocking(False)
        pid, uid = peer(opened)
        if uid != os.geteuid():
            opened.close()
            return
        if refusal := self._refusal(pid):
            _say_why(opened, refusal)
            return
        reads = opened_for_reading(name)
        if reads:
            self.node.events.add(opened)
        else:
            opened.shutdown(socket.SHUT_WR)  # answers go elsewhere; who reads here finds an end and does not wait
        self._connections.add(Connection(opened, self.node.open(pid), silent=not reads))  # it may only listen
        self._selector.register(opened, selectors.EVENT_READ)

    def _refusal(self, pid: int) -> str | None:
        """Why a process may not come in; where all places are taken, the connection that is idle for longest goes."""
        refusal = self._connections.refusal(pid)
        if refusal or not self._connections.full:
            return refusal
        idlest = self._connections.idlest()
        if idlest is None:
            return f"{CONNECTIONS} connections to this node are open and at work; try again later"
        self._drop(idlest)
        return None

    async def _begin(self, connection: Connection) -> None:
        """Take one request and begin it; its connection's next one is taken when it is answered."""
        try:
            request = Request.receive(connection.socket)
        except BlockingIOError:
            return
        except TooLong as error:
            with error.request.reply_to:
                _send(
                    Answer(error.request.kind, errno.EMSGSIZE, json.dumps({"error": str(error)}).encode()),
                    error.request,
                )
            connection.silent, connection.last = False, time.monotonic()
            return
        except (Closed, Malformed, OSError):
            self._drop(connection)
            return
        self._selector.unregister(connection.socket)
        connection.silent, connection.busy = False, True
        await self._start(self._one(connection, request))

    async def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = Task(work)
        self._tasks.append(task)
        if await task.step():
            self._tasks.remove(task)
        self._check()

    async def _one(self, connection: Connection, request: Request) -> None:
        file = connection.file
        before = file.failed
        with request.reply_to:
            answered = await answer(self.node, file, request, pause)
            await self._collect()
            self._check()
            _send(answered, request)
        if file.failed > before and file.failed % FAILURES_PER_S == 0:
            until = time.monotonic() + 1  # a client that guesses tokens waits; no other client does
            await pause(lambda: time.monotonic() >= until)
        connection.busy, connection.last = False, time.monotonic()
        self._selector.register(connection.socket, selectors.EVENT_READ)

    def _drop(self, connection: Connection) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        self._connections.remove(connection)
        self.node.events.remove(connection.socket)
        connection.socket.close()
        self.node.close(connection.file)
        if connection.file.holds_work and not self.node.ending.now:
            self._tasks.append(Task(self._end_work(connection.file)))

    async def _end_work(self, file: File) -> None:
        await self._kept("close", self.node.end_work(file))


def _send(answered: Answer, request: Request) -> None:
    with suppress(OSError):  # the caller no longer waits
        answered.send(request.reply_to)


def _say_why(connection: socket.socket, why: str) -> None:
    """Refuse a connection: an answer to no request, which its client finds when it is not answered."""
    with connection, suppress(OSError):
        Answer(Kind.CALL, errno.EUSERS, json.dumps({"error": why}).encode()).send(connection)


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
            server.close()  # no client may wait for answers that will not come

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
