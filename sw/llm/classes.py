"""Classes 0 to 3: one server each, and the tokens that each may emit in a period (software.md 2 and 4)."""

from __future__ import annotations

from dataclasses import replace

from sw.codes import Code, Refusal
from sw.kernel import admission
from sw.kernel.admission import AdmissionRefused, ServerParams, check_period
from sw.kernel.clock import Clock
from sw.kernel.scheduler import Scheduler, State
from sw.llm.config import CLASSES, ClassBudget, LlmConfig
from sw.llm.windows import Window


def check_class(cls: int) -> None:
    """Whether there is such a class.

    Raises:
        Refusal: BadArgument.
    """
    if not 0 <= cls < CLASSES:
        raise Refusal(Code.BAD_ARGUMENT, f"class {cls}: 0 to {CLASSES - 1}")


class Classes:
    """The servers of the LLM service: ids 0 to 3 of the scheduler.

    Attributes:
        chunk_ns: longest chunk of the loaded models, which every server is admitted with.
    """

    def __init__(self, config: LlmConfig, scheduler: Scheduler, clock: Clock) -> None:
        """Admit the classes of the configuration.

        Raises:
            Refusal: AdmissionRefused, BadArgument.
        """
        self.chunk_ns = 0
        self._hard = config.hard
        self._scheduler = scheduler
        self._clock = clock
        self._budgets: dict[int, ClassBudget] = {}
        self._windows: dict[int, Window] = {}
        for cls, budget in enumerate(config.classes):
            if budget is not None:
                self.set(cls, budget)

    def set(self, cls: int, budget: ClassBudget) -> int:
        """Admit the server of a class, or change it.

        Returns:
            `used_ppm` with it.

        Raises:
            Refusal: BadArgument, AdmissionRefused; nothing has changed.
        """
        check_class(cls)
        check_period(budget.period_ns)
        params = ServerParams(budget.budget_ns, budget.period_ns, chunk_ns=self.chunk_ns, hard=self._hard)
        if cls in self._budgets:
            used = self._scheduler.change(cls, params, self._clock.now())
        else:
            used = self._scheduler.admit(cls, params)
        self._budgets[cls] = budget
        self._windows[cls] = Window(budget.period_ns)
        return used

    def set_chunk(self, chunk_ns: int) -> None:
        """Admit every class anew with another longest chunk.

        Raises:
            AdmissionRefused: with it they would not fit the bound; nothing has changed, the refusal is counted.
        """
        scheduler = self._scheduler
        params = {server: scheduler.server(server).params for server in scheduler.servers}
        changed = {cls: replace(params[cls], chunk_ns=chunk_ns) for cls in self._budgets}
        try:
            admission.check(params | changed, scheduler.bound_ppm)
        except AdmissionRefused:
            scheduler.counters.rejected += 1
            raise
        # Each set on the way has chunks between those of the old and of the new set, so none is refused.
        for cls, new in changed.items():
            scheduler.change(cls, new, self._clock.now())
        self.chunk_ns = chunk_ns

    def period(self, cls: int) -> int:
        """T in ns.

        Raises:
            AdmissionRefused: the class has no server.
        """
        if cls not in self._budgets:
            raise AdmissionRefused(f"class {cls} has no server: LLM_BUDGET makes one")
        return self._budgets[cls].period_ns

    def throttled(self, cls: int) -> bool:
        """Whether the server waits for its next budget."""
        return self._scheduler.server(cls).state is State.THROTTLED

    @property
    def misses(self) -> int:
        """Deadline misses of all classes."""
        return sum(self._scheduler.stats(cls).misses for cls in self._budgets)

    # ------------------------------------------------------------------ tokens per period

    def emitted(self, cls: int, tokens: int) -> None:
        """A chunk of the class has emitted tokens."""
        self._windows[cls].take(tokens, self._clock.now())

    def out_of_tokens(self, cls: int) -> int | None:
        """End of the window in ns when the class has emitted all tokens of its period; else None."""
        now, limit = self._clock.now(), self._budgets[cls].tokens_per_period
        window = self._windows[cls]
        return window.end(now) if limit and window.taken(now) >= limit else None
