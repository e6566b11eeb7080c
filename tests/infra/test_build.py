"""Builds are cached by content: whatever goes in and changes makes another build (trap 4)."""

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tb.run import build as build_module
from tb.run.artefacts import workspace
from tb.run.build import BuildSpec, Built, build
from tb.run.errors import CheckError, UsageError
from tb.run.sources import expand

TOP = """
`include "step.svh"
module top;
  import first_pkg::*;
  logic [7:0] value;
  initial value = 8'(`STEP) + First;
  used u_used (.value_i(value));
  initial if (value == 0) $display("%0d", value);
endmodule
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project whose C++ is not compiled: Verilator runs, the compiler is replaced."""
    root = tmp_path / "project"
    (root / "lib").mkdir(parents=True)
    (root / "inc").mkdir()
    (root / "top.sv").write_text(TOP)
    (root / "first_pkg.sv").write_text(
        "package first_pkg;\n  localparam bit [7:0] First = second_pkg::Second;\nendpackage\n"
    )
    (root / "second_pkg.sv").write_text("package second_pkg;\n  localparam bit [7:0] Second = 8'd2;\nendpackage\n")
    (root / "inc" / "step.svh").write_text("`define STEP 1\n")
    used = 'module {} (\n  input logic [7:0] value_i\n);\n  initial if (value_i == 9) $display("nine");\nendmodule\n'
    (root / "lib" / "used.sv").write_text(used.format("used"))
    (root / "lib" / "unused.sv").write_text(used.format("unused"))
    (root / "dpi.cpp").write_text('#include "dpi.h"\n')
    (root / "dpi.h").write_text("extern int x;\n")
    monkeypatch.setattr(build_module, "CACHE", tmp_path / "cache")

    def compile_nothing(_job: object, folder: Path, *_rest: object) -> Callable[[], None]:
        (folder / "Vtop").write_text("program")
        (folder / "Vtop").chmod(0o755)
        return lambda: None

    monkeypatch.setattr(build_module, "_compile", compile_nothing)
    return root


@pytest.fixture
def spec(project: Path) -> BuildSpec:
    return BuildSpec("small", "top", ("*.sv",), libs=("lib",), includes=("inc",), cpp=("dpi.cpp",), root=project)


def quiet(_text: str) -> None:
    pass


def test_packages_come_in_order_of_use(project: Path) -> None:
    assert [path.name for path in expand(["*.sv"], project)] == ["second_pkg.sv", "first_pkg.sv", "top.sv"]


def test_unchanged_is_cached(spec: BuildSpec) -> None:
    assert not build(spec, quiet).cached
    assert build(spec, quiet).cached


@pytest.mark.parametrize("name", ["top.sv", "first_pkg.sv", "inc/step.svh", "lib/used.sv", "dpi.cpp", "dpi.h"])
def test_trap_4_changed_content_is_another_build(spec: BuildSpec, name: str) -> None:
    first = build(spec, quiet)
    path = spec.root / name
    old = path.read_text()
    path.write_text(old + "// changed\n")
    second = build(spec, quiet)
    assert not second.cached
    assert second.key != first.key
    path.write_text(old)
    back = build(spec, quiet)
    assert back.cached
    assert back.key == first.key


def test_trap_4_changed_settings_are_another_build(spec: BuildSpec) -> None:
    changes: list[dict[str, object]] = [{}, {"flags": ("-DX=1",)}, {"coverage": True}, {"debug": True}]
    keys = {build(replace(spec, **change), quiet).key for change in changes}  # type: ignore[arg-type]
    assert len(keys) == len(changes)


def test_unused_module_changes_nothing(spec: BuildSpec) -> None:
    first = build(spec, quiet)
    (spec.root / "lib" / "unused.sv").write_text("module unused;\nendmodule\n")
    assert build(spec, quiet).key == first.key


def test_module_that_appears_is_seen(spec: BuildSpec) -> None:
    build(spec, quiet)
    (spec.root / "lib" / "another.sv").write_text("module another;\nendmodule\n")
    assert not build(spec, quiet).cached


