"""What only the upper ports, lanes, words and indices of a device show (G3): for every size of build."""

import cocotb
import numpy as np

from model.entries import EntryView
from sw.regs.registers import Command, Status
from tb.env.registers import kv, offset
from tb.harness.base_test import kv_test
from tb.harness.link import READ, SLVERR
from tb.top.test_directory import DirectoryTest


@kv_test(timeout_cycles=400_000)
class test_window_of_each_port(DirectoryTest):
    """Each port has the tenant window that was written for it, and no other's; absent ports refuse writes."""

    async def body(self) -> None:
        """Windows that differ in their upper bits; requests at and next to their ends, read and written."""
        ports = range(self.bench.ports)
        lows = [0x8000 + 0x100 * port + port for port in ports]
        requests = sorted({low + more for low in lows for more in (-1, 0, 7, 8)} | {0, 1, 65535})
        await self.r.insert_many([(kv(request), 1, request % 4) for request in requests])
        for port in ports:
            await self.r.write(**{f"PORT{port}_REQ_LO": lows[port], f"PORT{port}_REQ_HI": lows[port] + 7})
        for port in ports:
            window = [await self.r.read(f"PORT{port}_REQ_{end}") for end in ("LO", "HI")]
            self.ctx.compare("window read back", [lows[port], lows[port] + 7], window, port=port)
        addrs = [kv(request) for request in requests]
        for write in (0, 1):
            answers = await self.bench.lookups_at_all([(addrs, write)] * len(ports))
            for port, answer in enumerate(answers):
                inside = [lows[port] <= r <= lows[port] + 7 or (r == 0 and not write) for r in requests]
                self.ctx.compare("lookups denied", [int(not i) for i in inside], answer["denied"].tolist(), port=port)
                self.ctx.compare("lookups that hit", [int(i) for i in inside], answer["hit"].tolist(), port=port)
        for port in range(len(ports), 8):
            name = f"PORT{port}_REQ_LO"
            self.ctx.compare("write of an absent port", SLVERR, await self.bench.try_write(offset(name), 1), port=port)
            self.ctx.compare("read of an absent port", 0, await self.r.read(name), port=port)
        for port in ports:  # REQ_HI of each alone, and a write to request 0 with REQ_LO 0
            await self.r.write(**{f"PORT{port}_REQ_LO": 0, f"PORT{port}_REQ_HI": 0})
        answers = await self.bench.lookups_at_all([([kv(0), kv(1)], [1, 0])] * len(ports))
        for port, answer in enumerate(answers):
            self.ctx.compare("request 0 written, request 1 denied", [0, 1], answer["denied"].tolist(), port=port)


