"""A micro-LLM on the device model next to the same model on plain arrays, compared bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from model.device import DeviceModel
from sw.driver import Driver
from sw.kernel.clock import DeviceClock
from sw.llm.backend import Compute, Sampling
from sw.llm.micro.backend import MicroBackend, MicroGeneration
from sw.llm.micro.device import DeviceStores
from sw.llm.micro.kvformat import BlockLayout
from sw.llm.micro.model import ModelConfig, Transformer
from sw.llm.micro.plan import DevicePlan
from sw.llm.micro.reference import ReferenceStores
from sw.llm.micro.session import DeviceSession
from sw.llm.micro.weights import seeded
from sw.llm.package import Quantisation
from sw.run import run
from sw.transport.model import ModelTransport

CONFIG = ModelConfig(context=128, vocabulary=257, layers=2, heads=4, kv_heads=2, head_dim=32, hidden=64)
TINY_TIERS = (12, 12, 16, 400)
CYCLES_PER_TOKEN = 2_000


def make_model(seed: int = 5) -> Transformer:
    """Seeded weights, with an embedding so large that logits differ clearly from token to token."""
    tensors = seeded(CONFIG, seed)
    tensors["embedding"] *= 5
    return Transformer(CONFIG, tensors)


MODEL = make_model()


@dataclass
class Request:
    """What one inference is asked."""

    prompt: bytes
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)


@dataclass
class Output:
    """What one inference gave: its tokens, and the logits behind each."""

    tokens: list[int] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)


class Bench:
    """One device, one model on it, and its reference."""

    def __init__(
        self,
        form: Quantisation = Quantisation.F16,
        slots: tuple[int, int, int, int] = TINY_TIERS,
        *,
        model: Transformer = MODEL,
        stores: type[DeviceStores] = DeviceStores,
        chunk_tokens: int = 16,
    ) -> None:
        self.transport = ModelTransport(DeviceModel(entries=1024, lanes=4))
        self.driver = run(Driver.probe(self.transport))
        self.layout = BlockLayout(form, model.config.head_dim, self.driver.caps.block_tokens)
        self.session: DeviceSession = run(DevicePlan(slots, self.layout.block_bytes).apply(self.driver))
        self.stores = stores(self.session, model.config, form, "test")
        compute = Compute(CYCLES_PER_TOKEN, 250_000_000, DeviceClock(self.transport))
        self.backend = MicroBackend("test", model, self.stores, compute, chunk_tokens=chunk_tokens)
        self.reference = MicroBackend("reference", model, ReferenceStores(model.config, form), compute)

    def start(self, request: Request, request_id: int) -> MicroGeneration:
        return run(self.backend.start(request.prompt, request.max_tokens, request.sampling, request_id))

    def generate(self, requests: Sequence[Request]) -> list[Output]:
        """All requests on the device, chunk by chunk in turn; each is closed when it is finished."""
        live = {n: self.start(request, n + 1) for n, request in enumerate(requests)}
        outputs = [Output() for _ in requests]
        while live:
            for n, generation in list(live.items()):
                collect(generation, outputs[n])
                if generation.finished:
                    run(generation.close())
                    del live[n]
        return outputs

    def expected(self, request: Request) -> Output:
        """The same request on plain arrays, by itself."""
        generation = run(self.reference.start(request.prompt, request.max_tokens, request.sampling, 1))
        output = Output()
        while not generation.finished:
            collect(generation, output)
        return output

    def check(self, requests: Sequence[Request]) -> list[Output]:
        """Generate, and compare everything with the reference."""
        outputs = self.generate(requests)
        for n, (request, output) in enumerate(zip(requests, outputs, strict=True)):
            assert_same(n + 1, self.expected(request), output)
        return outputs


def collect(generation: MicroGeneration, output: Output) -> None:
    """One chunk; what it gives is kept."""
    seen = generation.logits
    output.tokens += run(generation.chunk())
    if generation.logits is not None and generation.logits is not seen:
        output.logits.append(generation.logits)


def assert_same(request_id: int, expected: Output, seen: Output) -> None:
    """Raise at the first difference, named for a new user."""
    for n, (want, got) in enumerate(zip(expected.logits, seen.logits, strict=False)):
        different = np.flatnonzero(want.view(np.uint32) != got.view(np.uint32))
        if different.size:
            at = int(different[0])
            raise AssertionError(
                f"request {request_id}, output token {n}: {different.size} of {want.size} logits differ from the "
                f"reference's, first that of id {at}: {got[at]!r} instead of {want[at]!r}"
            )
    assert len(seen.logits) == len(expected.logits), f"request {request_id}: another number of logits"
    assert seen.tokens == expected.tokens, f"request {request_id}: other tokens than the reference's"
