"""The analytic worst case of one token (docs/bounded.md has the derivation; the names of the terms are the same there).

All times are cycles of the device clock. Nothing here looks at a run: the inputs are limits of the contract, figures of
the memories, the workload's geometry, the regulator of the background and the server's parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from model.timing import Timing
from tb.lab.bounded.bus import Load
from tb.lab.bounded.geometry import BLOCK_TOKENS, Geometry, beats

DIRECTORY_WAIT = 64
"""Cycles that a command step waits for the directory, whatever the ports ask (device.md 10)."""
INSERT_MAX = 256
"""Cycles from command start to result (targets.md, insert_max_90)."""
LOOKUP_LATENCY = 6
"""Request accepted to answer (targets.md, lookup_latency)."""
LOOKUP_RATE = 0.80
"""Lookups a cycle while a scan runs (targets.md, lookup_throughput_in_scan)."""
LAUNCH_WRITES, LAUNCH_READS = 4, 2
"""Register accesses of one INSERT: address, argument, command, clear; status, place."""
BATCH_WRITES, BATCH_READS = 3, 6
"""And of a batch of them: enable, clear twice; STATUS, FREE of four tiers, one more STATUS."""


@dataclass(frozen=True, slots=True)
class Controls:
    """Configuration that is on or off, each a register or a rule of the software.

    Attributes:
        pinned: blocks are inserted HOT.
        preallocated: the blocks of the whole context are inserted before the first token.
        priority: CONTEND_POLICY 1, the stream at port 0.
        demand_off: CTRL.DEMAND 0.
        reserved: slots of tier 0 for the whole context, out of reach for others; no pressure on the tier.
    """

    pinned: bool = False
    preallocated: bool = False
    priority: bool = False
    demand_off: bool = False
    reserved: bool = False

    @property
    def still(self) -> bool:
        """No block of the stream leaves tier 0, and the device moves nothing: every lookup finds tier 0."""
        return self.preallocated and self.reserved and self.demand_off


@dataclass(frozen=True, slots=True)
class Platform:
    """Where a token runs.

    Attributes:
        timing: latencies and beats of the memories, register accesses.
        load: background traffic.
        controls: what is switched on.
        last_tier: the slowest tier that has slots.
    """

    timing: Timing = field(default_factory=Timing)
    load: Load = field(default_factory=lambda: Load(0))
    controls: Controls = field(default_factory=Controls)
    last_tier: int = 2


TERMS = ("step", "insert", "lookup", "directory", "memory", "transfer", "background", "moves", "compute", "sampling")


def worst(platform: Platform, geometry: Geometry, quantisation: str, tokens: int, sampling: int) -> dict[str, int]:
    """Upper bound of a token's device time by term; its sum is the bound (`device_bound`).

    Args:
        platform: limits and load.
        geometry: of the model.
        quantisation: of keys and values.
        tokens: in the context, this one included.
        sampling: most cycles that the choice of the token takes.
    """
    timing, controls, load = platform.timing, platform.controls, platform.load
    lookups = geometry.column(tokens) + geometry.kv_heads
    slowest = 0 if controls.still else platform.last_tier
    own = geometry.column(tokens) * beats(quantisation, geometry.head_dim)
    stretch = max(timing.beat_cycles[: slowest + 1])
    terms = dict.fromkeys(TERMS, 0)
    terms["step"] = timing.mmio_write
    if not controls.preallocated and tokens % BLOCK_TOKENS == 1:
        terms["insert"] = _insert(timing, geometry.layers * geometry.kv_heads)
    asked = math.ceil(lookups / LOOKUP_RATE)
    terms["lookup"] = geometry.layers * (asked + LOOKUP_LATENCY)
    terms["directory"] = geometry.layers * competing(platform, quantisation, geometry, asked)
    terms["memory"] = geometry.layers * max(timing.read_latency[: slowest + 1])
    terms["transfer"] = geometry.layers * own * stretch
    terms["compute"] = geometry.layers * geometry.layer_cycles(tokens)
    terms["sampling"] = sampling
    quiet = sum(terms.values()) - terms["transfer"]
    terms["background"] = _background(load, geometry.layers, own * stretch, quiet, alone=controls.still)
    if not controls.still:
        terms["moves"] = terms["transfer"]
    return terms


def competing(platform: Platform, quantisation: str, geometry: Geometry, cycles: int) -> int:
    """Lookups of the background that are served during `cycles`: one for each block of its traffic."""
    if platform.controls.priority or not platform.load.percent:
        return 0
    return math.ceil(platform.load.rate * cycles / beats(quantisation, geometry.head_dim)) + 1


def _insert(timing: Timing, blocks: int) -> int:
    each = LAUNCH_WRITES * timing.mmio_write + LAUNCH_READS * timing.mmio_read + DIRECTORY_WAIT + INSERT_MAX
    return BATCH_WRITES * timing.mmio_write + BATCH_READS * timing.mmio_read + blocks * each


def _background(load: Load, layers: int, layer_beats: int, quiet: int, *, alone: bool) -> int:
    """Beats of the background among a token's own.

    Turns: between two own beats at most one. Arrivals: with rate r <= 1/2 the background never has more than depth b
    before a transfer, so during w own beats at most (b + r w) / (1 - r) of it are served; in the whole token, whose
    other time is `quiet`, at most (b + r (quiet + W)) / (1 - r).
    """
    turns = layers * layer_beats
    if not load.percent or not alone or load.rate > 0.5:
        return turns if load.percent else 0
    free = 1 - load.rate
    by_layer = layers * min(layer_beats, math.ceil((load.depth + load.rate * layer_beats) / free) + 1)
    whole = math.ceil((load.depth + load.rate * (quiet + turns)) / free) + layers
    return min(turns, by_layer, whole)


def device_bound(terms: dict[str, int]) -> int:
    """The sum of the terms."""
    return sum(terms.values())


def best(platform: Platform, geometry: Geometry, quantisation: str, tokens: int, sampling: int) -> int:
    """Lower bound of a token's device time: no contention, everything in tier 0."""
    timing = platform.timing
    lookups = geometry.column(tokens) + geometry.kv_heads
    own = geometry.column(tokens) * beats(quantisation, geometry.head_dim)
    layer = lookups + timing.lookup_latency - 1 + timing.read_latency[0] + own + geometry.layer_cycles(tokens)
    return timing.mmio_write + geometry.layers * layer + sampling


