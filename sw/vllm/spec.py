"""The device as vLLM's offloading medium (software.md 6).

    kv_connector_extra_config: {"spec_name": "KvCpuOffloadingSpec", "spec_module_path": "sw.vllm.spec",
                                "kvcpu_transport": "...", ...}

Needs vLLM; docs/vllm.md has the settings and what is mapped to what.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from vllm.v1.kv_offload.base import (  # type: ignore[import-not-found]
    LoadStoreSpec,
    LookupResult,
    Medium,
    OffloadingEvent,
    OffloadingManager,
    OffloadingSpec,
    OffloadingWorker,
    PrepareStoreOutput,
    RequestOffloadingContext,
    TransferResult,
)

from sw.driver.errors import DriverError
from sw.run import run
from sw.transport.base import TransportError
from sw.vllm.attachment import Attachment, attach
from sw.vllm.core import Core, Place, Presence
from sw.vllm.fence import Fence
from sw.vllm.geometry import Geometry
from sw.vllm.hints import parse
from sw.vllm.pages import Page, Pages
from sw.vllm.transfer import BlockLost, Transfer

_FOUND = {
    Presence.MISS: LookupResult.MISS,
    Presence.READY: LookupResult.HIT,
    Presence.PENDING: LookupResult.HIT_PENDING,
}


def geometry(config: Any, attachment: Attachment) -> Geometry:
    """The KV cache of an engine on the attached device.

    Args:
        config: `OffloadingConfig` of vLLM.
        attachment: the device.

    Raises:
        ValueError: it does not fit.
    """
    return Geometry.fit(
        layers=[len(group.layer_names) for group in config.groups],
        tokens_per_block=[group.tokens_per_block for group in config.groups],
        blocks_per_chunk=config.cache.blocks_per_chunk,
        workers=config.parallel.world_size,
        worker_bytes=config.worker_kv_bytes_per_block,
        block_tokens=attachment.driver.caps.block_tokens,
        block_bytes=attachment.block_bytes,
    )


class KvCpuLoadStoreSpec(LoadStoreSpec):  # type: ignore[misc]
    """Where chunks are, for the worker: it looks their blocks up when it copies."""

    def __init__(self, places: Iterable[Place]) -> None:
        """The places of chunks, in the order of their keys."""
        self.places = tuple(places)

    def __repr__(self) -> str:
        return f"KvCpuLoadStoreSpec({list(self.places)})"


class KvCpuOffloadingManager(OffloadingManager):  # type: ignore[misc]
    """The scheduler's side: commands and hints, no bytes."""

    def __init__(self, core: Core, fence: Fence, *, events: bool) -> None:
        """Own `fence`; tell vLLM of stored and removed chunks if `events`."""
        self._core = core
        self._fence = fence
        self._events = events

    def lookup(self, key: bytes, req_context: Any) -> Any:
        """LOOKUP peek: HIT, HIT_PENDING while it is stored or moves, or MISS."""
        return _FOUND[run(self._core.lookup(req_context.req_id, key))]

    def touch(self, keys: Collection[bytes], req_context: Any) -> None:
        """LOOKUP touch."""
        run(self._core.touch(req_context.req_id, keys))

    def prepare_load(self, keys: Collection[bytes], req_context: Any) -> KvCpuLoadStoreSpec:
        """SHARE and PREFETCH.

        Raises:
            KeyError: a chunk is not there; vLLM asks only for those that a lookup has hit.
        """
        return KvCpuLoadStoreSpec(run(self._core.prepare_load(req_context.req_id, keys)))

    def complete_load(self, keys: Collection[bytes], req_context: Any) -> None:
        """RELEASE."""
        run(self._core.complete_load(keys))

    def prepare_store(self, keys: Collection[bytes], req_context: Any) -> Any:
        """INSERT; None when there is no room."""
        plan = run(self._core.prepare_store(req_context.req_id, keys))
        if plan is None:
            return None
        return PrepareStoreOutput(plan.keys, KvCpuLoadStoreSpec(plan.places), plan.evicted)

    def complete_store(self, keys: Collection[bytes], req_context: Any, success: bool = True) -> None:
        """The chunks are loadable, or REMOVE."""
        run(self._core.complete_store(keys, success=success))

    def on_new_request(self, req_context: Any) -> Any:
        """Takes note of the request's KV hints."""
        self._core.begin_request(req_context.req_id, parse(req_context.kv_hints))
        return RequestOffloadingContext()

    def on_request_finished(self, req_context: Any) -> None:
        """EVICT of what no other request uses."""
        run(self._core.finish_request(req_context.req_id))

    def on_schedule_end(self, context: Any) -> None:
        """STEP_ADVANCE."""
        run(self._core.step())

    def take_events(self) -> Iterable[Any]:
        """Stored and removed chunks since the last call."""
        taken, self._core.events = self._core.events, []
        if not self._events:
            return []
        return [OffloadingEvent(keys=[key], medium=Medium.CPU, removed=removed) for key, removed in taken]

    def reset_cache(self) -> None:
        """REMOVE of every chunk; of those that are being copied when that has ended."""
        run(self._core.reset())

    def on_reset_flushed(self) -> None:
        """REMOVE of the rest."""
        run(self._core.flushed())

    def shutdown(self) -> None:
        """Leaves nothing of this engine in the directory; a second call does nothing."""
        if self._fence.closed:
            return
        try:
            run(self._core.reset())
            run(self._core.flushed())
        finally:
            self._fence.close()


