"""Child processes that always end: each in a group of its own, killed as a group.

A time limit, Ctrl-C, SIGTERM and the end of the interpreter all take the whole group with them, so
no simulator, make or compiler outlives the command that started it. When the command itself is killed
(SIGKILL, out of memory), the watchdog that it has started ends them.
"""

import contextlib
import errno
import os
import resource
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import IO

from tb.run.errors import CheckError, UsageError
from tb.run.paths import ROOT

PASSED_ON = ("HOME", "TMPDIR", "LD_LIBRARY_PATH", "CPATH", "LIBRARY_PATH", "SSL_CERT_FILE")
GRACE_S = 2.0
DESCRIPTORS = 256  # open files that a command and its tools may need
WATCHDOG = Path(__file__).with_name("watchdog.py")
MARK = "KVCPU_RUNNER"  # variable that all children of one runner have, and theirs
NOT_A_PROGRAM = (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ETXTBSY)

_live: set[int] = set()
_lock = threading.Lock()
_stopping = threading.Event()
_starting = threading.Event()  # the main thread is starting a child: a signal must wait
_late = threading.Event()  # a signal came meanwhile


class _Watchdog:
    """A process that ends this one's children when this one can no longer do it."""

    def __init__(self) -> None:
        self.mark = f"{os.getpid()}.{secrets.token_hex(8)}"
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self) -> None:
        """Start it, or start it again; the caller has `_lock`."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WATCHDOG), f"{MARK}={self.mark}"],
                env={"LC_ALL": "C.UTF-8"},
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def dismiss(self) -> None:
        """Tell it that no child is left, and wait for its end."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(BrokenPipeError):
                process.communicate(b"done")


_watchdog = _Watchdog()


@dataclass(frozen=True)
class Ended:
    """How a child ended: `status` as the shell counts it (128 + signal), seconds it took."""

    status: int
    timed_out: bool
    seconds: float


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment of every child: a short list of the caller's variables, then `extra`.

    PYTHONPATH, VERILATOR_ROOT, MAKEFLAGS, COCOTB_* and all the rest stay outside, so that a run
    does not depend on the shell it was started from.
    """
    env = {name: os.environ[name] for name in (*PASSED_ON, MARK) if name in os.environ}
    env["PATH"] = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    env["LC_ALL"] = "C.UTF-8"
    env.update(extra or {})
    return env


def _kill_group(pid: int, sig: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, sig)


def kill_all() -> None:
    """End every group that is still running and refuse new ones."""
    with _lock:
        _stopping.set()
        groups = list(_live)
    for pid in groups:
        _kill_group(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and any(_group_exists(pid) for pid in groups):
        time.sleep(0.02)
    for pid in groups:
        _kill_group(pid, signal.SIGKILL)


def stopping() -> bool:
    """True from the moment when everything is being ended."""
    return _stopping.is_set()


def refuse_new() -> None:
    """Let `run` return at once instead of starting anything (other threads may still call it)."""
    _stopping.set()


def _group_exists(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _enough_descriptors() -> None:
    """Raise the limit of open files where that is allowed: tools that run out of them say all kinds of things."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= DESCRIPTORS:
        return
    try:
        most = hard if hard == resource.RLIM_INFINITY else max(hard, DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, most))
    except (ValueError, OSError):
        raise UsageError(
            f"a process may open only {soft} files: call `ulimit -n {DESCRIPTORS}` or more first"
        ) from None


@contextlib.contextmanager
def no_process_left() -> Iterator[None]:
    """Whatever way the block ends (Ctrl-C, SIGTERM, SIGHUP, error), its children end with it.

    Raises UsageError where a process may open too few files.
    """
    _enough_descriptors()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if _starting.is_set():
            _late.set()
        else:
            raise KeyboardInterrupt(number)

    previous = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    _stopping.clear()
    _late.clear()
    interrupted = False
    outer = os.environ.get(MARK)
    os.environ[MARK] = _watchdog.mark  # for children that are started in other ways than by `run`
    try:
        with _lock:
            _watchdog.watch()
        yield
    except KeyboardInterrupt:
        interrupted = True
        raise
    finally:
        for number in previous:
            signal.signal(number, signal.SIG_IGN)
        kill_all()
        _watchdog.dismiss()
        os.environ.pop(MARK)
        os.environ.update({} if outer is None else {MARK: outer})
        if not interrupted:  # else threads that are still there must not start anything more
            _stopping.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """A signal within the block takes effect at its end: a child is either known or not started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _starting.set()
    try:
        yield
    finally:
        _starting.clear()
    if _late.is_set():
        raise KeyboardInterrupt


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    timeout_s: float | None = None,
) -> Ended:
    """Run `command` with stdout and stderr in `log`; at the limit ask for stacks, then kill the group.

    Raises CheckError when there is no such program, OSError when the machine cannot start one.
    """
    start = time.monotonic()
    timed_out = False
    with log.open("wb") as out:
        with _no_interrupt(), _lock:  # so that kill_all knows every child that was started
            if _stopping.is_set():
                return Ended(128 + signal.SIGTERM, False, 0.0)
            _watchdog.watch()
            child = _start(command, env, cwd, out)
            _live.add(child.pid)
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            _kill_group(child.pid, signal.SIGUSR1)  # tb.harness.context dumps the Python stacks on it
            time.sleep(0.3)
        finally:
            _end_group(child)
            with _lock:
                _live.discard(child.pid)
    code = child.returncode
    return Ended(code if code >= 0 else 128 - code, timed_out, time.monotonic() - start)


def _start(command: Sequence[str], env: Mapping[str, str], cwd: Path, out: IO[bytes]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command,
            env={**env, MARK: _watchdog.mark},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        if error.errno in NOT_A_PROGRAM:
            raise CheckError(f"{command[0]} cannot be started: {error.strerror}") from None
        raise


def output(command: Sequence[str], extra_env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Status and output of a short command of the project, run at its root."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        ended = run(command, env=clean_env({"PYTHONPATH": str(ROOT), **(extra_env or {})}), cwd=ROOT, log=log)
        return ended.status, log.read_text(errors="replace")


def _end_group(child: "subprocess.Popen[bytes]") -> None:
    """End what is left of a child's group, also when the child itself has ended already."""
    _kill_group(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_S)
    _kill_group(child.pid, signal.SIGKILL)
    child.wait()
