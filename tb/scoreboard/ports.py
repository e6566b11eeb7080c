"""Lookup ports and BAR2: requests, commits and answers of a port follow each other in order, value by value."""

import numpy as np

from model.entries import EntryView
from sw.regs.kv_address import KvAddress
from tb.events.decode import empty, of_kind
from tb.events.records import EntryReadRecord, LookupAnswerRecord, LookupRequestRecord, MmioRecord, PortKind, Response
from tb.harness.base_test import Context
from tb.harness.link import Array
from tb.scoreboard.entry import architectural, read_by_window, window_word

Commit = tuple[int, int, bool, bool, int, int, int]  # KV address, write, hit, denied, tier, PHYS_ADDR, index

ENTRY, WORD = 32, 8  # bytes


class PortCheck:
    """Compares the streams of each port; what is not yet complete stays for the next time."""

    def __init__(self, ctx: Context, ports: int) -> None:
        self._ctx = ctx
        self._requests = [empty(LookupRequestRecord) for _ in range(ports)]
        self._answers = [empty(LookupAnswerRecord) for _ in range(ports)]
        self._asked: list[list[Commit]] = [[] for _ in range(ports)]  # committed, request not yet compared
        self._answering: list[list[Commit]] = [[] for _ in range(ports)]
        self.compared = 0
        self._latch: tuple[int, bytes] | None = None

    def add(self, words: Array) -> None:
        """New records of the port stream, in order."""
        for kind, waiting in ((PortKind.LookupRequest, self._requests), (PortKind.LookupAnswer, self._answers)):
            records = of_kind(words, kind)
            for port in np.unique(records["port_no"]).tolist():
                waiting[port] = np.concatenate([waiting[port], records[records["port_no"] == port]])

    def compare(self, commits: list[list[Commit]], reset_cycle: int | None) -> None:
        """Compare as far as all three streams reach; a reset at `reset_cycle` forgets what was under way then."""
        for port, new in enumerate(commits):
            self._asked[port] += new
            self._answering[port] += new
            new.clear()
            self._requests[port] = self._requests_of(port, reset_cycle)
            self._answers[port] = self._answers_of(port, reset_cycle)

    def _requests_of(self, port: int, reset_cycle: int | None) -> Array:
        waiting, commits = self._requests[port], self._asked[port]
        n = min(len(waiting), len(commits))
        if n:
            table = np.array([(c[0], c[1]) for c in commits[:n]], dtype=np.uint64)
            asked = [commit[0] for commit in commits[:n]]
            for i, (name, field) in enumerate((("KV address", "kv_addr"), ("write", "write"))):
                self._same(port, f"request: {name}", table[:, i], waiting[field][:n], waiting[:n], asked)
            del commits[:n]
        return self._after(waiting[n:], commits, reset_cycle)

    def _answers_of(self, port: int, reset_cycle: int | None) -> Array:
        waiting, commits = self._answers[port], self._answering[port]
        n = min(len(waiting), len(commits))
        if n:
            table = np.array([c[2:] for c in commits[:n]], dtype=np.uint64)
            asked = [commit[0] for commit in commits[:n]]
            names = ("hit", "denied", "tier", "phys_addr", "index")
            for i, (name, field) in enumerate(zip(("hit", "denied", "tier", "PHYS_ADDR", "index"), names, strict=True)):
                self._same(port, f"answer: {name}", table[:, i], waiting[field][:n], waiting[:n], asked)
            self.compared += n
            del commits[:n]
        return self._after(waiting[n:], commits, reset_cycle)

    @staticmethod
    def _after(left: Array, commits: list[Commit], reset_cycle: int | None) -> Array:
        if reset_cycle is None:
            return left
        commits.clear()
        return left[left["cycle"] >= reset_cycle]

    def _same(self, port: int, name: str, expected: Array, seen: Array, records: Array, asked: list[int]) -> None:
        seen = seen.astype(np.uint64)
        if np.array_equal(expected, seen):
            self._ctx.comparisons += len(expected)
            return
        i = int(np.flatnonzero(expected != seen)[0])
        where = {"block": asked[i], "at_cycle": int(records["cycle"][i])}
        want, got = int(expected[i]), int(seen[i])
        if name.endswith("KV address"):
            self._ctx.compare(
                f"lookup port {port} {name}", str(KvAddress.unpack(want)), str(KvAddress.unpack(got)), **where
            )
        self._ctx.compare(f"lookup port {port} {name}", want, got, **where)

    # ------------------------------------------------------------------ BAR2

    def entry_latched(self, record: EntryReadRecord, image: bytes) -> None:
        """A read of word 0 latched the entry at one instant."""
        where = {"index": record.index, "at_cycle": record.cycle}
        self._ctx.compare_fields("BAR2 entry", architectural(EntryView.unpack(image)), read_by_window(record), **where)
        self._latch = (record.index, image)

    def forget_entry(self) -> None:
        """A reset has emptied the latch."""
        self._latch = None

    def bar2_access(self, r: MmioRecord, entries: int) -> None:
        """An access of BAR2: words 1 to 3 come from the latch of word 0."""
        response = Response(r.response).name
        where = {"address": f"{r.address:#x}", "at_cycle": r.cycle}
        if r.write or r.address % WORD or r.address >= entries * ENTRY:
            seen = {"response": response} if r.write else {"response": response, "data": r.data}
            expected = {"response": "SLVERR"} if r.write else {"response": "SLVERR", "data": 0}
            self._ctx.compare_fields(f"BAR2 {'write' if r.write else 'read'}", expected, seen, **where)
            return
        self._ctx.compare("BAR2 read: response", "OKAY", response, **where)
        index, word = r.address // ENTRY, r.address % ENTRY // WORD
        if self._latch and self._latch[0] == index:
            self._window_word(index, word, r)

    def _window_word(self, index: int, word: int, r: MmioRecord) -> None:
        """A word of the latched entry, by the fields that lie in it."""
        assert self._latch is not None
        image = self._latch[1]
        if int.from_bytes(image[word * WORD : (word + 1) * WORD], "little") == r.data:
            self._ctx.comparisons += 1
            return
        expected, seen = window_word(image, word, r.data)
        self._ctx.compare_fields(
            f"BAR2 word {word} of the latched entry", expected, seen, index=index, at_cycle=r.cycle
        )

    def finish(self) -> None:
        """Every request has been answered."""
        for port in range(len(self._requests)):
            left = {
                "requests without a commit point": len(self._requests[port]),
                "answers without a commit point": len(self._answers[port]),
                "commit points without an answer": len(self._answering[port]),
                "commit points without a request": len(self._asked[port]),
            }
            self._ctx.compare_fields(f"lookup port {port} at the end", dict.fromkeys(left, 0), left)
