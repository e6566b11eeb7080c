"""Commands: from the launching write over each block's operation to the result."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from model import DeviceState
from model.types import CommandResult, Irq, Status
from tb.events.records import Cmd, Op
from tb.harness.base_test import Context

U8, U16, U32 = 0xFF, 0xFFFF, 0xFFFF_FFFF
QUEUE_DEPTH = 16

_RANGE_OPS = {
    int(Cmd.Boost): int(Op.Boost),
    int(Cmd.Imevict): int(Op.Imevict),
    int(Cmd.Cool): int(Op.Cool),
    int(Cmd.Prefetch): int(Op.Prefetch),
    int(Cmd.Share): int(Op.Share),
    int(Cmd.Release): int(Op.Release),
}

ExpectedOp = tuple[int, int, dict[str, int]]


@dataclass
class Command:
    """One command as it entered the queue, and what is still to come of it."""

    cmd: int
    kv_addr: int
    length: int = 0
    step: int = 0
    layers: int = 1
    heads: int = 1
    token_end: int = 0
    tier: int = 0
    prefix: int = 0
    hot: int = 0
    touch: int = 0
    removed: int = 0
    stayed: int = 0
    result: CommandResult | None = None
    ops: Iterator[ExpectedOp] = field(default_factory=lambda: iter(()))

    def key(self) -> tuple[int, ...]:
        """What two equal launches have in common, of the fields that their kind uses."""
        if self.is_range:
            step = self.step if self.cmd == Cmd.Prefetch else 0
            return (self.cmd, self.kv_addr, self.length, step, self.layers, self.heads)
        return (self.cmd, self.kv_addr, self.token_end, self.tier, self.prefix, self.hot, self.touch)

    @property
    def is_range(self) -> bool:
        """A range command, not a directory command."""
        return self.cmd in _RANGE_OPS


class CommandCheck:
    """The command queue: order, walks, results."""

    def __init__(self, ctx: Context, state: DeviceState) -> None:
        self._ctx = ctx
        self._s = state
        self.queue: deque[Command] = deque()  # the first one may run
        self.last_result: CommandResult | None = None
        self._just_done: Command | None = None
        self._settling: tuple[Command, list[int]] | None = None  # an INSERT's result seen before its entry is placed
        self._ahead: tuple[Command, ExpectedOp] | None = None  # an INSERT that is done before its commit point

    def clear(self) -> None:
        """A reset."""
        self.queue.clear()
        self.last_result = None
        self._just_done = None
        self._settling = None
        self._ahead = None

    @property
    def directory_busy(self) -> bool:
        """A directory command waits or runs."""
        return any(not c.is_range for c in self.queue)

    def launched(self, w: list[int]) -> Command:
        """EvCommand: a command enters the queue."""
        command = Command(
            cmd=w[1] >> 8 & U8,
            kv_addr=w[2],
            length=w[3],
            step=w[4] & U32,
            layers=w[5] & U8,
            heads=w[5] >> 8 & U8,
            token_end=w[5] >> 32,
            tier=w[6] & U8,
            prefix=w[6] >> 8 & U8,
            hot=w[6] >> 16 & U8,
            touch=w[6] >> 24 & U8,
        )
        if len(self.queue) > QUEUE_DEPTH:
            self._ctx.compare("command queue", "at most 16 waiting", len(self.queue), at_cycle=w[0])
        if not command.is_range and self.directory_busy:
            self._ctx.compare("directory commands that wait or run", "at most one", 2, at_cycle=w[0])
        command.ops = self._walk(command) if command.is_range else self._single(command)
        self.queue.append(command)
        return command

    def _walk(self, c: Command) -> Iterator[ExpectedOp]:
        """Every block that overlaps the range, ascending; layers outermost, then heads; none past 255."""
        bits = self._s.block_tokens.bit_length() - 1
        token = c.kv_addr & U32
        first, last = token >> bits, (token + c.length - 1) >> bits
        layer, head = c.kv_addr >> 40 & U8, c.kv_addr >> 32 & U8
        fields = {"step": c.step} if c.cmd == Cmd.Prefetch else {}
        for ly in range(layer, min(layer + max(c.layers, 1), 256)):
            for hd in range(head, min(head + max(c.heads, 1), 256)):
                base = c.kv_addr >> 48 << 48 | ly << 40 | hd << 32
                for block in range(first, last + 1):
                    yield _RANGE_OPS[c.cmd], base | block << bits, fields

    def _single(self, c: Command) -> Iterator[ExpectedOp]:
        mask = self._s.block_tokens - 1
        if c.cmd == Cmd.Insert:
            token = c.kv_addr & U32
            if token & mask or not token <= c.token_end <= token + mask:
                c.result = CommandResult(Status.BAD_ARG)
                return
            fields = {"tier": c.tier, "token_end": c.token_end & mask, "prefix": c.prefix, "hot": c.hot}
            yield int(Op.Insert), c.kv_addr, fields
        elif c.cmd == Cmd.Lookup:
            yield int(Op.Lookup if c.touch else Op.Peek), c.kv_addr, {}
        elif c.cmd == Cmd.Remove:
            yield int(Op.Remove), c.kv_addr, {}
        elif c.cmd == Cmd.Migrate:
            yield int(Op.Migrate), c.kv_addr, {"tier": c.tier}
        elif c.kv_addr >> 48 == 0:
            c.result = CommandResult(Status.BAD_ARG)

    def next_op(self) -> ExpectedOp | None:
        """The operation that the running command does next; None when there is none."""
        if self._ahead is not None:
            return self._ahead[1]
        return next(self.queue[0].ops, None) if self.queue else None

    def freed(self, w: list[int], went: bool | None) -> None:
        """EvFree: FREE_REQUEST met a block."""
        running = self.queue[0] if self.queue else None
        wanted = running.kv_addr >> 48 if running and running.cmd == Cmd.FreeRequest else None
        self._ctx.compare("FREE_REQUEST: request", wanted, w[2] & U16, at_cycle=w[0])
        if running:
            running.removed += went is True
            running.stayed += went is False

    def done(self, w: list[int], result: CommandResult | None) -> None:
        """EvCmdDone: the running command is done. `result`: of its operation, if it had one."""
        if not self.queue:
            self._ctx.compare("command done", "none runs", "one done", at_cycle=w[0])
            return
        command = self.queue.popleft()
        self.placed(w[0])
        left = next(command.ops, None)
        if left is not None and command.cmd == Cmd.Insert:
            self._ahead = (command, left)
        elif left is not None:
            self._ctx.compare(
                "command done: blocks left", "none", hex(left[1]), cmd=Cmd(command.cmd).name, at_cycle=w[0]
            )
        self._s.irq_status |= Irq.COMMAND_DONE
        self._just_done = command
        if command.is_range:
            return
        if command.cmd == Cmd.FreeRequest and command.result is None:
            self._nothing_left(command, w[0])
            for index in list(self._s.bad):  # of which there are no events: they neither go nor stay
                self._s.free_entry(index, command.kv_addr >> 48)
            result = CommandResult(Status.OK, removed=command.removed, stayed=command.stayed)
        command.result = command.result or result

    def _nothing_left(self, command: Command, cycle: int) -> None:
        arrays = self._s.entries.arrays
        mine = (arrays["key"] >> np.uint64(48) == command.kv_addr >> 48) & (arrays["valid"] == 1)
        left = [i for i in np.flatnonzero(mine & (arrays["ref_count"] == 0)).tolist() if i not in self._s.bad]
        self._ctx.compare("FREE_REQUEST: blocks without reference left", [], left[:4], at_cycle=cycle)

    def result(self, w: list[int]) -> None:
        """EvResult, the cycle after a command is done: what the result registers hold."""
        command = self._just_done
        if command is None or command.is_range:
            return
        self.last_result = None
        if command.result is not None:
            self._compare_result(command, w)
        elif command.cmd == Cmd.Insert and self._settling is None:
            self._settling = (command, w)
        else:
            self._ctx.compare("result of the command", "after its operation", "without one", at_cycle=w[0])

    def placed(self, cycle: int) -> None:
        """No INSERT may be done and have its commit point still to come."""
        left = None if self._ahead is None else hex(self._ahead[1][1])
        self._ctx.compare("INSERT done: its commit point", None, left, at_cycle=cycle)

    def settle(self, result: CommandResult) -> bool:
        """An INSERT's entry is placed. True when its command was done before: its result is, or will be, compared."""
        if self._ahead is not None:
            self._ahead[0].result = result
            self._ahead = None
            return True
        if self._settling is None:
            return False
        command, w = self._settling
        self._settling = None
        command.result = result
        self._compare_result(command, w)
        return True

    def _compare_result(self, command: Command, w: list[int]) -> None:
        expected = command.result
        assert expected is not None
        self.last_result = expected
        want = (expected.status.name, expected.index, expected.phys_addr, expected.removed, expected.stayed)
        seen = (Status(w[1] >> 8 & U8).name, w[1] >> 32, w[2], w[3], w[4])
        where = {"cmd": Cmd(command.cmd).name, "block": f"{command.kv_addr:#018x}", "at_cycle": w[0]}
        self._ctx.compare("result: status, index, PHYS_ADDR, removed, stayed", want, seen, **where)
        if command.cmd == Cmd.Lookup:
            self._ctx.compare("result: tier", expected.tier, w[1] >> 16 & U8, **where)
