"""Bytes through the device and back, while it moves blocks (software.md 6)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sw.regs.kv_address import KvAddress
from sw.run import run
from sw.vllm.fence import Fence
from sw.vllm.pages import Page, Pages
from sw.vllm.transfer import BlockLost, Transfer
from tests.vllm.devices import entries
from tests.vllm.engine import Engine
from tests.vllm.stand_in import Vllm, key


def test_what_is_stored_comes_back_on_every_worker(api: Vllm, tmp_path: Path) -> None:
    engine = Engine(api, tmp_path, workers=2, layers=(3,), bytes=1200)
    request = engine.request("a")
    for block in (0, 1):
        engine.fill(block, seed=block)
    before = [engine.bytes(block) for block in (0, 1)]
    assert before[0] != before[1]
    assert before[0][0] != before[0][1]
    engine.store(request, [1, 2], [0, 1])
    engine.step()
    engine.load(request, [2, 1], [5, 6])
    assert [engine.bytes(6), engine.bytes(5)] == before
    assert engine.bytes(4) == [bytes(408 * 3)] * 2


def test_padding_of_a_row_has_no_owner(api: Vllm, tmp_path: Path) -> None:
    engine = Engine(api, tmp_path)
    request = engine.request("a")
    engine.fill(0, seed=1)
    for tensors in engine.caches:
        for tensor in tensors:
            tensor[3, -8:] = 7
            tensor[0, -8:] = 9
    engine.store(request, [1], [0])
    engine.load(request, [1], [3])
    for tensor in engine.caches[0]:
        assert set(tensor[3, -8:]) == {7}
        assert bytes(tensor[3, :-8]) == bytes(tensor[0, :-8])


def test_layers_lie_in_layers(api: Vllm, tmp_path: Path) -> None:
    """With pages of equal size a layer of the model is a layer of the device, its bytes in order over the heads."""
    engine = Engine(api, tmp_path, workers=2)
    engine.fill(0, seed=1)
    engine.store(engine.request("a"), [1], [0])
    for entry in entries(engine.core._driver):
        data = run(engine.device.mem_read(entry.tier, entry.phys_addr, 256))
        rank, part = divmod(entry.head, 2)
        page = engine.caches[rank][entry.layer][0]
        assert data == page[256 * part : 256 * (part + 1)].tobytes()
    assert len(entries(engine.core._driver)) == 8


def test_chunks_of_several_blocks_and_groups(api: Vllm, tmp_path: Path) -> None:
    """The first block of a load may lie inside its chunk; groups follow each other."""
    engine = Engine(api, tmp_path, layers=(2, 1), tokens=(16, 32), blocks_per_chunk=2)
    request = engine.request("a")
    for block in range(8):
        engine.fill(block, seed=block)
    keys = [key(1), key(2), key(7, group=1)]
    plan = engine.manager.prepare_store(keys, request)
    assert [place.group for place in plan.store_spec.places] == [0, 0, 1]
    engine.transfer("store", plan.store_spec, engine.gpu([0, 1, 2, 3, 4, 5], sizes=[4, 2], first=[0, 0]))
    engine.manager.complete_store(set(keys), request)
    before = [[tensor[block].copy() for block in range(8)] for tensor in engine.caches[0]]
    spec = engine.manager.prepare_load(keys, request)
    engine.transfer("load", spec, engine.gpu([6, 8, 9, 10], sizes=[3, 1], first=[1, 1]))
    first, second = engine.caches[0]
    for source, target in ((1, 6), (2, 8), (3, 9)):
        assert (first[target] == before[0][source]).all()
        assert (second[target] == before[1][source]).all()
    assert (first[10] == before[0][5]).all()
    assert not second[10].any(), "the second group has one layer"


def test_copies_are_made_when_vllm_polls_or_waits(api: Vllm, tmp_path: Path) -> None:
    engine = Engine(api, tmp_path)
    request = engine.request("a")
    engine.fill(0, seed=1)
    spec = engine.manager.prepare_store([key(1), key(2), key(3)], request).store_spec
    [worker] = engine.workers
    parts = [SimpleNamespace(places=(place,)) for place in spec.places]
    for job, part in enumerate(parts):
        assert worker.submit_store(job, engine.gpu([0]), part)
    assert engine.driver.statistics()["RTBD_HIT_COUNT"] == 0
    worker.wait({1, 77})
    assert engine.driver.statistics()["RTBD_HIT_COUNT"] == 4
    results = worker.get_finished()
    assert [(result.job_id, result.success) for result in results] == [(1, True), (0, True), (2, True)]
    assert all(result.transfer_size == 1024 for result in results)
    assert all(result.transfer_time > 0 for result in results)
    assert worker.get_finished() == []
    worker.submit_store(9, engine.gpu([0]), parts[0])
    worker.shutdown()
    assert worker.get_finished() == []


@pytest.mark.parametrize("direction", ["store", "load"])
def test_a_lost_block_is_a_failed_job(api: Vllm, tmp_path: Path, direction: str) -> None:
    engine = Engine(api, tmp_path)
    request = engine.request("a")
    engine.store(request, [1])
    engine.fill(5, seed=5)
    before = engine.bytes(5)
    engine.device.lost = {KvAddress(0, 1, 1, 0).pack()}
    spec = engine.manager.prepare_load([key(1)], request)
    engine.transfer(direction, spec, [5], good=False)
    assert engine.bytes(5) == before, "a part of a block was loaded"


def test_a_port_that_may_not_write_there_is_a_failed_job(api: Vllm, tmp_path: Path) -> None:
    engine = Engine(api, tmp_path, extra={"kvcpu_port": 1})
    engine.driver.configure_window(1, 5, 9)
    plan = engine.manager.prepare_store([key(1)], engine.request("a"))
    engine.transfer("store", plan.store_spec, [0], good=False)


TIGHT = [8, 24, 24, 40]  # chunks go for room all the time
ROOMY = [8, 32, 64, 96]  # every chunk has a place, but few a fast one: the device moves them


@pytest.mark.parametrize("slots", [TIGHT, ROOMY], ids=["tight", "roomy"])
@pytest.mark.parametrize("seed", range(2))
def test_bytes_survive_whatever_the_device_moves(api: Vllm, tmp_path: Path, seed: int, slots: list[int]) -> None:
    """Many steps: every load gives what was stored, or the lookup was a miss."""
    engine = Engine(api, tmp_path, workers=2, extra={"kvcpu_slots": slots})
    random = np.random.default_rng(seed)
    expected: dict[int, list[bytes]] = {}
    requests: list[Any] = []
    loads = misses = 0
    for turn in range(160):
        if turn % 4 == 0:
            requests.append(engine.request(f"r{turn}", *[("kvcpu.hot", {})] * int(random.integers(2))))
            if len(requests) > 3:
                engine.manager.on_request_finished(requests.pop(0))
        request = requests[int(random.integers(len(requests)))]
        number = int(random.integers(20))
        match engine.lookup(number, request):
            case "MISS":
                misses += 1
                block = int(random.integers(6))
                engine.fill(block, seed=turn)
                plan = engine.store(request, [number], [block])
                assert plan is not None
                expected[number] = engine.bytes(block)
            case "HIT":
                loads += 1
                engine.load(request, [number], [7])
                assert engine.bytes(7) == expected[number], f"chunk {number} in turn {turn}"
        if random.integers(3):
            engine.step()
    moved = engine.driver.statistics()
    assert loads > 20
    if slots is TIGHT:
        assert misses > 40
    else:
        assert misses == 20
        assert moved["EVICT_BYTES_MOVED"] > 256 * 160, "not every block was moved"
        assert moved["PREFETCH_BYTES_MOVED"] > 256 * 40


# ---------------------------------------------------------------------- pieces


def test_a_transfer_that_does_not_fit(api: Vllm, tmp_path: Path) -> None:
    engine = Engine(api, tmp_path)
    engine.store(engine.request("a"), [1])
    transfer = Transfer(engine.device, Fence(tmp_path / "fence"), 256)
    blocks = [KvAddress(0, 0, 0, 0), KvAddress(0, 0, 1, 0)]
    run(transfer.write(blocks, bytes(512)))
    with pytest.raises(ValueError, match="513 bytes do not fit into 2 blocks of 256"):
        run(transfer.write(blocks, bytes(513)))
    with pytest.raises(ValueError, match="do not fit"):
        run(transfer.read(blocks, 513))
    with pytest.raises(BlockLost, match="block 0:5:0:0 is not in the directory"):
        run(transfer.read([KvAddress(0, 5, 0, 0)], 1))


def test_stores_look_up_to_write_and_loads_to_read(api: Vllm, tmp_path: Path) -> None:
    engine = Engine(api, tmp_path)
    request = engine.request("a")
    engine.store(request, [1])
    assert all(entry.dirty for entry in entries(engine.core._driver)), "the device may move what is being written"
    engine.step()
    engine.manager.on_request_finished(request)
    engine.device.device.advance(20_000)
    engine.load(engine.request("b"), [1], [5])
    assert not any(entry.dirty for entry in entries(engine.core._driver))


def test_copies_hold_the_fence(api: Vllm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the lookups to the last byte, so that no step comes between them."""
    engine = Engine(api, tmp_path)
    other = os.open(tmp_path / "fence", os.O_RDWR)
    seen: list[str] = []

    def watched(name: str) -> None:
        method = getattr(engine.device, name)

        async def call(*arguments: Any) -> Any:
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            seen.append(name)
            return await method(*arguments)

        monkeypatch.setattr(engine.device, name, call)

    for name in ("lookups", "mem_read", "mem_write"):
        watched(name)
    request = engine.request("a")
    engine.store(request, [1])
    engine.load(request, [1], [5])
    assert seen == ["lookups"] + ["mem_write"] * 4 + ["lookups"] + ["mem_read"] * 4
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_odd_sizes_come_back(api: Vllm, tmp_path: Path) -> None:
    engine = Engine(api, tmp_path)
    engine.store(engine.request("a"), [1])
    transfer = Transfer(engine.device, Fence(tmp_path / "fence"), 256)
    blocks = engine.core._geometry.blocks(0, 0)
    for size in (1, 3, 5, 1021, 1024):
        data = bytes(number % 251 for number in range(size))
        run(transfer.write(blocks, data))
        assert run(transfer.read(blocks, size)) == data


