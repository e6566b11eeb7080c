"""Prompts served by the micro-LLM on the RTL: frames in, tokens out, keys and values in the device's memories."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sw.codes import Code
from sw.control.llm_commands import InferState
from sw.driver import Driver
from sw.kernel.clock import CountedClock, CountingTransport
from sw.llm.system import System, build_system
from sw.node.start import settle
from sw.regs import registers as regs
from sw.run import run
from sw.transport.base import Operation, Transport, Write
from sw.transport.model import ModelTransport
from tb.events.timeline import SPANS, write_spans
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.transport import RtlTransport
from tb.llm.clients import Client, Desk
from tb.llm.job import REST_NS, LlmJob, reference
from tb.llm.on_rtl import FEED
from tb.llm.options import workload
from tb.llm.outcome import Progress
from tb.llm.setup import WCET_CYCLES, shipped, system_config
from tb.llm.spans import prompt_spans, server_spans
from tb.llm.workload import Prompt, default
from tb.scoreboard.scoreboard import Scoreboard
from tb.sim.feed import Writer
from tb.system.model import same_model

TOLD = (regs.STEP_ADVANCE, regs.DIR_COMMAND, regs.SHARE_LEN, regs.RELEASE_LEN, regs.PREFETCH_STEP, regs.IMEVICT_LEN)
"""Registers whose write launches what a decode step tells the device."""
NO_LIMIT = 2**48  # cycles: the workload decides how long a run is


class _Tally(RtlTransport):
    """Counts writes by offset."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.written: Counter[int] = Counter()

    async def batch(self, operations: Sequence[Operation]) -> list[int]:
        """Do the operations."""
        self.written.update(operation.offset for operation in operations if isinstance(operation, Write))
        return await super().batch(operations)


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=1_000_000)
async def serve_prompts(ctx: Context) -> None:
    """Serve the workload that the settings name; every token as on a plain array, most blocks move several times."""
    text = ctx.settings.get("prompt")
    prompts = workload(text, ctx.seed)
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    bench.link.fill_inserts(0)  # the backend writes the bytes itself
    await bench.reset()
    feed = Writer(ctx.run_dir / FEED)

    def observe(progress: Progress) -> None:
        board.drain()
        feed.write(replace(progress, comparisons=ctx.comparisons, mismatches=ctx.mismatches))

    transport = _Tally(bench)
    with TemporaryDirectory(prefix="kvcpu-") as folder:
        job = LlmJob(
            transport,
            prompts,
            shipped(),
            ctx,
            Path(folder),
            seed=ctx.seed,
            observer=observe,
            trace=ctx.event_log is not None,
        )
        outcome = await job.run()
    if ctx.event_log is not None:
        servers = server_spans(job.system.scheduler.trace or ())
        write_spans(ctx.event_log.with_name(SPANS), [*servers, *prompt_spans(outcome.served)])
    if text is None:
        told = [register.name for register in TOLD if transport.written[register.offset]]
        ctx.compare("hints written to the device", [register.name for register in TOLD], told)
        ctx.compare("most blocks moved twice or more", True, 2 * outcome.moved_twice > outcome.blocks)
    observe(
        Progress(
            now_ns=job.system.clock.now(),
            ended=len(outcome.served),
            tokens=sum(len(served.tokens) for served in outcome.served),
            migrations=outcome.snapshot["migrations"],
            outcome=outcome,
        )
    )
    await board.finish()
    print(board.summary())


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=1_000_000)
async def test_same_as_on_the_model(ctx: Context) -> None:
    """On counted time RTL and device model give the same: replies, tokens, audit entries, the scheduler's decisions."""
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    bench.link.fill_inserts(0)
    await bench.reset()
    with TemporaryDirectory(prefix="kvcpu-") as folder:
        seen = _counted(RtlTransport(bench), ctx, Path(folder) / "rtl")
        rtl = await seen.run()
        expected = _counted(ModelTransport(same_model(ctx)), ctx, Path(folder) / "model")
        model = run(expected.run())
        ctx.compare("replies of the control plane", expected.desk.replies, seen.desk.replies)
        ctx.compare("tokens and their times", model.served, rtl.served)
        ctx.compare("directory when all have ended", expected.directory, seen.directory)
        _compare("audit entry", expected.system.audit.entries(), seen.system.audit.entries(), ctx)
    _compare("decision of the scheduler", expected.system.scheduler.trace, seen.system.scheduler.trace, ctx)
    await board.finish()


