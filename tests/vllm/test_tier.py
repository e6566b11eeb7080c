"""The device as a secondary tier behind vLLM's CPU tier (software.md 6)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sw.regs.kv_address import KvAddress
from sw.run import Sync
from tests.vllm import devices
from tests.vllm.devices import Spy, entries
from tests.vllm.stand_in import Vllm, config, key

CHUNKS = 16


class Tiering:
    """What vLLM's tiering manager does with a tier: a buffer of chunks, and jobs."""

    def __init__(self, api: Vllm, tmp_path: Path, *, size: int = 1000, events: bool = False, **settings: Any) -> None:
        self.api = api
        self.buffer = np.zeros((CHUNKS, size), np.int8)
        engine = f"tier-{len(devices.made)}"
        spec = SimpleNamespace(config=config(api, layers=(2,), blocks_per_chunk=2, events=events, engine=engine))
        given = {
            "kvcpu_transport": "tests.vllm.devices:small",
            "kvcpu_slots": [16, 16, 16, 32],
            "kvcpu_block_bytes": 256,
            "kvcpu_fence": str(tmp_path / "fence"),
        }
        view = memoryview(self.buffer)
        self.tier = api.tier.KvCpuSecondaryTier(spec, view, "kvcpu", backpressure_detector=None, **given | settings)
        self.device = devices.made[-1]
        self.driver = Sync(self.tier._core._driver)
        self.jobs = 0

    def request(self, name: str) -> Any:
        context = self.api.base.ReqContext(req_id=name)
        self.tier.on_new_request(context)
        return context

    def job(self, numbers: list[int], chunks: list[int], request: Any, *, load: bool) -> Any:
        self.jobs += 1
        return self.api.tiering.TransferJob(
            job_id=self.jobs,
            keys=[key(number) for number in numbers],
            chunk_ids=np.array(chunks),
            is_promotion=load,
            req_context=request,
        )

    def move(self, numbers: list[int], chunks: list[int], request: Any, *, load: bool, good: bool = True) -> None:
        """One job to its end."""
        job = self.job(numbers, chunks, request, load=load)
        (self.tier.submit_load if load else self.tier.submit_store)(job)
        [result] = self.tier.get_finished_jobs()
        assert (result.job_id, result.success) == (job.job_id, good)

    def fill(self, chunk: int, seed: int) -> bytes:
        self.buffer[chunk] = np.random.default_rng(seed).integers(-128, 128, self.buffer.shape[1])
        return self.buffer[chunk].tobytes()

    def lookup(self, number: int, request: Any) -> str:
        return str(self.tier.lookup(key(number), request).name)

    def step(self) -> None:
        self.tier.on_schedule_end(self.api.base.ScheduleEndContext(new_req_ids=(), preempted_req_ids=()))
        self.device.device.advance(20_000)


@pytest.fixture
def tiering(api: Vllm, tmp_path: Path) -> Tiering:
    """Chunks of 2 layers, 1 head, 2 blocks of tokens: 4 device blocks."""
    return Tiering(api, tmp_path)


def test_chunks_come_back(tiering: Tiering) -> None:
    request = tiering.request("a")
    before = [tiering.fill(chunk, seed=chunk) for chunk in (0, 1)]
    tiering.move([1, 2], [0, 1], request, load=False)
    tiering.step()
    tiering.move([2, 1], [8, 9], request, load=True)
    assert [tiering.buffer[chunk].tobytes() for chunk in (9, 8)] == before
    assert not tiering.buffer[10].any()


def test_jobs_wait_until_vllm_polls(tiering: Tiering) -> None:
    request = tiering.request("a")
    assert tiering.lookup(1, request) == "MISS"
    tiering.tier.submit_store(tiering.job([1], [0], request, load=False))
    assert tiering.lookup(1, request) == "RETRY"
    assert tiering.tier.has_pending_work()
    tiering.tier.drain_jobs()
    assert not tiering.tier.has_pending_work()
    assert tiering.lookup(1, request) == "HIT"
    [result] = tiering.tier.get_finished_jobs()
    assert (result.success, result.transfer_bytes) == (True, 1000)
    assert result.transfer_time > 0
    assert list(tiering.tier.get_finished_jobs()) == []


def test_what_the_device_is_told(tiering: Tiering) -> None:
    spy = Spy(tiering.tier._core._driver)
    request = tiering.request("a")
    tiering.move([1, 2], [0, 1], request, load=False)
    assert spy.take() == ["insert_many"]
    tiering.tier.submit_load(job := tiering.job([1], [5], request, load=True))
    assert spy.take() == ["share", "prefetch"]
    assert next(iter(tiering.tier.get_finished_jobs())).job_id == job.job_id
    assert spy.take() == ["release"]
    tiering.tier.touch([key(1)], request)
    assert spy.take() == ["touch"]
    tiering.step()
    assert spy.take() == ["step"]
    tiering.tier.on_request_finished(request)
    assert spy.take() == ["evict"]


