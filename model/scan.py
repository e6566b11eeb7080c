"""Steps, pressure and the scan (device.md 3 to 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from model.base import StateBase
from model.scoring import (
    BoolArray,
    ScanConfig,
    Score,
    U8Array,
    U16Array,
    auto_threshold,
    histogram,
    score,
    score_one,
)
from model.types import (
    LANE_WAIT_DEPTH,
    QUEUE_DEPTH,
    Channel,
    Decision,
    Irq,
    Item,
    ItemState,
    Mismatch,
)

_CHUNK = 16384  # entries scored at once: temporaries stay in the cache and in the heap
_CHANNEL = {Decision.EVICT: Channel.EVICT, Decision.PREFETCH: Channel.PREFETCH}


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scan did to the entries asked for, one element per entry (same order).

    `scored`: it scores this entry now (valid, not scored before); elsewhere the other arrays mean
    nothing. `decision` holds `Decision` values; `accepted`: the decision waits for its queue.
    """

    scored: BoolArray
    prio: U16Array
    r: U8Array
    f: U8Array
    decision: U8Array
    accepted: BoolArray


class ScanOps(StateBase):
    """Transactions of STEP_ADVANCE and of the scan.

    An entry's scoring may be put off until something else touches that entry, its item enters a
    queue, or the scan ends: nothing else sees the difference.
    """

    def _reset_histograms(self) -> None:
        self.histogram: npt.NDArray[np.int64] = np.zeros((3, 256), np.int64)
        self.last_histogram: npt.NDArray[np.int64] | None = None

    # ------------------------------------------------------------------ steps and start

    def set_step(self, step: int) -> None:
        """STEP_ADVANCE: the step, the fence, and (with ENABLE) one scan due."""
        self.step = step
        for pool in self.pools:
            pool.fence()
        if self.config.enable:
            if self.scan_pending:
                self.counters.scan_coalesced += 1
            self.scan_pending = True

    def scan_begin(self, *, free: Sequence[int] | None = None, departures: Sequence[int] | None = None) -> ScanConfig:
        """A scan starts: takes its configuration, judges pressure, finds thresholds.

        `free`, `departures`: the counts that the hardware sampled, of tiers 0 to 2 at least
        (default: as they are now).
        """
        if not self.scan_pending:
            raise Mismatch("scan start", "after a STEP_ADVANCE only", "none due")
        if self.scan is not None:
            raise Mismatch("scan start", "after the end of the last scan", "while it runs")
        c = self.config
        free = [pool.free for pool in self.pools] if free is None else free
        departures = self.departures if departures is None else departures
        for tier in range(3):
            was = self.pressure[tier]
            low, high = c.low[tier], c.high[tier]
            now = free[tier] < low or (was and free[tier] < max(low, high))
            if now and not was:
                self.irq_status |= Irq.PRESSURE
            self.pressure[tier] = now
            last = None if self.last_histogram is None else self.last_histogram[tier]
            wanted = high - free[tier] - departures[tier]
            self.auto_thresh[tier] = auto_threshold(last, wanted, c.prefetch_thresh) if now else 0
        self.scan_pending = False
        self.scan_number += 1
        n = self.scan_number
        self.scan = ScanConfig(
            number=n,
            start_row=(n - 1) * (self.rows // 8) % self.rows,
            step=self.step,
            w_r=c.w_r,
            w_f=c.w_f,
            w_s=c.w_s,
            w_d=c.w_d,
            evict_thresh=c.evict_thresh,
            prefetch_thresh=c.prefetch_thresh,
            r_shift=c.r_shift,
            age=c.f_age > 0 and n % (1 << c.f_age) == 0,
            lookahead=c.lookahead,
            hold=c.hold,
            promote_tier=c.promote_tier,
            evict_tiers=c.evict_tiers,
            pressure=(self.pressure[0], self.pressure[1], self.pressure[2]),
            auto_thresh=(self.auto_thresh[0], self.auto_thresh[1], self.auto_thresh[2]),
        )
        self.entries.arrays["scored"].fill(0)
        self.histogram = np.zeros((3, 256), np.int64)
        return self.scan

    def _running(self) -> ScanConfig:
        if self.scan is None:
            raise Mismatch("scoring", "while a scan runs only", "no scan")
        return self.scan

    # ------------------------------------------------------------------ scoring

    def scan_one(self, index: int, accepted: bool | None = None) -> Score | None:
        """The scan reaches one entry: None when it does not score it (or has done so before).

        `accepted`: whether its decision found a waiting place; default by the contract's rule.
        """
        cfg = self._running()
        e = self.entries
        if index in self.bad:
            self._parity_read(index)
            return None
        if not e.valid[index] or e.scored[index]:
            return None
        tier = e.tier[index]
        result = score_one(
            cfg,
            tier=tier,
            access_step=e.access_step[index],
            ref_count=e.ref_count[index],
            r=e.r[index],
            f=e.f[index],
            prefix=e.prefix[index],
            hot=e.hot[index],
            evictable=e.evictable[index],
            hint=e.hint[index],
            in_flight=e.in_flight[index],
        )
        e.prio[index] = result.prio
        e.r[index] = result.r
        e.f[index] = result.f
        e.scored[index] = 1
        if result.counted:
            self.histogram[tier, result.prio >> 8] += 1
        if result.decision:
            self._decide(index, result.decision, accepted)
        elif accepted:
            raise Mismatch(f"decision for entry {index}", "none", "accepted")
        return result

    def scan_score(self, where: slice | npt.NDArray[np.intp], accepted: BoolArray | None = None) -> Scored:
        """The scan reaches many entries, those not yet scored are scored at once.

        `where`: a slice of indices or an index array without repeats, in scoring order.
        `accepted`, same shape: which decisions found a waiting place, the others are counted as
        dropped (default: by the contract's rule, in the given order).
        """
        if isinstance(where, slice):
            start, stop, _ = where.indices(self.entry_count)
            cuts = [*range(start, max(stop, start + 1), _CHUNK), stop]
            done = [self._score_part(slice(*cut)) for cut in pairwise(cuts)]
            todo, prio, r, f, decision = (np.concatenate(column) for column in zip(*done, strict=True))
        else:
            todo, prio, r, f, decision = self._score_part(where)
        return Scored(todo, prio, r, f, decision, self._decide_many(where, decision, accepted))

    def _score_part(self, where: slice | npt.NDArray[np.intp]) -> tuple[BoolArray, U16Array, U8Array, U8Array, U8Array]:
        """Score what is due in `where` and write it back; Scored's arrays without `accepted`."""
        cfg = self._running()
        arrays = self.entries.arrays
        found = self.entries.fields(where)
        todo = arrays["valid"][where] > arrays["scored"][where]
        if self.bad:
            indices = np.arange(self.entry_count)[where]
            for position in np.flatnonzero(np.isin(indices, list(self.bad))).tolist():
                self._parity_read(int(indices[position]))
                todo[position] = False
        s = score(cfg, found)
        if todo.all():
            arrays["prio"][where] = s.prio
            arrays["r"][where] = s.r
            arrays["f"][where] = s.f
            arrays["scored"][where] = 1
        else:
            np.logical_and(s.counted, todo, out=s.counted)
            np.multiply(s.decision, todo, out=s.decision)
            arrays["prio"][where] = np.where(todo, s.prio, arrays["prio"][where])
            arrays["r"][where] = np.where(todo, s.r, found.r)
            arrays["f"][where] = np.where(todo, s.f, found.f)
            arrays["scored"][where] |= todo
        self.histogram += histogram(found.tier, s.prio, s.counted)
        return todo, s.prio, s.r, s.f, s.decision

    def _decide_many(
        self,
        where: slice | npt.NDArray[np.intp],
        decisions: U8Array,
        accepted: BoolArray | None,
    ) -> BoolArray:
        taken = np.zeros(len(decisions), np.bool_)
        decided = np.flatnonzero(decisions)
        if not decided.size and accepted is None:
            return taken
        indices = np.arange(self.entry_count)[where]
        if accepted is not None:
            wrong = np.flatnonzero(accepted & (decisions == 0))
            if wrong.size:
                index = int(indices[wrong[0]])
                raise Mismatch(f"decision for entry {index}", "none", "accepted")
            for channel, decision in ((c, d) for d, c in _CHANNEL.items()):
                lost = np.count_nonzero((decisions == decision) & ~accepted)
                self.counters.dropped[channel] += int(lost)
            decided = np.flatnonzero(accepted)
        for count, position in enumerate(decided.tolist()):
            if accepted is None and self._all_full():
                # nothing drains a queue inside one batch
                rest = np.bincount(decisions[decided[count:]], minlength=3)
                self.counters.dropped[Channel.EVICT] += int(rest[Decision.EVICT])
                self.counters.dropped[Channel.PREFETCH] += int(rest[Decision.PREFETCH])
                break
            choice = None if accepted is None else True
            decision = Decision(int(decisions[position]))
            taken[position] = self._decide(int(indices[position]), decision, choice)
        return taken

    # ------------------------------------------------------------------ decisions

    def _all_full(self) -> bool:
        return all(
            len(self.queues[c]) >= QUEUE_DEPTH and len(self.waiting[c]) == LANE_WAIT_DEPTH * self.lanes for c in Channel
        )

    def drop_is_legal(self, channel: Channel, lane: int) -> bool:
        """Whether the hardware may drop a decision of this lane now.

        Its places are taken, and so are those of the queue, if one counts what waits before it
        (a place that the DMA frees goes to a waiting decision first).
        """
        return (
            self.lane_waiting[channel][lane] == LANE_WAIT_DEPTH
            and len(self.queues[channel]) + len(self.waiting[channel]) >= QUEUE_DEPTH
        )

    def _decide(self, index: int, decision: Decision, accepted: bool | None) -> bool:
        """A decision takes a waiting place of its lane, or is dropped and counted."""
        channel = _CHANNEL[decision]
        lane = index % self.lanes
        if accepted is None:
            # the lane waits for the merge as long as the queue has room
            full = self.lane_waiting[channel]
            while full[lane] == LANE_WAIT_DEPTH and len(self.queues[channel]) < QUEUE_DEPTH:
                self.queue_push(channel)
            accepted = self.lane_waiting[channel][lane] < LANE_WAIT_DEPTH
        if not accepted:
            self.counters.dropped[channel] += 1
            return False
        target = self._running().promote_tier if channel == Channel.PREFETCH else None
        item = self._new_item(index, channel, target)
        item.state = ItemState.WAITING
        item.lane = lane
        self.waiting[channel].append(item)
        self.lane_waiting[channel][lane] += 1
        return True

    def queue_push(self, channel: Channel, kv_addr: int | None = None) -> Item:
        """The next waiting decision enters its queue.

        `kv_addr`: the block seen to enter; without it the one that waits longest. Decisions enter
        in the order in which they were scored here.
        """
        waiting, queue = self.waiting[channel], self.queues[channel]
        name = channel.name.lower()
        if not waiting:
            raise Mismatch(f"item entering the {name} queue", "none", kv_addr)
        if kv_addr is not None and waiting[0].kv_addr != kv_addr:
            raise Mismatch(f"item entering the {name} queue", f"{waiting[0].kv_addr:#018x}", f"{kv_addr:#018x}")
        if len(queue) >= QUEUE_DEPTH:
            raise Mismatch(f"{name} queue level", "at most 64", len(queue) + 1)
        item = waiting.popleft()
        self.lane_waiting[channel][item.lane] -= 1
        item.state = ItemState.QUEUED
        queue.append(item)
        self.departures[item.from_tier] += 1
        return item

    def _before_relocation(self, index: int) -> None:
        if self.scan is not None and index not in self.bad:  # of a bad one the relocation counts the read
            self.scan_one(index)

    # ------------------------------------------------------------------ end

    def scan_end(self) -> None:
        """The scan is done; Mismatch when an entry valid since its start was not scored."""
        self._running()
        arrays = self.entries.arrays
        left = np.flatnonzero((arrays["valid"] == 1) & (arrays["scored"] == 0)).tolist()
        left = [index for index in left if index not in self.bad]
        if left:
            raise Mismatch("entries that the scan did not score", 0, left[:8])
        self.scan = None
        self.last_histogram = self.histogram
        self.counters.scan_done += 1
        self.irq_status |= Irq.SCAN_DONE

    def scan_rows(self, first: int, count: int) -> Scored:
        """The model's own scan reaches `count` rows, counted from the scan's start row."""
        row = (self._running().start_row + first) % self.rows
        end = row + count
        head = self.scan_score(slice(row * self.lanes, min(end, self.rows) * self.lanes))
        if end <= self.rows:
            return head
        tail = self.scan_score(slice(0, (end - self.rows) * self.lanes))
        names = [field.name for field in fields(Scored)]
        return Scored(*(np.concatenate((getattr(head, n), getattr(tail, n))) for n in names))

    def run_scan(self) -> Scored:
        """A whole scan at one instant: begin, every row from the start row, end."""
        self.scan_begin()
        result = self.scan_rows(0, self.rows)
        self.scan_end()
        return result
