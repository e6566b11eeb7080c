"""A vLLM engine without vLLM: a scheduler and workers that call the adapter as vLLM's connector does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from sw.run import Sync
from tests.vllm import devices
from tests.vllm.stand_in import Vllm, config, key

BLOCKS = 12  # of each worker's KV cache
SLOTS = [64, 64, 64, 64]


class Engine:
    """One group, or more; each worker's KV cache has one tensor a layer."""

    def __init__(self, api: Vllm, tmp_path: Path, **changes: Any) -> None:
        self.api = api
        self.workers_count = changes.get("workers", 1)
        self.layers: Sequence[int] = changes.get("layers", (2,))
        size = changes.get("bytes", 1024)
        self.extra = {
            "spec_name": "KvCpuOffloadingSpec",
            "spec_module_path": "sw.vllm.spec",
            "kvcpu_transport": "tests.vllm.devices:small",
            "kvcpu_slots": SLOTS,
            "kvcpu_block_bytes": 256,
            "kvcpu_fence": str(tmp_path / "fence"),
            **changes.pop("extra", {}),
        }
        changes |= {"engine": f"engine-{len(devices.made)}", "extra": self.extra}
        configs = [config(api, **changes, rank=rank) for rank in range(self.workers_count)]
        self.caches = [self._cache(size) for _ in range(self.workers_count)]
        specs = [api.spec.KvCpuOffloadingSpec(each) for each in configs]
        # vLLM makes its workers first.
        both = zip(specs, self.caches, strict=True)
        self.workers = [spec.get_worker(self._canonical(tensors)) for spec, tensors in both]
        self.manager = specs[0].get_manager()
        assert specs[0].get_manager() is self.manager
        assert specs[0].get_worker(None) is self.workers[0]
        self.device = devices.made[-1]
        self.core = self.manager._core
        self.driver = Sync(self.core._driver)
        self.jobs = 0

    def _cache(self, size: int) -> list[np.ndarray[Any, Any]]:
        """Tensors (blocks, bytes) of one worker; rows are padded by 8 bytes."""
        most = max(self.layers)
        return [np.zeros((BLOCKS, size // most + 8), np.int8) for _ in range(most)]

    def _canonical(self, tensors: list[Any]) -> Any:
        base = self.api.base
        refs = [
            [base.CanonicalKVCacheRef(tensor_idx=n, page_size_bytes=tensors[n].shape[1] - 8) for n in range(layers)]
            for layers in self.layers
        ]
        return base.CanonicalKVCaches(
            tensors=[base.CanonicalKVCacheTensor(tensor=t, page_size_bytes=t.shape[1]) for t in tensors],
            group_data_refs=refs,
        )

    # ------------------------------------------------------------------ scheduler

    def request(self, name: str, *hints: tuple[str, dict[str, Any]], version: str = "1.0") -> Any:
        """A request, seen for the first time."""
        actions = [
            self.api.hints.KvHintAction(action_id="a", action_type=kind, action_version=version, payload=payload)
            for kind, payload in hints
        ]
        envelope = self.api.hints.KvHintsEnvelope(protocol_version="0.1", message_id="m", actions=actions)
        context = self.api.base.ReqContext(req_id=name, kv_hints=envelope if hints else None)
        self.manager.on_new_request(context)
        return context

    def step(self) -> None:
        """The end of a scheduler step; the device has some time before the next."""
        self.manager.on_schedule_end(self.api.base.ScheduleEndContext(new_req_ids=(), preempted_req_ids=()))
        self.device.device.advance(20_000)

    def lookup(self, number: int, request: Any) -> str:
        """Name of the lookup's result."""
        return str(self.manager.lookup(key(number), request).name)

    def store(self, request: Any, numbers: Sequence[int], blocks: Sequence[int] | None = None) -> Any:
        """Chunks `numbers` of group 0 from these blocks of every worker, to the end."""
        keys = [key(number) for number in numbers]
        plan = self.manager.prepare_store(keys, request)
        if plan is None or not plan.keys_to_store:
            return plan
        block_of = dict(zip(keys, blocks or range(len(keys)), strict=True))
        ids = [block_of[each] for each in plan.keys_to_store]
        self.transfer("store", plan.store_spec, ids)
        self.manager.complete_store(set(plan.keys_to_store), request)
        return plan

    def load(self, request: Any, numbers: Sequence[int], blocks: Sequence[int]) -> None:
        """Chunks `numbers` of group 0 into these blocks of every worker, to the end."""
        keys = [key(number) for number in numbers]
        self.transfer("load", self.manager.prepare_load(keys, request), blocks)
        self.manager.complete_load(set(keys), request)

    # ------------------------------------------------------------------ workers

    def gpu(self, blocks: Sequence[int], sizes: Sequence[int] | None = None, first: Sequence[int] | None = None) -> Any:
        """`GPULoadStoreSpec` as far as a worker looks at it."""
        groups = len(self.layers)
        return SimpleNamespace(
            block_ids=np.array(blocks, np.int32),
            group_sizes=sizes or [len(blocks)] + [0] * (groups - 1),
            block_indices=first or [0] * groups,
        )

    def transfer(self, direction: str, spec: Any, blocks: Any, *, good: bool = True) -> None:
        """One job on every worker, to its end."""
        self.jobs += 1
        gpu = blocks if isinstance(blocks, SimpleNamespace) else self.gpu(blocks)
        for worker in self.workers:
            if direction == "store":
                assert worker.submit_store(self.jobs, gpu, spec)
            else:
                assert worker.submit_load(self.jobs, spec, gpu)
            [result] = worker.get_finished()
            assert (result.job_id, result.success) == (self.jobs, good)

    def fill(self, block: int, seed: int) -> None:
        """Bytes of a block of every worker that no other seed gives."""
        for rank, tensors in enumerate(self.caches):
            random = np.random.default_rng([seed, rank])
            for tensor in tensors:
                tensor[block, :-8] = random.integers(-128, 128, tensor.shape[1] - 8)

    def bytes(self, block: int) -> list[bytes]:
        """The bytes of a block, one string a worker."""
        return [b"".join(tensor[block].tobytes() for tensor in tensors) for tensors in self.caches]