def test_only_new_chunks_are_copied(tiering: Tiering) -> None:
    request = tiering.request("a")
    first = tiering.fill(0, seed=0)
    tiering.move([1], [0], request, load=False)
    tiering.fill(0, seed=1)
    second = tiering.fill(1, seed=2)
    tiering.move([1, 2], [0, 1], request, load=False)
    tiering.move([1, 2], [8, 9], request, load=True)
    assert [tiering.buffer[chunk].tobytes() for chunk in (8, 9)] == [first, second]


def test_a_load_of_what_is_not_there_fails(tiering: Tiering) -> None:
    request = tiering.request("a")
    tiering.move([1], [0], request, load=False)
    tiering.move([1, 2], [8, 9], request, load=True, good=False)
    assert {entry.ref_count for entry in entries(tiering.tier._core._driver)} == {0}


def test_a_lost_block_fails_its_job(tiering: Tiering) -> None:
    request = tiering.request("a")
    tiering.device.lost = {KvAddress(0, 1, 0, 16).pack()}
    tiering.move([1], [0], request, load=False, good=False)
    assert tiering.lookup(1, request) == "MISS"
    assert entries(tiering.tier._core._driver) == []
    tiering.device.lost = set()
    tiering.move([1], [0], request, load=False)
    tiering.device.lost = {KvAddress(0, 1, 0, 16).pack()}
    tiering.move([1], [8], request, load=True, good=False)
    tiering.driver.drain()
    assert {entry.ref_count for entry in entries(tiering.tier._core._driver)} == {0}, "the load was not released"
    assert not tiering.buffer[8].any()


def test_without_room_a_store_fails(api: Vllm, tmp_path: Path) -> None:
    tiering = Tiering(api, tmp_path, kvcpu_slots=[0, 4, 0, 0])
    request = tiering.request("a")
    tiering.move([1], [0], request, load=False)
    tiering.tier.submit_load(tiering.job([1], [8], request, load=True))
    tiering.tier.submit_store(tiering.job([2], [1], request, load=False))
    results = {result.job_id: result.success for result in tiering.tier.get_finished_jobs()}
    assert results == {2: True, 3: False}
    tiering.move([2], [1], request, load=False)
    assert tiering.lookup(1, request) == "MISS"


def test_events_name_the_tier(api: Vllm, tmp_path: Path) -> None:
    tiering = Tiering(api, tmp_path, events=True)
    tiering.move([1], [0], tiering.request("a"), load=False)
    [event] = tiering.tier.take_events()
    assert (event.keys, event.removed, event.ownership) == ([key(1)], False, "kvcpu")
    quiet = Tiering(api, tmp_path)
    quiet.move([1], [0], quiet.request("a"), load=False)
    assert list(quiet.tier.take_events()) == []


def test_shutdown_leaves_nothing(tiering: Tiering) -> None:
    request = tiering.request("a")
    tiering.move([1], [0], request, load=False)
    tiering.tier.submit_store(tiering.job([2], [1], request, load=False))
    tiering.tier.submit_load(tiering.job([1], [8], request, load=True))
    for _ in range(2):  # F1: the second one does nothing
        tiering.tier.shutdown()
        assert entries(tiering.tier._core._driver) == []


def test_settings_that_are_none(api: Vllm, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such setting: kvcpu_color"):
        Tiering(api, tmp_path, kvcpu_color="red")


@pytest.mark.parametrize("seed", range(2))
def test_bytes_survive_whatever_the_device_moves(api: Vllm, tmp_path: Path, seed: int) -> None:
    tiering = Tiering(api, tmp_path)
    random = np.random.default_rng(seed)
    expected: dict[int, bytes] = {}
    loads = 0
    request = tiering.request("r0")
    for turn in range(100):
        if turn % 5 == 4:
            tiering.tier.on_request_finished(request)
            request = tiering.request(f"r{turn}")
        number = int(random.integers(18))
        match tiering.lookup(number, request):
            case "MISS":
                expected[number] = tiering.fill(turn % 8, seed=turn)
                tiering.move([number], [turn % 8], request, load=False)
            case "HIT":
                loads += 1
                tiering.move([number], [9], request, load=True)
                assert tiering.buffer[9].tobytes() == expected[number], f"chunk {number} in turn {turn}"
        if random.integers(2):
            tiering.step()
    assert loads > 20
