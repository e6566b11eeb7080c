"""Shared buffers: handles, limits, and that no tenant sees another's (software.md 2 and 3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code, Refusal
from sw.kernel import buffers as module
from sw.kernel.buffers import Buffers
from sw.kernel.capability import Capability, Object, Rights
from sw.kernel.growth import Growth, GrowthRefused
from tests.kernel.recorder import Entry, Recorder

ALICE = Capability(1, "alice", Object.LLM, Rights.SUBMIT)
BOB = Capability(2, "bob", Object.LLM, Rights.SUBMIT)


@pytest.fixture
def audit() -> Recorder:
    return Recorder()


@pytest.fixture
def growth() -> Growth:
    return Growth()


@pytest.fixture
def buffers(audit: Recorder, growth: Growth) -> Buffers:
    return Buffers(audit, growth, limit_bytes=100, limit_handles=4)


def code_of(call: Callable[..., object], *arguments: object) -> Code:
    with pytest.raises(Refusal) as refused:
        call(*arguments)
    return refused.value.code


def test_b5_release_is_recorded(buffers: Buffers, audit: Recorder) -> None:
    handle = buffers.make(ALICE, b"abc")
    buffers.release(ALICE, handle)
    assert audit.last == Entry("alice", ALICE.id, "buffer.release", f"buffer:{handle}", 0, {"bytes": 3})
    code_of(buffers.release, BOB, handle)
    assert (audit.last.holder, audit.last.code) == ("bob", Code.NOT_FOUND)


def test_make_get_release(buffers: Buffers, audit: Recorder) -> None:
    data = bytearray(b"prompt")
    handle = buffers.make(ALICE, bytes(data))
    data[:] = b"change"
    assert handle == 1
    assert buffers.get(ALICE, handle) == b"prompt"
    assert audit.entries == [Entry("alice", 1, "buffer.make", "buffer:1", 0, {"bytes": 6})]
    buffers.release(ALICE, handle)
    assert code_of(buffers.get, ALICE, handle) is Code.NOT_FOUND
    assert code_of(buffers.release, ALICE, handle) is Code.NOT_FOUND
    assert len(buffers) == 0


def test_another_holders_handle_is_not_found(buffers: Buffers) -> None:
    handle = buffers.make(ALICE, b"prompt")
    assert code_of(buffers.get, BOB, handle) is Code.NOT_FOUND
    assert code_of(buffers.release, BOB, handle) is Code.NOT_FOUND
    assert buffers.get(Capability(9, "alice", Object.MODEL, Rights.ADMIN), handle) == b"prompt"


@pytest.mark.parametrize("handle", [0, 2, -1, 1 << 32])
def test_no_such_handle(buffers: Buffers, handle: int) -> None:
    buffers.make(ALICE, b"prompt")
    assert code_of(buffers.get, ALICE, handle) is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("objects", "rights"),
    [(Object.LLM, Rights.ADMIN), (Object.LLM, Rights.STREAM), (Object.GRAPH, Rights.SUBMIT)],
)
def test_making_one_needs_submit(buffers: Buffers, audit: Recorder, objects: Object, rights: Rights) -> None:
    assert code_of(buffers.make, Capability(3, "eve", objects, rights), b"x") is Code.AUTH_FAILED
    assert audit.last == Entry("eve", 3, "buffer.make", "buffer:1", 5, {"bytes": 1})
    assert len(buffers) == 0


def test_submit_on_model_makes_packages(buffers: Buffers) -> None:
    assert buffers.make(Capability(3, "root", Object.MODEL, Rights.SUBMIT), b"package") == 1


def test_limits_are_each_holders_own(buffers: Buffers, audit: Recorder) -> None:
    assert code_of(buffers.make, ALICE, b"") is Code.BAD_ARGUMENT
    first = buffers.make(ALICE, b"x" * 97)
    assert code_of(buffers.make, ALICE, b"x" * 4) is Code.NO_ROOM
    assert audit.last.code == Code.NO_ROOM
    for _ in range(3):
        buffers.make(ALICE, b"x")
    buffers.make(BOB, b"x" * 100)
    buffers.release(ALICE, first)
    buffers.make(ALICE, b"x")
    assert code_of(buffers.make, ALICE, b"x") is Code.NO_ROOM  # 4 handles, 4 bytes


def test_handles_come_back_after_all_others(buffers: Buffers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDLES", 3)
    assert [buffers.make(ALICE, b"x") for _ in range(2)] == [1, 2]
    buffers.release(ALICE, 1)
    assert [buffers.make(ALICE, b"x") for _ in range(2)] == [3, 1]
    buffers.release(ALICE, 3)
    assert buffers.make(ALICE, b"x") == 3


def test_deterministic_mode_keeps_the_number_of_handles(buffers: Buffers, growth: Growth) -> None:
    first = buffers.make(ALICE, b"x")
    buffers.reserve(2)
    growth.freeze()
    buffers.make(ALICE, b"x")
    with pytest.raises(GrowthRefused, match="1 more handles"):
        buffers.make(BOB, b"x")
    assert len(buffers) == 2
    buffers.release(ALICE, first)
    buffers.make(BOB, b"x")


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from([ALICE, BOB]), st.binary(max_size=60), st.booleans()), max_size=30))
def test_holders_never_meet(actions: list[tuple[Capability, bytes, bool]]) -> None:
    buffers = Buffers(Recorder(), Growth(), limit_bytes=100, limit_handles=3)
    kept: dict[int, tuple[Capability, bytes]] = {}
    for cap, data, release in actions:
        mine = [handle for handle, (owner, _) in kept.items() if owner is cap]
        if release and mine:
            buffers.release(cap, mine[0])
            del kept[mine[0]]
            continue
        held = sum(len(kept[handle][1]) for handle in mine)
        if data and len(mine) < 3 and held + len(data) <= 100:
            kept[buffers.make(cap, data)] = (cap, data)
        else:
            code = code_of(buffers.make, cap, data)
            assert code is (Code.NO_ROOM if data else Code.BAD_ARGUMENT) or len(mine) >= 3
        for handle, (owner, expected) in kept.items():
            assert buffers.get(owner, handle) == expected
            assert code_of(buffers.get, BOB if owner is ALICE else ALICE, handle) is Code.NOT_FOUND
    assert len(buffers) == len(kept)
