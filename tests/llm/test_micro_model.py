"""The transformer: chunks do not matter, nothing looks ahead, training computes the same model, gradients hold."""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np
import pytest

from sw.kernel.clock import CountedClock
from sw.llm.backend import Compute, InferenceFailed, Sampling
from sw.llm.micro.backend import MicroBackend
from sw.llm.micro.backward import Gradients
from sw.llm.micro.kv import KvStore
from sw.llm.micro.model import ModelConfig, Transformer, rope_tables
from sw.llm.micro.reference import ReferenceKv, ReferenceStores
from sw.llm.micro.weights import seeded
from sw.llm.package import Quantisation
from sw.run import run
from tests.llm.micro_bench import CONFIG, MODEL, make_model

F32 = Quantisation.F32
TOKENS = [256, *b"Where is this block of the cache now? Ask the directory."]


def feed(model: Transformer, parts: list[list[int]], form: Quantisation = F32) -> list[np.ndarray]:
    """Logits after each part of a sequence."""
    kv = ReferenceKv(model.config, form)
    return [run(model.forward(part, kv)) for part in parts]


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.tobytes() == b.tobytes()


@pytest.mark.parametrize("form", Quantisation)
@pytest.mark.parametrize("sizes", [(57,), (1,) * 57, (16, 16, 16, 9), (3, 50, 4), (56, 1)])
def test_chunks_do_not_change_a_bit(form: Quantisation, sizes: tuple[int, ...]) -> None:
    bounds = np.cumsum([0, *sizes])
    parts = [TOKENS[a:b] for a, b in pairwise(bounds)]
    assert same_bits(feed(MODEL, [TOKENS], form)[-1], feed(MODEL, parts, form)[-1])


def test_logits_depend_on_every_token_before_and_on_none_after() -> None:
    one_by_one = feed(MODEL, [[token] for token in TOKENS])
    for at in (0, 20, len(TOKENS) - 1):
        changed = list(TOKENS)
        changed[at] = 7
        for n, (before, after) in enumerate(zip(one_by_one, feed(MODEL, [[token] for token in changed]), strict=True)):
            assert same_bits(before, after) == (n < at), f"token {at} changed, logits after token {n}"


def test_the_number_format_matters() -> None:
    seen = {form: feed(MODEL, [TOKENS], form)[-1] for form in Quantisation}
    exact = seen[F32]
    errors = [np.abs(seen[form] - exact).max() for form in (Quantisation.F16, Quantisation.Q8_0, Quantisation.Q4_0)]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_training_computes_the_same_model() -> None:
    tensors = seeded(CONFIG, 9)
    batch = Gradients(CONFIG, tensors, np.array([[*TOKENS, 0]]))
    seen = feed(Transformer(CONFIG, tensors), [[token] for token in TOKENS])
    assert np.allclose(batch.logits[0], np.array(seen), rtol=1e-4, atol=1e-6)


def test_gradients_are_those_of_finite_differences() -> None:
    config = ModelConfig(context=8, vocabulary=11, layers=2, heads=4, kv_heads=2, head_dim=4, hidden=6)
    random = np.random.default_rng(3)
    tensors = {name: tensor + 0.1 * random.standard_normal(tensor.shape) for name, tensor in seeded(config, 1).items()}
    tokens = random.integers(0, 11, (3, 9))
    gradients = Gradients(config, tensors, tokens).gradients()
    assert gradients.keys() == tensors.keys()
    step = 1e-5
    for name, tensor in tensors.items():
        for _ in range(6):
            at = tuple(random.integers(0, size) for size in tensor.shape)
            kept, losses = tensor[at], []
            for moved in (kept + step, kept - step):
                tensor[at] = moved
                losses.append(Gradients(config, tensors, tokens).loss)
            tensor[at] = kept
            slope = (losses[0] - losses[1]) / (2 * step)
            assert gradients[name][at] == pytest.approx(slope, rel=1e-5, abs=1e-8), f"{name}{at}"


def test_rope_is_a_turn_by_the_position() -> None:
    cos, sin = rope_tables(128, 32)
    assert cos.shape == (128, 16)
    assert np.allclose(cos**2 + sin**2, 1, atol=1e-6)
    assert (cos[0], sin[0]) == (pytest.approx(np.ones(16)), pytest.approx(np.zeros(16)))
    assert (cos[5, 0], sin[5, 0]) == (pytest.approx(np.cos(5)), pytest.approx(np.sin(5)))


def test_past_the_context() -> None:
    kv = ReferenceKv(CONFIG, F32)
    run(MODEL.forward([1] * 128, kv))
    with pytest.raises(ValueError, match="the context is 128"):
        run(MODEL.forward([1], kv))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kv_heads": 3}, "4 heads cannot share 3"),
        ({"head_dim": 31}, "31 is odd"),
        ({"layers": 0}, "not all 1 or more"),
        ({"layers": 257}, "8 bits"),
        ({"heads": 257, "kv_heads": 257}, "8 bits"),
    ],
)
def test_sizes_that_no_model_has(change: dict[str, int], message: str) -> None:
    sizes = {"context": 8, "vocabulary": 9, "layers": 1, "heads": 4, "kv_heads": 2, "head_dim": 4, "hidden": 4}
    with pytest.raises(ValueError, match=message):
        ModelConfig(**(sizes | change))


