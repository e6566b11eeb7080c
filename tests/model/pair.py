"""The golden model and the reference side by side: every answer and all state compared."""

from __future__ import annotations

from dataclasses import fields

from model.directory import DeviceState
from model.types import Channel, CommandResult, Item, ItemState, MoveResult, Status
from tests.model.reference import Move, Reference


class Disagreement(AssertionError):
    """The two answer differently."""


def same(what: str, model: object, reference: object) -> None:
    """Disagreement unless both are equal."""
    if model != reference:
        raise Disagreement(f"{what}: model {model}, reference {reference}")


def flat(result: CommandResult) -> tuple:
    """A command's result in the reference's form."""
    name = result.status.name
    if result.status != Status.OK:
        return (name, *([] if result[1:] == (0,) * 5 else [result[1:]]))
    if result.removed or result.stayed:
        return (name, result.removed, result.stayed)
    return (name, result.tier, result.index, result.phys_addr)


class Pair:
    """Both devices; each method does one transaction on both and compares the answers."""

    def __init__(self, entries: int = 1024, lanes: int = 4, block_tokens: int = 4) -> None:
        self.model = DeviceState(entries=entries, lanes=lanes, ports=3, block_tokens=block_tokens)
        self.reference = Reference(entries, lanes, block_tokens)
        self.reference.config = self.model.config
        self.started: list[tuple[Item, Move]] = []
        self.rows_done = 0

    def set_slots(self, *slots: int) -> None:
        for tier, n in enumerate(slots):
            self.model.config.base[tier] = tier << 40
            self.model.set_slots(tier, n)
            self.reference.slots[tier] = n

    def lookup(self, port: int, kv: int, write: bool) -> bool:
        answer = tuple(self.model.lookup(port, kv, write))
        same(
            f"lookup {kv:#x} write {write}",
            answer,
            self.reference.lookup(port, kv, write),
        )
        return bool(answer[0])

    def lookup_command(self, kv: int, touch: bool) -> None:
        name = "lookup_touch" if touch else "lookup_peek"
        model = flat(getattr(self.model, name)(kv))
        same(f"{name} {kv:#x}", model, getattr(self.reference, name)(kv))

    def hint(self, name: str, kv: int, *step: int) -> None:
        same(
            f"{name} {kv:#x}",
            getattr(self.model, name)(kv, *step),
            getattr(self.reference, name)(kv, *step),
        )

    def insert(self, kv: int, end: int, tier: int, prefix: bool = False, hot: bool = False) -> str:
        result = self.model.insert(kv, end, tier, prefix=prefix, hot=hot)
        pick = None
        if result.status == Status.OK:
            pick = (result.phys_addr - self.model.config.base[tier]) // self.model.stride
        expected = self.reference.insert(kv, end, tier, prefix, hot, pick)
        same(f"INSERT {kv:#x}", flat(result), expected)
        return result.status.name

    def remove(self, kv: int) -> None:
        result = self.model.remove(kv)
        same(f"REMOVE {kv:#x}", (result.status.name,), self.reference.remove(kv))

    def free_request(self, request: int) -> None:
        result = self.model.free_request(request)
        got = ("BAD_ARG",) if result.status == Status.BAD_ARG else (result.status.name, result.removed, result.stayed)
        same(f"FREE_REQUEST {request}", got, self.reference.free_request(request))

    def migrate(self, kv: int, tier: int) -> None:
        result = self.model.migrate(kv, tier)
        same(
            f"MIGRATE {kv:#x} to {tier}",
            (result.status.name,),
            self.reference.migrate(kv, tier),
        )

    def set_step(self, step: int) -> None:
        self.model.set_step(step)
        self.reference.set_step(step)

    def scan_begin(self) -> None:
        cfg = self.model.scan_begin()
        self.reference.scan_begin()
        same("automatic thresholds", list(cfg.auto_thresh), self.reference.thresholds)
        same("pressure", list(cfg.pressure), self.reference.pressed)
        self.rows_done = 0

    def scan_rows(self, count: int) -> None:
        count = min(count, self.model.rows - self.rows_done)
        self.model.scan_rows(self.rows_done, count)
        self.reference.scan_rows(self.rows_done, count)
        self.rows_done += count

    def scan_one(self, index: int) -> None:
        self.model.scan_one(index)
        self.reference.scan_one(index)

    def scan_end(self) -> None:
        self.scan_rows(self.model.rows)
        self.model.scan_end()
        self.reference.scan_end()

    def queue_push(self, channel: int) -> None:
        if self.model.waiting[channel] and len(self.model.queues[channel]) < 64:
            self.model.queue_push(Channel(channel))
            self.reference.queue_push(channel)

    def start(self, channel: int) -> None:
        if self.model.queues[channel]:
            both = self.model.pop(Channel(channel)), self.reference.pop(channel)
            self._try(*both)

    def _try(self, item: Item, move: Move) -> None:
        begun = self.model.start(item)
        pick = begun.to_slot if begun.result == MoveResult.OK else None
        same(
            f"start of {item.kv_addr:#x}",
            begun.result.name,
            self.reference.start(move, pick),
        )
        if begun.result == MoveResult.OK:
            same("target", begun.to_tier, move.to)
            same(
                "target address",
                begun.to_phys_addr,
                self.reference.address(move.to, move.slot),
            )
            self.started.append((item, move))

    def end(self, which: int, error: bool) -> None:
        if self.started:
            item, move = self.started.pop(which % len(self.started))
            result = self.model.end(item, error=error)
            same(
                f"end of {item.kv_addr:#x}",
                result.name,
                self.reference.end(move, error),
            )
            if item.state == ItemState.STARTING:
                self._try(item, move)

    def pop_miss(self) -> None:
        head = self.reference.misses.pop(0) if self.reference.misses else None
        same("miss queue's head", self.model.pop_miss(), head)

    def pop_completion(self) -> None:
        head = self.reference.completions.pop(0) if self.reference.completions else None
        same("completion queue's head", self.model.pop_completion(), head)

    # ---------------------------------------------------------------- state

    def compare(self) -> None:
        """All state of both, and the model's own invariants."""
        m, r = self.model, self.reference
        m.check()
        same("entries", len(m.index_of), len(r.blocks))
        for name, b in r.blocks.items():
            index = r.index(b)
            e = m.entry(index)
            start = name[3] * r.block_tokens
            got = tuple(getattr(e, f.name) for f in fields(e))
            want = (*name[:3], start, start + b.last, b.tier, r.address(b.tier, b.slot), b.p)
            want += (b.access, b.ref, b.r, b.f, b.prefix, b.dirty, b.hot, b.evictable, b.hint, 1)
            same(f"entry of {name}", got, want)
            moving = bool(b.move and b.move.state == "moving")
            flags = tuple(bool(x[index]) for x in (m.entries.in_flight, m.entries.moving))
            same(
                f"entry of {name} in flight, moving",
                flags,
                (b.move is not None, moving),
            )
        for tier, pool in enumerate(m.pools):
            got = (pool.free, pool.occupied, pool.in_flight, pool.held)
            want = tuple(len(s[tier]) for s in (r.used, r.reserved, r.held))
            same(f"slots of tier {tier}", got, (r.free(tier), *want))
        same("departures", m.departures, r.leaving)
        same("step", m.step, r.step)
        same("miss queue", list(m.miss_queue), r.misses)
        same("completion queue", [tuple(c) for c in m.completion_queue], r.completions)
        for channel in Channel:
            for kind in ("queues", "waiting"):
                got = [i.kv_addr for i in getattr(m, kind)[channel]]
                want = [r.kv_of(i.name) for i in getattr(r, kind)[channel]]
                same(f"{channel.name} {kind}", got, want)
        for f in fields(m.counters):
            value = getattr(m.counters, f.name)
            if isinstance(value, list):
                want = [r.count.get(f"{f.name}{c}", 0) for c in Channel]
            else:
                want = r.count.get(f.name, 0)
            same(f.name, value, want)
