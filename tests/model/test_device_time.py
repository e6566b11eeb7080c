"""The device model in time: moves of real bytes, errors, interrupts, scans, ENABLE."""

from __future__ import annotations

import random

import pytest

from model.errors import PortNotReady
from model.memory import MemoryFault, TierMemory
from model.timing import Timing
from model.types import CompletionStatus
from sw.regs import registers as regs
from tests.model.helpers import kv
from tests.model.mmio import Bench

DATA = random.Random(1).randbytes(512)


def migrate(bench: Bench, address: int, tier: int) -> None:
    assert bench.command(regs.Command.MIGRATE, address, TIER=tier) == regs.Status.OK


def completion(bench: Bench) -> tuple[int, int, int, regs.Completion]:
    info = regs.COMPLETION_INFO.unpack(bench.read(regs.COMPLETION_INFO))
    assert info["VALID"] == 1
    address = bench.read(regs.COMPLETION_ADDR)
    return address, info["FROM"], info["TO"], regs.Completion(info["STATUS"])


def test_a_move_carries_the_bytes() -> None:
    bench = Bench().setup()
    address = bench.insert(kv(), 1)
    bench.device.mem_write(1, address, DATA)
    migrate(bench, kv(), 3)
    bench.idle()
    assert completion(bench) == (kv(), 1, 3, regs.Completion.OK)
    where = bench.device.lookup(0, kv())
    assert (where.tier, bench.device.mem_read(3, where.phys_addr, 512)) == (3, DATA)
    assert bench.device.mem_read(1, address, 512) == DATA  # freed slots keep their bytes
    assert bench.read(regs.EVICT_BYTES_MOVED) == 512
    assert bench.read(regs.COMPLETION_INFO) == bench.read(regs.COMPLETION_ADDR) == 0


def test_until_the_commit_lookups_get_the_old_place() -> None:
    bench = Bench().setup()
    bench.insert(kv(), 1)
    migrate(bench, kv(), 3)
    tiers = set()
    while not bench.device.idle:
        tiers.add(bench.device.lookup(0, kv()).tier)
    assert tiers in ({1}, {1, 3})
    assert bench.device.lookup(0, kv()).tier == 3


def test_a_write_during_the_move_keeps_its_bytes() -> None:
    bench = Bench().setup()
    address = bench.insert(kv(), 1)
    bench.device.mem_write(1, address, DATA)
    bench.write(regs.STEP_ADVANCE, 1)
    bench.idle()
    migrate(bench, kv(), 3)
    assert bench.device.dma.running == 1
    there = bench.device.lookup(0, kv(), write=True)
    bench.device.mem_write(there.tier, there.phys_addr, b"new")
    bench.idle()
    assert completion(bench)[3] == regs.Completion.VOID
    after = bench.device.lookup(0, kv())
    assert (after.tier, after.phys_addr) == (1, address)
    assert bench.device.mem_read(1, address, 512) == b"new" + DATA[3:]
    assert bench.read(regs.EVICT_VOID_COUNT) == 1


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    ("count", "status"), [(1, regs.Completion.OK), (2, regs.Completion.OK), (3, regs.Completion.ERROR)]
)
def test_axi_errors_are_tried_again(write: bool, count: int, status: regs.Completion) -> None:
    bench = Bench().setup()
    address = bench.insert(kv(), 1)
    bench.device.mem_write(1, address, DATA)
    bench.device.memory.faults.append(MemoryFault(3 if write else 1, write, count=count))
    migrate(bench, kv(), 3)
    bench.idle()
    assert completion(bench) == (kv(), 1, 3, status)
    assert bench.read(regs.EVICT_ERROR_COUNT) == count
    info = regs.DMA_ERROR_INFO.unpack(bench.read(regs.DMA_ERROR_INFO))
    assert info == {"VALID": 1, "CHANNEL": 0, "WRITE": write}
    assert bench.read(regs.DMA_ERROR_ADDR) == kv()
    assert bench.field(regs.IRQ_STATUS, "DMA_ERR") == 1
    bench.write(regs.DMA_ERROR_INFO, 1)
    assert bench.read(regs.DMA_ERROR_INFO) == bench.read(regs.DMA_ERROR_ADDR) == 0
    where = bench.device.lookup(0, kv())
    assert bench.device.mem_read(where.tier, where.phys_addr, 512) == DATA
    assert where.tier == (1 if status == regs.Completion.ERROR else 3)


