"""The dataflow graph: operators joined by typed rings (software.md 2, "Graph")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sw.kernel.growth import Growth
from sw.kernel.ring import Ring

OPERATORS = 32
CHANNELS = 16
NO_CHANNEL = 0xFFFF


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
        """Send a message. There is room for one when a step begins; ask `room` for more.

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
    """What an operator number stands for.

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


class Graph:
    """Up to 32 operators and 16 channels.

    An operator is runnable when it has a message to take or is `pending`, and its output channel,
    if it has one, has room. A step runs the runnable operator of the highest priority (255 is
    above 0), among equals the one with the lowest id.

    An operator's id is a u32: its kind in bits 15:0, a number of the caller's in bits 31:16.
    """

    def __init__(self, kinds: Mapping[int, OperatorKind], growth: Growth) -> None:
        """An empty graph whose operators are of these kinds."""
        self.channels: list[Ring[Message]] = []
        raise NotImplementedError

    def add_channel(self, capacity: int = 0) -> int:
        """Add a channel of 64 slots; capacity 0 or 64.

        Returns:
            Its number, from 0 on.

        Raises:
            Refusal: BadArgument for another capacity; NoRoom after 16, or in deterministic mode.
        """
        raise NotImplementedError

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
                a schema without a channel; SchemaMismatch with the kind or with the other end;
                NoRoom after 32.
        """
        raise NotImplementedError

    def push(self, channel: int, message: Message) -> bool:
        """Feed a channel without a producer, from outside.

        Returns:
            False when it is full: the message stays the caller's.

        Raises:
            Refusal: NotFound; Busy when an operator feeds it; SchemaMismatch.
        """
        raise NotImplementedError

    def pop(self, channel: int) -> Message | None:
        """Take from a channel without a consumer, from outside.

        Raises:
            Refusal: NotFound; Busy when an operator drains it.
        """
        raise NotImplementedError

    async def run_steps(self, steps: int) -> int:
        """Run up to `steps` steps.

        Returns:
            Steps run; fewer when nothing was runnable any more.

        Raises:
            Refusal: what an operator raised.
        """
        raise NotImplementedError

    def stats(self) -> list[ChannelStats]:
        """Every channel, in order."""
        raise NotImplementedError
