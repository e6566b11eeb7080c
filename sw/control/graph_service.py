"""Commands 0x01 to 0x06: one graph, and its place in the schedule (software.md 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sw.kernel.graph import Graph, OperatorKind
from sw.kernel.growth import Growth

GRAPH_SERVER = 4  # classes 0 to 3 are the LLM service's


class Admission(Protocol):
    """What deterministic mode asks of the scheduler."""


class GraphService:
    """The graph of a system, none at first.

    Attributes:
        graph: the graph, None before `create`.
    """

    def __init__(self, kinds: Mapping[int, OperatorKind], growth: Growth, admission: Admission | None) -> None:
        """No graph yet; without a scheduler deterministic mode is Unsupported."""
        self.graph: Graph | None = None
        raise NotImplementedError
