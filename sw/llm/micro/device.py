"""Keys and values in the device's tier memories, wherever it has moved them (software.md 4).

A block is K and V of BLOCK_TOKENS tokens of one layer and kv head. Whole blocks of a prompt live in request
0, where later prompts that begin alike find them; all else lives in the sequence's own request, at its
position in the text. Nothing is kept here but which blocks there are: each step looks every block up.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from sw.llm.backend import DeviceFault
from sw.llm.micro.kvformat import BlockLayout
from sw.llm.micro.model import ModelConfig
from sw.llm.micro.prefixes import PrefixBlock, Shape
from sw.llm.micro.session import DeviceSession, NewBlock, Place, Wanted
from sw.llm.package import Quantisation
from sw.llm.quantisation import Floats
from sw.metrics.usage import Usage
from sw.regs.kv_address import KvAddress


@dataclass(frozen=True, slots=True)
class _Block:
    """Where BLOCK_TOKENS tokens of the sequence are named: a request's range from token `first` on.

    `adopted`: another sequence has written it, and this one holds a reference.
    """

    request_id: int
    first: int
    prefix: PrefixBlock | None = None
    adopted: bool = False


class DeviceKv:
    """The KvStore of one sequence in the device's memories."""

    def __init__(self, stores: DeviceStores, request_id: int, prompt: Sequence[int]) -> None:
        """Be empty; use `DeviceStores.open`."""
        self._stores = stores
        self._session = stores.session
        self._epoch = stores.session.epoch
        self._request_id = request_id
        self._prompt = tuple(prompt)
        self._blocks: list[_Block] = []
        self._inserted = 0  # of the blocks, by the steps before this one
        self._private = False  # the rest of the prompt is not shared
        self._first = 0
        self._length = 0
        self._open = True
        self._usage = Usage()
        config = stores.config
        shape = (config.kv_heads, config.context, config.head_dim)
        self._keys = np.zeros(shape, np.float32)
        self._values = np.zeros(shape, np.float32)

    @property
    def length(self) -> int:
        """Tokens that are stored, those of the step begun included."""
        return self._length

    @property
    def usage(self) -> Usage:
        """What the sequence has cost."""
        return self._usage

    # ------------------------------------------------------------------ growing

    async def adopt(self) -> int:
        """Take over blocks of a prompt that begins alike: SHARE keeps them where they are needed."""
        self._check_open()
        size = self._stores.block_tokens
        if self._private or self._length != len(self._blocks) * size:
            return 0
        found = self._ready_blocks()
        self._blocks += [_Block(0, prefix.first, prefix, adopted=True) for prefix in found]
        self._length += len(found) * size
        self._usage.shared_tokens += len(found) * size
        for prefix in found:
            self._session.prefixes.use(prefix)
        runs = self._session.prefixes.runs(found)
        await self._session.hint(self._session.driver.share, self._stores.shape, 0, runs)
        return len(found) * size

    def _ready_blocks(self) -> list[PrefixBlock]:
        """Prefix blocks that hold the prompt's next tokens; they leave a token to compute."""
        have = len(self._blocks)
        most = (len(self._prompt) - 1) // self._stores.block_tokens
        chain = self._session.prefixes.chain(self._stores.model, self._stores.cut(self._prompt)[:most])
        return chain[have:] if [b.prefix for b in self._blocks] == chain[:have] else []

    async def begin(self, count: int) -> None:
        """STEP_ADVANCE, then INSERT of the blocks that the step's tokens begin."""
        self._check_open()
        end = self._length + count
        if end > self._stores.config.context:
            raise ValueError(f"{self._length} + {count} tokens: the context is {self._stores.config.context}")
        await self._session.advance()
        size = self._stores.block_tokens
        self._inserted = len(self._blocks)
        new: list[NewBlock] = []
        for number in range(len(self._blocks), -(-end // size)):
            block = self._new_block(number)
            self._blocks.append(block)
            tokens = min(size, end - number * size)
            addresses = self._stores.shape.addresses(block.request_id, block.first)
            new += [NewBlock(address, tokens) for address in addresses]
        await self._session.insert(new, self._usage)
        self._first, self._length = self._length, end

    def _new_block(self, number: int) -> _Block:
        """The place in the directory for block `number` of the sequence."""
        size, pool = self._stores.block_tokens, self._session.prefixes
        tokens = self._prompt[number * size : (number + 1) * size]
        if not self._private and len(tokens) == size:
            parent = self._blocks[-1].prefix if self._blocks else None
            if pool.find(self._stores.model, parent, tokens) is None:
                prefix = pool.add(self._stores.model, self._stores.shape, parent, tokens)
                if prefix is not None:
                    return _Block(0, prefix.first, prefix)
        # Another sequence writes this very block now, or the prompt has ended: from here on it is ours alone.
        self._private = True
        return _Block(self._request_id, number * size)

    # ------------------------------------------------------------------ bytes

    async def write(self, layer: int, k: Floats, v: Floats) -> None:
        """Write lookups, then the rows at the addresses that they give."""
        self._check_open()
        rows = self._stores.layout.pack(k, v)
        size = self._stores.block_tokens
        parts: list[tuple[int, int, int]] = []  # head, first and last token of the step in one block
        wanted: list[Wanted] = []
        for number in range(self._first // size, len(self._blocks)):
            first, end = max(self._first, number * size), min(self._length, (number + 1) * size)
            for head in range(self._stores.shape.kv_heads):
                # An old tail block grows token by token; a new one has all its tokens from INSERT on.
                grows = range(first, end) if number < self._inserted else range(end - 1, end)
                wanted += [Wanted(self._address(layer, head, token), write=True) for token in grows]
                parts += [(head, first, end)] * len(grows)
        places = dict(zip(parts, await self._session.look(wanted, self._usage), strict=True))
        for (head, first, end), place in places.items():
            data = rows[first - self._first : end - self._first, head].tobytes()
            await self._session.write(place, first % size * self._stores.layout.token_bytes, data, self._usage)
        if layer == self._stores.shape.layers - 1:
            self._set_ready()

    def _set_ready(self) -> None:
        """Whole prefix blocks are written in every layer now: other sequences may have them."""
        size = self._stores.block_tokens
        for block in self._blocks[self._first // size : self._length // size]:
            if block.prefix:
                block.prefix.ready = True

    async def read(self, layer: int) -> tuple[Floats, Floats]:
        """Read lookups of all the layer's blocks, then their bytes, from where they are now."""
        self._check_open()
        size, layout = self._stores.block_tokens, self._stores.layout
        last = [min(self._length, (number + 1) * size) - 1 for number in range(len(self._blocks))]
        heads = range(self._stores.shape.kv_heads)
        wanted = [Wanted(self._address(layer, head, token)) for head in heads for token in last]
        places = iter(await self._session.look(wanted, self._usage))
        rows = [b"".join([await self._rows(next(places), token % size + 1) for token in last]) for _ in heads]
        shaped = np.frombuffer(b"".join(rows), np.uint8).reshape(len(heads), self._length, layout.token_bytes)
        self._keys[:, : self._length], self._values[:, : self._length] = layout.unpack(shaped)
        return self._keys, self._values

    async def _rows(self, place: Place, tokens: int) -> bytes:
        return await self._session.read(place, tokens * self._stores.layout.token_bytes, self._usage)

    def _address(self, layer: int, head: int, token: int) -> KvAddress:
        """The KV address of a token of the text."""
        number, offset = divmod(token, self._stores.block_tokens)
        block = self._blocks[number]
        return KvAddress(block.request_id, layer, head, block.first + offset)

    # ------------------------------------------------------------------ the end

    async def close(self) -> None:
        """The sequence's last step is over: RELEASE what was shared, EVICT what is not needed now, FREE_REQUEST."""
        if not self._open:
            return
        self._open = False
        if self._epoch != self._session.epoch or not self._blocks:
            return  # a reset has emptied the device, or nothing was ever there
        session, shape = self._session, self._stores.shape
        prefixes = [block.prefix for block in self._blocks if block.prefix]
        adopted = session.prefixes.runs(b.prefix for b in self._blocks if b.prefix and b.adopted)
        for prefix in reversed(prefixes):
            session.prefixes.leave(prefix)
        await session.advance()  # a block that the last step has used would not move down in it
        await session.hint(session.driver.release, shape, 0, adopted)
        for prefix in reversed(prefixes):
            if not prefix.ready:
                await session.remove(prefix)
        unused = session.prefixes.runs(prefix for prefix in prefixes if prefix.ready and not prefix.users)
        await session.hint(session.driver.evict, shape, 0, unused)
        own = [block.first for block in self._blocks if block.prefix is None]
        if own:
            tokens = len(own) * self._stores.block_tokens
            await session.hint(session.driver.evict, shape, self._request_id, [(own[0], tokens)])
            await session.free(self._request_id)

    def _check_open(self) -> None:
        if not self._open:
            raise RuntimeError(f"the sequence of request {self._request_id} is closed")
        if self._epoch != self._session.epoch:
            raise DeviceFault(f"the device was reset: the blocks of request {self._request_id} are lost")


class DeviceStores:
    """Makes device stores for a model.

    Attributes:
        session: the device.
        config: sizes of the model.
        layout: of a block's bytes.
        model: names the model among those that share the device.
        shape: layers and kv heads.
    """

    def __init__(self, session: DeviceSession, config: ModelConfig, form: Quantisation, model: Hashable) -> None:
        """Stores of that model's sizes, rounding to `form`.

        Raises:
            ValueError: a block of the model is larger than BLOCK_BYTES.
        """
        self.session = session
        self.config = config
        self.layout = BlockLayout(form, config.head_dim, session.block_tokens)
        self.model = model
        self.shape = Shape(config.layers, config.kv_heads)
        if self.layout.block_bytes > session.block_bytes:
            raise ValueError(
                f"a block of the model has {self.layout.block_bytes} bytes, BLOCK_BYTES is {session.block_bytes}"
            )

    @property
    def block_tokens(self) -> int:
        """Tokens of a block."""
        return self.layout.block_tokens

    def cut(self, prompt: Sequence[int]) -> list[tuple[int, ...]]:
        """The whole blocks of a prompt."""
        size = self.block_tokens
        return [tuple(prompt[n : n + size]) for n in range(0, len(prompt) // size * size, size)]

    def blocks(self, tokens: int) -> int:
        """One for each layer, kv head and begun block of tokens."""
        return self.shape.layers * self.shape.kv_heads * -(-tokens // self.block_tokens)

    def open(self, request_id: int, prompt: Sequence[int]) -> DeviceKv:
        """The empty store of a new sequence."""
        return DeviceKv(self, request_id, prompt)

    async def announce(self, prompt: Sequence[int]) -> None:
        """PREFETCH, for the next step, of the blocks that the prompt will find."""
        session, blocks = self.session, self.session.prefixes.chain(self.model, self.cut(prompt))

        async def prefetch(first: KvAddress, tokens: int) -> None:
            await session.driver.prefetch(first, tokens, session.next_step)

        await session.hint(prefetch, self.shape, 0, session.prefixes.runs(blocks))

    async def unload(self) -> None:
        """REMOVE the model's prefixes."""
        for prefix in self.session.prefixes.of(self.model):
            await self.session.remove(prefix)
