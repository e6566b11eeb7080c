"""User ranges: which block a byte of a process's address space belongs to (software.md 1)."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

from sw.driver.errors import BadArgument
from sw.regs.kv_address import TOKENS, KvAddress

ADDRESSES = 1 << 64


@dataclass(frozen=True, slots=True, order=True)
class Binding:
    """`length` bytes from `va` on are the blocks from `first` on, `block_bytes` each."""

    va: int
    length: int
    first: KvAddress

    @property
    def end(self) -> int:
        """First byte after the range."""
        return self.va + self.length


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring blocks: `tokens` from `first` on."""

    first: KvAddress
    tokens: int


class Bindings:
    """The bound ranges of a process; they do not overlap."""

    def __init__(self, block_tokens: int) -> None:
        """Blocks have `block_tokens` tokens."""
        self.block_tokens = block_tokens
        self._ranges: list[Binding] = []

    @property
    def ranges(self) -> tuple[Binding, ...]:
        """The bound ranges, by address."""
        return tuple(self._ranges)

    def __len__(self) -> int:
        """Ranges."""
        return len(self._ranges)

    def bind(self, va: int, length: int, first: KvAddress, block_bytes: int) -> None:
        """Map each `block_bytes` of the range to one block, `first` and those after it.

        A last part shorter than `block_bytes` belongs to a block of its own.

        Raises:
            BadArgument: no bytes, past 2^64, overlapping another range, a token that does not
                begin a block, or blocks past token 2^32 - 1.
        """
        check_range(va, length)
        if first.token % self.block_tokens:
            raise BadArgument(f"bind: token {first.token} does not begin a block")
        blocks = -(-length // block_bytes)
        if first.token + blocks * self.block_tokens > TOKENS:
            raise BadArgument(f"bind: {blocks} blocks from {first} run past token 2^32 - 1")
        if any(va < other.end and other.va < va + length for other in self._ranges):
            raise BadArgument(f"bind: {va:#x} + {length} overlaps a bound range")
        insort(self._ranges, Binding(va, length, first))

    def unbind(self, va: int) -> None:
        """Forget the range that begins at `va`.

        Raises:
            BadArgument: none does.
        """
        for position, binding in enumerate(self._ranges):
            if binding.va == va:
                del self._ranges[position]
                return
        raise BadArgument(f"unbind: no range begins at {va:#x}")

    def resolve(self, va: int, length: int, block_bytes: int) -> tuple[list[Run], int]:
        """Blocks of which the range touches a byte, neighbours together, and the misses.

        Returns:
            Runs in the order of the bytes; how many `block_bytes` (the last one of a hole
            counted whole) of the range are not bound.
        """
        runs: list[Run] = []
        misses = 0
        position = va
        for binding in self._touched(va, va + length):
            if position < binding.va:
                misses += -(-(binding.va - position) // block_bytes)
                position = binding.va
            end = min(va + length, binding.end)
            low = (position - binding.va) // block_bytes
            high = (end - 1 - binding.va) // block_bytes
            token = binding.first.token + low * self.block_tokens
            run = Run(_at(binding.first, token), (high - low + 1) * self.block_tokens)
            if runs and _follows(runs[-1], run):
                runs[-1] = Run(runs[-1].first, runs[-1].tokens + run.tokens)
            else:
                runs.append(run)
            position = end
        if position < va + length:
            misses += -(-(va + length - position) // block_bytes)
        return runs, misses

    def _touched(self, low: int, high: int) -> Iterator[Binding]:
        start = bisect_right(self._ranges, low, key=lambda binding: binding.va)
        for binding in self._ranges[max(0, start - 1) :]:
            if binding.va >= high:
                return
            if binding.end > low:
                yield binding


def check_range(va: int, length: int) -> None:
    """Raise for a range of user bytes that is none.

    Raises:
        BadArgument: no bytes, or past 2^64.
    """
    if length < 1:
        raise BadArgument(f"a range of {length} bytes")
    if va < 0 or va + length > ADDRESSES:
        raise BadArgument(f"{va:#x} + {length} runs past 2^64")


def _at(base: KvAddress, token: int) -> KvAddress:
    return KvAddress(base.request_id, base.layer, base.head, token)


def _follows(before: Run, after: Run) -> bool:
    end = before.first.token + before.tokens
    return end < TOKENS and _at(before.first, end) == after.first
