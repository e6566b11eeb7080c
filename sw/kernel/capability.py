"""Capabilities: 64-bit random tokens with rights on objects; default deny (software.md 2)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import Protocol

from sw.control.codes import Code, Refusal

TOKEN_BITS = 64


class Object(IntFlag):
    """What a capability is for; one capability may name several."""

    GRAPH = 1
    MODEL = 2
    LLM = 4


class Rights(IntFlag):
    """What its holder may do; no right implies another."""

    ADMIN = 1
    SUBMIT = 2
    STREAM = 4


ANY_OBJECT = Object(0)
ANY_RIGHT = Rights(0)


class AuthFailed(Refusal):
    """No such token, expired, revoked, or lacking the right; which of them is not told.

    Attributes:
        capability_id: of the capability that was refused; 0 when the token is nobody's. For the
            audit log only.
    """

    def __init__(self, capability_id: int = 0) -> None:
        """Refuse without a reason."""
        super().__init__(Code.AUTH_FAILED, "no capability for this")
        self.capability_id = capability_id


class AuditSink(Protocol):
    """Where decisions are written; `sw.audit` has the real one. Never given a token or a prompt."""

    def record(self, *, holder: str, cap_id: int, op: str, obj: str, code: int, **counts: int) -> object:
        """One decision: who, by which capability, what, on what, how it ended; sizes and counts."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What a token stands for; handed to services instead of the token.

    Attributes:
        id: number for the audit log, from 1 on, never reused.
        holder: tenant; holders never see each other's handles and inferences.
        objects, rights: what it allows; every right on every object.
        expires_ns: absolute device time from which on it is refused; None: never.
    """

    id: int
    holder: str
    objects: Object
    rights: Rights
    expires_ns: int | None = None


class Capabilities:
    """All capabilities of a system; empty at first, so that everything is refused."""

    def __init__(self, audit: AuditSink, random: Callable[[int], int] = secrets.randbits) -> None:
        """Nobody may do anything. `random` gives that many random bits."""
        raise NotImplementedError

    def issue(
        self,
        holder: str,
        rights: Rights,
        objects: Object,
        expires_ns: int | None = None,
        *,
        by: Capability | None = None,
        token: int | None = None,
    ) -> int:
        """Make a capability.

        Args:
            holder: tenant it belongs to.
            rights: at least one.
            objects: at least one.
            expires_ns: absolute device time from which on it is refused; None: never.
            by: the administrator, for the audit log; None: the system itself.
            token: a token chosen by the administrator instead of a random one.

        Returns:
            The token, 64 bits. It is kept nowhere else than here.

        Raises:
            Refusal: BadArgument for no holder, right or object, or a token that is none; Exists
                for a token that is in use; AuthFailed when `by` lacks ADMIN on one of the objects.
        """
        raise NotImplementedError

    def revoke(self, token: int, *, by: Capability | None = None) -> None:
        """End a capability now.

        Raises:
            Refusal: NotFound: no such token; AuthFailed: `by` lacks ADMIN on one of its objects.
        """
        raise NotImplementedError

    def check(self, token: int, objects: Object, rights: Rights, now_ns: int) -> Capability:
        """Whether the token allows all of `rights` on all of `objects`; writes one audit entry.

        ANY_OBJECT and ANY_RIGHT ask for nothing but a capability that is alive. The time taken
        does not depend on which token is asked about, nor on how much of it is right.

        Raises:
            AuthFailed: it does not.
        """
        raise NotImplementedError

    def bootstrap(self, path: Path, holder: str = "admin") -> int:
        """Make the first ADMIN capability, for every object, and write its token into a file.

        The file has mode 0600 from its first byte on and replaces an older one; it holds the
        token as `0x` and 16 hexadecimal digits, and a newline.

        Returns:
            The token.

        Raises:
            Refusal: Exists: there is a capability already.
            OSError: the file cannot be written; then there is no capability either.
        """
        raise NotImplementedError
