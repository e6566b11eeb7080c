"""The serial transport against a bridge in Python: frames, batches, waits, memory, and every way a line can fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpga import smoke
from model.device import DeviceModel
from sw.driver import Driver
from sw.regs import registers as regs
from sw.run import run
from sw.transport import frames
from sw.transport.base import AccessRefused, Read, TransportError, WaitIrq, WaitTimeout, Write
from sw.transport.frames import Answer, AnswerParser, FrameError, Request, Status, crc8
from sw.transport.model import ModelTransport
from sw.transport.port import PortError, SerialPort
from sw.transport.serial import LinkFault, LinkTimeout, NoSuchAddress, NotABoard, SerialTransport
from tests.transport.bridge import Bridge, MemoryLink, Terminal

LIMIT_NS = 10_000_000


@pytest.fixture
def link() -> MemoryLink:
    return MemoryLink(Bridge())


@pytest.fixture
def transport(link: MemoryLink) -> SerialTransport:
    return run(SerialTransport.connect(link, LIMIT_NS))


# ---------------------------------------------------------------- frames


def test_crc_is_crc8() -> None:
    assert crc8(b"") == 0xFF
    assert crc8(b"123456789") == 0xFB  # polynomial 0x07, initial 0xFF, no final exclusive or


@given(st.integers(0, 2**32 - 1), st.none() | st.integers(0, 2**64 - 1), st.booleans())
@settings(derandomize=True, max_examples=60)
def test_request_frames(address: int, value: int | None, chained: bool) -> None:
    frame = Request(address, value, chained).encode()
    assert crc8(frame[:-1]) == frame[-1]
    assert len(frame) == (6 if value is None else 14)
    assert frame[1:5] == address.to_bytes(4, "little")
    assert (
        chr(frame[0])
        == {(True, False): "R", (False, False): "W", (True, True): "r", (False, True): "w"}[value is None, chained]
    )


@given(st.lists(st.binary(max_size=12), max_size=8), st.booleans())
@settings(derandomize=True, max_examples=300)
def test_parser_fuzz(pieces: list[bytes], write: bool) -> None:
    """Whatever comes, the parser gives an answer, asks for more, or says what is wrong."""
    parser, request = AnswerParser(), Request(0, 1 if write else None)
    for piece in pieces:
        parser.feed(piece)
        try:
            answer = parser.take(request)
        except FrameError:
            parser.forget()
            continue
        assert answer is None or isinstance(answer, Answer)


@given(st.integers(0, 2**64 - 1), st.sampled_from([s for s in Status if s is not Status.FRAME]), st.integers(1, 10))
@settings(derandomize=True, max_examples=60)
def test_answer_in_pieces(data: int, status: Status, size: int) -> None:
    frame = Bridge.reply(status, data)
    parser, request = AnswerParser(), Request(8)
    stream = bytes([frames.IRQ_BYTE]) + frame
    seen = []
    for at in range(0, len(stream), size):
        parser.feed(stream[at : at + size])
        seen.append(parser.take(request))
    assert [answer for answer in seen if answer] == [Answer(status, data)]
    assert parser.pending == 0


@given(st.binary(min_size=9, max_size=9), st.integers(0, 9), st.integers(0, 7))
@settings(derandomize=True, max_examples=80)
def test_a_changed_bit_is_no_answer(body: bytes, byte: int, bit: int) -> None:
    body = bytes([Status.OKAY]) + body[1:]
    frame = bytearray(body + bytes([crc8(body)]))
    frame[byte] ^= 1 << bit
    parser = AnswerParser()
    parser.feed(bytes(frame))
    with suppress(FrameError):
        assert parser.take(Request(0)) is None  # the status asks for more, or is the interrupt byte


# ---------------------------------------------------------------- the driver on it


@pytest.mark.parametrize("name", smoke.TESTS)
def test_smoke_sequence(name: str, transport: SerialTransport) -> None:
    """The same outcome as on the device model itself."""
    other = ModelTransport(DeviceModel(entries=1024, lanes=4, axi_data_width=64))
    expected = run(smoke.run_test(name, run(Driver.probe(other)), other))
    driver = run(Driver.probe(transport, LIMIT_NS))
    assert run(smoke.run_test(name, driver, transport)) == expected


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal(Bridge())
    yield terminal
    terminal.close()


def test_smoke_sequence_over_a_terminal(terminal: Terminal) -> None:
    """A real file descriptor in raw mode, every byte value on the line."""
    port = SerialPort(terminal.path)
    try:
        transport = run(SerialTransport.connect(port, 20_000_000_000))
        driver = run(Driver.probe(transport, 20_000_000_000))
        outcome = run(smoke.run_test("moves", driver, transport))
        everything = bytes(range(256)) * 4
        run(transport.mem_write(0, 0, everything))
        assert run(transport.mem_read(0, 0, len(everything))) == everything
    finally:
        port.close()
    assert all(same for _, same in outcome["tier and bytes"])


# ---------------------------------------------------------------- batches and waits


def test_batch_is_chained_and_stops(transport: SerialTransport, link: MemoryLink) -> None:
    weight = regs.WEIGHT_R.offset
    link.bridge.seen.clear()
    with pytest.raises(AccessRefused) as refused:
        run(transport.batch([Write(weight, 3), Read(weight), Write(regs.ID.offset, 1), Write(weight, 9), Read(weight)]))
    assert refused.value.index == 2
    assert refused.value.results == (0, 3)
    assert [address for address, _ in link.bridge.seen] == [weight, weight, regs.ID.offset]
    assert run(transport.read(weight)) == 3


class Scripted:
    """A link that gives one prepared piece after the other, whatever is sent."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.time = 0

    def now(self) -> int:
        return self.time

    async def sleep(self, ns: int) -> None:
        self.time += ns

    async def send(self, data: bytes) -> None:
        pass

    async def receive(self, timeout_ns: int) -> bytes:
        if not self.pieces:
            self.time += timeout_ns
            return b""
        return self.pieces.pop(0)


