"""The guest's clock: it moves only as the calendar grants, never back, never past what the guest waits for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb.linux import time_travel
from tb.linux.errors import ProtocolError
from tb.linux.time_travel import NEVER, Calendar, Op, TimeMessage


def said(calendar: Calendar, op: Op, time: int = 0, sequence: int = 1) -> TimeMessage | None:
    return calendar.handle(TimeMessage(op, sequence, time))


@pytest.fixture
def calendar() -> Calendar:
    started = Calendar()
    said(started, Op.START, 2**64 - 1)
    return started


def test_every_message_is_acknowledged_by_its_number(calendar: Calendar) -> None:
    assert said(calendar, Op.REQUEST, 100, 7) == TimeMessage(Op.ACK, 7, 0)
    assert said(calendar, Op.WAIT, 2**64 - 1, 8) == TimeMessage(Op.ACK, 8, 0)
    assert said(calendar, Op.ACK) is None


def test_a_grant_is_the_time_that_was_asked_for(calendar: Calendar) -> None:
    said(calendar, Op.REQUEST, 100)
    said(calendar, Op.REQUEST, 60)
    said(calendar, Op.WAIT)
    assert calendar.grant() == TimeMessage(Op.RUN, 1, 60)
    assert calendar.now == 60
    assert not calendar.waiting
    assert said(calendar, Op.GET, 0, 3) == TimeMessage(Op.ACK, 3, 60)
    with pytest.raises(ProtocolError, match="nothing to grant"):
        calendar.grant()


def test_an_interrupt_comes_before_the_guests_own_event(calendar: Calendar) -> None:
    said(calendar, Op.REQUEST, 100)
    said(calendar, Op.WAIT)
    calendar.reached(40)
    assert said(calendar, Op.GET) == TimeMessage(Op.ACK, 1, 40)
    said(calendar, Op.REQUEST, 40)  # the interrupt's event
    assert calendar.grant().time == 40


def test_an_interrupt_never_comes_after_it(calendar: Calendar) -> None:
    said(calendar, Op.REQUEST, 100)
    said(calendar, Op.WAIT)
    calendar.reached(140)
    assert calendar.now == 100


def test_accesses_move_the_clock_of_a_guest_that_runs(calendar: Calendar) -> None:
    said(calendar, Op.REQUEST, 1000)
    assert calendar.passed(255) is None  # its clock shows 0 until 256
    assert calendar.passed(300) == TimeMessage(Op.RUN, 1, 300)
    assert calendar.passed(300) is None
    assert calendar.passed(200) is None
    assert calendar.passed(511) is None
    assert calendar.passed(5000) == TimeMessage(Op.RUN, 2, 1000)
    said(calendar, Op.WAIT)
    assert calendar.passed(6000) is None
    assert calendar.grant().time == 1000


def test_what_the_guest_may_not_say(calendar: Calendar) -> None:
    with pytest.raises(ProtocolError, match="START again"):
        said(calendar, Op.START)
    with pytest.raises(ProtocolError, match="WAIT before START"):
        said(Calendar(), Op.WAIT)
    with pytest.raises(ProtocolError, match="RUN from the guest"):
        said(calendar, Op.RUN)
    said(calendar, Op.REQUEST, 100)
    said(calendar, Op.WAIT)
    with pytest.raises(ProtocolError, match="WAIT while it waits"):
        said(calendar, Op.WAIT)
    calendar.grant()
    with pytest.raises(ProtocolError, match="a request for 99 ns at 100 ns"):
        said(calendar, Op.REQUEST, 99)
    with pytest.raises(ProtocolError, match="the guest is at 101 ns, the calendar at 100"):
        said(calendar, Op.UPDATE, 101)


@given(st.binary(max_size=20))
def test_any_message_is_taken_or_refused(data: bytes) -> None:
    try:
        message = time_travel.parse(data)
    except ProtocolError:
        return
    assert message.pack() == data


@given(st.lists(st.tuples(st.sampled_from(["request", "wait", "grant", "passed", "reached"]), st.integers(0, 3000))))
def test_time_never_goes_back_nor_past_the_request(steps: list[tuple[str, int]]) -> None:
    """Whatever the order, with a device whose time never goes back."""
    calendar = Calendar()
    said(calendar, Op.START)
    device = 0
    for what, amount in steps:
        before = calendar.now
        if what == "request":
            said(calendar, Op.REQUEST, calendar.now + amount)
        elif what == "wait" and not calendar.waiting:
            said(calendar, Op.WAIT)
        elif what == "grant" and calendar.waiting and calendar.request < NEVER:
            assert calendar.grant().time == calendar.request
        elif what == "passed":
            device = max(device, calendar.now) + amount
            calendar.passed(device)
        elif what == "reached" and calendar.waiting:
            device = max(device, calendar.now) + amount
            calendar.reached(device)
        assert before <= calendar.now <= calendar.request
