"""Bytes between a buffer and the device's blocks, wherever the device has moved them."""

from __future__ import annotations

from collections.abc import Sequence

from sw.regs.kv_address import KvAddress
from sw.transport.base import Lookup, LookupAnswer, Transport
from sw.vllm.fence import Fence


class BlockLost(Exception):
    """A block that should be there is not, or the port may not look it up; nothing was replaced by a guess."""


class Transfer:
    """Copies through one lookup port.

    A lookup tells where a block is, and holds it there until the next step; so lookups and the
    memory accesses that follow are done with the fence held.
    """

    def __init__(self, transport: Transport, fence: Fence, block_bytes: int, port: int = 0) -> None:
        """Copy through `port`, blocks of `block_bytes` bytes."""
        self._transport = transport
        self._fence = fence
        self._block_bytes = block_bytes
        self._port = port

    async def write(self, blocks: Sequence[KvAddress], data: bytes) -> None:
        """Spread `data` evenly over the blocks, in order.

        Raises:
            BlockLost: a block is not in the directory; the bytes before it are written.
            ValueError: the blocks are too small.
        """
        size = self._share(len(blocks), len(data))
        with self._fence.held():
            for number, answer in enumerate(await self._lookups(blocks, write=True)):
                piece = data[number * size : (number + 1) * size]
                if piece:
                    await self._transport.mem_write(answer.tier, answer.phys_addr, piece)

    async def read(self, blocks: Sequence[KvAddress], size: int) -> bytes:
        """What `write` of `size` bytes has left there.

        Raises:
            BlockLost: a block is not in the directory.
            ValueError: the blocks are too small.
        """
        share = self._share(len(blocks), size)
        data = bytearray()
        with self._fence.held():
            for answer in await self._lookups(blocks, write=False):
                count = min(share, size - len(data))
                if count:
                    data += await self._transport.mem_read(answer.tier, answer.phys_addr, count)
        return bytes(data)

    def _share(self, blocks: int, size: int) -> int:
        share = -(-size // blocks)
        if share > self._block_bytes:
            raise ValueError(f"{size} bytes do not fit into {blocks} blocks of {self._block_bytes}")
        return share

    async def _lookups(self, blocks: Sequence[KvAddress], *, write: bool) -> list[LookupAnswer]:
        requests = [Lookup(self._port, block.pack(), write) for block in blocks]
        answers = await self._transport.lookups(requests)
        for block, answer in zip(blocks, answers, strict=True):
            if not answer.hit:
                raise BlockLost(f"block {block} is {'denied' if answer.denied else 'not in the directory'}")
        return answers
