"""What the gate gives away of the device: directory entries with their slots, and request ids (software.md 4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from sw.control.codes import Code, Refusal
from sw.driver.types import TierConfig
from sw.kernel.growth import Growth, Resource

REQUEST_IDS = 0xFFFF
MOVES = 64  # that the DMA has on their way at once, each with a slot in its target tier
FULL_SHARE = (15, 16)  # of the entries: below it INSERT never answers FULL, whose first comes at 98 % or more


def guaranteed_blocks(entries: int, tiers: Sequence[TierConfig], inserts_per_step: int, moves: int = MOVES) -> int:
    """How many blocks may live at once so that every INSERT finds a slot in some tier.

    A migration takes a slot only while free > RESERVE, and the one that it leaves is free again after the next
    STEP_ADVANCE. With RESERVE at min(SLOTS, inserts_per_step) in every tier, and so many slots over that all blocks,
    their copies on the way and these reserves fit, some tier has inserts_per_step free slots at the start of a step,
    and no migration takes them before its end.

    Args:
        entries: ENTRIES of the device.
        tiers: tiers 0 to 3.
        inserts_per_step: most INSERTs between two STEP_ADVANCE writes.
        moves: most moves that are on their way at once.

    Raises:
        ValueError: RESERVE of a tier is too small for that.
    """
    kept = 0
    for number, tier in enumerate(tiers):
        least = min(tier.slots, inserts_per_step)
        if tier.reserve < least:
            raise ValueError(f"RESERVE of tier {number} is {tier.reserve}: {least} keep room for INSERT")
        kept += least
    left = sum(tier.slots for tier in tiers) - kept
    # a block has at most one copy on its way, so few blocks need less than `moves` places for copies
    places = max(left // 2, left - moves)
    return max(0, min(places, entries * FULL_SHARE[0] // FULL_SHARE[1]))


class Capacity:
    """Blocks that the device has room for, given away at the gate and taken back at the end of an inference.

    Attributes:
        total: blocks that may be given away.
        reserved: blocks that are.
    """

    def __init__(self, total: int, growth: Growth) -> None:
        """All of `total` is planned for here, so that deterministic mode meets no growth later."""
        growth.note(Resource.DIRECTORY, total)
        self.total = total
        self.reserved = 0

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
    """Request ids 1 to 65,535, the one unused for longest first."""

    def __init__(self, count: int = REQUEST_IDS) -> None:
        """Ids 1 to `count`."""
        self._count = count
        self._fresh = 1
        self._free: deque[int] = deque()

    def check(self) -> None:
        """Whether one is left.

        Raises:
            Refusal: NoRoom.
        """
        if self._fresh > self._count and not self._free:
            raise Refusal(Code.NO_ROOM, f"all {self._count} request ids are in use")

    def take(self) -> int:
        """An id that names nothing in the device; `check` has found that there is one."""
        if self._fresh <= self._count:
            self._fresh += 1
            return self._fresh - 1
        return self._free.popleft()

    def give_back(self, request_id: int) -> None:
        """FREE_REQUEST has reported that none of its blocks is left, or it never had any."""
        self._free.append(request_id)
