"""Seeded generator of traces with the shape of the two published ones.

What it imitates, with the figures of the published conversation trace (12,031 requests) in brackets:
one system prompt block in front of every prompt (its first hash id is in all); conversations whose
next turn's prompt is the last one's and more (34 % of requests are a later turn); prompts from some
hundred to 126,000 tokens (median 6,909, mean 12,035); outputs of a few or of some hundred tokens
(median 350, mean 343); arrivals in batches of 3 s, 3.4 requests a second; 37 % of all references
meet an id that was there before, 76 % of the ids come once. From the synthetic trace: applications
with a long system prompt of their own that many conversations share.

A short trace is that of a smaller service, not a piece of a long one: the pauses between two turns
shrink with the number of requests, so that reuse has the published share at every length.
`tests/replay/test_generator.py` measures all these figures over several seeds.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from sw.replay.trace import DEFAULT_BLOCK_TOKENS, TraceRequest

REQUESTS_PER_S = 3.4
BATCH_MS = 3000
PUBLISHED_REQUESTS = 12_031
MAX_INPUT = 126_000
APPLICATIONS = 4


@dataclass(slots=True)
class _Conversation:
    ids: list[int]
    tokens: int


class _Source:
    """Draws of one generator, and the ids it has given."""

    def __init__(self, seed: int, requests: int) -> None:
        self.random = random.Random(seed)
        self.pause_scale = min(1.0, requests / PUBLISHED_REQUESTS)
        self._next_id = 1
        self._applications = [self.ids(2 + 3 * n) for n in range(APPLICATIONS)]

    def ids(self, count: int) -> list[int]:
        """New ids."""
        first = self._next_id
        self._next_id += count
        return list(range(first, first + count))

    def first_prompt(self) -> _Conversation:
        """A conversation's first prompt: log-normal, sometimes behind an application's system prompt."""
        tokens = min(MAX_INPUT, 64 + int(self.random.lognormvariate(math.log(5600), 1.25)))
        shared = [0]
        if self.random.random() < 0.1:
            shared += self._applications[self.random.randrange(APPLICATIONS)]
        own = max(0, _blocks(tokens) - len(shared))
        return _Conversation(shared + self.ids(own), max(tokens, (len(shared) - 1) * DEFAULT_BLOCK_TOKENS + 1))

    def grow(self, conversation: _Conversation, output: int) -> None:
        """The next turn's prompt: all before, the answer, and the user's text."""
        more = output + int(self.random.lognormvariate(math.log(350), 1.4))
        tokens = min(MAX_INPUT, conversation.tokens + more)
        kept = conversation.tokens // DEFAULT_BLOCK_TOKENS  # the last, partial block changes
        ids = conversation.ids[: max(1, kept)]
        conversation.ids = ids + self.ids(max(0, _blocks(tokens) - len(ids)))
        conversation.tokens = max(tokens, conversation.tokens)

    def output(self) -> int:
        """Tokens of an answer: one in eight is short."""
        if self.random.random() < 0.13:
            return 1 + int(self.random.lognormvariate(math.log(10), 1.0))
        return min(2000, max(20, int(self.random.gammavariate(3.6, 108))))

    def pause_ms(self) -> int:
        """Between two turns: log-normal, median 126 s."""
        return int(1000 * self.pause_scale * self.random.lognormvariate(math.log(126), 1.1))

    def goes_on(self) -> bool:
        """Whether the user asks again; those who did before do so more often."""
        return self.random.random() < 0.36


def _blocks(tokens: int) -> int:
    return -(-tokens // DEFAULT_BLOCK_TOKENS)


def generate(seed: int, requests: int) -> Iterator[TraceRequest]:
    """`requests` requests in order of arrival; the same for the same arguments."""
    source = _Source(seed, requests)
    turns: list[tuple[int, int, _Conversation]] = []  # (due in ms, number, conversation)
    fresh_ms = 0.0
    made = 0
    while made < requests:
        if turns and turns[0][0] <= fresh_ms:
            due, _, conversation = heapq.heappop(turns)
        else:
            due, conversation = int(fresh_ms), source.first_prompt()
            fresh_ms += source.random.expovariate(REQUESTS_PER_S * 0.64 / 1000)
        output = source.output()
        arrival = -(-due // BATCH_MS) * BATCH_MS
        yield TraceRequest(arrival, conversation.tokens, output, tuple(conversation.ids))
        made += 1
        if source.goes_on():
            source.grow(conversation, output)
            heapq.heappush(turns, (due + source.pause_ms(), made, conversation))
