"""Base of the tests that measure: metrics into a file next to the log, and ratchets where the leg asks for them."""

import json
from typing import Any

import cocotb
import numpy as np

from sw.regs import registers as regs
from tb.env.env import KvTopTest
from tb.env.registers import IRQ_COMMAND_DONE, kv, offset
from tb.figures.files import FIGURES
from tb.figures.ratchets import held, moved
from tb.figures.records import Records
from tb.harness.context import Mismatch
from tb.harness.link import WAIT_IRQ, WRITE, Array

AFTER_SCAN = 600  # cycles until the last scan's histogram has been summed up (device.md 10: at most 512)
PLACED = 200  # cycles from an INSERT's result until its entry is in its place
COMMAND_LIMIT = 4000  # cycles that one directory command may take

Insert = tuple[int, int]  # KV address of a block, tier


class FigureTest(KvTopTest):
    """A test that measures with every check of the testbench on.

    Settings of the leg: `ratchets` compares each row with ratchets.toml, `curves` measures the plots' points too,
    `keys` is the seed of everything drawn. Cycles must not depend on the run's own seed, which is that of the
    registers' random values before the reset.
    """

    block_bytes = 256

    def build_phase(self) -> None:
        """Environment, and records of what happens in which cycle."""
        super().build_phase()
        self.values: dict[str, float] = {}
        self.curves: dict[str, Any] = {}
        self.draw = np.random.default_rng(int(self.ctx.settings.get("keys", 1)))

    def connect_phase(self) -> None:
        """Records are taken from the start on."""
        super().connect_phase()
        self.records = Records(self.board)
        self.with_curves = bool(self.ctx.settings.get("curves"))

    async def run_phase(self) -> None:
        """As any test; then the figures are published."""
        self.raise_objection()
        await super().run_phase()
        self.publish()
        self.drop_objection()

    # ------------------------------------------------------------------ results

    def publish(self) -> None:
        """Write the figures; with ratchets compare them."""
        figures = {"values": self.values, "curves": self.curves}
        (self.ctx.run_dir / FIGURES).write_text(json.dumps(figures, indent=1) + "\n")
        if not self.ctx.settings.get("ratchets"):
            return
        expected = held(self.ctx.name)
        self.ctx.compare("figures with a ratchet", sorted(expected), sorted(self.values))
        self.ctx.comparisons += len(expected)
        text = moved(expected, self.values)
        if text:
            self.ctx.mismatches += 1
            self.ctx.fail(Mismatch(text))

    # ------------------------------------------------------------------ blocks

    @property
    def rows(self) -> int:
        """Rows of a bank."""
        return self.bench.entries // self.bench.lanes

    def random_keys(self, count: int, first_request: int = 1) -> Array:
        """KV addresses of `count` different random blocks of requests from `first_request` on."""
        seen: set[int] = set()
        while len(seen) < count:
            more = self.draw.integers(first_request << 48, 1 << 64, count - len(seen), np.uint64)
            seen.update((more & ~np.uint64(self.bench.block_tokens - 1)).tolist())
        keys = np.array(sorted(seen), np.uint64)
        return np.asarray(self.draw.permutation(keys))

    def text(self, request: int, blocks: int) -> Array:
        """KV addresses of `blocks` consecutive blocks of a request."""
        return np.uint64(kv(request)) + np.arange(blocks, dtype=np.uint64) * np.uint64(self.bench.block_tokens)

    def scattered(self, request: int, blocks: int) -> Array:
        """KV addresses of `blocks` random blocks of a request."""
        low = np.uint64((1 << 48) - 1)
        return np.asarray((self.random_keys(blocks) & low) | np.uint64(kv(request)))

    async def insert(self, items: list[Insert], hot: bool = False) -> None:
        """INSERT blocks, the next one's arguments written while the last one runs. Results are in the records."""
        if not items:
            return
        batch: list[tuple[int, int, int]] = []
        for addr, tier in items:
            arg = regs.DIR_ARG.pack(TOKEN_END=addr & 0xFFFF_FFFF, TIER=tier, HOT=int(hot))
            batch += [(WRITE, regs.DIR_ADDR.offset, addr), (WRITE, regs.DIR_ARG.offset, arg)]
            batch += [(WAIT_IRQ, 0, COMMAND_LIMIT)] if addr != items[0][0] else []
            batch += [(WRITE, regs.IRQ_STATUS.offset, IRQ_COMMAND_DONE), (WRITE, regs.DIR_COMMAND.offset, 1)]
        batch.append((WAIT_IRQ, 0, COMMAND_LIMIT))
        await self.run_all(batch)

    async def filled(self, count: int) -> None:
        """The directory holds `count` blocks: no INSERT was refused."""
        await self.bench.cycles(PLACED)
        self.look()
        self.ctx.compare("blocks in the directory", count, int(self.board.state.entries.arrays["valid"].sum()))

    async def run_all(self, batch: list[tuple[int, int, int]]) -> Array:
        """A batch in which nothing is refused and no wait runs out."""
        accesses = self.bench.accesses(batch)
        done = await self.bench.run_accesses(accesses, stop_on_refused=True)
        self.ctx.compare("accesses refused", 0, int((accesses["resp"][:done] != 0).sum()))
        return accesses

    async def step_now(self, step: int) -> int:
        """STEP_ADVANCE; the cycle of the later one of its AW and W handshakes."""
        accesses = await self.run_all([(WRITE, offset("STEP_ADVANCE"), step)])
        return int(accesses["begun"][0])

    # ------------------------------------------------------------------ lookups

    def load(self, keys: Array, count: int) -> list[Any]:
        """Tasks: every port asks `count` times for random ones of `keys`, all the time (or at `lookup_rates`)."""
        ports = range(self.bench.ports)
        work = [self.draw.choice(keys, count) for _ in ports]
        return [cocotb.start_soon(self.bench.lookups(p, work[p]), name=f"load {p}") for p in ports]

    async def throughput(self, keys: Array, count: int) -> float:
        """Hits answered per cycle while all ports ask."""
        answers = [await task for task in self.load(keys, count)]
        first = max(int(a["answered"][0]) for a in answers)
        last = min(int(a["answered"][-1]) for a in answers)
        return self.hits(answers, first, last)

    @staticmethod
    def hits(answers: list[Array], first: int, last: int) -> float:
        """Hits answered per cycle from `first` (not included) to `last`."""
        count = sum(int(a["hit"][(a["answered"] > first) & (a["answered"] <= last)].sum()) for a in answers)
        return round(count / (last - first), 4)
