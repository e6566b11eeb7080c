"""A snapshot of the metrics: the one JSON object that files, tools, Prometheus text and page are made of."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sw.kernel.statistics import Histogram
from sw.metrics.prometheus import exposition
from sw.metrics.registry import Metrics
from sw.metrics.state import Inference, ServerState, State

SCHEMA_NAME = "kvcpu-metrics-v1"
BUCKETS_US = tuple(step * 10**power for power in range(1, 8) for step in (1, 2, 5))
"""Upper bounds of the latency histogram's buckets, 10 us to 50 s."""


def snapshot(metrics: Metrics, holder: str | None = None) -> dict[str, Any]:
    """Everything that the metrics know, as docs/schemas/kvcpu-metrics-v1.schema.json describes it.

    Of single inferences only those of `holder`; None: all.

    Lists of inferences and observations are bounded.
    """
    state = metrics.state
    shown = [one for one in metrics.inferences if holder in (None, one.holder)]
    return {
        "schema": SCHEMA_NAME,
        "now_ns": state.now_ns,
        "llm_infer_us": [_us(one.ended_ns - one.accepted_ns) for one in shown if one.state == "done"],
        "llm_infer_us_histogram": _buckets(metrics.infer_ns),
        "llm_tokens_out": metrics.tokens_out,
        "llm_deadline_miss_count": metrics.deadline_misses,
        "llm_queue_depth": list(state.queued),
        "llm_queue_depth_max": max(metrics.queue_depth_max),
        "llm_queue_depth_max_by_class": list(metrics.queue_depth_max),
        "llm_running": state.running,
        "llm_rejects": metrics.rejects.total(),
        "llm_rejects_by_code": {code.label: count for code, count in sorted(metrics.rejects.items())},
        "llm_infers": dict(metrics.by_state),
        "llm_infer_cycles": metrics.costs.cycles,
        "llm_infer_lookups": metrics.costs.lookups,
        "llm_infer_misses": metrics.costs.misses,
        "llm_infer_bytes_moved": metrics.costs.bytes_moved,
        "summary": {
            **{f"llm_infer_p{p}_us": _us(_percentile(metrics.infer_ns, p)) for p in (50, 95, 99)},
            "llm_tokens_per_sec": metrics.tokens_per_second,
            "llm_jitter_p99_ns": _percentile(metrics.jitter_ns, 99),
        },
        **_deterministic(state),
        "channels": [
            {
                "channel": channel.channel,
                "llm_channel_depth": channel.depth,
                "llm_channel_depth_max": channel.deepest,
                "llm_channel_stalls": channel.stalls,
            }
            for channel in state.channels
        ],
        "tiers": [{"slots": tier.slots, "free": tier.free} for tier in state.tiers],
        "control_dropped_bytes": state.dropped_bytes,
        "migrations": state.migrations,
        "device": dict(sorted(state.device.items())),
        "inferences": [_inference(one) for one in shown],
        "series": metrics.series.columns(),
    }


def prometheus(metrics: Metrics) -> str:
    """The same in Prometheus' text format 0.0.4 (without the tables of inferences and of time)."""
    return exposition(snapshot(metrics))


def _deterministic(state: State) -> dict[str, Any]:
    """The det_* family: what the scheduler has promised and how it was kept."""
    admissions, all_stats = state.admissions, [server.stats for server in state.servers]
    jitter = Histogram(sum((stats.jitter.counts for stats in all_stats), Counter()))
    return {
        "det_bound_ppm": admissions.bound_ppm,
        "det_used_ppm": admissions.used_ppm,
        "det_admit_accepted": admissions.accepted,
        "det_admit_rejected": admissions.rejected,
        "det_admit_changed": admissions.changed,
        "det_admit_removed": admissions.removed,
        "det_deadline_miss_count": sum(stats.misses for stats in all_stats),
        "det_exhaustion_count": sum(stats.exhaustions for stats in all_stats),
        "det_overrun_count": sum(stats.chunk_overruns for stats in all_stats),
        "det_throttled_ns": sum(stats.throttled_ns for stats in all_stats),
        "det_jitter_p99_ns": _percentile(jitter, 99),
        "det_growth_count": state.grown,
        "det_growth_refused": state.growth_refused,
        "det_servers": [_server(server) for server in state.servers],
    }


def _server(server: ServerState) -> dict[str, Any]:
    stats = server.stats
    return {
        "server": server.server,
        "det_server_budget_ns": server.budget_ns,
        "det_server_period_ns": server.period_ns,
        "det_server_deadline_ns": server.deadline_ns,
        "det_server_used_ppm": server.used_ppm,
        "det_server_arrivals": stats.arrivals,
        "det_server_finished": stats.finished,
        "det_server_withdrawn": stats.withdrawn,
        "det_server_chunks": stats.chunks,
        "det_server_consumed_ns": stats.consumed_ns,
        "det_server_overrun_count": stats.chunk_overruns,
        "det_server_deadline_miss_count": stats.misses,
        "det_server_late_ns": stats.late_ns,
        "det_server_lateness_max_ns": stats.worst_lateness_ns,
        "det_server_exhaustion_count": stats.exhaustions,
        "det_server_throttled_ns": stats.throttled_ns,
        **{f"det_server_jitter_p{p}_ns": _percentile(stats.jitter, p) for p in (50, 95, 99)},
    }


def _inference(one: Inference) -> dict[str, Any]:
    usage = one.usage
    return {
        "infer_id": one.infer_id,
        "class": one.cls,
        "state": one.state,
        "accepted_ns": one.accepted_ns,
        "started_ns": one.started_ns,
        "ended_ns": one.ended_ns,
        "tokens": one.tokens,
        "missed": one.missed,
        "reason": one.reason,
        "cycles": usage.cycles,
        "lookups": usage.lookups,
        "misses": usage.misses,
        "bytes_moved": usage.bytes_read + usage.bytes_written,
    }


def _buckets(latencies: Histogram) -> dict[str, Any]:
    """How many latencies are at most each bound; bounds in us, latencies in ns."""
    counts = latencies.counts.items()
    return {
        "bounds_us": list(BUCKETS_US),
        "at_most": [sum(n for value, n in counts if value <= bound * 1000) for bound in BUCKETS_US],
        "count": latencies.samples,
        "sum_us": sum(value * n for value, n in counts) / 1000,
    }


def _percentile(samples: Histogram, p: int) -> int | None:
    return samples.percentile(p) if samples.samples else None


def _us(ns: int | None) -> float | None:
    return None if ns is None else ns / 1000
