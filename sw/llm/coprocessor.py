"""Backend (c): inferences that a coprocessor computes, submitted through its queue (software.md 4)."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sw.kernel.clock import CountedClock, cycles_to_ns
from sw.llm.backend import (
    Backend,
    Compute,
    DeviceFault,
    InferenceFailed,
    ModelInfo,
    Need,
    Sampling,
    check_request,
)
from sw.llm.micro.session import faults
from sw.metrics.usage import Usage
from sw.regs.queue import (
    DESCRIPTOR_BYTES,
    DONE_IRQ,
    QUEUE_ID,
    TOKEN_BYTES,
    Descriptor,
    Engine,
    QueueStatus,
    Reg,
    Work,
)
from sw.run import run
from sw.transport.base import WaitTimeout

U32 = (1 << 32) - 1
ENTRIES = 16
SPARE_NS = 1_000_000  # in addition to twice the compute time, before a descriptor counts as lost


class QueueTransport(Protocol):
    """Access to a queue device: registers, its memory, its interrupt. Everything may raise TransportError."""

    def now(self) -> int:
        """Device time in ns."""

    async def read(self, offset: int) -> int:
        """Read a register."""

    async def write(self, offset: int, value: int) -> None:
        """Write a register."""

    async def wait_irq(self, timeout_ns: int) -> None:
        """Return when the interrupt level is 1; WaitTimeout if it stays 0 for so long."""

    async def mem_read(self, address: int, count: int) -> bytes:
        """Bytes of the device's memory."""

    async def mem_write(self, address: int, data: bytes) -> None:
        """Write bytes of the device's memory."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A descriptor that was submitted.

    Attributes:
        number: of the descriptor since the queue was opened; also its id.
        max_tokens: asked for.
        limit_ns: absolute time after which it counts as lost.
        status: how it ended; PENDING before.
        tokens: its output.
        cycles: the device's, for it.
    """

    number: int
    max_tokens: int
    limit_ns: int
    status: QueueStatus = QueueStatus.PENDING
    tokens: list[int] = field(default_factory=list)
    cycles: int = 0


