"""Capabilities: 64-bit random tokens with rights on objects; default deny (software.md 2)."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

from sw import ownerfile
from sw.codes import Code, Refusal
from sw.kernel.decision import AuditSink, decided
from sw.kernel.failures import Failures

TOKEN_BITS = 64
HOLDER = re.compile(r"[A-Za-z0-9._:/-]{1,64}")


class Object(IntFlag):
    """What a capability is for; one capability may name several."""

    GRAPH = 1
    MODEL = 2
    LLM = 4
    DEVICE = 8  # blocks of a served device, whoever they belong to


class Rights(IntFlag):
    """What its holder may do; no right implies another."""

    ADMIN = 1
    SUBMIT = 2
    STREAM = 4


ANY_OBJECT = Object(0)
ANY_RIGHT = Rights(0)


class AuthFailed(Refusal):
    """No such token, expired, revoked, or lacking the right; which of them is not reported.

    Attributes:
        capability_id: of the capability that was refused; 0 when no capability has the token. For the
            audit log only.
    """

    def __init__(self, capability_id: int = 0) -> None:
        """Refuse without a reason."""
        super().__init__(Code.AUTH_FAILED, "no capability for this")
        self.capability_id = capability_id


@dataclass(frozen=True, slots=True)
class Capability:
    """What a token represents; handed to services instead of the token.

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
    """All capabilities of a system; empty at first, so that everything is refused.

    Attributes:
        failures: checks that have failed.
    """

    def __init__(
        self,
        audit: AuditSink,
        random: Callable[[int], int] = secrets.randbits,
        failures: Failures | None = None,
    ) -> None:
        """No holder may do anything.

        Args:
            audit: gets every decision.
            random: gives that many random bits.
            failures: bounds the entries of checks that fail; None: each has one.
        """
        self._audit = audit
        self.failures = failures or Failures()
        self._random = random
        self._all: list[Capability] = []
        self._tokens: list[bytes] = []  # of the capability in the same place
        self._revoked: set[int] = set()

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
        """Make a capability; one audit entry, of a refusal too: its object is the holder, it tells the expiry.

        Args:
            holder: tenant it belongs to: 1 to 64 of letters, digits and `. _ : / -`.
            rights: at least one.
            objects: at least one.
            expires_ns: absolute device time from which on it is refused; None: never.
            by: the administrator; None: the system itself.
            token: a token chosen by the administrator instead of a random one.

        Returns:
            The token, 64 bits. Nothing shows it again.

        Raises:
            Refusal: BadArgument for no holder, right or object, or a token that is none; Exists
                for a token that is in use.
            AuthFailed: `by` has no ADMIN on one of the objects.
        """
        number = len(self._all) + 1
        counts = {"issued": number, "rights": int(rights), "objects": int(objects)}
        if expires_ns is not None and 0 <= expires_ns < 1 << 64:
            counts["expires_ns"] = expires_ns
        named = bool(HOLDER.fullmatch(holder))
        with decided(self._audit, by, "capability.issue", holder if named else f"capability:{number}", **counts):
            _administers(by, objects)
            if not named:
                raise Refusal(Code.BAD_ARGUMENT, f"holder {holder!r}: 1 to 64 of letters, digits and . _ : / -")
            if expires_ns is not None and "expires_ns" not in counts:
                raise Refusal(Code.BAD_ARGUMENT, f"expiry {expires_ns} ns: 64 bits")
            if not rights or not objects:
                raise Refusal(Code.BAD_ARGUMENT, "a capability needs a right and an object")
            if token is None:
                token = self._fresh()
            elif not 1 <= token < 1 << TOKEN_BITS:
                raise Refusal(Code.BAD_ARGUMENT, "a token has 64 bits and is not 0")
            elif self._find(token):
                raise Refusal(Code.EXISTS, "this token is in use")
        self._all.append(Capability(number, holder, objects, rights, expires_ns))
        self._tokens.append(token.to_bytes(TOKEN_BITS // 8, "little"))
        return token

    def revoke(self, token: int, *, by: Capability | None = None) -> None:
        """End the capability of a token now; one audit entry.

        Raises:
            Refusal: NotFound: no such token, or ended before.
            AuthFailed: `by` has no ADMIN on one of its objects.
        """
        self.revoke_id(self._find(token) if 0 <= token < 1 << TOKEN_BITS else 0, by=by)

    def revoke_id(self, capability_id: int, *, by: Capability | None = None) -> None:
        """End a capability by its number, for administrators who do not know its token.

        Raises:
            Refusal: NotFound: no such capability, or ended before.
            AuthFailed: `by` has no ADMIN on one of its objects.
        """
        with decided(self._audit, by, "capability.revoke", f"capability:{capability_id}"):
            if not 1 <= capability_id <= len(self._all) or capability_id in self._revoked:
                raise Refusal(Code.NOT_FOUND, f"no capability {capability_id}")
            _administers(by, self._all[capability_id - 1].objects)
        self._revoked.add(capability_id)

    def check(self, token: int, objects: Object, rights: Rights, now_ns: int) -> Capability:
        """Whether the token allows all of `rights` on all of `objects`; one audit entry (see `Failures`).

        ANY_OBJECT and ANY_RIGHT ask for nothing but a capability that is alive. All tokens are
        compared, each in constant time, whichever of them it is.

        Raises:
            AuthFailed: it does not.
        """
        number = self._find(token) if 0 <= token < 1 << TOKEN_BITS else 0
        capability = self._all[number - 1] if number else None
        allowed = (
            capability is not None
            and self._alive(capability, now_ns)
            and not objects & ~capability.objects
            and not rights & ~capability.rights
        )
        counts = {} if allowed else self.failures.entry()
        if counts is None:
            raise AuthFailed(number)
        with decided(self._audit, capability, "capability.check", _name(objects), rights=int(rights), **counts):
            if capability is None or not allowed:
                raise AuthFailed(number)
        return capability

    def bootstrap(self, path: Path, holder: str = "admin") -> int:
        """Make the first ADMIN capability, for every object, and write its token into a file.

        The file has mode 0600 from its first byte on and replaces an older one; it holds the
        token as `0x` and 16 hexadecimal digits, and a newline.

        Returns:
            The token.

        Raises:
            Refusal: Exists: there is a capability already.
            OSError: the file cannot be written; then the capability is revoked.
        """
        if self._all:
            raise Refusal(Code.EXISTS, "the first capability is made once")
        token = self.issue(holder, Rights.ADMIN, Object.GRAPH | Object.MODEL | Object.LLM | Object.DEVICE)
        try:
            ownerfile.replace(path, f"{token:#018x}\n".encode())
        except OSError:
            self.revoke(token)
            raise
        return token

    def list(self) -> tuple[Capability, ...]:
        """Every capability that is not revoked, without its token."""
        return tuple(capability for capability in self._all if capability.id not in self._revoked)

    def _fresh(self) -> int:
        while True:
            token = self._random(TOKEN_BITS)
            if token and not self._find(token):
                return token

    def _find(self, token: int) -> int:
        """Number of the token's capability, 0 for none; no branch and no early end tells which."""
        presented = token.to_bytes(TOKEN_BITS // 8, "little")
        found = 0
        for number, stored in enumerate(self._tokens, start=1):
            found |= number * hmac.compare_digest(stored, presented)
        return found

    def _alive(self, capability: Capability, now_ns: int) -> bool:
        expired = capability.expires_ns is not None and now_ns >= capability.expires_ns
        return not expired and capability.id not in self._revoked


def _administers(by: Capability | None, objects: Object) -> None:
    if by is not None and (not by.rights & Rights.ADMIN or objects & ~by.objects):
        raise AuthFailed(by.id)


def _name(objects: Object) -> str:
    return ":".join(str(member.name).lower() for member in objects) or "any"
