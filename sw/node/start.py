"""A device made ready for whoever opens its node: tiers, policy, weights; then it runs."""

from __future__ import annotations

from typing import Any

from sw import regs
from sw.driver import Driver
from sw.driver.types import TIERS, TierConfig
from sw.node.node import Node
from sw.transport.base import Transport

TIER_WINDOW = 1 << 36  # address bytes between the tiers' bases
POLL_NS = 10_000  # between two looks at whether the device is at rest
_EIGHTHS = (1, 2, 2, 3)  # of ENTRIES, per tier: a slot for every entry, the fast tier the smallest


async def start(transport: Transport, about: dict[str, Any]) -> Node:
    """Probe and configure the device behind a transport.

    Args:
        transport: who answers.
        about: what `info` tells beside the device's sizes.

    Raises:
        DriverError, TransportError: the device does not do its part.
    """
    driver = await Driver.probe(transport)
    slots = [driver.caps.entries * eighths // 8 for eighths in _EIGHTHS]
    await driver.configure_tiers(
        {
            tier: TierConfig(
                base=(tier + 1) * TIER_WINDOW,
                slots=count,
                reserve=count // 32,
                low=count // 8 if tier < TIERS - 1 else 0,
                high=count // 4 if tier < TIERS - 1 else 0,
            )
            for tier, count in enumerate(slots)
        }
    )
    await driver.configure(regs.PROMOTE_TIER, TIER=0)
    await driver.configure(regs.EVICT_TIERS, MASK=0b0111)
    await driver.enable(demand=True)
    return Node(driver, about)


async def settle(driver: Driver, limit_ns: int) -> None:
    """Let the device come to rest: everything that was queued has ended.

    Raises:
        Timeout: it has not within the limit.
    """
    if not (await driver.registers.get(regs.CTRL))["ENABLE"]:
        await driver.enable(demand=False)  # or queued moves never start
    registers = driver.registers
    end = registers.transport.now() + limit_ns
    while not (await driver.status())["IDLE"]:
        if registers.transport.now() >= end:
            raise await registers.timed_out("rest of the device", limit_ns)
        await registers.transport.sleep(POLL_NS)
