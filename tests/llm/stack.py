"""A whole system on the device model, with a small signed model, driven by frames."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from model.coprocessor import Coprocessor
from model.device import DeviceModel
from sw.codes import Code
from sw.control.frames import Command, Reply, decode_reply, encode_request
from sw.control.llm_commands import InferState
from sw.kernel.capability import Object, Rights
from sw.kernel.clock import CountedClock
from sw.llm.backend import Compute, Sampling
from sw.llm.config import ClassBudget, Limits, LlmConfig
from sw.llm.micro.backend import MicroBackend
from sw.llm.micro.model import ModelConfig
from sw.llm.micro.plan import DevicePlan
from sw.llm.micro.reference import ReferenceStores
from sw.llm.micro.weights import seeded
from sw.llm.operator import arena_need
from sw.llm.package import Header, Quantisation, TrustedKey, TrustStore, Weights, pack, sign
from sw.llm.quantisation import encode
from sw.llm.service import LlmService
from sw.llm.system import LlmSetup, System, SystemConfig, build_system
from sw.run import run
from sw.signing import PrivateKey
from sw.transport.base import Transport
from sw.transport.model import CoprocessorTransport, ModelTransport

MS = 1_000_000
CONTEXT = 192
BLOCK_BYTES = 2048  # K and V of 16 tokens, 16 numbers each, in f32
KEY = PrivateKey(b"vendor of the tests' models     ")
SERVICE_KEY = PrivateKey(b"the tests' service              ")
CLASSES = (ClassBudget(2 * MS, 10 * MS), ClassBudget(4 * MS, 20 * MS), ClassBudget(4 * MS, 40 * MS), None)
CONFIG = ModelConfig(context=CONTEXT, vocabulary=257, layers=2, heads=2, kv_heads=2, head_dim=16, hidden=32)


def header(model_id: int = 1, **changes: Any) -> Header:
    fields: dict[str, Any] = {
        "model_id": model_id, "revision": 1, "context": CONTEXT, "vocabulary": 257, "layers": 2, "heads": 2,
        "kv_heads": 2, "head_dim": 16, "quantisation": int(Quantisation.F32), "wcet_cycles": 100_000,
        "arena_bytes": arena_need(1024, 128), "name": "tiny",
    }  # fmt: skip
    return Header(**{**fields, **changes})


@cache
def unsigned_package(model_id: int = 1, **changes: Any) -> bytes:
    """The model of these tests, its weights drawn from seed 3."""
    form = Quantisation.F32
    tensors = seeded(CONFIG, 3).items()
    return pack(header(model_id, **changes), [Weights(n, form, t.shape, encode(form, t).tobytes()) for n, t in tensors])


def package(model_id: int = 1, **changes: Any) -> bytes:
    return sign(unsigned_package(model_id, **changes), KEY)


@dataclass
class Tenant:
    """Somebody with capabilities, who speaks to the system in frames."""

    stack: Stack
    token: int
    name: str

    def ask(self, command: Command, *arguments: int) -> Reply:
        frame = encode_request(command, self.token, *arguments)
        return decode_reply(run(self.stack.system.plane.handle(frame)))

    def buffer(self, data: bytes) -> int:
        cap = self.stack.capability(self.token)
        return self.stack.system.buffers.make(cap, data)

    def load(self, data: bytes, wcet_cycles: int = 0, flags: int = 0) -> Reply:
        handle = self.buffer(data)
        reply = self.ask(Command.LLM_LOAD, handle, wcet_cycles, flags)
        self.stack.system.buffers.release(self.stack.capability(self.token), handle)
        return reply

    def start(self, prompt: bytes = b"one two", max_tokens: int = 4, cls: int = 0, deadline_ns: int = 0) -> Reply:
        handle = self.buffer(prompt)
        reply = self.ask(Command.LLM_INFER_START, handle, max_tokens, cls, deadline_ns)
        self.stack.system.buffers.release(self.stack.capability(self.token), handle)
        return reply

    def started(self, prompt: bytes = b"one two", max_tokens: int = 4, cls: int = 0, deadline_ns: int = 0) -> int:
        """The infer_id of an inference that must be accepted."""
        reply = self.start(prompt, max_tokens, cls, deadline_ns)
        assert reply.code is Code.OK
        return reply.fields[0]

    def poll(self, infer_id: int, max_items: int = 12) -> Reply:
        return self.ask(Command.LLM_INFER_POLL, infer_id, max_items)

    def state(self, infer_id: int) -> InferState:
        reply = self.poll(infer_id, 0)
        assert reply.code is Code.OK
        return InferState(reply.fields[1])

    def cancel(self, infer_id: int) -> Reply:
        return self.ask(Command.LLM_CANCEL, infer_id)

    def read(self, infer_id: int) -> tuple[InferState, list[int]]:
        """Read an inference to its end, running the service meanwhile; its end and its tokens."""
        tokens: list[int] = []
        while True:
            reply = self.poll(infer_id)
            assert reply.code is Code.OK
            number, state, _, count, first, *new = reply.fields
            assert (number, count, first) == (infer_id, len(new), len(tokens))
            tokens += new
            if state >= InferState.DONE and count < 12:
                return InferState(state), tokens
            if not new:
                assert run(self.stack.system.run_one())


@dataclass
class Stack:
    """A system with an administrator, and tenants by name."""

    system: System
    device: DeviceModel
    admin: Tenant = field(init=False)

    def __post_init__(self) -> None:
        self.admin = self.tenant("admin", Rights.ADMIN | Rights.SUBMIT | Rights.STREAM)

    def tenant(self, name: str, rights: Rights = Rights.SUBMIT | Rights.STREAM) -> Tenant:
        objects = Object.LLM | Object.MODEL | Object.GRAPH
        return Tenant(self, self.system.capabilities.issue(name, rights, objects), name)

    def capability(self, token: int) -> Any:
        rights, objects = Rights.SUBMIT, Object.LLM
        return self.system.capabilities.check(token, objects, rights, self.system.clock.now())

    @property
    def service(self) -> LlmService:
        assert self.system.service
        return self.system.service

    def run(self) -> None:
        run(self.system.run_until_idle())

    def wait(self, ns: int) -> None:
        """Let device time pass."""
        run(self.system.clock.wait_until(self.system.clock.now() + ns))

    def decisions(self, op: str) -> list[dict[str, Any]]:
        """Audit entries of an operation."""
        return [entry for entry in self.system.audit.entries() if entry["operation"] == op]

    def directory(self) -> list[str]:
        """KV addresses of every block in the device."""
        return sorted(str(entry.kv_addr) for entry in run(self.system.driver.directory()).values())


def reference(stack: Stack, prompt: bytes, max_tokens: int, sampling: Sampling | None = None) -> list[int]:
    """The tokens of the same model on a plain array."""
    micro = stack.service.model(1)
    assert isinstance(micro, MicroBackend)
    stores = ReferenceStores(micro.model.config, Quantisation.F32)
    backend = MicroBackend("reference", micro.model, stores, Compute(1, 1_000_000, CountedClock()))
    generation = run(backend.start(prompt, max_tokens, sampling or Sampling(), 1))
    tokens: list[int] = []
    while not generation.finished:
        tokens += run(generation.chunk())
    return tokens


def trust_store(folder: Path) -> TrustStore:
    trust = TrustStore(folder / "trust")
    trust.add(TrustedKey(KEY.public, "vendor", None))
    return trust


def make_stack(
    folder: Path,
    *,
    limits: Limits | None = None,
    classes: tuple[ClassBudget | None, ...] = CLASSES,
    slots: tuple[int, int, int, int] = (64, 64, 64, 256),
    transport: Transport | None = None,
    device: DeviceModel | None = None,
    load: bool = True,
    trace: bool = False,
    hard: bool = True,
    keep_trust: bool = False,
    inserts_per_step: int = 8,
    coprocessor: bool = False,
    block_bytes: int = BLOCK_BYTES,
) -> Stack:
    """A system; `load`: with the model 1 loaded; `keep_trust`: with the trust store that is there."""
    device = device or DeviceModel(entries=1024, lanes=4)
    transport = transport or ModelTransport(device)
    setup = LlmSetup(
        plan=DevicePlan(slots, block_bytes),
        trust=TrustStore(folder / "trust") if keep_trust else trust_store(folder),
        config=LlmConfig(limits or Limits(), classes, hard=hard),
        inserts_per_step=inserts_per_step,
        coprocessor=(lambda engine: CoprocessorTransport(Coprocessor(engine), transport)) if coprocessor else None,
    )
    randoms = random.Random(5)
    config = SystemConfig(key=SERVICE_KEY, llm=setup, random=randoms.getrandbits, trace=trace)
    stack = Stack(run(build_system(transport, config)), device)
    if load:
        assert stack.admin.load(package()).fields == (1,)
    return stack
