"""The list of figures, and how values stand to targets and ratchets."""

import tomllib

import pytest

from tb.figures.cli import _parts
from tb.figures.ratchets import RATCHETS, held, moved
from tb.figures.rows import BY_NAME, PARTS, ROWS, Sense

TARGETS = {  # the tables of the targets, by heart
    "lookup_throughput": (Sense.AT_LEAST, 0.95),
    "lookup_latency": (Sense.AT_MOST, 6),
    "lookup_throughput_in_scan": (Sense.AT_LEAST, 0.80),
    "scan_cycles": (Sense.AT_MOST, 4160),
    "scan_cycles_loaded": (Sense.AT_MOST, 5500),
    "step_to_decision": (Sense.AT_MOST, 12),
    "step_to_dma": (Sense.AT_MOST, 24),
    "insert_mean_90": (Sense.AT_MOST, 8),
    "insert_max_90": (Sense.AT_MOST, 256),
    "first_full": (Sense.AT_LEAST, 0.98),
    "dma_util_8k": (Sense.AT_LEAST, 0.99),
    "dma_util_512": (Sense.AT_LEAST, 0.95),
    "free_request_cycles": (Sense.AT_MOST, 4400),
    "cosim_vs_raw": (Sense.AT_LEAST, 0.5),
    "mmio_vs_pin_level": (Sense.AT_LEAST, 50),
    "replay_rate": (Sense.REPORT, None),
    "startup": (Sense.AT_MOST, 3),
    "model_scan": (Sense.AT_MOST, 2),
    "regress_scaling": (Sense.AT_LEAST, 1.6),
    "linux_mmio": (Sense.AT_LEAST, 5000),
    "linux_step_to_irq": (Sense.AT_MOST, 256),
    "linux_boot": (Sense.REPORT, None),
    "fmax_ecp5": (Sense.AT_LEAST, 125),
    "u250_bram": (Sense.AT_MOST, 25),
    "u250_lut": (Sense.AT_MOST, 5),
}


def test_every_target_is_a_row() -> None:
    assert {row.name: (row.sense, row.target) for row in ROWS} == TARGETS


def test_every_part_has_a_measurement() -> None:
    assert _parts().keys() == set(PARTS)


@pytest.mark.parametrize(("name", "value", "met"), [
    ("lookup_throughput", 0.95, True), ("lookup_throughput", 0.9499, False),
    ("lookup_latency", 6, True), ("lookup_latency", 7, False),
    ("replay_rate", 0, True),
])  # fmt: skip
def test_a_target_is_met_from_its_value_on(name: str, value: float, met: bool) -> None:
    assert BY_NAME[name].met(value) is met


def test_ratchets_are_of_rows() -> None:
    assert all(name in BY_NAME for figures in tomllib.loads(RATCHETS.read_text()).values() for name in figures)
    assert held("test_steps")["lookup_latency"] == 6


@pytest.mark.parametrize(("name", "expected", "seen", "word"), [
    ("lookup_latency", 6, 7, "worse"), ("lookup_latency", 6, 5, "better"),
    ("first_full", 0.9, 0.8, "worse"), ("first_full", 0.9, 0.95, "better"),
])  # fmt: skip
def test_a_moved_ratchet_says_which_way(name: str, expected: float, seen: float, word: str) -> None:
    text = moved({name: expected}, {name: seen})
    assert text is not None
    assert word in text
    assert f"expected {expected:g}" in text
    assert moved({name: expected}, {name: expected}) is None
