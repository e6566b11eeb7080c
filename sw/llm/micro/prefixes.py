"""Shared prefixes: prompts that begin alike share the blocks of their common, block-aligned beginning.

Such blocks live in request 0, each in a block-aligned token range of its own (software.md 1). They form a
tree: a block is found by its model, the block before it, and its own tokens.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from sw.regs.kv_address import TOKENS, KvAddress

Run = tuple[int, int]
"""A range of request 0: first token, tokens."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many layers and kv heads a model's sequence has: one device block for each at every block of tokens."""

    layers: int
    kv_heads: int

    def addresses(self, request_id: int, token: int) -> list[KvAddress]:
        """The KV address at a token for every layer and kv head, layers outermost."""
        return [
            KvAddress(request_id, layer, head, token) for layer in range(self.layers) for head in range(self.kv_heads)
        ]


@dataclass(eq=False, slots=True)
class PrefixBlock:
    """A block of tokens that prompts may share.

    Attributes:
        model: whose K and V it holds.
        shape: of that model.
        parent: the block before it; None for a prompt's first.
        tokens: token ids of the block.
        first: its first token in request 0.
        users: sequences that have it now.
        ready: all its bytes are written.
    """

    model: Hashable
    shape: Shape
    parent: PrefixBlock | None
    tokens: tuple[int, ...]
    first: int
    users: int = 1
    ready: bool = False

    @property
    def addresses(self) -> list[KvAddress]:
        """Every device block of it."""
        return self.shape.addresses(0, self.first)


class PrefixPool:
    """The prefix blocks of one device; those without a user wait for their removal, oldest use first.

    Users leave a block after the blocks behind it, so that no block goes before its children.
    """

    def __init__(self, block_tokens: int) -> None:
        """Be empty; blocks have `block_tokens` tokens."""
        self.block_tokens = block_tokens
        self._blocks: dict[tuple[Hashable, PrefixBlock | None, tuple[int, ...]], PrefixBlock] = {}
        self._unused: OrderedDict[PrefixBlock, None] = OrderedDict()
        self._free: list[int] = []
        self._next = 0

    def find(self, model: Hashable, parent: PrefixBlock | None, tokens: tuple[int, ...]) -> PrefixBlock | None:
        """The block of a model with these tokens behind `parent`, if there is one."""
        return self._blocks.get((model, parent, tokens))

    def chain(self, model: Hashable, prompt: Iterable[tuple[int, ...]]) -> list[PrefixBlock]:
        """The ready blocks with which a prompt, cut into blocks of tokens, begins."""
        found: list[PrefixBlock] = []
        for tokens in prompt:
            block = self.find(model, found[-1] if found else None, tokens)
            if block is None or not block.ready:
                break
            found.append(block)
        return found

    def add(
        self, model: Hashable, shape: Shape, parent: PrefixBlock | None, tokens: tuple[int, ...]
    ) -> PrefixBlock | None:
        """A new block with one user, in a token range that no other has; None when request 0 is full."""
        if self._free:
            first = self._free.pop()
        elif self._next + self.block_tokens <= TOKENS:
            first, self._next = self._next, self._next + self.block_tokens
        else:
            return None
        block = PrefixBlock(model, shape, parent, tokens, first)
        self._blocks[model, parent, tokens] = block
        return block

    def use(self, block: PrefixBlock) -> None:
        """One more sequence has the block."""
        block.users += 1
        self._unused.pop(block, None)

    def leave(self, block: PrefixBlock) -> None:
        """A sequence does not need the block any more."""
        block.users -= 1
        if not block.users:
            self._unused[block] = None

    def oldest(self) -> PrefixBlock | None:
        """The block without a user that was left first."""
        return next(iter(self._unused), None)

    def drop(self, block: PrefixBlock) -> None:
        """Forget a block that is not in the device any more."""
        del self._blocks[block.model, block.parent, block.tokens]
        self._unused.pop(block, None)
        self._free.append(block.first)

    def of(self, model: Hashable) -> list[PrefixBlock]:
        """Every block of a model that has no user."""
        return [block for block in self._unused if block.model == model]

    def runs(self, blocks: Iterable[PrefixBlock]) -> list[Run]:
        """Ranges of request 0 that hold blocks, neighbours together, ascending."""
        found: list[Run] = []
        for first in sorted(block.first for block in blocks):
            if found and sum(found[-1]) == first:
                found[-1] = (found[-1][0], found[-1][1] + self.block_tokens)
            else:
                found.append((first, self.block_tokens))
        return found
