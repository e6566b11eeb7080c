"""A3, F3: viewer sessions list signals that exist, by the names of their values, and hold no folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyslang
import pytest
from pyslang.driver import Driver
from pywellen.pywellen import Waveform

from tb.run.errors import CheckError
from tb.run.lint import _slang_command
from tb.run.manifest import Top, load
from tb.run.sessions import Shown, chosen_signals, groups_of, value_names, write_sessions
from tb.run.svenum import enums_of, find_enum

TOPS = load().tops

# ------------------------------------------------------------------ every listed signal is one of the design


def elaborated(top: Top) -> Any:
    """The design of a top, as slang has it."""
    driver = Driver()
    driver.addStandardArgs()
    words = _slang_command(top.spec)[3:]  # without the interpreter and its program
    assert driver.parseCommandLine(" ".join(f'"{word}"' for word in ["slang", *words]))
    assert driver.processOptions()
    assert driver.parseAllSources()
    return driver, driver.createCompilation()


def exists(compilation: Any, module: str, path: str) -> bool:
    """A value of the design, or a member of one: `u_a.gen_b[0].word.field`, `items.[1].tier`."""
    parts = path.replace(".[", "[").split(".")
    for known in range(len(parts), 0, -1):
        name, bracket, index = parts[known - 1].partition("[")
        symbol = compilation.getRoot().lookupName(".".join([module, *parts[: known - 1], name]))
        if symbol is not None and symbol.isValue and symbol.name == name:  # not what a part of the path names
            return _has(symbol.type.canonicalType, [*([f"[{index}"] if bracket else []), *parts[known:]])
    return False


def _has(kind: Any, members: list[str]) -> bool:
    if not members:
        return True
    if members[0].startswith("["):
        return bool(kind.isArray) and _has(kind.arrayElementType.canonicalType, members[1:])
    if not kind.isStruct:
        return False
    fields = {member.name: member for member in kind if member.kind == pyslang.ast.SymbolKind.Field}
    return members[0] in fields and _has(fields[members[0]].type.canonicalType, members[1:])


@pytest.mark.parametrize("name", TOPS)
def test_a3_every_listed_signal_exists(name: str) -> None:
    top = TOPS[name]
    _, compilation = elaborated(top)
    listed = [(group, path, how) for group, entries in groups_of(top).items() for path, how in entries]
    assert listed, f"top {name} names no signal for the viewers (tb/manifest.toml: waves)"
    missing = [f"{group}: {path}" for group, path, _ in listed if not exists(compilation, top.spec.module, path)]
    assert not missing, f"top {name}, waves: renamed or removed:\n" + "\n".join(missing)
    for _, _, how in listed:
        value_names(how)


def test_a3_a_renamed_signal_is_noticed() -> None:
    _, compilation = elaborated(TOPS["moveq"])
    module = TOPS["moveq"].spec.module
    assert exists(compilation, module, "q_pop")
    assert not exists(compilation, module, "q_popped")
    assert not exists(compilation, module, "q_pop.field")


def test_a3_the_whole_device_has_its_groups() -> None:
    groups = " ".join(groups_of(TOPS["kvcpu"]))
    assert all(word in groups for word in ("RTBD pipeline", "Queues", "Scan", "DMA", "AXI", "Interrupts"))


# ------------------------------------------------------------------ sessions of a wave file

VCD = """$timescale 1ps $end
$scope module tb_moveq_top $end
 $var wire 1 ! clk $end
 $var wire 4 " op [3:0] $end
 $scope module u_dut $end
  $var wire 16 # row [15:0] $end
 $upscope $end
