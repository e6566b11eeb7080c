"""Capabilities: default deny, and every way in which a token is refused (software.md 2)."""

from __future__ import annotations

import hmac
import stat
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code, Refusal
from sw.kernel.capability import ANY_OBJECT, ANY_RIGHT, AuthFailed, Capabilities, Capability, Object, Rights
from tests.kernel.recorder import Entry, Recorder

ALL = Object.GRAPH | Object.MODEL | Object.LLM


@pytest.fixture
def audit() -> Recorder:
    return Recorder()


@pytest.fixture
def caps(audit: Recorder) -> Capabilities:
    return Capabilities(audit)


def denied(caps: Capabilities, token: int, obj: Object = ANY_OBJECT, right: Rights = ANY_RIGHT, now: int = 0) -> None:
    with pytest.raises(AuthFailed) as failed:
        caps.check(token, obj, right, now)
    assert failed.value.code is Code.AUTH_FAILED
    assert str(failed.value) == "no capability for this", "a refusal must not tell its reason"


def code_of(call: Callable[..., object], *arguments: object, **named: object) -> Code:
    with pytest.raises(Refusal) as refused:
        call(*arguments, **named)
    return refused.value.code


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.integers(-1, 1 << 65))
def test_default_deny(token: int) -> None:
    denied(Capabilities(Recorder()), token)


def test_a_token_does_what_it_is_for(caps: Capabilities) -> None:
    token = caps.issue("alice", Rights.SUBMIT, Object.LLM)
    assert caps.check(token, Object.LLM, Rights.SUBMIT, 0) == Capability(1, "alice", Object.LLM, Rights.SUBMIT)
    assert caps.check(token, ANY_OBJECT, ANY_RIGHT, 1 << 70).holder == "alice"


@pytest.mark.parametrize(("had", "asked"), [*product(Rights, Rights)])
def test_no_right_implies_another(caps: Capabilities, had: Rights, asked: Rights) -> None:
    token = caps.issue("alice", had, ALL)
    if had is asked:
        caps.check(token, Object.LLM, asked, 0)
    else:
        denied(caps, token, Object.LLM, asked)


@pytest.mark.parametrize(("had", "asked"), [*product(Object, Object)])
def test_no_object_is_another(caps: Capabilities, had: Object, asked: Object) -> None:
    token = caps.issue("alice", Rights.ADMIN, had)
    if had is asked:
        caps.check(token, asked, Rights.ADMIN, 0)
    else:
        denied(caps, token, asked, Rights.ADMIN)


def test_all_that_is_asked_for_is_needed(caps: Capabilities) -> None:
    token = caps.issue("alice", Rights.SUBMIT, Object.LLM)
    denied(caps, token, Object.LLM, Rights.SUBMIT | Rights.STREAM)
    denied(caps, token, Object.LLM | Object.GRAPH, Rights.SUBMIT)


def test_expiry_is_the_first_instant_of_refusal(caps: Capabilities) -> None:
    token = caps.issue("alice", Rights.SUBMIT, Object.LLM, expires_ns=1000)
    caps.check(token, Object.LLM, Rights.SUBMIT, 999)
    denied(caps, token, Object.LLM, Rights.SUBMIT, now=1000)
    denied(caps, token, now=1001)


def test_revoked_is_refused_at_once_and_for_good(caps: Capabilities) -> None:
    token = caps.issue("alice", Rights.SUBMIT, Object.LLM)
    other = caps.issue("bob", Rights.SUBMIT, Object.LLM)
    caps.revoke(token)
    denied(caps, token)
    caps.check(other, Object.LLM, Rights.SUBMIT, 0)
    assert code_of(caps.revoke, token) is Code.NOT_FOUND
    assert code_of(caps.revoke, token ^ 1) is Code.NOT_FOUND
    assert code_of(caps.revoke, 1 << 64) is Code.NOT_FOUND
    assert code_of(caps.revoke_id, 1) is Code.NOT_FOUND
    assert code_of(caps.revoke_id, 0) is Code.NOT_FOUND
    assert code_of(caps.revoke_id, 3) is Code.NOT_FOUND
    assert code_of(caps.issue, "eve", Rights.SUBMIT, Object.LLM, token=token) is Code.EXISTS
    caps.revoke_id(2)
    denied(caps, other)
    assert caps.list() == ()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.integers(1, (1 << 64) - 1), min_size=1, max_size=6, unique=True), st.integers(0, 63))
