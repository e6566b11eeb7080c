"""Random command streams: what software and the ports might do, legal or not, from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from sw.regs import registers as regs
from tests.oracle.state import Key, Sizes, kv_address

RANGES = ("BOOST", "IMEVICT", "COOL", "SHARE", "RELEASE", "PREFETCH")
TIER_BASES = (0x1_0000_0000, 0x2_0000_0000, 0x3_0000_0000, 1 << 40)


@dataclass(frozen=True)
class Write:
    """Write a BAR0 offset, which may be no register at all."""

    offset: int
    value: int

    def __str__(self) -> str:
        register = regs.BY_OFFSET.get(self.offset)
        return f"write {register.name if register else hex(self.offset)} := {self.value:#x}"


@dataclass(frozen=True)
class Read:
    """Read a BAR0 offset."""

    offset: int

    def __str__(self) -> str:
        register = regs.BY_OFFSET.get(self.offset)
        return f"read {register.name if register else hex(self.offset)}"


@dataclass(frozen=True)
class Directory:
    """A directory command: DIR_ADDR, DIR_ARG, DIR_COMMAND."""

    command: int
    address: int
    argument: int

    def __str__(self) -> str:
        fields = {name: value for name, value in regs.DIR_ARG.unpack(self.argument).items() if value}
        name = regs.Command(self.command).name if 1 <= self.command <= 5 else f"command {self.command}"
        return f"{name} {show(self.address)} {fields}"


@dataclass(frozen=True)
class Range:
    """A range command: its ADDR, LEN and, for PREFETCH, STEP."""

    name: str
    address: int
    length: int
    step: int = 0

    def __str__(self) -> str:
        return f"{self.name} {show(self.address)} length {self.length}" + (
            f" step {self.step}" if self.name == "PREFETCH" else ""
        )


@dataclass(frozen=True)
class Lookup:
    """A lookup at a port."""

    port: int
    address: int
    write: bool

    def __str__(self) -> str:
        return f"{'write' if self.write else 'read'} lookup {show(self.address)} at port {self.port}"


@dataclass(frozen=True)
class Corrupt:
    """Damage the memory word of a block's entry (only where the device can be reached from inside)."""

    address: int

    def __str__(self) -> str:
        return f"bad parity in the entry of {show(self.address)}"


@dataclass(frozen=True)
class Check:
    """Compare everything that software can see."""

    def __str__(self) -> str:
        return "compare everything"


Op = Write | Read | Directory | Range | Lookup | Corrupt | Check


def show(address: int) -> str:
    """A KV address as request:layer:head:token."""
    return f"{address >> 48}:{address >> 40 & 255}:{address >> 32 & 255}:{address & 0xFFFFFFFF}"


