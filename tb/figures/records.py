"""Exact cycles out of the monitors' records, beside the scoreboard that checks them."""

import numpy as np

from tb.events import records as ev
from tb.events.records import Cmd, Kind
from tb.harness.link import Array
from tb.scoreboard.scoreboard import Scoreboard

_KINDS = (Kind.ScanBegin, Kind.ScanDone, Kind.Push, Kind.Command, Kind.CmdDone, Kind.Result)


class Records:
    """Main records of the kinds that figures are made of, in order; `take` forgets what it gives."""

    def __init__(self, board: Scoreboard) -> None:
        self._board = board
        self._kept: dict[int, list[Array]] = {int(kind): [] for kind in _KINDS}
        board.taps.append(self._add)

    def _add(self, stream: int, records: Array) -> None:
        if stream != ev.STREAM_MAIN or not len(records):
            return
        kinds = records[:, 1] & np.uint64(0xFF)
        for kind, kept in self._kept.items():
            mine = records[kinds == kind]
            if len(mine):
                kept.append(mine)

    def take(self, kind: int) -> Array:
        """Raw records (n, 16) of a kind since the last call; the scoreboard has checked them."""
        self._board.drain()
        kept = self._kept[int(kind)]
        out = np.concatenate(kept) if kept else np.zeros((0, 16), np.uint64)
        kept.clear()
        return out

    def forget(self) -> None:
        """Drop everything so far."""
        self._board.drain()
        for kept in self._kept.values():
            kept.clear()

    def commands(self) -> tuple[Array, Array]:
        """(command, cycles from its start to its result) of every directory command that is done.

        A command starts when it leaves the queue: in the cycle after the one whose edge pushes it, where nothing else
        waits or runs. Its result stands in the cycle that the record of its end names. Commands run one after another,
        so that starts and ends pair up in order.
        """
        pushed, done = self.take(Kind.Command), self.take(Kind.CmdDone)
        if len(pushed) != len(done):
            raise ValueError(f"{len(pushed)} commands pushed, {len(done)} done: wait for the last one first")
        command = pushed[:, 1] >> np.uint64(8) & np.uint64(0xFF)
        return command, done[:, 0].astype(np.int64) - (pushed[:, 0].astype(np.int64) + 1)


INSERT, FREE_REQUEST = int(Cmd.Insert), int(Cmd.FreeRequest)
