"""The text that the shipped model learned from: this project's own documentation at one revision."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sw.llm.micro import tokenizer

HELD_OUT = 20  # of so many sections one is not learned from

_HEADING = re.compile(rb"(?m)^(?=#)")


class CorpusError(Exception):
    """The text cannot be had; one line."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Token ids to learn from and to be judged by.

    Attributes:
        files: what was read, in order.
        digest: SHA-256 of the files' bytes in that order, in hex.
        learned: token ids; each section begins with the marker, and one ends it.
        held_out: the same of every 20th section.
    """

    files: tuple[str, ...]
    digest: str
    learned: NDArray[np.intp]
    held_out: NDArray[np.intp]


def load(root: Path, revision: str) -> Corpus:
    """README.md and docs/*.md as they are in a commit.

    Raises:
        CorpusError: no git, no such revision, or nothing to read in it.
    """
    listed = _git(root, "ls-tree", "-r", "--name-only", revision, "README.md", "docs").decode().splitlines()
    files = tuple(name for name in sorted(listed) if name.endswith(".md") and name.count("/") <= 1)
    if not files:
        raise CorpusError(f"revision {revision} has no README.md or docs/*.md")
    texts = [_git(root, "show", f"{revision}:{name}") for name in files]
    sections = [part for text in texts for part in _HEADING.split(text) if part.strip()]
    return Corpus(
        files,
        hashlib.sha256(b"".join(texts)).hexdigest(),
        _tokens([part for n, part in enumerate(sections) if n % HELD_OUT != HELD_OUT - 1]),
        _tokens(sections[HELD_OUT - 1 :: HELD_OUT]),
    )


def _tokens(sections: list[bytes]) -> NDArray[np.intp]:
    ids = [token for section in sections for token in tokenizer.encode(section)]
    return np.array([*ids, tokenizer.END], dtype=np.intp)


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except OSError as error:
        raise CorpusError(f"git cannot be run: {error.strerror}") from None
    if done.returncode:
        raise CorpusError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip().splitlines()[-1]}")
    return done.stdout
