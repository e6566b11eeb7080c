"""Control frames for tools: which token they carry, and refusals as one line (software.md 3)."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from sw import ownerfile
from sw.codes import Code, described
from sw.control.frames import Command, FrameError, Reply, decode_reply, encode_request
from sw.node.client import Client
from sw.node.home import Home, home_of
from sw.tools.common import Session, ToolError

MAX_TOKEN_FILE = 64
OWN_RIGHTS = {"rights": ["submit", "stream"], "objects": ["model", "llm"]}
OWN_HOLDER = "admin"  # as the first capability's: packages are loaded from buffers of the administrator's own


def add_token_option(parser: argparse.ArgumentParser) -> None:
    """`--token-file`: another holder than the administrator whose files are next to the socket."""
    parser.add_argument("--token-file", type=Path, help="file of the capability's token (default: the administrator's)")


def read_token(path: Path) -> int:
    """The token in a file that is its owner's only.

    Raises:
        ToolError: it cannot be read, others could, or it holds no token.
    """
    try:
        text = ownerfile.read(path, MAX_TOKEN_FILE).decode("ascii", "replace").strip()
        return int(text, 16)
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror.lower()}" if error.strerror else str(error)) from None
    except ValueError:
        raise ToolError(f"{path}: holds no token") from None


def write_token(path: Path, token: int) -> None:
    """Keep a token in a file of mode 0600.

    Raises:
        ToolError: it cannot be written.
    """
    try:
        ownerfile.replace(path, f"{token:#018x}\n".encode())
    except OSError as error:
        raise ToolError(f"{path}: {(error.strerror or str(error)).lower()}") from None


@dataclass
class Control:
    """Frames to the node of a session.

    Attributes:
        token_file: of the capability that every frame carries; None: the administrator's, who has one issued to
            himself for what administration does not allow (no right implies another).
    """

    session: Session
    token_file: Path | None = None

    @property
    def client(self) -> Client:
        """The connection."""
        return self.session.client

    @property
    def _home(self) -> Home:
        return Home(home_of(self.client.path))

    def admin(self) -> int:
        """The token for administration.

        Raises:
            ToolError: it cannot be read.
        """
        return read_token(self.token_file or self._home.admin_token)

    def for_blocks(self) -> dict[str, int]:
        """The argument that lets a call act on blocks of others: the token for administration, where there is one."""
        return {"token": self.admin()} if self.token_file or self._home.admin_token.exists() else {}

    def user(self) -> int:
        """The token for buffers and inferences.

        Raises:
            ToolError: it cannot be read, or had.
        """
        if self.token_file:
            return read_token(self.token_file)
        path = self._home.user_token
        if path.exists():
            return read_token(path)
        granted = self.client.call("grant", token=self.admin(), holder=OWN_HOLDER, **OWN_RIGHTS)
        write_token(path, granted["token"])
        return int(granted["token"])

    def ask(self, command: Command, token: int, *arguments: int) -> Reply:
        """One frame and its reply.

        Raises:
            ToolError: the status is not OK, or there is no reply.
        """
        try:
            reply = decode_reply(self.client.frames(encode_request(command, token, *arguments)))
        except FrameError as error:
            raise ToolError(f"{command.name}: {error}") from None
        if reply.code is not Code.OK:
            reason = self.client.call("reason")["reason"]
            raise ToolError(f"{command.name}: {reason or described(reply.code)}")
        return reply

    def buffer(self, data: bytes) -> int:
        """Keep bytes in a shared buffer; its handle.

        Raises:
            ToolError: refused.
        """
        code, handle = self.client.buffer(self.user(), data)
        if code is not Code.OK:
            raise refusal("shared buffer", code)
        return handle

    def release(self, handle: int) -> None:
        """Give a buffer back; one that has gone is none to worry about."""
        self.client.buffer(self.user(), release=handle)


def refusal(what: str, code: Code) -> ToolError:
    """The line for a status that is not OK."""
    return ToolError(f"{what}: {described(code)}")
