"""Model packages for tools: the one that ships with the project, or any file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sw.llm.models import PACKAGE
from sw.llm.package import Header, Malformed, PackageLimits, PackageRefused
from sw.llm.package.format import parse
from sw.llm.package.verify import read_package
from sw.tools.common import ToolError


@dataclass(frozen=True, slots=True)
class Model:
    """A package as it is in its file; only the service verifies it. `header` is None where it says nothing legible."""

    path: Path
    data: bytes
    header: Header | None


def read(path: Path) -> Model:
    """Read a package.

    Raises:
        ToolError: it cannot be read, or is larger than any service takes.
    """
    try:
        data = read_package(path, PackageLimits().package_bytes)
    except OSError as error:
        raise ToolError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except PackageRefused as error:
        raise ToolError(f"{path}: {error}") from None
    try:
        return Model(path, data, parse(data).header)
    except Malformed:
        return Model(path, data, None)


def choose(path: Path | None, model_id: int | None, context: int | None) -> Model:
    """The package that is asked for: a file, or the one that ships; of that id, and with that much context.

    Raises:
        ToolError: it is not.
    """
    model = read(path or PACKAGE)
    header = model.header
    if model_id is not None and (header is None or header.model_id != model_id):
        raise ToolError(f"{model.path}: not model {model_id}")
    if context is not None and (header is None or header.context < context):
        raise ToolError(
            f"{model.path}: a context of {header.context if header else 0:,} tokens, {context:,} are needed"
        )
    return model
