"""A point of the matrix: what runs, whether it fits, one seed of it, and what its bound says."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import numpy.typing as npt

from model.timing import Timing
from sw.kernel import admission
from sw.kernel.admission import ServerParams
from sw.run import run
from tb.lab.bounded import bound
from tb.lab.bounded.bound import Controls, Platform
from tb.lab.bounded.bus import Load
from tb.lab.bounded.decode import FIELDS, Recorder, Samples, Stream, paced, served
from tb.lab.bounded.geometry import SIZES, Geometry
from tb.lab.bounded.machine import ModelMachine
from tb.lab.bounded.sampling import cost
from tb.lab.bounded.tenants import Tenants

CONSTRAINED = Controls(pinned=True, preallocated=True, priority=True, demand_off=True, reserved=True)
LARGEST_DIRECTORY = 65_536
FILLED = 0.85
"""Share of the directory that a run may need."""
SERVERS = {"cbs_hard": True, "cbs_soft": False}
Array = npt.NDArray[np.int64]


class Unfit(Exception):
    """A cell that cannot run; the message is the result."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell is.

    Attributes:
        group: of the matrix, such as "contention".
        name: inside the group.
        load: of the bus, percent.
        scheduler: cbs_hard, cbs_soft, edf, rm or fifo.
        tokens: of each stream, for each seed.
        span: most tokens of a request: it decodes the last ones of the context.
    """

    group: str
    name: str
    model: str = "S"
    quantisation: str = "f16"
    context: int = 512
    streams: int = 1
    sampling: str = "greedy"
    load: int = 50
    scheduler: str = "cbs_hard"
    controls: Controls = CONSTRAINED
    tokens: int = 200
    span: int = 256

    @property
    def geometry(self) -> Geometry:
        """Of the model."""
        return SIZES[self.model]

    @property
    def start(self) -> int:
        """Tokens of a prompt: every position that has a bound is reached in every run."""
        return max(1, self.context - min(self.span, self.tokens))

    @property
    def need(self) -> int:
        """Blocks of all streams with their contexts full."""
        return self.streams * self.geometry.blocks(self.context)

    @property
    def positions(self) -> range:
        """Tokens in the context when a token ends."""
        return range(self.start + 1, self.context + 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from a cell and the settings before anything runs.

    Attributes:
        slots: of the four tiers.
        device: bound of the device time by position, shape (positions,).
        gap: bound of the whole time by position, None where there is none.
        params: of each stream's server.
        terms: of the bound of the worst position.
    """

    cell: Cell
    platform: Platform
    slots: tuple[int, int, int, int]
    quota: int
    entries: int
    device: Array
    gap: Array | None
    params: ServerParams
    terms: dict[str, int] = field(default_factory=dict)


