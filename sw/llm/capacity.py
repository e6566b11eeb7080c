"""What the gate gives away of the device: directory entries with their slots, and request ids (software.md 4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sw.codes import Code, Refusal
from sw.kernel.growth import Growth, Resource
from sw.llm.backend import Backend

PREFIXES = 0  # request id of all shared prefixes (software.md 1)
SERVICE_REQUESTS = range(0x8000, 0x10000)
"""Request ids of inferences; all of this module's are the service's own, and a served device refuses them to users."""
USER_REQUESTS = range(1, 0x8000)
"""Request ids that users of a served device may insert blocks under."""
FULL_SHARE = (15, 16)  # of the entries: below it INSERT never answers FULL, whose first comes at 98 % or more


@dataclass(frozen=True, slots=True)
class Backing:
    """The tier in which every block would find a slot.

    A block has one place, and at most one more on its way to a tier. So blocks that are in this tier or on their way
    to it are no more than all blocks together: with `blocks` of them, RESERVE slots are free at the start of a step.
    No migration takes those, and what is inserted before the next step is no more than that.

    Attributes:
        tier: its number.
        reserve: RESERVE of it: most INSERTs between two STEP_ADVANCE writes.
        blocks: how many blocks may live at once so that no INSERT fails.
    """

    tier: int
    reserve: int
    blocks: int


def backing(entries: int, slots: Sequence[int], inserts_per_step: int) -> Backing:
    """The largest tier as the backing of all blocks.

    Args:
        entries: ENTRIES of the device.
        slots: of tiers 0 to 3.
        inserts_per_step: most INSERTs between two STEP_ADVANCE writes.
    """
    tier = max(range(len(slots)), key=lambda number: slots[number])
    blocks = min(slots[tier] - inserts_per_step, entries * FULL_SHARE[0] // FULL_SHARE[1])
    return Backing(tier, inserts_per_step, max(0, blocks))


class Capacity:
    """Blocks that the device has room for, given away at the gate and taken back at the end of an inference.

    Attributes:
        total: blocks that may be given away.
        inserts_per_step: blocks that a chunk may insert.
        reserved: blocks that are given away.
    """

    def __init__(self, place: Backing, growth: Growth) -> None:
        """All of it is planned for here, so that deterministic mode meets no growth later."""
        growth.note(Resource.DIRECTORY, place.blocks)
        self.total = place.blocks
        self.inserts_per_step = place.reserve
        self.reserved = 0

    def check_chunk(self, backend: Backend) -> None:
        """Whether the largest chunk of a model inserts no more than the slots that are kept for it.

        Raises:
            Refusal: NoRoom.
        """
        # as many tokens as a chunk has may begin in the middle of a block: one row of blocks more
        row = backend.need(b"", 1).blocks
        most = backend.need(bytes(backend.info.chunk_tokens - 1), 1).blocks + row
        if most > self.inserts_per_step:
            raise Refusal(Code.NO_ROOM, f"a chunk inserts up to {most} blocks; {self.inserts_per_step} slots are kept")

    def check(self, blocks: int) -> None:
        """Whether so many are left.

        Raises:
            Refusal: NoRoom.
        """
        if blocks > self.total - self.reserved:
            raise Refusal(Code.NO_ROOM, f"{blocks} blocks: {self.total - self.reserved} of {self.total} are left")

    def reserve(self, blocks: int) -> None:
        """Give blocks away that `check` has found."""
        self.reserved += blocks

    def release(self, blocks: int) -> None:
        """Take blocks back."""
        self.reserved -= blocks


class RequestIds:
    """Request ids of inferences, the one unused for longest first."""

    def __init__(self, ids: range = SERVICE_REQUESTS) -> None:
        """All of `ids`, a range in steps of 1."""
        self._ids = ids
        self._fresh = ids.start
        self._free: deque[int] = deque()

    def check(self) -> None:
        """Whether one is left.

        Raises:
            Refusal: NoRoom.
        """
        if self._fresh not in self._ids and not self._free:
            raise Refusal(Code.NO_ROOM, f"all {len(self._ids)} request ids are in use")

    def take(self) -> int:
        """An id that names nothing in the device; `check` has found that there is one."""
        if self._fresh in self._ids:
            self._fresh += 1
            return self._fresh - 1
        return self._free.popleft()

    def give_back(self, request_id: int) -> None:
        """FREE_REQUEST has reported that none of its blocks is left, or it never had any."""
        self._free.append(request_id)
