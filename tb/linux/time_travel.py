"""The guest's clock: messages of User Mode Linux's time travel, and the calendar that grants it time.

The guest names the time of its next event (REQUEST) and waits (WAIT). It is granted that time and no other (RUN): its
clock moves only here. While it runs, its clock may be moved on (`passed`) up to its next event: that is how the time
that a register access takes becomes the guest's time, too.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from tb.linux.errors import ProtocolError

MESSAGE = struct.Struct("<IIQ")
CLOCK_STEP = 256  # ns: the clock that Linux shows counts in these
NEVER = 1 << 62  # the guest's "no event at all" is 2^63 - 1


class Op(IntEnum):
    """Kinds of messages."""

    ACK = 0
    START = 1
    REQUEST = 2
    WAIT = 3
    GET = 4
    UPDATE = 5
    RUN = 6
    FREE_UNTIL = 7
    GET_TOD = 8


@dataclass(frozen=True, slots=True)
class TimeMessage:
    """One message; `time` in ns."""

    op: Op
    sequence: int
    time: int

    def pack(self) -> bytes:
        """As it travels."""
        return MESSAGE.pack(self.op, self.sequence, self.time)


def parse(data: bytes) -> TimeMessage:
    """A message of the guest. Raises ProtocolError."""
    if len(data) != MESSAGE.size:
        raise ProtocolError(f"time travel: a message of {len(data)} bytes")
    op, sequence, time = MESSAGE.unpack(data)
    try:
        return TimeMessage(Op(op), sequence, time)
    except ValueError:
        raise ProtocolError(f"time travel: unknown operation {op}") from None


class Calendar:
    """What the guest waits for, and what its clock shows.

    Attributes:
        now: the guest's time, ns.
        request: its next event; NEVER or later: none.
        waiting: it waits for that event.
        messages, grants: handled, for reports and for tests of repeatability.
    """

    def __init__(self) -> None:
        self.now = 0
        self.request = NEVER
        self.waiting = False
        self.started = False
        self.messages = 0
        self.grants = 0
        self._sequence = 0

    def handle(self, message: TimeMessage) -> TimeMessage | None:
        """The answer to a message of the guest, None where there is none (its ACK). Raises ProtocolError."""
        self.messages += 1
        if message.op is Op.ACK:
            return None
        if self.started == (message.op is Op.START):
            raise ProtocolError(f"time travel: {message.op.name} {'again' if self.started else 'before START'}")
        time = 0
        match message.op:
            case Op.START:
                self.started = True
            case Op.REQUEST:
                if message.time < self.now:
                    raise ProtocolError(f"time travel: a request for {message.time} ns at {self.now} ns")
                self.request = message.time
            case Op.WAIT:
                if self.waiting:
                    raise ProtocolError("time travel: WAIT while it waits")
                self.waiting = True
            case Op.GET:
                time = self.now
            case Op.UPDATE:
                if message.time != self.now:
                    raise ProtocolError(f"time travel: the guest is at {message.time} ns, the calendar at {self.now}")
            case Op.GET_TOD:
                time = 0
            case _:
                raise ProtocolError(f"time travel: {message.op.name} from the guest")
        return TimeMessage(Op.ACK, message.sequence, time)

    def reached(self, time: int) -> None:
        """The guest waits, and the device is at `time`: an interrupt comes at that time, at most at its request."""
        self.now = max(self.now, min(time, self.request))

    def grant(self) -> TimeMessage:
        """Let the guest run at the time that it asked for. Raises ProtocolError: it does not wait."""
        if not self.waiting:
            raise ProtocolError("time travel: nothing to grant")
        self.waiting = False
        self.grants += 1
        self.now = self.request
        return self._run()

    def passed(self, time: int) -> TimeMessage | None:
        """The guest runs and the device is at `time`: moves its clock, not past its next event.

        None: nothing to do, as its clock would show what it shows now.
        """
        later = min(time, self.request)
        if self.waiting or later <= self.now or later // CLOCK_STEP == self.now // CLOCK_STEP:
            return None
        self.now = later
        return self._run()

    def _run(self) -> TimeMessage:
        self._sequence += 1
        return TimeMessage(Op.RUN, self._sequence, self.now)
