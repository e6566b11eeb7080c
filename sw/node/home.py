"""The folder in which a served system keeps its key, its trust store, its audit log and the administrator's token."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sw.llm.models import PUBLIC_KEY
from sw.llm.package import TrustedKey, TrustStore
from sw.signing import KeyFileError, PrivateKey, PublicKey
from sw.uapi.place import TOKEN, private_folder

VENDOR = "kv-cpu"  # name of the key that the shipped model is signed with


def home_of(socket: Path) -> Path:
    """The folder of whoever serves at `socket`: next to it, under its name without suffix."""
    return socket.with_suffix("") if socket.suffix else socket.with_name(socket.name + ".d")


@dataclass(frozen=True, slots=True)
class Home:
    """One such folder; everything in it is its owner's only."""

    folder: Path

    @property
    def admin_token(self) -> Path:
        """Token of the first ADMIN capability of the system that is served now."""
        return self.folder / TOKEN

    @property
    def user_token(self) -> Path:
        """Token that the administrator's own tools have had issued to them."""
        return self.folder / "user.token"

    @property
    def audit(self) -> Path:
        """The audit log; its head record is next to it."""
        return self.folder / "audit.jsonl"

    @property
    def anchor(self) -> Path:
        """Copy of the log's head record, outside the folder: a start is held against it."""
        return self.folder.with_name(self.folder.name + ".anchor")

    @property
    def key(self) -> Path:
        """The service's private key."""
        return self.folder / "service.key"

    @property
    def trust(self) -> TrustStore:
        """Keys that model packages may be signed with."""
        return TrustStore(self.folder / "trust")

    def prepare(self) -> PrivateKey:
        """Make what is not there yet: the folder, the service's key, a trust store with the shipped model's key.

        Raises:
            PlaceError: others may enter the folder, or it cannot be made.
            KeyFileError, TrustError: the key or the trust store cannot be used.
        """
        private_folder(self.folder)
        if not self.key.exists():
            self.trust.add(TrustedKey(PublicKey.load(PUBLIC_KEY), VENDOR, None))
            PrivateKey.generate().save(self.key)
        try:
            return PrivateKey.load(self.key)
        except KeyFileError as error:
            step = "restore it from a copy, or move it away: the next start makes a new one (docs/audit.md)"
            raise KeyFileError(f"{error}; next step: {step}") from None

    def forget_tokens(self) -> None:
        """Take away the tokens of a system that has ended: they mean nothing to the next."""
        for path in (self.admin_token, self.user_token):
            with suppress(FileNotFoundError):
                path.unlink()
