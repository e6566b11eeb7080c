"""A second device, written from the contract alone: one object per block, no arrays, no indices.

Slow and plain on purpose, and written differently from `model/`: what both agree on is not one
mistake made twice by copying. Slots are handed to it (it checks that they are free); everything
else it works out by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise, product

from model.types import Config

Name = tuple[int, int, int, int]  # request, layer, head, block number

TWO32 = 1 << 32


def signed(value: int) -> int:
    """A 32-bit value taken as signed."""
    value %= TWO32
    return value - TWO32 if value >= TWO32 // 2 else value


@dataclass(eq=False)
class Move:
    """An item: a move that was decided."""

    name: Name
    channel: int
    source: int
    goal: int | None
    asked: bool  # by MIGRATE
    block: Block | None
    lane: int = 0
    state: str = "waiting"
    tries: int = 0
    to: int = 0
    slot: int = 0


@dataclass(eq=False)
class Block:
    """A block in the directory."""

    name: Name
    last: int  # offset of TOKEN_END
    tier: int
    slot: int
    place: tuple[int, int]  # row, bank
    access: int
    p: int = 0
    r: int = 255
    f: int = 1
    ref: int = 0
    prefix: bool = False
    dirty: bool = False
    hot: bool = False
    evictable: bool = False
    hint: bool = False
    move: Move | None = None
    written_while_moving: bool = False
    scored_in: int = 0


def kv_parts(kv_addr: int) -> tuple[int, int, int, int]:
    """request, layer, head, token."""
    data = kv_addr.to_bytes(8, "big")
    return (
        int.from_bytes(data[0:2], "big"),
        data[2],
        data[3],
        int.from_bytes(data[4:8], "big"),
    )


def splitmix(state: int) -> int:
    """The splitmix64 generator's output for a state."""
    mod = 1 << 64
    z = (state + 0x9E3779B97F4A7C15) % mod
    z = ((z ^ (z // 2**30)) * 0xBF58476D1CE4E5B9) % mod
    z = ((z ^ (z // 2**27)) * 0x94D049BB133111EB) % mod
    return z ^ (z // 2**31)


@dataclass
class Reference:
    """The device, transaction by transaction; method names are those of DeviceState."""

    entries: int
    lanes: int
    block_tokens: int
    config: Config = field(default_factory=Config)

    def __post_init__(self) -> None:
        self.rows = self.entries // self.lanes
        self.blocks: dict[Name, Block] = {}
        self.at: dict[tuple[int, int], Block] = {}
        self.slots = [0] * 4
        self.used: list[set[int]] = [set() for _ in range(4)]  # by entries
        self.reserved: list[set[int]] = [set() for _ in range(4)]
        self.held: list[set[int]] = [set() for _ in range(4)]
        self.step = 0
        self.count: dict[str, int] = {}
        self.misses: list[int] = []
        self.completions: list[tuple[int, int, int, int]] = []
        self.queues: list[list[Move]] = [[], []]
        self.waiting: list[list[Move]] = [[], []]
        self.leaving = [0] * 4
        self.scans = 0
        self.scan_due = False
        self.scan: dict | None = None
        self.pressed = [False] * 3
        self.thresholds = [0] * 3
        self.hist: list[list[int]] = [[] for _ in range(3)]  # P of the entries counted
        self.last_hist: list[list[int]] | None = None
        self.shares: dict[tuple[int, str], list[int]] = {}  # of a hexadecimal digit, by its place: a row per bank
        for place, digit in product(range(16), "0123456789abcdef"):
            quarters = [splitmix(0x6B76637075000000 + (place * 16 + int(digit, 16)) * 4 + n) for n in range(4)]
            data = b"".join(quarter.to_bytes(8, "little") for quarter in quarters)
            halves = [int.from_bytes(data[i : i + 2], "little") for i in range(0, 32, 2)]
            self.shares[place, digit] = [share % self.rows for share in halves[: self.lanes]]

    # ---------------------------------------------------------------- helpers

    def bump(self, name: str, by: int = 1) -> None:
        self.count[name] = self.count.get(name, 0) + by

    def name_of(self, kv_addr: int) -> tuple[Name, int]:
        request, layer, head, token = kv_parts(kv_addr)
        block, offset = divmod(token, self.block_tokens)
        return (request, layer, head, block), offset

    def kv_of(self, name: Name) -> int:
        request, layer, head, block = name
        return request << 48 | layer << 40 | head << 32 | block * self.block_tokens

    def free(self, tier: int) -> int:
        taken = self.used[tier] | self.reserved[tier] | self.held[tier]
        return self.slots[tier] - len(taken)

    def is_free(self, tier: int, slot: int) -> bool:
        every = (self.used, self.reserved, self.held)
        return slot in range(self.slots[tier]) and not any(slot in kind[tier] for kind in every)

    def address(self, tier: int, slot: int) -> int:
        stride = 256
        while stride < self.config.block_bytes:
            stride *= 2
        return self.config.base[tier] + slot * stride

    def index(self, block: Block) -> int:
        row, bank = block.place
        return row * self.lanes + bank

    # ---------------------------------------------------------------- lookups

    def lookup(self, port: int, kv_addr: int, write: bool) -> tuple:
        request = kv_parts(kv_addr)[0]
        inside = self.config.req_lo[port] <= request <= self.config.req_hi[port]
        if not inside and (request != 0 or write):
            self.bump("denied")
            return (False, True, 0, 0, 0)
        return self.access(kv_addr, write)

    def access(self, kv_addr: int, write: bool) -> tuple:
        name, offset = self.name_of(kv_addr)
        block = self.blocks.get(name)
        grows = write and block is not None and offset == block.last + 1
        if block is None or (offset > block.last and not grows):
            self.bump("miss")
            if len(self.misses) == 64:
                self.bump("miss_dropped")
            else:
                self.misses.append(kv_addr)
            return (False, False, 0, 0, 0)
        self.bump("hit")
        if grows:
            block.last = offset
        block.access, block.r, block.f = self.step, 255, min(block.f + 1, 255)
        block.hint = block.evictable = False
        if write:
            block.dirty = True
            if block.move and block.move.state == "moving":
                block.written_while_moving = True
        if self.config.demand and block.tier > self.config.promote_tier:
            self.enqueue(block, 1, self.config.promote_tier)
        return (
            True,
            False,
            block.tier,
            self.address(block.tier, block.slot),
            self.index(block),
        )

    def lookup_peek(self, kv_addr: int) -> tuple:
        name, offset = self.name_of(kv_addr)
        block = self.blocks.get(name)
        if block is None or offset > block.last:
            return ("MISS",)
        return ("OK", block.tier, self.index(block), self.address(block.tier, block.slot))

    def lookup_touch(self, kv_addr: int) -> tuple:
        hit, _, tier, phys, index = self.access(kv_addr, False)
        return ("OK", tier, index, phys) if hit else ("MISS",)

    def enqueue(self, block: Block, channel: int, goal: int | None, asked: bool = False) -> None:
        if block.move:
            return
        if len(self.queues[channel]) == 64:
            self.bump(f"dropped{channel}")
            return
        move = Move(block.name, channel, block.tier, goal, asked, block, state="queued")
        block.move = move
        self.queues[channel].append(move)
        self.leaving[block.tier] += 1

    # ---------------------------------------------------------------- range steps

    def hinted(self, kv_addr: int) -> Block | None:
        block = self.blocks.get(self.name_of(kv_addr)[0])
        if block is None:
            self.bump("hint_miss")
        return block

    def boost(self, kv_addr: int) -> bool:
        if block := self.hinted(kv_addr):
            block.hot, block.evictable = True, False
        return block is not None

    def imevict(self, kv_addr: int) -> bool:
        if block := self.hinted(kv_addr):
            block.evictable, block.hot, block.hint = True, False, False
            if block.ref == 0 and block.tier < 3:
                self.enqueue(block, 0, None)
        return block is not None

    def cool(self, kv_addr: int) -> bool:
        if block := self.hinted(kv_addr):
            block.hot = block.evictable = False
        return block is not None

    def prefetch(self, kv_addr: int, step: int) -> bool:
        if block := self.hinted(kv_addr):
            block.hint, block.evictable, block.access = True, False, step
            near = 0 <= signed(step - self.step) <= self.config.lookahead
            if near and block.tier > self.config.promote_tier:
                self.enqueue(block, 1, self.config.promote_tier)
        return block is not None

    def share(self, kv_addr: int) -> bool:
        if block := self.hinted(kv_addr):
            block.prefix = True
            if block.ref < 255:
                block.ref += 1
            else:
                self.bump("ref_saturated")
        return block is not None

    def release(self, kv_addr: int) -> bool:
        if block := self.hinted(kv_addr):
            if block.ref:
                block.ref -= 1
            else:
                self.bump("ref_underflow")
        return block is not None

    # ---------------------------------------------------------------- placement

    def places(self, name: Name) -> list[tuple[int, int]]:
        request, layer, head, block = name
        digits = f"{request:04x}{layer:02x}{head:02x}{block:08x}"
        rows = [0] * self.lanes
        for place, digit in enumerate(reversed(digits)):
            rows = [row ^ share for row, share in zip(rows, self.shares[place, digit], strict=True)]
        return list(zip(rows, range(self.lanes), strict=True))

    def chains(self, name: Name) -> list[list[tuple[int, int]]]:
        """Every chain of places that the search looks at, in its order: the key's place first."""
        own = self.places(name)
        short = [[a] for a in own]
        full = [a for a in own if a in self.at]
        middle = [[a, b] for a in full for b in self.places(self.at[a].name)]
        long = [
            [a, b, c]
            for a in full[:3]
            for b in self.places(self.at[a].name)
            if b != a and b in self.at
            for c in self.places(self.at[b].name)
        ]
        return short + middle + long

    def insert(
        self,
        kv_addr: int,
        token_end: int,
        tier: int,
        prefix: bool,
        hot: bool,
        pick: int | None,
    ) -> tuple:
        """`pick` is the slot that was handed out, None when there was none."""
        name, offset = self.name_of(kv_addr)
        start = kv_parts(kv_addr)[3]
        if offset or not start <= token_end < start + self.block_tokens:
            return ("BAD_ARG",)
        if name in self.blocks:
            return ("EXISTS",)
        if not self.free(tier):
            return ("NO_SLOT",)
        chain = next((c for c in self.chains(name) if c[-1] not in self.at), None)
        if chain is None:
            return ("FULL",)
        if pick is None or not self.is_free(tier, pick):
            return (f"slot {pick} is not free",)
        for source, target in reversed(list(pairwise(chain))):
            block = self.at.pop(source)
            if self.scan:  # it is scored before it goes
                self.reach(block)
            block.place = target
            self.at[target] = block
        block = Block(
            name,
            token_end - start,
            tier,
            pick,
            chain[0],
            self.step,
            prefix=prefix,
            hot=hot,
        )
        block.scored_in = self.scans
        self.used[tier].add(pick)
        self.blocks[name] = self.at[chain[0]] = block
        return ("OK", 0, self.index(block), self.address(tier, pick))

    # ---------------------------------------------------------------- removing, moving by command

    def drop(self, block: Block) -> None:
        self.used[block.tier].remove(block.slot)
        del self.blocks[block.name], self.at[block.place]
        if block.move:
            block.move.block = None

    def remove(self, kv_addr: int) -> tuple:
        block = self.blocks.get(self.name_of(kv_addr)[0])
        if block is None:
            return ("MISS",)
        if block.ref:
            return ("REFERENCED",)
        self.drop(block)
        return ("OK",)

    def free_request(self, request: int) -> tuple:
        if request == 0:
            return ("BAD_ARG",)
        mine = [b for b in self.blocks.values() if b.name[0] == request]
        going = [b for b in mine if not b.ref]
        for block in sorted(going, key=self.index):
            self.drop(block)
        return ("OK", len(going), len(mine) - len(going))

    def migrate(self, kv_addr: int, tier: int) -> tuple:
        block = self.blocks.get(self.name_of(kv_addr)[0])
        if block is None:
            return ("MISS",)
        if tier == block.tier:
            return ("BAD_ARG",)
        if tier > block.tier and block.ref:
            return ("REFERENCED",)
        channel = 0 if tier > block.tier else 1
        if block.move or len(self.queues[channel]) == 64:
            return ("BUSY",)
        self.enqueue(block, channel, tier, asked=True)
        return ("OK",)

    # ---------------------------------------------------------------- steps and scans

    def set_step(self, step: int) -> None:
        self.step = step
        self.held = [set() for _ in range(4)]
        if self.config.enable:
            if self.scan_due:
                self.bump("scan_coalesced")
            self.scan_due = True

    def scan_begin(self) -> None:
        c = self.config
        self.scan_due = False
        self.scans += 1
        for t in range(3):
            free = self.free(t)
            if free < c.low[t]:
                self.pressed[t] = True
            elif free >= max(c.low[t], c.high[t]):
                self.pressed[t] = False
            self.thresholds[t] = 0
            wanted = c.high[t] - free - self.leaving[t]
            if self.pressed[t] and self.last_hist is not None and wanted > 0:
                fits = [
                    k for k in range(256, 65537, 256) if sum(p // 256 * 256 < k for p in self.last_hist[t]) >= wanted
                ]
                best = fits[0] if fits else c.prefetch_thresh
                self.thresholds[t] = min(best, c.prefetch_thresh)
        self.scan = {
            name: getattr(c, name)
            for name in (
                "w_r",
                "w_f",
                "w_s",
                "w_d",
                "evict_thresh",
                "prefetch_thresh",
                "r_shift",
                "lookahead",
                "hold",
                "promote_tier",
                "evict_tiers",
            )
        }
        self.scan["step"] = self.step
        self.scan["age"] = c.f_age > 0 and self.scans % 2**c.f_age == 0
        self.scan["thresholds"] = list(self.thresholds)
        self.scan["first"] = (self.scans - 1) * (self.rows // 8) % self.rows
        self.hist = [[] for _ in range(3)]

    def reach(self, block: Block) -> str | None:
        """The scan reaches a block; its decision, None when it scores nothing now."""
        if block.scored_in == self.scans:
            return None
        block.scored_in = self.scans
        s = self.scan
        assert s is not None
        away = signed(s["step"] - block.access)
        sum_ = s["w_r"] * block.r + s["w_f"] * block.f + s["w_d"] * (255 if block.prefix else 0)
        sum_ += s["w_s"] * (255 - min(abs(away), 255))
        block.p = 65535 if block.hot else 0 if block.evictable else min(65535, sum_)
        if block.r > 0:
            block.r -= max(1, block.r >> s["r_shift"])
        if s["age"]:
            block.f //= 2
        if block.move:
            return ""
        until = signed(block.access - s["step"])
        soon = block.hint and 0 <= until <= s["lookahead"]
        held = block.hint and 0 <= until <= max(s["lookahead"], s["hold"])
        if block.tier > s["promote_tier"] and (soon or block.p > s["prefetch_thresh"]):
            return self.decide(block, 1)
        listed = s["evict_tiers"] & 2**block.tier
        if block.ref or block.hot or held or not listed or block.tier == 3:
            return ""
        self.hist[block.tier].append(block.p)
        if block.p < s["evict_thresh"] or block.p < s["thresholds"][block.tier]:
            return self.decide(block, 0)
        return ""

    def decide(self, block: Block, channel: int) -> str:
        lane = block.place[1]
        while sum(m.lane == lane for m in self.waiting[channel]) == 4:
            if len(self.queues[channel]) == 64:
                self.bump(f"dropped{channel}")
                return "dropped"
            self.queue_push(channel)
        goal = self.scan["promote_tier"] if channel else None
        move = Move(block.name, channel, block.tier, goal, False, block, lane=lane)
        block.move = move
        self.waiting[channel].append(move)
        return "prefetch" if channel else "evict"

    def queue_push(self, channel: int) -> None:
        move = self.waiting[channel].pop(0)
        move.state = "queued"
        self.queues[channel].append(move)
        self.leaving[move.source] += 1

    def scan_rows(self, first: int, count: int) -> None:
        assert self.scan is not None
        for n, bank in product(range(first, first + count), range(self.lanes)):
            block = self.at.get(((self.scan["first"] + n) % self.rows, bank))
            if block:
                self.reach(block)

    def scan_one(self, index: int) -> None:
        block = self.at.get(divmod(index, self.lanes))
        if block:
            self.reach(block)

    def scan_end(self) -> None:
        self.scan = None
        self.last_hist = self.hist
        self.bump("scan_done")

    # ---------------------------------------------------------------- moves

    def pop(self, channel: int) -> Move:
        move = self.queues[channel].pop(0)
        move.state = "starting"
        return move

    def start(self, move: Move, pick: int | None) -> str:
        block = move.block
        if block is None or block.tier != move.source:
            return self.finish(move, "CANCELLED")
        just_written = block.dirty and not block.hint and block.access == self.step
        if just_written:
            return self.finish(move, "CANCELLED")
        if move.goal is None or move.goal > block.tier:
            busy = block.hot or (block.r == 255 and not block.evictable)
            if block.ref or (busy and not move.asked):
                return self.finish(move, "CANCELLED")
        goals = [move.goal] if move.goal is not None else [t for t in range(4) if t > block.tier]
        goals = [t for t in goals if self.free(t) > self.config.reserve[t]]
        if not goals:
            return self.finish(move, "NO_SLOT")
        move.to = goals[0]
        if pick is None or not self.is_free(move.to, pick):
            return f"slot {pick} is not free"
        move.slot = pick
        self.reserved[move.to].add(pick)
        move.state = "moving"
        move.tries += 1
        block.written_while_moving = False
        return "OK"

    def end(self, move: Move, error: bool) -> str:
        block = move.block
        if error:
            self.bump(f"errors{move.channel}")
        self.reserved[move.to].remove(move.slot)
        if block is None:
            return self.finish(move, "CANCELLED")
        if block.written_while_moving:
            self.bump(f"voids{move.channel}")
            return self.finish(move, "VOID")
        if error:
            if move.tries < max(1, self.config.max_retry):
                move.state = "starting"
                return "RETRY"
            return self.finish(move, "ERROR")
        if block.ref and move.to > block.tier:
            return self.finish(move, "CANCELLED")
        self.used[block.tier].remove(block.slot)
        self.held[block.tier].add(block.slot)
        self.used[move.to].add(move.slot)
        block.tier, block.slot, block.dirty = move.to, move.slot, False
        self.bump(f"bytes_moved{move.channel}", self.config.block_bytes)
        return self.finish(move, "OK")

    def finish(self, move: Move, status: str) -> str:
        if move.block:
            move.block.move = None
            move.block.written_while_moving = False
        self.leaving[move.source] -= 1
        went = move.goal if move.goal is not None else move.to if move.tries else move.source
        codes = ["OK", "CANCELLED", "NO_SLOT", "VOID", "ERROR"]
        if len(self.completions) == 64:
            self.bump("completion_dropped")
        else:
            record = (self.kv_of(move.name), move.source, went, codes.index(status))
            self.completions.append(record)
        return status
