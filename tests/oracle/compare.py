"""Run a stream on the oracle and on a device (any transport of the driver), operation by operation.

Comparison points: after every operation the device is left alone until its commands, its scan and (while ENABLE is 1)
its moves are done. Answers, results, refusals and completions are compared then; `Check` compares every register,
every entry bit for bit through the directory window, and the bytes of the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from sw.regs import registers as regs
from sw.transport.base import AccessRefused, Transport
from sw.transport.base import Read as ReadRegister
from tests.oracle import commands, csr, lookup, moves, tiers
from tests.oracle import stream as ops
from tests.oracle.state import Entry, Key, Result, Sizes, kv_address

LAUNCHES = {register.name for register in regs.REGISTERS if register.launches} | {"CTRL"}
MARK = 16  # bytes written at both ends of a block


class Difference(Exception):
    """The device and the oracle disagree."""


@dataclass(frozen=True)
class Seen:
    """What a peek showed."""

    status: int
    tier: int
    index: int
    phys_addr: int


def same(what: str, device: object, oracle: object) -> None:
    """Compare one value.

    Raises:
        Difference: they differ.
    """
    if device != oracle:
        raise Difference(f"{what}: the device has {show(device)}, the contract gives {show(oracle)}")


def show(value: object) -> str:
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)


class Comparison:
    """One device, from reset on, and the oracle next to it."""

    def __init__(self, transport: Transport, sizes: Sizes) -> None:
        self.transport = transport
        self.sizes = sizes
        self.state = csr.power_on(sizes)
        self.stale = False

    async def run(self, stream: list[ops.Op]) -> None:
        """The whole stream.

        Raises:
            Difference: with the number and text of the operation.
        """
        await self.settle()
        for number, op in enumerate(stream):
            try:
                await self.do(op)
            except (Difference, moves.Illegal, tiers.BadSlot) as error:
                raise Difference(f"operation {number}, {op}: {error}") from error

    async def do(self, op: ops.Op) -> None:
        """One operation on both sides."""
        match op:
            case ops.Write(offset, value):
                await self.write(offset, value)
            case ops.Read(offset):
                await self.read(offset)
            case ops.Directory(command, address, argument):
                await self.write(regs.DIR_ADDR.offset, address)
                await self.write(regs.DIR_ARG.offset, argument)
                await self.write(regs.DIR_COMMAND.offset, command)
            case ops.Range(name, address, length, step):
                await self.write(regs.BY_NAME[f"{name}_ADDR"].offset, address)
                await self.write(regs.BY_NAME[f"{name}_LEN"].offset, length)
                if name == "PREFETCH":
                    await self.write(regs.PREFETCH_STEP.offset, step)
            case ops.Lookup(port, address, write):
                await self.lookup(port, address, write)
            case ops.Corrupt(address):
                await self.corrupt(address)
            case ops.Check():
                await self.check()

    # ------------------------------------------------------------------ registers

    async def device_write(self, offset: int, value: int) -> bool:
        """Whether the device took it."""
        try:
            await self.transport.write(offset, value)
        except AccessRefused:
            return False
        return True

    async def write(self, offset: int, value: int) -> None:
        """A write, and what follows from it."""
        register = regs.BY_OFFSET.get(offset)
        name = register.name if register else ""
        if name.startswith("STEP_ADVANCE") and self.stale and self.enabled:
            await self.locate()
        refused = csr.refused(self.state, offset, value)
        same(f"write of {name or hex(offset)} accepted", await self.device_write(offset, value), not refused)
        if refused:
            return
        self.state = csr.write(self.state, offset, value)
        if name not in LAUNCHES:
            return
        await self.settle()
        if name == "DIR_COMMAND":
            await self.directory_result(value & 7)
        await self.drain()
        if name.startswith("STEP_ADVANCE") and self.enabled:
            await self.scan_times()

    async def read(self, offset: int) -> None:
        """A read."""
        expected, refused = csr.read(self.state, offset)
        try:
            value = await self.transport.read(offset)
        except AccessRefused:
            same(f"read of {offset:#x} refused", True, refused)
            return
        same(f"read of {offset:#x} refused", False, refused)
        register = regs.BY_OFFSET[offset]
        if register.name == "STATUS":
            self.check_status(value)
        elif register.name == "CAPS":
            self.check_caps(value)
        elif register.name == "PARITY_INFO":
            self.check_parity_info(value)
        elif expected is not None:
            same(register.name, value, expected)

    @property
    def enabled(self) -> bool:
        return bool(self.state.registers["CTRL"] & 1)

    async def settle(self) -> None:
        """Until commands, scan and, while ENABLE is 1, moves are done."""
        for pause in range(100, 100_000, 100):
            status = regs.STATUS.unpack(await self.transport.read(regs.STATUS.offset))
            busy = not status["INITIALISED"] or status["SCANNING"] or status["COMMANDS"] or status["DIR_BUSY"]
            if not busy and (status["IDLE"] or not self.enabled):
                return
            await self.transport.sleep(pause)
        raise Difference(f"the device does not come to rest: {status}")

    # ------------------------------------------------------------------ directory commands

    async def directory_result(self, command: int) -> None:
        """The result registers; of an INSERT what only the device can choose."""
        offsets = (regs.DIR_STATUS.offset, regs.DIR_PHYS_ADDR.offset)
        word, address = await self.transport.batch([ReadRegister(offset) for offset in offsets])
        fields = regs.DIR_STATUS.unpack(word)
        if command == commands.INSERT and self.state.result.index is None:
            where = self.state.registers["DIR_ADDR"]
            message = commands.inserted(self.state, where, fields["STATUS"], fields["INDEX"], address)
            if message:
                raise Difference(message)
            await self.moved_by_insert(where)
        result = self.state.result
        if result.index is None:  # a LOOKUP of an entry that an INSERT may have moved
            result.index = fields["INDEX"]
        for offset in (*offsets, regs.DIR_FREED.offset):
            await self.read(offset)

    async def moved_by_insert(self, address: int) -> None:
        """8: "a later INSERT may move it": other entries' indices are not known any more. Mark the block's bytes."""
        self.stale = True
        new = self.state.directory.get(self.state.block_of(address))
        for entry in self.state.directory.values():
            if entry is not new:
                entry.index = None
        if new is not None and new.phys_addr is not None:
            for offset in self.mark_offsets():
                await self.transport.mem_write(new.tier, new.phys_addr + offset, self.mark(new))

    def mark(self, entry: Entry) -> bytes:
        """Bytes that no other block has."""
        return entry.generation.to_bytes(MARK, "little")

    def mark_offsets(self) -> tuple[int, int]:
        return (0, self.state.registers["BLOCK_BYTES"] - MARK)

    async def peek(self, key: Key) -> Seen:
        """A LOOKUP that changes nothing, on the device; the oracle only follows the registers that it uses."""
        writes = (
            (regs.DIR_ADDR, kv_address(key)),
            (regs.DIR_ARG, 0),
            (regs.DIR_COMMAND, commands.LOOKUP),
        )
        for register, value in writes:
            if not await self.device_write(register.offset, value):
                raise Difference(f"a peek was refused at {register.name}")
            self.state.registers[register.name] = value
        for _ in range(1000):
            word = regs.DIR_STATUS.unpack(await self.transport.read(regs.DIR_STATUS.offset))
            if not word["BUSY"]:
                break
        self.state.event("COMMAND_DONE")
        address = await self.transport.read(regs.DIR_PHYS_ADDR.offset)
        seen = Seen(word["STATUS"], word["TIER"], word["INDEX"], address)
        self.state.result = Result(seen.status, seen.tier, seen.index, seen.phys_addr)
        return seen

    async def locate(self) -> None:
        """Where every entry is now: peek each block; status, tier and address must be the oracle's."""
        for key, entry in self.state.directory.items():
            if entry.bad:
                continue
            seen = await self.peek(key)
            expected = (commands.OK, entry.tier, entry.phys_addr)
            same(f"peek of {key}: (status, tier, address)", (seen.status, seen.tier, seen.phys_addr), expected)
            if entry.index is not None:
                same(f"index of {key}", seen.index, entry.index)
            entry.index = seen.index
        self.stale = False

    # ------------------------------------------------------------------ ports

    async def lookup(self, port: int, address: int, write: bool) -> None:
        """A lookup, when ports are ready (10: not while ENABLE is 0)."""
        if not self.enabled:
            return
        expected = lookup.port_lookup(self.state, port, address, write)
        answer = await self.transport.lookup(port, address, write)
        if expected.index is None:
            expected.index = answer.index
        seen = (answer.hit, answer.denied, answer.tier, answer.phys_addr, answer.index)
        wanted = (expected.hit, expected.denied, expected.tier, expected.phys_addr, expected.index)
        same("answer (hit, denied, tier, address, index)", seen, wanted)
        if not csr.queues_idle(self.state):
            await self.settle()
            await self.drain()

    async def corrupt(self, _address: int) -> None:
        """Bad parity: only where the device can be reached from inside (`tests.oracle.on_model`)."""

    # ------------------------------------------------------------------ moves

    async def drain(self) -> None:
        """While ENABLE is 1 both queues have run empty: read every completion and let the oracle explain them."""
        if not self.enabled:
            return
        before = {item.key for item in self.state.evict + self.state.prefetch}
        if not before:
            return
        places: dict[Key, moves.Place | None] = {}
        for key in before:
            if key in self.state.directory and not self.state.directory[key].bad:
                seen = await self.peek(key)
                places[key] = (seen.tier, seen.phys_addr) if seen.status == commands.OK else None
        moves.drain(self.state, await self.completions(), places.get)

    async def completions(self) -> list[moves.Seen]:
        """Read the completion queue until it is empty."""
        seen: list[moves.Seen] = []
        while True:
            word = await self.transport.read(regs.COMPLETION_INFO.offset)
            address = await self.transport.read(regs.COMPLETION_ADDR.offset)
            fields = regs.COMPLETION_INFO.unpack(word)
            if not fields["VALID"]:
                same("COMPLETION_INFO, COMPLETION_ADDR of an empty queue", (word, address), (0, 0))
                return seen
            seen.append(moves.Seen(address, fields["FROM"], fields["TO"], fields["STATUS"]))

    async def scan_times(self) -> None:
        """10: "a scan ends within 4 * ENTRIES / LANES + 512 cycles"; 7: cycles to the first decision."""
        cycles = await self.transport.read(regs.SCAN_CYCLES.offset)
        limit = 4 * self.sizes.entries // self.sizes.lanes + 512
        same(f"SCAN_CYCLES {cycles} from 1 to {limit}", 1 <= cycles <= limit, True)
        first = await self.transport.read(regs.FIRST_DECISION_CYCLES.offset)
        same(f"FIRST_DECISION_CYCLES ({first}) tells of a decision", first > 0, self.state.decided)

    # ------------------------------------------------------------------ everything

    async def check(self) -> None:
        """Compare everything that software can see."""
        await self.locate()
        for register in regs.REGISTERS:
            if register.name not in ("MISS_ADDR", "COMPLETION_ADDR"):
                await self.read(register.offset)
        entries = [entry for entry in self.state.directory.values() if not entry.bad]
        for entry in entries:
            assert entry.index is not None
            assert entry.phys_addr is not None
            seen = int.from_bytes(await self.transport.window(entry.index, 1), "little")
            if seen != entry.bits():
                raise Difference(f"entry {entry.key} at {entry.index}: {differing(seen, entry)}")
            for offset in self.mark_offsets():
                found = await self.transport.mem_read(entry.tier, entry.phys_addr + offset, MARK)
                same(f"bytes of block {entry.key} at {offset}", found.hex(), self.mark(entry).hex())

    async def check_window(self) -> None:
        """The whole directory window: exactly the oracle's entries are valid."""
        await self.locate()
        data = await self.transport.window(0, self.sizes.entries)
        valid = {i for i in range(self.sizes.entries) if data[32 * i + 29] & 0x80}
        entries = self.state.directory.values()
        same("number of valid entries", len(valid), len(entries))
        same("indices without an entry", {entry.index for entry in entries if not entry.bad} - valid, set())

    def check_status(self, value: int) -> None:
        """STATUS at rest. With ENABLE 0 the DMA may have taken one item of each queue already (docs/decisions.md)."""
        seen = regs.STATUS.unpack(value)
        waiting = not csr.queues_idle(self.state)
        for name, queue in (("EVICT_LEVEL", self.state.evict), ("PREFETCH_LEVEL", self.state.prefetch)):
            lowest = max(0, len(queue) - 1)
            same(f"STATUS.{name} {seen[name]} from {lowest} to {len(queue)}", lowest <= seen[name] <= len(queue), True)
        expected = {"SCANNING": 0, "INITIALISED": 1, "DIR_BUSY": 0, "COMMANDS": 0, "COMPLETION_LEVEL": 0}
        expected |= {"MISS_LEVEL": len(self.state.misses), "PRESSURE": csr.pressure_bits(self.state)}
        expected["IDLE"] = int(not waiting)
        for name, number in expected.items():
            same(f"STATUS.{name}", seen[name], number)

    def check_caps(self, value: int) -> None:
        seen = regs.CAPS.unpack(value)
        sizes = self.sizes
        expected = (sizes.entries, sizes.lanes, sizes.ports, sizes.block_tokens)
        same("CAPS", (seen["ENTRIES"], seen["LANES"], seen["PORTS"], seen["BLOCK_TOKENS"]), expected)

    def check_parity_info(self, value: int) -> None:
        seen = regs.PARITY_INFO.unpack(value)
        same("PARITY_INFO.VALID", seen["VALID"], int(self.state.parity_latched))
        if self.state.parity_latched and self.state.parity_index is not None:
            same("PARITY_INFO.INDEX", seen["INDEX"], self.state.parity_index)


def differing(seen: int, entry: Entry) -> str:
    """Which fields of an entry differ: from the contract's table of bits."""
    table = (
        ("REQUEST_ID", 0, 16),
        ("LAYER_HEAD", 16, 16),
        ("TOKEN_START", 32, 32),
        ("TOKEN_END", 64, 32),
        ("TIER", 96, 2),
        ("PHYS_ADDR", 98, 64),
        ("PRIORITY", 162, 16),
        ("ACCESS_STEP", 178, 32),
        ("REF_COUNT", 210, 8),
        ("R", 218, 8),
        ("F", 226, 8),
        ("PREFIX", 234, 1),
        ("DIRTY", 235, 1),
        ("HOT", 236, 1),
        ("EVICTABLE", 237, 1),
        ("HINT", 238, 1),
        ("VALID", 239, 1),
        ("bits 255:240", 240, 16),
    )
    wanted = entry.bits()
    parts = []
    for name, low, width in table:
        device, oracle = seen >> low & (1 << width) - 1, wanted >> low & (1 << width) - 1
        if device != oracle:
            parts.append(f"{name} is {device:#x}, the contract gives {oracle:#x}")
    return "; ".join(parts)
