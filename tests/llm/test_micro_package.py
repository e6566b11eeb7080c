"""Models in packages: the one that ships, and what the transformer cannot run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sw.llm import models
from sw.llm.backend import Sampling
from sw.llm.micro.model import ModelConfig, Transformer
from sw.llm.micro.reference import ReferenceKv
from sw.llm.micro.train import CONFIG, loss_of
from sw.llm.micro.weights import UnsupportedModel, from_package, seeded
from sw.llm.package import (
    Header,
    Package,
    PackageLimits,
    Quantisation,
    TrustedKey,
    TrustStore,
    Weights,
    pack,
    sign,
    verify,
    verify_file,
)
from sw.llm.package.describe import load_header
from sw.llm.quantisation import decode, encode
from sw.run import run
from sw.signing import PrivateKey, PublicKey
from tests.llm.micro_bench import Bench, Output, Request, assert_same, collect

TINY = ModelConfig(context=32, vocabulary=257, layers=1, heads=2, kv_heads=1, head_dim=32, hidden=32)
HEADER = Header(
    model_id=3, revision=1, context=32, vocabulary=257, layers=1, heads=2, kv_heads=1, head_dim=32,
    quantisation=1, wcet_cycles=1, arena_bytes=1, name="tiny",
)  # fmt: skip
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def tensors(form: Quantisation = Quantisation.F16, **changes: np.ndarray | None) -> list[Weights]:
    """Seeded weights as they are in a package; `None` leaves a tensor out."""
    arrays = {name.replace(".", "_"): (name, array) for name, array in seeded(TINY, 1).items()}
    arrays |= {key: (arrays.get(key, (key,))[0], array) for key, array in changes.items()}  # type: ignore[misc]
    packed = []
    for name, array in arrays.values():
        if array is not None:
            kind = form if array.ndim > 1 else Quantisation.F32
            packed.append(Weights(name, kind, array.shape, encode(kind, array).tobytes()))
    return packed


def verified(tmp_path: Path, header: Header, weights: list[Weights]) -> Package:
    """A package that has passed every check of the package layer."""
    key = PrivateKey.generate()
    trust = TrustStore(tmp_path / "trust")
    trust.add(TrustedKey(key.public, "test", None))
    return verify(sign(pack(header, weights), key), trust, PackageLimits(), NOW)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Package:
    trust = TrustStore(tmp_path_factory.mktemp("shipped") / "trust")
    trust.add(TrustedKey(PublicKey.load(models.PUBLIC_KEY), "shipped", None))
    return verify_file(models.PACKAGE, trust, PackageLimits(), NOW)


@pytest.mark.parametrize("form", Quantisation)
def test_weights_come_back_as_they_were_rounded(tmp_path: Path, form: Quantisation) -> None:
    seen = from_package(verified(tmp_path, replace(HEADER, quantisation=form), tensors(form)))
    rounded = {
        name: decode(form, encode(form, array)) if array.ndim > 1 else array for name, array in seeded(TINY, 1).items()
    }
    logits = [
        run(model.forward([256, *b"abc"], ReferenceKv(TINY, form))) for model in (seen, Transformer(TINY, rounded))
    ]
    assert logits[0].tobytes() == logits[1].tobytes()
    assert seen.config == TINY


@pytest.mark.parametrize(
    ("header", "changes", "message"),
    [
        ({}, {"0_mlp_gate": None}, "tiny has no matrix 0.mlp.gate: it is not of this architecture"),
        ({}, {"0_mlp_gate": np.ones(64, np.float32)}, "has no matrix 0.mlp.gate"),
        ({}, {"norm": None}, "tiny: tensors that do not fit the model: norm"),
        ({}, {"extra": np.ones(4, np.float32)}, "tensors that do not fit the model: extra"),
        ({}, {"0_mlp_up": np.ones((2, 64), np.float32)}, r"tensor 0.mlp.up is \(2, 64\), the model needs \(32, 64\)"),
        ({"layers": 2}, {}, "tensors that do not fit the model: 1.attention.k"),
        ({"kv_heads": 2}, {}, r"tensor 0.attention.k is"),
        ({"vocabulary": 258}, {}, "tensor embedding is"),
        ({"head_dim": 31}, {}, "head dimension 31 is odd"),
    ],
)
def test_models_that_cannot_run(
    tmp_path: Path, header: dict[str, Any], changes: dict[str, np.ndarray | None], message: str
) -> None:
    package = verified(tmp_path, replace(HEADER, **header), tensors(**changes))
    with pytest.raises(UnsupportedModel, match=message):
        from_package(package)


def test_weights_that_are_no_numbers_cannot_run(tmp_path: Path) -> None:
    weights = tensors()
    broken = [replace(w, data=b"\x00\x7e" * (len(w.data) // 2)) if w.name == "embedding" else w for w in weights]
    with pytest.raises(UnsupportedModel, match="tensor embedding holds what is no finite number"):
        from_package(verified(tmp_path, HEADER, broken))


# ------------------------------------------------------------------ the model that ships


def test_the_shipped_package_is_small_and_as_described(shipped: Package) -> None:
    assert models.PACKAGE.stat().st_size < 1_000_000
    assert shipped.header == load_header(models.DESCRIPTION)
    # trained on sequences of 256; the context leaves a prompt its room in addition to 256 tokens
    assert from_package(shipped).config == replace(CONFIG, context=512)


def test_the_shipped_model_has_learned(shipped: Package) -> None:
    text = (Path(__file__).parents[2] / "docs" / "device.md").read_bytes()
    weights = {name: _array(shipped, name) for name in CONFIG.shapes()}
    loss = loss_of(weights, np.array([256, *text[:4096]], dtype=np.intp))
    assert loss < 1.6, f"{loss:.2f} nats a byte; 5.55 is to know nothing"


def _array(package: Package, name: str) -> np.ndarray:
    tensor = package.tensors[name]
    raw = np.frombuffer(package.raw(name), np.uint8).reshape(*tensor.dims[:-1], -1)
    return decode(Quantisation(tensor.type), raw).reshape(tensor.dims)


def test_the_shipped_model_on_the_device(shipped: Package) -> None:
    bench = Bench(Quantisation(shipped.header.quantisation), model=from_package(shipped))
    requests = [Request(b"The device ", 40), Request(b"# ", 40, Sampling(1, 700, 40, 950)), Request(b"", 40)]
    bench.check(requests)
    assert bench.session.moved_twice


def test_no_chunk_takes_longer_than_the_package_says(shipped: Package) -> None:
    bench = Bench(Quantisation(shipped.header.quantisation), (64, 64, 64, 400), model=from_package(shipped))
    bench.backend.compute = replace(bench.backend.compute, cycles_per_token=1_500)
    longest = 0
    for request_id in (1, 2):
        generation = bench.start(Request(b"How does the device know? " * 8, 47), request_id)
        output = Output()
        while not generation.finished:
            before = bench.transport.device.clock.cycle
            collect(generation, output)
            longest = max(longest, bench.transport.device.clock.cycle - before)
        assert_same(request_id, bench.expected(Request(b"How does the device know? " * 8, 47)), output)
    assert 24_000 < longest <= shipped.header.wcet_cycles, f"{longest} cycles"
