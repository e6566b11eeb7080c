"""Resets, timeouts, lost transports: what runs fails with DeviceFault, nothing is guessed, queued ones go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sw.audit import AuditUnavailable
from sw.codes import Code
from sw.control.llm_commands import InferState
from sw.run import run
from sw.transport.base import TransportError
from tests.llm.faulty import Faulty
from tests.llm.stack import Stack, Tenant, make_stack, reference


@pytest.fixture
def faulty(tmp_path: Path) -> tuple[Faulty, Stack, Tenant]:
    transport = Faulty()
    stack = make_stack(tmp_path, transport=transport, device=transport.device)
    return transport, stack, stack.tenant("a")


def failures(stack: Stack) -> list[tuple[str, int, int]]:
    """Object, code and state of every end that is none by itself."""
    return [(e["object"], e["code"], e["state"]) for e in stack.decisions("llm.infer.end") if e["code"]]


def begun(stack: Stack, tenant: Tenant, count: int = 3) -> list[int]:
    """Inferences of different classes that have all emitted tokens, and not ended."""
    ids = [tenant.started(bytes([65 + n]) * 20, max_tokens=40, cls=n) for n in range(count)]
    inferences = [stack.service.book.live[infer_id] for infer_id in ids]
    for inference in inferences:  # one class after the other, whatever the scheduler would choose
        while not inference.produced:
            assert not run(stack.service._chunk(inference))
    return ids


@pytest.mark.parametrize("noticed", [True, False])
def test_reset_fails_what_runs(noticed: bool, faulty: tuple[Faulty, Stack, Tenant]) -> None:
    """Through the system, or behind its back: running ones fail once each, queued ones are served afterwards."""
    _, stack, tenant = faulty
    running = begun(stack, tenant)
    queued = tenant.started(b"A" * 20, max_tokens=10)  # the beginning of one that runs
    if noticed:
        run(stack.system.reset_device())
        assert [tenant.state(infer_id) for infer_id in running] == [InferState.FAILED] * 3
    else:
        run(stack.system.driver.soft_reset())
    stack.run()
    assert sorted(failures(stack)) == [(f"infer:{i}", Code.DEVICE_FAULT, InferState.FAILED) for i in running]
    for infer_id in running:
        state, tokens = tenant.read(infer_id)
        assert state is InferState.FAILED
        assert 0 < len(tokens) < 40
    assert tenant.read(queued) == (InferState.DONE, reference(stack, b"A" * 20, 10))
    assert stack.service.gate.capacity.reserved == 0


def test_reset_without_anything_running(faulty: tuple[Faulty, Stack, Tenant]) -> None:
    """A prefix that was kept is not believed in after a reset."""
    _, stack, tenant = faulty
    prompt = b"x" * 40
    assert tenant.read(tenant.started(prompt))[0] is InferState.DONE
    run(stack.system.reset_device())
    assert tenant.read(tenant.started(prompt)) == (InferState.DONE, reference(stack, prompt, 4))


def lose(transport: Faulty) -> None:
    transport.lost = TransportError("the simulator is gone")


def deafen(transport: Faulty) -> None:
    transport.deaf = True


def blind(transport: Faulty) -> None:
    transport.blind = True


@pytest.mark.parametrize("cut", [lose, deafen, blind])
def test_device_that_does_not_answer(cut: Callable[[Faulty], None], faulty: tuple[Faulty, Stack, Tenant]) -> None:
    """The inference fails; the tokens that it has are right, and no other is made up."""
    transport, stack, tenant = faulty
    infer_id = tenant.started(b"x" * 40, max_tokens=40)
    while not tenant.poll(infer_id, 0).fields[1] or stack.service.book.live[infer_id].produced < 5:
        assert run(stack.system.run_one())
    cut(transport)
    while infer_id in stack.service.book.live:
        run(stack.system.run_one())
    assert failures(stack) == [(f"infer:{infer_id}", Code.DEVICE_FAULT, InferState.FAILED)]
    state, tokens = tenant.read(infer_id)
    assert state is InferState.FAILED
    assert tokens == reference(stack, b"x" * 40, 40)[: len(tokens)]
    assert 5 <= len(tokens) < 40


def test_device_comes_back_after_a_reset(faulty: tuple[Faulty, Stack, Tenant]) -> None:
    """Blocks and request ids that could not be given back are free again after a reset."""
    transport, stack, tenant = faulty
    ids = begun(stack, tenant)
    lose(transport)
    for infer_id in ids:
        assert tenant.cancel(infer_id).fields == (InferState.CANCELLED,)
    assert {e["code"] for e in stack.decisions("llm.infer.cancel")} == {Code.DEVICE_FAULT}
    assert stack.service.gate.capacity.reserved > 0
    transport.lost = None
    run(stack.system.reset_device())
    assert stack.service.gate.capacity.reserved == 0
    assert tenant.read(tenant.started())[0] is InferState.DONE


def test_nothing_happens_that_cannot_be_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an audit log an inference is not accepted: the caller gets an error, and nothing is queued."""
    stack = make_stack(tmp_path)
    tenant = stack.tenant("a")
    record = stack.system.audit.record

    def full(**fields: object) -> None:
        if fields["op"] == "llm.infer.start":
            raise AuditUnavailable("no space left on device")
        record(**fields)  # type: ignore[arg-type]

    monkeypatch.setattr(stack.system.audit, "record", full)
    with pytest.raises(AuditUnavailable):
        tenant.start()
    assert (stack.service.accepted, stack.service.queued) == (0, (0, 0, 0, 0))
    assert stack.service.gate.capacity.reserved == 0
