"""A served device model under load from good and hostile clients: `python -m tests.node.soak --minutes 10 --clients 8`.

Good clients (`--clients`) measure every answer; one process of each hostile kind works against them all the while.
At the end: deaths of the node, latencies of the good clients, memory of the node over time, and the audit log.
Exit status: 0 all as it must be, 1 not.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sw.audit import verify
from sw.audit.store import head_path
from sw.codes import Code
from sw.control.frames import Command, decode_reply, encode_request
from sw.control.llm_commands import InferState
from sw.llm.models import PACKAGE
from sw.node.client import Client, NodeError
from sw.node.home import Home, home_of
from sw.signing import PrivateKey
from sw.uapi.place import NAME
from tb.run.paths import ROOT
from tests.node.hostile import KINDS, worker
from tests.node.serving import environment, started

STUB = 1
P99_S = 1.0
GROWTH = 1.10  # of the resident memory, from the second quarter to the last
GROWN = "from the second quarter to the last"
SAMPLE_S = 1.0
PROMPT = b"The KV cache of a long prompt is moved between memory tiers."
TRY_AGAIN = {Code.TOO_MANY_IN_FLIGHT, Code.QUEUE_FULL, Code.RATE_LIMITED, Code.QUOTA_EXCEEDED, Code.NO_ROOM}


@dataclass
class Outcome:
    """What a soak has seen."""

    seconds: float
    waits: list[float] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    memory_kib: list[int] = field(default_factory=list)
    deaths: int = 0
    status: int | None = None
    audit: str = ""
    whole: bool = False

    def percentile(self, percent: float) -> float:
        """Of the good clients' waits, in s."""
        ordered = sorted(self.waits)
        return ordered[max(0, -(-int(percent * len(ordered)) // 100) - 1)]

    @property
    def growth(self) -> float:
        """Mean memory of the last quarter over that of the second."""
        quarter = max(1, len(self.memory_kib) // 4)
        mean = lambda part: sum(part) / len(part)  # noqa: E731
        return mean(self.memory_kib[-quarter:]) / mean(self.memory_kib[quarter : 2 * quarter] or self.memory_kib[:1])

    def failures(self) -> list[str]:
        """What is not as it must be."""
        found = [f"a good client failed: {error}" for error in self.errors[:5]]
        if self.deaths or self.status != 0:
            found.append(f"the node died {self.deaths} times; exit status {self.status}")
        if self.percentile(99) >= P99_S:
            found.append(f"p99 of the good clients is {self.percentile(99):.3f} s, under {P99_S:g} s is needed")
        if self.growth > GROWTH:
            found.append(f"memory has grown by {self.growth - 1:.1%} {GROWN}")
        if not self.whole:
            found.append(f"the audit log: {self.audit}")
        if not self.done["inferences"]:
            found.append("no inference was served")
        return found

    def __str__(self) -> str:
        first, last = self.memory_kib[0] / 1024, self.memory_kib[-1] / 1024
        counts = ", ".join(f"{count:,} {what}" for what, count in sorted(self.done.items()))
        measured = {f"p{percent}": self.percentile(percent) for percent in (50, 95, 99)} | {"worst": max(self.waits)}
        waits = ", ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in measured.items())
        lines = [
            f"{self.seconds:.0f} s, {len(self.waits):,} answers to good clients ({counts})",
            f"deaths   {self.deaths}, exit status {self.status}",
            f"latency  {waits}",
            f"memory   {first:.1f} MiB at the start, {last:.1f} MiB at the end, {self.growth - 1:+.1%} {GROWN}",
            f"audit    {self.audit}",
        ]
        return "\n".join(lines)


class GoodClient(threading.Thread):
    """Uses the device and the service as a well-behaved program does, and times every answer."""

    def __init__(self, number: int, socket: Path, token: int, outcome: Outcome, stop: threading.Event) -> None:
        super().__init__(name=f"good client {number}")
        self._request = 1000 + number
        self._socket, self._token, self._outcome, self._stop_now = socket, token, outcome, stop

    def run(self) -> None:
        """Until asked to stop, or the first error."""
        try:
            with Client(self._socket) as self._client:
                while not self._stop_now.is_set():
                    self._blocks()
                    self._inference()
                    time.sleep(0.05)
        except (NodeError, AssertionError) as error:
            self._outcome.errors.append(f"{self.name}: {error!r}")

    def _timed(self, what: str, ask: object, *arguments: object, **named: object) -> object:
        begun = time.monotonic()
        try:
            return ask(*arguments, **named)  # type: ignore[operator]
        finally:
            self._outcome.waits.append(time.monotonic() - begun)
            self._outcome.done[what] += 1

    def _blocks(self) -> None:
        kv, call = f"{self._request}:0:0:0", self._client.call
        self._timed("calls", call, "insert", kv=kv, tier=3)
        self._timed("calls", call, "hint", hint="hot", kv=kv, tokens=1)
        place = self._timed("calls", call, "lookup", kv=kv)
        assert isinstance(place, dict)
        assert place["phys_addr"] > 0
        self._timed("calls", call, "free", request=self._request)
        self._timed("calls", call, "stats")

    def _frame(self, command: Command, *arguments: int) -> tuple[Code, tuple[int, ...]]:
        data = self._timed("frames", self._client.frames, encode_request(command, self._token, *arguments))
        assert isinstance(data, bytes)
        reply = decode_reply(data)
        return reply.code, reply.fields

    def _inference(self) -> None:
        code, handle = self._client.buffer(self._token, PROMPT)
        assert code is Code.OK, code
        code, fields = self._frame(Command.LLM_INFER_START, handle, 24, 0, 0)
        self._client.buffer(self._token, release=handle)
        if code in TRY_AGAIN:
            self._outcome.done[f"{code.label} to good clients"] += 1
            return
        assert code is Code.OK, code
        infer_id, count = fields[0], 0
        while True:
            code, fields = self._frame(Command.LLM_INFER_POLL, infer_id, 12)
            assert code is Code.OK, code
            count += fields[3]
            if fields[1] >= InferState.DONE and fields[3] < 12:
                break
        assert (fields[1], count) == (InferState.DONE, 24), f"inference {infer_id}: state {fields[1]}, {count} tokens"
        self._outcome.done["inferences"] += 1


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _tokens(socket: Path, count: int) -> list[int]:
    """The stub is loaded; a token for each good client, and behind them one that hostile clients may misuse."""
    admin = int(Home(home_of(socket)).admin_token.read_text(), 16)
    with Client(socket) as client:
        grant = lambda holder: int(  # noqa: E731
            client.call("grant", token=admin, holder=holder, rights=["submit", "stream"], objects=["model", "llm"])[
                "token"
            ]
        )
        owner = grant("admin")
        _, handle = client.buffer(owner, PACKAGE.read_bytes())
        reply = decode_reply(client.frames(encode_request(Command.LLM_LOAD, admin, handle, 0, STUB)))
        assert reply.code is Code.OK, reply
        client.buffer(owner, release=handle)
        return [grant(f"good{number}") for number in range(count)] + [grant("mallory")]


def soak(seconds: float, clients: int, folder: Path) -> Outcome:
    """Run it in `folder`; nothing of it is left running."""
    outcome = Outcome(seconds)
    socket = folder / "node" / NAME
    with started(socket) as process:
        tokens = _tokens(socket, clients)
        stop = threading.Event()
        good = [GoodClient(n, socket, tokens[n], outcome, stop) for n in range(clients)]
        hostile = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.node.soak", "--worker", kind, "--token", str(tokens[-1])],
                cwd=ROOT, env=environment(socket), stdout=subprocess.DEVNULL,
            )
            for kind in KINDS
        ]  # fmt: skip
        try:
            for thread in good:
                thread.start()
            end = time.monotonic() + seconds
            while time.monotonic() < end and process.poll() is None:
                outcome.memory_kib.append(_resident_kib(process.pid))
                time.sleep(min(SAMPLE_S, seconds / 20))
            outcome.deaths += process.poll() is not None
            stop.set()
            for thread in good:
                thread.join(60)
        finally:
            for one in hostile:
                one.kill()
                one.wait()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        outcome.status = process.returncode
        outcome.errors += [line for line in errors.splitlines() if "defect" in line]
    home = Home(home_of(socket))
    report = verify(home.audit, head_path(home.audit), PrivateKey.load(home.key).public)
    outcome.audit, outcome.whole = report.summary(), report.whole
    return outcome


def main() -> int:
    """Run a soak, or be one of its hostile clients."""
    parser = argparse.ArgumentParser(prog="python -m tests.node.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=8, help="good ones; there is one hostile client of each kind")
    parser.add_argument("--worker", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--token", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, Path(os.environ["KVCPU_SOCKET"]), options.token)
    with tempfile.TemporaryDirectory(prefix="kvcpu-") as folder:
        outcome = soak(options.minutes * 60, options.clients, Path(folder))
    print(outcome)
    for failure in outcome.failures():
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if outcome.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
