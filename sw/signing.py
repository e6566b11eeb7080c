"""Ed25519 keys on disk: a private key is a file of mode 0600, a public key a text to hand out.

Both are one line of text: a kind, then 32 bytes in hex (the seed, or the public key).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from sw import ownerfile

KEY_BYTES = 32
SIGNATURE_BYTES = 64
PRIVATE = "kv-cpu-private-key-v1"
PUBLIC = "kv-cpu-public-key-v1"
MAX_FILE = 256


class KeyFileError(Exception):
    """A key file that cannot be used; the message is one line and never shows a private key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key, 32 bytes."""

    raw: bytes

    @property
    def key_id(self) -> bytes:
        """SHA-256 of the public key, 32 bytes (software.md 4)."""
        return hashlib.sha256(self.raw).digest()

    def verifies(self, domain: bytes, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `domain`, NUL, `message`."""
        try:
            VerifyKey(self.raw).verify(domain + b"\0" + message, signature)
        except (BadSignatureError, ValueError):
            return False
        return True

    def text(self) -> str:
        """The line of a public key file."""
        return f"{PUBLIC} {self.raw.hex()}\n"

    @property
    def sound(self) -> bool:
        """Whether it is a point of the curve's large subgroup in its one encoding.

        Anybody can make signatures that a key of small order verifies.
        """
        return len(self.raw) == KEY_BYTES and crypto_core_ed25519_is_valid_point(self.raw)

    @classmethod
    def parse(cls, text: str, where: str) -> PublicKey:
        """From the line of a public key file.

        Raises:
            KeyFileError: it is not one, or no key that anything can be verified with; `where` is named.
        """
        key = cls(_parse(PUBLIC, text, where))
        if not key.sound:
            raise KeyFileError(f"{where}: no Ed25519 public key: of small order, or not in its one encoding")
        return key

    @classmethod
    def load(cls, path: Path) -> PublicKey:
        """From a public key file.

        Raises:
            KeyFileError: it cannot be read or is not one.
        """
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE)
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}") from None
        return cls.parse(data.decode("ascii", "replace"), str(path))


class PrivateKey:
    """An Ed25519 signing key. Neither its repr nor any message shows it."""

    def __init__(self, seed: bytes) -> None:
        """From a seed of 32 bytes."""
        self._key = SigningKey(seed)
        self.public = PublicKey(bytes(self._key.verify_key))

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new key from the system's randomness."""
        return cls(bytes(SigningKey.generate()))

    @classmethod
    def load(cls, path: Path) -> PrivateKey:
        """From a private key file.

        Raises:
            KeyFileError: it cannot be read, others could read it, or it is not one.
        """
        try:
            data = ownerfile.read(path, MAX_FILE)
        except OSError as error:
            raise KeyFileError(str(error) if error.strerror is None else f"{path}: {error.strerror}") from None
        return cls(_parse(PRIVATE, data.decode("ascii", "replace"), str(path)))

    def save(self, path: Path) -> None:
        """Write a private key file of mode 0600; an existing file is never overwritten.

        Raises:
            KeyFileError: it exists or cannot be written.
        """
        try:
            ownerfile.create(path, f"{PRIVATE} {bytes(self._key).hex()}\n".encode())
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}") from None

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Ed25519 signature (64 bytes) over `domain`, NUL, `message`."""
        return bytes(self._key.sign(domain + b"\0" + message).signature)


def _parse(kind: str, text: str, where: str) -> bytes:
    words = text.split()
    try:
        raw = bytes.fromhex(words[1]) if len(words) == 2 and words[0] == kind else b""
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise KeyFileError(f"{where}: not a {kind} file")
    return raw
