"""Configuration of the LLM service: limits of the gate, and the classes that it starts with (software.md 4)."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

CLASSES = 4
MS = 1_000_000


@dataclass(frozen=True, slots=True)
class ClassBudget:
    """The server of one class, as LLM_BUDGET sets it.

    Attributes:
        budget_ns: Q.
        period_ns: T; also the relative deadline of an inference that names none.
        tokens_per_period: most tokens that the class emits in each window [kT, (k+1)T); 0: no such limit.
    """

    budget_ns: int
    period_ns: int
    tokens_per_period: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gate lets through. Each refusal has its own code, counter and audit entry.

    Attributes:
        prompt_bytes: of one prompt (PromptTooLong).
        max_tokens: of one inference's output (TooManyTokens).
        queue_depth: inferences of one class that wait for their first chunk (QueueFull).
        in_flight: inferences that have not ended, of all classes and tenants (TooManyInFlight).
        tenant_in_flight: the same, of one tenant (TooManyInFlight).
        window_ns: P of the windows [kP, (k+1)P) of the next two.
        requests_per_window: accepted inferences of one tenant (RateLimited).
        tokens_per_window: output tokens of one tenant, reserved as max_tokens, charged as produced (QuotaExceeded).
        package_bytes: of one model package (ModelTooLarge), checked before it is read.
        models: models loaded at once (NoRoom).
        context: tokens of a model's context (ModelTooLarge).
        arena_bytes: bytes that all loaded models may reserve together (NoRoom).
        model_arena_bytes: the share of one model (ModelTooLarge).

    Raises:
        ValueError: a limit below 0, or a window below 1 ns.
    """

    prompt_bytes: int = 4096
    max_tokens: int = 256
    queue_depth: int = 16
    in_flight: int = 32
    tenant_in_flight: int = 16
    window_ns: int = 1_000 * MS
    requests_per_window: int = 64
    tokens_per_window: int = 4096
    package_bytes: int = 16 << 20
    models: int = 4
    context: int = 4096
    arena_bytes: int = 16 << 20
    model_arena_bytes: int = 8 << 20

    def __post_init__(self) -> None:
        """Check every limit."""
        for limit in fields(self):
            if getattr(self, limit.name) < (limit.name == "window_ns"):
                raise ValueError(f"limit {limit.name} {getattr(self, limit.name)}: too small")


def _default_classes() -> tuple[ClassBudget | None, ...]:
    # A tenth of the processor in all: it leaves room for the published deterministic graph (50 of 200 us) next to
    # chunks of 100 us, which block that graph for half of its period.
    return (
        ClassBudget(4 * MS, 100 * MS),
        ClassBudget(6 * MS, 200 * MS),
        ClassBudget(8 * MS, 400 * MS),
        ClassBudget(8 * MS, 800 * MS),
    )


@dataclass(frozen=True, slots=True)
class LlmConfig:
    """The service as it starts.

    Attributes:
        limits: of the gate.
        classes: servers of classes 0 to 3; None: the class refuses inferences until LLM_BUDGET makes its server.
        hard: hard servers (throttled when exhausted); False: soft ones.

    Raises:
        ValueError: not four classes.
    """

    limits: Limits = field(default_factory=Limits)
    classes: tuple[ClassBudget | None, ...] = field(default_factory=_default_classes)
    hard: bool = True

    def __post_init__(self) -> None:
        """Check the number of classes."""
        if len(self.classes) != CLASSES:
            raise ValueError(f"{len(self.classes)} classes: {CLASSES} are needed")
