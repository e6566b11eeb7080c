"""The driver of one device: probe, configuration, steps; commands and monitoring are its bases."""

from __future__ import annotations

from dataclasses import dataclass

from sw.driver.commands import Commands
from sw.driver.errors import BadArgument, UnknownDevice
from sw.driver.monitoring import Monitoring
from sw.driver.registers import Event, Registers, pack
from sw.driver.types import TIERS, Caps, TierConfig
from sw.regs import registers as regs
from sw.regs.register import Register
from sw.transport.base import Operation, Transport

DEFAULT_TIMEOUT_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights (8 bits) and thresholds (16 bits) of the score."""

    w_r: int
    w_f: int
    w_s: int
    w_d: int
    evict_thresh: int
    prefetch_thresh: int


_WEIGHTS: tuple[Register, ...] = (
    regs.WEIGHT_R,
    regs.WEIGHT_F,
    regs.WEIGHT_S,
    regs.WEIGHT_D,
    regs.EVICT_THRESH,
    regs.PREFETCH_THRESH,
)


class Driver(Commands, Monitoring):
    """Everything the device offers, over any transport. Make one with `Driver.probe`.

    Attributes:
        last_step: the step as this driver has last written or read it.
    """

    def __init__(self, registers: Registers, caps: Caps) -> None:
        """Use `probe`."""
        Commands.__init__(self, registers, caps)
        self.last_step = 0
        Monitoring.__init__(self, registers, caps)

    @classmethod
    async def probe(cls, transport: Transport, timeout_ns: int = DEFAULT_TIMEOUT_NS) -> Driver:
        """Look at the device behind a transport and make its driver.

        Args:
            transport: who answers.
            timeout_ns: limit of every wait that names none, in device time.

        Raises:
            UnknownDevice: ID, VERSION or CAPS are not known to this driver.
            Timeout: the device was not initialised within the limit.
        """
        registers = Registers(transport, timeout_ns)
        identity, version, caps = await registers.read_all((regs.ID, regs.VERSION, regs.CAPS))
        if identity != regs.ID.reset:
            raise UnknownDevice(f"ID {identity:#x}: not a KV-CPU device ({regs.ID.reset:#x})")
        if version != regs.VERSION.reset:
            raise UnknownDevice(f"VERSION {version:#x}: this driver knows {regs.VERSION.reset:#x}")
        driver = cls(registers, Caps.unpack(caps))
        await driver._initialised()
        driver._span = await driver._read_span()
        return driver

    async def _read_span(self) -> tuple[int, int]:
        span = await self.registers.get(regs.CMD_SPAN)
        return max(1, span["LAYERS"]), max(1, span["HEADS"])

    async def _initialised(self) -> None:
        # There is no interrupt for this; every read takes device time, so the limit comes.
        end = self.registers.transport.now() + self.registers.timeout_ns
        while not (await self.status())["INITIALISED"]:
            if self.registers.transport.now() >= end:
                raise await self.registers.timed_out("end of reset", self.registers.timeout_ns)

    # ------------------------------------------------------------------ control

    async def enable(self, *, demand: bool) -> None:
        """Let ports, scans and moves run; `demand`: hits in slow tiers queue promotions."""
        await self.registers.set(regs.CTRL, ENABLE=1, DEMAND=int(demand))

    async def disable(self) -> None:
        """Stop ports, scans and new moves; commands go on working."""
        await self.registers.set(regs.CTRL)

    async def soft_reset(self) -> None:
        """Empty the device; its configuration registers stay.

        Raises:
            Timeout: the device was not initialised again within the limit.
        """
        control = await self.registers.read(regs.CTRL)
        await self.registers.write(regs.CTRL, control | pack(regs.CTRL, SOFT_RESET=1))
        self.registers.forget()
        self._queued = 0
        self.last_step = 0
        await self._initialised()

    async def configure_tiers(self, tiers: dict[int, TierConfig]) -> None:
        """Give tiers their place and size.

        Raises:
            BadArgument: no such tier, a base not a multiple of 4,096, more slots than entries.
            Refused: the tier is in use.
        """
        put, operations = self.registers.put, list[Operation]()
        for tier, config in tiers.items():
            if not 0 <= tier < TIERS:
                raise BadArgument(f"tier {tier}: 0 to {TIERS - 1}")
            if config.base % 4096:
                raise BadArgument(f"BASE of tier {tier}: {config.base:#x}: a multiple of 4,096")
            for name, number in (
                ("SLOTS", config.slots),
                ("RESERVE", config.reserve),
                ("LOW", config.low),
                ("HIGH", config.high),
            ):
                if not 0 <= number <= self.caps.entries:
                    raise BadArgument(f"{name} of tier {tier}: {number}: 0 to {self.caps.entries}")
            operations += [
                put(regs.TIER_BASE[tier], config.base),
                put(regs.TIER_SLOTS[tier], config.slots),
                put(regs.TIER_RESERVE[tier], config.reserve),
                put(regs.TIER_LOW[tier], config.low),
                put(regs.TIER_HIGH[tier], config.high),
            ]
        await self.registers.batch(operations)

    async def configure_block_bytes(self, block_bytes: int) -> None:
        """Set the bytes of one block.

        Raises:
            BadArgument: not a multiple of 64 from 256 to 65,536.
            Refused: a slot is in use.
        """
        if block_bytes % 64 or not 256 <= block_bytes <= 65536:
            raise BadArgument(f"BLOCK_BYTES {block_bytes}: a multiple of 64, 256 to 65,536")
        await self.registers.write(regs.BLOCK_BYTES, block_bytes)

    async def configure_window(self, port: int, low: int, high: int) -> None:
        """Let a port look up requests `low` to `high` only.

        Raises:
            BadArgument: the device has no such port, or a bound over 16 bits.
        """
        if not 0 <= port < self.caps.ports:
            raise BadArgument(f"port {port}: the device has {self.caps.ports}")
        lowest = pack(regs.PORT_REQ_LO[port], REQUEST_ID=low)
        highest = pack(regs.PORT_REQ_HI[port], REQUEST_ID=high)
        put = self.registers.put
        await self.registers.batch([put(regs.PORT_REQ_LO[port], lowest), put(regs.PORT_REQ_HI[port], highest)])

    async def configure(self, register: Register, **fields: int) -> None:
        """Write a configuration register by its fields; fields not named become 0.

        Raises:
            BadArgument: no such field, or a value does not fit.
            Refused: the device refuses the value.
        """
        await self.registers.set(register, **fields)

    # ------------------------------------------------------------------ steps and weights

    async def step(self, step: int) -> None:
        """STEP_ADVANCE: set the step and start a scan; does not wait for it.

        Raises:
            BadArgument: over 32 bits.
        """
        await self.registers.write(regs.STEP_ADVANCE, pack(regs.STEP_ADVANCE, STEP=step))
        self.last_step = step

    async def step_and_scan(self, step: int, timeout_ns: int | None = None) -> None:
        """STEP_ADVANCE, and wait for the end of its own scan.

        Where a scan runs already, this step's follows it (device.md 4), so the first end may be the other one's.

        Raises:
            BadArgument: over 32 bits.
            Timeout: a scan did not end within the limit.
        """
        what = f"end of the scan of step {step}"
        await self.registers.enable(Event.SCAN_DONE)
        await self.registers.clear(Event.SCAN_DONE)
        await self.step(step)
        await self.registers.wait(Event.SCAN_DONE, what, timeout_ns)
        if (await self.registers.get(regs.STATUS))["SCANNING"]:
            await self.registers.wait(Event.SCAN_DONE, what, timeout_ns)

    async def current_step(self) -> int:
        """The step as lookups see it."""
        self.last_step = await self.registers.read(regs.STEP_ADVANCE)
        return self.last_step

    async def set_weights(self, weights: Weights) -> None:
        """Set weights and thresholds; the thresholds change at once, so no order is refused.

        Raises:
            BadArgument: a value does not fit, or evict_thresh > prefetch_thresh.
        """
        if weights.evict_thresh > weights.prefetch_thresh:
            raise BadArgument(f"EVICT_THRESH {weights.evict_thresh} > PREFETCH_THRESH {weights.prefetch_thresh}")
        both = pack(regs.THRESHOLDS, EVICT=weights.evict_thresh, PREFETCH=weights.prefetch_thresh)
        values = (weights.w_r, weights.w_f, weights.w_s, weights.w_d)
        put = self.registers.put
        operations: list[Operation] = [
            put(register, pack(register, WEIGHT=value)) for register, value in zip(_WEIGHTS[:4], values, strict=True)
        ]
        operations.append(put(regs.THRESHOLDS, both))
        await self.registers.batch(operations)

    async def weights(self) -> Weights:
        """Weights and thresholds as the device has them."""
        return Weights(*await self.registers.read_all(_WEIGHTS))
