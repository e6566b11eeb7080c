"""LLM_LOAD, LLM_UNLOAD, LLM_BUDGET: each refusal with its code, audit entry and count; nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sw.codes import Code
from sw.control.frames import Command, Reply
from sw.control.llm_commands import InferState
from sw.llm.backend import Sampling
from sw.llm.config import ClassBudget, Limits
from sw.llm.loaded import OLDER, BackendKind
from sw.llm.package import TrustedKey, sign
from sw.llm.stub import summarize
from sw.metrics import snapshots
from sw.signing import PrivateKey
from sw.transport.base import TransportError
from tests.llm.faulty import Faulty
from tests.llm.stack import CLASSES, KEY, MS, Stack, make_stack, package, reference, trust_store, unsigned_package

STRANGER = PrivateKey(b"this key is in no trust store   ")


def altered() -> bytes:
    data = bytearray(package())
    data[-300] ^= 1
    return bytes(data)


def bad_signature() -> bytes:
    data = bytearray(package())
    data[-1] ^= 1
    return bytes(data)


PACKAGES: dict[str, tuple[Code, Callable[[], bytes], dict[str, Any]]] = {
    "unsigned": (Code.UNSIGNED, unsigned_package, {}),
    "altered": (Code.ALTERED, altered, {}),
    "unknown key": (Code.WRONG_KEY, lambda: sign(unsigned_package(), STRANGER), {}),
    "bad signature": (Code.BAD_SIGNATURE, bad_signature, {}),
    "cut short": (Code.MALFORMED, lambda: package()[:-1], {}),
    "no package": (Code.MALFORMED, lambda: b"x" * 300, {}),
    "too many bytes": (Code.MODEL_TOO_LARGE, package, {"package_bytes": 10_000}),
    "too long a context": (Code.MODEL_TOO_LARGE, package, {"context": 100}),
    "too large an arena": (Code.MODEL_TOO_LARGE, package, {"model_arena_bytes": 1000}),
    "id 0": (Code.MODEL_UNSUPPORTED, lambda: package(0), {}),
    "too many heads": (Code.MODEL_UNSUPPORTED, lambda: package(1, heads=3), {}),
    "no room for an arena": (Code.NO_ROOM, package, {"arena_bytes": 1000}),
    "too many models": (Code.NO_ROOM, package, {"models": 0}),
    "too large a chunk": (Code.ADMISSION_REFUSED, lambda: package(1, wcet_cycles=2_000_000), {}),
}


def check_refused(stack: Stack, op: str, code: Code, reply: Reply) -> None:
    assert reply.code is code
    assert [entry["code"] for entry in stack.decisions(op)] == [code]
    assert stack.service.refused == {(op, code): 1}


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_refused(name: str, tmp_path: Path) -> None:
    """Each check of a package has its code; a refused one leaves nothing behind, a good one loads after it."""
    code, data, limits = PACKAGES[name]
    stack = make_stack(tmp_path, limits=Limits(**limits), load=False)
    check_refused(stack, "llm.load", code, stack.admin.load(data()))
    entry = stack.decisions("llm.load")[0]
    passed = code in {Code.NO_ROOM, Code.ADMISSION_REFUSED} or name == "id 0"
    assert entry["verified"] == passed
    assert stack.admin.ask(Command.LLM_STATUS).fields[0] == 0
    assert stack.tenant("t").start().code is Code.NO_MODEL
    if not limits:
        assert stack.admin.load(package()).fields == (1,)


def test_b5_an_older_revision_needs_a_permission(tmp_path: Path) -> None:
    """Also after a restart; the permission is in the audit entry, and does not make the older one the newest."""
    stack = make_stack(tmp_path, load=False)
    for revision, flags, code, newest in (
        (2, 0, Code.OK, 0), (1, 0, Code.MODEL_UNSUPPORTED, None), (2, 0, Code.OK, 2), (1, OLDER, Code.OK, 2),
        (1, 0, Code.MODEL_UNSUPPORTED, None), (3, 0, Code.OK, 2), (2, 0, Code.MODEL_UNSUPPORTED, None),
    ):  # fmt: skip
        assert stack.admin.load(package(1, revision=revision), flags=flags).code is code, revision
        entry = stack.decisions("llm.load")[-1]
        assert (entry["code"], entry["revision"], entry["flags"], entry.get("newest")) == (
            code, revision, flags, newest,
        )  # fmt: skip
        if code is Code.OK:
            stack.admin.ask(Command.LLM_UNLOAD, 1)
    again = make_stack(tmp_path, load=False, keep_trust=True)
    assert again.admin.load(package(1, revision=2)).code is Code.MODEL_UNSUPPORTED
    assert again.admin.load(package(2, revision=1)).code is Code.OK, "another model"


def test_expired_key(tmp_path: Path) -> None:
    trust_store(tmp_path).add(TrustedKey(KEY.public, "vendor", datetime(2020, 1, 1, tzinfo=UTC)))
    stack = make_stack(tmp_path, load=False, keep_trust=True)
    check_refused(stack, "llm.load", Code.EXPIRED_KEY, stack.admin.load(package()))


def test_open_trust_store_verifies_nothing(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, load=False)
    (tmp_path / "trust").chmod(0o777)
    check_refused(stack, "llm.load", Code.WRONG_KEY, stack.admin.load(package()))


@pytest.mark.parametrize(
    ("code", "flags"),
    [(Code.BAD_ARGUMENT, 3), (Code.BAD_ARGUMENT, 1 << 31), (Code.UNSUPPORTED, BackendKind.COPROCESSOR)],
)
def test_backend_that_is_none(code: Code, flags: int, tmp_path: Path) -> None:
    stack = make_stack(tmp_path, load=False)
    check_refused(stack, "llm.load", code, stack.admin.load(package(), flags=flags))


def test_handle_that_is_none(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, load=False)
    handle = stack.tenant("somebody").buffer(package())
    check_refused(stack, "llm.load", Code.NOT_FOUND, stack.admin.ask(Command.LLM_LOAD, handle, 0, 0))


def test_same_model_twice(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, load=False)
    assert stack.admin.load(package()).code is Code.OK
    assert stack.admin.load(package()).code is Code.EXISTS
    assert [e["code"] for e in stack.decisions("llm.load")] == [Code.OK, Code.EXISTS]


def test_chunk_that_inserts_too_much(tmp_path: Path) -> None:
    """Slots are kept for a chunk's INSERTs; a model that could need more is not loaded."""
    stack = make_stack(tmp_path, load=False, inserts_per_step=7)
    check_refused(stack, "llm.load", Code.NO_ROOM, stack.admin.load(package()))


