"""The PCI function: messages, configuration space, the device behind it with its interrupt edge and its faults."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw.regs import registers as regs
from sw.regs.registers import Completion
from sw.run import run
from sw.transport import accelerator as side
from tb.linux import pci
from tb.linux.backend import Function
from tb.linux.endpoint import POSTED_NS, Endpoint
from tb.linux.errors import ProtocolError
from tb.linux.on_model import function
from tb.linux.pci import Command, ConfigSpace, Fault, Op
from tb.linux.sizes import ENTRIES

ONES = b"\xff" * 8


def message(op: int, size: int, address: int = 0, data: bytes = b"", bar: int = 0) -> bytes:
    return pci.HEADER.pack(op, bar, 0, size, address) + data


def test_commands_are_taken_apart() -> None:
    assert pci.parse(message(Op.MMIO_WRITE, 8, 0x100, ONES)) == Command(Op.MMIO_WRITE, 0, 8, 0x100, ONES)
    assert pci.parse(message(Op.CFG_READ, 4, 0x10)).data == b""


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\1", "a message of 1 bytes"),
        (message(0, 4), "unknown operation 0"),
        (message(Op.MSI, 4), "MSI from the guest"),
        (message(Op.MMIO_MEMSET, 4), "MMIO_MEMSET from the guest"),
        (message(Op.CFG_READ, 16), "CFG_READ of 16 bytes"),
        (message(Op.MMIO_READ, 0), "MMIO_READ of 0 bytes"),
        (message(Op.MMIO_WRITE, 8, 0, b"1234"), "MMIO_WRITE of 8 bytes with 4"),
    ],
)
def test_a_bad_command_is_one_error(data: bytes, text: str) -> None:
    with pytest.raises(ProtocolError, match=text):
        pci.parse(data)


@given(st.binary(max_size=64))
def test_any_command_is_taken_or_refused(data: bytes) -> None:
    try:
        command = pci.parse(data)
    except ProtocolError:
        return
    assert 1 <= command.size <= pci.MAX_ACCESS


# ---------------------------------------------------------------- configuration space


def test_what_the_function_is() -> None:
    space = ConfigSpace(ENTRIES * 32)
    assert struct.unpack("<HH", space.read(0, 4)) == (0x1DE5, 0x0A10)
    space.write(pci.BARS, b"\xff" * 24)
    bars = struct.unpack("<6I", space.read(pci.BARS, 24))
    assert bars == (2**32 - 16 * 1024, 0, 2**32 - ENTRIES * 32, 0, 0, 0)
    at, found = space.read(pci.CAPABILITIES, 1)[0], []
    while at:
        found.append(space.read(at, 1)[0])
        at = space.read(at + 1, 1)[0]
    assert found == [0x05, 0x09, 0x09]
    assert ConfigSpace(1024, msi=False).read(pci.CAPABILITIES, 1)[0] == pci.FAULT


@given(st.integers(0, 300), st.binary(max_size=8))
def test_writes_change_only_what_is_writable(address: int, data: bytes) -> None:
    space = ConfigSpace(ENTRIES * 32)
    before = space.read(0, 4), space.read(6, 10), space.read(pci.MSI, 2)
    space.write(address, data)
    assert (space.read(0, 4), space.read(6, 10), space.read(pci.MSI, 2)) == before
    assert len(space.read(0, 256)) == 256


def test_msi_needs_its_enable_and_a_bus_master() -> None:
    space = ConfigSpace(1024)
    space.write(pci.MSI_DATA, struct.pack("<H", 42))
    space.write(pci.MSI_CONTROL, b"\1\0")
    assert space.msi is None
    space.write(pci.COMMAND, struct.pack("<H", pci.BUS_MASTER))
    assert space.msi == 42
    assert not space.intx
    space.write(pci.MSI_CONTROL, b"\0\0")
    assert space.msi is None
    assert space.intx
    space.write(pci.COMMAND, struct.pack("<H", pci.INTX_DISABLE))
    assert not space.intx


# ---------------------------------------------------------------- accesses and time


@pytest.fixture
def device() -> Function:
    """A device model that answers accesses."""
    made = function()
    made.config.write(pci.COMMAND, struct.pack("<H", pci.MEMORY_ENABLE))
    return made


def read(device: Function, offset: int, size: int = 8, bar: int = 0) -> bytes:
    return run(device.execute(Command(Op.MMIO_READ, bar, size, offset, b"")))


def write(device: Function, offset: int, value: int) -> None:
    run(device.execute(Command(Op.MMIO_WRITE, 0, 8, offset, value.to_bytes(8, "little"))))


def configure(device: Function, offset: int, data: bytes) -> None:
    run(device.execute(Command(Op.CFG_WRITE, 0, len(data), offset, data)))


def ready(device: Function) -> Endpoint:
    read(device, regs.ID.offset)
    run(device.endpoint.advance(10_000, to_rise=False))
    return device.endpoint


def test_accesses_reach_the_device(device: Function) -> None:
    assert int.from_bytes(read(device, regs.ID.offset), "little") == regs.ID.reset
    write(device, regs.WEIGHT_R.offset, 7)
    assert read(device, regs.WEIGHT_R.offset) == (7).to_bytes(8, "little")
    assert read(device, 0, 32, bar=2) == bytes(32)


def test_refused_accesses_are_as_a_bridge_makes_them(device: Function) -> None:
    """SLVERR on a read gives ones; a refused write has no effect; both are counted."""
    assert read(device, 0x2000) == ONES
    assert read(device, regs.ID.offset, 4) == b"\xff" * 4
    assert read(device, regs.ID.offset + 4) == ONES
    assert read(device, ENTRIES * 32, bar=2) == ONES
    write(device, regs.ID.offset, 1)
    assert int.from_bytes(read(device, regs.ID.offset), "little") == regs.ID.reset
    assert device.endpoint.refused == 5


def test_a_write_arrives_before_the_next_read_or_after_a_while() -> None:
    """The same step on two devices, with a read after it and without: the interrupt of the latter comes later."""
    rises = []
    for pushed in (True, False):
        made = function()
        made.config.write(pci.COMMAND, struct.pack("<H", pci.MEMORY_ENABLE))
        endpoint = ready(made)
        write(made, regs.IRQ_ENABLE.offset, 1)
        write(made, regs.CTRL.offset, 1)
        read(made, regs.ID.offset)
        begun = endpoint.now
        write(made, regs.STEP_ADVANCE.offset, 1)
        if pushed:
            read(made, regs.ID.offset)
        run(endpoint.advance(10_000_000, to_rise=True))
        rises.append(endpoint.now - begun)
    assert rises[1] - rises[0] == pytest.approx(POSTED_NS, abs=50)


def test_a_function_without_memory_enable_is_silent(device: Function) -> None:
    configure(device, pci.COMMAND, b"\0\0")
    assert read(device, regs.ID.offset) == ONES
    assert device.endpoint.accesses == 0


def test_the_interrupt_is_an_edge(device: Function) -> None:
    endpoint = ready(device)
    write(device, regs.CTRL.offset, 1)
    write(device, regs.IRQ_ENABLE.offset, 1)
    write(device, regs.STEP_ADVANCE.offset, 1)
    assert endpoint.rise_at is None
    run(endpoint.advance(10_000_000, to_rise=True))
    rise = endpoint.rise_at
    assert rise is not None
    assert rise == endpoint.now < 10_000_000
    endpoint.taken()
    run(endpoint.advance(rise + 5000, to_rise=True))
    assert endpoint.rise_at is None  # still high: no new edge
    write(device, regs.IRQ_STATUS.offset, 1)
    write(device, regs.STEP_ADVANCE.offset, 2)
    run(endpoint.advance(10_000_000, to_rise=True))
    assert endpoint.rise_at is not None


def test_a_rise_does_not_stop_a_guest_without_interrupts(device: Function) -> None:
    endpoint = ready(device)
    write(device, regs.CTRL.offset, 1)
    write(device, regs.IRQ_ENABLE.offset, 1)
    write(device, regs.STEP_ADVANCE.offset, 1)
    run(endpoint.advance(50_000, to_rise=False))
    assert endpoint.now >= 50_000


def test_faults_happen_at_their_time(device: Function) -> None:
    endpoint = ready(device)
    configure(device, pci.FAULT_AFTER, struct.pack("<I", 500))
    configure(device, pci.FAULT_OP, bytes([Fault.LOSE]))
    assert read(device, regs.ID.offset) != ONES
    run(endpoint.advance(endpoint.now + 600, to_rise=True))
    assert read(device, regs.ID.offset) == ONES
    assert run(device.execute(Command(Op.CFG_READ, 0, 4, 0, b""))) == b"\xff" * 4
    configure(device, pci.FAULT_AFTER, struct.pack("<I", 0))
    configure(device, pci.FAULT_OP, bytes([Fault.RETURN]))
    assert int.from_bytes(read(device, regs.ID.offset), "little") == regs.ID.reset


def test_a_reset_is_as_the_pin(device: Function) -> None:
    ready(device)
    write(device, regs.WEIGHT_R.offset, 7)
    configure(device, pci.FAULT_OP, bytes([Fault.RESET]))
    assert read(device, regs.WEIGHT_R.offset) == (64).to_bytes(8, "little")


@pytest.mark.parametrize(("fault", "tier"), [(Fault.AXI_READ, 1), (Fault.AXI_WRITE, 2)])
@pytest.mark.parametrize(("bursts", "status"), [(1, Completion.OK), (0, Completion.ERROR)])
def test_axi_errors_are_asked_for_by_the_guest(
    device: Function, fault: Fault, tier: int, bursts: int, status: Completion
) -> None:
    """Of a block's copy from tier 1 to tier 2: one error is tried again, errors for ever end the move."""
    endpoint = ready(device)
    for number in range(4):
        write(device, regs.BY_NAME[f"TIER{number}_BASE"].offset, number << 28)
        write(device, regs.BY_NAME[f"TIER{number}_SLOTS"].offset, 4)
    write(device, regs.CTRL.offset, 1)
    write(device, regs.DIR_ADDR.offset, 1 << 48)
    write(device, regs.DIR_ARG.offset, regs.DIR_ARG.pack(TOKEN_END=3, TIER=1))
    write(device, regs.DIR_COMMAND.offset, regs.Command.INSERT)
    run(endpoint.advance(endpoint.now + 10_000, to_rise=False))
    configure(device, pci.FAULT_AFTER, struct.pack("<I", bursts))
    configure(device, pci.FAULT_TIER, bytes([tier]))
    configure(device, pci.FAULT_OP, bytes([fault]))
    write(device, regs.DIR_ARG.offset, regs.DIR_ARG.pack(TIER=2))
    write(device, regs.DIR_COMMAND.offset, regs.Command.MIGRATE)
    run(endpoint.advance(endpoint.now + 1_000_000, to_rise=False))
    info = regs.COMPLETION_INFO.unpack(int.from_bytes(read(device, regs.COMPLETION_INFO.offset), "little"))
    assert (info["VALID"], info["STATUS"]) == (1, status)