def test_every_token_finds_its_own_and_a_flipped_bit_finds_none(tokens: list[int], bit: int) -> None:
    caps = Capabilities(Recorder())
    for number, token in enumerate(tokens):
        caps.issue(f"holder-{number}", Rights.SUBMIT, Object.LLM, token=token)
    for number, token in enumerate(tokens):
        assert caps.check(token, Object.LLM, Rights.SUBMIT, 0).holder == f"holder-{number}"
        if token ^ 1 << bit not in tokens:
            denied(caps, token ^ 1 << bit)


def test_tokens_are_64_random_bits_and_none_is_shared() -> None:
    caps = Capabilities(Recorder())
    tokens = [caps.issue("alice", Rights.SUBMIT, Object.LLM) for _ in range(200)]
    assert len(set(tokens)) == 200
    assert all(0 < token < 1 << 64 for token in tokens)
    assert any(token >= 1 << 62 for token in tokens)
    assert {sum(token >> bit & 1 for token in tokens) in range(40, 161) for bit in range(64)} == {True}


def test_a_random_token_in_use_or_0_is_drawn_again() -> None:
    draws = iter([5, 0, 5, 6])
    caps = Capabilities(Recorder(), random=lambda bits: next(draws))
    assert [caps.issue("alice", Rights.SUBMIT, Object.LLM) for _ in range(2)] == [5, 6]


def test_the_administrator_may_choose_a_token(caps: Capabilities) -> None:
    token = int.from_bytes(b"!LRTC_SS", "little")
    denied(caps, token)
    assert caps.issue("vectors", Rights.ADMIN, ALL, token=token) == token
    caps.check(token, Object.GRAPH, Rights.ADMIN, 0)
    assert code_of(caps.issue, "other", Rights.ADMIN, ALL, token=token) is Code.EXISTS
    for bad in (0, -1, 1 << 64):
        assert code_of(caps.issue, "other", Rights.ADMIN, ALL, token=bad) is Code.BAD_ARGUMENT


@pytest.mark.parametrize("holder", ["", "a b", "a\nb", "é", "x" * 65, "a\n"])
def test_holders_are_names(caps: Capabilities, holder: str) -> None:
    assert code_of(caps.issue, holder, Rights.SUBMIT, Object.LLM) is Code.BAD_ARGUMENT


def test_a_capability_for_nothing_is_none(caps: Capabilities) -> None:
    assert code_of(caps.issue, "alice", ANY_RIGHT, Object.LLM) is Code.BAD_ARGUMENT
    assert code_of(caps.issue, "alice", Rights.SUBMIT, ANY_OBJECT) is Code.BAD_ARGUMENT
    assert caps.list() == ()


def test_only_administrators_issue_and_revoke(caps: Capabilities) -> None:
    admin = caps.check(caps.issue("root", Rights.ADMIN, Object.LLM), ANY_OBJECT, ANY_RIGHT, 0)
    user = caps.check(caps.issue("alice", Rights.SUBMIT | Rights.STREAM, ALL), ANY_OBJECT, ANY_RIGHT, 0)
    assert code_of(caps.issue, "eve", Rights.SUBMIT, Object.LLM, by=user) is Code.AUTH_FAILED
    assert code_of(caps.issue, "eve", Rights.ADMIN, Object.GRAPH, by=admin) is Code.AUTH_FAILED
    assert code_of(caps.revoke_id, 1, by=user) is Code.AUTH_FAILED
    assert code_of(caps.revoke_id, 2, by=admin) is Code.AUTH_FAILED  # also for Graph and Model
    token = caps.issue("bob", Rights.SUBMIT, Object.LLM, by=admin)
    caps.revoke(token, by=admin)
    denied(caps, token)


