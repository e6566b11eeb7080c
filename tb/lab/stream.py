"""A trace as one stream of block references, and what a policy did with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sw.replay.trace import DEFAULT_BLOCK_TOKENS, Trace

Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stream:
    """References to blocks in their order, request by request.

    Blocks are numbered 0, 1, ... in the order of first use; a block counts once in a request.

    Attributes:
        name: of the trace.
        digest: SHA-256 of the trace's file, or of the references of a generated one.
        blocks: block of each reference.
        first: place in `blocks` of each request's first reference; one element more than requests, the last the total.
        arrival_ms: of each request.
        output: tokens that each request generates.
        prompt: tokens of each request's prompt.
        block_tokens: tokens of a block.
    """

    name: str
    digest: str
    blocks: Array
    first: Array
    arrival_ms: Array
    output: Array
    prompt: Array
    block_tokens: int = DEFAULT_BLOCK_TOKENS

    @property
    def references(self) -> int:
        """References in all."""
        return len(self.blocks)

    @property
    def requests(self) -> int:
        """Requests in all."""
        return len(self.arrival_ms)

    @property
    def unique(self) -> int:
        """Distinct blocks."""
        return int(self.blocks.max()) + 1 if len(self.blocks) else 0

    @property
    def middle(self) -> int:
        """The first reference of the second half."""
        return self.references // 2

    def part(self, begin: int, end: int) -> Stream:
        """Requests `begin` to `end`, not included, with the same numbers of blocks."""
        place = self.first[begin]
        return Stream(
            self.name,
            self.digest,
            self.blocks[place : self.first[end]],
            self.first[begin : end + 1] - place,
            self.arrival_ms[begin:end],
            self.output[begin:end],
            self.prompt[begin:end],
            self.block_tokens,
        )


def stream_of(name: str, trace: Trace, file: Path | None = None) -> Stream:
    """The references of a trace; `file` is what it was read from, None for a generated one."""
    prompts = [tuple(dict.fromkeys(request.hash_ids)) for request in trace.requests]
    numbers: dict[int, int] = {}
    blocks = np.fromiter((numbers.setdefault(i, len(numbers)) for i in chain.from_iterable(prompts)), np.int64)
    first = np.concatenate(([0], np.cumsum([len(prompt) for prompt in prompts], dtype=np.int64)))
    if file is None:
        digest = hashlib.sha256(blocks.tobytes() + first.tobytes()).hexdigest()
    else:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Stream(
        name,
        digest,
        blocks,
        first,
        np.array([request.timestamp_ms for request in trace.requests], np.int64),
        np.array([request.output_length for request in trace.requests], np.int64),
        np.array([request.input_length for request in trace.requests], np.int64),
        trace.block_tokens,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy did, one element for each reference.

    Attributes:
        retention: it found its block where it had stayed.
        prefetch: it found its block where a prefetch had brought it back.
        moved: blocks moved to or from a slower tier because of it, or since the reference before.
    """

    retention: Flags
    prefetch: Flags
    moved: Array

    def counted(self, stream: Stream, begin: int, block_bytes: int) -> dict[str, float | int]:
        """The metrics of the references from `begin` on."""
        hits = self.retention | self.prefetch
        references = stream.references - begin
        retention, both = int(self.retention[begin:].sum()), int(hits[begin:].sum())
        return {
            "references": references,
            "retention_hits": retention,
            "prefetch_hits": both - retention,
            "prefix_hits": int(in_prefix(stream, hits)[begin:].sum()),
            "bytes_moved": int(self.moved[begin:].sum()) * block_bytes,
            "retention_percent": round(100 * retention / max(1, references), 3),
            "hit_percent": round(100 * both / max(1, references), 3),
        }


def outcome_of_hits(stream: Stream, hits: Flags, held: Array) -> Outcome:
    """The outcome of a policy without prefetch: hit or miss of each reference, blocks held after each.

    A miss on a block that was there before brings it back from a slower tier; what leaves goes to one.
    """
    again = np.ones(stream.references, np.bool_)
    again[np.unique(stream.blocks, return_index=True)[1]] = False
    left = np.cumsum(~hits) - held
    moves = (~hits & again).astype(np.int64) + np.diff(left, prepend=0)
    return Outcome(hits, np.zeros_like(hits), moves)


def in_prefix(stream: Stream, hits: Flags) -> Flags:
    """The hits in front of their prompt's first miss: those that an engine can use."""
    misses = np.cumsum(~hits)
    before = np.concatenate(([0], misses))[stream.first[:-1]]
    found: Flags = misses == np.repeat(before, np.diff(stream.first))
    return found
