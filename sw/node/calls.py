"""What a call outside the published ioctls is: JSON in, JSON out, every argument checked before anything is done."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from jsonschema import Draft202012Validator, validators

from sw.node.file import File
from sw.node.node import Node
from sw.regs.kv_address import TOKENS, KvAddress
from sw.uapi.wire import Request

T = TypeVar("T")
Json = dict[str, Any]
WORD: Json = {"type": "integer", "minimum": 0, "maximum": (1 << 64) - 1}
U32: Json = {**WORD, "maximum": (1 << 32) - 1}
STEP: Json = {**WORD, "maximum": TOKENS - 1}
KV: Json = {"type": "string", "maxLength": 64}
FLAG: Json = {"type": "boolean"}


_POLL_S = 0.001
_MESSAGE = 300  # characters: what was sent is quoted in a message, and may be as long as a packet


class CallError(Exception):
    """A call that is refused; one line and an errno."""

    def __init__(self, number: int, message: str) -> None:
        """Refuse with errno `number`."""
        super().__init__(message)
        self.errno = number


def shortened(message: str) -> str:
    """A message as one line of bounded length."""
    line = " ".join(message.split())
    return line if len(line) <= _MESSAGE else f"{line[: _MESSAGE // 2]} ... {line[-_MESSAGE // 2 :]}"


Pause = Callable[[Callable[[], bool]], Awaitable[None]]
"""Lets others be served, at least until what it is given says True."""


async def at_once(ready: Callable[[], bool]) -> None:
    """The pause of who has the node to himself."""
    while not ready():
        time.sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the node, the open file, the request, and how others are let in meanwhile."""

    node: Node
    file: File
    request: Request
    pause: Pause

    async def between(self) -> bool:
        """Let others be served; whether the answer is still waited for."""
        await self.pause(lambda: True)
        return not self.unwanted

    async def aside(self, work: Callable[[], T]) -> T:
        """Do what needs no device in a thread of its own, while others are served; one such work at a time.

        Raises:
            CallError: the caller no longer waits.
            BaseException: what `work` raised.
        """
        turn = self.node.aside
        while not turn.acquire(blocking=False):
            if self.unwanted:
                raise CallError(errno.EINTR, "the caller no longer waits")
            await self.pause(lambda: not turn.locked() or self.unwanted)
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                future.set_exception(error)
            finally:
                turn.release()

        threading.Thread(target=run, name="aside", daemon=True).start()
        await self.pause(lambda: future.done() or self.unwanted)
        if not future.done():
            raise CallError(errno.EINTR, "the caller no longer waits")
        return future.result()

    def may_act(self, asked: Json, request_id: int, *, claims: bool = False) -> None:
        """Whether the asker may act on blocks of a request; `claims`: blocks, or hints on them, may come of it.

        Raises:
            AuthFailed: they are another's, and no capability that is shown allows it.
        """
        self.node.owners.check(self.file, asked.get("token"), request_id, f"device.{asked['call']}", claims=claims)

    @property
    def unwanted(self) -> bool:
        """The caller no longer waits for the answer, or the node is ending."""
        return self.node.ending.now or self.request.abandoned()


Handler = Callable[[Asker, Json], Awaitable[Json]]


def _is_integer(_: Any, value: object) -> bool:
    return type(value) is int


# jsonschema's own "integer" takes 1.0 as well, which is no Python integer: it would travel on and fail far from here
_Checker = validators.extend(
    Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the JSON Schema of its arguments, and what it does."""

    schema: Json
    handler: Handler

    def check(self, asked: Json) -> None:
        """Whether these are its arguments.

        Raises:
            CallError: one is missing, unknown, or not what it must be.
        """
        for error in _Checker(self.schema).iter_errors(asked):
            place = ".".join(map(str, error.absolute_path))
            raise CallError(errno.EINVAL, shortened(f"{place}: {error.message}" if place else error.message))


def call(handler: Handler, *needed: str, **properties: Json) -> Call:
    """A call with the schemas of its arguments, of which those `needed` must be given."""
    schema = {
        "type": "object",
        "properties": {"call": {}, **properties},
        "required": list(needed),
        "additionalProperties": False,
    }
    return Call(schema, handler)


def parsed_kv(text: str) -> KvAddress:
    """The block address that an argument names.

    Raises:
        CallError: it names none.
    """
    try:
        return KvAddress.parse(text)
    except ValueError as error:
        raise CallError(errno.EINVAL, str(error)) from None
