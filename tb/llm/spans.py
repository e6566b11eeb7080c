"""Servers, chunks and prompts of a run as spans of its timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sw.kernel.scheduler import Decision
from tb.events.timeline import Span
from tb.llm.outcome import Served

SERVERS, PROMPTS = "scheduler", "prompts"


def server_spans(decisions: Iterable[Decision]) -> Iterator[Span]:
    """Each chunk from its dispatch to its end, and the time in which a server waits for its budget."""
    dispatched: dict[int, Decision] = {}
    throttled: dict[int, Decision] = {}
    for one in decisions:
        if one.what == "dispatch":
            dispatched[one.server_id] = one
        elif one.what == "ran" and (begun := dispatched.pop(one.server_id, None)):
            args = {"budget left, ns": one.c, "deadline, ns": one.d}
            name = f"chunk of job {one.job_id}"
            yield Span(SERVERS, f"server {one.server_id}", name, begun.time_ns, one.time_ns, args=args)
        elif one.what == "throttle":
            throttled[one.server_id] = one
        elif one.what == "replenish":
            track = f"server {one.server_id}"
            if waited := throttled.pop(one.server_id, None):
                yield Span(SERVERS, f"{track}, throttled", "throttled", waited.time_ns, one.time_ns)
            yield Span(SERVERS, track, "replenish", one.time_ns, args={"budget, ns": one.c, "deadline, ns": one.d})


def prompt_spans(served: Iterable[Served]) -> Iterator[Span]:
    """Each prompt from its acceptance to its end, and its tokens."""
    for one in served:
        track = f"prompt {one.number}"
        args = {"tokens": len(one.tokens), "deadline, ns": one.deadline_ns, "missed": one.missed}
        yield Span(PROMPTS, track, one.state, one.accepted_ns, one.ended_ns, args=args)
        for place, at in enumerate(one.token_ns, 1):
            yield Span(PROMPTS, track, f"token {place}", at)
