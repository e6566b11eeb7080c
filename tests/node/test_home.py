"""What a node keeps in its folder, and what a start does when it is damaged or gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sw.audit import AuditBroken
from sw.audit.reseal import reseal
from sw.node.home import Home, home_of
from sw.signing import KeyFileError, PrivateKey
from sw.uapi.place import NAME
from tests.node.serving import model_node


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Of a node that has been served and has ended."""
    folder = tmp_path / "node"
    folder.mkdir(mode=0o700)
    model_node(folder / NAME).end()
    return Home(home_of(folder / NAME))


def start_again(home: Home) -> None:
    model_node(home.folder.parent / NAME).end()


def test_b5_both_audit_files_deleted(home: Home) -> None:
    home.audit.unlink()
    home.audit.with_name("audit.jsonl.head").unlink()
    with pytest.raises(AuditBroken, match=r"the anchor knows.*next step: .*--accept-loss"):
        start_again(home)
    reseal(home.audit, PrivateKey.load(home.key), home.anchor, accept_loss=True)
    start_again(home)


@pytest.mark.parametrize("content", [b"", b"kv-cpu-private-key-v1 00\n", b"\xff" * 40])
def test_b5_a_damaged_service_key(home: Home, content: bytes) -> None:
    """One line with the next step, nothing replaced; the step works."""
    home.key.write_bytes(content)
    with pytest.raises(KeyFileError, match=r"next step: .*move it away") as caught:
        start_again(home)
    assert "\n" not in str(caught.value)
    assert home.key.read_bytes() == content
    home.key.unlink()
    with pytest.raises(AuditBroken, match=r"not signed by the service's key.*--accept-loss"):
        start_again(home)
    reseal(home.audit, PrivateKey.load(home.key), home.anchor, accept_loss=True)
    start_again(home)
