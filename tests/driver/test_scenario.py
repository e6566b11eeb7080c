"""The scenario that the system test runs on the RTL, here on the model alone: it says what its parts must give."""

from __future__ import annotations

from sw.driver import Driver
from sw.regs.registers import Completion, Status
from sw.run import run
from sw.transport.model import ModelTransport
from tb.system.driver_scenario import BLOCKS, SLOTS, commands, published, setup


def test_published(transport: ModelTransport) -> None:
    outcome = run(published(run(Driver.probe(transport))))
    assert outcome["registers read back"] == outcome["registers expected"]
    assert outcome["HOT of length 0 refused"]
    assert outcome["ioctl HOT of length 0"]
    telemetry = outcome["telemetry"]
    assert telemetry.current_step == 129
    assert telemetry.counters.last_va == 0x7F004000
    assert outcome["hint misses"] == (4096 + 8192 + 4096 + 16384) // 16


def test_commands(transport: ModelTransport) -> None:
    driver = run(Driver.probe(transport))
    run(setup(driver))
    outcome = run(commands(driver, transport))
    assert outcome["INSERT"] == [Status.OK] * BLOCKS + [Status.EXISTS]
    assert {status for *_, status in outcome["completions"]} == {Completion.OK}
    assert all(same for _, same in outcome["tier and bytes of moved blocks"].values())
    assert outcome["FREE_REQUEST"] == (BLOCKS - 1, 1)
    assert outcome["free slots"] == [SLOTS] * 4
    assert "done" not in outcome["refusals"]
