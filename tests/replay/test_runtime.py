"""The runtime on the device model: every byte right at the end, and defects of the device noticed."""

from collections.abc import Callable
from itertools import pairwise
from types import MethodType
from typing import Any

import pytest

from model.device import DeviceModel
from model.types import MoveResult
from sw.regs.kv_address import KvAddress
from sw.replay.blocks import Block, PrefixBlocks, runs
from sw.replay.config import ReplayConfig, tier_slots
from sw.replay.content import kv_bytes
from sw.replay.generator import generate
from sw.replay.records import Sample, Tally
from sw.replay.runtime import Replay
from sw.replay.trace import TraceRequest
from sw.run import run
from sw.transport.model import ModelTransport

SMALL = {"entries": 2048, "lanes": 4}


class Difference(Exception):
    """A comparison that did not hold."""


class Checks:
    def __init__(self) -> None:
        self.subjects: set[str] = set()
        self.count = 0

    def compare(self, subject: str, expected: Any, seen: Any, **where: Any) -> None:
        self.count += 1
        self.subjects.add(subject)
        if expected != seen:
            raise Difference(f"{subject} {where}: expected {expected}, seen {seen}")


def replay(
    workload: list[TraceRequest],
    *,
    device: DeviceModel | None = None,
    slots: tuple[int, int, int, int] | None = None,
    seed: int = 1,
    **settings: int,
) -> tuple[Tally, Checks, list[Sample], DeviceModel]:
    device = device or DeviceModel(**SMALL)
    checks, samples = Checks(), list[Sample]()
    config = ReplayConfig(slots=slots or tier_slots(workload, device.state.entry_count), **settings)
    job = Replay(
        ModelTransport(device), workload, config, checks, seed=seed, observer=lambda sample, _: samples.append(sample)
    )
    return run(job.run()), checks, samples, device


@pytest.fixture(scope="module")
def workload() -> list[TraceRequest]:
    return list(generate(1, 60))


