"""The board's serial bridge in Python, in front of the device model: answers frames as fpga/rtl does."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from pathlib import Path

from model.device import DeviceModel
from model.errors import PortNotReady, Slverr
from sw.transport import frames
from sw.transport.frames import IRQ_BYTE, Status, crc8

TIER_BYTES = 32768


class Refusal(Exception):
    """SLVERR of the bridge's own."""


class Bridge:
    """Takes bytes, gives bytes. `flip` names bytes of its answers, by number, that change on the way."""

    def __init__(self, device: DeviceModel | None = None) -> None:
        self.device = device or DeviceModel(entries=1024, lanes=4, axi_data_width=64)
        self.requests = bytearray()
        self.refused = False
        self.irq = False
        self.lookup_addr = 0
        self.answer = 0
        self.phys = 0
        self.seen: list[tuple[int, int | None]] = []
        self.flip: set[int] = set()
        self.sent = 0

    def take(self, data: bytes) -> bytes:
        """Bytes of the host; what the bridge sends for them."""
        self.requests += data
        out = bytearray()
        while True:
            while self.requests and self.requests[0] & ~0x20 not in (0x52, 0x57):
                del self.requests[0]
            length = 14 if self.requests and self.requests[0] & ~0x20 == 0x57 else 6
            if len(self.requests) < length:
                break
            frame = bytes(self.requests[:length])
            del self.requests[:length]
            out += self.interrupt() + self.frame(frame)
        out += self.interrupt()
        spoiled = bytes(byte ^ (0x10 if self.sent + i in self.flip else 0) for i, byte in enumerate(out))
        self.sent += len(out)
        return spoiled

    def interrupt(self) -> bytes:
        """The byte that comes unasked."""
        before, self.irq = self.irq, bool(self.device.irq)
        return bytes([IRQ_BYTE]) if self.irq and not before else b""

    def frame(self, frame: bytes) -> bytes:
        """One whole request."""
        if crc8(frame[:-1]) != frame[-1]:
            self.refused = True
            return self.reply(Status.FRAME, None)
        write = frame[0] & ~0x20 == 0x57
        address = int.from_bytes(frame[1:5], "little")
        value = int.from_bytes(frame[5:13], "little") if write else None
        if frame[0] & 0x20 and self.refused:
            return self.reply(Status.SKIPPED, None if write else 0)
        self.seen.append((address, value))
        try:
            data = self.access(address, value)
            status = Status.OKAY
        except (Slverr, Refusal):
            data, status = 0, Status.SLVERR
        except LookupError:
            data, status = 0, Status.DECERR
        self.refused = status is not Status.OKAY
        return self.reply(status, None if write else data)

    @staticmethod
    def reply(status: Status, data: int | None) -> bytes:
        """Status, data, CRC."""
        body = bytes([status]) + (b"" if data is None else data.to_bytes(8, "little"))
        return body + bytes([crc8(body)])

    def access(self, address: int, value: int | None) -> int:
        """One access; raises Slverr, Refusal or LookupError."""
        region, offset = address >> 28, address & 0x0FFF_FFFF
        if region == 0 and offset < 1 << 16:
            if value is None:
                return self.device.read(offset)
            self.device.write(offset, value)
            return 0
        if region == 1 and offset < 1 << 22:
            if value is not None:
                raise Refusal
            return self.device.read_bar2(offset)
        if region == 2:
            tier, at = offset >> 26, offset & 0x03FF_FFFF
            if at % 8 or at >= TIER_BYTES:
                raise LookupError
            if value is None:
                return int.from_bytes(bytes(self.device.mem_read(tier, at, 8)), "little")
            self.device.mem_write(tier, at, value.to_bytes(8, "little"))
            return 0
        if region == 3:
            return self.board(offset, value)
        raise LookupError

    def board(self, offset: int, value: int | None) -> int:
        """The bridge's own registers."""
        if value is None:
            if offset not in (0, 8, 0x10, 0x18, 0x20, 0x28):
                raise LookupError
            return {
                0: frames.ID, 8: int(bool(self.device.irq)), 0x10: TIER_BYTES,
                0x18: self.lookup_addr, 0x20: self.answer, 0x28: self.phys,
            }[offset]  # fmt: skip
        if offset == 0x18:
            self.lookup_addr = value
        elif offset == 0x20:
            try:
                (found,) = self.device.lookups(value & 7, [(self.lookup_addr, bool(value >> 8 & 1))])
            except PortNotReady:
                self.answer = 1 << 63
                return 0
            except ValueError:
                raise Refusal from None
            self.answer = found.hit << 35 | found.denied << 34 | int(found.tier) << 32 | found.index << 16
            self.phys = found.phys_addr
        else:
            raise Refusal
        return 0


class MemoryLink:
    """A link that ends in a `Bridge` in the same process, in counted time."""

    BYTE_NS = 3_333
    CYCLE_NS = 4

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.pending = bytearray()
        self.time = 0
        self.silent = False
        self.most = 0

    def now(self) -> int:
        return self.time

    async def sleep(self, ns: int) -> None:
        self.time += ns
        self.bridge.requests.clear()

    async def send(self, data: bytes) -> None:
        self.most = max(self.most, len(data))
        self.time += len(data) * self.BYTE_NS
        if not self.silent:
            self.pending += self.bridge.take(data)

    async def receive(self, timeout_ns: int) -> bytes:
        if not self.pending and timeout_ns:
            self.bridge.device.wait_irq(timeout_ns // self.CYCLE_NS)
            self.pending += self.bridge.take(b"")
        if not self.pending:
            self.time += timeout_ns
            return b""
        part = bytes(self.pending[:5])  # in pieces, as a line gives them
        del self.pending[:5]
        self.time += 1
        return part


class Terminal:
    """A pseudo terminal with a `Bridge` behind it; `path` is what a `SerialPort` opens."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self._board, self._host = pty.openpty()
        tty.setraw(self._host)
        self.path = Path(os.ttyname(self._host))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._end.is_set():
            ready, _, _ = select.select([self._board], [], [], 0.002)
            if not ready:
                self.bridge.device.wait_irq(100_000)
            out = self.bridge.take(os.read(self._board, 4096) if ready else b"")
            if out:
                os.write(self._board, out)

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        os.close(self._board)
        os.close(self._host)
