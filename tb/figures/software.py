"""The rows of software: ratios of processor time, and the two of wall time, which want an idle machine."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tb.figures.load import Others, now, refusal
from tb.figures.measure import FULL_SIZE, Figure, Found, Workshop, refused
from tb.figures.rows import BY_NAME
from tb.run.artefacts import published
from tb.run.engine import Local
from tb.run.errors import CheckError
from tb.run.paths import REPORT, ROOT
from tb.run.regress import run_legs
from tb.run.store.keep import NOT_KEPT

STARTS = 3
SCALING_LEVEL = "top"


def mmio(shop: Workshop) -> Found:
    """The fast transactor against the pin-level bus master."""
    leg = shop.leg("figures_mmio", parameters={})
    plain = shop.run(leg)
    device = shop.run(replace(shop.leg("figures_mmio", of=FULL_SIZE["ENTRIES"]), top=shop.leg("replay").top))
    how = (
        f"the same {plain['operations']:,} register accesses with the same results, on plain registers behind the "
        f"device's AXI4-Lite front end: fast transactor {plain['fast']:,.0f} operations/s, cocotb-bus's AXI4-Lite "
        f"master at the pins {plain['pin_level']:,.0f}. On the whole device at full size, whose own simulation takes "
        f"the time of either: {device['fast']:,.0f} and {device['pin_level']:,.0f}"
    )
    ratios = plain["ratios"]
    how += f". Processor time, {len(ratios)} rounds of both in turn: {min(ratios):.1f} to {max(ratios):.1f}"
    return Found({"mmio_vs_pin_level": Figure(round(plain["fast"] / plain["pin_level"], 1), how)})


def model(_shop: Workshop) -> Found:
    """One scan of the golden model."""
    from model.bench import measure  # the model is filled up to its first FULL

    value, unit, _ = measure()["model_scan"]
    how = f"golden model, 65,536 entries, begin to end of a scan, median of 50 ({unit} of CPU)"
    return Found({"model_scan": Figure(round(value, 3), how)})


def startup(shop: Workshop) -> Found:
    """`make sim` with everything built. A loaded machine only makes it longer: what reaches the target there counts."""
    shop.build(shop.leg("replay").spec)
    others = Others()
    with _reports_kept():
        seconds = [_start() for _ in range(STARTS)]
    why = refusal(others.cores())
    how = (
        f"`make sim REQUESTS=1` with nothing changed since the build: call of make to the first simulated cycle; "
        f"the best of {STARTS}: " + ", ".join(f"{s:.2f} s" for s in seconds)
    )
    if why and not BY_NAME["startup"].met(min(seconds)):
        return refused(shop, "startup", f"{why}; {how}")
    return Found({"startup": Figure(round(min(seconds), 2), how)})


def _start() -> float:
    """Seconds from the call of `make sim` until the device is simulated; it runs to its end."""
    begun = time.monotonic()
    command = ["make", "sim", "REQUESTS=1"]
    environment = {**os.environ, NOT_KEPT: "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as sim:
        assert sim.stdout is not None
        lines: list[str] = []
        seconds = None
        for line in sim.stdout:
            lines.append(line)
            if seconds is None and line.rstrip().endswith("starting"):  # tb/replay/display.py, at the first cycle
                seconds = time.monotonic() - begun
    if sim.returncode != 0 or seconds is None:
        raise CheckError(f"make sim ended with status {sim.returncode}: {''.join(lines[-5:])}")
    return seconds


@contextmanager
def _reports_kept() -> Iterator[None]:
    """What `make sim` reports here is not a replay of the user: put the user's last report back."""
    kept = {path.name: path.read_bytes() for path in (REPORT / "sim.json", REPORT / "sim.html") if path.exists()}
    try:
        yield
    finally:
        if kept:
            with published(REPORT, "sim") as staged:
                for name, content in kept.items():
                    (staged / name).write_bytes(content)


def scaling(shop: Workshop) -> Found:
    """Wall time of the same tests on one worker and on two; refused when others take the cores before or meanwhile."""
    if why := refusal(now()):
        return refused(shop, "regress_scaling", why)
    legs = [leg for leg in shop.manifest.legs if leg.quick and leg.level == SCALING_LEVEL]
    legs = [replace(leg, top=replace(leg.top, spec=shop.spec(leg.top.spec))) for leg in legs]
    for leg in legs:
        shop.build(leg.spec)
    others = Others()
    seconds = []
    for workers in (1, 2):
        results = run_legs(legs, Local(workers), seeds=1, coverage=False)
        passed, failed = results.counts
        if failed:
            raise CheckError(f"{failed} of the manifest's tests failed: see `make test`")
        shop.say(f"  {passed} tests on {workers} worker{'s' if workers > 1 else ''}: {results.seconds:.0f} s")
        seconds.append(results.seconds)
    if why := refusal(others.cores()):
        return refused(shop, "regress_scaling", why)
    how = (
        f"the {passed} tests of the manifest's quick legs of the whole device, builds done before: {seconds[0]:.0f} s "
        f"on 1 worker, {seconds[1]:.0f} s on 2"
    )
    return Found({"regress_scaling": Figure(round(seconds[0] / seconds[1], 2), how)})
