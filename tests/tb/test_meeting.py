"""The harness of events that meet (G3): what it calls an event, and that a missing offset or order fails."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tb.env.meeting import Event, Mark, Meeting, Part, accessed, commit, scan_step
from tb.env.registers import kv, offset
from tb.events import records as ev
from tb.events.records import Kind, Op

PART = Part(commit(Op.Lookup))


def main_record(cycle: int, kind: int, op: int = 0, flags: int = 0, w2: int = 0) -> list[int]:
    """The sixteen words of a record."""
    return [cycle, kind | op << 8 | flags << 32, w2, *[0] * 13]


def test_a_mark_finds_its_records_and_no_others() -> None:
    rows = [
        main_record(10, Kind.Op, Op.Lookup, w2=kv(1)),
        main_record(11, Kind.Op, Op.Lookup, w2=kv(2)),
        main_record(12, Kind.Op, Op.Remove, w2=kv(1)),
        main_record(13, Kind.Mmio, 1, w2=offset("IRQ_STATUS")),
        main_record(14, Kind.Mmio, 0, w2=offset("IRQ_STATUS")),
        main_record(15, Kind.Irq, 0b1010),
    ]
    records = ev.typed(np.array(rows, np.uint64), ev.STREAM_MAIN)
    assert commit(Op.Lookup, kv(1)).cycles(records) == [10]
    assert commit(Op.Lookup).cycles(records) == [10, 11]
    assert accessed("IRQ_STATUS").cycles(records) == [13]
    assert Mark(int(Kind.Irq), bits=0b1000).cycles(records) == [15]
    assert Mark(int(Kind.Irq), bits=0b0100).cycles(records) == []
    steps = np.zeros(3, ev.SCAN)
    steps["index"], steps["cycle"] = [7, 8, 7], [20, 21, 22]
    assert scan_step(7).cycles(steps) == [20, 22]


class Differs(AssertionError):
    """A comparison of the harness failed."""


def meeting(distances: Callable[[int], int | None]) -> tuple[Meeting, list[int]]:
    """A meeting on no device: `distances` gives the distance for a start time; and the start times tried."""
    tried: list[int] = []

    def compare(subject: str, expected: Any, seen: Any, **where: Any) -> None:
        if expected != seen:
            raise Differs(subject)

    class Planned(Meeting):
        async def distance(self, gap: int, first: Event, second: Event) -> int | None:
            tried.append(gap)
            return distances(gap)

    bench: Any = SimpleNamespace(ctx=SimpleNamespace(compare=compare))
    board: Any = SimpleNamespace(taps=[])
    return Planned(bench, board), tried


async def nothing() -> None:
    """Nothing to prepare."""


@pytest.mark.parametrize("delay", [0, 17, -9, 300])
def test_every_offset_is_reached(delay: int) -> None:
    seen = []

    async def after(distance: int | None) -> None:
        seen.append(distance)

    pairs, _ = meeting(lambda gap: gap - delay)
    asyncio.run(pairs.at_offsets(nothing, PART, PART, after))
    assert set(range(-3, 4)) <= set(seen)


@pytest.mark.parametrize(
    "distances",
    [
        lambda gap: None,  # the event never comes
        lambda gap: max(gap, 0),  # never before the first one
        lambda gap: gap + (gap >= 0),  # never in the same cycle
    ],
)
def test_an_offset_that_cannot_be_had_fails(distances: Callable[[int], int | None]) -> None:
    pairs, _ = meeting(distances)
    with pytest.raises(Differs, match="offsets at which the two events met"):
        asyncio.run(pairs.at_offsets(nothing, PART, PART))


def test_both_orders_are_reached_where_some_distances_are_impossible() -> None:
    pairs, tried = meeting(lambda gap: gap - 40 if gap < 40 else gap - 34)  # 5 cycles apart at least
    asyncio.run(pairs.around(nothing, PART, PART))
    assert set(range(30, 51)) <= set(tried)


def test_one_order_alone_fails() -> None:
    pairs, _ = meeting(lambda gap: 8)
    with pytest.raises(Differs, match="orders in which the two events came"):
        asyncio.run(pairs.around(nothing, PART, PART))
