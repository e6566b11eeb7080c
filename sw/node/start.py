"""A whole stack on a device, made ready for whoever opens its node (software.md 5)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sw.driver import Driver
from sw.llm.config import Limits, LlmConfig
from sw.llm.micro.plan import DevicePlan
from sw.llm.system import LlmSetup, SystemConfig, build_system
from sw.node.home import Home, home_of
from sw.node.node import Ending, Node
from sw.node.owners import Owners
from sw.node.served import ServedTransport
from sw.regs import registers as regs
from sw.transport.base import Transport
from sw.uapi.place import private_folder

BLOCK_BYTES = 8192  # room for a block of any model that ships, and the device's value after reset
LIMITS = Limits(requests_per_window=256, tokens_per_window=16_384)  # of a tenant in a second of wall time
POLL_NS = 10_000  # between two looks at whether the device is at rest
_EIGHTHS = (1, 2, 2, 3)  # of ENTRIES, per tier: a slot for every entry, the fast tier the smallest


async def start(transport: Transport, socket: Path, about: dict[str, Any]) -> Node:
    """Build the stack that will be served at `socket`; its files are in the folder next to it.

    Args:
        transport: who answers.
        socket: where it will be served.
        about: what `info` reports in addition to the device's sizes.

    Raises:
        DriverError, TransportError, DeviceFault: the device does not do its part.
        PlaceError, KeyFileError, TrustError, AuditError: the folder, or something in it, cannot be used.
    """
    private_folder(socket.parent)
    home = Home(home_of(socket))
    key = home.prepare()
    home.forget_tokens()
    entries = (await Driver.probe(transport)).caps.entries
    first, second, third, fourth = (entries * eighths // 8 for eighths in _EIGHTHS)
    plan = DevicePlan((first, second, third, fourth), BLOCK_BYTES)
    config = SystemConfig(
        key=key,
        llm=LlmSetup(plan=plan, trust=home.trust, config=LlmConfig(limits=LIMITS)),
        audit_path=home.audit,
        audit_anchor=home.anchor,
        pace=time.monotonic_ns,
    )
    ending = Ending()
    served = ServedTransport(transport, lambda: ending.now)
    system = await build_system(served, config)
    system.capabilities.bootstrap(home.admin_token)
    return Node(system, served, Owners(system), home, key.public, ending, about)


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
