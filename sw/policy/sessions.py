"""Which request continues which, seen from the blocks of their prompts alone."""

from __future__ import annotations

import numpy as np

from sw.policy.device import Blocks

NONE = -1


class Sessions:
    """Links requests to sessions while they come.

    A request continues another one when the deepest block of its prompt that was used before is that one's own: used by
    no more requests than that one's session has had turns. A block that more have used is a shared prefix.

    Attributes:
        last: of each block, the request that used it last, NONE before its first use.
        uses: of each block, the requests that have used it.
        depth: of each block, its place in the prompt that used it last.
        turn: of each request that has come, its place in its session, from 1 on.
    """

    def __init__(self, blocks: int, requests: int) -> None:
        """For so many different blocks and requests."""
        self.last = np.full(blocks, NONE, np.int64)
        self.uses = np.zeros(blocks, np.int64)
        self.depth = np.zeros(blocks, np.int64)
        self.turn = np.zeros(requests, np.int64)

    def see(self, request: int, blocks: Blocks) -> int:
        """The next request has come, with these blocks in prefix order; the request that it continues, or NONE."""
        seen = blocks[self.last[blocks] != NONE]
        before = int(self.last[seen[-1]]) if len(seen) else NONE
        if before != NONE and self.uses[seen[-1]] > self.turn[before]:
            before = NONE
        self.turn[request] = 1 if before == NONE else self.turn[before] + 1
        self.last[blocks] = request
        self.depth[blocks] = np.arange(len(blocks))
        self.uses[blocks] += 1
        return before

    def own(self, request: int, blocks: Blocks) -> Blocks:
        """Those of a request's blocks that no other session has used, nor a later request."""
        mine = (self.last[blocks] == request) & (self.uses[blocks] <= self.turn[request])
        found: Blocks = blocks[mine]
        return found