def test_tensors_that_do_not_fit() -> None:
    good = seeded(CONFIG, 1)
    with pytest.raises(ValueError, match=r"do not fit the model: norm$"):
        Transformer(CONFIG, {name: tensor for name, tensor in good.items() if name != "norm"})
    with pytest.raises(ValueError, match=r"do not fit the model: extra$"):
        Transformer(CONFIG, good | {"extra": good["norm"]})
    with pytest.raises(ValueError, match=r"1\.mlp\.up is \(128,\)"):
        Transformer(CONFIG, good | {"1.mlp.up": good["norm"]})
    with pytest.raises(ValueError, match="norm holds what is no finite number"):
        Transformer(CONFIG, good | {"norm": good["norm"] * np.float32("nan")})


# ------------------------------------------------------------------ the backend, without a device


def backend(model: Transformer = MODEL, chunk_tokens: int = 16) -> MicroBackend:
    clock = CountedClock()
    stores = ReferenceStores(model.config, F32)
    return MicroBackend("m", model, stores, Compute(1_000, 250_000_000, clock), chunk_tokens=chunk_tokens)


def all_chunks(served: MicroBackend, prompt: bytes, max_tokens: int, sampling: Sampling) -> list[list[int]]:
    generation = run(served.start(prompt, max_tokens, sampling, 1))
    chunks = []
    while not generation.finished:
        chunks.append(run(generation.chunk()))
    return chunks


def all_tokens(served: MicroBackend, prompt: bytes, max_tokens: int, sampling: Sampling) -> list[int]:
    return list(chain(*all_chunks(served, prompt, max_tokens, sampling)))


def test_chunks_of_the_prompt_then_a_token_each() -> None:
    chunks = all_chunks(backend(), b"x" * 40, 5, Sampling(2, 1000))
    assert [len(chunk) for chunk in chunks] == [0, 0, 1, 1, 1, 1, 1]
    assert list(chain(*chunks)) == all_tokens(backend(chunk_tokens=7), b"x" * 40, 5, Sampling(2, 1000))


def test_compute_time_is_charged() -> None:
    served = backend()
    generation = run(served.start(b"x" * 40, 3, Sampling(), 1))
    times = []
    while not generation.finished:
        before = served.compute.clock.now()
        run(generation.chunk())
        times.append(served.compute.clock.now() - before)
    assert times == [64_000, 64_000, 36_000, 4_000, 4_000]
    assert (generation.usage.computed, generation.usage.cycles) == (43, 43_000)


class Scripted(Transformer):
    """Its arg-max is what a script says, one token after another."""

    def __init__(self, script: list[int]) -> None:
        super().__init__(CONFIG, seeded(CONFIG, 1))
        self.script = script

    async def forward(self, tokens: list[int], kv: KvStore) -> np.ndarray:
        await kv.begin(len(tokens))
        return np.eye(257, dtype=np.float32)[self.script.pop(0)]


def test_the_end_token_ends_and_is_not_emitted() -> None:
    assert all_chunks(backend(Scripted([7, 9, 256, 8])), b"abc", 10, Sampling()) == [[7], [9], []]
    assert all_chunks(backend(Scripted([256])), b"abc", 10, Sampling()) == [[]]


def test_an_empty_prompt_has_the_marker() -> None:
    assert backend().need(b"", 3).prompt_tokens == 1
    assert len(all_tokens(backend(), b"", 3, Sampling(1, 1000))) == 3


@pytest.mark.parametrize(
    ("prompt", "max_tokens", "request_id", "message"),
    [
        (b"x", 0, 1, "max_tokens 0"),
        (b"x", 1, 0, "request id 0"),
        (b"x", 1, 65536, "request id 65536"),
        (b"x" * 100, 28, 1, "129 tokens: the context of m is 128"),
    ],
)
def test_start_refuses(prompt: bytes, max_tokens: int, request_id: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(backend().start(prompt, max_tokens, Sampling(), request_id))


def test_a_full_context_is_not_too_much() -> None:
    assert len(all_tokens(backend(), b"x" * 100, 27, Sampling(1, 1000))) == 27


def test_a_generation_that_has_ended_runs_no_chunk() -> None:
    served = backend()
    generation = run(served.start(b"x", 1, Sampling(), 1))
    run(generation.chunk())
    with pytest.raises(RuntimeError, match="has ended"):
        run(generation.chunk())
    other = run(served.start(b"x", 1, Sampling(), 1))
    run(other.close())
    run(other.close())
    with pytest.raises(RuntimeError, match="has ended"):
        run(other.chunk())


def test_logits_that_are_no_numbers_fail_the_inference() -> None:
    tensors = seeded(CONFIG, 1)
    tensors["norm"] *= np.float32(1e38)
    tensors["embedding"] *= np.float32(1e3)
    generation = run(backend(Transformer(CONFIG, tensors)).start(b"x", 1, Sampling(), 1))
    with pytest.raises(InferenceFailed, match="not finite numbers"):
        run(generation.chunk())


def test_text() -> None:
    assert backend().text([*b"abc", 256]) == b"abc"
    with pytest.raises(ValueError, match="token 257"):
        backend().text([257])


def test_another_vocabulary_is_refused() -> None:
    config = ModelConfig(context=8, vocabulary=300, layers=1, heads=1, kv_heads=1, head_dim=32, hidden=4)
    with pytest.raises(ValueError, match="vocabulary of 300"):
        backend(Transformer(config, seeded(config, 1)))


def test_the_bench_model_is_repeatable() -> None:
    assert same_bits(feed(make_model(), [TOKENS])[0], feed(MODEL, [TOKENS])[0])