# ---------------------------------------------------------------- the server


@dataclass(frozen=True, slots=True)
class Server:
    """A hard constant-bandwidth server as `sw/kernel` has it: Q in every P, chunks of at most one token."""

    budget: int
    period: int
    chunk: int


def supply(server: Server, window: float) -> float:
    """Least time that a hard server with work gets in any window: the supply bound function of (Q, P).

    The worst window begins when a budget was used up at once and the next comes as late as its deadline allows:
    nothing for 2 (P - Q), then Q in every P.
    """
    late = window - 2 * (server.period - server.budget)
    if late <= 0:
        return 0.0
    whole, part = divmod(late, server.period)
    return whole * server.budget + min(part, server.budget)


def supplied_after(server: Server, work: int) -> int:
    """The shortest window in which `supply` reaches `work`."""
    whole, part = divmod(work - 1, server.budget)
    return 2 * (server.period - server.budget) + whole * server.period + part + 1


def gap_bound(server: Server, others: list[Server], shortest: int) -> int:
    """Most cycles from the end of one token to the end of the next, for a server that always has work.

    A token that finds budget follows at once, after at most the interference. Else the server waits for its deadline
    d; the token before began at or after d - P and took at least `shortest`, so d is at most P - shortest away. Then
    the server is ready, and each other server of the same period has at most its budget and one overrun with an
    earlier deadline, if the set is admitted; never more than P (docs/bounded.md).

    Raises:
        ValueError: a chunk is longer than the budget, or periods differ: the derivation does not hold.
    """
    if server.chunk > server.budget or any(other.period != server.period for other in others):
        raise ValueError("the bound needs chunks within the budget and equal periods")
    interference = min(server.period, sum(other.budget + other.chunk for other in others))
    return max(0, server.period - shortest) + interference + server.chunk
