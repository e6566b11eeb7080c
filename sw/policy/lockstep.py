"""The same policy on a real driver: what the policy level did is done again on a device, and every answer compared.

`Recorder` is a policy-level device that notes each operation with its answer; `Follower` carries the operations out
through the driver, on the device model or the RTL, and compares the answers, request by request. As long as they are
the same the runtime has decided on what this very device said, so its hits are the device's own.

A move ends before the next operation (the policy level has no time): the follower waits until the device is idle, and
gives the DMA no more at once than its queue takes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.policy import PolicyConfig, PolicyModel
from sw.driver import Driver
from sw.driver.types import InsertRequest, TierConfig
from sw.policy.device import ABSENT, FAST, Blocks
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.regs.register import Register
from sw.replay.records import Checks
from sw.transport.base import Lookup, Transport

AT_ONCE = 32
"""Moves that are asked for before the device is waited for: half of a queue."""
POLL_CYCLES = 200
IDLE_CYCLES = 5_000_000
TIER_WINDOW = 1 << 36  # address bytes between the tiers' bases
REGISTERS: dict[str, tuple[Register, str]] = {
    "w_r": (regs.WEIGHT_R, "WEIGHT"),
    "w_f": (regs.WEIGHT_F, "WEIGHT"),
    "w_s": (regs.WEIGHT_S, "WEIGHT"),
    "w_d": (regs.WEIGHT_D, "WEIGHT"),
    "evict_thresh": (regs.EVICT_THRESH, "THRESHOLD"),
    "prefetch_thresh": (regs.PREFETCH_THRESH, "THRESHOLD"),
    "r_shift": (regs.R_SHIFT, "SHIFT"),
    "f_age": (regs.F_AGE, "AGE"),
    "lookahead": (regs.LOOKAHEAD, "STEPS"),
    "hold": (regs.HOLD, "STEPS"),
}
"""Register and field of what PolicyConfig names."""


class NotIdle(Exception):
    """The device does not come to rest; one line."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its name, the blocks or values that it has, and what came of it, block by block."""

    name: str
    blocks: Sequence[int] = ()
    values: dict[str, int] | None = None
    answers: Sequence[int] = ()


class Recorder(PolicyModel):
    """A device at the policy level that notes what is done with it.

    Attributes:
        operations: since they were last taken.
    """

    def __init__(
        self, blocks: int, *, fast: int, slow: int, config: PolicyConfig | None = None, reserve: int = 0
    ) -> None:
        """As the policy level."""
        super().__init__(blocks, fast=fast, slow=slow, config=config, reserve=reserve)
        self.operations: list[Operation] = []
        self._marks = (0, 0)

    def _note(self, name: str, blocks: Blocks, answers: Sequence[int] = (), **values: int) -> None:
        if len(blocks):
            self.operations.append(Operation(name, blocks.tolist(), values or None, answers))

    def step(self, step: int) -> None:
        """STEP_ADVANCE, after the watermarks where they have changed."""
        marks = (self.low, self.high)
        if marks != self._marks:
            self._marks = marks
            self.operations.append(Operation("watermarks", values={"low": marks[0], "high": marks[1]}))
        before = self.overflows
        super().step(step)
        self.operations.append(Operation("step", values={"step": step}))
        self.operations.append(
            Operation("free", answers=(self.free, self.slow_free), values={"full": self.overflows - before})
        )

    def lookup(self, blocks: Blocks) -> npt.NDArray[np.uint8]:
        """Read lookups."""
        where = super().lookup(blocks)
        self._note("lookup", blocks, where.tolist())
        return where

    def insert(self, blocks: Blocks) -> None:
        """INSERT; the answers are the tiers."""
        super().insert(blocks)
        self._note("insert", blocks, self.where[blocks].tolist())

    def promote(self, blocks: Blocks) -> None:
        """Demand moves of those that have found a slot."""
        super().promote(blocks)
        self._note("promote", blocks[self.where[blocks] == FAST])

    def remove(self, blocks: Blocks) -> None:
        """REMOVE."""
        super().remove(blocks)
        self._note("remove", blocks)

    def evict(self, blocks: Blocks) -> None:
        """IMEVICT."""
        present = blocks[self.where[blocks] != ABSENT]
        super().evict(blocks)
        self._note("evict", present)

    def hint(self, blocks: Blocks, step: int) -> None:
        """PREFETCH."""
        super().hint(blocks, step)
        self._note("prefetch", blocks, step=step)

    def share(self, blocks: Blocks) -> None:
        """SHARE."""
        super().share(blocks)
        self._note("share", blocks[self.where[blocks] != ABSENT])

    def release(self, blocks: Blocks) -> None:
        """RELEASE."""
        super().release(blocks)
        self._note("release", blocks[self.where[blocks] != ABSENT])

    def configure(self, **fields: int) -> None:
        """Write registers."""
        super().configure(**fields)
        self.operations.append(Operation("configure", values=dict(fields)))


