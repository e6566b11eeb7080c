"""The environments of the engines, `.venv-<name>`: nothing of them is in the environment of the other tools."""

from __future__ import annotations

from pathlib import Path

from tb.run import setup_env
from tb.run.errors import UsageError
from tb.run.paths import ROOT


def python_of(name: str) -> Path:
    """The interpreter of an engine's environment."""
    return ROOT / f".venv-{name}" / "bin" / "python"


def install(name: str) -> None:
    """Make sure that an engine's environment holds its locks; the first time it is made, with a line that says so.

    Raises UsageError: it cannot be made, such as without a network.
    """
    try:
        setup_env.set_up(ROOT, setup_env.OWN[name], f".venv-{name}")
    except setup_env.SetupError as error:
        raise UsageError(str(error)) from None
