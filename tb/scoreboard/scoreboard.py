"""The scoreboard: takes the monitors' records, brings them into commit order, replays them through the golden model.

Order inside one cycle follows what the device's registers mean: a configuration value counts for the operations of the
cycle in which it is first seen; operations see queues and pools as the cycle found them; a step counts from the next
cycle on.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from model import DeviceState, Mismatch
from tb.events.decode import as_records, decoded, empty, kinds
from tb.events.records import (
    STREAM_MAIN,
    STREAM_PORT,
    STREAM_SCAN,
    CmdDoneRecord,
    ComplPopRecord,
    ConfigRecord,
    DumpRecord,
    EntryReadRecord,
    FreedRecord,
    FreeRecord,
    IrqLevelRecord,
    Kind,
    MissPopRecord,
    MmioRecord,
    ResetRecord,
    ScanBeginRecord,
    ScanCyclesRecord,
    ScanDoneRecord,
    ScoreRecord,
    StepRecord,
    Tier,
)
from tb.harness.base_test import Context
from tb.harness.bench import Bench
from tb.harness.link import Array
from tb.scoreboard.commands import CommandCheck
from tb.scoreboard.counters import counter_values
from tb.scoreboard.final import Final
from tb.scoreboard.operations import Operations
from tb.scoreboard.ports import PortCheck
from tb.scoreboard.registers import RegisterCheck
from tb.scoreboard.scan import ScanCheck
from tb.scoreboard.starts import ScanStarts

BAR2 = 2
DECISION = 254  # pseudo kind: a scan record with a decision, at its own time

_ORDER = [
    "Reset", "Config", "DECISION", "Op", "Reloc", "Probe", "Free", "Freed", "InsertFull", "EntryRead", "Push",
    "DmaError", "Completion", "MissDrop", "Pop", "ComplPop", "MissPop", "ScanDone", "ScanBegin", "ScanStart",
    "ScanCycles", "Step", "CmdRefused", "Command", "CmdDone", "Result", "Irq", "IrqLevel", "Parity", "Mmio", "Dump",
]  # fmt: skip
_RANK = np.full(256, 255, np.uint8)
for _rank, _name in enumerate(_ORDER):
    _RANK[DECISION if _name == "DECISION" else Kind[_name]] = _rank
# Operations, relocations and FREE_REQUEST steps keep the order in which they were recorded. An operation does not see
# a slot that is put back in its cycle.
for _name in ("Reloc", "Probe", "Free", "InsertFull", "EntryRead"):
    _RANK[Kind[_name]] = _RANK[Kind.Op]
_COUNTED = {int(Kind[_n]) for _n in ("Op", "Freed", "Push", "Completion", "Step", "InsertFull", "Config", "Reset")}


class Scoreboard:
    """Compares the whole device with the golden model; `drain` may be called at any time, `finish` at the end."""

    def __init__(self, ctx: Context, bench: Bench) -> None:
        self._ctx = ctx
        self._bench = bench
        self._link = bench.link
        bench.on_records = self.drain
        self.taps = bench.taps
        self.state = DeviceState(
            entries=bench.entries, lanes=bench.lanes, ports=bench.ports, block_tokens=bench.block_tokens
        )
        self.scan = ScanCheck(ctx, self.state)
        self.operations = Operations(ctx, self.state, self.scan)
        self.commands = CommandCheck(ctx, self.state)
        self.operations.commands = self.commands
        cycles_to_init = bench.entries // bench.lanes + 64
        self.registers = RegisterCheck(ctx, self.state, self.commands, cycles_to_init)
        self.ports = PortCheck(ctx, bench.ports)
        self._starts = ScanStarts(ctx, self.state, self.operations)
        self._final = Final(ctx, bench, self.state)
        self.events = 0
        self.irq_level = 0
        self._late_scan = empty(ScoreRecord)  # records after the last event worked off
        self._dump: list[DumpRecord] = []
        self._cycle = 0
        self._reset_at = -1
        self._handlers: dict[int, Callable[[Any], object]] = self._all_handlers()

    def _all_handlers(self) -> dict[int, Callable[[Any], object]]:
        operations, moves = self.operations, self.operations.moves
        return {
            Kind.Reset: self._reset,
            Kind.Config: self._config,
            Kind.Op: operations.operation,
            Kind.Reloc: operations.relocate,
            Kind.Probe: operations.probe,
            Kind.Free: self._free,
            Kind.Freed: self._freed,
            Kind.InsertFull: operations.insert_full,
            Kind.EntryRead: self._entry_read,
            Kind.Push: moves.push,
            Kind.Pop: moves.pop,
            Kind.DmaError: moves.error,
            Kind.Completion: moves.completion,
            Kind.ComplPop: self._completion_pop,
            Kind.MissPop: self._miss_pop,
            Kind.ScanBegin: self._scan_begin,
            Kind.ScanStart: self._starts.start,
            Kind.ScanDone: self._scan_done,
            Kind.ScanCycles: self._scan_took,
            Kind.Step: self._step,
            Kind.CmdRefused: lambda r: self.registers.refusals.append(r.cycle),
            Kind.Command: lambda r: self.registers.launches.append(self.commands.launched(r)),
            Kind.CmdDone: self._command_done,
            Kind.Result: self.commands.result,
            Kind.Irq: self.registers.interrupts.events,
            Kind.IrqLevel: self._irq_level,
            Kind.Mmio: self._mmio,
            Kind.Dump: self._dump.append,
        }

    # ------------------------------------------------------------------ draining

    def drain(self) -> None:
        """Work off every record collected so far. Raises Mismatch at the first difference."""
        raw = {stream: self._link.take_records(stream) for stream in (STREAM_MAIN, STREAM_SCAN, STREAM_PORT)}
        for tap in self.taps:
            for stream, records in raw.items():
                tap(stream, records)
        main, scan = raw[STREAM_MAIN], as_records(raw[STREAM_SCAN], ScoreRecord)
        self._bench.check_violations()
        self.ports.add(raw[STREAM_PORT])
        scan = np.concatenate([self._late_scan, scan]) if len(self._late_scan) else scan
        of = kinds(main)
        source, order = self._ordered(main[:, 0], of, scan)
        self.events += len(source)
        self._work(main, of, scan, source[order])
        self.ports.compare(self.operations.lookups, None)
        self._ctx.progress()

    def _ordered(self, cycles: Array, of: Array, scan: Array) -> tuple[Array, Array]:
        """Main records and scan records with decisions: (row, or -1 - row of a decision), and their commit order."""
        decided = np.flatnonzero(scan["decision"])
        kept = ~scan["dropped"][decided]  # dropped ones first: they saw the cycle's start
        cycle = np.concatenate([cycles, scan["cycle"][decided]])
        rank = np.concatenate([_RANK[of], np.full(len(decided), _RANK[DECISION], np.uint8)])
        minor = np.concatenate([np.zeros(len(of), np.int64), kept.astype(np.int64)])
        lane = np.concatenate([np.zeros(len(of), np.int64), scan["index"][decided] % self.state.lanes])
        order = np.lexsort((lane, minor, rank, cycle))
        source = np.concatenate([np.arange(len(of)), -1 - decided])
        return source, order

    def _work(self, main: Array, of: Array, scan: Array, rows: Array) -> None:
        records, codes = decoded(main), of.tolist()
        self._pending = scan
        self._used = 0
        resets = (cycle - 1 for cycle in main[of == Kind.Reset, 0].tolist())
        self._scan_ends = sorted([*main[of == Kind.ScanDone, 0].tolist(), *resets])
        if self.scan.running:
            self._take_scan_records()
        handlers = self._handlers
        try:
            for row in rows.tolist():
                if row < 0:
                    decision = scan[-1 - row]
                    self._cycle = int(decision["cycle"])
                    if self._cycle != self._reset_at:  # else the reset has taken the decision, too
                        self.scan.decide(decision)
                    continue
                record, code = records[row], codes[row]
                self._cycle = record.cycle
                handler = handlers.get(code)
                if handler is not None:
                    handler(record)
                    if code in _COUNTED:
                        self._starts.log_counts(record.cycle)
        except Mismatch as error:
            self._ctx.compare(error.subject, error.expected, error.seen, at_cycle=self._cycle)
            raise
        self._late_scan = scan[self._used :].copy()

    def _take_scan_records(self) -> None:
        """Give the running scan its records: up to its end or a reset (or all, while neither is in this batch)."""
        pending = self._pending[self._used :]
        end = next((c for c in self._scan_ends if c >= self._cycle), None)
        count = len(pending) if end is None else int(np.searchsorted(pending["cycle"], end, side="right"))
        self.scan.add(pending[:count])
        self._used += count

    # ------------------------------------------------------------------ handlers

    def _reset(self, r: ResetRecord) -> None:
        if r.hard:
            self.ports.compare(self.operations.lookups, r.cycle)
            self.state.reset()
            self.registers.hard_reset(r.cycle)
            self.irq_level = 0
        else:
            self.state.soft_reset()
            self.registers.soft_reset(r.cycle)
        self.operations.clear()
        self.commands.clear()
        self.scan.abandon()
        self.ports.forget_entry()
        self._reset_at = r.cycle
        # Records of a scan that the reset cut off; those of the reset's own cycle are lost with it.
        pending = self._pending[self._used :]
        self._used += int(np.searchsorted(pending["cycle"], r.cycle, side="right"))
        self.operations.count("reset.hard" if r.hard else "reset.soft")

    def _config(self, r: ConfigRecord) -> None:
        configuration = self.registers.configuration
        configuration.changed(r, self.registers.reset_cycle)
        if configuration.last.startswith("req_"):
            self.operations.window_changed = r.cycle

    def _free(self, r: FreeRecord) -> None:
        before = self.operations.counts.get("free.removed", 0)
        self.operations.free_entry(r)
        self.commands.freed(r, self.operations.counts.get("free.removed", 0) > before)

    def _freed(self, r: FreedRecord) -> None:
        self.operations.freed_late[r.tier] -= 1
        late = self.operations.freed_late[r.tier]
        where = {"tier": Tier(r.tier).name, "slot": r.slot, "at_cycle": r.cycle}
        self._ctx.compare("freed slots on their way to the pool are 0 or more", True, late >= 0, **where)

    def _step(self, r: StepRecord) -> None:
        self.state.set_step(r.step)
        self.registers.steps.append(r.step)

    def _scan_begin(self, r: ScanBeginRecord) -> None:
        self._starts.begin(r)
        self.scan.begin()
        self._take_scan_records()

    def _scan_done(self, r: ScanDoneRecord) -> None:
        self.scan.end(r.cycle)

    def _scan_took(self, r: ScanCyclesRecord) -> None:
        """SCAN_CYCLES: whatever else goes on, a scan ends in time (device.md 10)."""
        limit = 4 * self.state.entry_count // self.state.lanes + 512
        if r.took > limit:
            self._ctx.compare("cycles of a scan (SCAN_CYCLES)", f"at most {limit}", r.took, at_cycle=r.cycle)
        self._ctx.comparisons += 1

    def _entry_read(self, r: EntryReadRecord) -> None:
        self.scan.touch(r.index, r.cycle)
        expected = self.state.read_entry(r.index)
        if r.index not in self.state.bad:
            self.ports.entry_latched(r, expected)

    def _completion_pop(self, _r: ComplPopRecord) -> None:
        record = self.state.pop_completion()
        self.registers.popped["COMPLETION_ADDR"].append(record.kv_addr if record else 0)

    def _miss_pop(self, _r: MissPopRecord) -> None:
        self.registers.popped["MISS_ADDR"].append(self.state.pop_miss() or 0)

    def _command_done(self, r: CmdDoneRecord) -> None:
        queue = self.commands.queue
        directory = bool(queue) and not queue[0].is_range
        results = self.operations.results
        result = results.popleft() if directory and results else None
        self.commands.done(r.cycle, result)
        if directory:
            self.registers.busy_until = r.cycle + 4

    def _irq_level(self, r: IrqLevelRecord) -> None:
        self.irq_level = int(r.level)

    def _mmio(self, r: MmioRecord) -> None:
        if r.bar == BAR2:
            self.ports.bar2_access(r, self.state.entry_count)
        else:
            self.registers.access(r)

    # ------------------------------------------------------------------ end of test

    async def finish(self) -> None:
        """Everything the device holds, compared with the model: call when the device is idle."""
        self.drain()
        ctx, state = self._ctx, self.state
        await self._compare_registers()
        self._dump.clear()
        self._link.dump_request()
        await self._bench.cycles(4)
        self.drain()
        self._final.directory(self._dump, self.operations)
        self._final.memories()
        self.registers.finish()
        self.ports.finish()
        moves = self.operations.moves
        ctx.compare("items under way at the end", 0, len(moves.popped) + len(moves.moving))
        ctx.compare("completions missing at the end", 0, len(moves.ended))
        ctx.compare("commands under way at the end", 0, len(self.commands.queue))
        self.commands.placed(self._cycle)
        try:
            state.check()
        except Mismatch as error:
            ctx.compare(error.subject, error.expected, error.seen)
        ctx.compare("events were recorded and replayed", True, self.events > 0)
        ctx.compare("protocol checks were made", True, self._link.checks() > 0)

    async def _compare_registers(self) -> None:
        seen = await self._final.read(list(counter_values(self.state)))
        self.drain()
        self._final.counters(seen)
        irq_status = (await self._final.read(["IRQ_STATUS"]))["IRQ_STATUS"]
        self.drain()
        self._final.interrupts(irq_status, self.registers, self.irq_level)
        self._final.pools(await self._final.read([f"TIER{tier}_FREE" for tier in range(4)]))

    def summary(self) -> dict[str, Any]:
        """Counts of what was replayed, for logs and coverage."""
        return {
            "events": self.events,
            "scans": self.scan.scans,
            "scores": self.scan.scored,
            **{f"decision.{channel.name.lower()}": n for channel, n in self.scan.decisions.items()},
            "protocol_checks": int(self._link.checks()),
            **self.operations.counts,
            **self.registers.counts,
        }
