"""What the packing tool reads (a description, arrays) and shows."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sw.llm.package.build import Weights
from sw.llm.package.format import SIGNED_TAIL, Header, parse
from sw.llm.quantisation import Quantisation, encode

FIELDS = {
    "id": "model_id",
    **{name: name for name in Header.__slots__ if name != "model_id"},
}
"""Field of the description to field of the header."""


class DescriptionError(ValueError):
    """A description or arrays that no package can be made of; one line."""


def load_header(path: Path) -> Header:
    """The header of a JSON description: an object with exactly the header's fields.

    Raises:
        DescriptionError: it is not one.
        OSError: it cannot be read.
    """
    try:
        fields = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise DescriptionError(f"{path} is not JSON") from None
    if not isinstance(fields, dict) or fields.keys() != FIELDS.keys():
        raise DescriptionError(f"{path}: an object with exactly the fields {', '.join(FIELDS)}")
    values = dict(fields)
    try:
        values["quantisation"] = Quantisation[str(values["quantisation"]).upper()].value
    except KeyError:
        names = ", ".join(kind.name.lower() for kind in Quantisation)
        raise DescriptionError(f"{path}: quantisation is one of {names}") from None
    for name, value in values.items():
        if not isinstance(value, str if name == "name" else int) or isinstance(value, bool):
            raise DescriptionError(f"{path}: {name} is {value!r}")
    return Header(**{FIELDS[name]: value for name, value in values.items()})


def load_weights(path: Path, quantisation: int) -> list[Weights]:
    """The arrays of an .npz file as tensors.

    Matrices (two dims and more) are rounded to `quantisation`; vectors, such as norms, stay f32.

    Raises:
        DescriptionError: it is no .npz, or an array cannot be a tensor.
        OSError: it cannot be read.
    """
    try:
        return [_tensor(name, array, Quantisation(quantisation)) for name, array in _arrays(path).items()]
    except ValueError as error:
        raise DescriptionError(f"{path}: {error}") from None


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of an archive, in memory."""
    data = io.BytesIO(path.read_bytes())
    try:
        loaded = np.load(data, allow_pickle=False)
        return {name: loaded[name] for name in loaded.files}
    except Exception:  # noqa: BLE001 - a broken archive makes zipfile, zlib and NumPy raise nearly anything
        raise ValueError("not an .npz archive of numbers") from None


def _tensor(name: str, array: NDArray[Any], quantisation: Quantisation) -> Weights:
    if array.dtype not in (np.dtype("float32"), np.dtype("float16")):
        raise ValueError(f"array {name} is {array.dtype}, not float32 or float16")
    if not 1 <= array.ndim <= 4:
        raise ValueError(f"array {name} has {array.ndim} dims, not 1 to 4")
    kind = quantisation if array.ndim > 1 else Quantisation.F32
    try:
        data = encode(kind, array.astype(np.float32))
    except ValueError as error:
        raise ValueError(f"array {name}: {error}") from None
    return Weights(name, kind, array.shape, data.tobytes())


def show(package: bytes) -> dict[str, Any]:
    """What a package says of itself; nothing is verified but whether the digest is that of its bytes.

    Raises:
        Malformed: it is not a package.
    """
    layout = parse(package)
    trailer = layout.trailer
    digest_holds = hmac.compare_digest(hashlib.sha256(package[:-SIGNED_TAIL]).digest(), trailer.digest)
    shown: dict[str, Any] = {name: getattr(layout.header, field) for name, field in FIELDS.items()}
    shown["quantisation"] = _kind(layout.header.quantisation)
    shown["package_bytes"] = len(package)
    shown["weights_bytes"] = layout.weights_bytes
    shown["digest"] = "holds" if digest_holds else "altered"
    shown["key_id"] = None if trailer.unsigned else trailer.key_id.hex()
    shown["tensors"] = [
        {
            "name": tensor.name,
            "type": _kind(tensor.type),
            "dims": list(tensor.dims),
            "offset": tensor.offset,
            "bytes": tensor.nbytes,
        }
        for tensor in layout.tensors
    ]
    return shown


def _kind(number: int) -> str:
    return Quantisation(number).name.lower() if number in list(Quantisation) else f"unknown {number}"