def test_whole_replay(workload: list[TraceRequest]) -> None:
    tally, checks, samples, device = replay(workload)
    assert tally.requests == len(workload)
    assert tally.references == sum(len(request.hash_ids) for request in workload)
    assert tally.hits == sum(tally.hits_by_tier)
    assert tally.inserts == sum(tally.inserts_by_tier)
    assert tally.evictions > 200
    assert tally.promotions > 10
    assert tally.removals > 0
    assert sum(hits > 0 for hits in tally.hits_by_tier) == 4, "the tiers are smaller than the working set"
    assert tally.tokens == sum(-(-request.output_length // 32) for request in workload)
    assert {"KV bytes", "lookup hit", "miss queue", "RTBD_HIT_COUNT", "slots not free, by tier"} <= checks.subjects
    assert samples[-1].step == tally.steps == len(samples)
    assert any(sample.scores for sample in samples)
    device.state.check()
    left = {entry.request_id for _, entry in device.state.dump()}
    assert left == {0}, "blocks of ended requests are gone"
    assert all(entry.ref_count == 0 for _, entry in device.state.dump())


def test_same_run_for_same_seed(workload: list[TraceRequest]) -> None:
    first, second = replay(workload[:20])[::2], replay(workload[:20])[::2]
    assert first == second


def test_steps_are_far_enough_apart(workload: list[TraceRequest]) -> None:
    samples = replay(workload[:10], step_cycles=30_000)[2]
    cycles = [sample.cycle for sample in samples]
    assert all(later - earlier >= 30_000 for earlier, later in pairwise(cycles))


@pytest.mark.parametrize("slots", [(16, 16, 16, 16), (64, 0, 0, 0), (0, 0, 0, 80), (8, 64, 8, 64)])
def test_too_few_slots(workload: list[TraceRequest], slots: tuple[int, int, int, int]) -> None:
    """What finds no place is dropped and counted; the rest is right."""
    tally, _, samples, _ = replay(workload[:30], slots=slots)
    assert tally.requests == 30
    assert tally.drops > 0
    assert tally.removals > 0
    assert all(used <= count for sample in samples for used, count in zip(sample.occupied, slots, strict=True))


def test_full_directory() -> None:
    """More slots than entries: INSERT ends FULL, and removing makes room."""
    workload = list(generate(3, 120))
    tally, _, _, _ = replay(workload, slots=(1024, 1024, 1024, 1024), device=DeviceModel(entries=1024, lanes=4))
    assert tally.refusals > 0
    assert tally.removals > 0
    assert tally.requests == 120


def test_odd_requests() -> None:
    """No prompt, no output, ids twice, time going back."""
    workload = [
        TraceRequest(0, 0, 0, ()),
        TraceRequest(5000, 600, 0, (1, 2)),
        TraceRequest(4000, 600, 2000, (1, 2, 2, 1)),
        TraceRequest(900_000, 0, 700, ()),
    ]
    tally, _, _, _ = replay(workload, slots=(64, 64, 64, 64))
    assert (tally.requests, tally.references, tally.hits) == (4, 4, 2)


def test_one_lookup_port(workload: list[TraceRequest]) -> None:
    assert replay(workload[:10], device=DeviceModel(ports=1, **SMALL))[0].requests == 10


@pytest.mark.parametrize("block_tokens", [1, 64, 256])
def test_other_block_sizes(workload: list[TraceRequest], block_tokens: int) -> None:
    tally = replay(workload[:6], device=DeviceModel(block_tokens=block_tokens, **SMALL))[0]
    assert tally.requests == 6


# ---------------------------------------------------------------- planted defects


def flipped_byte(device: DeviceModel, _: pytest.MonkeyPatch) -> None:
    """Some copies have one wrong byte."""
    memory = device.memory
    write, count = memory.write, 0

    class Copies:
        read, fails = memory.read, memory.fails

        @staticmethod
        def write(tier: int, address: int, data: bytes) -> None:
            nonlocal count
            count += 1
            wrong = bytearray(data)
            wrong[100] ^= count % 20 == 0
            write(tier, address, wrong)

    device.dma._memory = Copies  # type: ignore[assignment]


def copy_elsewhere(device: DeviceModel, _: pytest.MonkeyPatch) -> None:
    """Some copies end in the neighbour's slot."""
    memory = device.memory
    write, count = memory.write, 0

    class Copies:
        read, fails = memory.read, memory.fails

        @staticmethod
        def write(tier: int, address: int, data: bytes) -> None:
            nonlocal count
            count += 1
            write(tier, address + 4096 * (count % 20 == 0), data)

    device.dma._memory = Copies  # type: ignore[assignment]


def write_lost_in_a_move(device: DeviceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is made at the start, and a write meanwhile does not void it."""
    state, dma = device.state, device.dma
    start, outcome = state.start, state._outcome

    def copy_at_once(_: Any, item: Any, **named: Any) -> Any:
        result = start(item, **named)
        if result.result == MoveResult.OK:
            data = device.memory.read(result.tier, result.phys_addr, state.config.block_bytes)
            device.memory.write(result.to_tier, result.to_phys_addr, data)
        return result

    def never_void(_: Any, item: Any, index: int | None, error: bool, last: bool) -> Any:
        if index is not None:
            state.entries.voided[index] = 0
        return outcome(item, index, error, last)

    class NoCopy:
        read, fails = device.memory.read, device.memory.fails

        @staticmethod
        def write(tier: int, address: int, data: bytes) -> None:
            pass

    monkeypatch.setattr(state, "start", MethodType(copy_at_once, state))
    monkeypatch.setattr(state, "_outcome", MethodType(never_void, state))
    dma._memory = NoCopy  # type: ignore[assignment]


def commit_of_another_slot(device: DeviceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry names the slot next to the one that was filled."""
    state = device.state
    commit = state._commit

    def wrong(_: Any, item: Any, index: int) -> None:
        commit(item, index)
        state.entries.slot[index] ^= 1

    monkeypatch.setattr(state, "_commit", MethodType(wrong, state))


def leaked_slot(device: DeviceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the slots that migrations left never becomes free again."""
    pool = device.state.pools[0]
    fence = pool.fence

    def leaks(_: Any) -> None:
        kept = pool._held.popleft() if len(pool._held) > 3 and not leaked else None
        fence()
        if kept is not None:
            leaked.append(kept)

    leaked: list[int] = []
    monkeypatch.setattr(pool, "fence", MethodType(leaks, pool))


def wrong_answer(device: DeviceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some lookups answer with the place of another block of the tier."""
    lookup, count = device.state.lookup, 0

    def wrong(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        answer = lookup(*arguments, **named)
        return answer._replace(phys_addr=answer.phys_addr ^ 4096) if answer.hit and count % 500 == 0 else answer

    monkeypatch.setattr(device.state, "lookup", wrong)


def denied_answers(device: DeviceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup of a present block misses."""
    lookup, count = device.state.lookup, 0

    def wrong(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        answer = lookup(*arguments, **named)
        return type(answer)(False, False, 0, 0, 0) if answer.hit and count % 500 == 0 else answer

    monkeypatch.setattr(device.state, "lookup", wrong)


def uncounted_hit(device: DeviceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """HIT_COUNT misses one event."""
    lookup, count = device.state.lookup, 0

    def wrong(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        answer = lookup(*arguments, **named)
        device.state.counters.hit -= count == 700
        return answer

    monkeypatch.setattr(device.state, "lookup", wrong)


def stale_miss(device: DeviceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The miss queue gives an address twice."""
    pop, before = device.state.pop_miss, list[Any]()

    def twice() -> Any:
        before.append(pop())
        return before[-2] if len(before) == 9 else before[-1]

    monkeypatch.setattr(device.state, "pop_miss", twice)


def request_not_freed(device: DeviceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """FREE_REQUEST leaves a block behind."""
    free, count = device.state.free_entry, 0

    def forgets(index: int, request_id: int) -> Any:
        nonlocal count
        if device.state.entries.valid[index] and device.state.entry(index).request_id == request_id:
            count += 1
            if count == 5:
                return None
        return free(index, request_id)

    monkeypatch.setattr(device.state, "free_entry", forgets)


def lost_release(device: DeviceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """RELEASE of one block is forgotten: the runtime's REMOVE is then refused."""
    release, count = device.state.release, 0

    def forgets(kv_addr: int) -> bool:
        nonlocal count
        count += 1
        return True if 10 < count < 60 else release(kv_addr)

    monkeypatch.setattr(device.state, "release", forgets)


Defect = Callable[[DeviceModel, pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        (flipped_byte, "KV bytes"),
        (copy_elsewhere, "KV bytes"),
        (write_lost_in_a_move, "KV bytes"),
        (commit_of_another_slot, "KV bytes|distinct places|lookup place"),
        (leaked_slot, "slots not free, by tier"),
        (wrong_answer, "KV bytes|lookup place"),
        (denied_answers, "lookup hit"),
        (uncounted_hit, "RTBD_HIT_COUNT"),
        (stale_miss, "miss queue"),
        (request_not_freed, "FREE_REQUEST removed, stayed"),
        (lost_release, "REFERENCED"),
    ],
)
def test_notices(workload: list[TraceRequest], monkeypatch: pytest.MonkeyPatch, defect: Defect, message: str) -> None:
    device = DeviceModel(**SMALL)
    defect(device, monkeypatch)
    with pytest.raises(Exception, match=message):
        replay(workload, device=device)


# ---------------------------------------------------------------- parts


def test_prompts_share_ranges() -> None:
    prefixes = PrefixBlocks(16)
    first, second = prefixes.prompt([7, 8, 9]), prefixes.prompt([7, 8, 10])
    assert [block.kv_addr.token for block in first] == [0, 16, 32]
    assert [block.kv_addr.token for block in second] == [0, 16, 48]
    assert second[0] is first[0]


def test_least_recently_used_goes_first() -> None:
    prefixes = PrefixBlocks(16)
    blocks = prefixes.prompt([1, 2, 3, 4])
    for block in blocks:
        block.present = True
        prefixes.use(block)
    for block in (blocks[2], blocks[0], blocks[1]):
        prefixes.leave(block)
    prefixes.use(blocks[0])
    assert prefixes.least_valuable(5) == [blocks[2], blocks[1]]
    assert prefixes.least_valuable(-3) == []


def test_runs_join_neighbours() -> None:
    blocks = [Block(KvAddress(0, 0, 0, token), 16) for token in (48, 0, 16, 64, 96, 0)]
    assert runs(blocks) == [(0, 32), (48, 32), (96, 16)]
    assert runs([]) == []


def test_bytes_tell_address_version_and_token() -> None:
    base = kv_bytes(5 << 48, 1, 4, 64)
    assert len(base) == 256
    assert kv_bytes((5 << 48) + 2, 1, 2, 64) == base[128:], "a token's bytes do not depend on where the write began"
    for other in (kv_bytes(5 << 48, 2, 4, 64), kv_bytes(6 << 48, 1, 4, 64), kv_bytes((5 << 48) + 1, 1, 4, 64)):
        assert sum(a == b for a, b in zip(base, other, strict=True)) < 20
