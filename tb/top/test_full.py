"""Full size: a directory of 65,536 entries filled to 98 %, scanned idle and loaded, with every score compared."""

from typing import Any

import numpy as np

from sw.regs import registers as regs
from tb.env.registers import kv, offset
from tb.harness.base_test import kv_test
from tb.harness.link import READ, WAIT_IRQ, WRITE
from tb.top.test_bounds import LoadedTest

BATCH = 2000


@kv_test(timeout_cycles=5_000_000, no_progress_cycles=200_000)
class test_full_size(LoadedTest):
    """Fill, scan idle and under load, free a request of 4,096 blocks; figures within targets.md."""

    block_bytes = 256
    blocks = 0

    async def bring_up(self) -> None:
        """Tiers that hold the whole directory."""
        n = self.bench.entries
        self.slots = (n // 16, n // 4, n // 2, n // 2)
        await super().bring_up()
        self.bench.link.fill_inserts(0)

    def addresses(self, count: int) -> Any:
        """Any block of the directory."""
        return self.ctx.np_rng.choice(self.keys, count)

    async def fill(self) -> int:
        """INSERT until 98 % of the entries are taken; the cycles of the slowest command."""
        n, tokens = self.bench.entries * 98 // 100, self.bench.block_tokens
        worst = 0
        tiers = [t for t in range(4) for _ in range(self.slots[t])]
        places = self.ctx.np_rng.permutation(1 << 20)[:n].tolist()  # request 1 is a text, the others are scattered
        self.keys = np.zeros(n, np.uint64)
        for start in range(0, n, BATCH):
            batch = []
            for i in range(start, min(start + BATCH, n)):
                addr = kv(1 + i // 4096, (i if i < 4096 else places[i]) * tokens)
                self.keys[i] = addr
                arg = regs.DIR_ARG.pack(TOKEN_END=addr & 0xFFFF_FFFF, TIER=tiers[i])
                batch += [
                    (WRITE, offset("DIR_ADDR"), addr),
                    (WRITE, offset("DIR_ARG"), arg),
                    (WRITE, offset("IRQ_STATUS"), 2),
                ]
                batch += [(WRITE, offset("DIR_COMMAND"), 1), (WAIT_IRQ, 0, 4000), (READ, offset("DIR_STATUS"), 0)]
            accesses = self.bench.accesses(batch)
            await self.bench.run_accesses(accesses, stop_on_refused=True)
            self.ctx.compare("INSERT statuses", 0, int((accesses["data"][5::6] & 7).max()))
            worst = max(worst, int((accesses["ended"][4::6] - accesses["begun"][3::6]).max()))
            self.look()
        return worst

    async def body(self) -> None:
        """Fill, then scans."""
        worst = await self.fill()
        self.ctx.compare("INSERT, slowest", "at most 300", self.within(worst, 300))
        rows = self.bench.entries // self.bench.lanes
        await self.r.step(1)
        self.ctx.compare(
            "cycles of a scan (SCAN_CYCLES)",
            f"at most {rows + 64}",
            self.within(await self.r.read("SCAN_CYCLES"), rows + 64),
        )
        self.look()
        await self.r.write(EVICT_THRESH=20000, EVICT_TIERS=0b0111, F_AGE=1)
        tasks = self.load(2600)
        await self.r.step(2)
        cycles = await self.r.read("SCAN_CYCLES")
        self.ctx.compare(
            "cycles of a scan under load (SCAN_CYCLES)", "at most 5500", self.within(cycles, rows * 5500 // 4096)
        )
        for task in tasks:
            await task
        self.look()
        await self.r.wait_idle()
        result = await self.r.command(regs.Command.FREE_REQUEST, kv(2))
        self.ctx.compare("FREE_REQUEST: went, stayed", (4096, 0), (result.removed, result.stayed))
        self.look()
