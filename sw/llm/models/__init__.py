"""The model that ships: `docs/micro-llm.md` tells what it learned from and how to sign it with another key."""

from pathlib import Path

_FOLDER = Path(__file__).parent

PACKAGE = _FOLDER / "micro.kvm"
"""The signed package."""

PUBLIC_KEY = _FOLDER / "micro.pub"
"""The public key to trust, in the form of `python -m sw.llm.package keys trust`. The private key is not kept."""

DESCRIPTION = _FOLDER / "micro.json"
"""What `python -m sw.llm.package pack` makes the header from."""
