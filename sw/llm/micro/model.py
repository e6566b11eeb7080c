"""The transformer: decoder only, RMSNorm, grouped-query attention with RoPE, gated MLP, tied embedding.

Every token goes through by itself, in calls whose shapes depend on its position alone, and no call goes to
a BLAS: the result is the same to the bit however a prompt is cut into chunks, wherever K and V live, and
however many threads there are (software.md 4, exactness).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sw.llm.backend import InferenceFailed
from sw.llm.micro.kv import KvStore
from sw.llm.quantisation import Floats

EPSILON = np.float32(1e-5)
ROPE_BASE = 10_000.0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of a model.

    Attributes:
        context: most tokens of one sequence.
        vocabulary: token ids.
        layers: transformer layers.
        heads: query heads.
        kv_heads: key and value heads; each serves heads / kv_heads query heads.
        head_dim: numbers of one head.
        hidden: width of the MLP.

    Raises:
        ValueError: sizes that no such model has.
    """

    context: int
    vocabulary: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int

    def __post_init__(self) -> None:
        """Check the sizes."""
        sizes = (self.context, self.vocabulary, self.layers, self.heads, self.kv_heads, self.head_dim, self.hidden)
        if min(sizes) < 1:
            raise ValueError("a model whose sizes are not all 1 or more")
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} kv heads evenly")
        if self.head_dim % 2:
            raise ValueError(f"RoPE turns pairs of numbers: head dimension {self.head_dim} is odd")
        if self.layers > 256 or self.kv_heads > 256:
            raise ValueError("a KV address has 8 bits for the layer and 8 for the head")

    @property
    def width(self) -> int:
        """Numbers of the residual stream."""
        return self.heads * self.head_dim

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor of the model by name; matrices are (out, in)."""
        kv, width = self.kv_heads * self.head_dim, self.width
        shapes: dict[str, tuple[int, ...]] = {"embedding": (self.vocabulary, width), "norm": (width,)}
        for layer in range(self.layers):
            shapes |= {
                f"{layer}.attention.norm": (width,),
                f"{layer}.attention.q": (width, width),
                f"{layer}.attention.k": (kv, width),
                f"{layer}.attention.v": (kv, width),
                f"{layer}.attention.out": (width, width),
                f"{layer}.mlp.norm": (width,),
                f"{layer}.mlp.gate": (self.hidden, width),
                f"{layer}.mlp.up": (self.hidden, width),
                f"{layer}.mlp.down": (width, self.hidden),
            }
        return shapes


_PARTS = tuple("attention." + part for part in ("norm", "q", "k", "v", "out")) + tuple(
    "mlp." + part for part in ("norm", "gate", "up", "down")
)


@dataclass(frozen=True, slots=True)
class _Layer:
    """Weights of one layer, in the order of `_PARTS`."""

    norm: Floats
    q: Floats
    k: Floats
    v: Floats
    out: Floats
    mlp_norm: Floats
    gate: Floats
    up: Floats
    down: Floats


def rope_tables(context: int, head_dim: int) -> tuple[Floats, Floats]:
    """Cosines and sines by position, (context, head_dim / 2) each; number i turns with number i + head_dim / 2."""
    rates = ROPE_BASE ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    angles = np.arange(context, dtype=np.float64)[:, None] * rates
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class Transformer:
    """A model that is ready to run. It has no state of its own: what a sequence has so far is in its KvStore."""

    def __init__(self, config: ModelConfig, tensors: Mapping[str, Floats]) -> None:
        """Take the weights.

        Raises:
            ValueError: a tensor is missing, too many, of another shape, or holds what is no finite number.
        """
        shapes = config.shapes()
        if tensors.keys() != shapes.keys():
            raise ValueError(f"tensors that do not fit the model: {', '.join(sorted(tensors.keys() ^ shapes.keys()))}")
        for name, shape in shapes.items():
            if tensors[name].shape != shape:
                raise ValueError(f"tensor {name} is {tensors[name].shape}, the model needs {shape}")
            if not np.isfinite(tensors[name]).all():
                raise ValueError(f"tensor {name} holds what is no finite number")
        self.config = config
        weights = {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()}
        self._embedding, self._norm = weights["embedding"], weights["norm"]
        self._layers = [_Layer(*(weights[f"{n}.{part}"] for part in _PARTS)) for n in range(config.layers)]
        self._cos, self._sin = rope_tables(config.context, config.head_dim)
        self._scale = np.float32(config.head_dim**-0.5)

    async def forward(self, tokens: list[int], kv: KvStore) -> Floats:
        """Append tokens to the sequence in `kv`: one step of the store.

        Args:
            tokens: n >= 1 token ids.
            kv: the sequence so far.

        Returns:
            (vocabulary,) logits of the token after the last one.

        Raises:
            DeviceFault, ValueError: as the store.
            InferenceFailed: a number of a layer is not finite any more.
        """
        first = kv.length
        await kv.begin(len(tokens))
        stream = [self._embedding[token] for token in tokens]
        for number, layer in enumerate(self._layers):
            queries = await self._store(number, layer, stream, first, kv)
            keys, values = await kv.read(number)
            for n, query in enumerate(queries):
                end = first + n + 1
                stream[n] = self._mix(layer, stream[n], query, keys[:, :end], values[:, :end])
        return self._logits(stream[-1])

    async def _store(self, number: int, layer: _Layer, stream: list[Floats], first: int, kv: KvStore) -> list[Floats]:
        """Keys and values of the step's tokens into the store; their queries."""
        config = self.config
        queries, keys, values = [], [], []
        with np.errstate(all="ignore"):  # what is not finite is found below
            for n, x in enumerate(stream):
                normed = _norm(x, layer.norm)
                queries.append(self._turn(_apply(layer.q, normed), first + n))
                keys.append(self._turn(_apply(layer.k, normed), first + n))
                values.append(_apply(layer.v, normed).reshape(config.kv_heads, config.head_dim))
        k, v = np.stack(keys), np.stack(values)
        if not (np.isfinite(k).all() and np.isfinite(v).all()):
            raise InferenceFailed(f"a key or value of layer {number} is not a finite number")
        await kv.write(number, k, v)
        return queries

    @np.errstate(all="ignore")
    def _mix(self, layer: _Layer, x: Floats, query: Floats, keys: Floats, values: Floats) -> Floats:
        """A layer's attention and MLP for one token of the stream; what is not finite is found by who uses it."""
        mixed: Floats = x + _apply(layer.out, self._attention(query, keys, values))
        out: Floats = mixed + _mlp(layer, mixed)
        return out

    @np.errstate(all="ignore")
    def _logits(self, x: Floats) -> Floats:
        """(vocabulary,) logits from the stream of the last token; what is not finite is the sampler's to find."""
        return _apply(self._embedding, _norm(x, self._norm))

    def _turn(self, numbers: Floats, position: int) -> Floats:
        """RoPE: heads of numbers, (heads * D,) to (heads, D), turned by their position."""
        pairs = numbers.reshape(-1, 2, self.config.head_dim // 2)
        cos, sin = self._cos[position], self._sin[position]
        low, high = pairs[:, 0], pairs[:, 1]
        return np.concatenate([low * cos - high * sin, low * sin + high * cos], axis=1)

    def _attention(self, query: Floats, keys: Floats, values: Floats) -> Floats:
        """Softmax attention of one token: (heads, D) over (kv heads, tokens, D) to (heads * D,)."""
        config = self.config
        grouped = query.reshape(config.kv_heads, -1, config.head_dim)
        scores: Floats = np.einsum("hgd,hcd->hgc", grouped, keys) * self._scale
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        attended: Floats = np.einsum("hgc,hcd->hgd", weights, values).reshape(-1)
        return attended


def _apply(matrix: Floats, x: Floats) -> Floats:
    """Matrix times vector; einsum sums in an order that depends on the shapes alone."""
    product: Floats = np.einsum("ij,j->i", matrix, x)
    return product


def _norm(x: Floats, gain: Floats) -> Floats:
    """RMSNorm."""
    normed: Floats = x / np.sqrt(np.mean(x * x) + EPSILON) * gain
    return normed


def _mlp(layer: _Layer, x: Floats) -> Floats:
    """Gated MLP with SiLU."""
    normed = _norm(x, layer.mlp_norm)
    gate = _apply(layer.gate, normed)
    active = gate / (1 + np.exp(-gate))  # exp of a large -gate is infinite, and the quotient 0
    return _apply(layer.down, active * _apply(layer.up, normed))