@kv_test(timeout_cycles=600_000)
class test_answers_of_each_port(DirectoryTest):
    """Ports that take their answers late: each gets its own, in order; and each has its share of the turns."""

    slots = (16, 16, 200, 200)

    async def body(self) -> None:
        """Other blocks at each port; round-robin and fixed priority among all of them."""
        tokens, ports = self.bench.block_tokens, self.bench.ports
        blocks = [kv(1, i * tokens) for i in range(240)]
        await self.r.insert_many([(addr, 1, 2 + i % 2) for i, addr in enumerate(blocks)])
        order = [np.roll(np.resize(np.array(blocks, np.uint64), 240), 29 * port) for port in range(ports)]
        for stall256 in (0, 240, 255):
            self.bench.lookup_rates(0, stall256)
            answers = await self.bench.lookups_at_all([(mine[:60], 0) for mine in order])
            for port, answer in enumerate(answers):
                found = [(await self.r.lookup(int(addr))).index for addr in order[port][:4]]
                self.ctx.compare("indices of a port's answers", found, answer["index"].tolist()[:4], port=port)
        self.bench.lookup_rates(0, 0)
        for policy in (0, 1, 128, 255):
            await self.r.write(CONTEND_POLICY=policy)
            answers = await self.bench.lookups_at_all([(mine, 0) for mine in order])
            ends = [int(answer["asked"][-1]) for answer in answers]
            if policy == 0:
                self.ctx.compare("round-robin: ports end together", True, max(ends) - min(ends) <= 4 * ports)
            else:
                self.ctx.compare("fixed priority: ports end in order", sorted(ends), ends, policy=policy)
        await self.in_pairs(order)

    async def in_pairs(self, order: list[np.ndarray]) -> None:
        """Two ports that ask share the turns."""
        await self.r.write(CONTEND_POLICY=0)
        for port, mine in enumerate(order):
            other = (port + self.bench.ports // 2) % self.bench.ports
            tasks = [cocotb.start_soon(self.bench.lookups(p, mine[:100]), name=f"port {p}") for p in {port, other}]
            last = [int((await task)["asked"][-1]) for task in tasks]
            self.ctx.compare("two ports end together", True, max(last) - min(last) <= 16, ports=(port, other))


@kv_test(timeout_cycles=400_000)
class test_window_indices(DirectoryTest):
    """BAR2: words 1 to 3 of an index that is not latched are of that entry, in whichever bit the two indices differ."""

    async def body(self) -> None:
        """Word 0 of one entry, then a later word of another, for each bit of the index, both ways."""
        count, tokens = self.bench.entries * 3 // 5, self.bench.block_tokens
        self.index_of = {}
        blocks = [(kv(1 + i % 5, i * tokens), 1, 3) for i in range(count)]
        for (addr, _, _), result in zip(blocks, await self.r.insert_many(blocks), strict=True):
            self.index_of[result.index] = addr
        for bit in range(self.bench.entries.bit_length() - 1):
            pairs = [(i, i ^ 1 << bit) for i in self.index_of if i ^ 1 << bit in self.index_of][:: max(1, count // 4)]
            self.ctx.compare("pairs of entries whose indices differ in one bit", True, len(pairs) > 0, bit=bit)
            for latched, other in pairs[:3]:
                for word in (1, 2, 3):
                    reads = self.bench.accesses([(READ, latched * 32, 0), (READ, other * 32 + word * 8, 0)])
                    await self.bench.run_accesses(reads, bar=1)
                    raw = await self.r.bench.read_entries([other])
                    expected = raw[0][word * 8 : word * 8 + 8]
                    seen = int(reads["data"][1]).to_bytes(8, "little")
                    where = {"bit": bit, "word": word, "index": other}
                    self.ctx.compare("word of an entry that is not latched", expected.hex(), seen.hex(), **where)
                    entry = EntryView.unpack(raw[0])
                    name = (entry.request_id, entry.token_start)
                    addr = self.index_of[other]
                    self.ctx.compare("REQUEST_ID, TOKEN_START", (addr >> 48, addr & 0xFFFF_FFFF), name, **where)

    slots = (8, 8, 8, 1024)
    block_bytes = 256


@kv_test(timeout_cycles=400_000)
class test_token_ends(DirectoryTest):
    """INSERT with each TOKEN_END: tokens up to it are found, by ports and by LOOKUP; a write reaches one further."""

    async def body(self) -> None:
        """The first block and the last one of the token space; its neighbour is another block."""
        tokens = self.bench.block_tokens
        for addr in (kv(1), kv(2, (1 << 32) - tokens)):
            for end in sorted({0, 1, tokens // 2 - 1, tokens // 2, tokens - 2, tokens - 1} & set(range(tokens))):
                await self.r.insert(addr, tokens=end + 1, tier=1)
                asked = [addr + i for i in range(tokens)]
                answers = await self.bench.lookups(0, asked)
                hits = [int(i <= end) for i in range(tokens)]
                self.ctx.compare("hits of a port", hits, answers["hit"].tolist(), end=end)
                for i in sorted({0, end, end + 1, tokens - 1} & set(range(tokens))):
                    expected = Status.OK if i <= end else Status.MISS
                    await self.status(expected, Command.LOOKUP, addr + i)
                    await self.status(expected, Command.LOOKUP, addr + i, TOUCH=1)
                answers = await self.bench.lookups(0, asked[end + 2 :], 1)
                self.ctx.compare("writes beyond TOKEN_END + 1", 0, int(answers["hit"].sum()), end=end)
                await self.status(Status.OK, Command.REMOVE, asked[-1])
