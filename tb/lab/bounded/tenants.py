"""Other tenants of the device: requests that come, are used at random and go, in proportion to the background load."""

from __future__ import annotations

from collections import deque

import numpy as np

from model.types import Status
from sw.regs.kv_address import KvAddress
from tb.lab.bounded.geometry import BLOCK_TOKENS
from tb.lab.bounded.machine import OTHERS, ModelMachine

FIRST = 0x8000
LARGEST = 16  # blocks of one request
USED = 4  # blocks looked up between two tokens


class Tenants:
    """Traffic between two tokens; it takes no time of the streams' processor."""

    def __init__(self, machine: ModelMachine, quota: int, seed: int) -> None:
        """Keep up to `quota` blocks."""
        self._machine = machine
        self._quota = quota
        self._rng = np.random.default_rng(seed)
        self._live: deque[tuple[int, int]] = deque()
        self._blocks = 0
        self._next = FIRST

    def act(self) -> None:
        """With the load's chance: a request begins, the oldest go, some blocks are used."""
        machine = self._machine
        if self._rng.random() >= machine.platform.load.rate:
            return
        state = machine.device.state
        count = int(self._rng.integers(1, LARGEST + 1))
        while self._live and self._blocks + count > self._quota:
            request, blocks = self._live.popleft()
            state.free_request(request)
            self._blocks -= blocks
        if self._blocks + count > self._quota:
            return
        self._next = FIRST + (self._next + 1 - FIRST) % (0xFFFF - FIRST)
        placed = sum(self._insert(block) for block in range(count))
        self._live.append((self._next, placed))
        self._blocks += placed
        for _ in range(USED):
            request, blocks = self._live[int(self._rng.integers(len(self._live)))]
            if blocks:
                block = int(self._rng.integers(blocks))
                state.lookup(OTHERS, KvAddress(request, 0, 0, block * BLOCK_TOKENS).pack(), False)

    def _insert(self, block: int) -> bool:
        """The fastest tier with a slot; where slots are reserved, what is left of tier 0 by the streams' need."""
        machine, state = self._machine, self._machine.device.state
        first = KvAddress(self._next, 0, 0, block * BLOCK_TOKENS).pack()
        spare = machine.spare
        for tier in range(4):
            if state.pools[tier].free > (spare if tier == 0 else 0):
                last = (first & 0xFFFF_FFFF) + BLOCK_TOKENS - 1
                return state.insert(first, last, tier).status == Status.OK
        return False
