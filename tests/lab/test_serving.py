"""The serving engine: costs by hand, batching, preemption, sessions, stalls; the experiment and its page."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from model.policy import PolicyModel
from sw.policy.runtime import Behaviour, Runtime
from sw.replay.generator import generate
from sw.replay.trace import Trace, TraceRequest
from sw.serving.cost import CostModel, Hardware, Link, Model
from sw.serving.engine import Engine, Limits, Measured, tails_at_most
from sw.serving.store import Below, DeviceStore, LruStore
from tb.lab import serving
from tb.lab import settings as declared
from tb.lab.cli import main
from tb.lab.load import load_of, tenanted
from tb.lab.stream import Stream, stream_of

needs_scipy = pytest.mark.skipif(find_spec("scipy") is None, reason="SciPy is installed on request: make setup-lab")
TINY = Model(1e9, 10, 8, 2, 64, 2, 2)
FAST = Hardware(1, 1e14, 1e12, 0.5, 0.5, 0.0)
BLOCK = 512


def cost(link: Link | None = None, hardware: Hardware = FAST) -> CostModel:
    return CostModel(TINY, hardware, link or Link(0.0, 1e12), BLOCK)


def made(*requests: tuple[int, int, int, tuple[int, ...]]) -> Stream:
    """(ms, prompt tokens, output tokens, ids)."""
    return stream_of("t", Trace([TraceRequest(*request) for request in requests]))


def run(
    stream: Stream, store: LruStore | None = None, *, costs: CostModel | None = None, slots: int = 1024,
    running: int = 256, budget: int = 8192, closed: bool = False,
) -> Measured:  # fmt: skip
    load = load_of(
        stream, np.zeros(stream.requests, np.bool_), block_tokens=BLOCK, closed=closed, speedup=1.0, decode_tokens_s=32
    )
    limits = Limits(budget, running, BLOCK, slots)
    return Engine(costs or cost(), limits, load, store or LruStore(slots, 4096)).run()


def test_the_roofline_by_hand() -> None:
    assert TINY.kv_bytes_token == 2 * 10 * 2 * 64 * 2
    # decode of one token: 2 GB of weights at 0.5 TB/s is 4 ms, its 2 GFLOP are 40 us
    assert cost().step_s(1, 0, []) == pytest.approx(2e9 / 5e11)
    # a prompt of 8,192: operations decide
    flops = 8192 * 2e9 + 4 * 10 * 8 * 64 * 8192 * 4096
    assert cost().step_s(0, 0, [(8192, 0)]) == pytest.approx(flops / 5e13)
    assert cost().block_bytes == 512 * TINY.kv_bytes_token


def test_a_single_request_takes_its_steps() -> None:
    stream = made((0, 1024, 3, (1, 2)), (60_000, 1024, 1, (3, 4)))
    m = run(stream)
    prefill = cost().step_s(0, 0, [(1024, 0)])
    assert m.first[0] - m.arrival[0] == pytest.approx(prefill)
    decode = cost().step_s(1, 1025, []) + cost().step_s(1, 1026, [])
    assert m.end[0] - m.first[0] == pytest.approx(decode)
    assert m.end[1] == m.first[1] == pytest.approx(60 + prefill)


def test_a_budget_cuts_prompts_into_chunks_and_decoding_goes_on() -> None:
    alone = made((0, 8192, 1, tuple(range(16))))
    assert (run(alone).steps, run(alone, budget=1024).steps) == (1, 8)
    both = made((0, 512, 200, (99,)), (100, 8192, 1, tuple(range(16))))
    whole, cut = run(both), run(both, budget=1024)
    assert cut.first[1] > cut.first[0]
    assert cut.end[0] == pytest.approx(whole.end[0], rel=0.1), "the other one decodes meanwhile"


def test_running_limits_who_starts() -> None:
    stream = made(*((0, 512, 50, (n,)) for n in range(4)))
    assert run(stream, running=1).longest_queue == 4
    one, all_ = run(stream, running=1), run(stream)
    assert one.end.max() > 3 * all_.end.max()
    assert one.queue > all_.queue


@pytest.mark.parametrize(("slow", "kept", "loaded", "again"), [(64, 0, 1024, 512), (0, 0, 0, 1536)])
def test_what_has_left_the_fast_tier_is_loaded_or_computed_again(slow: int, kept: int, loaded: int, again: int) -> None:
    first, other = (1, 2, 3), tuple(range(10, 18))
    stream = made((0, 1100, 2, first), (5000, 4000, 2, other), (10_000, 1100, 2, first))
    m = run(stream, LruStore(8, slow), slots=8)
    assert (int(m.kept[2]), int(m.loaded[2]), int(m.again[2])) == (kept, loaded, again)
    assert (m.stall[2] > 0) == bool(slow)


def test_a_slow_link_makes_computing_again_cheaper() -> None:
    first, other = (1, 2, 3), tuple(range(10, 18))
    stream = made((0, 1100, 2, first), (5000, 4000, 2, other), (10_000, 1100, 2, first))
    m = run(stream, LruStore(8, 64), costs=cost(Link(0.0, 1e6)), slots=8)
    assert m.loaded.sum() == 0
    assert m.stall.sum() == 0


def test_moves_wait_for_those_before_them_on_the_link() -> None:
    first, other = (1, 2, 3), tuple(range(10, 18))
    stream = made((0, 1100, 2, first), (5000, 4000, 2, other), (10_000, 1100, 2, first))
    link = Link(0.0, 5e10)
    m = run(stream, LruStore(8, 64), costs=cost(link), slots=8)
    # two blocks up, behind three that leave for them
    assert m.stall[2] == pytest.approx(cost(link).move_s(2 + 3))


def in_two_tiers(first_slots: int, far: Link | None) -> Measured:
    """Three blocks are used again after eight others: two of them are moved, the last is computed."""
    first, other = (1, 2, 3), tuple(range(10, 18))
    stream = made((0, 1100, 2, first), (5000, 4000, 2, other), (10_000, 1100, 2, first))
    costs = CostModel(TINY, FAST, Link(0.0, 5e10), BLOCK, far)
    return run(stream, LruStore(8, 64, first_slots), costs=costs, slots=8)


def test_blocks_of_a_second_slower_tier_come_over_both_links() -> None:
    far = Link(0.001, 1e10)
    near, both = in_two_tiers(8, far), in_two_tiers(1, far)
    assert (int(near.loaded[2]), int(near.loaded_far[2]), near.stall_far[2]) == (1024, 0, 0)
    costs = CostModel(TINY, FAST, Link(0.0, 5e10), BLOCK, far)
    # the end of a prompt leaves first: of its blocks that are moved, the second has sunk, the first is still near
    assert int(both.loaded_far[2]) == BLOCK
    # of three blocks that leave for them two sink, and go over that link before
    assert both.stall_far[2] == pytest.approx(costs.far_s(2 + 1) + 0.001)
    assert both.stall[2] == pytest.approx(both.stall_far[2] + costs.move_s(1))
    assert both.stall[2] > near.stall[2]


def test_a_far_tier_that_is_slower_than_computing_is_not_waited_for() -> None:
    m = in_two_tiers(1, Link(0.0, 1e6))
    assert (m.loaded.sum(), m.stall.sum(), int(m.again[2])) == (0, 0, 1536)


def test_what_sinks_and_rises_is_known() -> None:
    below = Below(2)
    below.left([1, 2, 3, 4])
    assert below.far(np.array([1, 2, 3, 4, 5])).tolist() == [True, True, False, False, False]
    below.gone([1, 4])
    assert below.far(np.array([1, 4])).tolist() == [True, False], "1 came from there"
    below.left([1, 5])
    assert (below.far(np.array([1, 2, 3, 5])).tolist(), below.sunk) == ([False, True, True, False], 3)
    alone = Below(0)
    alone.left(range(9))
    assert not alone.far(np.arange(9)).any()


def test_a_sequence_without_room_is_preempted_and_ends_all_the_same() -> None:
    stream = made((0, 1500, 1200, (1, 2, 3)), (0, 1500, 1200, (4, 5, 6)))
    m = run(stream, LruStore(8, 64), slots=8)
    assert m.preemptions > 0
    assert (m.end > 0).all()
    roomy = run(stream, LruStore(64, 64), slots=64)
    assert roomy.preemptions == 0
    assert m.end.max() > roomy.end.max()


def test_a_turn_finds_the_answer_before_it_and_waits_for_it_in_a_closed_loop() -> None:
    stream = made((0, 1024, 600, (1, 2)), (1000, 2048, 5, (1, 2, 3, 4)))
    assert int(run(stream, closed=True).kept[1]) == 1536, "two blocks of the prompt and one of the answer"
    opened, closed = run(stream, running=1), run(stream, running=1, closed=True)
    assert opened.arrival[1] == 1.0
    assert closed.arrival[1] == pytest.approx(closed.end[0]), "its pause is shorter than the answer took in the trace"


def test_every_request_ends_once_on_the_device_with_a_queue() -> None:
    stream = stream_of("chat", Trace(list(generate(3, 150))))
    load = load_of(
        stream, np.zeros(stream.requests, np.bool_), block_tokens=BLOCK, closed=True, speedup=4.0, decode_tokens_s=32
    )
    limits = Limits(8192, 64, BLOCK, 512)
    numbers = stream.unique + tails_at_most(load, limits)
    device = PolicyModel(numbers, fast=512, slow=65_536 - 512)
    box: list[Engine] = []
    runtime = Runtime(
        device,
        lambda number: next(iter(box)).request_of(number),
        (numbers, stream.requests, 512),
        Behaviour(64, 8, 0.5, force=True),
    )
    box.append(
        Engine(cost(hardware=Hardware(1, 1e14, 1e12, 0.5, 0.5, 0.002)), limits, load, DeviceStore(device, runtime, 512))
    )
    m = box[0].run()
    assert (m.end >= m.first).all()
    assert (m.first > m.arrival).all()
    assert m.kept.sum() > 0
    assert m.longest_queue > 1
    assert m.pinned <= m.occupied <= 512


def test_tenants_share_no_blocks_and_keep_their_sessions() -> None:
    stream = stream_of("chat", Trace(list(generate(1, 200))))
    split, tenant = tenanted(stream, 3, 1)
    owners = np.repeat(tenant, np.diff(split.first))
    assert all(len(set(owners[split.blocks == block].tolist())) == 1 for block in range(0, split.unique, 7))
    assert set(tenant.tolist()) == {0, 1, 2}
    assert stream.unique < split.unique <= stream.unique + 2 * 40, "shared prefixes only are there three times"
    assert (tenanted(stream, 1, 1)[0].unique, split.references) == (stream.unique, stream.references)


def test_percentiles_are_those_of_the_contract() -> None:
    values = np.arange(1.0, 101.0)
    assert [serving.percentile(values, share) for share in (50, 95, 99, 99.9, 100)] == [50, 95, 99, 100, 100]


@needs_scipy
def test_the_experiment_compares_with_intervals_and_draws(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        '[traces]\nrequests = 60\ngenerated = ["chat"]\n[serving]\nseeds = 3\nresamples = 200\n'
        'policies = ["none", "lru", "queue_256"]\n'
    )
    assert main(["--only=serving", f"--config={tmp_path / 'c.toml'}", f"--report={tmp_path}"]) == 0
    found = json.loads((tmp_path / "serving.json").read_text())["traces"][0]["capacities"]["1024"]["loaded"]
    assert found.keys() == {"none", "lru", "queue_256"}
    entry = found["queue_256"]["figures"]["ttft_p50_s"]
    assert entry["low"] <= entry["mean"] <= entry["high"]
    assert found["queue_256"]["against"].keys() == {"none", "lru"}
    for one in found.values():
        figures = one["figures"]
        parts = ("kept", "prefetched", "loaded", "again", "new")
        assert sum(figures[f"{part}_percent"]["mean"] for part in parts) == pytest.approx(100)
    page = (tmp_path / "serving.html").read_text()
    assert page.count("<svg") == 6
    assert "src=" not in page


@needs_scipy
@pytest.mark.parametrize("streams", [1, 3])
def test_progress_counts_the_runs_of_the_traces_that_there_are(streams: int) -> None:
    """A file is one trace, whatever serving.seeds says."""
    given = declared.load("serving")
    given["serving"] |= {"engines": {"healthy": 1.0}, "policies": ["none", "lru"], "resamples": 100}
    traces = [stream_of("chat", Trace(list(generate(seed, 20)))) for seed in range(streams)]
    said: list[str] = []
    serving.run(given, traces, said.append)
    assert serving.units(given, traces) == len(said) == 2 * streams


def test_settings_say_what_cannot_run() -> None:
    given = declared.load("serving")
    assert given["serving"]["seeds"] >= 20
    assert serving.scale(given, 512)["engine_s_per_device_s"] == 131_072 * 512 / 65_536
