"""Entries with bad parity, bit by bit and operation by operation (G3): what counts, what is named, what is spared."""

from collections.abc import Awaitable, Callable
from functools import partial

from model.types import BadParity
from sw.regs import registers as regs
from sw.regs.registers import Command, Status
from tb.env.registers import kv
from tb.harness.base_test import kv_test
from tb.top.test_directory import ParityTest

META_BITS = 140  # kvcpu_pkg::meta_t and its parity bit; VALID is the last but one
SLOT_BITS = 16
PLAIN = {BadParity.TAG: 3, BadParity.META: 90}  # bits of SLOT and PRIORITY: nothing but parity is judged by them


def tag_bits(block_tokens: int) -> int:
    """Bits of a tag word of kvcpu_rtbd_store; the last is the parity bit, the last but one VALID."""
    offset = block_tokens.bit_length() - 1
    return 1 + 16 + 16 + (32 - offset) + max(1, offset) + 2 + SLOT_BITS + 1


class BitTest(ParityTest):
    """Bits that turn over, and turn back."""

    async def flip(self, index: int, word: BadParity, bit: int, bad: bool = True) -> None:
        """One bit of the word at `index` turns over: `bad` from now on, or good again."""
        self.look()
        self.bench.link.poke(index, word == BadParity.TAG, bit)
        state = self.board.state
        if bad:
            state.inject_parity(index, word)
        else:
            del state.bad[index]
            if state.entries.valid[index]:
                state.index_of[state.entries.key[index]] = index
        await self.bench.cycles(8)

    async def exactly(self, what: str, *indices: int) -> None:
        """PARITY_COUNT is the model's; PARITY_INFO names one of `indices`, or nothing, and is cleared."""
        seen = await self.r.read("PARITY_COUNT")
        self.look()
        self.ctx.compare(f"PARITY_COUNT: {what}", self.board.state.counters.parity, seen)
        info = regs.BY_NAME["PARITY_INFO"].unpack(await self.r.read("PARITY_INFO"))
        self.ctx.compare(f"PARITY_INFO.VALID: {what}", bool(indices), bool(info["VALID"]))
        if indices:
            named = info["INDEX"] if info["INDEX"] in indices else indices[0]
            self.ctx.compare(f"PARITY_INFO.INDEX: {what}", named, info["INDEX"])
        irq = await self.r.field("IRQ_STATUS", "PARITY")
        self.ctx.compare(f"IRQ_STATUS.PARITY: {what}", bool(indices), bool(irq))
        await self.r.write(PARITY_INFO=1, IRQ_STATUS=0x80)


@kv_test(timeout_cycles=600_000)
class test_every_bit(BitTest):
    """Each bit of both words of an entry, and of an empty place, VALID and the parity bit among them."""

    async def body(self) -> None:
        """A bit turns over: no hit, counted, named; it turns back: all is as before."""
        tokens = self.bench.block_tokens
        blocks = [kv(0x8001, (1 << 32) - tokens, 129, 130), kv(1)]
        indices = [(await self.r.insert(addr, tokens=1, tier=1)).index for addr in blocks]
        words = [(BadParity.TAG, bit) for bit in range(tag_bits(tokens))]
        words += [(BadParity.META, bit) for bit in range(META_BITS)]
        for word, bit in words:
            for addr, index in zip(blocks, indices, strict=True):
                what = f"bit {bit} of the {'tag' if word == BadParity.TAG else 'meta word'}"
                await self.flip(index, word, bit)
                answers = await self.bench.lookups(0, [addr, addr], [0, 1])
                self.ctx.compare(f"hits: {what}", [0, 0], answers["hit"].tolist(), block=hex(addr))
                await self.inserted_again(addr, index, word, what)
                await self.exactly(what, index)
                await self.flip(index, word, bit, bad=False)
                answers = await self.bench.lookups(0, [addr])
                self.ctx.compare(f"hit after it has turned back: {what}", 1, int(answers["hit"][0]))
                await self.exactly(f"{what}, good again")
        while await self.r.read("MISS_ADDR"):
            pass
        await self.empty_places(kv(0))

    async def inserted_again(self, addr: int, index: int, word: BadParity, what: str) -> None:
        """INSERT of the name: a bad meta word's tag still has it; next to a bad tag it goes to another place."""
        result = await self.r.insert(addr, tokens=1, tier=1)
        expected = Status.EXISTS if word == BadParity.META else Status.OK
        self.ctx.compare(f"INSERT of that name: {what}", expected.name, result.status.name, block=hex(addr))
        if result.status == Status.OK:
            self.ctx.compare(f"INSERT uses a place in use: {what}", False, result.index == index, index=index)
            await self.status(Status.OK, Command.REMOVE, addr)

    async def empty_places(self, addr: int) -> None:
        """VALID of an empty place turns over: the block with the name of its zeros is not there, nor placed there."""
        state = self.board.state
        places = state.places(addr)
        for word, valid in ((BadParity.META, META_BITS - 2), (BadParity.TAG, tag_bits(self.bench.block_tokens) - 2)):
            for taken, place in enumerate(places):  # the first ones are tried first
                await self.flip(place, word, valid)
                self.ctx.compare(
                    "hits of the block that is absent",
                    0,
                    int((await self.bench.lookups(0, [addr]))["hit"].sum()),
                    taken=taken,
                )
                result = await self.r.insert(addr, tokens=1, tier=1)
                if word == BadParity.META or taken + 1 < len(places):
                    free = next(p for p in places if not state.bad.get(p, BadParity(0)) & BadParity.TAG)
                    self.ctx.compare(
                        "INSERT status, index", (Status.OK, free), (result.status, result.index), taken=taken
                    )
                    await self.r.command(Command.REMOVE, addr)
                else:  # all are unusable
                    self.ctx.compare("INSERT status", Status.FULL.name, result.status.name)
                seen = await self.r.read("PARITY_COUNT")
                self.look()
                self.ctx.compare("PARITY_COUNT", state.counters.parity, seen, taken=taken)
        self.ctx.compare("free slots: FULL has given its back", self.slots[1] - 2, await self.r.read("TIER1_FREE"))


