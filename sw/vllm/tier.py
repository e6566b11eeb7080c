"""The device as a secondary tier of vLLM's TieringOffloadingSpec, behind its CPU tier (software.md 6).

    "secondary_tiers": [{"type": "KvCpuSecondaryTier", "module_path": "sw.vllm.tier",
                         "kvcpu_transport": "...", ...}]

Needs vLLM. A store takes a chunk from the CPU tier's buffer, a load puts it back there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from vllm.v1.kv_offload.base import (  # type: ignore[import-not-found]
    LookupResult,
    Medium,
    OffloadingEvent,
    RequestOffloadingContext,
)
from vllm.v1.kv_offload.tiering.base import (  # type: ignore[import-not-found]
    JobResult,
    SecondaryTierManager,
)

from sw.driver.errors import DriverError
from sw.run import run
from sw.transport.base import TransportError
from sw.vllm.attachment import attach
from sw.vllm.core import Core, Place, Presence
from sw.vllm.geometry import Geometry
from sw.vllm.hints import parse
from sw.vllm.transfer import BlockLost, Transfer

_FOUND = {
    Presence.MISS: LookupResult.MISS,
    Presence.READY: LookupResult.HIT,
    Presence.PENDING: LookupResult.RETRY,
}


@dataclass(frozen=True, slots=True)
class _Job:
    """A queued copy: chunks of the CPU tier's buffer and their places on the device."""

    store: bool
    keys: list[bytes]
    places: list[Place]
    chunk_ids: list[int]


class KvCpuSecondaryTier(SecondaryTierManager):  # type: ignore[misc]
    """The same core as `sw.vllm.spec`, fed from the CPU tier.

    Submitting only sends commands and queues; the copies are made when vLLM polls or drains.
    """

    medium: ClassVar[Any] = Medium.CPU

    def __init__(
        self,
        offloading_spec: Any,
        primary_kv_view: memoryview,
        tier_type: str,
        backpressure_detector: Any = None,
        **settings: Any,
    ) -> None:
        """Attach to the device, and configure it if the settings say how.

        Args:
            offloading_spec: of the CPU tier.
            primary_kv_view: its buffer, shape (chunks, bytes).
            tier_type: name of this tier.
            backpressure_detector: vLLM's own.
            settings: `kvcpu_...`, as in `sw.vllm.attachment.Settings`.

        Raises:
            ValueError: a setting that is none, or chunks that do not fit the device.
            DriverError: no such device.
            FenceError: the lock file cannot be used.
        """
        super().__init__(offloading_spec, primary_kv_view, tier_type, backpressure_detector)
        config = offloading_spec.config
        self._device = attach(settings, config.engine_id, configure=True)
        self._chunks = np.asarray(primary_kv_view)
        self._chunk_bytes = self._chunks.nbytes // len(self._chunks)
        device = self._device
        with device.closed_on_error():
            self._sizes = Geometry.fit(
                layers=[len(group.layer_names) for group in config.groups],
                tokens_per_block=[group.tokens_per_block for group in config.groups],
                blocks_per_chunk=config.cache.blocks_per_chunk,
                workers=1,
                worker_bytes=-(-self._chunk_bytes // config.cache.blocks_per_chunk),
                block_tokens=device.driver.caps.block_tokens,
                block_bytes=device.block_bytes,
            )
            self._core = run(Core.attach(device.driver, self._sizes, device.settings.tiers, device.fence))
        self._transfer = Transfer(device.transport, device.fence, device.block_bytes, device.settings.port)
        self._events = bool(config.enable_kv_cache_events)
        self._name = tier_type
        self._queued: dict[int, _Job] = {}
        self._finished: list[Any] = []

    def lookup(self, key: bytes, req_context: Any) -> Any:
        """LOOKUP peek: HIT, RETRY while it is stored or moves, or MISS."""
        return _FOUND[run(self._core.lookup(req_context.req_id, key))]

    def touch(self, keys: Collection[bytes], req_context: Any) -> None:
        """LOOKUP touch."""
        run(self._core.touch(req_context.req_id, keys))

    def submit_store(self, job_metadata: Any) -> None:
        """INSERT the chunks that are not there, and queue their copies."""
        ids = {key: int(number) for key, number in zip(job_metadata.keys, job_metadata.chunk_ids, strict=True)}
        plan = run(self._core.prepare_store(job_metadata.req_context.req_id, ids))
        if plan is None:
            self._finished.append(JobResult(job_id=job_metadata.job_id, success=False))
            return
        chunk_ids = [ids[key] for key in plan.keys]
        self._queued[job_metadata.job_id] = _Job(True, plan.keys, plan.places, chunk_ids)

    def submit_load(self, job_metadata: Any) -> None:
        """SHARE and PREFETCH, and queue the copies."""
        keys = list(job_metadata.keys)
        try:
            places = run(self._core.prepare_load(job_metadata.req_context.req_id, keys))
        except KeyError:
            self._finished.append(JobResult(job_id=job_metadata.job_id, success=False))
            return
        chunk_ids = [int(number) for number in job_metadata.chunk_ids]
        self._queued[job_metadata.job_id] = _Job(False, keys, places, chunk_ids)

    def get_finished_jobs(self) -> Iterable[Any]:
        """Make the queued copies; the results of all jobs that were not reported yet."""
        self.drain_jobs()
        finished, self._finished = self._finished, []
        return finished

    def drain_jobs(self) -> None:
        """Make the queued copies now."""
        for job_id, job in list(self._queued.items()):
            del self._queued[job_id]
            self._finished.append(self._run(job_id, job))

    def has_pending_work(self) -> bool:
        """Whether copies are queued."""
        return bool(self._queued)

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
        return [
            OffloadingEvent(keys=[key], medium=Medium.CPU, removed=removed, ownership=self._name)
            for key, removed in taken
        ]

    def shutdown(self) -> None:
        """Leaves nothing of this engine in the directory; a second call does nothing."""
        self._queued.clear()
        if self._device.fence.closed:
            return
        try:
            run(self._core.reset())
            run(self._core.flushed())
        finally:
            self._device.fence.close()

    def _run(self, job_id: int, job: _Job) -> Any:
        begin = self._device.transport.now()
        success = True
        try:
            for place, chunk_id in zip(job.places, job.chunk_ids, strict=True):
                blocks = self._sizes.blocks(place.group, place.first)
                row = self._chunks[chunk_id]
                if job.store:
                    run(self._transfer.write(blocks, row.tobytes()))
                else:
                    data = run(self._transfer.read(blocks, self._chunk_bytes))
                    row.view(np.uint8)[:] = np.frombuffer(data, np.uint8)
        except (BlockLost, DriverError, TransportError):
            success = False
        if job.store:
            run(self._core.complete_store(job.keys, success=success))
        else:
            run(self._core.complete_load(job.keys))
        seconds = (self._device.transport.now() - begin) / 1e9
        size = len(job.chunk_ids) * self._chunk_bytes
        return JobResult(job_id=job_id, success=success, transfer_time=seconds, transfer_bytes=size if success else 0)
