"""The trust store: a directory of public keys with expiry that only its owner may touch (software.md 4).

One file per key, `<key id in hex>.json`: {"expires": "2027-01-01T00:00:00Z" or null, "name": ..., "public_key": hex}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sw.signing import PublicKey

Calendar = Callable[[], datetime]
"""Calendar time, with a time zone: what expiry is judged by."""


def host_calendar() -> datetime:
    """The host's calendar time, the default of a configuration."""
    return datetime.now(UTC)


class TrustError(Exception):
    """A trust store that cannot be used; one line. Nothing verifies against it."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key that packages may be signed with.

    Attributes:
        public: the key.
        name: whose it is, for people.
        expires: from this instant on it is expired; None: never.
    """

    public: PublicKey
    name: str
    expires: datetime | None

    def expired(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires is not None and now >= self.expires


class TrustStore:
    """The trust store at `path`. Files are read when asked for, so changes count at once."""

    def __init__(self, path: Path) -> None:
        """The store at `path`, which need not exist before the first `add`."""
        self.path = path

    def add(self, key: TrustedKey) -> None:
        """Trust a key, or change its name or expiry.

        Raises:
            TrustError: the store cannot be written, or others may touch it.
        """
        raise NotImplementedError

    def remove(self, key_id: bytes) -> None:
        """Trust a key no more.

        Raises:
            TrustError: it is not in the store, or the store cannot be used.
        """
        raise NotImplementedError

    def find(self, key_id: bytes) -> TrustedKey | None:
        """The key of that id (32 bytes), or None.

        Raises:
            TrustError: others may touch the store or the file, or the file is not a trusted key.
        """
        raise NotImplementedError

    def keys(self) -> list[TrustedKey]:
        """Every key, in the order of the ids.

        Raises:
            TrustError: as `find`.
        """
        raise NotImplementedError
