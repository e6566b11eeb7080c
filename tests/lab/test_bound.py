"""The analytic bound of a token: its terms against simulators that know nothing of it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from sw.kernel.admission import ServerParams
from tb.lab.bounded import bound
from tb.lab.bounded.bound import Controls, Platform, Server
from tb.lab.bounded.bus import Bus, Load
from tb.lab.bounded.cells import CONSTRAINED
from tb.lab.bounded.geometry import SIZES, beats, block_bytes
from tests.kernel.brute import Brute
from tests.kernel.sim import Work


def beat_by_beat(arrivals: dict[int, int], start: int, own: int) -> int:
    """Cycles of a transfer of `own` beats from `start` on: one beat a cycle, in turns while both have some."""
    backlog = turn = 0
    cycle = end = 0
    while own:
        backlog += arrivals.get(cycle, 0)
        waiting = cycle >= start
        if waiting and (turn == 0 or not backlog):
            own, turn = own - 1, 1
        elif backlog:
            backlog, turn = backlog - 1, 0
        cycle += 1
        end = cycle
    return end - start


class Whole(Bus):
    """A bus whose background comes at whole cycles, and is remembered."""

    def __init__(self, load: Load, rng: np.random.Generator) -> None:
        super().__init__(load, rng)
        self.seen: dict[int, int] = {}

    def _draw(self) -> None:
        super()._draw()
        self._times = [float(round(time)) for time in self._times]

    def _take(self) -> None:
        cycle = int(self._times[self._next])
        self.seen[cycle] = self.seen.get(cycle, 0) + int(self._sizes[self._next])
        super()._take()


@pytest.mark.parametrize("percent", [25, 50, 75])
@pytest.mark.parametrize("seed", range(6))
def test_a_transfer_is_that_of_a_bus_beat_by_beat(percent: int, seed: int) -> None:
    bus = Whole(Load(percent, batch=64, jitter=200), np.random.default_rng(seed))
    start, own = 500 + 37 * seed, 700
    went = bus.fetch(start, own)
    bus.pass_to(start + 4 * own)
    expected = beat_by_beat(bus.seen, start, own)
    assert abs(went.cycles - expected) <= len(bus.seen) + 1  # an event between two beats: half a beat each, rounded


@pytest.mark.parametrize("percent", [25, 50, 75])
def test_no_window_sees_more_than_the_regulator_lets_pass(percent: int) -> None:
    load = Load(percent, batch=64, jitter=300)
    bus = Whole(load, np.random.default_rng(percent))
    bus.pass_to(200_000)
    times = sorted(bus.seen)
    ends = np.cumsum([bus.seen[time] for time in times])
    worst = 0.0
    for first in range(0, len(times), 7):
        before = ends[first - 1] if first else 0
        spans = np.array(times[first:]) - times[first]
        worst = max(worst, float((ends[first:] - before - load.rate * spans).max()))
    assert worst <= load.depth + 2  # times were rounded to cycles
    assert worst > load.depth * 0.6


def test_background_is_bounded_by_turns_and_by_arrivals() -> None:
    for percent in (25, 50, 75):
        load = Load(percent)
        for seed in range(20):
            rng = np.random.default_rng(seed)
            bus, cycle, lost = Bus(load, rng), 5000, 0
            for _ in range(4):
                went = bus.fetch(cycle, 3000)
                lost += went.background
                cycle += went.cycles + 500
            limit = bound._background(load, 4, 3000, 2000, alone=True)
            assert 0 < lost <= limit <= 12_000


def test_the_turns_alone_bound_a_full_bus() -> None:
    assert bound._background(Load(75), 4, 3000, 2000, alone=True) == 12_000
    assert bound._background(Load(0), 4, 3000, 2000, alone=True) == 0


# ---------------------------------------------------------------- the server


def gaps(params: ServerParams, costs: list[list[int]], until: int) -> list[list[int]]:
    """Times between the ends of chunks of servers that always have work, by the kernel tests' brute-force scheduler."""
    jobs = [Work(0, server, tuple((0, cost) for cost in line), deadline=10**9) for server, line in enumerate(costs)]
    chunks = Brute(dict.fromkeys(range(len(costs)), params), jobs).run(until).chunks
    ends = [[end for who, _, _, end in chunks if who == server] for server in range(len(costs))]
    return [[b - a for a, b in zip([0, *line], line, strict=False)] for line in ends]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_gaps_of_a_hard_server_stay_within_their_bound(count: int) -> None:
    draw = random.Random(count)
    closest = 0.0
    for _ in range(40):
        longest = draw.randint(3, 9)
        shortest = draw.randint(max(1, longest - 4), longest)
        budget = draw.randint(longest, longest + 6)
        period = (budget * (2 * count - 1) * 20) // 17 + draw.randint(1, 10)
        params = ServerParams(budget, period, chunk_ns=longest)
        costs = [[draw.randint(shortest, longest) for _ in range(60)] for _ in range(count)]
        server = Server(budget, period, longest)
        limit = bound.gap_bound(server, [server] * (count - 1), shortest)
        seen = max(max(line[1:]) for line in gaps(params, costs, 12 * period))
        assert seen <= limit, (params, costs)
        closest = max(closest, seen / limit)
    assert closest > (0.95 if count == 1 else 0.6)  # the bound is reached, or nearly


