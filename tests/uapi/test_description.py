"""The published interface as one description, and the headers made from it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sw.regs.generated import ROOT
from sw.uapi.__main__ import main, outputs
from sw.uapi.build import BuildError, NoCompiler, build, find_compiler
from sw.uapi.description import CALLS, STRUCTS, Member, Struct

STRICT = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-pedantic-errors",
    "-fsyntax-only",
    "-I",
    str(ROOT / "sw/include"),
]
USER = """
#include "kvcpu_uapi.h"
#include "kvcpu.h"
#include "kvcpu_uapi.h"
#include <linux/ioctl.h>
static_assert(KVCPU_IOC_STEP_ADVANCE == _IOW('K', 1, struct kvcpu_step), "STEP_ADVANCE");
static_assert(KVCPU_IOC_MARK_HOT == _IOW('K', 2, struct kvcpu_range), "MARK_HOT");
static_assert(KVCPU_IOC_EVICT == _IOW('K', 3, struct kvcpu_range), "EVICT");
static_assert(KVCPU_IOC_PREFETCH == _IOW('K', 4, struct kvcpu_range), "PREFETCH");
static_assert(KVCPU_IOC_SHARE_PREFIX == _IOW('K', 5, struct kvcpu_range), "SHARE_PREFIX");
static_assert(KVCPU_IOC_SET_WEIGHTS == _IOW('K', 6, struct kvcpu_weights), "SET_WEIGHTS");
static_assert(KVCPU_IOC_GET_TELEMETRY == _IOR('K', 7, struct kvcpu_telemetry), "GET_TELEMETRY");
int main(void) { return kvcpu_close(kvcpu_open(KVCPU_DEVICE)); }
"""


def test_published_values() -> None:
    assert [(call.name, call.request) for call in CALLS] == [
        ("STEP_ADVANCE", 0x40084B01),
        ("MARK_HOT", 0x40184B02),
        ("EVICT", 0x40184B03),
        ("PREFETCH", 0x40184B04),
        ("SHARE_PREFIX", 0x40184B05),
        ("SET_WEIGHTS", 0x40184B06),
        ("GET_TELEMETRY", 0x80604B07),
    ]
    assert [struct.layout.size for struct in STRUCTS] == [8, 24, 24, 96]


@pytest.mark.parametrize("bits", [(32, 64), (64, 32), (8, 16)])
def test_a_struct_that_a_compiler_would_pad_is_refused(bits: tuple[int, ...]) -> None:
    members = tuple(Member(f"m{i}", size, "") for i, size in enumerate(bits))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="padding"):
        Struct("padded", "", members)


def test_generated_headers_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--check"]) == 0, capsys.readouterr().err


def test_every_stale_header_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(tmp_path)
    assert main(["generate", "--root", root]) == 0
    assert main(["generate", "--check", "--root", root]) == 0
    for path, text in outputs().items():
        (tmp_path / path).write_text(text + " ")
        assert main(["generate", "--check", "--root", root]) == 1
        assert f"uapi: {path} is stale: run `make regs`" in capsys.readouterr().err
        (tmp_path / path).unlink()
        assert main(["generate", "--check", "--root", root]) == 1
        assert main(["generate", "--root", root]) == 0


@pytest.mark.parametrize(("compiler", "standard", "suffix"), [("cc", "c11", "c"), ("c++", "c++17", "cpp")])
def test_headers_compile(tmp_path: Path, compiler: str, standard: str, suffix: str) -> None:
    program = shutil.which(compiler)
    if program is None:
        pytest.skip(f"no {compiler} on this machine")
    source = tmp_path / f"user.{suffix}"
    source.write_text(USER)
    done = subprocess.run(
        [program, f"-std={standard}", *STRICT, str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- building


def test_a_fresh_build_is_kept_and_a_stale_one_is_not(tmp_path: Path) -> None:
    first = build(tmp_path)
    when = first.preload.stat().st_mtime_ns
    assert build(tmp_path) == first
    assert first.preload.stat().st_mtime_ns == when
    first.preload.with_suffix(".stamp").write_text("of another source")
    build(tmp_path)
    assert first.preload.stat().st_mtime_ns > when


def test_only_what_is_taken_over_is_exported(tmp_path: Path) -> None:
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("no nm on this machine")
    listed = subprocess.run(
        [nm, "-D", "--defined-only", build(tmp_path).preload], capture_output=True, text=True, check=True
    )
    names = {line.split()[-1] for line in listed.stdout.splitlines()}
    opens = {f"open{at}{big}" for at in ("", "at") for big in ("", "64")}
    others = {"ioctl", "read", "write"} | {f"{name}{big}" for name in ("creat", "fopen", "fcntl") for big in ("", "64")}
    assert names == {*others, *opens, *(f"__{name}_2" for name in opens)}


def test_a_cpp_compiler_compiles_it_as_c(tmp_path: Path) -> None:
    """The project asks for a C++ compiler only."""
    if shutil.which("c++") is None:
        pytest.skip("no c++ on this machine")
    assert find_compiler("c++")[1:] == ["-x", "c"]
    assert build(tmp_path, "c++").preload.exists()


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCompiler, match="no C compiler found"):
        find_compiler()
    assert main(["build", "--output", str(tmp_path), "--cc", "tcc-of-old"]) == 2
    assert capsys.readouterr().err == "error: tcc-of-old: no such compiler\n"


def test_a_compiler_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken-cc"
    broken.write_text("#!/bin/sh\necho 'client.c:1: error: cannot' >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(BuildError, match=r"libkvcpu\.so: client\.c:1: error: cannot"):
        build(tmp_path / "out", str(broken))
    assert main(["build", "--output", str(tmp_path / "out"), "--cc", str(broken)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["compile"], ["build", "--fast"]])
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err
