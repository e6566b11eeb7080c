"""The dataflow graph: operators joined by typed rings (software.md 2, "Graph")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from sw.codes import Code, Refusal
from sw.kernel.growth import Growth, Resource
from sw.kernel.ring import SLOTS, Ring

OPERATORS = 32
CHANNELS = 16
NO_CHANNEL = 0xFFFF
_KIND = 0xFFFF


@dataclass(frozen=True, slots=True)
class Message:
    """What travels in a channel: a handle into an arena that both ends know, and its schema."""

    handle: int
    schema: int = 0


class OperatorIo(Protocol):
    """An operator's two channels during one step."""

    @property
    def waiting(self) -> int:
        """Messages in the input channel; 0 without one."""

    @property
    def room(self) -> int:
        """Messages that fit into the output channel; 0 without one."""

    def take(self) -> Message | None:
        """The next message of the input channel, None when there is none."""

    def put(self, message: Message) -> None:
        """Send a message; one without a schema gets the one that the operator was added with.

        There is room for one when a step begins; ask `room` for more.

        Raises:
            Refusal: SchemaMismatch; NoRoom when the channel is full or there is none. The message
                stays the operator's.
        """


class Operator(Protocol):
    """One node's work."""

    @property
    def pending(self) -> bool:
        """Whether there is work without a new message: a source, or an unfinished input."""

    async def step(self, io: OperatorIo) -> None:
        """A bounded amount of work; awaits nothing but the transport or the clock.

        Raises:
            Refusal: reaches the caller of `Graph.run_steps`.
        """


@dataclass(frozen=True, slots=True)
class OperatorKind:
    """What an operator number means.

    Attributes:
        make: a new operator.
        in_schema, out_schema: what it takes and gives; 0: anything.
    """

    make: Callable[[], Operator]
    in_schema: int = 0
    out_schema: int = 0


@dataclass(frozen=True, slots=True)
class ChannelStats:
    """A channel as metrics show it; depths in messages, stalls in steps or pushes that had to wait."""

    channel: int
    schema: int
    depth: int
    deepest: int
    stalls: int


@dataclass(frozen=True, slots=True)
class OperatorInfo:
    """An operator as tools show it; NO_CHANNEL for a channel that it has not."""

    op_id: int
    in_channel: int
    out_channel: int
    priority: int
    stage: int


