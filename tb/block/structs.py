"""Packed structs of `rtl/kvcpu_pkg.sv` as Python integers and back, and its enums: as the sources lay them out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import pyslang

PACKAGE = Path(__file__).resolve().parents[2] / "rtl" / "kvcpu_pkg.sv"

Value = int | Sequence[int] | Mapping[str, int]


@dataclass(frozen=True)
class Field:
    """A field of a packed struct; offsets and widths in bits."""

    name: str
    offset: int
    width: int
    struct: "Struct | None"


@dataclass(frozen=True)
class Struct:
    """A packed struct: `pack` makes the integer that the RTL sees, `unpack` takes it apart."""

    name: str
    width: int
    fields: Mapping[str, Field]

    def pack(self, **values: Value) -> int:
        """The struct as an integer; fields that are not named are 0.

        A sequence fills a packed array from index 0 on; a mapping fills a struct.
        Raises KeyError for an unknown field, OverflowError for a value that does not fit.
        """
        word = 0
        for name, value in values.items():
            field = self.fields[name]
            word |= self._bits(field, value) << field.offset
        return word

    def _bits(self, field: Field, value: Value) -> int:
        if isinstance(value, Mapping):
            if field.struct is None:
                raise KeyError(f"{self.name}.{field.name} is no struct")
            return field.struct.pack(**value)
        if isinstance(value, Sequence):
            width = field.width // len(value)
            bits = 0
            for i, element in enumerate(value):
                bits |= self._checked(field, element, width) << (i * width)
            return bits
        return self._checked(field, value, field.width)

    def _checked(self, field: Field, value: int, width: int) -> int:
        if not 0 <= int(value) < 1 << width:
            raise OverflowError(f"{self.name}.{field.name}: {value} does not fit {width} bits")
        return int(value)

    def unpack(self, word: int) -> dict[str, int]:
        """Every field of the integer as the RTL gives it; nested structs and arrays as integers."""
        return {name: word >> field.offset & (1 << field.width) - 1 for name, field in self.fields.items()}


@cache
def _typedef(name: str) -> "tuple[pyslang.ast.Compilation, pyslang.ast.Type]":
    # The type lives no longer than its compilation.
    compilation = pyslang.ast.Compilation()
    compilation.addSyntaxTree(pyslang.syntax.SyntaxTree.fromFile(str(PACKAGE)))
    package = compilation.getPackage("kvcpu_pkg")
    alias = package.find(name) if package is not None else None
    if not isinstance(alias, pyslang.ast.TypeAliasType):
        raise LookupError(f"{PACKAGE.name} has no type `{name}`")
    return compilation, alias.targetType.type.canonicalType


@cache
def struct(name: str) -> Struct:
    """The packed struct typedef `name` of the package. Raises LookupError where there is none."""
    kind = _typedef(name)[1]
    if not kind.isStruct:
        raise LookupError(f"{PACKAGE.name}: `{name}` is no struct")
    return _struct(name, kind)


def _members(kind: "pyslang.ast.Type") -> list[Any]:
    members: Iterable[Any] = kind  # type: ignore[assignment]  # a scope; the stubs do not say so
    return list(members)


def _struct(name: str, kind: "pyslang.ast.Type") -> Struct:
    fields = {}
    for member in _members(kind):
        if member.kind != pyslang.ast.SymbolKind.Field:
            continue
        canonical = member.type.canonicalType
        nested = _struct(f"{name}.{member.name}", canonical) if canonical.isStruct else None
        fields[member.name] = Field(member.name, member.bitOffset, canonical.bitWidth, nested)
    return Struct(name, kind.bitWidth, fields)


@cache
def enum(name: str, prefix: str) -> type[IntEnum]:
    """The enum typedef `name` of the package; its members without `prefix`. Raises LookupError where there is none."""
    kind = _typedef(name)[1]
    if not kind.isEnum:
        raise LookupError(f"{PACKAGE.name}: `{name}` is no enum")
    members = {
        m.name.removeprefix(prefix): int(m.value.value)
        for m in _members(kind)
        if m.kind == pyslang.ast.SymbolKind.EnumValue
    }
    return IntEnum(name, members)  # type: ignore[return-value]
