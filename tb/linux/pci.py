"""The PCI function: its configuration space, and the messages that carry accesses and interrupts (virtio-pcidev)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from sw.transport import accelerator
from tb.linux.errors import ProtocolError

VENDOR, DEVICE, REVISION = 0x1DE5, 0x0A10, 1
CLASS = 0x058000  # memory controller, other
BAR0_BYTES = 16 * 1024
SPACE = 256

COMMAND, BARS, CAPABILITIES, INTERRUPT_LINE = 0x04, 0x10, 0x34, 0x3C
MEMORY_ENABLE, BUS_MASTER, INTX_DISABLE = 1 << 1, 1 << 2, 1 << 10
MSI, MSI_CONTROL, MSI_ADDRESS, MSI_DATA = 0x50, 0x52, 0x54, 0x5C
MSI_ENABLE, MSI_64 = 1, 0x80
FAULT, FAULT_OP, FAULT_TIER, IRQ_LINE, FAULT_AFTER, STEP_TO_IRQ = 0x60, 0x64, 0x65, 0x66, 0x68, 0x6C
FAULT_BYTES = 0x10
"""A vendor-specific capability of the testbench: write a tier and a number where they matter, then what is to happen
(Fault); and read the level of the interrupt line, and what the device itself has counted from STEP_ADVANCE to its
interrupt, in ns."""

HEADER = struct.Struct("<BBHIQ")
MAX_ACCESS = 4096
TIERS = 4


class Op(IntEnum):
    """Operations of a virtio-pcidev message."""

    CFG_READ = 1
    CFG_WRITE = 2
    MMIO_READ = 3
    MMIO_WRITE = 4
    MMIO_MEMSET = 5
    INT = 6
    MSI = 7
    PME = 8


class Fault(IntEnum):
    """What the testbench does when the guest asks for it: to the device, but for two."""

    NONE = 0
    LOSE = 1  # the device is gone: every read gives ones, no write arrives
    RESET = 2  # its reset pin
    RETURN = 3  # it is there again, as after a reset, its memories answer without errors, its registers read right
    AXI_READ = 4  # read bursts from the memory of FAULT_TIER are answered with SLVERR: FAULT_AFTER of them, 0: all
    AXI_WRITE = 5  # write bursts to it are
    CHECK_FAILED = 6  # a test of the guest has just found a fault: waves are cut around this time
    PROMPT = 7  # the guest's shell waits for the user: no time passes until a key is pressed
    ID = 8  # from now on a register reads what no driver knows
    VERSION = 9
    CAPS = 10
    SIZE = 11  # a directory of twice the size
    READY = 12  # from now on the end of its reset does not come
    PARITY = 13  # entry FAULT_AFTER has bad parity


@dataclass(frozen=True, slots=True)
class Command:
    """An access of the guest: `data` are the bytes of a write."""

    op: Op
    bar: int
    size: int
    address: int
    data: bytes


def parse(message: bytes) -> Command:
    """A message of the command queue. Raises ProtocolError."""
    if len(message) < HEADER.size:
        raise ProtocolError(f"virtio-pcidev: a message of {len(message)} bytes")
    number, bar, _, size, address = HEADER.unpack_from(message)
    try:
        op = Op(number)
    except ValueError:
        raise ProtocolError(f"virtio-pcidev: unknown operation {number}") from None
    if op not in (Op.CFG_READ, Op.CFG_WRITE, Op.MMIO_READ, Op.MMIO_WRITE):
        raise ProtocolError(f"virtio-pcidev: {op.name} from the guest")
    config = op in (Op.CFG_READ, Op.CFG_WRITE)
    if not 1 <= size <= (8 if config else MAX_ACCESS):
        raise ProtocolError(f"virtio-pcidev: {op.name} of {size} bytes")
    data = message[HEADER.size : HEADER.size + size]
    if op in (Op.CFG_WRITE, Op.MMIO_WRITE) and len(data) != size:
        raise ProtocolError(f"virtio-pcidev: {op.name} of {size} bytes with {len(data)}")
    return Command(op, bar, size, address, data)


def msi_message(data: int) -> bytes:
    """An interrupt for the guest."""
    return HEADER.pack(Op.MSI, 0, 0, 4, 0) + data.to_bytes(4, "little")


def int_message() -> bytes:
    """An interrupt on pin A."""
    return HEADER.pack(Op.INT, 0, 0, 0, 1)


class ConfigSpace:
    """256 bytes of configuration space, with a mask of what the guest may write.

    BAR0 has the registers (16 KiB), BAR2 the directory window; one MSI vector. `msi` False: a function without MSI.
    """

    def __init__(self, window_bytes: int, *, msi: bool = True) -> None:
        self._bytes = bytearray(SPACE)
        self._writable = bytearray(SPACE)
        self.fault = Fault.NONE
        put = self._put
        put(0x00, 2, VENDOR)
        put(0x02, 2, DEVICE)
        put(COMMAND, 2, 0, MEMORY_ENABLE | BUS_MASTER | INTX_DISABLE)
        put(0x06, 2, 1 << 4)  # has a list of capabilities
        put(0x08, 4, CLASS << 8 | REVISION)
        put(BARS, 4, 0, ~(BAR0_BYTES - 1))
        put(BARS + 8, 4, 0, ~(window_bytes - 1))
        put(0x2C, 2, VENDOR)
        put(0x2E, 2, DEVICE)
        put(CAPABILITIES, 1, MSI if msi else FAULT)
        put(INTERRUPT_LINE, 2, 1 << 8, 0xFF)  # pin A
        if msi:
            put(MSI, 2, 0x05 | FAULT << 8)
            put(MSI_CONTROL, 2, MSI_64, MSI_ENABLE)
            put(MSI_ADDRESS, 4, 0, ~3)
            put(MSI_ADDRESS + 4, 4, 0, ~0)
            put(MSI_DATA, 2, 0, ~0)
        put(FAULT, 4, 0x09 | accelerator.CAPABILITY << 8 | FAULT_BYTES << 16)
        put(FAULT_OP, 4, 0, 0xFFFF)
        put(accelerator.CAPABILITY, 4, accelerator.HEADER)
        put(FAULT_AFTER, 4, 0, ~0)

    def _put(self, offset: int, size: int, value: int, writable: int = 0) -> None:
        mask = (1 << 8 * size) - 1
        self._bytes[offset : offset + size] = (value & mask).to_bytes(size, "little")
        self._writable[offset : offset + size] = (writable & mask).to_bytes(size, "little")

    def _get(self, offset: int, size: int) -> int:
        return int.from_bytes(self._bytes[offset : offset + size], "little")

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the space; zeros past its end."""
        return bytes(self._bytes[address : address + size]).ljust(size, b"\0")

    def write(self, address: int, data: bytes) -> None:
        """A write of the guest: only bits that are writable change. `fault` is what it asked the testbench for."""
        for at, value in enumerate(data, address):
            if at < SPACE:
                mask = self._writable[at]
                self._bytes[at] = self._bytes[at] & ~mask | value & mask
        if address <= FAULT_OP < address + len(data):
            asked = self._get(FAULT_OP, 1)
            self.fault = Fault(asked) if asked in Fault.__members__.values() else Fault.NONE

    @property
    def fault_after(self) -> int:
        """Delay of the fault, ns; of an AXI error the number of bursts."""
        return self._get(FAULT_AFTER, 4)

    @property
    def fault_tier(self) -> int:
        """Tier of an AXI error."""
        return self._get(FAULT_TIER, 1) % TIERS

    def show_irq_line(self, level: bool) -> None:
        """What IRQ_LINE reads."""
        self._put(IRQ_LINE, 1, int(level))

    def show_step_to_irq(self, ns: int) -> None:
        """What STEP_TO_IRQ reads; 0: there was no interrupt since the last STEP_ADVANCE."""
        self._put(STEP_TO_IRQ, 4, ns)

    @property
    def memory_enabled(self) -> bool:
        """Whether the function answers accesses to its BARs."""
        return bool(self._get(COMMAND, 2) & MEMORY_ENABLE)

    @property
    def msi(self) -> int | None:
        """Data of the interrupt message; None: MSI is off, or the function may not write to memory."""
        on = self._get(MSI_CONTROL, 2) & MSI_ENABLE and self._get(COMMAND, 2) & BUS_MASTER
        return self._get(MSI_DATA, 2) if on and self._bytes[MSI] == 0x05 else None

    @property
    def intx(self) -> bool:
        """Whether the function drives its interrupt pin."""
        return not self._get(COMMAND, 2) & INTX_DISABLE and not self._get(MSI_CONTROL, 2) & MSI_ENABLE
