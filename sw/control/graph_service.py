"""Commands 0x01 to 0x06: one graph, and its place in the schedule (software.md 3)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from sw.codes import Code, Refusal
from sw.kernel.admission import ServerParams, check_period
from sw.kernel.executor import Executor
from sw.kernel.graph import Graph, OperatorKind
from sw.kernel.growth import Growth
from sw.slices import Between, uninterrupted

GRAPH_SERVER = 4  # classes 0 to 3 of the LLM service have the servers 0 to 3
SLICE_STEPS = 256
_FIRST_JOB = 1 << 32  # above every infer_id


class GraphService:
    """The graph of a system, none at first.

    Attributes:
        graph: the graph, None before `create`.
        deterministic: whether its steps are jobs of an admitted server.
    """

    def __init__(self, kinds: Mapping[int, OperatorKind], growth: Growth, executor: Executor) -> None:
        """No graph yet.

        Args:
            kinds: operators that a graph may have.
            growth: frozen when deterministic mode begins.
            executor: runs the steps of deterministic mode; its scheduler admits them.
        """
        self.graph: Graph | None = None
        self.deterministic = False
        self._kinds = kinds
        self._growth = growth
        self._executor = executor
        self._deadline_ns = 0
        self._jobs = count(_FIRST_JOB)

    def create(self) -> None:
        """Make the graph.

        Raises:
            Refusal: Exists: there is one.
        """
        if self.graph is not None:
            raise Refusal(Code.EXISTS, "there is a graph")
        self.graph = Graph(self._kinds, self._growth)

    def need(self) -> Graph:
        """The graph.

        Raises:
            Refusal: NoGraph before `create`.
        """
        if self.graph is None:
            raise Refusal(Code.NO_GRAPH, "there is no graph")
        return self.graph

    async def start(self, steps: int, between: Between = uninterrupted) -> int:
        """Run up to `steps` steps in slices; in deterministic mode as one job of the graph's server.

        Returns:
            Steps run; fewer when nothing was runnable any more, or the result not wanted.

        Raises:
            Refusal: NoGraph, and what an operator raised.
        """
        graph = self.need()
        if not self.deterministic or not steps:
            return await _in_slices(graph, steps, between)
        run = 0
        ended = False

        async def one_step() -> bool:
            nonlocal run, ended
            ran = await graph.run_steps(1)
            run += ran
            ended = not ran or run == steps
            return ended

        job = next(self._jobs)
        deadline = self._executor.clock.now() + self._deadline_ns
        self._executor.add(GRAPH_SERVER, job, deadline, one_step)
        try:
            while not ended and await between():
                await self._executor.run_one()
        finally:
            self._executor.cancel(job)
        return run

    def enable_deterministic(self, wcet_ns: int, period_ns: int, deadline_ns: int) -> int:
        """Admit the graph as a hard server and forbid all growth; again: replace its share.

        The budget is `wcet_ns` in every period, and a step, which nothing interrupts, takes as much
        at most. Deadline 0: the period.

        Returns:
            The sum of all admitted shares in ppm.

        Raises:
            Refusal: NoGraph; BadArgument (no budget or period, deadline past the period);
                AdmissionRefused. Nothing has changed.
        """
        self.need()
        scheduler = self._executor.scheduler
        check_period(period_ns)
        params = ServerParams(wcet_ns, period_ns, deadline_ns, chunk_ns=wcet_ns)
        if self.deterministic:
            used = scheduler.change(GRAPH_SERVER, params, self._executor.clock.now())
        else:
            used = scheduler.admit(GRAPH_SERVER, params)
        self.deterministic = True
        self._deadline_ns = params.relative_deadline_ns
        self._growth.freeze()
        return used


async def _in_slices(graph: Graph, steps: int, between: Between) -> int:
    run = 0
    while run < steps and await between():
        some = min(SLICE_STEPS, steps - run)
        ran = await graph.run_steps(some)
        run += ran
        if ran < some:
            break
    return run
