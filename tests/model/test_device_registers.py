"""device.md 7, 10: BAR0 and BAR2 of the device model, with every refusal."""

from __future__ import annotations

import pytest

from model.device import DeviceModel
from model.entries import EntryView
from model.errors import PortNotReady, Slverr
from model.types import BadParity
from sw.regs import registers as regs
from tests.model.helpers import kv
from tests.model.mmio import Bench

# the table of device.md 7, typed once more on purpose: these offsets never move
FIXED = {
    0x0000: "STEP_ADVANCE_ALIAS",
    0x0030: "CONTEND_POLICY",
    0x0100: "STEP_ADVANCE",
    0x0120: "RTBD_HIT_COUNT",
    0x0128: "RTBD_MISS_COUNT",
    0x0200: "BOOST_ADDR",
    0x0208: "BOOST_LEN",
    0x0210: "IMEVICT_ADDR",
    0x0218: "IMEVICT_LEN",
    0x0220: "COOL_ADDR",
    0x0228: "COOL_LEN",
    0x0300: "PREFETCH_ADDR",
    0x0308: "PREFETCH_LEN",
    0x0310: "PREFETCH_STEP",
    0x0400: "SHARE_ADDR",
    0x0408: "SHARE_LEN",
    0x0410: "RELEASE_ADDR",
    0x0418: "RELEASE_LEN",
    0x0500: "WEIGHT_R",
    0x0508: "WEIGHT_F",
    0x0510: "WEIGHT_S",
    0x0518: "WEIGHT_D",
    0x0520: "EVICT_THRESH",
    0x0528: "PREFETCH_THRESH",
    0x0530: "THRESHOLDS",
}
RANGES = (
    regs.BOOST_LEN,
    regs.IMEVICT_LEN,
    regs.COOL_LEN,
    regs.SHARE_LEN,
    regs.RELEASE_LEN,
    regs.PREFETCH_STEP,
)


def refused(bench: Bench, register: regs.Register, value: int) -> None:
    """The write gets SLVERR and leaves every readable register as it was."""
    before = snapshot(bench)
    with pytest.raises(Slverr, match=rf"write of {register.offset:#06x} \({register.name}\)"):
        bench.write(register, value)
    assert snapshot(bench) == before


def snapshot(bench: Bench) -> list[int]:
    popping = (regs.MISS_ADDR, regs.COMPLETION_ADDR)
    return [bench.device.bar0.read(r.offset) for r in regs.REGISTERS if r.readable and r not in popping]


def test_the_fixed_offsets() -> None:
    assert {o: regs.BY_OFFSET[o].name for o in FIXED} == FIXED


def test_reset_values_read_back() -> None:
    bench = Bench()
    for register in regs.REGISTERS:
        if register.readable and register.reset is not None:
            absent = register in (*regs.PORT_REQ_LO[3:], *regs.PORT_REQ_HI[3:])
            assert bench.read(register) == (0 if absent else register.reset), register.name
    assert bench.read(regs.WEIGHT_D) == 64
    assert bench.read(regs.CMD_SPAN) == 0x0101


def test_caps_and_identity() -> None:
    bench = Bench(ports=2, block_tokens=64)
    assert regs.CAPS.unpack(bench.read(regs.CAPS)) == {
        "ENTRIES": 1024,
        "LANES": 4,
        "PORTS": 2,
        "BLOCK_TOKENS": 64,
        "AXI_DATA_WIDTH": 512,
        "CLOCK_MHZ": 250,
    }
    assert bench.read(regs.ID).to_bytes(8, "little").rstrip(b"\0") == b"KVCPU"
    full = Bench(entries=65536, lanes=16)
    assert full.field(regs.CAPS, "ENTRIES") == 65536


OWN_RULES = (  # tested below
    *(regs.CTRL, regs.IRQ_STATUS, regs.BLOCK_BYTES, regs.PARITY_INFO, regs.DMA_ERROR_INFO),
    *(regs.THRESHOLDS, regs.EVICT_THRESH),
    *(*regs.TIER_BASE, *regs.TIER_SLOTS, *regs.PORT_REQ_LO[3:], *regs.PORT_REQ_HI[3:]),
)
PLAIN = [r for r in regs.REGISTERS if r.access == "rw" and not (r.launches or r in OWN_RULES)]


