"""Which package is loaded: every code, the order of the checks, every byte altered, every length cut."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sw.codes import Code
from sw.llm.package import PackageLimits, PackageRefused, TrustedKey, TrustStore, pack, verify, verify_file
from sw.signing import PublicKey
from tests.llm import packages
from tests.llm.packages import HEADER, TENSORS, u16, u32

KEY = SigningKey(bytes([1]) * 32)
STRANGER = SigningKey(bytes([2]) * 32)
EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)
BEFORE = EXPIRES - timedelta(seconds=1)
LIMITS = PackageLimits(package_bytes=1024, context=96, vocabulary=260, arena_bytes=4096)
BODY = packages.unsigned_body()
GOOD = packages.signed(BODY, KEY)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrustStore:
    store = TrustStore(tmp_path_factory.mktemp("keys") / "store")
    store.add(TrustedKey(PublicKey(bytes(KEY.verify_key)), "release", EXPIRES))
    return store


def code(package: bytes, store: TrustStore, limits: PackageLimits = LIMITS, now: datetime = BEFORE) -> Code:
    """Code of the refusal, OK without one."""
    try:
        verify(package, store, limits, now)
    except PackageRefused as refused:
        return refused.code
    return Code.OK


def test_good(store: TrustStore) -> None:
    package = verify(GOOD, store, LIMITS, BEFORE)
    assert package.header == HEADER
    assert package.key.name == "release"
    assert {name: bytes(package.raw(name)) for name in package.tensors} == {t.name: t.data for t in TENSORS}
    assert package.raw("norm").readonly


# Size, form, unsigned, digest, key id, signature, expiry, limits: each fault can be planted alone or with others.
ORDER = {
    "size": Code.MODEL_TOO_LARGE,
    "form": Code.MALFORMED,
    "unsigned": Code.UNSIGNED,
    "digest": Code.ALTERED,
    "key id": Code.WRONG_KEY,
    "signature": Code.BAD_SIGNATURE,
    "expiry": Code.EXPIRED_KEY,
    "limits": Code.MODEL_UNSUPPORTED,
}


def faulty(faults: frozenset[str]) -> tuple[bytes, PackageLimits, datetime]:
    """A package (and what it is judged by) with exactly these faults."""
    body = BODY
    if "limits" in faults:
        body = body[:40] + u16(9) + body[42:]
    if "form" in faults:
        body = b"kvcpullm" + body[8:]
    if "unsigned" in faults:
        package = packages.unsigned(body)
    else:
        package = packages.signed(body, STRANGER if "key id" in faults else KEY)
        if "signature" in faults:
            package = package[:-1] + bytes([package[-1] ^ 1])
    if "digest" in faults:
        package = package[:300] + bytes([package[300] ^ 1]) + package[301:]
    limits = dataclasses.replace(LIMITS, package_bytes=len(package) - 1) if "size" in faults else LIMITS
    return package, limits, EXPIRES if "expiry" in faults else BEFORE


SETS = [frozenset(some) for n in range(len(ORDER) + 1) for some in itertools.combinations(ORDER, n)]


@pytest.mark.parametrize(
    "faults", SETS, ids=lambda faults: "+".join(name for name in ORDER if name in faults) or "none"
)
def test_order(faults: frozenset[str], store: TrustStore) -> None:
    """Of all faults that a package has, the first in the contract's order is reported: all 256 sets of faults."""
    first = next((ORDER[name] for name in ORDER if name in faults), Code.OK)
    assert code(*_with_store(faulty(faults), store)) is first


def _with_store(
    case: tuple[bytes, PackageLimits, datetime], store: TrustStore
) -> tuple[bytes, TrustStore, PackageLimits, datetime]:
    package, limits, now = case
    return package, store, limits, now


