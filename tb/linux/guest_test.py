"""A guest on the simulated RTL, scoreboard on: the guest waits while the simulation advances, and the other way round.

`make kernel` starts it with its own settings; it is in no leg of the manifest, which must run without a kernel.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

from model.types import BadParity
from sw.driver import Driver
from sw.node.start import settle
from sw.regs.registers import ENTRY_STRIDE
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import FOREVER, Bench
from tb.harness.link import SLVERR
from tb.harness.transport import RtlTransport
from tb.linux.backend import Function
from tb.linux.endpoint import Endpoint
from tb.linux.kernel import Kernel
from tb.linux.ktap import failure, kernel_faults
from tb.linux.machine import LOG, OUTCOME, SHELL, Task, boot
from tb.linux.pci import ConfigSpace
from tb.linux.step_to_irq import StepToIrq
from tb.scoreboard.scoreboard import Scoreboard

NO_LIMIT = 2**48  # cycles: the guest decides how long
REST_NS = 20_000_000
ALWAYS = 256  # of 256 bursts
ALL_BURSTS = 0xFFFF_FFFF
PRIORITY_BIT = 90  # of a meta word: nothing but parity is judged by it


class GuestFailed(AssertionError):
    """A test of the guest found a fault, or the guest did not come to its end."""


class AroundRtl:
    """The interrupt line, the reset pin, the memories and the monitors of the simulated device."""

    def __init__(self, bench: Bench, board: Scoreboard) -> None:
        self._bench = bench
        self._board = board
        self._counted = StepToIrq()
        board.taps.append(self._counted)

    def irq(self) -> bool:
        """The interrupt line."""
        return bool(int(self._bench.dut.irq.value))

    async def reset(self) -> None:
        """Use the reset pin."""
        await self._bench.reset()

    def axi_errors(self, tier: int, *, write: bool, bursts: int) -> None:
        """The next bursts of a tier fail; 0: all."""
        self._bench.link.axi_error(1 << tier, int(write), 0, FOREVER, bursts or ALL_BURSTS, ALWAYS, SLVERR)

    def clear_axi_errors(self) -> None:
        """No burst fails any more."""
        self._bench.link.axi_clear_errors()

    def bad_parity(self, index: int) -> None:
        """In the meta word of an entry, of the device and of the model that it is compared with."""
        self._board.drain()
        self._bench.link.poke(index, False, PRIORITY_BIT)
        self._board.state.inject_parity(index, BadParity.META)

    def step_to_irq_ns(self) -> int:
        """By the monitors' records."""
        self._board.drain()
        return self._counted.cycles * self._bench.ctx.clock_ps // 1000


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=NO_LIMIT)
async def guest(ctx: Context) -> None:
    """Boot the guest of the settings on this device; how that ended is in OUTCOME. Fails when a test of it does."""
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    await bench.reset()
    transport = RtlTransport(bench)
    endpoint = Endpoint(transport, AroundRtl(bench, board))
    function = Function(ConfigSpace(bench.entries * ENTRY_STRIDE), endpoint)
    kernel = Kernel(Path(ctx.settings["kernel"]), ctx.settings["version"])
    task = Task.from_settings(ctx.settings)
    ended = await boot(kernel, [function], task, ctx.run_dir / LOG, ctx.settings["limit_s"])
    at_end = ctx.cycle
    (ctx.run_dir / OUTCOME).write_text(json.dumps(asdict(replace(ended, log=""))))
    await settle(await Driver.probe(transport), REST_NS)
    await board.finish()
    print(board.summary())
    why = ended.fault or (next(iter(kernel_faults(ended.log)), "") if task.suite == SHELL else failure(ended.log))
    if why:  # at the cycle in which a test found a fault, or else in which the guest ended
        at_ns = ended.check_failed_ns
        ctx.fail(GuestFailed(why), at_end if at_ns is None else at_ns * 1000 // ctx.clock_ps)