$upscope $end
$enddefinitions $end
#0
0!
b0000 "
b0 #
#4000
1!
b1001 "
"""


class Named:
    """A variable whose names the wave file holds, as in FST."""

    def __init__(self, full_name: str, bitwidth: int) -> None:
        self.full_name, self.bitwidth, self.enum_type = full_name, bitwidth, ("kvcpu_pkg::op_e", [])


@pytest.fixture
def top() -> Top:
    """A top with two groups."""
    return replace(TOPS["moveq"], waves={"Clock": ("clk",), "Operation": ("op = op_e", "u_dut.row = dec")})


def sessions(folder: Path, top: Top, mark_ps: int | None = None) -> tuple[str, str]:
    """Texts of both sessions of the wave file above."""
    waves = folder / "waves.vcd"
    waves.write_text(VCD)
    groups = chosen_signals(top, list(Waveform(str(waves)).all_vars()))
    gtkw, sucl = write_sessions(waves, top, groups, mark_ps, 0)
    return gtkw.read_text(), sucl.read_text()


def test_a3_groups_and_names_of_values(tmp_path: Path, top: Top) -> None:
    gtkw, sucl = sessions(tmp_path, top)
    assert "@800200\n-Operation\n@2022\n^1 ./op_e.names\n+{op} tb_moveq_top.op[3:0]\n" in gtkw
    assert "@24\n+{row} tb_moveq_top.u_dut.row[15:0]\n@1000200\n-Operation\n" in gtkw
    assert "9 OpInsert\n" in (tmp_path / "op_e.names").read_text()
    assert "divider_add Operation\nvariable_add tb_moveq_top.op\n" in sucl


def test_an_element_of_an_array_is_found_as_fst_and_as_vcd_name_it(top: Top) -> None:
    listed = replace(top, waves={"Items": ("u_dut.item.[1].block = dec",)})
    for name in ("tb_moveq_top.u_dut.item.[1].block", "tb_moveq_top.u_dut.item[1].block"):
        variables: list[Any] = [Named(name, 32)]
        ((shown,),) = chosen_signals(listed, variables).values()
        assert shown.name == name


def test_a3_names_that_the_wave_file_has_are_used(tmp_path: Path, top: Top) -> None:
    """GTKWave takes no other names for a signal that has its own."""
    groups = {"Operation": [Shown("tb_moveq_top.op", "op", 4, "op_e", has_names=True)]}
    gtkw, _ = write_sessions(tmp_path / "waves.fst", top, groups, None, 0)
    assert "@100000028\n+{op} tb_moveq_top.op[3:0]\n" in gtkw.read_text()


def test_a3_a_marker_at_the_failure(tmp_path: Path, top: Top) -> None:
    gtkw, sucl = sessions(tmp_path, top, mark_ps=123_000)
    assert "\n*-13.600000 123000 123000 -1" in gtkw
    assert f"[timestart] {123_000 - 10 * top.clock_ps}\n" in gtkw
    assert "cursor_set 123000\ngoto_cursor" in sucl


def test_a3_a_signal_that_is_missing_is_named(tmp_path: Path, top: Top) -> None:
    with pytest.raises(CheckError, match="top `moveq`, waves of `Clock`: no signal clock in the wave file"):
        sessions(tmp_path, replace(top, waves={"Clock": ("clock",)}))


def test_f3_sessions_name_no_folder(tmp_path: Path, top: Top) -> None:
    for text in sessions(tmp_path, top, mark_ps=4_000):
        assert str(tmp_path) not in text
        assert not [line for line in text.splitlines() if line.startswith(("/", "^1 /", '[dumpfile] "/'))]


def test_enums_without_values_count_from_0(tmp_path: Path) -> None:
    source = tmp_path / "a.sv"
    steps = "typedef enum logic [1:0] {\n  A,  // first\n  B = 2'd2,\n  C\n} step_e;\n"
    source.write_text(f"{steps}typedef enum logic {{ X }} x_e;\n")
    assert enums_of(source) == {"step_e": (2, {"A": 0, "B": 2, "C": 3}), "x_e": (1, {"X": 0})}
    assert find_enum(tmp_path, "x_e") == {"X": 0}
    with pytest.raises(LookupError, match="no enum `y_e`"):
        find_enum(tmp_path, "y_e")
