"""One register sequence through the fast transactor and through the pin-level bus master: same results, which pace.

On plain registers (tb_mmio_top) or on the whole device: the registers used are 64 bits that hold what is written.
"""

import json
import time

import numpy as np

from sw.regs import registers as regs
from tb.env.pins import BusMaster
from tb.figures.files import FIGURES
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.link import READ, WRITE, Array

PLAIN = ("BOOST_ADDR", "IMEVICT_ADDR", "COOL_ADDR", "PREFETCH_ADDR", "SHARE_ADDR", "RELEASE_ADDR", "DIR_ADDR")
OPERATIONS = 4000  # of the sequence
READS = 0.25  # of them: a driver writes two to five registers for each that it reads
ROUNDS = 3  # of both, in turn
FAST_REPEATS = 50  # the transactor needs more of it to be timed well
CYCLES_LIMIT = 16  # of an access; the whole device takes 7 to 8


def sequence(bench: Bench) -> tuple[Array, Array]:
    """Writes and reads of plain registers, and the data of each afterwards; every read is of a register written."""
    rng = np.random.default_rng(1)
    rows = [(WRITE, name, int(rng.integers(1, 2**63))) for name in PLAIN]
    while len(rows) < OPERATIONS:
        name = PLAIN[rng.integers(len(PLAIN))]
        rows.append((READ if rng.random() < READS else WRITE, name, int(rng.integers(1, 2**63))))
    held: dict[str, int] = {}
    data = []
    for kind, name, value in rows:
        if kind == WRITE:
            held[name] = value
        data.append(held[name])
    accesses = bench.accesses((kind, regs.BY_NAME[name].offset, value) for kind, name, value in rows)
    return accesses, np.array(data, np.uint64)


@kv_test(timeout_cycles=ROUNDS * (1 + FAST_REPEATS) * OPERATIONS * CYCLES_LIMIT)
async def test_mmio(ctx: Context) -> None:
    """Operations per second of processor time of both; every response and every value read is compared."""
    bench = Bench(ctx)
    await bench.reset()
    accesses, expected = sequence(bench)

    async def run(master: BusMaster | None, repeats: int) -> float:
        """Seconds of processor time for an operation."""
        bench.pins = master
        ctx.dut.pin_select.value = int(master is not None)
        await bench.cycles(2)
        seconds = 0.0
        for _ in range(repeats):
            mine = accesses.copy()
            begun = time.process_time()
            done = await bench.run_accesses(mine)
            seconds += time.process_time() - begun
            ctx.compare("accesses made", len(mine), done)
            ctx.compare_array("responses of the accesses", np.zeros(len(mine), np.uint8), mine["resp"], "access")
            ctx.compare_array("data of the accesses", expected, mine["data"], "access")
            bench.link.take_records(0)
        bench.pins = None
        return seconds / (repeats * len(accesses))

    master = BusMaster(bench)
    rounds = [(await run(master, 1), await run(None, FAST_REPEATS)) for _ in range(ROUNDS)]
    pin_level, fast = (sum(each) / ROUNDS for each in zip(*rounds, strict=True))
    figures = {
        "operations": len(accesses),
        "pin_level": 1 / pin_level,
        "fast": 1 / fast,
        "ratios": [slow / quick for slow, quick in rounds],
    }
    bench.check_violations()
    (ctx.run_dir / FIGURES).write_text(json.dumps(figures) + "\n")
