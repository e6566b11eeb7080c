"""A snapshot in Prometheus' text format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sw.codes import Code

Number = int | float | None
Samples = Iterable[tuple[Mapping[str, object], Number]]

COUNTER, GAUGE = "counter", "gauge"

SCALARS = (
    ("llm_tokens_out", COUNTER, "Tokens produced."),
    ("llm_deadline_miss_count", COUNTER, "Inferences that finished after their deadline."),
    ("llm_running", GAUGE, "Inferences that run or are throttled."),
    ("llm_infer_cycles", COUNTER, "Compute cycles charged to ended inferences."),
    ("llm_infer_lookups", COUNTER, "Lookups of ended inferences."),
    ("llm_infer_misses", COUNTER, "Lookups of ended inferences that missed."),
    ("llm_infer_bytes_moved", COUNTER, "K/V bytes that ended inferences read and wrote."),
    ("control_dropped_bytes", COUNTER, "Bytes of control streams that belonged to no frame."),
    ("det_bound_ppm", GAUGE, "Utilisation that admission may give away."),
    ("det_used_ppm", GAUGE, "Utilisation that admission has given away."),
    ("det_admit_accepted", COUNTER, "Servers admitted."),
    ("det_admit_rejected", COUNTER, "Servers refused."),
    ("det_admit_changed", COUNTER, "Servers changed."),
    ("det_admit_removed", COUNTER, "Servers removed."),
    ("det_deadline_miss_count", COUNTER, "Jobs that finished after their deadline, all servers."),
    ("det_exhaustion_count", COUNTER, "Budgets used up while there was work, all servers."),
    ("det_overrun_count", COUNTER, "Chunks longer than the admitted one, all servers."),
    ("det_throttled_ns", COUNTER, "Time with work and without budget, all servers."),
    ("det_jitter_p99_ns", GAUGE, "99th percentile of first dispatch minus arrival, all servers."),
    ("det_growth_count", COUNTER, "Units by which arena, handles, rings and directory reservations have grown."),
    ("det_growth_refused", COUNTER, "Growths that deterministic mode has refused."),
)
SUMMARY = (
    ("llm_infer_p50_us", "Median latency of done inferences, acceptance to end."),
    ("llm_infer_p95_us", "95th percentile of the latency of done inferences."),
    ("llm_infer_p99_us", "99th percentile of the latency of done inferences."),
    ("llm_tokens_per_sec", "Tokens per second of device time, first acceptance to last token."),
    ("llm_jitter_p99_ns", "99th percentile of |gap - previous gap| between one inference's tokens."),
)
SERVER = (
    ("det_server_budget_ns", GAUGE, "Budget Q of the server."),
    ("det_server_period_ns", GAUGE, "Period T of the server."),
    ("det_server_deadline_ns", GAUGE, "Relative deadline D of the server."),
    ("det_server_used_ppm", GAUGE, "Share of the server."),
    ("det_server_arrivals", COUNTER, "Jobs submitted."),
    ("det_server_finished", COUNTER, "Jobs that ran to their end."),
    ("det_server_withdrawn", COUNTER, "Jobs taken away before their end."),
    ("det_server_chunks", COUNTER, "Chunks run."),
    ("det_server_consumed_ns", COUNTER, "Device time charged."),
    ("det_server_overrun_count", COUNTER, "Chunks longer than the admitted one."),
    ("det_server_deadline_miss_count", COUNTER, "Jobs that finished after their deadline."),
    ("det_server_late_ns", COUNTER, "Time by which deadlines were missed, added up."),
    ("det_server_lateness_max_ns", GAUGE, "Greatest finish minus deadline."),
    ("det_server_exhaustion_count", COUNTER, "Budgets used up while there was work."),
    ("det_server_throttled_ns", COUNTER, "Time with work and without budget."),
    ("det_server_jitter_p50_ns", GAUGE, "Median of first dispatch minus arrival."),
    ("det_server_jitter_p95_ns", GAUGE, "95th percentile of first dispatch minus arrival."),
    ("det_server_jitter_p99_ns", GAUGE, "99th percentile of first dispatch minus arrival."),
)
CHANNEL = (
    ("llm_channel_depth", GAUGE, "Items that wait in the channel."),
    ("llm_channel_depth_max", GAUGE, "Most items that ever waited in the channel."),
    ("llm_channel_stalls", COUNTER, "Times that the full channel made an item wait."),
)
REFUSALS = [code.label for code in Code if code is not Code.OK]


def exposition(snapshot: Mapping[str, Any]) -> str:
    """The text of a valid snapshot: every family with HELP and TYPE; what has no value yet is NaN."""
    out = Text()
    _latency(out, snapshot["llm_infer_us_histogram"])
    for name, kind, what in SCALARS:
        out.family(name, kind, what, [({}, snapshot[name])])
    for name, what in SUMMARY:
        out.family(name, GAUGE, what, [({}, snapshot["summary"][name])])
    for name, column, what in (
        ("llm_queue_depth", "llm_queue_depth", "Inferences that wait for their first chunk."),
        ("llm_queue_depth_max", "llm_queue_depth_max_by_class", "Most inferences that ever waited."),
    ):
        out.family(name, GAUGE, what, [({"class": cls}, depth) for cls, depth in enumerate(snapshot[column])])
    rejects = snapshot["llm_rejects_by_code"]
    rejected = [({"code": label}, rejects.get(label, 0)) for label in REFUSALS]
    out.family("llm_rejects", COUNTER, "Submissions refused, by reason.", rejected)
    ended = [({"state": state}, count) for state, count in snapshot["llm_infers"].items()]
    out.family("llm_infers", COUNTER, "Inferences ended, by state.", ended)
    for name, kind, what in SERVER:
        out.family(name, kind, what, [({"server": row["server"]}, row[name]) for row in snapshot["det_servers"]])
    for name, kind, what in CHANNEL:
        out.family(name, kind, what, [({"channel": row["channel"]}, row[name]) for row in snapshot["channels"]])
    for field, what in (("slots", "Slots of the tier."), ("free", "Free slots of the tier.")):
        tiers = [({"tier": tier}, row[field]) for tier, row in enumerate(snapshot["tiers"])]
        out.family(f"kvcpu_tier_{field}", GAUGE, what, tiers)
    out.family("kvcpu_migrations", COUNTER, "Blocks that the device has moved.", [({}, snapshot["migrations"])])
    for register, value in snapshot["device"].items():
        kind = COUNTER if register.endswith(("_COUNT", "_BYTES_MOVED")) else GAUGE
        out.family(f"kvcpu_{register.lower()}", kind, f"Register {register} of the device.", [({}, value)])
    return out.text()


def _latency(out: Text, histogram: Mapping[str, Any]) -> None:
    out.head("llm_infer_us", "histogram", "Latency of done inferences in us, acceptance to end.")
    for bound, count in zip(histogram["bounds_us"], histogram["at_most"], strict=True):
        out.sample("llm_infer_us_bucket", {"le": bound}, count)
    out.sample("llm_infer_us_bucket", {"le": "+Inf"}, histogram["count"])
    out.sample("llm_infer_us_sum", {}, histogram["sum_us"])
    out.sample("llm_infer_us_count", {}, histogram["count"])


class Text:
    """Lines of an exposition."""

    def __init__(self) -> None:
        """No lines."""
        self._lines: list[str] = []

    def family(self, name: str, kind: str, what: str, samples: Samples) -> None:
        """A family with all its samples; without a sample it is left out."""
        samples = list(samples)
        if samples:
            self.head(name, kind, what)
            for labels, value in samples:
                self.sample(name, labels, value)

    def head(self, name: str, kind: str, what: str) -> None:
        """HELP and TYPE of a family."""
        self._lines += [f"# HELP {name} {_escape(what)}", f"# TYPE {name} {kind}"]

    def sample(self, name: str, labels: Mapping[str, object], value: Number) -> None:
        """One sample; None is NaN."""
        pairs = ",".join(f'{label}="{_escape(str(text), quotes=True)}"' for label, text in labels.items())
        self._lines.append(f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}")

    def text(self) -> str:
        """All lines."""
        return "".join(f"{line}\n" for line in self._lines)


def _escape(text: str, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: Number) -> str:
    return "NaN" if value is None else repr(value)
