"""The runtime of the policy level: what each kind of knowledge does, on traces made for it."""

from __future__ import annotations

import numpy as np
import pytest

from model.policy import PolicyConfig, PolicyModel
from sw.policy.engine import EngineConfig, schedule
from sw.policy.runtime import Behaviour, Log, Work, run_work
from sw.policy.sessions import NONE, Sessions
from sw.policy.tuner import CHOICES, RECENCY, SelfTuner
from sw.replay.agents import generate_agents
from sw.replay.generator import generate
from sw.replay.trace import Trace, TraceRequest
from tb.lab import baselines, hepc
from tb.lab.stream import Stream, stream_of

HEALTHY, LOADED = EngineConfig(running=256), EngineConfig(running=2)
LRU = PolicyConfig(**RECENCY)


def run(
    stream: Stream, slots: int, behaviour: Behaviour, engine: EngineConfig = HEALTHY, config: PolicyConfig = LRU,
    ends: np.ndarray | None = None, tuner: SelfTuner | None = None,
) -> tuple[Log, PolicyModel]:  # fmt: skip
    times = schedule(engine, stream.arrival_ms, stream.prompt, stream.output)
    device = PolicyModel(stream.unique, fast=slots, slow=65_536 - slots, config=config)
    work = Work(stream.blocks, stream.unique, stream.first, times.start_ms, times.end_ms, times.arrived, ends)
    return run_work(device, work, behaviour, slots, tuner), device


def made(*prompts: tuple[int, tuple[int, ...]], output: int = 32) -> Stream:
    return stream_of("t", Trace([TraceRequest(ms, 512 * len(ids), output, ids) for ms, ids in prompts]))


@pytest.fixture(scope="module")
def chat() -> Stream:
    return stream_of("chat", Trace(list(generate(1, 700))))


@pytest.fixture(scope="module")
def agents() -> Stream:
    return stream_of("agents", Trace(list(generate_agents(1, 500))))


def test_an_engine_starts_requests_in_order_as_places_get_free() -> None:
    arrivals = np.array([0, 0, 0, 10_000])
    times = schedule(
        EngineConfig(running=2, decode_tokens_s=10, prefill_tokens_s=1e9), arrivals, arrivals, arrivals * 0 + 20
    )
    assert times.start_ms.tolist() == [0, 0, 2000, 10_000]
    assert times.end_ms.tolist() == [2000, 2000, 4000, 12_000]
    assert times.arrived.tolist() == [3, 3, 3, 4]
    assert times.wait_ms.tolist() == [0, 0, 2000, 0]


def test_sessions_are_known_by_their_own_blocks_not_by_shared_ones() -> None:
    sessions = Sessions(10, 5)
    prompts = [(0, 1), (0, 2), (0, 1, 3), (0, 4), (0, 1, 3, 5)]
    found = [sessions.see(n, np.array(prompt)) for n, prompt in enumerate(prompts)]
    assert found == [NONE, 0, 0, NONE, 2], "the second cannot know yet that block 0 is shared"
    assert sessions.own(4, np.array(prompts[4])).tolist() == [1, 3, 5]


@pytest.mark.parametrize("slots", [256, 1024])
def test_recency_weights_keep_as_lru_does(chat: Stream, slots: int) -> None:
    """But for the thresholds, which are multiples of 256 and take a few blocks more."""
    log, device = run(chat, slots, Behaviour(steps=180))
    lru = baselines.lru(chat, slots).retention.mean()
    assert 100 * log.retention.mean() == pytest.approx(100 * lru, abs=2.0)
    assert not log.prefetch.any()
    assert log.moved.sum() == device.moves


def test_blocks_of_queued_requests_are_held_and_brought_back(chat: Stream) -> None:
    alone = run(chat, 512, Behaviour(), LOADED)[0]
    held = run(chat, 512, Behaviour(queue=256), LOADED)[0]
    both = run(chat, 512, Behaviour(queue=256, prefetch=8), LOADED)[0]
    assert held.retention.sum() > 1.5 * alone.retention.sum()
    assert not held.prefetch.any()
    assert both.prefetch.sum() > 0
    assert not (both.prefetch & both.retention).any()