def test_the_supply_bound_function_is_what_a_server_gets_at_least() -> None:
    """Against the least of a preemptive periodic supply: a budget at once, the next as late as it may come."""
    server = Server(3, 10, 3)
    given = [*range(3), *(10 * k + t for k in range(1, 40) for t in (7, 8, 9))]  # units of time with service
    for window in range(60):
        least = min(sum(start <= unit < start + window for unit in given) for start in range(60))
        assert bound.supply(server, window) <= least
    worst = [sum(3 <= unit < 3 + window for unit in given) for window in range(60)]
    assert [int(bound.supply(server, window)) for window in range(60)] == worst
    for work in range(1, 20):
        window = bound.supplied_after(server, work)
        assert bound.supply(server, window) >= work > bound.supply(server, window - 1)


def test_the_bound_refuses_what_it_was_not_derived_for() -> None:
    with pytest.raises(ValueError, match="chunks within the budget"):
        bound.gap_bound(Server(5, 20, 6), [], 1)
    with pytest.raises(ValueError, match="equal periods"):
        bound.gap_bound(Server(5, 20, 5), [Server(5, 21, 5)], 1)


# ---------------------------------------------------------------- terms


def test_terms_grow_with_what_they_depend_on() -> None:
    quiet = Platform(controls=CONSTRAINED)
    base = bound.worst(quiet, SIZES["S"], "f16", 512, 100)
    assert set(base) == set(bound.TERMS)
    assert base["insert"] == base["moves"] == base["background"] == base["directory"] == 0
    assert base["transfer"] == 4 * 2 * 32 * 64
    assert base["memory"] == 4 * 40
    loaded = bound.worst(replace(quiet, load=Load(50)), SIZES["S"], "f16", 512, 100)
    assert 0 < loaded["background"] <= loaded["transfer"]
    free = bound.worst(replace(quiet, controls=Controls()), SIZES["S"], "f16", 513, 100)
    assert free["memory"] == 4 * 150
    assert free["moves"] == free["transfer"]
    assert free["insert"] > 8 * (64 + 256)
    assert bound.device_bound(base) >= bound.best(quiet, SIZES["S"], "f16", 512, 100)


@pytest.mark.parametrize(("form", "size"), [("f16", 4096), ("q8_0", 2176), ("q5_0", 1408), ("q4_0", 1152)])
def test_block_bytes_are_those_of_the_contract(form: str, size: int) -> None:
    assert block_bytes(form, 64) == size
    assert beats(form, 64) == size // 64
