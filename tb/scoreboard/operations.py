"""Operations on the directory, replayed through the golden model at their commit points.

Each handler gets one Op record (docs/events.md), does the same transaction on the model and compares response, choice
and the entry afterwards. What belongs to moves is in `moves`.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from model import DeviceState
from model.types import CommandResult, Status
from sw.regs.kv_address import KvAddress
from tb.events.records import Client, FreeRecord, InsertFullRecord, Op, OpRecord, ProbeRecord, RelocRecord, Tier
from tb.harness.base_test import Context
from tb.scoreboard.commands import CommandCheck
from tb.scoreboard.entry import expected_entry, named, seen_entry
from tb.scoreboard.moves import Moves
from tb.scoreboard.ports import Commit
from tb.scoreboard.scan import ScanCheck

STATUS_RETRIED = Status.BUSY  # of INSERT: the pool refills its head slot, the operation is retried
WINDOW_SETTLES = 256  # cycles between a lookup's acceptance, where its window counts, and its commit


def address(kv_addr: int | None) -> str:
    """A KV address as messages show it, or that there is none."""
    return "none" if kv_addr is None else f"{kv_addr:#018x}"


@dataclass(slots=True)
class Search:
    """INSERT's search: what the model expects of it when it begins, and the probes seen."""

    probes: list[int]  # KV addresses, in order, up to the one that decides
    beyond: list[int]  # those that may have been asked before its answer was there
    relocations: deque[tuple[int, int]]  # (from, to), those to come
    probed: list[int] = field(default_factory=list)


