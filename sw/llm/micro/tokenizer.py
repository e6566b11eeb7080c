"""Bytes as tokens: id 0 to 255 is that byte, 256 begins a text and ends it."""

from __future__ import annotations

from collections.abc import Sequence

END = 256
VOCABULARY = 257


def encode(prompt: bytes) -> list[int]:
    """Token ids of a prompt: the marker, so that an empty prompt has a token to go on from, then its bytes."""
    return [END, *prompt]


def decode(tokens: Sequence[int]) -> bytes:
    """The bytes of token ids; markers stand for none.

    Raises:
        ValueError: an id that is not in the vocabulary.
    """
    for token in tokens:
        if not 0 <= token < VOCABULARY:
            raise ValueError(f"token {token}: 0 to {VOCABULARY - 1}")
    return bytes(token for token in tokens if token != END)