def plan(cell: Cell, timing: Timing, load: Load, *, share: float, seed: int) -> Plan:
    """Sizes, server and bound.

    Args:
        cell: what runs.
        timing: of the device model, and the bound's figures of memories.
        load: background of this cell.
        share: of the streams' need, the blocks that other tenants want; half of that much room is there for them.
        seed: of the sampler's draws.

    Raises:
        Unfit: the directory or the processor has no room.
    """
    quota = ceil(share * cell.need)
    slots = (cell.need + quota // 2, cell.need + quota, cell.need + quota, 0)
    entries = 1024
    while entries * FILLED < cell.need + quota:
        entries *= 2
    if entries > LARGEST_DIRECTORY:
        raise Unfit(
            f"{cell.need:,} blocks of the streams and {quota:,} of others: a directory of {LARGEST_DIRECTORY:,} "
            f"entries holds {int(LARGEST_DIRECTORY * FILLED):,}"
        )
    platform = Platform(timing, load, cell.controls, last_tier=2)
    longest = cost(cell.sampling, cell.geometry.vocabulary, seed)
    terms = [bound.worst(platform, cell.geometry, cell.quantisation, n, longest.longest) for n in cell.positions]
    device = np.array([bound.device_bound(one) for one in terms], np.int64)
    chunk = int(device.max())
    params = _params(cell, chunk)
    shortest = [bound.best(platform, cell.geometry, cell.quantisation, n, longest.least) for n in cell.positions]
    before = np.array([shortest[0], *shortest[:-1]], np.int64)
    worst = terms[int(device.argmax())]
    return Plan(cell, platform, slots, quota, entries, device, _gap(cell, params, device, before), params, worst)


def _params(cell: Cell, chunk: int) -> ServerParams:
    """Q is one token at its bound, P the shortest that admission lets all streams have.

    Raises:
        Unfit: never for equal streams; a safeguard.
    """
    period = chunk * 1_000_000 * (2 * cell.streams - 1) // admission.DEFAULT_BOUND_PPM
    for _ in range(64):
        params = ServerParams(chunk, period, chunk_ns=chunk, hard=SERVERS.get(cell.scheduler, True))
        try:
            admission.check(dict.fromkeys(range(cell.streams), params), admission.DEFAULT_BOUND_PPM)
        except admission.AdmissionRefused:
            period += 1 + period // 100_000
            continue
        return params
    raise Unfit(f"{cell.streams} servers of {chunk:,} cycles are not admitted with any period")


def _gap(cell: Cell, params: ServerParams, device: Array, before: Array) -> Array | None:
    """Bound of the time from the end of one token to the end of the next."""
    if cell.scheduler == "cbs_soft":
        # alone it is never late; with others nothing bounds one gap: it may have run ahead and then waits
        return device if cell.streams == 1 else None
    if cell.scheduler != "cbs_hard":
        return None
    server = bound.Server(params.budget_ns, params.period_ns, params.chunk_ns)
    others = [server] * (cell.streams - 1)
    return np.array(
        [
            bound.gap_bound(bound.Server(server.budget, server.period, int(own)), others, int(shortest))
            for own, shortest in zip(device, before, strict=True)
        ],
        np.int64,
    )


def seed_of(cell: Cell, seed: int, what: str) -> int:
    """A seed of its own for each purpose of each cell and run."""
    return zlib.crc32(f"{cell.group}/{cell.name}/{seed}/{what}".encode()) + (seed << 32)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed of a cell.

    Attributes:
        samples: of all tokens, see `decode.FIELDS`.
        peak: most slots of tier 0 in use.
        moved: moves of the device that ended well.
    """

    samples: Samples
    peak: int
    moved: int


def simulate(planned: Plan, seed: int, timing: Timing | None = None) -> Outcome:
    """Run one seed on the device model; `timing`: of the device where it is not that of the plan."""
    cell = planned.cell
    machine = ModelMachine(
        planned.platform,
        cell.geometry,
        cell.quantisation,
        planned.slots,
        entries=planned.entries,
        need=cell.need,
        seed=seed_of(cell, seed, "bus"),
        timing=timing,
    )
    tenants = Tenants(machine, planned.quota, seed_of(cell, seed, "tenants"))
    rng = np.random.default_rng(seed_of(cell, seed, "draws"))
    seen = cost(cell.sampling, cell.geometry.vocabulary, seed).seen
    run(machine.sleep(machine.device.state.rows + 16 + int(rng.integers(4096))))
    for _ in range(planned.quota // 4):
        tenants.act()
    streams = [
        Stream(n, cell.geometry, cell.start, cell.context, rng.permutation(seen).tolist(), cell.tokens)
        for n in range(cell.streams)
    ]
    recorder = Recorder(tenants.act)
    if cell.scheduler in SERVERS:
        run(served(machine, streams, planned.params, recorder))
    else:
        run(paced(machine, streams, cell.scheduler, planned.params.period_ns, recorder))
    return Outcome(recorder.samples, machine.peak, sum(machine.device.state.counters.bytes_moved))


TOKENS, TOTAL = FIELDS.index("tokens"), FIELDS.index("total")
WAIT = FIELDS.index("throttle")


@dataclass(frozen=True, slots=True)
class Breach:
    """The first token over its bound."""

    seed: int
    tokens: int
    what: str
    seen: int
    bound: int
    term: str


def breach(planned: Plan, outcome: Outcome, seed: int) -> Breach | None:
    """Hold every token against its bounds; None when all hold."""
    samples = outcome.samples
    place = samples[:, TOKENS] - planned.cell.start - 1
    device = samples[:, TOTAL] - samples[:, WAIT]
    for what, seen, limits in (("device time", device, planned.device), ("time", samples[:, TOTAL], planned.gap)):
        if limits is None:
            continue
        over = np.flatnonzero(seen > limits[place])
        if over.size:
            row = int(over[0])
            return Breach(
                seed,
                int(samples[row, TOKENS]),
                what,
                int(seen[row]),
                int(limits[place[row]]),
                _term(planned, samples[row]),
            )
    return None


def _term(planned: Plan, row: Array) -> str:
    """The part of a token that exceeds its term most, in words."""
    cell, platform = planned.cell, planned.platform
    longest = cost(cell.sampling, cell.geometry.vocabulary, 1).longest
    terms = bound.worst(platform, cell.geometry, cell.quantisation, int(row[TOKENS]), longest)
    limits = {
        "compute": terms["compute"] + terms["sampling"],
        "lookup": terms["step"] + terms["lookup"] + terms["directory"],
        "insert": terms["insert"],
        "bus": terms["memory"] + terms["transfer"],
        "background": terms["background"],
        "move": terms["moves"] + terms["memory"] + terms["transfer"],
    }
    excess = {part: int(row[FIELDS.index(part)]) - limit for part, limit in limits.items()}
    part = max(excess, key=lambda name: excess[name])
    if excess[part] <= 0:
        return "no single term is exceeded: it is the server"
    return f"{part} took {int(row[FIELDS.index(part)]):,} cycles, its terms allow {limits[part]:,}"
