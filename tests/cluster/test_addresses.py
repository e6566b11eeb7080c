"""A scheduler that is not there, or is none: one line, status 2, within 10 s of the connection's beginning."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tb.run.paths import ROOT

pytest.importorskip("distributed", reason="the cluster tools are not installed: `make setup-cluster` does it")


def regress(address: str) -> tuple[int, str, float]:
    begin = time.monotonic()
    command = [sys.executable, "-m", "tb.run", "regress", "--level=block", f"--scheduler={address}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr, time.monotonic() - begin


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:1", "127.0.0.1:1", "nonsense", "nonsense://a:1", "tcp://", "tcp://no-such-host.invalid:8786", ""],
)
def test_a_wrong_address_is_one_line(address: str) -> None:
    status, text, seconds = regress(address)
    assert (status, len(text.splitlines())) == (2, 1), text
    assert text.startswith(f"error: SCHEDULER={address}: no Dask scheduler answers there (")
    assert seconds < 10


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20])
def test_another_program_at_the_address_is_one_line(answer: bytes, tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(
        "import socket, sys, time\n"
        "server = socket.create_server(('127.0.0.1', 0)); print(server.getsockname()[1], flush=True)\n"
        "kept = []\n"
        "while True:\n"
        "    kept.append(server.accept()[0])\n"
        f"    kept[-1].sendall({answer!r})\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            status, text, seconds = regress(f"tcp://127.0.0.1:{server.stdout.readline().strip()}")
        finally:
            server.kill()
    assert (status, len(text.splitlines())) == (2, 1), text
    assert "no Dask scheduler answers there" in text
    assert seconds < 10
