"""The rows of a real Linux kernel on the RTL: register accesses, the interrupt's time, boot (docs/linux.md)."""

from tb.figures.load import Others, refusal
from tb.figures.measure import Figure, Found, Workshop, refused
from tb.figures.rows import BY_NAME
from tb.linux.boots import boot_on, task
from tb.linux.kernel import kernel
from tb.linux.ktap import failure, step_to_irq
from tb.linux.machine import Boot
from tb.linux.options import Options
from tb.linux.report import rate
from tb.run.errors import CheckError
from tb.run.tools import missing_kernel_packages

RATE, STEP, BOOT = "linux_mmio", "linux_step_to_irq", "linux_boot"
RUNS = 3


def linux(shop: Workshop) -> Found:
    """Two suites of the guest on the RTL; the rate is of wall time, as two processes take turns in it."""
    if missing := missing_kernel_packages():
        why = f"`make kernel` needs Debian's packages {', '.join(missing)} (`make doctor`)"
        shop.say(f"  {RATE}, {STEP}, {BOOT} are not measured: {why}")
        return Found(dict.fromkeys((RATE, STEP, BOOT), Figure(None, f"not measured: {why}")))
    others = Others()
    rates = [_boot(shop, "rate") for _ in range(RUNS)]
    busy = refusal(others.cores())
    best = max(rates, key=rate)
    how = (
        f"{best.accesses:,} register accesses of the driver in a guest on the RTL, 1,024 entries, 4 lanes, scoreboard "
        f"and protocol checkers on; first to last access, wall time; the best of {RUNS}: "
        + ", ".join(f"{rate(boot):,.0f}/s" for boot in rates)
    )
    found = Found({BOOT: Figure(round(best.first_access_s, 2), "start of the kernel to the driver's first access")})
    if busy and not BY_NAME[RATE].met(rate(best)):
        found.figures.update(refused(shop, RATE, f"{busy}; {how}").figures)
    else:
        found.figures[RATE] = Figure(round(rate(best)), how)
    pairs = step_to_irq(_boot(shop, "time").log)
    seen = ", ".join(f"{one} ({other})" for one, other in pairs)
    off = max(abs(one - other) for one, other in pairs)
    how = f"largest difference; ns as Linux has seen them (as the RTL's monitors have counted them): {seen}"
    found.figures[STEP] = Figure(off, how)
    return found


def _boot(shop: Workshop, suite: str) -> Boot:
    """A suite of the guest on the RTL. Raises CheckError: it did not pass."""
    built, options = kernel(shop.say), Options("rtl", suite)
    boot, _ = boot_on(built, task(built, options, suite), options, shop.say)
    if why := boot.fault or failure(boot.log):
        raise CheckError(f"make kernel TEST={suite}: {why}")
    return boot