def answer_of(value: int) -> bytes:
    body = bytes([Status.OKAY]) + value.to_bytes(8, "little")
    return body + bytes([crc8(body)])


def test_interrupt_right_behind_an_answer() -> None:
    """The level is read as 0, and the byte of the interrupt comes in the same piece: no more bytes will come."""
    link = Scripted(answer_of(0) + bytes([frames.IRQ_BYTE]), answer_of(1))
    run(SerialTransport(link, LIMIT_NS).wait_irq(1_000_000))
    assert not link.pieces


def test_long_batches_keep_within_the_bridge(transport: SerialTransport, link: MemoryLink) -> None:
    link.most = 0
    assert run(transport.batch([Read(regs.ID.offset)] * 100)) == [regs.ID.reset] * 100
    assert 0 < link.most <= frames.REQUEST_BYTES


def test_wait_in_a_batch(transport: SerialTransport) -> None:
    driver = run(Driver.probe(transport, LIMIT_NS))
    run(smoke.prepare(driver))
    step = [Write(regs.IRQ_ENABLE.offset, 1), Write(regs.STEP_ADVANCE.offset, 5), WaitIrq(LIMIT_NS)]
    assert len(run(transport.batch([*step, Read(regs.STEP_ADVANCE.offset)]))) == 4
    run(transport.write(regs.IRQ_STATUS.offset, 0xFF))
    with pytest.raises(WaitTimeout) as timeout:
        run(transport.batch([Read(regs.ID.offset), WaitIrq(1000)]))
    assert timeout.value.index == 1
    assert timeout.value.results == (regs.ID.reset,)


# ---------------------------------------------------------------- what goes wrong


def test_nothing_answers(link: MemoryLink) -> None:
    link.silent = True
    with pytest.raises(LinkTimeout, match="did not answer within 10 ms"):
        run(SerialTransport.connect(link, LIMIT_NS))


def test_something_else_answers(link: MemoryLink) -> None:
    link.bridge.take = lambda data: b"login: "  # type: ignore[method-assign]
    with pytest.raises(NotABoard, match="cannot begin with byte 0x6c"):
        run(SerialTransport.connect(link, LIMIT_NS))


def test_another_bridge_answers(link: MemoryLink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link.bridge, "board", lambda _offset, _value: 42)
    with pytest.raises(NotABoard, match="identity 0x2a"):
        run(SerialTransport.connect(link, LIMIT_NS))


