"""Compiles the SystemRDL description and flattens it into `Register`s."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from peakrdl_regblock.udps import ALL_UDPS
from systemrdl.compiler import RDLCompiler
from systemrdl.messages import MessagePrinter, Severity
from systemrdl.node import AddressableNode, AddrmapNode, FieldNode, RegNode
from systemrdl.rdltypes.builtin_enums import OnWriteType
from systemrdl.source_ref import SourceRefBase

from sw.regs.register import Access, Field, Register


class _Quiet(MessagePrinter):
    """Prints one line per message."""

    def print_message(self, severity: Severity, text: str, src_ref: SourceRefBase | None) -> None:
        """Print the message with its line."""
        line = getattr(src_ref, "line", None)
        print(f"kvcpu.rdl:{line or '?'}: {severity.name.lower()}: {text}")


@dataclass(frozen=True)
class Enumeration:
    """A SystemRDL enum: its name in CamelCase, and its members."""

    name: str
    members: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class Array:
    """Registers of one name in an array of register files (ports, tiers)."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """Both address maps, flat."""

    bar0: tuple[Register, ...]
    bar0_arrays: tuple[Array, ...]
    enumerations: tuple[Enumeration, ...]
    encodings: dict[str, str]  # "REGISTER.FIELD" -> enumeration
    entry_words: tuple[Register, ...]
    entry_stride: int
    bar0_node: AddrmapNode
    bar2_node: AddrmapNode


def _access(field: FieldNode) -> Access:
    if field.get_property("onwrite") is OnWriteType.woclr:
        return "w1c"
    if field.is_sw_readable and field.is_sw_writable:
        return "rw"
    return "ro" if field.is_sw_readable else "wo"


def _reset(field: FieldNode) -> int | None:
    value = field.get_property("reset")
    return value if isinstance(value, int) else None


def _register(node: RegNode, name: str, offset: int) -> Register:
    fields = tuple(
        Field(
            name=f.inst_name,
            lsb=f.low,
            width=f.width,
            access=_access(f),
            reset=_reset(f),
            description=" ".join((f.get_property("desc") or "").split()),
        )
        for f in sorted(node.fields(), key=lambda f: f.low)
    )
    return Register(
        name=name,
        offset=offset,
        fields=fields,
        launches=bool(node.get_property("csr_launch")),
        title=node.get_property("name"),
        description=" ".join((node.get_property("desc") or "").split()),
    )


def _flat_name(node: RegNode, top: AddrmapNode) -> str:
    path = node.get_rel_path(top)
    return path.replace("[", "").replace("]", "").replace(".", "_")


def _elaborate(source: Path, top: str) -> AddrmapNode:
    compiler = RDLCompiler(message_printer=_Quiet())
    for udp in ALL_UDPS:
        compiler.register_udp(udp)
    compiler.compile_file(str(source))
    return compiler.elaborate(top).top


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.removeprefix("kvcpu_").split("_"))


def load(source: Path) -> Description:
    """Compile the description.

    Raises:
        systemrdl.RDLCompileError: the description is not legal; the messages are printed.
    """
    bar0 = _elaborate(source, "kvcpu_regs")
    bar2 = _elaborate(source, "kvcpu_bar2")
    registers: list[Register] = []
    arrays: dict[str, list[str]] = {}
    enumerations: dict[str, Enumeration] = {}
    encodings: dict[str, str] = {}
    for node in bar0.descendants(unroll=True):
        if not isinstance(node, RegNode):
            continue
        name = _flat_name(node, bar0)
        registers.append(_register(node, name, node.absolute_address))
        if not isinstance(node.parent, AddrmapNode):
            array = f"{node.parent.inst_name}_{node.inst_name}"
            arrays.setdefault(array, []).append(name)
        for field in node.fields():
            encode = field.get_property("encode")
            if encode is None:
                continue
            camel = _camel(encode.type_name)
            encodings[f"{name}.{field.inst_name}"] = camel
            enumerations[camel] = Enumeration(
                camel, tuple((m.name, int(m.value), m.rdl_desc or "") for m in encode.members.values())
            )
    registers.sort(key=lambda r: r.offset)
    entry = bar2.children(unroll=False)[0]
    assert isinstance(entry, AddressableNode), "BAR2 is an array of entries"
    assert entry.array_stride is not None, "BAR2 is an array of entries"
    words = tuple(
        _register(node, f"ENTRY_{node.inst_name}", node.raw_address_offset)
        for node in entry.children()
        if isinstance(node, RegNode)
    )
    return Description(
        bar0=tuple(registers),
        bar0_arrays=tuple(Array(n, tuple(m)) for n, m in arrays.items()),
        enumerations=tuple(sorted(enumerations.values(), key=lambda e: e.name)),
        encodings=encodings,
        entry_words=words,
        entry_stride=entry.array_stride,
        bar0_node=bar0,
        bar2_node=bar2,
    )
