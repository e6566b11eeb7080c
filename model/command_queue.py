"""The command queue of the device model: range and directory commands, one after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from model.clock import Clock
from model.directory import DeviceState
from model.timing import Timing
from model.types import COMMAND_QUEUE_DEPTH, U32, CommandResult, Irq

_BATCH = 32  # blocks of a range that are walked at one instant


class Kind(Enum):
    """What a command is."""

    BOOST = auto()
    IMEVICT = auto()
    COOL = auto()
    PREFETCH = auto()
    SHARE = auto()
    RELEASE = auto()
    INSERT = auto()
    LOOKUP = auto()
    REMOVE = auto()
    FREE_REQUEST = auto()
    MIGRATE = auto()

    @property
    def is_range(self) -> bool:
        """A range command (the others are directory commands)."""
        return self.value <= Kind.RELEASE.value


@dataclass(frozen=True, slots=True)
class Command:
    """A launched command; `length` is in tokens, the span has no zeros left."""

    kind: Kind
    kv_addr: int
    length: int = 0
    step: int = 0
    span_layers: int = 1
    span_heads: int = 1
    token_end: int = 0
    tier: int = 0
    prefix: bool = False
    hot: bool = False
    touch: bool = False

    def blocks(self, block_tokens: int) -> Iterator[int]:
        """KV address of each block of a range: layers, in them heads, in them blocks, ascending."""
        token = self.kv_addr & U32
        first = token - token % block_tokens
        base = self.kv_addr - token
        for layer in range(self.span_layers):
            for head in range(self.span_heads):
                plane = base + (layer << 40) + (head << 32)
                for start in range(first, token + self.length, block_tokens):
                    yield plane + start


class CommandQueue:
    """Queue of 16 and the command that runs; `result` is that of the last directory command."""

    def __init__(self, state: DeviceState, clock: Clock, timing: Timing, changed: Callable[[], None]) -> None:
        self._state = state
        self._clock = clock
        self._timing = timing
        self._changed = changed  # called after every step
        self.clear()

    def clear(self) -> None:
        """Reset: no command, no result."""
        self._queue: deque[Command] = deque()
        self._running: Command | None = None
        self._walk: Iterator[int] = iter(())
        self.dir_busy = False
        self.result: CommandResult | None = None

    @property
    def full(self) -> bool:
        """A launch would be refused."""
        return len(self._queue) >= COMMAND_QUEUE_DEPTH

    @property
    def pending(self) -> int:
        """Commands that wait or run, 0 to 17."""
        return len(self._queue) + (self._running is not None)

    def push(self, command: Command) -> None:
        """Launch a checked command; the queue is not full."""
        if not command.kind.is_range:
            self.dir_busy = True
            self.result = None
        self._queue.append(command)
        self._next()

    def _next(self) -> None:
        if self._running is not None or not self._queue:
            return
        self._running = command = self._queue.popleft()
        if command.kind.is_range:
            self._walk = command.blocks(self._state.block_tokens)
            self._clock.after(self._timing.command, self._range_steps)
        elif command.kind is Kind.FREE_REQUEST:
            cycles = self._timing.command + self._state.rows
            self._clock.after(cycles, lambda: self._finish(self._directory(command)))
        else:
            self._clock.after(self._timing.command, lambda: self._run(command))

    def _range_steps(self) -> None:
        command = self._running
        assert command is not None
        state = self._state
        steps = 0
        for kv_addr in self._walk:
            match command.kind:
                case Kind.BOOST:
                    state.boost(kv_addr)
                case Kind.IMEVICT:
                    state.imevict(kv_addr)
                case Kind.COOL:
                    state.cool(kv_addr)
                case Kind.PREFETCH:
                    state.prefetch(kv_addr, command.step)
                case Kind.SHARE:
                    state.share(kv_addr)
                case _:
                    state.release(kv_addr)
            steps += 1
            if steps == _BATCH:
                self._clock.after(steps * self._timing.command_step, self._range_steps)
                self._changed()
                return
        self._clock.after(steps * self._timing.command_step, lambda: self._finish(None))
        self._changed()

    def _run(self, command: Command) -> None:
        """A directory command on one block; INSERT's relocations take their time."""
        relocations = 0
        if command.kind is Kind.INSERT and self._state.find(command.kv_addr) is None:
            plan = self._state.plan_insert(command.kv_addr)
            relocations = len(plan.relocations)
        result = self._directory(command)
        self._clock.after(relocations * self._timing.relocation, lambda: self._finish(result))

    def _directory(self, c: Command) -> CommandResult:
        state = self._state
        match c.kind:
            case Kind.INSERT:
                return state.insert(c.kv_addr, c.token_end, c.tier, prefix=c.prefix, hot=c.hot)
            case Kind.LOOKUP if c.touch:
                return state.lookup_touch(c.kv_addr)
            case Kind.LOOKUP:
                return state.lookup_peek(c.kv_addr)
            case Kind.REMOVE:
                return state.remove(c.kv_addr)
            case Kind.FREE_REQUEST:
                return state.free_request(c.kv_addr >> 48)
            case _:
                return state.migrate(c.kv_addr, c.tier)

    def _finish(self, result: CommandResult | None) -> None:
        self._running = None
        self._state.irq_status |= Irq.COMMAND_DONE
        if result is not None:
            self.result = result
            self.dir_busy = False
        self._next()
        self._changed()
