"""The driver against a transport that misbehaves on demand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw.driver import BadArgument, DirectoryError, Driver, Refused, Timeout, UnknownDevice
from sw.driver.device import Weights
from sw.driver.types import InsertRequest, TierConfig
from sw.regs import registers as regs
from sw.regs.kv_address import TOKENS, KvAddress
from sw.regs.registers import Command, Status
from sw.run import run
from sw.transport.base import Read
from tests.driver.fake import CAPS, FakeTransport

BLOCK = KvAddress(7, 1, 2, 64)


# -------------------------------------------------------------------- probe


@pytest.mark.parametrize(
    ("register", "value", "message"),
    [
        (regs.ID, 0, "ID 0x0"),
        (regs.VERSION, 2 << 16, "VERSION 0x20000"),
        (regs.VERSION, 1 << 16 | 1, "VERSION 0x10001"),
        (regs.CAPS, regs.CAPS.pack(**{**CAPS, "ENTRIES": 1000}), "CAPS.ENTRIES is 1000"),
        (regs.CAPS, regs.CAPS.pack(**{**CAPS, "LANES": 5}), "CAPS.LANES is 5"),
        (regs.CAPS, regs.CAPS.pack(**{**CAPS, "PORTS": 9}), "CAPS.PORTS is 9"),
        (regs.CAPS, regs.CAPS.pack(**{**CAPS, "BLOCK_TOKENS": 0}), "CAPS.BLOCK_TOKENS is 0"),
        (regs.CAPS, regs.CAPS.pack(**{**CAPS, "AXI_DATA_WIDTH": 32}), "CAPS.AXI_DATA_WIDTH is 32"),
        (regs.CAPS, regs.CAPS.pack(**{**CAPS, "CLOCK_MHZ": 0}), "CAPS.CLOCK_MHZ is 0"),
        (regs.CAPS, regs.CAPS.pack(**CAPS) | 1 << 18, "bits this driver does not know"),
    ],
)
def test_probe_refuses_unknown_devices(fake: FakeTransport, register: regs.Register, value: int, message: str) -> None:
    fake.values[register.offset] = value
    with pytest.raises(UnknownDevice, match=message):
        run(Driver.probe(fake))


def test_probe_gives_up_on_a_device_that_stays_in_reset(fake: FakeTransport) -> None:
    fake.set(regs.STATUS)
    with pytest.raises(Timeout, match=r"no end of reset within 1000 ns; device: STATUS=0x0") as caught:
        run(Driver.probe(fake, timeout_ns=1000))
    assert caught.value.state["STEP_ADVANCE"] == 0


# -------------------------------------------------------------------- refusals, limits


def test_a_refused_access_names_the_register(fake: FakeTransport, fake_driver: Driver) -> None:
    fake.refused.add(regs.TIER_SLOTS[2].offset)
    with pytest.raises(Refused, match="the device refused the write of TIER2_SLOTS") as caught:
        run(fake_driver.configure_tiers({2: TierConfig(base=0, slots=5)}))
    assert caught.value.index == 1
    assert fake.written == [("TIER2_BASE", 0), ("TIER2_SLOTS", 5)], "nothing after the refusal"


def test_a_refused_read(fake: FakeTransport, fake_driver: Driver) -> None:
    fake.refused.add(regs.STEP_ADVANCE.offset)
    with pytest.raises(Refused, match="the device refused the read of STEP_ADVANCE"):
        run(fake_driver.current_step())


@pytest.mark.parametrize(
    ("first", "tokens"),
    [
        (KvAddress(1, 0, 0, 0), 0),
        (KvAddress(1, 0, 0, 0), -1),
        (KvAddress(1, 0, 0, TOKENS - 1), 2),
        (KvAddress(1, 0, 0, 0), 1024 * 16 + 1),
        (KvAddress(1, 0, 0, 1), 1024 * 16),
    ],
)
def test_bad_ranges_reach_no_register(fake: FakeTransport, fake_driver: Driver, first: KvAddress, tokens: int) -> None:
    calls = (fake_driver.hot, fake_driver.evict, fake_driver.cool, fake_driver.share, fake_driver.release)
    for call in calls:
        with pytest.raises(BadArgument):
            run(call(first, tokens))
    with pytest.raises(BadArgument):
        run(fake_driver.prefetch(first, tokens, 1))
    assert fake.log == []


@given(token=st.integers(0, TOKENS - 1), tokens=st.integers(1, 1024 * 16))
def test_a_range_is_legal_as_the_contract_counts_blocks(token: int, tokens: int) -> None:
    driver = run(Driver.probe(FakeTransport()))
    first = KvAddress(1, 0, 0, token)
    blocks = len(range(token // 16, (token + tokens - 1) // 16 + 1))
    legal = token + tokens <= TOKENS and blocks <= 1024
    if legal:
        driver.check_range(first, tokens)
    else:
        with pytest.raises(BadArgument):
            driver.check_range(first, tokens)


def test_bad_arguments(fake: FakeTransport, fake_driver: Driver) -> None:
    for call in (
        fake_driver.step(1 << 32),
        fake_driver.step(-1),
        fake_driver.prefetch(BLOCK, 1, 1 << 32),
        fake_driver.set_weights(Weights(256, 0, 0, 0, 0, 0)),
        fake_driver.set_weights(Weights(0, 0, 0, 0, 2, 1)),
        fake_driver.set_weights(Weights(0, 0, 0, 0, 0, 65536)),
        fake_driver.configure_tiers({4: TierConfig(0, 1)}),
        fake_driver.configure_tiers({0: TierConfig(100, 1)}),
        fake_driver.configure_tiers({0: TierConfig(0, 1025)}),
        fake_driver.configure_block_bytes(300),
        fake_driver.configure_block_bytes(65600),
        fake_driver.configure_window(3, 0, 1),
        fake_driver.configure_window(0, 0, 65536),
        fake_driver.configure(regs.F_AGE, AGE=32),
        fake_driver.configure(regs.F_AGE, YEARS=1),
        fake_driver.insert(InsertRequest(BLOCK, 64, 4)),
        fake_driver.insert(InsertRequest(BLOCK, 1 << 32, 1)),
        fake_driver.migrate(BLOCK, 4),
        fake_driver.free_request(0),
        fake_driver.free_request(65536),
        fake_driver.set_span(0, 1),
        fake_driver.set_span(1, 256),
        fake_driver.window(1000, 25),
        fake_driver.window(-1, 1),
    ):
        with pytest.raises(BadArgument):
            run(call)
    assert fake.log == []


# -------------------------------------------------------------------- commands and waiting


def _answer(fake: FakeTransport, status: Status, **fields: int) -> None:
    """The next directory command ends so, and says so by interrupt."""

    def done() -> None:
        fake.set(regs.DIR_STATUS, STATUS=status, **fields)
        fake.event("COMMAND_DONE")

    fake.interrupts.append(done)


def test_a_directory_command_waits_for_its_interrupt_and_polls_nothing(
    fake: FakeTransport, fake_driver: Driver
) -> None:
    fake.values[regs.DIR_PHYS_ADDR.offset] = 0xABC000
    _answer(fake, Status.OK, INDEX=77)
    place = run(fake_driver.insert(InsertRequest(BLOCK, 79, 1, prefix=True)))
    assert (place.index, place.tier, place.phys_addr) == (77, 1, 0xABC000)
    argument = regs.DIR_ARG.pack(TOKEN_END=79, TIER=1, PREFIX=1)
    assert fake.written == [("DIR_ADDR", BLOCK.pack()), ("DIR_ARG", argument), ("DIR_COMMAND", Command.INSERT)]
    assert fake.log.count("wait") == 1
    assert fake.log.count(Read(regs.DIR_STATUS.offset)) == 1, "read once, after the interrupt"


def test_the_end_of_an_earlier_command_is_not_taken_for_ours(fake: FakeTransport, fake_driver: Driver) -> None:
    def earlier() -> None:
        fake.set(regs.DIR_STATUS, BUSY=1)
        fake.event("COMMAND_DONE")

    fake.interrupts.append(earlier)
    _answer(fake, Status.MISS)
    assert run(fake_driver.lookup(BLOCK, touch=False)) is None
    assert fake.log.count("wait") == 2


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.OK])
def test_a_status_becomes_an_error_that_names_command_and_block(
    fake: FakeTransport, fake_driver: Driver, status: Status
) -> None:
    for command, call in (
        (Command.INSERT, fake_driver.insert(InsertRequest(BLOCK, 64, 1))),
        (Command.REMOVE, fake_driver.remove(BLOCK)),
        (Command.MIGRATE, fake_driver.migrate(BLOCK, 2)),
    ):
        _answer(fake, status)
        with pytest.raises(DirectoryError, match=f"{command.name} of 7:1:2:64: {status.name}") as caught:
            run(call)
        assert caught.value.status is status
        assert caught.value.kv_addr == BLOCK


def test_a_command_that_never_ends_shows_the_device(fake: FakeTransport, fake_driver: Driver) -> None:
    fake.set(regs.STATUS, INITIALISED=1, DIR_BUSY=1, COMMANDS=1)
    message = r"no end of REMOVE 7:1:2:64 within 5000 ns; device: STATUS=0x10c"
    with pytest.raises(Timeout, match=message) as caught:
        run(fake_driver.remove(BLOCK))
    assert set(caught.value.state) == {"STATUS", "IRQ_STATUS", "STEP_ADVANCE", "DIR_STATUS"}


def test_a_full_queue_is_waited_for(fake: FakeTransport, fake_driver: Driver) -> None:
    def one_done() -> None:
        fake.set(regs.STATUS, INITIALISED=1, COMMANDS=15)
        fake.event("COMMAND_DONE")

    fake.set(regs.STATUS, INITIALISED=1, COMMANDS=16)
    fake.interrupts.append(one_done)
    run(fake_driver.hot(BLOCK, 16))
    assert fake.written == [("BOOST_ADDR", BLOCK.pack()), ("BOOST_LEN", 16)]
    assert fake.log.index("wait") < len(fake.log) - 2, "first the wait, then the launch"


def test_the_queue_is_asked_only_when_it_may_be_full(fake: FakeTransport, fake_driver: Driver) -> None:
    for _ in range(16):
        run(fake_driver.hot(BLOCK, 16))
    assert fake.log.count(Read(regs.STATUS.offset)) == 1
    run(fake_driver.hot(BLOCK, 16))
    assert fake.log.count(Read(regs.STATUS.offset)) == 2


def test_scan_wait(fake: FakeTransport, fake_driver: Driver) -> None:
    fake.interrupts.append(lambda: fake.event("SCAN_DONE"))
    run(fake_driver.step_and_scan(5))
    assert fake.written == [("STEP_ADVANCE", 5)]
    assert fake.values[regs.IRQ_STATUS.offset] == 0, "the event is cleared"
    with pytest.raises(Timeout, match="end of the scan of step 6"):
        run(fake_driver.step_and_scan(6))


def test_a_stuck_interrupt_does_not_hang_the_driver(fake: FakeTransport, fake_driver: Driver) -> None:
    async def stuck(timeout_ns: int) -> None:
        return None

    fake.wait_irq = stuck  # type: ignore[method-assign]
    with pytest.raises(Timeout):
        run(fake_driver.step_and_scan(5))


def test_weights_write_the_thresholds_at_once(fake: FakeTransport, fake_driver: Driver) -> None:
    run(fake_driver.set_weights(Weights(3, 5, 7, 11, 1024, 40960)))
    assert fake.written[-1] == ("THRESHOLDS", 40960 << 16 | 1024)
    assert {name for name, _ in fake.written} == {"WEIGHT_R", "WEIGHT_F", "WEIGHT_S", "WEIGHT_D", "THRESHOLDS"}


def test_soft_reset_keeps_enable_and_demand(fake: FakeTransport, fake_driver: Driver) -> None:
    fake.set(regs.CTRL, ENABLE=1, DEMAND=1)
    run(fake_driver.soft_reset())
    assert fake.written == [("CTRL", regs.CTRL.pack(ENABLE=1, DEMAND=1, SOFT_RESET=1))]
