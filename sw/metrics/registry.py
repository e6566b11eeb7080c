"""The metrics of the LLM service under the contract's names (software.md 4).

The service reports events (`queued`, `rejected`, `token`, `ended`) as they happen and the state of the
stack (`observe`) at the moments that the report page shall show; `sw/metrics/snapshots.py` shows both.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from sw.codes import Code
from sw.kernel.statistics import Histogram
from sw.metrics.series import Series
from sw.metrics.state import CLASSES, ENDED, Inference, State

KEPT_INFERENCES = 1024


@dataclass(slots=True)
class Costs:
    """What all ended inferences have cost together."""

    cycles: int = 0
    lookups: int = 0
    misses: int = 0
    bytes_moved: int = 0


@dataclass(slots=True)
class _Gaps:
    """Times between the tokens of one inference."""

    last_ns: int
    gap_ns: int | None = None


class Metrics:
    """Counters and samples since the service began.

    Histograms keep every sample (as counts of values); single inferences and observations are kept in a
    bounded number, so that a service may run for ever.
    """

    def __init__(self) -> None:
        """Nothing has happened."""
        self.tokens_out = 0
        self.deadline_misses = 0
        self.rejects: Counter[Code] = Counter()
        self.queue_depth_max = [0] * CLASSES
        self.by_state = dict.fromkeys(ENDED, 0)
        self.infer_ns = Histogram()
        self.jitter_ns = Histogram()
        self.costs = Costs()
        self.inferences: deque[Inference] = deque(maxlen=KEPT_INFERENCES)
        self.series = Series()
        self.state = State(now_ns=0)
        self._gaps: dict[int, _Gaps] = {}
        self._first_ns: int | None = None
        self._last_token_ns = 0

    def queued(self, cls: int, depth: int) -> None:
        """A class's queue is now so deep; the maximum is kept.

        Raises:
            ValueError: no such class.
        """
        if not 0 <= cls < CLASSES:
            raise ValueError(f"class {cls}: 0 to {CLASSES - 1}")
        self.queue_depth_max[cls] = max(self.queue_depth_max[cls], depth)

    def rejected(self, code: Code) -> None:
        """A submission was refused."""
        self.rejects[code] += 1

    def token(self, infer_id: int, now_ns: int, count: int = 1) -> None:
        """An inference has produced tokens, all of them at `now_ns`."""
        self.tokens_out += count
        self._begin(now_ns)
        self._last_token_ns = max(self._last_token_ns, now_ns)
        for _ in range(count):
            before = self._gaps.get(infer_id)
            gap = None if before is None else now_ns - before.last_ns
            if before is not None and before.gap_ns is not None and gap is not None:
                self.jitter_ns.add(abs(gap - before.gap_ns))
            self._gaps[infer_id] = _Gaps(now_ns, gap)

    def ended(self, inference: Inference) -> None:
        """An inference has ended; its latency counts if it is done, its miss and its cost always.

        Raises:
            ValueError: it ended before it was accepted, or the state is none of an ended inference.
        """
        if inference.state not in ENDED or inference.ended_ns < inference.accepted_ns:
            raise ValueError(f"inference {inference.infer_id} has not ended")
        self.by_state[inference.state] += 1
        if inference.state == "done":
            self.infer_ns.add(inference.ended_ns - inference.accepted_ns)
        self.deadline_misses += inference.missed
        usage = inference.usage
        self.costs.cycles += usage.cycles
        self.costs.lookups += usage.lookups
        self.costs.misses += usage.misses
        self.costs.bytes_moved += usage.bytes_read + usage.bytes_written
        self.inferences.append(inference)
        self._gaps.pop(inference.infer_id, None)
        self._begin(inference.accepted_ns)

    def observe(self, state: State) -> None:
        """The state of the stack now: the latest one is shown, all of them are the page's time axis.

        Raises:
            ValueError: time went backwards, or there are other classes.
        """
        if state.now_ns < self.state.now_ns or len(state.queued) != CLASSES:
            raise ValueError(f"an observation at {state.now_ns} ns of {len(state.queued)} classes")
        self.state = state
        p95 = self.infer_ns.percentile(95) if self.infer_ns.samples else None
        self.series.add(state, self.tokens_out, self.deadline_misses, p95)

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens per second of device time, from the first acceptance to the last token; None without both."""
        span = self._last_token_ns - (self._first_ns or 0)
        return self.tokens_out * 1e9 / span if self.tokens_out and span > 0 else None

    def _begin(self, now_ns: int) -> None:
        self._first_ns = now_ns if self._first_ns is None else min(self._first_ns, now_ns)
