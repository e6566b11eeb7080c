"""Time: absolute, of the device or counted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.device import DeviceModel
from sw.kernel.clock import CountedClock, CountingTransport, DeviceClock, cycles_to_ns
from sw.regs import registers as regs
from sw.run import run
from sw.transport.base import AccessRefused, Lookup, Read, WaitIrq, WaitTimeout, Write
from sw.transport.model import ModelTransport
from tests.driver.fake import FakeTransport


@pytest.fixture
def transport() -> ModelTransport:
    return ModelTransport(DeviceModel(entries=1024, lanes=4))


def test_device_time_passes_while_the_clock_is_spent(transport: ModelTransport) -> None:
    clock = DeviceClock(transport)
    assert clock.now() == 0
    run(clock.spend(1000))
    assert clock.now() == transport.now() == 1000
    assert transport.device.clock.cycle == 250


def test_ns_are_rounded_up_to_cycles(transport: ModelTransport) -> None:
    clock = DeviceClock(transport)
    run(clock.spend(1))
    assert transport.device.clock.cycle == 1
    run(clock.spend(0))
    run(clock.spend(-5))
    assert transport.device.clock.cycle == 1


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=5), st.sampled_from([125, 250, 300, 333]))
def test_waiting_reaches_the_time_and_never_goes_back(times: list[int], mhz: int) -> None:
    transport = ModelTransport(DeviceModel(entries=1024, lanes=4))
    object.__setattr__(transport.device.timing, "clock_mhz", mhz)
    clock = DeviceClock(transport)
    for time in times:
        before = clock.now()
        run(clock.wait_until(time))
        assert max(before, time) <= clock.now() <= max(before, time) + 1000 // mhz + 1


def test_what_the_device_does_meanwhile_happens(transport: ModelTransport) -> None:
    assert run(transport.read(regs.STATUS.offset)) & regs.STATUS["INITIALISED"].mask == 0
    run(DeviceClock(transport).spend(10_000))
    assert run(transport.read(regs.STATUS.offset)) & regs.STATUS["INITIALISED"].mask


def test_every_access_costs_the_same_on_counted_time() -> None:
    fake = FakeTransport()
    clock = CountedClock(access_ns=70)
    counting = CountingTransport(fake, clock)
    fake.interrupts.append(lambda: fake.event("SCAN_DONE"))
    fake.values[regs.IRQ_ENABLE.offset] = regs.IRQ_STATUS["SCAN_DONE"].mask

    async def accesses() -> None:
        await counting.read(regs.ID.offset)
        await counting.write(regs.IRQ_ENABLE.offset, 2**64 - 1)
        await counting.wait_irq(1000)
        await counting.lookup(0, 0, False)
        await counting.lookups([Lookup(0, 0), Lookup(1, 0)])
        await counting.mem_read(0, 0, 4096)
        await counting.mem_write(0, 0, bytes(4096))
        before = counting.now()
        results = await counting.batch([Read(regs.ID.offset), WaitIrq(10), Read(regs.CAPS.offset)])
        assert results == [fake.values[regs.ID.offset], before + 140, fake.values[regs.CAPS.offset]]

    run(accesses())
    assert clock.now() == counting.now() == 11 * 70


def test_refused_accesses_and_limits_are_charged_and_raised() -> None:
    fake = FakeTransport(refused={regs.ID.offset})
    counting = CountingTransport(fake, CountedClock(10))
    with pytest.raises(AccessRefused):
        run(counting.read(regs.ID.offset))
    with pytest.raises(AccessRefused) as refused:
        run(counting.batch([Read(regs.CAPS.offset), Write(regs.ID.offset, 0), Read(regs.CAPS.offset)]))
    assert refused.value.index == 1
    with pytest.raises(WaitTimeout):
        run(counting.wait_irq(5))
    with pytest.raises(AccessRefused):
        run(counting.read_window(0))
    assert counting.now() == 50
    with pytest.raises(WaitTimeout) as timeout:
        run(counting.batch([Read(regs.CAPS.offset), WaitIrq(5), Read(regs.CAPS.offset)]))
    assert timeout.value.index == 1
    assert timeout.value.results == (fake.values[regs.CAPS.offset],)
    assert counting.now() == 70
    with pytest.raises(AccessRefused):
        run(counting.window(0, 2))
    assert counting.now() == 150
    assert counting.has_window


def test_counted_sleep_moves_the_device_too(transport: ModelTransport) -> None:
    counting = CountingTransport(transport, CountedClock())
    clock = DeviceClock(counting)
    run(clock.spend(999))
    assert (clock.now(), transport.now()) == (999, 1000)
    run(clock.wait_until(2000))
    assert (clock.now(), transport.device.clock.cycle) == (2000, 250 + 251)


def test_a_counted_clock_alone() -> None:
    clock = CountedClock(5)
    clock.charge(3)
    run(clock.spend(100))
    run(clock.wait_until(90))
    assert clock.now() == 115
    run(clock.wait_until(200))
    assert clock.now() == 200


@pytest.mark.parametrize(
    ("cycles", "hz", "ns"),
    [
        (0, 250_000_000, 0),
        (1, 250_000_000, 4),
        (25_000, 250_000_000, 100_000),
        (1, 300_000_000, 4),
        (3, 300_000_000, 10),
    ],
)
def test_cycles_become_ns_rounded_up(cycles: int, hz: int, ns: int) -> None:
    assert cycles_to_ns(cycles, hz) == ns
