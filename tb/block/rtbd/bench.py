"""The directory alone: Python is registers, commands, ports and scan control; the golden model follows the commits."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, cast

from cocotb.triggers import FallingEdge, RisingEdge

from model import DeviceState, Mismatch
from model.types import CommandResult, Status
from tb.block.reset import out_of_reset
from tb.block.structs import enum, struct
from tb.events.decode import as_records, decoded, kinds
from tb.events.records import (
    STREAM_MAIN,
    STREAM_PORT,
    STREAM_SCAN,
    DumpRecord,
    FreedRecord,
    FreeRecord,
    Kind,
    ScoreRecord,
)
from tb.harness.base_test import Context
from tb.harness.link import Link
from tb.scoreboard.final import Final
from tb.scoreboard.operations import Operations
from tb.scoreboard.scan import ScanCheck

BLOCK_BYTES, STRIDE_SHIFT = 256, 8
QUEUE = 64
LIMIT = 4000  # cycles that anything may take
REST = 12  # cycles
CLIENT_CMD = 1
APART = 6  # cycles from the result of a directory command to the next operation, at least: those of a write of BAR0
DIRECTORY = ("INSERT", "LOOKUP", "PEEK", "REMOVE", "MIGRATE")
OPS = enum("op_e", "Op")
OP = {member.name.upper(): int(member) for member in OPS}
IN_CYCLE = {Kind.Op: 1, Kind.Reloc: 1, Kind.Probe: 1, Kind.Free: 1, Kind.InsertFull: 1, Kind.Freed: 2, Kind.Dump: 3}
"""Order of records inside a cycle, behind decisions of a scan; what is not here is not of the directory."""


@dataclass
class Command:
    """One operation of the command queue, as it is asked of the directory."""

    name: str
    kv_addr: int
    step: int = 0
    tier: int = 0
    token_end: int = 0
    prefix: int = 0
    hot: int = 0

    def pins(self) -> int:
        """The operation as `op_t`."""
        k = self.kv_addr
        where = {"request_id": k >> 48, "layer": k >> 40 & 255, "head": k >> 32 & 255, "token": k & 0xFFFFFFFF}
        about = {name: getattr(self, name) for name in ("step", "tier", "token_end", "prefix", "hot")}
        return struct("op_t").pack(op=OP[self.name], client=CLIENT_CMD, kv_addr=where, **about)

    def expected(self) -> tuple[int, int, dict[str, int]]:
        """The same as the scoreboard's checker of operations wants it."""
        names = {"step": "step", "tier": "tier", "TOKEN_END offset": "token_end", "PREFIX": "prefix", "HOT": "hot"}
        return OP[self.name], self.kv_addr, {label: getattr(self, name) for label, name in names.items()}


@dataclass
class Issued:
    """Stands for the command queue's checker: the operations that were asked for, in order."""

    ops: deque[Command] = field(default_factory=deque)

    def next_op(self) -> tuple[int, int, dict[str, int]] | None:
        """The next one that must commit."""
        return self.ops.popleft().expected() if self.ops else None

    def settle(self, _result: CommandResult) -> bool:
        """No command ends before its operation commits."""
        return False


@dataclass
class Port:
    """A lookup port: requests to come, the one that is asked, answers seen (hit, denied, tier, PHYS_ADDR, index)."""

    todo: deque[tuple[int, bool]] = field(default_factory=deque)
    asked: list[tuple[int, bool]] = field(default_factory=list)
    answers: list[tuple[int, int, int, int, int]] = field(default_factory=list)


