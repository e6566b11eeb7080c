"""A DeviceModel and short ways to use its registers by name."""

from __future__ import annotations

from model.device import DeviceModel
from model.timing import Timing
from sw.regs import registers as regs
from sw.regs.register import Register

STATUS_OK = regs.Status.OK


class Bench:
    """A device behind MMIO; after `setup` it has 64 slots in each tier and is enabled."""

    def __init__(self, timing: Timing | None = None, **sizes: int) -> None:
        self.device = DeviceModel(**({"entries": 1024, "lanes": 4} | sizes), timing=timing)

    def setup(self, *slots: int) -> Bench:
        assert self.device.wait_idle(100_000)
        self.write(regs.BLOCK_BYTES, 512)
        for tier in range(4):
            self.write(regs.TIER_BASE[tier], 0x10_0000 * (tier + 1))
            self.write(regs.TIER_SLOTS[tier], slots[tier] if slots else 64)
        self.write(regs.CTRL, regs.CTRL.pack(ENABLE=1))
        return self

    def write(self, register: Register, value: int) -> None:
        self.device.write(register.offset, value)

    def read(self, register: Register) -> int:
        return self.device.read(register.offset)

    def field(self, register: Register, name: str) -> int:
        return register[name].get(self.read(register))

    def idle(self) -> None:
        assert self.device.wait_idle(10_000_000)

    def launch(self, command: regs.Command, address: int, **arguments: int) -> None:
        self.write(regs.DIR_ADDR, address)
        self.write(regs.DIR_ARG, regs.DIR_ARG.pack(**arguments))
        self.write(regs.DIR_COMMAND, command)

    def command(self, command: regs.Command, address: int, **arguments: int) -> regs.Status:
        """Launch a directory command and wait for its result."""
        self.launch(command, address, **arguments)
        for _ in range(10_000):
            if not self.field(regs.DIR_STATUS, "BUSY"):
                return regs.Status(self.field(regs.DIR_STATUS, "STATUS"))
        raise AssertionError(f"{command.name} does not end")

    def insert(self, address: int, tier: int = 1, **arguments: int) -> int:
        """INSERT a whole block of 16 tokens; its PHYS_ADDR."""
        end = (address & 0xFFFFFFFF) + 15
        arguments = {"TOKEN_END": end, "TIER": tier} | arguments
        assert self.command(regs.Command.INSERT, address, **arguments) == STATUS_OK
        return self.read(regs.DIR_PHYS_ADDR)

    def step(self, step: int) -> None:
        self.write(regs.STEP_ADVANCE, step)
        self.idle()
