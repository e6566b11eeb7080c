"""Commands: from the launching write over each block's operation to the result."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model import DeviceState
from model.types import CommandResult, Irq, Status
from tb.events.records import Cmd, CommandRecord, FreeRecord, Op, ResultRecord, Tier
from tb.harness.base_test import Context

U8, U32 = 0xFF, 0xFFFF_FFFF
QUEUE_DEPTH = 16

_RANGE_OPS = {
    int(Cmd.BOOST): int(Op.BOOST),
    int(Cmd.IMEVICT): int(Op.IMEVICT),
    int(Cmd.COOL): int(Op.COOL),
    int(Cmd.PREFETCH): int(Op.PREFETCH),
    int(Cmd.SHARE): int(Op.SHARE),
    int(Cmd.RELEASE): int(Op.RELEASE),
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
    prefix: bool = False
    hot: bool = False
    touch: bool = False
    removed: int = 0
    stayed: int = 0
    result: CommandResult | None = None
    ops: Iterator[ExpectedOp] = field(default_factory=lambda: iter(()))

    def named(self) -> dict[str, Any]:
        """What two equal launches have in common, of the fields that their kind uses, by name."""
        common = {"command": Cmd(self.cmd).name, "KV address": self.kv_addr}
        if self.is_range:
            step = self.step if self.cmd == Cmd.PREFETCH else 0
            return {**common, "LEN": self.length, "step": step, "layers": self.layers, "heads": self.heads}
        flags = {"PREFIX": self.prefix, "HOT": self.hot, "TOUCH": self.touch}
        return {**common, "TOKEN_END": self.token_end, "tier": Tier(self.tier).name, **flags}

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
        self._settling: tuple[Command, ResultRecord] | None = None  # an INSERT's result seen before its entry is placed
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

    def launched(self, r: CommandRecord) -> Command:
        """A command enters the queue."""
        command = Command(
            cmd=r.cmd,
            kv_addr=r.kv_addr,
            length=r.length,
            step=r.step,
            layers=r.layers,
            heads=r.heads,
            token_end=r.token_end,
            tier=r.tier,
            prefix=r.prefix,
            hot=r.hot,
            touch=r.touch,
        )
        where = {"command": Cmd(r.cmd).name, "block": r.kv_addr, "at_cycle": r.cycle}
        if len(self.queue) > QUEUE_DEPTH:
            self._ctx.compare("commands waiting in the command queue", "at most 16", len(self.queue), **where)
        if not command.is_range and self.directory_busy:
            self._ctx.compare("directory commands that wait or run", "at most one", 2, **where)
        command.ops = self._walk(command) if command.is_range else self._single(command)
        self.queue.append(command)
        return command

    def _walk(self, c: Command) -> Iterator[ExpectedOp]:
        """Every block that overlaps the range, ascending; layers outermost, then heads; none past 255."""
        bits = self._s.block_tokens.bit_length() - 1
        token = c.kv_addr & U32
        first, last = token >> bits, (token + c.length - 1) >> bits
        layer, head = c.kv_addr >> 40 & U8, c.kv_addr >> 32 & U8
        fields = {"step": c.step} if c.cmd == Cmd.PREFETCH else {}
        for ly in range(layer, min(layer + max(c.layers, 1), 256)):
            for hd in range(head, min(head + max(c.heads, 1), 256)):
                base = c.kv_addr >> 48 << 48 | ly << 40 | hd << 32
                for block in range(first, last + 1):
                    yield _RANGE_OPS[c.cmd], base | block << bits, fields

    def _single(self, c: Command) -> Iterator[ExpectedOp]:
        mask = self._s.block_tokens - 1
        if c.cmd == Cmd.INSERT:
            token = c.kv_addr & U32
            if token & mask or not token <= c.token_end <= token + mask:
                c.result = CommandResult(Status.BAD_ARG)
                return
            fields = {"tier": c.tier, "TOKEN_END offset": c.token_end & mask, "PREFIX": c.prefix, "HOT": c.hot}
            yield int(Op.INSERT), c.kv_addr, fields
        elif c.cmd == Cmd.LOOKUP:
            yield int(Op.LOOKUP if c.touch else Op.PEEK), c.kv_addr, {}
        elif c.cmd == Cmd.REMOVE:
            yield int(Op.REMOVE), c.kv_addr, {}
        elif c.cmd == Cmd.MIGRATE:
            yield int(Op.MIGRATE), c.kv_addr, {"tier": c.tier}
        elif c.kv_addr >> 48 == 0:
            c.result = CommandResult(Status.BAD_ARG)

    def next_op(self) -> ExpectedOp | None:
        """The operation that the running command does next; None when there is none."""
        if self._ahead is not None:
            return self._ahead[1]
        return next(self.queue[0].ops, None) if self.queue else None

    def freed(self, r: FreeRecord, went: bool) -> None:
        """FREE_REQUEST met a block."""
        running = self.queue[0] if self.queue else None
        wanted = running.kv_addr >> 48 if running and running.cmd == Cmd.FREE_REQUEST else None
        self._ctx.compare("FREE_REQUEST: request", wanted, r.request_id, index=r.index, at_cycle=r.cycle)
        if running:
            running.removed += went
            running.stayed += not went

    def done(self, cycle: int, result: CommandResult | None) -> None:
        """The running command is done. `result`: of its operation, if it had one."""
        if not self.queue:
            self._ctx.compare("command done", "none runs", "one done", at_cycle=cycle)
            return
        command = self.queue.popleft()
        self.placed(cycle)
        left = next(command.ops, None)
        if left is not None and command.cmd == Cmd.INSERT:
            self._ahead = (command, left)
        elif left is not None:
            where = {"block": left[1], "at_cycle": cycle}
            name = Cmd(command.cmd).name
            self._ctx.compare(f"{name} done: blocks of its range left", "none", "this one and those after it", **where)
        self._s.irq_status |= Irq.COMMAND_DONE
        self._just_done = command
        if command.is_range:
            return
        if command.cmd == Cmd.FREE_REQUEST and command.result is None:
            self._nothing_left(command, cycle)
            for index in list(self._s.bad):  # of which there are no events: they neither go nor stay
                self._s.free_entry(index, command.kv_addr >> 48)
            result = CommandResult(Status.OK, removed=command.removed, stayed=command.stayed)
        command.result = command.result or result

    def _nothing_left(self, command: Command, cycle: int) -> None:
        arrays = self._s.entries.arrays
        mine = (arrays["key"] >> np.uint64(48) == command.kv_addr >> 48) & (arrays["valid"] == 1)
        left = [i for i in np.flatnonzero(mine & (arrays["ref_count"] == 0)).tolist() if i not in self._s.bad]
        where = {"request": command.kv_addr >> 48, "at_cycle": cycle}
        self._ctx.compare("FREE_REQUEST done: indices of its blocks without reference", [], left[:4], **where)

    def result(self, r: ResultRecord) -> None:
        """The cycle after a command is done: what the result registers hold."""
        command = self._just_done
        if command is None or command.is_range:
            return
        self.last_result = None
        if command.result is not None:
            self._compare_result(command, r)
        elif command.cmd == Cmd.INSERT and self._settling is None:
            self._settling = (command, r)
        else:
            where = {"block": command.kv_addr, "at_cycle": r.cycle}
            self._ctx.compare(f"result of {Cmd(command.cmd).name}", "after its operation", "without one", **where)

    def placed(self, cycle: int) -> None:
        """No INSERT may be done and have its commit point still to come."""
        if self._ahead is not None:
            where = {"block": self._ahead[1][1], "at_cycle": cycle}
            self._ctx.compare(
                "INSERT done: its commit point", "at or before the next command's end", "missing", **where
            )

    def settle(self, result: CommandResult) -> bool:
        """An INSERT's entry is placed. True when its command was done before: its result is, or will be, compared."""
        if self._ahead is not None:
            self._ahead[0].result = result
            self._ahead = None
            return True
        if self._settling is None:
            return False
        command, record = self._settling
        self._settling = None
        command.result = result
        self._compare_result(command, record)
        return True

    def _compare_result(self, command: Command, r: ResultRecord) -> None:
        expected = command.result
        assert expected is not None
        self.last_result = expected
        want = {
            "status": expected.status.name,
            "index": expected.index,
            "PHYS_ADDR": f"{expected.phys_addr:#x}",
            "removed": expected.removed,
            "stayed": expected.stayed,
        }
        seen = {
            "status": Status(r.status).name,
            "index": r.index,
            "PHYS_ADDR": f"{r.phys_addr:#x}",
            "removed": r.removed,
            "stayed": r.stayed,
        }
        if command.cmd == Cmd.LOOKUP:
            want["tier"], seen["tier"] = Tier(expected.tier).name, Tier(r.tier).name
        where = {"block": command.kv_addr, "at_cycle": r.cycle}
        self._ctx.compare_fields(f"result of {Cmd(command.cmd).name}", want, seen, **where)
