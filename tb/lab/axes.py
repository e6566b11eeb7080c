"""Axes that the pages of the experiments share."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter


def log_scale(axes: Axes) -> None:
    """A logarithmic x axis with plain numbers at 1, 2 and 5 of each decade, so that they do not overlap."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.6g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
