"""The policy level gives the same hits, tiers and fields as the device model behind its driver."""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest

from model.device import DeviceModel
from model.policy import FAST, SLOW, PolicyConfig, PolicyModel, decay_table
from sw.driver import Driver
from sw.driver.types import InsertRequest, TierConfig
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.run import run
from sw.transport.base import Lookup
from sw.transport.model import ModelTransport

BLOCKS, FAST_SLOTS, SLOW_SLOTS, TOKENS = 160, 48, 96, 16
ROUNDS = 32
SPARE = 8  # slots for hinted blocks: where they are short the order of the moves counts, which is the scan's
Blocks = npt.NDArray[np.int64]


class OnDriver:
    """The commands of the policy level through the driver, on the whole device model with its bytes and timing."""

    def __init__(self, config: PolicyConfig) -> None:
        self.transport = ModelTransport(DeviceModel(entries=1024, lanes=4, ports=1))
        self.driver = run(Driver.probe(self.transport))
        run(self._configure(config))

    async def _configure(self, config: PolicyConfig) -> None:
        driver = self.driver
        await driver.configure_block_bytes(256)
        tiers = {n: TierConfig(base=(n + 1) << 36, slots=s) for n, s in enumerate((FAST_SLOTS, SLOW_SLOTS, 0, 0))}
        await driver.configure_tiers(tiers)
        for register, fields in (
            (regs.WEIGHT_R, {"WEIGHT": config.w_r}),
            (regs.WEIGHT_F, {"WEIGHT": config.w_f}),
            (regs.WEIGHT_S, {"WEIGHT": config.w_s}),
            (regs.WEIGHT_D, {"WEIGHT": config.w_d}),
            (regs.R_SHIFT, {"SHIFT": config.r_shift}),
            (regs.F_AGE, {"AGE": config.f_age}),
            (regs.LOOKAHEAD, {"STEPS": config.lookahead}),
            (regs.HOLD, {"STEPS": config.hold}),
            (regs.EVICT_THRESH, {"THRESHOLD": config.evict_thresh}),
            (regs.PROMOTE_TIER, {"TIER": 0}),
            (regs.EVICT_TIERS, {"MASK": 1}),
        ):
            await driver.configure(register, **fields)
        await driver.enable(demand=False)

    def _idle(self) -> None:
        run(self.driver.drain())
        self.transport.device.wait_idle(10_000_000)

    def watermarks(self, count: int) -> None:
        run(self.driver.registers.write(regs.TIER_LOW[0], count))
        run(self.driver.registers.write(regs.TIER_HIGH[0], count))

    def step(self, step: int) -> None:
        run(self.driver.step_and_scan(step))
        self._idle()

    def lookup(self, blocks: Blocks) -> list[int]:
        answers = run(self.transport.lookups([Lookup(0, _kv(block).pack(), False) for block in blocks]))
        return [answer.tier if answer.hit else 2 for answer in answers]

    def insert(self, blocks: Blocks) -> None:
        for block in blocks:
            for tier in (0, 1):
                asked = InsertRequest(_kv(block), TOKENS * int(block) + TOKENS - 1, tier)
                if run(self.driver.insert_many([asked]))[0].place is not None:
                    break

    def promote(self, blocks: Blocks) -> None:
        for block in blocks:
            run(self.driver.migrate(_kv(block), 0))
            self._idle()

    def command(self, name: str, blocks: Blocks, *step: int) -> None:
        for block in blocks:
            run(getattr(self.driver, name)(_kv(block), TOKENS, *step))
            self._idle()

    def remove(self, blocks: Blocks) -> None:
        for block in blocks:
            run(self.driver.remove(_kv(block)))

    def fields(self) -> dict[int, tuple[int, ...]]:
        entries = run(self.driver.directory()).values()
        return {
            e.token_start // TOKENS: (e.tier, e.r, e.f, e.access_step, e.hint, e.hot, e.evictable, e.prefix)
            for e in entries
        }


def _kv(block: int) -> KvAddress:
    return KvAddress(0, 0, 0, int(block) * TOKENS)


