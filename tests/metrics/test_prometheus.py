"""The text is of Prometheus' format and says what the snapshot says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.metrics import snapshots
from sw.metrics.prometheus import Text
from sw.metrics.registry import Metrics
from tests.metrics.exposition import Family, read
from tests.metrics.scenario import busy


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return busy()


@pytest.fixture(scope="module")
def families(metrics: Metrics) -> dict[str, Family]:
    return read(snapshots.prometheus(metrics))


def value(families: dict[str, Family], family: str, **labels: str) -> float:
    return families[family].samples[family, tuple(sorted(labels.items()))]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("llm_infer_us", "histogram"),
        ("llm_tokens_out", "counter"),
        ("llm_deadline_miss_count", "counter"),
        ("llm_queue_depth_max", "gauge"),
        ("llm_rejects", "counter"),
        ("llm_infer_p50_us", "gauge"),
        ("llm_infer_p95_us", "gauge"),
        ("llm_infer_p99_us", "gauge"),
        ("llm_tokens_per_sec", "gauge"),
        ("llm_jitter_p99_ns", "gauge"),
        ("llm_channel_depth", "gauge"),
        ("llm_channel_stalls", "counter"),
        ("llm_infer_cycles", "counter"),
        ("llm_infer_lookups", "counter"),
        ("llm_infer_misses", "counter"),
        ("llm_infer_bytes_moved", "counter"),
        ("det_used_ppm", "gauge"),
        ("det_deadline_miss_count", "counter"),
        ("kvcpu_rtbd_hit_count", "counter"),
        ("kvcpu_evict_bytes_moved", "counter"),
        ("kvcpu_scan_cycles", "gauge"),
        ("kvcpu_tier_free", "gauge"),
    ],
)
def test_names(families: dict[str, Family], name: str, kind: str) -> None:
    """Every name of the contract, with HELP and TYPE."""
    assert families[name].type == kind
    assert families[name].help.endswith(".")
    assert families[name].samples


def test_values(metrics: Metrics, families: dict[str, Family]) -> None:
    snapshot = snapshots.snapshot(metrics)
    for name in ("llm_tokens_out", "llm_deadline_miss_count", "det_bound_ppm", "llm_infer_cycles"):
        assert value(families, name) == snapshot[name]
    for name, figure in snapshot["summary"].items():
        assert value(families, name) == figure
    for cls, depth in enumerate(snapshot["llm_queue_depth_max_by_class"]):
        assert value(families, "llm_queue_depth_max", **{"class": str(cls)}) == depth
    assert sum(families["llm_rejects"].samples.values()) == snapshot["llm_rejects"]
    assert value(families, "llm_rejects", code="QueueFull") == snapshot["llm_rejects_by_code"]["QueueFull"]
    assert value(families, "llm_infers", state="done") == snapshot["llm_infers"]["done"]
    for server in snapshot["det_servers"]:
        for name, figure in server.items():
            if name != "server":
                assert value(families, name, server=str(server["server"])) == figure
    for channel in snapshot["channels"]:
        assert value(families, "llm_channel_stalls", channel=str(channel["channel"])) == channel["llm_channel_stalls"]
    for register, count in snapshot["device"].items():
        assert value(families, f"kvcpu_{register.lower()}") == count


def test_every_scalar_is_there(metrics: Metrics, families: dict[str, Family]) -> None:
    """No figure of the snapshot is forgotten in the text."""
    scalars = {name for name, figure in snapshots.snapshot(metrics).items() if isinstance(figure, int | float)}
    assert scalars - {"now_ns", "migrations"} <= set(families)
    assert value(families, "kvcpu_migrations") == metrics.state.migrations


def test_histogram(metrics: Metrics, families: dict[str, Family]) -> None:
    """Buckets are cumulative, the last is +Inf and equals the count."""
    samples = families["llm_infer_us"].samples
    buckets = [(float(labels[0][1]), n) for (name, labels), n in samples.items() if name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert [n for _, n in buckets] == sorted(n for _, n in buckets)
    assert buckets[-1] == (math.inf, samples["llm_infer_us_count", ()])
    latencies = [one.ended_ns - one.accepted_ns for one in metrics.inferences if one.state == "done"]
    assert samples["llm_infer_us_count", ()] == len(latencies)
    assert samples["llm_infer_us_sum", ()] == sum(latencies) / 1000
    for bound, count in buckets:
        assert count == sum(ns <= bound * 1000 for ns in latencies)


def test_before_the_first_sample() -> None:
    """What has no value yet is NaN; every refusal has its counter from the start."""
    families = read(snapshots.prometheus(Metrics()))
    assert math.isnan(value(families, "llm_infer_p95_us"))
    assert value(families, "llm_rejects", code="QuotaExceeded") == 0
    assert len(families["llm_rejects"].samples) == 29
    assert "det_server_budget_ns" not in families


@settings(derandomize=True, deadline=None)
@given(st.text(), st.text(), st.one_of(st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_any_text(what: str, label: str, number: float | None) -> None:
    """Help and labels come back as they were, line feeds, quotes and backslashes included."""
    text = Text()
    text.family("name", "gauge", what, [({"label": label}, number)])
    family = read(text.text())["name"]
    assert family.help == what
    (key, read_value), *rest = family.samples.items()
    assert key == ("name", (("label", label),))
    assert math.isnan(read_value) if number is None else read_value == float(number)
    assert not rest
