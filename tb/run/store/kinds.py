"""What the store and the site know of each kind of report: its command, its page, what of it is looked at first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tb.run.store.figures import Figure, mean

Record = Mapping[str, Any]


def _no_more(_record: Record) -> list[Figure]:
    return []


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of report.

    Attributes:
        title: of its part of the site.
        command: the make target.
        page: in the folder of the reports.
        main: patterns over the names of its main figures, the most important first; none: the first few.
        left_out: patterns over names that do not count: the same number is there under another name.
        more: figures that its record has in a form of its own.
    """

    title: str
    command: str
    page: str
    main: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    more: Callable[[Record], list[Figure]] = _no_more

    def main_figures(self, names: Iterable[str], count: int) -> list[str]:
        """The first `count` of the main figures among `names`."""
        known = list(names)
        found = dict.fromkeys(name for pattern in self.main for name in known if fnmatchcase(name, pattern))
        return list(found or known)[:count]


def durations_by_test(record: Record) -> list[Figure]:
    """Seconds of each test of a regression, a sample a seed."""
    seconds = defaultdict(list)
    for row in record["rows"]:
        seconds[f"tests.{row['leg']}.{row['test']}.seconds"].append(row["seconds"])
    return [Figure(name, mean(samples), "s", tuple(samples)) for name, samples in seconds.items()]


KINDS = {
    "sim": Kind(
        "Replay", "sim", "sim.html",
        ("hit_rate", "cycles_per_s", "mismatches", "requests", "migrations", "cycles", "comparisons"),
    ),
    "llm": Kind(
        "LLM service", "sim", "llm.html",
        ("llm_infer_p99_us", "llm_tokens_per_sec", "tokens", "mismatches", "token_identical", "deadline_misses"),
    ),
    "eviction": Kind(
        "Experiment: eviction", "experiments", "experiments/eviction.html",
        (
            "traces.*.capacities.4096.second_half.hepc.self_tuned.retention_percent",
            "traces.*.capacities.4096.second_half.lru.retention_percent",
            "traces.*.capacities.4096.second_half.optimum.retention_percent",
        ),
    ),
    "bounded": Kind(
        "Experiment: bounded", "experiments", "experiments/bounded.html",
        ("criteria.bound_holds", "criteria.bound_is_close", "criteria.cv_of_p99", "criteria.linear_degradation"),
    ),
    "serving": Kind(
        "Experiment: serving", "experiments", "experiments/serving.html",
        (
            "traces.*.capacities.*.loaded.self_tuned.goodput_per_s", "traces.*.capacities.*.loaded.lru.goodput_per_s",
            "traces.*.capacities.*.loaded.self_tuned.ttft_p99_s", "traces.*.capacities.*.loaded.lru.ttft_p99_s",
        ),
        ("*.figures.*",),
    ),
    "bench": Kind(
        "Figures against targets", "bench", "bench.html",
        ("metrics.scan_cycles", "metrics.lookup_throughput", "metrics.cosim_vs_raw", "metrics.startup"),
    ),
    "regress": Kind(
        "Regression", "regress", "regress.html",
        ("passed", "failed", "comparisons", "seconds", "code_coverage.*"), more=durations_by_test,
    ),
    "formal": Kind(
        "Formal proofs", "formal", "formal.html",
        ("proven", "bounded", "failed", "vacuous", "seconds"), ("properties.*",),
    ),
    "signoff": Kind(
        "Sign-off", "signoff", "signoff.html",
        ("numbers.plan_rows_shown", "numbers.line_coverage", "numbers.points_hit", "numbers.regression_passed"),
        ("numbers.*.thresholds.*", "numbers.*.met.*"),
    ),
    "fpga": Kind(
        "FPGA pre-checks", "fpga-check", "fpga.html",
        ("fmax_mhz", "u250_lut_percent", "u250_memory_percent", "ecp5_lut", "passed", "failed"),
        ("parts.*", "checks.*"),
    ),
    "rt-bench": Kind(
        "Real engine, token by token", "rt-bench", "rt-bench.html",
        ("criteria.*, without load", "criteria.*", "cells.*/greedy/t1/load0/bounded.token_ms.p99"),
    ),
    "vllm-check": Kind(
        "vLLM on the device", "vllm-check", "vllm-check.html",
        ("runs.adapter.parts.*.stored", "runs.adapter.parts.*.loaded", "runs.adapter.parts.*.preemptions"),
    ),
    "kernel": Kind(
        "Linux on the device", "kernel", "kernel.html",
        ("passed", "failed", "skipped", "mmio_per_s", "boot_s", "comparisons"),
    ),
}  # fmt: skip


def kind_of(name: str) -> Kind:
    """A kind of report; one that is not listed is an experiment."""
    return KINDS.get(name) or Kind(f"Experiment: {name}", "experiments", f"experiments/{name}.html")


def counted(name: str, figures: Mapping[str, Figure], record: Record) -> dict[str, Figure]:
    """The figures that count of a report of this kind."""
    kind = kind_of(name)
    kept = {key: figure for key, figure in figures.items() if not any(fnmatchcase(key, out) for out in kind.left_out)}
    return kept | {figure.name: figure for figure in kind.more(record)}