def test_errors_hit_only_their_addresses() -> None:
    memory = TierMemory()
    memory.faults.append(MemoryFault(2, False, first=1000, last=1999, count=None))
    assert not memory.fails(2, 488, 512, write=False)
    assert memory.fails(2, 489, 512, write=False)
    assert memory.fails(2, 1999, 1, write=False)
    assert not memory.fails(2, 2000, 512, write=False)
    assert not memory.fails(2, 1500, 1, write=True)
    assert not memory.fails(1, 1500, 1, write=False)


def test_memory_is_bytes_and_reads_0_where_never_written() -> None:
    memory = TierMemory()
    edge = (1 << 16) * 5 - 3
    memory.write(1, edge, b"abcdef")
    assert memory.read(1, edge - 2, 10) == b"\0\0abcdef\0\0"
    assert memory.read(0, edge, 6) == bytes(6)
    memory.write(2, (1 << 64) - (1 << 16), b"top")
    assert memory.read(2, (1 << 64) - (1 << 16), 3) == b"top"


def test_an_interrupt_ends_the_wait_and_a_limit_does_too() -> None:
    bench = Bench().setup()
    start = bench.device.clock.cycle
    assert not bench.device.wait_irq(1000)
    assert bench.device.clock.cycle == start + 1000
    bench.write(regs.IRQ_ENABLE, 1)
    bench.write(regs.STEP_ADVANCE, 1)
    begun = bench.device.clock.cycle
    assert bench.device.wait_irq(100_000)
    took = bench.device.clock.cycle - begun
    assert 256 <= took <= 256 + 64
    assert abs(bench.read(regs.SCAN_CYCLES) - took) <= 2
    assert bench.device.now_ns == bench.device.clock.cycle * 4


def test_a_scan_takes_rows_cycles_and_decides_on_its_way() -> None:
    bench = Bench(timing=Timing(scan_chunk=64)).setup()
    bench.write(regs.THRESHOLDS, 65535 << 16 | 65535)
    for block in range(8):
        bench.insert(kv(block=block))
    state = bench.device.state
    state.entries.arrays["r"][:] = 0
    bench.write(regs.STEP_ADVANCE, 9)
    bench.idle()
    assert bench.read(regs.EVICT_BYTES_MOVED) == 8 * 512
    assert 0 < bench.read(regs.FIRST_DECISION_CYCLES) < 256 + 32
    assert bench.field(regs.STATUS, "COMPLETION_LEVEL") == 8
    state.check()


def test_steps_during_a_scan_coalesce() -> None:
    bench = Bench().setup()
    for step in range(1, 6):
        bench.write(regs.STEP_ADVANCE, step)
    assert bench.field(regs.STATUS, "SCANNING") == 1
    bench.idle()
    assert bench.read(regs.SCAN_COUNT) == 2
    assert bench.read(regs.SCAN_COALESCED_COUNT) == 3


def test_without_enable_nothing_moves_and_ports_are_not_ready() -> None:
    bench = Bench().setup()
    bench.insert(kv(), 1)
    bench.write(regs.CTRL, 0)
    with pytest.raises(PortNotReady):
        bench.device.lookup(0, kv())
    migrate(bench, kv(), 2)
    bench.write(regs.STEP_ADVANCE, 7)
    bench.device.advance(50_000)
    assert bench.field(regs.STATUS, "EVICT_LEVEL") == 1
    assert bench.read(regs.STEP_ADVANCE) == 7
    assert bench.read(regs.SCAN_COUNT) == 0
    bench.write(regs.CTRL, 1)
    bench.idle()
    assert completion(bench)[3] == regs.Completion.OK


def test_soft_reset_in_the_middle_of_moves() -> None:
    bench = Bench().setup()
    for block in range(20):
        bench.insert(kv(block=block), 1)
    bench.write(regs.IMEVICT_ADDR, kv())
    bench.write(regs.IMEVICT_LEN, 20 * 16)
    bench.device.advance(80)
    assert bench.device.dma.running
    bench.write(regs.CTRL, regs.CTRL.pack(ENABLE=1, SOFT_RESET=1))
    bench.idle()
    bench.device.state.check()
    assert bench.field(regs.STATUS, "COMPLETION_LEVEL") == 0
    bench.insert(kv(), 2)


def test_data_on_the_bus_bounds_the_moves() -> None:
    bench = Bench().setup(64, 64, 64, 64)
    for block in range(64):
        bench.insert(kv(block=block), 1)
    start = bench.device.clock.cycle
    bench.write(regs.IMEVICT_ADDR, kv())
    bench.write(regs.IMEVICT_LEN, 64 * 16)
    bench.idle()
    took = bench.device.clock.cycle - start
    assert 64 * 8 <= took <= 64 * 8 + 800  # 8 beats a block on a 512 bit bus, latencies overlap
    assert bench.read(regs.EVICT_BYTES_MOVED) == 64 * 512


