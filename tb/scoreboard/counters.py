"""Counter registers and what the golden model has counted."""

from model import DeviceState
from model.types import Counters


def counter_values(state: DeviceState) -> dict[str, int]:
    """Every counter register and its value in the model."""
    return by_register(state.counters)


def by_register(c: Counters) -> dict[str, int]:
    """The counters under the names of their registers."""
    return {
        "RTBD_HIT_COUNT": c.hit,
        "RTBD_MISS_COUNT": c.miss,
        "DENIED_COUNT": c.denied,
        "MISS_DROPPED_COUNT": c.miss_dropped,
        "COMPLETION_DROPPED_COUNT": c.completion_dropped,
        "EVICT_DROPPED_COUNT": c.dropped[0],
        "PREFETCH_DROPPED_COUNT": c.dropped[1],
        "SCAN_COUNT": c.scan_done,
        "SCAN_COALESCED_COUNT": c.scan_coalesced,
        "HINT_MISS_COUNT": c.hint_miss,
        "REF_SATURATED_COUNT": c.ref_saturated,
        "REF_UNDERFLOW_COUNT": c.ref_underflow,
        "CMD_REFUSED_COUNT": c.cmd_refused,
        "PARITY_COUNT": c.parity,
        "EVICT_BYTES_MOVED": c.bytes_moved[0],
        "PREFETCH_BYTES_MOVED": c.bytes_moved[1],
        "EVICT_ERROR_COUNT": c.errors[0],
        "PREFETCH_ERROR_COUNT": c.errors[1],
        "EVICT_VOID_COUNT": c.voids[0],
        "PREFETCH_VOID_COUNT": c.voids[1],
    }
