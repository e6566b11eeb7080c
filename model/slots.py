"""The free-slot pool of one tier (device.md 5)."""

from __future__ import annotations

from collections import deque
from enum import IntEnum

from model.types import Mismatch


class SlotState(IntEnum):
    """What a slot is at this moment; a tier's slots are always divided among these four."""

    FREE = 0
    OCCUPIED = 1
    IN_FLIGHT = 2  # reserved by a move as its target
    HELD = 3  # left by a migration, until the fence


class SlotPool:
    """Slots 0 to SLOTS - 1 of a tier.

    The order in which slots are handed out without a choice is the hardware's: slots returned at
    once, last first; then slots that migrations left, first first; then slots never used.
    """

    def __init__(self, tier: int) -> None:
        self.tier = tier
        self.resize(0)

    def resize(self, slots: int) -> None:
        """SLOTS := `slots`; every slot is free and unused (also at reset)."""
        self.slots = slots
        self._state = bytearray(slots)
        self._count = [slots, 0, 0, 0]
        self._fresh = 0
        self._ring: deque[int] = deque()
        self._held: deque[int] = deque()

    @property
    def free(self) -> int:
        """Slots that may be taken now."""
        return self._count[SlotState.FREE]

    @property
    def occupied(self) -> int:
        """Slots that hold the block of an entry."""
        return self._count[SlotState.OCCUPIED]

    @property
    def in_flight(self) -> int:
        """Slots reserved as targets of moves."""
        return self._count[SlotState.IN_FLIGHT]

    @property
    def held(self) -> int:
        """Slots that migrations left since the last step write."""
        return self._count[SlotState.HELD]

    @property
    def in_use(self) -> bool:
        """Whether BASE, SLOTS (and BLOCK_BYTES) refuse writes."""
        return self._count[SlotState.FREE] != self.slots

    def state(self, slot: int) -> SlotState:
        """State of one slot."""
        return SlotState(self._state[slot])

    def _set(self, slot: int, state: SlotState) -> None:
        self._count[self._state[slot]] -= 1
        self._count[state] += 1
        self._state[slot] = state

    def peek(self) -> int:
        """The slot that `take` would hand out by the hardware's order; the pool is not empty."""
        state, ring = self._state, self._ring
        while ring:
            if state[ring[0]] == SlotState.FREE:
                return ring[0]
            ring.popleft()  # taken out of order by a choice
        while state[self._fresh] != SlotState.FREE:
            self._fresh += 1
        return self._fresh

    def take(self, state: SlotState, choice: int | None = None) -> int:
        """Hand out a free slot for `state` (OCCUPIED or IN_FLIGHT).

        Raises Mismatch when there is none, or when `choice` is not free.
        """
        if not self._count[SlotState.FREE]:
            raise Mismatch(f"tier {self.tier} free slots", "at least 1", 0)
        if choice is not None and not 0 <= choice < self.slots:
            raise Mismatch(f"tier {self.tier} slot", f"below SLOTS {self.slots}", choice)
        if choice is not None and self._state[choice] != SlotState.FREE:
            raise Mismatch(f"tier {self.tier} slot {choice} handed out", "a free slot", self.state(choice).name)
        slot = self.peek()
        if choice is None or choice == slot:
            if self._ring:
                self._ring.popleft()
            else:
                self._fresh += 1
        else:
            slot = choice
        self._set(slot, state)
        return slot

    def occupy(self, slot: int) -> None:
        """A move's target becomes its block's place (commit)."""
        self._set(slot, SlotState.OCCUPIED)

    def give_back(self, slot: int) -> None:
        """The slot is free at once (REMOVE, FREE_REQUEST, a move that did not commit)."""
        self._set(slot, SlotState.FREE)
        self._ring.appendleft(slot)
        if len(self._ring) > 2 * self.slots:  # stale names of slots taken by choice
            self._ring = deque(s for s in dict.fromkeys(self._ring) if self._state[s] == SlotState.FREE)

    def hold(self, slot: int) -> None:
        """A migration left the slot; it is free after the fence."""
        self._set(slot, SlotState.HELD)
        self._held.append(slot)

    def fence(self) -> None:
        """STEP_ADVANCE: held slots become free."""
        for slot in self._held:
            self._set(slot, SlotState.FREE)
        self._ring.extend(self._held)
        self._held.clear()
