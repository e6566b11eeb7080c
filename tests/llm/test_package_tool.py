"""`python -m sw.llm.package` from keys to verify: exit status, one-line errors, files and their rights."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sw.llm.package import PackageLimits, Quantisation, TrustStore, host_calendar, verify_file
from sw.llm.package.__main__ import main
from sw.llm.package.describe import DescriptionError, load_weights
from sw.llm.quantisation import decode
from sw.signing import PublicKey

DESCRIPTION = {
    "id": 5, "revision": 1, "context": 64, "vocabulary": 260, "layers": 1, "heads": 2, "kv_heads": 1,
    "head_dim": 16, "quantisation": "q8_0", "wcet_cycles": 25000, "arena_bytes": 1024, "name": "tool",
}  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def describe(**changes: Any) -> None:
    Path("model.json").write_text(json.dumps(DESCRIPTION | changes))


def arrays(**more: Any) -> None:
    numbers = np.arange(64, dtype=np.float32).reshape(2, 32) / 64
    np.savez("model.npz", matrix=numbers, half=numbers.astype(np.float16), norm=np.ones(3, np.float32), **more)


def succeed(*arguments: str) -> None:
    assert main(list(arguments)) == 0


def trusted_package() -> None:
    describe()
    arrays()
    succeed("pack", "model.json", "model.npz", "model.kvpkg")
    succeed("keys", "make", "release")
    succeed("keys", "trust", "store", "release.pub", "--name", "release", "--expires", "2999-01-01")
    succeed("sign", "model.kvpkg", "--key", "release")


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status and the one line of a failure."""
    capsys.readouterr()
    status = main(list(arguments))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("package: ")
    return status, err


def test_from_keys_to_verify(capsys: pytest.CaptureFixture[str]) -> None:
    trusted_package()
    capsys.readouterr()
    succeed("verify", "model.kvpkg", "--store", "store")
    line = capsys.readouterr().out
    assert line == "model.kvpkg: good, model tool (id 5, revision 1), signed by release\n"
    succeed("verify", "model.kvpkg", "--store", "store", "--json")
    assert json.loads(capsys.readouterr().out)["key_id"] == PublicKey.load(Path("release.pub")).key_id.hex()
    assert Path("release").stat().st_mode & 0o777 == 0o600


def test_weights_arrive() -> None:
    trusted_package()
    package = verify_file(Path("model.kvpkg"), TrustStore(Path("store")), PackageLimits(), host_calendar())
    types = {name: Quantisation(tensor.type) for name, tensor in package.tensors.items()}
    assert types == {"matrix": Quantisation.Q8_0, "half": Quantisation.Q8_0, "norm": Quantisation.F32}
    matrix = decode(Quantisation.Q8_0, np.frombuffer(package.raw("matrix"), np.uint8)).reshape(2, 32)
    assert np.abs(matrix - np.arange(64).reshape(2, 32) / 64).max() < 1 / 127
    assert bytes(package.raw("norm")) == np.ones(3, "<f4").tobytes()


def test_inspect(capsys: pytest.CaptureFixture[str]) -> None:
    trusted_package()
    capsys.readouterr()
    succeed("inspect", "model.kvpkg", "--json")
    shown = json.loads(capsys.readouterr().out)
    assert {name: shown[name] for name in DESCRIPTION} == DESCRIPTION
    assert shown["digest"] == "holds"
    data = bytearray(Path("model.kvpkg").read_bytes())
    data[-200] ^= 1
    Path("model.kvpkg").write_bytes(data)
    succeed("inspect", "model.kvpkg")
    text = capsys.readouterr().out
    assert "digest          altered" in text
    assert "nothing is verified" in text


def test_keys(capsys: pytest.CaptureFixture[str]) -> None:
    trusted_package()
    key_id = PublicKey.load(Path("release.pub")).key_id.hex()
    capsys.readouterr()
    succeed("keys", "list", "store")
    assert capsys.readouterr().out == f"{key_id} release expires 2999-01-01T00:00:00+00:00\n"
    succeed("keys", "list", "store", "--json")
    assert json.loads(capsys.readouterr().out)[0]["expired"] is False
    succeed("keys", "remove", "store", key_id)
    assert failure(capsys, "verify", "model.kvpkg", "--store", "store")[0] == 1
    assert failure(capsys, "keys", "remove", "store", key_id)[0] == 2


