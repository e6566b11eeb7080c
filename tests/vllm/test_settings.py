"""Settings, geometry, ranges, fence: everything that can be wrong before the first chunk."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.vllm.attachment import Settings, attach
from sw.vllm.fence import Fence, FenceError, default_path
from sw.vllm.geometry import Geometry
from sw.vllm.ranges import Ranges
from tests.vllm.engine import Engine
from tests.vllm.stand_in import Vllm

SMALL = "tests.vllm.devices:small"


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({}, "kvcpu_transport is missing"),
        ({"kvcpu_transport": SMALL, "kvcpu_tier": 1}, "no such setting: kvcpu_tier"),
        ({"kvcpu_transport": SMALL, "kvcpu_tiers": []}, "kvcpu_tiers"),
        ({"kvcpu_transport": SMALL, "kvcpu_tiers": [1, 1]}, "each once"),
        ({"kvcpu_transport": SMALL, "kvcpu_tiers": [4]}, "some of 0 to 3"),
        ({"kvcpu_transport": SMALL, "kvcpu_slots": [1, 2, 3]}, "each of the 4 tiers"),
        ({"kvcpu_transport": SMALL, "kvcpu_block_bytes": 256}, "needs kvcpu_slots"),
        ({"kvcpu_transport": "nowhere.at.all:x"}, "No module named 'nowhere'"),
        ({"kvcpu_transport": "tests.vllm.devices:other"}, "no attribute 'other'"),
        ({"kvcpu_transport": ""}, "kvcpu_transport ''"),
        ({"kvcpu_transport": "tests.vllm.devices:nothing"}, "gives a object, no transport"),
    ],
)
def test_settings_that_are_none(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attach(given_, "none", configure=True)


def test_other_settings_are_left_alone() -> None:
    parsed = Settings.parse({"spec_name": "x", "block_size": 16, "kvcpu_transport": "a:b", "kvcpu_port": 2})
    assert (parsed.transport, parsed.port, tuple(parsed.tiers), parsed.slots) == ("a:b", 2, (1, 2, 3), None)


def test_one_device_for_an_engine_in_a_process(tmp_path: Path) -> None:
    extra = {"kvcpu_transport": SMALL, "kvcpu_fence": str(tmp_path / "fence")}
    one, two, other = (attach(extra, name, configure=False) for name in ("one", "one", "two"))
    assert one.transport is two.transport
    assert one.transport is not other.transport
    assert one.block_bytes == 8192, "the device's own"


def test_a_kv_cache_that_does_not_fit(api: Vllm, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 layers, 300 heads on each of 1 workers"):
        Engine(api, tmp_path, layers=(1,), bytes=300 * 256)
    with pytest.raises(ValueError, match="257 layers"):
        Engine(api, tmp_path, layers=(257,), bytes=257 * 256)
    with pytest.raises(ValueError, match="without groups"):
        Engine(api, tmp_path, layers=(2, 0), tokens=(16, 16))


# ---------------------------------------------------------------------- geometry


geometries = st.fixed_dictionaries(
    {
        "layers": st.lists(st.integers(1, 5), min_size=1, max_size=3),
        "blocks_per_chunk": st.integers(1, 3),
        "workers": st.integers(1, 3),
        "worker_bytes": st.integers(1, 20_000),
        "block_tokens": st.sampled_from([1, 16, 64]),
        "block_bytes": st.sampled_from([256, 8192]),
    }
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(geometries, st.data())
def test_parts_are_the_blocks_and_hold_the_bytes(sizes: dict[str, Any], data: st.DataObject) -> None:
    count = len(sizes["layers"])
    tokens = data.draw(st.lists(st.integers(1, 64), min_size=count, max_size=count))
    geometry = Geometry.fit(tokens_per_block=tokens, **sizes)
    first = geometry.stride * data.draw(st.integers(0, 5))
    for group in range(count):
        blocks = geometry.blocks(group, first)
        parts = [
            geometry.part(group, first, block, worker)
            for block in range(geometry.blocks_per_chunk)
            for worker in range(geometry.workers)
        ]
        together = [address for part in parts for address in part]
        assert len(set(together)) == len(together), "two workers or blocks share a device block"
        assert set(together) == set(blocks)
        layers, heads = geometry.span(group)
        assert len(blocks) == layers * heads * geometry.tokens(group) // geometry.block_tokens
        for address in blocks:
            assert address.token % geometry.block_tokens == 0
            assert first <= address.token < first + geometry.tokens(group) <= first + geometry.stride
            assert (address.request_id, address.layer < layers, address.head < heads) == (0, True, True)
        for part in parts:
            assert len(part) * geometry.block_bytes >= sizes["worker_bytes"]
    fewer = geometry.heads - 1
    smallest = min(layers * span for layers, span in zip(geometry.layers, geometry.spans, strict=True))
    assert fewer * smallest * geometry.block_bytes < sizes["worker_bytes"], "more heads than needed"


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=60))
def test_ranges_never_overlap(actions: list[int | None]) -> None:
    """None takes a range, a number gives the one in that place back."""
    ranges = Ranges(32, 10)
    taken: list[int] = []
    for action in actions:
        if action is None:
            first = ranges.take()
            assert (first is None) == (len(taken) == 10)
            if first is not None:
                free = sorted(set(range(0, 320, 32)) - set(taken))
                assert first == free[0]
                taken.append(first)
        elif taken:
            ranges.give_back(taken.pop(action % len(taken)))
    assert all(b - a >= 32 for a, b in pairwise(sorted(taken)))


def test_request_0_ends_where_tokens_end() -> None:
    geometry = Geometry.fit(
        layers=[1],
        tokens_per_block=[16],
        blocks_per_chunk=1,
        workers=1,
        worker_bytes=256,
        block_tokens=16,
        block_bytes=256,
    )
    assert geometry.ranges * geometry.stride == 1 << 32


# ---------------------------------------------------------------------- fence


def test_the_lock_file_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "fence"
    Fence(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o666)
    with pytest.raises(FenceError, match=r"open to other users.*or name another file in kvcpu_fence"):
        Fence(path)


def test_a_link_is_no_lock_file(tmp_path: Path) -> None:
    (tmp_path / "target").touch(0o600)
    (tmp_path / "fence").symlink_to(tmp_path / "target")
    with pytest.raises(FenceError, match="symbolic links"):
        Fence(tmp_path / "fence")


def test_the_default_lock_file_is_named_by_user_and_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert default_path("engine-1.b") == tmp_path / f"kvcpu-{os.geteuid()}-engine-1.b.fence"
    odd = default_path("a/../b c")
    assert odd.parent == tmp_path
    assert odd.name.startswith(f"kvcpu-{os.geteuid()}-a_.._b_c-")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert default_path("x").name == f"kvcpu-{os.geteuid()}-x.fence"


@pytest.mark.parametrize("engine", ["x" * 300, "\u00e9" * 300, "/" * 300, "a\0b", "\udcff", ""])
def test_f1_any_engine_id_has_a_lock_file_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = default_path(engine)
    assert path.parent == tmp_path
    with Fence(path).held():
        assert path.exists()
    assert default_path(engine) == path
    assert default_path(engine + "y") != path


def test_f1_a_missing_folder_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))
    paths = (default_path("x"), tmp_path / ("y" * 300), tmp_path, tmp_path / "a\0b")
    for path, why in zip(paths, ("no such file", "file name too long", "is a directory", "null"), strict=True):
        with pytest.raises(FenceError, match=f"{why}.*; make its folder, or name another file in kvcpu_fence"):
            Fence(path)


def test_f1_a_lock_file_is_closed_once(tmp_path: Path) -> None:
    """The number of a closed descriptor may be another file's already, which a second close must not touch."""
    fence = Fence(tmp_path / "fence")
    number = fence._file.fileno()
    fence.close()
    other = os.open(tmp_path, os.O_RDONLY)
    assert other == number, "the test is about this case"
    fence.close()
    os.fstat(other)
    os.close(other)
    with pytest.raises(FenceError, match="the adapter was shut down"), fence.held():
        pass
