"""How quick the golden model is: `python -m model.bench` prints one figure a line.

Times are of this process's CPU, so that other work on the machine does not count.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from model.directory import DeviceState
from model.types import Status

_SEED = 1
SCAN_TARGET_MS = 2.0
LOOKUP_TARGET_US = 10.0


def full_device() -> tuple[DeviceState, list[int], float]:
    """A full-size directory filled up to its first FULL; its KV addresses; us per INSERT."""
    state = DeviceState()
    for tier in range(4):
        state.set_slots(tier, state.entry_count)
    rng = random.Random(_SEED)
    addresses: list[int] = []
    start = time.process_time()
    while True:
        address = rng.getrandbits(64) & ~(state.block_tokens - 1)
        end = (address & 0xFFFF_FFFF) + state.block_tokens - 1
        if state.insert(address, end, rng.randrange(4)).status != Status.OK:
            break
        addresses.append(address)
    return state, addresses, (time.process_time() - start) / len(addresses) * 1e6


def scatter(state: DeviceState) -> None:
    """Random field values, so that every branch of scoring has its share of entries."""
    rng = np.random.default_rng(_SEED)
    count = state.entry_count
    bounds = {"access_step": 1000, "ref_count": 2, "r": 256, "f": 256, "prefix": 2, "hint": 2}
    for name, bound in bounds.items():
        state.entries.arrays[name][:] = rng.integers(0, bound, count)
    hot = rng.random(count) < 0.1
    state.entries.arrays["hot"][:] = hot
    state.entries.arrays["evictable"][:] = (rng.random(count) < 0.1) & ~hot


def scan_times(state: DeviceState, scans: int) -> Iterator[float]:
    """Milliseconds of whole scans, begin to end."""
    state.config.enable = True
    state.config.evict_tiers = 0b0111
    for step in range(500, 500 + scans):
        state.set_step(step)
        start = time.process_time()
        state.run_scan()
        yield (time.process_time() - start) * 1e3


def per_call(call: Callable[[int], object], addresses: list[int]) -> float:
    """Microseconds of one call, over all addresses."""
    start = time.process_time()
    for address in addresses:
        call(address)
    return (time.process_time() - start) / len(addresses) * 1e6


def measure() -> dict[str, tuple[float, str, float | None]]:
    """Name to (value, unit, target); `model_scan` is the median of 50 scans."""
    state, addresses, insert_us = full_device()
    read_us = per_call(lambda a: state.lookup(0, a, write=False), addresses)
    write_us = per_call(lambda a: state.lookup(1, a, write=True), addresses)
    scatter(state)
    scans = list(scan_times(state, 50))
    return {
        "model_scan": (statistics.median(scans), "ms", SCAN_TARGET_MS),
        "model_scan_best": (min(scans), "ms", None),
        "model_lookup_read": (read_us, "us", LOOKUP_TARGET_US),
        "model_lookup_write": (write_us, "us", LOOKUP_TARGET_US),
        "model_insert_to_full": (insert_us, "us", None),
        "model_first_full": (len(addresses) / state.entry_count, "occupancy", None),
    }


def main() -> None:
    """Print the figures."""
    for name, (value, unit, target) in measure().items():
        bound = "" if target is None else f"   target <= {target:g} {unit}"
        print(f"{name:22s} {value:8.3f} {unit}{bound}")


if __name__ == "__main__":
    main()
