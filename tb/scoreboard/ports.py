"""Lookup ports and BAR2: requests, commits and answers of a port follow each other in order, value by value."""

import numpy as np

from tb.events import records as ev
from tb.harness.base_test import Context
from tb.harness.link import OKAY, SLVERR, Array

Commit = tuple[int, int, bool, bool, int, int, int]  # KV address, write, hit, denied, tier, PHYS_ADDR, index


class PortCheck:
    """Compares the streams of each port; what is not yet complete stays for the next time."""

    def __init__(self, ctx: Context, ports: int) -> None:
        self._ctx = ctx
        self._requests = [np.zeros(0, ev.PORT) for _ in range(ports)]
        self._answers = [np.zeros(0, ev.PORT) for _ in range(ports)]
        self._asked: list[list[Commit]] = [[] for _ in range(ports)]  # committed, request not yet compared
        self._answering: list[list[Commit]] = [[] for _ in range(ports)]
        self.compared = 0
        self._latch: tuple[int, bytes] | None = None

    def add(self, records: Array) -> None:
        """New PORT records, in order."""
        for port in range(len(self._requests)):
            mine = records[records["port"] == port]
            self._requests[port] = np.concatenate([self._requests[port], mine[mine["answer"] == 0]])
            self._answers[port] = np.concatenate([self._answers[port], mine[mine["answer"] == 1]])

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
            self._same(port, "request: KV address", table[:, 0], waiting["addr"][:n], waiting[:n])
            self._same(port, "request: write", table[:, 1], waiting["flags"][:n] & 1, waiting[:n])
            del commits[:n]
        return self._after(waiting[n:], commits, reset_cycle)

    def _answers_of(self, port: int, reset_cycle: int | None) -> Array:
        waiting, commits = self._answers[port], self._answering[port]
        n = min(len(waiting), len(commits))
        if n:
            table = np.array([(c[2] | c[3] << 1, c[4], c[5], c[6]) for c in commits[:n]], dtype=np.uint64)
            names = ("answer: hit (1), denied (2)", "answer: tier", "answer: phys_addr", "answer: index")
            for i, (name, field) in enumerate(zip(names, ("flags", "tier", "addr", "index"), strict=True)):
                self._same(port, name, table[:, i], waiting[field][:n], waiting[:n])
            self.compared += n
            del commits[:n]
        return self._after(waiting[n:], commits, reset_cycle)

    @staticmethod
    def _after(left: Array, commits: list[Commit], reset_cycle: int | None) -> Array:
        if reset_cycle is None:
            return left
        commits.clear()
        return left[left["cycle"] >= reset_cycle]

    def _same(self, port: int, name: str, expected: Array, seen: Array, records: Array) -> None:
        seen = seen.astype(np.uint64)
        if np.array_equal(expected, seen):
            self._ctx.comparisons += len(expected)
            return
        i = int(np.flatnonzero(expected != seen)[0])
        self._ctx.compare(
            f"lookup port {port} {name}", hex(expected[i]), hex(seen[i]), at_cycle=int(records["cycle"][i])
        )

    # ------------------------------------------------------------------ BAR2

    def entry_latched(self, index: int, image: bytes) -> None:
        """A read of word 0 took the entry at one instant."""
        self._latch = (index, image)

    def bar2_access(self, w: list[int], entries: int) -> None:
        """EvMmio of BAR2: words 1 to 3 come from the latch of word 0."""
        write, resp, addr, data = w[1] >> 8 & 1, w[1] >> 16 & 0xFF, w[2], w[3]
        if write or addr % 8 or addr >= entries * 32:
            what = "write" if write else "read"
            expected = (SLVERR, 0) if not write else (SLVERR,)
            self._ctx.compare(
                f"BAR2 {what}", expected, (resp, data) if not write else (resp,), addr=addr, at_cycle=w[0]
            )
            return
        self._ctx.compare("BAR2 read: response", OKAY, resp, addr=addr, at_cycle=w[0])
        index, word = addr // 32, addr % 32 // 8
        if self._latch and self._latch[0] == index:
            expected_word = int.from_bytes(self._latch[1][word * 8 : word * 8 + 8], "little")
            self._ctx.compare(f"BAR2 word {word}", hex(expected_word), hex(data), index=index, at_cycle=w[0])

    def finish(self) -> None:
        """Every request has been answered."""
        for port in range(len(self._requests)):
            left = (
                len(self._requests[port]),
                len(self._answers[port]),
                len(self._answering[port]),
                len(self._asked[port]),
            )
            self._ctx.compare(f"lookup port {port}: requests, answers, commits left over", (0, 0, 0, 0), left)
