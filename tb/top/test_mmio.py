"""BAR0 over the fast transactor and at pin level: the same sequence gives the same results."""

from typing import Any

import numpy as np

from sw.regs import registers as regs
from tb.env.env import KvTopTest
from tb.env.pins import BusMaster, PinAgent
from tb.env.registers import kv, offset
from tb.harness.base_test import kv_test
from tb.harness.link import NOT_RUN, OKAY, READ, SLVERR, WRITE, Array


class MmioTest(KvTopTest):
    """A random register sequence: legal and illegal, commands and queues, for any master."""

    def sequence(self, count: int) -> list[tuple[int, int, int]]:
        """Accesses whose results do not hang on time: every command is waited for by reading STATUS a few times."""
        rng, out = self.rng, []
        plain = ["WEIGHT_R", "WEIGHT_F", "R_SHIFT", "F_AGE", "LOOKAHEAD", "HOLD"]
        plain += ["EVICT_THRESH", "THRESHOLDS", "IRQ_ENABLE"]
        plain += ["TIER2_RESERVE", "PORT1_REQ_HI", "PORT7_REQ_HI", "BOOST_ADDR", "BOOST_LEN", "ID", "CAPS", "VERSION"]
        for i in range(count):
            kind = rng.random()
            if kind < 0.6:
                name = rng.choice(plain)
                out.append((rng.choice([READ, WRITE]), offset(name), rng.choice([0, 1, 0xFFFF, rng.getrandbits(64)])))
            elif kind < 0.8:
                out.append((rng.choice([READ, WRITE]), rng.choice([0x2000, 0x3FF8, 0x0048 + 4, 0xFFF8, 0x0600 + 1]), i))
            else:
                arg = regs.BY_NAME["DIR_ARG"].pack(TOKEN_END=rng.randrange(16), TIER=rng.randrange(4))
                out += [(WRITE, offset("DIR_ADDR"), kv(rng.randrange(4))), (WRITE, offset("DIR_ARG"), arg)]
                out += [(WRITE, offset("DIR_COMMAND"), rng.randrange(8))]
                out += [(READ, offset("ID"), 0)] * 80  # longer than any of these commands
                out += [(READ, offset("DIR_STATUS"), 0), (READ, offset("DIR_PHYS_ADDR"), 0)]
        return out

    async def run_on(self, master: Any, sequence: list[tuple[int, int, int]]) -> Array:
        """Reset the device and run the sequence on a master."""
        self.bench.pins = None
        self.bench.dut.pin_select.value = 0
        await self.bring_up()
        self.bench.pins = master
        batch = self.bench.accesses(sequence)
        await self.bench.run_accesses(batch)
        self.bench.pins = None
        self.bench.dut.pin_select.value = 0
        self.look()
        return batch

    def same(self, name: str, expected: Array, seen: Array) -> None:
        """Responses and read data agree."""
        read = expected["kind"] == READ
        self.ctx.compare_array(f"responses, transactor and {name}", expected["resp"], seen["resp"], index="access")
        mine, theirs = np.where(read, expected["data"], 0), np.where(read, seen["data"], 0)
        self.ctx.compare_array(f"read data, transactor and {name}", mine, theirs, index="access")


@kv_test(timeout_cycles=2_000_000)
class test_mmio_three_ways(MmioTest):
    """Fast transactor, cocotb-bus's master and our own agent: the same answers to the same sequence."""

    async def body(self) -> None:
        """One reference run, then each of the others."""
        sequence = self.sequence(60)
        expected = await self.run_on(None, sequence)
        self.same("cocotb-bus", expected, await self.run_on(BusMaster(self.bench), sequence))
        agent = PinAgent(self.bench)
        self.same("pin agent", expected, await self.run_on(agent, sequence))
        agent.pause256, agent.stall256 = 100, 150
        self.same("pin agent with pauses and back-pressure", expected, await self.run_on(agent, sequence))
        agent.outstanding = 4
        self.same("pin agent with 4 outstanding", expected, await self.run_on(agent, sequence))


@kv_test(timeout_cycles=200_000)
class test_bus_rules(MmioTest):
    """Partial strobes, unaligned and unmapped addresses: SLVERR, no effect, read data 0."""

    async def body(self) -> None:
        """Each rule, at the fast transactor and at pin level."""
        agent = PinAgent(self.bench, pause256=60, stall256=60)
        for pins in (None, agent):
            self.bench.pins = pins
            self.bench.dut.pin_select.value = int(pins is not None)
            await self.strobes()
            await self.addresses()
        self.bench.pins = None
        self.bench.dut.pin_select.value = 0

    async def strobes(self) -> None:
        """Only all eight strobes are a write."""
        await self.r.write(WEIGHT_R=77)
        for strb in (0x00, 0x01, 0x0F, 0x7F, 0xFE, self.rng.randrange(0xFF)):
            self.ctx.compare(
                "write with partial strobes", SLVERR, await self.bench.try_write(offset("WEIGHT_R"), 5, strb), strb=strb
            )
        self.ctx.compare("WEIGHT_R after them", 77, await self.r.read("WEIGHT_R"))

    async def addresses(self) -> None:
        """Everything that is no register."""
        mapped = set(regs.BY_OFFSET)
        for addr in [
            0x2000,
            0x2FF8,
            0x0FF8,
            0x3FF8,
            0x4000,
            0x8500,
            0xFFF8,
            *(self.rng.randrange(0x4000) for _ in range(60)),
        ]:
            if addr in mapped:
                continue
            self.ctx.compare("write where no register is", SLVERR, await self.bench.try_write(addr, 1), addr=addr)
            self.ctx.compare("read where no register is", (SLVERR, 0), await self.bench.try_read(addr), addr=addr)
        for register in regs.REGISTERS:
            if not register.writable:
                self.ctx.compare(f"write of {register.name}", SLVERR, await self.bench.try_write(register.offset, 1))
            if not register.readable:
                self.ctx.compare(f"read of {register.name}", (SLVERR, 0), await self.bench.try_read(register.offset))


@kv_test(timeout_cycles=200_000)
class test_batch_stops(MmioTest):
    """A batch stops at its first refused access: its place is reported, nothing after it is done."""

    async def body(self) -> None:
        """Five writes, the third refused."""
        names = ["WEIGHT_R", "WEIGHT_F", "ID", "WEIGHT_S", "WEIGHT_D"]
        before = await self.r.read("WEIGHT_S")
        batch = self.bench.accesses((WRITE, offset(name), 9) for name in names)
        done = await self.bench.run_accesses(batch, stop_on_refused=True)
        self.ctx.compare("accesses made", 3, done)
        self.ctx.compare("responses of the batch", [OKAY, OKAY, SLVERR, NOT_RUN, NOT_RUN], batch["resp"].tolist())
        self.ctx.compare("WEIGHT_S after the stop", before, await self.r.read("WEIGHT_S"))