class Tensor:
    """As much of a torch tensor as the pages use, of a type that NumPy does not know."""

    def __init__(self, data: np.ndarray[Any, Any]) -> None:
        self.data = data

    def __getitem__(self, index: Any) -> Tensor:
        return Tensor(self.data[index])

    def contiguous(self) -> Tensor:
        return Tensor(np.ascontiguousarray(self.data))

    def view(self, dtype: Any) -> Tensor:
        return Tensor(self.data.view(dtype))

    def reshape(self, size: int) -> Tensor:
        return Tensor(self.data.reshape(size))

    def cpu(self) -> Tensor:
        return Tensor(self.data.copy())

    def numpy(self) -> np.ndarray[Any, Any]:
        return self.data

    def copy_(self, other: Tensor) -> None:
        self.data[...] = other.data


def test_tensors_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = SimpleNamespace(uint8=np.uint8, frombuffer=lambda data, dtype: Tensor(np.frombuffer(data, dtype)))
    monkeypatch.setitem(__import__("sys").modules, "torch", torch)
    data = np.arange(48, dtype=np.int16).reshape(3, 16)
    pages = Pages([Page(Tensor(data), 24), Page(Tensor(data.copy()), 8)])
    assert pages.size == 32
    block = pages.read(1)
    assert block == data[1].tobytes()[:24] + data[1].tobytes()[:8]
    pages.write(2, block)
    assert data[2].tobytes() == block[:24] + np.arange(44, 48, dtype=np.int16).tobytes()
    assert pages.read(2) == block
