"""A point of an experiment on the RTL: every answer is that of the policy level, and the scoreboard checks the rest."""

from __future__ import annotations

from tb.harness.base_test import Context, kv_test
from tb.harness.bench import Bench
from tb.harness.transport import RtlTransport
from tb.lab.point.job import FEED, Progress, run_point
from tb.lab.point.workload import named
from tb.scoreboard.scoreboard import Scoreboard
from tb.sim.feed import Writer

NO_LIMIT = 2**48  # cycles: the trace decides how long a point is
NO_PROGRESS = 5_000_000  # cycles


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=NO_PROGRESS)
async def point(ctx: Context) -> None:
    """The point that the settings name."""
    chosen = named(ctx.settings)
    bench = Bench(ctx)
    board = Scoreboard(ctx, bench)
    await bench.reset()
    feed = Writer(ctx.run_dir / FEED)

    def observe(progress: Progress) -> None:
        board.drain()
        feed.write(progress)

    observe(Progress())
    await run_point(chosen, RtlTransport(bench), ctx, observe, lambda: (ctx.comparisons, ctx.mismatches))
    await board.finish()
    print(board.summary())
