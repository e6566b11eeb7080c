"""The command queue and the range walker against the contract's order of steps (device.md 7, 8)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cocotb.triggers import FallingEdge, RisingEdge

from model.types import Status
from tb.block.reset import out_of_reset
from tb.block.structs import enum, struct
from tb.harness.base_test import Context, kv_test

Client: Any = enum("client_e", "Cl")
Cmd: Any = enum("cmd_e", "Cmd")
Op: Any = enum("op_e", "Op")

QUEUE_DEPTH = 16
RANGES = (Cmd.Boost, Cmd.Imevict, Cmd.Cool, Cmd.Prefetch, Cmd.Share, Cmd.Release)
LAST_TOKEN = 0xFFFFFFFF


@dataclass(frozen=True)
class Address:
    """A KV address."""

    request_id: int
    layer: int
    head: int
    token: int

    def fields(self) -> dict[str, int]:
        """As kv_addr_t."""
        return {"request_id": self.request_id, "layer": self.layer, "head": self.head, "token": self.token}


@dataclass(frozen=True)
class Command:
    """A launched command."""

    cmd: Any
    addr: Address
    length: int = 1
    step: int = 0
    span: tuple[int, int] = (1, 1)  # layers, heads
    token_end: int = 0
    tier: int = 0
    prefix: int = 0
    hot: int = 0
    touch: int = 0

    @property
    def is_range(self) -> bool:
        """A range command, no directory command."""
        return self.cmd in RANGES

    def pack(self) -> int:
        """As cmd_t."""
        return struct("cmd_t").pack(
            cmd=self.cmd,
            kv_addr=self.addr.fields(),
            len=self.length,
            step=self.step,
            span_layers=self.span[0],
            span_heads=self.span[1],
            token_end=self.token_end,
            tier=self.tier,
            prefix=self.prefix,
            hot=self.hot,
            touch=self.touch,
        )

    def blocks(self, block_tokens: int) -> Iterator[Address]:
        """The blocks that a range command acts on, in the contract's order: layers, heads, ascending blocks."""
        first = self.addr.token // block_tokens
        last = (self.addr.token + self.length - 1) // block_tokens
        for layer in range(self.addr.layer, self.addr.layer + self.span[0]):
            for head in range(self.addr.head, self.addr.head + self.span[1]):
                for block in range(first, last + 1):
                    yield Address(self.addr.request_id, layer, head, block * block_tokens)


@dataclass
class Answer:
    """What the directory will answer to an operation."""

    due: int
    rsp: dict[str, int]
    is_range: bool
    inserted: bool = False  # on the way past, with its entry's place, instead of a response


@dataclass
class Seen:
    """What came out over the whole test."""

    ops: list[dict[str, int]] = field(default_factory=list)
    done: int = 0
    hint_miss: int = 0
    saturated: int = 0
    underflow: int = 0
    free_starts: list[int] = field(default_factory=list)