def test_the_end_of_a_scan_is_counted_by_the_device(device: Function) -> None:
    endpoint = ready(device)
    write(device, regs.CTRL.offset, 1)
    write(device, regs.IRQ_ENABLE.offset, 1)
    write(device, regs.STEP_ADVANCE.offset, 1)
    run(endpoint.push())
    begun = endpoint.now
    run(endpoint.advance(10_000_000, to_rise=True))
    assert endpoint.rise_at is not None
    (counted,) = struct.unpack("<I", run(device.execute(Command(Op.CFG_READ, 0, 4, pci.STEP_TO_IRQ, b""))))
    assert abs(counted - (endpoint.rise_at - begun)) <= 8


def test_the_first_failed_check_names_the_time(device: Function) -> None:
    endpoint = ready(device)
    assert endpoint.check_failed_at is None
    configure(device, pci.FAULT_OP, bytes([Fault.CHECK_FAILED]))
    first = endpoint.check_failed_at
    assert first == 10_000
    run(endpoint.advance(20_000, to_rise=False))
    configure(device, pci.FAULT_OP, bytes([Fault.CHECK_FAILED]))
    assert endpoint.check_failed_at == first


def test_a_prompt_is_the_testbenchs_business(device: Function) -> None:
    configure(device, pci.FAULT_OP, bytes([Fault.PROMPT]))
    assert device.endpoint.paused
    assert int.from_bytes(read(device, regs.ID.offset), "little") == regs.ID.reset