class CoprocessorQueue:
    """The driver of one queue device: submits, waits for the interrupt, takes results, in order.

    Each place of the ring has room of its own for a prompt and a result, which is used again when the
    descriptor there is done and its result taken.

    Attributes:
        prompt_bytes: of the longest prompt.
    """

    def __init__(self, transport: QueueTransport, entries: int, prompt_bytes: int, result_bytes: int) -> None:
        """Use `open`."""
        self._transport = transport
        self._entries = entries
        self.prompt_bytes = prompt_bytes
        self._result_bytes = result_bytes
        self._pending: deque[Ticket] = deque()
        self._submitted = 0

    @classmethod
    async def open(
        cls, transport: QueueTransport, *, prompt_bytes: int, max_tokens: int, entries: int = ENTRIES
    ) -> CoprocessorQueue:
        """Set up the ring of a queue device, with up to `entries` places.

        Args:
            transport: to the device.
            prompt_bytes: of the longest prompt.
            max_tokens: of the longest output.
            entries: a power of two.

        Raises:
            ValueError: the device has no memory for one such prompt and its result.
            DeviceFault: no queue device, or one that is in use.
        """
        prompt, result = _aligned(prompt_bytes), _aligned(max_tokens * TOKEN_BYTES)
        with faults("set-up of the coprocessor's queue"):
            ident, memory, tail, head = [
                await transport.read(register) for register in (Reg.ID, Reg.MEMORY_BYTES, Reg.DOORBELL, Reg.HEAD)
            ]
            if ident != QUEUE_ID:
                raise DeviceFault(f"ID {ident:#x} is not that of a coprocessor's queue")
            if tail or head:
                raise DeviceFault("the coprocessor's queue is in use")
            while entries and entries * (DESCRIPTOR_BYTES + prompt + result) > memory:
                entries //= 2
            if not entries:
                raise ValueError(f"the coprocessor has {memory} bytes: no room for {prompt_bytes} bytes of prompt")
            await transport.write(Reg.RING_BASE, 0)
            await transport.write(Reg.RING_ENTRIES, entries)
            await transport.write(Reg.IRQ_ENABLE, DONE_IRQ)
        return cls(transport, entries, prompt, result)

    @property
    def pending(self) -> int:
        """Descriptors that are not known to be done."""
        return len(self._pending)

    def now(self) -> int:
        """Device time in ns."""
        return self._transport.now()

    async def submit(self, prompt: bytes, max_tokens: int, sampling: Sampling, worst_ns: int) -> Ticket | None:
        """Submit work; `worst_ns`: its compute time at most.

        Returns:
            None when the ring is full.

        Raises:
            DeviceFault: the device does not answer.
        """
        if len(self._pending) == self._entries:
            return None
        number, transport = self._submitted, self._transport
        prompt_at, result_at = self._room(number)
        descriptor = Descriptor(
            ident=number,
            prompt=prompt_at,
            prompt_bytes=len(prompt),
            max_tokens=max_tokens,
            result=result_at,
            result_bytes=max_tokens * TOKEN_BYTES,
            seed=sampling.seed,
        )
        with faults(f"submission of descriptor {number}"):
            await transport.mem_write(prompt_at, prompt)
            await transport.mem_write(self._place(number), descriptor.pack())
            await transport.write(Reg.SAMPLING, sampling.temperature | sampling.top_k << 16 | sampling.top_p << 32)
            await transport.write(Reg.DOORBELL, (number + 1) & U32)
        begins = max(transport.now(), self._pending[-1].limit_ns if self._pending else 0)
        ticket = Ticket(number, max_tokens, begins + 2 * worst_ns + SPARE_NS)
        self._submitted += 1
        self._pending.append(ticket)
        return ticket

    def _place(self, number: int) -> int:
        """Address of a descriptor."""
        return number % self._entries * DESCRIPTOR_BYTES

    def _room(self, number: int) -> tuple[int, int]:
        """Addresses of its prompt and its result."""
        room = self.prompt_bytes + self._result_bytes
        prompt_at = self._entries * DESCRIPTOR_BYTES + number % self._entries * room
        return prompt_at, prompt_at + self.prompt_bytes

    async def wait(self, timeout_ns: int) -> None:
        """Wait for the interrupt, at most so long, and take the results that are there.

        Raises:
            DeviceFault: the device does not answer, or not in order.
        """
        with faults("wait for the coprocessor"):
            try:
                await self._transport.wait_irq(timeout_ns)
            except WaitTimeout:
                return
            await self._transport.write(Reg.IRQ_STATUS, DONE_IRQ)
            done = await self._transport.read(Reg.HEAD) - (self._submitted - len(self._pending)) & U32
            if done > len(self._pending):
                raise DeviceFault(f"the coprocessor has done {done} of {len(self._pending)} descriptors")
            for _ in range(done):
                await self._take(self._pending.popleft())

    async def drain(self) -> None:
        """Wait until everything is done.

        Raises:
            DeviceFault: the device does not answer, or not in its time.
        """
        while self._pending:
            last = self._pending[-1]
            await self.wait(max(0, last.limit_ns - self.now()))
            if self._pending and self.now() >= last.limit_ns:
                raise DeviceFault(f"the coprocessor has not done {self.pending} descriptors in their time")

    async def _take(self, ticket: Ticket) -> None:
        data = await self._transport.mem_read(self._place(ticket.number), DESCRIPTOR_BYTES)
        ended = Descriptor.unpack(data)
        count, rest = divmod(ended.result_bytes, TOKEN_BYTES)
        known = ended.status in set(QueueStatus) - {QueueStatus.PENDING}
        if not known or ended.ident != ticket.number or rest or count > ticket.max_tokens:
            raise DeviceFault(f"the coprocessor gives descriptor {ticket.number} back as {ended}")
        result = await self._transport.mem_read(self._room(ticket.number)[1], ended.result_bytes) if count else b""
        ticket.tokens = list(struct.unpack(f"<{count}I", result))
        ticket.cycles = ended.cycles
        ticket.status = QueueStatus(ended.status)


@dataclass(frozen=True, slots=True)
class _Request:
    prompt: bytes
    max_tokens: int
    sampling: Sampling
    worst_ns: int


