"""Errors of the device model at its pins."""

from __future__ import annotations

from sw.regs import registers as regs


class Slverr(Exception):
    """The device answers SLVERR: a refused access has no effect (device.md 10).

    `offset`: byte offset of the access; `write`: whether it was a write.
    """

    def __init__(self, offset: int, *, write: bool) -> None:
        register = regs.BY_OFFSET.get(offset)
        name = f" ({register.name})" if register else ""
        super().__init__(f"{'write' if write else 'read'} of {offset:#06x}{name} refused: SLVERR")
        self.offset = offset
        self.write = write


class PortNotReady(Exception):
    """A lookup port is not ready: CTRL.ENABLE is 0, or the directory is not initialised."""