class Bench:
    """Launches commands, takes operations with random stalls, answers in order."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.dut = ctx.dut
        self.block_tokens = ctx.parameters["BLOCK_TOKENS"]
        self.op = struct("op_t")
        self.now = 0
        self.stall = 0.0
        self.latency = 8  # least cycles from an operation to its answer
        self.hit = 1.0
        self.answers: deque[Answer] = deque()
        self.passes_at = -1
        self.expected_ops: deque[dict[str, Any]] = deque()
        self.seen = Seen()
        self.misses = self.saturated = self.underflows = 0
        self.free_at: int | None = None
        self.free_counts = (0, 0)
        self.next_rsp: dict[str, int] | None = None  # fixed answer of the next directory operation

    def expect(self, command: Command) -> None:
        """Note the operations that `command` must cause."""
        if command.is_range:
            for address in command.blocks(self.block_tokens):
                fields = {"op": Op[command.cmd.name], "client": Client.Cmd, "step": command.step}
                self.expected_ops.append({**fields, "addr": self._kv_addr(address)})

    def _kv_addr(self, address: Address) -> int:
        kv_addr = self.op.fields["kv_addr"].struct
        assert kv_addr is not None
        return kv_addr.pack(**address.fields())

    async def cycle(self, launch: Command | None = None) -> None:
        """One clock cycle of launches, operations, answers and FREE_REQUEST."""
        dut, rng = self.dut, self.ctx.rng
        dut.push.value = int(launch is not None)
        if launch is not None:
            dut.cmd.value = launch.pack()
            self.ctx.transaction()
        ready = rng.random() >= self.stall
        dut.op_ready.value = int(ready)
        answer = self.answers.popleft() if self.answers and self.answers[0].due <= self.now else None
        inserted = answer is not None and answer.inserted
        dut.rsp_valid.value = int(answer is not None and not inserted)
        dut.inserted.value = int(inserted)
        passes = self.passes_at == self.now  # an INSERT that gets its entry later, or none
        dut.insert.value = int(inserted or passes)
        dut.phys_addr.value, dut.index.value = rng.getrandbits(64), rng.getrandbits(16)
        if answer is not None and inserted:
            dut.phys_addr.value, dut.index.value = answer.rsp["phys_addr"], answer.rsp["index"]
            dut.rsp.value = struct("rsp_t").pack(status=Status.FULL, index=rng.getrandbits(16))
        elif answer is not None:
            dut.rsp.value = struct("rsp_t").pack(**answer.rsp)
        free_done = self.free_at is not None and self.free_at <= self.now
        dut.free_done.value = int(free_done)
        if free_done:
            self.free_at = None
            dut.free_removed.value, dut.free_stayed.value = self.free_counts
        await FallingEdge(dut.clk)
        self._observe(ready)
        await RisingEdge(dut.clk)
        self.now += 1

    def _observe(self, ready: bool) -> None:
        dut, rng, seen = self.dut, self.ctx.rng, self.seen
        seen.done += int(dut.cmd_done.value)
        seen.hint_miss += int(dut.hint_miss.value)
        seen.saturated += int(dut.ref_saturated.value)
        seen.underflow += int(dut.ref_underflow.value)
        if int(dut.free_start.value):
            seen.free_starts.append(int(dut.free_request_id.value))
            self.free_at = self.now + rng.randrange(1, 60)
        if ready and int(dut.op_valid.value):
            op = self.op.unpack(int(dut.op.value))
            seen.ops.append(op)
            self.ctx.transaction()
            is_range = op["op"] in {Op[cmd.name] for cmd in RANGES}
            if is_range:
                rsp = self._range_answer(op)
                self._check_range_op(op)
            else:
                rsp = self.next_rsp or {"hit": 1}
            due = max(self.now + self.latency + rng.randrange(3), self.answers[-1].due + 1 if self.answers else 0)
            inserted = op["op"] == Op.Insert and rsp.get("status") == Status.OK and rng.random() < 0.5
            if op["op"] == Op.Insert and not inserted:
                self.passes_at = due - 2
            self.answers.append(Answer(due, rsp, is_range, inserted))

    def _check_range_op(self, op: dict[str, int]) -> None:
        address = f"{op['kv_addr']:#018x}"
        if not self.expected_ops:
            self.ctx.compare("KV address that a range command acts on", "no more (past its range)", address)
        want = self.expected_ops.popleft()
        about = {"operation": len(self.seen.ops)}
        self.ctx.compare("operation of the range command", want["op"].name, Op(op["op"]).name, **about)
        self.ctx.compare("KV address of the block", f"{want['addr']:#018x}", address, **about)
        self.ctx.compare("client of the operation", Client.Cmd, op["client"])
        if op["op"] == Op.Prefetch:
            self.ctx.compare("PREFETCH step", want["step"], op["step"], **about)

    def _range_answer(self, op: dict[str, int]) -> dict[str, int]:
        rng = self.ctx.rng
        hit = int(rng.random() < self.hit)
        saturated = int(hit and op["op"] == Op.Share and rng.random() < 0.2)
        underflow = int(hit and op["op"] == Op.Release and rng.random() < 0.2)
        self.misses += not hit
        self.saturated += saturated
        self.underflows += underflow
        return {"client": Client.Cmd, "op": op["op"], "hit": hit, "saturated": saturated, "underflow": underflow}

    async def idle(self, most: int = 50_000) -> None:
        """Run until no command waits or runs."""
        for _ in range(most):
            await self.cycle()
            if int(self.dut.pending.value) == 0:
                return
        self.ctx.compare(f"commands done within {most} cycles", 0, int(self.dut.pending.value))

    async def run(self, command: Command) -> dict[str, int]:
        """Launch one command alone; returns result_o after it."""
        self.expect(command)
        done = self.seen.done
        await self.cycle(launch=command)
        if not command.is_range:
            self.ctx.compare("directory command waits or runs", (1, 0), self._state(), cmd=command.cmd.name)
        await self.idle()
        self.ctx.compare("commands done", done + 1, self.seen.done, cmd=command.cmd.name)
        if not command.is_range:
            self.ctx.compare("directory command done, result valid", (0, 1), self._state(), cmd=command.cmd.name)
        self.ctx.compare("blocks without an operation", 0, len(self.expected_ops), cmd=command.cmd.name)
        return struct("dir_result_t").unpack(int(self.dut.result.value))

    def _state(self) -> tuple[int, int]:
        return int(self.dut.dir_busy.value), int(self.dut.result_valid.value)

    def check_counts(self) -> None:
        """Hint misses, saturations and underflows of the whole test."""
        self.ctx.compare("hint misses counted", self.misses, self.seen.hint_miss)
        self.ctx.compare("REF_COUNT saturations counted", self.saturated, self.seen.saturated)
        self.ctx.compare("REF_COUNT underflows counted", self.underflows, self.seen.underflow)


@kv_test(timeout_cycles=100_000)
async def test_ranges(ctx: Context) -> None:
    """Range commands walk exactly the blocks that their tokens overlap, in order, at the limits of tokens and spans."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    bench.hit = 0.7
    size = bench.block_tokens
    here = Address(0x1234, 5, 6, 0)
    ends = [
        (0, 1),
        (0, size),
        (0, size + 1),
        (size - 1, 1),
        (size - 1, 2),
        (3 * size, 5 * size),
        (7, 3 * size),
        (LAST_TOKEN, 1),
        (LAST_TOKEN - size + 1, size),
        (LAST_TOKEN - 3 * size, 3 * size + 1),
    ]
    for i, (token, length) in enumerate(ends):
        await bench.run(Command(RANGES[i % 6], Address(1 + i, 2, 3, token), length, step=ctx.rng.getrandbits(32)))
    spans = [
        ((1, 1), 255, 255),
        ((3, 1), 0, 0),
        ((1, 3), 0, 0),
        ((3, 4), 9, 9),
        ((2, 2), 254, 254),
        ((255, 1), 1, 7),
        ((1, 255), 7, 0),
    ]
    for i, (span, layer, head) in enumerate(spans):
        bench.stall = ctx.rng.choice((0.0, 0.5))
        await bench.run(
            Command(RANGES[i % 6], Address(here.request_id, layer, head, 2 * size), 2 * size, 0x80000000 + i, span)
        )
    for cmd in RANGES:
        await bench.run(Command(cmd, here, 20 * size, step=LAST_TOKEN))
    bench.check_counts()


