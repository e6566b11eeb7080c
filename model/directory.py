"""DeviceState: the whole device at the transaction level, the golden model of device.md."""

from __future__ import annotations

from model.commands import CommandOps
from model.invariants import check
from model.moves import MoveOps
from model.scan import ScanOps


class DeviceState(ScanOps, CommandOps, MoveOps):
    """The device's architectural state, one method per atomic transaction.

    Fed the transactions in the order in which the device commits them, it gives every response,
    every decision, every move and the whole final state, bit for bit. A method that receives what
    the device chose (a slot, whether an item entered a queue) checks that the choice was legal
    and raises `Mismatch`; untold, it chooses as the hardware does.

    `ValueError` for illegal parameters (device.md 1).
    """

    def check(self) -> None:
        """The contract's invariants over the whole state; Mismatch names the broken one."""
        check(self)
