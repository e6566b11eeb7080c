"""Agents of the top-level environment: MMIO, lookup ports, memories.

Their items are whole batches: the signals move in HDL and C++ (tb/hdl, tb/dpi), Python hands over arrays.
"""

from typing import Any

import numpy as np
from pyuvm import uvm_agent, uvm_component, uvm_driver, uvm_sequence, uvm_sequence_item, uvm_sequencer

from tb.harness.bench import Bench
from tb.harness.link import Array


class MmioItem(uvm_sequence_item):
    """A batch of accesses to BAR0 (`bar` 0) or BAR2 (1); results are in the records, `done` tells how many ran."""

    def __init__(self, accesses: Array, bar: int = 0, stop_on_refused: bool = False) -> None:
        super().__init__("mmio")
        self.accesses, self.bar, self.stop_on_refused = accesses, bar, stop_on_refused
        self.done = 0


class LookupItem(uvm_sequence_item):
    """Lookups of one port; `answers` are there when the item is finished."""

    def __init__(self, kv_addrs: Any, writes: Any = 0) -> None:
        super().__init__("lookups")
        self.kv_addrs = np.asarray(kv_addrs, dtype=np.uint64)
        self.writes = writes
        self.answers: Array = np.zeros(0)


class MmioDriver(uvm_driver):
    """Drives the batches of one BAR."""

    bench: Bench

    async def run_phase(self) -> None:
        """Items one after another, for ever."""
        while True:
            item = await self.seq_item_port.get_next_item()
            item.done = await self.bench.run_accesses(item.accesses, item.bar, item.stop_on_refused)
            self.seq_item_port.item_done()


class LookupDriver(uvm_driver):
    """Drives the lookups of one port."""

    bench: Bench
    port: int

    async def run_phase(self) -> None:
        """Items one after another, for ever."""
        while True:
            item = await self.seq_item_port.get_next_item()
            item.answers = await self.bench.lookups(self.port, item.kv_addrs, item.writes)
            self.seq_item_port.item_done()


class MmioAgent(uvm_agent):
    """CommandQueue and driver of one BAR."""

    def __init__(self, name: str, parent: uvm_component, bench: Bench) -> None:
        super().__init__(name, parent)
        self.bench = bench

    def build_phase(self) -> None:
        """Make both."""
        self.sequencer = uvm_sequencer("sequencer", self)
        self.driver = MmioDriver("driver", self)
        self.driver.bench = self.bench

    def connect_phase(self) -> None:
        """Driver takes from sequencer."""
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)


class LookupAgent(uvm_agent):
    """CommandQueue and driver of one lookup port."""

    def __init__(self, name: str, parent: uvm_component, bench: Bench, port: int) -> None:
        super().__init__(name, parent)
        self.bench, self.port = bench, port

    def build_phase(self) -> None:
        """Make both."""
        self.sequencer = uvm_sequencer("sequencer", self)
        self.driver = LookupDriver("driver", self)
        self.driver.bench, self.driver.port = self.bench, self.port

    def connect_phase(self) -> None:
        """Driver takes from sequencer."""
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)


class MemoryAgent(uvm_agent):
    """The AXI4 memories: how slow, how irregular, how faulty they are."""

    def __init__(self, name: str, parent: uvm_component, bench: Bench) -> None:
        super().__init__(name, parent)
        self.link = bench.link

    def ideal(self, latency: int = 4) -> None:
        """Every tier the same, no stalls, answers in order."""
        for tier in range(4):
            self.link.axi_timing(tier, latency, latency, 0, 0, 256, 256)
        self.link.axi_port(0, 0, 0, 0, 0, 0, 0, 0, 0)

    def tiered(self) -> None:
        """Slower tiers are slower: latency and bandwidth."""
        for tier, (latency, gap) in enumerate([(20, 256), (60, 256), (150, 512), (400, 1024)]):
            self.link.axi_timing(tier, latency, latency, latency // 4, latency // 4, gap, gap)

    def irregular(self, rng: Any) -> None:
        """Random latencies, stalls, reordering and interleaving."""
        for tier in range(4):
            read, write = rng.randrange(1, 80), rng.randrange(1, 80)
            self.link.axi_timing(tier, read, write, rng.randrange(40), rng.randrange(40), 256 << rng.randrange(3), 256)
        stalls = [rng.choice([0, 32, 128, 200]) for _ in range(5)]
        reorder, interleave = rng.choice([0, 64, 256]), rng.choice([0, 64, 256])
        self.link.axi_port(*stalls, reorder, interleave, rng.choice([0, 20]), 300)

    def errors(self, tiers: int, write: bool, per256: int, response: int, count: int = 0xFFFF_FFFF) -> int:
        """From now on bursts to the tiers of a mask fail with a chance; returns the rule's number."""
        return int(self.link.axi_error(tiers, int(write), 0, 2**64 - 1, count, per256, response))


class OneItem(uvm_sequence):
    """A sequence of a single item, for code that is written as calls."""

    def __init__(self, item: uvm_sequence_item) -> None:
        super().__init__("one_item")
        self.item = item

    async def body(self) -> None:
        """Start and finish it."""
        await self.start_item(self.item)
        await self.finish_item(self.item)
