"""What one inference has cost: counted by its backend, shown by the metrics (software.md 4)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """What one inference has cost so far (metrics: per inference).

    Attributes:
        computed: tokens that went through the model.
        cycles: compute cycles charged for them.
        lookups: lookups sent to the device's ports.
        misses: of them, those without a hit.
        bytes_read: K/V bytes read from tier memory.
        bytes_written: K/V bytes written to tier memory.
        inserts: blocks inserted.
        shared_tokens: prompt tokens whose K/V were found in blocks of an earlier prompt.
    """

    computed: int = 0
    cycles: int = 0
    lookups: int = 0
    misses: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    inserts: int = 0
    shared_tokens: int = 0
