"""Models that are loaded, each with the graphs that its inferences run in (software.md 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from sw.codes import Code, Refusal
from sw.kernel.admission import MAX_PERIOD_NS
from sw.kernel.clock import cycles_to_ns
from sw.kernel.growth import Growth
from sw.llm.backend import Backend
from sw.llm.config import Limits
from sw.llm.operator import LlmGraph, aligned, arena_need, build_llm_graph
from sw.llm.package import Calendar, Header, Package, PackageLimits, PackageRefused, TrustError, TrustStore, verify

MAX_CHUNK_NS = MAX_PERIOD_NS
"""A longer chunk than any period is never admitted."""


OLDER = 1 << 8
"""Flag of LLM_LOAD: permits a package of an older revision than the newest that was loaded."""


class BackendKind(IntEnum):
    """Flags of LLM_LOAD: who computes the model of a package."""

    MICRO = 0
    STUB = 1
    COPROCESSOR = 2


MakeBackend = Callable[[Package], Awaitable[Backend]]
"""A backend for a package that has passed every check.

Raises Refusal: ModelUnsupported, NoRoom.
"""


def chunk_bound_ns(asked_cycles: int, packaged_cycles: int, clock_hz: int) -> int:
    """The bound on one chunk of a model: the cycles asked for, or (0) the package's, in ns.

    Raises:
        Refusal: over MAX_CHUNK_NS: BadArgument for what was asked for, ModelUnsupported for the package's;
            ModelUnsupported when both are 0: admission needs a bound.
    """
    bound = cycles_to_ns(asked_cycles or packaged_cycles, clock_hz)
    code = Code.BAD_ARGUMENT if asked_cycles else Code.MODEL_UNSUPPORTED
    if not 0 < bound <= MAX_CHUNK_NS:
        raise Refusal(code, f"a chunk of {asked_cycles or packaged_cycles} cycles: more than 0, at most 1,000 s")
    return bound


@dataclass(slots=True, eq=False)
class LoadedModel:
    """A model that serves inferences.

    Attributes:
        model_id: the package's.
        backend: computes.
        wcet_ns: bound on one chunk.
        arena_bytes: of one inference's graph.
        graphs: of all its inferences that have not ended, as many as its arena share allows.
        free: of them, those without an inference.
    """

    model_id: int
    backend: Backend
    wcet_ns: int
    arena_bytes: int
    graphs: list[LlmGraph]
    free: list[LlmGraph] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Every graph is free."""
        self.free = list(self.graphs)

    @property
    def in_use(self) -> bool:
        """Whether an inference of it has not ended."""
        return len(self.free) < len(self.graphs)

    @property
    def share(self) -> int:
        """Arena bytes of all its graphs."""
        return len(self.graphs) * self.arena_bytes

    def check_room(self, prompt_bytes: int, max_tokens: int) -> None:
        """Whether an inference finds a graph and its tensors fit.

        Raises:
            Refusal: NoRoom.
        """
        if arena_need(prompt_bytes, max_tokens) > self.arena_bytes:
            raise Refusal(Code.NO_ROOM, f"{prompt_bytes} bytes and {max_tokens} tokens do not fit the model's arena")
        if not self.free:
            raise Refusal(Code.NO_ROOM, f"all {len(self.graphs)} arenas of the model are in use")

    def give_back(self, graph: LlmGraph) -> None:
        """An inference has ended."""
        graph.reset()
        self.free.append(graph)


