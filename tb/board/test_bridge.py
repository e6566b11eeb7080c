"""What the bridge does with bytes that are no request, and with addresses that lead nowhere."""

from fpga.smoke import UNMAPPED
from sw.driver import Driver
from sw.regs import registers as regs
from sw.transport import frames
from sw.transport.base import TransportError
from sw.transport.frames import Answer, AnswerParser, FrameError, Request, Status
from sw.transport.serial import LinkTimeout, SerialTransport
from tb.board.pins import PinLink
from tb.harness.base_test import Context, kv_test

LIMIT_NS = 1_000_000
TIER_BYTES = 16384


async def _answer(link: PinLink, request: Request, sent: bytes | None = None) -> Answer | str:
    """The answer to `request` (or to the bytes sent in its place), or what is wrong with it."""
    await link.send(request.encode() if sent is None else sent)
    parser = AnswerParser()
    while True:
        data = await link.receive(LIMIT_NS)
        if not data:
            return "silence"
        parser.feed(data)
        try:
            answer = parser.take(request)
        except FrameError:
            return "no frame"
        if answer:
            return answer


@kv_test(timeout_cycles=5_000_000, no_progress_cycles=1_000_000)
async def test_frames(ctx: Context) -> None:
    """A wrong CRC has no effect and is answered; half a request is forgotten; other bytes are skipped."""
    link = PinLink(ctx)
    await link.press()
    weight = frames.BAR0 + regs.WEIGHT_R.offset
    read, write = Request(weight), Request(weight, 17)
    ctx.compare("answer to a write", Answer(Status.OKAY, 0), await _answer(link, write))
    wrong = bytearray(Request(weight, 18).encode())
    wrong[6] ^= 0x10
    ctx.compare("write with a wrong CRC", "no frame", await _answer(link, write, bytes(wrong)))
    ctx.compare("chained to it", Status.SKIPPED, _status(await _answer(link, Request(weight, 19, chained=True))))
    ctx.compare("answer to a read of what was written", Answer(Status.OKAY, 17), await _answer(link, read))
    ctx.compare("half a request", "silence", await _answer(link, write, Request(weight, 20).encode()[:9]))
    await link.sleep(frames.GAP_NS)
    ctx.compare("answer to a read of what was written", Answer(Status.OKAY, 17), await _answer(link, read))
    ctx.compare("bytes before a request", Answer(Status.OKAY, 17), await _answer(link, read, b"\x00?" + read.encode()))


@kv_test(timeout_cycles=5_000_000, no_progress_cycles=1_000_000)
async def test_addresses(ctx: Context) -> None:
    """Refusals of the device are SLVERR; what the bridge does not know is DECERR; nothing of it hangs."""
    link = PinLink(ctx)
    await link.press()
    tier_end = frames.TIERS + TIER_BYTES
    for name, request, status in (
        ("unmapped register", Request(frames.BAR0 + UNMAPPED), Status.SLVERR),
        ("read-only register", Request(frames.BAR0 + regs.ID.offset, 1), Status.SLVERR),
        ("past BAR0", Request(frames.BAR0 + (1 << 16)), Status.DECERR),
        ("directory window", Request(frames.BAR2 + 4095 * 32), Status.OKAY),
        ("past the directory", Request(frames.BAR2 + 4096 * 32), Status.SLVERR),
        ("write to the directory", Request(frames.BAR2, 0), Status.SLVERR),
        ("past BAR2", Request(frames.BAR2 + (1 << 22)), Status.DECERR),
        ("last word of a tier", Request(tier_end - 8, 5), Status.OKAY),
        ("past the tier", Request(tier_end), Status.DECERR),
        ("unaligned in the tier", Request(frames.TIERS + 4), Status.DECERR),
        ("identity", Request(frames.BOARD_ID, 0), Status.SLVERR),
        ("absent port", Request(frames.BOARD_LOOKUP, 3), Status.SLVERR),
        ("past the board's registers", Request(frames.BOARD + 0x30), Status.DECERR),
        ("no region", Request(0x8000_0000), Status.DECERR),
    ):
        ctx.compare(name, status, _status(await _answer(link, request)))


@kv_test(timeout_cycles=5_000_000, no_progress_cycles=1_000_000)
async def test_transport_errors(ctx: Context) -> None:
    """Typed errors: memory or a port that is not there, a port that is not ready, a dead line."""
    link = PinLink(ctx)
    await link.press()
    transport = await SerialTransport.connect(link, LIMIT_NS)
    await Driver.probe(transport, LIMIT_NS)
    for name, expected, call in (
        ("memory", f"tier 1 has no memory at {TIER_BYTES:#x}", transport.mem_read(1, TIER_BYTES, 8)),
        ("port", "no lookup port 3", transport.lookup(3, 0, False)),
        ("disabled", "port 1 does not take lookups", transport.lookup(1, 0, True)),
    ):
        message = ""
        try:
            await call
        except TransportError as error:
            message = str(error)
        ctx.compare(f"{name}: error", True, expected in message, message=message)
    ctx.dut.hold_button.value = 1
    silent = False
    try:
        await transport.read(regs.ID.offset)
    except LinkTimeout:
        silent = True
    ctx.compare("dead line: time-out", True, silent)


def _status(answer: Answer | str) -> Status | str:
    return answer if isinstance(answer, str) else answer.status
