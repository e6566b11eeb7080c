"""An inference from start to end: states, polls, ends, cancels; what is freed; waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from sw.codes import Code
from sw.control.frames import Command
from sw.control.llm_commands import InferState
from sw.llm.backend import Sampling
from sw.llm.config import ClassBudget, Limits
from sw.llm.inference import ENDED_KEPT
from sw.regs.kv_address import KvAddress
from sw.run import run
from tests.llm.stack import CLASSES, MS, make_stack, package, reference

PROMPTS = (b"one two three four", b"one two three four five six seven", b"a", b"x" * 60)


def test_tokens_are_those_of_the_reference(tmp_path: Path) -> None:
    """Inferences of three classes and two tenants interleave, and each gives the reference's tokens."""
    stack = make_stack(tmp_path)
    tenants = [stack.tenant("a"), stack.tenant("b")]
    started = [
        (tenants[n % 2], tenants[n % 2].started(prompt, 30, cls=n % 3), prompt) for n, prompt in enumerate(PROMPTS)
    ]
    for tenant, infer_id, prompt in started:
        assert tenant.read(infer_id) == (InferState.DONE, reference(stack, prompt, 30))


@pytest.mark.parametrize("sampling", [(7, 800, 0, 0), (8, 1000, 20, 0), (9, 1200, 0, 900), (10, 900, 40, 950)])
def test_sampling_of_the_long_form(sampling: tuple[int, int, int, int], tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    reply = tenant.ask(Command.LLM_INFER_START, tenant.buffer(PROMPTS[1]), 40, 1, 0, 1, *sampling)
    assert tenant.read(reply.fields[0]) == (InferState.DONE, reference(stack, PROMPTS[1], 40, Sampling(*sampling)))


def test_states(tmp_path: Path) -> None:
    """Queued, running, done; the answer of each poll counts its tokens from the one before."""
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    infer_id = tenant.started(max_tokens=5)
    assert tenant.poll(infer_id).fields == (infer_id, InferState.QUEUED, 0, 0, 0)
    assert run(stack.system.run_one())
    assert tenant.state(infer_id) is InferState.RUNNING
    stack.run()
    number, state, zero, count, first, *tokens = tenant.poll(infer_id, 2).fields
    assert (number, state, zero, count, first, len(tokens)) == (infer_id, InferState.DONE, 0, 2, 0, 2)
    assert tenant.poll(infer_id, 2).fields[3:5] == (2, 2)
    assert tenant.poll(infer_id, 2).fields[3:5] == (1, 4)
    assert tenant.poll(infer_id).code is Code.NOT_FOUND


def test_poll_gives_at_most_twelve(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    infer_id = tenant.started(max_tokens=20)
    stack.run()
    assert tenant.poll(infer_id, 1000).fields[3:5] == (12, 0)
    assert tenant.poll(infer_id, 1000).fields[3:5] == (8, 12)
    assert tenant.poll(infer_id, 1000).code is Code.NOT_FOUND


def test_the_last_poll_is_one_that_comes_back_short(tmp_path: Path) -> None:
    """A client that reads until it gets fewer than it asked for never meets NotFound; looking takes nothing away."""
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    infer_id = tenant.started(max_tokens=12)
    stack.run()
    assert tenant.poll(infer_id, 12).fields[1:5] == (InferState.DONE, 0, 12, 0)
    assert tenant.poll(infer_id, 0).fields[1:5] == (InferState.DONE, 0, 0, 12)
    assert tenant.poll(infer_id, 12).fields[1:5] == (InferState.DONE, 0, 0, 12)
    assert tenant.poll(infer_id, 12).code is Code.NOT_FOUND


def test_ended_stays_until_64_newer_have_ended(tmp_path: Path) -> None:
    """The newest 64 that a tenant has not read stay; another tenant's ends count for nothing."""
    stack = make_stack(tmp_path, limits=Limits(requests_per_window=1000))
    tenant, other = stack.tenant("a"), stack.tenant("b")
    kept = other.started(max_tokens=1)
    first = tenant.started(max_tokens=1)
    stack.run()
    for _ in range(ENDED_KEPT - 1):
        tenant.cancel(tenant.started(max_tokens=1))
    assert tenant.state(first) is InferState.DONE
    tenant.cancel(tenant.started(max_tokens=1))
    assert tenant.poll(first).code is Code.NOT_FOUND
    assert other.state(kept) is InferState.DONE


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_cancel_frees_everything(chunks: int, tmp_path: Path) -> None:
    """Queued or running: cancelled at once, its own blocks are gone, its reservations are back."""
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    infer_id = tenant.started(b"x" * 20, 50)
    for _ in range(chunks):
        assert run(stack.system.run_one())
    assert tenant.cancel(infer_id).fields == (InferState.CANCELLED,)
    assert [address for address in stack.directory() if not address.startswith("0:")] == []
    assert stack.service.gate.capacity.reserved == 0
    entry = stack.decisions("llm.infer.cancel")[-1]
    assert (entry["code"], entry["object"], entry["state"]) == (Code.OK, f"infer:{infer_id}", InferState.CANCELLED)
    assert not stack.decisions("llm.infer.end")
    state, tokens = tenant.read(infer_id)
    assert state is InferState.CANCELLED
    assert len(tokens) == entry["tokens"]


def test_cancel_of_an_ended_one_has_no_effect(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    infer_id = tenant.started(max_tokens=2)
    stack.run()
    assert tenant.cancel(infer_id).fields == (InferState.DONE,)
    assert tenant.read(infer_id)[0] is InferState.DONE
    assert tenant.cancel(infer_id).code is Code.NOT_FOUND
    assert stack.service.refused["llm.infer.cancel", Code.NOT_FOUND] == 1
    assert [e["code"] for e in stack.decisions("llm.infer.cancel")] == [Code.OK, Code.NOT_FOUND]


def test_each_end_is_audited_once(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    ids = [tenant.started(max_tokens=n) for n in (1, 2, 3)]
    stack.run()
    ends = stack.decisions("llm.infer.end")
    assert [(e["object"], e["code"], e["tokens"]) for e in ends] == [
        (f"infer:{infer_id}", Code.OK, n) for n, infer_id in enumerate(ids, 1)
    ]


def test_another_tenants_inference_and_handle_are_not_found(tmp_path: Path) -> None:
    """Whatever the rights, a capability of one tenant never polls, cancels or reads another's."""
    stack = make_stack(tmp_path)
    owner, thief = stack.tenant("owner"), stack.tenant("thief")
    handle = owner.buffer(b"a secret prompt")
    infer_id = owner.ask(Command.LLM_INFER_START, handle, 4, 0, 0).fields[0]
    for who in (thief, stack.admin):
        assert who.poll(infer_id).code is Code.NOT_FOUND
        assert who.cancel(infer_id).code is Code.NOT_FOUND
        assert who.ask(Command.LLM_INFER_START, handle, 4, 0, 0).code is Code.NOT_FOUND
    assert [(e["holder"], e["code"]) for e in stack.decisions("llm.infer.poll")] == [
        ("thief", Code.NOT_FOUND), ("admin", Code.NOT_FOUND),
    ]  # fmt: skip
    assert owner.read(infer_id)[0] is InferState.DONE
    second = stack.tenant("owner")  # the same holder, another capability
    third = second.started()
    assert owner.state(third) is InferState.QUEUED


def test_request_ids_come_back_only_after_free(tmp_path: Path) -> None:
    """An id whose blocks the device still holds is not used again before a reset."""
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    gate = stack.service.gate
    first = tenant.started(max_tokens=40)
    assert run(stack.system.run_one())
    driver = stack.system.driver
    own = next(e.kv_addr for e in run(driver.directory()).values() if e.request_id)
    run(driver.share(own, 1))  # another holder has a reference: FREE_REQUEST leaves it
    run(driver.drain())
    stack.run()
    assert tenant.read(first)[0] is InferState.FAILED
    assert stack.decisions("llm.infer.end")[-1]["code"] == Code.DEVICE_FAULT
    assert gate.capacity.reserved > 0
    second = tenant.started()
    stack.run()
    assert tenant.read(second)[0] is InferState.DONE
    run(stack.system.reset_device())
    assert gate.capacity.reserved == 0


def test_throttled_by_its_server(tmp_path: Path) -> None:
    """A hard server out of budget: state 2, and no chunk before its deadline."""
    stack = make_stack(tmp_path, classes=(ClassBudget(MS // 10, 10 * MS), *CLASSES[1:]))
    tenant = stack.tenant("a")
    infer_id = tenant.started(b"x" * 100, max_tokens=20)
    while tenant.state(infer_id) is not InferState.THROTTLED:
        assert run(stack.system.run_one())
    until = stack.system.scheduler.server(0).d
    assert until > stack.system.clock.now()
    assert run(stack.system.run_one())
    assert stack.system.clock.now() >= until
    assert tenant.read(infer_id)[0] is InferState.DONE


def test_tokens_per_period(tmp_path: Path) -> None:
    """A class emits at most so many tokens in each window [kT, (k+1)T); then its inferences are throttled."""
    classes = (ClassBudget(5 * MS, 10 * MS, tokens_per_period=4), CLASSES[1], None, None)
    stack = make_stack(tmp_path, classes=classes)
    tenant = stack.tenant("a")
    ids = [tenant.started(max_tokens=8), tenant.started(max_tokens=6)]
    free = tenant.started(max_tokens=20, cls=1)
    emitted: dict[int, int] = {}
    seen = 0
    while any(tenant.state(infer_id) < InferState.DONE for infer_id in ids):
        assert run(stack.system.run_one())
        new = sum(stack.service.book.find(stack.capability(tenant.token), i).produced for i in ids) - seen
        seen += new
        window = stack.system.clock.now() // (10 * MS)
        emitted[window] = emitted.get(window, 0) + new
        if any(tenant.state(infer_id) is InferState.THROTTLED for infer_id in ids):
            assert emitted[window] == 4
    assert seen == 14
    assert max(emitted.values()) == 4
    assert tenant.read(free)[1] == reference(stack, b"one two", 20)


def test_budget_lifts_the_token_limit(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, classes=(ClassBudget(5 * MS, 1000 * MS, tokens_per_period=2), None, None, None))
    tenant = stack.tenant("a")
    infer_id = tenant.started(max_tokens=9)
    while tenant.state(infer_id) is not InferState.THROTTLED:
        assert run(stack.system.run_one())
    assert stack.admin.ask(Command.LLM_BUDGET, 0, 0, 0, 5 * MS, 1000 * MS, 0).code is Code.OK
    assert tenant.state(infer_id) is InferState.RUNNING
    stack.run()
    assert stack.system.clock.now() < 500 * MS
    assert tenant.read(infer_id)[0] is InferState.DONE


def test_reader_that_does_not_read_is_waited_for(tmp_path: Path) -> None:
    """The token channel holds 64 chunks; then nothing runs, nothing is lost, and no other inference waits."""
    stack = make_stack(tmp_path)
    slow, quick = stack.tenant("slow"), stack.tenant("quick")
    infer_id = slow.started(max_tokens=70)
    stack.run()
    assert slow.state(infer_id) is InferState.THROTTLED
    assert not run(stack.system.run_one())
    other = quick.started(max_tokens=5)
    assert quick.read(other)[0] is InferState.DONE
    assert slow.read(infer_id) == (InferState.DONE, reference(stack, b"one two", 70))


def test_unload(tmp_path: Path) -> None:
    """Busy while an inference of it has not ended; then its prefixes leave the device too."""
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    infer_id = tenant.started(b"x" * 40)
    assert stack.admin.ask(Command.LLM_UNLOAD, 1).code is Code.BUSY
    stack.run()
    assert stack.directory()  # a shared prefix
    assert stack.admin.ask(Command.LLM_UNLOAD, 1).code is Code.OK
    assert stack.directory() == []
    assert tenant.read(infer_id)[0] is InferState.DONE
    assert tenant.start().code is Code.NO_MODEL
    assert stack.admin.ask(Command.LLM_UNLOAD, 1).code is Code.NO_MODEL
    assert [e["code"] for e in stack.decisions("llm.unload")] == [Code.BUSY, Code.OK, Code.NO_MODEL]
    assert stack.admin.load(package()).code is Code.OK


def test_deadlines(tmp_path: Path) -> None:
    """Relative to acceptance, made absolute once; 0 is the period; a finish after it is a miss, and ends nothing."""
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    now = stack.system.clock.now()
    late = tenant.started(max_tokens=30, deadline_ns=1000)
    relaxed = tenant.started(max_tokens=2)
    find = stack.service.book.find
    cap = stack.capability(tenant.token)
    assert find(cap, late).deadline_ns == now + 1000
    assert find(cap, relaxed).deadline_ns == now + 10 * MS
    assert tenant.read(late)[0] is InferState.DONE
    assert tenant.read(relaxed)[0] is InferState.DONE
    assert stack.admin.ask(Command.LLM_STATUS).fields == (1, 0, 0, 0, stack.system.scheduler.used_ppm, 2, 0, 1)


def test_earliest_deadline_first_in_a_class(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    ids = [tenant.started(max_tokens=2, deadline_ns=deadline) for deadline in (9 * MS, 3 * MS, 6 * MS, 3 * MS)]
    stack.run()
    ended = [e["object"] for e in stack.decisions("llm.infer.end")]
    assert ended == [f"infer:{ids[n]}" for n in (1, 3, 2, 0)]


def test_status_counts(tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    tenant.started()
    tenant.started(cls=1)
    tenant.start(cls=9)
    run(stack.system.run_one())
    used = 200_000 + 200_000 + 100_000
    assert stack.admin.ask(Command.LLM_STATUS).fields == (1, 1, 1, 0, used, 2, 1, 0)


def test_queued_inference_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PREFETCH of the prefix that the next one will find, once, and shortly before it begins."""
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    hints: list[tuple[int, int]] = []
    prefetch = stack.system.driver.prefetch

    async def noted(first: KvAddress, tokens: int, step: int) -> None:
        hints.append((step, tokens))
        await prefetch(first, tokens, step)

    monkeypatch.setattr(stack.system.driver, "prefetch", noted)
    ids = [tenant.started(b"the same beginning of a prompt, " + tail, 6) for tail in (b"one", b"two")]
    session = stack.system.session
    assert session
    while tenant.state(ids[1]) is InferState.QUEUED:
        begun = session.next_step
        assert run(stack.system.run_one())
    stack.run()
    usages = {one.infer_id: one.usage for one in stack.system.metrics.inferences}
    assert [usages[infer_id].shared_tokens for infer_id in ids] == [0, 32]
    ((step, tokens),) = hints
    assert tokens == 32
    assert begun - 2 <= step <= begun
