"""Ratchets: exact figures of the quick build. What makes one worse fails until the ratchet is moved on purpose."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from tb.figures.rows import BY_NAME, Sense

RATCHETS = Path(__file__).with_name("ratchets.toml")


def held(test: str, path: Path = RATCHETS) -> dict[str, float]:
    """The figures of a test by name."""
    figures: dict[str, float] = tomllib.loads(path.read_text())[test]
    return figures


def moved(expected: Mapping[str, float], seen: Mapping[str, float]) -> str | None:
    """What is to be done about the first figure that has moved; None when none has. Both hold the same names."""
    for name, value in seen.items():
        if value != expected[name]:
            return _text(name, expected[name], value)
    return None


def _text(name: str, expected: float, value: float) -> str:
    row = BY_NAME[name]
    better = value > expected if row.sense is Sense.AT_LEAST else value < expected
    what = (
        "better than its ratchet: tighten it there"
        if better
        else "worse than its ratchet: mend the design, or move the ratchet on purpose and say why"
    )
    return f"{name}: expected {expected:g} {row.unit} (tb/figures/ratchets.toml), seen {value:g}: {what}"
