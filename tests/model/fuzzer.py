"""Random transactions on the golden model and the reference."""

from __future__ import annotations

import random

from tests.model.pair import Pair

U32 = (1 << 32) - 1


class Fuzzer:
    """Random transactions on a Pair, few names and few slots so that everything meets."""

    def __init__(self, seed: int, pair: Pair | None = None) -> None:
        self.rng = random.Random(seed)
        self.pair = pair or Pair()
        self.pair.set_slots(*(self.rng.choice((2, 5, 12, 40)) for _ in range(4)))
        tokens = self.pair.model.block_tokens
        self.names = [
            request << 48 | layer << 40 | 3 << 32 | block * tokens
            for request in (0, 1, 2)
            for layer in (0, 255)
            for block in (0, 1, 2, (1 << 30) - 1)
        ]
        self.crowded = False
        self.weights = {
            self.insert: 3,
            self.lookup: 4,
            self.hint: 4,
            self.remove: 1.2,
            self.migrate: 1,
            self.set_step: 2,
            self.scan: 4,
            self.queue_push: 1,
            self.start: 1,
            self.end: 1,
            self.pop: 1,
            self.configure: 0.1,
        }
        self.configure()

    def run(self, steps: int, compare_every: int = 1) -> None:
        """`steps` transactions; all state compared after every `compare_every`."""
        actions = self.rng.choices(list(self.weights), list(self.weights.values()), k=steps)
        for n, action in enumerate(actions):
            action()
            if n % compare_every == 0:
                self.pair.compare()
        self.pair.compare()

    def crowd(self, blocks: int) -> None:
        """Hundreds of blocks of which all want to move, and few moves that start."""
        pair, rng = self.pair, self.rng
        pair.set_slots(400, 400, 400, 400)
        tokens = pair.model.block_tokens
        self.names += [9 << 48 | n // 64 << 32 | n % 64 * tokens for n in range(blocks)]
        for address in self.names:
            pair.insert(address, (address & U32) + rng.randrange(tokens), rng.randrange(4))
        c = pair.model.config
        c.enable, c.demand = True, True
        c.prefetch_thresh, c.evict_thresh = 30000, 30000
        c.evict_tiers, c.promote_tier = 7, 1
        self.crowded = True
        self.weights |= {self.start: 0.2, self.configure: 0.02, self.remove: 1}

    def block(self) -> int:
        """KV address of a block, more often than not one that is there."""
        blocks = self.pair.reference.blocks
        if blocks and self.rng.random() < 0.6:
            return self.pair.reference.kv_of(self.rng.choice(list(blocks)))
        return self.rng.choice(self.names)

    def token(self) -> int:
        """Any token of such a block."""
        return self.block() + self.rng.randrange(self.pair.model.block_tokens)

    def near_step(self) -> int:
        """A step not far from the current one, or half the steps away."""
        return self.pair.model.step + self.rng.choice((-2, -1, 0, 1, 2, 4, 1 << 31)) & U32

    # ---------------------------------------------------------------- actions

    def configure(self) -> None:
        """New configuration registers."""
        rng, c = self.rng, self.pair.model.config
        c.enable = rng.random() < 0.95
        c.demand = rng.random() < 0.5
        for name in ("w_r", "w_f", "w_s", "w_d"):
            setattr(c, name, rng.choice((0, 1, 64, 255, rng.randrange(256))))
        c.prefetch_thresh = rng.choice((65535, 65534, 20000, rng.randrange(65536)))
        c.evict_thresh = min(c.prefetch_thresh, rng.choice((0, 1, 12000, 65535)))
        c.r_shift = rng.randrange(8)
        c.f_age = rng.choice((0, 0, 1, 2))
        c.lookahead = rng.choice((0, 1, 3, (1 << 31) - 1))
        c.hold = rng.choice((0, 0, 2, 6, (1 << 31) - 1))
        c.promote_tier = rng.choice((0, 1, 1, 2, 3))
        c.evict_tiers = rng.randrange(16)
        c.max_retry = rng.randrange(4)
        for t in range(4):
            c.reserve[t] = rng.choice((0, 0, 1, 3))
            c.low[t], c.high[t] = rng.choice((0, 2, 6)), rng.choice((0, 4, 20))
        open_window = (0, 65535)
        windows = (open_window, open_window, open_window, (1, 1), (0, 1), (2, 1))
        for p in range(3):
            c.req_lo[p], c.req_hi[p] = rng.choice(windows)

    def insert(self) -> None:
        """INSERT, seldom with bad arguments; of new names where it is crowded."""
        rng, tokens = self.rng, self.pair.model.block_tokens
        address = self.block()
        if self.crowded and rng.random() < 0.7:
            address = 10 << 48 | rng.getrandbits(20) * tokens
        end = (address & U32) + (rng.randrange(tokens) if rng.random() < 0.95 else tokens)
        if rng.random() < 0.05:
            address += rng.randrange(tokens)
        self.pair.insert(address, end, rng.randrange(4), rng.random() < 0.2, rng.random() < 0.1)

    def lookup(self) -> None:
        """A port's lookup or the LOOKUP command."""
        if self.rng.random() < 0.75:
            self.pair.lookup(self.rng.randrange(3), self.token(), self.rng.random() < 0.4)
        else:
            self.pair.lookup_command(self.token(), self.rng.random() < 0.5)

    def hint(self) -> None:
        """One block of a range command."""
        name = self.rng.choice(("boost", "imevict", "imevict", "cool", "share", "release", "prefetch"))
        self.pair.hint(name, self.token(), *([self.near_step()] if name == "prefetch" else []))

    def remove(self) -> None:
        """REMOVE or, seldom, FREE_REQUEST."""
        if self.rng.random() < 0.85:
            self.pair.remove(self.token())
        else:
            self.pair.free_request(self.rng.randrange(3))

    def migrate(self) -> None:
        """MIGRATE."""
        self.pair.migrate(self.token(), self.rng.randrange(4))

    def set_step(self) -> None:
        """STEP_ADVANCE, mostly to the next step."""
        step = self.pair.model.step + 1 & U32
        self.pair.set_step(self.near_step() if self.rng.random() < 0.3 else step)

    def scan(self) -> None:
        """The scan goes on: begin, some rows, one entry, or its end."""
        rng, m = self.rng, self.pair.model
        if m.scan is None:
            if m.scan_pending:
                self.pair.scan_begin()
        elif (part := rng.randrange(4)) == 0:
            self.pair.scan_end()
        elif part == 1 and m.index_of:
            self.pair.scan_one(rng.choice(list(m.index_of.values())))
        else:
            self.pair.scan_rows(rng.randrange(1, m.rows // 2))

    def queue_push(self) -> None:
        """A waiting decision enters its queue."""
        self.pair.queue_push(self.rng.randrange(2))

    def start(self) -> None:
        """The DMA takes an item and asks for its start checks."""
        self.pair.start(self.rng.randrange(2))

    def end(self) -> None:
        """A try ends, one in three with an AXI error."""
        self.pair.end(self.rng.randrange(8), self.rng.random() < 0.3)

    def pop(self) -> None:
        """Software takes what the queues hold for it."""
        self.pair.pop_miss()
        self.pair.pop_completion()