def test_refused(capsys: pytest.CaptureFixture[str]) -> None:
    trusted_package()
    verify = ("verify", "model.kvpkg", "--store", "store")
    status, line = failure(capsys, *verify, "--at", "2999-01-01T00:00:00Z")
    assert (status, line) == (1, "package: ExpiredKey (35): key release has expired\n")
    assert failure(capsys, *verify, "--max-context", "63")[1].startswith("package: ModelTooLarge (38): ")
    assert failure(capsys, *verify, "--max-package-bytes", "100")[1].startswith("package: ModelTooLarge (38): ")
    describe()
    succeed("pack", "model.json", "model.npz", "model.kvpkg")
    assert failure(capsys, *verify) == (1, "package: Unsigned (32): the package is not signed\n")
    Path("model.kvpkg").write_bytes(b"junk")
    assert failure(capsys, *verify)[1].startswith("package: Malformed (37): ")
    assert failure(capsys, "inspect", "model.kvpkg")[0] == 1
    assert failure(capsys, "sign", "model.kvpkg", "--key", "release")[0] == 1
    assert Path("model.kvpkg").read_bytes() == b"junk"


def test_key_files(capsys: pytest.CaptureFixture[str]) -> None:
    trusted_package()
    before = Path("release").read_bytes()
    assert failure(capsys, "keys", "make", "release")[0] == 2
    assert Path("release").read_bytes() == before
    Path("release.pub").unlink()
    assert failure(capsys, "keys", "make", "release")[0] == 2
    assert failure(capsys, "sign", "model.kvpkg", "--key", "missing") == (
        2,
        "package: missing: No such file or directory\n",
    )
    Path("release").chmod(0o644)
    assert failure(capsys, "sign", "model.kvpkg", "--key", "release")[0] == 2
    assert failure(capsys, "keys", "trust", "store", "release", "--name", "x", "--never-expires")[0] == 2


def test_missing_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert failure(capsys, "inspect", "missing") == (2, "package: missing: No such file or directory\n")
    assert failure(capsys, "pack", "missing", "missing", "out")[0] == 2
    assert failure(capsys, "inspect", ".")[0] == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        "{}",
        json.dumps(DESCRIPTION | {"more": 1}),
        json.dumps(DESCRIPTION | {"id": "5"}),
        json.dumps(DESCRIPTION | {"id": True}),
        json.dumps(DESCRIPTION | {"id": 1.0}),
        json.dumps(DESCRIPTION | {"name": 5}),
        json.dumps(DESCRIPTION | {"quantisation": "q5"}),
        json.dumps(DESCRIPTION | {"quantisation": None}),
    ],
)
def test_description(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    arrays()
    Path("model.json").write_text(content)
    assert failure(capsys, "pack", "model.json", "model.npz", "out")[0] == 2
    assert not Path("out").exists()


def test_description_out_of_range(capsys: pytest.CaptureFixture[str]) -> None:
    arrays()
    describe(layers=1 << 16)
    assert failure(capsys, "pack", "model.json", "model.npz", "out")[0] == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "array",
    [
        np.ones((2, 31), np.float32),
        np.ones((2, 32), np.int32),
        np.ones((), np.float32),
        np.ones((1,) * 5, np.float32),
        np.full((2, 32), np.nan, np.float32),
        np.array([None]),
    ],
)
def test_arrays(array: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Arrays that cannot be tensors; pickles are never loaded."""
    describe()
    arrays(bad=array)
    status, line = failure(capsys, "pack", "model.json", "model.npz", "out")
    assert status == 2
    assert "model.npz" in line


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY no array", b"text"])
def test_not_npz(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    describe()
    Path("model.npz").write_bytes(content)
    assert failure(capsys, "pack", "model.json", "model.npz", "out")[0] == 2


@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_broken_archives(data: st.DataObject) -> None:
    """Any damage to an archive: arrays, or one typed error."""
    arrays()
    content = bytearray(Path("model.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    Path("broken.npz").write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(DescriptionError):
        load_weights(Path("broken.npz"), Quantisation.Q8_0)


def test_one_array_is_no_archive(capsys: pytest.CaptureFixture[str]) -> None:
    describe()
    with Path("model.npz").open("wb") as file:
        np.save(file, np.ones(3, np.float32))
    assert failure(capsys, "pack", "model.json", "model.npz", "out")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["keys"],
        ["verify", "x"],
        ["verify", "x", "--store", "s", "--at", "noon"],
        ["keys", "remove", "store", "12"],
        ["keys", "trust", "store", "x", "--name", "x"],
        ["nonsense"],
    ],
)
def test_wrong_use(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_as_a_program() -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "sw.llm.package", "inspect", "missing"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "package: missing: No such file or directory\n")
