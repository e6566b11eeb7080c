"""A flood is refused by quota, and admitted work meets its deadlines meanwhile."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sw.codes import Code
from sw.control.frames import Command
from sw.control.llm_commands import InferState
from sw.llm.config import ClassBudget, Limits
from sw.metrics import snapshots
from sw.run import run
from tests.llm.stack import MS, make_stack, reference


def test_flood(tmp_path: Path) -> None:
    """One tenant floods both classes before every chunk; the other's periodic work is never late."""
    limits = Limits(
        window_ns=20 * MS, requests_per_window=8, tokens_per_window=120, tenant_in_flight=4, queue_depth=6, in_flight=12
    )
    classes = (ClassBudget(3 * MS, 6 * MS), ClassBudget(2 * MS, 8 * MS), None, None)
    stack = make_stack(tmp_path, limits=limits, classes=classes)
    good, flood = stack.tenant("good"), stack.tenant("flood")
    expected = reference(stack, b"steady", 10)
    codes: Counter[Code] = Counter()
    served, current, due = 0, 0, 0
    attempts = 0
    while served < 12:
        now = stack.system.clock.now()
        if not current and now >= due:
            current = good.started(b"steady", 10, cls=0, deadline_ns=3 * MS)
            due = now + 5 * MS
        for cls in (0, 1):
            codes[flood.start(b"flood " * 8, 30, cls=cls, deadline_ns=9 * MS).code] += 1
            attempts += 1
        if not run(stack.system.run_one()):
            stack.wait(MS // 10)
        for infer_id in list(stack.service.book.live):
            flood.poll(infer_id)
        if current and good.state(current) >= InferState.DONE:
            assert good.read(current) == (InferState.DONE, expected)
            served, current = served + 1, 0
    ends = {e["infer_id"]: e for e in snapshots.snapshot(stack.system.metrics)["inferences"]}
    ours = {e["infer_id"] for e in stack.decisions("llm.infer.start") if e["holder"] == "good"}
    assert len(ours) == 12
    assert not any(ends[infer_id]["missed"] for infer_id in ours)
    assert set(codes) <= {Code.OK, Code.RATE_LIMITED, Code.QUOTA_EXCEEDED, Code.TOO_MANY_IN_FLIGHT, Code.QUEUE_FULL}
    assert codes[Code.OK] < attempts / 10
    assert codes[Code.QUOTA_EXCEEDED] + codes[Code.RATE_LIMITED] > 0
    assert stack.admin.ask(Command.LLM_STATUS).fields[6] == attempts - codes[Code.OK]
    refused = Counter(Code(e["code"]) for e in stack.decisions("llm.infer.start") if e["holder"] == "flood")
    assert refused == codes


def test_quota_holds_over_all_windows(tmp_path: Path) -> None:
    """Whatever a tenant tries, no window gives it more output tokens than its quota reserved there."""
    limits = Limits(window_ns=5 * MS, requests_per_window=100, tokens_per_window=40, in_flight=32)
    stack = make_stack(tmp_path, limits=limits)
    tenant = stack.tenant("a")
    reserved: Counter[int] = Counter()
    while stack.system.clock.now() < 30 * MS:
        window = stack.system.clock.now() // (5 * MS)
        reply = tenant.start(b"x", 12, cls=1)
        if reply.code is Code.OK:
            reserved[window] += 12
        else:
            assert reply.code is Code.QUOTA_EXCEEDED
            if not run(stack.system.run_one()):
                stack.wait(MS)
        for infer_id in list(stack.service.book.live):
            tenant.poll(infer_id)
    assert set(reserved) == set(range(6))
    assert set(reserved.values()) == {36}
