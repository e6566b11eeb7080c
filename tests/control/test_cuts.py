"""B7: where the bytes of a stream are cut changes nothing, on a whole system whose polls wait for tokens."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sw.codes import Code
from sw.control.frames import Command, encode_request
from sw.control.llm_commands import InferState
from sw.control.plane import ControlStream, Patience
from sw.control.stream import TIMEOUT_NS
from sw.kernel.ring import SLOTS
from sw.llm.config import ClassBudget
from sw.metrics import snapshots
from sw.node.frames import progress
from sw.run import run
from sw.slices import uninterrupted
from tests.control.system import split
from tests.llm.stack import MS, Stack, Tenant, make_stack

# a poll of class 1 waits for its server longer than a frame may take to come whole
CLASSES = (ClassBudget(2 * MS, 10 * MS), ClassBudget(MS, 3 * TIMEOUT_NS), None, None)


class Talk:
    """A fresh system, a stream of one tenant, and what was said on it."""

    def __init__(self, folder: Path) -> None:
        self.stack: Stack = make_stack(folder, classes=CLASSES)
        self.tenant: Tenant = self.stack.tenant("a")
        self.prompt = self.tenant.buffer(b"one two")
        self.stream: ControlStream = self.stack.system.plane.open_stream()
        self.replies = b""

    def request(self, command: Command, *arguments: int) -> bytes:
        return encode_request(command, self.tenant.token, *arguments)

    def say(self, data: bytes) -> bytes:
        """One packet; its replies."""
        patience = Patience(lambda infer_id: progress(self.stack.system, infer_id, uninterrupted))
        new = run(self.stream.feed(data, patience))
        self.replies += new
        return new


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    talk = Talk(tmp_path)
    talk.say(talk.request(Command.LLM_INFER_START, talk.prompt, 3, 0, 0))
    return talk


def test_b7_a_poll_in_two_packets_waits_for_tokens(talk: Talk) -> None:
    poll = talk.request(Command.LLM_INFER_POLL, 1, 12)
    assert talk.say(poll[:10]) == b""
    (reply,) = split(talk.say(poll[10:]))
    assert (reply.code, reply.fields[3]) == (Code.OK, 1)


def test_b7_a_poll_and_the_beginning_of_the_next_frame(talk: Talk) -> None:
    poll, status = talk.request(Command.LLM_INFER_POLL, 1, 12), talk.request(Command.LLM_STATUS)
    (reply,) = split(talk.say(poll + status[:5]))
    assert (reply.code, reply.fields[3]) == (Code.OK, 1)
    (reply,) = split(talk.say(status[5:]))
    assert (reply.code, reply.command) == (Code.OK, Command.LLM_STATUS)
    assert talk.stack.system.plane.dropped == 0


def test_b9_dropped_bytes_are_in_the_metrics(talk: Talk) -> None:
    talk.say(b"noise")
    run(talk.stack.system.observe())
    assert snapshots.snapshot(talk.stack.system.metrics)["control_dropped_bytes"] == 5
    assert "\ncontrol_dropped_bytes 5\n" in snapshots.prometheus(talk.stack.system.metrics)


def test_b7_two_polls_in_a_packet_each_wait(talk: Talk) -> None:
    replies = split(talk.say(talk.request(Command.LLM_INFER_POLL, 1, 12) * 4))
    assert [reply.fields[3] for reply in replies[:3]] == [1, 1, 1]
    assert replies[2].fields[1] == InferState.DONE
    assert replies[3].code is Code.NOT_FOUND, "it was read to its end"


def test_b7_the_wait_of_a_poll_is_no_wait_for_the_frame_behind_it(talk: Talk) -> None:
    """Device time that passes while a request is answered is not the client's delay."""
    talk.say(talk.request(Command.LLM_INFER_START, talk.prompt, 2, 1, 0))
    poll, status = talk.request(Command.LLM_INFER_POLL, 2, 1), talk.request(Command.LLM_STATUS)
    talk.stack.admin.ask(Command.LLM_BUDGET, 1, 0, 0, 1, 3 * TIMEOUT_NS, 1)  # a token in each 300 ms
    before = talk.stack.system.clock.now()
    replies = split(talk.say(poll * 2 + status[:5]))
    assert [reply.fields[3] for reply in replies] == [1, 1]
    assert talk.stack.system.clock.now() - before > TIMEOUT_NS
    assert [reply.code for reply in split(talk.say(status[5:]))] == [Code.OK]


def test_the_100_ms_of_a_frame_still_end(talk: Talk) -> None:
    status = talk.request(Command.LLM_STATUS)
    talk.say(talk.request(Command.LLM_INFER_POLL, 1, 12) + status[:9])
    talk.stack.wait(TIMEOUT_NS)
    assert split(talk.say(status[9:]))[0].code is Code.BAD_FRAME


def test_a_poll_that_asks_for_nothing_does_not_wait(talk: Talk) -> None:
    (reply,) = split(talk.say(talk.request(Command.LLM_INFER_POLL, 1, 0)))
    assert reply.fields[1] == InferState.QUEUED


def said(talk: Talk, draw: random.Random) -> bytes:
    """Frames and noise."""
    parts = []
    for _ in range(draw.randrange(1, 14)):
        number, tokens, cls = draw.randrange(1, 4), draw.choice((1, 3, SLOTS + 6)), draw.choice((0, 1))
        part = draw.choice(
            [
                talk.request(Command.LLM_INFER_START, talk.prompt, tokens, cls, 0),
                talk.request(Command.LLM_INFER_POLL, number, draw.choice((0, 1, 12))),
                talk.request(Command.LLM_INFER_POLL, number, 12),
                talk.request(Command.LLM_CANCEL, number),
                talk.request(Command.LLM_STATUS),
                talk.request(Command.CREATE_GRAPH),
                bytes(draw.randrange(6)),
                b"\x43\x00\x12\x07\x41\x00\x00\x00",
                b"\x43\x01\x12\x07\x08\x00\x00\x00",
            ]
        )
        parts.append(part[: draw.randrange(len(part))] if draw.random() < 0.1 and part else part)
    return b"".join(parts)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 2**32))
def test_b7_any_cut_of_any_stream_gives_the_same_replies(seed: int) -> None:
    draw = random.Random(seed)
    with TemporaryDirectory() as folder:
        whole = Talk(Path(folder))
        data = said(whole, draw)
        whole.say(data)
    few = sorted(draw.randrange(len(data) + 1) for _ in range(3))
    for cuts in (few, list(range(len(data))), list(range(0, len(data), 7))):
        with TemporaryDirectory() as folder:
            cut = Talk(Path(folder))
            for first, end in pairwise([0, *cuts, len(data)]):
                cut.say(data[first:end])
        assert cut.replies == whole.replies
        assert cut.stream.dropped == whole.stream.dropped == cut.stack.system.plane.dropped
        assert (cut.stream.deadline_ns is None) == (whole.stream.deadline_ns is None)