class Maker:
    """Makes the operations of one stream; every choice comes from the seed."""

    def __init__(self, seed: int, sizes: Sizes) -> None:
        self.random = random.Random(seed)
        self.sizes = sizes
        self.step = self.random.choice((0, 1, 1000, 2**31 - 2, 2**32 - 3))
        self.keys = self.some_keys()
        self.small = self.random.random() < 0.4  # weights and thresholds so small that they meet
        self.flood = self.random.random() < 0.15  # queues fill while no move starts
        self.tier_bytes = self.random.choice((256, 256, 320, 1024))

    def some_keys(self) -> list[Key]:
        """Up to 40 blocks: few requests, neighbours in token, head and layer, and the last block of all."""
        block = self.sizes.block_tokens
        bases = [0, 1, 2, 3, (2**32 - 1) // block - 1, (2**32 - 1) // block]
        pick = self.random.choice
        keys = {
            (pick((0, 1, 2, 2, 65535)), pick((0, 0, 1, 255)), pick((0, 0, 1, 255)), pick(bases) * block)
            for _ in range(pick((8, 16, 40)))
        }
        return sorted(keys)[:40]

    def block(self) -> int:
        return kv_address(self.random.choice(self.keys))

    def token(self) -> int:
        """Any token of some block, near its ends more often than not."""
        last = self.sizes.block_tokens - 1
        return self.block() + self.random.choice((0, 0, last // 2, last, self.random.randint(0, last)))

    def setup(self) -> list[Op]:
        """Slots, pressure, policy: so that something happens."""
        pick, ops = self.random.choice, []
        write = self.write
        ops.append(write("BLOCK_BYTES", self.tier_bytes))
        for tier in range(4):
            ops.append(write(f"TIER{tier}_BASE", TIER_BASES[tier]))
            slots = 100 if self.flood else pick((4, 8, 12, 20)) if tier < 3 else 60
            ops.append(write(f"TIER{tier}_SLOTS", min(slots, self.sizes.entries)))
            low = pick((0, 1, 3, 6))
            ops.append(write(f"TIER{tier}_LOW", low))
            ops.append(write(f"TIER{tier}_HIGH", low + pick((0, 1, 4, 8))))
            ops.append(write(f"TIER{tier}_RESERVE", pick((0, 0, 1, 2))))
        ops.append(write("EVICT_TIERS", pick((7, 7, 15, 2, 5))))
        ops.append(write("PROMOTE_TIER", pick((0, 1, 1, 2))))
        ops.append(write("CTRL", pick((1, 1, 3))))
        for _ in range(4):
            ops.append(self.configuration())
        return [*ops, write("STEP_ADVANCE", self.step), *(self.insert() for _ in range(12))]

    def write(self, name: str, value: int) -> Write:
        return Write(regs.BY_NAME[name].offset, value)

    def insert(self) -> Directory:
        """INSERT, now and then with a bad argument."""
        pick, last = self.random.choice, self.sizes.block_tokens - 1
        address = self.block() if self.random.random() < 0.95 else self.token()
        end = (address & 0xFFFFFFFF) + pick((0, last // 2, last, max(0, last - 1)))
        if self.random.random() < 0.06:
            end += pick((1, last + 1, -1))
        argument = regs.DIR_ARG.pack(
            TOKEN_END=end % 2**32, TIER=pick((0, 0, 1, 1, 2, 3)), PREFIX=pick((0, 0, 1)), HOT=pick((0, 0, 0, 1))
        )
        return Directory(regs.Command.INSERT, address, argument)

    def directory(self) -> Directory:
        pick = self.random.choice
        command = pick((2, 2, 3, 3, 4, 5, 5, 5, 5, pick((0, 6, 7))))
        return Directory(command, self.token(), regs.DIR_ARG.pack(TIER=pick((0, 1, 2, 3)), TOUCH=pick((0, 1))))

    def range(self) -> Range:
        pick, block = self.random.choice, self.sizes.block_tokens
        length = pick((1, block, block, block + 1, 2 * block, 3 * block, self.random.randint(1, 4 * block)))
        address = self.token()
        if self.random.random() < 0.12:
            over, left = self.sizes.entries * block, 2**32 - (address & 0xFFFFFFFF)
            length = pick((0, over, over + 1, over - 1, left, left + 1, 2**64 - 1, 2**32 + 1))
        step = (self.step + pick((-1, 0, 1, 1, 2, 3, 5, 2**31 - 1, 2**31))) % 2**32
        return Range(pick(RANGES), address, length, step)

    def advance(self) -> Write:
        """Mostly the next step; sometimes the same, an earlier or a far one."""
        pick = self.random.choice
        delta = pick((1, 1, 1, 1, 1, 1, 2, 0, 100, 300, -1, 2**31, 2**31 - 1, self.random.getrandbits(32)))
        self.step = (self.step + delta) % 2**32
        return self.write(pick(("STEP_ADVANCE", "STEP_ADVANCE", "STEP_ADVANCE_ALIAS")), self.step)

    def configuration(self) -> Write:
        """A policy register, often at an end of its values."""
        pick, bits = self.random.choice, self.random.getrandbits
        small = self.small
        threshold = pick((0, 1, 2, 3, 255)) if small else pick((0, 1, 256, 65535, 65534, bits(16), bits(16)))
        other = pick((0, 1, 2, 4, 65535)) if small else pick((0, 65535, 65535, bits(16)))
        values = {
            "R_SHIFT": pick((0, 1, 3, 7, 8, bits(64))),
            "F_AGE": pick((0, 1, 1, 2, 3, 31, 32)),
            "LOOKAHEAD": pick((0, 1, 2, 5, 2**31 - 1, 2**32)),
            "HOLD": pick((0, 1, 2, 3, 5, 2**31 - 1)),
            "PROMOTE_TIER": pick((0, 1, 2, 3)),
            "EVICT_TIERS": pick((0, 1, 2, 4, 7, 15, 255)),
            "EVICT_THRESH": threshold,
            "PREFETCH_THRESH": other,
            "THRESHOLDS": threshold + 65536 * other,
            "CMD_SPAN": pick((0x0101, 0x0101, 0x0102, 0x0201, 0, 0x0303, 0x01FF)),
            "CONTEND_POLICY": pick((0, 1, 255, 256)),
            "MAX_RETRY": pick((0, 1, 255)),
            "IRQ_ENABLE": bits(8),
            "IRQ_STATUS": bits(8),
            "PARITY_INFO": pick((0, 1)),
            "PREFETCH_LEN": pick((0, 1, 2**40)),
        }
        for weight in "RFSD":
            values[f"WEIGHT_{weight}"] = (
                pick((0, 0, 1)) if small else pick((0, 1, 64, 255, 255, bits(8), 256 + bits(8)))
            )
        name = pick(tuple(values))
        return self.write(name, values[name])

    def storage(self) -> Write:
        """A register of a tier or a port's window."""
        pick, tier = self.random.choice, self.random.randrange(4)
        port = pick((self.random.randrange(self.sizes.ports), self.random.randrange(8)))
        name, value = pick(
            (
                (f"TIER{tier}_LOW", pick((0, 1, 2, 4, 8, 70))),
                (f"TIER{tier}_HIGH", pick((0, 2, 5, 9, 70))),
                (f"TIER{tier}_RESERVE", pick((0, 1, 3, 131071))),
                (f"TIER{tier}_SLOTS", pick((0, 5, 9, self.sizes.entries, self.sizes.entries + 1))),
                (f"TIER{tier}_BASE", pick((TIER_BASES[tier] + 4096, TIER_BASES[tier], TIER_BASES[tier] + 64))),
                ("BLOCK_BYTES", pick((256, 192, 65536, 65600, 300, 512))),
                (f"PORT{port}_REQ_LO", pick((0, 0, 1, 2, 3, 65535))),
                (f"PORT{port}_REQ_HI", pick((65535, 65535, 2, 1, 0, 65534))),
            )
        )
        return self.write(name, value)

    def stray(self) -> Op:
        """An access that is refused, or one with few effects."""
        offset = self.random.choice((0x4, 0x101, 0x2000, 0x2008, 0x0FF8, 0x1FF8, 0x3FF8, 0x0120, 0x0618, 0x0700, 0x0))
        if self.random.random() < 0.5:
            return Read(offset)
        return Write(offset, self.random.getrandbits(64)) if offset else Read(offset)

    def control(self) -> Write:
        """ENABLE and DEMAND on or off."""
        return self.write("CTRL", self.random.choice((0, 1, 1, 1, 2, 3, 3)))

    def lookup(self) -> Lookup:
        return Lookup(self.random.randrange(self.sizes.ports), self.token(), self.random.random() < 0.4)

    def grow(self) -> list[Op]:
        """Write lookups along a block."""
        start, port = self.block(), self.random.randrange(self.sizes.ports)
        last = self.sizes.block_tokens - 1
        first, pace = self.random.choice((0, last // 2, last // 2)), self.random.choice((1, 1, 2))
        return [Lookup(port, start + token, True) for token in range(first + 1, min(first + 5, last + 1), pace)]

    def hinted(self) -> list[Op]:
        """A hint whose step is at, or next to, the end of LOOKAHEAD or HOLD when the scan meets it."""
        pick, ahead = self.random.choice, self.random.choice((1, 2, 4))
        self.step = (self.step + 1) % 2**32
        return [
            self.write("THRESHOLDS", pick((0xFFFF_FFFF, 0xFFFF_0000))),
            self.write("EVICT_TIERS", 7),
            self.write("LOOKAHEAD", pick((0, ahead - 1, ahead))),
            self.write("HOLD", pick((0, ahead, ahead + 1))),
            Range("PREFETCH", self.block(), 3 * self.sizes.block_tokens, (self.step + ahead) % 2**32),
            self.write("STEP_ADVANCE", self.step),
        ]

    def pressed(self) -> list[Op]:
        """Two scans of which the second evicts by the automatic threshold."""
        tier, pick = self.random.randrange(3), self.random.choice
        ops: list[Op] = [self.write("THRESHOLDS", pick((0xFFFF_0000, 0x8000_0000))), self.write("EVICT_TIERS", 7)]
        ops += [self.write(f"TIER{tier}_LOW", 1000), self.write(f"TIER{tier}_HIGH", pick((4, 6, 8, 10, 14)))]
        for _ in range(2):
            self.step = (self.step + 1) % 2**32
            ops.append(self.write("STEP_ADVANCE", self.step))
        return [*ops, self.write(f"TIER{tier}_LOW", 2)]

    def paused(self) -> list[Op]:
        """Items that wait while their blocks change: no move starts while ENABLE is 0."""
        ops: list[Op] = [self.write("CTRL", self.random.choice((0, 2)))]
        blocks = [self.block(), self.block()]
        for _ in range(self.random.randint(4, 14)):
            block, tier = self.random.choice(blocks), self.random.randrange(4)
            name = self.random.choice((*RANGES, "MIGRATE", "MIGRATE", "LOOKUP", "REMOVE", "INSERT", "STEP"))
            if name == "STEP":
                ops.append(self.advance())
            elif name in RANGES:
                ops.append(Range(name, block, 1, self.step))
            else:
                argument = regs.DIR_ARG.pack(TOKEN_END=block & 0xFFFFFFFF, TIER=tier, TOUCH=1)
                ops.append(Directory(regs.Command[name], block, argument))
        return [*ops, Check(), self.write("CTRL", self.random.choice((1, 1, 3)))]

    def windows(self) -> list[Op]:
        """A tenant window, and lookups on both sides of its ends."""
        pick, port = self.random.choice, self.random.randrange(self.sizes.ports)
        ops: list[Op] = [
            self.write(f"PORT{port}_REQ_LO", pick((0, 1, 2, 3))),
            self.write(f"PORT{port}_REQ_HI", pick((0, 1, 2, 65534, 65535))),
        ]
        ops += [Lookup(port, pick((0, 1, 2, 65535)) << 48 | pick((0, 1)), pick((True, False))) for _ in range(3)]
        return [*ops, self.write(f"PORT{port}_REQ_LO", 0), self.write(f"PORT{port}_REQ_HI", 65535)]

    def corrupted(self) -> list[Op]:
        """A full block whose entry goes bad, and some that ask for it."""
        block, last = self.block(), self.sizes.block_tokens - 1
        argument = regs.DIR_ARG.pack(TOKEN_END=(block & 0xFFFFFFFF) + last, TIER=3)
        new = Directory(regs.Command.INSERT, block, argument)
        remove = Directory(regs.Command.REMOVE, block, 0)
        asks: list[Op] = [new, Lookup(0, block, True), remove, Range("BOOST", block, 1)]
        return [remove, new, Corrupt(block), *self.random.sample(asks, 2)]

    def reset(self) -> list[Op]:
        """A soft reset, and blocks again."""
        ops: list[Op] = [self.write("CTRL", self.random.choice((0x101, 0x103, 0x100))), Check(), self.write("CTRL", 1)]
        return ops + [self.insert() for _ in range(6)]

    def saturate(self) -> list[Op]:
        """A counter of one block up to its end."""
        block = self.block()
        what: Op = self.random.choice((Range("SHARE", block, 1), Lookup(0, block, False)))
        return [what] * self.random.choice((3, 257))

    def flooded(self) -> list[Op]:
        """More moves than a queue holds, while none starts."""
        ops: list[Op] = [self.write("CTRL", self.random.choice((0, 2)))]
        directions = self.random.choice((((0, 2), (1, 3)), ((2, 0), (3, 1)), ((0, 2), (2, 1))))
        for _ in range(self.random.choice((40, 160))):
            key = self.block()
            end = (key & 0xFFFFFFFF) + self.sizes.block_tokens - 1
            tier, target = self.random.choice(directions)
            ops.append(Directory(regs.Command.REMOVE, key, 0))
            ops.append(Directory(regs.Command.INSERT, key, regs.DIR_ARG.pack(TOKEN_END=end, TIER=tier)))
            if self.random.random() < 0.2:
                ops.append(Range(self.random.choice(("IMEVICT", "PREFETCH")), key, 1, self.step))
            else:
                ops.append(Directory(regs.Command.MIGRATE, key, regs.DIR_ARG.pack(TIER=target)))
        return [*ops, Check(), self.write("CTRL", 1)]

    def some(self) -> list[Op]:
        """The next operation, or a short run of them."""
        choices: tuple[tuple[int, Callable[[], list[Op]]], ...] = (
            (20, lambda: [self.insert()]),
            (12, lambda: [self.directory()]),
            (16, lambda: [self.range()]),
            (16, lambda: [self.lookup()]),
            (4, self.grow),
            (10, lambda: [self.advance()]),
            (8, lambda: [self.configuration()]),
            (5, lambda: [self.storage()]),
            (3, lambda: [self.control()]),
            (4, self.hinted),
            (3, self.pressed),
            (5, self.paused),
            (2, self.windows),
            (1, self.reset),
            (1, lambda: [self.stray()]),
            (2, lambda: [Read(regs.MISS_ADDR.offset)]),
            (5, lambda: [Check()]),
            (1, self.corrupted),
        )
        weights = [weight for weight, _ in choices]
        return self.random.choices([make for _, make in choices], weights)[0]()


def make(seed: int, sizes: Sizes, length: int) -> list[Op]:
    """A stream of about `length` operations after its set-up."""
    maker = Maker(seed, sizes)
    ops = maker.setup()
    end = len(ops) + length
    while len(ops) < end:
        ops += maker.some()
    if maker.flood:
        ops += maker.flooded()
    elif maker.random.random() < 0.2:
        ops += maker.saturate()
    return [*ops, maker.advance(), Check()]
