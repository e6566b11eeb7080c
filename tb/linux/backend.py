"""One PCI function as a vhost-user device: what the guest's messages do to its memory table, queues and registers."""

import os
import socket
from array import array

from tb.linux import pci, vhost
from tb.linux.accelerator import AcceleratorSide
from tb.linux.endpoint import Endpoint
from tb.linux.errors import GuestGone, ProtocolError
from tb.linux.guest_memory import GuestMemory
from tb.linux.vhost import Message, Request
from tb.linux.vring import Chain, Vring

COMMANDS, INTERRUPTS = 0, 1
_CHUNK = 4096
_RECLAIM_AT = 32  # posted writes whose buffers the guest is called to take back when it waits
_POSTED_MAX = 96  # it gets them back without a call; its queue has 128 places
_FEATURES = {
    Request.SET_FEATURES: (vhost.FEATURES, 0),
    Request.SET_PROTOCOL_FEATURES: (vhost.PROTOCOL_FEATURES, vhost.PROTOCOL_FEATURES),
}
"""What is offered, and what of it the guest must take."""
_MAX_MESSAGE = pci.HEADER.size + pci.MAX_ACCESS


class Function:
    """A PCI function: configuration space and the device behind it."""

    def __init__(self, config: pci.ConfigSpace, endpoint: Endpoint) -> None:
        self.config = config
        self.endpoint = endpoint
        self._accelerator = AcceleratorSide(endpoint)

    @property
    def interrupts(self) -> bool:
        """Whether the guest has enabled a way to get interrupts."""
        return self.config.msi is not None or self.config.intx

    async def execute(self, command: pci.Command) -> bytes:
        """Do an access of the guest; what a read gives."""
        match command.op:
            case pci.Op.CFG_READ if self._accelerator.has(command.address):
                return await self._accelerator.read(command.address, command.size)
            case pci.Op.CFG_WRITE if self._accelerator.has(command.address):
                await self._accelerator.write(command.address, command.data)
            case pci.Op.CFG_READ:
                await self.endpoint.push()
                if self.endpoint.lost:
                    return b"\xff" * command.size
                if command.address == pci.STEP_TO_IRQ:
                    self.config.show_step_to_irq(self.endpoint.step_to_irq_ns())
                elif command.address == pci.IRQ_LINE:
                    self.config.show_irq_line(self.endpoint.irq())
                return self.config.read(command.address, command.size)
            case pci.Op.CFG_WRITE:
                await self.endpoint.push()
                self.config.write(command.address, command.data)
                if self.config.fault is not pci.Fault.NONE:
                    self.endpoint.plan(self.config.fault, self.config.fault_after, self.config.fault_tier)
                    self.config.fault = pci.Fault.NONE
                    await self.endpoint.strike()
            case pci.Op.MMIO_READ:
                if not self.config.memory_enabled:
                    return b"\xff" * command.size
                return await self.endpoint.read(command.bar, command.address, command.size)
            case pci.Op.MMIO_WRITE if self.config.memory_enabled:
                await self.endpoint.write(command.bar, command.address, command.data)
        return b""


