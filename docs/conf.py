"""Configuration of the documentation site (`make docs`): Sphinx with Markdown pages, everything in the site itself."""

from __future__ import annotations

import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]

project = "KV-CPU"
author = "The KV-CPU authors"
release = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["conf.py"]
suppress_warnings = ["misc.highlighting_failure"]  # command output in blocks without a language
myst_heading_anchors = 3
html_theme = "furo"
html_title = "KV-CPU"
html_copy_source = False
html_show_sphinx = False
