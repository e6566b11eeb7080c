"""What the device model's operations cost, in cycles."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Figures of the timing model, in cycles of the device clock.

    `beat_cycles`, `read_latency`, `write_latency` are of the memory behind each tier: cycles per
    bus word, cycles to the first read data, cycles from the last write data to its response.
    """

    clock_mhz: int = 250
    mmio_read: int = 6
    mmio_write: int = 7
    lookup_latency: int = 6
    command_step: int = 2  # one block of a range
    command: int = 12  # a directory command, or the ends of a range
    relocation: int = 40  # what each relocation adds to an INSERT
    scan_chunk: int = 256  # rows of a scan that are scored at one instant
    scan_start: int = 2  # from STEP_ADVANCE to the first row
    scan_tail: int = 6  # from the last row to scan done
    scan_gap: int = 264  # histogram pass between two scans
    decision: int = 7  # from an entry's row to its item in the queue
    move_start: int = 12  # from an item in a queue to its first read address
    move_end: int = 12  # from the last write response to the commit
    beat_cycles: tuple[int, int, int, int] = (1, 1, 1, 1)
    read_latency: tuple[int, int, int, int] = (40, 60, 150, 400)
    write_latency: tuple[int, int, int, int] = (40, 60, 150, 400)
