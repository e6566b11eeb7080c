"""The order of checks, pair by pair: of two things wrong, the earlier one answers (software.md 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import pytest

from sw.codes import Code
from sw.control.frames import Command, Reply, decode_reply
from sw.run import run
from tests.control.system import System
from tests.control.test_frames import SIZES

UNKNOWN = 0x3F


@dataclass(frozen=True)
class Draft:
    """A request to start the graph, to be spoilt."""

    magic: int = 0x43
    version: int = 0
    command: int = Command.START_GRAPH
    length: int | None = None
    token: int | None = None
    arguments: bytes = (1).to_bytes(4, "little")
    cut: int = 0

    def frame(self, system: System) -> bytes:
        token = system.admin if self.token is None else self.token
        payload = token.to_bytes(8, "little") + self.arguments
        length = len(payload) if self.length is None else self.length
        data = bytes([self.magic, self.version, self.command, 0x77]) + length.to_bytes(4, "little") + payload
        return data[: len(data) - self.cut]


# In the order of the contract; the last is the graph service's own.
SPOILS = {
    "magic": (Code.BAD_FRAME, {"magic": 0x44}),
    "version": (Code.UNSUPPORTED, {"version": 1}),
    "oversize": (Code.OVERSIZE, {"length": 65}),
    "not whole": (Code.BAD_FRAME, {"cut": 1}),
    "payload size": (Code.BAD_FRAME, {"arguments": b""}),
    "token": (Code.AUTH_FAILED, {"token": 12345}),
    "unknown command": (Code.UNSUPPORTED, {"command": UNKNOWN, "arguments": b""}),
    "no graph": (Code.NO_GRAPH, {}),
}


def spoil(draft: Draft, *names: str) -> Draft:
    for name in names:
        draft = replace(draft, **SPOILS[name][1])  # type: ignore[arg-type]
    if "payload size" in names and "unknown command" in names:
        draft = replace(draft, arguments=b"x")  # an unknown command has 8 bytes
    return draft


@pytest.mark.parametrize("name", SPOILS)
def test_each_alone(system: System, name: str) -> None:
    reply = system.send(spoil(Draft(), name).frame(system))
    assert reply.code is SPOILS[name][0]
    assert system.plane.replies == {reply.code: 1}
    assert system.audit.last.code == reply.code


@pytest.mark.parametrize(("first", "second"), [*combinations(SPOILS, 2)])
def test_of_two_the_earlier_answers(system: System, first: str, second: str) -> None:
    assert system.send(spoil(Draft(), first, second).frame(system)).code is SPOILS[first][0]


def test_nothing_wrong(system: System) -> None:
    system.build()
    assert system.send(Draft().frame(system)) == Reply(Command.START_GRAPH, 0x77, Code.OK, (0,))


@pytest.mark.parametrize("name", list(SPOILS)[1:])
def test_flags_and_command_come_back_with_every_fault(system: System, name: str) -> None:
    draft = spoil(Draft(), name)
    reply = system.send(draft.frame(system))
    assert (reply.command, reply.flags) == (draft.command, 0x77)


def test_without_a_command_the_reply_has_0x80(system: System) -> None:
    for frame in (b"", b"\x42\x00\x04\x77", b"\x43", b"\x43\x00"):
        assert run(system.plane.handle(frame)).hex() == "43008000" + "02000000" + "0100"
    assert run(system.plane.handle(b"\x43\x01")).hex() == "43008000" + "02000000" + "0200"
    assert run(system.plane.handle(b"\x43\x00\x04")).hex() == "43008400" + "02000000" + "0100"


@pytest.mark.parametrize("size", [s for s in range(65) if s != 8])
def test_an_unknown_command_has_exactly_8_bytes(system: System, size: int) -> None:
    frame = bytes([0x43, 0, UNKNOWN, 0]) + size.to_bytes(4, "little") + system.admin.to_bytes(8, "little") * 9
    assert decode_reply(run(system.plane.handle(frame[: 8 + size]))).code is Code.BAD_FRAME


@pytest.mark.parametrize("command", [c for c in range(256) if c not in set(Command)])
def test_every_other_command_is_unknown(system: System, command: int) -> None:
    frame = bytes([0x43, 0, command, 0]) + (8).to_bytes(4, "little")
    assert system.send(frame + (1).to_bytes(8, "little")).code is Code.AUTH_FAILED
    assert system.send(frame + system.user.to_bytes(8, "little")).code is Code.UNSUPPORTED
    assert system.audit.last.obj == f"command:{command:#04x}"


@pytest.mark.parametrize("command", list(Command))
def test_every_other_size_is_a_bad_frame_before_the_token(system: System, command: Command) -> None:
    for size in range(65):
        frame = bytes([0x43, 0, command, 0]) + size.to_bytes(4, "little") + bytes(size)
        expected = Code.AUTH_FAILED if size in SIZES[command] else Code.BAD_FRAME
        assert system.send(frame).code is expected, f"{command.name} with {size} bytes"
    assert system.llm.calls == []