class Runtime:
    """Software that writes bytes where write lookups say, and knows what it wrote."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.bench = Bench(timing=Timing(scan_chunk=32)).setup(4, 12, 24, 64)
        self.device = self.bench.device
        self.contents: dict[int, bytes] = {}
        self.step = 0
        self.bench.write(regs.EVICT_TIERS, 7)
        self.bench.write(regs.CTRL, regs.CTRL.pack(ENABLE=1, DEMAND=1))
        self.bench.write(regs.THRESHOLDS, 50000 << 16 | 30000)
        for tier in range(3):
            self.bench.write(regs.TIER_LOW[tier], 2)
            self.bench.write(regs.TIER_HIGH[tier], 3)

    def store(self, address: int) -> None:
        place = self.device.lookup(self.rng.randrange(3), address, write=True)
        assert place.hit
        self.contents[address] = self.rng.randbytes(512)
        self.device.mem_write(place.tier, place.phys_addr, self.contents[address])

    def load(self, address: int) -> None:
        place = self.device.lookup(self.rng.randrange(3), address)
        assert place.hit
        assert self.device.mem_read(place.tier, place.phys_addr, 512) == self.contents[address]

    def insert(self, address: int) -> None:
        arguments = {"TOKEN_END": (address & 0xFFFFFFFF) + 15, "TIER": self.rng.randrange(4)}
        if self.bench.command(regs.Command.INSERT, address, **arguments) == regs.Status.OK:
            self.store(address)

    def hint(self, address: int) -> None:
        if self.rng.random() < 0.5:
            self.bench.write(regs.IMEVICT_ADDR, address)
            self.bench.write(regs.IMEVICT_LEN, self.rng.randrange(1, 100))
        else:
            self.bench.write(regs.PREFETCH_ADDR, address)
            self.bench.write(regs.PREFETCH_LEN, 40)
            self.bench.write(regs.PREFETCH_STEP, self.step + self.rng.randrange(2))

    def advance(self) -> None:
        self.step += 1
        self.bench.write(regs.STEP_ADVANCE, self.step)

    def disturb(self) -> None:
        """An AXI error to come, some time, and the completion queue read."""
        fault = MemoryFault(self.rng.randrange(4), self.rng.random() < 0.5)
        self.device.memory.faults = [fault]
        self.device.advance(self.rng.randrange(600))
        while self.bench.field(regs.STATUS, "COMPLETION_LEVEL"):
            self.bench.read(regs.COMPLETION_ADDR)

    def act(self) -> None:
        address = kv(self.rng.randrange(1, 4), self.rng.randrange(12))
        action = self.rng.randrange(12)
        if action <= 1 and address not in self.contents:
            self.insert(address)
        elif action <= 5 and address in self.contents:
            self.load(address)
        elif action == 6 and address in self.contents:
            self.store(address)
        elif action == 7 and self.rng.random() < 0.2 and address in self.contents:
            if self.bench.command(regs.Command.REMOVE, address) == regs.Status.OK:
                del self.contents[address]
        else:
            self.rng.choice((lambda: self.hint(address), self.advance, self.disturb))()
        self.device.state.check()


@pytest.mark.parametrize("seed", range(8))
def test_bytes_survive_whatever_the_device_moves(seed: int) -> None:
    runtime = Runtime(seed)
    for _ in range(1500):
        runtime.act()
    for address in runtime.contents:
        runtime.load(address)
    bench = runtime.bench
    bench.idle()
    moved = bench.read(regs.EVICT_BYTES_MOVED) + bench.read(regs.PREFETCH_BYTES_MOVED)
    assert moved > 20 * 512
    assert runtime.device.state.departures == [0] * 4


def test_two_runs_of_the_same_accesses_are_the_same() -> None:
    def run() -> tuple[str, int]:
        bench = Bench().setup()
        for block in range(40):
            bench.insert(kv(block=block), block % 3)
        bench.write(regs.IMEVICT_ADDR, kv())
        bench.write(regs.IMEVICT_LEN, 40 * 16)
        bench.step(3)
        return bench.device.state.digest(), bench.device.clock.cycle

    assert run() == run()


def test_completion_status_values_are_those_of_the_register() -> None:
    assert {s.name: s.value for s in CompletionStatus} == {s.name: s.value for s in regs.Completion}
