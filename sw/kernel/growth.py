"""Deterministic mode: nothing that was sized before may grow (software.md 2, "Graph").

Arena, handle tables, rings and the directory's reservations each know how much they have used at
most. Whenever that mark is about to rise they ask here first. Once frozen, the answer is no.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from sw.codes import Code, Refusal


class Resource(Enum):
    """What must not grow in deterministic mode, and the unit in which it is counted."""

    ARENA = "arena bytes"
    HANDLE = "handles"
    RING = "rings"
    DIRECTORY = "directory entries"


class GrowthRefused(Refusal):
    """Growth in deterministic mode (NoRoom).

    Attributes:
        resource: what was about to grow.
        amount: by how much, in its unit.
    """

    def __init__(self, resource: Resource, amount: int) -> None:
        """Name the resource."""
        super().__init__(Code.NO_ROOM, f"deterministic mode: no room for {amount} more {resource.value}")
        self.resource = resource
        self.amount = amount


Hook = Callable[[Resource, int], None]


def refuse(resource: Resource, amount: int) -> None:
    """The default hook.

    Raises:
        GrowthRefused: always.
    """
    raise GrowthRefused(resource, amount)


class Growth:
    """Counts growth, and forbids it once frozen.

    Attributes:
        grown: units by which each resource has grown; constant while frozen.
        refused: growths that the frozen mode has refused.
        hook: called for each of those before it raises; may raise an exception of its own.
    """

    def __init__(self, hook: Hook = refuse) -> None:
        """Growth is allowed until `freeze`."""
        self.grown = dict.fromkeys(Resource, 0)
        self.refused = 0
        self.hook = hook
        self._frozen = False

    @property
    def frozen(self) -> bool:
        """Whether deterministic mode is on."""
        return self._frozen

    def freeze(self) -> None:
        """Enter deterministic mode."""
        self._frozen = True

    def note(self, resource: Resource, amount: int) -> None:
        """Ask before a high-water mark rises by `amount`.

        Raises:
            GrowthRefused: deterministic mode is on; the caller must leave everything as it was.
        """
        if self._frozen:
            self.refused += 1
            self.hook(resource, amount)
            raise GrowthRefused(resource, amount)  # a hook that returns changes nothing
        self.grown[resource] += amount
