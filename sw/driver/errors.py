"""What can go wrong, typed. Every message is one line for the user."""

from __future__ import annotations

from collections.abc import Mapping

from sw.regs.kv_address import KvAddress
from sw.regs.registers import Command, Status


class DriverError(Exception):
    """Base of the driver's errors."""


class BadArgument(DriverError, ValueError):
    """An argument that the device could not accept; nothing was written."""


class UnknownDevice(DriverError):
    """ID, VERSION or CAPS are not those of a device this driver knows."""


class Refused(DriverError):
    """The device answered SLVERR.

    Attributes:
        register: name of the register.
        index: place of the access in its batch.
    """

    def __init__(self, action: str, register: str, index: int) -> None:
        """Name the access."""
        super().__init__(f"the device refused the {action} of {register}")
        self.register = register
        self.index = index


class Timeout(DriverError):
    """Something did not happen within its limit.

    Attributes:
        state: registers of the device when the driver gave up.
    """

    def __init__(self, what: str, limit_ns: int, state: Mapping[str, int]) -> None:
        """Name what was waited for, and show the device's state."""
        shown = ", ".join(f"{name}={value:#x}" for name, value in state.items())
        super().__init__(f"no {what} within {limit_ns} ns; device: {shown}")
        self.state = dict(state)


class DirectoryError(DriverError):
    """A directory command ended with a status other than OK.

    Attributes:
        command: the command.
        status: how it ended.
        kv_addr: its block.
    """

    def __init__(self, command: Command, status: Status, kv_addr: KvAddress) -> None:
        """Name command, block and status."""
        super().__init__(f"{command.name} of {kv_addr}: {status.name}")
        self.command = command
        self.status = status
        self.kv_addr = kv_addr