class Follower:
    """Carries operations out on a device through its driver, and compares.

    Attributes:
        hits: lookups of the device that found their block in the fast tier.
        lookups: in all.
    """

    def __init__(self, driver: Driver, transport: Transport, checks: Checks) -> None:
        self._driver, self._transport, self._checks = driver, transport, checks
        self._tokens = driver.caps.block_tokens
        self.hits = self.lookups = 0
        self._actions: dict[str, Callable[[Operation], Awaitable[None]]] = {
            "watermarks": self._watermarks,
            "step": self._step,
            "free": self._free,
            "lookup": self._lookup,
            "insert": self._insert,
            "promote": self._promote,
            "remove": self._remove,
            "evict": self._evict,
            "prefetch": self._prefetch,
            "share": self._share,
            "release": self._release,
            "configure": self._write,
        }

    async def configure(self, model: PolicyModel, slots: tuple[int, int], block_bytes: int) -> None:
        """Two tiers, and the registers of a device at the policy level on which nothing has been done."""
        driver = self._driver
        await driver.configure_block_bytes(block_bytes)
        sizes = (*slots, 0, 0)
        await driver.configure_tiers(
            {
                tier: TierConfig(base=(tier + 1) * TIER_WINDOW, slots=count, reserve=model.reserve * (tier == 0))
                for tier, count in enumerate(sizes)
            }
        )
        await self._write(Operation("configure", values={name: getattr(model.config, name) for name in REGISTERS}))
        await driver.configure(regs.PROMOTE_TIER, TIER=FAST)
        await driver.configure(regs.EVICT_TIERS, MASK=1 << FAST)
        await driver.enable(demand=False)

    async def follow(self, operations: Sequence[Operation]) -> None:
        """Carry operations out. Raises NotIdle, what the driver raises, and what `checks` raises at a difference."""
        for operation in operations:
            await self._actions[operation.name](operation)

    async def _settle(self) -> None:
        await self._driver.drain()
        cycle_ns = 1000 // self._driver.caps.clock_mhz
        end = self._transport.now() + IDLE_CYCLES * cycle_ns
        while not (await self._driver.status())["IDLE"]:
            if self._transport.now() > end:
                raise NotIdle(f"the device is not idle {IDLE_CYCLES:,} cycles after a command")
            await self._transport.sleep(POLL_CYCLES * cycle_ns)

    def _address(self, block: int) -> KvAddress:
        return KvAddress(0, 0, 0, block * self._tokens)

    async def _write(self, operation: Operation) -> None:
        for name, value in (operation.values or {}).items():
            register, field = REGISTERS[name]
            await self._driver.configure(register, **{field: value})

    async def _watermarks(self, operation: Operation) -> None:
        values = operation.values or {}
        await self._driver.registers.write(regs.TIER_LOW[FAST], values["low"])
        await self._driver.registers.write(regs.TIER_HIGH[FAST], values["high"])

    async def _step(self, operation: Operation) -> None:
        await self._driver.step_and_scan((operation.values or {})["step"])
        await self._settle()

    async def _free(self, operation: Operation) -> None:
        free = await self._driver.free_slots()
        full = (operation.values or {})["full"]
        what = "free slots of both tiers" + full * ' (a scan filled the evict queue: see `room = "exact"`)'
        self._checks.compare(what, list(operation.answers), list(free[: len(operation.answers)]))

    async def _lookup(self, operation: Operation) -> None:
        ports = self._driver.caps.ports
        wanted = [Lookup(n % ports, self._address(block).pack()) for n, block in enumerate(operation.blocks)]
        answers = await self._transport.lookups(wanted)
        for block, expected, answer in zip(operation.blocks, operation.answers, answers, strict=True):
            seen = answer.tier if answer.hit else ABSENT
            self._checks.compare("tier of a block at its lookup (2: not there)", expected, seen, block=block)
            self.hits += seen == FAST
        self.lookups += len(answers)
        await self._driver.misses()

    async def _insert(self, operation: Operation) -> None:
        placed = [(b, tier) for b, tier in zip(operation.blocks, operation.answers, strict=True) if tier != ABSENT]
        asked = [
            InsertRequest(self._address(block), (block + 1) * self._tokens - 1, tier) for block, tier in placed
        ]  # fmt: skip
        for (block, tier), answer in zip(placed, await self._driver.insert_many(asked), strict=True):
            self._checks.compare("INSERT status", "OK", answer.status.name, block=block, tier=tier)

    async def _promote(self, operation: Operation) -> None:
        for place, block in enumerate(operation.blocks, 1):
            await self._driver.migrate(self._address(block), FAST)
            if place % AT_ONCE == 0:
                await self._settle()
        await self._settle()

    async def _remove(self, operation: Operation) -> None:
        for block in operation.blocks:
            await self._driver.remove(self._address(block))

    def _ranges(self, blocks: Sequence[int]) -> list[tuple[KvAddress, int]]:
        """Neighbouring blocks as ranges of up to AT_ONCE, in their order."""
        found: list[list[int]] = []
        for block in blocks:
            if found and block == found[-1][0] + found[-1][1] and found[-1][1] < AT_ONCE:
                found[-1][1] += 1
            else:
                found.append([block, 1])
        return [(self._address(first), count * self._tokens) for first, count in found]

    async def _evict(self, operation: Operation) -> None:
        waiting = 0
        for first, tokens in self._ranges(operation.blocks):
            if waiting + tokens > AT_ONCE * self._tokens:
                await self._settle()
                waiting = 0
            waiting += tokens
            await self._driver.evict(first, tokens)
        await self._settle()

    async def _share(self, operation: Operation) -> None:
        for first, tokens in self._ranges(operation.blocks):
            await self._driver.share(first, tokens)
        await self._driver.drain()

    async def _release(self, operation: Operation) -> None:
        for first, tokens in self._ranges(operation.blocks):
            await self._driver.release(first, tokens)
        await self._driver.drain()

    async def _prefetch(self, operation: Operation) -> None:
        waiting, step = 0, (operation.values or {})["step"]
        for first, tokens in self._ranges(operation.blocks):
            if waiting + tokens > AT_ONCE * self._tokens:
                await self._settle()
                waiting = 0
            waiting += tokens
            await self._driver.prefetch(first, tokens, step)
        await self._settle()