@pytest.mark.parametrize("register", PLAIN, ids=lambda r: r.name)
def test_plain_registers_hold_their_fields_and_ignore_the_rest(register: regs.Register) -> None:
    bench = Bench().setup()
    bench.write(register, (1 << 64) - 1)
    assert bench.read(register) == register.write_mask


@pytest.mark.parametrize("offset", [0x0004, 0x0101, 0x0102, 0x0107])
def test_unaligned_addresses(offset: int) -> None:
    device = Bench().setup().device
    with pytest.raises(Slverr):
        device.read(offset)
    with pytest.raises(Slverr):
        device.write(offset, 5)
    assert device.state.step == 0


@pytest.mark.parametrize("offset", [0x0090, 0x0FF8, 0x1FF8, 0x2000, 0x2FF8, 0x3FF8, 0x4000, -8])
def test_unmapped_addresses(offset: int) -> None:
    device = Bench().setup().device
    for access in (lambda: device.read(offset), lambda: device.write(offset, 0)):
        with pytest.raises(Slverr):
            access()


def test_partial_strobes_write_only_and_read_only() -> None:
    bench = Bench().setup()
    with pytest.raises(Slverr):
        bench.device.write(regs.WEIGHT_R.offset, 7, strobe=0x0F)
    assert bench.read(regs.WEIGHT_R) == 64
    with pytest.raises(Slverr, match="read of 0x0000"):
        bench.read(regs.STEP_ADVANCE_ALIAS)
    for register in regs.REGISTERS:
        if not register.writable:
            refused(bench, register, 1)


def test_ports_that_are_absent_read_0_and_refuse() -> None:
    bench = Bench(ports=3).setup()
    for port in range(3, 8):
        assert bench.read(regs.PORT_REQ_HI[port]) == 0
        refused(bench, regs.PORT_REQ_LO[port], 1)
        refused(bench, regs.PORT_REQ_HI[port], 1)
    bench.write(regs.PORT_REQ_LO[2], 7)
    assert bench.device.state.config.req_lo[2] == 7
    with pytest.raises(ValueError, match="port 3 of 3"):
        bench.device.lookup(3, kv())


def test_step_advance_takes_the_low_32_bits_at_both_offsets() -> None:
    bench = Bench().setup()
    bench.write(regs.STEP_ADVANCE, 0xAA_0000_0080)
    assert bench.read(regs.STEP_ADVANCE) == 0x80
    bench.write(regs.STEP_ADVANCE_ALIAS, 0x81)
    assert bench.read(regs.STEP_ADVANCE) == 0x81
    bench.idle()
    assert bench.read(regs.SCAN_COUNT) == 2


# ---------------------------------------------------------------------- thresholds, sizes


def test_thresholds_never_cross() -> None:
    bench = Bench().setup()
    bench.write(regs.PREFETCH_THRESH, 1000)
    bench.write(regs.EVICT_THRESH, 1000)
    refused(bench, regs.EVICT_THRESH, 1001)
    refused(bench, regs.PREFETCH_THRESH, 999)
    refused(bench, regs.THRESHOLDS, 5 << 16 | 6)
    bench.write(regs.THRESHOLDS, 40960 << 16 | 1024)
    assert bench.read(regs.EVICT_THRESH) == 1024
    assert bench.read(regs.PREFETCH_THRESH) == 40960
    bench.write(regs.EVICT_THRESH, 3)
    assert bench.read(regs.THRESHOLDS) == 40960 << 16 | 3


@pytest.mark.parametrize("value", [0, 64, 192, 255, 257, 320 + 1, 65537, 65600, 131072])
def test_block_bytes_refuses_what_is_no_size(value: int) -> None:
    refused(Bench().setup(), regs.BLOCK_BYTES, value)


