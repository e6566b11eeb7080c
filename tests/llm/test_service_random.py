"""Anything in any order: whatever tenants and administrator do, the books balance."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sw.codes import Code
from sw.control.frames import Command
from sw.control.llm_commands import InferState
from sw.llm.config import ClassBudget, Limits
from sw.metrics import snapshots
from sw.run import run
from tests.llm.stack import MS, Stack, Tenant, make_stack, package, reference

PROMPTS = (b"a", b"one two three four five six", b"one two three four five seven", b"x" * 50)
LIMITS = Limits(
    queue_depth=3, in_flight=6, tenant_in_flight=4, window_ns=3 * MS, requests_per_window=6, tokens_per_window=150
)
CLASSES = (ClassBudget(MS, 4 * MS), ClassBudget(MS, 5 * MS, tokens_per_period=20), None, None)


@cache
def expected(prompt: bytes) -> tuple[int, ...]:
    with TemporaryDirectory() as folder:
        return tuple(reference(make_stack(Path(folder)), prompt, 40))


class Actions:
    """Random frames of two tenants and an administrator, and what their replies must have meant."""

    def __init__(self, stack: Stack, draw: random.Random) -> None:
        self.stack = stack
        self.draw = draw
        self.tenants = [stack.tenant("a"), stack.tenant("b")]
        self.open: dict[int, tuple[Tenant, bytes, list[int]]] = {}
        self.codes: Counter[Code] = Counter()
        self.ends: Counter[int] = Counter()

    def act(self) -> None:
        action = self.draw.choices(
            (
                self.submit,
                self.chunk,
                self.poll,
                self.cancel,
                self.spy,
                self.budget,
                self.reset,
                self.reload,
                self.wait,
            ),
            (30, 60, 20, 4, 3, 2, 1, 1, 3),
        )[0]
        action()

    def submit(self) -> None:
        tenant, prompt = self.draw.choice(self.tenants), self.draw.choice(PROMPTS)
        cls = self.draw.choice((0, 0, 1, 1, 2, 7))
        reply = tenant.start(prompt, self.draw.choice((0, 1, 7, 20, 40, 300)), cls, self.draw.choice((0, MS)))
        self.codes[reply.code] += 1
        if reply.code is Code.OK:
            assert reply.fields == (self.codes[Code.OK],)  # infer_ids without a gap
            self.open[reply.fields[0]] = (tenant, prompt, [])

    def chunk(self) -> None:
        run(self.stack.system.run_one())

    def poll(self) -> None:
        for infer_id in self.draw.sample(sorted(self.open), len(self.open) // 2 + bool(self.open)):
            self.read(infer_id, self.draw.choice((0, 1, 5, 12)))

    def read(self, infer_id: int, count: int) -> None:
        tenant, prompt, tokens = self.open[infer_id]
        reply = tenant.poll(infer_id, count)
        if reply.code is Code.NOT_FOUND:
            assert self.ends[infer_id] == 1
            del self.open[infer_id]
            return
        assert reply.fields[4] == len(tokens)
        tokens += reply.fields[5:]
        assert tuple(tokens) == expected(prompt)[: len(tokens)]
        if reply.fields[1] >= InferState.DONE:
            self.ends[infer_id] = 1

    def cancel(self) -> None:
        if self.open:
            infer_id = self.draw.choice(sorted(self.open))
            reply = self.open[infer_id][0].cancel(infer_id)
            if reply.code is Code.OK:
                assert reply.fields[0] >= InferState.DONE
            else:
                assert (reply.code, self.ends[infer_id]) == (Code.NOT_FOUND, 1)  # read to its end before
            self.ends[infer_id] = 1

    def spy(self) -> None:
        for infer_id, (owner, _, _) in self.open.items():
            other = self.tenants[owner is self.tenants[0]]
            assert other.poll(infer_id).code is Code.NOT_FOUND
            assert other.cancel(infer_id).code is Code.NOT_FOUND

    def budget(self) -> None:
        arguments = (self.draw.randrange(5), 0, 0, self.draw.choice((0, MS // 2, 3 * MS)), 4 * MS, 30)
        assert self.stack.admin.ask(Command.LLM_BUDGET, *arguments).code in {
            Code.OK, Code.BAD_ARGUMENT, Code.ADMISSION_REFUSED,
        }  # fmt: skip

    def reset(self) -> None:
        run(self.draw.choice((self.stack.system.reset_device, self.stack.system.driver.soft_reset))())

    def reload(self) -> None:
        code = self.stack.admin.ask(Command.LLM_UNLOAD, 1).code
        assert code in {Code.OK, Code.BUSY, Code.DEVICE_FAULT}
        if code is Code.OK:
            assert self.stack.admin.load(package()).code is Code.OK

    def wait(self) -> None:
        self.stack.wait(self.draw.randrange(2 * MS))


@settings(deadline=None, derandomize=True, max_examples=8)
@example(1275)  # a chunk between a reset and its first miss inserts blocks without an owner
@given(st.integers(0, 2**32))
def test_books_balance(seed: int) -> None:
    with TemporaryDirectory() as folder:
        stack = make_stack(Path(folder), limits=LIMITS, classes=CLASSES, slots=(8, 8, 12, 90))
        actions = Actions(stack, random.Random(seed))
        for _ in range(120):
            actions.act()
        while any(not actions.ends[infer_id] for infer_id in actions.open):
            actions.chunk()
            for infer_id in list(actions.open):
                actions.read(infer_id, 12)
        check(stack, actions)


def check(stack: Stack, actions: Actions) -> None:
    """Nothing is left, and log, counters, status and metrics tell the same story."""
    entries = stack.system.audit.entries()
    starts = Counter(Code(e["code"]) for e in entries if e["operation"] == "llm.infer.start")
    assert starts == actions.codes
    accepted = starts[Code.OK]
    refused = {code: n for (op, code), n in stack.service.refused.items() if op == "llm.infer.start"}
    assert refused == {code: n for code, n in starts.items() if code}
    ends = Counter(
        e["object"] for e in entries if e["operation"] in {"llm.infer.end", "llm.infer.cancel"} and "tokens" in e
    )
    assert ends == {f"infer:{infer_id}": 1 for infer_id in range(1, accepted + 1)}
    models, queued, running, _, _, now_accepted, now_rejected, _ = stack.admin.ask(Command.LLM_STATUS).fields
    assert (models, queued, running) == (1, 0, 0)
    assert (now_accepted, now_rejected) == (accepted, sum(refused.values()))
    snapshot = snapshots.snapshot(stack.system.metrics)
    assert snapshot["llm_rejects"] == now_rejected
    assert sum(snapshot["llm_infers"].values()) == accepted
    gate = stack.service.gate
    assert gate.capacity.reserved == 0
    assert all(model.in_use is False for model in stack.service._models)
    assert [address for address in stack.directory() if not address.startswith("0:")] == []