@dataclass(frozen=True, slots=True)
class _Copy:
    """One block of vLLM and where its bytes are in a chunk."""

    group: int
    block_id: int
    place: Place
    block: int


class KvCpuOffloadingWorker(OffloadingWorker):  # type: ignore[misc]
    """A worker's side: bytes between its KV cache and the device's tier memories.

    Submitting only queues; the copies are made when vLLM polls or waits, in this thread.
    """

    def __init__(self, device: Attachment, sizes: Geometry, pages: list[Pages], rank: int) -> None:
        """Copy the blocks of `pages` (one entry a group) as worker `rank`."""
        self._device = device
        self._transfer = Transfer(device.transport, device.fence, device.block_bytes, device.settings.port)
        self._sizes = sizes
        self._pages = pages
        self._rank = rank
        self._queued: dict[int, tuple[bool, list[_Copy]]] = {}
        self._finished: list[Any] = []

    def submit_store(self, job_id: int, src_spec: Any, dst_spec: Any) -> bool:
        """Queue a copy from the KV cache to the device."""
        self._queued[job_id] = (True, self._copies(src_spec, dst_spec))
        return True

    def submit_load(self, job_id: int, src_spec: Any, dst_spec: Any, expedited: bool = False) -> bool:
        """Queue a copy from the device to the KV cache; an expedited one is waited for anyway."""
        self._queued[job_id] = (False, self._copies(dst_spec, src_spec))
        return True

    def get_finished(self) -> list[Any]:
        """Make the queued copies; the results of all jobs that were not reported yet."""
        self.wait(set(self._queued))
        finished, self._finished = self._finished, []
        return finished

    def wait(self, job_ids: set[int]) -> None:
        """Make these copies now, in the order of their submission."""
        for job_id in [job for job in self._queued if job in job_ids]:
            store, copies = self._queued.pop(job_id)
            self._finished.append(self._run(job_id, store, copies))

    def shutdown(self) -> None:
        """Drop what is queued; a second call does nothing."""
        self._queued.clear()
        self._device.fence.close()

    def _run(self, job_id: int, store: bool, copies: list[_Copy]) -> Any:
        begin, size = self._device.transport.now(), 0
        try:
            for copy in copies:
                pages = self._pages[copy.group]
                blocks = self._sizes.part(copy.group, copy.place.first, copy.block, self._rank)
                if store:
                    run(self._transfer.write(blocks, pages.read(copy.block_id)))
                else:
                    pages.write(copy.block_id, run(self._transfer.read(blocks, pages.size)))
                size += pages.size
        except (BlockLost, DriverError, TransportError):
            return TransferResult(job_id, False)
        return TransferResult(job_id, True, size, (self._device.transport.now() - begin) / 1e9)

    def _copies(self, blocks: Any, chunks: Any) -> list[_Copy]:
        """Which block belongs where: the blocks of a group follow each other, the first may be inside a chunk."""
        copies: list[_Copy] = []
        block_ids = iter(blocks.block_ids)
        places = iter(chunks.places)
        factor = self._sizes.blocks_per_chunk
        for group, (count, first) in enumerate(zip(blocks.group_sizes, blocks.block_indices, strict=True)):
            place: Place | None = None
            for index in range(first, first + count):
                if place is None or index % factor == 0:
                    place = next(places)
                copies.append(_Copy(group, int(next(block_ids)), place, index % factor))
        return copies


class KvCpuOffloadingSpec(OffloadingSpec):  # type: ignore[misc]
    """What vLLM loads by name."""

    def __init__(self, config: Any) -> None:
        """Raises ValueError for a setting that is none."""
        super().__init__(config)
        self._config = config
        self._manager: KvCpuOffloadingManager | None = None
        self._worker: KvCpuOffloadingWorker | None = None

    def get_manager(self) -> KvCpuOffloadingManager:
        """The scheduler's side; configures the device if the settings say how.

        Raises:
            ValueError: a setting that is none, or a KV cache that does not fit the device.
            DriverError: no such device.
            FenceError: the lock file cannot be used.
        """
        if self._manager is None:
            device = attach(self._config.extra_config, self._config.engine_id, configure=True)
            with device.closed_on_error():
                sizes = geometry(self._config, device)
                core = run(Core.attach(device.driver, sizes, device.settings.tiers, device.fence))
            self._manager = KvCpuOffloadingManager(core, device.fence, events=self._config.enable_kv_cache_events)
        return self._manager

    def get_worker(self, kv_caches: Any) -> KvCpuOffloadingWorker:
        """A worker's side.

        Args:
            kv_caches: `CanonicalKVCaches` of vLLM.

        Raises:
            ValueError: a setting that is none, or a KV cache that does not fit the device.
            DriverError: no such device.
            FenceError: the lock file cannot be used.
        """
        if self._worker is None:
            device = attach(self._config.extra_config, self._config.engine_id, configure=False)
            with device.closed_on_error():
                sizes = geometry(self._config, device)
                pages = [
                    Pages([Page(kv_caches.tensors[ref.tensor_idx].tensor, ref.page_size_bytes) for ref in refs])
                    for refs in kv_caches.group_data_refs
                ]
            self._worker = KvCpuOffloadingWorker(device, sizes, pages, self._config.parallel.rank)
        return self._worker
