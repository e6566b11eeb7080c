"""The transport over the Linux driver: registers as the requests of /dev/kvcpu0 and the files of sysfs (docs/linux.md).

The driver of the kernel owns the device: its registers, its command queue, its interrupt. So what the software above
writes into a register that launches something is the request of the node that does the same, a configuration register
is its file in sysfs, and the registers of events are made from the node's records. Lookups and tier memory are the
accelerator's side, which is no part of a driver.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable

from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.regs.registers import Command, Status
from sw.transport.accelerator import ConfigAccelerator
from sw.transport.base import AccessRefused, LookupAnswer, Read, Transport, TransportError, WaitTimeout, Write
from sw.transport.node_file import NodeFile
from sw.uapi import description as uapi
from sw.uapi.description import EventKind

POLL_NS = 10_000  # between two looks at what the node has no record for: the ends of commands and scans
_HINT_VA = 1 << 40  # of the range that is bound for one hint; no memory is there
_STATUS = {
    0: Status.OK, errno.ENOENT: Status.MISS, errno.EEXIST: Status.EXISTS, errno.ENOSPC: Status.FULL,
    errno.ENOMEM: Status.NO_SLOT, errno.EBUSY: Status.REFERENCED, errno.EINVAL: Status.BAD_ARG,
    errno.EAGAIN: Status.BUSY,
}  # fmt: skip
"""How a directory command has ended, by the errno that the driver makes of it."""
_RANGES = {
    regs.BOOST_LEN.offset: (regs.BOOST_ADDR, "MARK_HOT"),
    regs.IMEVICT_LEN.offset: (regs.IMEVICT_ADDR, "EVICT"),
    regs.COOL_LEN.offset: (regs.COOL_ADDR, "COOL"),
    regs.SHARE_LEN.offset: (regs.SHARE_ADDR, "SHARE_PREFIX"),
    regs.RELEASE_LEN.offset: (regs.RELEASE_ADDR, "RELEASE"),
    regs.PREFETCH_STEP.offset: (regs.PREFETCH_ADDR, "PREFETCH"),
}
"""Range commands by the register that launches them: where their first block is, and the request."""
_LATCHES = {
    register.offset
    for register in (
        *(addr for addr, _ in _RANGES.values()), regs.PREFETCH_LEN, regs.DIR_ADDR, regs.DIR_ARG, regs.CMD_SPAN,
        regs.IRQ_ENABLE,
    )
}  # fmt: skip
"""Registers that only wait for a launch, or say what interrupts: they are kept here."""
_CONFIGURATION = (
    regs.WEIGHT_R, regs.WEIGHT_F, regs.WEIGHT_S, regs.WEIGHT_D, regs.EVICT_THRESH, regs.PREFETCH_THRESH,
    regs.LOOKAHEAD, regs.HOLD, regs.PROMOTE_TIER, regs.EVICT_TIERS, regs.BLOCK_BYTES, regs.MAX_RETRY, regs.R_SHIFT,
    regs.F_AGE,
)  # fmt: skip
_TIER_FILES = ("BASE", "SLOTS", "RESERVE", "LOW", "HIGH", "FREE", "AUTO_THRESH")
_SEEN_ONLY = (regs.ID, regs.VERSION, regs.CAPS)
_COUNTERS = (
    *(register for register in regs.REGISTERS if register.name.endswith(("_COUNT", "_BYTES_MOVED"))),
    regs.SCAN_CYCLES, regs.FIRST_DECISION_CYCLES,
)  # fmt: skip
_FILES: dict[int, str] = {
    **{register.offset: register.name.lower() for register in (*_CONFIGURATION, *_SEEN_ONLY)},
    **{register.offset: f"counters/{register.name.lower()}" for register in _COUNTERS},
    **{
        regs.BY_NAME[f"TIER{tier}_{what}"].offset: f"tiers/tier{tier}_{what.lower()}"
        for tier in range(4)
        for what in _TIER_FILES
    },
    regs.STEP_ADVANCE.offset: "current_step",
}
"""Registers that are one file of sysfs each."""
_WRITABLE = {register.offset for register in _CONFIGURATION} | {
    regs.BY_NAME[f"TIER{tier}_{what}"].offset for tier in range(4) for what in _TIER_FILES[:5]
}
_COMMAND_DONE = regs.IRQ_STATUS["COMMAND_DONE"].mask
_SCAN_DONE = regs.IRQ_STATUS["SCAN_DONE"].mask
_COMPLETION = regs.IRQ_STATUS["COMPLETION"].mask
_MISS = regs.IRQ_STATUS["MISS"].mask


class LinuxTransport(Transport):
    """The device behind one open file of the node; its events are those since the file was opened.

    What the driver keeps for itself is refused: PRESSURE, DMA_ERR, OVERFLOW and PARITY are no events here, their
    latches and the ports' request windows no registers. The directory window is not offered.
    """

    def __init__(self, node: NodeFile, accelerator: ConfigAccelerator) -> None:
        """Use both; the caller closes them."""
        self._node = node
        self._accelerator = accelerator
        self._latched = dict.fromkeys(_LATCHES, 0) | {regs.CMD_SPAN.offset: regs.CMD_SPAN.pack(LAYERS=1, HEADS=1)}
        self._results = {regs.DIR_STATUS.offset: 0, regs.DIR_PHYS_ADDR.offset: 0, regs.DIR_FREED.offset: 0}
        self._happened = 0  # bits of IRQ_STATUS
        self._completions: deque[tuple[int, int]] = deque()  # COMPLETION_INFO, COMPLETION_ADDR
        self._misses: deque[int] = deque()
        self._commands = 0  # at the last look
        self._scan_due = False
        self._writes: dict[int, Callable[[int], None]] = {
            regs.CTRL.offset: self._control,
            regs.THRESHOLDS.offset: self._thresholds,
            regs.STEP_ADVANCE.offset: self._step,
            regs.DIR_COMMAND.offset: self._directory,
            regs.IRQ_STATUS.offset: self._clear,
        }

    @property
    def has_window(self) -> bool:
        """The window is a mapping of device memory, which not every Linux has."""
        return False

    def now(self) -> int:
        """CLOCK_MONOTONIC of this Linux, ns."""
        return time.monotonic_ns()

    async def sleep(self, ns: int) -> None:
        """Let `ns` pass."""
        if ns > 0:
            time.sleep(ns / 1e9)

    # ------------------------------------------------------------------ registers

    async def read(self, offset: int) -> int:
        """A register, as the driver shows it.

        Raises:
            AccessRefused: the driver does not show it.
            TransportError: the device is lost, or was reset meanwhile.
        """
        if offset in self._latched:
            return self._latched[offset]
        if offset in self._results:
            return self._results[offset]
        if offset in _FILES:
            return self._node.attribute(_FILES[offset])
        match offset:
            case regs.STATUS.offset:
                return self._status()
            case regs.CTRL.offset:
                return regs.CTRL.pack(ENABLE=self._node.attribute("enable"), DEMAND=self._node.attribute("demand"))
            case regs.IRQ_STATUS.offset:
                self._take_records()
                return self._happened
            case regs.COMPLETION_INFO.offset:
                self._take_records()
                return self._completions[0][0] if self._completions else 0
            case regs.COMPLETION_ADDR.offset:
                return self._completions.popleft()[1] if self._completions else 0
            case regs.MISS_INFO.offset:
                self._take_records()
                return regs.MISS_INFO.pack(VALID=int(bool(self._misses)))
            case regs.MISS_ADDR.offset:
                return self._misses.popleft() if self._misses else 0
        raise AccessRefused(Read(offset))

    async def write(self, offset: int, value: int) -> None:
        """A register: the request or the file that does what the write would.

        Raises:
            AccessRefused: the driver refuses it, or offers nothing that does it.
            TransportError: the device is lost, or was reset meanwhile.
        """
        try:
            if offset in self._latched:
                self._latched[offset] = value
            elif offset in _RANGES:
                self._hint(offset, value)
            elif offset in self._writes:
                self._writes[offset](value)
            elif offset in _WRITABLE:
                self._node.set_attribute(_FILES[offset], value)
            else:
                raise AccessRefused(Write(offset, value))
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EBUSY, errno.EACCES):
                raise AccessRefused(Write(offset, value)) from None
            raise TransportError(f"{self._node.path}: {error.strerror}") from None

    def _status(self) -> int:
        """STATUS with the queues as they are here: the driver empties the device's at once."""
        self._take_records()
        status = self._node.attribute("status")
        for name, level in (("COMPLETION_LEVEL", len(self._completions)), ("MISS_LEVEL", len(self._misses))):
            field = regs.STATUS[name]
            status = status & ~field.mask | field.put(min(level, field.mask >> field.lsb))
        return status

    def _control(self, value: int) -> None:
        fields = regs.CTRL.unpack(value)
        for name in ("DEMAND", "ENABLE"):
            self._node.set_attribute(name.lower(), fields[name])
        if fields["SOFT_RESET"]:
            self._node.set_attribute("reset", 1)
            self._take_records()
            self._completions.clear()
            self._misses.clear()
            self._happened = 0
            self._scan_due = False

    def _thresholds(self, value: int) -> None:
        """Both at once is SET_WEIGHTS, which has the weights as well."""
        both = regs.THRESHOLDS.unpack(value)
        weights = [self._node.attribute(f"weight_{name}") for name in "rfsd"]
        self._node.call("SET_WEIGHTS", uapi.WEIGHTS.layout.pack(*weights, both["EVICT"], both["PREFETCH"]))

    def _step(self, value: int) -> None:
        self._node.call("STEP_ADVANCE", uapi.STEP.layout.pack(value))
        self._scan_due = True

    # ------------------------------------------------------------------ commands

    def _hint(self, launch: int, value: int) -> None:
        """A range command, for each layer and head; its blocks are bound to addresses for as long as it takes."""
        addr, name = _RANGES[launch]
        first = KvAddress.unpack(self._latched[addr.offset])
        prefetch = launch == regs.PREFETCH_STEP.offset
        tokens, step = (self._latched[regs.PREFETCH_LEN.offset], value) if prefetch else (value, 0)
        size = regs.CAPS.unpack(self._node.attribute("caps"))["BLOCK_TOKENS"]
        begin = first.token // size * size
        blocks = (first.token + tokens - 1) // size - first.token // size + 1
        length = blocks * self._node.attribute("block_bytes")
        span = regs.CMD_SPAN.unpack(self._latched[regs.CMD_SPAN.offset])
        for layer in range(first.layer, first.layer + span["LAYERS"]):
            for head in range(first.head, first.head + span["HEADS"]):
                bound = uapi.BIND.layout.pack(_HINT_VA, length, begin, first.request_id, layer, head)
                self._node.call("BIND", bound)
                try:
                    self._node.call(name, uapi.RANGE.layout.pack(_HINT_VA, length, step))
                finally:
                    self._node.call("UNBIND", uapi.UNBIND.layout.pack(_HINT_VA))

    def _directory(self, command: int) -> None:
        """A directory command; it has ended when its request returns."""
        block = KvAddress.unpack(self._latched[regs.DIR_ADDR.offset])
        given = regs.DIR_ARG.unpack(self._latched[regs.DIR_ARG.offset])
        name = (block.token, block.request_id, block.layer, block.head)
        tier, index, phys_addr, removed, stayed = 0, 0, 0, 0, 0
        status = Status.OK
        try:
            match command:
                case Command.INSERT:
                    flags = given["PREFIX"] | given["HOT"] << 1
                    inserted = uapi.INSERT.layout.pack(*name, given["TOKEN_END"], given["TIER"], flags, 0, 0, 0, 0)
                    *_, phys_addr, index, _ = uapi.INSERT.layout.unpack(self._node.call("INSERT", inserted))
                case Command.LOOKUP:
                    looked = self._node.call("LOOKUP", uapi.LOOKUP.layout.pack(*name, given["TOUCH"], 0, 0, 0, 0))
                    *_, tier, phys_addr, index, _ = uapi.LOOKUP.layout.unpack(looked)
                case Command.REMOVE:
                    self._node.call("REMOVE", uapi.BLOCK.layout.pack(*name))
                case Command.FREE_REQUEST:
                    freed = self._node.call("FREE_REQUEST", uapi.FREE.layout.pack(block.request_id, 0, 0, 0))
                    _, removed, stayed, _ = uapi.FREE.layout.unpack(freed)
                case Command.MIGRATE:
                    self._node.call("MIGRATE", uapi.MIGRATE.layout.pack(*name, given["TIER"], 0))
                case _:
                    status = Status.BAD_ARG
        except OSError as error:
            if error.errno not in _STATUS:
                raise
            status = _STATUS[error.errno]
        self._results[regs.DIR_STATUS.offset] = regs.DIR_STATUS.pack(STATUS=status, TIER=tier, INDEX=index)
        self._results[regs.DIR_PHYS_ADDR.offset] = phys_addr
        self._results[regs.DIR_FREED.offset] = regs.DIR_FREED.pack(REMOVED=removed, STAYED=stayed)
        self._happened |= _COMMAND_DONE

    # ------------------------------------------------------------------ events

    def _clear(self, value: int) -> None:
        self._happened &= ~value
        if value & _COMMAND_DONE:
            self._commands = self._queued()

    def _queued(self) -> int:
        return regs.STATUS["COMMANDS"].get(self._node.attribute("status"))

    def _take_records(self) -> None:
        """Records of the node become heads of the two queues."""
        for record in self._node.records():
            fields = dict(zip((member.name for member in uapi.EVENT.members), record, strict=True))
            block = KvAddress(fields["request"], fields["layer"], fields["head"], fields["token"]).pack()
            if fields["lost"]:
                raise TransportError(f"{self._node.path}: {fields['lost']} records were lost")
            if fields["kind"] == EventKind.COMPLETION:
                info = regs.COMPLETION_INFO.pack(
                    VALID=1, STATUS=fields["status"], FROM=fields["from_tier"], TO=fields["to_tier"]
                )
                self._completions.append((info, block))
                self._happened |= _COMPLETION
            else:
                self._misses.append(block)
                self._happened |= _MISS

    def _look(self) -> None:
        """What has happened since the last look; for ends of commands and of scans there are no records."""
        self._take_records()
        enabled = self._latched[regs.IRQ_ENABLE.offset]
        if enabled & _COMMAND_DONE:
            before, self._commands = self._commands, self._queued()
            if self._commands < before:
                self._happened |= _COMMAND_DONE
        if enabled & _SCAN_DONE and self._scan_due:
            scanning = regs.STATUS["SCANNING"].get(self._node.attribute("status"))
            if not scanning:
                self._scan_due = False
                self._happened |= _SCAN_DONE

    async def wait_irq(self, timeout_ns: int) -> None:
        """Wait until an event that IRQ_ENABLE names has happened.

        Raises:
            WaitTimeout: none has, for `timeout_ns`.
            TransportError: the device is lost.
        """
        end = self.now() + timeout_ns
        while True:
            self._look()
            enabled = self._latched[regs.IRQ_ENABLE.offset]
            if self._happened & enabled:
                return
            left = end - self.now()
            if left <= 0:
                raise WaitTimeout(timeout_ns)
            self._node.wait(min(left, POLL_NS) if enabled & (_COMMAND_DONE | _SCAN_DONE) else left)

    # ------------------------------------------------------------------ window, accelerator

    async def read_window(self, offset: int) -> int:
        """Not offered. Raises AccessRefused."""
        raise AccessRefused(Read(offset))

    async def lookup(self, port: int, kv_addr: int, write: bool) -> LookupAnswer:
        """One lookup through a port. Raises TransportError: no such port, or it takes none."""
        return self._accelerator.lookup(port, kv_addr, write=write)

    async def mem_read(self, tier: int, phys_addr: int, count: int) -> bytes:
        """Bytes of a tier's memory. Raises TransportError: the tier has no memory there."""
        return self._accelerator.read(tier, phys_addr, count)

    async def mem_write(self, tier: int, phys_addr: int, data: bytes) -> None:
        """Bytes into a tier's memory. Raises TransportError: the tier has no memory there."""
        self._accelerator.write(tier, phys_addr, data)
