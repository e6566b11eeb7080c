"""The harness of events that meet (G3): what it calls an event, and that a missing offset or order fails."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tb.env.meeting import Event, Mark, Meeting, Part, accessed, commit, scan_step
from tb.env.registers import kv, offset
from tb.events.decode import KIND_BYTE
from tb.events.records import DTYPES, RECORDS, IrqRecord, Kind, MmioRecord, Op, OpRecord, ScoreRecord

PART = Part(commit(Op.LOOKUP))


def words(*records: tuple[type[Any], dict[str, int]]) -> npt.NDArray[np.uint64]:
    """Records of the main stream, shape (n, 16)."""
    rows = []
    for record, fields in records:
        row = np.zeros(1, DTYPES[record])
        for name, value in fields.items():
            row[name] = value
        octets = np.frombuffer(row.tobytes(), np.uint8).copy()
        octets[KIND_BYTE] = next(kind for kind, of in RECORDS.items() if of is record)
        rows.append(octets.view(np.uint64))
    return np.array(rows)


def test_a_mark_finds_its_records_and_no_others() -> None:
    main = words(
        (OpRecord, {"cycle": 10, "op": Op.LOOKUP, "kv_addr": kv(1)}),
        (OpRecord, {"cycle": 11, "op": Op.LOOKUP, "kv_addr": kv(2)}),
        (OpRecord, {"cycle": 12, "op": Op.REMOVE, "kv_addr": kv(1)}),
        (MmioRecord, {"cycle": 13, "write": 1, "address": offset("IRQ_STATUS")}),
        (MmioRecord, {"cycle": 14, "write": 0, "address": offset("IRQ_STATUS")}),
        (IrqRecord, {"cycle": 15, "events": 0b1010}),
    )
    assert commit(Op.LOOKUP, kv(1)).cycles(main) == [10]
    assert commit(Op.LOOKUP).cycles(main) == [10, 11]
    assert accessed("IRQ_STATUS").cycles(main) == [13]
    assert Mark(Kind.Irq, irq=3).cycles(main) == [15]
    assert Mark(Kind.Irq, irq=2).cycles(main) == []
    steps = np.zeros(3, DTYPES[ScoreRecord])
    steps["index"], steps["cycle"] = [7, 8, 7], [20, 21, 22]
    assert scan_step(7).cycles(steps.view(np.uint64).reshape(3, -1)) == [20, 22]


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
