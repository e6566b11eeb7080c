"""The transport over a board's serial line (software.md 1, docs/fpga.md).

The same for a real port (`sw.transport.port`) and for the pins of a simulated board: both are a
`Link`. Lookups are the LOOKUP command; a write lookup, which the command set does not have, goes
through a lookup port of the device by way of the bridge. Tier memory is a window of the bridge.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from sw.regs import registers as regs
from sw.regs.registers import Command
from sw.transport import frames
from sw.transport.base import (
    ENTRY_BYTES,
    AccessRefused,
    LookupAnswer,
    Operation,
    Read,
    Transport,
    TransportError,
    WaitIrq,
    WaitTimeout,
    Write,
)
from sw.transport.frames import Answer, AnswerParser, FrameError, Request, Status

WORD = 8
SECOND_NS = 1_000_000_000
_TOUCH = regs.DIR_ARG["TOUCH"].mask


class Link(Protocol):
    """Bytes to the board and back, and the time in which limits are counted."""

    def now(self) -> int:
        """Time in ns."""

    async def sleep(self, ns: int) -> None:
        """Let `ns` pass."""

    async def send(self, data: bytes) -> None:
        """Hand over bytes; they may still be on their way afterwards.

        Raises:
            TransportError: the line is gone.
        """

    async def receive(self, timeout_ns: int) -> bytes:
        """What has come since the last call, or comes first; nothing when `timeout_ns` pass before.

        Raises:
            TransportError: the line is gone.
        """


class LinkTimeout(TransportError):
    """The board did not answer within the time limit."""


class LinkFault(TransportError):
    """What came over the line is no answer; requests under way may have taken effect or not."""


class NotABoard(TransportError):
    """What is at the other end is not this bridge."""


class NoSuchAddress(TransportError):
    """The bridge has nothing at this address."""


class SerialTransport(Transport):
    """Registers, window and tier memory of the device on a board; made by `connect`."""

    def __init__(self, link: Link, timeout_ns: int = SECOND_NS) -> None:
        """Use `connect` instead: it also finds out what the board is.

        Args:
            link: the line.
            timeout_ns: limit of every request, in the link's time.
        """
        self._link = link
        self._timeout_ns = timeout_ns
        self._parser = AnswerParser()
        self._tier_bytes = 0
        self._ports = 0

    @classmethod
    async def connect(cls, link: Link, timeout_ns: int = SECOND_NS) -> SerialTransport:
        """Find the board at the other end.

        Raises:
            LinkTimeout: nothing answers.
            NotABoard: something else answers.
        """
        transport = cls(link, timeout_ns)
        await transport._resynchronise()
        try:
            identity, transport._tier_bytes, caps = await transport._values(
                [Request(frames.BOARD_ID), Request(frames.BOARD_TIER_BYTES), Request(regs.CAPS.offset)]
            )
        except LinkFault as fault:
            raise NotABoard(f"the serial line does not lead to a board: {fault}") from None
        if identity != frames.ID:
            raise NotABoard(f"the serial line leads to a bridge with identity {identity:#x}, not {frames.ID:#x}")
        transport._ports = regs.CAPS["PORTS"].get(caps)
        return transport

    @property
    def tier_bytes(self) -> int:
        """Bytes of each tier's on-chip memory, from address 0 on."""
        return self._tier_bytes

    def now(self) -> int:
        """Time of the link in ns: the host's for a real port, the simulator's for pins."""
        return self._link.now()

    async def sleep(self, ns: int) -> None:
        """Let `ns` pass."""
        if ns > 0:
            await self._link.sleep(ns)

    # ------------------------------------------------------------------ frames

    async def _resynchronise(self) -> None:
        """Wait until the bridge expects a new request, and drop what it still sends."""
        await self._link.sleep(frames.GAP_NS)
        while await self._link.receive(0):
            pass
        self._parser.forget()

    async def _exchange(self, requests: Iterable[Request]) -> list[Answer]:
        """Requests and their answers, in order, with as many under way as the bridge can keep.

        Raises:
            LinkTimeout: an answer did not come within the limit.
            LinkFault: what came is no answer.
        """
        answers: list[Answer] = []
        waiting: deque[Request] = deque()
        to_send = deque(requests)
        room = frames.REQUEST_BYTES
        while to_send or waiting:
            burst = bytearray()
            while to_send and len(burst) + len(to_send[0].encode()) <= room:
                waiting.append(to_send.popleft())
                burst += waiting[-1].encode()
            if burst:
                room -= len(burst)
                await self._link.send(bytes(burst))
            answers.append(await self._answer(waiting[0]))
            room += len(waiting.popleft().encode())
        return answers

    async def _answer(self, request: Request) -> Answer:
        end = self._link.now() + self._timeout_ns
        while True:
            try:
                answer = self._parser.take(request)
            except FrameError as error:
                await self._resynchronise()
                raise LinkFault(str(error)) from None
            if answer:
                return answer
            data = await self._link.receive(max(0, end - self._link.now()))
            if not data:
                await self._resynchronise()
                raise LinkTimeout(f"the board did not answer within {self._timeout_ns / 1e6:g} ms")
            self._parser.feed(data)

    async def _values(self, requests: Sequence[Request]) -> list[int]:
        """Data of requests that the bridge itself answers.

        Raises:
            NoSuchAddress: it has nothing there, or refuses.
        """
        answers = await self._exchange(requests)
        for request, answer in zip(requests, answers, strict=True):
            if answer.status is not Status.OKAY:
                raise NoSuchAddress(f"the bridge answers {answer.status.name} at {request.address:#010x}")
        return [answer.data for answer in answers]

    # ------------------------------------------------------------------ registers

    async def read(self, offset: int) -> int:
        """Read a register of BAR0."""
        return (await self.batch([Read(offset)]))[0]

    async def write(self, offset: int, value: int) -> None:
        """Write a register of BAR0."""
        await self.batch([Write(offset, value)])

    async def batch(self, operations: Sequence[Operation]) -> list[int]:
        """Do the operations in order, up to the first that is refused.

        Everything between two waits goes out at once: each request is chained to the one before.
        """
        results: list[int] = []
        run: list[Read | Write] = []
        for operation in operations:
            if isinstance(operation, WaitIrq):
                await self._run(run, results)
                run = []
                await self._wait(operation.timeout_ns, results)
                results.append(self.now())
            else:
                run.append(operation)
        await self._run(run, results)
        return results

    async def _run(self, operations: Sequence[Read | Write], results: list[int]) -> None:
        requests = [_bar0(operation, chained=i > 0) for i, operation in enumerate(operations)]
        for operation, answer in zip(operations, await self._exchange(requests), strict=True):
            if answer.status is not Status.OKAY:
                raise AccessRefused(operation, len(results), results)
            results.append(answer.data)

    async def wait_irq(self, timeout_ns: int) -> None:
        """Return when the interrupt level is 1."""
        await self._wait(timeout_ns, ())

    async def _wait(self, timeout_ns: int, results: Sequence[int]) -> None:
        end = self.now() + timeout_ns
        while True:
            (status,) = await self._values([Request(frames.BOARD_STATUS)])
            if status & 1:
                return
            if self._parser.take_irq():  # it came right behind the answer
                continue
            left = end - self.now()
            data = await self._link.receive(left) if left > 0 else b""
            if not data:
                raise WaitTimeout(timeout_ns, len(results), results)
            self._parser.feed(data)
            self._parser.take_irq()
            if self._parser.pending:
                await self._resynchronise()
                raise LinkFault("bytes came unasked that are no interrupt")

    # ------------------------------------------------------------------ directory window

    async def read_window(self, offset: int) -> int:
        """Read 64 bits of BAR2."""
        return (await self._window([offset]))[0]

    async def window(self, first: int, count: int) -> bytes:
        """`count` directory entries from index `first` on, 32 bytes each."""
        words = await self._window(range(first * ENTRY_BYTES, (first + count) * ENTRY_BYTES, WORD))
        return b"".join(word.to_bytes(WORD, "little") for word in words)

    async def _window(self, offsets: Sequence[int]) -> list[int]:
        requests = [Request(frames.BAR2 + offset, chained=i > 0) for i, offset in enumerate(offsets)]
        answers = await self._exchange(requests)
        for i, answer in enumerate(answers):
            if answer.status is not Status.OKAY:
                raise AccessRefused(Read(offsets[i]), i)
        return [answer.data for answer in answers]

    # ------------------------------------------------------------------ the accelerator's side

    async def lookup(self, port: int, kv_addr: int, write: bool) -> LookupAnswer:
        """One lookup: the LOOKUP command, or through `port` for a write.

        The command knows no tenant window, so a read is never denied.

        Raises:
            TransportError: no such port, or the device did not take the lookup within the limit.
        """
        if not 0 <= port < self._ports:
            raise TransportError(f"the device has no lookup port {port}")
        return await (self._lookup_port(port, kv_addr) if write else self._lookup_command(kv_addr))

    async def _lookup_command(self, kv_addr: int) -> LookupAnswer:
        launch = [
            Write(regs.DIR_ADDR.offset, kv_addr),
            Write(regs.DIR_ARG.offset, _TOUCH),
            Write(regs.DIR_COMMAND.offset, Command.LOOKUP),
        ]
        end = self.now() + self._timeout_ns
        while True:
            try:
                await self.batch(launch)
                break
            except AccessRefused as refused:
                # Another command waits or runs.
                if self.now() >= end:
                    raise TransportError(f"LOOKUP: {refused}") from None
        while True:
            status, phys_addr = await self.batch([Read(regs.DIR_STATUS.offset), Read(regs.DIR_PHYS_ADDR.offset)])
            fields = regs.DIR_STATUS.unpack(status)
            if not fields["BUSY"]:
                break
            if self.now() >= end:
                raise TransportError(f"LOOKUP of {kv_addr:#x} has not ended")
        hit = fields["STATUS"] == regs.Status.OK
        return LookupAnswer(hit, False, fields["TIER"], phys_addr, fields["INDEX"])

    async def _lookup_port(self, port: int, kv_addr: int) -> LookupAnswer:
        start = Request(frames.BOARD_LOOKUP, 1 << 8 | port, chained=True)
        await self._values([Request(frames.BOARD_LOOKUP_ADDR, kv_addr), start])
        end = self.now() + self._timeout_ns
        while True:
            answer, phys_addr = await self._values([Request(frames.BOARD_LOOKUP), Request(frames.BOARD_LOOKUP_PHYS)])
            if not answer >> 63:
                break
            if self.now() >= end:
                raise TransportError(f"port {port} does not take lookups (CTRL.ENABLE = 0?)")
        hit, denied = bool(answer >> 35 & 1), bool(answer >> 34 & 1)
        return LookupAnswer(hit, denied, answer >> 32 & 3, phys_addr, answer >> 16 & 0xFFFF)

    def _place(self, tier: int, phys_addr: int, count: int) -> int:
        """Address of a place in the bridge's map. Raises TransportError past the tier's memory."""
        if not (0 <= tier < 4 and phys_addr >= 0 and phys_addr + count <= self._tier_bytes):
            raise TransportError(
                f"tier {tier} has no memory at {phys_addr:#x} to {phys_addr + count:#x}: "
                f"the board gives each tier {self._tier_bytes:,} bytes"
            )
        return frames.TIERS + tier * frames.TIER_STRIDE + phys_addr

    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        """Read `count` bytes of a tier's memory."""
        place = self._place(tier, phys_addr, count)
        first = place % WORD
        words = await self._values([Request(at) for at in range(place - first, place + count, WORD)])
        return b"".join(word.to_bytes(WORD, "little") for word in words)[first : first + count]

    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Write bytes of a tier's memory; whole words around them are read and written back."""
        if not data:
            return
        place = self._place(tier, phys_addr, len(data))
        before = await self.mem_read(tier, phys_addr - place % WORD, place % WORD)
        behind = -(place + len(data)) % WORD
        after = await self.mem_read(tier, phys_addr + len(data), behind)
        whole = before + data + after
        start = place - len(before)
        await self._values(
            [Request(start + at, int.from_bytes(whole[at : at + WORD], "little")) for at in range(0, len(whole), WORD)]
        )


def _bar0(operation: Read | Write, *, chained: bool) -> Request:
    if not 0 <= operation.offset < 1 << 16:
        raise AccessRefused(operation)
    value = operation.value if isinstance(operation, Write) else None
    return Request(frames.BAR0 + operation.offset, value, chained)
