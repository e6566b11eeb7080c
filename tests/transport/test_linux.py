"""The transport over the Linux driver, with a stand-in for the driver: the project's own on a device model.

The real driver is behind it in `make kernel TEST=stack`.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from model.device import DeviceModel
from sw.driver import Driver
from sw.driver.errors import DirectoryError, Refused
from sw.driver.types import InsertRequest, TierConfig
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.regs.registers import Completion, Status
from sw.run import Sync, run
from sw.transport.base import LookupAnswer, TransportError
from sw.transport.linux import LinuxTransport
from sw.transport.model import ModelTransport
from sw.uapi import description as uapi

LAYOUTS = {call.name: call.argument.layout for call in (*uapi.CALLS, *uapi.LINUX_CALLS)}
ERRNO = {
    Status.MISS: errno.ENOENT, Status.EXISTS: errno.EEXIST, Status.FULL: errno.ENOSPC, Status.NO_SLOT: errno.ENOMEM,
    Status.REFERENCED: errno.EBUSY, Status.BAD_ARG: errno.EINVAL, Status.BUSY: errno.EAGAIN,
}  # fmt: skip
BLOCK = KvAddress(7, 1, 2, 32)


class StandIn:
    """What the transport asks of the node and of the accelerator, done by another driver."""

    def __init__(self) -> None:
        self.path = Path("/dev/stand-in")
        self.inner = ModelTransport(DeviceModel(entries=1024, lanes=4, ports=3))
        self.driver: Any = Sync(run(Driver.probe(self.inner)))
        self.driver.enable(demand=False)
        self.bound: dict[int, tuple[int, KvAddress]] = {}
        self.hints: list[tuple[str, KvAddress, int, int]] = []
        self.lost = 0

    def attribute(self, name: str) -> int:
        plain = name.rpartition("/")[2].upper()
        if plain in ("ENABLE", "DEMAND"):
            return regs.CTRL[plain].get(run(self.inner.read(regs.CTRL.offset)))
        plain = {"CURRENT_STEP": "STEP_ADVANCE"}.get(plain, plain)
        return run(self.inner.read(regs.BY_NAME[plain].offset))

    def set_attribute(self, name: str, value: int) -> None:
        if name in ("enable", "demand"):
            return
        try:
            run(self.inner.write(regs.BY_NAME[name.rpartition("/")[2].upper()].offset, value))
        except TransportError:
            raise OSError(errno.EBUSY, "busy") from None

    def call(self, name: str, argument: bytes) -> bytes:
        given = LAYOUTS[name].unpack(argument)
        try:
            return self._call(name, given) or argument
        except DirectoryError as error:
            raise OSError(ERRNO[error.status], error.status.name) from None

    def _call(self, name: str, given: tuple[int, ...]) -> bytes | None:
        if name == "BIND":
            va, length, token, request, layer, head = given
            self.bound[va] = length, KvAddress(request, layer, head, token)
        elif name == "UNBIND":
            del self.bound[given[0]]
        elif name == "STEP_ADVANCE":
            self.driver.step(given[0])
        elif name == "SET_WEIGHTS":
            run(self.inner.write(regs.THRESHOLDS.offset, regs.THRESHOLDS.pack(EVICT=given[4], PREFETCH=given[5])))
        elif len(given) == 3:  # va, len, target_step
            length, first = self.bound[given[0]]
            self.hints.append((name, first, length, given[2]))
        else:
            return self._directory(name, given)
        return None

    def _directory(self, name: str, given: tuple[int, ...]) -> bytes | None:
        if name == "FREE_REQUEST":
            freed = self.driver.free_request(given[0])
            return LAYOUTS[name].pack(given[0], freed.removed, freed.stayed, 0)
        token, request, layer, head, *rest = given
        block = KvAddress(request, layer, head, token)
        if name == "INSERT":
            place = self.driver.insert(InsertRequest(block, rest[0], rest[1]))
            return LAYOUTS[name].pack(*given[:8], place.phys_addr, place.index, 0)
        if name == "LOOKUP":
            found = self.driver.lookup(block, touch=bool(rest[0]))
            if found is None:
                raise OSError(errno.ENOENT, "miss")
            return LAYOUTS[name].pack(*given[:5], found.tier, found.phys_addr, found.index, 0)
        if name == "REMOVE":
            self.driver.remove(block)
        else:
            self.driver.migrate(block, rest[0])
        return None

    def records(self) -> list[tuple[int, ...]]:
        return [
            (0, 0, self.lost, c.kv_addr.token, c.kv_addr.request_id, c.kv_addr.layer, c.kv_addr.head,
             uapi.EventKind.COMPLETION, c.status, c.from_tier, c.to_tier, 0)
            for c in self.driver.completions()
        ]  # fmt: skip

    def wait(self, timeout_ns: int) -> None:
        run(self.inner.sleep(timeout_ns))

    def lookup(self, port: int, kv_addr: int, *, write: bool) -> LookupAnswer:
        return run(self.inner.lookup(port, kv_addr, write))

    def read(self, tier: int, phys_addr: int, count: int) -> bytes:
        return run(self.inner.mem_read(tier, phys_addr, count))

    def write(self, tier: int, phys_addr: int, data: bytes) -> None:
        run(self.inner.mem_write(tier, phys_addr, data))


class OnStandIn(LinuxTransport):
    """Its time is the device model's."""

    def __init__(self, node: StandIn) -> None:
        super().__init__(node, node)  # type: ignore[arg-type]  # one fake is both
        self.inner = node.inner

    def now(self) -> int:
        return self.inner.now()

    async def sleep(self, ns: int) -> None:
        await self.inner.sleep(ns)


