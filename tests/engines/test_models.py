"""Models of random weights, and what is said of a file that is none."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tb.engines import models
from tb.run.errors import UsageError
from tests.engines.conftest import needs_lab

TINY = replace(models.SMALL, name="tiny", layers=2, head=32, heads=2, kv_heads=1, inner=96, vocabulary=64)


@needs_lab
@pytest.mark.parametrize("weights", ["F16", "Q8_0"])
def test_the_header_of_a_random_model(tmp_path: Path, weights: str) -> None:
    shape = replace(TINY, weights=weights)
    path = models.random_model(shape, 5, tmp_path)
    models.check(path)
    about = models.header(path)
    assert (about["architecture"], about["layers"], about["heads"], about["kv_heads"], about["width"]) == (
        "llama", 2, 2, 1, 64,
    )  # fmt: skip
    assert about["kv_bytes"] == 2 * 1 * 32 * 4
    a_row = {"F16": 2.0, "Q8_0": 34 / 32}[weights]
    matrices = 2 * 64 * 64 + 2 * (64 * 64 * 2 + 32 * 64 * 2 + 3 * 96 * 64)  # twice the vocabulary, then the layers
    assert about["weight_bytes"] == {weights: matrices * a_row, "F32": 4 * 64 * 5}
    assert about["weight_bytes_read"] == matrices * a_row + 4 * 64 * 5 - 64 * 64 * a_row
    reader = models.gguf().GGUFReader(path)
    assert reader.get_field("tokenizer.ggml.model").contents() == "no_vocab"
    drawn = next(one for one in reader.tensors if one.name == "blk.1.ffn_up.weight")
    values = models.gguf().quants.dequantize(np.array(drawn.data), drawn.tensor_type)
    assert float(values.std()) == pytest.approx(models.DEVIATION, rel=0.05)
    assert not list(tmp_path.glob("*.part"))


@needs_lab
def test_a_random_model_is_made_once_and_depends_on_the_seed(tmp_path: Path) -> None:
    first = models.random_model(TINY, 5, tmp_path)
    before = first.stat().st_mtime_ns
    assert models.random_model(TINY, 5, tmp_path) == first
    assert first.stat().st_mtime_ns == before
    other = models.random_model(TINY, 6, tmp_path)
    assert other != first
    assert models.header(other)["sha256"] != models.header(first)["sha256"]
    first.unlink()
    assert models.header(models.random_model(TINY, 5, tmp_path))["sha256"] != models.header(other)["sha256"]


@needs_lab
def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = models.random_model(TINY, 5, tmp_path)
    short = tmp_path / "short.gguf"
    short.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UsageError, match=r"MODEL=.*short\.gguf: damaged: "):
        models.header(short)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("GGML, not what is wanted")
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (text, "not a GGUF file"),
        (tmp_path, "not a file"),
        (tmp_path / "pipe", "not a file"),
        (tmp_path / "none", "no such file or directory"),
    ):
        with pytest.raises(UsageError, match=f"MODEL={path}: {message}"):
            models.check(path)
