"""Trust store and key files: what they hold, whose they are, and what they refuse."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw import ownerfile
from sw.llm.package import TrustedKey, TrustError, TrustStore, host_calendar
from sw.signing import KeyFileError, PrivateKey, PublicKey

ALICE = PrivateKey(bytes([1]) * 32).public
BOB = PrivateKey(bytes([2]) * 32).public
NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    store = TrustStore(tmp_path / "deep" / "store")
    store.add(TrustedKey(ALICE, "alice@example", NOON))
    return store


def file_of(store: TrustStore, key: PublicKey) -> Path:
    return store.path / f"{key.key_id.hex()}.json"


def test_add_find_remove(store: TrustStore) -> None:
    assert store.find(ALICE.key_id) == TrustedKey(ALICE, "alice@example", NOON)
    assert store.find(BOB.key_id) is None
    store.add(TrustedKey(BOB, "bob", None))
    assert {key.name for key in store.trusted()} == {"alice@example", "bob"}
    store.remove(ALICE.key_id)
    assert store.find(ALICE.key_id) is None
    with pytest.raises(TrustError, match="has no key"):
        store.remove(ALICE.key_id)


def test_add_again_changes(store: TrustStore) -> None:
    store.add(TrustedKey(ALICE, "alice", None))
    assert store.trusted() == [TrustedKey(ALICE, "alice", None)]


def test_owner_only(store: TrustStore) -> None:
    assert store.path.stat().st_mode & 0o777 == 0o700
    assert file_of(store, ALICE).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in store.path.iterdir()) == [file_of(store, ALICE).name]


@pytest.mark.parametrize("mode", [0o710, 0o701, 0o720, 0o702, 0o740, 0o704])
def test_directory_open_to_others(store: TrustStore, mode: int) -> None:
    store.path.chmod(mode)
    for call in (
        lambda: store.find(ALICE.key_id),
        lambda: store.add(TrustedKey(BOB, "bob", None)),
        lambda: store.remove(ALICE.key_id),
    ):
        with pytest.raises(TrustError, match="open to other users"):
            call()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_key_open_to_others(store: TrustStore, mode: int) -> None:
    file_of(store, ALICE).chmod(mode)
    with pytest.raises(TrustError, match="open to other users"):
        store.find(ALICE.key_id)


def test_key_that_is_a_link(store: TrustStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    file_of(store, ALICE).rename(elsewhere)
    file_of(store, ALICE).symlink_to(elsewhere)
    with pytest.raises(TrustError):
        store.find(ALICE.key_id)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_key_of_another_user(store: TrustStore) -> None:
    os.chown(file_of(store, ALICE), 65534, -1)
    with pytest.raises(TrustError, match="another user"):
        store.find(ALICE.key_id)


def test_key_under_another_name(store: TrustStore) -> None:
    """Bob's key id must not get Alice's key."""
    file_of(store, ALICE).rename(file_of(store, BOB))
    with pytest.raises(TrustError, match="another key"):
        store.find(BOB.key_id)


RECORD = {"expires": None, "name": "x", "public_key": ALICE.raw.hex()}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 1000,
        b"{" + b" " * 2000 + b"}",
        json.dumps({**RECORD, "more": 1}).encode(),
        json.dumps({**RECORD, "expires": 5}).encode(),
        json.dumps({**RECORD, "expires": "soon"}).encode(),
        json.dumps({**RECORD, "name": ""}).encode(),
        json.dumps({**RECORD, "name": "a b"}).encode(),
        json.dumps({**RECORD, "name": 1}).encode(),
        json.dumps({**RECORD, "public_key": "00"}).encode(),
        json.dumps({**RECORD, "public_key": "zz"}).encode(),
        json.dumps({**RECORD, "public_key": 1}).encode(),
    ],
)
def test_not_a_trusted_key(store: TrustStore, content: bytes) -> None:
    file_of(store, ALICE).write_bytes(content)
    with pytest.raises(TrustError) as caught:
        store.find(ALICE.key_id)
    assert "\n" not in str(caught.value)


def test_any_content(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = TrustStore(tmp_path_factory.mktemp("fuzz") / "store")
    store.add(TrustedKey(ALICE, "alice", None))
    value = st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
    fields = st.fixed_dictionaries(dict.fromkeys(RECORD, value))

    @settings(derandomize=True, deadline=None)
    @given(st.binary(max_size=200) | (value | fields).map(lambda thing: json.dumps(thing).encode()))
    def any_content(content: bytes) -> None:
        file_of(store, ALICE).write_bytes(content)
        with pytest.raises(TrustError):
            store.find(ALICE.key_id)

    any_content()


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a\n", "../x"])
def test_names(store: TrustStore, name: str) -> None:
    with pytest.raises(TrustError):
        store.add(TrustedKey(BOB, name, None))


def test_expiry() -> None:
    key = TrustedKey(ALICE, "alice", NOON)
    assert not key.expired(NOON - timedelta(microseconds=1))
    assert key.expired(NOON)
    assert key.expired(NOON.astimezone(timezone(timedelta(hours=-8))))
    assert not TrustedKey(ALICE, "alice", None).expired(datetime.max.replace(tzinfo=UTC))
    assert host_calendar().tzinfo is not None


def test_expiry_in_another_zone(store: TrustStore) -> None:
    store.add(TrustedKey(ALICE, "alice", NOON.astimezone(timezone(timedelta(hours=5)))))
    found = store.find(ALICE.key_id)
    assert found is not None
    assert found.expires == NOON


def test_private_key_file(tmp_path: Path) -> None:
    key = PrivateKey.generate()
    path = tmp_path / "key"
    key.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert PrivateKey.load(path).public == key.public
    with pytest.raises(KeyFileError, match="exists"):
        PrivateKey.generate().save(path)
    assert PrivateKey.load(path).public == key.public
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="open to other users"):
        PrivateKey.load(path)


def test_two_keys_differ() -> None:
    assert PrivateKey.generate().public != PrivateKey.generate().public


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=300))
def test_any_key_file(data: bytes) -> None:
    with pytest.raises(KeyFileError) as caught:
        PublicKey.parse(data.decode("latin-1"), "file")
    assert str(caught.value) == "file: not a kv-cpu-public-key-v1 file"


def test_a_private_key_is_no_public_one(tmp_path: Path) -> None:
    PrivateKey(bytes(32)).save(tmp_path / "key")
    with pytest.raises(KeyFileError):
        PublicKey.load(tmp_path / "key")


def test_a_private_key_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"kv-cpu-private-key-v2 {'ab' * 32}\n")
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as caught:
        PrivateKey.load(path)
    assert "abab" not in str(caught.value)
    assert "01" * 8 not in repr(PrivateKey(bytes([1]) * 32))  # an address may have a few such digits


def test_replace_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    ownerfile.replace(path, b"one")
    ownerfile.replace(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
]
NOT_CANONICAL = [
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("raw", [*SMALL_ORDER, *NOT_CANONICAL])
def test_b5_keys_that_anybody_can_sign_for_are_not_trusted(store: TrustStore, raw: str) -> None:
    """Not taken in, not read from a file, not found in a store where they were put by hand."""
    key = PublicKey(bytes.fromhex(raw))
    with pytest.raises(TrustError, match="small order"):
        store.add(TrustedKey(key, "weak", None))
    with pytest.raises(KeyFileError, match="small order"):
        PublicKey.parse(key.text(), "weak.pub")
    text = json.dumps({"expires": None, "name": "weak", "public_key": raw})
    ownerfile.create(file_of(store, key), text.encode())
    with pytest.raises(TrustError, match="is not a trusted key"):
        store.find(key.key_id)


def test_b5_a_key_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends while it makes one leaves no empty key behind."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "service.key"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            PrivateKey(bytes(32)).save(path)
    assert not path.exists()
    PrivateKey(bytes(32)).save(path)
    with pytest.raises(KeyFileError, match="File exists"):
        PrivateKey(bytes([1]) * 32).save(path)
    assert PrivateKey.load(path).public == PrivateKey(bytes(32)).public
    assert [file.name for file in tmp_path.iterdir()] == ["service.key"]


def test_b5_revisions(store: TrustStore) -> None:
    assert store.newest(7) == 0
    for revision, newest in ((2, 2), (1, 2), (3, 3)):
        store.note_revision(7, revision)
        assert (store.newest(7), store.newest(8)) == (newest, 0)
    assert TrustStore(store.path).newest(7) == 3
    assert len(store.trusted()) == 1, "the record is no key"
    (store.path / "revisions").write_bytes(b"[1]")
    with pytest.raises(TrustError, match="is not the record of revisions"):
        store.newest(7)
