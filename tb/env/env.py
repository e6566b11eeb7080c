"""The environment of the top-level tests, and the test class that owns one."""

from collections.abc import Sequence
from typing import Any

from pyuvm import uvm_component, uvm_env

from tb.env.agents import LookupAgent, MemoryAgent, MmioAgent, MmioItem, OneItem
from tb.env.coverage import Coverage
from tb.env.registers import IRQ_COMMAND_DONE, Registers
from tb.harness.base_test import Context, KvUvmTest
from tb.harness.bench import Bench
from tb.harness.link import Array
from tb.scoreboard.scoreboard import Scoreboard


class SequencedBus:
    """What `Registers` needs of a bench, with every access going through the MMIO agent's sequencer."""

    def __init__(self, bench: Bench, agents: Sequence[MmioAgent]) -> None:
        self._bench = bench
        self._agents = agents
        self.ctx, self.link = bench.ctx, bench.link
        self.accesses, self.cycles = bench.accesses, bench.cycles

    async def run_accesses(self, accesses: Array, bar: int = 0, stop_on_refused: bool = False) -> int:
        """As Bench.run_accesses."""
        item = MmioItem(accesses, bar, stop_on_refused)
        await OneItem(item).start(self._agents[bar].sequencer)
        return item.done

    write_all = Bench.write_all
    read = Bench.read
    try_write = Bench.try_write
    try_read = Bench.try_read
    _access = _batched = Bench._batched
    read_entries = Bench.read_entries


class KvEnv(uvm_env):
    """Agents, register layer, scoreboard and coverage around one device."""

    def __init__(self, name: str, parent: uvm_component, ctx: Context) -> None:
        super().__init__(name, parent)
        self.ctx = ctx

    def build_phase(self) -> None:
        """Everything hangs on one bench."""
        self.bench = Bench(self.ctx)
        self.mmio = MmioAgent("mmio", self, self.bench)
        self.window = MmioAgent("window", self, self.bench)
        self.ports = [LookupAgent(f"port{p}", self, self.bench, p) for p in range(self.bench.ports)]
        self.memory = MemoryAgent("memory", self, self.bench)
        bus: Any = SequencedBus(self.bench, [self.mmio, self.window])
        self.registers = Registers(bus)
        self.scoreboard = Scoreboard(self.ctx, self.bench)
        self.coverage = Coverage(self.ctx, self.scoreboard)


class KvTopTest(KvUvmTest):
    """Base of the top-level tests: a device that is out of reset and set up before `body`, and compared after it.

    A test may change the class attributes, or override `bring_up`.
    """

    slots: Sequence[int] = (48, 96, 160, 400)
    block_bytes = 512
    check_at_end = True

    def build_phase(self) -> None:
        """Make the environment."""
        self.env = KvEnv("env", self, self.ctx)

    def connect_phase(self) -> None:
        """Short names for what every test uses."""
        self.bench, self.r, self.board = self.env.bench, self.env.registers, self.env.scoreboard
        self.memory = self.env.memory
        self.rng: Any = self.ctx.rng

    async def bring_up(self) -> None:
        """Reset, tiers, commands by interrupt, ports open."""
        await self.bench.reset()
        await self.r.wait_initialised()
        await self.r.tiers(self.slots, self.block_bytes)
        await self.r.write(IRQ_ENABLE=IRQ_COMMAND_DONE, CTRL=1)
        self.board.drain()

    async def run_phase(self) -> None:
        """bring_up, body, idle, comparison of everything, under one objection."""
        self.raise_objection()
        await self.bring_up()
        await self.body()
        if self.check_at_end:
            await self.r.wait_idle()
            await self.board.finish()
        await self.ctx.drain()
        self.env.coverage.write()
        self.drop_objection()

    def look(self) -> None:
        """Compare what has happened so far."""
        self.board.drain()
