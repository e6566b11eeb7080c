"""Work that can take long is done in slices, and looks up between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

Between = Callable[[], Awaitable[bool]]
"""Awaited between two slices of long work, where nothing is half done: others may be served meanwhile.

False: the result is not wanted any more, and the work ends with what is done.
"""


async def uninterrupted() -> bool:
    """For work that has the device to itself."""
    return True