@kv_test(timeout_cycles=600_000)
class test_every_operation(BitTest):
    """Each operation on a block with a bad tag, and with a bad meta word: counted once per read, without effect."""

    async def body(self) -> None:
        """Both faults, each operation, one after the other."""
        self.memory.ideal(latency=300)
        await self.r.write(PROMOTE_TIER=1, LOOKAHEAD=8)
        for number, word in enumerate((BadParity.TAG, BadParity.META)):
            addr = kv(3 + number)
            index = (await self.r.insert(addr, tokens=2, tier=2)).index
            await self.flip(index, word, PLAIN[word])
            operations: dict[str, Callable[[], Awaitable[object]]] = {
                "LOOKUP peek": partial(self.r.lookup, addr),
                "LOOKUP touch": partial(self.r.lookup, addr, touch=True),
                "read": partial(self.bench.lookups, 0, [addr]),
                "write": partial(self.bench.lookups, 0, [addr + 2], 1),
                "REMOVE": partial(self.r.command, Command.REMOVE, addr),
                "MIGRATE": partial(self.r.command, Command.MIGRATE, addr, TIER=0),
                "FREE_REQUEST": partial(self.r.command, Command.FREE_REQUEST, addr),
                "FREE_REQUEST of another request": partial(self.r.command, Command.FREE_REQUEST, kv(99)),
                "BAR2": partial(self.r.bench.read_entries, [index]),
                "a scan": partial(self.r.step, 5),
            }
            for name in ("BOOST", "IMEVICT", "COOL", "SHARE", "RELEASE", "PREFETCH"):
                operations[name] = partial(self.r.range, name, addr, 1, 5)
            for name, operation in operations.items():
                before = await self.r.read("PARITY_COUNT")
                await operation()
                # A walk reads every bad entry, whoever it belongs to.
                read = list(self.board.state.bad) if name.startswith(("FREE", "a scan")) else [index]
                self.ctx.compare(f"PARITY_COUNT: {name}", len(read), await self.r.read("PARITY_COUNT") - before)
                await self.exactly(f"{name}, bad {word.name}", *read)
            result = await self.r.insert(addr, tokens=1, tier=2)
            expected = Status.EXISTS if word == BadParity.META else Status.OK  # no tag of that name can be read
            self.ctx.compare(f"INSERT of that name, bad {word.name}", expected.name, result.status.name)
            await self.exactly(f"INSERT, bad {word.name}", index)
            await self.flip(index, word, PLAIN[word], bad=False) if word == BadParity.META else None
            await self.moves(word, kv(10 + number), kv(20 + number))

    async def moves(self, word: BadParity, waiting: int, moving: int) -> None:
        """The fault comes while the block's item waits in its queue, and while its copy runs: both end CANCELLED."""
        for addr, enable in ((waiting, 0), (moving, 1)):
            index = (await self.r.insert(addr, tokens=1, tier=1)).index
            await self.r.write(CTRL=enable)
            await self.status(Status.OK, Command.MIGRATE, addr, TIER=2)
            await self.bench.cycles(60)
            await self.flip(index, word, PLAIN[word])
            await self.r.write(CTRL=1)
            await self.r.wait_idle()
            status = regs.Completion(await self.r.field("COMPLETION_INFO", "STATUS"))
            self.ctx.compare(
                "status of the completion", regs.Completion.CANCELLED.name, status.name, word=word.name, moving=enable
            )
            await self.r.read("COMPLETION_ADDR")
            await self.exactly(f"{'end' if enable else 'start'} of a move, bad {word.name}", index)