def test_the_devices_clock_starts_with_the_first_access() -> None:
    """A guest's own start takes simulated time of its own, and none of the simulator's."""
    made = function()
    made.config.write(pci.COMMAND, struct.pack("<H", pci.MEMORY_ENABLE))
    endpoint = made.endpoint
    transport = endpoint._transport
    begun = transport.now()
    run(endpoint.advance(30_000_000, to_rise=True))
    assert (endpoint.now, transport.now()) == (30_000_000, begun)
    read(made, regs.ID.offset)
    assert 30_000_000 < endpoint.now < 30_001_000
    run(endpoint.advance(30_500_000, to_rise=True))
    assert endpoint.now == 30_500_000
    assert transport.now() == begun + 500_000


# ---------------------------------------------------------------- the accelerator's side


def config(f: Function, op: Op, address: int, data: bytes, size: int = 4) -> bytes:
    """Accesses of 4 bytes, as Linux makes them of a longer one."""
    if op is Op.CFG_READ:
        parts = [run(f.execute(Command(op, 0, 4, address + at, b""))) for at in range(0, size, 4)]
        return b"".join(parts)
    for at in range(0, len(data), 4):
        run(f.execute(Command(op, 0, 4, address + at, data[at : at + 4])))
    return b""


def test_the_accelerators_side_has_the_tiers_memory() -> None:
    f = function()
    place = struct.pack("<Q", 0x1000)
    config(f, Op.CFG_WRITE, side.TIER, struct.pack("<I", 2))
    config(f, Op.CFG_WRITE, side.ADDRESS, place)
    config(f, Op.CFG_WRITE, side.WINDOW, bytes(range(64)))
    config(f, Op.CFG_WRITE, side.WINDOW, b"more")  # the next word
    config(f, Op.CFG_WRITE, side.ADDRESS, place)
    assert config(f, Op.CFG_READ, side.WINDOW, b"", 64) == bytes(range(64))
    assert config(f, Op.CFG_READ, side.WINDOW + 8, b"") == b"more"
    assert run(f.endpoint.mem_read(2, 0x1000, 68)) == bytes(range(64)) + b"more"
    assert run(f.endpoint.mem_read(1, 0x1000, 4)) == bytes(4)