@pytest.mark.parametrize("value", [256, 320, 8192, 65536])
def test_block_bytes_takes_every_size(value: int) -> None:
    bench = Bench().setup()
    bench.write(regs.BLOCK_BYTES, value)
    assert bench.read(regs.BLOCK_BYTES) == value
    bench.insert(kv())
    assert bench.insert(kv(block=1)) - 0x20_0000 >= value


def test_base_slots_and_block_bytes_refuse_while_in_use() -> None:
    bench = Bench().setup()
    refused(bench, regs.TIER_BASE[0], 4096 + 64)
    refused(bench, regs.TIER_SLOTS[0], 1025)
    bench.insert(kv(), tier=1)
    refused(bench, regs.TIER_BASE[1], 0)
    refused(bench, regs.TIER_SLOTS[1], 64)
    refused(bench, regs.BLOCK_BYTES, 1024)
    bench.write(regs.TIER_BASE[2], 4096)
    bench.write(regs.TIER_SLOTS[2], 1024)
    assert bench.read(regs.TIER_FREE[2]) == 1024
    assert bench.command(regs.Command.REMOVE, kv()) == 0
    bench.write(regs.TIER_SLOTS[1], 5)
    assert bench.read(regs.TIER_FREE[1]) == 5


# ---------------------------------------------------------------------- launches


def test_launches_before_the_directory_is_ready_get_slverr() -> None:
    bench = Bench()
    assert bench.field(regs.STATUS, "IDLE") == 0
    bench.write(regs.BOOST_ADDR, kv())
    for register in (regs.STEP_ADVANCE, regs.STEP_ADVANCE_ALIAS, regs.DIR_COMMAND, *RANGES):
        with pytest.raises(Slverr):
            bench.write(register, 1)
    with pytest.raises(PortNotReady):
        bench.device.lookup(0, kv())
    assert bench.read(regs.STEP_ADVANCE) == 0
    bench.write(regs.WEIGHT_R, 3)  # configuration may be written
    bench.idle()
    assert bench.field(regs.STATUS, "IDLE") == 1
    bench.write(regs.STEP_ADVANCE, 1)


@pytest.mark.parametrize("register", RANGES, ids=lambda r: r.name)
@pytest.mark.parametrize(
    ("token", "length", "legal"),
    [
        (0, 0, False),
        (0, 1, True),
        (5, 1 << 33, False),
        (5, (1 << 64) - 1, False),
        (0, 1024 * 16, True),
        (0, 1024 * 16 + 1, False),
        (15, 1024 * 16 - 15, True),
        (15, 1024 * 16 - 14, False),
        (15, 1024 * 16, False),
        ((1 << 32) - 1, 1, True),
        ((1 << 32) - 1, 2, False),
        ((1 << 32) - 16, 16, True),
    ],
)
def test_ranges(register: regs.Register, token: int, length: int, legal: bool) -> None:
    bench = Bench().setup()
    address = regs.BY_NAME[register.name.rsplit("_", 1)[0] + "_ADDR"]
    bench.write(address, 1 << 48 | token)
    value = length
    if register is regs.PREFETCH_STEP:
        bench.write(regs.PREFETCH_LEN, length)
        value = 9
    if legal:
        bench.write(register, value)
        assert bench.read(register) == value
        bench.idle()
        blocks = (token + length - 1) // 16 - token // 16 + 1
        assert bench.read(regs.HINT_MISS_COUNT) == blocks
    else:
        refused(bench, register, value)
        bench.idle()
        assert bench.read(regs.HINT_MISS_COUNT) == 0


