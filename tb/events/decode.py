"""Words of a stream as typed records: whole arrays where a check is vectorised, one record each where it is not."""

import gc
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tb.events.records import DTYPES, RECORDS_OF, Kind

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


def of_kind(words: Array, kind: IntEnum) -> Array:
    """The records of one kind (of any stream) among `words`, as a structured array, in order."""
    return as_records(words[kinds(words) == kind], RECORDS_OF[type(kind)][kind])


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


def decoded(words: Array, of_stream: type[IntEnum] = Kind) -> list[Any]:
    """Every record of a stream (the main one, or that of another enumeration) as its `...Record`, in order."""
    found: list[Any] = [None] * len(words)
    of = kinds(words)
    with _no_collection():
        for code in np.unique(of).tolist():
            record = RECORDS_OF[of_stream][of_stream(code)]
            places = np.flatnonzero(of == code)
            records = map(partial(tuple.__new__, record), LAYOUTS[record].iter_unpack(words[places].tobytes()))
            for place, one in zip(places.tolist(), records, strict=True):
                found[place] = one
    return found


@contextmanager
def _no_collection() -> Iterator[None]:
    """Many records are made at once, none of them in a cycle: a search for garbage meanwhile would find none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
