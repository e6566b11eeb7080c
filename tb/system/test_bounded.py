"""The bounded-inference study on the RTL: tokens of its constrained cells against the bound, hits as on the model."""

from collections.abc import Sequence
from dataclasses import replace

from sw.driver import Driver
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.run import run
from sw.transport.base import Lookup
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.transport import RtlTransport
from tb.lab import settings as declared
from tb.lab.bounded.cells import TOTAL, WAIT, Cell, Outcome, Plan, breach, seed_of
from tb.lab.bounded.decode import Recorder, Stream, served
from tb.lab.bounded.geometry import BLOCK_TOKENS, block_bytes
from tb.lab.bounded.machine import PORT, DrivenMachine, ModelMachine, addresses, configure
from tb.lab.bounded.matrix import cells
from tb.lab.bounded.study import planned
from tb.scoreboard.scoreboard import Scoreboard

NO_LIMIT = 2**48  # cycles: the settings decide how long a run is
COUNTS = (regs.RTBD_HIT_COUNT, regs.RTBD_MISS_COUNT, regs.EVICT_BYTES_MOVED, regs.PREFETCH_BYTES_MOVED)
"""What must be as on the model: lookups by outcome, bytes moved."""


class RtlMachine(DrivenMachine):
    """`Machine` on the simulated RTL."""

    def __init__(self, bench: Bench, transport: RtlTransport, driver: Driver, plan: Plan, seed: int) -> None:
        """Use a configured device."""
        super().__init__(plan.platform, plan.cell.geometry, plan.cell.quantisation, driver, seed)
        self._bench = bench
        self._transport = transport

    @property
    def cycle(self) -> int:
        """Device time."""
        return self._bench.cycle

    async def sleep(self, cycles: int) -> None:
        """Let time pass."""
        await self._bench.cycles(cycles)

    async def look(self, request: int, layer: int, tokens: int) -> list[int]:
        """One lookup after the other at the stream's port."""
        heads = range(self.geometry.kv_heads)
        tails = [KvAddress(request, layer, head, tokens - 1).pack() for head in heads]
        named = addresses(self.geometry, request, layer, range(-(-tokens // BLOCK_TOKENS)))
        lookups = [Lookup(PORT, address, True) for address in tails] + [Lookup(PORT, address) for address in named]
        answers = (await self._transport.lookups(lookups))[len(tails) :]
        return [sum(answer.hit and answer.tier == tier for answer in answers) for tier in range(4)]

    async def begin(self, request: int, tokens: int, context: int) -> None:
        """Blocks of the prompt, or of the whole context, by the driver."""
        await self._insert(self._prompt(request, tokens, context))

    async def end(self, request: int) -> None:
        """FREE_REQUEST by the driver."""
        await self._driver.free_request(request)


async def _decode(machine: RtlMachine | ModelMachine, plan: Plan) -> Outcome:
    cell = plan.cell
    recorder = Recorder(lambda: None)
    draws: Sequence[int] = [0]
    streams = [Stream(n, cell.geometry, cell.start, cell.context, draws, cell.tokens) for n in range(cell.streams)]
    await served(machine, streams, plan.params, recorder)
    return Outcome(recorder.samples, 0, 0)


def _on_model(ctx: Context, plan: Plan, start: int) -> tuple[Outcome, list[int]]:
    """The same cell on the device model from the same cycle on; its samples, and the registers of COUNTS."""
    cell = plan.cell
    machine = ModelMachine(
        plan.platform, cell.geometry, cell.quantisation, plan.slots, entries=ctx.parameters["ENTRIES"],
        lanes=ctx.parameters["LANES"], need=cell.need, seed=seed_of(cell, ctx.seed, "bus"),
    )  # fmt: skip
    run(machine.sleep(max(0, start - machine.cycle)))
    outcome = run(_decode(machine, plan))
    return outcome, [machine.device.read(register.offset) for register in COUNTS]


def _plans(ctx: Context) -> list[Plan]:
    """The constrained cells of the shipped settings, with as many tokens as the leg says; no other tenants."""
    settings = declared.load("bounded")
    settings["background"]["tenants"] = 0
    chosen: list[Cell] = [cell for cell in cells(settings) if cell.name.startswith("constrained ")]
    return [planned(settings, replace(cell, tokens=int(ctx.settings["tokens"]))) for cell in chosen]


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=1_000_000)
async def test_bound(ctx: Context) -> None:
    """At 0, 25, 50 and 75 % load every token keeps its bound; hits, misses and moves are those of the device model."""
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    bench.link.fill_inserts(0)
    await bench.reset()
    transport = RtlTransport(bench)
    for plan in _plans(ctx):
        cell = plan.cell
        driver = await Driver.probe(transport)
        await driver.soft_reset()
        size = block_bytes(cell.quantisation, cell.geometry.head_dim)
        await configure(driver, plan.platform.controls, plan.slots, size, cell.need)
        machine = RtlMachine(bench, transport, driver, plan, seed_of(cell, ctx.seed, "bus"))
        start = bench.cycle
        seen = await _decode(machine, plan)
        counts = await driver.registers.read_all(COUNTS)
        expected, model = _on_model(ctx, plan, start)
        where = {"load": cell.load}
        ctx.compare("token over its bound", None, breach(plan, seen, ctx.seed), **where)
        ctx.compare("tokens of the run", cell.tokens, len(seen.samples), **where)
        ctx.compare("hits, misses, bytes moved", model, list(counts), **where)
        device, same = ((one.samples[:, TOTAL] - one.samples[:, WAIT]) for one in (seen, expected))
        print(
            f"load {cell.load} %: {len(device)} tokens, 0 over the bound; device time worst {device.max():,}, bound "
            f"{plan.device.max():,} cycles ({plan.device.max() / device.max():.3f}); against the model "
            f"{100 * (device.sum() / same.sum() - 1):+.3f} % cycles, {counts[0]:,} hits alike"
        )
        board.drain()
    await board.finish()
    print(board.summary())
