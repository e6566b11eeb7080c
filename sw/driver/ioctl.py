"""The published kernel interface: ioctl magic 'K' (software.md 1)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from sw.driver.binding import Bindings, Run, check_range
from sw.driver.device import Driver, Weights
from sw.driver.errors import BadArgument
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.slices import Between, uninterrupted
from sw.uapi import description

STEP = description.STEP.layout
RANGE = description.RANGE.layout
WEIGHTS = description.WEIGHTS.layout
TELEMETRY = description.TELEMETRY.layout

PIECE_BLOCKS = 1024  # of a range call, between two looks at who else asks
_MAX_STEP = (1 << 32) - 1
_BY_NAME = {call.name: call for call in description.CALLS}


class Request(IntEnum):
    """ioctl numbers."""

    STEP_ADVANCE = _BY_NAME["STEP_ADVANCE"].request
    MARK_HOT = _BY_NAME["MARK_HOT"].request
    EVICT = _BY_NAME["EVICT"].request
    PREFETCH = _BY_NAME["PREFETCH"].request
    SHARE_PREFIX = _BY_NAME["SHARE_PREFIX"].request
    SET_WEIGHTS = _BY_NAME["SET_WEIGHTS"].request
    GET_TELEMETRY = _BY_NAME["GET_TELEMETRY"].request


_SIZES = {Request(call.request): call.argument.layout.size for call in description.CALLS}


@dataclass(frozen=True, slots=True)
class Counters:
    """Accepted calls, and the arguments of the last accepted range call."""

    step_count: int = 0
    hot_count: int = 0
    evict_count: int = 0
    prefetch_count: int = 0
    share_count: int = 0
    last_va: int = 0
    last_len: int = 0
    last_target_step: int = 0


@dataclass(frozen=True, slots=True)
class Telemetry:
    """GET_TELEMETRY, field by field."""

    current_step: int
    counters: Counters
    weights: Weights

    def pack(self) -> bytes:
        """The 96 bytes of the published struct."""
        c, w = self.counters, self.weights
        return TELEMETRY.pack(
            self.current_step,
            c.step_count,
            c.hot_count,
            c.evict_count,
            c.prefetch_count,
            c.share_count,
            c.last_va,
            c.last_len,
            c.last_target_step,
            w.w_r,
            w.w_f,
            w.w_s,
            w.w_d,
            w.evict_thresh,
            w.prefetch_thresh,
        )

    @classmethod
    def unpack(cls, data: bytes) -> Telemetry:
        """From the 96 bytes of the published struct."""
        numbers = TELEMETRY.unpack(data)
        return cls(numbers[0], Counters(*numbers[1:9]), Weights(*numbers[9:]))


class Hint(Enum):
    """The hints for a range of user bytes; all but COOL and RELEASE are published calls."""

    HOT = "hot"
    EVICT = "evict"
    COOL = "cool"
    PREFETCH = "prefetch"
    SHARE = "share"
    RELEASE = "release"


_HINTS = {
    Request.MARK_HOT: Hint.HOT,
    Request.EVICT: Hint.EVICT,
    Request.PREFETCH: Hint.PREFETCH,
    Request.SHARE_PREFIX: Hint.SHARE,
}
_COUNTED = {
    Hint.HOT: "hot_count",
    Hint.EVICT: "evict_count",
    Hint.PREFETCH: "prefetch_count",
    Hint.SHARE: "share_count",
}


class Tally:
    """Counts of accepted calls: of one open file, which `total` counts as well."""

    def __init__(self, total: Tally | None = None) -> None:
        """Nothing counted yet."""
        self.counters = Counters()
        self.hint_misses = 0
        self._total = total

    def stepped(self) -> None:
        """A STEP_ADVANCE was accepted."""
        self.counters = replace(self.counters, step_count=self.counters.step_count + 1)
        if self._total:
            self._total.stepped()

    def hinted(self, hint: Hint, va: int, length: int, target_step: int, misses: int) -> None:
        """A range call was accepted; only published ones are counted."""
        self.hint_misses += misses
        counted = _COUNTED.get(hint)
        if counted:
            self.counters = replace(
                self.counters,
                last_va=va,
                last_len=length,
                last_target_step=target_step,
                **{counted: getattr(self.counters, counted) + 1},
            )
        if self._total:
            self._total.hinted(hint, va, length, target_step, misses)


class Ioctl:
    """One open file of the device node.

    Attributes:
        driver: the device.
        bindings: user ranges of this file.
        default: user ranges that count while this file has none.
        tally: accepted calls.
    """

    def __init__(self, driver: Driver, total: Tally | None = None, default: Bindings | None = None) -> None:
        """A file with nothing bound and no call counted; `total` counts the calls of all files."""
        self.driver = driver
        self.bindings = Bindings(driver.caps.block_tokens)
        self.default = Bindings(driver.caps.block_tokens) if default is None else default
        self.tally = Tally(total)

    @property
    def hint_misses(self) -> int:
        """BLOCK_BYTES units of hints that were not bound."""
        return self.tally.hint_misses

    async def bind(self, va: int, length: int, first: KvAddress) -> None:
        """Map each BLOCK_BYTES of a user range to one block, from `first` on.

        Raises:
            OSError: EINVAL, for the reasons of `Bindings.bind`.
        """
        try:
            self.bindings.bind(va, length, first, await self._block_bytes())
        except BadArgument as error:
            raise _invalid(error) from None

    async def ioctl(self, request: int, argument: bytes | None, between: Between = uninterrupted) -> bytes:
        """One call.

        Args:
            request: ioctl number.
            argument: the bytes behind the caller's pointer; None for a bad pointer.
            between: awaited between the pieces of a range call; False ends it with what is done.

        Returns:
            What is written back behind the pointer; empty for requests that write.

        Raises:
            OSError: ENOTTY, EFAULT or EINVAL; nothing has changed.
        """
        try:
            known = Request(request)
        except ValueError:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY)) from None
        if argument is None or len(argument) < _SIZES[known]:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        try:
            match known:
                case Request.STEP_ADVANCE:
                    await self._step(*STEP.unpack_from(argument))
                case Request.SET_WEIGHTS:
                    await self.driver.set_weights(Weights(*WEIGHTS.unpack_from(argument)))
                case Request.GET_TELEMETRY:
                    return (await self.telemetry()).pack()
                case _:
                    va, length, step = RANGE.unpack_from(argument)
                    await self.hint(_HINTS[known], va, length, step, between)
        except BadArgument as error:
            raise _invalid(error) from None
        return b""

    async def telemetry(self) -> Telemetry:
        """Counters of this file, step and weights of the device."""
        return Telemetry(await self.driver.current_step(), self.tally.counters, await self.driver.weights())

    async def _step(self, step: int) -> None:
        await self.driver.step(step)
        self.tally.stepped()

    async def hint(
        self, hint: Hint, va: int, length: int, target_step: int = 0, between: Between = uninterrupted
    ) -> int:
        """One range call on the blocks that the range is bound to.

        `between` is awaited after every PIECE_BLOCKS blocks; False ends the call with what is done.

        Returns:
            Units of BLOCK_BYTES that are not bound.

        Raises:
            BadArgument: no bytes, past 2^64, a step over 32 bits; nothing has changed.
        """
        check_range(va, length)
        if not 0 <= target_step <= _MAX_STEP:
            raise BadArgument(f"target_step {target_step} is over 32 bits")
        bindings = self.bindings if self.bindings.ranges else self.default
        runs, misses = bindings.resolve(va, length, await self._block_bytes())
        most = min(self.driver.caps.entries, PIECE_BLOCKS) * self.driver.caps.block_tokens
        since = 0
        for first, tokens in (piece for run in runs for piece in _pieces(run, most)):
            since += tokens
            if since > most:
                since = tokens
                if not await between():
                    break
            await self._send(hint, first, tokens, target_step)
        self.tally.hinted(hint, va, length, target_step, misses)
        return misses

    async def _send(self, hint: Hint, first: KvAddress, tokens: int, step: int) -> None:
        span = self.driver.span
        await self.driver.set_span(1, 1)  # a call names its blocks one by one
        await send(self.driver, hint, first, tokens, step)
        await self.driver.set_span(*span)

    async def _block_bytes(self) -> int:
        return await self.driver.registers.read(regs.BLOCK_BYTES)


async def send(driver: Driver, hint: Hint, first: KvAddress, tokens: int, step: int) -> None:
    """Launch the range command of a hint.

    Raises:
        BadArgument: 0 tokens, a range that is too long, or a step over 32 bits.
    """
    match hint:
        case Hint.HOT:
            await driver.hot(first, tokens)
        case Hint.EVICT:
            await driver.evict(first, tokens)
        case Hint.COOL:
            await driver.cool(first, tokens)
        case Hint.PREFETCH:
            await driver.prefetch(first, tokens, step)
        case Hint.SHARE:
            await driver.share(first, tokens)
        case Hint.RELEASE:
            await driver.release(first, tokens)


def _pieces(run: Run, most: int) -> Iterator[tuple[KvAddress, int]]:
    """The run in pieces of at most `most` tokens."""
    first = run.first
    for done in range(0, run.tokens, most):
        yield KvAddress(first.request_id, first.layer, first.head, first.token + done), min(most, run.tokens - done)


def _invalid(error: BadArgument) -> OSError:
    return OSError(errno.EINVAL, f"{os.strerror(errno.EINVAL)}: {error}")