@kv_test(timeout_cycles=20_000)
async def test_whole_token_space(ctx: Context) -> None:
    """A range of all 2^32 tokens starts with the right blocks; a clear ends it."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    command = Command(Cmd.Share, Address(1, 0, 0, 0), 1 << 32)
    blocks = command.blocks(bench.block_tokens)
    await bench.cycle(launch=command)
    for _ in range(200):
        bench.expected_ops.append({"op": Op.Share, "addr": bench._kv_addr(next(blocks)), "step": 0})
        before = len(bench.seen.ops)
        while len(bench.seen.ops) == before:
            await bench.cycle()
    ctx.dut.clear.value = 1
    bench.answers.clear()
    await bench.cycle()
    ctx.dut.clear.value = 0
    bench.answers.clear()
    await bench.cycle()
    ctx.compare("commands after the clear", 0, int(ctx.dut.pending.value))
    ctx.compare("operation after the clear", 0, int(ctx.dut.op_valid.value))
    bench.expected_ops.clear()
    await bench.run(Command(Cmd.Cool, Address(2, 1, 1, 5), 3))


@kv_test(timeout_cycles=20_000)
async def test_rate(ctx: Context) -> None:
    """The walker offers an operation every two cycles and does not wait for answers."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    blocks = 64
    command = Command(Cmd.Boost, Address(1, 1, 1, 0), blocks * bench.block_tokens)
    bench.expect(command)
    start = bench.now
    await bench.cycle(launch=command)
    await bench.idle()
    cycles = bench.now - start
    ctx.compare(f"{blocks} blocks within {2 * blocks + 20} cycles", True, cycles <= 2 * blocks + 20, cycles=cycles)