class Models:
    """The models of a service, by id."""

    def __init__(
        self,
        limits: Limits,
        trust: TrustStore,
        calendar: Calendar,
        backends: Mapping[BackendKind, MakeBackend],
        growth: Growth,
    ) -> None:
        """None is loaded.

        Args:
            limits: of packages, models and arenas.
            trust: keys that packages may be signed with.
            calendar: calendar time for their expiry.
            backends: what this system can compute with.
            growth: asked for every graph.
        """
        self._limits = limits
        self._trust = trust
        self._calendar = calendar
        self._backends = backends
        self._growth = growth
        self._loaded: dict[int, LoadedModel] = {}

    def __len__(self) -> int:
        """Models that are loaded."""
        return len(self._loaded)

    def __iter__(self) -> Iterator[LoadedModel]:
        """The models that are loaded, in the order of loading."""
        return iter(self._loaded.values())

    @property
    def wcet_ns(self) -> int:
        """The longest chunk of all models."""
        return max((model.wcet_ns for model in self), default=0)

    def find(self, model_id: int) -> LoadedModel:
        """A model; 0: the only one.

        Raises:
            Refusal: NoModel.
        """
        if model_id == 0 and len(self._loaded) == 1:
            return next(iter(self._loaded.values()))
        if model_id not in self._loaded:
            raise Refusal(Code.NO_MODEL, f"no model {model_id}" if model_id else f"{len(self)} models: name one")
        return self._loaded[model_id]

    def check(self, data: bytes, flags: int) -> tuple[Package, BackendKind]:
        """Every check of a package and of what it asks for; nothing is loaded.

        Raises:
            Refusal: BadArgument, Unsupported, a package code (32 to 39), Exists, NoRoom.
        """
        if flags & ~OLDER not in set(BackendKind):
            raise Refusal(Code.BAD_ARGUMENT, f"flags {flags:#x}: a backend, 0 to {max(BackendKind)}, and {OLDER:#x}")
        kind = BackendKind(flags & ~OLDER)
        if kind not in self._backends:
            raise Refusal(Code.UNSUPPORTED, f"this system has no {kind.name.lower()} backend")
        limits = PackageLimits(
            package_bytes=self._limits.package_bytes,
            context=self._limits.context,
            arena_bytes=self._limits.model_arena_bytes,
        )
        try:
            return verify(data, self._trust, limits, self._calendar()), kind
        except TrustError as error:
            raise PackageRefused(Code.WRONG_KEY, str(error)) from None

    def check_revision(self, header: Header, *, older: bool) -> int:
        """Whether a package is no older than the newest of its model that was ever loaded.

        Args:
            header: of a package that has passed `check`.
            older: an older one is permitted.

        Returns:
            The newest revision that was loaded, 0 for none.

        Raises:
            Refusal: ModelUnsupported: it is older; WrongKey: the trust store cannot be used.
        """
        try:
            newest = self._trust.newest(header.model_id)
            if header.revision < newest and not older:
                why = f"revision {header.revision} of model {header.model_id} is older than {newest}, which was loaded"
                raise PackageRefused(Code.MODEL_UNSUPPORTED, f"{why}: load it with the flag for older ones")
            self._trust.note_revision(header.model_id, header.revision)
        except TrustError as error:
            raise PackageRefused(Code.WRONG_KEY, str(error)) from None
        return newest

    def check_place(self, package: Package) -> int:
        """Whether one more model has its place.

        Returns:
            How many graphs it gets.

        Raises:
            Refusal: ModelUnsupported for model id 0, and for an arena in which nothing fits; Exists, NoRoom.
        """
        model_id, arena = package.header.model_id, aligned(package.header.arena_bytes)
        if model_id == 0:
            raise Refusal(Code.MODEL_UNSUPPORTED, "model id 0 means `the only one`")
        if arena < arena_need(1, 1):
            raise Refusal(Code.MODEL_UNSUPPORTED, f"an arena of {arena} bytes: {arena_need(1, 1)} are the least")
        if model_id in self._loaded:
            raise Refusal(Code.EXISTS, f"model {model_id} is loaded")
        if len(self) >= self._limits.models:
            raise Refusal(Code.NO_ROOM, f"{len(self)} models are loaded")
        left = self._limits.arena_bytes - sum(model.share for model in self)
        count = min(self._limits.in_flight, min(left, self._limits.model_arena_bytes) // arena)
        if count < 1:
            raise Refusal(Code.NO_ROOM, f"{left} bytes of arena are left, the model needs {arena} for one inference")
        return count

    async def make(self, package: Package, kind: BackendKind, wcet_ns: int, graphs: int) -> LoadedModel:
        """Load a model that has passed `check` and `check_place`.

        Raises:
            Refusal: ModelUnsupported, NoRoom (also in deterministic mode); nothing is loaded.
        """
        arena = aligned(package.header.arena_bytes)
        places = [build_llm_graph(arena, self._growth) for _ in range(graphs)]
        try:
            backend = await self._backends[kind](package)
        except ValueError as error:
            raise Refusal(Code.MODEL_UNSUPPORTED, str(error)) from None
        return LoadedModel(package.header.model_id, backend, wcet_ns, arena, places)

    def add(self, model: LoadedModel) -> None:
        """The model serves from now on."""
        self._loaded[model.model_id] = model

    def remove(self, model: LoadedModel) -> None:
        """The model serves no more."""
        del self._loaded[model.model_id]
