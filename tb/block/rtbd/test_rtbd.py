"""The directory against the golden model: random operations, full rows, relocations, scans, bad parity."""

from dataclasses import replace
from random import Random

from model.types import BadParity
from tb.block.rtbd.bench import Bench, Command
from tb.harness.base_test import Context, kv_test

RANGE = ("BOOST", "IMEVICT", "COOL", "PREFETCH", "SHARE", "RELEASE")
SLOTS = (40, 900, 120, 60)  # NO_SLOT is met in tiers 0 and 3, FULL in tier 1
REQUESTS = 6
TAG_BIT, META_BIT = 5, 40  # any bit of a word makes its parity bad


class Traffic:
    """Random operations: on blocks that are there, and on others; requests of few blocks, so that they meet."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.rng: Random = bench.rng

    def new_block(self) -> int:
        """KV address of the first token of a block, hardly ever one that is there."""
        request, where = self.rng.randint(1, REQUESTS), self.rng.getrandbits(16)
        return request << 48 | where << 32 | self.rng.randrange(1 << 20) * self.bench.block

    def known(self) -> int:
        """KV address of a block that is there (or of a new one, while none is)."""
        state = self.bench.state
        keys = list(state.index_of)
        return state.kv_addr_of(self.rng.choice(keys)) if keys else self.new_block()

    def block(self) -> int:
        """A block, in most cases one that is there."""
        return self.known() if self.rng.random() < 0.8 else self.new_block()

    def insert(self, tier: int | None = None) -> Command:
        """INSERT of a new block, or now and then of one that is there."""
        rng = self.rng
        return Command(
            "INSERT",
            self.new_block() if rng.random() < 0.95 else self.known(),
            tier=rng.randrange(4) if tier is None else tier,
            token_end=rng.randrange(self.bench.block),
            prefix=rng.getrandbits(1),
            hot=rng.getrandbits(1) & rng.getrandbits(1),
        )

    def command(self) -> Command:
        """Any operation of the command queue."""
        rng = self.rng
        name = rng.choice((*RANGE, "PEEK", "LOOKUP", "REMOVE", "MIGRATE", "INSERT", "INSERT"))
        if name == "INSERT":
            return self.insert()
        near = (self.bench.state.step + rng.randrange(-2, 4)) & 0xFFFFFFFF
        token = rng.randrange(self.bench.block) if name in ("PEEK", "LOOKUP") else 0
        return Command(name, self.block() + token, step=near, tier=rng.randrange(4))

    def lookups(self, count: int) -> None:
        """Requests for all ports, many of them on the same few blocks."""
        few = [self.block() for _ in range(4)]
        for port in self.bench.port:
            for _ in range(count):
                addr = self.rng.choice(few) if self.rng.random() < 0.6 else self.block()
                request = 0 if self.rng.random() < 0.02 else addr >> 48
                token = self.rng.randrange(self.bench.block)
                port.todo.append((request << 48 | (addr & (1 << 48) - 1) + token, self.rng.random() < 0.4))

    def registers(self) -> None:
        """Another configuration: weights, thresholds, tiers, windows, policy of the ports."""
        rng = self.rng
        low = [rng.choice((0, 1, rng.randint(0, REQUESTS))) for _ in range(8)]
        self.bench.configure(
            demand=bool(rng.getrandbits(1)),
            contend_policy=rng.getrandbits(1),
            **{name: rng.choice((0, 255, rng.getrandbits(8))) for name in ("w_r", "w_f", "w_s", "w_d")},
            evict_thresh=rng.choice((0, 20_000)),
            prefetch_thresh=rng.choice((40_000, 65_535)),
            r_shift=rng.randrange(8),
            f_age=rng.randrange(3),
            lookahead=rng.randrange(4),
            hold=rng.randrange(4),
            promote_tier=rng.randrange(4),
            evict_tiers=rng.getrandbits(4),
            req_lo=low,
            req_hi=[rng.choice((65_535, rng.randint(at, REQUESTS))) for at in low],
        )


async def round_of(bench: Bench, traffic: Traffic, commands: list[Command]) -> None:
    """Commands with lookups on all ports, in half of the rounds over a running scan; then everything is compared."""
    rng = bench.rng
    await bench.settle()
    traffic.registers()
    bench.queues(rng.random() < 0.1, rng.random() < 0.1)
    scans = rng.random() < 0.5
    if scans:
        await bench.begin_scan(bench.state.step + rng.randint(1, 3) & 0xFFFFFFFF)
    bench.eager = rng.choice((1.0, 0.7, 0.3))
    traffic.lookups(len(commands))
    for command in commands:
        await bench.command(command)
    if rng.random() < 0.3:
        await bench.free_request(rng.randint(1, REQUESTS))
    if scans:
        await bench.end_scan()
    await bench.settle()


@kv_test(timeout_cycles=400_000)
async def test_random(ctx: Context) -> None:
    """Every operation of the directory, by chance, with three ports, scans and FREE_REQUEST on the same entries."""
    bench = Bench(ctx)
    traffic = Traffic(bench)
    await bench.start(SLOTS)
    for _ in range(60):
        await bench.command(traffic.insert())
    for _ in range(14):
        await round_of(bench, traffic, [traffic.command() for _ in range(25)])
    await bench.finish()
    counts = bench.operations.counts
    for name in (
        "lookup.read.hit",
        "lookup.write.hit",
        "lookup.read.denied",
        "insert.ok.tier1",
        "remove.ok",
        "free.removed",
    ):
        ctx.compare(f"{name} happened", True, counts.get(name, 0) > 0)


@kv_test(timeout_cycles=400_000)
async def test_relocations(ctx: Context) -> None:
    """Rows full to the last place: INSERT moves entries, two in a chain, under lookups and scans, and ends FULL."""
    bench = Bench(ctx)
    traffic = Traffic(bench)
    await bench.start((40, 1024, 120, 60))
    places, state = bench.state.entry_count, bench.state
    while len(state.index_of) < places * 94 // 100:
        for _ in range(60):
            await bench.command(replace(traffic.insert(tier=1), kv_addr=traffic.new_block()))
        bench.drain()
    await bench.settle()
    for _ in range(5):
        commands = [replace(traffic.insert(tier=1), kv_addr=traffic.new_block()) for _ in range(14)]
        commands += [replace(command, name="REMOVE", kv_addr=traffic.known()) for command in commands[:3]]
        bench.rng.shuffle(commands)
        await round_of(bench, traffic, commands)
    await bench.finish()
    for name in ("relocation", "insert.full"):
        ctx.compare(f"{name} happened", True, bench.operations.counts.get(name, 0) > 0)


@kv_test(timeout_cycles=400_000)
async def test_bad_parity(ctx: Context) -> None:
    """Entries with a bad tag or meta word, met by every operation, by scans and by FREE_REQUEST: counted, not used."""
    bench = Bench(ctx)
    traffic = Traffic(bench)
    await bench.start(SLOTS)
    for _ in range(120):
        await bench.command(traffic.insert())
    await bench.settle()
    for _ in range(8):
        for index in bench.rng.sample(sorted(bench.state.index_of.values()), 4):
            word = bench.rng.choice((BadParity.TAG, BadParity.META))
            if index not in bench.state.bad:
                bench.link.poke(index, word == BadParity.TAG, TAG_BIT if word == BadParity.TAG else META_BIT)
                bench.state.inject_parity(index, word)
        await bench.rest()
        await round_of(bench, traffic, [traffic.command() for _ in range(16)])
    ctx.compare("bad parity was read", True, bench.state.counters.parity > 20)
    await bench.finish()