@kv_test(timeout_cycles=20_000)
async def test_g3_many_operations_open(ctx: Context) -> None:
    """A range is done when its last block is answered, however many operations are in the directory by then."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    for latency in (8, 14, 16, 18, 30, 32, 40):
        bench.latency = latency
        for blocks in range(1, 21):
            command = Command(Cmd.Boost, Address(1, 1, 1, 0), blocks * bench.block_tokens)
            bench.expect(command)
            done = bench.seen.done
            await bench.cycle(launch=command)
            while bench.seen.done == done:
                await bench.cycle()
            about = {"latency": latency, "blocks": blocks}
            ctx.compare("operations not answered when the range is done", 0, len(bench.answers), **about)
            ctx.compare("blocks without an operation", 0, len(bench.expected_ops), **about)


@kv_test(timeout_cycles=60_000)
async def test_insert_arguments(ctx: Context) -> None:
    """INSERT: aligned, TOKEN_END inside the block, else BAD_ARG and the directory hears nothing."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    size = bench.block_tokens
    tokens = [0, size, 17 * size, LAST_TOKEN - size + 1]
    for token in tokens:
        for start in {token, token + 1 & LAST_TOKEN, token + size // 2, token + size - 1}:
            for end in {start, start - 1, token, token + size - 1, token + size, token + size // 2, start ^ 0x80000000}:
                if not 0 <= end <= LAST_TOKEN:
                    continue
                command = Command(
                    Cmd.Insert,
                    Address(ctx.rng.getrandbits(16), 1, 2, start),
                    token_end=end,
                    tier=ctx.rng.randrange(4),
                    prefix=ctx.rng.getrandbits(1),
                    hot=ctx.rng.getrandbits(1),
                )
                legal = start % size == 0 and start <= end < start + size
                bench.next_rsp = {"hit": 0, "status": Status.OK, "index": 0xABCD, "phys_addr": 0x123456789000}
                before = len(bench.seen.ops)
                result = await bench.run(command)
                about = {"token": start, "token_end": end}
                ctx.compare("INSERT status", "OK" if legal else "BAD_ARG", Status(result["status"]).name, **about)
                ctx.compare("operations of the INSERT", int(legal), len(bench.seen.ops) - before, **about)
                ctx.compare(
                    "result of INSERT: index, PHYS_ADDR",
                    (0xABCD, 0x123456789000) if legal else (0, 0),
                    (result["index"], result["phys_addr"]),
                    **about,
                )
                if legal:
                    op = bench.seen.ops[-1]
                    seen = {name: op[name] for name in ("op", "client", "token_end", "tier", "prefix", "hot")}
                    want = {
                        "op": Op.Insert,
                        "client": Client.Cmd,
                        "token_end": end % size,
                        "tier": command.tier,
                        "prefix": command.prefix,
                        "hot": command.hot,
                    }
                    ctx.compare("operation of the INSERT", want, seen, **about)
                    ctx.compare("KV address of the INSERT", bench._kv_addr(command.addr), op["kv_addr"])


@kv_test(timeout_cycles=60_000)
async def test_directory_commands(ctx: Context) -> None:
    """Each directory command's operation and result, under every status the directory may give."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    rng = ctx.rng
    place = {"tier": 2, "index": 0x55AA, "phys_addr": 0xFEDC_BA98_7654_3200}
    for status in Status:
        for name, touch in (("Lookup", 0), ("Lookup", 1), ("Remove", 0), ("Migrate", 0), ("Insert", 0)):
            bench.stall = rng.choice((0.0, 0.6))
            token = rng.getrandbits(20) * bench.block_tokens
            address = Address(rng.getrandbits(16), rng.getrandbits(8), rng.getrandbits(8), token)
            hit = int(status == Status.OK)
            bench.next_rsp = {"status": status, "hit": hit, **place}
            command = Command(Cmd[name], address, tier=3, touch=touch, token_end=token)
            result = await bench.run(command)
            op = bench.seen.ops[-1]
            operation = {"Lookup": Op.Lookup if touch else Op.Peek}.get(name) or Op[name]
            ctx.compare(f"operation of {name.upper()}", operation.name, Op(op["op"]).name, touch=touch)
            ctx.compare("KV address", bench._kv_addr(address), op["kv_addr"], command=name)
            if name == "Lookup":
                want = {"status": Status.OK if hit else Status.MISS} | (place if hit else dict.fromkeys(place, 0))
                ctx.compare("write flag, window of a BAR0 lookup", (0, 0), (op["write"], op["denied"]))
            else:
                shown = place | {"tier": 0} if name == "Insert" and hit else dict.fromkeys(place, 0)
                want = {"status": status} | shown
                ctx.compare("tier of the operation", 3, op["tier"], command=name)
            want |= {"removed": 0, "stayed": 0}
            ctx.compare(f"result of {name.upper()}", want, result, directory_says=status.name)


@kv_test(timeout_cycles=60_000)
async def test_free_request(ctx: Context) -> None:
    """FREE_REQUEST: request 0 is BAD_ARG, others walk the directory once and return both counts."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    for request, counts in ((1, (0, 0)), (0, (9, 9)), (0xFFFF, (65536, 0)), (0x8000, (3, 65533)), (7, (4096, 17))):
        bench.free_counts = counts
        before = len(bench.seen.free_starts)
        result = await bench.run(Command(Cmd.FreeRequest, Address(request, 9, 9, 9)))
        walks = bench.seen.free_starts[before:]
        if request:
            want = {
                "status": Status.OK,
                "tier": 0,
                "index": 0,
                "phys_addr": 0,
                "removed": counts[0],
                "stayed": counts[1],
            }
            ctx.compare("directory walks of FREE_REQUEST", [request], walks)
        else:
            want = {"status": Status.BAD_ARG, "tier": 0, "index": 0, "phys_addr": 0, "removed": 0, "stayed": 0}
            ctx.compare("directory walks of FREE_REQUEST for request 0", [], walks)
        ctx.compare("result of FREE_REQUEST", want, result, request=request)
    ctx.compare("operations of FREE_REQUEST", 0, len(bench.seen.ops))


@kv_test(timeout_cycles=100_000)
async def test_queue(ctx: Context) -> None:
    """16 commands wait in addition to the one that runs; they run in the order of their launches; the result holds."""
    await out_of_reset(ctx)
    bench = Bench(ctx)
    rng = ctx.rng
    size = bench.block_tokens

    def some_range(blocks: int) -> Command:
        span = (rng.randrange(1, 3), rng.randrange(1, 3))
        address = Address(rng.getrandbits(16), rng.randrange(250), rng.randrange(250), rng.getrandbits(24))
        return Command(rng.choice(RANGES), address, rng.randrange(1, blocks * size + 1), rng.getrandbits(32), span)

    bench.stall = 1.0
    launched = 0
    while not int(ctx.dut.full.value):
        command = some_range(6)
        bench.expect(command)
        await bench.cycle(launch=command)
        launched += 1
        if launched == 1:
            await bench.cycle()
    ctx.compare("commands until the queue is full: one runs, 16 wait", 1 + QUEUE_DEPTH, launched)
    ctx.compare("pending commands", 1 + QUEUE_DEPTH, int(ctx.dut.pending.value))
    bench.stall = 0.3
    bench.hit = 0.6
    await bench.idle()
    ctx.compare("commands done", launched, bench.seen.done)
    bench.next_rsp = {"status": Status.OK, "hit": 1, "tier": 1, "index": 77, "phys_addr": 4096}
    want = await bench.run(Command(Cmd.Lookup, Address(1, 1, 1, 1)))
    for _ in range(60):
        command = some_range(4)
        if int(ctx.dut.full.value):
            await bench.cycle()
            continue
        bench.expect(command)
        await bench.cycle(launch=command)
        if rng.random() < 0.7:
            await bench.idle()
        ctx.compare(
            "result holds until the next launch", want, struct("dir_result_t").unpack(int(ctx.dut.result.value))
        )
    await bench.idle()
    await bench.cycle(launch=Command(Cmd.Remove, Address(1, 1, 1, 1)))
    await bench.cycle()
    ctx.compare("result after the next launch", 0, int(ctx.dut.result.value))
    await bench.idle()
    ctx.compare("blocks without an operation", 0, len(bench.expected_ops))
    bench.check_counts()
