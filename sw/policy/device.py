"""What a policy needs of a device: the policy level of the model has it, and a driver can."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Blocks = npt.NDArray[np.int64]
FAST, SLOW, ABSENT = 0, 1, 2


class PolicyDevice(Protocol):
    """A device with a fast tier and a slower one; blocks are numbers from 0 on."""

    low: int
    high: int

    @property
    def reserve(self) -> int:
        """Free slots of the fast tier that moves leave to INSERT."""

    @property
    def where(self) -> npt.NDArray[np.uint8]:
        """FAST, SLOW or ABSENT of each block (LOOKUP peek)."""

    @property
    def brought(self) -> npt.NDArray[np.bool_]:
        """Whether a prefetch has brought a block to the fast tier since its last use."""

    @property
    def free(self) -> int:
        """Free slots of the fast tier."""

    @property
    def slow_free(self) -> int:
        """Free slots of the slower tier."""

    @property
    def moves(self) -> int:
        """Blocks moved down and up so far."""

    def step(self, step: int) -> None:
        """STEP_ADVANCE, and the end of its scan and of the moves."""

    def lookup(self, blocks: Blocks) -> npt.NDArray[np.uint8]:
        """Read lookups; where each block was."""

    def insert(self, blocks: Blocks) -> None:
        """INSERT, into the fast tier while it has slots."""

    def promote(self, blocks: Blocks) -> None:
        """Demand moves to the fast tier, while it has slots."""

    def remove(self, blocks: Blocks) -> None:
        """REMOVE blocks that are there and not referenced."""

    def evict(self, blocks: Blocks) -> None:
        """IMEVICT."""

    def share(self, blocks: Blocks) -> None:
        """SHARE: they stay in the fast tier until RELEASE."""

    def release(self, blocks: Blocks) -> None:
        """RELEASE."""

    def scored(self, step: int) -> tuple[Blocks, npt.NDArray[np.uint16]]:
        """Blocks that a scan in `step` may evict, and the scores that it would give them: software can compute both."""

    def hint(self, blocks: Blocks, step: int) -> None:
        """PREFETCH."""

    def configure(self, **fields: int) -> None:
        """Write registers: w_r, w_f, w_s, w_d, r_shift, f_age, evict_thresh, prefetch_thresh, lookahead, hold."""
