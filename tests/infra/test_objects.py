"""The object store gives an object back exactly when everything that went into it is the same."""

import os
from pathlib import Path

import pytest

from tb.run.objects import ObjectStore, prune
from tb.run.tools import Verilator

SETTINGS = ["g++ 12", "-O2"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    (path / "Vtop_classes.mk").write_text(
        "VM_TRACE = 0\nVM_CLASSES_FAST += \\\n  Vtop \\\n  Vtop__1 \\\n\n  verilated \\\n"
    )
    (path / "Vtop.mk").write_text("VM_USER_CLASSES = \\\n  dpi \\\n\n")
    (path / "Vtop.h").write_text("int x;\n")
    for name in ("Vtop", "Vtop__1"):
        (path / f"{name}.cpp").write_text(f"int {name};\n")
    (tmp_path / "dpi.cpp").write_text("int dpi;\n")
    (tmp_path / "dpi.h").write_text("int dpi_h;\n")
    return path


def store(folder: Path, settings: list[str] = SETTINGS) -> ObjectStore:
    outside = folder.parent
    return ObjectStore(outside / "store", folder, settings, [outside / "dpi.cpp"], [outside / "dpi.h"])


def compile_all(folder: Path) -> None:
    objects = store(folder)
    taken = objects.take()
    for name in {"Vtop", "Vtop__1", "verilated", "dpi"} - {Path(name).stem for name in taken}:
        (folder / f"{name}.o").write_text(name)
    objects.keep(taken)


def taken(folder: Path, settings: list[str] = SETTINGS) -> list[str]:
    for path in folder.glob("*.o"):
        path.unlink()
    return sorted(store(folder, settings).take())


def test_everything_is_taken_when_nothing_changed(folder: Path) -> None:
    compile_all(folder)
    assert taken(folder) == ["Vtop.o", "Vtop__1.o", "dpi.o", "verilated.o"]
    assert (folder / "Vtop__1.o").read_text() == "Vtop__1"


def test_a_changed_source_costs_its_own_object(folder: Path) -> None:
    compile_all(folder)
    (folder / "Vtop.cpp").write_text("int changed;\n")
    assert taken(folder) == ["Vtop__1.o", "dpi.o", "verilated.o"]


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("work/Vtop.h", ["verilated.o"]),
        ("dpi.cpp", ["Vtop.o", "Vtop__1.o", "verilated.o"]),
        ("dpi.h", ["Vtop.o", "Vtop__1.o", "verilated.o"]),
    ],
)
def test_a_change_costs_what_depends_on_it(folder: Path, name: str, left: list[str]) -> None:
    compile_all(folder)
    (folder.parent / name).write_text("int changed;\n")
    assert taken(folder) == left


def test_other_flags_take_nothing(folder: Path) -> None:
    compile_all(folder)
    assert taken(folder, ["g++ 12", "-O1"]) == []
    (folder / "Vtop_classes.mk").write_text((folder / "Vtop_classes.mk").read_text().replace("TRACE = 0", "TRACE = 1"))
    assert taken(folder) == []


def test_d1_a_damaged_object_is_compiled_again(folder: Path) -> None:
    compile_all(folder)
    kept = next(path for path in (folder.parent / "store").glob("*.o") if path.read_text() == "Vtop__1")
    kept.write_text("Vtop__")
    objects = store(folder)
    assert objects.take() == ["Vtop.o", "dpi.o", "verilated.o"]
    assert objects.damaged == 1
    compile_all(folder)
    assert taken(folder) == ["Vtop.o", "Vtop__1.o", "dpi.o", "verilated.o"]


def test_d1_an_object_without_its_digest_is_not_taken(folder: Path) -> None:
    compile_all(folder)
    for path in (folder.parent / "store").glob("*.sha256"):
        path.unlink()
    assert taken(folder) == []


def test_prune_removes_the_oldest(tmp_path: Path) -> None:
    for age in range(4):
        path = tmp_path / f"{age}.o"
        path.write_bytes(bytes(100))
        os.utime(path, (1000 - age, 1000 - age))
    prune(tmp_path, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.o", "1.o"]


def test_checkouts_with_a_common_environment_share_objects(tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        link = tmp_path / name / ".venv"
        link.symlink_to(tmp_path / "env")
        found.append(Verilator(link / "bin/verilator", link / "lib/verilator", "Verilator 5.048"))
    assert found[0] != found[1]
    assert found[0].resolved == found[1].resolved
    assert found[0].resolved.command == tmp_path / "env/bin/verilator"