def test_every_token_is_compared_in_constant_time(caps: Capabilities, monkeypatch: pytest.MonkeyPatch) -> None:
    """The found one does not end the search, and nothing but compare_digest looks at tokens."""
    tokens = [caps.issue("alice", Rights.SUBMIT, Object.LLM) for _ in range(5)]
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def spy(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    for token in (tokens[0], tokens[4], 12345):
        compared.clear()
        try:
            caps.check(token, ANY_OBJECT, ANY_RIGHT, 0)
        except AuthFailed:
            assert token == 12345
        assert len(compared) == 5, "the search ended early"
        assert all(len(left) == len(right) == 8 for left, right in compared)


# ---------------------------------------------------------------------- audit


def test_every_decision_is_one_entry_and_none_has_a_token(caps: Capabilities, audit: Recorder) -> None:
    token = caps.issue("alice", Rights.SUBMIT, Object.LLM)
    assert audit.last == Entry("", None, "capability.issue", "alice", 0, {"issued": 1, "rights": 2, "objects": 4})
    caps.check(token, Object.LLM, Rights.SUBMIT, 0)
    assert audit.last == Entry("alice", 1, "capability.check", "llm", 0, {"rights": 2})
    denied(caps, token, Object.GRAPH, Rights.ADMIN)
    assert audit.last == Entry("alice", 1, "capability.check", "graph", 5, {"rights": 1})
    denied(caps, token ^ 1)
    assert audit.last == Entry("", None, "capability.check", "any", 5, {"rights": 0})
    caps.revoke(token)
    assert audit.last == Entry("", None, "capability.revoke", "capability:1", 0)
    denied(caps, token)
    assert audit.last.code == 5
    code_of(caps.issue, "", Rights.SUBMIT, Object.LLM)
    assert audit.last.code == 16
    assert len(audit.entries) == 7
    assert all(str(token) not in repr(entry) and f"{token:x}" not in repr(entry) for entry in audit.entries)


def test_b5_an_issued_capability_is_recorded_with_holder_and_end(caps: Capabilities, audit: Recorder) -> None:
    caps.issue("alice/x", Rights.STREAM, Object.LLM, 5_000)
    counts = {"issued": 1, "rights": 4, "objects": 4, "expires_ns": 5_000}
    assert audit.last == Entry("", None, "capability.issue", "alice/x", 0, counts)
    assert code_of(caps.issue, "bob", Rights.STREAM, Object.LLM, 1 << 64) is Code.BAD_ARGUMENT
    assert audit.last.obj == "bob"


class Full(Exception):
    pass


class FullDisk(Recorder):
    full = False

    def record(self, **fields: object) -> None:  # type: ignore[override]
        if self.full:
            raise Full


def test_what_cannot_be_recorded_does_not_happen() -> None:
    disk = FullDisk()
    caps = Capabilities(disk)
    token = caps.issue("alice", Rights.SUBMIT, Object.LLM)
    disk.full = True
    for call in (
        lambda: caps.check(token, Object.LLM, Rights.SUBMIT, 0),
        lambda: caps.issue("bob", Rights.SUBMIT, Object.LLM),
        lambda: caps.revoke(token),
    ):
        with pytest.raises(Full):
            call()
    disk.full = False
    assert [capability.holder for capability in caps.list()] == ["alice"]
    caps.check(token, Object.LLM, Rights.SUBMIT, 0)


# ---------------------------------------------------------------------- the first token


def test_the_first_token_is_its_owners_alone(caps: Capabilities, tmp_path: Path) -> None:
    path = tmp_path / "admin.token"
    path.write_text("from a run before")
    path.chmod(0o644)
    token = caps.bootstrap(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == f"0x{token:016x}\n"
    for obj in Object:
        assert caps.check(token, obj, Rights.ADMIN, 0).holder == "admin"
    denied(caps, token, Object.LLM, Rights.SUBMIT)
    denied(caps, token, Object.LLM, Rights.STREAM)
    assert code_of(caps.bootstrap, path) is Code.EXISTS


def test_a_link_in_its_place_is_not_followed(caps: Capabilities, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    path = tmp_path / "admin.token"
    path.symlink_to(victim)
    caps.bootstrap(path)
    assert victim.read_text() == "mine"
    assert not path.is_symlink()


def test_no_file_no_administrator(caps: Capabilities, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        caps.bootstrap(tmp_path / "nowhere" / "admin.token")
    assert caps.list() == ()
