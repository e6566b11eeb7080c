"""Requests in a stream of bytes: the parser, its time-out, its resynchronisation (software.md 3)."""

from __future__ import annotations

from dataclasses import dataclass

from sw.control.codes import Code

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


class StreamParser:
    """Cuts a stream into requests. Where the stream is cut into pieces changes nothing.

    Attributes:
        dropped: bytes that belonged to no frame.
    """

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.dropped = 0

    @property
    def deadline_ns(self) -> int | None:
        """Time at which the frame under way is given up; None when none is."""
        raise NotImplementedError

    def feed(self, data: bytes, now_ns: int) -> list[Request | Fault]:
        """Take bytes that arrived at `now_ns`; what they complete, in order.

        Time-outs that were due before are part of the answer.
        """
        raise NotImplementedError

    def expire(self, now_ns: int) -> list[Request | Fault]:
        """Give up what was not whole in time."""
        raise NotImplementedError
