"""Each figure from events that are counted by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sw.codes import Code
from sw.kernel.statistics import ServerStats
from sw.metrics import series, snapshots
from sw.metrics.registry import KEPT_INFERENCES, Metrics
from sw.metrics.schema import check
from sw.metrics.state import Admissions, ChannelState, Inference, ServerState, State, TierState
from sw.metrics.usage import Usage

COST = Usage(cycles=100, lookups=10, misses=3, bytes_read=1000, bytes_written=24)


def inference(
    infer_id: int = 1, state: str = "done", accepted: int = 0, ended: int = 5000, missed: bool = False
) -> Inference:
    return Inference(infer_id, 0, state, accepted, accepted, ended, 4, missed, COST)


def test_nothing_has_happened() -> None:
    snapshot = snapshots.snapshot(Metrics())
    check(snapshot)
    assert snapshot["summary"] == dict.fromkeys(snapshot["summary"])
    assert (snapshot["llm_tokens_out"], snapshot["llm_infer_us"], snapshot["llm_rejects"]) == (0, [], 0)


def test_latency() -> None:
    """Of done inferences, in us; cancelled and failed ones only count."""
    metrics = Metrics()
    for number in range(1, 21):
        metrics.ended(inference(number, accepted=1000, ended=1000 + number * 2000))
    metrics.ended(inference(21, "cancelled", ended=10**9))
    metrics.ended(inference(22, "failed", ended=10**9))
    snapshot = snapshots.snapshot(metrics)
    assert snapshot["llm_infer_us"] == [number * 2.0 for number in range(1, 21)]
    summary = snapshot["summary"]
    assert [summary[f"llm_infer_p{p}_us"] for p in (50, 95, 99)] == [20.0, 38.0, 40.0]
    assert snapshot["llm_infers"] == {"done": 20, "cancelled": 1, "failed": 1}
    histogram = snapshot["llm_infer_us_histogram"]
    assert dict(zip(histogram["bounds_us"], histogram["at_most"], strict=True)) == {
        bound: {10: 5, 20: 10}.get(bound, 20) for bound in histogram["bounds_us"]
    }
    assert (histogram["count"], histogram["sum_us"]) == (20, 420.0)


def test_costs() -> None:
    """Per inference, and of all together whatever their end."""
    metrics = Metrics()
    for number, state in enumerate(("done", "cancelled", "failed")):
        metrics.ended(inference(number, state))
    snapshot = snapshots.snapshot(metrics)
    names = ("cycles", "lookups", "misses", "bytes_moved")
    assert [snapshot[f"llm_infer_{name}"] for name in names] == [300, 30, 9, 3072]
    assert [[one[name] for name in names] for one in snapshot["inferences"]] == [[100, 10, 3, 1024]] * 3


def test_misses_refusals_queues() -> None:
    metrics = Metrics()
    metrics.ended(inference(1, missed=True))
    metrics.ended(inference(2))
    for code in (Code.QUEUE_FULL, Code.QUEUE_FULL, Code.NO_ROOM):
        metrics.rejected(code)
    for cls, depth in ((0, 3), (0, 1), (2, 5), (3, 0)):
        metrics.queued(cls, depth)
    snapshot = snapshots.snapshot(metrics)
    assert snapshot["llm_deadline_miss_count"] == 1
    assert (snapshot["llm_rejects"], snapshot["llm_rejects_by_code"]) == (3, {"NoRoom": 1, "QueueFull": 2})
    assert (snapshot["llm_queue_depth_max"], snapshot["llm_queue_depth_max_by_class"]) == (5, [3, 0, 5, 0])


def test_jitter() -> None:
    """|gap - previous gap|: gaps 10, 30, 20 are 20 and 10; gaps never span two inferences."""
    metrics = Metrics()
    for now in (0, 10, 40, 60):
        metrics.token(1, now)
        metrics.token(2, now + 1000)
    assert sorted(metrics.jitter_ns.counts.items()) == [(10, 2), (20, 2)]
    assert snapshots.snapshot(metrics)["summary"]["llm_jitter_p99_ns"] == 20
    metrics.ended(inference(1))
    metrics.token(1, 10_000)  # the number again, another inference
    assert metrics.jitter_ns.samples == 4


def test_tokens_of_one_chunk_come_together() -> None:
    metrics = Metrics()
    metrics.token(1, 100, 3)
    metrics.token(1, 200, 2)
    assert metrics.tokens_out == 5
    assert sorted(metrics.jitter_ns.counts.items()) == [(0, 1), (100, 2)]


def test_tokens_per_second() -> None:
    """From the first acceptance to the last token; None before there is such a time."""
    metrics = Metrics()
    assert metrics.tokens_per_second is None
    metrics.token(1, 3_000)
    assert metrics.tokens_per_second is None
    metrics.ended(inference(1, accepted=1_000, ended=3_000))
    metrics.token(2, 5_000, 3)
    assert metrics.tokens_per_second == 4 * 1e9 / 4_000


def test_state() -> None:
    """What the stack reports is shown unchanged; sums of the det_* family are over servers."""
    metrics = Metrics()
    stats = [ServerStats(misses=n, exhaustions=10 * n, chunk_overruns=n, throttled_ns=7 * n) for n in (1, 2)]
    for n, server in enumerate(stats):
        for value in range(50 * n, 50 * n + 50):
            server.jitter.add(value)
    state = State(
        now_ns=5,
        queued=(1, 0, 0, 2),
        running=3,
        admissions=Admissions(bound_ppm=900_000, used_ppm=5, accepted=1, rejected=2, changed=3, removed=4),
        servers=tuple(ServerState(n, 10, 20, 15, 500, server) for n, server in enumerate(stats)),
        grown=6,
        growth_refused=7,
        channels=(ChannelState(4, 1, 2, 3),),
        tiers=(TierState(10, 4), TierState(20, 20)),
        migrations=8,
        device={"B_COUNT": 2, "A_COUNT": 1},
    )
    metrics.observe(state)
    snapshot = snapshots.snapshot(metrics)
    check(snapshot)
    shown = {name: value for name, value in snapshot.items() if name.startswith("det_") and name != "det_servers"}
    assert shown == {
        "det_bound_ppm": 900_000, "det_used_ppm": 5, "det_admit_accepted": 1, "det_admit_rejected": 2,
        "det_admit_changed": 3, "det_admit_removed": 4, "det_deadline_miss_count": 3, "det_exhaustion_count": 30,
        "det_overrun_count": 3, "det_throttled_ns": 21, "det_jitter_p99_ns": 98, "det_growth_count": 6,
        "det_growth_refused": 7,
    }  # fmt: skip
    assert [server["det_server_jitter_p50_ns"] for server in snapshot["det_servers"]] == [24, 74]
    assert snapshot["channels"] == [
        {"channel": 4, "llm_channel_depth": 1, "llm_channel_depth_max": 2, "llm_channel_stalls": 3}
    ]
    assert snapshot["tiers"] == [{"slots": 10, "free": 4}, {"slots": 20, "free": 20}]
    assert list(snapshot["device"].items()) == [("A_COUNT", 1), ("B_COUNT", 2)]
    assert (snapshot["llm_queue_depth"], snapshot["llm_running"], snapshot["migrations"]) == ([1, 0, 0, 2], 3, 8)


def test_series() -> None:
    metrics = Metrics()
    metrics.observe(State(now_ns=10, queued=(0, 1, 0, 0), tiers=(TierState(4, 1),)))
    metrics.token(1, 15, 2)
    metrics.ended(inference(1, accepted=5, ended=20, missed=True))
    metrics.observe(State(now_ns=20, running=1, tiers=(TierState(4, 0),), migrations=9))
    assert snapshots.snapshot(metrics)["series"] == {
        "now_ns": [10, 20], "queued": [[0, 1, 0, 0], [0, 0, 0, 0]], "running": [0, 1], "tokens_out": [0, 2],
        "deadline_misses": [0, 1], "infer_p95_us": [None, 0.015], "occupied": [[3], [4]], "migrations": [0, 9],
    }  # fmt: skip


@pytest.mark.parametrize("count", [15, 16, 17, 31, 32, 33, 100, 1000])
def test_series_is_bounded(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """First and last observation stay, the others get sparser evenly."""
    monkeypatch.setattr(series, "MAX_SAMPLES", 16)
    metrics = Metrics()
    for now in range(count):
        metrics.observe(State(now_ns=now))
    times = snapshots.snapshot(metrics)["series"]["now_ns"]
    assert len(times) <= 17
    assert (times[0], times[-1]) == (0, count - 1)
    steps = {after - before for before, after in pairwise(times[:-1])}
    assert len(steps) == 1
    assert times[-1] - times[-2] <= steps.pop()


def test_inferences_are_bounded() -> None:
    metrics = Metrics()
    for number in range(KEPT_INFERENCES + 5):
        metrics.ended(inference(number))
    snapshot = snapshots.snapshot(metrics)
    check(snapshot)
    assert [snapshot["inferences"][place]["infer_id"] for place in (0, -1)] == [5, KEPT_INFERENCES + 4]
    assert snapshot["llm_infer_us_histogram"]["count"] == KEPT_INFERENCES + 5


def test_refused() -> None:
    metrics = Metrics()
    metrics.observe(State(now_ns=10))
    with pytest.raises(ValueError, match="observation at 9 ns"):
        metrics.observe(State(now_ns=9))
    with pytest.raises(ValueError, match="of 3 classes"):
        metrics.observe(State(now_ns=10, queued=(0, 0, 0)))
    for cls in (-1, 4):
        with pytest.raises(ValueError, match="class"):
            metrics.queued(cls, 1)
    for wrong in (inference(state="running"), inference(accepted=6000)):
        with pytest.raises(ValueError, match="has not ended"):
            metrics.ended(wrong)
    check(snapshots.snapshot(metrics))
