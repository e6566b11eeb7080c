"""The scoreboard: takes the monitors' records, brings them into commit order, replays them through the golden model.

Order inside one cycle follows what the device's registers mean: a configuration value counts for the operations of the
cycle in which it is first seen; operations see queues and pools as the cycle found them; a step counts from the next
cycle on.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from model import DeviceState, Mismatch
from sw.regs import registers as regs
from tb.events import records as ev
from tb.events.records import Kind
from tb.harness import base_test
from tb.harness.base_test import Context
from tb.harness.bench import Bench
from tb.harness.link import OKAY, READ, Array
from tb.scoreboard.commands import CommandCheck
from tb.scoreboard.operations import Operations
from tb.scoreboard.ports import PortCheck
from tb.scoreboard.registers import RegisterCheck, counter_values
from tb.scoreboard.scan import ScanCheck

FREE_SAMPLED = 64  # cycles: how old the count may be that a scan judges pressure by (device.md 5)
DEPARTURES_SAMPLED = 2
DECISION = 254  # pseudo kind: a scan record with a decision, at its own time
U32 = 0xFFFF_FFFF

_ORDER = [
    "Reset", "Config", "DECISION", "Op", "Reloc", "Free", "Freed", "InsertFull", "EntryRead", "Push", "DmaError",
    "Completion", "MissDrop", "Pop", "ComplPop", "MissPop", "ScanDone", "ScanBegin", "ScanStart", "ScanCycles", "Step",
    "CmdRefused", "Command", "CmdDone", "Result", "Irq", "IrqLevel", "Parity", "Mmio", "Dump",
]  # fmt: skip
_RANK = np.full(256, 255, np.uint8)
for _rank, _name in enumerate(_ORDER):
    _RANK[DECISION if _name == "DECISION" else Kind[_name]] = _rank
# Operations, relocations and FREE_REQUEST steps keep the order in which they were recorded. An operation does not see
# a slot that is put back in its cycle.
for _name in ("Reloc", "Free", "InsertFull", "EntryRead"):
    _RANK[Kind[_name]] = _RANK[Kind.Op]
_COUNTED = {int(Kind[_n]) for _n in ("Op", "Freed", "Push", "Completion", "Step", "InsertFull", "Config", "Reset")}


class Scoreboard:
    """Compares the whole device with the golden model; `drain` may be called at any time, `finish` at the end."""

    def __init__(self, ctx: Context, bench: Bench) -> None:
        self._ctx = ctx
        self._bench = bench
        self._link = bench.link
        bench.on_records = self.drain
        self.taps: list[Callable[[int, Array], None]] = []  # get every record too: stream, raw words
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
        self.events = 0
        self.irq_level = 0
        self._free_log: list[deque[tuple[int, int]]] = [
            deque([(0, 0)]) for _ in range(3)
        ]  # (cycle, value from then on)
        self._departure_log: list[deque[tuple[int, int]]] = [deque([(0, 0)]) for _ in range(3)]
        self._late_scan = np.zeros(0, ev.SCAN)  # records after the last event worked off
        self._dump: list[list[int]] = []
        self._cycle = 0
        self._pending = self._late_scan
        self._used = 0
        self._done_cycles: list[int] = []
        self._handlers = {
            Kind.Reset: self._reset,
            Kind.Config: self._config,
            Kind.Op: self.operations.operation,
            Kind.Reloc: self.operations.relocate,
            Kind.Free: self._free,
            Kind.Freed: self._freed,
            Kind.InsertFull: self.operations.insert_full,
            Kind.EntryRead: self._entry_read,
            Kind.Push: self.operations.push,
            Kind.Pop: self.operations.pop,
            Kind.Completion: self.operations.completion,
            Kind.ComplPop: self._completion_pop,
            Kind.MissPop: self._miss_pop,
            Kind.ScanBegin: self._scan_begin,
            Kind.ScanStart: self._scan_start,
            Kind.ScanDone: self._scan_done,
            Kind.ScanCycles: self._scan_took,
            Kind.Step: self._step,
            Kind.CmdRefused: lambda w: self.registers.refusals.append(w[0]),
            Kind.Command: lambda w: self.registers.launches.append(self.commands.launched(w)),
            Kind.CmdDone: self._command_done,
            Kind.Result: self.commands.result,
            Kind.Irq: self.registers.irq,
            Kind.IrqLevel: self._irq_level,
            Kind.Mmio: self._mmio,
            Kind.DmaError: self._dma_error,
            Kind.Dump: self._dump.append,
        }
        self._by_code = {int(kind): handler for kind, handler in self._handlers.items()}

    # ------------------------------------------------------------------ draining

    def drain(self) -> None:
        """Work off every record collected so far. Raises Mismatch at the first difference."""
        raw = [self._link.take_records(s) for s in (ev.STREAM_MAIN, ev.STREAM_SCAN, ev.STREAM_PORT)]
        for tap in self.taps:
            for stream, records in enumerate(raw):
                tap(stream, records)
        main, scan, port = raw[0], ev.typed(raw[1], ev.STREAM_SCAN), ev.typed(raw[2], ev.STREAM_PORT)
        self._bench.check_violations()
        self.ports.add(port)
        scan = np.concatenate([self._late_scan, scan]) if len(self._late_scan) else scan
        rows, order = self._ordered(main, scan)
        self.events += len(rows)
        self._work(main, scan, rows, order)
        self.ports.compare(self.operations.lookups, None)
        self._ctx.progress()

    def _ordered(self, main: Array, scan: Array) -> tuple[Array, Array]:
        """Keys of main records and of scan records with decisions, in commit order: (source row, is decision)."""
        kinds = (main[:, 1] & np.uint64(0xFF)).astype(np.uint8)
        decided = np.flatnonzero(scan["flags"] & (ev.SCAN_EVICT | ev.SCAN_PREFETCH))
        dropped = (scan["flags"][decided] & ev.SCAN_DROP) == 0  # dropped ones first: they saw the cycle's start
        cycle = np.concatenate([main[:, 0], scan["cycle"][decided]])
        rank = np.concatenate([_RANK[kinds], np.full(len(decided), _RANK[DECISION], np.uint8)])
        minor = np.concatenate([np.zeros(len(main), np.int64), dropped.astype(np.int64)])
        lane = np.concatenate([np.zeros(len(main), np.int64), scan["index"][decided] % self.state.lanes])
        order = np.lexsort((lane, minor, rank, cycle))
        source = np.concatenate([np.arange(len(main)), -1 - decided])
        return source, order

    def _work(self, main: Array, scan: Array, source: Array, order: Array) -> None:
        words = main.tolist()
        self._pending = scan
        self._used = 0
        self._done_cycles = main[(main[:, 1] & np.uint64(0xFF)) == int(Kind.ScanDone), 0].tolist()
        if self.scan.running:
            self._take_scan_records()
        handlers = self._by_code
        try:
            for row in source[order].tolist():
                if row < 0:
                    record = scan[-1 - row]
                    self._cycle = int(record["cycle"])
                    self.scan.decide(record)
                    continue
                w = words[row]
                self._cycle = w[0]
                handler = handlers.get(w[1] & 0xFF)
                if handler is not None:
                    handler(w)
                    if w[1] & 0xFF in _COUNTED:
                        self._log_counts(w[0])
        except Mismatch as error:
            self._ctx.compare(error.subject, error.expected, error.seen, at_cycle=self._cycle)
            raise
        self._late_scan = scan[self._used :].copy()

    def _take_scan_records(self) -> None:
        """Give the running scan its records: those up to its end (or all, while the end is not in this batch)."""
        pending = self._pending[self._used :]
        end = next((c for c in self._done_cycles if c >= self._cycle), None)
        count = len(pending) if end is None else int(np.searchsorted(pending["cycle"], end, side="right"))
        self.scan.add(pending[:count])
        self._used += count

    # ------------------------------------------------------------------ handlers

    def _reset(self, w: list[int]) -> None:
        hard = w[2] == 1
        if hard:
            self.ports.compare(self.operations.lookups, w[0])
            self.state.reset()
            self.registers.hard_reset(w[0])
            self.irq_level = 0
        else:
            self.state.soft_reset()
            self.registers.soft_reset(w[0])
        self.operations.clear()
        self.commands.clear()
        self.scan.abandon()
        # Records of a scan that the reset cut off.
        pending = self._pending[self._used :]
        self._used += int(np.searchsorted(pending["cycle"], w[0], side="left"))
        self.operations.count("reset.hard" if hard else "reset.soft")

    def _config(self, w: list[int]) -> None:
        self.registers.config(w)
        if self.registers.last_config.startswith("req_"):
            self.operations.window_changed = w[0]

    def _free(self, w: list[int]) -> None:
        before = self.operations.counts.get("free.removed", 0)
        self.operations.free_entry(w)
        self.commands.freed(w, self.operations.counts.get("free.removed", 0) > before)

    def _freed(self, w: list[int]) -> None:
        tier = w[2] >> 16
        self.operations.freed_late[tier] -= 1
        self._ctx.compare("slots on their way to the pool", True, self.operations.freed_late[tier] >= 0, tier=tier)

    def _step(self, w: list[int]) -> None:
        self.state.set_step(w[2] & U32)
        self.registers.steps.append(w[2] & U32)

    def _log_counts(self, cycle: int) -> None:
        """Remember free slots and departures, where they have changed."""
        for tier in range(3):
            free = self.state.pools[tier].free - self.operations.freed_late[tier]
            for log, value in ((self._free_log[tier], free), (self._departure_log[tier], self.state.departures[tier])):
                if log[-1][1] != value:
                    log.append((cycle, value))

    def _sampled(self, subject: str, log: deque[tuple[int, int]], seen: int, cycle: int, age: int) -> None:
        """`seen` must be a value that the count had in the last `age` cycles."""
        while len(log) > 1 and log[1][0] < cycle - age:
            log.popleft()
        legal = {value for _, value in log}
        self._ctx.compare(
            subject,
            True if seen in legal else f"one of {sorted(legal)}",
            True if seen in legal else seen,
            at_cycle=cycle,
        )

    def _scan_begin(self, w: list[int]) -> None:
        free, departures = w[2:5], w[5:8]
        for tier in range(3):
            self._sampled(
                f"tier {tier} free slots at the scan's start", self._free_log[tier], free[tier], w[0], FREE_SAMPLED
            )
            self._sampled(
                f"tier {tier} departures in flight at the scan's start",
                self._departure_log[tier],
                departures[tier],
                w[0],
                DEPARTURES_SAMPLED,
            )
        self.state.scan_begin(free=free, departures=departures)
        self.scan.begin()
        self._take_scan_records()

    def _scan_start(self, w: list[int]) -> None:
        cfg = self.state.scan
        if cfg is None:
            self._ctx.compare("scan configuration", "a scan runs", "none", at_cycle=w[0])
            return
        expected = {
            "first row": cfg.start_row,
            "step": cfg.step,
            "weights and thresholds": cfg.w_r << 56
            | cfg.w_f << 48
            | cfg.w_s << 40
            | cfg.w_d << 32
            | cfg.evict_thresh << 16
            | cfg.prefetch_thresh,
            "R_SHIFT, ageing, PROMOTE_TIER, EVICT_TIERS, LOOKAHEAD": cfg.r_shift << 56
            | int(cfg.age) << 48
            | cfg.promote_tier << 40
            | cfg.evict_tiers << 32
            | cfg.lookahead,
            "pressure": sum(1 << t for t in range(3) if cfg.pressure[t]),
            "AUTO_THRESH of tier 0": cfg.auto_thresh[0],
            "AUTO_THRESH of tier 1": cfg.auto_thresh[1],
            "AUTO_THRESH of tier 2": cfg.auto_thresh[2],
            "larger of LOOKAHEAD and HOLD": cfg.kept_ahead,
        }
        for (name, want), seen in zip(expected.items(), w[2:11], strict=True):
            self._ctx.compare(f"scan {cfg.number}: {name}", want, seen, at_cycle=w[0])
        for tier in range(3):
            if cfg.pressure[tier]:
                self.operations.count(f"pressure.tier{tier}{'.auto' if cfg.auto_thresh[tier] else ''}")

    def _scan_done(self, w: list[int]) -> None:
        self.scan.end(w[0])

    def _scan_took(self, w: list[int]) -> None:
        """SCAN_CYCLES: whatever else goes on, a scan ends in time (device.md 10)."""
        limit = 4 * self.state.entry_count // self.state.lanes + 512
        if w[2] > limit:
            self._ctx.compare("cycles of a scan", f"at most {limit}", w[2], at_cycle=w[0])
        self._ctx.comparisons += 1

    def _entry_read(self, w: list[int]) -> None:
        index = w[1] >> 32
        self.scan.touch(index, w[0])
        expected = self.state.read_entry(index)
        seen = b"".join(word.to_bytes(8, "little") for word in w[2:6])
        if index in self.state.bad:
            return
        self._ctx.compare("BAR2 entry", expected.hex(), seen.hex(), index=index, at_cycle=w[0])
        self.ports.entry_latched(index, expected)

    def _completion_pop(self, w: list[int]) -> None:
        record = self.state.pop_completion()
        self.registers.popped["COMPLETION_ADDR"].append(record.kv_addr if record else 0)

    def _miss_pop(self, w: list[int]) -> None:
        self.registers.popped["MISS_ADDR"].append(self.state.pop_miss() or 0)

    def _command_done(self, w: list[int]) -> None:
        queue = self.commands.queue
        directory = bool(queue) and not queue[0].is_range
        results = self.operations.results
        result = results.popleft() if directory and results else None
        self.commands.done(w, result)
        if directory:
            self.registers.busy_until = w[0] + 4

    def _dma_error(self, w: list[int]) -> None:
        self.operations.errors.append((w[2], w[1] >> 8 & 0xFF, w[1] >> 16 & 0xFF))

    def _irq_level(self, w: list[int]) -> None:
        self.irq_level = w[1] >> 8 & 1

    def _mmio(self, w: list[int]) -> None:
        if w[1] >> 24 & 0xFF == 2:
            self.ports.bar2_access(w, self.state.entry_count)
        else:
            self.registers.access(w)

    # ------------------------------------------------------------------ end of test

    async def finish(self) -> None:
        """Everything the device holds, compared with the model: call when the device is idle."""
        self.drain()
        ctx, state = self._ctx, self.state
        await self._counters()
        await self._interrupts()
        await self._pools()
        self._dump.clear()
        self._link.dump_request()
        await self._bench.cycles(4)
        self.drain()
        self._directory()
        self._memories()
        self.registers.finish()
        self.ports.finish()
        ctx.compare("items under way at the end", 0, len(self.operations.popped) + len(self.operations.moving))
        ctx.compare("completions missing at the end", 0, len(self.operations.ended))
        ctx.compare("commands under way at the end", 0, len(self.commands.queue))
        self.commands.placed(self._cycle)
        try:
            state.check()
        except Mismatch as error:
            ctx.compare(error.subject, error.expected, error.seen)
        ctx.compare("events recorded and replayed", True, self.events > 0)
        ctx.compare("protocol checks made", True, self._link.checks() > 0)

    async def _counters(self) -> None:
        names = list(counter_values(self.state))
        batch = self._bench.accesses((READ, regs.BY_NAME[name].offset, 0) for name in names)
        await self._bench.run_accesses(batch)
        self.drain()
        expected = counter_values(self.state)
        for name, access in zip(names, batch, strict=True):
            self._ctx.compare(name, expected[name], int(access["data"]))

    async def _interrupts(self) -> None:
        """IRQ_STATUS is what the model has, and the output is its level."""
        batch = self._bench.accesses([(READ, regs.IRQ_STATUS.offset, 0)])
        await self._bench.run_accesses(batch)
        self.drain()
        seen, expected = int(batch["data"][0]), int(self.state.irq_status)
        settled = self.registers.irq_settled()
        self._ctx.compare("IRQ_STATUS at the end", bin(expected & settled), bin(seen & settled))
        level = int(seen & self.registers.values["IRQ_ENABLE"] != 0)
        self._ctx.compare("interrupt output at the end", level, self.irq_level)

    async def _pools(self) -> None:
        batch = self._bench.accesses((READ, regs.BY_NAME[f"TIER{t}_FREE"].offset, 0) for t in range(4))
        await self._bench.run_accesses(batch)
        for tier, access in enumerate(batch):
            pool = self.state.pools[tier]
            self._ctx.compare(f"tier {tier} FREE", (pool.free, OKAY), (int(access["data"]), int(access["resp"])))
            total = pool.free + pool.occupied + pool.in_flight + pool.held
            self._ctx.compare(f"tier {tier} free + occupied + in flight + held", pool.slots, total)

    def _directory(self) -> None:
        """The memories of the directory, read by the backdoor, against every entry of the model."""
        ctx, state = self._ctx, self.state
        seen = {w[1] >> 32: w for w in self._dump}
        expected = set(np.flatnonzero(state.entries.arrays["valid"]).tolist()) - set(state.bad)
        present = {i for i, w in seen.items() if i not in state.bad}
        ctx.compare("directory: valid entries", sorted(expected)[:0], sorted(expected ^ present)[:8])
        for index in sorted(expected):
            w = seen[index]
            ctx.compare(
                "directory: VALID in both memories, parity", (1, 1, 0), (w[1] >> 8 & 1, w[1] >> 16 & 1, w[1] >> 24 & 3)
            )
            self.operations.compare_entry(index, w[2], w[3], w[4], "directory at the end", 0)

    def _memories(self) -> None:
        bad, compared, text = self._link.memory_compare()
        self._ctx.comparisons += compared // 64
        if bad:
            self._ctx.mismatches += 1
            self._ctx.fail(base_test.Mismatch(f"{text} ({bad} pages of 4 KiB differ)"))

    def summary(self) -> dict[str, Any]:
        """Counts of what was replayed, for logs and coverage."""
        return {
            "events": self.events,
            "scans": self.scan.scans,
            "scores": self.scan.scored,
            "protocol_checks": int(self._link.checks()),
            **self.operations.counts,
            **self.registers.counts,
        }