def fields_of(model: PolicyModel) -> dict[int, tuple[int, ...]]:
    """The same of the policy level, R and F brought up to date."""
    model._catch_up(np.flatnonzero(model.where == SLOW))
    found = {}
    for block in np.flatnonzero(model.where <= SLOW).tolist():
        tier = int(model.where[block])
        kept, at = (model._fast, model._slot[block]) if tier == FAST else (model._kept, block)
        names = ("r", "f", "access_step", "hint", "hot", "evictable", "prefix")
        found[block] = (tier, *(int(kept[name][at]) for name in names))
    return found


CONFIGS = [
    PolicyConfig(w_r=0, w_f=0, w_s=255, w_d=0),
    PolicyConfig(w_r=4, w_f=128, w_s=4, w_d=0, r_shift=2, f_age=3, hold=40),
    PolicyConfig(w_r=64, w_f=255, w_s=12, w_d=16, r_shift=0, f_age=1, lookahead=3, hold=9, evict_thresh=700),
]


@pytest.mark.parametrize("config", CONFIGS, ids=["recency", "frequency", "all terms"])
def test_the_policy_level_is_the_device_model(config: PolicyConfig) -> None:
    device, model = OnDriver(config), PolicyModel(BLOCKS, fast=FAST_SLOTS, slow=SLOW_SLOTS, config=config)
    draw = random.Random(5)
    hits, step = 0, 0
    for turn in range(ROUNDS):
        blocks = np.array(draw.sample(range(BLOCKS), draw.randint(2, 9)), np.int64)
        needed = int((model.where[blocks] != FAST).sum())
        model.low = model.high = needed + SPARE
        device.watermarks(needed + SPARE)
        for _ in range(2):
            step += draw.randint(0, 3)
            model.step(step)
            device.step(step)
        where = model.lookup(blocks)
        assert device.lookup(blocks) == where.tolist()
        hits += int((where == FAST).sum())
        up = blocks[where == SLOW][: model.free]
        model.promote(up)
        device.promote(up)
        new = blocks[where > SLOW]
        if model.slow_free < 16:
            gone = np.flatnonzero(model.where == SLOW)[:16]
            model.remove(gone)
            device.remove(gone)
        model.insert(new)
        device.insert(new)
        _hints(draw, device, model, step)
        if turn % 4 == 0:
            assert fields_of(model) == device.fields()
    assert hits > 20, "a test without hits compares little"
    assert model.evictions > 50


def _hints(draw: random.Random, device: OnDriver, model: PolicyModel, step: int) -> None:
    present = np.flatnonzero(model.where <= SLOW).tolist()
    some = np.array(draw.sample(present, min(3, len(present))), np.int64)
    kind = draw.choice(["hot", "cool", "evict", "prefetch", "prefix", "none"])
    if kind == "prefetch":
        ahead = step + draw.choice([0, 1, 5, 30])
        for block in some:
            model.hint(block.reshape(1), ahead)
        device.command("prefetch", some, ahead)
    elif kind == "prefix":
        model.share(some)
        model.release(some)
        device.command("share", some)
        device.command("release", some)
    elif kind != "none":
        getattr(model, kind)(some)
        device.command(kind, some)


def test_free_slots_come_back_with_the_next_step() -> None:
    model = PolicyModel(8, fast=2, slow=8, config=PolicyConfig())
    model.insert(np.array([0, 1]))
    model.evict(np.array([0]))
    assert (model.free, model.where[0]) == (0, SLOW)
    model.step(1)
    assert model.free == 1


def test_a_scan_queues_no_more_than_there_are_places() -> None:
    model = PolicyModel(64, fast=64, slow=64, config=PolicyConfig(evict_thresh=65_535, queued=10))
    model.insert(np.arange(64))
    model.step(1)
    assert model.evictions == 10


def test_decay_is_the_scan_s() -> None:
    table = decay_table(3)
    assert table[255, :4].tolist() == [255, 224, 196, 172]
    assert table[3, :5].tolist() == [3, 2, 1, 0, 0]
