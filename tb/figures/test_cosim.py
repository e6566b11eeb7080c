"""The full system run, measured: cycles, seconds, memory; its pins, to be played again by the bare loop."""

import json
import resource
import time

from tb.figures.files import FIGURES, IMAGE, PINS
from tb.harness.base_test import Context, kv_test
from tb.harness.link import Link
from tb.system.test_replay import NO_LIMIT, NO_PROGRESS, replayed


@kv_test(timeout_cycles=NO_LIMIT, no_progress_cycles=NO_PROGRESS)
async def test_cosim(ctx: Context) -> None:
    """A replay with everything checked. With the setting `pins` it is recorded, and the directory's image kept."""
    link = Link()
    if ctx.settings.get("pins"):
        link.pins_record(int(ctx.parameters["PORTS"]), int(ctx.parameters["AXI_DATA_WIDTH"]) // 8)
    begun, begun_cpu = time.perf_counter(), time.process_time()
    board, tally = await replayed(ctx)
    seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - begun_cpu
    figures = {
        "requests": tally.requests,
        "references": tally.references,
        "cycles": int(link.cycle()),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "comparisons": ctx.comparisons,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    (ctx.run_dir / FIGURES).write_text(json.dumps(figures, indent=1) + "\n")
    if ctx.settings.get("pins"):
        link.pins_save(ctx.run_dir / PINS)
        state = board.state
        image = b"".join(state.read_entry(index) for index in range(state.entry_count))
        (ctx.run_dir / IMAGE).write_bytes(image)
        ctx.compare("bytes of the directory's image", state.entry_count * 32, len(image))
