"""The bridge as a guest sees it: a guest in a thread speaks both protocols, against the device model."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import tty
from pathlib import Path

import pytest

from sw.regs import registers as regs
from sw.run import run
from tb.linux import backend, pci, time_travel, vhost
from tb.linux.bridge import Bridge
from tb.linux.errors import ProtocolError
from tb.linux.machine import one_processor
from tb.linux.on_model import function
from tb.linux.time_travel import Op, TimeMessage
from tb.linux.vhost import Request
from tb.linux.vring import DESCRIPTOR, WRITE

BASE, SIZE, QUEUE = 0x100000, 0x8000, 8
RINGS = (0x0, 0x2000)  # of the two queues: descriptors, +0x400 available, +0x800 used
OUT, IN, MSI = 0x4000, 0x5000, 0x6000
IRQ = 17


class Guest:
    """The guest's side: its clock, its memory, its two queues."""

    def __init__(self, bridge: Bridge) -> None:
        self.memory = os.memfd_create("guest")
        os.ftruncate(self.memory, SIZE)
        self.clock = socket.socket(socket.AF_UNIX)
        self.clock.connect(str(bridge.sockets.calendar))
        self.device = socket.socket(socket.AF_UNIX)
        self.device.connect(str(bridge.sockets.functions[0]))
        self.calls, self._theirs = socket.socketpair()
        self.now = 0
        self.available = [0, 0]

    def close(self) -> None:
        for end in (self.device, self.calls, self._theirs, self.clock):
            end.close()
        os.close(self.memory)

    # ------------------------------------------------------------------ time

    def _granted(self) -> None:
        message = time_travel.parse(self.clock.recv(16))
        assert message.op is Op.RUN
        assert message.time >= self.now
        self.now = message.time
        self.clock.sendall(TimeMessage(Op.ACK, message.sequence, 0).pack())

    def say(self, op: Op, time: int = 0) -> None:
        self.clock.sendall(TimeMessage(op, 5, time).pack())
        answer = time_travel.parse(self.clock.recv(16))
        assert (answer.op, answer.sequence) == (Op.ACK, 5)
        if op is Op.GET:
            self.now = answer.time

    def wait_until(self, time: int, queue: int = 1) -> bool:
        """Wait; True: a call for a queue (1: an interrupt) came first, and was taken at its time."""
        self.say(Op.REQUEST, time)
        self.say(Op.WAIT)
        ready, _, _ = select.select([self.clock, self.calls], [], [], 10)
        interrupted = self.calls in ready
        if interrupted:
            header = self.calls.recv(20)
            assert struct.unpack("<IIIII", header)[0::3] == (vhost.VRING_CALL, queue)
            self.say(Op.GET)
            self.say(Op.REQUEST, self.now)
            self.calls.sendall(struct.pack("<IIIQ", vhost.VRING_CALL, 5, 8, 0))
        self._granted()
        return interrupted

    # ------------------------------------------------------------------ vhost-user

    def ask(self, request: Request, payload: bytes = b"", fds: tuple[int, ...] = ()) -> bytes:
        header = vhost.HEADER.pack(request, vhost.VERSION | vhost.NEED_REPLY, len(payload))
        socket.send_fds(self.device, [header + payload], list(fds))
        while True:
            ready, _, _ = select.select([self.device, self.clock], [], [], 10)
            if self.clock in ready:
                self._granted()  # the time of an access
            else:
                return self.device.recv(100)[vhost.HEADER.size :]

    def set_up(self) -> None:
        self.say(Op.START)
        assert vhost.U64.unpack(self.ask(Request.GET_FEATURES)) == (vhost.FEATURES,)
        self.ask(Request.SET_PROTOCOL_FEATURES, vhost.U64.pack(vhost.PROTOCOL_FEATURES))
        self.ask(Request.SET_SLAVE_REQ_FD, b"", (self._theirs.fileno(),))
        table = vhost.REGIONS.pack(1, 0) + vhost.REGION.pack(BASE, SIZE, BASE, 0)
        self.ask(Request.SET_MEM_TABLE, table, (self.memory,))
        for index, ring in enumerate(RINGS):
            self.ask(Request.SET_VRING_NUM, vhost.STATE.pack(index, QUEUE))
            at = BASE + ring
            self.ask(Request.SET_VRING_ADDR, vhost.ADDRESSES.pack(index, 0, at, at + 0x800, at + 0x400, 0))

    def offer(self, index: int, *buffers: tuple[int, int, int]) -> None:
        ring = RINGS[index]
        for n, (address, size, flags) in enumerate(buffers):
            more = n + 1 < len(buffers)
            entry = DESCRIPTOR.pack(BASE + address, size, flags | more, n + 1)
            os.pwrite(self.memory, entry, ring + n * DESCRIPTOR.size)
        os.pwrite(self.memory, struct.pack("<H", 0), ring + 0x404 + self.available[index] % QUEUE * 2)
        self.available[index] += 1
        os.pwrite(self.memory, struct.pack("<H", self.available[index]), ring + 0x402)
        self.ask(Request.VRING_KICK, vhost.STATE.pack(index, 0))

    def access(self, op: pci.Op, address: int, size: int, data: bytes = b"") -> bytes:
        message = pci.HEADER.pack(op, 0, 0, size, address) + data
        os.pwrite(self.memory, message, OUT)
        answer = () if data else ((IN, 8, WRITE),)
        self.offer(0, (OUT, len(message), 0), *answer)
        return os.pread(self.memory, size, IN)

    def write(self, register: int, value: int) -> None:
        self.access(pci.Op.MMIO_WRITE, register, 8, value.to_bytes(8, "little"))

    def given_back(self) -> int:
        """Buffers of the command queue that are used."""
        (index,) = struct.unpack("<H", os.pread(self.memory, 2, RINGS[0] + 0x802))
        return int(index)

    def enable(self) -> None:
        """Memory, bus master, MSI; a buffer for interrupts."""
        self.access(pci.Op.CFG_WRITE, pci.COMMAND, 2, struct.pack("<H", pci.MEMORY_ENABLE | pci.BUS_MASTER))
        self.access(pci.Op.CFG_WRITE, pci.MSI_DATA, 2, struct.pack("<H", IRQ))
        self.access(pci.Op.CFG_WRITE, pci.MSI_CONTROL, 2, b"\1\0")
        self.offer(1, (MSI, 20, WRITE))


