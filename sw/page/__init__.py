"""The one form of every page that this project writes: self-contained HTML, light and dark, for phones, offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2

TEMPLATES = Path(__file__).resolve().parent / "templates"


def environment(folders: Sequence[Path], home: str = "") -> jinja2.Environment:
    """Templates of `folders`, which extend `page.html.j2`; `home` is the page that they all link, "" for none."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["home"] = home
    return found
