"""The device model behind the PCI functions: no simulator."""

from pathlib import Path

from model.device import DeviceModel
from model.memory import MemoryFault
from model.types import BadParity
from sw.regs.registers import ENTRY_STRIDE
from sw.run import run
from sw.transport.model import ModelTransport
from tb.linux.backend import Function
from tb.linux.endpoint import Endpoint
from tb.linux.kernel import Kernel
from tb.linux.machine import Boot, Task, boot
from tb.linux.pci import ConfigSpace
from tb.linux.sizes import ENTRIES, LANES, PORTS

LIMIT_S = 900.0
SESSION_S = 7 * 24 * 3600.0  # of a shell: the user decides how long


class AroundModel:
    """A device model's interrupt line, reset and memories."""

    def __init__(self, device: DeviceModel) -> None:
        self._device = device

    def irq(self) -> bool:
        """The interrupt line."""
        return self._device.irq

    async def reset(self) -> None:
        """As the reset pin."""
        self._device.reset()

    def axi_errors(self, tier: int, *, write: bool, bursts: int) -> None:
        """The next copies fail, of which each is one burst here; 0: all."""
        self._device.memory.faults.append(MemoryFault(tier, write, count=bursts or None))

    def clear_axi_errors(self) -> None:
        """None does any more."""
        self._device.memory.faults.clear()

    def bad_parity(self, index: int) -> None:
        """In the meta word of an entry."""
        self._device.inject_parity(index, BadParity.META)

    def step_to_irq_ns(self) -> int:
        """The length of the last scan: its end is the interrupt."""
        return self._device.scan_cycles * 1000 // self._device.timing.clock_mhz


def function() -> Function:
    """A device model of the smallest size behind a PCI function."""
    device = DeviceModel(entries=ENTRIES, lanes=LANES, ports=PORTS)
    endpoint = Endpoint(ModelTransport(device), AroundModel(device))
    return Function(ConfigSpace(ENTRIES * ENTRY_STRIDE), endpoint)


def boot_one(kernel: Kernel, task: Task, devices: int, log: Path) -> Boot:
    """Boot a guest with so many devices."""
    limit_s = SESSION_S if task.console else LIMIT_S
    return run(boot(kernel, [function() for _ in range(devices)], task, log, limit_s))
