"""The driver, written once against a transport (software.md 1)."""

from sw.driver.device import Driver
from sw.driver.errors import (
    BadArgument,
    DirectoryError,
    DriverError,
    Refused,
    Timeout,
    UnknownDevice,
)

__all__ = [
    "BadArgument",
    "DirectoryError",
    "Driver",
    "DriverError",
    "Refused",
    "Timeout",
    "UnknownDevice",
]