def test_blocks_that_do_not_fit(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, load=False, block_bytes=1024)
    check_refused(stack, "llm.load", Code.MODEL_UNSUPPORTED, stack.admin.load(package()))


def test_load_is_an_admission(tmp_path: Path) -> None:
    """The longest chunk of all models blocks every class; unloading gives the room back."""
    stack = make_stack(tmp_path, load=False)
    scheduler = stack.system.scheduler
    rejected = scheduler.counters.rejected
    assert stack.admin.load(package(), wcet_cycles=2_000_000).code is Code.ADMISSION_REFUSED
    assert scheduler.counters.rejected == rejected + 1
    assert [scheduler.server(cls).params.chunk_ns for cls in range(3)] == [0, 0, 0]
    assert stack.admin.load(package(), wcet_cycles=250_000).code is Code.OK
    assert [scheduler.server(cls).params.chunk_ns for cls in range(3)] == [MS] * 3
    assert stack.admin.load(package(2), wcet_cycles=100).code is Code.OK
    assert scheduler.server(0).params.chunk_ns == MS
    assert stack.admin.ask(Command.LLM_UNLOAD, 1).code is Code.OK
    assert scheduler.server(0).params.chunk_ns == 400


def test_two_models_serve(tmp_path: Path) -> None:
    """The stub and the micro-LLM side by side, by their ids."""
    stack = make_stack(tmp_path)
    assert stack.admin.load(package(2), flags=BackendKind.STUB).fields == (2,)
    tenant = stack.tenant("t")
    text = b"the quick brown fox jumps over the lazy dog"
    reply = tenant.ask(Command.LLM_INFER_START, tenant.buffer(text), 40, 0, 0, 2, 0, 0, 0, 0)
    state, tokens = tenant.read(reply.fields[0])
    assert (state, stack.service.model(2).text(tokens)) == (InferState.DONE, b"quick brown jumps")
    assert stack.directory() == []


