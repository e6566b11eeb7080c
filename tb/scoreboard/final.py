"""The end of a test: everything that the device holds against the golden model."""

import numpy as np

from model import DeviceState
from sw.regs import registers as regs
from tb.events.records import DumpRecord, Tier
from tb.harness.base_test import Context, Mismatch
from tb.harness.bench import Bench
from tb.harness.link import OKAY, READ
from tb.scoreboard.counters import counter_values
from tb.scoreboard.operations import Operations
from tb.scoreboard.registers import RegisterCheck

SHOWN_ENTRIES = 8


class Final:
    """Compares counters, interrupts, slot pools, the directory and the memories."""

    def __init__(self, ctx: Context, bench: Bench, state: DeviceState) -> None:
        self._ctx = ctx
        self._bench = bench
        self._state = state

    async def read(self, names: list[str]) -> dict[str, int]:
        """Registers of BAR0 by name; each must answer OKAY."""
        batch = self._bench.accesses((READ, regs.BY_NAME[name].offset, 0) for name in names)
        await self._bench.run_accesses(batch)
        refused = [name for name, access in zip(names, batch, strict=True) if access["resp"] != OKAY]
        self._ctx.compare("registers that refuse to be read at the end", [], refused)
        return {name: int(access["data"]) for name, access in zip(names, batch, strict=True)}

    def counters(self, seen: dict[str, int]) -> None:
        """Every counter register."""
        for name, value in counter_values(self._state).items():
            self._ctx.compare(name, value, seen[name])

    def interrupts(self, seen: int, registers: RegisterCheck, level: int) -> None:
        """IRQ_STATUS is what the model has, and the output is its level."""
        expected, settled = int(self._state.irq_status), registers.interrupts.settled()
        fields = regs.BY_NAME["IRQ_STATUS"]
        want, got = fields.unpack(expected & settled), fields.unpack(seen & settled)
        self._ctx.compare_fields("IRQ_STATUS at the end", want, got)
        self._ctx.compare("interrupt output at the end", int(seen & registers.values["IRQ_ENABLE"] != 0), level)

    def pools(self, seen: dict[str, int]) -> None:
        """Free slots of every tier, and that none is lost."""
        for tier, pool in enumerate(self._state.pools):
            self._ctx.compare(f"TIER{tier}_FREE at the end", pool.free, seen[f"TIER{tier}_FREE"])
            total = pool.free + pool.occupied + pool.in_flight + pool.held
            where = {"tier": Tier(tier).name}
            self._ctx.compare("free + occupied + in flight + held slots", pool.slots, total, **where)

    def directory(self, dump: list[DumpRecord], operations: Operations) -> None:
        """The memories of the directory, read by the backdoor, against every entry of the model."""
        state = self._state
        seen = {record.index: record for record in dump}
        expected = set(np.flatnonzero(state.entries.arrays["valid"]).tolist()) - set(state.bad)
        present = {index for index in seen if index not in state.bad}
        missing, more = sorted(expected - present)[:SHOWN_ENTRIES], sorted(present - expected)[:SHOWN_ENTRIES]
        self._ctx.compare("directory at the end: indices of entries that are missing", [], missing)
        self._ctx.compare("directory at the end: indices of entries that the model does not have", [], more)
        for index in sorted(expected):
            record = seen[index]
            words = (record.tag_valid, record.meta_valid, record.tag_parity, record.meta_parity)
            if words != (True, True, False, False):
                names = ("VALID of the tag", "VALID of the meta word", "parity of the tag", "parity of the meta word")
                want, got = dict(zip(names, (1, 1, 0, 0), strict=True)), dict(zip(names, map(int, words), strict=True))
                block = state.kv_addr_of(state.entries.key[index])
                self._ctx.compare_fields("directory at the end", want, got, block=block, index=index)
            self._ctx.comparisons += 1
            operations.compare_entry(index, record, "directory at the end", None)

    def memories(self) -> None:
        """Every byte of every tier's memory."""
        bad, compared, text = self._bench.link.memory_compare()
        self._ctx.comparisons += compared // 64
        if bad:
            self._ctx.mismatches += 1
            self._ctx.fail(Mismatch(f"{text} ({bad} pages of 4 KiB differ)"))
