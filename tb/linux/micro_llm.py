"""The micro-LLM over a transport, on counted time: the same prompts in the guest and on the host, token by token."""

import hashlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from model.device import DeviceModel
from sw.kernel.clock import CountedClock, CountingTransport
from sw.llm.backend import Sampling
from sw.run import run
from sw.transport.base import Transport
from sw.transport.model import ModelTransport
from tb.linux.sizes import ENTRIES, LANES, PORTS
from tb.llm.job import LlmJob
from tb.llm.setup import shipped
from tb.llm.workload import MS, Prompt

SEED = 19
_QUESTIONS = (
    ("The directory of blocks ", 10, 0, (0, 0, 0)),
    ("The directory of tiers ", 10, 1, (800, 0, 0)),
    ("make sim ", 10, 0, (700, 50, 950)),
)
"""Text, tokens, class, and temperature, top-k and top-p: two prompts with one beginning, whose block they share."""
_LINE = re.compile(r"^micro-LLM: (\{.*\})\r?$", re.M)


class Difference(AssertionError):
    """Something is not as on the reference."""


class Strict:
    """The first difference ends the run.

    Attributes:
        count: comparisons.
    """

    def __init__(self) -> None:
        self.count = 0

    def compare(self, subject: str, expected: Any, seen: Any, /, **where: Any) -> None:
        """One comparison. Raises Difference."""
        self.count += 1
        if expected != seen:
            place = "".join(f", {name} {value}" for name, value in where.items())
            raise Difference(f"{subject}{place}: expected {expected!r}, seen {seen!r}")


def prompts() -> list[Prompt]:
    """The workload; all at once."""
    draw = random.Random(SEED)
    return [
        Prompt(f"tenant-{'ab'[number % 2]}", text.encode(), tokens, cls, 50 * MS, 0,
               Sampling(draw.getrandbits(64), temperature, top_k, top_p))
        for number, (text, tokens, cls, (temperature, top_k, top_p)) in enumerate(_QUESTIONS)
    ]  # fmt: skip


def serve(transport: Transport) -> dict[str, Any]:
    """Serve the prompts; tokens with their times, by prompt, frames and comparisons.

    Raises:
        Difference: a token is not that of the model on plain arrays, or the stack is not as it must be at the end.
        DriverError, TransportError, DeviceFault: the device did not do its part.
    """
    checks = Strict()
    with TemporaryDirectory(prefix="kvcpu-") as folder:
        counting = CountingTransport(transport, CountedClock(access_ns=0))
        job = LlmJob(counting, prompts(), shipped(), checks, Path(folder), seed=SEED)
        outcome = run(job.run())
        entries = [(entry["operation"], entry["object"], entry["code"]) for entry in job.system.audit.entries()]
    audit = hashlib.sha256(repr(entries).encode()).hexdigest()
    return {
        "tokens": [served.tokens for served in outcome.served],
        "token_ns": [served.token_ns for served in outcome.served],
        "replies": len(job.desk.replies),
        "audit": f"{len(entries)} entries, {audit[:16]}",
        "migrations": outcome.snapshot["migrations"],
        "comparisons": checks.count,
    }


def on_host() -> dict[str, Any]:
    """The same over the device model, without Linux."""
    return serve(ModelTransport(DeviceModel(entries=ENTRIES, lanes=LANES, ports=PORTS)))


def said(log: str) -> dict[str, Any] | None:
    """What the guest has printed of its run; None: nothing."""
    found = _LINE.search(log)
    return json.loads(found[1]) if found else None


def line(seen: dict[str, Any]) -> str:
    """For the log."""
    return f"micro-LLM: {json.dumps(seen)}"


COMPARED = ("tokens", "token_ns", "audit")
"""What is the same over every transport: decisions, on counted time, included. How blocks move is not: in the guest
time passes at other places."""


def judge(log: str, expected: Callable[[], dict[str, Any]] = on_host) -> tuple[dict[str, int] | None, list[str]]:
    """Figures of the guest's run for `kernel.json`, and what differs from the host's; None: it did not come so far."""
    seen = said(log)
    if seen is None:
        return None, []
    want = expected()
    problems = [
        f"{name} in the guest differ from those over the device model: {want[name]} there, {seen[name]} here"
        for name in COMPARED
        if want[name] != seen[name]
    ]
    count = sum(len(tokens) for tokens in seen["tokens"])
    same = sum(a == b for one, other in zip(want["tokens"], seen["tokens"], strict=False)
               for a, b in zip(one, other, strict=False))  # fmt: skip
    return {
        "prompts": len(seen["tokens"]),
        "tokens": count,
        "identical": same,
        "migrations": seen["migrations"],
    }, problems
