"""A guest on the simulated RTL, scoreboard on: the guest waits while the simulation advances, and the other way round.

`make kernel` starts it with its own settings; it is in no leg of the manifest, which must run without a kernel.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

from sw.driver import Driver
from sw.node.start import settle
from sw.regs.registers import ENTRY_STRIDE
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.transport import RtlTransport
from tb.linux.backend import Function
from tb.linux.endpoint import Endpoint
from tb.linux.kernel import Kernel
from tb.linux.machine import LOG, OUTCOME, Task, boot
from tb.linux.pci import ConfigSpace
from tb.scoreboard.scoreboard import Scoreboard

NO_LIMIT = 2**48  # cycles: the guest decides how long
REST_NS = 20_000_000
LIMIT_S = 3500.0  # of wall time, less than the leg's


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=NO_LIMIT)
async def guest(ctx: Context) -> None:
    """Boot the guest of the settings on this device; how that ended is in OUTCOME."""
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    await bench.reset()
    transport = RtlTransport(bench)
    endpoint = Endpoint(transport, lambda: bool(int(ctx.dut.irq.value)), bench.reset)
    function = Function(ConfigSpace(bench.entries * ENTRY_STRIDE), endpoint)
    kernel = Kernel(Path(ctx.settings["kernel"]), ctx.settings["version"])
    ended = await boot(kernel, [function], Task.from_settings(ctx.settings), ctx.run_dir / LOG, LIMIT_S)
    await settle(await Driver.probe(transport), REST_NS)
    await board.finish()
    print(board.summary())
    (ctx.run_dir / OUTCOME).write_text(json.dumps(asdict(replace(ended, log=""))))
