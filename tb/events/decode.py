"""Words of a stream as typed records: whole arrays where a check is vectorised, one record each where it is not."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tb.events.records import DTYPES, PORT_RECORDS, RECORDS, Kind, PortKind

Array = npt.NDArray[Any]
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


def rows(records: Array) -> list[tuple[Any, ...]]:
    """A structured array as tuples of Python's own values, field by field."""
    return list(zip(*(records[name].tolist() for name in records.dtype.names or ()), strict=True))


def decoded(words: Array) -> list[Any]:
    """Every record of the main stream as its `...Record`, in order."""
    found: list[Any] = [None] * len(words)
    of = kinds(words)
    for code in np.unique(of).tolist():
        record = RECORDS[Kind(code)]
        places = np.flatnonzero(of == code)
        for place, row in zip(places.tolist(), rows(as_records(words[places], record)), strict=True):
            found[place] = record._make(row)
    return found
