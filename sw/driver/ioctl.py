"""The published kernel interface: ioctl magic 'K' (software.md 1)."""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass, replace
from enum import IntEnum

from sw import regs
from sw.driver.binding import Bindings, Run, check_range
from sw.driver.device import Driver, Weights
from sw.driver.errors import BadArgument
from sw.kv_address import KvAddress

STEP = struct.Struct("<Q")
RANGE = struct.Struct("<3Q")
WEIGHTS = struct.Struct("<6I")
TELEMETRY = struct.Struct("<9Q6I")

_MAGIC = ord("K")
_WRITE, _READ = 1, 2  # direction as the caller sees it
_MAX_STEP = (1 << 32) - 1


def _number(direction: int, number: int, layout: struct.Struct) -> int:
    return direction << 30 | layout.size << 16 | _MAGIC << 8 | number


class Request(IntEnum):
    """ioctl numbers."""

    STEP_ADVANCE = _number(_WRITE, 1, STEP)
    MARK_HOT = _number(_WRITE, 2, RANGE)
    EVICT = _number(_WRITE, 3, RANGE)
    PREFETCH = _number(_WRITE, 4, RANGE)
    SHARE_PREFIX = _number(_WRITE, 5, RANGE)
    SET_WEIGHTS = _number(_WRITE, 6, WEIGHTS)
    GET_TELEMETRY = _number(_READ, 7, TELEMETRY)


_LAYOUTS = {
    Request.STEP_ADVANCE: STEP,
    Request.MARK_HOT: RANGE,
    Request.EVICT: RANGE,
    Request.PREFETCH: RANGE,
    Request.SHARE_PREFIX: RANGE,
    Request.SET_WEIGHTS: WEIGHTS,
    Request.GET_TELEMETRY: TELEMETRY,
}


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


class Ioctl:
    """The device node of one process.

    Attributes:
        driver: the device.
        bindings: user ranges.
        hint_misses: BLOCK_BYTES units of hints that were not bound.
    """

    def __init__(self, driver: Driver) -> None:
        """A node with nothing bound and no call counted."""
        self.driver = driver
        self.bindings = Bindings(driver.caps.block_tokens)
        self.hint_misses = 0
        self._counters = Counters()

    async def bind(self, va: int, length: int, first: KvAddress) -> None:
        """Map each BLOCK_BYTES of a user range to one block, from `first` on.

        Raises:
            OSError: EINVAL, for the reasons of `Bindings.bind`.
        """
        try:
            self.bindings.bind(va, length, first, await self._block_bytes())
        except BadArgument as error:
            raise _invalid(error) from None

    async def ioctl(self, request: int, argument: bytes | None) -> bytes:
        """One call.

        Args:
            request: ioctl number.
            argument: the bytes behind the caller's pointer; None for a bad pointer.

        Returns:
            What is written back behind the pointer; empty for requests that write.

        Raises:
            OSError: ENOTTY, EFAULT or EINVAL; nothing has changed.
        """
        try:
            known = Request(request)
        except ValueError:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY)) from None
        layout = _LAYOUTS[known]
        if argument is None or len(argument) < layout.size:
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
                    await self._hint(known, *RANGE.unpack_from(argument))
        except BadArgument as error:
            raise _invalid(error) from None
        return b""

    async def telemetry(self) -> Telemetry:
        """Counters of this node, step and weights of the device."""
        return Telemetry(await self.driver.current_step(), self._counters, await self.driver.weights())

    async def _step(self, step: int) -> None:
        await self.driver.step(step)
        self._counters = replace(self._counters, step_count=self._counters.step_count + 1)

    async def _hint(self, request: Request, va: int, length: int, target_step: int) -> None:
        check_range(va, length)
        if target_step > _MAX_STEP:
            raise BadArgument(f"target_step {target_step} is over 32 bits")
        runs, misses = self.bindings.resolve(va, length, await self._block_bytes())
        most = self.driver.caps.entries * self.driver.caps.block_tokens
        span = self.driver.span
        await self.driver.set_span(1, 1)  # a call names its blocks one by one
        for run in runs:
            for first, tokens in _pieces(run, most):
                await self._send(request, first, tokens, target_step)
        await self.driver.set_span(*span)
        self.hint_misses += misses
        counted = {
            Request.MARK_HOT: "hot_count",
            Request.EVICT: "evict_count",
            Request.PREFETCH: "prefetch_count",
            Request.SHARE_PREFIX: "share_count",
        }[request]
        self._counters = replace(
            self._counters,
            last_va=va,
            last_len=length,
            last_target_step=target_step,
            **{counted: getattr(self._counters, counted) + 1},
        )

    async def _send(self, request: Request, first: KvAddress, tokens: int, step: int) -> None:
        match request:
            case Request.MARK_HOT:
                await self.driver.hot(first, tokens)
            case Request.EVICT:
                await self.driver.evict(first, tokens)
            case Request.PREFETCH:
                await self.driver.prefetch(first, tokens, step)
            case _:
                await self.driver.share(first, tokens)

    async def _block_bytes(self) -> int:
        return await self.driver.registers.read(regs.BLOCK_BYTES)


def _pieces(run: Run, most: int) -> list[tuple[KvAddress, int]]:
    """The run in pieces of at most `most` tokens."""
    first = run.first
    return [
        (
            KvAddress(first.request_id, first.layer, first.head, first.token + done),
            min(most, run.tokens - done),
        )
        for done in range(0, run.tokens, most)
    ]


def _invalid(error: BadArgument) -> OSError:
    return OSError(errno.EINVAL, f"{os.strerror(errno.EINVAL)}: {error}")
