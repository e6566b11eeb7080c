"""Whose the blocks of a served device are, by request id, and who may act on them (docs/control-plane.md).

A capability with ADMIN on Device may act on every block. Without one a client has the request ids under which it was
the first to insert or bind, and may act on their blocks; they are freed when it goes. The ids of the LLM service are
no other client's.
"""

from __future__ import annotations

from sw.codes import Code, Refusal
from sw.kernel.capability import AuthFailed, Object, Rights
from sw.llm.capacity import PREFIXES, SERVICE_REQUESTS, USER_REQUESTS
from sw.llm.system import System
from sw.node.file import File

IDS_PER_FILE = 64
_NEEDS = "acting on it needs a capability with ADMIN on Device (the administrator's tools present theirs)"


def _told(ids: range) -> str:
    return f"{ids.start:,} to {ids.stop - 1:,}"


def is_service(request_id: int) -> bool:
    """Whether a request id is the LLM service's own."""
    return request_id == PREFIXES or request_id in SERVICE_REQUESTS


class NotOwner(AuthFailed):
    """Blocks of another client, and no capability."""

    def __init__(self, message: str) -> None:
        """Say whose they are; there is no secret in it."""
        super().__init__()
        self.args = (message,)


class Owners:
    """Request ids and who has named them first."""

    def __init__(self, system: System) -> None:
        """All ids of users are free."""
        self._system = system
        self._files: dict[int, File] = {}
        self._kept: set[int] = set()

    def check(self, file: File, token: int | None, request_id: int, op: str, *, claims: bool = False) -> None:
        """Whether a client may act on blocks of a request; of a capability's decision there is one audit entry.

        Args:
            file: that it asks through.
            token: of its capability; None: it shows none.
            request_id: of the blocks.
            op: what the audit log calls it.
            claims: blocks may come of it: an id without an owner becomes the client's, or the administrator's.

        Raises:
            AuthFailed: it may not.
            Refusal: NoRoom: it has IDS_PER_FILE ids without a capability.
        """
        if token is not None:
            cap = self._system.capabilities.check(token, Object.DEVICE, Rights.ADMIN, self._system.clock.now())
            audit = self._system.audit
            audit.record(holder=cap.holder, cap_id=cap.id, op=op, obj=f"request:{request_id}", code=Code.OK)
            if claims and not is_service(request_id) and self._files.get(request_id) is None:
                self._kept.add(request_id)
            return
        why = self._against(file, request_id)
        if why is None:
            if claims and request_id not in file.requests:
                self._claim(file, request_id)
            return
        if (more := self._system.capabilities.failures.entry()) is not None:
            self._system.audit.record(
                holder="", cap_id=None, op=op, obj=f"request:{request_id}", code=Code.AUTH_FAILED, **more
            )
        raise NotOwner(f"{why}: {_NEEDS}")

    def check_insert(self, request_id: int) -> None:
        """Whether users may have blocks under a request id.

        Raises:
            Refusal: BadArgument: it is the LLM service's.
        """
        if is_service(request_id):
            own = f"{PREFIXES} and {_told(SERVICE_REQUESTS)} are the LLM service's own"
            raise Refusal(Code.BAD_ARGUMENT, f"request {request_id}: {own}, take one of {_told(USER_REQUESTS)}")

    def freed(self, request_id: int) -> None:
        """No block of a request is left: whoever inserts next has it."""
        self._kept.discard(request_id)
        owner = self._files.pop(request_id, None)
        if owner:
            owner.requests.discard(request_id)

    def leaves(self, file: File, request_id: int) -> None:
        """A client has gone and could not be rid of all blocks of a request: they are the administrator's."""
        file.requests.discard(request_id)
        self._files.pop(request_id, None)
        self._kept.add(request_id)

    def _claim(self, file: File, request_id: int) -> None:
        if len(file.requests) >= IDS_PER_FILE:
            raise Refusal(Code.NO_ROOM, f"this client has blocks under {IDS_PER_FILE} request ids; free one")
        self._files[request_id] = file
        file.requests.add(request_id)

    def _against(self, file: File, request_id: int) -> str | None:
        if is_service(request_id):
            return f"request {request_id} is the LLM service's"
        if request_id in self._kept or self._files.get(request_id, file) is not file:
            return f"request {request_id} is another client's"
        return None
