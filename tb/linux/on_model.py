"""The device model behind the PCI functions: no simulator."""

from pathlib import Path

from model.device import DeviceModel
from model.memory import MemoryFault
from model.types import TIER_COUNT
from sw.regs.registers import ENTRY_STRIDE
from sw.run import run
from sw.transport.model import ModelTransport
from tb.linux.backend import Function
from tb.linux.endpoint import Endpoint
from tb.linux.kernel import Kernel
from tb.linux.machine import Boot, Task, boot
from tb.linux.pci import ConfigSpace

ENTRIES, LANES, PORTS = 1024, 4, 3
LIMIT_S = 900.0


def function() -> Function:
    """A device model of the smallest size behind a PCI function."""
    device = DeviceModel(entries=ENTRIES, lanes=LANES, ports=PORTS)

    async def reset() -> None:
        device.reset()

    def break_memory(broken: bool) -> None:
        device.memory.faults[:] = [MemoryFault(TIER_COUNT - 1, write=True, count=None)] if broken else []

    endpoint = Endpoint(ModelTransport(device), lambda: device.irq, reset, break_memory)
    return Function(ConfigSpace(ENTRIES * ENTRY_STRIDE), endpoint)


def boot_one(kernel: Kernel, task: Task, devices: int, log: Path) -> Boot:
    """Boot a guest with so many devices."""
    return run(boot(kernel, [function() for _ in range(devices)], task, log, LIMIT_S))
