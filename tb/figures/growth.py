"""Growth: time, memory and cycles against the directory's size and the trace's length: no faster than the work."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tb.figures.cosim import LEG
from tb.figures.measure import FULL_SIZE, Figure, Found, Workshop, run_job
from tb.run.leg import Job

SIZES = (1_024, 4_096, 16_384, 65_536)  # entries, all with 16 lanes
LENGTHS = (100, 500, 2_000, 5_000)  # requests
SIZE_REQUESTS = 60  # replayed at each size


def growth(shop: Workshop) -> Found:
    """Both tables; `replay_rate` is that of the longest trace."""
    found = Found()
    if shop.settings.curves:
        found.curves["sizes"] = [_of_size(shop, entries) for entries in SIZES]
    found.curves["lengths"] = rows = _of_lengths(shop, LENGTHS if shop.settings.curves else LENGTHS[:2])
    rates = [f"{row['references'] / row['seconds']:,.0f} at {row['requests']:,}" for row in rows]
    last = rows[-1]
    of_processor = last["references"] / last["cpu_seconds"]
    how = (
        f"a generated trace of {last['requests']:,} requests at full size, everything checked: {last['references']:,} "
        f"references in {last['seconds']:.0f} s; references a second by the trace's requests: {', '.join(rates)}; "
        f"{of_processor:,.0f} a second of processor time"
    )
    found.figures["replay_rate"] = Figure(round(last["references"] / last["seconds"], 1), how)
    return found


def _of_size(shop: Workshop, entries: int) -> dict[str, Any]:
    """The same short replay on a directory of another size."""
    figures = shop.run(shop.leg(LEG, {**FULL_SIZE, "ENTRIES": entries}, of=entries, requests=SIZE_REQUESTS))
    shop.say(f"  {entries:,} entries: {figures['cycles'] / figures['seconds']:,.0f} cycles/s")
    return {**figures, "entries": entries}


def _of_lengths(shop: Workshop, lengths: Sequence[int]) -> list[dict[str, Any]]:
    """One replay of each length, the longest first, as many at a time as there are cores."""
    jobs = [Job(leg, leg.tests[0], 1) for leg in (shop.leg(LEG, of=count, requests=count) for count in lengths)]
    built = shop.build(jobs[0].leg.spec)

    def run(job: Job) -> dict[str, Any]:
        figures = run_job(job, built)
        shop.say(f"  {figures['requests']:,} requests: {figures['seconds']:.0f} s, {figures['megabytes']:.0f} MB")
        return figures

    with ThreadPoolExecutor(shop.cores) as pool:
        return list(pool.map(run, jobs[::-1]))[::-1]
