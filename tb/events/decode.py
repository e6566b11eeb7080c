"""Words of a stream as typed records: whole arrays where a check is vectorised, one record each where it is not."""

import struct
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tb.events.records import DTYPES, PORT_RECORDS, RECORDS, Kind, PortKind

Array = npt.NDArray[Any]
_CODES = {"bool": "?", "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q"}  # of the module struct
KIND_BYTE = 8  # of a record in a stream of several kinds


def kinds(words: Array) -> npt.NDArray[np.uint8]:
    """The kind of each record of a stream of several kinds; `words` has the shape (n, words)."""
    octets: npt.NDArray[np.uint8] = np.ascontiguousarray(words).view(np.uint8)
    return octets[:, KIND_BYTE]


def as_records(words: Array, record: type[Any]) -> Array:
    """Words that are all of one kind as a structured array of its fields, shape (n,)."""
    return np.ascontiguousarray(words).reshape(-1).view(DTYPES[record])


def of_kind(words: Array, kind: Kind | PortKind) -> Array:
    """The records of one kind among `words`, as a structured array, in order."""
    record = PORT_RECORDS[kind] if isinstance(kind, PortKind) else RECORDS[kind]
    return as_records(words[kinds(words) == kind], record)


def empty(record: type[Any]) -> Array:
    """No record of a kind."""
    return np.zeros(0, DTYPES[record])


def _layout(record: type[Any], *, signed: bool = False) -> struct.Struct:
    dtype, text, at = DTYPES[record], "<", 0
    for name in record._fields:
        field, offset, *_ = dtype.fields[name]  # type: ignore[index]
        text += "x" * (offset - at) + (_CODES[field.name] if not signed or field != np.uint64 else "q")
        at = offset + field.itemsize
    return struct.Struct(text + "x" * (dtype.itemsize - at))


LAYOUTS = {record: _layout(record) for record in DTYPES}
"""How a record's fields, in the order of its class, lie in its bytes."""
SIGNED_LAYOUTS = {record: _layout(record, signed=True) for record in DTYPES}
"""The same with signed numbers of 64 bits, as SQLite has them."""


def decoded(words: Array) -> list[Any]:
    """Every record of the main stream as its `...Record`, in order."""
    found: list[Any] = [None] * len(words)
    of = kinds(words)
    for code in np.unique(of).tolist():
        record = RECORDS[Kind(code)]
        places = np.flatnonzero(of == code)
        records = map(partial(tuple.__new__, record), LAYOUTS[record].iter_unpack(words[places].tobytes()))
        for place, one in zip(places.tolist(), records, strict=True):
            found[place] = one
    return found