class Operations:
    """Replays Op, Reloc, Probe, Free and InsertFull records."""

    def __init__(self, ctx: Context, state: DeviceState, scan: ScanCheck) -> None:
        self._ctx = ctx
        self._s = state
        self._scan = scan
        self.counts: dict[str, int] = {}
        self.freed_late = [0, 0, 0, 0]  # slots that FREE_REQUEST or a search freed and the pools do not have yet
        self.moves = Moves(ctx, state, self.freed_late, self.count)
        self._search: Search | None = None  # of the INSERT that found every place occupied
        self.window_changed = -WINDOW_SETTLES
        self.commands: CommandCheck | None = None  # whose operations come next
        self.results: deque[CommandResult] = deque()  # results of directory commands
        self.lookups: list[list[Commit]] = [[] for _ in range(state.ports)]
        self._handlers: dict[int, Callable[[OpRecord], None]] = {
            Op.LOOKUP: self._lookup,
            Op.PEEK: self._peek,
            Op.BOOST: self._range,
            Op.IMEVICT: self._range,
            Op.COOL: self._range,
            Op.PREFETCH: self._range,
            Op.SHARE: self._range,
            Op.RELEASE: self._range,
            Op.INSERT: self._insert,
            Op.REMOVE: self._remove,
            Op.MIGRATE: self._migrate,
            Op.START: self.moves.start,
            Op.END: self.moves.end,
        }
        self._range_method: dict[int, Callable[[int], bool]] = {
            Op.BOOST: state.boost,
            Op.COOL: state.cool,
            Op.SHARE: state.share,
            Op.RELEASE: state.release,
        }

    def clear(self) -> None:
        """A reset: nothing is under way any more."""
        self.moves.clear()
        self.results.clear()
        self.freed_late[:] = [0, 0, 0, 0]
        self._search = None

    def count(self, what: str) -> None:
        """Count one event by name (coverage, the end token)."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def compare(self, subject: str, expected: Any, seen: Any, r: OpRecord) -> None:
        """One comparison of an operation, with its block and cycle."""
        if expected == seen:
            self._ctx.comparisons += 1
            return
        self._ctx.compare(subject, expected, seen, block=r.kv_addr, at_cycle=r.cycle)

    # ------------------------------------------------------------------ one operation

    def operation(self, r: OpRecord) -> None:
        """Replay one Op record."""
        if r.op in (Op.READ, Op.NONE):
            return
        if r.hit:
            self._scan.touch(r.index, r.cycle)
        handler = self._handlers.get(r.op)
        if handler is None:
            self._ctx.compare("operation at the commit point", "one of the contract's", Op(r.op).name, at_cycle=r.cycle)
            return
        if r.client == Client.CMD and not _later_step(r):
            self._expect_command_op(r)
        handler(r)
        if r.meta_written if r.op == Op.INSERT else r.hit:
            self.compare_entry(r.index, r, f"entry after {Op(r.op).name}", r.kv_addr)

    def _expect_command_op(self, r: OpRecord) -> None:
        expected = self.commands.next_op() if self.commands else None
        if expected is None:
            self.compare("operation of a command", "none left", Op(r.op).name, r)
            return
        op, kv_addr, arguments = expected
        seen = {"operation": Op(r.op).name, "KV address": r.kv_addr}
        seen |= {
            "step": r.step,
            "tier": r.arg_tier,
            "TOKEN_END offset": r.arg_token_offset,
            "PREFIX": r.arg_prefix,
            "HOT": r.arg_hot,
        }
        want = {"operation": Op(op).name, "KV address": kv_addr, **arguments}
        self._ctx.compare_fields("operation of the command", want, seen, block=r.kv_addr, at_cycle=r.cycle)

    def compare_entry(self, index: int, r: Any, subject: str, kv_addr: int | None) -> None:
        """The entry in an Op or Dump record against the model's, field by field."""
        if index in self._s.bad:
            return
        expected, seen = expected_entry(self._s, index, r.entry_epoch), seen_entry(r)
        if expected == seen:
            self._ctx.comparisons += 1
            return
        key = self._s.kv_addr_of(self._s.entries.key[index]) if kv_addr is None else kv_addr
        self._ctx.compare_fields(subject, named(expected), named(seen), block=key, index=index, at_cycle=r.cycle)

    # ------------------------------------------------------------------ lookups

    def _lookup(self, r: OpRecord) -> None:
        s = self._s
        if r.client == Client.CMD:
            result = s.lookup_touch(r.kv_addr, pushed=r.queued)
            self.count(f"touch.{'hit' if result.status == Status.OK else 'miss'}")
            self._answer(result.status == Status.OK, result.tier, result.phys_addr, result.index, r)
            self.results.append(result)
            return
        port, write, denied = r.port_no, r.write, r.denied
        wanted = s.denies(port, r.kv_addr, write)
        if wanted != denied and r.cycle - self.window_changed > WINDOW_SETTLES:
            self.compare(f"port {port} lookup denied", wanted, denied, r)
        answer = s.lookup(port, r.kv_addr, write, denied=denied, pushed=r.queued)
        self._answer(answer.hit, answer.tier, answer.phys_addr, answer.index, r)
        self.lookups[port].append((r.kv_addr, write, answer.hit, denied, answer.tier, answer.phys_addr, answer.index))
        kind = "denied" if denied else "hit" if answer.hit else "miss"
        self.count(f"lookup.{'write' if write else 'read'}.{kind}")
        self.count(f"lookup.port{port}")
        if answer.hit and r.queued:
            self.count("lookup.hit.demand")
        if answer.hit and KvAddress.unpack(r.kv_addr).request_id == 0:
            self.count("lookup.shared.hit")

    def _answer(self, hit: bool, tier: int, phys_addr: int, index: int, r: OpRecord) -> None:
        seen = (True, r.found_tier, r.phys_addr, r.found_index) if r.hit else (False, 0, 0, 0)
        if (hit, tier, phys_addr, index) == seen:
            self._ctx.comparisons += 1
            return
        where = {"block": r.kv_addr, "at_cycle": r.cycle}
        self._ctx.compare_fields(
            "lookup at its commit point", _answer(hit, tier, phys_addr, index), _answer(*seen), **where
        )

    def _peek(self, r: OpRecord) -> None:
        result = self._s.lookup_peek(r.kv_addr)
        self.count(f"peek.{'hit' if result.status == Status.OK else 'miss'}")
        self._answer(result.status == Status.OK, result.tier, result.phys_addr, result.index, r)
        self.results.append(result)

    # ------------------------------------------------------------------ range and directory commands

    def _range(self, r: OpRecord) -> None:
        if r.op == Op.IMEVICT:
            found = self._s.imevict(r.kv_addr, pushed=r.queued)
        elif r.op == Op.PREFETCH:
            found = self._s.prefetch(r.kv_addr, r.step, pushed=r.queued)
        else:
            found = self._range_method[r.op](r.kv_addr)
        name = Op(r.op).name
        self.compare(f"{name}: block is in the directory", found, r.hit, r)
        self.count(f"range.{name.lower()}.{'hit' if found else 'miss'}{'.queued' if r.queued else ''}")

    def _insert(self, r: OpRecord) -> None:
        status, tier, slot = Status(r.status), r.arg_tier, r.taken_slot
        if r.search_end:
            result, status = self._search_ends(r.cycle), Status.OK
        elif status == STATUS_RETRIED:
            self._s.parity_of_tags(self._s.key_of(r.kv_addr))
            return
        else:
            begun = self._s.insert_begin(
                r.kv_addr,
                KvAddress.unpack(r.kv_addr).token + r.arg_token_offset,
                tier,
                prefix=r.arg_prefix,
                hot=r.arg_hot,
                slot=slot if status in (Status.OK, Status.FULL) else None,
            )
            if begun is None and status == Status.FULL:
                self._search = self._search_begins()
                return
            result = begun or CommandResult(Status.FULL)
        self.compare("INSERT status", result.status.name, status.name, r)
        if result.status == Status.OK:
            self.compare("INSERT index", result.index, r.index, r)
        if not (self.commands and self.commands.settle(result)):
            self.results.append(result)
        self.count(f"insert.{result.status.name.lower()}{'.relocated' if r.search_end else ''}.tier{tier}")

    def probe(self, r: ProbeRecord) -> None:
        """INSERT's search has read the places of an entry's key: it counts the bad tags there."""
        self._s.parity_of_tags(self._s.key_of(r.kv_addr))
        if self._search is not None:
            self._search.probed.append(r.kv_addr)

    def _search_begins(self) -> Search:
        """Every place is occupied: what the search must come to. A slot is kept for it."""
        assert self._s.inserting is not None
        plan, keys = self._s.inserting.plan, self._s.entries.key
        probes, beyond = ([self._s.kv_addr_of(keys[place]) for place in part] for part in (plan.probed, plan.beyond))
        return Search(probes, beyond, deque(plan.relocations))

    def _search_ends(self, cycle: int) -> CommandResult:
        """The model's INSERT ends as the device's does; the probes were those of the search, in its order."""
        search, self._search = self._search, None
        if search is None:
            self._ctx.compare("INSERT's search", "after an INSERT that found no place", "without one", at_cycle=cycle)
            return CommandResult(Status.FULL)
        expected = (search.probes + search.beyond)[: max(len(search.probes), len(search.probed))]
        pairs = enumerate(zip_longest(expected, search.probed), 1)
        number, (want, seen) = next((pair for pair in pairs if pair[1][0] != pair[1][1]), (0, (None, None)))
        where = {"at_cycle": cycle, "probes": len(search.probed)}
        self._ctx.compare(f"INSERT's search: key of probe {number}", address(want), address(seen), **where)
        return self._s.insert_end()

    def insert_full(self, r: InsertFullRecord) -> None:
        """INSERT's search has found nothing."""
        result = self._search_ends(r.cycle)
        self.freed_late[r.tier] += 1
        where = {"block": r.kv_addr, "tier": Tier(r.tier).name, "at_cycle": r.cycle}
        self._ctx.compare("INSERT status", result.status.name, Status.FULL.name, **where)
        self.results.append(result)
        self.count("insert.full")

    def relocate(self, r: RelocRecord) -> None:
        """An entry moves to another of its places."""
        source = self._s.index_of.get(r.key)
        if source is None:
            where = {"block": self._s.kv_addr_of(r.key), "index": r.index, "at_cycle": r.cycle}
            self._ctx.compare("relocation: entry of the directory", "a valid one", "none of this block", **where)
            return
        if self._search is not None:
            expected = self._search.relocations.popleft() if self._search.relocations else "none"
            self._ctx.compare("relocation (from, to)", expected, (source, r.index), at_cycle=r.cycle)
        self._scan.touch(source, r.cycle)
        # The device scores an entry of a running scan before it moves it; where the scan has only just begun and
        # no bank walks yet, at its new place. The end of the scan sees whether each was scored once.
        running, self._s.scan = self._s.scan, None
        self._s.relocate(source, r.index)
        self._s.scan = running
        self.count("relocation")

    def _remove(self, r: OpRecord) -> None:
        moving = r.hit and bool(self._s.entries.moving[r.index])
        result = self._s.remove(r.kv_addr)
        self.compare("REMOVE status", result.status.name, Status(r.status).name, r)
        self.results.append(result)
        self.count(f"remove.{result.status.name.lower()}{'.moving' if moving else ''}")

    def _migrate(self, r: OpRecord) -> None:
        result = self._s.migrate(r.kv_addr, r.arg_tier)
        self.compare("MIGRATE status", result.status.name, Status(r.status).name, r)
        self.compare("MIGRATE queued", result.status == Status.OK, r.queued, r)
        self.results.append(result)
        self.count(f"migrate.{result.status.name.lower()}")

    def free_entry(self, r: FreeRecord) -> None:
        """FREE_REQUEST meets a block of its request."""
        self._scan.touch(r.index, r.cycle)
        tier = self._s.entries.tier[r.index]
        block = self._s.kv_addr_of(self._s.entries.key[r.index])
        went = self._s.free_entry(r.index, r.request_id)
        self._ctx.compare("FREE_REQUEST: removed", went, r.removed, block=block, index=r.index, at_cycle=r.cycle)
        if went:
            self.freed_late[tier] += 1
        self.count(f"free.{'removed' if went else 'stayed'}")


def _later_step(r: OpRecord) -> bool:
    """A step of an INSERT that is not its beginning."""
    return r.op == Op.INSERT and (r.search_end or r.status == STATUS_RETRIED)


def _answer(hit: bool, tier: int, phys_addr: int, index: int) -> dict[str, Any]:
    return {"hit": hit, "tier": Tier(tier).name, "PHYS_ADDR": f"{phys_addr:#x}", "index": index}
