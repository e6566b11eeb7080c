"""The short form of the soak (tests/node/soak.py): every hostile kind in parallel with good clients."""

from __future__ import annotations

from pathlib import Path

from tests.node.soak import soak


def test_b4_good_clients_are_served_next_to_hostile_ones(tmp_path: Path) -> None:
    outcome = soak(20, 3, tmp_path)
    assert outcome.failures() == [], str(outcome)
