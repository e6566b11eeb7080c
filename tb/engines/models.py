"""Models of random weights: the timing of a token does not depend on the values, and no download is needed.

They have no vocabulary (`no_vocab`): tokens are numbers, there is no text.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb.run.artefacts import file_digest
from tb.run.errors import UsageError
from tb.run.paths import CACHE

MAGIC = b"GGUF"
FOLDER = CACHE / "models"
DEVIATION = 0.02  # of the weights
F16_K_AND_V = 4  # bytes of a K and a V element
CHUNK = 1 << 22  # weights made at once


@dataclass(frozen=True)
class Shape:
    """Geometry of a transformer of the Llama architecture.

    Attributes:
        name: in the report.
        layers, kv_heads, head: cache geometry; `head` is the dimension of a head.
        heads: of the queries.
        inner: width of the feed-forward part.
        vocabulary: number of tokens.
        weights: type of the weights in the file, a name of GGML.
        memory: bytes that must be free to measure it.
    """

    name: str
    layers: int
    kv_heads: int
    head: int
    heads: int
    inner: int
    vocabulary: int
    weights: str
    memory: int


SMALL = Shape("S", 4, 2, 64, 4, 704, 4_096, "F16", 256 << 20)
LARGE = Shape("TinyLlama", 22, 4, 64, 32, 5_632, 32_000, "Q8_0", 3 << 30)
"""TinyLlama-1.1B: 22 layers, 4 KV heads of dimension 64, 32 heads, 5,632 wide, 32,000 tokens."""


def gguf() -> Any:
    """The `gguf` package. Raises UsageError where it is not installed."""
    try:
        import gguf as package  # installed on request only
    except ImportError as error:
        raise UsageError(f"the gguf package is not installed ({error}): `make setup-lab`") from None
    return package


def check(path: Path) -> None:
    """Raise UsageError for a file that is no model file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"MODEL={path}: not a file")
        with path.open("rb") as file:
            begin = file.read(len(MAGIC))
    except OSError as error:
        raise UsageError(f"MODEL={path}: {(error.strerror or str(error)).lower()}") from None
    if begin != MAGIC:
        raise UsageError(f"MODEL={path}: not a GGUF file (it does not begin with GGUF); give a model of llama.cpp")


def header(path: Path) -> dict[str, Any]:
    """What a report says of a model file: architecture, geometry, types of its weights, bytes, SHA-256.

    `weight_bytes_read` are the weights that a token reads: of an embedding table of its own only one row. `kv_bytes` is
    what a position adds to the cache (f16), None where the file does not say one geometry for all layers.

    Raises UsageError for a file that the gguf package cannot read.
    """
    try:
        reader = gguf().GGUFReader(path)
    except (ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        raise UsageError(f"MODEL={path}: damaged: {error}") from None
    fields = {name: field.contents() for name, field in reader.fields.items() if _plain(name)}
    architecture = str(fields.get("general.architecture", ""))

    def size(key: str) -> Any:
        return fields.get(f"{architecture}.{key}")

    types: dict[str, int] = {}
    for tensor in reader.tensors:
        types[tensor.tensor_type.name] = types.get(tensor.tensor_type.name, 0) + int(tensor.n_bytes)
    whole = [
        size(key) for key in ("block_count", "attention.head_count", "attention.head_count_kv", "embedding_length")
    ]
    layers, heads, kv_heads, width = whole
    known = all(isinstance(value, int) and value > 0 for value in whole)
    head = size("attention.key_length") or (width // heads if known else 0)
    embedding = sum(int(tensor.n_bytes) for tensor in reader.tensors if tensor.name == "token_embd.weight")
    separate = any(tensor.name == "output.weight" for tensor in reader.tensors)
    return {
        "architecture": architecture,
        "layers": layers,
        "heads": heads,
        "kv_heads": kv_heads,
        "width": width,
        "context": size("context_length"),
        "weight_bytes": types,
        "weight_bytes_read": sum(types.values()) - (embedding if separate else 0),
        "kv_bytes": layers * kv_heads * head * F16_K_AND_V if known else None,
        "bytes": path.stat().st_size,
        "sha256": file_digest(path),
    }


def _plain(name: str) -> bool:
    return not name.startswith(("GGUF.", "tokenizer."))


def random_model(shape: Shape, seed: int, folder: Path = FOLDER) -> Path:
    """The file of a model of random weights, made at the first call. Raises UsageError without the gguf package."""
    text = repr((sorted(asdict(shape).items()), seed, DEVIATION))
    path = folder / f"{shape.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.gguf"
    if path.exists():
        return path
    package = gguf()
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    try:
        _write(package, unfinished, shape, seed)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _write(package: Any, path: Path, shape: Shape, seed: int) -> None:
    writer = package.GGUFWriter(path, "llama")
    width = shape.heads * shape.head
    writer.add_name(f"random weights, shape {shape.name}")
    writer.add_context_length(4_096)
    writer.add_embedding_length(width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_dimension_count(shape.head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(int(getattr(package.LlamaFileType, f"MOSTLY_{shape.weights}")))
    writer.add_tokenizer_model("no_vocab")
    kind = getattr(package.GGMLQuantizationType, shape.weights)
    sizes = list(_tensors(shape))
    for name, rows, columns in sizes:
        _announce(package, writer, name, rows, columns, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    draw = np.random.default_rng(seed)
    for _, rows, columns in sizes:
        writer.write_tensor_data(_weights(package, draw, rows, columns, kind))
    writer.close()


def _tensors(shape: Shape) -> Iterator[tuple[str, int, int]]:
    """(name, rows, columns) of every tensor; 0 rows: a vector of ones."""
    width, keys = shape.heads * shape.head, shape.kv_heads * shape.head
    yield "token_embd.weight", shape.vocabulary, width
    for layer in range(shape.layers):
        for name, rows, columns in (
            ("attn_norm", 0, width),
            ("attn_q", width, width),
            ("attn_k", keys, width),
            ("attn_v", keys, width),
            ("attn_output", width, width),
            ("ffn_norm", 0, width),
            ("ffn_gate", shape.inner, width),
            ("ffn_up", shape.inner, width),
            ("ffn_down", width, shape.inner),
        ):
            yield f"blk.{layer}.{name}.weight", rows, columns
    yield "output_norm.weight", 0, width
    yield "output.weight", shape.vocabulary, width


def _announce(package: Any, writer: Any, name: str, rows: int, columns: int, kind: Any) -> None:
    if rows == 0:
        writer.add_tensor_info(name, [columns], np.dtype(np.float32), 4 * columns)
        return
    block, size = package.GGML_QUANT_SIZES[kind]
    of_a_row = columns // block * size
    if kind == package.GGMLQuantizationType.F16:
        writer.add_tensor_info(name, [rows, columns], np.dtype(np.float16), rows * of_a_row)
    else:
        writer.add_tensor_info(name, [rows, of_a_row], np.dtype(np.uint8), rows * of_a_row, raw_dtype=kind)


def _weights(package: Any, draw: np.random.Generator, rows: int, columns: int, kind: Any) -> NDArray[Any]:
    if rows == 0:
        return np.ones(columns, np.float32)
    parts, step = [], max(1, CHUNK // columns)
    for begin in range(0, rows, step):
        normal = draw.standard_normal((min(step, rows - begin), columns), np.float32) * np.float32(DEVIATION)
        parts.append(package.quants.quantize(normal, kind))
    return np.concatenate(parts)
