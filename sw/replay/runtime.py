"""The inference runtime of a replay: admits requests, decodes them together, tells the device what it knows.

One step, from its STEP_ADVANCE on: requests that ended in the step before are freed; those that are done
RELEASE and get EVICT hints; queued ones start (lookups of their prompt's blocks, INSERT of what is
missing, its bytes, SHARE); every running one decodes a device token (a write lookup grows its tail block,
read lookups stand for its attention); PREFETCH hints go out for those that start next. The bytes of a
lookup are accessed before the next STEP_ADVANCE: the fence (software.md 1).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sw.driver import Driver
from sw.regs.kv_address import KvAddress
from sw.replay.blocks import Block, PrefixBlocks, Run, runs
from sw.replay.config import ReplayConfig
from sw.replay.device import Device
from sw.replay.records import Checks, Observer, Sample, Tally
from sw.replay.trace import TraceRequest
from sw.transport.base import Lookup, Transport

CHECKED_HITS = 2  # hits of a prompt whose bytes are read and compared at once


@dataclass(slots=True)
class _Request:
    """A request that waits, runs or has just ended; `output` and `decoded` in device tokens."""

    number: int
    prompt: list[Block]
    output: int
    request_id: int = 0
    decoded: int = 0
    own: list[Block] = field(default_factory=list)
    shared: list[Run] = field(default_factory=list)
    cursor: int = 0
    hinted: bool = False


class Replay:
    """One replay of a workload on one device.

    Attributes:
        tally: what has been counted so far.
    """

    def __init__(
        self,
        transport: Transport,
        workload: Iterable[TraceRequest],
        config: ReplayConfig,
        checks: Checks,
        *,
        seed: int,
        observer: Observer | None = None,
    ) -> None:
        """Nothing is done before `run`; `checks` decides what a difference does."""
        self.tally = Tally()
        self._transport = transport
        self._workload = workload
        self._config = config
        self._checks = checks
        self._observer = observer
        self._random = random.Random(seed)
        self._step = 0
        self._queue: deque[_Request] = deque()
        self._running: list[_Request] = []
        self._ended: list[_Request] = []
        self._free_ids = deque(range(1, config.running * 2 + 1))

    async def run(self) -> Tally:
        """Replay all of it and check the end.

        Raises:
            DriverError, TransportError, DeviceFault: the device did not do its part.
            whatever `checks` raises at a difference.
        """
        driver = await Driver.probe(self._transport)
        self._device = Device(driver, self._config, self._checks, self.tally)
        self._prefixes = PrefixBlocks(driver.caps.block_tokens)
        self._block_tokens = driver.caps.block_tokens
        self._ports = driver.caps.ports
        await self._device.configure()
        arrivals = self._arrivals()
        waiting = next(arrivals, None)
        now_ms = waiting[0] if waiting else 0
        while waiting or self._queue or self._running or self._ended:
            if waiting and not (self._queue or self._running):
                now_ms = max(now_ms, waiting[0])
            while waiting and waiting[0] <= now_ms:
                self._queue.append(waiting[1])
                waiting = next(arrivals, None)
            await self._one_step()
            now_ms += self._config.step_ms
        await self._device.settle()
        await self._device.check_end(list(self._prefixes.present()), self._step + 1)
        return self.tally

    def _arrivals(self) -> Iterator[tuple[int, _Request]]:
        """(arrival in ms, request); a timestamp before its predecessor's counts as that one's."""
        latest = 0
        for number, request in enumerate(self._workload):
            latest = max(latest, request.timestamp_ms)
            output = -(-request.output_length * self._block_tokens // self._config.trace_block)
            prompt = self._prefixes.prompt(dict.fromkeys(request.hash_ids))
            yield latest, _Request(number, prompt, output)

    async def _one_step(self) -> None:
        self._step += 1
        self.tally.steps += 1
        begun = self._device.cycle
        await self._device.driver.step(self._step)
        await self._free_ended()
        await self._end_requests()
        await self._device.keep_room(self._prefixes)
        for _ in range(min(self._config.admissions, self._config.running - len(self._running))):
            if self._queue:
                await self._start(self._queue.popleft())
                await self._device.take_completions()
        await self._decode()
        await self._hint_queued()
        scores = None
        if self._step % self._config.score_every == 1:
            last = self._device.driver.caps.entries - self._config.score_entries
            scores = await self._device.scores(self._random.randrange(last + 1))
        await self._device.pass_until(begun + self._config.step_cycles)
        scan_cycles, occupied = await self._device.observe()
        if self._observer:
            self._observer(self._sample(scan_cycles, occupied, scores), self.tally)

    def _sample(self, scan_cycles: int, occupied: list[int], scores: list[int] | None) -> Sample:
        tally = self.tally
        return Sample(
            step=self._step,
            cycle=self._device.cycle,
            running=len(self._running),
            queued=len(self._queue),
            requests=tally.requests,
            references=tally.references,
            hits=tally.hits,
            hits_by_tier=list(tally.hits_by_tier),
            occupied=occupied,
            evictions=tally.evictions,
            promotions=tally.promotions,
            scan_cycles=scan_cycles,
            scores=scores,
        )

    # ------------------------------------------------------------------ a request, from start to end

    async def _start(self, request: _Request) -> None:
        """Look up the prompt's blocks, insert and write what is missing, share them all."""
        device, prefixes = self._device, self._prefixes
        request.request_id = self._free_ids.popleft()
        port = request.number % self._ports
        prompt = request.prompt
        for block in prompt:
            prefixes.use(block)
        found = await self._references(port, prompt)
        missing = [block for block in prompt if block not in found]
        await device.insert(missing, prefixes)
        await self._write_prompt(port, [block for block in missing if block.present])
        for block in prompt:
            if not block.present:
                prefixes.leave(block)
        request.prompt = [block for block in prompt if block.present]
        request.shared = runs(request.prompt)
        for first, tokens in request.shared:
            await device.driver.share(KvAddress(0, 0, 0, first), tokens)
        self._running.append(request)

    async def _references(self, port: int, prompt: list[Block]) -> set[Block]:
        """Look up a prompt's blocks and count; those that the device holds."""
        device, tally = self._device, self.tally
        answers = await device.look([(Lookup(port, block.first), block) for block in prompt])
        tally.references += len(prompt)
        hits = [(block, answer) for block, answer in zip(prompt, answers, strict=True) if answer.hit]
        for _, answer in hits:
            tally.hits += 1
            tally.hits_by_tier[answer.tier] += 1
        await device.expect_misses([block.first for block in prompt if not block.present])
        for block, answer in hits[:CHECKED_HITS]:
            await device.check_bytes(block, answer)
        return {block for block, _ in hits}

    async def _write_prompt(self, port: int, blocks: list[Block]) -> None:
        """The bytes of new blocks, where a write lookup says: then nothing moves them in this step."""
        wanted = [(Lookup(port, block.first, write=True), block) for block in blocks]
        for block, place in zip(blocks, await self._device.look(wanted), strict=True):
            await self._device.write_tokens(block, place, 0, block.tokens)

    async def _decode(self) -> None:
        """One device token for every running request: its tail block grows, then its attention reads."""
        device = self._device
        running = [request for request in self._running if request.decoded < request.output]
        new = [self._new_tail(r) for r in running if r.decoded % device.block_tokens == 0]
        await device.insert(new, self._prefixes, written=True)
        writing = [request for request in running if request.own[-1].present]
        wanted = [(self._tail_write(request), request.own[-1]) for request in writing]
        for request, place in zip(writing, await device.look(wanted), strict=True):
            tail, token = request.own[-1], request.decoded % device.block_tokens
            tail.tokens = token + 1
            await device.write_tokens(tail, place, token, 1)
        for request in running:
            request.decoded += 1
            self.tally.tokens += 1
        reads = [(request, block) for request in self._running for block in self._attention(request)]
        wanted = [(Lookup(r.number % self._ports, block.first), block) for r, block in reads]
        read_by = None
        for (request, block), place in zip(reads, await device.look(wanted), strict=True):
            if request is not read_by:
                await device.check_bytes(block, place)
            read_by = request

    def _new_tail(self, request: _Request) -> Block:
        """The next block of the request's own tokens; it holds one token when it is inserted."""
        kv_addr = KvAddress(request.request_id, 0, 0, request.decoded)
        request.own.append(Block(kv_addr, tokens=1, version=request.number))
        return request.own[-1]

    def _tail_write(self, request: _Request) -> Lookup:
        """The write lookup of the token that is decoded now."""
        token = KvAddress(request.request_id, 0, 0, request.decoded)
        return Lookup(request.number % self._ports, token.pack(), write=True)

    def _attention(self, request: _Request) -> list[Block]:
        """The blocks that a step reads: as many as the budget allows, in turn."""
        held = request.prompt + [block for block in request.own if block.present]
        count = min(self._config.reads, len(held))
        chosen = [held[(request.cursor + n) % len(held)] for n in range(count)]
        request.cursor += count
        return chosen

    async def _end_requests(self) -> None:
        """RELEASE what is done, and hint that its blocks without another user may go."""
        driver = self._device.driver
        for request in [r for r in self._running if r.decoded >= r.output]:
            self._running.remove(request)
            self._ended.append(request)
            for first, tokens in request.shared:
                await driver.release(KvAddress(0, 0, 0, first), tokens)
            for block in request.prompt:
                self._prefixes.leave(block)
            for first, tokens in runs(block for block in request.prompt if not block.users):
                await driver.evict(KvAddress(0, 0, 0, first), tokens)
            for first, tokens in runs(block for block in request.own if block.present):
                await driver.evict(KvAddress(request.request_id, 0, 0, first), tokens)

    async def _free_ended(self) -> None:
        """FREE_REQUEST, a step after the end: the device may still be moving the blocks down."""
        for request in self._ended:
            freed = await self._device.driver.free_request(request.request_id)
            held = sum(block.present for block in request.own)
            where = {"request_id": request.request_id}
            self._checks.compare("FREE_REQUEST removed, stayed", (held, 0), (freed.removed, freed.stayed), **where)
            self._free_ids.append(request.request_id)
            self.tally.requests += 1
            await self._device.take_completions()  # FREE_REQUEST walks the whole directory meanwhile
        self._ended.clear()

    async def _hint_queued(self) -> None:
        """PREFETCH for those that start in the next step."""
        for request in list(self._queue)[: self._config.admissions]:
            if not request.hinted:
                request.hinted = True
                for first, tokens in runs(block for block in request.prompt if block.present):
                    kv_addr = KvAddress(0, 0, 0, first)
                    await self._device.driver.prefetch(kv_addr, tokens, self._step + 1)
