"""Values that the driver takes and returns."""

from __future__ import annotations

from dataclasses import dataclass

from sw.driver.errors import UnknownDevice
from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.regs.register import Register
from sw.regs.registers import Channel, Completion, Status

TIERS = 4
MAX_PORTS = 8


def _power_of_two(value: int, low: int, high: int) -> bool:
    return low <= value <= high and value & (value - 1) == 0


@dataclass(frozen=True, slots=True)
class Caps:
    """Sizes the device was built with (device.md 1)."""

    entries: int
    lanes: int
    ports: int
    block_tokens: int
    axi_data_width: int
    clock_mhz: int

    @classmethod
    def unpack(cls, value: int) -> Caps:
        """From the CAPS register.

        Raises:
            UnknownDevice: a size that no device of this contract has.
        """
        if value & ~sum(field.mask for field in regs.CAPS.fields):
            raise UnknownDevice(f"CAPS {value:#x} has bits this driver does not know")
        fields = {name.lower(): number for name, number in regs.CAPS.unpack(value).items()}
        caps = cls(**fields)
        legal = {
            "ENTRIES": _power_of_two(caps.entries, 1024, 65536),
            "LANES": caps.lanes in (4, 8, 16),
            "PORTS": 1 <= caps.ports <= MAX_PORTS,
            "BLOCK_TOKENS": _power_of_two(caps.block_tokens, 1, 256),
            "AXI_DATA_WIDTH": _power_of_two(caps.axi_data_width, 64, 512),
            "CLOCK_MHZ": caps.clock_mhz > 0,
        }
        for name, good in legal.items():
            if not good:
                raise UnknownDevice(f"CAPS.{name} is {fields[name.lower()]}: no such device")
        return caps


@dataclass(frozen=True, slots=True)
class CompletionItem:
    """One ended queue item (device.md 6)."""

    kv_addr: KvAddress
    from_tier: int
    to_tier: int
    status: Completion


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block is: an index (now), a tier (None after INSERT), a byte address."""

    index: int
    tier: int
    phys_addr: int


@dataclass(frozen=True, slots=True)
class InsertRequest:
    """Arguments of INSERT."""

    kv_addr: KvAddress
    token_end: int
    tier: int
    prefix: bool = False
    hot: bool = False


@dataclass(frozen=True, slots=True)
class InsertAnswer:
    """How an INSERT ended; `place` is None unless the status is OK."""

    status: Status
    place: Place | None


@dataclass(frozen=True, slots=True)
class Freed:
    """What FREE_REQUEST did: blocks removed, blocks that stayed because they are referenced."""

    removed: int
    stayed: int


@dataclass(frozen=True, slots=True)
class DmaError:
    """The first AXI error since the latch was released."""

    kv_addr: KvAddress
    channel: Channel
    write: bool


@dataclass(frozen=True, slots=True)
class TierConfig:
    """Configuration of one tier (device.md 5): byte address, slots, slots, slots, slots."""

    base: int
    slots: int
    reserve: int = 0
    low: int = 0
    high: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory entry, field by field (device.md 2)."""

    request_id: int
    layer: int
    head: int
    token_start: int
    token_end: int
    tier: int
    phys_addr: int
    priority: int
    access_step: int
    ref_count: int
    r: int
    f: int
    prefix: bool
    dirty: bool
    hot: bool
    evictable: bool
    hint: bool
    valid: bool

    @property
    def kv_addr(self) -> KvAddress:
        """First token of the block."""
        return KvAddress(self.request_id, self.layer, self.head, self.token_start)

    def holds(self, kv_addr: KvAddress) -> bool:
        """Whether a token is one of the block's valid ones."""
        same = (self.request_id, self.layer, self.head) == (kv_addr.request_id, kv_addr.layer, kv_addr.head)
        return self.valid and same and self.token_start <= kv_addr.token <= self.token_end

    @classmethod
    def unpack(cls, data: bytes) -> Entry:
        """From the 32 bytes of a slot of the directory window."""
        words = [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(4)]
        fields: dict[str, int] = {}
        for register, word in zip(regs.ENTRY_WORDS, words, strict=True):
            fields.update(register.unpack(word))
        low, high = regs.ENTRY_WORD1["PHYS_ADDR_LO"], regs.ENTRY_WORD2["ACCESS_STEP_LO"]
        return cls(
            request_id=fields["REQUEST_ID"],
            layer=fields["LAYER"],
            head=fields["HEAD"],
            token_start=fields["TOKEN_START"],
            token_end=fields["TOKEN_END"],
            tier=fields["TIER"],
            phys_addr=fields["PHYS_ADDR_LO"] | fields["PHYS_ADDR_HI"] << low.width,
            priority=fields["PRIORITY"],
            access_step=fields["ACCESS_STEP_LO"] | fields["ACCESS_STEP_HI"] << high.width,
            ref_count=fields["REF_COUNT"],
            r=fields["R"],
            f=fields["F"],
            prefix=bool(fields["PREFIX"]),
            dirty=bool(fields["DIRTY"]),
            hot=bool(fields["HOT"]),
            evictable=bool(fields["EVICTABLE"]),
            hint=bool(fields["HINT"]),
            valid=bool(fields["VALID"]),
        )


COUNTERS: tuple[Register, ...] = tuple(
    register for register in regs.REGISTERS if register.name.endswith(("_COUNT", "_BYTES_MOVED"))
)
