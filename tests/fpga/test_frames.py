"""The serial line's values are the same in its RTL package, in Python and in docs/fpga.md."""

from __future__ import annotations

import re

import pytest

from sw.transport import frames
from sw.transport.frames import Request, Status
from tb.run.paths import ROOT

PACKAGE = (ROOT / "fpga" / "rtl" / "kvcpu_board_pkg.sv").read_text()
REGISTERS = (ROOT / "fpga" / "rtl" / "kvcpu_board_regs.sv").read_text()
PAGE = (ROOT / "docs" / "fpga.md").read_text()


def constants(text: str) -> dict[str, int]:
    """Hexadecimal and decimal constants of a SystemVerilog file."""
    found = re.findall(r"\b(\w+)\s*= \d+'(h|d)([0-9A-F_]+)", text)
    return {name: int(digits.replace("_", ""), 16 if base == "h" else 10) for name, base, digits in found}


def test_opcodes_and_statuses() -> None:
    rtl = constants(PACKAGE)
    assert rtl["OpRead"] == Request(0).encode()[0]
    assert rtl["OpWrite"] == Request(0, 0).encode()[0]
    assert rtl["OpRead"] | rtl["OpChained"] == Request(0, chained=True).encode()[0]
    assert {status.name: rtl[f"Status{status.name.capitalize()}"] for status in Status} == {s.name: s for s in Status}
    assert rtl["ByteIrq"] == frames.IRQ_BYTE
    regions = {"Bar0": frames.BAR0, "Bar2": frames.BAR2, "Tiers": frames.TIERS, "Board": frames.BOARD}
    assert {name: rtl[f"Region{name}"] << 28 for name in regions} == regions


@pytest.mark.parametrize("name", ["Id", "Status", "TierBytes", "LookupAddr", "Lookup", "LookupPhys"])
def test_board_registers(name: str) -> None:
    in_python = "BOARD_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
    address = getattr(frames, in_python)
    assert constants(REGISTERS)[f"Addr{name}"] == address - frames.BOARD
    assert f"`0x{address >> 16:04x}_{address & 0xFFFF:04x}`" in PAGE


def test_page_has_every_status() -> None:
    for status in Status:
        assert re.search(rf"^\| {status.name}.*`{status:02X}`", PAGE, re.M), status.name
