"""A trace as the load of a serving engine: which turn follows which, and what an answer leaves for the next one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sw.policy.device import Blocks
from sw.policy.sessions import NONE, Sessions
from sw.serving.engine import Load
from tb.lab.stream import Flags, Stream


def load_of(
    stream: Stream, ends: Flags, *, block_tokens: int, closed: bool, speedup: float, decode_tokens_s: float
) -> Load:
    """The load of a stream; `ends` is what the runtime knows of session ends.

    In a closed loop a turn comes after the answer before and the user's pause: the trace's time between the two without
    the answer's, at `decode_tokens_s`. `speedup` divides the times of arrival, not the pauses of a closed loop.
    """
    prompts = [stream.blocks[begin:end] for begin, end in zip(stream.first[:-1], stream.first[1:], strict=True)]
    sessions = Sessions(stream.unique, stream.requests)
    follows = np.full(stream.requests, NONE, np.int64)
    pause, arrival = np.zeros(stream.requests), stream.arrival_ms / 1000 / speedup
    left = [prompt[:0] for prompt in prompts]
    for turn, prompt in enumerate(prompts):
        before = sessions.see(turn, prompt)
        if before == NONE or follows[before] != NONE:
            continue
        tokens = int(stream.prompt[before])
        left[before] = prompt[tokens // block_tokens : (tokens + int(stream.output[before])) // block_tokens]
        if closed:
            follows[before] = turn
            between = (stream.arrival_ms[turn] - stream.arrival_ms[before]) / 1000
            pause[before] = max(0.0, float(between) - float(stream.output[before]) / decode_tokens_s)
            arrival[turn] = np.inf
    return Load(prompts, stream.prompt, stream.output, arrival, follows, pause, left, ends, stream.unique)


def tenanted(stream: Stream, tenants: int, seed: int) -> tuple[Stream, Blocks]:
    """The stream with its sessions dealt out among tenants, who share no blocks; and the tenant of each request."""
    sessions, draw = Sessions(stream.unique, stream.requests), np.random.default_rng(seed)
    tenant = draw.integers(tenants, size=stream.requests)
    for turn, (begin, end) in enumerate(zip(stream.first[:-1], stream.first[1:], strict=True)):
        before = sessions.see(turn, stream.blocks[begin:end])
        if before != NONE:
            tenant[turn] = tenant[before]
    own = stream.blocks * tenants + np.repeat(tenant, np.diff(stream.first))
    _, numbers = np.unique(own, return_inverse=True)
    return replace(stream, blocks=numbers.astype(np.int64)), tenant