class Bench:
    """Drives one cycle at a time; `settle` waits for rest and compares everything with the model."""

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.dut, self.rng = ctx, ctx.dut, ctx.rng
        self.link = Link()
        self.lanes: int = ctx.parameters["LANES"]
        self.ports: int = ctx.parameters["PORTS"]
        self.block: int = ctx.parameters["BLOCK_TOKENS"]
        entries = ctx.parameters["ENTRIES"]
        self.state = DeviceState(entries=entries, lanes=self.lanes, ports=self.ports, block_tokens=self.block)
        self.scan = ScanCheck(ctx, self.state)
        self.operations = Operations(ctx, self.state, self.scan)
        self.issued = Issued()
        self.operations.commands = cast(Any, self.issued)
        self.port = [Port() for _ in range(self.ports)]
        self.results: list[tuple[Command, dict[str, int]]] = []  # answers of the directory commands
        self.freed = [0, 0]  # entries that FREE_REQUEST left and removed, as the monitors saw it
        self.full = [False, False]  # queues of items
        self.scanning = False
        self.eager = 1.0  # chance of a port, and of a lane, to take what it is given
        self._dump: list[DumpRecord] = []
        operations = self.operations
        self._handlers: dict[int, Callable[[Any], None]] = {
            Kind.Op: self._op, Kind.Reloc: operations.relocate, Kind.Probe: operations.probe, Kind.Free: self._free,
            Kind.InsertFull: operations.insert_full, Kind.Freed: self._freed, Kind.Dump: self._dump.append,
        }  # fmt: skip
        self.seen: dict[str, int] = {}
        ctx.on_end("functional coverage", self._write_coverage)

    # ------------------------------------------------------------------ set-up

    async def start(self, slots: tuple[int, ...]) -> None:
        """Out of reset, cleared, with SLOTS of the four tiers and bases that need all 64 bits."""
        await out_of_reset(self.ctx)
        for _ in range(LIMIT):
            await self.cycle()
            if self.seen["ready"]:
                break
        config = self.state.config
        config.enable = True
        config.base = [self.rng.getrandbits(52) << 12 for _ in range(4)]
        self.state.set_block_bytes(BLOCK_BYTES)
        for tier, count in enumerate(slots):
            self.state.set_slots(tier, count)
        self.configure()
        self.dut.slots_we.value = 15
        await self.cycle()
        self.dut.slots_we.value = 0
        for _ in range(8):
            await self.cycle()
        self.drain()

    def configure(self, **changes: Any) -> None:
        """Registers, at rest: the model's configuration is what the pins show."""
        config = self.state.config
        for name, value in changes.items():
            setattr(config, name, value)
        fields = struct("cfg_t").fields
        same = {name: getattr(config, name) for name in fields if hasattr(config, name)}
        slots = [pool.slots for pool in self.state.pools]
        self.dut.cfg.value = struct("cfg_t").pack(**{**same, "slots": slots, "stride_shift": STRIDE_SHIFT})

    def queues(self, evict: bool, prefetch: bool) -> None:
        """At rest: the queues of items are full from here on, or always have a place."""
        self.full = [evict, prefetch]
        self.dut.evict_full.value, self.dut.prefetch_full.value = int(evict), int(prefetch)
        self._keep_queues()

    def _keep_queues(self) -> None:
        """The model's queues: full, or empty because someone takes each item at once."""
        for queue, full in zip(self.state.queues, self.full, strict=True):
            queue.clear()
            if full:
                queue.extend([cast(Any, None)] * QUEUE)

    # ------------------------------------------------------------------ one cycle

    async def cycle(self) -> None:
        """One clock cycle: ports and lanes by chance, answers and results collected."""
        dut = self.dut
        ready = sum(1 << p for p in range(self.ports) if self.rng.random() < self.eager)
        dut.answer_ready.value = ready
        dut.dec_accept.value = sum(1 << lane for lane in range(self.lanes) if self.rng.random() < self.eager)
        valid = write = addr = 0
        for p, port in enumerate(self.port):
            if port.todo:
                kv_addr, is_write = port.todo[0]
                valid, write, addr = valid | 1 << p, write | is_write << p, addr | kv_addr << 64 * p
        dut.lookup_valid.value, dut.lookup_write.value, dut.lookup_kv_addr.value = valid, write, addr
        await FallingEdge(dut.clk)
        names = ("ready", "quiet", "ports_idle", "cmd_ready", "cmd_rsp_valid", "cmd_inserted", "free_done", "lane_done")
        self.seen = {name: int(getattr(dut, name).value) for name in names}
        taken = valid & int(dut.lookup_ready.value)
        given = ready & int(dut.answer_valid.value)
        if taken or given:
            self._ports(taken, given)
        if self.seen["cmd_rsp_valid"]:
            self.seen |= struct("rsp_t").unpack(int(dut.cmd_rsp.value))
        if self.seen["cmd_inserted"]:
            self.seen |= {"phys_addr": int(dut.cmd_phys_addr.value), "index": int(dut.cmd_index.value), "tier": 0}
            self.seen["status"] = int(Status.OK)
        if self.seen["free_done"]:
            self.seen |= {name: int(getattr(dut, f"free_{name}").value) for name in ("removed", "stayed")}
        await RisingEdge(dut.clk)
        self.ctx.progress()

    def _ports(self, taken: int, given: int) -> None:
        dut = self.dut
        hit, denied, tier, phys, index = (
            int(getattr(dut, f"answer_{name}").value) for name in ("hit", "denied", "tier", "phys_addr", "index")
        )
        for p, port in enumerate(self.port):
            if taken >> p & 1:
                port.asked.append(port.todo.popleft())
                self.ctx.transaction()
            if given >> p & 1:
                where = tier >> 2 * p & 3, phys >> 64 * p & (1 << 64) - 1, index >> 16 * p & 0xFFFF
                port.answers.append((hit >> p & 1, denied >> p & 1, *where))

    async def until(self, what: str, *flags: str) -> None:
        """Cycles until one of these is seen, at least one."""
        for _ in range(LIMIT):
            await self.cycle()
            if any(self.seen[flag] for flag in flags):
                return
        self.ctx.compare(f"{what} within {LIMIT} cycles", True, False)

    # ------------------------------------------------------------------ operations

    async def command(self, command: Command) -> None:
        """Ask for one operation, and wait for its result and until the next may come (`APART`)."""
        self.issued.ops.append(command)
        self.ctx.transaction()
        self.dut.cmd_op.value = command.pins()
        self.dut.cmd_takes.value = int(command.name == "INSERT")
        self.dut.cmd_valid.value = 1
        answered = ("cmd_rsp_valid", "cmd_inserted")
        await self.until(f"{command.name} is accepted", "cmd_ready")
        self.dut.cmd_valid.value = 0
        if not any(self.seen[flag] for flag in answered):
            await self.until(f"{command.name} is answered", *answered)
        if command.name in DIRECTORY:
            self.results.append((command, dict(self.seen)))
        for _ in range(APART if command.name in DIRECTORY else 1):
            await self.cycle()

    async def free_request(self, request: int) -> None:
        """FREE_REQUEST: its counts are those of the entries that the monitors saw go and stay."""
        self.drain()
        before = list(self.freed)
        self.dut.free_request_id.value, self.dut.free_start.value = request, 1
        self.ctx.transaction()
        await self.cycle()
        self.dut.free_start.value = 0
        await self.until("FREE_REQUEST ends", "free_done")
        told = self.seen["removed"], self.seen["stayed"]
        self.drain()
        for index in list(self.state.bad):  # of which there are no records: they neither go nor stay
            self.state.free_entry(index, request)
        stayed, removed = (now - then for now, then in zip(self.freed, before, strict=True))
        self.ctx.compare("FREE_REQUEST: entries that went and that stayed", (removed, stayed), told, request=request)

    async def begin_scan(self, step: int) -> None:
        """At rest: STEP_ADVANCE, and a scan with what the model takes from its registers."""
        dut, state = self.dut, self.state
        dut.step_new.value, dut.step_we.value = step, 1
        await self.cycle()
        dut.step_we.value, dut.step.value = 0, step
        await self.cycle()
        state.set_step(step)
        config = state.scan_begin()
        self.scan.begin()
        names = struct("scan_cfg_t").fields.keys() - {"epoch", "hold"}
        same = {name: getattr(config, name) for name in names}
        same |= {"epoch": config.number & 1, "hold": config.kept_ahead, "pressure": list(map(int, config.pressure))}
        dut.scan_cfg.value = struct("scan_cfg_t").pack(**same)
        dut.scan_row.value, dut.scan_busy.value, dut.scan_start.value = config.start_row, 1, 1
        self.scanning = True
        await self.cycle()
        dut.scan_start.value = 0

    async def end_scan(self) -> None:
        """Wait for the last bank, then compare every score."""
        for _ in range(LIMIT):
            await self.cycle()
            if self.seen["lane_done"] == (1 << self.lanes) - 1:
                break
        self.dut.scan_busy.value = 0
        self.scanning = False
        await self.rest()
        self.drain()
        self.scan.end(self.ctx.cycle)
        for waiting in self.state.waiting:  # someone takes the decisions
            waiting.clear()
        self.state.lane_waiting = ([0] * self.lanes, [0] * self.lanes)

    async def rest(self) -> None:
        """Nothing is asked and nothing is under way, for `REST` cycles: an INSERT is answered before its last write."""
        self.eager = 1.0
        still = 0
        for _ in range(LIMIT):
            await self.cycle()
            asked = any(port.todo for port in self.port)
            still = still + 1 if not asked and self.seen["quiet"] and self.seen["ports_idle"] else 0
            if still == REST:
                return
        self.ctx.compare(f"at rest within {LIMIT} cycles", True, False)

    async def settle(self) -> None:
        """At rest; every answer so far is compared."""
        await self.rest()
        self.drain()
        for p, port in enumerate(self.port):
            commits, self.operations.lookups[p] = self.operations.lookups[p], []
            self.ctx.compare(f"port {p}: lookups that committed", len(port.asked), len(commits))
            expected = [(int(c[2]), int(c[3]), c[4], c[5], c[6]) for c in commits]
            answers = [answer if answer[0] else (*answer[:2], 0, 0, 0) for answer in port.answers]
            self.ctx.compare(f"port {p}: answers (hit, denied, tier, PHYS_ADDR, index)", expected, answers)
            port.asked.clear()
            port.answers.clear()
        self.ctx.compare("directory commands with a result", len(self.operations.results), len(self.results))
        for command, seen in self.results:
            self._result(command, self.operations.results.popleft(), seen)
        self.results.clear()
        counters = self.state.counters
        for name, value in (("hits", counters.hit), ("misses", counters.miss), ("denied", counters.denied)):
            self.ctx.compare(f"lookups counted as {name}", value, int(getattr(self.dut, f"{name}_q").value))
        self.ctx.compare("entries read with bad parity", counters.parity, int(self.dut.parity_q.value))

    def _result(self, command: Command, want: CommandResult, seen: dict[str, int]) -> None:
        status = Status(seen["status"])
        if command.name in ("LOOKUP", "PEEK"):
            status = Status.OK if seen["hit"] else Status.MISS
        got = CommandResult(status)
        if status == Status.OK and command.name in ("LOOKUP", "PEEK", "INSERT"):
            tier = 0 if command.name == "INSERT" else seen["tier"]
            got = CommandResult(status, tier, seen["index"], seen["phys_addr"])
        self.ctx.compare(f"result of {command.name}", want, got, block=f"{command.kv_addr:#018x}")

    # ------------------------------------------------------------------ the model follows

    def drain(self) -> None:
        """Replay what the monitors have recorded. Raises Mismatch at the first difference."""
        main, scan = self.link.take_records(STREAM_MAIN), as_records(self.link.take_records(STREAM_SCAN), ScoreRecord)
        self.link.take_records(STREAM_PORT)
        if self.scan.running:
            self.scan.add(scan)
        events: list[tuple[tuple[int, int, int, int], Callable[[Any], None], Any]] = []
        for n, (record, kind) in enumerate(zip(decoded(main), kinds(main).tolist(), strict=True)):
            if kind in IN_CYCLE:
                events.append(((record.cycle, IN_CYCLE[Kind(kind)], 0, n), self._handlers[Kind(kind)], record))
        for n, decision in enumerate(scan[scan["decision"] != 0]):
            lane = int(decision["index"]) % self.lanes
            events.append(((int(decision["cycle"]), 0, lane, n), self.scan.decide, decision))
        for (cycle, *_), handler, event in sorted(events, key=itemgetter(0)):
            try:
                handler(event)
            except Mismatch as error:
                self.ctx.compare(error.subject, error.expected, error.seen, at_cycle=cycle)
                raise

    def _free(self, record: FreeRecord) -> None:
        before = self.operations.counts.get("free.removed", 0)
        self.operations.free_entry(record)
        self.freed[self.operations.counts.get("free.removed", 0) > before] += 1

    def _freed(self, record: FreedRecord) -> None:
        self.operations.freed_late[record.tier] -= 1

    def _op(self, record: Any) -> None:
        self.operations.operation(record)
        self._keep_queues()

    # ------------------------------------------------------------------ the end

    async def finish(self) -> None:
        """At rest: pools and the whole directory, entry by entry."""
        await self.settle()
        free = int(self.dut.slots_free.value)
        for tier, pool in enumerate(self.state.pools):
            self.ctx.compare("free slots at the end", pool.free, free >> 17 * tier & 0x1FFFF, tier=tier)
        self.link.dump_request()
        for _ in range(4):
            await self.cycle()
        self.drain()
        Final(self.ctx, cast(Any, self), self.state).directory(self._dump, self.operations)

    def _write_coverage(self) -> None:
        path = self.ctx.run_dir / "functional.json"
        path.write_text(
            json.dumps({"test": self.ctx.name, "seed": self.ctx.seed, "bins": self.operations.counts}, indent=1)
        )
