"""Short ways to a device in a wanted state."""

from __future__ import annotations

from model.directory import DeviceState
from model.types import Channel, CompletionStatus, Item, MoveResult, Status


def kv(request: int = 1, block: int = 0, *, layer: int = 0, head: int = 0, offset: int = 0) -> int:
    """A KV address in blocks of 16 tokens."""
    return request << 48 | layer << 40 | head << 32 | (block * 16 + offset)


def device(*slots: int, entries: int = 1024, lanes: int = 4, block_tokens: int = 16) -> DeviceState:
    """A small enabled device; SLOTS of tiers 0 to 3 (default 64 each), bases apart."""
    state = DeviceState(entries=entries, lanes=lanes, ports=3, block_tokens=block_tokens)
    for tier in range(4):
        state.config.base[tier] = 0x1_0000_0000 * (tier + 1)
        state.set_slots(tier, slots[tier] if slots else 64)
    state.config.enable = True
    return state


def put(state: DeviceState, address: int, tier: int = 1, **fields: int) -> int:
    """INSERT a whole block, then set fields of its entry as a test needs them; its index."""
    start = address & 0xFFFFFFFF
    result = state.insert(address, start + state.block_tokens - 1, tier)
    assert result.status == Status.OK, result
    for name, value in fields.items():
        getattr(state.entries, name)[result.index] = value
    return result.index


def cold(state: DeviceState, address: int, tier: int = 1, **fields: int) -> int:
    """A block that nothing keeps from moving to a slower tier."""
    return put(state, address, tier, **({"r": 0, "f": 0} | fields))


def advance(state: DeviceState, step: int | None = None) -> None:
    """STEP_ADVANCE and its whole scan."""
    state.set_step(state.step + 1 if step is None else step)
    state.run_scan()


def begin(state: DeviceState, channel: Channel = Channel.EVICT) -> Item:
    """Take the queue's head and pass its start checks."""
    item = state.pop(channel)
    assert state.start(item).result == MoveResult.OK
    return item


def last_completion(state: DeviceState) -> CompletionStatus:
    """Status of the newest completion."""
    return state.completion_queue[-1].status
