"""The DMA of the device model: takes items, moves bytes, takes the time that this needs."""

from __future__ import annotations

from collections.abc import Callable

from model.clock import Clock
from model.directory import DeviceState
from model.memory import TierMemory
from model.timing import Timing
from model.types import QUEUE_DEPTH, Channel, Item, MoveResult, StartResult

_MOVES = 64  # at once
_AHEAD = 8  # blocks of data that started moves may have before them on the bus


class DmaEngine:
    """Both channels on one AXI master: data beats share the bus, latencies overlap.

    Attributes:
        beats: data beats that the tries begun since the reset put on the bus.
    """

    def __init__(
        self,
        state: DeviceState,
        clock: Clock,
        memory: TierMemory,
        timing: Timing,
        axi_data_width: int,
        changed: Callable[[], None],
    ) -> None:
        self._state = state
        self._clock = clock
        self._memory = memory
        self._timing = timing
        self._bus_bytes = axi_data_width // 8
        self._changed = changed  # called when an item has ended
        self.clear()

    def clear(self) -> None:
        """Reset: no move runs."""
        self.running = 0
        self.beats = 0
        self._bus_free = 0
        self._last = Channel.PREFETCH
        self._woken = False

    def kick(self) -> None:
        """Let waiting decisions into their queues, and start what may start."""
        state = self._state
        while True:
            for channel in Channel:
                while state.waiting[channel] and len(state.queues[channel]) < QUEUE_DEPTH:
                    state.queue_push(channel)
            if not state.config.enable or self.running == _MOVES or not any(state.queues):
                return
            wait = self._bus_free - self._clock.cycle - _AHEAD * self._beats()
            if wait > 0:
                if not self._woken:
                    self._woken = True
                    self._clock.after(wait, self._wake)
                return
            other = Channel(1 - self._last)
            channel = other if state.queues[other] else self._last
            self._last = channel
            self.running += 1
            self._start(state.pop(channel))

    def _wake(self) -> None:
        self._woken = False
        self.kick()

    def _beats(self) -> int:
        return -(-self._state.config.block_bytes // self._bus_bytes)

    def _start(self, item: Item) -> None:
        start = self._state.start(item)
        if start.result != MoveResult.OK:
            self.running -= 1
            return
        t = self._timing
        beats = self._beats() * max(t.beat_cycles[start.tier], t.beat_cycles[start.to_tier])
        self.beats += beats
        first = max(self._clock.cycle + t.move_start, self._bus_free)
        self._bus_free = first + beats
        latency = t.read_latency[start.tier] + t.write_latency[start.to_tier]
        done = first + beats + latency + t.move_end
        self._clock.after(done - self._clock.cycle, lambda: self._end(item, start))

    def _end(self, item: Item, start: StartResult) -> None:
        length = self._state.config.block_bytes
        read_error = self._memory.fails(start.tier, start.phys_addr, length, write=False)
        write_error = self._memory.fails(start.to_tier, start.to_phys_addr, length, write=True)
        if not (read_error or write_error):
            data = self._memory.read(start.tier, start.phys_addr, length)
            self._memory.write(start.to_tier, start.to_phys_addr, data)
        error = read_error or write_error
        result = self._state.end(item, error=error, error_on_write=not read_error)
        if result == MoveResult.RETRY:
            self._start(item)
        else:
            self.running -= 1
        self._changed()
