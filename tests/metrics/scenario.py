"""A made-up service for the tests of metrics: every event and every field at least once."""

from __future__ import annotations

import random

from sw.codes import Code
from sw.kernel.statistics import ServerStats
from sw.metrics.registry import Metrics
from sw.metrics.state import Admissions, ChannelState, Inference, ServerState, State, TierState
from sw.metrics.usage import Usage

MS = 1_000_000


def busy(seed: int = 1, inferences: int = 60) -> Metrics:
    """Inferences of all classes and ends, refusals, servers, channels, tiers and counters over some device time."""
    chance = random.Random(seed)
    metrics = Metrics()
    stats = [ServerStats() for _ in range(4)]
    occupied, moved, now = [0, 0, 0, 0], 0, 0
    for number in range(inferences):
        cls = number % 4
        queued = [chance.randrange(6) for _ in range(4)]
        metrics.queued(cls, queued[cls])
        if chance.random() < 0.2:
            metrics.rejected(chance.choice([Code.QUEUE_FULL, Code.RATE_LIMITED, Code.PROMPT_TOO_LONG]))
        accepted = now
        started = now + chance.randrange(MS)
        now = started
        tokens = chance.randrange(2, 30)
        for _ in range(tokens):
            now += 50_000 + chance.randrange(20_000)
            metrics.token(number, now)
        missed = chance.random() < 0.1
        stats[cls].arrivals += 1
        stats[cls].finished += 1
        stats[cls].misses += missed
        stats[cls].worst_lateness_ns = chance.randrange(-MS, MS)
        stats[cls].jitter.add(started - accepted)
        usage = Usage(tokens, 1500 * tokens, 40 * tokens, chance.randrange(tokens), 4096 * tokens, 256 * tokens, 3, 0)
        state = ("done", "done", "done", "done", "cancelled", "failed")[chance.randrange(6)]
        metrics.ended(Inference(number, cls, state, accepted, started, now, tokens, missed, usage))
        moved += chance.randrange(40)
        occupied = [min(64 << tier, max(0, slots + chance.randrange(-6, 10))) for tier, slots in enumerate(occupied)]
        metrics.observe(
            State(
                now_ns=now,
                queued=tuple(queued),
                running=chance.randrange(3),
                admissions=Admissions(used_ppm=800_000, accepted=4, rejected=1, changed=2, removed=3),
                servers=tuple(ServerState(n, 20 * MS, 100 * MS, 100 * MS, 200_000, stats[n]) for n in range(4)),
                grown=12,
                growth_refused=1,
                channels=(ChannelState(0, 1, 5, 0), ChannelState(1, 3, 64, 17)),
                tiers=tuple(TierState(64 << tier, (64 << tier) - slots) for tier, slots in enumerate(occupied)),
                migrations=moved,
                device={"RTBD_HIT_COUNT": 50 * now // MS, "EVICT_BYTES_MOVED": moved * 4096, "SCAN_CYCLES": 77},
            )
        )
    return metrics