class Backend:
    """One connection of the guest.

    Attributes:
        function: what is behind it.
        calls: the guest's own end for our requests; None before it has given one.
    """

    def __init__(self, connection: socket.socket, function: Function) -> None:
        self.function = function
        self.connection = connection
        self.calls: socket.socket | None = None
        self._memory = GuestMemory()
        self._queues = (Vring(self._memory), Vring(self._memory))
        self._buffer = b""
        self._fds: list[int] = []
        self._acknowledges = False
        self._posted: list[Chain] = []  # writes that are done, whose buffers the guest does not have back

    def close(self) -> None:
        """Give back what the guest has handed over."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        if self.calls is not None:
            self.calls.close()
        self._memory.close()
        self.connection.close()

    # ------------------------------------------------------------------ messages

    def receive(self) -> Message | None:
        """The next message; reads from the connection once. Raises GuestGone, ProtocolError."""
        if (message := self._parse()) is not None:
            return message
        try:
            data, ancillary, _, _ = self.connection.recvmsg(_CHUNK, socket.CMSG_SPACE(vhost.MAX_FDS * 4))
        except ConnectionError:
            data, ancillary = b"", []
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array("i")
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
                self._fds.extend(fds)
        if not data:
            raise GuestGone
        self._buffer += data
        return self._parse()

    @property
    def has_more(self) -> bool:
        """A message may be there that was read already."""
        return bool(self._buffer)

    def _parse(self) -> Message | None:
        buffer = self._buffer
        if len(buffer) < vhost.HEADER.size:
            return None
        request, needs_reply, size = vhost.parse_header(buffer[: vhost.HEADER.size])
        end = vhost.HEADER.size + size
        if len(buffer) < end:
            return None
        self._buffer = buffer[end:]
        return Message(request, needs_reply, buffer[vhost.HEADER.size : end])

    async def handle(self, message: Message) -> bytes:
        """Do what a message asks for; the answer to send, b"" for none. Raises ProtocolError."""
        answer = b""
        match message.request:
            case Request.VRING_KICK:
                await self._kicked(message.state[0])
            case Request.GET_FEATURES:
                answer = vhost.U64.pack(vhost.FEATURES)
            case Request.GET_PROTOCOL_FEATURES:
                answer = vhost.U64.pack(vhost.PROTOCOL_FEATURES)
            case Request.GET_VRING_BASE:
                index, _ = message.state
                answer = vhost.STATE.pack(index, self._queue(index).next)
            case _:
                self._configure(message)
        if answer:
            return vhost.reply(message.request, answer)
        return vhost.reply(message.request, vhost.U64.pack(0)) if message.needs_reply else b""

    def _configure(self, message: Message) -> None:
        match message.request:
            case Request.SET_FEATURES | Request.SET_PROTOCOL_FEATURES:
                offered, needed = _FEATURES[message.request]
                if message.number & ~offered or needed & ~message.number:
                    raise ProtocolError(f"vhost-user: {message.request.name} {message.number:#x} of {offered:#x}")
            case Request.SET_MEM_TABLE:
                regions = vhost.parse_regions(message.payload, len(self._fds))
                fds, self._fds = self._fds, []
                self._memory.replace(regions, fds)
            case Request.SET_VRING_NUM:
                index, size = message.state
                self._queue(index).resize(size)
            case Request.SET_VRING_BASE:
                index, base = message.state
                self._queue(index).next = base & 0xFFFF
            case Request.SET_VRING_ADDR:
                addresses = vhost.parse_addresses(message.payload)
                self._queue(addresses.index).place(addresses)
            case Request.SET_SLAVE_REQ_FD:
                self._take_calls()
            case Request.SET_VRING_KICK | Request.SET_VRING_CALL:
                while self._fds:  # notifications travel in-band
                    os.close(self._fds.pop())

    def _take_calls(self) -> None:
        """The guest's end for our requests has come."""
        if len(self._fds) != 1:
            raise ProtocolError(f"vhost-user: SET_SLAVE_REQ_FD with {len(self._fds)} file descriptors")
        if self.calls is not None:
            self.calls.close()
        self.calls = socket.socket(fileno=self._fds.pop())

    def _queue(self, index: int) -> Vring:
        if index >= len(self._queues):
            raise ProtocolError(f"vhost-user: queue {index} of {len(self._queues)}")
        return self._queues[index]

    # ------------------------------------------------------------------ queues

    async def _kicked(self, index: int) -> None:
        """Serve everything that waits in the command queue; the interrupt queue has buffers for later."""
        queue = self._queue(index)
        if index == COMMANDS:
            while (chain := queue.take()) is not None:
                await self._serve(queue, chain)

    async def _serve(self, queue: Vring, chain: Chain) -> None:
        """Do one command. A read overtakes the buffers of the writes before it, not the writes: the guest would look
        at each of those first, and wait a microsecond for each."""
        command = pci.parse(queue.read(chain, _MAX_MESSAGE))
        data = await self.function.execute(command)
        if any(buffer.writable for buffer in chain.buffers):
            queue.give(chain, queue.write(chain, data))
            return
        self._posted.append(chain)
        if len(self._posted) >= _POSTED_MAX:
            self.give_back()

    @property
    def must_reclaim(self) -> bool:
        """So many posted writes wait that the guest should be called to take them back."""
        return len(self._posted) >= _RECLAIM_AT

    def give_back(self) -> None:
        """The guest gets back the buffers of posted writes: it should be called, or finds them at its next read."""
        for chain in self._posted:
            self._queues[COMMANDS].give(chain, 0)
        self._posted.clear()

    def put_interrupt(self) -> bool:
        """Put the interrupt message into the guest's queue; False: it cannot have one now."""
        if (data := self.function.config.msi) is not None:
            content = pci.msi_message(data)
        elif self.function.config.intx:
            content = pci.int_message()
        else:
            return False
        queue = self._queues[INTERRUPTS]
        chain = queue.take() if queue.size else None
        if chain is None:
            return False
        queue.give(chain, queue.write(chain, content))
        return True
