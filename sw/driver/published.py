"""The published driver sequence: the register writes that existing driver code does."""

from __future__ import annotations

from dataclasses import dataclass

from sw.driver.errors import Refused
from sw.driver.registers import Registers
from sw.regs import registers as regs
from sw.regs.register import Register

STEP = 128
HINTS: tuple[tuple[Register, int], ...] = (
    (regs.BOOST_ADDR, 0x7F001000),
    (regs.BOOST_LEN, 4096),
    (regs.IMEVICT_ADDR, 0x7F002000),
    (regs.IMEVICT_LEN, 8192),
    (regs.PREFETCH_ADDR, 0x7F003000),
    (regs.PREFETCH_LEN, 4096),
    (regs.PREFETCH_STEP, 256),
    (regs.SHARE_ADDR, 0x7F004000),
    (regs.SHARE_LEN, 16384),
)
WEIGHTS: tuple[tuple[Register, int], ...] = (
    (regs.WEIGHT_R, 3),
    (regs.WEIGHT_F, 5),
    (regs.WEIGHT_S, 7),
    (regs.WEIGHT_D, 11),
    (regs.EVICT_THRESH, 1024),
    (regs.PREFETCH_THRESH, 40960),
)


@dataclass(frozen=True, slots=True)
class Readback:
    """What the device reads back after the sequence: register name to value, expected and seen.

    `empty_hot_refused` tells whether a HOT of length 0 got SLVERR.
    """

    expected: dict[str, int]
    seen: dict[str, int]
    empty_hot_refused: bool


async def published_sequence(registers: Registers) -> Readback:
    """Do the published sequence at its fixed offsets and read everything back.

    Raises:
        Refused: the device refused an access other than the HOT of length 0.
    """
    writes = ((regs.STEP_ADVANCE, STEP), *HINTS, *WEIGHTS)
    for register, value in writes:
        await registers.write(register, value)
    try:
        await registers.write(regs.BOOST_LEN, 0)
        refused = False
    except Refused:
        refused = True
    expected = {register.name: value for register, value in writes}
    expected[regs.THRESHOLDS.name] = regs.THRESHOLDS.pack(EVICT=1024, PREFETCH=40960)
    names = list(expected)
    values = await registers.read_all([regs.BY_NAME[name] for name in names])
    return Readback(expected, dict(zip(names, values, strict=True)), refused)
