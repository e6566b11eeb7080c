"""One guest: the kernel as a process of the host, with the bridge on the other side of its sockets."""

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from tb.linux.backend import Function
from tb.linux.bridge import Bridge
from tb.linux.errors import ProtocolError
from tb.linux.kernel import Kernel
from tb.run.paths import ROOT
from tb.run.process import Ended, clean_env, run

MEMORY = "192M"
PYTHON = ROOT / ".venv" / "bin" / "python"  # the guest's root is the host's: it has the project and its environment
SHELL = "shell"  # in place of a suite
CONSOLE_FD = 3
LOG, OUTCOME = "guest.log", "guest.json"  # in the folder of a run on the RTL
_PROCESSOR = 36  # in /proc/<pid>/stat, from the state on


@dataclass(frozen=True)
class Task:
    """What runs in the guest: files of the host, and which tests.

    Attributes:
        module: the driver.
        init: init and the tests.
        programs: folder of other programs, each in a folder of its name.
        suite, pattern: one suite, and the tests of it; the suite SHELL is a shell at `console`.
        console: path of the terminal that is the guest's first console; "": what it prints is in its log.
        leaks: look for leaks at the end.
        coverage: folder for the driver's branch counts; "": they are not kept.
    """

    module: Path
    init: Path
    programs: Path
    suite: str
    pattern: str = "*"
    console: str = ""
    coverage: str = ""
    leaks: bool = False

    def at(self, console: str) -> Self:
        """The same at a terminal."""
        return replace(self, console=console)

    @property
    def settings(self) -> dict[str, Any]:
        """The same for another process, which makes it again with `from_settings`."""
        return {**{name: str(getattr(self, name)) for name in _TASK_TEXTS}, "leaks": self.leaks}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """What `settings` has said."""
        module, init, others, suite, pattern, console, coverage = (settings[name] for name in _TASK_TEXTS)
        return cls(Path(module), Path(init), Path(others), suite, pattern, console, coverage, settings["leaks"])

    @property
    def parameters(self) -> list[str]:
        """For the kernel's command line; what is not the kernel's own becomes init's environment."""
        files = {"init": self.init, "module": self.module, "programs": self.programs, "python": PYTHON, "root": ROOT}
        given = {"suite": self.suite, "pattern": self.pattern, **files}
        return [
            f"init={self.init}",
            *(f"kv_{name}={value}" for name, value in given.items()),
            *(["kv_leaks=1"] if self.leaks else []),
            *([f"kv_coverage={self.coverage}"] if self.coverage else []),
        ]


_TASK_TEXTS = ("module", "init", "programs", "suite", "pattern", "console", "coverage")


@dataclass(frozen=True)
class Boot:
    """How one boot ended.

    Attributes:
        log: what the guest's consoles printed.
        fault: why the conversation with it ended early; "" when it did not.
        status: exit status of its process.
        seconds: wall time.
        simulated_ns: its clock at the end.
        accesses: register accesses.
        messages, grants: of the calendar.
        first_access_s: wall time to the first access of a BAR.
        access_s: wall time from the first to the last access.
        check_failed_ns: device time at which a test first found a fault; None: none has.
        events: digest of the RTL's event log; "" where there is none.
    """

    log: str
    fault: str
    status: int
    seconds: float
    simulated_ns: int
    accesses: int
    messages: int
    grants: int
    first_access_s: float
    access_s: float
    check_failed_ns: int | None = None
    events: str = ""

    @classmethod
    def unknown(cls, log: str) -> Self:
        """Of a guest of which only the log is left."""
        return cls(log, "it was ended before it could report", 1, 0.0, 0, 0, 0, 0, 0.0, 0.0)


class _Guest(threading.Thread):
    """The kernel's process, waited for in a thread of its own."""

    def __init__(self, command: Sequence[str], folder: Path, log: Path, limit_s: float) -> None:
        super().__init__(name="guest", daemon=True)
        self._command, self._folder, self._log, self._limit_s = command, folder, log, limit_s
        self.ended: Ended | None = None

    def run(self) -> None:
        """Start it and wait."""
        env = clean_env({"TMPDIR": str(self._folder)})
        self.ended = run(self._command, env=env, cwd=self._folder, log=self._log, timeout_s=self._limit_s)


def command(kernel: Kernel, bridge: Bridge, task: Task) -> list[str]:
    """The kernel's command line; without address randomisation, so that a run repeats exactly."""
    sockets = bridge.sockets
    wrapper = ["sh", "-c", f'exec {CONSOLE_FD}<>"$0"; exec "$@"', task.console] if task.console else []
    # a shell's terminal is the user's; the kernel's messages go to the log as always
    log = "null,fd:1"
    console = [f"con0=fd:{CONSOLE_FD}", f"con1={log}", "console=tty1"] if task.console else [f"con0={log}"]
    return [
        *wrapper,
        "setarch", "x86_64", "-R", str(kernel.program), f"mem={MEMORY}", "root=/dev/root", "rootfstype=hostfs", "ro",
        "con=null", *console, "ssl=null", "stderr=1", "kmemleak=on", "panic=-1", "random.trust_cpu=off",
        f"time-travel=ext:{sockets.calendar}",
        *(f"virtio_uml.device={path}:1234" for path in sockets.functions),
        *task.parameters,
    ]  # fmt: skip


@contextmanager
def one_processor() -> Iterator[None]:
    """This thread, and what it starts meanwhile, stay on the processor on which it runs now.

    Bridge and guest take turns, thousands of times a second: to wake the other on a processor that sleeps takes longer
    than a switch on one that does not.
    """
    before = os.sched_getaffinity(0)
    fields = Path("/proc/thread-self/stat").read_text().rpartition(")")[2].split()
    os.sched_setaffinity(0, {int(fields[_PROCESSOR])})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def boot(kernel: Kernel, functions: Sequence[Function], task: Task, log: Path, limit_s: float) -> Boot:
    """Boot a guest on these functions, serve it until it ends, at most `limit_s` of wall time, and tell how it did."""
    with TemporaryDirectory(prefix="kvcpu-") as name, one_processor():
        folder = Path(name)
        bridge = Bridge(functions, folder, task.console)
        guest = _Guest(command(kernel, bridge, task), folder, log, limit_s)
        begun = time.monotonic()
        fault = ""
        guest.start()
        try:
            await bridge.serve(guest.is_alive)
        except ProtocolError as error:
            fault = str(error)
        finally:
            bridge.close()
            guest.join()
        seconds = time.monotonic() - begun
    ended = guest.ended
    return Boot(
        log=log.read_text(errors="replace"),
        fault=fault or ("the guest did not end in time" if ended is None or ended.timed_out else ""),
        status=ended.status if ended else 1,
        seconds=seconds,
        simulated_ns=bridge.calendar.now,
        accesses=sum(function.endpoint.accesses for function in functions),
        messages=bridge.calendar.messages,
        grants=bridge.calendar.grants,
        first_access_s=bridge.first_access - begun if bridge.first_access else 0.0,
        access_s=bridge.last_access - bridge.first_access,
        check_failed_ns=next((at for f in functions if (at := f.endpoint.check_failed_at) is not None), None),
    )