@kv_test(timeout_cycles=8_000_000, no_progress_cycles=1_000_000)
async def test_cancel_and_reset(ctx: Context) -> None:
    """A cancel frees blocks while they move; a reset fails what runs, exactly once, and what comes next is served."""
    prompts = [replace(prompt, max_tokens=16, cls=0) for prompt in default(ctx.seed)]
    async with _stack(ctx, prompts) as (system, desk):
        assert system.service
        cancelled, finished = [await desk.submit(n, prompt) for n, prompt in enumerate(prompts[:2])]
        while len(cancelled.tokens) < 3:
            await system.run_one()
            await desk.poll(cancelled)
        await desk.cancel(cancelled)
        request = cancelled.infer_id  # the service hands out request ids in the same order
        left = [entry for entry in (await system.driver.directory()).values() if entry.request_id == request]
        ctx.compare("state of the cancelled one", InferState.CANCELLED.name, cancelled.state.name)
        ctx.compare("its blocks in the directory", [], left)
        await _read(system, desk, finished)
        await _same(ctx, system, finished)
        lost = await desk.submit(2, prompts[2])
        while not lost.tokens:
            await system.run_one()
            await desk.poll(lost)
        await system.driver.soft_reset()  # behind the service's back
        await _read(system, desk, lost)
        ctx.compare("state after the reset", InferState.FAILED.name, lost.state.name)
        whole = await reference(system, shipped(), lost.prompt)
        ctx.compare("tokens before the reset", whole[: len(lost.tokens)], lost.tokens)
        for number, prompt in enumerate(prompts[3:], 3):
            client = await desk.submit(number, prompt)
            await _read(system, desk, client)
            await _same(ctx, system, client)
        ends = [
            (entry["object"], entry["code"], entry["state"])
            for entry in system.audit.entries()
            if entry["operation"] in {"llm.infer.cancel", "llm.infer.end"}
        ]
        expected = [(1, Code.OK, InferState.CANCELLED), (2, Code.OK, InferState.DONE)]
        expected += [(3, Code.DEVICE_FAULT, InferState.FAILED)]
        expected += [(number, Code.OK, InferState.DONE) for number in (4, 5, 6)]
        ctx.compare("ends in the audit log", [(f"infer:{n}", code, state) for n, code, state in expected], ends)
        ctx.compare("blocks reserved", 0, system.service.gate.capacity.reserved)


@kv_test(timeout_cycles=8_000_000, no_progress_cycles=1_000_000)
async def test_gate(ctx: Context) -> None:
    """Tenants ask until there is no room: what the gate has let through always has a slot, and is served."""
    prompts = [replace(prompt, max_tokens=24, cls=n % 2) for n, prompt in enumerate(default(ctx.seed) * 2)]
    async with _stack(ctx, prompts[:3]) as (system, desk):  # tiers for three
        assert system.service
        capacity = system.service.gate.capacity
        clients = []
        for number, prompt in enumerate(prompts):
            need = system.service.model().need(prompt.text, prompt.max_tokens).blocks
            room = need <= capacity.total - capacity.reserved
            client = await desk.submit(number, prompt, Code.OK if room else Code.NO_ROOM)
            if room:
                clients.append(client)
        refused = system.service.refused["llm.infer.start", Code.NO_ROOM]
        ctx.compare("refused with NoRoom", len(prompts) - len(clients), refused)
        ctx.compare("some were refused", True, refused > 0)
        ctx.compare(
            "numbers of the inferences", list(range(1, len(clients) + 1)), [client.infer_id for client in clients]
        )
        while any(not client.ended for client in clients):
            await system.run_one()
            for client in clients:
                await desk.poll(client)
        for client in clients:
            await _same(ctx, system, client)


@asynccontextmanager
async def _stack(ctx: Context, prompts: Sequence[Prompt]) -> AsyncIterator[tuple[System, Desk]]:
    """A stack with the shipped model on the RTL, scoreboard on; afterwards everything is compared."""
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    bench.link.fill_inserts(0)
    await bench.reset()
    transport = RtlTransport(bench)
    caps = (await Driver.probe(transport)).caps
    with TemporaryDirectory(prefix="kvcpu-") as folder:
        config = system_config(shipped(), prompts, caps, Path(folder), seed=ctx.seed, trace=False)
        system = await build_system(transport, config)
        desk = Desk(system, system.capabilities.bootstrap(Path(folder) / "admin.token"), ctx)
        await desk.load(shipped().package, WCET_CYCLES)
        yield system, desk
    await settle(system.driver, REST_NS)
    await board.finish()


async def _read(system: System, desk: Desk, client: Client) -> None:
    """Run until an inference has ended and is read."""
    await desk.poll(client)
    while not client.ended:
        await system.run_one()
        await desk.poll(client)


async def _same(ctx: Context, system: System, client: Client) -> None:
    ctx.compare("state of the inference", InferState.DONE.name, client.state.name, prompt=client.number)
    ctx.compare(
        "tokens of the inference",
        await reference(system, shipped(), client.prompt),
        client.tokens,
        prompt=client.number,
    )


def _compare(subject: str, expected: Sequence[Any] | None, seen: Sequence[Any] | None, ctx: Context) -> None:
    assert expected
    assert seen
    for number, (want, have) in enumerate(zip(expected, seen, strict=False)):
        ctx.compare(subject, want, have, number=number)
    ctx.compare(f"number of times: {subject}", len(expected), len(seen))


def _counted(transport: Transport, ctx: Context, folder: Path) -> LlmJob:
    folder.mkdir(mode=0o700)
    counting = CountingTransport(transport, CountedClock(access_ns=0))
    return LlmJob(counting, default(ctx.seed), shipped(), ctx, folder, seed=ctx.seed, trace=True)
