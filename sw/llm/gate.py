"""The gate: what an inference must pass before it is queued (software.md 4, limits)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sw.codes import Code, Refusal
from sw.control.llm_commands import InferRequest
from sw.kernel.buffers import Buffers
from sw.kernel.capability import Capability
from sw.llm.backend import Need, Sampling
from sw.llm.capacity import Capacity, RequestIds
from sw.llm.classes import Classes, check_class
from sw.llm.config import MS, Limits
from sw.llm.inference import Book, Inference
from sw.llm.loaded import LoadedModel, Models
from sw.llm.windows import Window


@dataclass(frozen=True, slots=True)
class Passed:
    """A request that has passed every check; nothing is taken for it yet."""

    model: LoadedModel
    prompt: bytes
    sampling: Sampling
    need: Need
    deadline_ns: int


class Gate:
    """Checks and reserves; every reservation is settled at the inference's end.

    Attributes:
        capacity: blocks of the device.
    """

    def __init__(
        self,
        limits: Limits,
        models: Models,
        classes: Classes,
        buffers: Buffers,
        book: Book,
        capacity: Capacity,
        pace: Callable[[], int],
    ) -> None:
        """Let through what `limits` and `capacity` allow; `pace` tells the ns that the tenants' windows count."""
        self._pace = pace
        self._limits = limits
        self._models = models
        self._classes = classes
        self._buffers = buffers
        self._book = book
        self.capacity = capacity
        self._request_ids = RequestIds()
        self._requests: dict[str, Window] = {}
        self._tokens: dict[str, Window] = {}
        self._lost: list[Inference] = []

    def check(self, cap: Capability, request: InferRequest, now: int, counts: dict[str, int]) -> Passed:
        """Every check, cheapest and most particular first; nothing is taken.

        Args:
            cap: of who asks.
            request: what is asked for.
            now: absolute ns.
            counts: for the audit entry; what is found out on the way is added.

        Raises:
            Refusal: the first that fails, in the order of docs/llm.md.
        """
        period = self._check_form(request)
        model = self._models.find(request.model_id)
        prompt = self._buffers.get(cap, request.prompt_handle)
        counts["prompt_bytes"] = len(prompt)
        if len(prompt) > self._limits.prompt_bytes:
            raise Refusal(Code.PROMPT_TOO_LONG, f"{len(prompt)} bytes of prompt: at most {self._limits.prompt_bytes}")
        if request.max_tokens > self._limits.max_tokens:
            raise Refusal(Code.TOO_MANY_TOKENS, f"{request.max_tokens} tokens: at most {self._limits.max_tokens}")
        need = model.backend.need(prompt, request.max_tokens)
        context = model.backend.info.context
        counts |= {"prompt_tokens": need.prompt_tokens, "blocks": need.blocks}
        if need.context_tokens > context:
            raise Refusal(Code.CONTEXT_EXCEEDED, f"{need.context_tokens} tokens: the context has {context}")
        self._check_load(cap.holder, request)
        self.capacity.check(need.blocks)
        model.check_room(len(prompt), request.max_tokens)
        self._request_ids.check()
        deadline = now + (request.deadline_ns or period)
        return Passed(model, prompt, _sampling(request), need, deadline)

    def _check_form(self, request: InferRequest) -> int:
        """Fields that no state of the service makes right; the class's period in ns."""
        check_class(request.cls)
        if request.max_tokens < 1:
            raise Refusal(Code.BAD_ARGUMENT, "an inference of 0 tokens")
        _sampling(request)
        return self._classes.period(request.cls)

    def _check_load(self, holder: str, request: InferRequest) -> None:
        """Limits that pass with time or with the end of other inferences."""
        limits, book, now = self._limits, self._book, self._pace()
        requests, window = self._window(self._requests, holder), f"window of {limits.window_ns / MS:g} ms"
        begins = f"the next begins in {-(-(requests.end(now) - now) // MS):,} ms"
        if requests.taken(now) >= limits.requests_per_window:
            raise Refusal(Code.RATE_LIMITED, f"{limits.requests_per_window} inferences in this {window}, {begins}")
        tokens = self._window(self._tokens, holder).taken(now) + request.max_tokens
        if tokens > limits.tokens_per_window:
            most = f"at most {limits.tokens_per_window}"
            raise Refusal(Code.QUOTA_EXCEEDED, f"{tokens} tokens in this {window}: {most}, {begins}")
        if len(book.live) >= limits.in_flight or book.of(holder) >= limits.tenant_in_flight:
            raise Refusal(Code.TOO_MANY_IN_FLIGHT, f"{book.of(holder)} of {len(book.live)} inferences in flight")
        if book.queue(request.cls) >= limits.queue_depth:
            raise Refusal(Code.QUEUE_FULL, f"{limits.queue_depth} inferences of class {request.cls} wait")

    def take(self, cap: Capability, request: InferRequest, passed: Passed, now: int) -> Inference:
        """Reserve everything for a request that has passed just now."""
        self.capacity.reserve(passed.need.blocks)
        self._window(self._requests, cap.holder).take(1, self._pace())
        return Inference(
            infer_id=self._book.next_id,
            cap=cap,
            cls=request.cls,
            model=passed.model,
            sampling=passed.sampling,
            prompt=passed.prompt,
            max_tokens=request.max_tokens,
            need=passed.need,
            accepted_ns=now,
            deadline_ns=passed.deadline_ns,
            request_id=self._request_ids.take(),
            quota=self._window(self._tokens, cap.holder).take(request.max_tokens, self._pace()),
            graph=passed.model.free.pop(),
        )

    def settle(self, inference: Inference, *, freed: bool) -> None:
        """Take back what an inference that has ended held.

        Args:
            inference: with all its tokens counted.
            freed: whether the device has none of its blocks any more; else its request id and its
                blocks stay taken until `device_was_reset`.
        """
        self._window(self._tokens, inference.cap.holder).settle(inference.quota, inference.produced, self._pace())
        if inference.graph:
            inference.model.give_back(inference.graph)
            inference.graph = None
        if freed:
            self.capacity.release(inference.need.blocks)
            self._request_ids.give_back(inference.request_id)
        else:
            self._lost.append(inference)

    def device_was_reset(self) -> None:
        """The device is empty: what could not be freed is."""
        for inference in self._lost:
            self.capacity.release(inference.need.blocks)
            self._request_ids.give_back(inference.request_id)
        self._lost.clear()

    def _window(self, windows: dict[str, Window], holder: str) -> Window:
        return windows.setdefault(holder, Window(self._limits.window_ns))


def _sampling(request: InferRequest) -> Sampling:
    try:
        return Sampling(request.seed, request.temperature, request.top_k, request.top_p)
    except ValueError as error:
        raise Refusal(Code.BAD_ARGUMENT, str(error)) from None
