"""Status codes of the control plane, and the one exception that carries them (software.md 3).

This module imports nothing, so that every layer may raise a `Refusal`.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The status of a reply, and the reason code of every decision in the audit log."""

    OK = 0
    BAD_FRAME = 1
    UNSUPPORTED = 2
    NO_GRAPH = 3
    OVERSIZE = 4
    AUTH_FAILED = 5  # unknown, expired, revoked, or lacking the right
    BAD_ARGUMENT = 16
    NOT_FOUND = 17
    EXISTS = 18
    BUSY = 19
    SCHEMA_MISMATCH = 20
    NO_ROOM = 21
    ADMISSION_REFUSED = 22
    QUEUE_FULL = 23
    TOO_MANY_IN_FLIGHT = 24
    RATE_LIMITED = 25
    QUOTA_EXCEEDED = 26
    PROMPT_TOO_LONG = 27
    TOO_MANY_TOKENS = 28
    CONTEXT_EXCEEDED = 29
    NO_MODEL = 30
    DEVICE_FAULT = 31
    UNSIGNED = 32
    ALTERED = 33
    WRONG_KEY = 34
    EXPIRED_KEY = 35
    BAD_SIGNATURE = 36
    MALFORMED = 37
    MODEL_TOO_LARGE = 38
    MODEL_UNSUPPORTED = 39

    @property
    def label(self) -> str:
        """The contract's spelling: `BadFrame`, `NoRoom`, `OK`."""
        if self is Code.OK:
            return "OK"
        return "".join(part.capitalize() for part in self.name.split("_"))


class Refusal(Exception):
    """Something was asked for and is not done; nothing has changed.

    Attributes:
        code: why, as frames and the audit log tell it.
    """

    def __init__(self, code: Code, message: str = "") -> None:
        """Refuse with `code`; the message is one line for the user."""
        super().__init__(message or code.label)
        self.code = code