def test_two_builders_do_not_race(spec: BuildSpec) -> None:
    results: list[Built] = []
    threads = [threading.Thread(target=lambda: results.append(build(spec, quiet))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.cached for result in results) == [False, True, True, True]
    assert len({result.key for result in results}) == 1


def test_failed_build_leaves_nothing(spec: BuildSpec) -> None:
    (spec.root / "lib" / "used.sv").write_text("module used (\n  input logic [7:0] value_i\n);\n  oops\nendmodule\n")
    with pytest.raises(CheckError, match=r"used\.sv:5.*syntax error"):
        build(spec, quiet)
    assert not [path for path in build_module.CACHE.iterdir() if path.is_dir()]


def test_trap_4_an_edit_during_the_compilation_is_no_build(spec: BuildSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []

    def compile_and_edit(_job: object, folder: Path, *_rest: object) -> Callable[[], None]:
        (folder / "Vtop").write_text("program")
        (spec.root / "dpi.cpp").write_text('#include "dpi.h"\nint x = 1;\n')
        return lambda: kept.append(True)

    monkeypatch.setattr(build_module, "_compile", compile_and_edit)
    with pytest.raises(CheckError, match=r"dpi\.cpp changed while it was compiled"):
        build(spec, quiet)
    assert not kept
    assert not [path for path in build_module.CACHE.iterdir() if path.is_dir()]


def test_warning_fails_the_build(spec: BuildSpec) -> None:
    path = spec.root / "lib" / "used.sv"
    path.write_text(
        path.read_text().replace("endmodule", "  logic [3:0] narrow;\n  assign narrow = value_i;\nendmodule")
    )
    with pytest.raises(CheckError, match="WIDTHTRUNC"):
        build(spec, quiet)


def test_impossible_parameter_is_one_line(spec: BuildSpec) -> None:
    with pytest.raises(CheckError, match="WIDTH_OF_NOTHING"):
        build(replace(spec, parameters={"WIDTH_OF_NOTHING": 3}), quiet)


@pytest.mark.parametrize("change", [{"sources": ("none.sv",)}, {"libs": ("none",)}])
def test_missing_source_is_wrong_use(spec: BuildSpec, change: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(UsageError, match="none"):
        build(replace(spec, **change), quiet)  # type: ignore[arg-type]


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def one_byte_changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def not_executable(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize("damage", [cut_short, emptied, one_byte_changed, not_executable, Path.unlink])
@pytest.mark.parametrize("name", ["Vtop", "build.json", "digests.json", "record"])
def test_d1_a_damaged_build_is_built_again_with_a_word(
    spec: BuildSpec, name: str, damage: Callable[[Path], None]
) -> None:
    if damage is not_executable and name != "Vtop":
        pytest.skip("only the program is executed")
    first = build(spec, quiet)
    (record,) = build_module.CACHE.glob("*.json")
    damage(record if name == "record" else first.binary.parent / name)
    said: list[str] = []
    second = build(spec, said.append)
    assert second.binary.read_text() == "program"
    assert second.key == first.key
    if (name, damage) != ("record", Path.unlink):  # without a record nothing says that there was a build
        assert said[0].startswith("build: the cached build of small is damaged (")
        assert said[0].endswith("it is removed and built again")
    assert build(spec, quiet).cached
    assert not list(build_module.CACHE.glob("work-*"))


def test_d1_a_removed_build_is_built_again(spec: BuildSpec) -> None:
    first = build(spec, quiet)
    shutil.rmtree(first.binary.parent)
    assert not build(spec, quiet).cached


def test_d3_work_of_a_killed_builder_is_removed(spec: BuildSpec) -> None:
    build_module.CACHE.mkdir(parents=True)
    (build_module.CACHE / "work-killed").mkdir()
    (build_module.CACHE / "work-killed" / "Vtop.cpp").write_text("")
    (build_module.CACHE / "work-file").write_text("")
    with workspace(build_module.CACHE) as alive:
        build(spec, quiet)
        assert sorted(build_module.CACHE.glob("work-*")) == [alive]
    assert not list(build_module.CACHE.glob("work-*"))


def test_old_builds_are_forgotten(spec: BuildSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "KEPT_BUILDS", 2)
    built = [build(replace(spec, flags=(f"-DX={number}",)), quiet) for number in range(3)]
    assert [one.binary.exists() for one in built] == [False, True, True]


def test_the_build_says_what_it_is_made_of(spec: BuildSpec) -> None:
    about = json.loads((build(spec, quiet).binary.parent / "build.json").read_text())
    assert about["module"] == "top"
    assert {"top.sv", "inc/step.svh", "lib/used.sv"} <= about["inputs"].keys()
    assert "lib/unused.sv" not in about["inputs"]


def test_environment_does_not_leak_into_builds(spec: BuildSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("VERILATOR_ROOT", "/nowhere"), ("MAKEFLAGS", "-n"), ("CXXFLAGS", "-Doops")):
        monkeypatch.setenv(name, value)
    assert not build(spec, quiet).cached
