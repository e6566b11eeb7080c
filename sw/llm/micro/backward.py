"""The transformer's loss and its gradients, over batches and in BLAS: for training only.

The same model as `model.py`, which runs one token at a time; a test holds the two together, and another
holds the gradients to finite differences. Any float type: the arithmetic is that of the tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sw.llm.micro.model import EPSILON, ModelConfig, rope_tables

Array = NDArray[np.floating[Any]]
Back = Callable[[Array], Array]
"""Takes the gradient of a function's output, adds up those of its weights, gives that of its input."""


class Gradients:
    """One pass forward over a batch, then one back.

    Attributes:
        loss: mean cross entropy of the next token, in nats.
        logits: (B, T, vocabulary).
    """

    def __init__(self, config: ModelConfig, tensors: Mapping[str, Array], tokens: NDArray[np.intp]) -> None:
        """Run forward.

        Args:
            config: sizes of the model.
            tensors: its weights.
            tokens: (B, T + 1) ids; each of the first T predicts the one after it.
        """
        self._config = config
        self._tensors = tensors
        self._inputs, targets = tokens[:, :-1], tokens[:, 1:]
        kind = tensors["embedding"].dtype
        cos, sin = rope_tables(self._inputs.shape[1], config.head_dim)
        self._cos, self._sin = cos.astype(kind), sin.astype(kind)
        self._grads: dict[str, Array] = {}
        self._backs: list[Back] = []
        x = tensors["embedding"][self._inputs]
        for layer in range(config.layers):
            x = self._residual(x, f"{layer}.attention.norm", partial(self._attention, layer))
            x = self._residual(x, f"{layer}.mlp.norm", partial(self._mlp, layer))
        normed, self._norm_back = self._norm(x, "norm")
        self.logits, self._logits_back = self._linear(normed, "embedding")
        self.loss, self._slope = _cross_entropy(self.logits, targets)

    def gradients(self) -> dict[str, Array]:
        """The loss's gradient by every tensor."""
        self._grads = {}
        slope = self._norm_back(self._logits_back(self._slope))
        for back in reversed(self._backs):
            slope = back(slope)
        np.add.at(self._grads["embedding"], self._inputs, slope)
        return self._grads

    def _add(self, name: str, gradient: Array) -> None:
        self._grads[name] = self._grads[name] + gradient if name in self._grads else gradient

    def _residual(self, x: Array, norm: str, inner: Callable[[Array], tuple[Array, Back]]) -> Array:
        normed, norm_back = self._norm(x, norm)
        y, inner_back = inner(normed)
        self._backs.append(lambda slope: slope + norm_back(inner_back(slope)))
        return x + y

    def _linear(self, x: Array, name: str) -> tuple[Array, Back]:
        matrix = self._tensors[name]

        def back(slope: Array) -> Array:
            self._add(name, slope.reshape(-1, slope.shape[-1]).T @ x.reshape(-1, x.shape[-1]))
            return slope @ matrix

        return x @ matrix.T, back

    def _norm(self, x: Array, name: str) -> tuple[Array, Back]:
        gain = self._tensors[name]
        inverse = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + x.dtype.type(EPSILON))
        scaled = x * inverse

        def back(slope: Array) -> Array:
            self._add(name, (slope * scaled).reshape(-1, x.shape[-1]).sum(axis=0))
            inner = slope * gain
            result: Array = inverse * (inner - scaled * np.mean(inner * scaled, axis=-1, keepdims=True))
            return result

        return scaled * gain, back

    def _mlp(self, layer: int, x: Array) -> tuple[Array, Back]:
        gate, gate_back = self._linear(x, f"{layer}.mlp.gate")
        up, up_back = self._linear(x, f"{layer}.mlp.up")
        sigmoid = 1 / (1 + np.exp(-gate))
        active = gate * sigmoid
        y, down_back = self._linear(active * up, f"{layer}.mlp.down")

        def back(slope: Array) -> Array:
            inner = down_back(slope)
            return gate_back(inner * up * (sigmoid + active * (1 - sigmoid))) + up_back(inner * active)

        return y, back

    def _attention(self, layer: int, x: Array) -> tuple[Array, Back]:
        """Causal attention; shapes (B, kv heads, query heads of each, T, D)."""
        config = self._config
        batch, length, _ = x.shape
        scale = x.dtype.type(config.head_dim**-0.5)

        def heads(y: Array) -> Array:
            return y.reshape(batch, length, config.kv_heads, -1, config.head_dim).transpose(0, 2, 3, 1, 4)

        def flat(y: Array) -> Array:
            return y.transpose(0, 3, 1, 2, 4).reshape(batch, length, -1)

        q_flat, q_back = self._linear(x, f"{layer}.attention.q")
        k_flat, k_back = self._linear(x, f"{layer}.attention.k")
        v_flat, v_back = self._linear(x, f"{layer}.attention.v")
        q, k, v = self._turn(heads(q_flat), 1), self._turn(heads(k_flat), 1), heads(v_flat)
        scores = q @ k.swapaxes(-1, -2) * scale
        scores[..., np.triu(np.ones((length, length), bool), 1)] = -np.inf
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        y, out_back = self._linear(flat(weights @ v), f"{layer}.attention.out")

        def back(slope: Array) -> Array:
            inner = heads(out_back(slope))
            of_weights = inner @ v.swapaxes(-1, -2)
            of_scores = weights * (of_weights - np.sum(of_weights * weights, axis=-1, keepdims=True)) * scale
            of_q = of_scores @ k
            of_k = (of_scores.swapaxes(-1, -2) @ q).sum(axis=2, keepdims=True)  # query heads share k and v
            of_v = (weights.swapaxes(-1, -2) @ inner).sum(axis=2, keepdims=True)
            result: Array = q_back(flat(self._turn(of_q, -1)))
            return result + k_back(flat(self._turn(of_k, -1))) + v_back(flat(of_v))

        return y, back

    def _turn(self, x: Array, direction: int) -> Array:
        """RoPE of (..., T, D); direction -1 turns back, which is its gradient."""
        half = self._config.head_dim // 2
        low, high = x[..., :half], x[..., half:]
        cos, sin = self._cos, self._sin * self._sin.dtype.type(direction)
        return np.concatenate([low * cos - high * sin, low * sin + high * cos], axis=-1)


def _cross_entropy(logits: Array, targets: NDArray[np.intp]) -> tuple[float, Array]:
    """Mean loss in nats, and its gradient by the logits."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    total = np.exp(shifted).sum(axis=-1, keepdims=True)
    chosen = targets[..., None]
    loss = float(np.mean(np.log(total) - np.take_along_axis(shifted, chosen, axis=-1)))
    slope = np.exp(shifted) / total
    np.put_along_axis(slope, chosen, np.take_along_axis(slope, chosen, axis=-1) - 1, axis=-1)
    return loss, slope / targets.size