class Graph:
    """Up to 32 operators and 16 channels.

    An operator is runnable when it has a message to take or is `pending`, and its output channel,
    if it has one, has room. A step runs the runnable operator of the highest priority (255 is
    above 0), among equals the one with the lowest id.

    An operator's id is a u32: its kind in bits 15:0, a number of the caller's in bits 31:16.
    """

    def __init__(self, kinds: Mapping[int, OperatorKind], growth: Growth) -> None:
        """An empty graph whose operators are of these kinds."""
        self._kinds = kinds
        self._growth = growth
        self._channels: list[_Channel] = []
        self._nodes: dict[int, _Node] = {}

    def add_channel(self, capacity: int = 0) -> int:
        """Add a channel of 64 slots; capacity 0 or 64.

        Returns:
            Its number, from 0 on.

        Raises:
            Refusal: BadArgument for another capacity; NoRoom after 16.
            GrowthRefused: deterministic mode.
        """
        if capacity not in (0, SLOTS):
            raise Refusal(Code.BAD_ARGUMENT, f"a channel of {capacity}: {SLOTS} slots, or 0 for as many")
        if len(self._channels) == CHANNELS:
            raise Refusal(Code.NO_ROOM, f"the graph has {CHANNELS} channels")
        self._growth.note(Resource.RING, 1)
        self._channels.append(_Channel())
        return len(self._channels) - 1

    def add_operator(
        self,
        op_id: int,
        in_channel: int = NO_CHANNEL,
        out_channel: int = NO_CHANNEL,
        priority: int = 0,
        stage: int = 0,
        in_schema: int = 0,
        out_schema: int = 0,
    ) -> None:
        """Add an operator; on a refusal nothing has changed.

        Args:
            op_id: kind in bits 15:0, a number of the caller's in bits 31:16; its place among equals.
            in_channel, out_channel: NO_CHANNEL for none.
            priority: 0 to 255, the highest runs first.
            stage: 0 to 255, a label for people.
            in_schema, out_schema: 0: what the kind says.

        Raises:
            Refusal: NotFound for a kind or a channel that is none; Exists for an id in use, or a
                channel that has its consumer or producer; BadArgument for one channel as both, or
                a schema without a channel; SchemaMismatch with the kind, with the other end or
                with what waits in the channel; NoRoom after 32.
        """
        kind = self._kinds.get(op_id & _KIND)
        if kind is None:
            raise Refusal(Code.NOT_FOUND, f"no kind of operator {op_id & _KIND}")
        if op_id in self._nodes:
            raise Refusal(Code.EXISTS, f"operator {op_id:#x} exists")
        if in_channel == out_channel != NO_CHANNEL:
            raise Refusal(Code.BAD_ARGUMENT, f"channel {in_channel} as input and output of one operator")
        if (in_schema and in_channel == NO_CHANNEL) or (out_schema and out_channel == NO_CHANNEL):
            raise Refusal(Code.BAD_ARGUMENT, "a schema without a channel")
        source = self._end(in_channel, "consumer")
        sink = self._end(out_channel, "producer")
        taken = _agree(source, in_schema, kind.in_schema)
        given = _agree(sink, out_schema, kind.out_schema)
        if source and taken and any(message.schema != taken for message in source.ring):
            raise Refusal(Code.SCHEMA_MISMATCH, f"what waits in channel {in_channel} is not of schema {taken}")
        if len(self._nodes) == OPERATORS:
            raise Refusal(Code.NO_ROOM, f"the graph has {OPERATORS} operators")
        operator = kind.make()
        if source:
            source.schema, source.consumer = taken, op_id
        if sink:
            sink.schema, sink.producer = given, op_id
        declared = out_schema or kind.out_schema
        self._nodes[op_id] = _Node(op_id, operator, priority, stage, source, sink, declared)

    def push(self, channel: int, message: Message) -> bool:
        """Feed a channel without a producer, from outside.

        Returns:
            False when it is full: the message stays the caller's, and the stall is counted.

        Raises:
            Refusal: NotFound; Busy when an operator feeds it; SchemaMismatch.
        """
        end = self._channel(channel)
        if end.producer is not None:
            raise Refusal(Code.BUSY, f"operator {end.producer:#x} feeds channel {channel}")
        return end.push(message)

    def pop(self, channel: int) -> Message | None:
        """Take from a channel without a consumer, from outside.

        Raises:
            Refusal: NotFound; Busy when an operator drains it.
        """
        end = self._channel(channel)
        if end.consumer is not None:
            raise Refusal(Code.BUSY, f"operator {end.consumer:#x} drains channel {channel}")
        return end.ring.pop()

    def clear(self) -> None:
        """Drop every message of every channel, whoever feeds or drains it; operators, schemas and counters stay."""
        for end in self._channels:
            end.ring.clear()

    async def run_steps(self, steps: int) -> int:
        """Run up to `steps` steps.

        Returns:
            Steps run; fewer when nothing was runnable any more.

        Raises:
            Refusal: what an operator raised; the steps before it stay done.
        """
        for done in range(steps):
            node = self._next()
            if node is None:
                return done
            await node.operator.step(node)
        return steps

    def stats(self) -> list[ChannelStats]:
        """Every channel, in order."""
        return [
            ChannelStats(number, end.schema, end.ring.depth, end.ring.deepest, end.ring.stalls)
            for number, end in enumerate(self._channels)
        ]

    def operators(self) -> list[OperatorInfo]:
        """Every operator, by id."""
        numbers = {id(end): number for number, end in enumerate(self._channels)}
        return [
            OperatorInfo(
                node.id,
                numbers.get(id(node.source), NO_CHANNEL),
                numbers.get(id(node.sink), NO_CHANNEL),
                node.priority,
                node.stage,
            )
            for _, node in sorted(self._nodes.items())
        ]

    def _next(self) -> _Node | None:
        """The runnable operator that comes first; one that only lacks room counts a stall."""
        chosen: _Node | None = None
        for node in self._nodes.values():
            if not node.has_work:
                continue
            if node.sink and node.sink.ring.full:
                node.sink.ring.stalls += 1
            elif chosen is None or node.rank < chosen.rank:
                chosen = node
        return chosen

    def _channel(self, channel: int) -> _Channel:
        if not 0 <= channel < len(self._channels):
            raise Refusal(Code.NOT_FOUND, f"no channel {channel}")
        return self._channels[channel]

    def _end(self, channel: int, role: str) -> _Channel | None:
        """The channel that an operator wants as its consumer or producer."""
        if channel == NO_CHANNEL:
            return None
        end = self._channel(channel)
        other = end.consumer if role == "consumer" else end.producer
        if other is not None:
            raise Refusal(Code.EXISTS, f"channel {channel} has a {role}: operator {other:#x}")
        return end


@dataclass(slots=True, eq=False)
class _Channel:
    ring: Ring[Message] = field(default_factory=Ring)
    schema: int = 0
    producer: int | None = None
    consumer: int | None = None

    def push(self, message: Message) -> bool:
        if self.schema and message.schema != self.schema:
            raise Refusal(
                Code.SCHEMA_MISMATCH, f"a message of schema {message.schema} in a channel of schema {self.schema}"
            )
        return self.ring.push(message)


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """An operator in its place; also its view of its channels (`OperatorIo`)."""

    id: int
    operator: Operator
    priority: int
    stage: int
    source: _Channel | None
    sink: _Channel | None
    out_schema: int

    @property
    def rank(self) -> tuple[int, int]:
        return -self.priority, self.id

    @property
    def has_work(self) -> bool:
        return self.waiting > 0 or self.operator.pending

    @property
    def waiting(self) -> int:
        return self.source.ring.depth if self.source else 0

    @property
    def room(self) -> int:
        return SLOTS - self.sink.ring.depth if self.sink else 0

    def take(self) -> Message | None:
        return self.source.ring.pop() if self.source else None

    def put(self, message: Message) -> None:
        if self.sink is None:
            raise Refusal(Code.NO_ROOM, f"operator {self.id:#x} has no output channel")
        if not message.schema:
            message = replace(message, schema=self.out_schema)
        if not self.sink.push(message):
            raise Refusal(Code.NO_ROOM, f"the output channel of operator {self.id:#x} is full")


def _agree(end: _Channel | None, *wanted: int) -> int:
    """The one schema that all ends of a channel name; 0 when none names one."""
    named = {schema for schema in (*wanted, end.schema if end else 0) if schema}
    if len(named) > 1:
        raise Refusal(Code.SCHEMA_MISMATCH, "schemas " + " and ".join(map(str, sorted(named))) + " in one channel")
    return named.pop() if named else 0
