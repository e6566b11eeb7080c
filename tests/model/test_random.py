"""Random transactions: the golden model against the reference, all state after every one."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.model.fuzzer import Fuzzer
from tests.model.pair import Pair


@pytest.mark.parametrize("seed", range(24))
def test_few_names_few_slots(seed: int) -> None:
    fuzzer = Fuzzer(seed)
    fuzzer.run(500)
    assert fuzzer.pair.model.counters.hit > 0


@pytest.mark.parametrize("seed", range(6))
def test_a_crowded_device_with_full_queues(seed: int) -> None:
    """Hundreds of names, moves that seldom start: the queues fill, decisions wait and drop."""
    fuzzer = Fuzzer(1000 + seed, Pair(lanes=(4, 8, 16)[seed % 3]))
    fuzzer.crowd(300)
    fuzzer.run(700, compare_every=20)
    counters = fuzzer.pair.model.counters
    assert sum(counters.dropped) > 0
    assert counters.scan_done > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_nearly_full_directory_relocates(seed: int) -> None:
    """INSERTs move other entries out of the way, also while a scan runs."""
    fuzzer = Fuzzer(2000 + seed)
    fuzzer.crowd(1000)
    model = fuzzer.pair.model
    during_scan = 0
    relocate = model.relocate

    def counting(source: int, target: int) -> None:
        nonlocal during_scan
        during_scan += model.scan is not None and not model.entries.scored[source]
        relocate(source, target)

    model.relocate = counting  # type: ignore[method-assign]
    fuzzer.run(800, compare_every=40)
    assert during_scan > 0


kvs = st.builds(
    lambda request, layer, block, offset: request << 48 | layer << 40 | (block * 4 + offset),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0, 7]),
    st.sampled_from([0, 1, 2, (1 << 30) - 1]),
    st.integers(0, 3),
)


class Machine(RuleBasedStateMachine):
    """Hypothesis picks the transactions and shrinks what fails."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()
        self.pair.set_slots(2, 3, 3, 4)
        self.pair.model.config.enable = True
        self.pair.model.config.evict_thresh = 20000
        self.pair.model.config.evict_tiers = 7

    @rule(kv=kvs, count=st.integers(-1, 4), tier=st.integers(0, 3), hot=st.booleans())
    def insert(self, kv: int, count: int, tier: int, hot: bool) -> None:
        start = kv & 0xFFFFFFFC
        self.pair.insert(kv - (kv & 3), (start + count) & 0xFFFFFFFF, tier, hot=hot)

    @rule(kv=kvs, write=st.booleans(), port=st.integers(0, 2))
    def lookup(self, kv: int, write: bool, port: int) -> None:
        self.pair.lookup(port, kv, write)

    @rule(kv=kvs, name=st.sampled_from(["boost", "imevict", "cool", "share", "release"]))
    def hint(self, kv: int, name: str) -> None:
        self.pair.hint(name, kv)

    @rule(kv=kvs, ahead=st.integers(-2, 3))
    def prefetch(self, kv: int, ahead: int) -> None:
        self.pair.hint("prefetch", kv, (self.pair.model.step + ahead) & 0xFFFFFFFF)

    @rule(kv=kvs)
    def remove(self, kv: int) -> None:
        self.pair.remove(kv)

    @rule(tenant=st.integers(0, 2))
    def free_request(self, tenant: int) -> None:
        self.pair.free_request(tenant)

    @rule(kv=kvs, tier=st.integers(0, 3))
    def migrate(self, kv: int, tier: int) -> None:
        self.pair.migrate(kv, tier)

    @rule(by=st.sampled_from([1, 1, 1, 300, 1 << 31]))
    def step(self, by: int) -> None:
        self.pair.set_step((self.pair.model.step + by) & 0xFFFFFFFF)

    @precondition(lambda self: self.pair.model.scan_pending and self.pair.model.scan is None)
    @rule()
    def scan_begin(self) -> None:
        self.pair.scan_begin()

    @precondition(lambda self: self.pair.model.scan is not None)
    @rule(rows=st.integers(1, 256))
    def scan_rows(self, rows: int) -> None:
        self.pair.scan_rows(rows)

    @precondition(lambda self: self.pair.model.scan is not None)
    @rule()
    def scan_end(self) -> None:
        self.pair.scan_end()

    @rule(channel=st.integers(0, 1))
    def push_and_start(self, channel: int) -> None:
        self.pair.queue_push(channel)
        self.pair.start(channel)

    @rule(which=st.integers(0, 3), error=st.booleans())
    def end(self, which: int, error: bool) -> None:
        self.pair.end(which, error)

    @rule(name=st.sampled_from(["demand", "enable"]))
    def toggle(self, name: str) -> None:
        config = self.pair.model.config
        setattr(config, name, not getattr(config, name))

    @rule(tier=st.integers(0, 3), low=st.integers(0, 5), high=st.integers(0, 5))
    def bounds(self, tier: int, low: int, high: int) -> None:
        config = self.pair.model.config
        config.low[tier], config.high[tier] = low, high

    @invariant()
    def agree(self) -> None:
        self.pair.compare()


TestMachine = Machine.TestCase
TestMachine.settings = settings(derandomize=True, deadline=None, max_examples=60, stateful_step_count=40)
