"""Registers and fields as values, and the description they come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sw.regs import registers as regs
from sw.regs.kv_address import KvAddress
from sw.run import NotImmediate, Sync, run

REGISTERS = st.sampled_from(regs.REGISTERS)


@given(register=REGISTERS, value=st.integers(0, (1 << 64) - 1))
def test_unpack_and_pack_are_inverse(register: regs.Register, value: int) -> None:
    fields = register.unpack(value)
    mask = sum(field.mask for field in register.fields)
    assert register.pack(**fields) == value & mask


def test_fields_do_not_overlap_and_offsets_are_aligned_and_unique() -> None:
    assert len({register.offset for register in regs.REGISTERS}) == len(regs.REGISTERS)
    for register in regs.REGISTERS:
        assert register.offset % 8 == 0
        assert register.offset < 0x2000, "0x2000-0x2FFF is reserved"
        bits = [bit for field in register.fields for bit in range(field.lsb, field.lsb + field.width)]
        assert len(bits) == len(set(bits))
        assert max(bits) < 64


def test_pages() -> None:
    """HEPC and directory below 0x1000, DMA from there on (device.md 7)."""
    for register in regs.REGISTERS:
        is_dma = register.name in {"MAX_RETRY"} or register.name.startswith(
            ("COMPLETION_", "DMA_ERROR", "EVICT_BYTES", "EVICT_ERROR", "EVICT_VOID")
        )
        is_dma |= register.name in {"PREFETCH_BYTES_MOVED", "PREFETCH_ERROR_COUNT", "PREFETCH_VOID_COUNT"}
        assert (register.offset >= 0x1000) == is_dma, register.name


def test_a_value_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="does not fit 8 bits"):
        regs.WEIGHT_R.pack(WEIGHT=256)
    with pytest.raises(KeyError, match="WEIGHT_R has no field LENGTH"):
        regs.WEIGHT_R.pack(LENGTH=1)


@given(st.integers(0, (1 << 64) - 1))
def test_kv_address(value: int) -> None:
    address = KvAddress.unpack(value)
    assert address.pack() == value
    assert KvAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    "text", ["1:2:3", "1:2:3:4:5", "a:0:0:0", "65536:0:0:0", "0:256:0:0", "0:0:0:4294967296", "-1:0:0:0"]
)
def test_bad_kv_address(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        KvAddress.parse(text)


def test_run_refuses_what_needs_a_scheduler() -> None:
    class Trigger:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield "an edge"

    async def wait() -> None:
        await Trigger()

    with pytest.raises(NotImmediate, match="an edge"):
        run(wait())


def test_sync_keeps_results_and_errors() -> None:
    class Thing:
        size = 3

        async def double(self, n: int) -> int:
            return 2 * n

        async def fail(self) -> None:
            raise LookupError("gone")

    thing = Sync(Thing())
    assert (thing.size, thing.double(4)) == (3, 8)
    with pytest.raises(LookupError, match="gone"):
        thing.fail()
