"""Where a defect that one request meets is stopped: that request fails, and the node goes on."""

from __future__ import annotations

import logging

from sw.codes import Code, described
from sw.node.node import Node

log = logging.getLogger(__name__)


def failed(node: Node, what: str, error: Exception) -> str:
    """A defect: logged with its traceback for developers, one audit entry, and one line for the caller.

    Raises:
        AuditUnavailable: the entry could not be kept; the node must end.
    """
    log.error("%s failed by a defect", what, exc_info=error)
    node.system.audit.record(holder="", cap_id=None, op="node.request", obj=what, code=Code.DEVICE_FAULT)
    return described(Code.DEVICE_FAULT, f"a defect of the node in this request alone ({type(error).__name__})")
