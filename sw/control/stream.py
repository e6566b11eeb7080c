"""Requests in a stream of bytes: the parser, its time-out, its resynchronisation (software.md 3)."""

from __future__ import annotations

from dataclasses import dataclass

from sw.codes import Code
from sw.control.frames import HEADER_BYTES, MAGIC, MAX_PAYLOAD, VERSION

TIMEOUT_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """A whole frame: right magic and version, a length of at most 64, all its payload."""

    command: int
    flags: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Bytes that are no frame; answered with `code`.

    `command` and `flags` are the request's as far as they came, 0 otherwise.
    """

    code: Code
    command: int = 0
    flags: int = 0


def parse(frame: bytes) -> Request | Fault:
    """One frame that came as a whole: too few bytes, or more than the frame's, are BadFrame."""
    if not frame or frame[0] != MAGIC:
        return Fault(Code.BAD_FRAME)
    if fault := _check_header(frame):
        return fault
    if len(frame) < HEADER_BYTES or len(frame) != HEADER_BYTES + _length(frame):
        return _fault(Code.BAD_FRAME, frame)
    return Request(frame[2], frame[3], frame[HEADER_BYTES:])


class StreamParser:
    """Cuts a stream into requests. Where the stream is cut into pieces changes nothing.

    Every fault is answered once: bytes that are dropped in the search after it belong to it.

    Attributes:
        dropped: bytes that belonged to no frame.
    """

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.dropped = 0
        self._bytes = bytearray()
        self._since: int | None = None  # when the wait for the rest of the first frame began
        self._searching = False  # the last bytes were dropped, and that is answered

    @property
    def deadline_ns(self) -> int | None:
        """Time at which the frame under way is given up; None when none is."""
        return None if self._since is None else self._since + TIMEOUT_NS

    def feed(self, data: bytes, now_ns: int) -> list[Request | Fault]:
        """Take bytes that arrived at `now_ns`; what they complete, in order.

        Time-outs that were due by then come first: a byte that arrives 100 ms after the wait for
        its frame began is late.
        """
        found = self.expire(now_ns)
        self._bytes += data
        self._scan(now_ns, found)
        return found

    def postpone(self, ns: int) -> None:
        """So much of the transport's time has passed while the requests before were answered: no input could arrive
        meanwhile, and it does not count for the frame under way."""
        if self._since is not None:
            self._since += ns

    def expire(self, now_ns: int) -> list[Request | Fault]:
        """Give up what was not whole in time.

        The wait for a frame behind the one given up begins at that time-out, not at `now_ns`, so
        that it does not matter how often this is called.
        """
        found: list[Request | Fault] = []
        while (due := self.deadline_ns) is not None and now_ns >= due:
            # The version is judged before wholeness, and what came of such a header is dropped.
            fault = _check_header(self._bytes)
            found.append(fault or _fault(Code.BAD_FRAME, self._bytes))
            self._drop(min(HEADER_BYTES, len(self._bytes)) if fault else 1)
            self._scan(due, found)
        return found

    def _scan(self, now_ns: int, found: list[Request | Fault]) -> None:
        while self._bytes:
            if self._bytes[0] != MAGIC:
                if not self._searching:
                    found.append(Fault(Code.BAD_FRAME))
                magic = self._bytes.find(MAGIC)
                self._drop(magic if magic >= 0 else len(self._bytes))
                continue
            self._searching = False
            if len(self._bytes) >= HEADER_BYTES:
                if fault := _check_header(self._bytes):
                    found.append(fault)
                    self._drop(HEADER_BYTES)
                    continue
                end = HEADER_BYTES + _length(self._bytes)
                if len(self._bytes) >= end:
                    frame = bytes(self._bytes[:end])
                    found.append(Request(frame[2], frame[3], frame[HEADER_BYTES:]))
                    self._consume(end)
                    continue
            if self._since is None:
                self._since = now_ns
            return

    def _drop(self, count: int) -> None:
        self._consume(count)
        self.dropped += count
        self._searching = True

    def _consume(self, count: int) -> None:
        del self._bytes[:count]
        self._since = None


def _check_header(frame: bytes | bytearray) -> Fault | None:
    """Version, then length, as far as they came; the magic is right."""
    if len(frame) > 1 and frame[1] != VERSION:
        return _fault(Code.UNSUPPORTED, frame)
    if len(frame) >= HEADER_BYTES and _length(frame) > MAX_PAYLOAD:
        return _fault(Code.OVERSIZE, frame)
    return None


def _length(frame: bytes | bytearray) -> int:
    return int.from_bytes(frame[4:HEADER_BYTES], "little")


def _fault(code: Code, frame: bytes | bytearray) -> Fault:
    return Fault(code, *frame[2:4])