def region(place: int) -> set[Code]:
    """What the change of a byte at that place may be refused with."""
    from_end = len(GOOD) - place
    if from_end <= 64:
        return {Code.BAD_SIGNATURE}
    if 8 <= place < 12:
        return {Code.MODEL_UNSUPPORTED}  # format
    return {Code.MALFORMED, Code.ALTERED} if place < 256 else {Code.ALTERED}


def test_every_bit_of_every_byte(store: TrustStore) -> None:
    """No bit of a package can be changed unseen, and the code fits the place."""
    for place, bit in itertools.product(range(len(GOOD)), range(8)):
        altered = bytearray(GOOD)
        altered[place] ^= 1 << bit
        assert code(bytes(altered), store) in region(place), f"byte {place}, bit {bit}"


def test_every_value_of_a_byte(store: TrustStore) -> None:
    """Some places with all 255 other values: text, numbers, padding, weights, trailer."""
    for place in (0, 8, 40, 66, 130, 200, 255, 260, 300, *range(len(GOOD) - 128, len(GOOD), 31)):
        for value in set(range(256)) - {GOOD[place]}:
            altered = GOOD[:place] + bytes([value]) + GOOD[place + 1 :]
            assert code(altered, store) in region(place), f"byte {place} := {value}"


def test_every_length(store: TrustStore) -> None:
    """Cut anywhere, from either end, or longer by up to 200 bytes."""
    for length in range(len(GOOD)):
        assert code(GOOD[:length], store) in {Code.MALFORMED, Code.ALTERED, Code.UNSIGNED}, f"first {length}"
        assert code(GOOD[length + 1 :], store) is Code.MALFORMED, f"from {length + 1}"
    for more in range(1, 201):
        assert code(GOOD + bytes(more), store) in {Code.ALTERED, Code.UNSIGNED}, f"{more} more"


def test_every_byte_removed_or_doubled(store: TrustStore) -> None:
    for place in range(len(GOOD)):
        doubled = GOOD[:place] + GOOD[place : place + 1] + GOOD[place:]
        assert code(doubled, store) is not Code.OK, f"byte {place} doubled"
        assert code(GOOD[:place] + GOOD[place + 1 :], store) is not Code.OK, f"byte {place} removed"


def test_half_signed_is_not_unsigned(store: TrustStore) -> None:
    """Unsigned means that key id and signature are both zero."""
    zero_signature = GOOD[:-64] + bytes(64)
    assert code(zero_signature, store) is Code.BAD_SIGNATURE
    body_and_key = BODY + bytes(32)
    no_key = body_and_key + hashlib.sha256(body_and_key).digest() + GOOD[-64:]
    assert code(no_key, store) is Code.WRONG_KEY


def test_signature_is_for_packages_only(store: TrustStore) -> None:
    """A signature over the digest without the domain, or under another one, is none."""
    digest = GOOD[-96:-64]
    for message in (digest, b"kv-cpu-model-v1" + digest, b"kv-cpu-audit-head-v1\0" + digest):
        assert code(GOOD[:-64] + KEY.sign(message).signature, store) is Code.BAD_SIGNATURE


def test_expiry(store: TrustStore) -> None:
    assert code(GOOD, store, now=BEFORE) is Code.OK
    assert code(GOOD, store, now=EXPIRES) is Code.EXPIRED_KEY


