"""What every call of vLLM's scheduler tells the device (software.md 6)."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from sw.driver.types import InsertRequest
from sw.regs.kv_address import KvAddress
from sw.run import run
from sw.transport.base import TransportError
from tests.vllm.devices import Spy, entries
from tests.vllm.engine import Engine
from tests.vllm.stand_in import Vllm, key


@pytest.fixture
def engine(api: Vllm, tmp_path: Path) -> Engine:
    """Chunks of 2 layers, 2 heads, 1 block of tokens: 4 device blocks."""
    return Engine(api, tmp_path)


@pytest.fixture
def spy(engine: Engine) -> Spy:
    return Spy(engine.core._driver)


def tiers(engine: Engine, first: int = 0) -> set[int]:
    """Tiers of the blocks of the range that begins at token `first`."""
    return {entry.tier for entry in entries(engine.core._driver) if (entry.request_id, entry.token_start) == (0, first)}


# ---------------------------------------------------------------------- the mapping


def test_schedule_end_is_step_advance(engine: Engine, spy: Spy) -> None:
    begin = engine.driver.current_step()
    engine.step()
    engine.step()
    assert spy.take() == ["step"]
    assert engine.driver.current_step() == begin + 2


def test_store_is_insert_in_request_0(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    plan = engine.manager.prepare_store([key(1), key(2)], request)
    assert spy.take() == ["insert_many"]
    assert plan.keys_to_store == [key(1), key(2)]
    assert plan.evicted_keys == []
    assert [place.first for place in plan.store_spec.places] == [0, 16]
    found = {(e.request_id, e.layer, e.head, e.token_start, e.token_end) for e in entries(engine.core._driver)}
    assert found == {(0, layer, head, t, t + 15) for layer in (0, 1) for head in (0, 1) for t in (0, 16)}
    assert all(entry.prefix and entry.tier == 1 for entry in entries(engine.core._driver))


def test_a_store_is_pending_until_it_is_complete(engine: Engine) -> None:
    request = engine.request("a")
    assert engine.lookup(1, request) == "MISS"
    engine.manager.prepare_store([key(1)], request)
    assert engine.lookup(1, request) == "HIT_PENDING"
    engine.manager.complete_store({key(1)}, request)
    assert engine.lookup(1, request) == "HIT"


def test_a_failed_store_is_remove(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    engine.manager.prepare_store([key(1), key(2)], request)
    spy.take()
    engine.manager.complete_store({key(2)}, request, False)
    assert spy.take() == ["remove"]
    assert engine.lookup(2, request) == "MISS"
    assert len(entries(engine.core._driver)) == 4
    engine.manager.complete_store({key(2)}, request, False)  # reported twice
    assert spy.take() == []


def test_what_is_there_is_not_stored_again(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    engine.store(request, [1])
    spy.take()
    plan = engine.manager.prepare_store([key(1), key(3), key(3)], request)
    assert plan.keys_to_store == [key(3)]
    assert engine.manager.prepare_store([key(1), key(3)], request).keys_to_store == []
    assert engine.manager.prepare_store([], request).store_spec.places == ()


def test_lookup_is_a_peek(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    engine.store(request, [1])
    before = entries(engine.core._driver)
    engine.step()
    stepped = entries(engine.core._driver)
    spy.calls.clear()
    assert engine.lookup(1, request) == "HIT"
    assert {name for name, _ in spy.calls} == {"peek"}
    assert entries(engine.core._driver) == stepped
    assert len(before) == 4


def test_touch_is_a_touch_of_every_block(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    engine.store(request, [1, 2])
    for _ in range(3):
        engine.step()
    spy.calls.clear()
    engine.manager.touch([key(1), key(9)], request)
    assert [name for name, _ in spy.calls] == ["touch"] * 4
    step = engine.driver.current_step()
    assert {(e.token_start, e.access_step == step) for e in entries(engine.core._driver)} == {(0, True), (16, False)}


def test_load_is_share_prefetch_and_release(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    engine.store(request, [1])
    spy.take()
    spec = engine.manager.prepare_load([key(1)], request)
    assert spy.take() == ["share", "prefetch"]
    engine.driver.drain()
    assert {(e.ref_count, e.hint, e.access_step) for e in entries(engine.core._driver)} == {(1, True, 1)}
    assert [(place.group, place.first) for place in spec.places] == [(0, 0)]
    engine.manager.complete_load({key(1)}, request)
    assert spy.take() == ["release"]
    engine.driver.drain()
    assert {e.ref_count for e in entries(engine.core._driver)} == {0}
    engine.manager.complete_load({key(1)}, request)  # reported twice
    assert spy.take() == []


def test_a_load_of_what_is_not_there_is_an_error(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    engine.store(request, [1])
    engine.manager.prepare_store([key(2)], request)
    spy.take()
    for numbers in ([1, 2], [1, 3]):
        with pytest.raises(KeyError):
            engine.manager.prepare_load([key(number) for number in numbers], request)
    assert spy.take() == [], "a part of the load was prepared"


def test_each_load_is_released_once(engine: Engine) -> None:
    request = engine.request("a")
    engine.store(request, [1])
    for _ in range(300):
        engine.manager.prepare_load([key(1)], request)
    engine.driver.drain()
    assert {e.ref_count for e in entries(engine.core._driver)} == {255}
    for left in range(299, -1, -1):
        engine.manager.complete_load({key(1)}, request)
        if left in (299, 256, 255, 254, 1, 0):
            engine.driver.drain()
            assert {e.ref_count for e in entries(engine.core._driver)} == {min(left, 255)}
    assert engine.driver.statistics()["REF_SATURATED_COUNT"] == 0
    assert engine.driver.statistics()["REF_UNDERFLOW_COUNT"] == 0


def test_the_end_of_a_request_is_evict(engine: Engine, spy: Spy) -> None:
    one, other = engine.request("one"), engine.request("other")
    engine.store(one, [1, 2])
    assert engine.lookup(2, other) == "HIT"
    engine.step()
    spy.take()
    engine.manager.on_request_finished(one)
    assert spy.take() == ["evict"]
    engine.driver.drain()
    evictable = {e.token_start: e.evictable for e in entries(engine.core._driver)}
    assert evictable == {0: True, 16: False}, "another request still uses the second chunk"
    engine.manager.on_request_finished(other)
    assert spy.take() == ["evict"]


def test_evict_waits_for_copies(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    engine.store(request, [1])
    engine.manager.prepare_load([key(1)], request)
    engine.manager.prepare_store([key(2)], request)
    spy.take()
    engine.manager.on_request_finished(request)
    assert spy.take() == []
    engine.manager.complete_load({key(1)}, request)
    assert spy.take() == ["release"], "stored in this step, and so cannot move in it"
    engine.step()
    assert spy.take() == ["step", "evict"]
    engine.manager.complete_store({key(2)}, request)
    assert spy.take() == []
    engine.step()
    assert spy.take() == ["step", "evict"]
    engine.step()
    assert spy.take() == ["step"]


def test_a_new_user_calls_a_waiting_evict_off(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    engine.store(request, [1])
    engine.manager.on_request_finished(request)
    later = engine.request("b")
    assert engine.lookup(1, later) == "HIT"
    spy.take()
    engine.step()
    assert spy.take() == ["step"]
    engine.manager.on_request_finished(later)
    assert spy.take() == ["evict"]


# ---------------------------------------------------------------------- moves


def test_pending_while_it_moves(engine: Engine) -> None:
    request = engine.request("a")
    engine.store(request, [1])
    engine.step()
    engine.manager.on_request_finished(request)
    later = engine.request("b")
    assert engine.lookup(1, later) == "HIT_PENDING"
    engine.device.device.advance(20_000)
    assert tiers(engine) == {2}
    assert engine.lookup(1, later) == "HIT"
    engine.manager.prepare_load([key(1)], later)
    assert engine.lookup(1, later) == "HIT_PENDING"
    engine.step()
    assert tiers(engine) == {1}
    assert engine.lookup(1, later) == "HIT"


def test_a_move_that_ended_without_moving_is_waited_for_no_longer(engine: Engine) -> None:
    """Its completion tells: there was no slot."""
    request = engine.request("a")
    engine.store(request, [1])
    engine.step()
    for tier in (2, 3):
        for number in range(engine.driver.free_slots()[tier]):
            token = 16 * (100 * tier + number)
            engine.driver.insert(InsertRequest(KvAddress(7, 0, 0, token), token + 15, tier))
    engine.manager.on_request_finished(request)
    later = engine.request("b")
    assert engine.lookup(1, later) == "HIT_PENDING"
    engine.device.device.advance(20_000)
    assert engine.lookup(1, later) == "HIT_PENDING"
    engine.step()
    assert tiers(engine) == {1}
    assert engine.lookup(1, later) == "HIT"


def test_patience_has_an_end(engine: Engine) -> None:
    """The end of the move was not seen (the completion queue was full): after 8 steps the chunk is taken as it is."""
    request = engine.request("a")
    engine.store(request, [1])
    [chunk] = engine.core._chunks.values()
    chunk.moving = {KvAddress(0, 0, 0, 0): 1}
    chunk.patience = 8
    for _ in range(8):
        assert engine.lookup(1, request) == "HIT_PENDING"
        engine.step()
    engine.step()
    assert engine.lookup(1, request) == "HIT"


# ---------------------------------------------------------------------- hints


def test_hot_hint(engine: Engine, spy: Spy) -> None:
    request = engine.request("a", ("kvcpu.hot", {}))
    engine.store(request, [1])
    assert "hot" in spy.take()
    engine.driver.drain()
    assert all(entry.hot for entry in entries(engine.core._driver))
    engine.step()
    engine.manager.on_request_finished(request)
    engine.driver.drain()
    assert not any(entry.hot for entry in entries(engine.core._driver))
    again = engine.request("b", ("kvcpu.hot", {}))
    engine.step()
    spy.take()
    engine.lookup(1, again)
    engine.lookup(1, again)
    assert spy.take() == ["hot"]


def test_prefetch_hint(engine: Engine, spy: Spy) -> None:
    engine.store(first := engine.request("a"), [1])
    engine.step()
    engine.manager.on_request_finished(first)
    engine.step()
    spy.take()
    request = engine.request("b", ("kvcpu.prefetch", {"steps": 1}))
    assert engine.lookup(1, request) == "HIT_PENDING"
    assert spy.take() == ["prefetch"]
    assert engine.lookup(1, request) == "HIT_PENDING"
    assert spy.take() == []
    engine.step()
    assert engine.lookup(1, request) == "HIT"
    assert tiers(engine) == {1}


def test_a_prefetch_for_later_does_not_make_anybody_wait(engine: Engine) -> None:
    engine.store(first := engine.request("a"), [1])
    engine.step()
    engine.manager.on_request_finished(first)
    engine.step()
    request = engine.request("b", ("kvcpu.prefetch", {"steps": 5}))
    assert engine.lookup(1, request) == "HIT"
    engine.driver.drain()
    assert {e.access_step for e in entries(engine.core._driver)} == {engine.driver.current_step() + 5}


@pytest.mark.parametrize(
    ("kind", "payload", "version"),
    [
        ("vllm.set_priority", {"value": 1}, "1.0"),
        ("kvcpu.hot", {}, "2.0"),
        ("kvcpu.prefetch", {"steps": -1}, "1.0"),
        ("kvcpu.prefetch", {"steps": "1"}, "1.0"),
        ("kvcpu.prefetch", {"steps": True}, "1.0"),
        ("kvcpu.prefetch", {"steps": 1 << 31}, "1.0"),
        ("kvcpu.unknown", {}, "1.0"),
    ],
)
def test_hints_that_say_nothing_to_us(
    engine: Engine, spy: Spy, kind: str, payload: dict[str, Any], version: str, caplog: pytest.LogCaptureFixture
) -> None:
    request = engine.request("a", (kind, payload), version=version)
    engine.store(request, [1])
    assert set(spy.take()) == {"insert_many"}
    assert bool(caplog.records) == kind.startswith("kvcpu.")


# ---------------------------------------------------------------------- room


def full(engine: Engine, request: Any) -> int:
    """Store chunks until the three tiers are full; how many."""
    count = 3 * 64 // 4
    for number in range(count):
        assert engine.store(request, [number]).evicted_keys == []
    assert engine.driver.free_slots()[1:] == [0, 0, 0]
    return count


def test_tiers_fill_in_their_order(engine: Engine) -> None:
    request = engine.request("a")
    for number in range(17):
        engine.store(request, [number])
    assert engine.driver.free_slots() == [64, 0, 60, 64]


def test_the_least_recently_used_goes(engine: Engine, spy: Spy) -> None:
    request = engine.request("a")
    count = full(engine, request)
    engine.manager.touch([key(0)], request)
    spy.take()
    plan = engine.store(request, [count], [0])
    assert plan.evicted_keys == [key(1)]
    assert "remove" in spy.take()
    assert engine.lookup(1, request) == "MISS"
    assert engine.lookup(0, request) == "HIT"


def test_chunks_of_live_requests_go_last(engine: Engine) -> None:
    old, new = engine.request("old"), engine.request("new")
    engine.store(old, [100])
    for number in range(47):
        engine.store(new, [number])
    engine.manager.on_request_finished(new)
    engine.step()
    assert engine.store(old, [101], [0]).evicted_keys == [key(0)]


def test_what_is_copied_or_offered_does_not_go(engine: Engine) -> None:
    request = engine.request("a")
    count = full(engine, request)
    engine.manager.prepare_load([key(number) for number in range(count - 1)], request)
    engine.driver.drain()
    assert engine.manager.prepare_store([key(count - 1), key(count)], request) is None
    assert engine.lookup(count - 1, request) == "HIT"
    assert engine.lookup(0, request) != "MISS", "what is being loaded was dropped"
    assert engine.manager.prepare_store([key(count)], request).evicted_keys == [key(count - 1)]


def test_without_room_for_all_none_is_stored(engine: Engine) -> None:
    request = engine.request("a")
    count = full(engine, request)
    engine.manager.prepare_load([key(number) for number in range(count - 1)], request)
    before = engine.driver.free_slots()
    assert engine.manager.prepare_store([key(count), key(count + 1)], request) is None
    assert engine.lookup(count, request) == "MISS"
    assert sum(engine.driver.free_slots()) == sum(before) + 4, "the victim has gone, and nothing else has changed"
    assert engine.store(request, [count], [0]).keys_to_store == [key(count)]


def test_others_blocks_are_left_alone(engine: Engine) -> None:
    """A range that another client uses is passed over for good."""
    engine.driver.insert(InsertRequest(KvAddress(0, 1, 1, 0), 15, 2))
    request = engine.request("a")
    plan = engine.store(request, [1])
    assert [place.first for place in plan.store_spec.places] == [16]
    assert sum(e.token_start == 0 for e in entries(engine.core._driver)) == 1


def test_an_unknown_group_is_not_stored(engine: Engine) -> None:
    assert engine.manager.prepare_store([key(1, group=1)], engine.request("a")) is None


# ---------------------------------------------------------------------- ends


def test_a_device_that_was_reset_has_nothing(engine: Engine) -> None:
    request = engine.request("a")
    engine.store(request, [1, 2])
    engine.driver.soft_reset()
    assert engine.lookup(1, request) == "MISS"
    engine.manager.touch([key(2)], request)
    assert engine.lookup(2, request) == "MISS"
    engine.driver.enable(demand=True)
    assert engine.store(request, [1]).keys_to_store == [key(1)]
    assert engine.lookup(1, request) == "HIT"


def test_reset_removes_what_is_not_copied_and_later_the_rest(engine: Engine) -> None:
    request = engine.request("a")
    engine.store(request, [1, 2])
    engine.manager.prepare_load([key(2)], request)
    engine.manager.prepare_store([key(3)], request)
    engine.manager.reset_cache()
    for number in (1, 2, 3):
        assert engine.lookup(number, request) == "MISS"
    assert {e.token_start for e in entries(engine.core._driver)} == {16, 32}
    engine.manager.complete_store({key(3)}, request)
    assert {e.token_start for e in entries(engine.core._driver)} == {16}
    assert engine.store(request, [2]).store_spec.places[0].first != 16, "bytes of a copy under way are given away"
    engine.manager.on_reset_flushed()
    assert engine.lookup(2, request) == "HIT"
    assert len(entries(engine.core._driver)) == 4
    engine.manager.complete_load({key(2)}, request)
    assert engine.lookup(2, request) == "HIT"


def test_shutdown_leaves_nothing_in_the_directory(engine: Engine) -> None:
    request = engine.request("a")
    engine.store(request, [1, 2])
    engine.manager.prepare_load([key(2)], request)
    engine.manager.prepare_store([key(3)], request)
    engine.manager.shutdown()
    assert entries(engine.core._driver) == []


def test_f1_shutdown_twice(engine: Engine, tmp_path: Path) -> None:
    """Neither raises nor closes what others have opened meanwhile."""
    parts = (engine.manager, *engine.workers)
    numbers = {
        engine.manager._fence._file.fileno(),
        *(worker._device.fence._file.fileno() for worker in engine.workers),
    }
    for part in parts:
        part.shutdown()
    others = [os.open(tmp_path, os.O_RDONLY) for _ in numbers]
    assert set(others) == numbers, "the numbers are other files' now"
    for part in parts:
        part.shutdown()
    for other in others:
        os.close(other)
    with pytest.raises(OSError, match="the adapter was shut down"):
        engine.manager.on_schedule_end(None)


def test_f1_shutdown_of_a_lost_device_closes_the_lock_file(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    request = engine.request("a")
    engine.store(request, [1])

    async def lost(*_: object) -> None:
        raise TransportError("lost")

    monkeypatch.setattr(engine.core._driver, "remove", lost)
    with pytest.raises(TransportError, match="lost"):
        engine.manager.shutdown()
    assert engine.manager._fence.closed
    engine.manager.shutdown()


def test_events(api: Vllm, tmp_path: Path) -> None:
    engine = Engine(api, tmp_path, events=True)
    request = engine.request("a")
    engine.manager.prepare_store([key(1), key(2)], request)
    assert list(engine.manager.take_events()) == []
    engine.manager.complete_store({key(1)}, request)
    engine.manager.complete_store({key(2)}, request, False)
    engine.manager.reset_cache()
    taken = [(event.keys, event.removed, event.medium.name) for event in engine.manager.take_events()]
    assert taken == [([key(1)], False, "CPU"), ([key(1)], True, "CPU")]
    assert list(engine.manager.take_events()) == []


def test_no_events_unless_asked_for(engine: Engine) -> None:
    engine.store(engine.request("a"), [1])
    assert list(engine.manager.take_events()) == []
    assert engine.core.events == [], "they pile up"


def test_places_travel_to_the_workers(api: Vllm, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = engine.manager.prepare_store([key(1)], engine.request("a"))
    again = pickle.loads(pickle.dumps(plan.store_spec))
    assert again.places == plan.store_spec.places
    assert "first=0" in repr(again)


def test_the_fence_holds_the_step_back(engine: Engine, tmp_path: Path) -> None:
    import threading

    from sw.vllm.fence import Fence

    begin = engine.driver.current_step()
    with Fence(tmp_path / "fence").held():
        step = threading.Thread(target=lambda: run(engine.core.step()))
        step.start()
        step.join(0.2)
        assert step.is_alive()
        assert engine.driver.current_step() == begin
    step.join(10)
    assert engine.driver.current_step() == begin + 1
