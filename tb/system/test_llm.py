"""Prompts served by the micro-LLM on the RTL: frames in, tokens out, keys and values in the device's memories."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sw.kernel.clock import CountedClock, CountingTransport
from sw.run import run
from sw.transport.base import Transport
from sw.transport.model import ModelTransport
from tb.base_test import Context, kv_test
from tb.bench import Bench
from tb.llm.job import LlmJob
from tb.llm.on_rtl import FEED
from tb.llm.outcome import Progress
from tb.llm.setup import shipped
from tb.llm.workload import default, single
from tb.replay.feed import Writer
from tb.scoreboard.scoreboard import Scoreboard
from tb.system.model import same_model
from tb.transport import RtlTransport

NO_LIMIT = 2**48  # cycles: the workload decides how long a run is


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=1_000_000)
async def serve_prompts(ctx: Context) -> None:
    """Serve the workload that the settings name; every token as on a plain array, most blocks move several times."""
    text = ctx.settings.get("prompt")
    prompts = default(ctx.seed) if text is None else single(text, ctx.seed)
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    bench.link.fill_inserts(0)  # the backend writes the bytes itself
    await bench.reset()
    feed = Writer(ctx.run_dir / FEED)

    def observe(progress: Progress) -> None:
        board.drain()
        feed.write(replace(progress, comparisons=ctx.comparisons, mismatches=ctx.mismatches))

    with TemporaryDirectory(prefix="kvcpu-") as folder:
        job = LlmJob(
            RtlTransport(bench), prompts, shipped(), ctx, Path(folder), seed=ctx.seed, observer=observe
        )  # fmt: skip
        outcome = await job.run()
    if text is None:
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
        _compare("audit entry", expected.system.audit.entries(), seen.system.audit.entries(), ctx)
    _compare("decision of the scheduler", expected.system.scheduler.trace, seen.system.scheduler.trace, ctx)
    await board.finish()


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
