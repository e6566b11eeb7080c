"""The dataflow graph: types, priorities, back-pressure (software.md 2, "Graph")."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code, Refusal
from sw.kernel.graph import NO_CHANNEL, Graph, Message, OperatorIo, OperatorKind
from sw.kernel.growth import Growth, GrowthRefused, Resource
from sw.kernel.operators import BUILT_IN, PASS, SINK, SOURCE
from sw.kernel.tensor import Schema
from sw.run import run

NONE = NO_CHANNEL
SPLIT, TYPED, LOG, FAULTY, GREEDY, LIAR = range(10, 16)


class Split:
    """Gives each message three times, one a step: work that goes on without input."""

    def __init__(self) -> None:
        self.left: list[Message] = []

    @property
    def pending(self) -> bool:
        return bool(self.left)

    async def step(self, io: OperatorIo) -> None:
        if not self.left:
            message = io.take()
            assert message is not None
            self.left = [message] * 3
        io.put(self.left.pop())


class Log:
    """Writes its messages into a list."""

    pending = False

    def __init__(self, seen: list[int]) -> None:
        self.seen = seen

    async def step(self, io: OperatorIo) -> None:
        message = io.take()
        assert message is not None
        self.seen.append(message.handle)


class Faulty:
    pending = True

    async def step(self, io: OperatorIo) -> None:
        raise Refusal(Code.DEVICE_FAULT, "the device is gone")


class Greedy:
    """Sends as long as there is room, and then once more."""

    pending = True

    async def step(self, io: OperatorIo) -> None:
        for number in range(io.room + 1):
            io.put(Message(number))


class Liar:
    """Sends text where tokens are due."""

    pending = True

    async def step(self, io: OperatorIo) -> None:
        io.put(Message(0, Schema.TEXT))


class World:
    def __init__(self) -> None:
        self.growth = Growth()
        self.seen: list[int] = []
        kinds = BUILT_IN | {
            SPLIT: OperatorKind(Split),
            TYPED: OperatorKind(BUILT_IN[PASS].make, Schema.TEXT, Schema.TOKENS),
            LOG: OperatorKind(lambda: Log(self.seen)),
            FAULTY: OperatorKind(Faulty),
            GREEDY: OperatorKind(Greedy),
            LIAR: OperatorKind(Liar),
        }
        self.graph = Graph(kinds, self.growth)

    def channels(self, count: int) -> None:
        for _ in range(count):
            self.graph.add_channel()

    def steps(self, count: int) -> int:
        return run(self.graph.run_steps(count))


@pytest.fixture
def world() -> World:
    return World()


def code_of(call: Callable[..., object], *arguments: object) -> Code:
    with pytest.raises(Refusal) as refused:
        call(*arguments)
    return refused.value.code


def own(kind: int, number: int) -> int:
    return number << 16 | kind


# ---------------------------------------------------------------------- building


def test_sixteen_channels_and_no_more(world: World) -> None:
    assert [world.graph.add_channel() for _ in range(16)] == list(range(16))
    assert code_of(world.graph.add_channel) is Code.NO_ROOM


@pytest.mark.parametrize("capacity", [1, 63, 65, 128, 0xFFFF])
def test_channels_have_64_slots(world: World, capacity: int) -> None:
    assert code_of(world.graph.add_channel, capacity) is Code.BAD_ARGUMENT
    assert world.graph.add_channel(64) == 0
    assert world.graph.add_channel(0) == 1


def test_32_operators_and_no_more(world: World) -> None:
    for number in range(32):
        world.graph.add_operator(own(SINK, number))
    assert code_of(world.graph.add_operator, own(SINK, 32)) is Code.NO_ROOM
    assert len(world.graph.operators()) == 32


def test_refusals_of_an_operator(world: World) -> None:
    add = world.graph.add_operator
    world.channels(3)
    add(PASS, 0, 1)
    assert code_of(add, 99) is Code.NOT_FOUND
    assert code_of(add, 0) is Code.NOT_FOUND
    assert code_of(add, PASS) is Code.EXISTS
    assert code_of(add, own(PASS, 1), 3) is Code.NOT_FOUND
    assert code_of(add, own(PASS, 1), NONE, 3) is Code.NOT_FOUND
    assert code_of(add, own(PASS, 1), 0) is Code.EXISTS  # channel 0 has its consumer
    assert code_of(add, own(PASS, 1), 2, 1) is Code.EXISTS  # channel 1 has its producer
    assert code_of(add, own(PASS, 1), 2, 2) is Code.BAD_ARGUMENT
    assert code_of(add, own(PASS, 1), NONE, NONE, 0, 0, 1001) is Code.BAD_ARGUMENT
    assert code_of(add, own(PASS, 1), 1, NONE, 0, 0, 0, 1001) is Code.BAD_ARGUMENT
    add(own(PASS, 1), 1, 2)
    assert [info.op_id for info in world.graph.operators()] == [PASS, own(PASS, 1)]
    assert world.graph.operators()[0].in_channel == 0


def test_a_refused_operator_leaves_no_trace(world: World) -> None:
    world.channels(2)
    world.graph.add_operator(SINK, 1, NONE, 0, 0, 1002)
    assert code_of(world.graph.add_operator, PASS, 0, 1, 0, 0, 1001, 1001) is Code.SCHEMA_MISMATCH
    assert world.graph.push(0, Message(1, 7)), "channel 0 took the schema of a refused operator"
    world.graph.add_operator(own(PASS, 5), 0, 1, 0, 0, 0, 1002)


# ---------------------------------------------------------------------- types


@pytest.mark.parametrize("consumer_first", [True, False])
@pytest.mark.parametrize(("given_", "taken", "fits"), [(1001, 1001, 1), (1001, 1002, 0), (0, 1002, 1), (1001, 0, 1)])
def test_both_ends_of_a_channel_agree(given_: int, taken: int, fits: int, consumer_first: bool) -> None:
    world = World()
    world.channels(1)
    ends = [(SOURCE, NONE, 0, 0, 0, 0, given_), (SINK, 0, NONE, 0, 0, taken, 0)]
    first, second = reversed(ends) if consumer_first else ends
    world.graph.add_operator(*first)
    if fits:
        world.graph.add_operator(*second)
    else:
        assert code_of(world.graph.add_operator, *second) is Code.SCHEMA_MISMATCH


def test_a_kind_has_its_own_schemas(world: World) -> None:
    world.channels(2)
    assert code_of(world.graph.add_operator, TYPED, 0, 1, 0, 0, 1002, 0) is Code.SCHEMA_MISMATCH
    assert code_of(world.graph.add_operator, TYPED, 0, 1, 0, 0, 0, 1001) is Code.SCHEMA_MISMATCH
    world.graph.add_operator(TYPED, 0, 1)
    assert [end.schema for end in world.graph.stats()] == [1001, 1002]
    assert code_of(world.graph.push, 0, Message(1, 1002)) is Code.SCHEMA_MISMATCH
    assert code_of(world.graph.push, 0, Message(1)) is Code.SCHEMA_MISMATCH
    assert world.graph.push(0, Message(1, 1001))


def test_what_waits_already_is_checked_too(world: World) -> None:
    world.channels(1)
    world.graph.push(0, Message(1, 1002))
    assert code_of(world.graph.add_operator, SINK, 0, NONE, 0, 0, 1001, 0) is Code.SCHEMA_MISMATCH
    world.graph.add_operator(SINK, 0, NONE, 0, 0, 1002, 0)


def test_a_mismatch_at_run_time_reaches_the_caller(world: World) -> None:
    world.channels(1)
    world.graph.add_operator(SINK, 0, NONE, 0, 0, 1002)
    world.graph.add_operator(LIAR, NONE, 0)
    assert code_of(world.steps, 5) is Code.SCHEMA_MISMATCH
    assert world.graph.stats()[0].depth == 0


def test_messages_without_a_schema_get_their_operators(world: World) -> None:
    world.channels(1)
    world.graph.add_operator(SOURCE, NONE, 0, 0, 0, 0, 1002)
    assert world.steps(1) == 1
    assert world.graph.pop(0) == Message(0, 1002)


# ---------------------------------------------------------------------- running


def test_the_highest_priority_runs_then_the_lowest_id(world: World) -> None:
    world.channels(3)
    for number in range(3):
        world.graph.push(number, Message(number))
    world.graph.add_operator(own(LOG, 2), 0, NONE, 5)
    world.graph.add_operator(own(LOG, 1), 1, NONE, 5)
    world.graph.add_operator(own(LOG, 3), 2, NONE, 200)
    assert world.steps(10) == 3
    assert world.seen == [2, 1, 0]


def test_steps_run_are_told(world: World) -> None:
    world.channels(1)
    assert world.steps(100) == 0
    world.graph.add_operator(LOG, 0)
    for number in range(5):
        world.graph.push(0, Message(number))
    assert world.steps(3) == 3
    assert world.steps(0) == 0
    assert world.steps(3) == 2
    assert world.seen == [0, 1, 2, 3, 4]


def test_a_full_channel_holds_its_producer_back(world: World) -> None:
    world.channels(1)
    world.graph.add_operator(SOURCE, NONE, 0, 200)
    assert world.steps(100) == 64
    stats = world.graph.stats()[0]
    assert (stats.depth, stats.deepest) == (64, 64)
    assert stats.stalls == 1
    world.graph.add_operator(LOG, 0)
    assert world.steps(2) == 2  # the source has the higher priority, but no room before
    assert world.seen == [0]
    assert world.graph.stats()[0].stalls == 2
    assert world.steps(200) == 200
    assert world.seen == list(range(101)), "items lost or out of order"


def test_unfinished_work_goes_on_without_input(world: World) -> None:
    world.channels(2)
    world.graph.add_operator(SPLIT, 0, 1)
    world.graph.add_operator(LOG, 1)
    world.graph.push(0, Message(7))
    world.graph.push(0, Message(8))
    assert world.steps(100) == 12
    assert world.seen == [7, 7, 7, 8, 8, 8]


def test_what_an_operator_raises_reaches_the_caller(world: World) -> None:
    world.graph.add_operator(FAULTY)
    with pytest.raises(Refusal, match="the device is gone") as refused:
        world.steps(3)
    assert refused.value.code is Code.DEVICE_FAULT


def test_more_than_fits_is_refused_and_stays_with_the_operator(world: World) -> None:
    world.channels(1)
    world.graph.add_operator(GREEDY, NONE, 0)
    assert code_of(world.steps, 1) is Code.NO_ROOM
    assert world.graph.stats()[0].depth == 64
    world.graph.add_operator(own(GREEDY, 1))
    assert code_of(world.steps, 1) is Code.NO_ROOM


def test_only_free_ends_can_be_used_from_outside(world: World) -> None:
    world.channels(2)
    world.graph.add_operator(PASS, 0, 1)
    assert code_of(world.graph.pop, 0) is Code.BUSY
    assert code_of(world.graph.push, 1, Message(1)) is Code.BUSY
    assert code_of(world.graph.pop, 2) is Code.NOT_FOUND
    assert code_of(world.graph.push, NONE, Message(1)) is Code.NOT_FOUND
    for number in range(64):
        assert world.graph.push(0, Message(number))
    assert not world.graph.push(0, Message(64))
    assert world.graph.stats()[0].stalls == 1
    assert world.steps(1) == 1
    assert world.graph.pop(1) == Message(0)
    assert world.graph.pop(1) is None


def test_no_ring_grows_in_deterministic_mode(world: World) -> None:
    world.channels(2)
    assert world.growth.grown[Resource.RING] == 2
    world.growth.freeze()
    with pytest.raises(GrowthRefused, match="1 more rings"):
        world.graph.add_channel()
    assert len(world.graph.stats()) == 2
    world.graph.add_operator(SINK, 0)


# ---------------------------------------------------------------------- any graph


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    priorities=st.lists(st.integers(0, 255), min_size=2, max_size=6),
    order=st.randoms(use_true_random=False),
    bursts=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 200)), max_size=8),
)
def test_a_chain_loses_and_reorders_nothing(
    priorities: list[int], order: object, bursts: list[tuple[int, int]]
) -> None:
    """Whatever the priorities, and however feeding and running take turns."""
    world = World()
    length = len(priorities)
    world.channels(length)
    operators = [(own(PASS, n), n, n + 1, priorities[n]) for n in range(length - 1)]
    operators.append((own(LOG, 99), length - 1, NONE, priorities[-1]))
    order.shuffle(operators)  # type: ignore[attr-defined]
    for operator in operators:
        world.graph.add_operator(*operator)
    number = 0
    for pushes, steps in bursts:
        for _ in range(pushes):
            number += world.graph.push(0, Message(number))
        world.steps(steps)
        assert all(end.depth <= 64 for end in world.graph.stats())
    world.steps(100_000)
    assert world.seen == list(range(number))
    assert all(end.depth == 0 for end in world.graph.stats())
