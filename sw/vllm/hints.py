"""KV hints of a request: what an orchestrator says to this tier (software.md 6).

A request of vLLM may carry an envelope of actions; those whose type begins with `kvcpu.` are ours:

    {"action_type": "kvcpu.hot", "action_version": "1.0", "payload": {}}
    {"action_type": "kvcpu.prefetch", "action_version": "1.0", "payload": {"steps": 4}}
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

HOT = "kvcpu.hot"
PREFETCH = "kvcpu.prefetch"
VERSION = "1.0"
_OURS = "kvcpu."

logger = logging.getLogger(__name__)


class Action(Protocol):
    """`vllm.v1.kv_hints.KvHintAction`."""

    action_type: str
    action_version: str
    payload: dict[str, Any]


class Envelope(Protocol):
    """`vllm.v1.kv_hints.KvHintsEnvelope`."""

    actions: Iterable[Action]


@dataclass(frozen=True, slots=True)
class Hints:
    """What to do with the blocks of one request.

    Attributes:
        hot: keep them in the fast tiers.
        prefetch: they will be needed in so many steps; None: not said.
    """

    hot: bool = False
    prefetch: int | None = None


def parse(envelope: Envelope | None) -> Hints:
    """The actions for this tier; what is not understood is logged and left out."""
    hot, prefetch = False, None
    for action in envelope.actions if envelope is not None else ():
        if not action.action_type.startswith(_OURS):
            continue
        steps = action.payload.get("steps", 0)
        if action.action_version != VERSION or type(steps) is not int or not 0 <= steps < 1 << 31:
            logger.warning("KV hint %s %s is not understood", action.action_type, action.action_version)
        elif action.action_type == HOT:
            hot = True
        elif action.action_type == PREFETCH:
            prefetch = steps
        else:
            logger.warning("KV hint %s is not known", action.action_type)
    return Hints(hot, prefetch)
