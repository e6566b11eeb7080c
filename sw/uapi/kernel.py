"""Writes the headers of the Linux driver (sw/linux): its user interface, and the registers in the kernel's style."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from sw.regs import registers as regs
from sw.regs.register import Register
from sw.uapi import description
from sw.uapi.description import Call, Constant, Direction, Struct

_UAPI = """\
/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * User interface of the KV-CPU device node {device}.
 * Generated from sw/uapi/description.py by `make regs`: do not edit.
 */
#ifndef _UAPI_LINUX_KVCPU_H
#define _UAPI_LINUX_KVCPU_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KVCPU_IOC_MAGIC 'K'

{structs}
{constants}
{calls}
#endif
"""
_REGISTERS = """\
/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registers of the KV-CPU device: BAR0, and the entry as BAR2 shows it.
 * Generated from rtl/regs/kvcpu.rdl by `make regs`: do not edit.
 */
#ifndef KV_REGS_H
#define KV_REGS_H

#include <linux/bits.h>

#define KV_ID_VALUE {identity:#x}ULL
#define KV_VERSION_VALUE {version:#x}ULL
#define KV_ENTRY_STRIDE {stride}

{registers}
{entry}
{enums}
#define KV_COUNTERS(X) \\
{counters}
#endif
"""
_ENUMS: tuple[tuple[str, type[IntEnum]], ...] = (
    ("CMD", regs.Command),
    ("RESULT", regs.Status),
    ("COMPLETION", regs.Completion),
)
_DIRECTIONS = {Direction.WRITE: "_IOW", Direction.READ: "_IOR", Direction.BOTH: "_IOWR"}


def emit_linux_uapi() -> str:
    """The text of `sw/linux/include/uapi/linux/kvcpu.h`."""
    structs = (*description.STRUCTS, description.EVENT, *description.LINUX_STRUCTS)
    constants = (*description.CONSTANTS, *description.LINUX_CONSTANTS)
    calls = (*description.CALLS, *description.LINUX_CALLS)
    return _UAPI.format(
        device=description.DEVICE,
        structs="\n".join(map(_struct, structs)),
        constants="".join(map(_constant, constants)),
        calls="".join(map(_call, calls)),
    )


def _struct(item: Struct) -> str:
    members = "".join(f"\t__u{member.bits} {member.name}; /* {member.meaning} */\n" for member in item.members)
    return f"/* {item.meaning} */\nstruct kvcpu_{item.name} {{\n{members}}};\n"


def _constant(constant: Constant) -> str:
    return f"#define KVCPU_{constant.name} {constant.value} /* {constant.meaning} */\n"


def _call(call: Call) -> str:
    number = f"{_DIRECTIONS[call.direction]}(KVCPU_IOC_MAGIC, {call.number:#x}, struct kvcpu_{call.argument.name})"
    return f"/* {call.meaning} */\n#define KVCPU_IOC_{call.name} {number}\n"


def emit_linux_registers() -> str:
    """The text of `sw/linux/kv_regs.h`."""
    counters = [register for register in regs.REGISTERS if register.name.endswith(("_COUNT", "_MOVED", "_CYCLES"))]
    last = len(counters) - 1
    return _REGISTERS.format(
        identity=regs.ID.reset,
        version=regs.VERSION.reset,
        stride=regs.ENTRY_STRIDE,
        registers=_defines(regs.REGISTERS),
        entry=_defines(regs.ENTRY_WORDS),
        enums="".join(_enum(name, kind) for name, kind in _ENUMS),
        counters="".join(
            f"\tX({r.name.lower()}, KV_{r.name}){'' if n == last else ' ' + chr(92)}\n" for n, r in enumerate(counters)
        ),
    )


def _defines(registers: Iterable[Register]) -> str:
    lines = []
    for register in registers:
        lines.append(f"#define KV_{register.name} {register.offset:#06x}")
        if [field.width for field in register.fields] != [64]:
            lines += [
                f"#define   KV_{register.name}_{field.name} GENMASK_ULL({field.lsb + field.width - 1}, {field.lsb})"
                for field in register.fields
            ]
    return "\n".join(lines) + "\n"


def _enum(name: str, kind: type[IntEnum]) -> str:
    return "".join(f"#define KV_{name}_{item.name} {item.value}\n" for item in kind) + "\n"
