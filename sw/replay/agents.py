"""Seeded generator of agent traffic: long sessions of short turns behind long prefixes that many sessions share.

Its shape is the published one of tool-using agents: a median of 43 turns a session, a system prompt with the tools'
descriptions that all sessions of an application share, turns that add a tool's output, pauses of seconds between them
(the tool runs) and now and then of minutes (a person reads). `tests/replay/test_agents.py` measures these figures.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from sw.replay.trace import DEFAULT_BLOCK_TOKENS, TraceRequest

APPLICATIONS = 6
SESSIONS_PER_S = 0.06
MEDIAN_TURNS = 43
MAX_TURNS = 400
MAX_INPUT = 126_000
PERSON = 0.04  # of the pauses are a person's


@dataclass(slots=True)
class _Session:
    ids: list[int]
    tokens: int
    turns: int


class _Source:
    """Draws of one generator, and the ids it has given."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._next_id = 0
        self._applications = [self.ids(6 + 4 * n) for n in range(APPLICATIONS)]

    def ids(self, count: int) -> list[int]:
        """New ids."""
        first = self._next_id
        self._next_id += count
        return list(range(first, first + count))

    def session(self) -> _Session:
        """A new session of one application, with its first task."""
        prefix = self._applications[min(APPLICATIONS - 1, int(self.random.expovariate(0.6)))]
        turns = min(MAX_TURNS, 1 + int(self.random.lognormvariate(math.log(MEDIAN_TURNS - 0.5), 0.8)))
        session = _Session(list(prefix), len(prefix) * DEFAULT_BLOCK_TOKENS, turns)
        self.grow(session, int(self.random.lognormvariate(math.log(900), 0.9)))
        return session

    def grow(self, session: _Session, tokens: int) -> None:
        """The prompt gets longer by so many tokens; its last, partial block changes."""
        whole = session.tokens // DEFAULT_BLOCK_TOKENS
        session.tokens = min(MAX_INPUT, session.tokens + max(1, tokens))
        needed = -(-session.tokens // DEFAULT_BLOCK_TOKENS)
        session.ids = session.ids[:whole] + self.ids(needed - whole)

    def output(self) -> int:
        """Tokens of an answer: most are a tool call."""
        return 1 + int(self.random.lognormvariate(math.log(120), 0.8))

    def tool_output(self) -> int:
        """Tokens that a tool adds."""
        return int(self.random.lognormvariate(math.log(450), 1.1))

    def pause_ms(self) -> int:
        """Between an answer and the next turn."""
        median = 90.0 if self.random.random() < PERSON else 4.0
        return int(1000 * self.random.lognormvariate(math.log(median), 0.8))


def generate_agents(seed: int, requests: int) -> Iterator[TraceRequest]:
    """`requests` requests in order of arrival; the same for the same arguments."""
    source = _Source(seed)
    turns: list[tuple[int, int, _Session]] = []  # (due in ms, number, session)
    fresh_ms = 0.0
    made = 0
    while made < requests:
        if turns and turns[0][0] <= fresh_ms:
            due, _, session = heapq.heappop(turns)
        else:
            due, session = int(fresh_ms), source.session()
            fresh_ms += source.random.expovariate(SESSIONS_PER_S / 1000)
        output = source.output()
        yield TraceRequest(due, session.tokens, output, tuple(session.ids))
        made += 1
        session.turns -= 1
        if session.turns > 0 and session.tokens < MAX_INPUT:
            source.grow(session, output + source.tool_output())
            heapq.heappush(turns, (due + output * 30 + source.pause_ms(), made, session))
