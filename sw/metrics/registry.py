"""The metrics of the LLM service under the contract's names (software.md 4).

The service reports events (`queued`, `rejected`, `token`, `ended`) as they happen and the state of the
stack (`observe`) at the moments that the report page shall show; `snapshot` and `prometheus` tell both.
"""

from __future__ import annotations

from typing import Any

from sw.control.codes import Code
from sw.metrics.state import Inference, State


class Metrics:
    """Counters and samples since the service began; what it keeps is bounded but for the exact histograms."""

    def queued(self, cls: int, depth: int) -> None:
        """A class's queue is now so deep; the maximum is kept.

        Raises:
            ValueError: no such class.
        """
        raise NotImplementedError

    def rejected(self, code: Code) -> None:
        """A submission was refused."""
        raise NotImplementedError

    def token(self, infer_id: int, now_ns: int, count: int = 1) -> None:
        """An inference has produced tokens, all of them at `now_ns`."""
        raise NotImplementedError

    def ended(self, inference: Inference) -> None:
        """An inference has ended; its latency counts if it is done, its miss and its cost always.

        Raises:
            ValueError: it ended before it was accepted, or the state is none of an ended inference.
        """
        raise NotImplementedError

    def observe(self, state: State) -> None:
        """The state of the stack now: the latest one is shown, all of them are the page's time axis.

        Raises:
            ValueError: time went backwards.
        """
        raise NotImplementedError

    def snapshot(self) -> dict[str, Any]:
        """Everything, as docs/schemas/kvcpu-metrics-v1.schema.json describes it."""
        raise NotImplementedError

    def prometheus(self) -> str:
        """The same in Prometheus' text format 0.0.4 (without the per-inference and time tables)."""
        raise NotImplementedError
