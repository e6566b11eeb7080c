"""How a device is set up for the LLM service: tiers, block size, weights and policy."""

from __future__ import annotations

from dataclasses import dataclass

from sw.driver import Driver
from sw.driver.device import Weights
from sw.driver.types import TIERS, TierConfig
from sw.llm.micro.session import DeviceSession, faults
from sw.regs import registers as regs

TIER_WINDOW = 1 << 36  # address bytes between the tiers' bases
WEIGHTS = Weights(w_r=96, w_f=64, w_s=48, w_d=16, evict_thresh=0, prefetch_thresh=48_000)


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """Settings of a device that no slot is in use of.

    Attributes:
        slots: of each tier.
        block_bytes: at least what the layouts of all models need.
        weights: of the score, and thresholds.
    """

    slots: tuple[int, int, int, int]
    block_bytes: int
    weights: Weights = WEIGHTS

    async def apply(self, driver: Driver) -> DeviceSession:
        """Configure and enable the device.

        A tier comes under pressure when an eighth of it is free, until a quarter is; hits in slower
        tiers queue promotions into HBM.

        Raises:
            DeviceFault: the device refuses it.
        """
        with faults("configuration of the device"):
            await driver.configure_block_bytes(self.block_bytes)
            await driver.configure_tiers(
                {
                    tier: TierConfig(
                        base=(tier + 1) * TIER_WINDOW,
                        slots=count,
                        low=-(-count // 8) if tier < TIERS - 1 else 0,
                        high=-(-count // 4) if tier < TIERS - 1 else 0,
                    )
                    for tier, count in enumerate(self.slots)
                }
            )
            await driver.set_weights(self.weights)
            await driver.configure(regs.F_AGE, AGE=4)
            await driver.configure(regs.LOOKAHEAD, STEPS=2)
            await driver.configure(regs.PROMOTE_TIER, TIER=0)
            await driver.configure(regs.EVICT_TIERS, MASK=0b0111)
            await driver.enable(demand=True)
            step = await driver.current_step()
        return DeviceSession(driver, block_bytes=self.block_bytes, slots=self.slots, step=step)