def a_scan_and_its_interrupt(guest: Guest, seen: dict[str, int]) -> None:
    guest.set_up()
    guest.enable()
    guest.say(Op.REQUEST, 10_000_000)  # its next event: until then accesses take its time
    for _ in range(20):
        seen["id"] = int.from_bytes(guest.access(pci.Op.MMIO_READ, regs.ID.offset, 8), "little")
    seen["after accesses"] = guest.now
    seen["interrupted early"] = guest.wait_until(20_000)
    seen["then"] = guest.now
    guest.write(regs.CTRL.offset, 1)
    guest.write(regs.IRQ_ENABLE.offset, 1)
    guest.write(regs.STEP_ADVANCE.offset, 1)
    seen["stepped"] = guest.now
    seen["interrupted"] = guest.wait_until(10_000_000)
    seen["interrupt"] = guest.now
    seen["message"] = int.from_bytes(os.pread(guest.memory, 4, MSI + pci.HEADER.size), "little")


def test_one_guest_from_start_to_end(tmp_path: Path) -> None:
    """Accesses take the guest's time; the interrupt comes at the end of the scan, and not before."""
    bridge = Bridge([function()], tmp_path)
    guest, seen = Guest(bridge), dict[str, int]()

    def live() -> None:
        try:
            a_scan_and_its_interrupt(guest, seen)
        finally:
            guest.close()

    thread = threading.Thread(target=live)
    thread.start()
    run(bridge.serve(thread.is_alive))
    thread.join(10)
    bridge.close()
    assert seen["id"] == regs.ID.reset
    assert 256 <= seen["after accesses"] < 1000
    assert not seen["interrupted early"]
    assert seen["then"] == 20_000
    assert seen["interrupted"]
    assert seen["stepped"] < seen["interrupt"] < seen["stepped"] + 20_000
    assert seen["message"] == IRQ


def test_a_read_does_not_wait_for_the_buffers_of_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest would wait a microsecond for each. It is called to take them back, when it waits and they are many."""
    monkeypatch.setattr(backend, "_RECLAIM_AT", 5)
    monkeypatch.setattr(backend, "_POSTED_MAX", 7)
    bridge = Bridge([function()], tmp_path)
    guest, seen = Guest(bridge), list[int | bool]()

    def live() -> None:
        try:
            guest.set_up()
            guest.enable()  # 3 writes
            guest.write(regs.WEIGHT_R.offset, 7)
            guest.say(Op.REQUEST, 10_000_000)
            seen.append(int.from_bytes(guest.access(pci.Op.MMIO_READ, regs.WEIGHT_R.offset, 8), "little"))
            seen.append(guest.given_back())
            seen.append(guest.wait_until(20_000))
            guest.write(regs.WEIGHT_R.offset, 8)
            seen.append(guest.wait_until(40_000, queue=0))
            seen.append(guest.given_back())
            for n in range(7):
                guest.write(regs.WEIGHT_R.offset, n)
            seen.append(guest.given_back())  # without a wait
        finally:
            guest.close()

    thread = threading.Thread(target=live)
    thread.start()
    run(bridge.serve(thread.is_alive))
    thread.join(10)
    bridge.close()
    assert seen == [7, 1, False, True, 6, 13]


def test_time_stands_still_at_a_prompt(tmp_path: Path) -> None:
    """Until there are keys at the guest's console; then it gets the time that it waits for."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    made = function()
    bridge = Bridge([made], tmp_path, os.ttyname(theirs))
    guest, seen = Guest(bridge), list[int]()

    def live() -> None:
        try:
            guest.say(Op.START)
            made.endpoint.paused = True
            guest.say(Op.REQUEST, 20_000)
            guest.say(Op.WAIT)
            seen.append(len(select.select([guest.clock], [], [], 0.2)[0]))
            os.write(ours, b"x")
            guest._granted()
            seen.append(guest.now)
        finally:
            guest.close()

    thread = threading.Thread(target=live)
    thread.start()
    run(bridge.serve(thread.is_alive))
    thread.join(10)
    bridge.close()
    os.close(ours)
    os.close(theirs)
    assert seen == [0, 20_000]


def test_a_guest_that_waits_for_ever_is_reported(tmp_path: Path) -> None:
    bridge = Bridge([function()], tmp_path)
    guest = Guest(bridge)

    def live() -> None:
        guest.say(Op.START)
        guest.say(Op.WAIT)

    thread = threading.Thread(target=live)
    thread.start()
    with pytest.raises(ProtocolError, match="no timer of its own will wake it"):
        run(bridge.serve(thread.is_alive))
    thread.join(10)
    guest.close()
    bridge.close()


def test_bridge_and_guest_share_a_processor() -> None:
    before = os.sched_getaffinity(0)
    with one_processor():
        mine = os.sched_getaffinity(0)
        seen: list[set[int]] = []
        thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()
    assert len(mine) == 1
    assert mine <= before
    assert seen == [mine]
    assert os.sched_getaffinity(0) == before
