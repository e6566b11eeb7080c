"""What a register and its fields are; `sw/regs/registers.py` (generated) holds the registers themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Access = Literal["rw", "ro", "wo", "w1c"]


@dataclass(frozen=True, slots=True)
class Field:
    """Bits `lsb + width - 1 : lsb` of a register.

    `reset` is None where the hardware, not a reset value, decides what is read.
    """

    name: str
    lsb: int
    width: int
    access: Access
    reset: int | None
    description: str

    @property
    def mask(self) -> int:
        """The field's bits inside its register."""
        return ((1 << self.width) - 1) << self.lsb

    def get(self, value: int) -> int:
        """The field's value inside a register value."""
        return (value >> self.lsb) & ((1 << self.width) - 1)

    def put(self, value: int) -> int:
        """The register value that has `value` in this field and 0 elsewhere.

        Raises:
            ValueError: the value does not fit the field.
        """
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"{self.name}: {value:#x} does not fit {self.width} bits")
        return value << self.lsb


@dataclass(frozen=True, slots=True)
class Register:
    """One 64-bit register: its offset in bytes inside its BAR, its fields from bit 0 up."""

    name: str
    offset: int
    fields: tuple[Field, ...]
    launches: bool
    title: str
    description: str

    @property
    def readable(self) -> bool:
        """Whether software may read it (else SLVERR)."""
        return any(f.access != "wo" for f in self.fields)

    @property
    def writable(self) -> bool:
        """Whether software may write it (else SLVERR)."""
        return any(f.access != "ro" for f in self.fields)

    @property
    def access(self) -> Literal["rw", "ro", "wo"]:
        """The access of the register as a whole."""
        if self.readable and self.writable:
            return "rw"
        return "ro" if self.readable else "wo"

    @property
    def reset(self) -> int | None:
        """Value read after reset, or None where the hardware decides part of it."""
        value = 0
        for field in self.fields:
            if field.reset is None:
                return None
            value |= field.put(field.reset)
        return value

    @property
    def write_mask(self) -> int:
        """Bits that a write can change; others are ignored."""
        return sum(f.mask for f in self.fields if f.access != "ro")

    def __getitem__(self, name: str) -> Field:
        """The field of that name.

        Raises:
            KeyError: there is none.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name}")

    def pack(self, **values: int) -> int:
        """A register value from field values; fields not named are 0.

        Raises:
            KeyError: no such field.
            ValueError: a value does not fit.
        """
        packed = 0
        for name, value in values.items():
            packed |= self[name].put(value)
        return packed

    def unpack(self, value: int) -> dict[str, int]:
        """Field values of a register value."""
        return {field.name: field.get(value) for field in self.fields}