@pytest.fixture
def node() -> StandIn:
    return StandIn()


@pytest.fixture
def driver(node: StandIn) -> Any:
    """The driver of sw/, unchanged, over the transport under test."""
    made: Any = Sync(run(Driver.probe(OnStandIn(node))))
    made.configure_tiers({tier: TierConfig(base=tier << 28, slots=4) for tier in range(4)})
    return made


def test_directory_commands_end_as_over_any_transport(driver: Any) -> None:
    place = driver.insert(InsertRequest(BLOCK, 47, 1))
    assert driver.lookup(BLOCK, touch=False).phys_addr == place.phys_addr
    assert driver.lookup(KvAddress(7, 1, 2, 64), touch=False) is None
    with pytest.raises(DirectoryError, match="EXISTS"):
        driver.insert(InsertRequest(BLOCK, 47, 1))
    with pytest.raises(DirectoryError, match="MISS"):
        driver.remove(KvAddress(7, 1, 2, 64))
    answers = driver.insert_many([InsertRequest(KvAddress(8, 0, 0, 16 * n), 16 * n + 15, 2) for n in range(5)])
    assert [answer.status for answer in answers] == [Status.OK] * 4 + [Status.NO_SLOT]
    assert driver.free_request(8).removed == 4


def test_completions_come_from_the_nodes_records(driver: Any) -> None:
    driver.insert(InsertRequest(BLOCK, 47, 1))
    driver.migrate(BLOCK, 2)
    (item,) = driver.wait_completions(1_000_000)
    assert (item.kv_addr, item.from_tier, item.to_tier, item.status) == (BLOCK, 1, 2, Completion.OK)
    assert driver.status()["COMPLETION_LEVEL"] == 0


def test_a_lost_record_is_an_error(driver: Any, node: StandIn) -> None:
    driver.insert(InsertRequest(BLOCK, 47, 1))
    driver.migrate(BLOCK, 2)
    node.lost = 3
    with pytest.raises(TransportError, match="3 records were lost"):
        driver.wait_completions(1_000_000)


def test_hints_are_bound_for_as_long_as_they_take(driver: Any, node: StandIn) -> None:
    driver.set_span(2, 1)
    driver.hot(KvAddress(7, 0, 3, 20), 30)  # a byte of three blocks
    driver.prefetch(KvAddress(7, 0, 3, 0), 16, 9)
    size = node.attribute("block_bytes")
    assert node.hints == [
        ("MARK_HOT", KvAddress(7, 0, 3, 16), 3 * size, 0), ("MARK_HOT", KvAddress(7, 1, 3, 16), 3 * size, 0),
        ("PREFETCH", KvAddress(7, 0, 3, 0), size, 9), ("PREFETCH", KvAddress(7, 1, 3, 0), size, 9),
    ]  # fmt: skip
    assert not node.bound


def test_steps_end_with_their_scan(driver: Any) -> None:
    driver.step_and_scan(5, 1_000_000)
    assert driver.current_step() == 5


def test_what_the_driver_keeps_for_itself_is_refused(driver: Any) -> None:
    with pytest.raises(Refused, match="DMA_ERROR_INFO"):
        driver.dma_error()
    with pytest.raises(Refused, match="PORT0_REQ_LO"):
        driver.configure_window(0, 1, 2)
    driver.insert(InsertRequest(BLOCK, 47, 1))
    with pytest.raises(Refused, match="TIER1_BASE"):  # the tier is in use
        driver.configure_tiers({1: TierConfig(base=1 << 30, slots=4)})
