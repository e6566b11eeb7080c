"""Which writes BAR0 refuses for their value (device.md 5, 7): what the written value and other registers decide.

What the moment decides (a tier in use, a full queue, a busy directory command, no initialised directory) is
judged where that state is known: `model.mmio`, and `tb.scoreboard.registers` with its timing window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model.types import TIER_COUNT, U32
from sw.regs import registers as regs
from sw.regs.register import Register

LAST_TOKEN = U32
NAMES = 256  # layers of a request, heads of a layer
BASE_ALIGNMENT = 4096
BYTES_STEP, BYTES_LEAST, BYTES_MOST = 64, 256, 65536

RANGE_ADDR = {
    regs.BOOST_LEN: regs.BOOST_ADDR,
    regs.IMEVICT_LEN: regs.IMEVICT_ADDR,
    regs.COOL_LEN: regs.COOL_ADDR,
    regs.PREFETCH_STEP: regs.PREFETCH_ADDR,
    regs.SHARE_LEN: regs.SHARE_ADDR,
    regs.RELEASE_LEN: regs.RELEASE_ADDR,
}
"""Launching register of each range command, and its ADDR register."""

Held = Callable[[Register], int]
"""The value that a register holds."""


@dataclass(frozen=True, slots=True)
class Range:
    """A range command as its registers describe it: `length` tokens from `kv_addr` on, over layers and heads."""

    kv_addr: int
    length: int
    layers: int
    heads: int


def range_of(launch: Register, value: int, held: Held) -> Range:
    """The range that a write of `value` to a launching register asks for; a span field of 0 is 1."""
    length = held(regs.PREFETCH_LEN) if launch is regs.PREFETCH_STEP else value
    span = regs.CMD_SPAN.unpack(held(regs.CMD_SPAN))
    return Range(held(RANGE_ADDR[launch]), length, span["LAYERS"] or 1, span["HEADS"] or 1)


_UNUSED = {
    regs.BLOCK_BYTES.offset: tuple(range(TIER_COUNT)),
    **{register.offset: (tier,) for tier, register in enumerate(regs.TIER_BASE)},
    **{register.offset: (tier,) for tier, register in enumerate(regs.TIER_SLOTS)},
}


def tiers_to_be_unused(register: Register) -> tuple[int, ...]:
    """Tiers of which no slot may be in use when the register is written."""
    return _UNUSED.get(register.offset, ())


@dataclass(frozen=True, slots=True)
class RegisterRules:
    """The rules for a device of these sizes (device.md 1)."""

    entries: int
    block_tokens: int

    def problem(self, register: Register, value: int, held: Held) -> str | None:
        """Why a write of `value` (bits without a field cleared) is refused whatever the device does, or None."""
        rule = _RULES.get(register.offset)
        return None if rule is None else rule(self, register, value, held)

    def _command(self, register: Register, value: int, held: Held) -> str | None:
        return None if value in list(regs.Command) else "no directory command"

    def _threshold(self, register: Register, value: int, held: Held) -> str | None:
        evict, prefetch = held(regs.EVICT_THRESH), held(regs.PREFETCH_THRESH)
        if register is regs.THRESHOLDS:
            fields = register.unpack(value)
            evict, prefetch = fields["EVICT"], fields["PREFETCH"]
        elif register is regs.EVICT_THRESH:
            evict = value
        else:
            prefetch = value
        return f"EVICT_THRESH {evict} > PREFETCH_THRESH {prefetch}" if evict > prefetch else None

    def _block_bytes(self, register: Register, value: int, held: Held) -> str | None:
        legal = BYTES_LEAST <= value <= BYTES_MOST and value % BYTES_STEP == 0
        return None if legal else "BLOCK_BYTES is not a multiple of 64 from 256 to 65,536"

    def _base(self, register: Register, value: int, held: Held) -> str | None:
        return "BASE is not a multiple of 4,096" if value % BASE_ALIGNMENT else None

    def _slots(self, register: Register, value: int, held: Held) -> str | None:
        return f"SLOTS is above ENTRIES, {self.entries}" if value > self.entries else None

    def _range(self, register: Register, value: int, held: Held) -> str | None:
        asked = range_of(register, value, held)
        token = asked.kv_addr & U32
        end = token + asked.length - 1
        if asked.length == 0:
            return "LEN is 0"
        if end > LAST_TOKEN:
            return "past token 2^32 - 1"
        if end // self.block_tokens - token // self.block_tokens + 1 > self.entries:
            return "more than ENTRIES blocks"
        layer, head = asked.kv_addr >> 40 & 0xFF, asked.kv_addr >> 32 & 0xFF
        if layer + asked.layers > NAMES or head + asked.heads > NAMES:
            return "CMD_SPAN past layer or head 255"
        return None


_RULES = {
    regs.DIR_COMMAND.offset: RegisterRules._command,
    regs.BLOCK_BYTES.offset: RegisterRules._block_bytes,
    **{r.offset: RegisterRules._range for r in RANGE_ADDR},
    **{r.offset: RegisterRules._threshold for r in (regs.EVICT_THRESH, regs.PREFETCH_THRESH, regs.THRESHOLDS)},
    **{r.offset: RegisterRules._base for r in regs.TIER_BASE},
    **{r.offset: RegisterRules._slots for r in regs.TIER_SLOTS},
}
