"""The trust store: a directory of public keys with expiry that only its owner may touch (software.md 4).

One file per key, `<key id in hex>.json`: {"expires": "2027-01-01T00:00:00Z" or null, "name": ..., "public_key": hex}.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sw import ownerfile
from sw.signing import PublicKey

TIME = "%Y-%m-%dT%H:%M:%SZ"
NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
FILE = re.compile(r"[0-9a-f]{64}\.json")
MAX_FILE = 1024
REVISIONS = "revisions"
MAX_REVISIONS = 1 << 20

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
            TrustError: the store cannot be written, others may touch it, or nothing can be verified with the key.
        """
        if not NAME.fullmatch(key.name):
            raise TrustError(f"{key.name!r}: a key's name has 1 to 64 letters, digits and . _ @ -")
        if not key.public.sound:
            raise TrustError(f"{key.name}: no Ed25519 public key: of small order, or not in its one encoding")
        record = {
            "expires": None if key.expires is None else key.expires.astimezone(UTC).strftime(TIME),
            "name": key.name,
            "public_key": key.public.raw.hex(),
        }
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_directory()
            ownerfile.replace(self._file(key.public.key_id), json.dumps(record).encode() + b"\n")
        except OSError as error:
            raise self._error(error) from None

    def remove(self, key_id: bytes) -> None:
        """Trust a key no more.

        Raises:
            TrustError: it is not in the store, or the store cannot be used.
        """
        try:
            self._check_directory()
            self._file(key_id).unlink()
        except FileNotFoundError:
            raise TrustError(f"{self.path} has no key {key_id.hex()}") from None
        except OSError as error:
            raise self._error(error) from None

    def find(self, key_id: bytes) -> TrustedKey | None:
        """The key of that id (32 bytes), or None.

        Raises:
            TrustError: others may touch the store or the file, or the file is not a trusted key.
        """
        path = self._file(key_id)
        try:
            self._check_directory()
            data = ownerfile.read(path, MAX_FILE)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(error) from None
        key = _parse(data, path)
        if not hmac.compare_digest(key.public.key_id, key_id):
            raise TrustError(f"{path} holds another key than its name says")
        return key

    def trusted(self) -> list[TrustedKey]:
        """Every key, in the order of the ids.

        Raises:
            TrustError: as `find`.
        """
        try:
            names = sorted(path.stem for path in self.path.glob("*.json") if FILE.fullmatch(path.name))
        except OSError as error:
            raise self._error(error) from None
        found = (self.find(bytes.fromhex(name)) for name in names)
        return [key for key in found if key is not None]

    # ------------------------------------------------------------------ revisions of models

    def newest(self, model_id: int) -> int:
        """The newest revision of a model that was ever loaded with this store; 0 for none.

        Raises:
            TrustError: the record cannot be used.
        """
        return self._revisions().get(str(model_id), 0)

    def note_revision(self, model_id: int, revision: int) -> None:
        """A revision of a model is loaded; an older one changes nothing.

        Raises:
            TrustError: the record cannot be used or written.
        """
        known = self._revisions()
        if revision <= known.get(str(model_id), 0):
            return
        data = json.dumps({**known, str(model_id): revision}, sort_keys=True).encode() + b"\n"
        try:
            ownerfile.replace(self.path / REVISIONS, data)
        except OSError as error:
            raise self._error(error) from None

    def _revisions(self) -> dict[str, int]:
        path = self.path / REVISIONS
        try:
            self._check_directory()
            record = json.loads(ownerfile.read(path, MAX_REVISIONS))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._error(error) from None
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not all(type(number) is int for number in record.values()):
            raise TrustError(f"{path} is not the record of revisions: restore it, or remove it to forget them")
        return record

    def _file(self, key_id: bytes) -> Path:
        return self.path / f"{key_id.hex()}.json"

    def _check_directory(self) -> None:
        ownerfile.check_owner_only(self.path, self.path.stat())

    def _error(self, error: OSError) -> TrustError:
        return TrustError(str(error) if error.strerror is None else f"{self.path}: {error.strerror}")


def _parse(data: bytes, path: Path) -> TrustedKey:
    try:
        record = json.loads(data)
        if set(record) != {"expires", "name", "public_key"}:
            raise ValueError
        expires, name, raw = record["expires"], record["name"], bytes.fromhex(record["public_key"])
        when = None if expires is None else datetime.strptime(expires, TIME).replace(tzinfo=UTC)
        if not NAME.fullmatch(name) or not PublicKey(raw).sound:
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise TrustError(f"{path} is not a trusted key") from None
    return TrustedKey(PublicKey(raw), name, when)
