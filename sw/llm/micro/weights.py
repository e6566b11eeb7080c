"""A transformer's weights: drawn from a seed, or read from a verified model package."""

from __future__ import annotations

import numpy as np

from sw.llm.micro.model import ModelConfig, Transformer
from sw.llm.package import Header, Package, Quantisation
from sw.llm.quantisation import Floats, decode


class UnsupportedModel(ValueError):
    """A package that is in order, but of a model that this transformer cannot run; one line."""


def seeded(config: ModelConfig, seed: int) -> dict[str, Floats]:
    """Weights to begin a training with: normal numbers of the width that keeps a layer's output in scale, gains 1."""
    random = np.random.Generator(np.random.PCG64(seed))
    tensors: dict[str, Floats] = {}
    for name, shape in config.shapes().items():
        if len(shape) == 1:
            tensors[name] = np.ones(shape, np.float32)
            continue
        scale = 0.02 if name == "embedding" else shape[1] ** -0.5
        if name.endswith(("out", "down")):
            scale *= (2 * config.layers) ** -0.5  # so many of them add up in the residual stream
        tensors[name] = (random.standard_normal(shape) * scale).astype(np.float32)
    return tensors


def config_of(package: Package) -> ModelConfig:
    """The sizes that a package's header and tensors tell.

    Raises:
        UnsupportedModel: no model that this transformer can run.
    """
    header: Header = package.header
    gate = package.tensors.get("0.mlp.gate")
    if gate is None or len(gate.dims) != 2:
        raise UnsupportedModel(f"{header.name} has no matrix 0.mlp.gate: it is not of this architecture")
    try:
        return ModelConfig(
            context=header.context,
            vocabulary=header.vocabulary,
            layers=header.layers,
            heads=header.heads,
            kv_heads=header.kv_heads,
            head_dim=header.head_dim,
            hidden=gate.dims[0],
        )
    except ValueError as error:
        raise UnsupportedModel(f"{header.name}: {error}") from error


def from_package(package: Package) -> Transformer:
    """The transformer of a package that has passed every check.

    Raises:
        UnsupportedModel: no model that this transformer can run.
    """
    config = config_of(package)
    tensors: dict[str, Floats] = {}
    for name, tensor in package.tensors.items():
        raw = np.frombuffer(package.raw(name), np.uint8)
        tensors[name] = decode(Quantisation(tensor.type), raw.reshape(*tensor.dims[:-1], -1)).reshape(tensor.dims)
    try:
        return Transformer(config, tensors)
    except ValueError as error:
        raise UnsupportedModel(f"{package.header.name}: {error}") from error
