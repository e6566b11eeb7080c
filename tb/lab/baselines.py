"""Classic policies on the same references: libCacheSim's, and the offline optimum."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from tb.lab.stream import Array, Outcome, Stream, outcome_of_hits
from tb.run.errors import UsageError

NAMES = {
    "lru": "LRU",
    "lfu": "LFU",
    "arc": "ARC",
    "lirs": "LIRS",
    "s3fifo": "S3FIFO",
    "wtinylfu": "WTinyLFU",
    "gdsf": "GDSF",
}
"""Policies of libCacheSim: name here, class there."""
OPTIMUM = "optimum"
HASH_POWER = 18
"""Buckets of libCacheSim's tables, as a power of two: above every capacity here."""


def library() -> Any:
    """libCacheSim's Python module. Raises UsageError where it is not installed."""
    try:
        import libcachesim  # installed on request only
    except ImportError as error:
        raise UsageError(f"libCacheSim is not installed ({error}): `make setup-lab`") from None
    return libcachesim


def run(name: str, stream: Stream, capacity: int) -> Outcome:
    """What one of NAMES, or `optimum`, does with unit-size blocks and room for `capacity`. Raises UsageError."""
    if name == OPTIMUM:
        return optimum(stream, capacity)
    lib = library()
    cache = getattr(lib, NAMES[name])(capacity, hashpower=HASH_POWER)
    request = lib.Request()
    request.obj_size = 1
    hits = np.zeros(stream.references, np.bool_)
    held = np.zeros(stream.references, np.int64)
    for place, block in enumerate(stream.blocks.tolist()):
        request.obj_id = block
        hits[place] = cache.get(request)
        held[place] = cache.get_n_obj()
    return outcome_of_hits(stream, hits, held)


def lru(stream: Stream, capacity: int) -> Outcome:
    """Least recently used, without a library: what LRU figures are checked against."""
    hits = np.zeros(stream.references, np.bool_)
    kept: OrderedDict[int, None] = OrderedDict()
    held = np.zeros(stream.references, np.int64)
    for place, block in enumerate(stream.blocks.tolist()):
        if block in kept:
            hits[place] = True
            kept.move_to_end(block)
        else:
            if len(kept) >= capacity:
                kept.popitem(last=False)
            kept[block] = None
        held[place] = len(kept)
    return outcome_of_hits(stream, hits, held)


def stack_distances(stream: Stream) -> Array:
    """Different blocks referenced since the last reference to the same block, for each reference; the largest int64
    for a first one. LRU with n slots hits where it is below n (Mattson et al., IBM Systems Journal 9(2), 1970).
    """
    size = stream.references
    tree = [0] * (size + 1)  # Fenwick tree over places: 1 where a block was used last
    latest: dict[int, int] = {}
    found = np.full(size, np.iinfo(np.int64).max, np.int64)
    for place, block in enumerate(stream.blocks.tolist(), 1):
        before = latest.get(block)
        if before is not None:
            found[place - 1] = len(latest) - _sum(tree, before)
            _add(tree, before, -1)
        _add(tree, place, 1)
        latest[block] = place
    return found


def _sum(tree: list[int], place: int) -> int:
    total = 0
    while place:
        total += tree[place]
        place &= place - 1
    return total


def _add(tree: list[int], place: int, value: int) -> None:
    while place < len(tree):
        tree[place] += value
        place += place & -place


def next_uses(stream: Stream) -> list[int]:
    """Place of the next reference to the same block, for each reference; the stream's length when there is none."""
    blocks = stream.blocks.tolist()
    following = [len(blocks)] * len(blocks)
    latest: dict[int, int] = {}
    for place in range(len(blocks) - 1, -1, -1):
        following[place] = latest.get(blocks[place], len(blocks))
        latest[blocks[place]] = place
    return following


def optimum(stream: Stream, capacity: int) -> Outcome:
    """Belady's: the block whose next use is farthest leaves. No policy without the future does better."""
    following = next_uses(stream)
    hits = np.zeros(stream.references, np.bool_)
    held = np.zeros(stream.references, np.int64)
    kept: dict[int, int] = {}  # block -> place of its next use
    farthest: list[tuple[int, int]] = []
    for place, block in enumerate(stream.blocks.tolist()):
        if block in kept:
            hits[place] = True
        elif len(kept) >= capacity:
            _drop_farthest(kept, farthest)
        kept[block] = following[place]
        heapq.heappush(farthest, (-following[place], block))
        held[place] = len(kept)
    return outcome_of_hits(stream, hits, held)


def _drop_farthest(kept: dict[int, int], farthest: list[tuple[int, int]]) -> None:
    while True:
        use, block = heapq.heappop(farthest)
        if kept.get(block) == -use:
            del kept[block]
            return


def run_all(stream: Stream, capacity: int, say: Callable[[str], None]) -> dict[str, Outcome]:
    """Every baseline at one capacity; `say` is called before each."""
    found = {}
    for name in (*NAMES, OPTIMUM):
        say(f"{stream.name} {capacity:,}: {name}")
        found[name] = run(name, stream, capacity)
    return found
