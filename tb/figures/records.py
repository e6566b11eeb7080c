"""Exact cycles out of the monitors' records, in parallel with the scoreboard that checks them."""

import numpy as np

from tb.events.decode import of_kind
from tb.events.records import DTYPES, RECORDS, STREAM_MAIN, Cmd, Kind
from tb.harness.link import Array
from tb.scoreboard.scoreboard import Scoreboard

_KINDS = (Kind.ScanBegin, Kind.ScanDone, Kind.Push, Kind.Command, Kind.CmdDone, Kind.Result)


class Records:
    """Main records of the kinds that figures are made of, in order; `take` forgets what it gives."""

    def __init__(self, board: Scoreboard) -> None:
        self._board = board
        self._kept: dict[Kind, list[Array]] = {kind: [] for kind in _KINDS}
        board.taps.append(self._add)

    def _add(self, stream: int, records: Array) -> None:
        if stream != STREAM_MAIN or not len(records):
            return
        for kind, kept in self._kept.items():
            mine = of_kind(records, kind)
            if len(mine):
                kept.append(mine)

    def take(self, kind: Kind) -> Array:
        """Records of a kind since the last call, a structured array; the scoreboard has checked them."""
        self._board.drain()
        kept = self._kept[kind]
        out = np.concatenate(kept) if kept else np.zeros(0, DTYPES[RECORDS[kind]])
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
        waits or runs. Its result is valid in the cycle that the record of its end names. Commands run one after
        another, so that starts and ends pair up in order.
        """
        pushed, done = self.take(Kind.Command), self.take(Kind.CmdDone)
        if len(pushed) != len(done):
            raise ValueError(f"{len(pushed)} commands pushed, {len(done)} done: wait for the last one first")
        return pushed["cmd"], done["cycle"].astype(np.int64) - (pushed["cycle"].astype(np.int64) + 1)


INSERT, FREE_REQUEST = int(Cmd.INSERT), int(Cmd.FREE_REQUEST)