def test_a_request_that_comes_later_holds_what_is_there() -> None:
    """Its blocks were used before it came, and between its arrival and its start more than the tier holds comes."""
    again = tuple(range(8))
    fillers = [(1, tuple(range(100 * n, 100 * n + 20))) for n in range(1, 8)]
    stream = made((0, again), *fillers, (2, again))
    one = EngineConfig(running=1)
    assert run(stream, 64, Behaviour(), one)[0].retention.sum() == 0
    assert run(stream, 64, Behaviour(queue=4), one)[0].retention.sum() == 0, "it is too far behind"
    assert run(stream, 64, Behaviour(queue=8), one)[0].retention.sum() == 8


def test_without_a_queue_its_depth_changes_nothing(chat: Stream) -> None:
    fast = EngineConfig(running=65_536)
    single = stream_of("t", Trace([TraceRequest(3000 * n, *_rest(r)) for n, r in enumerate(generate(1, 200))]))
    plain, deep = run(single, 512, Behaviour(), fast)[0], run(single, 512, Behaviour(queue=256, prefetch=8), fast)[0]
    assert (plain.retention == deep.retention).all()
    assert not deep.prefetch.any()
    assert chat.requests > 0


def _rest(request: TraceRequest) -> tuple[int, int, tuple[int, ...]]:
    return request.input_length, request.output_length, request.hash_ids


def test_what_a_session_leaves_behind_makes_room_for_others(chat: Stream) -> None:
    right = hepc.last_turns(chat, 1.0, 1)
    known = run(chat, 1024, Behaviour(), ends=right)[0]
    blind = run(chat, 1024, Behaviour())[0]
    assert known.retention.sum() > 1.1 * blind.retention.sum()


def test_blocks_are_kept_for_the_step_at_which_their_session_is_likely_to_go_on() -> None:
    """Sessions go on after a pause that is longer than the tier is deep, and new ones come all the while."""
    once = iter(range(10**6, 10**7))
    prompts, waiting = [], []
    for n in range(1500):
        fresh = tuple(next(once) for _ in range(8))
        if n % 3 == 0:
            waiting.append((n + 45, fresh))
        again = waiting.pop(0)[1] if waiting and waiting[0][0] == n else ()
        prompts.append((1000 * n, again + fresh if again else fresh))
    stream = made(*prompts)
    ends = hepc.last_turns(stream, 1.0, 1)
    plain = run(stream, 160, Behaviour(steps=64), ends=ends)[0]
    hinted = run(stream, 160, Behaviour(steps=64, hold=0, returns=0.5), ends=ends)[0]
    assert hinted.retention.sum() > 1.2 * plain.retention.sum()
    assert not hinted.prefetch.any()


def test_a_bit_that_is_right_in_half_of_the_cases_says_nothing(chat: Stream) -> None:
    right = hepc.last_turns(chat, 1.0, 1)
    assert (hepc.last_turns(chat, 0.9, 1) != right).mean() == pytest.approx(0.1, abs=0.04)
    assert (hepc.last_turns(chat, 0.0, 1) != right).all()


@pytest.mark.parametrize("slots", [256, 1024])
@pytest.mark.parametrize("kind", ["chat", "agents"])
def test_the_self_tuning_policy_is_not_below_lru(kind: str, slots: int, request: pytest.FixtureRequest) -> None:
    stream: Stream = request.getfixturevalue(kind)
    tuner = SelfTuner(stream.unique, slots)
    log, _ = run(stream, slots, Behaviour(), tuner=tuner)
    lru = baselines.lru(stream, slots).retention.mean()
    assert 100 * log.retention.mean() >= 100 * lru - 0.2


def test_the_self_tuning_policy_follows_frequency_where_it_pays() -> None:
    """A set that comes back at long intervals between blocks that come once: LRU keeps none of it."""
    once = iter(range(10**6, 10**7))
    prompts = [(1000 * n, (*(n % 16 * 8 + k for k in range(8)), *(next(once) for _ in range(24)))) for n in range(1200)]
    stream = made(*prompts)
    tuner = SelfTuner(stream.unique, 256)
    log, _ = run(stream, 256, Behaviour(), tuner=tuner)
    assert baselines.lru(stream, 256).retention.sum() == 0
    assert tuner.chosen in range(len(CHOICES))
    assert log.retention[stream.middle :].mean() > 0.1, "of a quarter that could hit"


def test_the_first_half_is_all_that_a_search_sees(chat: Stream) -> None:
    half = hepc.first_half(chat)
    assert half.references <= chat.middle + np.diff(chat.first).max()
    assert (half.blocks == chat.blocks[: half.references]).all()
