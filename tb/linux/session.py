"""`make kernel SHELL=1`: a shell in the guest, whose device is the RTL or the device model."""

from collections.abc import Callable

from tb.linux.boots import boot_on, task
from tb.linux.console import Console
from tb.linux.kernel import Kernel
from tb.linux.ktap import kernel_faults
from tb.linux.machine import SHELL
from tb.linux.options import Options
from tb.run.command import tell
from tb.run.errors import CheckError


def session(built: Kernel, options: Options, say: Callable[[str], None]) -> int:
    """Serve a shell until it ends. Raises CheckError: the run did not pass, or the kernel reports a fault."""
    wanted = task(built, options, SHELL)
    if options.backend == "rtl":
        from tb.linux import on_rtl

        on_rtl.prepare(say)
    say(f"Linux {built.version} on the {options.backend}: /dev/kvcpu0, /sys/class/kv_cpu/kvcpu0")
    say("simulated time passes while a command runs, and stands still at the prompt; exit or Ctrl-D ends it")
    with Console() as console:
        boot, comparisons = boot_on(built, wanted.at(console.path), options, say)
    if boot.fault:
        raise CheckError(boot.fault)
    for line in kernel_faults(boot.log):
        raise CheckError(f"kernel log: {line}")
    checked = f"{comparisons:,} comparisons, no mismatch" if comparisons else "nothing is compared on the device model"
    tell(f"ended: {boot.accesses:,} register accesses in {boot.simulated_ns:,} ns; {checked}; no process is left")
    return 0
