"""The RTL's own count from STEP_ADVANCE to its interrupt, from records as the monitors write them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sw.regs import registers as regs
from tb.events.decode import KIND_BYTE
from tb.events.records import DTYPES, RECORDS, STREAM_MAIN, STREAM_PORT, STREAM_WORDS, Kind
from tb.harness.link import Array
from tb.linux.step_to_irq import StepToIrq


def record(kind: Kind, **fields: Any) -> Array:
    one = np.zeros(1, DTYPES[RECORDS[kind]])
    for name, value in fields.items():
        one[name] = value
    one.view(np.uint8)[KIND_BYTE] = kind
    return one.view(np.uint64).reshape(1, -1)


def write(cycle: int, address: int = regs.STEP_ADVANCE.offset, **fields: int) -> Array:
    return record(Kind.Mmio, **{"cycle": cycle, "bar": 0, "write": 1, "address": address, "took": 3, **fields})


def rise(cycle: int, level: int = 1) -> Array:
    return record(Kind.IrqLevel, cycle=cycle, level=level)


def counted(*drains: list[Array]) -> int:
    tap = StepToIrq()
    for records in drains:
        tap(STREAM_MAIN, np.concatenate(records))
    return tap.cycles


def test_from_the_handshake_to_the_rise() -> None:
    assert counted([write(103), rise(390)]) == 290
    assert counted([write(103)], [rise(390)]) == 290
    assert counted([write(103), rise(390), rise(400, 0), rise(500)]) == 290  # a later interrupt is another's


def test_what_does_not_count() -> None:
    assert counted([rise(90), write(103)]) == 0
    assert counted([write(103, address=regs.CTRL.offset), rise(390)]) == 0
    assert counted([write(103, response=2), rise(390)]) == 0
    assert counted([write(103, write=0), rise(390)]) == 0
    assert counted([write(103), rise(390, level=0)]) == 0
    assert counted([write(103), rise(390), write(503)]) == 0  # not yet
    tap = StepToIrq()
    tap(STREAM_PORT, write(103))
    tap(STREAM_MAIN, np.zeros((0, STREAM_WORDS[STREAM_MAIN]), np.uint64))
    assert tap.cycles == 0
