"""The C++ side of the testbench (tb/dpi), reached through ctypes: the simulator and Python are one process.

Arrays handed over are used in place, so that whoever starts a batch keeps its arrays until it is done.
"""

import ctypes as c
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tb.events.records import STREAM_WORDS

Array = npt.NDArray[Any]

ACCESS = np.dtype(
    [
        ("data", "<u8"),
        ("begun", "<u8"),
        ("ended", "<u8"),
        ("addr", "<u4"),
        ("kind", "u1"),
        ("strb", "u1"),
        ("resp", "u1"),
        ("pad", "u1"),
    ]
)
"""One MMIO access: `data` in (write, wait) or out (read); `begun`/`ended` cycles of request and response."""

READ, WRITE, WAIT_IRQ, WAIT_CYCLES = range(4)
OKAY, SLVERR, DECERR = 0, 2, 3
NOT_RUN, TIMED_OUT = 0xFF, 0xFE

_ACCESS = struct.Struct("<QQQIBBBx")


class OneAccess:
    """The record of one MMIO access, used again and again: an array of one `ACCESS` costs more than the access."""

    def __init__(self) -> None:
        self._bytes = (c.c_uint8 * _ACCESS.size)()
        self.place = c.addressof(self._bytes)

    def ask(self, kind: int, addr: int, data: int, strb: int) -> None:
        """Fill it in; it is not run yet."""
        _ACCESS.pack_into(self._bytes, 0, data, 0, 0, addr, kind, strb, NOT_RUN)

    def answer(self) -> tuple[int, int]:
        """Response and data."""
        data, _, _, _, _, _, resp = _ACCESS.unpack_from(self._bytes)
        return resp, data


REQUEST = np.dtype([("kv_addr", "<u8"), ("write", "<u8")])
ANSWER = np.dtype(
    [
        ("asked", "<u8"),
        ("answered", "<u8"),
        ("phys_addr", "<u8"),
        ("index", "<u2"),
        ("hit", "u1"),
        ("denied", "u1"),
        ("tier", "u1"),
        ("pad", "u1", (3,)),
    ]
)
"""One answer of a lookup port; `asked` and `answered` are the cycles of the two handshakes."""

AXI_COUNTS = (
    "read_bursts",
    "write_bursts",
    "read_beats",
    "write_beats",
    "read_errors",
    "write_errors",
    "first_read_cycle",
    "last_read_cycle",
    "first_read_request_cycle",
)

WAKE_MMIO = (1, 2)  # BAR0, BAR2
WAKE_ALARM, WAKE_DRAIN, WAKE_VIOLATION = 4, 8, 16


def wake_port(port: int) -> int:
    """Wake flag of a lookup port's batches."""
    return 256 << port


