"""Between the guest and the devices: serves the guest's messages, and lets device time pass exactly when it waits.

The guest runs or waits. While it runs it makes accesses; the time that they take becomes its own. While it waits, the
devices advance to the time that it waits for, or to the first interrupt, which it then gets at that time. Interrupts
are delivered only to a waiting guest: real time decides nothing, and a run repeats exactly.
"""

import os
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.linux import time_travel, vhost
from tb.linux.backend import COMMANDS, INTERRUPTS, Backend, Function
from tb.linux.errors import GuestGone, ProtocolError
from tb.linux.time_travel import NEVER, Calendar

SILENCE_S = 120.0  # without any message of a guest that runs
CALENDAR_SOCKET = "calendar"


@dataclass(frozen=True, slots=True)
class Sockets:
    """Where the guest connects to: the calendar, and one socket for each function."""

    calendar: Path
    functions: tuple[Path, ...]


class Bridge:
    """Serves one guest from its start to its end.

    Attributes:
        calendar: the guest's clock.
        functions: the PCI functions, by slot.
        first_access, last_access: wall time (monotonic, s) of accesses of the guest; 0: there was none.
    """

    def __init__(self, functions: Sequence[Function], folder: Path, console: str = "") -> None:
        """Sockets in `folder`; `console`: the terminal of a guest's shell."""
        self.functions = tuple(functions)
        self.calendar = Calendar()
        self.sockets = Sockets(folder / CALENDAR_SOCKET, tuple(folder / f"pci{n}" for n in range(len(functions))))
        self.first_access = 0.0
        self.last_access = 0.0
        self._clock: socket.socket | None = None
        self._backends: dict[socket.socket, Backend] = {}
        self._waiting_for = dict(zip(map(_listener, self.sockets.functions), self.functions, strict=True))
        self._calendar_listener = _listener(self.sockets.calendar)
        self._console = os.open(console, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK) if console else None

    def close(self) -> None:
        """Close every socket."""
        for backend in self._backends.values():
            backend.close()
        for listener in (*self._waiting_for, self._calendar_listener, self._clock):
            if listener is not None:
                listener.close()
        if self._console is not None:
            os.close(self._console)

    # ------------------------------------------------------------------ the loop

    async def serve(self, alive: Callable[[], bool]) -> None:
        """Serve until the guest ends; `alive` tells whether its process is still there.

        Raises ProtocolError: the guest breaks the protocol, is silent, or waits for what never comes.
        """
        try:
            while True:
                if not self.calendar.waiting:
                    await self._wait_for_message(alive)
                elif not await self._serve_messages(0.0):
                    await self._advance()
        except GuestGone:
            return

    async def _wait_for_message(self, alive: Callable[[], bool]) -> None:
        limit = time.monotonic() + SILENCE_S
        while not await self._serve_messages(0.2):
            if not alive():
                raise GuestGone
            if time.monotonic() > limit:
                raise ProtocolError(f"the guest has been silent for {SILENCE_S:g} s at {self.calendar.now} ns")

    async def _serve_messages(self, timeout_s: float) -> bool:
        """Serve what has come, the calendar first; whether anything has."""
        for backend in self._backends.values():
            if backend.has_more:
                await self._serve_backend(backend)
                return True
        sources = [self._clock or self._calendar_listener, *self._backends, *self._waiting_for]
        ready, _, _ = select.select(sources, [], [], timeout_s)
        for source in sources:
            if source in ready:
                await self._serve_source(source)
                return True
        return False

    async def _serve_source(self, source: socket.socket) -> None:
        if source is self._clock:
            self._serve_clock()
        elif source is self._calendar_listener:
            self._clock, _ = source.accept()
        elif source in self._waiting_for:
            connection, _ = source.accept()
            self._backends[connection] = Backend(connection, self._waiting_for.pop(source))
            source.close()
        else:
            await self._serve_backend(self._backends[source])

    # ------------------------------------------------------------------ time

    def _receive_time(self) -> time_travel.TimeMessage:
        assert self._clock is not None
        data = b""
        while len(data) < time_travel.MESSAGE.size:
            try:
                part = self._clock.recv(time_travel.MESSAGE.size - len(data))
            except ConnectionError:
                part = b""
            if not part:
                raise GuestGone
            data += part
        return time_travel.parse(data)

    def _serve_clock(self) -> None:
        answer = self.calendar.handle(self._receive_time())
        if answer is not None:
            self._send_time(answer)

    def _send_time(self, message: time_travel.TimeMessage) -> None:
        assert self._clock is not None
        try:
            self._clock.sendall(message.pack())
        except ConnectionError:
            raise GuestGone from None

    def _run_at(self, message: time_travel.TimeMessage) -> None:
        """Send RUN and wait for its ACK; whatever the guest asks before is answered."""
        self._send_time(message)
        while True:
            received = self._receive_time()
            answer = self.calendar.handle(received)
            if answer is None:
                return
            self._send_time(answer)

    async def _advance(self) -> None:
        """The guest waits: to its time, or to the first interrupt."""
        self._wait_for_keys()
        for backend in self._backends.values():
            if backend.must_reclaim:
                backend.give_back()
                self._call(backend, COMMANDS)
                return
        until = self.calendar.request
        if until >= NEVER:
            raise ProtocolError(f"the guest waits at {self.calendar.now} ns, and no timer of its own will wake it")
        for function in self.functions:
            await function.endpoint.advance(until, to_rise=function.interrupts)
            rise = function.endpoint.rise_at
            if rise is not None and function.interrupts:
                until = min(until, max(rise, self.calendar.now))
        for backend in self._backends.values():
            rise = backend.function.endpoint.rise_at
            if rise is not None and rise <= until and backend.put_interrupt():
                backend.function.endpoint.taken()
                self.calendar.reached(until)
                self._call(backend, INTERRUPTS)
                return
        for function in self.functions:  # one may have an interrupt for which the guest has no room
            await function.endpoint.advance(self.calendar.request, to_rise=False)
        self._run_at(self.calendar.grant())

    def _wait_for_keys(self) -> None:
        """The guest's shell waits for the user: no time passes before there are keys, or the guest has gone."""
        for function in self.functions:
            if function.endpoint.paused:
                function.endpoint.paused = False
                if self._console is not None and self._clock is not None:
                    select.select([self._console, self._clock.fileno()], [], [])

    # ------------------------------------------------------------------ functions

    async def _serve_backend(self, backend: Backend) -> None:
        try:
            message = backend.receive()
        except GuestGone:  # of this function; the guest itself ends with its clock
            del self._backends[backend.connection]
            backend.close()
            return
        if message is None:
            return
        endpoint = backend.function.endpoint
        if message.request is vhost.Request.VRING_KICK and endpoint.now < self.calendar.now:
            await endpoint.advance(self.calendar.now, to_rise=False)
        answer = await backend.handle(message)
        if message.request is vhost.Request.VRING_KICK:
            self.last_access = time.monotonic()
            self.first_access = self.first_access or self.last_access
            passed = self.calendar.passed(endpoint.now)
            if passed is not None:
                self._run_at(passed)
        if answer:
            try:
                backend.connection.sendall(answer)
            except ConnectionError:
                raise GuestGone from None

    def _call(self, backend: Backend, queue: int) -> None:
        """Tell the guest that buffers of a queue are used, and wait until it knows."""
        if backend.calls is None:
            raise ProtocolError("vhost-user: a queue is used before SET_SLAVE_REQ_FD")
        assert self._clock is not None
        try:
            backend.calls.sendall(vhost.call(queue))
            data = b""
            while len(data) < vhost.REPLY_BYTES:
                ready, _, _ = select.select([backend.calls, self._clock], [], [], SILENCE_S)
                if not ready:
                    raise ProtocolError("the guest does not reply to a vring call")
                if self._clock in ready:
                    self._serve_clock()
                elif not (part := backend.calls.recv(vhost.REPLY_BYTES - len(data))):
                    raise GuestGone
                else:
                    data += part
        except ConnectionError:
            raise GuestGone from None
        vhost.parse_call_reply(data)


def _listener(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(1)
    return listener