@kv_test(timeout_cycles=600_000)
class test_full_of_bad_tags(BitTest):
    """INSERT whose places are all unusable: FULL at once, its slot comes back; one usable place is found."""

    slots = (8, 8, 100, 700)

    async def body(self) -> None:
        """The occupants of a key's places get bad tags one by one; those with good tags may be relocated."""
        state, tokens = self.board.state, self.bench.block_tokens
        self.requests = self.rng.sample(range(1 << 16), 2)  # which places they have follows from it
        await self.r.insert_many([(kv(self.requests[0], i * tokens), 1, 3) for i in range(700)])
        self.look()
        tried = 0
        for number in range(4000):
            new = kv(self.requests[1], number * tokens)
            places = state.places(new)
            if not all(state.entries.valid[place] and place not in state.bad for place in places):
                continue
            for bad, place in enumerate(places):
                plan = state.plan_insert(new)
                result = await self.r.insert(new, tokens=1, tier=2)
                expected = Status.OK if plan.index is not None else Status.FULL
                self.ctx.compare("INSERT status", expected.name, result.status.name, bad_tags=bad)
                if result.status == Status.OK:
                    await self.r.command(Command.REMOVE, new)
                seen = await self.r.read("PARITY_COUNT")
                self.look()
                self.ctx.compare("PARITY_COUNT", state.counters.parity, seen, bad_tags=bad)
                if not state.entries.valid[place]:
                    break  # a relocation has emptied it
                await self.flip(place, BadParity.TAG, PLAIN[BadParity.TAG])
            else:
                result = await self.r.insert(new, tokens=1, tier=2)
                self.ctx.compare("INSERT without a usable place", Status.FULL.name, result.status.name)
                self.ctx.compare("free slots", self.slots[2], await self.r.read("TIER2_FREE"))
            tried += 1
            if tried == 12:
                break
        self.ctx.compare("keys tried", 12, tried)
        await self.all_at_once(number + 1)

    async def all_at_once(self, number: int) -> None:
        """All places of a key are occupied, and all of their tags bad, before its INSERT: nothing is relocated."""
        state, tokens, tried = self.board.state, self.bench.block_tokens, 0
        while tried < 8:
            new, number = kv(self.requests[1], number * tokens), number + 1
            places = state.places(new)
            if not all(state.entries.valid[place] and place not in state.bad for place in places):
                continue
            for place in places:
                await self.flip(place, BadParity.TAG, PLAIN[BadParity.TAG])
            result = await self.r.insert(new, tokens=1, tier=2)
            self.ctx.compare("INSERT among bad tags alone", Status.FULL.name, result.status.name)
            seen = await self.r.read("PARITY_COUNT")
            self.look()
            self.ctx.compare("PARITY_COUNT among bad tags alone", state.counters.parity, seen)
            tried += 1


@kv_test(timeout_cycles=600_000)
class test_search_among_bad_tags(BitTest):
    """INSERT's search in a nearly full directory with bad tags: each probe counts those that it reads."""

    slots = (8, 8, 200, 1000)

    async def body(self) -> None:
        """97 % occupied, one tag in eight is bad; the count after each INSERT whose places are all occupied."""
        state, tokens = self.board.state, self.bench.block_tokens
        old, new = self.rng.sample(range(1 << 16), 2)
        occupied = self.bench.entries * 97 // 100
        await self.r.insert_many([(kv(old, i * tokens), 1, 3) for i in range(occupied)])
        self.look()
        for index in self.rng.sample(state.entries.arrays["valid"].nonzero()[0].tolist(), occupied // 8):
            await self.flip(index, BadParity.TAG, PLAIN[BadParity.TAG])
        searches = 0
        for number in range(80):
            addr = kv(new, number * tokens)
            searches += not state.plan_insert(addr).settled
            result = await self.r.insert(addr, tokens=1, tier=2)
            seen = await self.r.read("PARITY_COUNT")
            self.look()
            where = {"block": addr, "status": result.status.name}
            self.ctx.compare("PARITY_COUNT after INSERT", state.counters.parity, seen, **where)
        self.ctx.compare("at least 20 searches", True, searches >= 20, searches=searches)


@kv_test(timeout_cycles=600_000)
class test_rows_read_again(BitTest):
    """A scan goes back over rows, since its decisions come faster than they are taken: an entry counts once."""

    slots = (8, 8, 700, 100)

    async def body(self) -> None:
        """All blocks are to be evicted, one entry in five is bad; three scans, the first with an empty queue."""
        state, tokens = self.board.state, self.bench.block_tokens
        await self.r.insert_many([(kv(1, i * tokens), 1, 2) for i in range(640)])
        self.look()
        for number, index in enumerate(self.rng.sample(state.entries.arrays["valid"].nonzero()[0].tolist(), 128)):
            word = BadParity.META if number % 2 else BadParity.TAG
            await self.flip(index, word, PLAIN[word])
        self.memory.ideal(latency=300)
        await self.r.write(EVICT_THRESH=0xFFFF, EVICT_TIERS=0xF)
        for step in range(1, 4):
            before = state.counters.parity
            await self.r.step(step)
            await self.r.wait_idle()
            seen = await self.r.read("PARITY_COUNT")
            self.look()
            self.ctx.compare("PARITY_COUNT after a scan and its moves", state.counters.parity, seen, step=step)
            self.ctx.compare("the scan reads every bad entry", True, seen - before >= 128, step=step)