class Link:
    """Typed access to the kvpy_* functions."""

    def __init__(self) -> None:
        lib = self._lib = c.CDLL(None)
        u32, u64, i32 = c.c_uint32, c.c_uint64, c.c_int
        p64 = c.POINTER(u64)

        def bind(name: str, result: Any, *arguments: Any) -> Any:
            function = getattr(lib, f"kvpy_{name}")
            function.restype, function.argtypes = result, list(arguments)
            return function

        self.cycle = bind("cycle", u64)
        self.take_wake = bind("take_wake", u32)
        self.alarm = bind("alarm", None, u64)
        self.reset = bind("reset", None, u64, u64)
        self._take_records = bind("take_records", p64, i32, p64)
        self.records_total = bind("records_total", u64, i32)
        self.drain_at = bind("drain_at", None, u64)
        self.checks = bind("checks", u64)
        self._violation_count = bind("violation_count", u64)
        self._violation = bind("violation", c.c_char_p, u64, p64)
        self.clear_violations = bind("clear_violations", None)
        self._mmio_start = bind("mmio_start", i32, i32, c.c_void_p, u64, i32)
        self.mmio_done = bind("mmio_done", c.c_int64, i32)
        self.mmio_config = bind("mmio_config", None, i32, u32, u64)
        self._lookup_start = bind("lookup_start", None, i32, c.c_void_p, c.c_void_p, u64)
        self.lookup_done = bind("lookup_done", u64, i32)
        self.lookup_waiting = bind("lookup_waiting", u64, i32)
        self.lookup_config = bind("lookup_config", None, i32, u32, u32, u64)
        self.memory_map = bind("memory_map", i32, i32, u64, u64)
        self._memory = bind("memory", c.c_void_p, i32)
        self._memory_write = bind("memory_write", i32, i32, u64, c.c_char_p, u64)
        self._memory_read = bind("memory_read", i32, i32, u64, c.c_char_p, u64)
        self.memory_corrupt = bind("memory_corrupt", i32, i32, u64, c.c_uint8)
        self._memory_compare = bind(
            "memory_compare", u64, p64, c.POINTER(i32), p64, c.POINTER(c.c_uint8), c.POINTER(c.c_uint8)
        )
        self.fill_inserts = bind("fill_inserts", None, i32)
        self.axi_seed = bind("axi_seed", None, u64)
        self.axi_timing = bind("axi_timing", None, i32, u32, u32, u32, u32, u32, u32)
        self.axi_port = bind("axi_port", None, *[u32] * 9)
        self.axi_error = bind("axi_error", i32, u32, u32, u64, u64, u32, u32, i32)
        self.axi_clear_errors = bind("axi_clear_errors", None)
        self.axi_error_hits = bind("axi_error_hits", u64, i32)
        self._axi_counts = bind("axi_counts", None, p64)
        self.axi_clear_counts = bind("axi_clear_counts", None)
        self.axi_outstanding = bind("axi_outstanding", u64)
        self._poke = bind("poke", None, u32, i32, i32)
        self.poke_pending = bind("poke_pending", i32)
        self.dump_request = bind("dump_request", None)
        self.pins_record = bind("pins_record", None, u64, u64)
        self._pins_save = bind("pins_save", i32, c.c_char_p)

    def take_records(self, stream: int) -> Array:
        """Records collected since the last call: shape (n, words), uint64, a copy."""
        words = c.c_uint64()
        data = self._take_records(stream, c.byref(words))
        width = STREAM_WORDS[stream]
        if not words.value:
            return np.zeros((0, width), dtype=np.uint64)
        return np.ctypeslib.as_array(data, (words.value,)).reshape(-1, width).copy()

    def violations(self) -> list[tuple[int, str]]:
        """(cycle, text) of every violation that a protocol checker has seen."""
        found = []
        for i in range(self._violation_count()):
            at = c.c_uint64()
            text = self._violation(i, c.byref(at)).decode()
            found.append((at.value, text))
        return found

    def mmio_start(self, bar: int, accesses: Array, stop_on_refused: bool) -> None:
        """Hand a batch of `ACCESS` records to the transactor of BAR0 (0) or BAR2 (1)."""
        self._start(bar, accesses.ctypes.data, len(accesses), stop_on_refused)

    def mmio_start_one(self, bar: int, access: OneAccess) -> None:
        """The same for one access."""
        self._start(bar, access.place, 1, False)

    def _start(self, bar: int, place: int, count: int, stop_on_refused: bool) -> None:
        if not self._mmio_start(bar, place, count, int(stop_on_refused)):
            raise RuntimeError(f"transactor {bar} is busy with another batch")

    def lookup_start(self, port: int, requests: Array, answers: Array) -> None:
        """Append a batch of `REQUEST` records to a port; answers go to `answers`."""
        self._lookup_start(port, requests.ctypes.data, answers.ctypes.data, len(requests))

    def memory(self, tier: int, size: int) -> npt.NDArray[np.uint8]:
        """A tier's memory as the device sees it: a view, not a copy. Writing here is the backdoor."""
        return np.ctypeslib.as_array(c.cast(self._memory(tier), c.POINTER(c.c_uint8)), (size,))

    def memory_write(self, tier: int, phys_addr: int, data: bytes) -> bool:
        """Software's write of tier memory; False outside the tier."""
        return bool(self._memory_write(tier, phys_addr, data, len(data)))

    def memory_read(self, tier: int, phys_addr: int, count: int) -> bytes | None:
        """Software's read of tier memory; None outside the tier."""
        buffer = c.create_string_buffer(count)
        return buffer.raw if self._memory_read(tier, phys_addr, buffer, count) else None

    def memory_compare(self) -> tuple[int, int, str]:
        """(differing pages of 4 KiB, bytes compared, text of the first difference) over all tiers."""
        compared, addr = c.c_uint64(), c.c_uint64()
        tier, expected, seen = c.c_int(), c.c_uint8(), c.c_uint8()
        bad = self._memory_compare(c.byref(compared), c.byref(tier), c.byref(addr), c.byref(expected), c.byref(seen))
        text = (
            f"tier {tier.value} memory at {addr.value:#x}: expected {expected.value:#04x}, seen {seen.value:#04x}"
            if bad
            else ""
        )
        return bad, compared.value, text

    def axi_counts(self) -> dict[str, int]:
        """Bursts, beats and errors on the memory port since the last clear."""
        out = (c.c_uint64 * len(AXI_COUNTS))()
        self._axi_counts(out)
        return dict(zip(AXI_COUNTS, out, strict=True))

    def pins_save(self, path: Path) -> None:
        """Stop recording the device's pins (`pins_record`) and write what was recorded. Raises OSError."""
        if not self._pins_save(str(path).encode()):
            raise OSError(f"{path} cannot be written")

    def poke(self, index: int, tag: bool, bit: int) -> None:
        """Flip a bit of an entry's tag or meta word in the directory's memory, at the next clock."""
        self._poke(index, int(tag), bit)
