"""Range commands, the command queue, interrupts and the published driver sequence (device.md 7)."""

from itertools import product

import cocotb

from sw.regs import registers as regs
from sw.regs.registers import Command
from tb.env.registers import IRQ_COMMAND_DONE, kv, offset
from tb.harness.base_test import kv_test
from tb.harness.link import OKAY, READ, SLVERR, WRITE
from tb.top.test_directory import DirectoryTest

MOVE = 300  # cycles: more than the move of one block takes here
RANGES = ("BOOST", "IMEVICT", "COOL", "SHARE", "RELEASE")


@kv_test(timeout_cycles=300_000)
class test_published_sequence(DirectoryTest):
    """The published driver's writes at their fixed offsets, and what it reads back."""

    async def body(self) -> None:
        """Step 128; HOT, EVICT, PREFETCH, SHARE ranges; weights and thresholds; HOT with len 0 is refused."""
        writes = [
            (0x0100, 128),
            (0x0200, 0x7F001000), (0x0208, 4096),
            (0x0210, 0x7F002000), (0x0218, 8192),
            (0x0300, 0x7F003000), (0x0308, 4096), (0x0310, 256),
            (0x0400, 0x7F004000), (0x0408, 16384),
            (0x0500, 3), (0x0508, 5), (0x0510, 7), (0x0518, 11),
            (0x0520, 1024), (0x0528, 40960),
        ]  # fmt: skip
        for at, value in writes:
            self.ctx.compare("published write", OKAY, await self.bench.try_write(at, value), offset=at)
        for at, value in writes:
            self.ctx.compare("read back", (OKAY, value), await self.bench.try_read(at), offset=at)
        self.ctx.compare("THRESHOLDS read back", 40960 << 16 | 1024, await self.bench.read(0x0530))
        self.ctx.compare("HOT with len 0", SLVERR, await self.bench.try_write(0x0208, 0))
        self.ctx.compare("BOOST_LEN after the refusal", 4096, await self.bench.read(0x0208))
        self.ctx.compare("STEP_ADVANCE by its alias", OKAY, await self.bench.try_write(0x0000, 129))
        self.ctx.compare("current step (STEP_ADVANCE)", 129, await self.bench.read(0x0100))
        self.ctx.compare("reading the alias", (SLVERR, 0), await self.bench.try_read(0x0000))
        await self.r.wait_idle()
        tokens = 4096 + 8192 + 4096 + 16384
        self.ctx.compare("hint misses", tokens // self.bench.block_tokens, await self.r.read("HINT_MISS_COUNT"))


@kv_test(timeout_cycles=300_000)
class test_ranges(DirectoryTest):
    """A range acts on every block that it overlaps, whole blocks; CMD_SPAN repeats it; limits are refused."""

    async def body(self) -> None:
        """Ranges that begin and end inside blocks; spans over layers and heads; the last token there is."""
        tokens = self.bench.block_tokens
        for layer in (3, 4):
            for head in (5, 6, 7):
                for block in range(4):
                    await self.r.insert(kv(2, block * tokens, layer, head), tokens=1, tier=1)
        await self.r.range("BOOST", kv(2, tokens + tokens // 2, 3, 5), tokens)
        hot = [(await self.entry(kv(2, b * tokens, 3, 5))).hot for b in range(4)]
        self.ctx.compare("HOT of the blocks overlapped", [0, 1, 1, 0], hot)
        await self.r.write(CMD_SPAN=2 | 2 << 8)
        await self.r.range("SHARE", kv(2, 0, 3, 5), 1)
        shared = [(await self.entry(kv(2, 0, layer, head))).ref_count for layer in (3, 4) for head in (5, 6, 7)]
        self.ctx.compare("REF_COUNT over 2 layers and 2 heads", [1, 1, 0, 1, 1, 0], shared)
        self.ctx.compare("PREFIX over 2 layers and 2 heads", 1, (await self.entry(kv(2, 0, 4, 6))).prefix)
        await self.r.write(CMD_SPAN=0x0101)
        last = 2**32 - 1
        for name in RANGES:
            await self.r.write(**{f"{name}_ADDR": kv(2, last)})
            self.ctx.compare(f"{name} of the last token", OKAY, await self.bench.try_write(offset(f"{name}_LEN"), 1))
            self.ctx.compare(f"{name} past it", SLVERR, await self.bench.try_write(offset(f"{name}_LEN"), 2))
            self.ctx.compare(f"{name} LEN 0", SLVERR, await self.bench.try_write(offset(f"{name}_LEN"), 0))
            await self.r.wait_idle()
        most = self.bench.entries * tokens
        await self.r.write(COOL_ADDR=kv(9))
        self.ctx.compare("ENTRIES blocks", OKAY, await self.bench.try_write(offset("COOL_LEN"), most))
        self.ctx.compare("more than ENTRIES blocks", SLVERR, await self.bench.try_write(offset("COOL_LEN"), most + 1))
        await self.r.write(COOL_ADDR=kv(9, 1))
        self.ctx.compare("ENTRIES blocks and one token", SLVERR, await self.bench.try_write(offset("COOL_LEN"), most))
        await self.r.write(PREFETCH_ADDR=kv(9), PREFETCH_LEN=0)
        self.ctx.compare("PREFETCH with LEN 0", SLVERR, await self.bench.try_write(offset("PREFETCH_STEP"), 1))
        await self.r.wait_idle()


@kv_test(timeout_cycles=300_000)
class test_queued_at_once(DirectoryTest):
    """Which blocks of an IMEVICT and of a PREFETCH are queued at once: guards, the signed window around the step."""

    slots = (40, 40, 40, 40)

    async def body(self) -> None:
        """Nothing starts (ENABLE 0), so that the levels of the queues tell what was queued."""
        step, lookahead, half = 1000, 4, 1 << 31
        await self.r.write(PROMOTE_TIER=1, LOOKAHEAD=lookahead, EVICT_TIERS=0)
        await self.r.step(step)
        await self.r.insert_many([(kv(i), 16, tier) for i, tier in ((1, 1), (2, 3), (3, 0), (4, 1))])
        await self.r.insert_many([(kv(i), 16, 2) for i in range(10, 20)])
        await self.r.insert(kv(20), tokens=16, tier=1)
        await self.r.range("SHARE", kv(4), 1)
        await self.r.write(CTRL=0)
        for request, what, queued in (
            (1, "of tier 1", 1),
            (2, "without a slower tier", 0),
            (3, "of tier 0", 1),
            (4, "that is referenced", 0),
            (1, "in flight", 0),
        ):
            before = await self.r.field("STATUS", "EVICT_LEVEL")
            await self.r.range("IMEVICT", kv(request), 16)
            after = await self.r.field("STATUS", "EVICT_LEVEL")
            self.ctx.compare(f"IMEVICT of a block {what}: queued", queued, after - before)
            self.ctx.compare(f"IMEVICT of a block {what}: EVICTABLE", 1, (await self.entry(kv(request))).evictable)
        for request, distance, queued in (
            (10, -1, 0),
            (11, 0, 1),
            (12, lookahead, 1),
            (13, lookahead + 1, 0),
            (14, half - 1, 0),
            (15, half, 0),
            (16, half + 1, 0),
            (17, half + lookahead, 0),
            (18, -half + lookahead + 1, 0),
            (20, 0, 0),  # not slower than PROMOTE_TIER
            (11, 1, 0),  # in flight
        ):
            before = await self.r.field("STATUS", "PREFETCH_LEVEL")
            needed = (step + distance) % 2**32
            await self.r.range("PREFETCH", kv(request), 16, needed)
            after = await self.r.field("STATUS", "PREFETCH_LEVEL")
            where = {"request": request, "distance": distance}
            self.ctx.compare("PREFETCH: queued", queued, after - before, **where)
            entry = await self.entry(kv(request))
            seen = (entry.hint, entry.evictable, entry.access_step)
            self.ctx.compare("PREFETCH: HINT, EVICTABLE, ACCESS_STEP", (1, 0, needed), seen, **where)
        await self.r.write(CTRL=1)
        await self.r.wait_idle()


@kv_test(timeout_cycles=400_000)
class test_references(DirectoryTest):
    """REF_COUNT saturates at 255 and at 0, counted; PREFIX stays after RELEASE."""

    async def body(self) -> None:
        """257 times up, 258 times down."""
        await self.r.insert(kv(1), tokens=16, tier=1)
        batch = [(WRITE, offset("SHARE_ADDR"), kv(1)), (WRITE, offset("RELEASE_ADDR"), kv(1))]
        await self.bench.run_accesses(self.bench.accesses(batch))
        for name, times in (("SHARE", 257), ("RELEASE", 257)):
            for _ in range(times):
                await self.r.range(name, kv(1), 1)
            entry = await self.entry(kv(1))
            self.ctx.compare(f"REF_COUNT after {name}", 255 if name == "SHARE" else 0, entry.ref_count)
            self.ctx.compare(f"PREFIX after {name}", 1, entry.prefix)
        self.ctx.compare(
            "saturations, underflows",
            (2, 2),
            tuple((await self.r.read_many(["REF_SATURATED_COUNT", "REF_UNDERFLOW_COUNT"])).values()),
        )


@kv_test(timeout_cycles=400_000)
class test_command_queue(DirectoryTest):
    """16 deep, in order; a write to a full queue is refused and counted; one directory command at a time."""

    async def body(self) -> None:
        """A long command, 16 behind it, the next refused."""
        await self.r.insert(kv(1), tokens=16, tier=1)
        long = self.bench.entries * self.bench.block_tokens
        writes = [
            (WRITE, offset("COOL_ADDR"), kv(9)),
            (WRITE, offset("BOOST_ADDR"), kv(1)),
            (WRITE, offset("DIR_ADDR"), kv(1)),
        ]
        writes += [(WRITE, offset("COOL_LEN"), long), (WRITE, offset("DIR_COMMAND"), int(Command.LOOKUP))]
        writes += [(WRITE, offset("DIR_COMMAND"), int(Command.LOOKUP))]
        writes += [(WRITE, offset("BOOST_LEN"), 1)] * 16 + [
            (READ, offset("STATUS"), 0),
            (READ, offset("DIR_STATUS"), 0),
        ]
        writes += [(WRITE, offset("DIR_COMMAND"), 0), (WRITE, offset("DIR_COMMAND"), 6)]
        batch = self.bench.accesses(writes)
        await self.bench.run_accesses(batch)
        expected = [OKAY] * 5 + [SLVERR] + [OKAY] * 15 + [SLVERR] + [OKAY] * 2 + [SLVERR] * 2
        self.ctx.compare("responses of the launches", expected, batch["resp"].tolist())
        self.ctx.compare("CMD_REFUSED_COUNT", 1, await self.r.read("CMD_REFUSED_COUNT"))
        status = regs.STATUS.unpack(int(batch["data"][-4]))
        self.ctx.compare("STATUS: COMMANDS, DIR_BUSY", (17, 1), (status["COMMANDS"], status["DIR_BUSY"]))
        self.ctx.compare("DIR_STATUS.BUSY", 1, regs.DIR_STATUS["BUSY"].get(int(batch["data"][-3])))
        await self.r.wait_idle()
        self.ctx.compare(
            "result: OK, not busy",
            (0, 0),
            (await self.r.field("DIR_STATUS", "STATUS"), await self.r.field("DIR_STATUS", "BUSY")),
        )


@kv_test(timeout_cycles=300_000)
class test_interrupts(DirectoryTest):
    """IRQ_STATUS & IRQ_ENABLE is the output; write 1 clears; an event in the cycle of its clear stays set."""

    async def body(self) -> None:
        """Each event, enabled and not; then events and clears that meet in every way."""
        await self.r.write(IRQ_ENABLE=0, IRQ_STATUS=0xFF)
        await self.r.write(DIR_ADDR=kv(1), DIR_COMMAND=int(Command.LOOKUP))
        await self.bench.cycles(60)
        self.ctx.compare("output without enable", 0, int(self.bench.dut.irq.value))
        self.ctx.compare("command done", 1, await self.r.field("IRQ_STATUS", "COMMAND_DONE"))
        await self.r.write(IRQ_ENABLE=2)
        await self.bench.cycles(4)
        self.ctx.compare("output with enable", 1, int(self.bench.dut.irq.value))
        await self.r.write(IRQ_STATUS=0xFD)
        self.ctx.compare("clearing other bits", 1, await self.r.field("IRQ_STATUS", "COMMAND_DONE"))
        await self.r.write(IRQ_STATUS=2)
        await self.bench.cycles(4)
        self.ctx.compare("output after the clear", 0, int(self.bench.dut.irq.value))
        lost = 0
        for gap in range(24):  # the miss falls before, into and after the clear
            batch = self.bench.accesses([(WRITE, offset("IRQ_STATUS"), 8)])
            before = await self.r.read("RTBD_MISS_COUNT")
            task = cocotb.start_soon(self.bench.lookups(0, [kv(77)]))
            await self.bench.cycles(gap)
            await self.bench.run_accesses(batch)
            await task
            await self.bench.cycles(30)
            self.ctx.compare("misses counted (RTBD_MISS_COUNT)", before + 1, await self.r.read("RTBD_MISS_COUNT"))
            lost += not await self.r.field("IRQ_STATUS", "MISS")
            while await self.r.read("MISS_ADDR"):
                pass
        self.ctx.compare("some events came before their clear, some not", True, 0 < lost < 24)
        await self.r.write(IRQ_ENABLE=IRQ_COMMAND_DONE)


@kv_test(timeout_cycles=300_000)
class test_reset_values(DirectoryTest):
    """Registers at their reset values, before anything is written; bits without a field read 0 and are ignored."""

    async def bring_up(self) -> None:
        """A bare reset."""
        await self.bench.reset()
        await self.r.wait_initialised()

    async def body(self) -> None:
        """Every register with a reset value; every field alone."""
        for register in regs.REGISTERS:
            if register.reset is not None and register.readable:
                absent = register.name.startswith("PORT") and int(register.name[4]) >= self.bench.ports
                self.ctx.compare(
                    f"reset value of {register.name}", 0 if absent else register.reset, await self.r.read(register.name)
                )
        for name in ("WEIGHT_R", "R_SHIFT", "F_AGE", "PROMOTE_TIER", "EVICT_TIERS", "TIER0_RESERVE", "CONTEND_POLICY"):
            await self.r.write(**{name: 2**64 - 1})
            self.ctx.compare(f"{name} after all ones", regs.BY_NAME[name].write_mask, await self.r.read(name))
        self.ctx.compare("FIRST_DECISION_CYCLES", 0, await self.r.read("FIRST_DECISION_CYCLES"))


@kv_test(timeout_cycles=300_000)
class test_threshold_rule(DirectoryTest):
    """EVICT_THRESH > PREFETCH_THRESH is refused at the write, in all three registers; old values stay."""

    async def body(self) -> None:
        """Around equality."""
        await self.r.write(THRESHOLDS=500 << 16 | 400)
        rows = [("EVICT_THRESH", 501, SLVERR), ("EVICT_THRESH", 500, OKAY), ("PREFETCH_THRESH", 499, SLVERR)]
        rows += [
            ("THRESHOLDS", 7 << 16 | 8, SLVERR),
            ("THRESHOLDS", 8 << 16 | 8, OKAY),
            ("PREFETCH_THRESH", 9, OKAY),
        ]
        for name, value, expected in rows:
            before = await self.r.read("THRESHOLDS")
            self.ctx.compare(
                f"write of {value:#x} to {name}", expected, await self.bench.try_write(offset(name), value)
            )
            if expected == SLVERR:
                self.ctx.compare("THRESHOLDS after the refusal", before, await self.r.read("THRESHOLDS"))


@kv_test(timeout_cycles=600_000)
class test_tier_writes_during_allocations(DirectoryTest):
    """BASE and SLOTS of a tier written while an INSERT or a move takes the tier's first slot: before, or refused."""

    slots = (8, 60, 8, 8)  # a move's old slot stays held: no step comes

    async def body(self) -> None:
        """The write comes at every distance from the launch, in parallel with three ports that never pause."""
        block = kv(5)
        moved = kv(6)
        self.memory.ideal(latency=20)
        await self.r.insert(moved, tokens=1, tier=1)
        low = await self.r.read("TIER3_BASE")
        self.bench.link.memory_map(3, low, 8192)  # both places that BASE will name
        running = [True]
        load = [
            cocotb.start_soon(self.ask(port, moved, running), name=f"load {port}") for port in range(self.bench.ports)
        ]
        launches = {
            "INSERT": self.r.insert_accesses(block, 1, 3),
            "MIGRATE": self.r.command_accesses(Command.MIGRATE, moved, regs.BY_NAME["DIR_ARG"].pack(TIER=3)),
        }
        for (name, launch), register in product(launches.items(), ("TIER3_BASE", "TIER3_SLOTS")):
            values = (low, low + 4096) if register == "TIER3_BASE" else (8, 7)
            taken = []
            for gap in range(24):
                await self.r.write(**{register: values[0]})
                pause = [(READ, offset("ID"), 0)] * gap
                at = 4 + len(pause)
                batch = self.bench.accesses([*launch[:4], *pause, (WRITE, offset(register), values[1]), *launch[4:]])
                await self.bench.run_accesses(batch, stop_on_refused=False)
                await self.bench.cycles(MOVE)
                addr = block if name == "INSERT" else moved
                where = {"launch": name, "write": register, "gap": gap}
                done = int(batch["resp"][at]) == OKAY
                taken.append(done)
                self.ctx.compare(f"{register} after its write", values[done], await self.r.read(register), **where)
                found = await self.r.lookup(addr)
                base = values[done] if register == "TIER3_BASE" else low
                slots = values[done] if register == "TIER3_SLOTS" else 8
                inside = 0 <= found.phys_addr - base < slots * self.block_bytes  # which is a power of two: the stride
                self.ctx.compare("tier of the lookup's answer", 3, found.tier, **where)
                self.ctx.compare("PHYS_ADDR in its tier", True, inside, **where)
                self.ctx.compare("free slots", slots - 1, await self.r.read("TIER3_FREE"), **where)
                await self.r.command(Command.REMOVE, addr)
                if name == "MIGRATE":
                    await self.r.insert(moved, tokens=1, tier=1)
            # An INSERT that has been launched is always first; a move starts some cycles after its launch.
            self.ctx.compare("writes that came before", name == "MIGRATE", any(taken), launch=name, write=register)
            self.ctx.compare("some writes were refused", False, all(taken), launch=name, write=register)
        running[0] = False
        for task in load:
            await task

    async def ask(self, port: int, addr: int, running: list[bool]) -> None:
        """A port that never pauses."""
        while running[0]:
            await self.bench.lookups(port, [addr] * 200)
