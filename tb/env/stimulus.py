"""Constrained-random stimulus: what software and accelerators do with a few requests, all at once."""

import random
from collections.abc import Callable
from typing import Any

from sw.regs import registers as regs
from tb.env.agents import LookupItem, MmioAgent, OneItem
from tb.env.registers import Registers, kv, offset
from tb.harness.link import READ, WAIT_IRQ, WRITE

RANGES = ("BOOST", "IMEVICT", "COOL", "PREFETCH", "SHARE", "RELEASE")
COMMAND_WAIT = 5_000  # cycles
_WEIGHTS = {
    regs.Command.INSERT: 60,
    regs.Command.MIGRATE: 25,
    regs.Command.LOOKUP: 8,
    regs.Command.REMOVE: 6,
    regs.Command.FREE_REQUEST: 1,
}


class Blocks:
    """The blocks that a test plays with: a few requests (0, the shared prefix, among them), layers and heads.

    Where they lie in the fields of a KV address, and around which step, is drawn for each test: at 0, around the upper
    bit of a field, at its end. So every bit travels through the device in some test, whatever the build's size.
    """

    def __init__(self, rng: random.Random, block_tokens: int, requests: int = 6, blocks: int = 40) -> None:
        self.rng, self.block_tokens = rng, block_tokens
        self.blocks = blocks
        others = [1, 65535, 0x8000, 0x7FFF, *(rng.randrange(1, 65535) for _ in range(requests))]
        self.requests = sorted({0, *rng.sample(others, requests - 1)})
        self.layer, self.head = (rng.choice((0, 127, 254)) for _ in range(2))
        most = (1 << 32) // block_tokens
        self.first_block = rng.choice((0, most // 2 - blocks // 2, most - blocks))
        self.first_step = rng.choice((0, (1 << 31) - 24, (1 << 32) - 24))

    def request(self) -> int:
        """A request id, 0 included."""
        return self.rng.choice(self.requests)

    def block(self) -> int:
        """KV address of a block's first token."""
        r = self.rng
        token = (self.first_block + r.randrange(self.blocks)) * self.block_tokens
        return kv(self.request(), token, self.layer + r.randrange(2), self.head + r.randrange(2))

    def step(self, after: int) -> int:
        """The step that comes `after` steps after the first one of the test."""
        return (self.first_step + after) & 0xFFFF_FFFF

    def token(self) -> int:
        """KV address of any token."""
        return self.block() + self.rng.randrange(self.block_tokens)

    def length(self) -> int:
        """Length of a range in tokens: often a few blocks, sometimes one token, sometimes everything."""
        return self.rng.choice(
            [1, self.block_tokens, self.rng.randrange(1, 6 * self.block_tokens), self.blocks * self.block_tokens]
        )


async def lookups(agent: Any, blocks: Blocks, running: Callable[[], bool]) -> None:
    """One port: batches of reads and writes of random tokens, with pauses."""
    r = blocks.rng
    while running():
        n = r.choice([1, 4, 60, 200])
        item = LookupItem([blocks.token() for _ in range(n)], [r.random() < 0.3 for _ in range(n)])
        await OneItem(item).start(agent.sequencer)
        await agent.bench.cycles(r.choice([1, 1, 20, 300]))


async def commands(registers: Registers, blocks: Blocks, running: Callable[[], bool]) -> None:
    """Directory and range commands; refusals are part of the game, the scoreboard judges them."""
    r = blocks.rng
    while running():
        batch: list[tuple[int, int, int]] = []
        for _ in range(r.randrange(1, 8)):
            batch += _command(r, blocks)
        accesses = registers.bench.accesses(batch)
        await registers.bench.run_accesses(accesses, stop_on_refused=False)
        await registers.bench.cycles(r.choice([1, 1, 50, 400]))


def _command(r: random.Random, blocks: Blocks) -> list[tuple[int, int, int]]:
    if r.random() < 0.45:
        name = r.choice(RANGES)
        batch = [(WRITE, offset(f"{name}_ADDR"), blocks.token())]
        if r.random() < 0.3:
            batch.insert(0, (WRITE, offset("CMD_SPAN"), r.choice([0x0101, 0x0202, 0x0102, 0])))
        if name == "PREFETCH":
            batch += [
                (WRITE, offset("PREFETCH_LEN"), blocks.length()),
                (WRITE, offset("PREFETCH_STEP"), blocks.step(r.randrange(64))),
            ]
        else:
            batch += [(WRITE, offset(f"{name}_LEN"), blocks.length())]
        return batch
    command = r.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    insert = command == regs.Command.INSERT
    addr = blocks.block() if insert and r.random() < 0.97 else blocks.token()
    end = (addr & 0xFFFF_FFFF) + r.randrange(blocks.block_tokens) - (r.random() < 0.02)
    arg = regs.BY_NAME["DIR_ARG"].pack(
        TOKEN_END=end & 0xFFFF_FFFF,
        TIER=r.randrange(4),
        PREFIX=r.randrange(2),
        HOT=r.random() < 0.1,
        TOUCH=r.randrange(2),
    )
    batch = [
        (WRITE, offset("DIR_ADDR"), addr),
        (WRITE, offset("DIR_ARG"), arg),
        (WRITE, offset("IRQ_STATUS"), 2),
        (WRITE, offset("DIR_COMMAND"), int(command)),
    ]
    if r.random() < 0.9:
        batch += [(WAIT_IRQ, 0, COMMAND_WAIT), (READ, offset("DIR_STATUS"), 0), (READ, offset("DIR_PHYS_ADDR"), 0)]
        batch += [(READ, offset("DIR_FREED"), 0)]
    return batch


async def churn(registers: Registers, keys: list[int], blocks: Blocks, running: Callable[[], bool]) -> None:
    """On a full directory: blocks of `keys` go, new ones come, for most of which a place is searched.

    `keys` grows by the new ones, placed or not.
    """
    r = blocks.rng
    while running():
        batch = registers.command_accesses(regs.Command.REMOVE, keys.pop(r.randrange(len(keys))))
        for _ in range(4):
            keys.append(kv(r.randrange(1, 60000), r.randrange(2**20) * blocks.block_tokens))
            batch += registers.insert_accesses(keys[-1], 1, r.randrange(4))
        waits = ((kind, addr, COMMAND_WAIT if kind == WAIT_IRQ else data) for kind, addr, data in batch)
        await registers.bench.run_accesses(registers.bench.accesses(waits))


async def steps(registers: Registers, blocks: Blocks, running: Callable[[], bool]) -> None:
    """STEP_ADVANCE now and then, sometimes faster than scans, sometimes backwards, past the ends of its 32 bits."""
    r, step = blocks.rng, 1
    while running():
        step = max(0, step + r.choice([1, 1, 1, 1, 2, 5, -1]))
        name = r.choice(["STEP_ADVANCE", "STEP_ADVANCE", "STEP_ADVANCE_ALIAS"])
        await registers.bench.try_write(offset(name), blocks.step(step))  # refused while a reset is on
        await registers.bench.cycles(r.choice([5, 100, 400, 1500, 3000]))


async def settings(registers: Registers, blocks: Blocks, ports: int, running: Callable[[], bool]) -> None:
    """Registers change under way; illegal values are refused."""
    r, requests = blocks.rng, blocks.requests
    while running():
        port = r.randrange(ports)
        evict = r.choice([0, 0x1000, 0x4000, 0x8000, 0xFFFF])
        choices: list[tuple[str, int]] = [
            ("THRESHOLDS", evict | r.choice([0xFFFF, 0x8000, 0xC000]) << 16),
            ("EVICT_THRESH", evict),
            ("PREFETCH_THRESH", r.choice([0xFFFF, 0xC000, 0x8000])),
            (r.choice(["WEIGHT_R", "WEIGHT_F", "WEIGHT_S", "WEIGHT_D"]), r.choice([0, 1, 64, 255])),
            ("R_SHIFT", r.randrange(8)),
            ("F_AGE", r.choice([0, 1, 2, 3, 31])),
            ("LOOKAHEAD", r.choice([0, 1, 8, 1 << 30, (1 << 31) - 1])),
            ("HOLD", r.choice([0, 2, 12, (1 << 31) - 1])),
            ("PROMOTE_TIER", r.choice([0, 0, 1, 1, 2, 2, 3])),
            ("EVICT_TIERS", r.choice([7, 7, r.randrange(16)])),
            ("MAX_RETRY", r.choice([0, 1, 2, 3, 9])),
            ("CONTEND_POLICY", r.choice([0, 0, 1, 128])),
            ("CTRL", r.choice([1, 3, 3, 3, 1, 3, 0])),
            (f"TIER{r.randrange(4)}_RESERVE", r.choice([0, 0, 1, 1, 4, 4, 1 << 16])),
            (f"TIER{r.randrange(3)}_LOW", r.choice([0, 0, 8, 8, 30, 30, 1 << 16])),
            (f"TIER{r.randrange(3)}_LOW", r.choice([4, 16])),
            (f"TIER{r.randrange(3)}_HIGH", r.choice([0, 0, 8, 8, 40, 40, 1 << 16])),
            (f"TIER{r.randrange(3)}_HIGH", r.choice([10, 20])),
            (f"PORT{port}_REQ_LO", r.choice([0, 0, 0, *requests[1:3]])),
            (f"PORT{port}_REQ_HI", r.choice([65535, 65535, *requests[-3:-1]])),
            (f"TIER{r.randrange(4)}_SLOTS", 10),
            ("BLOCK_BYTES", 1024),
        ]
        name, value = r.choice(choices)
        batch = registers.bench.accesses([(WRITE, offset(name), value), (READ, offset(name), 0)])
        await registers.bench.run_accesses(batch)
        if name == "CTRL" and not value & 1:
            await registers.bench.cycles(r.randrange(1000))
            await registers.write(CTRL=3)
        await registers.bench.cycles(r.choice([20, 200, 1000]))


async def readers(
    registers: Registers, window: MmioAgent, entries: int, blocks: Blocks, running: Callable[[], bool]
) -> None:
    """Queues are emptied, counters and entries read."""
    r = blocks.rng
    names = ["MISS_INFO", "MISS_ADDR", "COMPLETION_INFO", "COMPLETION_ADDR", "STATUS", "IRQ_STATUS"]
    names += ["RTBD_HIT_COUNT", "RTBD_MISS_COUNT", "TIER1_FREE", "CAPS", "ID", "EVICT_BYTES_MOVED"]
    while running():
        picked = [r.choice(names) for _ in range(r.randrange(1, 40))]
        await registers.read_many(picked)
        indices = [r.randrange(entries) for _ in range(r.randrange(8))]
        if indices:
            batch = window.bench.accesses((READ, i * 32 + 8 * w, 0) for i in indices for w in (0, r.randrange(4)))
            await registers.bench.run_accesses(batch, bar=1)
        await registers.bench.cycles(r.choice([1, 100, 800]))