def test_all_backends(tmp_path: Path) -> None:
    """One interface, the same admission and metrics: micro-LLM, stub and coprocessor serve side by side."""
    stack = make_stack(tmp_path, coprocessor=True)
    assert stack.admin.load(package(2), flags=BackendKind.STUB).fields == (2,)
    assert stack.admin.load(package(3), flags=BackendKind.COPROCESSOR).fields == (3,)
    tenant = stack.tenant("t")
    text, ids = b"one two three four", {}
    for model_id in (1, 2, 3):
        for cls in (0, 1):
            reply = tenant.ask(Command.LLM_INFER_START, tenant.buffer(text), 9, cls, 0, model_id, 5, 900, 0, 0)
            ids[reply.fields[0]] = model_id
    tokens = {infer_id: tenant.read(infer_id) for infer_id in ids}
    wanted = reference(stack, text, 9, Sampling(5, 900))
    expected = {1: wanted, 2: list(summarize(text)[:9]), 3: wanted}
    assert tokens == {infer_id: (InferState.DONE, expected[model_id]) for infer_id, model_id in ids.items()}
    snapshot = snapshots.snapshot(stack.system.metrics)
    assert snapshot["llm_tokens_out"] == sum(len(expected[model_id]) for model_id in ids.values())
    assert all(one["cycles"] > 0 and one["state"] == "done" for one in snapshot["inferences"])
    assert stack.admin.ask(Command.LLM_UNLOAD, 3).code is Code.OK


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (Code.BAD_ARGUMENT, (4, 0, 0, MS, 10 * MS, 0)),
        (Code.BAD_ARGUMENT, (0, 0, 0, 0, 10 * MS, 0)),
        (Code.BAD_ARGUMENT, (0, 0, 0, MS, 0, 0)),
        (Code.ADMISSION_REFUSED, (0, 0, 0, 9 * MS, 10 * MS, 0)),
        (Code.ADMISSION_REFUSED, (3, 0, 0, 5 * MS, 10 * MS, 0)),
    ],
)
def test_budget_is_refused(code: Code, arguments: tuple[int, ...], tmp_path: Path) -> None:
    """A refused budget changes nothing."""
    stack = make_stack(tmp_path)
    scheduler = stack.system.scheduler
    before = scheduler.used_ppm, [scheduler.server(cls).params for cls in scheduler.servers]
    check_refused(stack, "llm.budget", code, stack.admin.ask(Command.LLM_BUDGET, *arguments))
    assert before == (scheduler.used_ppm, [scheduler.server(cls).params for cls in scheduler.servers])


def test_budget(tmp_path: Path) -> None:
    """A new class, then another share of it; both are audited, and its inferences are served."""
    stack = make_stack(tmp_path)
    tenant = stack.tenant("t")
    assert tenant.start(cls=3).code is Code.ADMISSION_REFUSED
    assert stack.admin.ask(Command.LLM_BUDGET, 3, 0, 0, MS, 20 * MS, 0).fields == (550_000,)
    infer_id = tenant.started(cls=3)
    assert stack.admin.ask(Command.LLM_BUDGET, 3, 0, 0, 2 * MS, 20 * MS, 0).fields == (600_000,)
    assert tenant.read(infer_id)[0] is InferState.DONE
    assert [(e["object"], e["code"], e["budget_ns"]) for e in stack.decisions("llm.budget")] == [
        ("class:3", Code.OK, MS), ("class:3", Code.OK, 2 * MS),
    ]  # fmt: skip


def test_unload_without_a_device(tmp_path: Path) -> None:
    """A device that does not answer: DeviceFault, and the model stays loaded."""
    faulty = Faulty()
    stack = make_stack(tmp_path, transport=faulty, device=faulty.device)
    tenant = stack.tenant("t")
    tenant.read(tenant.started(b"x" * 40))
    faulty.lost = TransportError("the simulator is gone")
    check_refused(stack, "llm.unload", Code.DEVICE_FAULT, stack.admin.ask(Command.LLM_UNLOAD, 1))
    assert stack.admin.ask(Command.LLM_STATUS).fields[0] == 1


def test_classes_of_the_configuration_must_fit(tmp_path: Path) -> None:
    classes = tuple(replace(budget, budget_ns=budget.period_ns // 2) for budget in CLASSES if budget)
    with pytest.raises(Exception, match="bound is 850000 ppm"):
        make_stack(tmp_path, classes=(*classes, ClassBudget(MS, 10 * MS)))
