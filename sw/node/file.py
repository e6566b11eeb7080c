"""One open file of the node."""

from __future__ import annotations

from dataclasses import dataclass, field

from sw.control.plane import ControlStream
from sw.driver.ioctl import Ioctl
from sw.kernel.capability import Capability


@dataclass(slots=True, eq=False)
class File:
    """One open file.

    Attributes:
        ioctl: its published calls.
        stream: its control frames.
        pid: the process that opened it.
        inferences: numbers of those that it has started or was the last to poll; they end with it.
        requests: ids of blocks that are its own; they are freed with it.
        buffers: handles of the shared buffers that it has made; they are released with it.
        failures: calls and buffers that were refused with AuthFailed.
    """

    ioctl: Ioctl
    stream: ControlStream
    pid: int = 0
    inferences: set[int] = field(default_factory=set)
    requests: set[int] = field(default_factory=set)
    buffers: dict[int, Capability] = field(default_factory=dict)
    failures: int = 0

    @property
    def failed(self) -> int:
        """Requests and frames that were refused with AuthFailed."""
        return self.failures + self.stream.failures

    @property
    def holds_work(self) -> bool:
        """Something would end with it."""
        return bool(self.inferences or self.requests or self.buffers or len(self.ioctl.bindings))