def test_a_range_acts_on_every_block_that_it_touches() -> None:
    bench = Bench().setup()
    for block in range(6):
        bench.insert(kv(block=block))
    bench.write(regs.BOOST_ADDR, kv(block=1, offset=15))
    bench.write(regs.BOOST_LEN, 18)  # tokens 31 to 48
    bench.idle()
    hot = [bench.device.state.entry(bench.device.state.find(kv(block=b))).hot for b in range(6)]
    assert hot == [0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(("span", "layers", "heads"), [(0x0000, 1, 1), (0x0203, 3, 2), (0x0301, 1, 3)])
def test_cmd_span_repeats_over_layers_and_heads(span: int, layers: int, heads: int) -> None:
    bench = Bench().setup()
    bench.write(regs.CMD_SPAN, span)
    for layer in range(5):
        for head in range(5):
            bench.insert(kv(layer=layer, head=head))
    bench.write(regs.SHARE_ADDR, kv(layer=1, head=1))
    bench.write(regs.SHARE_LEN, 16)
    bench.idle()
    shared = {(e.layer, e.head) for _, e in bench.device.state.dump() if e.ref_count}
    assert shared == {(1 + a, 1 + b) for a in range(layers) for b in range(heads)}


def test_a_span_ends_at_layer_and_head_255() -> None:
    bench = Bench().setup()
    bench.write(regs.CMD_SPAN, 0xFFFF)
    bench.write(regs.SHARE_ADDR, kv(layer=1, head=1))
    bench.write(regs.SHARE_LEN, 16)
    bench.idle()
    assert bench.read(regs.HINT_MISS_COUNT) == 255 * 255
    for layer, head in ((2, 1), (1, 2)):
        bench.write(regs.SHARE_ADDR, kv(layer=layer, head=head))
        refused(bench, regs.SHARE_LEN, 16)


def test_the_address_is_taken_at_launch() -> None:
    bench = Bench().setup()
    bench.insert(kv(1))
    bench.insert(kv(2))
    bench.write(regs.BOOST_ADDR, kv(1))
    bench.write(regs.BOOST_LEN, 16)
    bench.write(regs.BOOST_ADDR, kv(2))
    bench.idle()
    assert {e.request_id: e.hot for _, e in bench.device.state.dump()} == {1: 1, 2: 0}


def test_the_command_queue_holds_16_and_counts_refusals() -> None:
    bench = Bench().setup()
    bench.write(regs.BOOST_ADDR, kv())
    bench.write(regs.BOOST_LEN, 1024 * 16)  # runs for a while
    for _ in range(16):
        bench.write(regs.BOOST_LEN, 1)
    assert bench.field(regs.STATUS, "COMMANDS") == 17
    for register in (regs.BOOST_LEN, regs.COOL_LEN, regs.DIR_COMMAND):
        with pytest.raises(Slverr):
            bench.write(register, 1)
    assert bench.read(regs.CMD_REFUSED_COUNT) == 3
    bench.idle()
    assert bench.read(regs.HINT_MISS_COUNT) == 1024 + 16
    assert bench.field(regs.IRQ_STATUS, "COMMAND_DONE") == 1


def test_commands_run_in_the_order_of_their_launches() -> None:
    bench = Bench().setup()
    bench.insert(kv())
    for register, addr in ((regs.BOOST_LEN, regs.BOOST_ADDR), (regs.COOL_LEN, regs.COOL_ADDR)):
        bench.write(addr, kv())
        bench.write(register, 16)
    bench.launch(regs.Command.REMOVE, kv())
    bench.write(regs.BOOST_LEN, 16)
    bench.idle()
    assert bench.device.state.find(kv()) is None
    assert bench.read(regs.HINT_MISS_COUNT) == 1


def test_one_directory_command_at_a_time_and_its_result_holds() -> None:
    bench = Bench().setup()
    bench.launch(regs.Command.INSERT, kv(), TOKEN_END=15, TIER=2)
    refused_while_busy = False
    try:
        bench.write(regs.DIR_COMMAND, regs.Command.LOOKUP)
    except Slverr:
        refused_while_busy = True
    assert refused_while_busy
    assert bench.read(regs.CMD_REFUSED_COUNT) == 0
    bench.idle()
    first = bench.read(regs.DIR_STATUS), bench.read(regs.DIR_PHYS_ADDR)
    bench.write(regs.DIR_ADDR, kv(9))
    bench.write(regs.BOOST_ADDR, kv())
    bench.write(regs.BOOST_LEN, 5)
    bench.idle()
    assert (bench.read(regs.DIR_STATUS), bench.read(regs.DIR_PHYS_ADDR)) == first
    bench.launch(regs.Command.LOOKUP, kv())
    assert bench.field(regs.DIR_STATUS, "BUSY") == 1
    bench.idle()
    assert bench.field(regs.DIR_STATUS, "TIER") == 2
    assert bench.field(regs.DIR_STATUS, "INDEX") == bench.device.state.find(kv())


@pytest.mark.parametrize("code", [0, 6, 7])
def test_codes_that_are_no_command(code: int) -> None:
    refused(Bench().setup(), regs.DIR_COMMAND, code)


def test_every_directory_command_and_status_by_mmio() -> None:
    c, s = regs.Command, regs.Status
    bench = Bench().setup(64, 2, 64, 64)
    assert bench.command(c.INSERT, kv(offset=1), TOKEN_END=15, TIER=1) == s.BAD_ARG
    bench.insert(kv())
    assert bench.command(c.INSERT, kv(), TOKEN_END=15, TIER=1) == s.EXISTS
    bench.insert(kv(2))
    assert bench.command(c.INSERT, kv(3), TOKEN_END=15, TIER=1) == s.NO_SLOT
    assert bench.command(c.LOOKUP, kv(3)) == s.MISS
    assert bench.command(c.LOOKUP, kv(2), TOUCH=1) == s.OK
    assert bench.read(regs.RTBD_HIT_COUNT) == 1
    bench.write(regs.SHARE_ADDR, kv())
    bench.write(regs.SHARE_LEN, 1)
    assert bench.command(c.REMOVE, kv()) == s.REFERENCED
    assert bench.command(c.MIGRATE, kv(), TIER=3) == s.REFERENCED
    assert bench.command(c.MIGRATE, kv(), TIER=1) == s.BAD_ARG
    assert bench.command(c.FREE_REQUEST, kv(1)) == s.OK
    assert regs.DIR_FREED.unpack(bench.read(regs.DIR_FREED)) == {"REMOVED": 0, "STAYED": 1}
    assert bench.command(c.FREE_REQUEST, kv(2)) == s.OK
    assert regs.DIR_FREED.unpack(bench.read(regs.DIR_FREED)) == {"REMOVED": 1, "STAYED": 0}
    assert bench.command(c.FREE_REQUEST, 0) == s.BAD_ARG


# ---------------------------------------------------------------------- queues, latches, BAR2


def test_the_miss_queue_pops_with_its_last_word() -> None:
    bench = Bench().setup()
    assert (bench.read(regs.MISS_INFO), bench.read(regs.MISS_ADDR)) == (0, 0)
    for block in range(3):
        bench.device.lookup(0, kv(block=block))
    for left, block in ((3, 0), (2, 1), (1, 2)):
        for _ in range(2):
            info = regs.MISS_INFO.unpack(bench.read(regs.MISS_INFO))
            assert info == {"VALID": 1, "LEVEL": left}
        assert bench.read(regs.MISS_ADDR) == kv(block=block)
    assert (bench.read(regs.MISS_INFO), bench.read(regs.MISS_ADDR)) == (0, 0)


def test_irq_status_is_write_1_to_clear_and_the_line_is_a_level() -> None:
    bench = Bench().setup()
    bench.device.lookup(0, kv())
    assert bench.field(regs.IRQ_STATUS, "MISS") == 1
    assert not bench.device.irq
    bench.write(regs.IRQ_ENABLE, 1 << 3)
    assert bench.device.irq
    bench.write(regs.IRQ_STATUS, 0xF7)
    assert bench.device.irq
    bench.write(regs.IRQ_STATUS, 1 << 3)
    assert not bench.device.irq
    assert bench.read(regs.IRQ_STATUS) == 0


def test_parity_latch_by_mmio() -> None:
    bench = Bench().setup()
    bench.insert(kv())
    index = bench.device.state.find(kv())
    bench.device.inject_parity(index, BadParity.META)
    bench.device.lookup(0, kv())
    info = regs.PARITY_INFO.unpack(bench.read(regs.PARITY_INFO))
    assert info == {"VALID": 1, "INDEX": index}
    assert bench.read(regs.PARITY_COUNT) == 1
    bench.write(regs.PARITY_INFO, 0)
    assert bench.field(regs.PARITY_INFO, "VALID") == 1
    bench.write(regs.PARITY_INFO, 1)
    assert bench.read(regs.PARITY_INFO) == 0


def test_bar2_latches_an_entry_at_word_0() -> None:
    bench = Bench().setup()
    bench.insert(kv(3))
    device = bench.device
    index = device.state.find(kv(3))
    word0 = device.read_bar2(index * 32)
    device.lookup(0, kv(3), write=True)
    words = [word0] + [device.read_bar2(index * 32 + 8 * n) for n in (1, 2, 3)]
    old = EntryView.unpack(b"".join(w.to_bytes(8, "little") for w in words))
    assert (old.request_id, old.dirty, old.f, old.valid) == (3, 0, 1, 1)
    words = [device.read_bar2(index * 32 + 8 * n) for n in range(4)]
    assert EntryView.unpack(b"".join(w.to_bytes(8, "little") for w in words)).dirty == 1
    assert regs.ENTRY_WORD0["REQUEST_ID"].get(words[0]) == 3


def test_bar2_refuses_writes_and_what_is_outside() -> None:
    device = Bench().setup().device
    assert device.read_bar2(1024 * 32 - 8) == 0
    for offset in (1024 * 32, 4, -8):
        with pytest.raises(Slverr):
            device.read_bar2(offset)
    with pytest.raises(Slverr):
        device.write_bar2(0, 1)


# ---------------------------------------------------------------------- resets, the published driver


def test_soft_reset_keeps_configuration_and_reads_0() -> None:
    bench = Bench().setup()
    bench.write(regs.WEIGHT_F, 9)
    bench.insert(kv())
    bench.step(5)
    bench.write(regs.CTRL, regs.CTRL.pack(ENABLE=1, DEMAND=1, SOFT_RESET=1))
    with pytest.raises(Slverr):
        bench.write(regs.STEP_ADVANCE, 9)
    assert bench.read(regs.CTRL) == regs.CTRL.pack(ENABLE=1, DEMAND=1)
    bench.idle()
    assert bench.read(regs.WEIGHT_F) == 9
    assert bench.read(regs.TIER_SLOTS[1]) == bench.read(regs.TIER_FREE[1]) == 64
    assert (bench.read(regs.STEP_ADVANCE), bench.read(regs.SCAN_COUNT)) == (0, 0)
    assert not list(bench.device.state.dump())
    assert bench.read(regs.DIR_STATUS) == 0


def test_reset_puts_everything_back_but_bytes_in_memory() -> None:
    bench = Bench().setup()
    address = bench.insert(kv())
    bench.device.mem_write(1, address, b"kept")
    bench.device.reset()
    assert bench.read(regs.TIER_SLOTS[1]) == 0
    assert bench.read(regs.CTRL) == 0
    assert bench.read(regs.BLOCK_BYTES) == 8192
    assert bench.device.mem_read(1, address, 4) == b"kept"


def test_the_published_driver_sequence() -> None:
    """Written with bare offsets, as the existing driver writes them."""
    device = DeviceModel(entries=1024, lanes=4)
    assert device.wait_idle(10_000)
    device.write(0x0020, 1)
    device.write(0x0100, 128)
    device.write(0x0200, 0x7F001000)
    device.write(0x0208, 4096)
    device.write(0x0210, 0x7F002000)
    device.write(0x0218, 8192)
    device.write(0x0300, 0x7F003000)
    device.write(0x0308, 4096)
    device.write(0x0310, 256)
    device.write(0x0400, 0x7F004000)
    device.write(0x0408, 16384)
    for offset, weight in zip((0x500, 0x508, 0x510, 0x518), (3, 5, 7, 11), strict=True):
        device.write(offset, weight)
    device.write(0x0530, 40960 << 16 | 1024)
    assert device.wait_idle(100_000)
    assert device.read(0x0100) == 128
    assert [device.read(o) for o in (0x500, 0x508, 0x510, 0x518)] == [3, 5, 7, 11]
    assert (device.read(0x520), device.read(0x528)) == (1024, 40960)
    assert (device.read(0x0208), device.read(0x0310)) == (4096, 256)
    with pytest.raises(Slverr):
        device.write(0x0208, 0)
