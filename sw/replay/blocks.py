"""What the runtime knows of its blocks: which are in the directory, who uses them, what they hold."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sw.regs.kv_address import TOKENS, KvAddress

Run = tuple[int, int]
"""A range of one request: first token, tokens."""


@dataclass(slots=True, eq=False)
class Block:
    """One KV block: its address, the tokens it holds, how often it was made anew, who uses it."""

    kv_addr: KvAddress
    tokens: int
    version: int = 0
    present: bool = False
    users: int = 0

    @property
    def first(self) -> int:
        """KV address of its first token, packed."""
        return self.kv_addr.pack()


class PrefixBlocks:
    """Blocks of request 0: each distinct hash id has a block-aligned token range of its own.

    Ranges are given in the order of first sight, so that a prompt's blocks are neighbours. What is in
    the directory and has no user waits in LRU order for its removal.
    """

    def __init__(self, block_tokens: int) -> None:
        self._block_tokens = block_tokens
        self._by_hash: dict[int, Block] = {}
        self._unused: OrderedDict[int, Block] = OrderedDict()  # first token -> block, oldest first

    def prompt(self, hash_ids: Iterable[int]) -> list[Block]:
        """The blocks of a prompt in order; ids not seen before get a range.

        Raises:
            ValueError: request 0 has no tokens left.
        """
        return [self._by_hash.get(hash_id) or self._new(hash_id) for hash_id in hash_ids]

    def _new(self, hash_id: int) -> Block:
        token = len(self._by_hash) * self._block_tokens
        if token >= TOKENS:
            raise ValueError(f"more than {TOKENS // self._block_tokens:,} distinct blocks in one replay")
        block = self._by_hash[hash_id] = Block(KvAddress(0, 0, 0, token), self._block_tokens)
        return block

    def use(self, block: Block) -> None:
        """A running request needs the block: it is not removed."""
        block.users += 1
        self._unused.pop(block.kv_addr.token, None)

    def leave(self, block: Block) -> None:
        """The request has ended; without another user the block may be removed, this one last."""
        block.users -= 1
        if block.present and not block.users:
            self._unused[block.kv_addr.token] = block

    def least_valuable(self, count: int) -> list[Block]:
        """Up to `count` blocks without users, least recently used first; they are forgotten here."""
        taken = max(0, min(count, len(self._unused)))
        return [self._unused.popitem(last=False)[1] for _ in range(taken)]

    def present(self) -> Iterator[Block]:
        """Every block that is in the directory."""
        return (block for block in self._by_hash.values() if block.present)


def runs(blocks: Iterable[Block]) -> list[Run]:
    """Neighbouring blocks of one request as ranges of tokens, ascending; every block counts once."""
    found: list[Run] = []
    for first, tokens in sorted({(block.kv_addr.token, block.tokens) for block in blocks}):
        if found and sum(found[-1]) == first:
            found[-1] = (found[-1][0], found[-1][1] + tokens)
        else:
            found.append((first, tokens))
    return found
