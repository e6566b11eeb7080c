"""B2: every number that reaches the service, at its extremes: a code of the contract, and the service lives."""

from __future__ import annotations

import logging
import random
import struct
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sw.codes import Code
from sw.control.frames import LAYOUTS, Command, Reply, decode_reply, encode_request
from sw.control.llm_commands import InferState
from sw.kernel.admission import MAX_PERIOD_NS
from sw.llm.config import Limits
from sw.llm.loaded import OLDER
from sw.llm.micro.weights import seeded
from sw.llm.package import Weights, pack, sign
from sw.llm.package.format import HEADER, TENSOR, TRAILER
from sw.llm.quantisation import Quantisation, encode
from sw.run import run
from tests.llm.packages import signed
from tests.llm.stack import CONFIG, KEY, MS, Stack, header, make_stack, package, reference

HUGE = 4611686018427387904  # B2
SIGNER = SigningKey(b"vendor of the tests' models     ")


def extremes(bits: int) -> list[int]:
    """0, 1, the greatest, and the powers of two at the top and in the middle, with their neighbours."""
    top, middle = 1 << bits - 1, 1 << bits // 2
    return sorted({0, 1, 2, middle - 1, middle, middle + 1, top - 1, top, top + 1, (1 << bits) - 1})


@pytest.fixture(autouse=True)
def no_defect(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A request that the boundary had to catch is a defect, whatever it was answered."""
    with caplog.at_level(logging.ERROR):
        yield
    assert not caplog.messages


def check_lives(stack: Stack) -> None:
    """The good model serves as before."""
    if not len(stack.service._models):
        assert stack.admin.load(package(), flags=OLDER).code is Code.OK  # a newer revision may have been loaded
    tenant = stack.tenant("quiet")
    infer_id = tenant.started(b"one two", 4)
    assert tenant.read(infer_id) == (InferState.DONE, reference(stack, b"one two", 4))


def clear(stack: Stack) -> None:
    for model in list(stack.service._models):
        assert stack.admin.ask(Command.LLM_UNLOAD, model.model_id).code is Code.OK


def try_package(stack: Stack, data: bytes) -> Reply:
    """Load a package; if that works, run an inference with it, whatever becomes of it."""
    reply = stack.admin.load(data)
    if reply.code is Code.OK:
        started = stack.admin.start(b"one two", 3)
        if started.code is Code.OK:
            stack.admin.read(started.fields[0])
        clear(stack)
    return reply


# ---------------------------------------------------------------- named in the fault


@pytest.mark.parametrize("cycles", [HUGE, (1 << 64) - 1, MAX_PERIOD_NS])
def test_b2_wcet_of_the_frame(cycles: int, tmp_path: Path) -> None:
    stack = make_stack(tmp_path, load=False)
    assert stack.admin.load(package(), wcet_cycles=cycles).code is Code.BAD_ARGUMENT
    assert [entry["code"] for entry in stack.decisions("llm.load")] == [Code.BAD_ARGUMENT]
    check_lives(stack)


@pytest.mark.parametrize(
    "changes", [{"wcet_cycles": HUGE}, {"wcet_cycles": 0}, {"arena_bytes": 0}, {"arena_bytes": 64}], ids=str
)
def test_b2_package_that_no_inference_can_run_with(changes: dict[str, int], tmp_path: Path) -> None:
    stack = make_stack(tmp_path, load=False)
    assert stack.admin.load(package(1, **changes)).code is Code.MODEL_UNSUPPORTED
    assert [entry["code"] for entry in stack.decisions("llm.load")] == [Code.MODEL_UNSUPPORTED]
    check_lives(stack)


def test_b2_a_bound_that_the_package_lacks_may_be_asked_for(tmp_path: Path) -> None:
    stack = make_stack(tmp_path, load=False)
    assert stack.admin.load(package(1, wcet_cycles=0), wcet_cycles=100_000).code is Code.OK
    check_lives(stack)


def weighted(name: str, value: float, form: Quantisation = Quantisation.F32) -> bytes:
    """The tests' model with one tensor of one value."""
    tensors = {n: np.full_like(t, value) if n == name else t for n, t in seeded(CONFIG, 3).items()}
    rows = [Weights(n, form, t.shape, encode(form, t).tobytes()) for n, t in tensors.items()]
    return sign(pack(header(), rows), KEY)


@pytest.mark.parametrize("name", CONFIG.shapes())
@pytest.mark.parametrize("value", [3e38, -3e38, 1e30, 1e-45])
def test_b2_finite_weights_that_overflow(name: str, value: float, tmp_path: Path) -> None:
    """In whatever layer: the inference ends, done or failed with ModelUnsupported, and the next model serves."""
    stack = make_stack(tmp_path, load=False)
    assert stack.admin.load(weighted(name, value)).code is Code.OK
    state, tokens = stack.admin.read(stack.admin.started(b"one two", 3))
    code = Code(stack.decisions("llm.infer.end")[0]["code"])
    assert (state, code) in {(InferState.FAILED, Code.MODEL_UNSUPPORTED), (InferState.DONE, Code.OK)}
    assert state is InferState.DONE or not tokens
    assert stack.directory() == [] or state is InferState.DONE
    clear(stack)
    check_lives(stack)


def test_b2_overflow_does_fail(tmp_path: Path) -> None:
    """At least in these places numbers do overflow: the test above is not about models that work."""
    for number, name in enumerate(("0.attention.k", "1.attention.v", "norm")):
        stack = make_stack(tmp_path / str(number), load=False)
        stack.admin.load(weighted(name, 3e38))
        assert stack.admin.read(stack.admin.started(b"one two", 3)) == (InferState.FAILED, [])


# ---------------------------------------------------------------- every field of a package


def body() -> bytes:
    return package()[: -TRAILER.size]


HEADER_FIELDS = {
    **{name: ("<I", 12 + 4 * n) for n, name in enumerate(("weights", "id", "revision", "context", "vocabulary"))},
    **{name: ("<H", 32 + 2 * n) for n, name in enumerate(("layers", "heads", "kv", "dim", "quantisation", "zero"))},
    "tensors": ("<I", 44), "wcet": ("<Q", 48), "arena": ("<Q", 56), "format": ("<I", 8),
}  # fmt: skip
TENSOR_FIELDS = {
    "type": ("<H", 24), "used": ("<H", 26), **{f"dim{n}": ("<I", 28 + 4 * n) for n in range(4)},
    "zero": ("<I", 44), "offset": ("<Q", 48), "bytes": ("<Q", 56),
}  # fmt: skip
TYPED = {
    Code.OK, Code.MALFORMED, Code.MODEL_UNSUPPORTED, Code.MODEL_TOO_LARGE, Code.NO_ROOM, Code.ADMISSION_REFUSED,
}  # fmt: skip


def with_field(data: bytes, form: str, offset: int, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, offset, value)
    return signed(bytes(changed), SIGNER)


@pytest.mark.parametrize("name", HEADER_FIELDS)
def test_b2_header_fields_at_their_extremes(name: str, tmp_path: Path) -> None:
    form, offset = HEADER_FIELDS[name]
    stack = make_stack(tmp_path, load=False)
    for value in extremes(8 * struct.calcsize(form)):
        assert try_package(stack, with_field(body(), form, offset, value)).code in TYPED, value
    check_lives(stack)


@pytest.mark.parametrize("name", TENSOR_FIELDS)
def test_b2_tensor_fields_at_their_extremes(name: str, tmp_path: Path) -> None:
    form, offset = TENSOR_FIELDS[name]
    stack = make_stack(tmp_path, load=False)
    for row in (0, 1, len(CONFIG.shapes()) - 1):
        for value in extremes(8 * struct.calcsize(form)):
            data = with_field(body(), form, HEADER.size + row * TENSOR.size + offset, value)
            assert try_package(stack, data).code in TYPED, value
    check_lives(stack)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_b2_any_bytes_that_a_trusted_key_has_signed(seed: int) -> None:
    """Random changes of header, table and weights at once."""
    draw = random.Random(seed)
    changed = bytearray(body())
    for _ in range(draw.randrange(1, 5)):
        width = draw.choice((1, 2, 4, 8))
        near = draw.choice((HEADER.size, HEADER.size + 20 * TENSOR.size, len(changed)))
        place = draw.randrange(8, near - width)
        value = draw.choice((*extremes(8 * width), draw.getrandbits(8 * width)))
        changed[place : place + width] = value.to_bytes(width, "little")
    with TemporaryDirectory() as folder:
        stack = make_stack(Path(folder), load=False)
        assert try_package(stack, signed(bytes(changed), SIGNER)).code in TYPED
        check_lives(stack)


# ---------------------------------------------------------------- every field of every frame


def argument_bits(command: Command) -> list[list[int]]:
    """For each form of a command, the width of each argument."""
    widths = {"B": 8, "H": 16, "I": 32, "Q": 64}
    return [[widths[letter] for letter in form.format if letter in widths] for form in LAYOUTS[command].requests]


GOOD_ARGUMENTS: dict[Command, list[tuple[int, ...]]] = {
    Command.CREATE_GRAPH: [()],
    Command.ADD_CHANNEL: [(0,)],
    Command.ADD_OPERATOR: [(3, 0, 0xFFFF, 0, 0)],
    Command.START_GRAPH: [(5,)],
    Command.ADD_TYPED_OPERATOR: [(3, 0, 0xFFFF, 0, 0, 0, 0)],
    Command.ENABLE_DETERMINISTIC: [(50_000, 200_000, 0)],
    Command.LLM_LOAD: [(1, 0, 0)],
    Command.LLM_INFER_START: [(1, 3, 0, 0), (1, 3, 0, 0, 1, 0, 0, 0, 0)],
    Command.LLM_INFER_POLL: [(1, 12)],
    Command.LLM_CANCEL: [(1,)],
    Command.LLM_UNLOAD: [(1,)],
    Command.LLM_BUDGET: [(0, 0, 0, 2 * MS, 10 * MS, 0)],
    Command.LLM_STATUS: [()],
}


def frames_at_extremes(command: Command) -> Iterator[tuple[int, ...]]:
    for form, good in zip(argument_bits(command), GOOD_ARGUMENTS[command], strict=True):
        yield good
        for place, bits in enumerate(form):
            for value in extremes(bits):
                yield (*good[:place], value, *good[place + 1 :])
        yield tuple((1 << bits) - 1 for bits in form)
        yield tuple(0 for _ in form)


@pytest.mark.parametrize("command", Command)
def test_b2_arguments_of_frames_at_their_extremes(command: Command, tmp_path: Path) -> None:
    """Alone and after each other; no answer is DeviceFault, each has one entry, and the service serves."""
    limits = Limits(requests_per_window=1 << 20, tokens_per_window=1 << 30)
    stack = make_stack(tmp_path, limits=limits)
    stack.admin.buffer(b"a prompt")
    stack.system.buffers.reserve(8)  # deterministic mode lets none grow
    if command is not Command.CREATE_GRAPH:
        stack.admin.ask(Command.CREATE_GRAPH)
        stack.admin.ask(Command.ADD_CHANNEL, 0)
    for arguments in frames_at_extremes(command):
        before = len(stack.system.audit.entries())
        reply = decode_reply(run(stack.system.plane.handle(encode_request(command, stack.admin.token, *arguments))))
        assert reply.code not in {Code.DEVICE_FAULT, Code.BAD_FRAME, Code.AUTH_FAILED}, arguments
        written = [e["operation"] for e in stack.system.audit.entries()[before:]]
        assert written[0] == "capability.check"
        assert len(written) <= 2
        if command is Command.LLM_INFER_START and reply.code is Code.OK:
            stack.admin.cancel(reply.fields[0])
    run(stack.system.observe())
    if command is Command.LLM_UNLOAD:
        stack.admin.load(package())
    assert stack.admin.ask(Command.LLM_BUDGET, 0, 0, 0, 2 * MS, 10 * MS, 0).code is Code.OK
    stack.wait(1_000 * MS)
    check_lives(stack)


@pytest.mark.parametrize(("period", "code"), [(MAX_PERIOD_NS, Code.OK), (MAX_PERIOD_NS + 1, Code.BAD_ARGUMENT)])
def test_b2_periods_too_long_to_wait_for(period: int, code: Code, tmp_path: Path) -> None:
    stack = make_stack(tmp_path)
    stack.admin.ask(Command.CREATE_GRAPH)
    assert stack.admin.ask(Command.LLM_BUDGET, 0, 0, 0, MS, period, 0).code is code
    assert stack.admin.ask(Command.ENABLE_DETERMINISTIC, 1000, period, 0).code is code


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_b2_limits_at_their_extremes(name: str, tmp_path: Path) -> None:
    """A limit that is no number of things is refused where it is written; any other refuses work with its code."""
    with pytest.raises(ValueError, match=name):
        Limits(**{name: -1})
    for value in (0, 1, (1 << 63) - 1):
        if name == "window_ns" and not value:
            with pytest.raises(ValueError, match=name):
                Limits(**{name: value})
            continue
        limits: dict[str, Any] = {name: value}
        stack = make_stack(tmp_path / str(value), limits=Limits(**limits), load=False)
        codes = [stack.admin.load(package()).code, *(stack.admin.start(b"one two", 2).code for _ in range(3))]
        assert not set(codes) & {Code.DEVICE_FAULT, Code.BAD_ARGUMENT}
        stack.run()
