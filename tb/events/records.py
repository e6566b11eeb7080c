"""Records of the monitors as NumPy structured arrays; kinds and names come from the SystemVerilog sources."""

import re
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tb.harness.link import Array

_ROOT = Path(__file__).resolve().parents[2]


@cache
def sv_enum(path: str, name: str) -> dict[str, int]:
    """Members of the enum typedef `name` in a SystemVerilog file: UpperCamelCase name to value."""
    text = re.sub(r"//.*", "", (_ROOT / path).read_text())
    found = re.search(r"typedef enum logic[^{]*\{([^}]*)\}\s*" + name + r"\s*;", text)
    if not found:
        raise LookupError(f"{path} has no enum `{name}`")
    members = re.findall(r"(\w+)\s*=\s*\d+'d(\d+)", found[1])
    return {member: int(value) for member, value in members}


def _enum(path: str, sv_name: str, name: str, prefix: str) -> Any:
    """An IntEnum whose members only the SystemVerilog source knows: Any to the type checker."""
    names = {re.sub(rf"^{prefix}", "", k): v for k, v in sv_enum(path, sv_name).items()}
    members = {f"{k}_" if k == "None" else k: v for k, v in names.items()}
    return IntEnum(name, members)


Kind = _enum("tb/hdl/kvcpu_tb_pkg.sv", "event_e", "Kind", "Ev")
Op = _enum("rtl/kvcpu_pkg.sv", "op_e", "Op", "Op")
Client = _enum("rtl/kvcpu_pkg.sv", "client_e", "Client", "Cl")
Cmd = _enum("rtl/kvcpu_pkg.sv", "cmd_e", "Cmd", "Cmd")

STREAM_MAIN, STREAM_SCAN, STREAM_PORT = range(3)

MAIN = np.dtype(
    [("cycle", "<u8"), ("kind", "u1"), ("op", "u1"), ("client", "u1"), ("port", "u1"), ("flags", "<u4")]
    + [(f"w{i}", "<u8") for i in range(2, 16)]
)

SCAN = np.dtype(
    [
        ("cycle", "<u8"),
        ("index", "<u2"),
        ("prio", "<u2"),
        ("r", "u1"),
        ("f", "u1"),
        ("flags", "<u2"),  # bits below
        ("access_step", "<u4"),
        ("ref_count", "u1"),
        ("tier", "u1"),
        ("meta_flags", "<u2"),
        ("request_id", "<u2"),
        ("slot", "<u2"),
        ("generation", "<u2"),
        ("pad", "<u2"),
    ]
)
SCAN_EVICT, SCAN_PREFETCH, SCAN_ACCEPT, SCAN_DROP, SCAN_HIST = (1 << i for i in range(5))

PORT = np.dtype(
    [
        ("cycle", "<u8"),
        ("port", "u1"),
        ("flags", "u1"),  # request: bit 0 write; answer: bit 0 hit, bit 1 denied
        ("answer", "u1"),  # 0 request, 1 answer
        ("tier", "u1"),
        ("index", "<u2"),
        ("pad", "<u2"),
        ("addr", "<u8"),  # request: KV address; answer: PHYS_ADDR
        ("spare", "<u8"),
    ]
)

META_PREFIX, META_DIRTY, META_HOT, META_EVICTABLE, META_HINT, META_EPOCH, META_IN_FLIGHT, META_MOVING, META_VOIDED = (
    1 << i for i in range(9)
)


def typed(records: Array, stream: int) -> Array:
    """Raw words of a stream as its structured type, shape (n,)."""
    kind = (MAIN, SCAN, PORT)[stream]
    return records.reshape(-1).view(kind) if len(records) else np.zeros(0, kind)
