"""Status codes of the control plane, and the one exception that carries them (software.md 3).

This module imports nothing, so that every layer may raise a `Refusal`.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The status of a reply, and the reason code of every decision in the audit log."""

    OK = 0
    BAD_FRAME = 1
    UNSUPPORTED = 2
    NO_GRAPH = 3
    OVERSIZE = 4
    AUTH_FAILED = 5  # unknown, expired, revoked, or lacking the right
    BAD_ARGUMENT = 16
    NOT_FOUND = 17
    EXISTS = 18
    BUSY = 19
    SCHEMA_MISMATCH = 20
    NO_ROOM = 21
    ADMISSION_REFUSED = 22
    QUEUE_FULL = 23
    TOO_MANY_IN_FLIGHT = 24
    RATE_LIMITED = 25
    QUOTA_EXCEEDED = 26
    PROMPT_TOO_LONG = 27
    TOO_MANY_TOKENS = 28
    CONTEXT_EXCEEDED = 29
    NO_MODEL = 30
    DEVICE_FAULT = 31
    UNSIGNED = 32
    ALTERED = 33
    WRONG_KEY = 34
    EXPIRED_KEY = 35
    BAD_SIGNATURE = 36
    MALFORMED = 37
    MODEL_TOO_LARGE = 38
    MODEL_UNSUPPORTED = 39

    @property
    def label(self) -> str:
        """The contract's spelling: `BadFrame`, `NoRoom`, `OK`."""
        if self is Code.OK:
            return "OK"
        return "".join(part.capitalize() for part in self.name.split("_"))


NEXT_STEP: dict[Code, str] = {
    Code.BAD_FRAME: "send whole frames, laid out as docs/control-plane.md says",
    Code.UNSUPPORTED: "this node does not offer it (docs/control-plane.md)",
    Code.NO_GRAPH: "make the graph first: `graphctl create`",
    Code.OVERSIZE: "a payload has at most 64 bytes; prompts and packages travel in shared buffers",
    Code.AUTH_FAILED: "use the token of a living capability with this right: `llmctl keys` lists them, "
    "`llmctl grant` issues one",
    Code.BAD_ARGUMENT: "correct the arguments: `--help`, docs/llm.md, docs/control-plane.md",
    Code.NOT_FOUND: "check the number (another tenant's is not found either)",
    Code.EXISTS: "use the one that exists, or another number",
    Code.BUSY: "end or cancel what uses it (`llmctl list`), then ask again",
    Code.SCHEMA_MISMATCH: "both ends of a channel need the same schema",
    Code.NO_ROOM: "end, release or unload something (`llmctl list`, `llmctl unload`), then ask again",
    Code.ADMISSION_REFUSED: "ask for a smaller share, or reduce another (`det status` shows all)",
    Code.QUEUE_FULL: "ask again when an inference of the class has begun, or use another class",
    Code.TOO_MANY_IN_FLIGHT: "read to the end or cancel an inference: `llmctl list`, `llmctl cancel`",
    Code.RATE_LIMITED: "ask again in the next window",
    Code.QUOTA_EXCEEDED: "ask for fewer tokens, or again in the next window",
    Code.PROMPT_TOO_LONG: "shorten the prompt",
    Code.TOO_MANY_TOKENS: "ask for fewer tokens (`--max-tokens`)",
    Code.CONTEXT_EXCEEDED: "shorten the prompt, or ask for fewer tokens",
    Code.NO_MODEL: "load a model (`llmctl load`), or name one of several (`--model`)",
    Code.DEVICE_FAULT: "see the node's log; `kvctl info` tells whether the device answers",
    Code.UNSIGNED: "sign the package (docs/model-packages.md)",
    Code.ALTERED: "get the package again: its bytes are not those that were signed",
    Code.WRONG_KEY: "add the signer's key to the trust store, or use a package that a trusted key has signed "
    "(`llmctl keys`)",
    Code.EXPIRED_KEY: "have the package signed with a key that has not expired",
    Code.BAD_SIGNATURE: "get the package again from its signer",
    Code.MALFORMED: "inspect the package (docs/model-packages.md)",
    Code.MODEL_TOO_LARGE: "use a smaller model, or raise the limit (docs/llm.md)",
    Code.MODEL_UNSUPPORTED: "use another model or backend (docs/model-packages.md)",
}
"""What the refused caller can do about it."""


def described(code: Code, reason: str = "") -> str:
    """Code, reason and next step in one line: `NoGraph (3): there is no graph; make the graph first: ...`."""
    reason = "" if reason == code.label else reason
    parts = [f"{code.label} ({code.value})" + (f": {reason}" if reason else "")]
    return "; ".join([*parts, *([NEXT_STEP[code]] if code in NEXT_STEP else [])])


class Refusal(Exception):
    """Something was asked for and is not done; nothing has changed.

    Attributes:
        code: why, as frames and the audit log tell it.
    """

    def __init__(self, code: Code, message: str = "") -> None:
        """Refuse with `code`; the message is one line for the user."""
        super().__init__(message or code.label)
        self.code = code