def test_a_byte_changes_on_the_way(transport: SerialTransport, link: MemoryLink) -> None:
    link.bridge.flip = {link.bridge.sent + 4}
    with pytest.raises(LinkFault, match="CRC of the answer"):
        run(transport.read(regs.ID.offset))
    assert run(transport.read(regs.ID.offset)) == regs.ID.reset  # and the line works again


def test_a_request_changes_on_the_way(
    transport: SerialTransport, link: MemoryLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = link.bridge.take

    def spoil(data: bytes) -> bytes:
        return take(data[:2] + bytes([data[2] ^ 1]) + data[3:]) if data else b""

    monkeypatch.setattr(link.bridge, "take", spoil)
    with pytest.raises(LinkFault, match="could not read the request"):
        run(transport.write(regs.WEIGHT_R.offset, 7))
    monkeypatch.undo()
    assert run(transport.read(regs.WEIGHT_R.offset)) == regs.WEIGHT_R.reset


def test_bytes_come_unasked(transport: SerialTransport, link: MemoryLink) -> None:
    run(transport.read(regs.ID.offset))
    take = link.bridge.take
    link.bridge.take = lambda data: take(data) if data else b"\x80"  # type: ignore[method-assign]
    with pytest.raises(LinkFault, match="unasked"):
        run(transport.wait_irq(1_000_000))


@pytest.mark.parametrize(("tier", "at", "count"), [(0, 32768, 1), (3, 32760, 9), (4, 0, 8), (0, -8, 8)])
def test_memory_that_is_not_there(transport: SerialTransport, tier: int, at: int, count: int) -> None:
    with pytest.raises(TransportError, match=f"tier {tier} has no memory at .*: the board gives each tier 32,768"):
        run(transport.mem_read(tier, at, count))
    with pytest.raises(TransportError, match="has no memory"):
        run(transport.mem_write(tier, at, bytes(count)))


@given(st.integers(0, 40), st.binary(max_size=40))
@settings(derandomize=True, max_examples=50, deadline=None)
def test_memory_at_any_byte(at: int, data: bytes) -> None:
    transport = run(SerialTransport.connect(MemoryLink(Bridge()), LIMIT_NS))
    run(transport.mem_write(2, 0, bytes(range(100))))
    run(transport.mem_write(2, at, data))
    expected = bytearray(range(100))
    expected[at : at + len(data)] = data
    assert run(transport.mem_read(2, 0, 100)) == expected


def test_ports(transport: SerialTransport) -> None:
    driver = run(Driver.probe(transport, LIMIT_NS))
    with pytest.raises(TransportError, match="no lookup port 3"):
        run(transport.lookup(3, 0, False))
    with pytest.raises(TransportError, match="port 0 does not take lookups"):
        run(transport.lookup(0, 1, True))
    assert run(driver.misses()) == []


def test_refused_window_and_bridge_addresses(transport: SerialTransport) -> None:
    with pytest.raises(AccessRefused):
        run(transport.window(1024, 1))
    with pytest.raises(AccessRefused):
        run(transport.read(1 << 16))
    with pytest.raises(NoSuchAddress, match="DECERR at 0x30000100"):
        run(transport._values([Request(frames.BOARD + 0x100)]))


# ---------------------------------------------------------------- ports of the host


def test_port_errors(tmp_path: Path, terminal: Terminal) -> None:
    with pytest.raises(PortError, match="No such file"):
        SerialPort(tmp_path / "ttyNone")
    (tmp_path / "file").touch()
    with pytest.raises(PortError, match="not a serial port"):
        SerialPort(tmp_path / "file")
    with pytest.raises(PortError, match="no 12,345 baud"):
        SerialPort(terminal.path, 12_345)
    first = SerialPort(terminal.path)
    with pytest.raises(PortError, match="another program uses it"):
        SerialPort(terminal.path)
    first.close()


def test_the_other_end_closes() -> None:
    board, host = os.openpty()
    port = SerialPort(Path(os.ttyname(host)))
    os.close(host)
    os.close(board)
    with pytest.raises(PortError):
        run(port.receive(1_000_000_000))
    with pytest.raises(PortError):
        run(port.send(b"x"))
    port.close()