class CoprocessorGeneration:
    """One inference: submitted by its first chunk, given out in chunks when the device has done it."""

    def __init__(self, queue: CoprocessorQueue, request: _Request, info: ModelInfo, patience_ns: int) -> None:
        """Use `CoprocessorBackend.start`."""
        self._queue = queue
        self._request = request
        self._info = info
        self._patience_ns = patience_ns
        self._ticket: Ticket | None = None
        self._given = 0
        self._open = True
        self._usage = Usage()

    @property
    def finished(self) -> bool:
        """Whether its last token is out."""
        ticket = self._ticket
        return ticket is not None and ticket.status is QueueStatus.OK and self._given == len(ticket.tokens)

    @property
    def usage(self) -> Usage:
        """What it has cost: known when the device is done."""
        return self._usage

    async def chunk(self) -> list[int]:
        """Submit; or wait, no longer than a chunk computes; or give out tokens that are there."""
        if self.finished or not self._open:
            raise RuntimeError("a chunk of a generation that has ended")
        if self._ticket is None:
            await self._submit()
            return []
        ticket = self._ticket
        if ticket.status is QueueStatus.PENDING:
            await self._queue.wait(self._patience_ns)
            if ticket.status is QueueStatus.PENDING and self._queue.now() > ticket.limit_ns:
                raise DeviceFault(f"the coprocessor has not done descriptor {ticket.number} in its time")
            self._usage.cycles = ticket.cycles
            self._usage.computed = ticket.cycles // max(1, self._info.cycles_per_token)
            return []
        if ticket.status is not QueueStatus.OK:
            raise InferenceFailed(f"the coprocessor ends descriptor {ticket.number} with {ticket.status.name}")
        tokens = ticket.tokens[self._given : self._given + self._info.chunk_tokens]
        self._given += len(tokens)
        return tokens

    async def _submit(self) -> None:
        asked = self._request
        self._ticket = await self._queue.submit(asked.prompt, asked.max_tokens, asked.sampling, asked.worst_ns)
        if self._ticket is None:
            await self._queue.wait(self._patience_ns)

    async def close(self) -> None:
        """The device has no block of it; work that is queued there still ends, and its output is discarded."""
        self._open = False


class CoprocessorBackend:
    """A model that a coprocessor computes."""

    def __init__(self, model: Backend, queue: CoprocessorQueue, compute: Compute) -> None:
        """Serve `model`, which is the queue's engine, with what `compute` says that it costs; see `on_coprocessor`."""
        self._model = model
        self._queue = queue
        self._compute = compute

    @property
    def info(self) -> ModelInfo:
        """Figures of the model."""
        return self._model.info

    def need(self, prompt: bytes, max_tokens: int) -> Need:
        """Tokens as the model counts them; no block of the device."""
        return replace(self._model.need(prompt, max_tokens), blocks=0)

    def text(self, tokens: Sequence[int]) -> bytes:
        """The bytes that token ids stand for."""
        return self._model.text(tokens)

    async def start(self, prompt: bytes, max_tokens: int, sampling: Sampling, request_id: int) -> CoprocessorGeneration:
        """A new generation."""
        need, info = self.need(prompt, max_tokens), self.info
        check_request(need, max_tokens, request_id, info)
        if len(prompt) > self._queue.prompt_bytes:
            raise ValueError(f"a prompt of {len(prompt)} bytes: the coprocessor takes {self._queue.prompt_bytes}")
        request = _Request(prompt, max_tokens, sampling, self._ns(need.context_tokens))
        return CoprocessorGeneration(self._queue, request, info, self._ns(info.chunk_tokens))

    def _ns(self, tokens: int) -> int:
        return cycles_to_ns(tokens * self._compute.cycles_per_token, self._compute.clock_hz)

    async def announce(self, prompt: bytes) -> None:
        """Nothing to prepare."""

    async def unload(self) -> None:
        """Wait until the device has ended the work whose output is discarded."""
        await self._queue.drain()


async def on_coprocessor(
    make_model: Callable[[Compute], Backend], make_queue: Callable[[Engine], QueueTransport], compute: Compute
) -> CoprocessorBackend:
    """Load a model into a coprocessor.

    Args:
        make_model: the model, its keys and values in plain arrays, charging what it computes to the
            Compute given: the cycles that the coprocessor will need.
        make_queue: a queue device with that engine.
        compute: what computing costs, on the kernel's clock.

    Raises:
        ValueError: the device has no room for the longest prompt.
        DeviceFault: the device does not answer, or is in use.
    """
    model = make_model(replace(compute, clock=CountedClock()))
    context = model.info.context
    queue = await CoprocessorQueue.open(make_queue(engine(model)), prompt_bytes=context, max_tokens=context)
    return CoprocessorBackend(model, queue, compute)


def engine(model: Backend) -> Engine:
    """A model as a queue device runs it: from prompt to the last token at once."""

    async def generate(work: Work) -> tuple[list[int], int]:
        sampling = Sampling(work.seed, work.temperature, work.top_k, work.top_p)
        generation = await model.start(work.prompt, work.max_tokens, sampling, request_id=1)
        tokens: list[int] = []
        for _ in range(model.need(work.prompt, work.max_tokens).context_tokens + 1):
            if generation.finished:
                await generation.close()
                return tokens, generation.usage.cycles
            tokens += await generation.chunk()
        raise InferenceFailed(f"{model.info.name} does not come to an end")

    def compute(work: Work) -> tuple[list[int], int]:
        try:
            return run(generate(work))
        except InferenceFailed as error:
            raise RuntimeError(str(error)) from error

    return compute


def _aligned(size: int) -> int:
    return -(-size // 64) * 64