def test_a_lookup_of_the_accelerators_side_hits_misses_and_fails() -> None:
    f = function()
    config(f, Op.CFG_WRITE, side.ADDRESS, struct.pack("<Q", 7 << 48))
    config(f, Op.CFG_WRITE, side.LOOKUP, struct.pack("<I", 1))
    assert config(f, Op.CFG_READ, side.ANSWER, b"") == struct.pack("<I", side.FAILED)  # CTRL.ENABLE is 0
    f.config.write(pci.COMMAND, b"\x06\0")
    run(f.endpoint.advance(100_000, to_rise=False))  # the end of its reset
    run(f.endpoint.write(0, regs.CTRL.offset, struct.pack("<Q", 1)))
    config(f, Op.CFG_WRITE, side.LOOKUP, struct.pack("<I", 1))
    assert config(f, Op.CFG_READ, side.ANSWER, b"") == bytes(4)  # a miss
    config(f, Op.CFG_WRITE, side.LOOKUP, struct.pack("<I", 200))
    assert config(f, Op.CFG_READ, side.ANSWER, b"") == struct.pack("<I", side.FAILED)


def test_the_line_is_shown(device: Function) -> None:
    """A miss of the accelerator raises the interrupt line; its level can be read."""
    ready(device)
    write(device, regs.CTRL.offset, 1)
    write(device, regs.IRQ_ENABLE.offset, regs.IRQ_STATUS.pack(MISS=1))
    assert config(device, Op.CFG_READ, pci.IRQ_LINE, b"")[0] == 0
    config(device, Op.CFG_WRITE, side.LOOKUP, bytes(4))
    run(device.endpoint.advance(device.endpoint.now + 1000, to_rise=False))
    assert config(device, Op.CFG_READ, pci.IRQ_LINE, b"")[0] == 1
