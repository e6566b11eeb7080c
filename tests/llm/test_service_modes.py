"""The service switched off; deterministic mode; time that does not depend on who answers."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from model.device import DeviceModel
from model.timing import Timing
from sw.codes import Code
from sw.control.frames import Command, decode_reply, encode_request
from sw.control.llm_commands import InferState
from sw.kernel.capability import Object, Rights
from sw.kernel.clock import CountedClock, CountingTransport
from sw.llm.config import LlmConfig
from sw.llm.system import SystemConfig, build_system
from sw.metrics import snapshots
from sw.run import run
from sw.transport.model import ModelTransport
from tb.llm.job import LlmJob
from tb.llm.setup import shipped
from tb.llm.workload import default
from tb.sim.counter import Counter
from tests.llm.stack import MS, SERVICE_KEY, make_stack, package, reference

FRAMES = {
    Command.LLM_LOAD: (1, 0, 0),
    Command.LLM_INFER_START: (1, 4, 0, 0),
    Command.LLM_INFER_POLL: (1, 4),
    Command.LLM_CANCEL: (1,),
    Command.LLM_UNLOAD: (1,),
    Command.LLM_BUDGET: (0, 0, 0, MS, 10 * MS, 0),
    Command.LLM_STATUS: (),
}


def test_off_unless_configured() -> None:
    """Without an LLM configuration every frame of the service is Unsupported, and the device is left as it is."""
    device = DeviceModel(entries=1024, lanes=4)
    system = run(build_system(ModelTransport(device), SystemConfig(key=SERVICE_KEY)))
    everything = Rights.ADMIN | Rights.SUBMIT | Rights.STREAM
    token = system.capabilities.issue("admin", everything, Object.LLM | Object.MODEL | Object.GRAPH)
    for command, arguments in FRAMES.items():
        reply = decode_reply(run(system.plane.handle(encode_request(command, token, *arguments))))
        assert reply.code is Code.UNSUPPORTED
    assert (system.service, system.session, run(system.run_one())) == (None, None, False)
    assert run(system.driver.free_slots()) == [0, 0, 0, 0]
    run(system.observe())
    assert snapshots.snapshot(system.metrics)["llm_rejects"] == 0


def test_deterministic_mode(tmp_path: Path) -> None:
    """Everything an inference needs was sized at LLM_LOAD: it runs without growth; another model would grow."""
    stack = make_stack(tmp_path)
    tenant, admin = stack.tenant("t"), stack.admin
    tenant.started(max_tokens=1)  # the first buffer of a prompt
    stack.run()
    assert admin.ask(Command.CREATE_GRAPH).code is Code.OK
    assert admin.ask(Command.ENABLE_DETERMINISTIC, MS // 100, 10 * MS, 0).code is Code.OK
    growth = stack.system.growth
    grown = dict(growth.grown)
    ids = [tenant.started(bytes([97 + n]) * 100, 40, cls=n % 3) for n in range(6)]
    for n, infer_id in enumerate(ids):
        assert tenant.read(infer_id) == (InferState.DONE, reference(stack, bytes([97 + n]) * 100, 40))
    assert (growth.grown, growth.refused) == (grown, 0)
    handle = stack.system.buffers.make(stack.capability(admin.token), package(2))
    assert admin.ask(Command.LLM_LOAD, handle, 0, 0).code is Code.NO_ROOM
    assert growth.refused == 1
    assert stack.service.refused["llm.load", Code.NO_ROOM] == 1


def test_counted_time_is_the_same_whoever_answers() -> None:
    """A device ten times as slow gives the same replies, tokens, audit entries and decisions on counted time."""
    slow = Timing(
        mmio_read=60, mmio_write=70, lookup_latency=60, command_step=20, command=120, move_start=120,
        read_latency=(400, 600, 1500, 4000), write_latency=(400, 600, 1500, 4000),
    )  # fmt: skip
    seen = []
    for timing in (Timing(), slow):
        device = DeviceModel(entries=1024, lanes=4, timing=timing)
        with TemporaryDirectory() as folder:
            transport = CountingTransport(ModelTransport(device), CountedClock(access_ns=0))
            job = LlmJob(transport, default(2), shipped(), Counter(), Path(folder), seed=2, trace=True)
            outcome = run(job.run())
            audit = job.system.audit.entries()
        migrations = outcome.snapshot["migrations"]
        seen.append((job.desk.replies, outcome.served, audit, job.system.scheduler.trace, job.directory, migrations))
    assert seen[0][:-1] == seen[1][:-1]
    assert seen[0][-1] != seen[1][-1]  # the devices did not do the same


def test_published_frames_fit_the_default_classes(tmp_path: Path) -> None:
    """A model with chunks of 25,000 cycles, and next to it a graph with 50 of 200 us. (Nothing grows after that.)"""
    stack = make_stack(tmp_path, classes=LlmConfig().classes, load=False)
    handle = stack.admin.buffer(package())
    frames = (
        (Command.CREATE_GRAPH,),
        (Command.START_GRAPH, 100),
        (Command.LLM_LOAD, handle, 25_000, 0),
        (Command.ENABLE_DETERMINISTIC, 50_000, 200_000, 200_000),
    )
    replies = [stack.admin.ask(*frame) for frame in frames]
    assert [(reply.code, reply.fields) for reply in replies] == [
        (Code.OK, ()), (Code.OK, (0,)), (Code.OK, (1,)), (Code.OK, (350_000,)),
    ]  # fmt: skip
