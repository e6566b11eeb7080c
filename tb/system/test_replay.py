"""The main job: the replay of `sw/replay` on the RTL, everything checked by the scoreboard."""

from pathlib import Path
from typing import Any

from sw.replay.records import Sample, Tally
from sw.replay.runtime import Replay
from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.transport import RtlTransport
from tb.replay.feed import NAME, Update
from tb.replay.workload import Source, load, plan
from tb.scoreboard.scoreboard import Scoreboard
from tb.sim.feed import Writer

NO_LIMIT = 2**48  # cycles: the trace decides how long a replay is
NO_PROGRESS = 1_000_000  # cycles


def source_of(settings: dict[str, Any]) -> Source:
    """The workload that the leg's settings name."""
    trace, asked = settings.get("trace"), {name: settings.get(name) for name in ("requests", "block_size", "time_unit")}
    return Source(trace=Path(trace) if trace else None, **asked)


async def replayed(ctx: Context) -> tuple[Scoreboard, Tally]:
    """Replay the workload that the settings name; progress goes to a file next to the log."""
    workload = load(source_of(ctx.settings), ctx.seed)
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    bench.link.fill_inserts(0)  # the runtime writes the bytes itself
    await bench.reset()
    feed = Writer(ctx.run_dir / NAME)

    def observe(sample: Sample | None, tally: Tally) -> None:
        board.drain()
        feed.write(Update(sample, tally, ctx.comparisons, ctx.mismatches))

    config = plan(workload, bench.entries)
    job = Replay(RtlTransport(bench), workload.requests, config, ctx, seed=ctx.seed, observer=observe)
    observe(None, job.tally)
    await job.run()
    observe(None, job.tally)
    await board.finish()
    print(board.summary())
    return board, job.tally


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=NO_PROGRESS)
async def replay(ctx: Context) -> None:
    """The replay, and nothing else."""
    await replayed(ctx)