@pytest.mark.parametrize(
    ("limits", "header", "expected"),
    [
        ({"context": 95}, {}, Code.MODEL_TOO_LARGE),
        ({"vocabulary": 259}, {}, Code.MODEL_TOO_LARGE),
        ({"arena_bytes": 4095}, {}, Code.MODEL_TOO_LARGE),
        ({"package_bytes": len(GOOD) - 1}, {}, Code.MODEL_TOO_LARGE),
        ({"package_bytes": len(GOOD)}, {}, Code.OK),
        ({}, {"layers": 256}, Code.OK),
        ({}, {"layers": 257}, Code.MODEL_UNSUPPORTED),
        ({}, {"heads": 512, "kv_heads": 256}, Code.OK),
        ({}, {"heads": 514, "kv_heads": 257}, Code.MODEL_UNSUPPORTED),
        ({}, {"heads": 3, "kv_heads": 2}, Code.MODEL_UNSUPPORTED),
        ({}, {"heads": 1, "kv_heads": 0}, Code.MODEL_UNSUPPORTED),
        ({}, {"heads": 0, "kv_heads": 0}, Code.OK),
        ({}, {"quantisation": 3}, Code.OK),
        ({}, {"quantisation": 4}, Code.MODEL_UNSUPPORTED),
    ],
)
def test_limits(limits: dict[str, int], header: dict[str, int], expected: Code, store: TrustStore) -> None:
    changed = pack(dataclasses.replace(HEADER, **header), TENSORS)[:-128]  # type: ignore[arg-type]
    assert code(packages.signed(changed, KEY), store, dataclasses.replace(LIMITS, **limits)) is expected


def test_unknown_type_of_a_tensor(store: TrustStore) -> None:
    body = BODY[: 192 + 24] + u16(4) + BODY[192 + 26 :]
    assert code(packages.signed(body, KEY), store) is Code.MODEL_UNSUPPORTED


def test_no_weight_is_read_before_the_checks(store: TrustStore) -> None:
    """Form and limits do not look at weights: any bytes there leave the code as it is."""
    over = dataclasses.replace(LIMITS, context=1)
    for fill in (b"\0", b"\xff", b"\x7f"):
        body = BODY[:256] + fill * (len(BODY) - 256)
        assert code(packages.signed(body, KEY), store, over) is Code.MODEL_TOO_LARGE
        assert code(packages.signed(u32(0) + body[4:], KEY), store) is Code.MALFORMED


def test_file(tmp_path: Path, store: TrustStore) -> None:
    path = tmp_path / "model"
    path.write_bytes(GOOD)
    assert verify_file(path, store, LIMITS, BEFORE).header == HEADER


class Unread:
    """An open file of which no byte may be read."""

    def __init__(self, descriptor: int, _mode: str) -> None:
        self.descriptor = descriptor

    def __enter__(self) -> Unread:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def read(self, _size: int) -> bytes:
        raise AssertionError("the file was read")


def test_size_is_judged_before_reading(tmp_path: Path, store: TrustStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file that is too long (a terabyte, one byte) nothing is read."""
    path = tmp_path / "huge"
    for size in (1 << 40, LIMITS.package_bytes + 1):
        path.touch()
        os.truncate(path, size)
        monkeypatch.setattr(os, "fdopen", Unread)
        with pytest.raises(PackageRefused) as caught:
            verify_file(path, store, LIMITS, BEFORE)
        monkeypatch.undo()
        assert caught.value.code is Code.MODEL_TOO_LARGE


def test_a_pipe_does_not_hang(tmp_path: Path, store: TrustStore) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a file"):
        verify_file(tmp_path / "pipe", store, LIMITS, BEFORE)


def test_trust_store_that_cannot_be_used(tmp_path: Path) -> None:
    """Fails closed, with a code."""
    store = TrustStore(tmp_path / "store")
    assert code(GOOD, store) is Code.WRONG_KEY
    store.add(TrustedKey(PublicKey(bytes(KEY.verify_key)), "release", None))
    assert code(GOOD, store) is Code.OK
    store.path.chmod(0o750)
    assert code(GOOD, store) is Code.WRONG_KEY


@settings(
    max_examples=400, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_bytes(store: TrustStore, data: st.DataObject) -> None:
    """Any bytes, and pieces of a good package put together anyhow, are refused with a package code."""
    piece = st.tuples(st.integers(0, len(GOOD)), st.integers(0, len(GOOD))).map(
        lambda ends: GOOD[min(ends) : max(ends)]
    )
    package = b"".join(data.draw(st.lists(st.one_of(st.binary(max_size=64), piece), max_size=6)))
    if package != GOOD:
        assert 32 <= code(package, store) <= 39
